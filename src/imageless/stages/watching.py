"""Training that opens pictures in each step: for grids too large to be kept, and for image networks that learn along.

The one exception to train.py's rule. Two of LiMBeR's baselines (arXiv:2209.15162) need it: the image network tuned into a
language model that stays as it is, as in Frozen (arXiv:2106.13884), and the same with bottlenecks in that model, as in
MAGMA (arXiv:2112.05253).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imageless import loop
from imageless.encoders.base import Encoder
from imageless.encoders.derived import learning
from imageless.models.causal import IGNORED
from imageless.models.seeing import Seeing
from imageless.options import TrainOptions
from imageless.pixels import Anew
from imageless.records import Picture


class Watching:
    """A job of train.py's, which knows no vectors, with pixels in their place."""

    def __init__(self, job: Any, encoder: Encoder, seen: Sequence[Picture], options: TrainOptions):
        self.job, self.order = job, job.order
        self.pixels = Anew(seen, encoder.preprocess)
        self.learned = learning(encoder) if options.tune_encoder else {}
        """The weights of the image network that learn, by the names they have in it."""
        network: Any = getattr(encoder, "model")  # noqa: B009 every encoder of ours has one, which the protocol need not know
        self.model = Seeing(network, encoder.images, job.model)
        self.slower = {f"network.{name}": options.encoder_rate for name in self.learned}

    def batch(self, step: int, part: loop.Part) -> dict[str, Tensor]:
        batch = self.job.batch(step, part)
        rows = self.order(step)
        mine = rows[part.rows(len(rows))]
        batch["vectors"] = self.pixels[mine]
        lost = torch.tensor([row in self.pixels.failed for row in mine.tolist()])
        batch["targets"][lost[batch["owners"]]] = IGNORED
        return batch

    def loss(self, model: nn.Module, batch: dict[str, Tensor], part: loop.Part) -> Tensor:
        words, _ = batch.pop("words"), batch.pop("normal")  # nothing comes between a picture and the model
        return model(batch.pop("vectors"), **batch) / words

    @torch.no_grad()
    def validate(self) -> dict[str, list[str]]:
        """What is said of the sampled scenes, by their pictures as the network sees them by now."""
        pixels = self.pixels[self.job.sampled].to(next(self.model.parameters()).device)
        return self.job.says(F.normalize(self.model.vectors(pixels), dim=-1))
