"""What is installed, reachable and fast here: what `imageless check` says on one screen.

What an extra adds is read from the package's own metadata: pyproject.toml is the only place that lists it.
"""

from __future__ import annotations

import platform
import shutil
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError, metadata, version
from typing import Any

from packaging.requirements import Requirement

from imageless import __version__, folders, processor, wordnet
from imageless.benchmarks import ceilings

LIBRARIES = ("torch", "transformers", "accelerate", "open-clip-torch", "timm")
INSTRUCTIONS = {
    "AVX2": {"avx2"},
    "AVX512": {"avx512f"},
    "bf16": {"avx512_bf16", "amx_bf16", "bf16"},
    "AMX": {"amx_tile"},
}
"""What makes arithmetic fast, and the processor's own words for it."""


def check() -> dict[str, Any]:
    """Everything worth knowing, in a few seconds."""
    with ThreadPoolExecutor(1) as aside:
        hub = aside.submit(_hub)  # waits for an answer while the rest is measured
        return {
            "imageless": __version__,
            "python": platform.python_version(),
            "system": platform.platform(),
            "libraries": {name: _version(name) for name in LIBRARIES},
            "devices": _devices(),
            "processor": _processor(),
            "gflops": _gflops(),
            "extras": extras("imageless"),
            "java": shutil.which("java"),
            "wordnet": wordnet.at_hand(),
            "cache": {"folder": str(folders.cache()), "bytes": folders.size(folders.cache())},
            "hub": hub.result(),
        }


def extras(package: str) -> dict[str, dict[str, str | None]]:
    """What each extra of a package adds: names with their versions, None where missing. A package not installed has none."""
    try:
        told = metadata(package)
    except PackageNotFoundError:
        return {}
    lines = [Requirement(line) for line in told.get_all("Requires-Dist") or ()]
    conditional = [
        (line.name, line.marker) for line in lines if line.marker and not line.marker.evaluate({"extra": ""})
    ]
    return {
        extra: {name: _version(name) for name, marker in conditional if marker.evaluate({"extra": extra})}
        for extra in told.get_all("Provides-Extra") or ()
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _devices() -> list[dict[str, Any]]:
    """What networks can run on, the default first; with its memory, where a device has its own."""
    import torch

    cards = [torch.cuda.get_device_properties(number) for number in range(torch.cuda.device_count())]
    found = [(f"cuda:{number}", card.name, card.total_memory) for number, card in enumerate(cards)]
    found.append(("cpu", processor.name(), None))
    if torch.backends.mps.is_available():
        found.append(("mps", platform.machine(), None))
    return [{"device": device, "name": name, "bytes": memory} for device, name, memory in found]


def _processor() -> dict[str, Any]:
    """Cores and threads, and which fast instructions there are; where the system does not tell, torch says what it uses."""
    import torch

    flags = processor.flags()
    there = {name: bool(words & flags) for name, words in INSTRUCTIONS.items()} if flags else {}
    return {
        "cores": processor.cores(),
        "threads": torch.get_num_threads(),
        "instructions": there,
        "torch_uses": torch.backends.cpu.get_cpu_capability(),
    }


def _gflops() -> dict[str, float]:
    """Billions of operations a second in a matrix product, on the default device."""
    import torch

    return {name: ceilings.gflops(getattr(torch, name), 1024) for name in ("float32", "bfloat16")}


def _hub() -> bool:
    from imageless.encoders.base import hub_answers

    return hub_answers()
