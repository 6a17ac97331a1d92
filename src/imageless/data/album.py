"""Pictures by the names a file gives them: in a folder, or in the tars of a folder.

Looking one up opens nothing: a file is a question to the file system, a tar is indexed once by its headers. A name that
leads out of the folder (`../../secret.png`, `/etc/...`) is refused.
"""

from __future__ import annotations

import glob
import logging
import os

from imageless import pictures
from imageless.data import patterns
from imageless.errors import InputError
from imageless.pictures import FilePicture, TarPicture

log = logging.getLogger(__name__)
PATIENCE = 200  # names looked for in vain before a folder given with --images is called the wrong one


class Album:
    """Pictures in `images`, a folder or tars; when None, beside the file that names them and in `images/` there."""

    def __init__(self, images: str | None, beside: str):
        self._given = images
        home = os.path.dirname(beside) or "."
        if images is None:
            self.folders = [home, os.path.join(home, "images")]
            self._tars = sorted(glob.glob(os.path.join(glob.escape(home), "*.tar")))
        elif os.path.isdir(images):
            self.folders = [images]
            self._tars = sorted(glob.glob(os.path.join(glob.escape(images), "*.tar")))
        else:
            self.folders = []
            self._tars = patterns.expand(images, "a folder or tars with pictures")
        self._index: dict[str, TarPicture | None] | None = None
        self.found = self.missing = 0
        self._first_missing = ""

    def get(self, *names: str) -> FilePicture | TarPicture | None:
        """The picture known by the first of these names that is there."""
        for name in names:
            picture = self._in_folders(name) or self._in_tars(name)
            if picture is not None:
                self.found += 1
                return picture
        self.missing += 1
        self._first_missing = self._first_missing or names[0]
        if self.missing == PATIENCE:
            self._check_given()
        return None

    def report(self) -> None:
        """To be called at the end: says once how many pictures were missed."""
        self._check_given()
        if self.missing:
            # Captions without any picture are how this project learns; only a part of them missing is odd.
            level = logging.WARNING if self.found else logging.DEBUG
            total = self.found + self.missing
            log.log(level, "%s of %s pictures not found (first: %r)", self.missing, total, self._first_missing)

    def _check_given(self) -> None:
        if self._given is not None and self.missing and not self.found:
            raise InputError(
                f"--images {self._given}: expected the pictures the data names, got none of {self.missing} "
                f"(first: {self._first_missing!r}); name the folder that holds it"
            )

    def _in_folders(self, name: str) -> FilePicture | None:
        for folder in self.folders:
            path = os.path.normpath(os.path.join(folder, name))
            _require_inside(folder, path, name)
            if os.path.isfile(path):
                return FilePicture(path, called=name)
        return None

    def _in_tars(self, name: str) -> TarPicture | None:
        if self._index is None:
            self._index = _index(self._tars)
        return self._index.get(name)


def _require_inside(folder: str, path: str, name: str) -> None:
    """By the text of the names alone: links inside the folder are the user's own and may lead anywhere."""
    root = os.path.abspath(folder)
    if os.path.commonpath([root, os.path.abspath(path)]) != root:
        raise InputError(
            f"picture {name!r}: expected one inside {folder}, got one that leaves it; give its folder by --images"
        )


def _index(tars: list[str]) -> dict[str, TarPicture | None]:
    """Every picture by its name in the tar, and by its file name where only one picture has it."""
    by_name: dict[str, TarPicture | None] = {}
    by_file_name: dict[str, TarPicture | None] = {}
    for tar in tars:
        for picture in pictures.tar_pictures(tar):
            by_name[picture.name] = picture
            file_name = os.path.basename(picture.name)
            by_file_name[file_name] = None if file_name in by_file_name else picture
    return by_file_name | by_name
