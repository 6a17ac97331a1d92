"""Every random draw in training, keyed by (seed, step, row of the global batch).

One process or eight, stopped and resumed or not: step s sees the same examples in the same order with the same noise.
Nothing here keeps a state that would have to be saved.
"""

from __future__ import annotations

import hashlib

import numpy as np
import torch
from torch import Tensor

from imageless.errors import InputError

BUCKET_POOL = 32  # batches sorted by length together: short padding, still a fresh mixture each epoch


def key(*parts: object) -> int:
    """A 63-bit number that depends on all parts and on nothing else."""
    digest = hashlib.blake2b("/".join(map(str, parts)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def normal(seed: int, step: int, rows: int, dim: int) -> Tensor:
    """Standard normal numbers for a whole global batch, (rows, dim); a process takes its rows of them."""
    generator = torch.Generator().manual_seed(key(seed, "noise", step))
    return torch.randn(rows, dim, generator=generator)


def choices(seed: int, step: int, sizes: np.ndarray, count: int) -> np.ndarray:
    """For each row of the global batch `count` of its `sizes[row]` alternatives, different ones where there are enough."""
    draw = np.random.default_rng(key(seed, "choice", step))
    first = draw.integers(0, sizes)
    apart = np.maximum(1, sizes[:, None] // count)
    return (first[:, None] + np.arange(count) * apart) % sizes[:, None]  # (rows, count)


class Order:
    """Which rows each step sees: every epoch a fresh permutation, batches of like length when lengths are given.

    The last rows of an epoch that do not fill a batch wait for the next permutation.
    """

    def __init__(self, rows: int, batch: int, seed: int, lengths: np.ndarray | None = None):
        self.rows = rows
        self.batch = min(batch, rows)
        self.seed = seed
        self.lengths = lengths
        self.steps_per_epoch = rows // self.batch
        self._epoch: tuple[int, np.ndarray] | None = None

    def expect_rows_for(self, parts: int) -> None:
        """Refuse to cut a batch into more parts than it has rows."""
        if parts > self.batch:
            raise InputError(
                f"expected at most {self.batch} parts of a batch of {self.batch}, got {parts}; "
                "lower --accumulate or start fewer processes"
            )

    def __call__(self, step: int) -> np.ndarray:
        """Row numbers of the global batch at this step, (batch,)."""
        epoch, place = divmod(step, self.steps_per_epoch)
        if self._epoch is None or self._epoch[0] != epoch:
            self._epoch = (epoch, self._shuffle(epoch))
        return self._epoch[1][place]

    def _shuffle(self, epoch: int) -> np.ndarray:
        draw = np.random.default_rng(key(self.seed, "order", epoch))
        rows = draw.permutation(self.rows)[: self.steps_per_epoch * self.batch]
        if self.lengths is not None:
            pool = BUCKET_POOL * self.batch
            pools = (rows[start : start + pool] for start in range(0, len(rows), pool))
            rows = np.concatenate([part[np.argsort(self.lengths[part], kind="stable")] for part in pools])
        batches = rows.reshape(self.steps_per_epoch, self.batch)
        return batches[draw.permutation(self.steps_per_epoch)]
