"""What released data sets have in common: files known by name, somewhere in a folder, and entries that may be amiss.

People unpack archives where they like, so a file is looked for in the folder, in its sub-folders and in theirs. A file
that is not there is named with the place it is had from. Entries that cannot be used are counted and told once.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from typing import Any

from imageless.data.lines import require_file
from imageless.data.rows import captions
from imageless.data.splits import Splits, canonical, named_in
from imageless.errors import InputError

log = logging.getLogger(__name__)


def require_folder(path: str, source: str) -> None:
    """Refuse what is missing or a file."""
    if not os.path.isdir(path):
        got = "a file; name the folder it lies in" if os.path.exists(path) else "no such folder; check the path"
        raise InputError(f"{source}: expected a folder with the released files, got {got}")


def seek(folder: str, name: str) -> str | None:
    """The file of this name in a folder, in its sub-folders or in theirs; the nearest one."""
    level = [folder]
    for _ in range(3):
        for here in level:
            if os.path.isfile(os.path.join(here, name)):
                return os.path.join(here, name)
        level = [deeper for here in level for deeper in _folders(here)]
    return None


def find(folder: str, name: str, had_from: str) -> str:
    """As `seek`, but a file that is not there is a mistake."""
    path = seek(folder, name)
    if path is None:
        raise InputError(f"{folder}: expected {name} in it or in its sub-folders, got no such file; {had_from}")
    return path


def _folders(folder: str) -> list[str]:
    """The visible folders in one, sorted; one that may not be looked into has none."""
    try:
        with os.scandir(folder) as inside:
            return sorted(entry.path for entry in inside if entry.is_dir() and not entry.name.startswith("."))
    except PermissionError:
        return []


def split_files(
    path: str, split: str | None, names: Mapping[str, str], source: str, had_from: str
) -> list[tuple[str, str]]:
    """(split, file): `path` itself, whose split stands in its name, or the files of a folder by their released names."""
    if not os.path.isdir(path):
        require_file(path, "a data set")
        name = named_in(path) or "train"
        splits = Splits(split, source)
        if not splits.takes(name):
            splits.check()
        return [(name, path)]
    wanted = None if split is None else canonical(split)
    if wanted is None:
        there = [(name, file) for name in names if (file := seek(path, names[name])) is not None]
        return there or [(name, find(path, names[name], had_from)) for name in names]
    if wanted not in names:
        raise InputError(f"{source}: expected a split among {', '.join(names)}, got {split!r}; choose with --split")
    return [(wanted, find(path, names[wanted], had_from))]


def objects(value: Any, path: str, expected: str) -> list[dict[str, Any]]:
    """A list of JSON objects, or the complaint that it is none."""
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        got = f"an object with {', '.join(value)}" if isinstance(value, dict) else str(value)
        raise InputError(f"{path}: expected {expected}, got {got[:80]!r}; fetch it again")
    return value


def text_of(entry: Mapping[str, Any], name: str, where: str) -> str:
    """The text an entry has under a name, without blanks around it; it may be empty."""
    if not isinstance(entry.get(name), str):
        raise InputError(f"{where}: expected text as {name}, got {str(entry.get(name))[:60]!r}; fetch the file again")
    return "".join(captions(entry[name], where))


def number_of(entry: Mapping[str, Any], name: str, where: str) -> int:
    """The whole number an entry has under a name, also when it is written as text."""
    value = entry.get(name)
    if isinstance(value, bool) or not str(value).isdecimal():
        raise InputError(f"{where}: expected a whole number as {name}, got {str(value)[:60]!r}; fetch the file again")
    return int(str(value))


def option(value: str, name: str, source: str) -> float:
    """The number a user gave as ?name=value."""
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if not number >= 0:
        raise InputError(f"{source}: expected a number as ?{name}=, got {value!r}; write for instance ?{name}=4")
    return number


class Tally:
    """Counts what is amiss, by kind, and says each kind once: how many of how many, the first by name."""

    def __init__(self, source: str):
        self.source = source
        self.total = 0
        self._kinds: dict[tuple[int, str], list[Any]] = {}

    def note(self, what: str, name: object, level: int = logging.WARNING) -> None:
        """One more of a kind; `what` is said after the numbers, as in `pairs without a label skipped`."""
        self._kinds.setdefault((level, what), [0, name])[0] += 1

    def report(self) -> None:
        """To be called at the end."""
        for (level, what), (count, first) in self._kinds.items():
            log.log(level, "%s: %d of %d %s (first: %r)", self.source, count, self.total, what, first)
