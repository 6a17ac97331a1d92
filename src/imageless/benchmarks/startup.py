"""From nothing to something: importing the package, its help, and the first caption of a run, each in a fresh process."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from imageless import data
from imageless.benchmarks.base import Figure
from imageless.options import TrainOptions
from imageless.stages.train import train

FLOORS = {"torch": "import torch", "torch and transformers": "import torch, transformers.models.t5.modeling_t5"}


def seconds(arguments: list[str], rounds: int) -> float:
    """The median of a few fresh processes, the first of several left out, which warms the disk."""
    taken = []
    for _ in range(rounds):
        began = time.perf_counter()
        subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
        taken.append(time.perf_counter() - began)
    return statistics.median(taken[1:] or taken)


def figures(quick: bool) -> list[Figure]:
    rounds, floors = (1, {}) if quick else (6, FLOORS)
    with tempfile.TemporaryDirectory() as folder:
        run, picture = Path(folder) / "run", Path(folder) / "picture.png"
        options = TrainOptions(device="cpu", setting="single", noise=0.08, steps=1, batch_size=4, limit=8)
        train("captioning", ["world"], run, "world", "world", options)
        shown = next(data.read("world", "test", limit=1)).image
        assert shown is not None
        shown.open().save(picture)
        taken = {
            "nothing": seconds(["-c", ""], rounds),
            "import imageless": seconds(["-c", "import imageless"], rounds),
            "imageless --help": seconds(["-m", "imageless", "--help"], rounds),
            "first caption": seconds(["-m", "imageless", "caption", str(run), str(picture)], rounds),
            **{name: seconds(["-c", code], rounds) for name, code in floors.items()},
        }
    goals = {"import imageless": "0.2 s", "imageless --help": "0.4 s", "first caption": "3 s"}
    told = ", ".join(f"{name} {taken[name]:.2f} s" for name in ("nothing", *floors))
    return [Figure(name, "s", None, taken[name], None, goal, {}, what={"floors": told}) for name, goal in goals.items()]
