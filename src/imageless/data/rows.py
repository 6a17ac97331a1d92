"""What a row of a table says: which columns hold its captions, its picture and its key.

Columns go by their usual names, whatever their case, or are named by the user as NAME=COLUMN after a question mark:

    csv:photos.csv?caption=Beschreibung&image=Datei
    jsonl:snli_ve_train.jsonl?caption=sentence1&hypothesis=sentence2&label=gold_label

Any NAME may be given; caption, image and key are what a record is made of, every other one becomes a field of that
name. Columns nobody named keep their own name as fields.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from imageless.data.album import Album
from imageless.data.splits import Splits
from imageless.errors import InputError
from imageless.records import Record

log = logging.getLogger(__name__)

USUAL = {  # the first one present is taken
    "caption": ("captions", "caption", "text", "sentences", "sentence", "title", "comment", "description"),
    "image": ("image", "filename", "file_name", "filepath", "image_path", "image_name", "img"),
    "key": ("key", "id"),
    "split": ("split",),
}


class Rows:
    """Turns the rows of one source into records, and counts what it leaves out."""

    def __init__(self, source: str, split: str | None, album: Album, columns: Mapping[str, str]):
        self.source, self.album, self.columns = source, album, columns
        self.splits = Splits(split, source)
        self._roles: dict[tuple[str, ...], dict[str, str]] = {}
        self._empty = 0

    def record(self, row: Mapping[str, Any], key: str, where: str) -> Record | None:
        """The record of a row; None when it belongs to another split or says nothing. Complaints begin with `where`."""
        roles = self._roles.get(tuple(row))
        if roles is None:
            roles = self._roles[tuple(row)] = find_roles(tuple(row), self.columns, where)
        said = {name: row[column] for name, column in roles.items()}
        if not self.splits.takes(_word(said.get("split"), where, "split")):
            return None
        sentences = captions(said.get("caption"), where)
        image = _word(said.get("image"), where, "picture's file name")
        if not sentences and not image:
            self._empty += 1
            return None
        return Record(
            key=_word(said.get("key"), where, "key") or key,
            captions=sentences,
            image=self.album.get(image) if image else None,
            fields=fields(row, roles),
        )

    def finish(self) -> None:
        """To be called after the last row: says what was left out, and refuses a split that nothing belongs to."""
        if self._empty:
            log.warning("%s: %d rows with neither a caption nor a picture were skipped", self.source, self._empty)
        self.album.report()
        self.splits.check()


def find_roles(names: Sequence[str], given: Mapping[str, str], where: str) -> dict[str, str]:
    """NAME -> column, as given or as usual; a row must have a caption or a picture."""
    roles = usual_roles(names) | dict(given)
    absent = [column for column in roles.values() if column not in names]
    if absent:
        raise InputError(f"{where}: expected a column {absent[0]!r}, got {', '.join(names)}; choose among those")
    if "caption" not in roles and "image" not in roles:
        raise InputError(
            f"{where}: expected a caption or an image, got {', '.join(names) or 'nothing'}; "
            f"say which column holds it, as in ?caption=COLUMN"
        )
    return roles


def usual_roles(names: Sequence[str]) -> dict[str, str]:
    """NAME -> column for the columns that are called what they usually are."""
    lower = {name.lower(): name for name in reversed(names)}
    there = {role: next((lower[name] for name in usual if name in lower), None) for role, usual in USUAL.items()}
    return {role: column for role, column in there.items() if column is not None}


def fields(row: Mapping[str, Any], roles: Mapping[str, str]) -> dict[str, Any]:
    """What a record keeps of a row besides its captions and key; of a picture the name, as it may be missing."""
    names = {column: name for name, column in roles.items()}
    taken = {roles.get("caption"), roles.get("key")}
    return {names.get(column, column): value for column, value in row.items() if column not in taken}


def captions(value: Any, where: str) -> tuple[str, ...]:
    """One sentence or a list of them, without the blank ones."""
    sentences = [value] if isinstance(value, str) else [] if value is None else value
    if not isinstance(sentences, list | tuple) or not all(isinstance(sentence, str) for sentence in sentences):
        raise InputError(f"{where}: expected a caption or a list of captions, got {str(value)[:60]!r}; write sentences")
    for sentence in sentences:
        if not sentence.isascii() and any("\ud800" <= letter <= "\udfff" for letter in sentence):
            raise InputError(f"{where}: expected text, got half a character in {sentence[:60]!r}; write it as UTF-8")
        if "\0" in sentence:
            raise InputError(f"{where}: expected text, got a NUL character in {sentence[:60]!r}; take it out")
    return tuple(stripped for sentence in sentences if (stripped := sentence.strip()))


def _word(value: Any, where: str, expected: str) -> str | None:
    """A name: text or a number; None when the cell is empty."""
    if value is None or value == "":
        return None
    if isinstance(value, str | int) and not isinstance(value, bool):
        return str(value)
    raise InputError(f"{where}: expected a {expected}, got {str(value)[:60]!r}; write it as text")
