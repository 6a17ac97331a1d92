"""What every task states about itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Defaults:
    """Lengths, beams and batch of a task when nothing else is said."""

    longest_prompt: int
    longest_target: int
    beams: int
    batch_size: int
