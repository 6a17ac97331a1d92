"""Encoders made of other encoders: an image network before it pools, or before it has learned.

grid:ENC is an encoder like any other, of pictures alone, whose vectors hold one place's channels after another's. Whoever
reads them takes them apart again: `places` says into how many. random:ENC has fresh weights in the same architecture.
LiMBeR (arXiv:2209.15162) reads CLIP RN50x16 at 12 x 12 places of 3,072 channels before its attention pool, BEiT-Large at 14 x
14 of 1,024, and random initialisations of its networks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from types import MappingProxyType
from typing import Any

import torch
from jaxtyping import Float, Shaped
from PIL import Image
from torch import Tensor

from imageless.errors import InputError


def forgotten(encoder: Any, seed: int) -> Any:
    """The encoder with fresh weights in place of what it has learned."""
    if not hasattr(encoder, "forget"):
        raise InputError(f"expected an encoder behind random:, got {encoder.name}; write grid:random:ENC for its grid")
    torch.manual_seed(seed)
    encoder.forget()
    encoder.name = f"random:{encoder.name}" + (f"?seed={seed}" if seed else "")
    encoder.noise = MappingProxyType({})
    return encoder


class Grid:
    """The grid of a frozen encoder's image network, flattened; the encoder has a `grid`: pixels -> (batch, places, channels)."""

    sides = ("image",)

    def __init__(self, encoder: Any):
        if not hasattr(encoder, "grid"):
            raise InputError(f"expected an encoder with a grid behind grid:, {encoder.name} has none; take it without")
        self._encoder = encoder
        self.name = f"grid:{encoder.name}"
        self.fingerprint = hashlib.sha256(f"grid {encoder.fingerprint}".encode()).hexdigest()
        self.noise = MappingProxyType({})
        self.preprocess = encoder.preprocess
        blank = self.preprocess(Image.new("RGB", (64, 64)))
        _, self.places, self.channels = self._encoder.grid(blank[None]).shape
        self.dim = self.places * self.channels

    def texts(self, texts: Sequence[str]) -> Float[Tensor, "batch dim"]:
        raise InputError(f"expected an encoder that reads sentences, got {self.name}, which sees pictures only")

    def truncated(self, texts: Sequence[str]) -> int:
        return 0

    @torch.no_grad()
    def images(self, pixels: Shaped[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch dim"]:
        return self._encoder.grid(pixels).flatten(1).float()
