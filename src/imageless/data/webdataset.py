r"""Tar shards: the files of a sample lie side by side and share a name up to the first dot.

    2513260012_03d33305cf.jpg
    2513260012_03d33305cf.json   {"filename": "2513260012_03d33305cf.jpg", "imgid": 0, "split": "train", "captions":
                                  ["A black dog is running after a white dog in the snow .", ...]}

The layout of the webdataset library and of img2dataset, which makes shards from a list of addresses:

    img2dataset --url_list cc3m.tsv --input_format tsv --url_col url --caption_col caption \
        --output_format webdataset --output_folder cc3m
    imageless embed "webdataset:cc3m/{00000..00331}.tar" ...

Captions come from .json (`captions`, `caption`, `text`), .txt or .caption; other keys of the .json are fields. Shards
are read one after the other, headers and texts only; a picture stays where it lies. A shard's split stands in its name
(`...-val-000.tar`), else in the .json; what names none is train.
"""

from __future__ import annotations

import itertools
import logging
import os
from collections.abc import Iterator
from typing import Any

from imageless import pictures
from imageless.data import patterns
from imageless.data.lines import parse_json
from imageless.data.rows import captions, usual_roles
from imageless.data.splits import Splits, named_in
from imageless.errors import InputError
from imageless.pictures import Member, TarPicture
from imageless.records import Record

log = logging.getLogger(__name__)
TEXTS = ("txt", "caption", "text")
LONGEST = 10_000_000  # bytes of a sample's text or JSON


def webdataset(path: str, split: str | None = None) -> Iterator[Record]:
    """A record per sample that has a picture or a caption."""
    splits = Splits(split, f"webdataset:{path}")
    empty = 0
    for tar in patterns.expand(path, "webdataset tars"):
        shard_split = named_in(tar)
        if shard_split is not None and not splits.takes(shard_split):
            continue
        for key, members in itertools.groupby(pictures.tar_members(tar), key=lambda member: _parts(member.name)[0]):
            record = _record(tar, key, list(members))
            if record is None:
                empty += 1
            elif shard_split is not None or splits.takes(record.fields.get("split")):
                yield record
    if empty:
        log.warning("%s: %d samples with neither a picture nor a caption were skipped", path, empty)
    splits.check()


def _parts(name: str) -> tuple[str, str]:
    """What a sample is called and which of its files this is: a/b.seg.png is (a/b, seg.png)."""
    folder, file_name = os.path.split(name)
    stem, _, extension = file_name.partition(".")
    return os.path.join(folder, stem), extension.lower()


def _record(tar: str, key: str, members: list[Member]) -> Record | None:
    image, sentences, fields = None, (), {}
    for member in members:
        extension = _parts(member.name)[1]
        where = f"{tar}, {member.name}"
        if f".{extension}" in pictures.SUFFIXES and image is None:
            image = TarPicture(tar, *member)
        elif extension == "json":
            fields = _object(_text(tar, member, where), where)
            column = usual_roles(tuple(fields)).get("caption")
            sentences = captions(fields.pop(column), where) if column else sentences
        elif extension in TEXTS and not sentences:
            sentences = captions(_text(tar, member, where), where)
    return Record(key, sentences, image, fields) if image is not None or sentences else None


def _text(tar: str, member: Member, where: str) -> str:
    if member.size > LONGEST:
        raise InputError(f"{where}: expected a text, got {member.size:,} bytes, of at most {LONGEST:,}; shorten it")
    try:
        return pictures.read_at(tar, member.offset, member.size).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{where}: expected UTF-8, got {error.reason} at byte {error.start}; convert it") from None


def _object(text: str, where: str) -> dict[str, Any]:
    value = parse_json(text, where)
    if not isinstance(value, dict):
        raise InputError(f"{where}: expected a JSON object, got {text[:60]!r}; make the shard again")
    return value
