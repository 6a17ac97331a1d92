"""What every figure shares: runs in turns, their medians, and where they were taken."""

from __future__ import annotations

import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from importlib.metadata import version
from typing import Any

from imageless import processor


@dataclass(frozen=True)
class Figure:
    """A row: what people would write today beside what is done here."""

    figure: str
    unit: str
    baseline: float | None
    ours: float
    ratio: float | None
    """Median over the rounds of ours over the baseline's, taken in turns; more is better."""
    goal: str
    agreement: dict[str, float]
    """How far what the two give is alike."""
    of_ceiling: float | None = None
    """The share of the arithmetic that this machine does in a large matrix product, as measured in the same run."""
    what: dict[str, str] = field(default_factory=dict)
    """What was run: baseline, ours, input."""
    rounds: list[float] = field(default_factory=list)
    """The ratio of every round."""


def in_turns(runs: Sequence[Callable[[], Any]], rounds: int) -> list[list[float]]:
    """Seconds of each run in each round, one after the other within a round; each goes once before that, untimed."""
    for run in runs:
        run()
    taken: list[list[float]] = [[] for _ in runs]
    for _ in range(rounds):
        for run, seconds in zip(runs, taken, strict=True):
            began = time.perf_counter()
            run()
            seconds.append(time.perf_counter() - began)
    return taken


@contextmanager
def empty_cache() -> Iterator[None]:
    """Nothing is at hand that was made before."""
    before = os.environ.get("IMAGELESS_CACHE")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["IMAGELESS_CACHE"] = folder
        try:
            yield
        finally:
            if before is None:
                del os.environ["IMAGELESS_CACHE"]
            else:
                os.environ["IMAGELESS_CACHE"] = before


def row(
    figure: str,
    unit: str,
    amount: float,
    baseline: Sequence[float],
    ours: Sequence[float],
    goal: str,
    agreement: dict[str, float],
    **more: Any,
) -> Figure:
    """A figure from the seconds of both, where each did `amount` of the unit."""
    rounds = [theirs / mine for theirs, mine in zip(baseline, ours, strict=True)]
    return Figure(
        figure,
        unit,
        amount / statistics.median(baseline),
        amount / statistics.median(ours),
        statistics.median(rounds),
        goal,
        agreement,
        rounds=rounds,
        **more,
    )


def machine() -> dict[str, Any]:
    """Where and with what."""
    import torch

    return {
        "processor": processor.name(),
        "cores": processor.cores(),
        "threads": torch.get_num_threads(),
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        "system": platform.platform(),
        "versions": {name: version(name) for name in ("torch", "transformers", "open-clip-torch", "numpy")},
        "date": date.today().isoformat(),
    }
