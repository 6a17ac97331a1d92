r"""Animals with Attributes 2: photographs of fifty kinds of animals, each kind with what is true of it.

    classes.txt                     "1\tantelope", "2\tgrizzly+bear", ...
    predicates.txt                  "1\tblack", ...
    predicate-matrix-binary.txt     a row a class, 1 where a predicate is true of it
    JPEGImages/grizzly+bear/grizzly+bear_10001.jpg
    trainclasses.txt, testclasses.txt

    AwA2-base.zip and AwA2-data.zip from cvml.ista.ac.at/AwA2; 37,322 photographs
    imageless evaluate RUN awa2:Animals_with_Attributes2 --names --out scores

A class is test if testclasses.txt names it, else train; without that file all are test. Xian et al., arXiv:1707.00600.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator

from imageless import pictures
from imageless.data.lines import lines
from imageless.data.released import find, require_folder, seek
from imageless.data.splits import Splits
from imageless.errors import InputError
from imageless.pictures import FilePicture
from imageless.records import Record

HAD_FROM = "fetch AwA2-base.zip and AwA2-data.zip from cvml.ista.ac.at/AwA2"
LONGEST = 10_000  # characters of a line


def awa2(path: str, split: str | None = None, images: str | None = None) -> Iterator[Record]:
    """A record per photograph: the animal as its label, and its attributes."""
    source = f"awa2:{path}"
    require_folder(path, source)
    classes = _named(find(path, "classes.txt", HAD_FROM))
    predicates = _named(find(path, "predicates.txt", HAD_FROM))
    told = _matrix(find(path, "predicate-matrix-binary.txt", HAD_FROM), len(classes), predicates)
    folder = images or os.path.join(os.path.dirname(find(path, "classes.txt", HAD_FROM)), "JPEGImages")
    listed = seek(path, "testclasses.txt")
    held_out = set(_words(listed)) if listed else set(classes)
    splits = Splits(split, source)
    if not os.path.isdir(folder):
        raise InputError(
            f"{source}: expected a folder of photographs for each animal in {folder}, found none; {HAD_FROM}"
        )
    for name, attributes in zip(classes, told, strict=True):
        place = os.path.join(folder, name)
        if not splits.takes("test" if name in held_out else "train") or not os.path.isdir(place):
            continue
        for picture in pictures.find([place]):
            if isinstance(picture, FilePicture):
                picture = dataclasses.replace(picture, called=f"{name}/{os.path.basename(picture.path)}")
            yield Record(picture.name, (), picture, {"label": name.replace("+", " "), "attributes": attributes})
    splits.check()


def _words(path: str) -> list[str]:
    return [line.strip() for _, line in lines(path, LONGEST, "a list of animals") if line.strip()]


def _named(path: str) -> list[str]:
    """The names behind the numbers."""
    names = []
    for number, line in lines(path, LONGEST, "numbered names"):
        parts = line.split()
        if parts and (len(parts) != 2 or parts[0] != str(len(names) + 1)):
            raise InputError(
                f"{path}, line {number}: expected {len(names) + 1} and a name, got {line[:60]!r}; {HAD_FROM}"
            )
        names += parts[1:]
    return names


def _matrix(path: str, rows: int, predicates: list[str]) -> list[tuple[str, ...]]:
    """What is true of each class."""
    found = []
    for number, line in lines(path, LONGEST, "rows of 0 and 1"):
        told = line.split()
        if told and (len(told) != len(predicates) or set(told) - {"0", "1"}):
            raise InputError(
                f"{path}, line {number}: expected {len(predicates)} times 0 or 1, got {line[:60]!r}; {HAD_FROM}"
            )
        if told:
            found.append(tuple(name for name, true in zip(predicates, told, strict=True) if true == "1"))
    if len(found) != rows:
        raise InputError(f"{path}: expected {rows} rows, one for each of classes.txt, got {len(found)}; {HAD_FROM}")
    return found
