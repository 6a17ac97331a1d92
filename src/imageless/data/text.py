"""Sentences without pictures: one per line.

    A child holding a flowered umbrella and petting a yak.

Any text file will do, and this one line makes one of a table's column:

    cut -f 2 reviews.tsv > reviews.txt            then: text:reviews.txt

Blank lines are skipped. A record's key is its line (`line-000001`), each sentence is a scene of its own, and everything
is train: a file that knows no splits has nothing that was kept apart for scoring.
"""

from __future__ import annotations

from collections.abc import Iterator

from imageless.data.lines import lines
from imageless.data.splits import canonical
from imageless.errors import InputError
from imageless.records import Record

LONGEST = 10_000  # characters; the longest caption anybody wrote is far below, a book in one line is far above


def text(path: str, split: str | None = None) -> Iterator[Record]:
    """A record per sentence."""
    if split is not None and canonical(split) != "train":
        raise InputError(
            f"text:{path}: expected --split train, as a text file has no splits, got {split!r}; "
            f"put those sentences into a file of their own"
        )
    for number, line in lines(path, LONGEST, "a sentence a line"):
        if sentence := line.strip():
            yield Record(key=f"line-{number:06d}", captions=(sentence,))
