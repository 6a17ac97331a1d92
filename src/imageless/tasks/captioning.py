"""Captioning: a picture in, a sentence about it out.

    single      scene ("two dogs in the snow",)                    targets ("two dogs in the snow",)
    multiple    scene ("two dogs in the snow",)                    targets (the scene's other captions)
    on images   image vector                                       targets (all captions)

Settings and lengths: CLOSE, arXiv:2211.09778 section 3.2, close/experiments/train.py @ 80f8db0. The score is CIDEr-D with
BLEU and ROUGE-L beside it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Literal

from imageless.records import Example, Record
from imageless.tasks.base import Defaults, Scored, captions_scored

log = logging.getLogger(__name__)

LEARNED = ASKED = "captions"
NEEDS = "captions"
Setting = Literal["single", "multiple"]
UNPAIRED: Setting = (
    "single"  # with --unpaired: a picture drawn for a sentence is one of that sentence, not of its scene's others
)
LOOKED_AT = 1000  # records by which the setting is chosen when none is named
BATCH = {"single": 128, "multiple": 32}  # inputs; a scene's input comes with about four targets (close @ 80f8db0)


def defaults(setting: str | None) -> Defaults:
    """32 new tokens, beam 5 (close/experiments/train.py, eval.py @ 80f8db0).

    Unlike there, beams are compared by log probability per token: whoever is unsure which of several true captions to
    give says the shortest one otherwise (measured in docs/log.md).
    """
    setting = setting or "single"
    return Defaults(1, 32, beams=5, batch_size=BATCH[setting], noise=f"captioning-{setting}", length_penalty=1.0)


def choose(records: Iterable[Record], setting: str | None) -> tuple[Iterator[Record], str]:
    """The records, unread, and the setting: the one named, or multiple where scenes have several captions."""
    records = iter(records)
    if setting is None:
        first = list(islice(records, LOOKED_AT))
        several = sum(len(record.captions) > 1 for record in first)
        setting = "multiple" if several > len(first) / 2 else "single"
        records = chain(first, records)
    return records, setting


def examples(records: Iterable[Record], setting: str | None, on: str) -> Iterator[Example]:
    """What the model learns from: every caption as an input in turn, or every picture once."""
    alone = others = 0
    for record in records:
        captions = record.captions
        if on == "images":
            if captions and record.image is not None:
                yield Example(record.key, captions, "", captions, record.image)
        elif setting == "single":
            for number, caption in enumerate(captions):
                yield Example(f"{record.key}#{number}", (caption,), "", (caption,))
        elif len(captions) < 2:
            alone += 1
        else:
            others += 1
            for number, caption in enumerate(captions):
                yield Example(f"{record.key}#{number}", (caption,), "", captions[:number] + captions[number + 1 :])
    if alone and others:
        log.warning("%d scenes have a single caption and cannot be used in the multiple setting", alone)


def questions(records: Iterable[Record]) -> Iterator[Example]:
    """What is asked when a split is evaluated: every picture that has references, once."""
    for record in records:
        if record.image is not None and record.captions:
            domain = record.fields.get("domain") or ""
            yield Example(record.key, record.captions, "", record.captions, record.image, group=domain)


def score(asked: Sequence[Example], answers: Sequence[str]) -> Scored:
    """The usual scores; where pictures are of several domains also each domain's CIDEr-D, scored as a corpus of its own."""
    scored = captions_scored(asked, answers)
    domains = sorted({example.group for example in asked})
    corpus = dict(scored.corpus)
    for domain in domains if len(domains) > 1 else ():
        here = [(example, answer) for example, answer in zip(asked, answers, strict=True) if example.group == domain]
        alone = captions_scored([example for example, _ in here], [answer for _, answer in here])
        corpus[f"cider_{domain or 'other'}"] = alone.corpus["cider"]
    return Scored(corpus, scored.items)
