"""What becomes of memory and time as text grows tenfold: embedding captions with the world's encoder, and learning from them."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from imageless.benchmarks.base import Figure
from imageless.benchmarks.text_embedding import captions
from imageless.errors import InputError

SIZES = (100_000, 200_000, 500_000, 1_000_000)
STEPS = 50
LOOK_EVERY = 0.02  # seconds between two looks at a process's memory


def cost(arguments: list[str]) -> tuple[float, float]:
    """Seconds and the most megabytes of a fresh process; pages of mapped files, which the system takes back, not counted."""
    began, most = time.perf_counter(), 0.0
    with subprocess.Popen(
        [sys.executable, "-m", "imageless", *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as child:
        while child.poll() is None:
            most = max(most, _megabytes(child.pid))
            time.sleep(LOOK_EVERY)
        if child.returncode:
            raise InputError(f"expected imageless {arguments[0]} to end well, it gave {child.returncode}")
    return time.perf_counter() - began, most


def _megabytes(process: int) -> float:
    """Of memory that belongs to the process alone, as Linux tells; 0 once it has ended."""
    try:
        lines = Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1024


def figures(quick: bool) -> list[Figure]:
    if not Path("/proc/self/status").is_file():
        raise InputError("growth: expected a system that tells a process's memory in /proc, as Linux does")
    sizes = (500, 5_000) if quick else SIZES
    embedding, training = [], []
    with tempfile.TemporaryDirectory() as folder:
        for size in sizes:
            text, table, run = (Path(folder) / f"{name}-{size}" for name in ("text.txt", "table", "run"))
            text.write_text("\n".join(captions(size)) + "\n", encoding="utf-8")
            common = [f"text:{text}", "--encoder", "world", "--device", "cpu"]
            embedding.append(cost(["embed", *common, "--of", "text", "--out", str(table)]))
            steps = ["--lm", "world", "--vectors", str(table), "--steps", str(STEPS), "--out", str(run)]
            training.append(cost(["train", "captioning", *common, *steps]))
    return [
        figure
        for name, costs in (("embedding", embedding), (f"{STEPS} steps of training", training))
        for figure in rows(name, sizes, costs)
    ]


def rows(name: str, sizes: tuple[int, ...], costs: list[tuple[float, float]]) -> list[Figure]:
    """How many times the smallest's memory the largest takes, and what one caption more takes."""
    seconds, megabytes = np.array(costs).T
    told = [
        f"{size:,}: {took:.1f} s, {most:.0f} MB" for size, took, most in zip(sizes, seconds, megabytes, strict=True)
    ]
    what = {"input": f"{sizes[0]:,} to {sizes[-1]:,} captions, the world's encoder", "sizes": "; ".join(told)}
    each = 1e6 * float(np.polyfit(sizes, seconds, 1)[0])
    grown = float(megabytes[-1] / megabytes[0])
    return [
        Figure(f"memory of {name}", "times the smallest's", None, grown, None, "< 1.1", {}, what=what),
        Figure(f"time of {name}", "microseconds a caption", None, each, None, "linear", {}, what=what),
    ]
