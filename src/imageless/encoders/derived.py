"""Encoders made of other encoders: an image network before it pools, before it has learned, or after it has learned more.

grid:ENC is an encoder like any other, of pictures alone, whose vectors hold one place's channels after another's. Whoever
reads them takes them apart again: `places` says into how many. random:ENC has fresh weights in the same architecture.
LiMBeR (arXiv:2209.15162) reads CLIP RN50x16 at 12 x 12 places of 3,072 channels before its attention pool, BEiT-Large at 14 x
14 of 1,024, and random initialisations of its networks; two of its baselines let the network learn along (`learning`), and
what comes of it is the encoder of that run alone (`Tuned`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import torch
from jaxtyping import Float, Shaped
from PIL import Image
from torch import Tensor, nn

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


class _Derived:
    """Another encoder's pictures, seen otherwise; its sentences do not lie beside them any more."""

    sides = ("image",)

    def __init__(self, encoder: Any, name: str, *changed: str):
        self._encoder = encoder
        self.name = name
        self.fingerprint = hashlib.sha256(" ".join([*changed, encoder.fingerprint]).encode()).hexdigest()
        self.noise = MappingProxyType({})
        self.preprocess = encoder.preprocess

    @property
    def model(self) -> nn.Module:
        return self._encoder.model

    def texts(self, texts: Sequence[str]) -> Float[Tensor, "batch dim"]:
        raise InputError(f"expected an encoder that reads sentences, got {self.name}, which sees pictures only")

    def truncated(self, texts: Sequence[str]) -> int:
        return 0


class Grid(_Derived):
    """The grid of a frozen encoder's image network, flattened; the encoder has a `grid`: pixels -> (batch, places, channels)."""

    def __init__(self, encoder: Any):
        if not hasattr(encoder, "grid"):
            raise InputError(f"expected an encoder with a grid behind grid:, {encoder.name} has none; take it without")
        super().__init__(encoder, f"grid:{encoder.name}", "grid")
        _, self.places, self.channels = encoder.grid(_blank(self)).shape
        self.dim = self.places * self.channels

    def images(self, pixels: Shaped[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch dim"]:
        return self._encoder.grid(pixels).flatten(1).float()


class Tuned(_Derived):
    """An encoder whose image network has learned along with a run; `weights` are that run's, by name."""

    def __init__(self, encoder: Any, weights: Mapping[str, Tensor]):
        there = dict(encoder.model.named_parameters())
        if not weights.keys() <= there.keys():
            other = sorted(weights.keys() - there.keys())
            raise InputError(
                f"expected weights of {encoder.name}, got others, such as {other[0]}; name its own encoder"
            )
        digest = hashlib.sha256()
        for name in sorted(weights):
            digest.update(name.encode() + weights[name].float().cpu().contiguous().numpy().tobytes())
        super().__init__(encoder, encoder.name, "tuned", digest.hexdigest())
        self.dim = encoder.dim
        with torch.no_grad():
            for name, weight in weights.items():
                there[name].copy_(weight)

    def images(self, pixels: Shaped[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch dim"]:
        return self._encoder.images(pixels)


def learning(encoder: Any) -> dict[str, nn.Parameter]:
    """Let an encoder's image network learn: the weights its vectors depend on, by name, found by asking for a gradient."""
    named = dict(encoder.model.requires_grad_(True).named_parameters())
    with torch.enable_grad():
        encoder.images(_blank(encoder)).sum().backward()
    seeing = {name: weight for name, weight in named.items() if weight.grad is not None}
    for name, weight in named.items():
        weight.requires_grad_(name in seeing).grad = None
    return seeing


def _blank(encoder: Any) -> Tensor:
    """A grey picture, as the encoder takes it."""
    return encoder.preprocess(Image.new("RGB", (64, 64), (128, 128, 128)))[None]
