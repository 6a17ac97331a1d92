"""Stage 3': a whole split is answered and scored; predictions and scores are written down.

The control gives every picture another picture's vector: what is left of the score needs no eyes, only good guessing.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from imageless import data, draws, tasks
from imageless.errors import InputError
from imageless.folders import begin, publish, write_json, write_text
from imageless.options import EvaluateOptions
from imageless.records import Example
from imageless.screen import progress
from imageless.stages import embed
from imageless.stages.predict import Predictor
from imageless.vectors import VectorTable

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Evaluated:
    """How a run did on a split."""

    out: Path
    n: int
    scores: dict[str, float]
    predictions: Path
    skipped: int


def evaluate(run: Path, sources: Sequence[str], out: Path, options: EvaluateOptions) -> Evaluated:
    """Answer every question of the split and score the answers."""
    predictor = Predictor(run, options)
    task = tasks.task(predictor.config.task)
    records = (r for source in sources for r in data.read(source, options.split, options.images, options.limit))
    asked: list[Example] = list(task.questions(records))
    if not asked:
        raise InputError(
            f"expected pictures with references in {', '.join(sources)} ({options.split}), found none; try another --split or --images"
        )
    work = begin(out, options.overwrite, resume=True)
    table = _pictures(asked, predictor, options)
    asked = [example for example in asked if example.image and example.image.name not in table.about.skipped]
    rows = table.rows(example.image.name for example in asked if example.image)
    if options.control == "shuffled":
        rows = rows[_derangement(len(rows), options.seed)]
    answers: list[str] = []
    lines: list[str] = []
    with progress("answering", len(asked)) as bar:
        for start in range(0, len(asked), options.batch_size):
            batch = asked[start : start + options.batch_size]
            best = predictor.vectors(
                table.unit(rows[start : start + len(batch)]), [example.prompt for example in batch]
            )
            answers += [nbest[0].text for nbest in best]
            bar.advance(len(batch))
    scored = task.score(
        {example.key: answer for example, answer in zip(asked, answers, strict=True)},
        {example.key: example.targets for example in asked},
    )
    for number, (example, answer) in enumerate(zip(asked, answers, strict=True)):
        own = {name: float(values[number]) for name, values in scored.per_item.items()}
        lines.append(
            json.dumps(
                {"key": example.key, "text": answer, "references": example.targets, "scores": own}, ensure_ascii=False
            )
        )
    write_text(work / "predictions.jsonl", "\n".join(lines) + "\n")
    result = {
        "n": len(asked),
        "scores": dict(scored.corpus),
        "skipped": table.about.skipped,
        "run": str(run),
        "data": list(sources),
        "options": asdict(options),
    }
    write_json(work / "scores.json", result)
    publish(work, out)
    return Evaluated(out, len(asked), dict(scored.corpus), out / "predictions.jsonl", len(table.about.skipped))


def _pictures(asked: Sequence[Example], predictor: Predictor, options: EvaluateOptions) -> VectorTable:
    encoder = predictor.encoder
    table = (
        VectorTable(options.vectors) if options.vectors else embed.images([e.image for e in asked if e.image], encoder)
    )
    return table.expect(encoder.name, encoder.fingerprint, encoder.dim, side="image")


def _derangement(count: int, seed: int) -> np.ndarray:
    """A seeded order in which nobody keeps its place."""
    order = np.random.default_rng(draws.key(seed, "shuffled")).permutation(count)
    turned = np.empty(count, np.int64)
    turned[order] = np.roll(order, 1)
    return turned
