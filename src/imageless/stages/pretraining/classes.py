"""Pictures are told what is in them: the loop's job of supervised pretraining, without a word of language.

A picture may have one class (cross entropy) or several (binary cross entropy of each). The classifier is thrown away in the
end, and what it stood on is the encoder.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imageless import loop
from imageless.errors import InputError
from imageless.models.dual_encoder import DualEncoder
from imageless.options import PretrainOptions
from imageless.records import Record
from imageless.stages.pretraining.inputs import Batches, Inputs


class Classifier(nn.Module):
    """An image tower with a linear layer on its vectors."""

    def __init__(self, encoder: DualEncoder, classes: int):
        super().__init__()
        self.encoder = encoder
        self.encoder.logit_scale.requires_grad_(False)
        self.head = nn.Linear(encoder.config.dim, classes)

    def forward(self, pixels: Tensor) -> Tensor:
        return self.head(F.gelu(self.encoder.images(pixels)))


class Classes:
    """A batch of pictures with what is in each."""

    def __init__(
        self, encoder: DualEncoder, records: Sequence[Record], held_out: Sequence[Record], options: PretrainOptions
    ):
        self.names = sorted({name for record in records for name in labels_of(record)})
        if len(self.names) < 2:
            raise InputError(
                f"--objective classes: expected pictures of at least two classes, got {', '.join(self.names) or 'none'}; "
                "e.g. imagefolder:FOLDER, or a column ?label=COLUMN"
            )
        self.model = Classifier(encoder, len(self.names))
        self.single = all(len(labels_of(record)) == 1 for record in records)
        inputs = Inputs(encoder, list(records), options.lock_image, options.stream)
        self.batches = Batches(inputs, options)
        self.targets = self._targets([records[int(row)] for row in inputs.records])
        self.held_out = Inputs(encoder, list(held_out), options.lock_image) if held_out else None
        if self.held_out:
            self.held_targets = self._targets([held_out[int(row)] for row in self.held_out.records])

    def _targets(self, records: Sequence[Record]) -> Tensor:
        """1 where a picture is of a class, (records, classes)."""
        places = {name: number for number, name in enumerate(self.names)}
        targets = torch.zeros(len(records), len(places))
        for row, record in enumerate(records):
            targets[row, [places[name] for name in labels_of(record) if name in places]] = 1
        return targets

    def batch(self, step: int, part: loop.Part) -> dict[str, Tensor]:
        rows = self.batches.order(step)
        mine = part.rows(len(rows))
        return {"pixels": self.batches.seen(rows, mine, step), "targets": self.targets[torch.from_numpy(rows[mine])]}

    def loss(self, model: nn.Module, batch: dict[str, Tensor], part: loop.Part) -> Tensor:
        logits, targets = model(batch["pixels"]).float(), batch["targets"]
        if self.single:
            return F.cross_entropy(logits, targets.argmax(-1)) / part.count
        return F.binary_cross_entropy_with_logits(logits, targets) / part.count

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Of the classes of a held-out picture, the share among its as many likeliest."""
        if self.held_out is None:
            return {}
        device = self.model.head.weight.device
        parts = np.array_split(np.arange(len(self.held_out)), 8)
        logits = torch.cat([self.model(self.held_out[part].to(device)).float().cpu() for part in parts])
        wanted = self.held_targets.sum(1, keepdim=True)
        ranks = logits.argsort(1, descending=True).argsort(1)
        found = ((ranks < wanted) * self.held_targets).sum(1) / wanted.squeeze(1).clamp(min=1)
        return {"classes_found": float(found.mean())}


def labels_of(record: Record) -> tuple[str, ...]:
    """The classes of a picture: its `labels`, or its one `label`."""
    labels = record.fields.get("labels") or record.fields.get("label") or ()
    return (labels,) if isinstance(labels, str) else tuple(labels)
