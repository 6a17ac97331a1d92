"""What every task states about itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Defaults:
    """Lengths, beams and batch of a task when nothing else is said."""

    longest_prompt: int
    longest_target: int
    beams: int
    batch_size: int
    length_penalty: float = 0.0
    """The released code compares beams by log probability alone (AllenNLP beam search, close @ 80f8db0)."""


@dataclass(frozen=True)
class Scored:
    """Scores of a whole split, and of each answer in the order they were given."""

    corpus: Mapping[str, float]
    items: Mapping[str, np.ndarray]
