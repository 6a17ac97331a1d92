"""SNLI-VE: SNLI's hypotheses put to the photograph that the premise was written for.

    {"annotator_labels": ["contradiction", ...], "captionID": "3416050480.jpg#4", "gold_label": "contradiction",
     "Flickr30K_ID": "3416050480", "pairID": "3416050480.jpg#4r1c", "sentence1": "...", "sentence2": "..."}

    snli_ve_train.jsonl, snli_ve_dev.jsonl, snli_ve_test.jsonl by the links of github.com/necla-ml/SNLI-VE (its script
    makes them of SNLI, too); the photographs are Flickr30k's, on request from their keepers
    imageless train entailment snlive:SNLI_VE ...        imageless evaluate RUN snlive:SNLI_VE --images flickr30k_images

The premise (a caption of the photograph) is the record's caption, so that a model learns from text what it is then asked
of pictures: the setting of CLOSE (close/data/visual_entailment.py @ c211b9a). Splits are files and share no photograph:
529,527 / 17,858 / 17,901 pairs (README @ 054c294). Xie et al., arXiv:1901.06706.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator

from imageless.data.album import Album
from imageless.data.released import Tally, split_files, text_of
from imageless.data.snli import labelled_pairs, pair_record
from imageless.records import Record

NAMES = {"train": "snli_ve_train.jsonl", "val": "snli_ve_dev.jsonl", "test": "snli_ve_test.jsonl"}
HAD_FROM = "fetch it by the links of github.com/necla-ml/SNLI-VE"


def snlive(path: str, split: str | None = None, images: str | None = None) -> Iterator[Record]:
    """A record per pair that has a label, with its photograph."""
    tally = Tally(f"snlive:{path}")
    files = split_files(path, split, NAMES, f"snlive:{path}", HAD_FROM)
    album = Album(images, beside=files[0][1])
    picture = functools.cache(album.get)  # a photograph has about 18 pairs, and is counted once
    for _, file in files:
        for pair, where in labelled_pairs(file, tally):
            yield pair_record(pair, where, picture(f"{text_of(pair, 'Flickr30K_ID', where)}.jpg"))
    tally.report()
    album.report()
