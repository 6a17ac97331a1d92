"""Karpathy's splits of COCO, Flickr8k and Flickr30k: one JSON file for sentences and splits, photos apart.

    {"filepath": "val2014", "filename": "COCO_val2014_000000391895.jpg", "cocoid": 391895, "imgid": 0, "split": "test",
     "sentids": [770337, ...], "sentences": [{"raw": "A man with a red helmet on a small moped on a dirt road. ",
     "tokens": ["a", "man", ...], "imgid": 0, "sentid": 770337}, ...]}

    curl -O https://cs.stanford.edu/people/karpathy/deepimagesent/caption_datasets.zip && unzip caption_datasets.zip
    curl -O http://images.cocodataset.org/zips/train2014.zip && unzip train2014.zip      # and val2014.zip
    imageless train captioning karpathy:dataset_coco.json ...

The captions are `raw`. Splits are those of the file: train, val, test and, for COCO, restval (30,504 photos of COCO's
validation set that many others learn from too; CLOSE keeps them apart, arXiv:2211.09778).
Photos are looked for as `filepath/filename` and as `filename`, in a folder or in tars.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

from imageless.data.album import Album
from imageless.data.lines import read_json
from imageless.data.rows import captions
from imageless.data.splits import Splits
from imageless.errors import InputError
from imageless.records import Record

log = logging.getLogger(__name__)


def karpathy(path: str, split: str | None = None, images: str | None = None) -> Iterator[Record]:
    """A record per photo."""
    splits, album = Splits(split, f"karpathy:{path}"), Album(images, beside=path)
    without = 0
    for number, entry in enumerate(_entries(path)):
        where = f"{path}, image {number}"
        if not isinstance(entry, dict) or not isinstance(entry.get("filename"), str):
            raise InputError(f"{where}: expected an object with a filename, got {str(entry)[:60]!r}; fetch it again")
        if not splits.takes(entry.get("split")):
            continue
        sentences = captions(entry.get("sentences", []), where)
        without += not sentences
        name = entry["filename"]
        names = (f"{entry['filepath']}/{name}", name) if entry.get("filepath") else (name,)
        fields = {key: value for key, value in entry.items() if key != "sentences"}
        yield Record(key=name, captions=sentences, image=album.get(*names), fields=fields)
    if without:
        log.warning("%s: %d images have no caption", path, without)
    album.report()
    splits.check()


def _entries(path: str) -> list[Any]:
    """The images; each sentence is reduced to its raw text while parsing, as tokens would be most of what is kept."""
    data = read_json(path, "Karpathy's JSON", object_hook=_lean)
    if not isinstance(data, dict) or not isinstance(data.get("images"), list) or "annotations" in data:
        got = ", ".join(data) if isinstance(data, dict) else str(data)[:60]
        raise InputError(f"{path}: expected Karpathy's JSON with `images`, got {got[:120]}; use dataset_coco.json")
    return data["images"]


def _lean(part: dict[str, Any]) -> Any:
    if isinstance(part.get("raw"), str):
        return part["raw"]
    part.pop("sentids", None)
    return part
