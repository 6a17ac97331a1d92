"""A linear layer in numbers of eight bits: a quarter of float32's bytes to read, and products that processors do fastest.

    row -> divided by its largest -> 8 bits -> product with 8-bit weights -> times both scales -> float32

Each output's weights have a scale, and each row of the input, found when it comes. The product is oneDNN's, by the operator with
which PyTorch's own compiler replaces quantised layers (torch/_inductor/fx_passes/quantization.py, v2.15).
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

LARGEST = 127
NOUGHT = 128  # inputs are told as 1..255


class EightBits:
    """The weight of a linear layer without bias."""

    def __init__(self, weight: Float[Tensor, "out width"]):
        weight = weight.float()
        self.scales = weight.abs().amax(1).clamp_min(1e-12) / LARGEST  # (out,)
        self._noughts = torch.zeros(len(weight), dtype=torch.int64)
        told = (weight / self.scales[:, None]).round().to(torch.int8)
        self._packed = torch.ops.onednn.qlinear_prepack(told, None)

    def __call__(self, x: Float[Tensor, "... width"]) -> Float[Tensor, "... out"]:
        rows = x.flatten(0, -2).float()
        largest = rows.abs().amax(1, keepdim=True).clamp_min(1e-12)
        told = (rows * (LARGEST / largest)).round_().add_(NOUGHT).to(torch.uint8)
        out = torch.ops.onednn.qlinear_pointwise(
            *(told, 1 / LARGEST, NOUGHT, self._packed, self.scales, self._noughts, None),
            *(1.0, 0, torch.float32, "none", [], ""),
        )
        return (out * largest).unflatten(0, x.shape[:-1])


def possible(device: torch.device) -> bool:
    """Whether this device and this build of PyTorch have the product."""
    return (
        device.type == "cpu" and torch.backends.mkldnn.is_available() and hasattr(torch.ops.onednn, "qlinear_prepack")
    )
