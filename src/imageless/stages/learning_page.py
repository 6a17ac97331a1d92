"""RUN/report.html: how something learned, as log.jsonl tells it, so that a run that was stopped and gone on with shows all of it."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from imageless import loop, report
from imageless.errors import InputError
from imageless.folders import write_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

log = logging.getLogger(__name__)

COLUMNS = 3  # curves beside each other
MANY = 50  # readings from which on their mean over neighbours is drawn too
LINE, SINGLE = "#2f6f9f", "#9db8cc"


def leave(folder: Path, verb: str, result: loop.Result, scenes: Sequence[Mapping[str, Sequence[str]]] = ()) -> None:
    """Write the page; without one what was learned is as good, so that a page that cannot be made costs a warning alone."""
    lead = f"imageless {verb}: {result.steps:,} steps in {result.seconds:,.0f} s."
    try:
        write_text(folder / "report.html", page(lead, list(loop.read_log(folder)), scenes))
    except (OSError, ImportError, InputError) as error:  # a disk that is full, a matplotlib without fonts or a folder
        log.warning("report.html could not be written: %s", error)


def page(lead: str, rows: Sequence[Mapping[str, Any]], scenes: Sequence[Mapping[str, Sequence[str]]] = ()) -> str:
    """The curves, and beneath them what was said of each scene as time went on."""
    curves = report.figure(plot(rows), "what log.jsonl holds, by step")
    sections = [report.section("Curves", "As log.jsonl holds them, over the steps.", curves)]
    said = {row["step"]: row["said"] for row in rows if len(row.get("said", ())) == len(scenes) > 0}
    if said:
        sections.append(
            report.section(
                "What it would say",
                "Of scenes it learns from, by their vectors without noise, the likeliest word at a time. "
                "The highlighted line is what it says in the end.",
                report.gallery([_card(scene, number, said) for number, scene in enumerate(scenes)]),
            )
        )
    return report.page("How it learned", lead, sections)


def plot(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """A curve for each number that was followed."""
    from matplotlib.figure import Figure

    followed = list(dict.fromkeys(name for row in rows for name, value in row.items() if _is_number(name, value)))
    across, down = min(COLUMNS, len(followed)), math.ceil(len(followed) / COLUMNS)
    drawn = Figure(figsize=(4.2 * across, 2.8 * down), layout="constrained")
    for place, name in enumerate(followed, start=1):
        steps, values = np.array([(row["step"], row[name]) for row in rows if name in row], dtype=float).T
        axis = drawn.add_subplot(down, across, place)
        many = len(values) >= MANY
        axis.plot(steps, values, color=SINGLE if many else LINE, marker="o" if len(values) == 1 else None)
        if many:
            width = len(values) // MANY * 2 + 1
            axis.plot(steps[width // 2 : len(steps) - width // 2], _smooth(values, width), color=LINE)
        axis.set(title="learning rate" if name == "lr" else name.replace("_", " "), xlabel="step")
        axis.grid(alpha=0.3)
    return drawn


def _is_number(name: str, value: Any) -> bool:
    return name != "step" and isinstance(value, int | float)


def _smooth(values: np.ndarray, width: int) -> np.ndarray:
    """The mean over so many neighbours, where there are as many."""
    return np.convolve(values, np.full(width, 1 / width), mode="valid")


def _card(scene: Mapping[str, Sequence[str]], number: int, said: Mapping[int, Sequence[str]]) -> report.Card:
    answers = {f"after {step:,} steps": said[step][number] or "(nothing)" for step in sorted(said)}
    return report.Card(None, {**scene, **answers}, list(answers)[-1])
