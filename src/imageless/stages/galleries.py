"""Pictures on the page of an evaluation: those of the best answers, of the worst, and some drawn blindly; and who is missing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape

import numpy as np

from imageless import draws, report
from imageless.errors import InputError
from imageless.pictures import load
from imageless.records import Picture

SHOWN = 12  # pictures in a gallery: three of them weigh about a megabyte
NAMED = 20  # pictures that could not be read; scores.json has all


def sections(
    scores: np.ndarray | None, sure: np.ndarray, card: Callable[[int], report.Card], seed: int = 0
) -> list[str]:
    """The galleries; `card` shows a row. Without scores there is nothing to be best at."""
    told = {
        "best": ("The best", "The answers with the highest scores; of equal ones those the model was surest of."),
        "worst": ("The worst", "The answers with the lowest scores; of equal ones those the model was surest of."),
        "drawn": ("Drawn blindly", "Some of all answers, whatever their scores."),
    }
    return [
        report.section(*told[name], report.gallery([card(row) for row in rows.tolist()]))
        for name, rows in picked(scores, sure, seed).items()
        if len(rows)
    ]


def picked(scores: np.ndarray | None, sure: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """The rows of each gallery; no row is among the best and among the worst."""
    rows = {"drawn": np.random.default_rng(draws.key(seed, "gallery")).permutation(len(sure))[:SHOWN]}
    if scores is None:
        return rows
    half = min(SHOWN, len(sure) // 2)
    return {"best": np.lexsort((-sure, -scores))[:half], "worst": np.lexsort((-sure, scores))[:half], **rows}


def card(picture: Picture, lines: Mapping[str, str | Sequence[str]], main: str) -> report.Card:
    """A picture with what is said of it; one that cannot be opened by now says why."""
    try:
        return report.Card(load(picture, least=report.SIDE), lines, main)
    except InputError as error:
        return report.Card(None, {**lines, "no picture": str(error)}, main)


def left_out(skipped: Mapping[str, str]) -> list[str]:
    """A section that names the pictures nothing was said of, if there are any."""
    if not skipped:
        return []
    lines = "".join(f"<li>{escape(why)}</li>" for why in list(skipped.values())[:NAMED])
    more = "" if len(skipped) <= NAMED else f" The first {NAMED} of them; scores.json names all."
    said = f"{len(skipped):,} pictures could not be read, and nothing is said of them.{more}"
    return [report.section("Left out", said, f"<ul>{lines}</ul>")]
