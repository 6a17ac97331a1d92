"""Stage 2 without vectors: text in a row -> a causal language model, as a plain transformers folder.

The model that writes captions for training (synthesis) and that a linear map from pictures speaks to (LiMBeR). It has to
read what stands before, so the text is documents whose beginnings tell what follows, and the result says whether it does:
a second caption after the first and alone, an answer after caption and question and after the question alone.

Notable:
- Windows of fixed length hold whole documents side by side; only what is longer than a window is cut. A document begins
  with a start token, ends with an end token, and attention stays within it (models/causal.py).
- Held out is the validation split where the data has one, and every 20th document where it has none.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import asdict
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from imageless import data, draws, limits, loop
from imageless.arithmetic import quick_float32
from imageless.data.splits import canonical
from imageless.encoders.base import from_hub
from imageless.errors import InputError
from imageless.folders import begin, disk_errors, expect_free, publish, read_json, write_json, write_text
from imageless.models import causal
from imageless.models.causal import IGNORED
from imageless.models.language import from_scratch, quiet
from imageless.models.windows import WINDOW, Windows, windows_of
from imageless.options import TrainOptions
from imageless.records import Record
from imageless.screen import progress
from imageless.stages import learning_page
from imageless.stages.train import Trained
from imageless.tasks import language
from imageless.tasks.language import Probe
from imageless.world import corpus

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

log = logging.getLogger(__name__)

BATCH = 4  # windows; the same number of them in batches of 16 teaches less
STEPS = 8000  # about one pass over the world; not shown to be where gains end
FROM_SCRATCH_RATE = 2e-3  # at 1e-3 context is read later
EPOCHS, FINE_TUNING_RATE = 3.0, 5e-5  # of a model that exists: transformers' own defaults, TrainingArguments v5.23
HELD_OUT = 500  # documents of a validation split, and records it is probed with
KEPT_APART = 20  # without such a split, one document in so many
VOCABULARY_FROM = 20_000  # documents a vocabulary is made from
VALIDATE_EVERY = 250  # steps
MEASURED = 32  # rows in a forward pass without gradients


def train(sources: Sequence[str], out: Path, lm: str, options: TrainOptions) -> Trained:
    """Train a causal language model on the joined data and write it to `out`; under torchrun every process takes its share."""
    limits.check(options)
    _expect_text_alone(options)
    if options.resume and not options.overwrite and (out / causal.MADE).is_file():
        log.info("%s is complete already", out)
        return Trained(out, 0.0, 0, read_json(out / causal.MADE, "what a language model was trained on")["final"])
    spec = f"{causal.FAMILY}{lm.removeprefix('world')}" if from_scratch(lm) else lm  # `world` is a T5 elsewhere
    processes = loop.processes(options.device)
    with processes.main_process_first():
        resume = options.resume or not processes.is_main_process
        expect_free(out, options.overwrite, resume)
        write = str if options.keep_case else str.lower  # as the targets of the other tasks
        text = _Text(sources, options)
        torch.manual_seed(options.seed)
        with nullcontext() if causal.size_from_scratch(spec) or Path(spec).is_dir() else from_hub(spec):
            model, tokenizer = causal.load_causal(
                spec, text.some, WINDOW, options.vocabulary, lower_case=not options.keep_case
            )
        windows = windows_of(tokenizer, map(write, _counted(text.learned())))
        documents, records = text.held_out()
        held_out = windows_of(tokenizer, map(write, documents))
        if not (len(windows) and len(held_out)):
            raise InputError(
                f"expected text to learn from and to hold out in {', '.join(sources)}, got too little; add more"
            )
        job = _Reading(model, windows, held_out, Probes(tokenizer, list(language.probes(records)), write), options)
        job.order.expect_rows_for(processes.num_processes * options.accumulate)
        plan = _plan(job.order, causal.size_from_scratch(spec) is not None, options)
        work = begin(out, options.overwrite, resume)
        wanted = {"task": "language", "data": list(sources), "lm": spec, "windows": len(windows)}
        loop.expect_same(work, wanted | limits.deciding(options))
    with quick_float32():
        result = loop.run(job, plan, work)
    final = {"loss": result.loss, **job.validate()}
    if processes.is_main_process:
        learning_page.leave(work, f"train language {' '.join(sources)}", result)
        made = {"data": list(sources), "lm": spec, "tokens": int(windows.filled.sum()), "options": asdict(options)}
        _save(work, model, tokenizer, made | {"steps": result.steps, "seconds": result.seconds, "final": final})
        publish(work, out)
        loop.discard_checkpoints(out)
    processes.wait_for_everyone()
    return Trained(out, result.seconds, result.steps, final)


def _expect_text_alone(options: TrainOptions) -> None:
    """Refuse what only makes sense where vectors are read."""
    given = {
        name: getattr(options, name)
        for name in ("vectors", "setting", "noise", "unpaired", "epoch_share", "epoch_most")
    }
    given |= {"on": options.on, "prompt": options.prompt, "adapter": ", ".join(options.adapter) or None}
    given |= {"model": None if options.model == "close" else options.model}
    wrong = next((name for name, value in given.items() if value is not None), None)
    if wrong:
        flag = wrong.replace("_", "-")
        raise InputError(f"expected no --{flag} for the language task, got {given[wrong]}; it reads text alone")
    if options.compile:
        raise InputError("expected no --compile for the language task, whose probes have too many shapes; leave it out")


def _counted(texts: Iterator[str]) -> Iterator[str]:
    """The same, with something to see while waiting."""
    with progress("reading documents", None) as bar:
        for text in texts:
            yield text
            bar.advance()


class _Text:
    """What is learned from and what is held out of it, read anew each time rather than kept."""

    def __init__(self, sources: Sequence[str], options: TrainOptions):
        self.sources, self.options = sources, options
        self.validated = {source: self._validation(source) for source in sources}

    def learned(self) -> Iterator[str]:
        options = self.options
        for source in self.sources:
            if source == "world":
                yield from corpus.documents(options.split, options.limit)
                continue
            groups = language.groups(data.read(source, options.split, options.images, options.limit))
            for number, group in enumerate(groups):
                if self.validated[source] or number % KEPT_APART:
                    yield language.document(group)

    def some(self) -> Iterator[str]:
        """Enough of it to make a vocabulary from."""
        return islice(self.learned(), VOCABULARY_FROM)

    def held_out(self) -> tuple[list[str], list[Record]]:
        """Documents, and records to make probes of."""
        documents: list[str] = []
        records: list[Record] = []
        for source in self.sources:
            if source == "world":
                documents += corpus.documents(self.validated[source], HELD_OUT)
                records += corpus.records(self.validated[source], HELD_OUT)
                continue
            split = self.validated[source] or self.options.split
            every = 1 if self.validated[source] else KEPT_APART
            groups = language.groups(
                data.read(source, split, self.options.images, None if self.validated[source] else self.options.limit)
            )
            kept = list(islice(groups, 0, HELD_OUT * every, every))
            documents += map(language.document, kept)
            records += chain.from_iterable(kept)
        return documents, records

    def _validation(self, source: str) -> str:
        """The split that is held out, other than the one that is learned from; empty where there is none."""
        learned = canonical(self.options.split)
        if source == "world":
            if learned not in corpus.SIZES:
                raise InputError(f"the world has no split {learned!r}; there are: {', '.join(corpus.SIZES)}")
            return "test" if learned == "val" else "val"
        if learned == "val":
            return ""
        try:
            data.read(source, "val", self.options.images, 1)
        except InputError:
            log.info("%s has no validation split: every %dth document is held out", source, KEPT_APART)
            return ""
        return "val"


class _Reading:
    """The loop's job: rows of documents in, every next token out."""

    def __init__(
        self,
        model: PreTrainedModel,
        windows: Windows,
        held_out: Windows,
        probes: Probes,
        options: TrainOptions,
    ):
        self.model, self.windows, self.held_out, self.probes = model, windows, held_out, probes
        self.order = draws.Order(len(windows), options.batch_size or BATCH, options.seed)

    def batch(self, step: int, part: loop.Part) -> dict[str, Tensor]:
        rows = self.order(step)
        everything = self.windows.tensors(rows)
        mine = {name: tensor[part.rows(len(rows))] for name, tensor in everything.items()}
        return mine | {"said": (everything["targets"] != IGNORED).sum()}

    def loss(self, model: nn.Module, batch: dict[str, Tensor], part: loop.Part) -> Tensor:
        said = batch.pop("said")
        return causal.losses(model, **batch).sum() / said

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Nats a token on what is held out, and nats a word of each kind of probe with and without its context."""
        device = next(self.model.parameters()).device
        nats = said = 0.0
        for rows in _parts(len(self.held_out)):
            batch = {name: tensor.to(device) for name, tensor in self.held_out.tensors(rows).items()}
            nats += float(causal.losses(self.model, **batch).sum())
            said += int((batch["targets"] != IGNORED).sum())
        return {"held_out": nats / said, **self.probes.measure(self.model, device)}


class Probes:
    """Texts whose last words are measured, once after their context and once alone."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, probes: Sequence[Probe], write: Callable[[str], str]):
        self.words: dict[str, int] = {}
        for probe in probes:
            self.words[probe.name] = self.words.get(probe.name, 0) + len(probe.said.split())
        self.texts = {
            name: [
                _measured(tokenizer, write(before(probe)), write(probe.said)) for probe in probes if probe.name == kind
            ]
            for kind in self.words
            for name, before in (
                (f"{kind}_alone", lambda probe: probe.prompt),
                (f"{kind}_in_context", lambda probe: probe.context + probe.prompt),
            )
        }

    def measure(self, model: nn.Module, device: torch.device) -> dict[str, float]:
        """Nats a word; words, as the same words are other tokens at the beginning of a text."""
        figures = {}
        for name, texts in self.texts.items():
            nats = 0.0
            for rows in _parts(len(texts)):
                batch = _side_by_side([texts[row] for row in rows])
                nats += float(causal.losses(model, **{key: tensor.to(device) for key, tensor in batch.items()}).sum())
            figures[name] = nats / self.words[name.partition("_")[0]]
        return figures


def _measured(tokenizer: PreTrainedTokenizerBase, before: str, said: str) -> tuple[list[int], int]:
    """Tokens of the whole text, and the place of the first one that belongs to what is said."""
    start, _ = causal.start_and_end(tokenizer)
    texts = (before + said, before)
    whole, known = ([start, *tokenizer(text, add_special_tokens=False)["input_ids"]] for text in texts)
    same = next((place for place, (a, b) in enumerate(zip(whole, known, strict=False)) if a != b), len(known))
    return whole[-WINDOW:], max(1, same - max(0, len(whole) - WINDOW))  # of a long context the end is read


def _side_by_side(texts: Sequence[tuple[list[int], int]]) -> dict[str, Tensor]:
    """One text a row; nothing that fills a row up on the right is seen by what stands before it."""
    longest = max(len(ids) for ids, _ in texts)
    ids, targets = torch.zeros(len(texts), longest, dtype=torch.long), torch.full((len(texts), longest), IGNORED)
    for row, (said, first) in enumerate(texts):
        ids[row, : len(said)] = torch.tensor(said)
        targets[row, first : len(said)] = ids[row, first : len(said)]
    return {"ids": ids, "positions": torch.arange(longest).expand(len(texts), -1), "targets": targets}


def _parts(rows: int) -> list[np.ndarray]:
    return np.array_split(np.arange(rows), -(-rows // MEASURED)) if rows else []


def _plan(order: draws.Order, scratch: bool, options: TrainOptions) -> loop.LoopOptions:
    by_epochs = max(1, round((options.epochs or EPOCHS) * order.steps_per_epoch))
    steps = options.steps or (STEPS if scratch and options.epochs is None else by_epochs)
    rate = options.learning_rate or (FROM_SCRATCH_RATE if scratch else FINE_TUNING_RATE)
    return loop.LoopOptions.of(options, steps=steps, learning_rate=rate, validate_every=VALIDATE_EVERY)


def _save(folder: Path, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, made: dict[str, Any]) -> None:
    """A folder as transformers writes it, with a card and what it was made from."""
    with quiet(), disk_errors(folder):
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    write_text(folder / "README.md", _card(made))
    write_json(folder / causal.MADE, made)


def _card(made: dict[str, Any]) -> str:
    """The model card."""
    figures = "\n".join(f"| {name.replace('_', ' ')} | {value:.3f} |" for name, value in made["final"].items())
    return f"""---
library_name: transformers
pipeline_tag: text-generation
tags: [imageless]
---

# A small causal language model that reads context

Trained by `imageless train language` ({made["lm"]}) on {", ".join(f"`{source}`" for source in made["data"])}:
{made["tokens"]:,} tokens of documents, {made["steps"]:,} steps. Windows of {WINDOW} tokens; attention stays within a document.

```python
from transformers import AutoModelForCausalLM, AutoTokenizer
lm, tokenizer = AutoModelForCausalLM.from_pretrained(FOLDER), AutoTokenizer.from_pretrained(FOLDER)
```

| nats | |
|---|---|
{figures}

`loss` and `held out` are nats a token; the others nats a word: a second caption of a scene alone and after the first, an
answer after the question alone and after a caption and the question.
"""
