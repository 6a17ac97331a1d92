"""Pictures and the sentences that lie nearest to them: pairs for whoever has none.

A picture's nearest sentences differ from it much as its own captions would: on the world the mean of these differences has a
cosine of .98 with that of true pairs, their covariance one of .92 (docs/log.md).
"""

from __future__ import annotations

import numpy as np

from imageless import moments
from imageless.errors import InputError
from imageless.vectors import Scenes, VectorTable

NEAREST = 20  # sentences of a picture, where nothing else is asked for; the figures above are of as many
PICTURES = 2_000  # most that are looked at


def pairs(texts: VectorTable | Scenes, images: VectorTable, k: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """The rows of up to PICTURES pictures and of the k sentences nearest to each: (pictures * k,) text and image rows."""
    if k > len(texts):
        raise InputError(f"--nearest: expected at most the {len(texts)} sentences there are, got {k}")
    chosen = np.sort(np.random.default_rng(seed).permutation(len(images))[:PICTURES])
    found = nearest(moments.unit(images.raw(chosen), str(images.folder)), texts, k)
    return found.ravel(), np.repeat(chosen, k)


def nearest(asked: np.ndarray, table: VectorTable | Scenes, k: int) -> np.ndarray:
    """The k rows of the table with the largest cosine to each unit vector of `asked`, (asked, k), nearest first.

    Exact, and piece by piece: of the table no more than a piece is in memory.
    """
    rows, cosines = np.zeros((len(asked), 0), np.int64), np.zeros((len(asked), 0), np.float32)
    for number, piece in enumerate(moments.pieces(table, np.arange(len(table)))):
        here = number * moments.PIECE + np.arange(len(piece))
        rows = np.hstack([rows, np.broadcast_to(here, (len(asked), len(piece)))])
        cosines = np.hstack([cosines, asked @ piece.T])
        if cosines.shape[1] > k:
            kept = np.argpartition(-cosines, k - 1, axis=1)[:, :k]
            rows, cosines = np.take_along_axis(rows, kept, 1), np.take_along_axis(cosines, kept, 1)
    order = np.argsort(-cosines, axis=1, kind="stable")
    return np.take_along_axis(rows, order, 1)
