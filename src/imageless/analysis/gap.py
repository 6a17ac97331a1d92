"""How far sentences and pictures of the same scenes lie apart, and what each bridge makes of it: `imageless gap`.

    OUT/measures.json    everything measured, and what the first figures show
    OUT/figures/         cosines, explained_variance, correlation, bridges as .png and .svg; bridges.json has the dots
    OUT/report.html      the figures, a sentence under each, and the tables

A caption counts once for each picture it is said of, a picture as often as it has captions. Notable:
- The four mean cosines are exact: over all pairs of two sides the mean is the product of the two means. `unrelated` is a
  caption with every other picture, `caption_caption` two captions of different pictures; `image_image` counts each picture once.
- `separability` is the share of sides told right by a linear discriminant. It is fitted in closed form on half of the
  pictures with their captions (covariance within the sides, shrunk as in stages/adapt.py) and tested on the other half.
- Bridges are fitted on the pairs they are measured on, and blur as they do while learning.
- Neighbours are looked for in a sample of pictures with one caption each.

CLOSE, arXiv:2211.09778: figure 3 and the analyses around it; there is no code for them in the release.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from imageless import draws, encoders, limits, moments
from imageless.adapters import Adapter, CovarianceNoise, LinearMap, MeanShift, Noise
from imageless.analysis import gap_figures
from imageless.errors import InputError
from imageless.folders import begin, expect_free, publish, write_json
from imageless.moments import Pairs
from imageless.options import GapOptions
from imageless.stages import adapt as fitting
from imageless.stages import embed
from imageless.vectors import VectorTable

NOISE = 0.08  # the paper's for all tasks, where none is known for the encoder
SAMPLE = 2000  # pictures whose neighbours and single cosines are looked at
DOTS = 350  # pairs in figure 3
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


@dataclass(frozen=True)
class Both:
    """Captions and their pictures, those of one picture side by side, and the bridges between them."""

    texts: VectorTable
    images: VectorTable
    text_rows: np.ndarray
    image_rows: np.ndarray
    pictures: np.ndarray
    """Number of the picture of each pair: 0, 0, 0, 1, 1, ..."""
    pairs: Pairs
    bridges: dict[str, Adapter]
    sample: np.ndarray
    """Up to SAMPLE pairs of different pictures, in an order drawn by the seed."""
    seed: int


def gap(sources: Sequence[str], out: Path, encoder: str, options: GapOptions) -> Gap:
    """Measure the gap on the joined data and write figures and a page to `out`."""
    began = time.monotonic()
    limits.check(options)
    expect_free(out, options.overwrite)
    gap_figures.expect(options.projection)
    model = encoders.load(encoder, options.device, options.dtype)
    noise = model.noise.get("captioning-single", NOISE)
    both = _gather(*embed.pairs(sources, model, options), noise, options.seed)
    measured = {
        "data": list(sources),
        "split": options.split,
        "encoder": model.name,
        "fingerprint": model.fingerprint,
        "seed": options.seed,
        "noise": noise,
        **_measure(both),
    }
    dots = {"projection": options.projection, "panels": panels(both, options.projection)}
    work = begin(out, options.overwrite)
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
    noise: float = NOISE,
    seed: int = 0,
) -> dict[str, Any]:
    """Everything about the pairs (text_rows[i], image_rows[i]) that goes into measures.json, read piece by piece."""
    return _measure(_gather(texts, images, text_rows, image_rows, noise, seed))


def panels(both: Both, projection: str) -> dict[str, dict[str, list[list[float]]]]:
    """Up to DOTS captions and their pictures on a plane, before and after each bridge: the paper's figure 3."""
    dots = both.sample[:DOTS]
    captions, pictures = _sampled(both, dots)
    shown = {"raw": captions} | {name: _cross(bridge, captions, both.seed) for name, bridge in both.bridges.items()}
    placed = {}
    for name, moved in shown.items():
        plane = gap_figures.project(np.vstack([moved, pictures]), projection, both.seed)
        placed[name] = {"captions": plane[: len(dots)].tolist(), "pictures": plane[len(dots) :].tolist()}
    return placed


def _gather(
    texts: VectorTable, images: VectorTable, text_rows: np.ndarray, image_rows: np.ndarray, noise: float, seed: int
) -> Both:
    order = np.argsort(image_rows, kind="stable")
    text_rows, image_rows = text_rows[order], image_rows[order]
    _, first, pictures, counts = np.unique(image_rows, return_index=True, return_inverse=True, return_counts=True)
    if len(first) < 4:
        raise InputError(f"expected pairs of captions and at least 4 pictures, got {len(first)} pictures; add some")
    pairs = moments.pairs(texts, images, text_rows, image_rows)
    draw = np.random.default_rng(draws.key(seed, "gap", "sample"))
    chosen = draw.permutation(len(first))[:SAMPLE]
    sample = first[chosen] + draw.integers(0, counts[chosen])
    return Both(texts, images, text_rows, image_rows, pictures, pairs, _bridges(pairs, noise), sample, seed)


def _bridges(pairs: Pairs, noise: float) -> dict[str, Adapter]:
    """Fitted as `imageless adapt` does."""
    shift = fitting.fit("mean", pairs)["difference"].float()
    matrix = fitting.fit("linear", pairs)["matrix"].float()
    factor = fitting.fit("covariance", pairs)["factor"].float()
    return {
        "noise": Noise(noise),
        "mean": MeanShift(shift),
        "linear": LinearMap(matrix),
        "covariance": CovarianceNoise(shift, factor),
    }


def _measure(both: Both) -> dict[str, Any]:
    captions, pictures = _sampled(both, both.sample)
    return {
        **_mean_cosines(both),
        "centroid_distance": float(np.linalg.norm(both.pairs.difference)),
        "separability": _separability(both),
        "n": both.pairs.count,
        "pictures": int(both.pictures[-1]) + 1,
        "explained_variance": _explained_variance(both.pairs),
        "correlation": _correlation(both.pairs),
        "sampled": len(both.sample),
        "cosines": _histograms(captions, pictures),
        "bridges": _crossed(both, captions, pictures),
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
    within = np.mean(_covariances(half), axis=0)
    share = fitting.shrinkage(within, half.count)
    dim = len(within)
    even = share * np.trace(within) / dim + np.finfo(np.float32).eps  # vectors that are all the same have no covariance
    weights = np.linalg.solve((1 - share) * within + even * np.eye(dim), half.difference)
    middle = weights @ (half.text_mean + half.image_mean) / 2
    right = 0
    for text, image in _pieces(both, ~shown):
        right += int((text @ weights <= middle).sum()) + int((image @ weights > middle).sum())
    return right / (2 * int((~shown).sum()))


def _covariances(pairs: Pairs) -> tuple[np.ndarray, np.ndarray]:
    """Of the captions and of the pictures, both (dim, dim)."""
    apart = pairs.difference_covariance * (pairs.count - 1) / pairs.count
    apart = apart + np.outer(pairs.difference, pairs.difference)  # mean of (image - text) (image - text)^T
    image_image = apart - pairs.text_text + pairs.text_image + pairs.text_image.T
    text = pairs.text_text - np.outer(pairs.text_mean, pairs.text_mean)
    return text, image_image - np.outer(pairs.image_mean, pairs.image_mean)


def _explained_variance(pairs: Pairs) -> list[float]:
    """Share of the variance of (image - text) around its mean in its first 1, 2, 3, ... principal directions."""
    sizes = np.maximum(np.linalg.eigvalsh(pairs.difference_covariance)[::-1], 0.0)
    return (np.cumsum(sizes) / max(sizes.sum(), np.finfo(float).tiny)).tolist()


def _correlation(pairs: Pairs) -> dict[str, Any]:
    """Pearson's, of each feature of captions with each of pictures, over the pairs; a feature that never changes has 0."""
    scales = []
    for mean, covariance in zip((pairs.text_mean, pairs.image_mean), _covariances(pairs), strict=True):
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


@torch.no_grad()
def _crossed(both: Both, captions: np.ndarray, pictures: np.ndarray) -> dict[str, dict[str, float]]:
    """What is left of the gap behind each bridge, over all pairs; and the neighbours in the sample."""
    cosines = dict.fromkeys(both.bridges, 0.0)
    apart = {name: np.zeros(both.texts.dim) for name in both.bridges}
    for number, (text, image) in enumerate(_pieces(both, slice(None))):
        for name, bridge in both.bridges.items():
            moved = _cross(bridge, text, both.seed, number)
            cosines[name] += float((moved * image).sum())
            apart[name] += (image - moved).sum(0, dtype=np.float64)
    before = _neighbours(both, captions, pictures)
    raw = {"paired": float(np.trace(both.pairs.text_image)), "apart": both.pairs.difference, "nearest": before}
    behind = {"raw": raw} | {
        name: {
            "paired": cosines[name] / both.pairs.count,
            "apart": apart[name] / both.pairs.count,
            "nearest": _neighbours(both, _cross(bridge, captions, both.seed), pictures),
        }
        for name, bridge in both.bridges.items()
    }
    own = both.text_rows[both.sample]
    return {
        name: {
            "paired": found["paired"],
            "centroid_distance": float(np.linalg.norm(found["apart"])),
            "nearest_stays": int((found["nearest"] == before).sum()),
            "nearest_is_own": int((found["nearest"] == own).sum()),
        }
        for name, found in behind.items()
    }


def _neighbours(both: Both, captions: np.ndarray, pictures: np.ndarray) -> np.ndarray:
    """The text row nearest to each picture of the sample."""
    return both.text_rows[both.sample][(pictures @ captions.T).argmax(axis=1)]


@torch.no_grad()
def _cross(bridge: Adapter, captions: np.ndarray, seed: int, step: int = 0) -> np.ndarray:
    normal = draws.normal(seed, step, len(captions), bridge.draws * captions.shape[1])
    return bridge(torch.from_numpy(captions), normal).numpy()


def _pieces(both: Both, chosen: np.ndarray | slice) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    return zip(
        moments.pieces(both.texts, both.text_rows[chosen]),
        moments.pieces(both.images, both.image_rows[chosen]),
        strict=True,
    )


def _sampled(both: Both, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors of these pairs."""
    return (
        moments.unit(both.texts.raw(both.text_rows[chosen]), str(both.texts.folder)),
        moments.unit(both.images.raw(both.image_rows[chosen]), str(both.images.folder)),
    )
