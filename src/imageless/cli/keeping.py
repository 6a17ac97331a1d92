"""Verbs that look after what is here: what is installed, what lies around, what completes a word in the shell."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from imageless import shown
from imageless.cli.words import AsJson, app, show
from imageless.errors import InputError


@app.command
def check(*, json: AsJson = False) -> None:
    """What is installed, reachable and fast here."""
    from imageless.check import check

    show(check(), json, shown.checked)


@app.command(name="list")
def list_(
    *folders: Annotated[Path, Parameter(help="Where to look, and a few levels down; default: here")],
    clean: Annotated[
        bool, Parameter(negative="", help="Empty the cache instead; runs and all that has a name stay")
    ] = False,
    json: AsJson = False,
) -> None:
    """Runs, encoders, language models, adapters and tables here, and the cache, with their sizes."""
    from imageless import inventory

    if clean and folders:
        raise InputError(
            f"expected no folder with --clean, which empties the cache alone, got {folders[0]}; leave it out"
        )
    if clean:
        show(inventory.clean(), json, shown.cleaned)
    else:
        show(inventory.inventory(folders or [Path(".")]), json, shown.listed)
