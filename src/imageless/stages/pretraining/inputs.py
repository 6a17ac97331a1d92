"""What an image tower is fed while it learns: every picture decoded once, or a locked network's features of it."""

from __future__ import annotations

import hashlib
import logging

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from imageless import draws
from imageless.errors import InputError
from imageless.folders import cache
from imageless.models.dual_encoder import DualEncoder
from imageless.options import PretrainOptions
from imageless.pixels import Anew, PixelTable, Resize, View, decode
from imageless.records import Picture, Record
from imageless.screen import progress

log = logging.getLogger(__name__)


class Inputs:
    """What the image tower is fed, by record: pixels, decoded once or anew each time, or a locked network's features of them."""

    def __init__(self, model: DualEncoder, records: list[Record], locked: bool, stream: bool = False):
        pictures = {
            record.image.name: record.image for record in records if record.image
        }  # each once, however often shown
        place = {name: row for row, name in enumerate(pictures)}
        rows = np.array([place[record.image.name] for record in records if record.image])
        config = model.config
        preprocess = View.of(config.view) if config.view else Resize(config.image_size)
        shown = list(pictures.values())
        self.pixels: PixelTable | Anew = (
            Anew(shown, preprocess) if stream else _decoded(shown, preprocess, config.image_size, repr(config.view))
        )
        readable = np.array([row not in self.pixels.failed for row in rows])
        if not readable.all():
            first = next(iter(self.pixels.failed.values()))
            log.warning(
                "%d of %d pictures could not be read and are left out, the first: %s",
                (~readable).sum(),
                len(rows),
                first,
            )
        self.records = np.flatnonzero(readable)
        """Which of the records have a readable picture."""
        self.rows = rows[self.records]
        self.features = self._features(model) if locked else None

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, rows: np.ndarray) -> Tensor:
        if self.features is not None:
            return self.features[torch.from_numpy(self.rows[rows])]
        return self.pixels[self.rows[rows]]

    @torch.no_grad()
    def _features(self, model: DualEncoder) -> Tensor:
        """A locked network's features of every picture, computed once."""
        parts = []
        with progress("looking at pictures", len(self.pixels)) as bar:
            for rows in np.array_split(np.arange(len(self.pixels)), max(1, len(self.pixels) // 64)):
                parts.append(model.eval().features(self.pixels[rows]))
                bar.advance(len(rows))
        return torch.cat(parts)


def _decoded(shown: list[Picture], preprocess: Resize | View, size: int, view: str) -> PixelTable:
    """The pictures decoded in the cache."""
    named = [view, *(f"{picture.name} {picture.stamp}" for picture in shown)]
    content = hashlib.sha256("\n".join(named).encode()).hexdigest()[:24]
    return decode(shown, preprocess, size, cache() / "pixels" / content)


class Batches:
    """Batches of pictures by step: which rows, and what the image tower sees of them."""

    def __init__(self, inputs: Inputs, options: PretrainOptions):
        self.inputs, self.options = inputs, options
        self.order = draws.Order(len(inputs), options.batch_size, options.seed)

    def expect_even_parts(self, parts: int) -> None:
        """Every part must hold as many pictures as the others, or they could not be exchanged."""
        if self.order.batch % parts:
            raise InputError(
                f"expected a batch that can be cut into {parts} equal parts, got {self.order.batch} pictures; "
                f"choose --batch-size {max(parts, self.order.batch // parts * parts)}"
            )

    def seen(self, rows: np.ndarray, mine: slice, step: int) -> Tensor:
        """What the tower sees of these of the batch's pictures: cropped at random, or not all of a locked network's features."""
        seen = self.inputs[rows[mine]]
        if self.options.crop < 1:
            draw = np.random.default_rng(draws.key(self.options.seed, "crops", step))
            return cropped(seen, draw.random((len(rows), 3))[mine], self.options.crop)
        if not self.options.feature_dropout:
            return seen
        draw = np.random.default_rng(draws.key(self.options.seed, "features", step))
        kept = torch.from_numpy(draw.random((len(rows), seen.shape[1]))[mine] >= self.options.feature_dropout)
        return seen * kept / (1 - self.options.feature_dropout)


def cropped(pixels: Tensor, chance: np.ndarray, least: float) -> Tensor:
    """A square part of each picture, at least this share of its area, as large as the whole; `chance` is (n, 3) in [0, 1)."""
    side = np.sqrt(least + (1 - least) * chance[:, 0])
    middle = (2 * chance[:, 1:] - 1) * (1 - side)[:, None]
    moved = torch.zeros(len(pixels), 2, 3)
    moved[:, 0, 0] = moved[:, 1, 1] = torch.from_numpy(side)
    moved[:, :, 2] = torch.from_numpy(middle)
    grid = F.affine_grid(moved, list(pixels.shape), align_corners=False)
    seen = F.grid_sample(pixels.float(), grid, padding_mode="reflection", align_corners=False)
    return seen.round().clamp(0, 255).to(torch.uint8)
