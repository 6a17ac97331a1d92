"""Nothing is half-written: a folder or file gets its final name only when it is complete.

Work goes on in `NAME.partial`, which a later run can resume; `publish` renames it in one step. With `overwrite` the old
folder stays in place until the new one is ready to take its name.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from imageless.errors import InputError

LAST = ("config.json", "about.json", "scores.json", "measures.json")
"""Written last: of a run or an encoder, a table, an evaluation, a gap."""


def cache() -> Path:
    """Where automatic embeddings and decoded pictures are kept: $IMAGELESS_CACHE, else ~/.cache/imageless."""
    default = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "imageless"
    return Path(os.environ.get("IMAGELESS_CACHE", default))


def size(folder: Path) -> int:
    """Bytes of the files in a folder; what others remove meanwhile counts for nothing."""
    total = 0
    for here, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += os.lstat(os.path.join(here, name)).st_size
    return total


def partial(folder: Path) -> Path:
    """Where the work towards `folder` lies until it is complete."""
    return folder.with_name(folder.name + ".partial")


def expect_free(folder: Path, overwrite: bool = False, resume: bool = False) -> None:
    """Refuse to touch anything that is already made, or begun; what others made is safe from --overwrite too."""
    if folder.name in ("", ".."):
        raise InputError(f"expected the name of a folder to make, got {folder}; choose a name inside it")
    with disk_errors(folder):
        there = folder.exists()
    if there and not overwrite:
        raise InputError(f"{folder} exists already; choose another name or add --overwrite")
    if there and not _is_ours(folder):
        raise InputError(f"expected to overwrite what imageless made, {folder} is something else; choose another name")
    if partial(folder).exists() and not (resume or overwrite):
        raise InputError(
            f"an unfinished run lies at {partial(folder)}; go on with --resume or start anew with --overwrite"
        )


def _is_ours(folder: Path) -> bool:
    return folder.is_dir() and (any((folder / name).is_file() for name in LAST) or not any(folder.iterdir()))


def replaced(folder: Path) -> Path:
    """Where what had this name lies while it is being removed."""
    return folder.with_name(folder.name + ".old")


def begin(folder: Path, overwrite: bool = False, resume: bool = False) -> Path:
    """The folder to work in towards `folder`; to be called when all that was asked for is known to be there."""
    expect_free(folder, overwrite, resume)
    work = partial(folder)
    with disk_errors(work):
        if work.exists() and not resume:
            shutil.rmtree(work)
        work.mkdir(parents=True, exist_ok=True)
    return work


def publish(work: Path, folder: Path) -> None:
    """Give finished work its final name; an older folder of that name makes room only now."""
    old = replaced(folder)
    if folder.exists():
        shutil.rmtree(old, ignore_errors=True)
        folder.rename(old)
    work.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Write a file beside its place, sync it, then rename it there."""
    beside = path.with_name(path.name + ".tmp")
    with disk_errors(path):
        with beside.open("w", encoding="utf-8", errors="backslashreplace") as file:  # file names need not be UTF-8
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)


def write_json(path: Path, value: Any) -> None:
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def read_text(path: Path, what: str) -> str:
    """The text in `path`, which should be `what` (a phrase for the error line)."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"expected {what} in {path}, could not read it: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise InputError(f"expected {what} in {path} as UTF-8, got other bytes at {error.start}; convert it") from None


def read_json(path: Path, what: str) -> dict[str, Any]:
    """The JSON object in `path`, which should be `what` (a phrase for the error line)."""
    if not path.is_file():
        raise InputError(f"expected {what} at {path.parent}, found no {path.name} there")
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, UnicodeDecodeError) as error:
        raise InputError(f"expected {what} in {path}, but it is not readable JSON: {error}") from None
    if not isinstance(value, dict):
        raise InputError(f"expected {what} in {path}, got a {type(value).__name__} instead of an object")
    return value


@contextmanager
def locked(folder: Path, patience: float = -1) -> Iterator[None]:
    """Let one process at a time make `folder`; the others wait, for so many seconds or as long as it takes, and find it made."""
    from filelock import FileLock

    with disk_errors(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_name(folder.name + ".lock"), timeout=patience):
        yield


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn a full disk or a forbidden folder into one line."""
    try:
        yield
    except Exception as error:
        if _is_full(error):
            raise InputError(f"the disk is full, {path} could not be written; free some space and --resume") from None
        if not isinstance(error, OSError):
            raise
        if error.errno in (errno.EACCES, errno.EROFS, errno.EPERM, errno.ENOENT, errno.ENAMETOOLONG):
            raise InputError(
                f"expected a folder to write to, {path} cannot be one ({error.strerror}); choose another place"
            ) from None
        if error.errno in (errno.ENOTDIR, errno.EEXIST):
            raise InputError(
                f"expected a folder at {path.parent}, found a file in the way; choose another name"
            ) from None
        raise


def _is_full(error: Exception) -> bool:
    """numpy (a short write) and safetensors (an error of its own) say so in words only."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    return any(words in str(error) for words in ("No space left on device", " requested and "))
