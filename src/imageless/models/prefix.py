"""One vector becomes the first few words a language model reads.

CLOSE, arXiv:2211.09778 section 2: a linear layer turns the unit vector into 4 vectors of the language model's width.
Unlike there, the vector is scaled first, so that its entries are about one instead of 1 / sqrt(dim): a small model from
scratch learns to compare what it is asked with what it sees several times sooner (docs/log.md).
"""

from __future__ import annotations

import math

from jaxtyping import Float
from torch import Tensor, nn


class Prefix(nn.Module):
    """Unit vector -> `length` embeddings; `scale` is sqrt(dim) unless it is given, and 1 in the released code."""

    def __init__(self, dim: int, length: int, width: int, scale: float | None = None):
        super().__init__()
        self.length = length
        self.scale = math.sqrt(dim) if scale is None else scale
        self.project = nn.Linear(dim, length * width)

    def forward(self, vectors: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch length width"]:
        return self.project(self.scale * vectors).unflatten(-1, (self.length, -1))
