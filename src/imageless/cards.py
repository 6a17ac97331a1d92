"""Model cards: what a run says of itself to people, and to the Hub, written from its config and from evaluations of it.

Nothing stands in a card that the run does not know; what only its author knows, such as a licence, they write into it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imageless import encoders
from imageless.options import EvaluateOptions

if TYPE_CHECKING:
    from imageless.runs import RunConfig

HERE = "THIS_FOLDER"
LEARNED_FROM = {
    "text": "text alone: no picture was opened",
    "images": "image vectors (the upper bound)",
    "nothing": "prompts alone (the blind control)",
}
PIPELINES = {"vqa": "visual-question-answering", "entailment": "image-text-to-text", "news": "image-text-to-text"}
CALLS = {  # how a run of the task is used: the verb, what follows the picture on the command line and in Python
    "vqa": ("ask", '"what is the dog doing?"', ', "what is the dog doing?"'),
    "entailment": ("entail", '"a dog is outside"', ', "a dog is outside"'),
    "news": ("news", "--article article.txt", ', open("article.txt").read()'),
}
LICENCES = {"world": "Apache-2.0; it comes with imageless"}
CHECKPOINTS = (".pt", ".pth", ".bin", ".ckpt", ".safetensors")
ASIDE = ("overwrite", "device", "batch_size", "vectors", "images")  # of an evaluation: no score depends on them


def card(config: RunConfig, name: str = HERE, evaluations: Sequence[Mapping[str, Any]] = ()) -> str:
    """The card of a run that is found under `name`."""
    encoder = config.encoder
    kept = "its image network learned along" if config.options.get("tune_encoder") else "frozen"
    setting = f" ({config.setting})" if config.setting else ""
    return f"""---
{_metadata(config)}
---

# A {config.task} model that learned from {_learned(config)}

| | |
|---|---|
| task | {config.task}{setting} |
| encoder ({kept}) | `{encoder.name}`, {encoder.dim} dimensions, fingerprint `{encoder.fingerprint[:12]}` |
| the encoder's licence | {_licence(encoder.name)} |
| language model | {_shape(config)} |
| noise w | {config.noise} |
| data | {", ".join(f"`{source}`" for source in config.data)} ({config.examples:,} examples) |
| final loss | {config.final.get("loss", float("nan")):.3f} |

## Use

{_use(config, name)}
{scores(evaluations, name)}
## What it is for, and what not

{_limits(config)}

Method: {"LiMBeR, arXiv:2209.15162" if config.model == "limber" else "CLOSE, arXiv:2211.09778"}.
"""


def scores(evaluations: Sequence[Mapping[str, Any]], name: str) -> str:
    """What `imageless evaluate` found, each with its command; nothing where nothing was measured."""
    parts = ["\n## Scores\n"] if evaluations else []
    for evaluation in evaluations:
        rows = [f"| {score} | {value:.4f} |" for score, value in evaluation["scores"].items()]
        control = evaluation["options"].get("control")
        shown = f", each shown {control} pictures: the control" if control else ""
        parts += [
            f"{evaluation['n']:,} answers{shown}, by `{_command(evaluation, name)}`:\n",
            "\n".join([f"| | {control or 'score'} |", "|---|---|", *rows]) + "\n",
        ]
    return "\n".join(parts)


def _command(evaluation: Mapping[str, Any], name: str) -> str:
    """The command an evaluation came from, without what is as ever."""
    words = ["imageless evaluate", name, *evaluation["data"]]
    for field in fields(EvaluateOptions):
        value, usual = evaluation["options"].get(field.name), field.default
        if value is None or usual is MISSING or value == usual or field.name in ASIDE or value == []:
            continue
        flag = f"--{field.name.replace('_', '-')}"
        for one in value if isinstance(value, (list, tuple)) else [value]:
            words.append(flag if one is True else f"{flag} {one}")
    return " ".join(words)


def _metadata(config: RunConfig) -> str:
    """What the Hub reads. A licence only where everything that went in is ours."""
    from huggingface_hub import ModelCardData

    tags = ["limber"] if config.model == "limber" else ["close"]
    tags += ["text-only-training"] if config.on == "text" and not config.options.get("unpaired") else []
    ours = all(re.match(r"world\b", source) for source in (config.encoder.name, config.lm, *config.data))
    from_hub = re.fullmatch(r"[\w-][\w.-]*/[\w.-]+", config.lm) and not Path(config.lm).exists()
    return ModelCardData(
        library_name="imageless",
        pipeline_tag=PIPELINES.get(config.task, "image-to-text"),
        tags=["image-captioning", *tags] if config.task in ("captioning", "style", "news") else tags,
        license="apache-2.0" if ours else None,
        base_model=config.lm if from_hub else None,
    ).to_yaml()


def _learned(config: RunConfig) -> str:
    unpaired = config.options.get("unpaired")
    if config.on == "text" and unpaired:
        return f"text, and from pictures without captions (`{unpaired}`) how pictures lie beside it"
    if config.on == "images" and config.model == "limber":
        return "image vectors"
    return LEARNED_FROM[config.on]


def _licence(name: str) -> str:
    before, path, _ = encoders.parts(name)
    return LICENCES.get(path) or ("see the encoder's own page" if before else "its maker's to say")


def _shape(config: RunConfig) -> str:
    start = f", learning on from `{config.start}`" if config.start else ""
    if config.model != "limber":
        return f"`{config.lm}` with a prefix of {config.prefix}{start}"
    within = f" and with bottlenecks {config.bottleneck} times narrower" if config.bottleneck else ""
    size = config.places if config.places > 1 else config.prefix
    return f"`{config.lm}`, left as it is, behind a linear map to {size} embeddings{within}{start}"


def _use(config: RunConfig, name: str) -> str:
    """Five lines of Python, one command, and what is fetched from elsewhere."""
    verb, words, argument = CALLS.get(config.task, ("caption", "", ""))
    style = config.prompts[0] if len(config.prompts) > 1 else None
    if style:
        words = f"--style {style}"
    imported = "Close, PredictOptions" if style else "Close"
    options = f', PredictOptions(style="{style}")' if style else ""
    voices = f"\nIts voices: {', '.join(config.prompts)}.\n" if style else ""
    return f"""```python
from imageless import {imported}

model = Close.from_pretrained("{name}"{options})
model.{verb}("photo.jpg"{argument})
```

```bash
imageless {verb} {name} photo.jpg {words}
```
{voices}
{_needs(config)}""".replace(" \n", "\n")


def _needs(config: RunConfig) -> str:
    _, path, _ = encoders.parts(config.encoder.name)
    if path == "encoder":
        needed = "The encoder lies in `encoder/` and is found there."
    elif path == "world":
        needed = "The encoder comes with imageless."
    elif encoders.local(config.encoder.name):
        needed = "The encoder is a folder of its own; it goes along when the run is pushed or saved elsewhere."
    elif path.endswith(CHECKPOINTS):
        needed = (
            f"The encoder does not come with the run: `{config.encoder.name}` is a checkpoint file to have at hand."
        )
    else:
        needed = f"The encoder does not come with the run: `{config.encoder.name}` is fetched when it is first needed."
    if config.model == "limber":
        needed += f" Nor does a language model of more than a billion weights: then `{config.lm}` is fetched too."
    return needed


def _limits(config: RunConfig) -> str:
    if config.on == "nothing":
        return "A control: it looks at no picture, and what it gets right is good guessing."
    seen = (
        "It learned from sentences, and what it says of a picture is what sentences that lie near would have said: it can be fluent "
        "and wrong, and name what is usual in place of what is there. "
        if config.on == "text"
        else "It can be fluent and wrong. "
    )
    return (
        f"For answers in the manner of the data above, and for finding out what can be learned this way. {seen}"
        "Whatever the data and the encoder lean towards, it leans towards too. Not for decisions about people, nor where a wrong "
        "word does harm."
    )
