"""Pictures are mended: the loop's job of self-supervised pretraining, without labels or language.

Most patches of a picture are hidden and its vector must suffice to paint all of it. Masked image modelling as in BEiT
(arXiv:2106.08254) and MAE (arXiv:2111.06377), from which the share of hidden patches is; the small painter is ours and is thrown
away in the end.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imageless import draws, loop
from imageless.errors import InputError
from imageless.models.dual_encoder import DualEncoder
from imageless.options import PretrainOptions
from imageless.records import Record
from imageless.stages.pretraining.inputs import Batches, Inputs

HIDDEN = 0.75  # share of patches: MAE, arXiv:2111.06377 section 4.1
PATCHES = 8  # on a side
PAINTED = 64  # pixels on a side of what is painted


class Painter(nn.Module):
    """An image tower, and a small network that paints the picture from its vector alone."""

    def __init__(self, encoder: DualEncoder):
        super().__init__()
        self.encoder = encoder
        self.encoder.logit_scale.requires_grad_(False)
        self.start = nn.Linear(encoder.config.dim, 128 * 4 * 4)
        wide = (128, 96, 64, 32)
        steps = [
            nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(here, there, 3, padding=1), nn.GELU())
            for here, there in zip(wide, [*wide[1:], 32], strict=True)
        ]
        self.steps = nn.Sequential(*steps, nn.Conv2d(32, 3, 3, padding=1))

    def forward(self, pixels: Tensor) -> Tensor:
        """(n, 3, PAINTED, PAINTED), between -1 and 1 where pixels are."""
        return self.steps(self.start(self.encoder.images(pixels)).unflatten(1, (128, 4, 4)))


class Denoise:
    """A batch of pictures, most of each hidden."""

    def __init__(
        self, encoder: DualEncoder, records: Sequence[Record], held_out: Sequence[Record], options: PretrainOptions
    ):
        if options.lock_image:
            raise InputError(
                "--objective denoise: expected an image network that learns, got --lock-image; leave it out"
            )
        self.model = Painter(encoder)
        self.options = options
        self.batches = Batches(Inputs(encoder, list(records), False, options.stream), options)
        self.held_out = Inputs(encoder, list(held_out), locked=False) if held_out else None

    def batch(self, step: int, part: loop.Part) -> dict[str, Tensor]:
        rows = self.batches.order(step)
        mine = part.rows(len(rows))
        pixels = self.batches.seen(rows, mine, step)
        draw = np.random.default_rng(draws.key(self.options.seed, "hidden", step))
        chance = draw.random((len(rows), 1, PATCHES, PATCHES))[mine]
        return {"pixels": pixels, "shown": torch.from_numpy(chance >= HIDDEN)}

    def loss(self, model: nn.Module, batch: dict[str, Tensor], part: loop.Part) -> Tensor:
        painted = model(hidden(batch["pixels"], batch["shown"])).float()
        return F.mse_loss(painted, scaled(batch["pixels"])) / part.count

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Share of the variance of held-out pictures that is painted when nothing is hidden."""
        if self.held_out is None:
            return {}
        device = self.model.start.weight.device
        wrong = spread = 0.0
        whole = [self.held_out[part].to(device) for part in np.array_split(np.arange(len(self.held_out)), 8)]
        middle = torch.cat([scaled(pixels) for pixels in whole]).mean(0)
        for pixels in whole:
            wanted = scaled(pixels)
            wrong += float((self.model(pixels).float() - wanted).square().sum())
            spread += float((wanted - middle).square().sum())
        return {"painted": 1 - wrong / spread}


def hidden(pixels: Tensor, shown: Tensor) -> Tensor:
    """Grey where a patch is not shown."""
    return torch.where(F.interpolate(shown.float(), pixels.shape[-2:]) > 0, pixels, torch.full_like(pixels, 128))


def scaled(pixels: Tensor) -> Tensor:
    """What is to be painted: reduced to PAINTED pixels a side, between -1 and 1."""
    return F.interpolate(pixels.float() / 127.5 - 1, (PAINTED, PAINTED), mode="area")
