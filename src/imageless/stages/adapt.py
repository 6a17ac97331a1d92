"""Fit a bridge over the gap from captions and their pictures: what `train --adapter` takes.

    mean          the difference of the two means
    linear        W that makes |text W - image|^2 least, with `ridge` on the diagonal
    covariance    mean and covariance of (image - text); where pairs are fewer than dimensions the covariance is shrunk
    gaussian      W and m that make |text W + m - image|^2 least, and the covariance of what is left, shrunk where needed
    standardize   each side's mean, and with `stretch` how much wider sentences spread; needs no pairs

With `nearest` the others need none either: a picture stands with the sentences nearest to it (neighbours.py).

CLOSE, arXiv:2211.09778 section 4.2, which fits the two in the middle on COCO or CC3M; there is no code for fitting in
the release. Shrinkage: Chen et al., Shrinkage Algorithms for MMSE Covariance Estimation (OAS), 2010.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from imageless import adapters, encoders, limits, moments, neighbours
from imageless.errors import InputError
from imageless.folders import begin, expect_free, publish
from imageless.moments import Pairs
from imageless.options import AdaptOptions, Kind
from imageless.stages import embed
from imageless.vectors import VectorTable

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Adapted:
    """What fitting left behind."""

    out: Path
    seconds: float
    kind: str
    pairs: int | None
    gap: dict[str, dict[str, float]]
    """Before and after: mean cosine of a caption with its picture, and the distance of the two means.

    After is without any blur: where captions end up, not how far they are scattered; `imageless gap` measures both.
    """


def adapt(
    sources: Sequence[str],
    out: Path,
    encoder: str,
    kind: Kind,
    options: AdaptOptions,
) -> Adapted:
    """Fit an adapter on the joined data and write it to `out`."""
    began = time.monotonic()
    limits.check(options)
    expect_free(out, options.overwrite, resume=True)  # what was begun is made anew in a minute
    model = encoders.load(encoder, options.device, options.dtype)
    texts, images, text_rows, image_rows = embed.pairs(sources, model, options)
    if options.nearest:
        if kind == "standardize":
            raise InputError("--nearest: expected a kind that needs pairs, standardize needs none; leave it out")
        text_rows, image_rows = neighbours.pairs(texts, images, options.nearest, options.seed)
    elif not len(text_rows) and kind != "standardize":
        raise InputError(f"expected captions of pictures for kind {kind}, found none; pair them with --nearest 20")
    paired = None
    if kind == "standardize":
        tensors = _standardized(texts, images, options.stretch)
    else:
        paired = moments.pairs(texts, images, text_rows, image_rows)
        tensors = fit(kind, paired, options.ridge)
    tensors = {name: tensor.float() for name, tensor in tensors.items()}
    about = adapters.About(
        kind=kind,
        encoder=model.name,
        fingerprint=model.fingerprint,
        dim=model.dim,
        tables={"text": texts.about.content, "image": images.about.content},
        rows={"text": len(texts), "image": len(images)},
        pairs=None if paired is None else paired.count,
        settings={
            "data": list(sources),
            "split": options.split,
            "ridge": options.ridge,
            "stretch": options.stretch,
            "nearest": options.nearest,
        },
        gap=_gaps(texts, images, text_rows, image_rows, adapters.bridge(kind, tensors)) if len(text_rows) else {},
    )
    work = begin(out, options.overwrite, resume=True)
    adapters.save(work, about, tensors)
    publish(work, out)
    return Adapted(out, time.monotonic() - began, kind, about.pairs, about.gap)


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


def _standardized(texts: VectorTable, images: VectorTable, stretch: bool) -> dict[str, Tensor]:
    text, image = (moments.side(table, np.arange(len(table))) for table in (texts, images))
    still = image.spread == 0
    if stretch and still.any():
        log.warning("%d of %d dimensions are the same in all pictures and are not stretched", still.sum(), len(still))
    wider = np.where(still, 1.0, text.spread / np.where(still, 1.0, image.spread)) if stretch else np.ones(texts.dim)
    named = {"text_mean": text.mean, "image_mean": image.mean, "stretch": wider}
    return {name: torch.from_numpy(values) for name, values in named.items()}


@torch.no_grad()
def _gaps(
    texts: VectorTable, images: VectorTable, text_rows: np.ndarray, image_rows: np.ndarray, bridge: adapters.Bridge
) -> dict[str, dict[str, float]]:
    """How near captions are to their pictures, as they are and once they went over the bridge, its blur left out."""
    still = bridge.text.eval()

    def moved(vectors: Tensor) -> Tensor:
        return still(vectors, vectors[:, :0])

    def asis(vectors: Tensor) -> Tensor:
        return vectors

    gaps = {}
    for name, text, image in (("before", asis, asis), ("after", moved, bridge.image or asis)):
        cosines, apart = 0.0, np.zeros(texts.dim)
        for left, right in zip(moments.pieces(texts, text_rows), moments.pieces(images, image_rows), strict=True):
            caption, picture = text(torch.from_numpy(left)), image(torch.from_numpy(right))
            cosines += float((caption * picture).sum())
            apart += (picture - caption).sum(0).double().numpy()
        distance = float(np.linalg.norm(apart / len(text_rows)))
        gaps[name] = {"paired": cosines / len(text_rows), "centroid_distance": distance}
    return gaps
