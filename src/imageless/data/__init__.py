"""Readers: one per source, each a generator of records.

    for record in data.read("karpathy:dataset_coco.json", split="test", images="coco"): ...

A reader turns `READER:PATH?NAME=VALUE&...` into records, in the order of its file, one at a time. It opens no picture.
"""

from __future__ import annotations

import dataclasses
import difflib
import importlib
import inspect
import itertools
import os
import re
from collections.abc import Callable, Iterator
from typing import Any

from imageless import shifts
from imageless.errors import InputError
from imageless.options import with_options
from imageless.pictures import is_picture_name
from imageless.records import Record

READERS = {
    "world": "imageless.data.world",
    "text": "imageless.data.text",
    "jsonl": "imageless.data.jsonl",
    "csv": "imageless.data.csv",
    "karpathy": "imageless.data.karpathy",
    "images": "imageless.data.images",
    "imagefolder": "imageless.data.imagefolder",
    "webdataset": "imageless.data.webdataset",
    "hf": "imageless.data.hf",
    "snli": "imageless.data.snli",
    "snlive": "imageless.data.snlive",
    "vqa2": "imageless.data.vqa2",
    "vqae": "imageless.data.vqae",
    "visualnews": "imageless.data.visualnews",
    "nocaps": "imageless.data.nocaps",
    "cc3m": "imageless.data.cc3m",
    "awa2": "imageless.data.awa2",
    "reviews": "imageless.data.reviews",
    "book": "imageless.data.book",
}
"""Each module holds a function of the reader's own name."""

BY_SUFFIX = {
    ".txt": "text",
    ".jsonl": "jsonl",
    ".csv": "csv",
    ".tsv": "csv",
    ".json": "karpathy",
    ".tar": "webdataset",
    ".parquet": "hf",
    ".gz": "reviews",
}


def read(
    spec: str,
    split: str | None = None,
    images: str | None = None,
    limit: int | None = None,
    kind: str | None = None,
) -> Iterator[Record]:
    """The records of one DATA, all of them or those of a split.

    `images` says where the pictures lie; readers whose pictures come with the data have no use for it. A DATA may carry
    its own, which then win: `karpathy:dataset_coco.json?split=restval&images=coco`. `kind` is what a source that has
    several things to tell is asked for: captions, vqa, entailment, news, style, classes.
    The first record is read before this returns, so that a mistake shows before any work is done.
    """
    if limit is not None and limit < 1:
        raise InputError(f"--limit: expected at least 1 record, got {limit}; leave it out to read everything")
    name, path, options = parse(spec)
    part, style = _part(options.pop("part", "1/1")), options.pop("style", None)
    side, seen = _side(options.pop("only", None)), _seen(options.pop("shift", None))
    reader = _reader(name)
    records = reader(path, **_arguments(name, reader, {"split": split, "images": images, "kind": kind}, options))
    first = next(records, None)
    if first is None:
        raise InputError(f"{spec}: expected at least one record, got none{f' of split {split!r}' if split else ''}")
    joined = itertools.chain([first], records)
    taken = (seen(side(_in_style(record, style))) for number, record in enumerate(joined) if part(number))
    return itertools.islice(taken, limit)


def parse(spec: str) -> tuple[str, str, dict[str, str]]:
    """Reader, path and options of a DATA word."""
    name, _, path = spec.partition(":")
    if name not in READERS:
        raise InputError(_unknown(spec, name))
    if not path and name != "world":
        raise InputError(f"{spec}: expected {name}:PATH, got no path; say where the data lies")
    return name, *with_options(os.path.expanduser(path))


def _part(text: str) -> Callable[[int], bool]:
    """Which record numbers belong to a part such as 1/2 or 2-3/3."""
    match = re.fullmatch(r"(\d+)(?:-(\d+))?/(\d+)", text)
    first, last, of = (int(match[1]), int(match[2] or match[1]), int(match[3])) if match else (0, 0, 0)
    if not 1 <= first <= last <= of:
        raise InputError(f"expected ?part=1/2 or ?part=2-3/3, got {text!r}; parts count from 1")
    return lambda number: first <= number % of + 1 <= last


def _side(only: str | None) -> Callable[[Record], Record]:
    """What is left of a record whose data are asked for their text only, or for their pictures only."""
    if only not in (None, "text", "image"):
        raise InputError(f"expected ?only=text or ?only=image, got {only!r}; leave it out for both")
    bare: dict[str, Any] = {"text": {"image": None}, "image": {"captions": ()}}.get(only or "", {})
    return lambda record: dataclasses.replace(record, **bare) if bare else record


def _seen(told: str | None) -> Callable[[Record], Record]:
    """The record with its picture changed, where the data are asked for worse pictures."""
    if told is None:
        return lambda record: record
    kind, strength = shifts.parse(told)

    def changed(record: Record) -> Record:
        if record.image is None:
            return record
        return dataclasses.replace(record, image=shifts.ShiftedPicture(record.image, kind, strength))

    return changed


def _in_style(record: Record, style: str | None) -> Record:
    """The record as one of a voice, so that several voices can be joined; whatever its own field said."""
    return record if style is None else dataclasses.replace(record, fields={**record.fields, "style": style})


def _unknown(spec: str, name: str) -> str:
    """The one line for a word that begins with no reader."""
    if os.path.exists(spec):
        return f"{spec}: expected READER:PATH, got a bare path; did you mean {_guess(spec)}:{spec}?"
    close = difflib.get_close_matches(name, READERS, n=1)
    hint = f"did you mean {close[0]}?" if close else f"there are: {', '.join(READERS)}"
    return f"{spec}: expected READER:PATH, got no reader called {name!r}; {hint}"


def _guess(path: str) -> str:
    """The reader for an existing path, by its suffix or, for a folder, by what lies in it."""
    if not os.path.isdir(path):
        return "images" if is_picture_name(path) else BY_SUFFIX.get(os.path.splitext(path)[1].lower(), "text")
    suffixes = {os.path.splitext(name)[1].lower() for name in os.listdir(path)}
    return "webdataset" if ".tar" in suffixes else "hf" if ".parquet" in suffixes else "images"


def _reader(name: str) -> Callable[..., Iterator[Record]]:
    return getattr(importlib.import_module(READERS[name]), name)


def _arguments(
    name: str, reader: Callable[..., Iterator[Record]], common: dict[str, str | None], options: dict[str, str]
) -> dict[str, str | None]:
    """What the reader takes of the common arguments, and all of the options or a refusal."""
    parameters = inspect.signature(reader).parameters
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    known = [parameter for parameter in parameters if parameter not in ("path", "columns")]
    unknown = [option for option in options if option not in known]
    if unknown and not takes_any:
        raise InputError(f"{name}: expected options among {', '.join(known)}, got {unknown[0]!r}; leave it out")
    return {key: value for key, value in common.items() if key in known} | options
