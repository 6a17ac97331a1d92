"""A frozen encoder with the weights of its transformer blocks laid out as oneDNN multiplies them fastest, while much is embedded.

    with quick(encoder, texts=len(texts)):
        encoder.texts(...)

The numbers stay the same within rounding. Notable:
- torch.nn.MultiheadAttention hands its input on turned round, so that its first product becomes one small product a word, each with
  a copy of the weights; here it is one large one.
- The weights move, they are not copied: behind the `with` they are where they were.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from imageless.models import packed

FEW = 64  # texts; for so few, laying out costs more than it saves
TEXTS = 16  # that a picture is as much work as: ViT-L/14 looks at 257 places, a caption has 13 tokens
BLOCKS = (  # whose linear layers are called, not looked into
    "open_clip.ResidualAttentionBlock",
    "transformers.CLIPEncoderLayer",
    "transformers.SiglipEncoderLayer",
    "imageless.Block",
)


class QuickLinear(nn.Module):
    """A linear layer whose weight is in blocks."""

    def __init__(self, weight: Float[Tensor, "out width"], bias: Float[Tensor, " out"] | None):
        super().__init__()
        self.weight, self.bias = packed.blocks(weight.detach()), bias

    def forward(self, x: Float[Tensor, "... width"]) -> Float[Tensor, "... out"]:
        return torch.ops.mkldnn._linear_pointwise(x, self.weight, self.bias, "none", [], "")


class QuickAttention(nn.Module):
    """Attention of a sequence to itself, with the arguments of torch.nn.MultiheadAttention that open_clip gives."""

    def __init__(self, attention: nn.MultiheadAttention):
        super().__init__()
        self.heads = attention.num_heads
        self.into = QuickLinear(attention.in_proj_weight, attention.in_proj_bias)  # pyright: ignore[reportArgumentType]
        self.out = QuickLinear(attention.out_proj.weight, attention.out_proj.bias)

    def forward(
        self, x: Float[Tensor, "batch length width"], *_: Tensor, need_weights: bool, attn_mask: Tensor | None
    ) -> tuple[Float[Tensor, "batch length width"], None]:
        query, key, value = self.into(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        seen = F.scaled_dot_product_attention(query, key, value, attn_mask)
        return self.out(seen.transpose(1, 2).flatten(2)), None


@contextmanager
def quick(encoder: Any, *, texts: int = 0, pictures: int = 0) -> Iterator[None]:
    """Lay out the weights of an encoder that is about to read so many, where that is worth it and possible."""
    model: nn.Module | None = getattr(encoder, "model", None)
    weight = next(model.parameters(), None) if model is not None else None
    if (
        model is None
        or weight is None
        or texts + TEXTS * pictures <= FEW
        or not packed.possible(weight.device, weight.dtype)
    ):
        yield
        return
    _ = encoder.fingerprint  # reads the weights where they are
    back: list[Callable[[], None]] = []
    try:
        for block in [module for module in model.modules() if _kind(module) in BLOCKS]:
            _swap(block, back)
        yield
    finally:
        for undo in back:
            undo()


def _kind(module: nn.Module) -> str:
    return f"{type(module).__module__.partition('.')[0]}.{type(module).__name__}"


def _swap(module: nn.Module, back: list[Callable[[], None]]) -> None:
    """Put quick layers in the place of a block's own, and note down how to undo it."""
    for name, child in list(module.named_children()):
        if isinstance(child, nn.MultiheadAttention):
            if not _to_itself(module, child):
                continue
            attention = QuickAttention(child)
            moved = [(child.in_proj_weight, attention.into), (child.out_proj.weight, attention.out)]
            new: nn.Module = attention
        elif type(child) is nn.Linear:
            new = linear = QuickLinear(child.weight, child.bias)
            moved = [(child.weight, linear)]
        else:
            _swap(child, back)
            continue
        for weight, _ in moved:
            weight.data = weight.data.new_empty(0)

        def undo(name: str = name, child: nn.Module = child, moved: list[tuple[Any, QuickLinear]] = moved) -> None:
            for weight, quick in moved:
                weight.data = quick.weight.to_dense()
            setattr(module, name, child)

        back.append(undo)
        setattr(module, name, new)


def _to_itself(block: nn.Module, attention: nn.MultiheadAttention) -> bool:
    """Whether this is attention of a sequence to itself and nothing beside it."""
    plain = attention.in_proj_weight is not None and attention.bias_k is None and not attention.add_zero_attn
    return plain and attention.batch_first and not hasattr(block, "ln_1_kv")
