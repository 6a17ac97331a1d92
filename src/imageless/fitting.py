"""Fit bridges over the gap to pairs of sentences and pictures.

    mean          the difference of the two means
    linear        W that makes |text W - image|^2 least, with `ridge` on the diagonal
    covariance    mean and covariance of (image - text); where pictures are fewer than dimensions the covariance is shrunk
    gaussian      W and m that make |text W + m - image|^2 least, and the covariance of what is left, shrunk where needed
    standardize   each side's mean, and with `stretch` how much wider sentences spread; needs no pairs

CLOSE, arXiv:2211.09778 section 4.2, which fits linear and covariance on COCO or CC3M; there is no code for fitting in
the release. Shrinkage: Chen et al., Shrinkage Algorithms for MMSE Covariance Estimation (OAS), 2010.
"""

from __future__ import annotations

import logging
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from imageless import moments
from imageless.moments import Pairs
from imageless.vectors import VectorTable

log = logging.getLogger(__name__)


def fit(
    kind: Literal["mean", "linear", "covariance", "gaussian"], pairs: Pairs, ridge: float = 0.0
) -> dict[str, Tensor]:
    """What an adapter of this kind holds (adapters.py), fitted to pairs."""
    if kind == "linear":
        return {"matrix": torch.from_numpy(_linear(pairs, ridge))}
    if kind == "gaussian":
        return _gaussian(pairs, ridge)
    difference = torch.from_numpy(pairs.difference)
    if kind == "mean":
        return {"difference": difference}
    return {"mean": difference, "factor": torch.from_numpy(_factor(pairs.difference_covariance, pairs.count))}


def _linear(pairs: Pairs, ridge: float) -> np.ndarray:
    dim = len(pairs.text_mean)
    if pairs.count < dim and not ridge:
        log.warning(
            "%d pairs for a map of %d dimensions: the shortest of many that fit is taken; try --ridge", pairs.count, dim
        )
    squares = pairs.text_text + ridge * np.eye(dim)
    return np.linalg.lstsq(squares, pairs.text_image, rcond=1e-7)[0]


def _gaussian(pairs: Pairs, ridge: float) -> dict[str, Tensor]:
    """The conditional mean and covariance of pictures given sentences, were both normally distributed."""
    text, image = pairs.covariances
    across = pairs.text_image - np.outer(pairs.text_mean, pairs.image_mean)
    dim = len(text)
    if pairs.count <= dim and not ridge:
        log.warning("%d pairs for a map of %d dimensions fit by heart and leave no blur; try --ridge", pairs.count, dim)
    matrix = np.linalg.lstsq(text + ridge * np.eye(dim), across, rcond=1e-7)[0]
    left = image - matrix.T @ across - across.T @ matrix + matrix.T @ text @ matrix
    found = {
        "matrix": matrix,
        "mean": pairs.image_mean - pairs.text_mean @ matrix,
        "factor": _factor(left, pairs.count),
    }
    return {name: torch.from_numpy(values) for name, values in found.items()}


def _factor(covariance: np.ndarray, count: int) -> np.ndarray:
    """F with F F^T the covariance of `count` vectors."""
    dim = len(covariance)
    if count <= dim:
        share = shrinkage(covariance, count)
        log.warning(
            "%d pairs do not fill a covariance of %d dimensions: shrunk by %.2f towards the same noise everywhere",
            count,
            dim,
            share,
        )
        covariance = (1 - share) * covariance + share * np.trace(covariance) / dim * np.eye(dim)
    sizes, directions = np.linalg.eigh(covariance)
    return directions * np.sqrt(np.maximum(sizes, 0.0))


def shrinkage(covariance: np.ndarray, count: int) -> float:
    """How far towards a multiple of the identity: the oracle approximating shrinkage."""
    dim = len(covariance)
    squares, trace = float((covariance**2).sum()), float(np.trace(covariance))
    top = (1 - 2 / dim) * squares + trace**2
    bottom = (count + 1 - 2 / dim) * (squares - trace**2 / dim)
    return 1.0 if bottom <= 0 else min(1.0, top / bottom)


def standardized(texts: VectorTable, images: VectorTable, stretch: bool) -> dict[str, Tensor]:
    text, image = (moments.side(table, np.arange(len(table))) for table in (texts, images))
    still = image.spread == 0
    if stretch and still.any():
        log.warning("%d of %d dimensions are the same in all pictures and are not stretched", still.sum(), len(still))
    wider = np.where(still, 1.0, text.spread / np.where(still, 1.0, image.spread)) if stretch else np.ones(texts.dim)
    named = {"text_mean": text.mean, "image_mean": image.mean, "stretch": wider}
    return {name: torch.from_numpy(values) for name, values in named.items()}
