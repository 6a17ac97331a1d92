"""Weights of linear layers laid out as oneDNN multiplies them fastest, for a CPU that says few words at a time.

For the few rows of a beam search PyTorch's own product reads weights at half the speed of memory or less; laid out beforehand in
blocks they are read at full speed (docs/performance.md). The operators are those by which PyTorch's compiler replaces frozen layers
(torch/_inductor/fx_passes/mkldnn_fusion.py and quantization.py, v2.15).

    Packed       float32 or bfloat16: the same numbers
    EightBits    row -> divided by its largest -> 8 bits -> product with 8-bit weights -> times both scales -> float32
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

LARGEST = 127
NOUGHT = 128  # inputs are told as 1..255


class Plain:
    """The weight of a linear layer without bias as it is; float32 in and out, whatever it is held in."""

    def __init__(self, weight: Float[Tensor, "out width"]):
        self.weight = weight

    def __call__(self, x: Float[Tensor, "... width"]) -> Float[Tensor, "... out"]:
        return F.linear(x.to(self.weight.dtype), self.weight).float()


class Packed:
    """The same, in oneDNN's blocks."""

    def __init__(self, weight: Float[Tensor, "out width"]):
        self.dtype = weight.dtype
        self._blocks = blocks(weight)

    def __call__(self, x: Float[Tensor, "... width"]) -> Float[Tensor, "... out"]:
        return torch.ops.mkldnn._linear_pointwise(x.to(self.dtype), self._blocks, None, "none", [], "").float()


class EightBits:
    """The same in numbers of eight bits: each output's weights have a scale, and each row of the input, found when it comes."""

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


Linear = Plain | Packed | EightBits


def blocks(weight: Float[Tensor, "out width"]) -> Tensor:
    """A weight in oneDNN's blocks, of whatever size they are on this processor; `to_dense` leads back."""
    return torch.ops.mkldnn._reorder_linear_weight(weight.contiguous(), None)


def held(weight: Float[Tensor, "out width"], dtype: torch.dtype) -> Linear:
    """A weight in the numbers asked for (float32, bfloat16, int8), as fast as its device reads them."""
    if dtype == torch.int8:
        return EightBits(weight)
    weight = weight.to(dtype)
    return Packed(weight) if possible(weight.device, dtype) else Plain(weight)


def possible(device: torch.device, dtype: torch.dtype) -> bool:
    """Whether this device, this processor and this build of PyTorch have the product."""
    if device.type != "cpu" or not torch.backends.mkldnn.is_available():
        return False
    if dtype == torch.bfloat16:
        return torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return hasattr(torch.ops.onednn if dtype == torch.int8 else torch.ops.mkldnn, _NEEDED[dtype])


_NEEDED = {torch.float32: "_linear_pointwise", torch.int8: "qlinear_pointwise"}
