"""What the system tells of its processor: on Linux everything, elsewhere as much as Python knows."""

from __future__ import annotations

import os
import platform
from functools import cache
from pathlib import Path

TOLD = Path("/proc/cpuinfo")


def cores() -> int:
    """How many cores this process may use; where the system does not say, all there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def name() -> str:
    """The processor's name."""
    return _told().get("model name", "") or platform.processor() or platform.machine()


def vendor() -> str:
    """Who made it, e.g. AuthenticAMD; nothing where the system does not say."""
    return _told().get("vendor_id", "")


def flags() -> set[str]:
    """What it can do, in its own words, e.g. avx512f; nothing where the system does not say."""
    return set((_told().get("flags") or _told().get("Features") or "").split())


@cache
def _told() -> dict[str, str]:
    """The first processor's lines."""
    if not TOLD.is_file():
        return {}
    first = TOLD.read_text(encoding="utf-8").partition("\n\n")[0]
    return {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in first.splitlines())}
