"""Is one system better than another, or lucky with these images?

Both are scored on the same images, so images are drawn again, with replacement, and both means are taken over the same
draw. For scores that are means over images, as CIDEr-D and ROUGE-L are (document frequencies stay as measured).
Efron and Tibshirani, An Introduction to the Bootstrap, 1993; for text, Koehn, EMNLP 2004.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from imageless.errors import InputError


class Difference(NamedTuple):
    """How much better `a` is than `b`."""

    difference: float
    low: float
    """2.5 % of the draws lie below."""
    high: float
    """2.5 % of the draws lie above."""
    p: float
    """Two-sided: twice the share of draws in which the order is the other way round, or even."""


def paired_bootstrap(a: ArrayLike, b: ArrayLike, draws: int = 10_000, seed: int = 0) -> Difference:
    """`a` and `b`: scores of two systems on the same images, (images,)."""
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if a.ndim != 1 or a.shape != b.shape or not a.size:
        raise InputError(f"expected scores of the same images, got shapes {a.shape} and {b.shape}; align them")
    if draws < 1:
        raise InputError(f"expected at least one draw, got {draws}; 10000 is usual")
    random = np.random.default_rng(seed)
    gain = a - b
    means = np.array([gain[random.integers(gain.size, size=gain.size)].mean() for _ in range(draws)])
    low, high = np.quantile(means, (0.025, 0.975))
    against = min((means <= 0).sum(), (means >= 0).sum())
    p = min(1.0, 2 * (against + 1) / (draws + 1))  # +1: the images as they are count as a draw, so p is never 0
    return Difference(float(gain.mean()), float(low), float(high), float(p))
