"""Stage 3': a whole split is answered and scored; predictions and scores are written down.

The control gives every picture another picture's vector: what is left of the score needs no eyes, only good guessing.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from imageless import data, draws, encoders, report, tasks
from imageless.errors import InputError
from imageless.folders import begin, expect_free, publish, write_json, write_text
from imageless.options import EvaluateOptions
from imageless.pictures import load
from imageless.records import Example, Picture, Record
from imageless.screen import progress
from imageless.stages import embed, few_shot, naming, scoring
from imageless.stages.predict import Answer, Predictor
from imageless.tasks.base import Scored
from imageless.vectors import VectorTable
from imageless.wordnet import wordnet

log = logging.getLogger(__name__)
SHOWN = 24  # pictures on the page
LONGEST_SHOWN = 200  # characters of a prompt


@dataclass(frozen=True)
class Evaluated:
    """How a run did on a split."""

    out: Path
    n: int
    scores: dict[str, float]
    predictions: Path
    skipped: int


def evaluate(run: Path, sources: Sequence[str], out: Path, options: EvaluateOptions) -> Evaluated:
    """Answer every question of the split and score the answers; an encoder in a run's place names classes."""
    if encoders.is_one(str(run)):
        from imageless.stages import classify

        return classify.evaluate(str(run), sources, out, options)
    if options.blind and options.shots is None:
        raise InputError("--blind: expected --shots with it; a run that is blind by itself learned with --on nothing")
    expect_free(out, options.overwrite, resume=True)
    if options.names or options.concepts:
        wordnet()  # where it is missing, that is said before anything is answered
    predictor = Predictor(run, options)
    task: Any = (
        naming if options.names else tasks.task(predictor.config.task if options.shots is None else few_shot.TASK)
    )
    if options.names:
        predictor.expect_task("captioning", "style")
    asked: list[Example] = list(task.questions(_records(sources, task.ASKED, options)))
    if not asked:
        raise InputError(
            f"expected pictures with {task.NEEDS} in {', '.join(sources)} ({options.split}), found none; "
            "try another --split or --images"
        )
    if predictor.config.prompts:
        voices = [predictor.voice(options.style)] if options.style else predictor.config.prompts
        asked = [replace(example, prompt=voice, group=voice) for voice in voices for example in asked]
    table = _pictures(asked, predictor, options)
    asked = [example for example in asked if example.image and example.image.name not in table.about.skipped]
    rows = table.rows(example.image.name for example in asked if example.image)
    if options.control == "shuffled":
        rows = others(rows, options.seed)
    answering = _answers if options.shots is None else few_shot.answers
    best: list[list[Answer]] = []
    with progress("answering", len(asked)) as bar:
        for found in answering(predictor, asked, table, rows, sources, options):
            best.append(found)
            bar.advance()
    answers = [nbest[0].text for nbest in best]
    scored = scoring.scored(task, asked, answers, options)
    lines = [
        _line(example, nbest[: options.n_best], {name: float(values[row]) for name, values in scored.items.items()})
        for row, (example, nbest) in enumerate(zip(asked, best, strict=True))
    ]
    work = begin(out, options.overwrite, resume=True)
    write_text(work / "predictions.jsonl", "".join(lines))
    if options.control is None:
        write_text(work / "report.html", _page(task.__name__.rpartition(".")[2], asked, answers, scored))
    for name, content in scored.files.items():
        write_json(work / name, content)
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


def _answers(
    predictor: Predictor,
    asked: Sequence[Example],
    table: VectorTable,
    rows: np.ndarray,
    sources: Sequence[str],
    options: EvaluateOptions,
) -> Iterator[list[Answer]]:
    """The best answers to each question about the picture in `rows` of the table, in turn."""
    for start in range(0, len(asked), options.batch_size):
        batch = asked[start : start + options.batch_size]
        vectors = predictor.seen(table.unit(rows[start : start + len(batch)]))
        yield from predictor.vectors(vectors, [example.prompt for example in batch])


def _line(example: Example, nbest: Sequence[Answer], scores: dict[str, float]) -> str:
    """An answer as predictions.jsonl holds it."""
    told: dict[str, Any] = {"key": example.key}
    if example.prompt:
        told["prompt"] = example.prompt
    told |= {"text": nbest[0].text, "log_probability": nbest[0].score, "references": example.targets, "scores": scores}
    if len(nbest) > 1:
        told["nbest"] = [asdict(answer) for answer in nbest]
    return json.dumps(told, ensure_ascii=False) + "\n"


def _page(task: str, asked: Sequence[Example], answers: Sequence[str], scored: Scored) -> str:
    """A page with the scores and the first pictures: what was asked of each, what was said, and what people say."""
    shown: dict[str, tuple[Picture, dict[str, str | Sequence[str]]]] = {}
    for example, answer in zip(asked, answers, strict=True):
        if example.image is None or (example.image.name not in shown and len(shown) == SHOWN):
            continue
        _, lines = shown.setdefault(example.image.name, (example.image, {}))
        question = example.prompt[:LONGEST_SHOWN]
        lines[question or "the model"] = answer
        people = list(dict.fromkeys(example.targets))[:3]
        if people not in lines.values():  # every voice is asked about the same
            lines[f"people ({question})" if "people" in lines else "people"] = people
    cards = [report.Card(load(picture), lines, next(iter(lines))) for picture, lines in shown.values()]
    scores = {name: [f"{value:.4f}"] for name, value in scored.corpus.items()}
    sections = [
        report.section(
            "Scores", f"{len(answers):,} answers.", report.table("as the scorers print them", ["score"], scores)
        ),
        report.section("Pictures", "What the model says, and what people say.", report.gallery(cards)),
    ]
    return report.page(f"{task}: pictures and answers", "imageless evaluate", sections)


def _records(sources: Sequence[str], kind: str, options: EvaluateOptions) -> Iterator[Record]:
    for source in sources:
        yield from data.read(source, options.split, options.images, options.limit, kind)


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


def others(rows: np.ndarray, seed: int) -> np.ndarray:
    """For every row another picture's, in a seeded order in which no picture keeps its place."""
    pictures, place = np.unique(rows, return_inverse=True)
    if len(pictures) < 2:
        raise InputError(f"expected at least 2 pictures to shuffle, got {len(pictures)}; leave out --control")
    order = np.random.default_rng(draws.key(seed, "shuffled")).permutation(len(pictures))
    turned = np.empty_like(pictures)
    turned[order] = np.roll(order, 1)
    return pictures[turned[place]]
