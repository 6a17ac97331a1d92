"""A table to look at: what reproduce.py collected, as figures and a page.

OUT/figures/COLUMN.png, .svg    every row of a column with its seeds and spread, and the paper's beside it
OUT/report.html                 the figures, a sentence under each, then the table and the commands that made it
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imageless import report
from imageless.analysis.table import columns_of, shown
from imageless.folders import disk_errors, write_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

OURS, SEED, PAPERS = "#2f6f9f", "#9db8cc", "#c8642f"


def write(folder: Path, result: Mapping[str, Any]) -> None:
    """figures/ and report.html."""
    figures = folder / "figures"
    with disk_errors(figures):
        figures.mkdir(exist_ok=True)
    sections = []
    for column in columns_of(result):
        drawn, sentence = plot(result, column), said(result, column)
        with disk_errors(figures):
            for suffix in ("png", "svg"):
                drawn.savefig(figures / f"{column}.{suffix}", dpi=150)
        sections.append(f"<h2>{escape(column)}</h2>{report.figure(drawn, sentence)}<p>{escape(sentence)}</p>")
    lead = f"Scores x 100 over seeds {', '.join(map(str, result['seeds']))}; {result['date']}."
    if result["paper"]:
        lead += f" The paper's numbers are on other data: {result['paper']['source']}."
    page = report.page(result["title"], lead, [*sections, _numbers(result), _commands(result)])
    write_text(folder / "report.html", page)


def plot(result: Mapping[str, Any], column: str) -> Figure:
    """One column: a curve where the rows are numbers, as in a sweep; otherwise a line of dots for each row."""
    from matplotlib.figure import Figure

    cells = {row: cells[column] for row, cells in result["rows"].items() if column in cells}
    score = next(iter(cells.values()))["score"]
    means = [100 * cell["mean"] for cell in cells.values()]
    spreads = [100 * (cell["spread"] or 0) for cell in cells.values()]
    if len(cells) > 2 and all(_is_number(row) for row in cells):
        drawn = Figure(figsize=(6.5, 3.5), layout="constrained")
        axis = drawn.subplots()
        axis.errorbar([float(row) for row in cells], means, spreads, color=OURS, marker="o", capsize=3)
        axis.set(title=result["title"], ylabel=f"{score} x 100")
        return drawn
    drawn = Figure(figsize=(7.5, 1.2 + 0.36 * len(cells)), layout="constrained")
    axis = drawn.subplots()
    places = list(range(len(cells), 0, -1))
    for place, cell in zip(places, cells.values(), strict=True):
        single = [100 * seed[score] for seed in cell["seeds"].values()]
        axis.scatter(single, [place] * len(single), s=14, color=SEED)
    axis.errorbar(means, places, xerr=spreads, color=OURS, fmt="o", capsize=3)
    axis.set_yticks(places, list(cells))
    axis.set(ylim=(0.4, len(cells) + 0.6))
    axis.set_xlabel(f"{score} x 100", color=OURS)
    axis.grid(axis="x", alpha=0.3)
    _papers(axis, result, column, dict(zip(cells, places, strict=True)))
    return drawn


def _papers(axis: Axes, result: Mapping[str, Any], column: str, places: Mapping[str, int]) -> None:
    """The paper's rows of the same names, on a scale of their own above: it is the order that can be compared."""
    rows = result["paper"].get("rows", {})
    published = {row: rows[row][column] for row in places if column in rows.get(row, {})}
    if not published:
        return
    above = axis.twiny()
    above.scatter(
        list(published.values()),
        [places[row] - 0.22 for row in published],
        marker="D",
        s=26,
        color=PAPERS,
        facecolors="none",
    )
    above.set_xlabel("the paper's, on other data", color=PAPERS)


def said(result: Mapping[str, Any], column: str) -> str:
    """What a column shows: its ends, and the differences that were tested."""
    means = {row: cells[column]["mean"] for row, cells in result["rows"].items() if column in cells}
    best, last = max(means, key=means.__getitem__), min(means, key=means.__getitem__)
    words = [f"Best is {best} with {100 * means[best]:.1f}, last {last} with {100 * means[last]:.1f}"]
    for d in result["differences"]:
        if d["column"] == column:
            low, high = (f"{100 * d[end]:.1f}" for end in ("low", "high"))
            words.append(f"{d['a']} minus {d['b']} is {100 * d['difference']:+.1f} (95 %: {low} to {high})")
    return "; ".join(words) + "."


def _numbers(result: Mapping[str, Any]) -> str:
    columns = columns_of(result)
    rows = {row: [shown(cells.get(column)) for column in columns] for row, cells in result["rows"].items()}
    published = {
        f"the paper's {row}": [str(told.get(column, "")) for column in columns]
        for row, told in result["paper"].get("rows", {}).items()
    }
    return f"<h2>In numbers</h2>{report.table('Mean ± standard deviation over seeds', columns, rows | published)}"


def _commands(result: Mapping[str, Any]) -> str:
    lines = escape("\n".join(result["commands"]))
    return f"<details><summary>{len(result['commands'])} commands made it</summary><pre>{lines}</pre></details>"


def _is_number(row: str) -> bool:
    return re.fullmatch(r"\d*\.?\d+", row) is not None
