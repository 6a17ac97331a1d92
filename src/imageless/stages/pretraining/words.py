"""Noisy pairs from the web, chosen by the words of their captions.

CLIP was trained on pairs whose text holds one of 500,000 queries, all words that stand in Wikipedia at least 100 times among
them, with at most 20,000 pairs a query (arXiv:2103.00020 section 2.2). Here the words are those of the captions themselves.
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from imageless import draws
from imageless.errors import InputError
from imageless.records import Record

log = logging.getLogger(__name__)
WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")


def chosen(records: Sequence[Record], least: int, most: int | None, seed: int) -> list[Record]:
    """The records with those of their captions that hold a word said `least` times, and not `most` times already.

    A caption takes a place of each of its words, in an order drawn by the seed, and is kept while any of them has one left.
    """
    said = [[frozenset(WORD.findall(caption.lower())) for caption in record.captions] for record in records]
    counts = Counter(word for captions in said for words in captions for word in words)
    taken: Counter[str] = Counter()
    kept: dict[int, list[int]] = {}
    places = [(row, number) for row, captions in enumerate(said) for number in range(len(captions))]
    for turn in np.random.default_rng(draws.key(seed, "words chosen")).permutation(len(places)):
        row, number = places[turn]
        known = [word for word in said[row][number] if counts[word] >= least]
        if known and (most is None or any(taken[word] < most for word in known)):
            taken.update(known)
            kept.setdefault(row, []).append(number)
    total = len(places)
    left = sum(map(len, kept.values()))
    if len(kept) < 2:
        raise InputError(
            f"--word-least, --word-most: expected captions that are kept, {left} of {total} are; be less strict"
        )
    log.info("%d of %d captions are kept by their words, %d of %d pictures", left, total, len(kept), len(records))
    return [
        replace(records[row], captions=tuple(records[row].captions[number] for number in sorted(numbers)))
        for row, numbers in sorted(kept.items())
    ]
