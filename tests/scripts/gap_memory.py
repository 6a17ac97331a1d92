"""What fitting and measuring the gap takes of time and memory on tables of any size; Linux.

    python tests/scripts/gap_memory.py --rows 1000000 --dim 768 --gib 2

The two tables, of random vectors, are written to a temporary folder first (4 bytes for each pair and dimension) and read back
mapped. What is mapped can be dropped at any time and is not counted; everything else the process holds is, with Python and
torch themselves. Ends with exit code 1 where that was ever more than --gib.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

from imageless.analysis.gap import measure
from imageless.fitting import fit
from imageless.moments import pairs
from imageless.vectors import SHARD_ROWS, About, ShardWriter, VectorTable


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("--rows", type=int, default=1_000_000)
    words.add_argument("--dim", type=int, default=768)
    words.add_argument("--gib", type=float, default=2.0)
    asked = words.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        texts, images = (write(Path(folder) / side, side, asked.rows, asked.dim) for side in ("text", "image"))
        peak = [0.0]
        threading.Thread(target=watch, args=[peak], daemon=True).start()
        seconds = {}
        rows = np.arange(asked.rows)
        for name, work in {
            "adapt": lambda: [fit(kind, pairs(texts, images, rows, rows)) for kind in ("linear", "covariance")],
            "gap": lambda: measure(texts, images, rows, rows),
        }.items():
            began = time.monotonic()
            work()
            seconds[name] = round(time.monotonic() - began, 1)
    print(json.dumps({"rows": asked.rows, "dim": asked.dim, "seconds": seconds, "peak_gib": round(peak[0], 2)}))
    sys.exit(peak[0] > asked.gib)


def watch(peak: list[float]) -> None:
    """Keep the most memory of its own the process has held, in GiB."""
    while True:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        held = next(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))
        peak[0] = max(peak[0], held / 2**20)
        time.sleep(0.02)


def write(folder: Path, side: str, rows: int, dim: int) -> VectorTable:
    """A table of random vectors, a shard at a time; pictures lie one step off their captions."""
    writer = ShardWriter(folder, side)
    starts = range(0, rows, SHARD_ROWS)
    for number, start in enumerate(starts):
        count = min(SHARD_ROWS, rows - start)
        vectors = np.random.default_rng(number).standard_normal((count, dim), dtype=np.float32)
        if side == "image":
            vectors += 1 + np.random.default_rng([number, 1]).standard_normal((count, dim), dtype=np.float32)
        writer.write(number, [str(start + row) for row in range(count)], vectors)
    writer.finish(About(side, "random", "random", dim, rows, len(starts), side, {}))
    return VectorTable(folder)


if __name__ == "__main__":
    main()
