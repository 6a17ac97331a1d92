"""Stage 3': a whole split is answered and scored; predictions and scores are written down.

The control gives every picture another picture's vector: what is left of the score needs no eyes, only good guessing.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from imageless import data, draws, encoders, report, tasks
from imageless.errors import InputError
from imageless.folders import begin, expect_free, publish, write_json, write_text
from imageless.options import EvaluateOptions
from imageless.records import Example, Record
from imageless.screen import progress
from imageless.stages import embed, few_shot, galleries, naming, scoring
from imageless.stages.predict import Answer, Predictor, probabilities
from imageless.tasks.base import Scored
from imageless.vectors import VectorTable
from imageless.wordnet import wordnet

log = logging.getLogger(__name__)
PEOPLE = 5  # references shown of an answer
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
    wanted = {example.image.name for example in asked if example.image}
    skipped = {name: why for name, why in table.about.skipped.items() if name in wanted}
    asked = [example for example in asked if example.image and example.image.name not in skipped]
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
    ranked = bool(predictor.choices) and options.shots is None
    shares = [probabilities(nbest) if ranked else None for nbest in best]
    items = [{name: float(values[row]) for name, values in scored.items.items()} for row in range(len(asked))]
    lines = [
        _line(example, nbest[: options.n_best], scores, share)
        for example, nbest, scores, share in zip(asked, best, items, shares, strict=True)
    ]
    work = begin(out, options.overwrite, resume=True)
    write_text(work / "predictions.jsonl", "".join(lines))
    if options.control is None:
        shown = [
            _scores(scored, len(asked)),
            *_galleries(asked, [nbest[0] for nbest in best], items, shares, options.seed),
            *galleries.left_out(skipped),
        ]
        name = task.__name__.rpartition(".")[2]
        lead = f"imageless evaluate {run} {' '.join(sources)}"
        write_text(work / "report.html", report.page(f"{name}: pictures and answers", lead, shown))
    for name, content in scored.files.items():
        write_json(work / name, content)
    result = {
        "n": len(asked),
        "scores": dict(scored.corpus),
        "skipped": skipped,
        "run": str(run),
        "data": list(sources),
        "options": asdict(options),
    }
    write_json(work / "scores.json", result)
    publish(work, out)
    return Evaluated(out, len(asked), dict(scored.corpus), out / "predictions.jsonl", len(skipped))


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


def _line(example: Example, nbest: Sequence[Answer], scores: dict[str, float], shares: dict[str, float] | None) -> str:
    """An answer as predictions.jsonl holds it."""
    told: dict[str, Any] = {"key": example.key}
    if example.prompt:
        told["prompt"] = example.prompt
    told |= {"text": nbest[0].text, "log_probability": nbest[0].score, "references": example.targets, "scores": scores}
    if len(nbest) > 1:
        told["nbest"] = [asdict(answer) for answer in nbest]
    if shares:
        told["probabilities"] = shares
    return json.dumps(told, ensure_ascii=False) + "\n"


def _scores(scored: Scored, count: int) -> str:
    """The table of scores."""
    scores = {name: [f"{value:.4f}"] for name, value in scored.corpus.items()}
    return report.section("Scores", f"{count:,} answers.", report.table("as the scorers print them", ["score"], scores))


def _galleries(
    asked: Sequence[Example],
    answers: Sequence[Answer],
    items: Sequence[Mapping[str, float]],
    shares: Sequence[Mapping[str, float] | None],
    seed: int,
) -> list[str]:
    """What was asked of each picture, what was said, how good that was, and what people say; by the first of its scores."""
    name = next(iter(items[0]), None)
    sure = np.array([answer.score for answer in answers])

    def card(row: int) -> report.Card:
        example, answer, share = asked[row], answers[row], shares[row]
        assert example.image is not None
        lines: dict[str, str | Sequence[str]] = {"asked": example.prompt[:LONGEST_SHOWN]} if example.prompt else {}
        lines["the model"] = answer.text or "(nothing)"
        if name == "cider":
            lines["CIDEr-D x 100"] = f"{100 * items[row][name]:.1f}"
        elif name:
            lines["score"] = {0.0: "wrong", 1.0: "right"}.get(items[row][name], f"{items[row][name]:.0%} right")
        if share:
            lines["probabilities"] = ", ".join(f"{choice} {value:.2f}" for choice, value in share.items())
        elif name in ("accuracy", None):
            lines["probability of these words"] = f"{math.exp(answer.score):.2f}"
        people = list(dict.fromkeys(example.targets))[:PEOPLE]
        return galleries.card(example.image, lines | ({"people": people} if people else {}), "the model")

    scores = None if name is None else np.array([each[name] for each in items])
    return galleries.sections(scores, sure, card, seed)


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
