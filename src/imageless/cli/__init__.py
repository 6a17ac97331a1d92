"""The command line: a verb for each stage, no logic of its own.

One result goes to stdout, progress to stderr. A user's mistake is one line and exit code 2. Nothing heavy is imported
before a verb has its arguments, so that `--help` answers at once.
"""

from __future__ import annotations

import io
import logging
import sys

from cyclopts.exceptions import CycloptsError

from imageless import shown
from imageless.cli import asking, learning, measuring, sharing
from imageless.cli.words import app
from imageless.errors import InputError

__all__ = ["app", "asking", "learning", "main", "measuring", "sharing"]


def main() -> None:
    """Entry point: run a verb, print its result, turn a mistake into one line and exit code 2."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # file names need not be UTF-8
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    logging.getLogger("imageless").setLevel(logging.INFO if shown.speaks() else logging.ERROR)
    try:
        app(sys.argv[1:], exit_on_error=False, print_error=False)
    except CycloptsError as error:
        fail(f"{shown.one_line(str(error))}; see imageless --help")
    except InputError as error:
        fail(shown.one_line(str(error)))
    except KeyboardInterrupt:
        fail("stopped; a training goes on from its last checkpoint with --resume", code=130)


def fail(message: str, code: int = 2) -> None:
    print(f"imageless: {message}", file=sys.stderr)
    raise SystemExit(code)
