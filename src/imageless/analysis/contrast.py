"""How vectors move when one thing of a scene changes, and whether a captioner notices: the paper's case study, many times.

    OUT/measures.json    everything measured
    OUT/figures/         shifts as .png and .svg
    OUT/report.html      the figure, and the four cases with what is said of them

A shift is the difference of two unit vectors of one quartet (world/contrasts.py). Notable:
- `consistency` is the mean cosine of the same change's shifts in different quartets: 1 if all move alike, 0 if at random.
- `agreement` is the mean cosine of a caption's shift with that of its picture.
- A captioner ranks the four captions of a quartet by their likelihood for each of its pictures; a guess is right 25 times
  in 100.

CLOSE, arXiv:2211.09778, appendix 5, which shows one quartet and counts nothing.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from imageless import encoders, limits, report
from imageless.analysis.gap_figures import PICTURES, SENTENCES
from imageless.data.world import WorldPicture
from imageless.encoders.base import Encoder
from imageless.folders import begin, disk_errors, expect_free, publish, write_json, write_text
from imageless.options import ContrastOptions, PredictOptions
from imageless.stages import embed
from imageless.stages.predict import Predictor
from imageless.world.contrasts import Case, quartets
from imageless.world.render import render

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CHANGES = {"species": ((0, 2), (1, 3)), "position": ((0, 1), (2, 3))}  # from one case of a quartet to another
SIDES = {"captions": "captions", "pictures": "pictures", "alike": "pictures drawn alike"}
MOST = 5  # dimensions that are named
SHOWN = 2  # quartets on the page


@dataclass(frozen=True)
class Contrast:
    """What changes of one thing do."""

    out: Path
    seconds: float
    n: int
    """Quartets."""
    consistency: dict[str, dict[str, float]]
    """By change, of captions, of pictures, and of pictures that share all a caption leaves unsaid."""
    agreement: dict[str, float]
    """By change, of captions with pictures."""
    told: dict[str, float] | None
    """Share of pictures for which a captioner prefers the right caption: of four, of its species, of its position."""


def contrast(out: Path, encoder: str, run: Path | None, options: ContrastOptions) -> Contrast:
    """Measure `options.quartets` quartets of the world and write figures and a page to `out`."""
    began = time.monotonic()
    limits.check(options)
    expect_free(out, options.overwrite, resume=True)  # what was begun is made anew in a minute
    model = encoders.load(encoder, options.device, options.dtype)
    asked = PredictOptions(device=options.device, dtype=options.dtype)
    predictor = Predictor(run, asked, model).expect_task("captioning") if run else None
    if predictor:
        _ = predictor.encoder  # refuses a run of another encoder before anything is drawn
    fours = list(quartets(options.quartets, options.seed))
    vectors = vectors_of(fours, model)
    measured = {"encoder": model.name, "seed": options.seed, "quartets": len(fours), **measure(vectors)}
    if predictor:
        measured["captioner"] = told_apart(fours, vectors["pictures"], predictor)
    work = begin(out, options.overwrite, resume=True)
    _write(work, measured, fours)
    publish(work, out)
    return Contrast(
        out,
        time.monotonic() - began,
        len(fours),
        {change: {side: found[side]["consistency"] for side in SIDES} for change, found in measured["changes"].items()},
        {change: found["agreement"] for change, found in measured["changes"].items()},
        measured["captioner"]["right"] if predictor else None,
    )


def vectors_of(fours: Sequence[tuple[Case, ...]], encoder: Encoder) -> dict[str, np.ndarray]:
    """Unit vectors of each side, (quartets, 4, dim)."""
    cases = [case for four in fours for case in four]
    texts = embed.texts([case.caption for case in cases], encoder)
    found = {"captions": texts.unit(texts.rows(case.caption for case in cases))}
    for side, pictures in (
        ("pictures", [WorldPicture(case.scene) for case in cases]),
        ("alike", [WorldPicture(case.alike) for case in cases]),
    ):
        table = embed.images(pictures, encoder)
        found[side] = table.unit(table.rows(picture.name for picture in pictures))
    return {side: unit.numpy().astype(np.float64).reshape(len(fours), 4, -1) for side, unit in found.items()}


def measure(vectors: dict[str, np.ndarray]) -> dict[str, Any]:
    """What each change does to each side."""
    return {"changes": {change: _moved(vectors, steps) for change, steps in CHANGES.items()}}


def _moved(vectors: dict[str, np.ndarray], steps: Sequence[tuple[int, int]]) -> dict[str, Any]:
    shifts = {side: np.concatenate([v[:, b] - v[:, a] for a, b in steps]) for side, v in vectors.items()}
    cosines = np.einsum("nd,nd->n", _unit(shifts["captions"]), _unit(shifts["pictures"]))
    mean = {side: shift.mean(0) for side, shift in shifts.items()}
    return {
        **{side: _side(shift, len(steps)) for side, shift in shifts.items()},
        "agreement": float(cosines.mean()),
        "agreement_of_means": float(_unit(mean["captions"]) @ _unit(mean["pictures"])),
    }


def _side(shifts: np.ndarray, steps: int) -> dict[str, Any]:
    mean, quartet = shifts.mean(0), np.tile(np.arange(len(shifts) // steps), steps)
    cosines = _unit(shifts) @ _unit(shifts).T
    most = np.argsort(-np.abs(mean), kind="stable")[:MOST]
    return {
        "consistency": float(cosines[quartet[:, None] != quartet[None]].mean()),
        "length": float(np.linalg.norm(shifts, axis=1).mean()),
        "most_moved": [
            {"dimension": int(d), "shift": float(mean[d]), "spread": float(shifts[:, d].std())} for d in most
        ],
    }


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), np.finfo(float).tiny)


def told_apart(fours: Sequence[tuple[Case, ...]], pictures: np.ndarray, predictor: Predictor) -> dict[str, Any]:
    """Which of the four captions a captioner finds likeliest for each picture, and what it writes itself."""
    chosen, written = [], []
    for four, vectors in zip(fours, pictures, strict=True):
        seen = predictor.seen(torch.from_numpy(vectors).float())
        chosen.append(predictor.likelihoods(seen, [""] * 4, [case.caption for case in four]).argmax(dim=1).tolist())
        written.append([nbest[0].text for nbest in predictor.vectors(seen, [""] * 4)] if len(written) < SHOWN else [])
    picked, right = np.array(chosen), np.arange(4)
    confusion = np.stack([np.bincount(picked[:, case], minlength=4) for case in right])
    return {
        "right": {
            "all": float((picked == right).mean()),
            "species": float((picked // 2 == right // 2).mean()),
            "position": float((picked % 2 == right % 2).mean()),
        },
        "confusion": confusion.tolist(),
        "written": written[:SHOWN],
    }


def plot_shifts(measured: dict[str, Any]) -> Figure:
    """How consistently each side moves, a group of bars for each change."""
    from matplotlib.figure import Figure

    plot = Figure(figsize=(7, 3.6), layout="constrained")
    axis = plot.subplots()
    places = np.arange(len(CHANGES))
    for number, (side, told) in enumerate(SIDES.items()):
        values = [measured["changes"][change][side]["consistency"] for change in CHANGES]
        colour = SENTENCES if side == "captions" else PICTURES
        axis.bar(
            places + 0.26 * (number - 1), values, 0.24, label=told, color=colour, alpha=0.5 if side == "alike" else 1
        )
    axis.set_xticks(places, [f"another {change}" for change in CHANGES])
    axis.set(ylabel="mean cosine of the shifts", ylim=(0, 1))
    axis.legend(frameon=False)
    return plot


def _write(folder: Path, measured: dict[str, Any], fours: Sequence[tuple[Case, ...]]) -> None:
    plot = plot_shifts(measured)
    with disk_errors(folder / "figures"):
        (folder / "figures").mkdir()
        for suffix in ("png", "svg"):
            plot.savefig(folder / "figures" / f"shifts.{suffix}", dpi=150)
    write_json(folder / "measures.json", measured)
    kept = {c: [f"{found[s]['consistency']:.3f}" for s in SIDES] for c, found in measured["changes"].items()}
    sections = [
        report.section(
            "How consistently they move",
            "Captions that differ in one thing move the same way nearly every time; pictures also carry what no caption says.",
            report.figure(plot, "mean cosine of the shifts of each side, by what changes")
            + report.table(f"Mean cosine of shifts, {len(fours)} quartets", list(SIDES.values()), kept),
        )
    ]
    if "captioner" in measured:
        right = {name: [f"{share:.1%}"] for name, share in measured["captioner"]["right"].items()}
        sections.append(
            report.section(
                "Told apart",
                "For each picture the captioner ranks the four captions of its quartet.",
                report.table("pictures with the right caption first", ["share"], right),
            )
        )
    sections.append(report.section("The cases", "Two quartets.", report.gallery(_cards(measured, fours))))
    page = report.page("One thing changes", f"imageless contrast: the world, {measured['encoder']}.", sections)
    write_text(folder / "report.html", page)


def _cards(measured: dict[str, Any], fours: Sequence[tuple[Case, ...]]) -> list[report.Card]:
    cards = []
    for number, four in enumerate(fours[:SHOWN]):
        for place, case in enumerate(four):
            lines: dict[str, str | Sequence[str]] = {f"{case.species}, {case.position}": case.caption}
            if "captioner" in measured:
                lines["the captioner"] = measured["captioner"]["written"][number][place]
            cards.append(report.Card(render(case.scene, size=96), lines, next(iter(lines))))
    return cards
