"""Several files by one word: a file, a folder of tars, a glob, or the braces that webdataset shards are written with.

flickr8k/flickr8k-train-{000..003}.tar      flickr8k/*.tar      flickr8k/
"""

from __future__ import annotations

import glob
import itertools
import os
import re
from collections.abc import Iterator

from imageless.errors import InputError

MOST = 1_000_000  # files one pattern may name: {0..999999999999} is a slip of the hand


def expand(pattern: str, expected: str) -> list[str]:
    """The existing files a pattern names, in order; a folder stands for the tars in it."""
    paths = []
    for word in itertools.islice(_braces(pattern), MOST):
        if os.path.isdir(word):
            paths += sorted(glob.glob(os.path.join(glob.escape(word), "*.tar")))
        elif os.path.exists(word):
            paths.append(word)
        elif glob.has_magic(word):
            paths += sorted(glob.glob(word, recursive=True))
        else:
            raise InputError(f"{word}: expected {expected}, got no such file; check the path")
    if not paths:
        raise InputError(f"{pattern}: expected {expected}, got nothing; check the path")
    return paths


def _braces(pattern: str) -> Iterator[str]:
    """`a{1,2}` is a1 and a2; `{008..010}` counts and keeps the zeros; several braces multiply."""
    match = re.search(r"\{([^{}]*)\}", pattern)
    if match is None or os.path.exists(pattern):
        yield pattern
        return
    before, inside, after = pattern[: match.start()], match[1], pattern[match.end() :]
    run = re.fullmatch(r"(\d+)\.\.(\d+)", inside)
    if run is None and "," not in inside:
        raise InputError(f"{pattern}: expected {{000..123}} or {{a,b}} in braces, got {match[0]}")
    choices = _count(*run.groups()) if run else iter(inside.split(","))
    for choice in choices:
        yield from _braces(before + choice + after)


def _count(first: str, last: str) -> Iterator[str]:
    return (f"{number:0{len(first)}d}" for number in range(int(first), int(last) + 1))
