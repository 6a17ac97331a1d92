"""How far sentences and pictures of the same scenes lie apart, and what each bridge makes of it: `imageless gap`.

    OUT/measures.json    everything measured, and what the first figures show
    OUT/figures/         cosines, explained_variance, correlation, bridges as .png and .svg; bridges.json has the dots
    OUT/report.html      the figures, a sentence under each, and the tables

A caption counts once for each picture it is said of, a picture as often as it has captions. Notable:
- The four mean cosines are exact: over all pairs of two sides the mean is the product of the two means. `unrelated` is a
  caption with every other picture, `caption_caption` two captions of different pictures; `image_image` counts each picture once.
- `separability` is the share of sides told right by a linear discriminant. It is fitted in closed form on half of the
  pictures with their captions (covariance within the sides, shrunk as in stages/adapt.py) and tested on the other half.

CLOSE, arXiv:2211.09778: figure 3 and the analyses around it; there is no code for them in the release.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from imageless import draws, encoders, fitting, limits, moments, noise
from imageless.adapters import Bridge
from imageless.analysis import bridges, gap_figures, plane
from imageless.analysis.both import Both
from imageless.folders import begin, expect_free, publish, write_json
from imageless.moments import Pairs
from imageless.options import GapOptions
from imageless.stages import embed
from imageless.vectors import VectorTable

RELATED = 20  # pairs of features that are named
BINS = 80  # of a histogram of cosines
STILL = 1e-5  # a variance below this share of the squared mean is what float32 products leave over


@dataclass(frozen=True)
class Gap:
    """The gap in seven figures."""

    out: Path
    seconds: float
    paired: float
    """Mean cosine of a caption and its picture,"""
    unrelated: float
    """of a caption and another picture,"""
    caption_caption: float
    """of captions of different pictures,"""
    image_image: float
    """of different pictures."""
    centroid_distance: float
    """Between the mean caption and the mean picture."""
    separability: float
    """Held-out accuracy of a linear classifier that tells captions from pictures; 0.5 is a guess."""
    n: int
    """Pairs."""


def gap(sources: Sequence[str], out: Path, encoder: str, options: GapOptions) -> Gap:
    """Measure the gap on the joined data and write figures and a page to `out`."""
    began = time.monotonic()
    limits.check(options)
    expect_free(out, options.overwrite, resume=True)  # what was begun is made anew in a minute
    plane.expect(options.projection)
    model = encoders.load(encoder, options.device, options.dtype)
    w = model.noise.get("captioning-single", noise.PAPER)
    more = bridges.given(options.adapter, model, options.seed)
    both = Both.of(*embed.pairs(sources, model, options), options.seed)
    known = bridges.fitted(both.pairs, w)
    measured = {
        "data": list(sources),
        "split": options.split,
        "encoder": model.name,
        "fingerprint": model.fingerprint,
        "seed": options.seed,
        "noise": w,
        **_measure(both, known | more),
    }
    dots = {"projection": options.projection, "panels": bridges.panels(both, known, options.projection)}
    work = begin(out, options.overwrite, resume=True)
    gap_figures.write(work, measured, dots)
    write_json(work / "measures.json", measured)
    publish(work, out)
    seven = {name: measured[name] for name in Gap.__annotations__ if name in measured}
    return Gap(out, time.monotonic() - began, **seven)


def measure(
    texts: VectorTable,
    images: VectorTable,
    text_rows: np.ndarray,
    image_rows: np.ndarray,
    w: float = noise.PAPER,
    seed: int = 0,
) -> dict[str, Any]:
    """Everything about the pairs (text_rows[i], image_rows[i]) that goes into measures.json, read piece by piece."""
    both = Both.of(texts, images, text_rows, image_rows, seed)
    return _measure(both, bridges.fitted(both.pairs, w))


def _measure(both: Both, across: dict[str, Bridge]) -> dict[str, Any]:
    return {
        **_mean_cosines(both),
        "centroid_distance": float(np.linalg.norm(both.pairs.difference)),
        "separability": _separability(both),
        "n": both.pairs.count,
        "pictures": int(both.pictures[-1]) + 1,
        "explained_variance": _explained_variance(both.pairs),
        "correlation": _correlation(both.pairs),
        "sampled": len(both.sample),
        "cosines": _histograms(*both.sampled()),
        "bridges": bridges.measured(both, across),
    }


def _mean_cosines(both: Both) -> dict[str, float]:
    """Sums over all pairs of two sides, less what belongs to one picture."""
    count, pictures = both.pairs.count, int(both.pictures[-1]) + 1
    caption_sum = count * both.pairs.text_mean
    own = count * float(np.trace(both.pairs.text_image))
    picture_sum = np.zeros(both.images.dim)
    for piece in moments.pieces(both.images, np.unique(both.image_rows)):
        picture_sum += piece.sum(0, dtype=np.float64)
    same = float((np.bincount(both.pictures).astype(np.float64) ** 2).sum())
    return {
        "paired": own / count,
        "unrelated": (float(caption_sum @ picture_sum) - own) / (count * (pictures - 1)),
        "caption_caption": (float(caption_sum @ caption_sum) - _within_pictures(both)) / (count**2 - same),
        "image_image": (float(picture_sum @ picture_sum) - pictures) / (pictures * (pictures - 1)),
    }


def _within_pictures(both: Both) -> float:
    """Sum of the cosines of all captions of one picture with each other and themselves, over all pictures."""
    total, last, started = 0.0, np.zeros(both.texts.dim), 0
    for piece in moments.pieces(both.texts, both.text_rows):
        numbers = both.pictures[started : started + len(piece)]
        starts = np.flatnonzero(np.diff(numbers, prepend=-1))
        sums = np.add.reduceat(piece, starts, axis=0, dtype=np.float64)  # (pictures of this piece, dim)
        if started and numbers[0] == both.pictures[started - 1]:
            sums[0] += last
        else:
            total += float(last @ last)
        total += float((sums[:-1] ** 2).sum())
        last = sums[-1]
        started += len(piece)
    return total + float(last @ last)


def _separability(both: Both) -> float:
    """Fisher's linear discriminant: the sides' means apart, measured against the covariance within them."""
    order = np.random.default_rng(draws.key(both.seed, "gap", "half")).permutation(int(both.pictures[-1]) + 1)
    shown = np.isin(both.pictures, order[: len(order) // 2])
    half = moments.pairs(both.texts, both.images, both.text_rows[shown], both.image_rows[shown])
    within = np.mean(half.covariances, axis=0)
    share = fitting.shrinkage(within, half.count)
    dim = len(within)
    even = share * np.trace(within) / dim + np.finfo(np.float32).eps  # vectors that are all the same have no covariance
    weights = np.linalg.solve((1 - share) * within + even * np.eye(dim), half.difference)
    middle = weights @ (half.text_mean + half.image_mean) / 2
    right = 0
    for text, image in both.pieces(~shown):
        right += int((text @ weights <= middle).sum()) + int((image @ weights > middle).sum())
    return right / (2 * int((~shown).sum()))


def _explained_variance(pairs: Pairs) -> list[float]:
    """Share of the variance of (image - text) around its mean in its first 1, 2, 3, ... principal directions."""
    sizes = np.maximum(np.linalg.eigvalsh(pairs.difference_covariance)[::-1], 0.0)
    return (np.cumsum(sizes) / max(sizes.sum(), np.finfo(float).tiny)).tolist()


def _correlation(pairs: Pairs) -> dict[str, Any]:
    """Pearson's, of each feature of captions with each of pictures, over the pairs; a feature that never changes has 0."""
    scales = []
    for mean, covariance in zip((pairs.text_mean, pairs.image_mean), pairs.covariances, strict=True):
        variance = covariance.diagonal()
        changes = variance > STILL * mean**2
        scales.append(np.where(changes, 1 / np.sqrt(np.where(changes, variance, 1.0)), 0.0))
    table = (pairs.text_image - np.outer(pairs.text_mean, pairs.image_mean)) * np.outer(*scales)
    first = np.argsort(-np.abs(table), axis=None, kind="stable")[:RELATED]
    related = [(int(at) // len(table), int(at) % len(table)) for at in first]
    texts, images = (sorted(set(features)) for features in zip(*related, strict=True))
    return {
        "diagonal": table.diagonal().tolist(),
        "most_related": [{"text": t, "image": i, "correlation": float(table[t, i])} for t, i in related],
        "shown": {"text": texts, "image": images, "correlation": table[np.ix_(texts, images)].tolist()},
    }


def _histograms(captions: np.ndarray, pictures: np.ndarray) -> dict[str, Any]:
    """Of the single cosines in the sample: how dense they lie between the edges."""
    across, apart = captions @ pictures.T, ~np.eye(len(captions), dtype=bool)
    kinds = {
        "paired": across.diagonal(),
        "unrelated": across[apart],
        "caption_caption": (captions @ captions.T)[apart],
        "image_image": (pictures @ pictures.T)[apart],
    }
    least = min(float(cosines.min()) for cosines in kinds.values())
    edges = np.linspace(least - 1e-3, 1.001, BINS + 1)
    density = {name: np.histogram(cosines, edges, density=True)[0].tolist() for name, cosines in kinds.items()}
    return {"edges": edges.tolist(), "density": density}
