"""Where the time of each stage goes, by kind of work, as rows for docs/performance.md.

    python tests/scripts/profile_stages.py

ViT-L/14 and T5-base with random weights, as in `imageless bench`; each stage is run once before it is looked at. What no operator of
PyTorch's accounts for is Python, files, pictures being decoded, and waiting.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch.profiler import ProfilerActivity, profile

from imageless.benchmarks import answering, image_embedding, text_embedding, training
from imageless.benchmarks.base import empty_cache, machine
from imageless.tokens import train_tokenizer

KINDS = {
    "matrix products": ("mm", "linear", "matmul", "convolution", "mkldnn", "onednn"),
    "attention": ("attention", "softmax", "bmm"),
    "moving and copying": (
        "copy",
        "cat",
        "index",
        "gather",
        "stack",
        "fill",
        "zero",
        "embedding",
        "clone",
        "contiguous",
    ),
    "optimiser": ("adam", "foreach", "norm_"),
}
"""By what the names of operators contain; all others are the rest of the arithmetic: norms, activations, sums."""


def shares(run: Callable[[], Any]) -> tuple[float, dict[str, float]]:
    """Seconds, and the share of each kind of work in them."""
    run()
    began = time.perf_counter()
    with profile(activities=[ProfilerActivity.CPU]) as seen:
        run()
    seconds = time.perf_counter() - began
    found = dict.fromkeys([*KINDS, "other arithmetic"], 0.0)
    for event in seen.key_averages():
        found[_kind(event.key)] += event.self_cpu_time_total / 1e6 / seconds
    return seconds, found | {"everything else": max(0.0, 1 - sum(found.values()))}


def _kind(name: str) -> str:
    name = name.rpartition("::")[2] if name.startswith("aten::") else name
    order = ["attention", "optimiser", "matrix products", "moving and copying"]  # a bmm is attention's, an addmm is not
    return next((kind for kind in order if any(part in name for part in KINDS[kind])), "other arithmetic")


def stages(dtype: torch.dtype) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Each stage of the main path by its name."""
    clip, told = text_embedding.encoder(dtype), text_embedding.captions(512)
    yield "embedding 512 captions", lambda: text_embedding.embedded(told, clip)
    with tempfile.TemporaryDirectory() as folder:
        shown = image_embedding.photographs(Path(folder), 64, image_embedding.SMALL)
        yield "embedding 64 photographs", lambda: image_embedding.ours(shown, clip)
    model = answering.close(answering.BASE).requires_grad_(True)
    with empty_cache():
        job = training.learning(model, told, clip, train_tokenizer(told, 512))
        name = str(dtype).removeprefix("torch.")
        yield "4 steps of 128 captions", lambda: training.learned(job, 4, name)
    model = answering.close(answering.BASE, dtype)
    vectors = F.normalize(torch.randn(64, answering.DIM), dim=-1).to(dtype)
    with torch.no_grad():
        yield "1 caption of 12 tokens", lambda: answering.ours(model, vectors[:1], 12, 1)
        yield "64 captions at once", lambda: answering.ours(model, vectors, 12, 64)


def main() -> None:
    about = machine()
    print(f"{about['date']}, {about['processor']}, {about['threads']} threads, {os.getloadavg()[0]:.1f} waiting\n")
    heads = [*KINDS, "other arithmetic", "everything else"]
    print(f"| stage | dtype | seconds | {' | '.join(heads)} |\n|{'---|' * (3 + len(heads))}")
    for dtype in (torch.float32, torch.bfloat16):
        for name, run in stages(dtype):
            seconds, found = shares(run)
            cells = " | ".join(f"{100 * found[head]:.0f} %" for head in heads)
            print(f"| {name} | {str(dtype).removeprefix('torch.')} | {seconds:.2f} | {cells} |")


if __name__ == "__main__":
    main()
