"""How well classes are told on changed pictures, by encoders that know their names and by probes that learned them.

    OUT/measures.json    each classifier's accuracy on the test pictures as they are and on every change of them
    OUT/figures/         effective (changed over unchanged), kinds (one change at a time), as .png and .svg
    OUT/report.html      both, with a table

Classifiers that learned from the unchanged pictures of the same data, whatever their encoder, tend to lie on one line: so
much is right on changed pictures if so much is on unchanged ones. How far above that line a classifier lies is its effective
robustness. The line is fitted on the linear probes, from few examples and from all, that are right more than twice as often as
the commonest class is; on logits of accuracies. Changes are those of shifts.py. CLIP, arXiv:2103.00020 section 3.3; effective
robustness: Taori et al., arXiv:2007.00644.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from imageless import encoders, limits, report, shifts
from imageless.analysis import probe
from imageless.analysis.probe import Part
from imageless.encoders.base import Encoder
from imageless.errors import InputError
from imageless.folders import begin, disk_errors, expect_free, publish, write_json, write_text
from imageless.options import RobustnessOptions
from imageless.records import Record
from imageless.screen import progress
from imageless.stages import embed
from imageless.zero_shot import ZeroShot

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = ("#2f6f9f", "#c8642f", "#4f8f4f", "#8a5a9f", "#9f8a2f", "#5f5f5f")


@dataclass(frozen=True)
class Robust:
    """How classifiers do on pictures as they are and on changed ones."""

    seconds: float
    n: int
    """Test pictures."""
    classes: int
    scores: dict[str, float]
    """By encoder and classifier: accuracy on unchanged pictures, `shifted` the mean over changes, `effective` its robustness."""
    out: Path


def robustness(sources: Sequence[str], named: Sequence[str], out: Path, options: RobustnessOptions) -> Robust:
    """Measure every encoder's classifiers on the test split, unchanged and changed."""
    began = time.monotonic()
    limits.check(options)
    changes, shots = _changes(options), probe.shots_of(options.shots)
    expect_free(out, options.overwrite, resume=True)
    test = probe.records_of(sources, options)["test"]
    found: dict[str, dict[str, dict[str, float]]] = {}
    with progress("encoders", len(named)) as bar:
        for name in named:
            model = encoders.load(name, options.device, options.dtype)
            found[model.name] = _measured(sources, model, test, changes, shots, options)
            bar.advance()
    labels = Counter(record.fields["label"] for record in test)
    chance = max(labels.values()) / len(test)
    measured = {"encoders": found, "line": line(found, chance), "data": list(sources), "n": len(test), "chance": chance}
    work = begin(out, options.overwrite, resume=True)
    _write(work, measured)
    publish(work, out)
    return Robust(time.monotonic() - began, len(test), len(labels), _scores(measured), out)


def _changes(options: RobustnessOptions) -> list[tuple[str, int]]:
    """Kinds and strengths of what is done to the test pictures."""
    kinds = [word.strip() for word in options.kinds.split(",") if word.strip()] or list(shifts.STRENGTHS)
    strengths = [word.strip() for word in options.strengths.split(",") if word.strip()]
    if not strengths:
        raise InputError("--strengths: expected numbers from 1 to 5, e.g. 1,3,5, got none")
    return [shifts.parse(f"{kind}/{strength}") for kind in kinds for strength in strengths]


def _measured(
    sources: Sequence[str],
    model: Encoder,
    test: Sequence[Record],
    changes: Sequence[tuple[str, int]],
    shots: Sequence[int],
    options: RobustnessOptions,
) -> dict[str, dict[str, float]]:
    """Accuracy by classifier and change ("clean": none)."""
    seen = probe.look(sources, model, options)
    train, val = probe.with_val(seen.parts["train"], seen.parts.get("val"), options.seed)
    learned = {
        f"{k} a class": probe.fitted(train.only(probe.few(train.labels, k, options.seed, 0)), val)[0] for k in shots
    }
    learned["all"] = probe.fitted(train, val)[0]
    judge = ZeroShot.of(model, seen.names, options.templates) if "text" in model.sides else None
    tests = {"clean": seen.parts["test"]}
    for kind, strength in changes:
        changed = [_changed(record, kind, strength) for record in test]
        table = embed.images([record.image for record in changed if record.image], model)
        part = probe.part_of(changed, table, seen.names)
        tests[f"{kind}/{strength}"] = Part(part.vectors * seen.scale, part.labels)
    found = {
        name: {change: float(one.score(part.vectors, part.labels)) for change, part in tests.items()}
        for name, one in learned.items()
    }
    if judge is not None:
        found["names"] = {change: probe.named_right(part, judge) for change, part in tests.items()}
    return found


def _changed(record: Record, kind: str, strength: int) -> Record:
    return replace(record, image=shifts.ShiftedPicture(record.image, kind, strength) if record.image else None)


def _mean_shifted(accuracies: Mapping[str, float]) -> float:
    return float(np.mean([value for change, value in accuracies.items() if change != "clean"]))


def line(found: Mapping[str, Mapping[str, Mapping[str, float]]], chance: float = 0.0) -> dict[str, float]:
    """Slope and intercept of the logit of mean changed accuracy over that of unchanged accuracy, fitted on the probes.

    Those that hardly beat the commonest class, whose share is `chance`, lose nothing on changed pictures and are left out.
    """
    points = [
        (told["clean"], _mean_shifted(told))
        for classifiers in found.values()
        for name, told in classifiers.items()
        if name != "names"
    ]
    points = [point for point in points if point[0] > 2 * chance] or points
    clean, shifted = (_logit(np.array(side)) for side in zip(*points, strict=True))
    spread = clean - clean.mean()
    slope = float(spread @ shifted / (spread @ spread)) if len(points) > 1 and spread @ spread > 0 else 1.0
    return {"slope": slope, "intercept": float(shifted.mean() - slope * clean.mean())}


def expected(clean: float, told: Mapping[str, float]) -> float:
    """What the line says of changed pictures, by the accuracy on unchanged ones."""
    return float(1 / (1 + np.exp(-(told["intercept"] + told["slope"] * _logit(np.array(clean))))))


def _logit(share: np.ndarray) -> np.ndarray:
    share = np.clip(share, 1e-4, 1 - 1e-4)
    return np.log(share / (1 - share))


def _scores(measured: Mapping[str, Any]) -> dict[str, float]:
    scores = {}
    for encoder, classifiers in measured["encoders"].items():
        for name in ("names", "all"):
            if name in classifiers:
                clean, shifted = classifiers[name]["clean"], _mean_shifted(classifiers[name])
                what = f"{encoder} {'zero_shot' if name == 'names' else 'probe'}"
                scores |= {what: clean, f"{what} shifted": shifted}
                scores[f"{what} effective"] = shifted - expected(clean, measured["line"])
    return scores


def plot_effective(measured: Mapping[str, Any]) -> Figure:
    """Accuracy on changed over unchanged pictures: probes as dots, class names as stars, the probes' line."""
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(6, 5.4), layout="constrained")
    axis = drawn.subplots()
    for number, (encoder, classifiers) in enumerate(measured["encoders"].items()):
        colour = COLOURS[number % len(COLOURS)]
        probes = [(told["clean"], _mean_shifted(told)) for name, told in classifiers.items() if name != "names"]
        axis.plot(*zip(*sorted(probes), strict=True), "o-", color=colour, markersize=5, label=f"{encoder}, probes")
        if "names" in classifiers:
            told = classifiers["names"]
            axis.plot(told["clean"], _mean_shifted(told), "*", color=colour, markersize=15, label=f"{encoder}, names")
    marks = np.linspace(0.01, 0.99, 99)
    axis.plot(
        marks, [expected(float(mark), measured["line"]) for mark in marks], color="#6b7280", label="line of the probes"
    )
    axis.plot([0, 1], [0, 1], ":", color="#9aa0aa", label="nothing lost")
    axis.set(
        xlabel="accuracy on pictures as they are", ylabel="mean accuracy on changed pictures", xlim=(0, 1), ylim=(0, 1)
    )
    axis.legend(frameon=False, fontsize=8)
    return drawn


def plot_kinds(measured: Mapping[str, Any]) -> Figure:
    """Accuracy by change, a row each for an encoder's class names and for its probe on all examples."""
    from matplotlib.figure import Figure

    rows = {
        f"{encoder}, {'names' if name == 'names' else 'probe'}": classifiers[name]
        for encoder, classifiers in measured["encoders"].items()
        for name in ("names", "all")
        if name in classifiers
    }
    changes = list(next(iter(rows.values())))
    shares = np.array([[told[change] for change in changes] for told in rows.values()])
    drawn = Figure(figsize=(2.6 + 0.55 * len(changes), 1.6 + 0.45 * len(rows)), layout="constrained")
    axis = drawn.subplots()
    axis.imshow(shares, cmap="Blues", vmin=0, vmax=1.2, aspect="auto")
    axis.set_xticks(range(len(changes)), changes, rotation=60, ha="right", fontsize=8)
    axis.set_yticks(range(len(rows)), list(rows), fontsize=8)
    for (row, column), share in np.ndenumerate(shares):
        axis.text(column, row, f"{100 * share:.0f}", ha="center", va="center", fontsize=7)
    return drawn


def _write(work: Path, measured: Mapping[str, Any]) -> None:
    drawn = {"effective": plot_effective(measured), "kinds": plot_kinds(measured)}
    with disk_errors(work):
        (work / "figures").mkdir(exist_ok=True)
        for name, plot in drawn.items():
            for suffix in ("png", "svg"):
                plot.savefig(work / "figures" / f"{name}.{suffix}", dpi=150)
    scores = _scores(measured)
    rows = {
        what: [f"{scores[what]:.1%}", f"{scores[f'{what} shifted']:.1%}", f"{100 * scores[f'{what} effective']:+.1f}"]
        for what in scores
        if f"{what} effective" in scores
    }
    sections = [
        report.section(
            "Who loses how much",
            "A star above the line loses less on changed pictures than a probe that is as often right on unchanged ones.",
            report.figure(drawn["effective"], "accuracy on changed over unchanged pictures"),
        ),
        report.section(
            "By change",
            "Per cent right of each kind and strength.",
            report.figure(drawn["kinds"], "accuracy by change"),
        ),
        report.table("Accuracy and effective robustness, in points", ["as they are", "changed", "effective"], rows),
    ]
    lead = f"imageless robustness {' '.join(measured['data'])}"
    write_text(work / "report.html", report.page("Robustness", lead, sections))
    write_json(work / "measures.json", measured)
