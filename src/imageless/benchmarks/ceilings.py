"""What this machine can do at best: multiply large matrices, and copy memory."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache

SIDE = 4096
COPIED = 1 << 28  # bytes


def measure(quick: bool = False) -> dict[str, float]:
    """Billions of operations a second in a matrix product by precision, and gigabytes a second of memory read and written."""
    import torch

    side, copied = (512, 1 << 22) if quick else (SIDE, COPIED)
    source, target = torch.ones(copied // 4), torch.empty(copied // 4)
    return {
        "float32_gflops": gflops(torch.float32, side),
        "bfloat16_gflops": gflops(torch.bfloat16, side),
        "copy_gb_per_s": 2 * copied / 1e9 / _best(lambda: target.copy_(source)),
    }


@cache
def gflops(dtype: object, side: int) -> float:
    """Billions of operations a second in a product of square matrices, by the best way there is, measured once a run."""
    import torch

    from imageless.models import packed

    device = "cuda" if torch.cuda.is_available() else "cpu"
    matrix = torch.randn(side, side, device=device).to(dtype)  # pyright: ignore[reportCallIssue, reportArgumentType]
    ways: list[Callable[[], object]] = [lambda: float((matrix @ matrix)[0, 0])]  # reading a number waits for the device
    if packed.possible(matrix.device, matrix.dtype):
        laid_out = packed.Packed(matrix)
        ways.append(lambda: laid_out(matrix))
    return 2 * side**3 / 1e9 / min(map(_best, ways))


def _best(run: Callable[[], object], tries: int = 5) -> float:
    """Seconds of the best of a few tries: a ceiling is what was once reached."""
    run()
    best = float("inf")
    for _ in range(tries):
        began = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - began)
    return best
