"""Training that opens pictures in each step: for grids too large to be kept, and for image networks that learn along.

The one exception to train.py's rule. Two of LiMBeR's baselines (arXiv:2209.15162) need it: the image network tuned into a
language model that stays as it is, as in Frozen (arXiv:2106.13884), and the same with bottlenecks in that model, as in
MAGMA (arXiv:2112.05253).
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from imageless import loop, pictures
from imageless.encoders.base import Encoder
from imageless.encoders.derived import learning
from imageless.errors import InputError
from imageless.models.causal import IGNORED
from imageless.models.seeing import Seeing
from imageless.options import TrainOptions
from imageless.records import Picture

log = logging.getLogger(__name__)


class Watching:
    """A job of train.py's, which knows no vectors, with pixels in their place."""

    def __init__(self, job: Any, encoder: Encoder, seen: Sequence[Picture], options: TrainOptions):
        self.job, self.seen, self.preprocess = job, seen, encoder.preprocess
        network: Any = getattr(encoder, "model")  # noqa: B009 every encoder of ours has one, which the protocol need not know
        self.learned = learning(encoder) if options.tune_encoder else {}
        """The weights of the image network that learn, by the names they have in it."""
        self.model = Seeing(network, encoder.images, job.model)
        self.slower = {f"network.{name}": options.encoder_rate for name in self.learned}
        self.order = job.order
        self._pool = ThreadPoolExecutor(min(8, len(os.sched_getaffinity(0))))  # Pillow lets go of the interpreter
        self._warned = False

    def batch(self, step: int, part: loop.Part) -> dict[str, Tensor]:
        batch = self.job.batch(step, part)
        rows = self.order(step)
        opened = list(self._pool.map(self._open, rows[part.rows(len(rows))]))
        readable = [pixels for pixels in opened if pixels is not None]
        if opened and not readable:
            raise InputError("expected pictures that can be read, got a batch without one; see the warning above")
        batch["vectors"] = torch.stack([readable[0] if pixels is None else pixels for pixels in opened])
        lost = torch.tensor(
            [pixels is None for pixels in opened]
        )  # they stand in the batch, but nothing is asked of them
        batch["targets"][lost[batch["owners"]]] = IGNORED
        return batch

    def _open(self, row: np.integer) -> Tensor | None:
        try:
            return self.preprocess(pictures.load(self.seen[int(row)]))
        except InputError as error:
            if not self._warned:
                log.warning("pictures that cannot be read are passed over, the first: %s", error)
            self._warned = True
            return None

    def loss(self, model: nn.Module, batch: dict[str, Tensor], part: loop.Part) -> Tensor:
        words, _ = batch.pop("words"), batch.pop("normal")  # nothing comes between a picture and the model
        return model(batch.pop("vectors"), **batch) / words

    def validate(self) -> dict[str, float]:
        return self.job.validate()
