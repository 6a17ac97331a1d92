"""An image network in front of a model that reads vectors, so that pictures are seen anew in each step and both may learn."""

from __future__ import annotations

from collections.abc import Callable

import torch.nn.functional as F
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn

from imageless.models.reader import Reader


class Seeing(nn.Module):
    """Pixels instead of vectors; `vectors` is how the network's encoder makes raw ones of them."""

    def __init__(self, network: nn.Module, vectors: Callable[[Tensor], Tensor], reader: Reader):
        super().__init__()
        self.network, self.vectors, self.reader = network, vectors, reader

    def train(self, mode: bool = True) -> Seeing:
        """The network keeps the statistics it came with and drops nothing out, whether it learns or not."""
        super().train(mode)
        self.network.eval()
        return self

    def forward(
        self,
        pixels: Shaped[Tensor, "batch 3 height width"],
        prompts: Int[Tensor, "batch words"],
        prompt_mask: Int[Tensor, "batch words"],
        targets: Int[Tensor, "targets length"],
        owners: Int[Tensor, " targets"],
    ) -> Float[Tensor, ""]:
        """Summed cross entropy of the target tokens, as the reader counts it."""
        return self.reader(F.normalize(self.vectors(pixels), dim=-1), prompts, prompt_mask, targets, owners)
