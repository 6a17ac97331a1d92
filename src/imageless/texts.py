"""Many texts and numbers without the memory they would take as Python's own: what grows large lies in a file nobody else sees.

A caption of 50 letters is a string of a hundred bytes and an entry of a hundred more in a dict; a million of them with their tokens
and targets come to a gigabyte. Here a text takes some 20 bytes while texts are being numbered and 8 afterwards.
"""

from __future__ import annotations

import hashlib
import tempfile
import weakref
from array import array
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import IO, overload

import numpy as np

from imageless.folders import cache, disk_errors

IN_MEMORY = 1 << 22  # bytes; more than this goes into a file
RECENT = 4096  # texts whose numbers are at hand: the captions of a scene name each other
AT_ONCE = 4096  # texts read together


def identify(name: str) -> int:
    """The 64-bit id under which a text or a picture's name is found again."""
    return int.from_bytes(hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


class Growing:
    """Numbers of one kind (a code of the standard library's `array`), added at the end; at last a numpy array."""

    def __init__(self, code: str):
        self._recent = array(code)
        self._file: IO[bytes] | None = None

    def append(self, value: int) -> None:
        self._recent.append(value)
        self._make_room()

    def extend(self, values: Iterable[int]) -> None:
        """Add values; bytes are taken as they are."""
        if isinstance(values, bytes):
            self._recent.frombytes(values)
        else:
            self._recent.extend(values)
        self._make_room()

    def _make_room(self) -> None:
        if len(self._recent) * self._recent.itemsize > IN_MEMORY:
            self._spill()

    def numpy(self) -> np.ndarray:
        """All of them; nothing can be added any more."""
        if self._file is None:
            return np.frombuffer(self._recent, self._recent.typecode)
        self._spill()
        kept = np.memmap(self._file, self._recent.typecode, "c")  # written to by nobody, but torch would warn
        self._file.close()
        return np.asarray(kept)

    def _spill(self) -> None:
        folder = cache()
        with disk_errors(folder):
            if self._file is None:
                folder.mkdir(parents=True, exist_ok=True)  # beside the tables: the system's own place may be memory
                self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 closed by the finalizer
                weakref.finalize(self, self._file.close)
            self._recent.tofile(self._file)  # pyright: ignore[reportArgumentType]
            self._file.flush()
        del self._recent[:]


class Texts(Sequence[str]):
    """Texts by number, read from where they lie."""

    def __init__(self, letters: np.ndarray, ends: np.ndarray):
        self._letters, self._ends = letters, ends

    def __len__(self) -> int:
        return len(self._ends)

    @overload
    def __getitem__(self, number: int) -> str: ...
    @overload
    def __getitem__(self, number: slice) -> list[str]: ...
    def __getitem__(self, number: int | slice) -> str | list[str]:
        if isinstance(number, slice):
            return [self[one] for one in range(*number.indices(len(self)))]
        if not -len(self) <= number < len(self):
            raise IndexError(number)
        place = number % len(self)
        start = self._ends[place - 1] if place else 0
        return self._letters[start : self._ends[place]].tobytes().decode("utf-8", "surrogatepass")

    def __iter__(self) -> Iterator[str]:
        for start in range(0, len(self), AT_ONCE):
            yield from self[start : start + AT_ONCE]


class Numbering:
    """Gives every distinct text a number, in the order in which they first come."""

    def __init__(self) -> None:
        self._letters, self._ends, self._end = Growing("B"), Growing("q"), 0
        self._index = _Index()
        self._number = lru_cache(RECENT)(self._look_up)

    def __call__(self, text: str) -> int:
        return self._number(text)

    def texts(self) -> Texts:
        """What has been numbered; nothing can be added any more."""
        del self._index, self._number
        return Texts(self._letters.numpy(), self._ends.numpy())

    def _look_up(self, text: str) -> int:
        count = len(self._index.ids)
        number = self._index(identify(text))
        if number == count:
            letters = text.encode("utf-8", "surrogatepass")
            self._end += len(letters)
            self._letters.extend(letters)
            self._ends.append(self._end)
        return number


def distinct(texts: Iterable[str]) -> Texts:
    """Each text once, in the order in which they first come."""
    if isinstance(texts, Texts):
        return texts
    number = Numbering()
    for text in texts:
        number(text)
    return number.texts()


class _Index:
    """The numbers of 64-bit ids, counted up as new ones come: open addressing in a flat array."""

    def __init__(self) -> None:
        self.ids = array("Q")
        self._places = array("i", bytes(4 * 1024))  # an id's number and one, or nought where none stands

    def __call__(self, id: int) -> int:
        place = self._place(id)
        if self._places[place] == 0:
            self.ids.append(id)
            self._places[place] = len(self.ids)
            if 3 * len(self.ids) > 2 * len(self._places):
                self._widen()
            return len(self.ids) - 1
        return self._places[place] - 1

    def _place(self, id: int) -> int:
        """Where an id's number stands, or the empty place where it would."""
        places, ids, mask = self._places, self.ids, len(self._places) - 1
        place = id & mask
        while places[place] and ids[places[place] - 1] != id:
            place = (place + 1) & mask
        return place

    def _widen(self) -> None:
        self._places = array("i", bytes(8 * len(self._places)))  # twice the places
        for number, id in enumerate(self.ids, 1):
            self._places[self._place(id)] = number
