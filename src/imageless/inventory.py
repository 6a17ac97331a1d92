"""What imageless made and where it lies: what `imageless list` tells, and the cache that it empties.

A folder is known by the file that was written last into it; nothing is loaded. Of the cache only what is called as imageless
calls it is touched, so that nothing a person keeps there is lost.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

from imageless.errors import InputError
from imageless.folders import cache, disk_errors, locked, partial, replaced, size

DEPTH = 4  # levels below a given folder: runs/2026/reviews/seed-0
KEPT = {
    "tables": ("vector tables", r"(text|image)-[0-9a-f]{12}-[0-9a-f]{20}"),  # stages/embed.py
    "pixels": ("sets of decoded pictures", r"[0-9a-f]{24}"),  # stages/pretraining/inputs.py
    "nltk/corpora": ("copies of WordNet", "wordnet"),  # wordnet.py
}
"""What the cache has where, and how its folders are called."""


@dataclass(frozen=True)
class Thing:
    """Something that was made."""

    kind: str
    path: str
    bytes: int
    what: str
    date: str
    """When it was finished."""


def inventory(folders: Sequence[Path]) -> dict[str, Any]:
    """The things in the folders and a few levels down, and what the cache holds."""
    for folder in folders:
        if not folder.is_dir():
            raise InputError(f"expected a folder to look through, got {folder}; check the path")
    seen = {cache().resolve()}
    things = [thing for folder in folders for thing in _things(folder, DEPTH, seen)]
    return {"things": [asdict(thing) for thing in [*things, *_cached()]]}


def clean() -> dict[str, Any]:
    """Empty the cache of what imageless keeps there, but for what a process makes right now.

    Locks stay, empty as they are: a process may be waiting for one. Tables and pictures in use are open and stay readable.
    """
    from filelock import Timeout

    removed, freed, left = 0, 0, 0
    for folder in _kept():
        try:
            with disk_errors(folder), locked(folder, patience=0):
                freed += _remove(folder)
                removed += 1
        except Timeout:
            left += 1
    return {"cache": str(cache()), "removed": removed, "freed": freed, "left": left}


def _things(folder: Path, depth: int, seen: set[Path]) -> Iterator[Thing]:
    """A folder itself if it is a thing, else the things below it; each once, wherever links lead."""
    if folder.resolve() in seen:
        return
    seen.add(folder.resolve())
    thing = _thing(folder)
    if thing is not None:
        yield thing
    elif depth:
        for path in _below(folder):
            yield from _things(path, depth - 1, seen)


def _below(folder: Path) -> list[Path]:
    """The folders in a folder that are neither hidden nor forbidden."""
    with suppress(OSError), os.scandir(folder) as entries:
        return sorted(Path(entry.path) for entry in entries if entry.is_dir() and not entry.name.startswith("."))
    return []


def _thing(folder: Path) -> Thing | None:
    """What a folder is, by what was written last into it."""
    if folder.suffix == ".partial" and (folder / "started.json").is_file():
        how = "the same command goes on with --resume and starts anew with --overwrite"
        return _told("unfinished", folder, "started.json", how)
    config, about, made = (_json(folder / name) for name in ("config.json", "about.json", "training.json"))
    encoder, model = config.get("encoder"), config.get("model")
    if "task" in config and isinstance(encoder, dict):
        setting = f" ({config['setting']})" if config.get("setting") else ""
        read = f"encoder {encoder.get('name')}, language model {config.get('lm')}"
        return _told("run", folder, "config.json", f"{config['task']}{setting} from {config.get('on')}, {read}")
    if config.get("kind") == "dual_encoder" and isinstance(model, dict):
        sides = "texts and pictures" if model.get("text_width") else "pictures"
        return _told("encoder", folder, "config.json", f"{sides} in {model.get('dim')} dimensions")
    if "kind" in config and (folder / "adapter.safetensors").is_file():
        return _told("adapter", folder, "config.json", f"{config['kind']}, encoder {encoder}")
    if "side" in about and isinstance(rows := about.get("rows"), int):
        what = f"{rows:,} {about['side']} vectors, encoder {about.get('encoder')}"
        return _told("table", folder, "about.json", what)
    if "lm" in made:
        return _told("language model", folder, "training.json", f"from {made['lm']}")
    return None


def _told(kind: str, folder: Path, last: str, what: str) -> Thing:
    return Thing(kind, str(folder), size(folder), what, _day(folder / last))


def _day(path: Path) -> str:
    """When something was written last."""
    return date.fromtimestamp(path.stat().st_mtime).isoformat()


def _json(path: Path) -> dict[str, Any]:
    """The object in a file, or nothing: what cannot be read is none of ours."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _cached() -> Iterator[Thing]:
    """What the cache holds, a line a kind."""
    kept = _kept()
    for place, (what, _) in KEPT.items():
        here = [folder for folder in kept if folder.parent == cache() / place]
        if here:
            bytes = sum(size(path) for folder in here for path in _forms(folder))
            yield Thing("cache", str(cache() / place), bytes, f"{what}: {len(here)}", _day(cache() / place))


def _kept() -> list[Path]:
    """The folders imageless keeps in the cache, finished or not, by the names of the finished."""
    found = set()
    for place, (_, called) in KEPT.items():
        for path in (cache() / place).glob("*"):
            match = re.fullmatch(rf"({called})(\.partial|\.old)?", path.name)
            if match and path.is_dir() and not path.is_symlink():
                found.add(path.with_name(match[1]))
    return sorted(found)


def _forms(folder: Path) -> list[Path]:
    """What there is of a folder: itself, the work towards it, what is being removed of it."""
    return [path for path in (replaced(folder), partial(folder), folder) if path.is_dir()]


def _remove(folder: Path) -> int:
    """Remove all there is of a folder; half of it never lies under its name. How many bytes it was."""
    freed, aside = 0, replaced(folder)
    for path in _forms(folder):
        freed += size(path)
        if path != aside:
            path.rename(aside)
        shutil.rmtree(aside)
    return freed
