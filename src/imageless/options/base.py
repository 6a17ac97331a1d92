"""What the options of many verbs share, and how a path carries options of its own."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Literal


def with_options(path: str) -> tuple[str, dict[str, str]]:
    """A path and what is written behind it: `FILE?part=1/2&style=plain`."""
    match = re.fullmatch(r"(.*?)\?(\w+=[^&]+(?:&\w+=[^&]+)*)", path)  # a `?` of a glob is followed by no NAME=
    if match is None or os.path.exists(path):
        return path, {}
    return match[1], dict(option.split("=", 1) for option in match[2].split("&"))


Kind = Literal["mean", "linear", "covariance", "gaussian", "standardize"]
"""What `imageless adapt` can fit."""


@dataclass(frozen=True)
class Machine:
    """Where and how exactly things are computed."""

    seed: int = 0
    """Where every random draw starts."""
    device: str | None = None
    """cpu, cuda or mps; default: the best there is."""
    dtype: Literal["float32", "bfloat16"] | None = None
    """Arithmetic of the networks; default: bfloat16 on CUDA, float32 elsewhere."""


@dataclass(frozen=True)
class Source:
    """Which part of the data, and where its pictures lie."""

    images: str | None = None
    """Folder or tars with the pictures, when they do not lie beside the file."""
    limit: int | None = None
    """Read only this many records."""
