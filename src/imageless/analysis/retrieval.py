"""How well pictures find their captions and captions their pictures: `imageless retrieve`.

Recall at k is the share of queries with one of their own among the k nearest, as CLIP (arXiv:2103.00020) and its like report it
on COCO and Flickr30k: a picture has found its captions when it has found any of them. Search is exact, by matrix products over
pieces of the queries; ties count for the query.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from imageless import encoders, limits, moments
from imageless.errors import InputError
from imageless.options import RetrieveOptions
from imageless.screen import progress
from imageless.stages import embed
from imageless.vectors import VectorTable

AT = (1, 5, 10)
AT_ONCE = 1 << 26  # cosines in memory


@dataclass(frozen=True)
class Retrieved:
    """Recall in both directions."""

    seconds: float
    n: int
    """Pictures."""
    captions: int
    scores: dict[str, float]


def retrieve(sources: Sequence[str], encoder: str, options: RetrieveOptions) -> Retrieved:
    """Let all captions and pictures of the joined data find each other."""
    began = time.monotonic()
    limits.check(options)
    model = encoders.load(encoder, options.device, options.dtype)
    found = measure(*embed.pairs(sources, model, options))
    return Retrieved(time.monotonic() - began, **found)


def measure(texts: VectorTable, images: VectorTable, text_rows: np.ndarray, image_rows: np.ndarray) -> dict[str, Any]:
    """Recall over the pairs (text_rows[i], image_rows[i]); a caption or a picture that stands in several counts once."""
    said, caption_of = np.unique(text_rows, return_inverse=True)
    shown, picture_of = np.unique(image_rows, return_inverse=True)
    if len(shown) < 2:
        raise InputError(f"expected captions of at least 2 pictures, got {len(shown)}; add some")
    captions = moments.unit(texts.raw(said), str(texts.folder))
    pictures = moments.unit(images.raw(shown), str(images.folder))
    to_text = ranks(pictures, captions, picture_of, caption_of)
    to_image = ranks(captions, pictures, caption_of, picture_of)
    scores = {f"image_to_text_r{k}": share for k, share in recall(to_text).items()}
    scores |= {f"text_to_image_r{k}": share for k, share in recall(to_image).items()}
    return {"n": len(shown), "captions": len(said), "scores": scores}


def ranks(queries: np.ndarray, keys: np.ndarray, query_of: np.ndarray, key_of: np.ndarray) -> np.ndarray:
    """How many keys lie nearer to each query than the nearest of its own, (queries,); pair i is (query_of[i], key_of[i])."""
    order = np.argsort(query_of, kind="stable")
    owners, own = query_of[order], key_of[order]
    starts = np.searchsorted(owners, np.arange(len(queries) + 1))
    found = np.empty(len(queries), dtype=np.int64)
    piece = max(1, AT_ONCE // len(keys))
    with progress("searching", len(queries)) as bar:
        for first in range(0, len(queries), piece):
            cosines = queries[first : first + piece] @ keys.T
            last = first + len(cosines)
            mine = slice(starts[first], starts[last])
            best = np.full(len(cosines), -np.inf, dtype=cosines.dtype)
            np.maximum.at(best, owners[mine] - first, cosines[owners[mine] - first, own[mine]])
            found[first:last] = (cosines > best[:, None]).sum(1)
            bar.advance(len(cosines))
    return found


def recall(ranks: np.ndarray) -> Mapping[int, float]:
    """Share of queries with one of their own among the k nearest."""
    return {k: float((ranks < k).mean()) for k in AT}
