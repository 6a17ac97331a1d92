"""Means and second moments of unit vectors, gathered piece by piece: a million rows need no more memory than a thousand.

Sums are kept in float64; the products of a piece are taken in float32. A piece is PIECE rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from imageless.errors import InputError
from imageless.vectors import Scenes, VectorTable

PIECE = 8192


@dataclass(frozen=True)
class Side:
    """What one side's unit vectors are like, each dimension for itself: (dim,) each."""

    count: int
    mean: np.ndarray
    spread: np.ndarray
    """Standard deviation."""


@dataclass(frozen=True)
class Pairs:
    """What pairs of unit vectors are like: (dim,) means and (dim, dim) mean products."""

    count: int
    text_mean: np.ndarray
    image_mean: np.ndarray
    text_text: np.ndarray
    text_image: np.ndarray
    difference_covariance: np.ndarray
    """Of image - text, around its mean."""

    @property
    def difference(self) -> np.ndarray:
        """Mean of image - text."""
        return self.image_mean - self.text_mean

    @property
    def covariances(self) -> tuple[np.ndarray, np.ndarray]:
        """Of the sentences and of the pictures, both (dim, dim)."""
        apart = self.difference_covariance * (self.count - 1) / self.count
        apart = apart + np.outer(self.difference, self.difference)  # mean of (image - text) (image - text)^T
        image_image = apart - self.text_text + self.text_image + self.text_image.T
        text = self.text_text - np.outer(self.text_mean, self.text_mean)
        return text, image_image - np.outer(self.image_mean, self.image_mean)


def pieces(table: VectorTable | Scenes, rows: np.ndarray) -> Iterator[np.ndarray]:
    """Unit vectors of these rows, PIECE at a time, (piece, dim) float32; refuses a vector without a length."""
    for start in range(0, len(rows), PIECE):
        yield unit(table.raw(rows[start : start + PIECE]), str(table.folder))


def unit(raw: np.ndarray, where: str) -> np.ndarray:
    """Rows of unit length."""
    lengths = np.linalg.norm(raw, axis=1, keepdims=True)
    wrong = int((~(np.isfinite(lengths) & (lengths > 0))).sum())
    if wrong:
        raise InputError(
            f"expected vectors with a length in {where}, got {wrong} that are nought or no numbers; embed them again"
        )
    return raw / lengths


def side(table: VectorTable, rows: np.ndarray) -> Side:
    """Mean and spread of some rows."""
    if not len(rows):
        raise InputError(f"expected vectors in {table.folder}, got none; embed some")
    total, squares = np.zeros(table.dim), np.zeros(table.dim)
    for piece in pieces(table, rows):
        total += piece.sum(0, dtype=np.float64)
        squares += np.square(piece, dtype=np.float64).sum(0)
    mean = total / len(rows)
    return Side(len(rows), mean, np.sqrt(np.maximum(squares / len(rows) - mean**2, 0.0)))


def pairs(texts: VectorTable | Scenes, images: VectorTable, text_rows: np.ndarray, image_rows: np.ndarray) -> Pairs:
    """Moments of the pairs (text_rows[i], image_rows[i])."""
    count, dim = len(text_rows), texts.dim
    if count < 2:
        raise InputError(f"expected at least 2 pairs of a caption and its picture, got {count}; add some")
    text_sum, image_sum = np.zeros(dim), np.zeros(dim)
    text_text, text_image, differences = np.zeros((dim, dim)), np.zeros((dim, dim)), np.zeros((dim, dim))
    for text, image in zip(pieces(texts, text_rows), pieces(images, image_rows), strict=True):
        apart = image - text
        text_sum += text.sum(0, dtype=np.float64)
        image_sum += image.sum(0, dtype=np.float64)
        text_text += text.T @ text
        text_image += text.T @ image
        differences += apart.T @ apart
    text_mean, image_mean = text_sum / count, image_sum / count
    shift = image_mean - text_mean
    covariance = (differences / count - np.outer(shift, shift)) * (count / (count - 1))
    return Pairs(count, text_mean, image_mean, text_text / count, text_image / count, covariance)
