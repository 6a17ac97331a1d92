"""The losses that bring pictures and their captions together and keep them from all others.

    softmax_loss    every picture finds its caption among all of the batch, every caption its picture    CLIP, arXiv:2103.00020
    sigmoid_loss    of every picture and every caption: do they belong together?                        SigLIP, arXiv:2303.15343

Vectors are unit length. Where a batch is spread over processes, each has the rows from `first` on and is given everyone's
vectors as `all_*`; the mean of the parts is the loss of the whole.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def softmax_loss(
    images: Float[Tensor, "n dim"],
    texts: Float[Tensor, "n dim"],
    scale: Tensor,
    first: int = 0,
    all_images: Tensor | None = None,
    all_texts: Tensor | None = None,
) -> Float[Tensor, ""]:
    """Symmetric InfoNCE."""
    all_images = images if all_images is None else all_images
    all_texts = texts if all_texts is None else all_texts
    right = torch.arange(first, first + len(images), device=images.device)
    to_text = F.cross_entropy(scale * images @ all_texts.T, right)
    to_image = F.cross_entropy(scale * texts @ all_images.T, right)
    return (to_text + to_image) / 2


def sigmoid_loss(
    images: Float[Tensor, "n dim"],
    texts: Float[Tensor, "n dim"],
    scale: Tensor,
    bias: Tensor,
    first: int = 0,
    all_texts: Tensor | None = None,
) -> Float[Tensor, ""]:
    """Binary cross entropy over all pairs, summed over captions, in the mean over pictures."""
    logits = scale * images @ (texts if all_texts is None else all_texts).T + bias
    signs = torch.full_like(logits, -1)
    signs[torch.arange(len(images)), torch.arange(first, first + len(images))] = 1
    return -F.logsigmoid(signs * logits).sum(1).mean()
