"""What a linear classifier reads off frozen image vectors, from few examples and from all: `imageless probe`.

    OUT/measures.json    accuracy from 1, 2, 4 ... examples a class and from all of them, and the chosen strengths; whether
                         pictures lie next to their class or to what looks alike (clusters.py)
    OUT/figures/         shots and plane as .png and .svg
    OUT/report.html      the curve beside what class names alone give, the test pictures on a plane, and a table

Logistic regression by L-BFGS; its C is the best of a sweep on the val split, or on a fifth of train where there is none,
first by tens, then by halves of them around the best. Vectors are as the encoder gives them, scaled as a whole to a mean
square of 1, so that one sweep suits all encoders. CLIP, arXiv:2103.00020 section 3.2 and figure 6.
"""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from imageless import draws, encoders, limits, report
from imageless.analysis import clusters, plane
from imageless.encoders.base import Encoder
from imageless.errors import InputError
from imageless.folders import begin, disk_errors, expect_free, publish, write_json, write_text
from imageless.options import ProbeOptions, RobustnessOptions
from imageless.records import Record
from imageless.screen import progress
from imageless.stages import embed
from imageless.stages.classify import labelled
from imageless.vectors import VectorTable
from imageless.zero_shot import ZeroShot

if TYPE_CHECKING:
    from matplotlib.figure import Figure

log = logging.getLogger(__name__)
TENS = tuple(10.0**power for power in range(-4, 4))  # of C, around the 0.316 that open_clip's README gives
HALF = 10**0.5
ITERATIONS = 1000  # open_clip's README
DRAWS = 3  # of a few examples
HELD_OUT = 5  # every fifth example, where there is no val split
PROBE, NAMES = "#2f6f9f", "#c8642f"


@dataclass(frozen=True)
class Probed:
    """How well a linear classifier reads frozen vectors."""

    seconds: float
    n: int
    """Test pictures."""
    classes: int
    scores: dict[str, float]
    """accuracy with all examples, accuracy_1shot and so on with few, zero_shot with none, where the encoder reads."""
    out: Path | None


@dataclass(frozen=True)
class Part:
    """Pictures of one split: their vectors and the numbers of their classes."""

    vectors: np.ndarray
    labels: np.ndarray

    def only(self, rows: np.ndarray) -> Part:
        return Part(self.vectors[rows], self.labels[rows])


@dataclass(frozen=True)
class Seen:
    """Labelled pictures as an encoder sees them."""

    parts: Mapping[str, Part]
    """By split."""
    names: list[str]
    """Of the classes, by number."""
    scale: float
    """By what the encoder's vectors were multiplied."""
    attributes: Mapping[str, set[str]]
    """What is true of each class, where the data say so."""


def probe(sources: Sequence[str], encoder: str, out: Path | None, options: ProbeOptions) -> Probed:
    """Learn the classes of the train split from its pictures' vectors and tell those of the test split."""
    began = time.monotonic()
    limits.check(options)
    shots = shots_of(options.shots)
    if out:
        expect_free(out, options.overwrite, resume=True)  # what was begun is made anew in a minute
        plane.expect(options.projection)
    model = encoders.load(encoder, options.device, options.dtype)
    seen = look(sources, model, options)
    test, names = seen.parts["test"], seen.names
    shown = [names[label] for label in test.labels]
    measured = measure(seen.parts["train"], seen.parts.get("val"), test, shots, options.seed)
    measured["clusters"] = (
        clusters.measure(test.vectors, shown, seen.attributes) if len(shown) > clusters.NEAREST else {}
    )
    measured |= {"encoder": model.name, "data": list(sources), "classes": names, "zero_shot": None}
    if "text" in model.sides:
        measured["zero_shot"] = named_right(test, ZeroShot.of(model, names, options.templates))
    if out:
        work = begin(out, options.overwrite, resume=True)
        _write(work, measured, clusters.plot(test.vectors, shown, seen.attributes, options.projection, options.seed))
        publish(work, out)
    scores = {"accuracy": measured["full"]["accuracy"]}
    scores |= {f"accuracy_{k}shot": told["accuracy"] for k, told in measured["shots"].items()}
    if measured["zero_shot"] is not None:
        scores["zero_shot"] = measured["zero_shot"]
    scores |= {f"nearest_{name}": value for name, value in measured["clusters"].items()}
    return Probed(time.monotonic() - began, len(test.labels), len(names), scores, out)


def measure(train: Part, val: Part | None, test: Part, shots: Sequence[int], seed: int = 0) -> dict[str, Any]:
    """Accuracy on `test` from `shots` examples a class and from all of `train`; C is chosen on `val`."""
    train, val = with_val(train, val, seed)
    found: dict[str, Any] = {"shots": {}}
    with progress("fitting", len(shots) * DRAWS + 1) as bar:
        for k in shots:
            told = []
            for draw in range(DRAWS):
                told.append(_told(train.only(few(train.labels, k, seed, draw)), val, test))
                bar.advance()
            accuracies = [one["accuracy"] for one in told]
            found["shots"][k] = {"accuracy": float(np.mean(accuracies)), "spread": float(np.std(accuracies, ddof=1))}
        found["full"] = _told(train, val, test)
        bar.advance()
    return found | {"examples": len(train.labels), "chance": float(np.bincount(test.labels).max() / len(test.labels))}


def with_val(train: Part, val: Part | None, seed: int) -> tuple[Part, Part]:
    """Train and val; a fifth of train where there is no val."""
    if val is not None:
        return train, val
    turn = np.random.default_rng(draws.key(seed, "probe", "held out")).permutation(len(train.labels))
    held = turn[::HELD_OUT]
    return train.only(np.setdiff1d(turn, held)), train.only(held)


def _told(train: Part, val: Part, test: Part) -> dict[str, float]:
    """The best C on `val`, and what it gives on `test`."""
    classifier, right = fitted(train, val)
    return {"accuracy": float(classifier.score(test.vectors, test.labels)), "c": classifier.C, "val": right}


def fitted(train: Part, val: Part) -> tuple[Any, float]:
    """The classifier whose C is best on `val`, and how often it is right there."""
    tried = {strength: _classifier(train, strength) for strength in TENS}
    right = {strength: one.score(val.vectors, val.labels) for strength, one in tried.items()}
    middle = max(right, key=right.__getitem__)
    for strength in (middle / HALF, middle * HALF):
        tried[strength] = _classifier(train, strength)
        right[strength] = tried[strength].score(val.vectors, val.labels)
    best = max(right, key=right.__getitem__)
    return tried[best], float(right[best])


def _classifier(train: Part, strength: float) -> Any:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a weak C may still move a little; val decides
        warnings.filterwarnings("ignore", "The number of unique classes", UserWarning)  # one example of each is meant
        return LogisticRegression(C=strength, max_iter=ITERATIONS).fit(train.vectors, train.labels)


def few(labels: np.ndarray, k: int, seed: int, draw: int) -> np.ndarray:
    """The rows of k examples of each class, or of as many as there are."""
    turn = np.random.default_rng(draws.key(seed, "probe", f"{k} shots, {draw}")).permutation(len(labels))
    order = turn[np.argsort(labels[turn], kind="stable")]
    sizes = np.bincount(labels)
    rank = np.arange(len(labels)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return order[rank < k]


def shots_of(told: str) -> list[int]:
    """The numbers of examples a class that are asked for."""
    try:
        shots = sorted({int(word) for word in told.split(",") if word.strip()})
    except ValueError:
        shots = [0]
    if any(k < 1 for k in shots):
        raise InputError(f"--shots: expected numbers of examples a class, e.g. 1,2,4, got {told!r}")
    return shots


def look(sources: Sequence[str], model: Encoder, options: ProbeOptions | RobustnessOptions) -> Seen:
    """The labelled pictures of train, test and, where the data have one, val, as the encoder sees them."""
    found = records_of(sources, options)
    records = [record for split in found.values() for record in split]
    table = embed.images([record.image for record in records if record.image], model)
    names = sorted({record.fields["label"] for record in found["train"]})
    parts = {split: part_of(told, table, names) for split, told in found.items()}
    scale = float(1 / np.sqrt(np.square(parts["train"].vectors).mean()))
    parts = {split: Part(part.vectors * scale, part.labels) for split, part in parts.items()}
    attributes: dict[str, set[str]] = {r.fields["label"]: set(r.fields.get("attributes") or ()) for r in records}
    return Seen(parts, names, scale, attributes)


def records_of(sources: Sequence[str], options: ProbeOptions | RobustnessOptions) -> dict[str, list[Record]]:
    """The labelled pictures of train, test and, where the data have one, val; train has every class."""
    found: dict[str, list[Record]] = {}
    for split in ("train", "val", "test"):
        try:
            found[split] = labelled(sources, split, options.images, options.limit)
        except InputError:
            if split != "val":
                raise
            log.info("no val split: C is chosen on a fifth of train")
    names = {record.fields["label"] for record in found["train"]}
    if unknown := sorted({r.fields["label"] for records in found.values() for r in records} - names):
        raise InputError(
            f"expected classes that train has pictures of, got {', '.join(unknown[:5])} beside them; add some"
        )
    return found


def part_of(records: Sequence[Record], table: VectorTable, names: Sequence[str]) -> Part:
    """The vectors of the readable ones of these pictures, as they are, and their classes' numbers."""
    numbers = {name: number for number, name in enumerate(names)}
    seen = [(r.image.name, r.fields["label"]) for r in records if r.image and r.image.name not in table.about.skipped]
    rows = table.rows(name for name, _ in seen)
    return Part(table.raw(rows), np.array([numbers[label] for _, label in seen]))


def named_right(test: Part, judge: ZeroShot) -> float:
    """How often the class whose name lies nearest is the right one."""
    import torch
    import torch.nn.functional as F

    said = judge.cosines(F.normalize(torch.from_numpy(test.vectors).float(), dim=-1)).argmax(-1).numpy()
    return float((said == test.labels).mean())


def plot(measured: Mapping[str, Any]) -> Figure:
    """Accuracy over examples a class; dashed lines for all examples, and for none but the names."""
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(6.5, 4), layout="constrained")
    axis = drawn.subplots()
    shots = measured["shots"]
    if shots:
        heights, spreads = ([told[name] for told in shots.values()] for name in ("accuracy", "spread"))
        axis.errorbar(
            [int(k) for k in shots], heights, spreads, marker="o", capsize=3, color=PROBE, label="few examples"
        )
        axis.set_xscale("log", base=2)
        axis.set_xticks([int(k) for k in shots], [str(k) for k in shots])
    axis.axhline(
        measured["full"]["accuracy"], color=PROBE, linestyle="--", label=f"all {measured['examples']:,} examples"
    )
    if measured["zero_shot"] is not None:
        axis.axhline(measured["zero_shot"], color=NAMES, linestyle="--", label="class names alone")
    axis.axhline(measured["chance"], color="#9aa0aa", linestyle=":", label="always the commonest")
    axis.set(xlabel="examples a class", ylabel="accuracy", ylim=(0, 1.02))
    axis.legend(frameon=False, fontsize=8)
    return drawn


def _write(work: Path, measured: Mapping[str, Any], lying: Figure) -> None:
    drawn = plot(measured)
    with disk_errors(work):
        (work / "figures").mkdir(exist_ok=True)
        for suffix in ("png", "svg"):
            drawn.savefig(work / "figures" / f"shots.{suffix}", dpi=150)
            lying.savefig(work / "figures" / f"plane.{suffix}", dpi=150)
    names = measured["zero_shot"]
    beaten = [k for k, told in measured["shots"].items() if names is not None and told["accuracy"] > names]
    sentence = f"All {measured['examples']:,} examples give {measured['full']['accuracy']:.1%}"
    sentence += "." if names is None else f", class names alone {names:.1%}; "
    if names is not None:
        sentence += f"it takes {beaten[0]} examples a class to do better." if beaten else "few examples do no better."
    rows = {f"{k} a class": [f"{told['accuracy']:.1%} ± {told['spread']:.1%}"] for k, told in measured["shots"].items()}
    rows |= {"all": [f"{measured['full']['accuracy']:.1%}"], "always the commonest": [f"{measured['chance']:.1%}"]}
    rows |= {} if names is None else {"class names alone": [f"{names:.1%}"]}
    sections = [
        report.section("What a line tells apart", sentence, report.figure(drawn, sentence)),
        *_lying(measured["clusters"], lying),
        report.table(f"Accuracy; few examples are drawn {DRAWS} times", ["right"], rows),
    ]
    write_text(work / "report.html", report.page("A linear probe", f"imageless probe {measured['encoder']}", sections))
    write_json(work / "measures.json", measured)


def _lying(measured: Mapping[str, float], drawn: Figure) -> list[str]:
    """The test pictures on a plane, and in one sentence what lies next to what."""
    if not measured:
        return []
    sentence = (
        f"Of a picture's nearest others {measured['class']:.0%} are of its class (of all {measured['class_any']:.0%})"
    )
    if "attributes" in measured:
        sentence += f"; those of another class share {measured['attributes']:.0%} of its attributes (any {measured['attributes_any']:.0%})"
    return [report.section("What lies next to what", f"{sentence}.", report.figure(drawn, sentence))]
