"""Pictures in a folder for each class, as torchvision and the Hub lay them out.

    pets/cat/0001.jpg                imagefolder:pets        ->  Record(key="cat/0001.jpg", fields={"label": "cat"})
    pets/test/cat/0001.jpg           imagefolder:pets        the same, where the first folders are named as splits are

A folder's name is its class, with spaces for underscores: it goes into sentences.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator

from imageless import pictures
from imageless.data.splits import Splits, canonical
from imageless.errors import InputError
from imageless.pictures import FilePicture
from imageless.records import Record

NAMES = ("train", "val", "test")


def imagefolder(path: str, split: str | None = None) -> Iterator[Record]:
    """A record per picture, with the label its folder names."""
    top = _folders(path)
    divided = bool(top) and all(canonical(name) in NAMES for name in top)
    splits = Splits(split, f"imagefolder:{path}")
    for part in top if divided else [""]:
        if not splits.takes(part or None):
            continue
        classes = _folders(os.path.join(path, part))
        if not classes:
            raise InputError(
                f"imagefolder:{path}: expected a folder of pictures for each class in {os.path.join(path, part)}, found none"
            )
        for name in classes:
            where = os.path.join(path, part, name)
            for picture in pictures.find([where]):
                if isinstance(picture, FilePicture):
                    picture = dataclasses.replace(picture, called=os.path.relpath(picture.path, path))
                yield Record(picture.name, (), picture, {"label": name.replace("_", " ")})
    splits.check()


def _folders(path: str) -> list[str]:
    """The folders in a folder, in order."""
    try:
        return sorted(entry.name for entry in os.scandir(path) if entry.is_dir() and not entry.name.startswith("."))
    except OSError as error:
        raise InputError(f"imagefolder:{path}: expected a folder, could not read it: {error.strerror}") from None
