"""A table to read: what reproduce.py collected, as Markdown."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from typing import Any


def markdown(result: Mapping[str, Any]) -> str:
    """The table to read: scores x 100, mean and spread (standard deviation over seeds)."""
    columns = columns_of(result)
    scores = list(dict.fromkeys(cell["score"] for cells in result["rows"].values() for cell in cells.values()))
    lines = [
        f"**{result['title']}** {', '.join(scores)} x 100, mean ± standard deviation over seeds {result['seeds']}",
        "",
        f"| | {' | '.join(columns)} |",
        f"|---|{'---|' * len(columns)}",
    ]
    for row, cells in result["rows"].items():
        lines.append(f"| {row} | {' | '.join(shown(cells.get(column)) for column in columns)} |")
    for pair, shares in result["shares"].items():
        lines.append(f"| *{pair}* | {' | '.join(_percent(shares.get(column)) for column in columns)} |")
    for row, published in result["paper"].get("rows", {}).items():
        lines.append(f"| *the paper's {row}* | {' | '.join(str(published.get(column, '')) for column in columns)} |")
    if result["paper"]:
        lines += ["", f"The paper's numbers are on other data: {result['paper']['source']}."]
    if result["differences"]:
        lines += ["", "| difference | column | x 100 | 95 % interval | p |", "|---|---|---|---|---|"]
    for d in result["differences"]:
        interval = f"{100 * d['low']:.1f} to {100 * d['high']:.1f}"
        lines.append(
            f"| {d['a']} - {d['b']} | {d['column']} | {100 * d['difference']:+.1f} | {interval} | {d['p']:.4f} |"
        )
    for score in result.get("also", []):
        lines += ["", f"| {score} x 100 | {' | '.join(columns)} |", f"|---|{'---|' * len(columns)}"]
        lines += [
            f"| {row} | {' | '.join(_mean(cells.get(name), score) for name in columns)} |"
            for row, cells in result["rows"].items()
        ]
    return "\n".join(lines) + "\n"


def columns_of(result: Mapping[str, Any]) -> list[str]:
    """The names of all columns that any row has."""
    return list(dict.fromkeys(name for cells in result["rows"].values() for name in cells))


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.0f} %"


def _mean(cell: dict[str, Any] | None, score: str) -> str:
    values = [seed[score] for seed in cell["seeds"].values() if score in seed] if cell else []
    return f"{100 * statistics.fmean(values):.1f}" if values else ""


def shown(cell: Mapping[str, Any] | None) -> str:
    """Mean and spread of a cell, x 100; nothing of one that is not there."""
    if cell is None:
        return ""
    spread = "" if cell["spread"] is None else f" ± {100 * cell['spread']:.1f}"
    return f"{100 * cell['mean']:.1f}{spread}"
