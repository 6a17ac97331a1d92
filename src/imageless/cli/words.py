"""What all verbs share: the application, the words their signatures use, and how a result is shown."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

from cyclopts import App, Parameter

from imageless import __version__, shown
from imageless.errors import InputError

Word = TypeVar("Word")

app = App(
    name="imageless",
    help="Learn to see from text alone: train on sentences, then caption pictures.",
    version=__version__,
    help_format="plaintext",
    result_action="return_value",
    suppress_keyboard_interrupt=False,  # main says how to go on
)

Data = Annotated[str, Parameter(help="READER:PATH, e.g. text:reviews.txt, karpathy:dataset_coco.json, world")]
DATA = "DATA as READER:PATH"
Out = Annotated[Path, Parameter(help="Folder to write; it appears under this name when it is complete")]
AsJson = Annotated[bool, Parameter(name="--json", negative="", help="Print the result as one JSON object")]
Flat = Parameter(name="*")
Run = Annotated[Path, Parameter(help="A run folder made by `imageless train`, or ORG/NAME on the Hub")]
Image = Annotated[str, Parameter(help="A picture, a glob or a folder", allow_leading_hyphen=True)]


def some(words: Sequence[Word], what: str) -> list[Word]:
    """The words a verb takes any number of, wherever among the options they stand; at least one."""
    if not words:
        raise InputError(f"expected {what}, got none; see --help")
    return list(words)


def paths(images: Iterable[str]) -> list[str]:
    listed = [line.rstrip("\n") for line in sys.stdin] if "-" in images else []
    return [path for path in images if path != "-"] + [path for path in listed if path]


def show(result: Any, as_json: bool, describe: Callable[[dict[str, Any]], str]) -> None:
    if shown.speaks():
        print(shown.told(result, as_json, describe), flush=True)
