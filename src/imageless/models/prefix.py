"""One vector becomes the first few words a language model reads.

CLOSE, arXiv:2211.09778 section 2: a linear layer turns the unit vector into 4 vectors of the language model's width.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn


class Prefix(nn.Module):
    """Unit vector -> `length` embeddings."""

    def __init__(self, dim: int, length: int, width: int):
        super().__init__()
        self.length = length
        self.project = nn.Linear(dim, length * width)

    def forward(self, vectors: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch length width"]:
        return self.project(vectors).unflatten(-1, (self.length, -1))
