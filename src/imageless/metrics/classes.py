"""How often the right class was named, and what was named instead.

    | truth         | entailment | neutral | contradiction | *other* | right  |
    |---------------|-----------:|--------:|--------------:|--------:|-------:|
    | entailment    |          8 |       1 |             0 |       1 |  80.0% |

Notable:
- A model that writes may write anything: whatever is none of the classes is wrong, counted under *other*, and never
  dropped. Names are compared as they are, letter for letter.
- The macro average is the mean over classes that occur, so that a rare class counts as much as a frequent one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from imageless.errors import InputError

OTHER = "*other*"


@dataclass(frozen=True)
class Scores:
    """Who was taken for whom; every number below is read off `confusion`."""

    classes: tuple[str, ...]
    confusion: np.ndarray
    """(classes, classes + 1): rows the truth, columns what was said, the last one answers that are no class."""

    @property
    def accuracy(self) -> float:
        return float(np.trace(self.confusion) / self.confusion.sum())

    @property
    def by_class(self) -> dict[str, float]:
        """Share of each class's examples that were named right, for classes that occur."""
        occurring, right = self.confusion.sum(axis=1), np.diag(self.confusion)
        return {name: float(hits / n) for name, hits, n in zip(self.classes, right, occurring, strict=True) if n}

    @property
    def macro(self) -> float:
        """Mean of `by_class`."""
        return float(np.mean([*self.by_class.values()]))


def score(said: Sequence[str], truth: Sequence[str], classes: Sequence[str] | None = None) -> Scores:
    """`classes` sets the order of rows; without them, those of `truth` in alphabetical order."""
    if len(said) != len(truth) or not truth:
        raise InputError(f"expected an answer for each example, got {len(said)} for {len(truth)}; align them")
    names = tuple(sorted(set(truth)) if classes is None else classes)
    numbers = {name: number for number, name in enumerate(names)}
    if len(numbers) < len(names):
        raise InputError(f"expected each class once, got {', '.join(names)}; drop the repeated")
    if unknown := sorted(set(truth) - set(numbers)):
        raise InputError(f"expected the classes {', '.join(names)}, got {', '.join(unknown[:5])}; add or leave out")
    rows = [numbers[name] for name in truth]
    columns = [numbers.get(name, len(names)) for name in said]
    confusion = np.zeros((len(names), len(names) + 1), dtype=np.int64)
    np.add.at(confusion, (rows, columns), 1)
    return Scores(names, confusion)


def table(scores: Scores) -> str:
    """The confusion matrix as markdown that reads as plain text too."""
    shares = scores.by_class
    names = [name.replace("|", "\\|").replace("\n", " ") for name in scores.classes]
    rows = [["truth", *names, OTHER, "right"]]
    for name, shown, counts in zip(scores.classes, names, scores.confusion, strict=True):
        rows.append([shown, *map(str, counts), f"{shares[name]:.1%}" if name in shares else "none"])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [_row(row, widths) for row in rows]
    rule = ["-" * (widths[0] + 2), *("-" * (width + 1) + ":" for width in widths[1:])]
    return "\n".join([lines[0], f"|{'|'.join(rule)}|", *lines[1:]])


def _row(cells: list[str], widths: list[int]) -> str:
    aligned = [cells[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(cells[1:], widths[1:], strict=True))]
    return f"| {' | '.join(aligned)} |"
