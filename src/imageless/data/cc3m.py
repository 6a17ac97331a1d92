r"""Conceptual Captions: a caption and an address a line; the photographs are wherever a downloader put them.

    a very typical bus station\thttp://lh6.ggpht.com/-IvRtNLNcG8o/...

    Train_GCC-training.tsv and Validation_GCC-1.1.0-Validation.tsv from ai.google.com/research/ConceptualCaptions/download
    imageless train captioning cc3m:Train_GCC-training.tsv --images training --model limber ...

Photographs are looked for by the names that downloaders give them: ROW_CRC32 (vilbert_beta) and CRC32 of the address (volta),
KEY of img2dataset's files (00000/000000012), each with and without .jpg. What img2dataset packs into tars is read by
webdataset: instead. Many addresses are dead by now: a line without a photograph keeps its caption and is counted.
Sharma et al., ACL 2018.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from imageless.data.album import Album
from imageless.data.lines import lines
from imageless.data.released import split_files
from imageless.errors import InputError
from imageless.records import Record

NAMES = {"train": "Train_GCC-training.tsv", "val": "Validation_GCC-1.1.0-Validation.tsv"}
HAD_FROM = "fetch it from ai.google.com/research/ConceptualCaptions/download"
LONGEST = 1_000_000  # characters of a line
SHARD = 10_000  # rows of one of img2dataset's folders, unless it was told otherwise


def cc3m(path: str, split: str | None = None, images: str | None = None) -> Iterator[Record]:
    """A record per line, with its photograph where that is found."""
    for _, file in split_files(path, split, NAMES, f"cc3m:{path}", HAD_FROM):
        album, row = Album(images, beside=file), 0
        for number, line in lines(file, LONGEST, "a caption and an address"):
            if not line.strip() or (number == 1 and line.split("\t")[:2] == ["caption", "url"]):
                continue
            caption, tab, address = line.partition("\t")
            if not tab or not caption.strip() or not address.strip():
                raise InputError(
                    f"{file}, line {number}: expected a caption, a tab and an address, got {line[:80]!r}; {HAD_FROM}"
                )
            names = _names(row, address.strip())
            yield Record(names[0], (caption.strip(),), album.get(*names), {"url": address.strip()})
            row += 1
        album.report()


def _names(row: int, address: str) -> tuple[str, ...]:
    """What a photograph may be called, the most telling name first."""
    sum_of = zlib.crc32(address.encode("utf-8"))
    known = (f"{row}_{sum_of}", f"{row // SHARD:05d}/{row:09d}", str(sum_of))
    return tuple(name + ending for name in known for ending in ("", ".jpg"))
