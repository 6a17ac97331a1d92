"""Captions and their pictures as the analyses read them: pairs by picture, piece by piece, and a sample."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from imageless import draws, moments
from imageless.errors import InputError
from imageless.moments import Pairs
from imageless.vectors import VectorTable

SAMPLE = 2000  # pictures whose neighbours and single cosines are looked at


@dataclass(frozen=True)
class Both:
    """Captions and their pictures, those of one picture side by side."""

    texts: VectorTable
    images: VectorTable
    text_rows: np.ndarray
    image_rows: np.ndarray
    pictures: np.ndarray
    """Number of the picture of each pair: 0, 0, 0, 1, 1, ..."""
    pairs: Pairs
    sample: np.ndarray
    """Up to SAMPLE pairs of different pictures, in an order drawn by the seed."""
    seed: int

    @classmethod
    def of(
        cls, texts: VectorTable, images: VectorTable, text_rows: np.ndarray, image_rows: np.ndarray, seed: int = 0
    ) -> Both:
        """The pairs (text_rows[i], image_rows[i])."""
        order = np.argsort(image_rows, kind="stable")
        text_rows, image_rows = text_rows[order], image_rows[order]
        _, first, pictures, counts = np.unique(image_rows, return_index=True, return_inverse=True, return_counts=True)
        if len(first) < 4:
            raise InputError(f"expected pairs of captions and at least 4 pictures, got {len(first)} pictures; add some")
        draw = np.random.default_rng(draws.key(seed, "gap", "sample"))
        chosen = draw.permutation(len(first))[:SAMPLE]
        sample = first[chosen] + draw.integers(0, counts[chosen])
        pairs = moments.pairs(texts, images, text_rows, image_rows)
        return cls(texts, images, text_rows, image_rows, pictures, pairs, sample, seed)

    def pieces(self, chosen: np.ndarray | slice = slice(None)) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Unit vectors of these pairs, some thousand at a time."""
        return zip(
            moments.pieces(self.texts, self.text_rows[chosen]),
            moments.pieces(self.images, self.image_rows[chosen]),
            strict=True,
        )

    def sampled(self, most: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Unit vectors of the sample, or of its first `most` pairs."""
        chosen = self.sample[:most]
        return (
            moments.unit(self.texts.raw(self.text_rows[chosen]), str(self.texts.folder)),
            moments.unit(self.images.raw(self.image_rows[chosen]), str(self.images.folder)),
        )
