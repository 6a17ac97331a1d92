"""Pictures without a word: a folder (all the way down), a glob, a tar.

    images:photos            ->  Record(key="holiday/0001.jpg", image=photos/holiday/0001.jpg)

Anything that writes picture files makes one. All of it is train, like everything that knows no splits.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator

from imageless import pictures
from imageless.data.splits import canonical
from imageless.errors import InputError
from imageless.pictures import FilePicture
from imageless.records import Record


def images(path: str, split: str | None = None) -> Iterator[Record]:
    """A record per picture, called by its name below the folder."""
    if split is not None and canonical(split) != "train":
        raise InputError(
            f"images:{path}: expected --split train, as a folder of pictures has no splits, got {split!r}; "
            f"name the folder of those pictures"
        )
    for picture in pictures.find([path]):
        if isinstance(picture, FilePicture) and os.path.isdir(path):
            picture = dataclasses.replace(picture, called=os.path.relpath(picture.path, path))
        yield Record(key=picture.name, image=picture)
