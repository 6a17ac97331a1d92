"""Splits by their usual names: train, val, test, and whatever else a data set has (restval).

One rule for all readers: what belongs to no split is train. A file of sentences can be learned from, and nobody scores
on it by accident.
"""

from __future__ import annotations

import os
import re

from imageless.errors import InputError

SAME = {"training": "train", "validation": "val", "valid": "val", "dev": "val", "testing": "test"}


def canonical(name: str) -> str:
    """One name per split, whoever wrote it: validation, valid and dev are val."""
    name = name.strip().lower()
    return SAME.get(name, name)


def named_in(path: str) -> str | None:
    """The split a file name speaks of: `flickr8k-val-000.tar` is val. None when it speaks of none."""
    words = re.split(r"[^a-z]+", os.path.basename(path).lower())
    return next((canonical(word) for word in words if canonical(word) in ("train", "val", "test", "restval")), None)


class Splits:
    """Picks the entries of one split, or of all (None), and remembers what it saw."""

    def __init__(self, wanted: str | None, source: str):
        self.wanted = None if wanted is None else canonical(wanted)
        self.source = source
        self._seen: set[str] = set()

    def takes(self, split: object) -> bool:
        """Whether an entry of this split (None: of none) belongs."""
        name = canonical(str(split)) if split else "train"
        self._seen.add(name)
        return self.wanted in (None, name)

    def check(self) -> None:
        """To be called at the end: a split without an entry is a mistake."""
        if self.wanted is not None and self._seen and self.wanted not in self._seen:
            there = ", ".join(sorted(self._seen))
            raise InputError(f"{self.source}: expected split {self.wanted!r}, got only {there}; choose with --split")
