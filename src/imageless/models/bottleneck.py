"""Bottlenecks in a frozen language model: a few weights behind each attention, which learn in its place.

    attention -> x -> x + up(relu(down(x)))        down: width -> width / factor

MAGMA, arXiv:2112.05253, has them in GPT-J, LiMBeR's baseline (arXiv:2209.15162) with a factor of 4. They start as nothing at all.
"""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from imageless.errors import InputError

ATTENTIONS = ("attn", "self_attn", "attention", "self_attention")  # as transformers' causal models call them


class Bottleneck(nn.Module):
    """Down, a bend, up, and what came in."""

    def __init__(self, width: int, factor: int):
        super().__init__()
        self.down, self.up = nn.Linear(width, width // factor), nn.Linear(width // factor, width)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, x: Float[Tensor, "... width"]) -> Float[Tensor, "... width"]:
        return x + self.up(F.relu(self.down(x.to(self.down.weight.dtype)))).to(x.dtype)


def behind_attentions(lm: nn.Module, width: int, factor: int) -> nn.ModuleList:
    """A bottleneck behind each attention of the model, which from now on goes through them; the model keeps no track of them."""
    if factor > width:
        raise InputError(f"--bottleneck: expected at most the model's width of {width}, got {factor}")
    found: dict[str, nn.Module] = {}
    for name, module in lm.named_modules():
        inside = any(name.startswith(f"{outer}.") for outer in found)
        if name.rpartition(".")[2] in ATTENTIONS and not inside:
            found[name] = module
    if not found:
        raise InputError(
            f"--bottleneck: expected a language model with attentions called {', '.join(ATTENTIONS)}, "
            f"{type(lm).__name__} has none; leave it out"
        )
    added = nn.ModuleList(Bottleneck(width, factor) for _ in found)
    for attention, bottleneck in zip(found.values(), added, strict=True):
        attention.register_forward_hook(_through(bottleneck))
    return added


def _through(bottleneck: nn.Module) -> Any:
    """A hook that sends an attention's output, and nothing else it returns, through a bottleneck."""

    def through(module: nn.Module, told: Any, out: Any) -> Any:
        return (bottleneck(out[0]), *out[1:]) if isinstance(out, tuple) else bottleneck(out)

    return through
