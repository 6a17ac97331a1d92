"""Verbs that look after what is here: what is installed, what lies around, what completes a word in the shell."""

from __future__ import annotations

from imageless import shown
from imageless.cli.words import AsJson, app, show


@app.command
def check(*, json: AsJson = False) -> None:
    """What is installed, reachable and fast here."""
    from imageless.check import check

    show(check(), json, shown.checked)
