"""The whole method on the bundled world, in a few minutes: what `imageless demo` does.

Three small models are trained from scratch: on sentences, on sentences with noise, and on pictures. All three are then
shown pictures nobody trained on. The page puts what they say beside what people say, and shows the gap they had to cross.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imageless import report
from imageless.analysis.reproduce import reproduce
from imageless.errors import InputError
from imageless.folders import begin, publish, write_json, write_text
from imageless.runs import read_config

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN = 24  # pictures in the gallery
DOTS = 300  # pairs in the picture of the gap
SCORES = {
    "captioning": {"cider": "CIDEr-D", "bleu4": "BLEU-4"},
    "entailment": {"accuracy": "accuracy"},
    "vqa": {"accuracy": "accuracy"},
    "news": {"cider": "CIDEr-D", "bleu4": "BLEU-4"},
    "style": {"cider": "CIDEr-D", "strength": "strength of the voice"},
}
"""What is shown of each task's scores, and how it is called."""
ROWS = {
    "no_noise": "sentences only, no noise",
    "noise": "sentences only, with noise",
    "images": "pictures (the upper bound)",
    "shuffled": "sentences with noise, shown other pictures (control)",
}


@dataclass(frozen=True)
class Demonstrated:
    """What the demo left behind."""

    out: Path
    report: Path
    scores: dict[str, dict[str, float]]
    table: str


def demo(out: Path, task: str = "captioning", seed: int = 0, overwrite: bool = False) -> Demonstrated:
    """Train, answer, score, and write `report.html` and `scores.json` to `out`."""
    if task not in SCORES:
        raise InputError(f"expected a task among {', '.join(SCORES)}, got {task!r}")
    work = begin(out, overwrite, resume=True)
    made = reproduce("demo" if task == "captioning" else f"demo-{task}", "world", work, first_seed=seed)
    scores: dict[str, dict[str, float]] = {}
    for row in ROWS:
        (cell,) = made["rows"][row].values()
        scores[row] = {name: cell["seeds"][str(seed)][name] for name in SCORES[task]} | {"n": cell["n"]}
    write_json(work / "scores.json", scores)
    write_text(work / "report.html", _page(work, scores, task, seed))
    publish(work, out)
    heads = "".join(f"{name:>{len(name) + 3}}" for name in SCORES[task].values())
    lines = [f"{'':<52}{heads}", *(_row(row, score, task) for row, score in scores.items())]
    return Demonstrated(out, out / "report.html", scores, "\n".join(lines))


def _row(row: str, score: dict[str, float], task: str) -> str:
    return f"{ROWS[row]:<52}" + "".join(
        f"{100 * score[name]:>{len(told) + 3}.1f}" for name, told in SCORES[task].items()
    )


def _page(work: Path, scores: dict[str, dict[str, float]], task: str, seed: int) -> str:
    live = {ROWS[row]: [f"{100 * score[name]:.1f}" for name in SCORES[task]] for row, score in scores.items()}
    n = next(iter(scores.values()))["n"]
    names = list(SCORES[task].values())
    sections = [
        report.section(
            "What they learned just now",
            "Short runs, far from converged: a few hundred steps each on this machine. Learning from sentences with noise "
            "should come near learning from pictures, without ever having seen one.",
            report.table(f"{' and '.join(names)} x 100, n = {n}", names, live)
            + (_recorded() if task == "captioning" else ""),
        ),
        report.section(
            "Pictures nobody trained on",
            "What each model says, and what people say. The highlighted line comes from a model that has read sentences only.",
            report.gallery(_cards(work, seed)),
        ),
        report.section(
            "The gap",
            "Sentences and pictures of the same scenes lie apart in the encoder's space. Noise spreads the sentences out until "
            "pictures look like more of the same; the model never learns which side a vector came from.",
            report.figure(
                _gap(_noise(work, seed)),
                "text and image vectors on their first two principal axes, before and after noise",
            ),
        ),
    ]
    return report.page(
        "Learning to see from text alone",
        f"imageless demo: {task} in the bundled world, learned live and offline.",
        sections,
    )


def _recorded() -> str:
    """The table of full-length runs as it was measured, from the package."""
    file = resources.files("imageless.recipes") / "recorded" / "captioning.world.json"
    table = json.loads(file.read_text(encoding="utf-8"))
    rows: dict[str, list[str]] = {
        ROWS.get(row, str(row)): [f"{100 * cell['mean']:.1f} ± {100 * cell['spread']:.1f}" for cell in cells.values()]
        for row, cells in table["rows"].items()
    }
    first = next(iter(next(iter(table["rows"].values())).values()))
    size = f"{first['n']:,} test pictures, {len(table['seeds'])} seeds"
    told = f"For comparison, recorded {table['date']}: full-length runs, CIDEr-D x 100 on {size}"
    return report.table(told, list(next(iter(table["rows"].values()))), rows)


def _cards(work: Path, seed: int) -> list[report.Card]:
    from imageless.world.render import render
    from imageless.world.scenes import scene

    said = {row: _answers(work, row, seed) for row in ("noise", "no_noise", "images")}
    cards = []
    for number, answer in enumerate(said["noise"]):
        split, index = answer["key"].split("-")[:2]
        lines: dict[str, str | Sequence[str]] = {"asked": answer["prompt"]} if "prompt" in answer else {}
        lines |= {ROWS[row]: answers[number]["text"] for row, answers in said.items()}
        lines["people"] = list(dict.fromkeys(answer["references"]))[:3]
        cards.append(report.Card(render(scene(split, int(index)), size=96), lines, ROWS["noise"]))
    return cards


def _answers(work: Path, row: str, seed: int) -> list[dict[str, Any]]:
    (folder,) = (work / "scores").glob(f"{row}-*-{seed}")
    answers = [json.loads(line) for line in (folder / "predictions.jsonl").read_text(encoding="utf-8").splitlines()]
    return answers[:: max(1, len(answers) // SHOWN)][:SHOWN]


def _noise(work: Path, seed: int) -> float:
    (scores,) = (work / "scores").glob(f"noise-*-{seed}")
    run = work / "runs" / scores.name
    return read_config(run).noise


def _gap(noise: float) -> Figure:
    """Text and image vectors of the same scenes on their first two principal axes, without and with noise."""
    import numpy as np
    import torch
    import torch.nn.functional as F
    from matplotlib.figure import Figure

    from imageless import data, encoders
    from imageless.adapters import Noise
    from imageless.draws import normal
    from imageless.stages import embed

    encoder = encoders.load("world")
    records = list(data.read("world", "test", limit=DOTS))
    images = embed.images([record.image for record in records if record.image], encoder)
    texts = F.normalize(encoder.texts([record.captions[0] for record in records]), dim=-1).cpu()
    pictures = images.unit(images.rows(record.image.name for record in records if record.image))
    blurred = Noise(noise)(texts, normal(0, 0, *texts.shape))
    plot = Figure(figsize=(10, 4.2))
    for axis, sentences, title in zip(
        plot.subplots(1, 2), (texts, blurred), ("as they are", f"sentences with noise, w = {noise}"), strict=True
    ):
        both = torch.cat([sentences, pictures]).numpy()
        centred = both - both.mean(0)
        flat = centred @ np.linalg.svd(centred, full_matrices=False)[2][:2].T
        axis.scatter(*flat[:DOTS].T, s=9, color="#2f6f9f", label="sentences")
        axis.scatter(*flat[DOTS:].T, s=9, color="#c8642f", label="pictures")
        axis.set(title=title, xticks=[], yticks=[])
        axis.legend(frameon=False, loc="upper right")
    return plot
