"""Lines of a text file, numbered from one so that every complaint can name its line; and JSON that complains in one.

UTF-8, with or without a byte-order mark; any line ends.
"""

from __future__ import annotations

import gzip
import json
import os
import zlib
from collections.abc import Callable, Iterator
from typing import Any

from imageless.errors import InputError


def lines(path: str, longest: int, expected: str) -> Iterator[tuple[int, str]]:
    """(number, line) without its end; a line over `longest` characters is refused, as it is no `expected`."""
    require_file(path, expected)
    with open(path, encoding="utf-8-sig", errors="surrogateescape") as file:
        number = 0
        while line := file.readline(longest + 2):
            number += 1
            line = line.removesuffix("\n")
            if len(line) > longest:
                raise InputError(
                    f"{path}, line {number}: expected {expected}, got over {longest:,} characters; split it into lines"
                )
            _require_text(line, path, number)
            yield number, line


def unpacked_lines(path: str, longest: int, expected: str) -> Iterator[tuple[int, str]]:
    """As `lines`, also of a file that gzip has packed."""
    if not path.lower().endswith(".gz"):
        yield from lines(path, longest, expected)
        return
    require_file(path, expected)
    number = 0
    try:
        with gzip.open(path) as file:
            while line := file.readline(longest + 2):
                number += 1
                if len(line) > longest + 1:
                    raise InputError(
                        f"{path}, line {number}: expected {expected}, got over {longest:,} bytes; split it"
                    )
                yield number, line.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError as error:
        reason = f"expected UTF-8, got {error.reason} at byte {error.start}; convert it"
        raise InputError(f"{path}, line {number}: {reason}") from None
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError(f"{path}: expected a whole gzip file, got {error}; fetch it again") from None


def require_file(path: str, expected: str) -> None:
    """Refuse what is missing, a folder, or empty."""
    if os.path.isdir(path):
        raise InputError(f"{path}: expected {expected} in a file, got a folder; name a file in it")
    if not os.path.exists(path):
        raise InputError(f"{path}: expected {expected} in a file, got no such file; check the path")
    if not os.access(path, os.R_OK):
        raise InputError(f"{path}: expected {expected}, got a file that may not be read; change its permissions")
    if os.path.isfile(path) and os.path.getsize(path) == 0:
        raise InputError(f"{path}: expected {expected}, got an empty file; write some into it")


def _require_text(line: str, path: str, number: int) -> None:
    try:
        line.encode("utf-8")
    except UnicodeEncodeError as error:  # bytes that are not UTF-8 came through as lone surrogates U+DC80..U+DCFF
        byte = ord(line[error.start]) - 0xDC00
        encoding = "UTF-16" if (number, error.start) == (1, 0) and byte in (0xFE, 0xFF) else "LATIN1"
        raise InputError(
            f"{path}, line {number}: expected UTF-8, got byte 0x{byte:02x} at character {error.start + 1}; "
            f"convert it: iconv -f {encoding} -t UTF-8 {path} > FILE"
        ) from None
    if "\0" in line:
        raise InputError(f"{path}, line {number}: expected text, got a NUL byte; is this a binary file, or UTF-16?")


def parse_json(text: str, where: str, object_hook: Callable[[dict[str, Any]], Any] | None = None) -> Any:
    """The value that a piece of JSON describes."""
    try:
        return json.loads(text, object_hook=object_hook)
    except json.JSONDecodeError as error:
        reason = f"{error.msg} at character {error.pos + 1:,}"
    except RecursionError:
        reason = "too many brackets inside each other"
    except ValueError as error:  # a number of thousands of digits
        reason = str(error)
    raise InputError(f"{where}: expected JSON, got broken JSON ({reason}); mend it or fetch it again")


def read_json(path: str, expected: str, object_hook: Callable[[dict[str, Any]], Any] | None = None) -> Any:
    """A whole file of JSON."""
    require_file(path, expected)
    with open(path, encoding="utf-8-sig", errors="replace") as file:
        return parse_json(file.read(), path, object_hook)
