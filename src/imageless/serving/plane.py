"""A map of the gap: across it, from sentences to pictures, and along it, where both vary most."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Plane:
    """Two directions through the middle between sentences and pictures."""

    middle: Float[Tensor, " dim"]
    axes: Float[Tensor, "2 dim"]

    @classmethod
    def of(cls, sentences: Float[Tensor, "many dim"], pictures: Float[Tensor, "some dim"]) -> Plane:
        """From unit vectors of both sides: from the mean of one to that of the other, and what varies most beside that."""
        left, right = sentences.mean(0), pictures.mean(0)
        across = F.normalize(right - left, dim=0)
        spread = torch.cat([sentences - left, pictures - right])
        spread = spread - torch.outer(spread @ across, across)
        along = torch.linalg.svd(spread, full_matrices=False).Vh[0]
        return cls((left + right) / 2, torch.stack([across, along]))

    def places(self, vectors: Float[Tensor, "batch dim"]) -> list[tuple[float, float]]:
        """Where unit vectors lie: negative before the gap, among the sentences, positive behind it."""
        across, along = ((vectors - self.middle) @ self.axes.T).T.tolist()
        return [(round(x, 4), round(y, 4)) for x, y in zip(across, along, strict=True)]
