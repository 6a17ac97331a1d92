"""How fast things are beside what people would write today: `imageless bench`.

One file a figure. Each writes the baseline plainly, with public libraries at their best ordinary settings, beside what this package
does, compares what the two give, and times them in turns in one run. A ratio of two such times says something on a shared
machine; a time by itself does not.
"""

from __future__ import annotations

import importlib
import logging
from dataclasses import asdict
from typing import Any

from imageless.benchmarks import ceilings
from imageless.benchmarks.base import Figure, machine
from imageless.errors import InputError
from imageless.screen import progress

log = logging.getLogger(__name__)

FIGURES = {
    "text-embedding": "imageless.benchmarks.text_embedding",
    "image-embedding": "imageless.benchmarks.image_embedding",
    "training": "imageless.benchmarks.training",
    "answering": "imageless.benchmarks.answering",
    "scoring": "imageless.benchmarks.scoring",
    "adapters": "imageless.benchmarks.adapters",
    "growth": "imageless.benchmarks.growth",
    "startup": "imageless.benchmarks.startup",
}
"""Each module has `figures(quick)`, which gives its rows."""


def bench(only: str | None = None, quick: bool = False) -> dict[str, Any]:
    """All figures, or one; `quick` makes them small, to see that they run."""
    if only is not None and only not in FIGURES:
        raise InputError(f"--only: expected one of {', '.join(FIGURES)}, got {only!r}")
    names = [only] if only else list(FIGURES)
    found: list[Figure] = []
    told = {**machine(), **ceilings.measure(quick)}
    with progress("figures", len(names)) as bar:
        for name in names:
            try:
                found += importlib.import_module(FIGURES[name]).figures(quick)
            except InputError as error:
                if only:
                    raise
                log.warning("left out: %s", error)
            bar.advance()
    return {"machine": told, "quick": quick, "figures": [asdict(figure) for figure in found]}
