"""Vectors on a plane, to be looked at: t-SNE, UMAP or the two directions in which they vary most."""

from __future__ import annotations

from importlib import import_module

import numpy as np

from imageless.errors import InputError

NEEDS = {"tsne": ("sklearn.manifold", "scikit-learn"), "umap": ("umap", "umap-learn")}
PERPLEXITY = 30  # scikit-learn's own; the paper states none
NEIGHBOURS = 15  # umap-learn's own


def expect(projection: str) -> None:
    """Refuse a projection whose library is not here."""
    module, package = NEEDS.get(projection, ("numpy", "numpy"))
    try:
        import_module(module)
    except ModuleNotFoundError as error:
        raise InputError(
            f"--projection {projection}: expected {package}, got no module {error.name!r}; "
            f"pip install {package}, or choose pca"
        ) from None


def project(vectors: np.ndarray, projection: str, seed: int) -> np.ndarray:
    """Vectors on a plane, (rows, 2); the same seed gives the same plane."""
    expect(projection)
    if projection == "pca":
        centred = vectors - vectors.mean(0)
        return centred @ np.linalg.svd(centred, full_matrices=False)[2][:2].T
    if projection == "umap":
        nearest = min(NEIGHBOURS, len(vectors) - 1)
        return import_module("umap").UMAP(n_neighbors=nearest, random_state=seed, n_jobs=1).fit_transform(vectors)
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    perplexity = min(PERPLEXITY, (len(vectors) - 1) / 3)
    with threadpool_limits(1):  # several threads add up in any order, and t-SNE makes much of the last digit
        return TSNE(perplexity=perplexity, init="pca", random_state=seed).fit_transform(vectors)
