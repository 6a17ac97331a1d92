"""Adapters, vectors a second: the formula batch by batch, its covariance factored each time, beside ours, factored once."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from imageless.adapters import CovarianceNoise
from imageless.benchmarks.base import Figure, in_turns, row

DIM, BATCH, BATCHES = 768, 128, 20


def plain(vectors: Tensor, mean: Tensor, covariance: Tensor) -> Tensor:
    """Numbers drawn from the covariance for every batch, as the released code does (close/model/clip_t5_model.py @ 80f8db0)."""
    drawn = torch.distributions.MultivariateNormal(mean, covariance).sample((len(vectors),))
    return F.normalize(vectors + drawn, dim=-1)


def figures(quick: bool) -> list[Figure]:
    dim, batches = (64, 2) if quick else (DIM, BATCHES)
    draw = torch.Generator().manual_seed(0)
    differences = 0.1 * torch.randn(4 * dim, dim, generator=draw) @ torch.randn(dim, dim, generator=draw) / dim**0.5
    mean, covariance = differences.mean(0), torch.from_numpy(np.cov(differences.numpy(), rowvar=False)).float()
    vectors = F.normalize(torch.randn(BATCH, dim, generator=draw), dim=-1)
    ours = CovarianceNoise(mean, torch.linalg.cholesky(covariance))

    def theirs() -> None:
        for _ in range(batches):
            plain(vectors, mean, covariance)

    def mine() -> None:
        for _ in range(batches):
            ours(vectors, torch.randn(BATCH, dim))

    normal = torch.randn(20_000, dim, generator=draw)
    spread = torch.from_numpy(np.cov((mean + normal @ ours.factor.T).numpy(), rowvar=False)).float()
    agreement = {"covariance_cosine": float(F.cosine_similarity(spread.flatten(), covariance.flatten(), dim=0))}
    before, after = in_turns([theirs, mine], 1 if quick else 5)
    what = {
        "input": f"{batches} batches of {BATCH} vectors of {dim} dimensions",
        "baseline": "torch's MultivariateNormal made for each batch",
        "ours": "CovarianceNoise, its covariance factored once",
    }
    return [row("covariance noise", "vectors/s", batches * BATCH, before, after, ">= 20x", agreement, what=what)]
