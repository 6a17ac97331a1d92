"""Bridges over the gap between text and image vectors.

All take unit text vectors and return unit vectors a model can mistake for images. They only act while learning: at test
time pictures go where sentences went, as they are.
CLOSE, arXiv:2211.09778; official code close/model/language_adapters.py @ 80f8db0.
"""

from __future__ import annotations

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


class Noise(nn.Module):
    """Blur text vectors until image vectors look like more of the same.

    `std` is w: the standard deviation in every dimension, so that the blur's length is about w times the root of the
    number of dimensions. 0.08 is the paper's for all tasks on CLIP ViT-L/14 (768 dimensions); other encoders need others.
    """

    def __init__(self, std: float = 0.08):
        super().__init__()
        self.std = std

    def forward(
        self, vectors: Float[Tensor, "batch dim"], normal: Float[Tensor, "batch dim"]
    ) -> Float[Tensor, "batch dim"]:
        """`normal` are standard normal numbers, keyed by seed, step and row (draws.py)."""
        if self.training:
            vectors = vectors + self.std * normal
        return F.normalize(vectors, dim=-1)
