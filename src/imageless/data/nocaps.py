"""NoCaps: photographs of things that captions of COCO never name, in three domains.

    {"images": [{"id": 0, "file_name": "0013ea2087020901.jpg", "domain": "near-domain", "open_images_id": "0013ea2087020901", ...}],
     "annotations": [{"image_id": 0, "id": 0, "caption": "..."}, ...]}

    nocaps_val_4500_captions.json from nocaps.org/download; its photographs are Open Images' validation set
    imageless evaluate RUN nocaps:nocaps_val_4500_captions.json --images val --split val --out scores

4,500 photographs with ten captions each: 648 in-domain, 2,938 near-domain, 914 out-domain. The captions of the test set are
kept back, and so are its domains. Agrawal et al., ICCV 2019, arXiv:1812.08658.
"""

from __future__ import annotations

from collections.abc import Iterator

from imageless.data.album import Album
from imageless.data.lines import read_json
from imageless.data.released import number_of, objects, split_files, text_of
from imageless.records import Record

NAMES = {"val": "nocaps_val_4500_captions.json", "test": "nocaps_test_image_info.json"}
HAD_FROM = "fetch it from nocaps.org/download"


def nocaps(path: str, split: str | None = None, images: str | None = None) -> Iterator[Record]:
    """A record per photograph, with its domain where that is told."""
    for _, file in split_files(path, split, NAMES, f"nocaps:{path}", HAD_FROM):
        album = Album(images, beside=file)
        told = read_json(file, "NoCaps' JSON")
        told = told if isinstance(told, dict) else {}
        said: dict[int, list[str]] = {}
        for number, entry in enumerate(objects(told.get("annotations", []), file, "NoCaps' annotations")):
            where = f"{file}, annotation {number}"
            said.setdefault(number_of(entry, "image_id", where), []).append(text_of(entry, "caption", where))
        for number, entry in enumerate(objects(told.get("images"), file, "NoCaps' images")):
            where = f"{file}, image {number}"
            name = text_of(entry, "file_name", where)
            captions = tuple(said.get(number_of(entry, "id", where), ()))
            yield Record(name, captions, album.get(name), {"domain": entry.get("domain")})
        album.report()
