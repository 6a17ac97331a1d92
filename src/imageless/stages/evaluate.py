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
from imageless.folders import begin, expect_free, publish, write_json, write_text
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
    expect_free(out, options.overwrite, resume=True)
    predictor = Predictor(run, options)
    task = tasks.task(predictor.config.task)
    records = (r for source in sources for r in data.read(source, options.split, options.images, options.limit))
    asked: list[Example] = list(task.questions(records))
    if not asked:
        raise InputError(
            f"expected pictures with references in {', '.join(sources)} ({options.split}), found none; try another --split or --images"
        )
    table = _pictures(asked, predictor, options)
    asked = [example for example in asked if example.image and example.image.name not in table.about.skipped]
    rows = table.rows(example.image.name for example in asked if example.image)
    if options.control == "shuffled":
        rows = _others(rows, options.seed)
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
    keys = [f"{number}: {example.key}" for number, example in enumerate(asked)]  # joined data may share keys
    scored = task.score(
        dict(zip(keys, answers, strict=True)),
        {key: example.targets for key, example in zip(keys, asked, strict=True)},
    )
    for number, (example, answer) in enumerate(zip(asked, answers, strict=True)):
        own = {name: float(values[number]) for name, values in scored.items.items()}
        lines.append(
            json.dumps(
                {"key": example.key, "text": answer, "references": example.targets, "scores": own}, ensure_ascii=False
            )
        )
    work = begin(out, options.overwrite, resume=True)
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


def score_files(hypotheses: Path, references: Path) -> Evaluated:
    """Score a file of captions against a file of references, in COCO's formats or as {id: [captions]}."""
    from imageless.metrics import captions

    said = {key: given[0] for key, given in _captions(hypotheses, "hypotheses").items() if given}
    return Evaluated(
        hypotheses.parent, len(said), captions.score(said, _captions(references, "references")), hypotheses, 0
    )


def _captions(path: Path, what: str) -> dict[str, list[str]]:
    """Captions by id from COCO results, COCO annotations or {id: caption or captions}."""
    shape = f'expected {what} as [{{"image_id": 1, "caption": "..."}}], {{"annotations": [...]}} or {{"1": ["..."]}} in {path}'
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{shape}, could not read it: {error.strerror}") from None
    except ValueError as error:
        raise InputError(f"{shape}, got something that is not JSON: {error}") from None
    if isinstance(content, dict) and isinstance(content.get("annotations"), list):
        content = content["annotations"]
    found: dict[str, list[str]] = {}
    try:
        if isinstance(content, dict):
            found = {str(key): [value] if isinstance(value, str) else list(value) for key, value in content.items()}
        else:
            for entry in content:
                found.setdefault(str(entry["image_id"]), []).append(entry["caption"])
    except (KeyError, TypeError):
        raise InputError(f"{shape}, got another shape") from None
    return found


def _pictures(asked: Sequence[Example], predictor: Predictor, options: EvaluateOptions) -> VectorTable:
    encoder = predictor.encoder
    table = (
        VectorTable(options.vectors) if options.vectors else embed.images([e.image for e in asked if e.image], encoder)
    )
    return table.expect(encoder.name, encoder.fingerprint, encoder.dim, side="image")


def _others(rows: np.ndarray, seed: int) -> np.ndarray:
    """For every row another picture's, in a seeded order in which no picture keeps its place."""
    pictures, place = np.unique(rows, return_inverse=True)
    if len(pictures) < 2:
        raise InputError(f"expected at least 2 pictures to shuffle, got {len(pictures)}; leave out --control")
    order = np.random.default_rng(draws.key(seed, "shuffled")).permutation(len(pictures))
    turned = np.empty_like(pictures)
    turned[order] = np.roll(order, 1)
    return pictures[turned[place]]
