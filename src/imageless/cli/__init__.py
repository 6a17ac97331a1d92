"""The command line: a verb for each stage, no logic of its own.

One result goes to stdout, progress to stderr. A user's mistake is one line and exit code 2. Nothing heavy is imported
before a verb has its arguments, so that `--help` answers at once.
"""

from __future__ import annotations

import io
import logging
import os
import sys

from cyclopts import Group
from cyclopts.exceptions import CycloptsError

from imageless import shown
from imageless.cli import asking, keeping, learning, measuring, sharing
from imageless.cli.words import app
from imageless.errors import InputError

__all__ = ["app", "asking", "keeping", "learning", "main", "measuring", "sharing"]

for _number, _file in enumerate(
    (learning, asking, measuring, sharing)
):  # help lists a verb under the file it stands in
    _group = Group(_file.__name__.rpartition(".")[2].title(), sort_key=_number)
    for _verb in app:
        if app[_verb].default_command.__module__ == _file.__name__:
            app[_verb].group = _group


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
    except BrokenPipeError:  # who reads has read enough, as in `imageless list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains while it goes
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        fail("stopped; a training goes on from its last checkpoint with --resume", code=130)


def fail(message: str, code: int = 2) -> None:
    print(f"imageless: {message}", file=sys.stderr)
    raise SystemExit(code)
