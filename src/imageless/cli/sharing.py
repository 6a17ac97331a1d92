"""Verbs that hand a run on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from imageless import shown
from imageless.cli.words import AsJson, Out, Run, app, show


@app.command
def push(
    run: Run,
    repo: str,
    /,
    *,
    private: bool = False,
    message: str | None = None,
    scores: Annotated[
        tuple[Path, ...], Parameter(help="What `imageless evaluate` wrote, for the card; may be repeated")
    ] = (),
    json: AsJson = False,
) -> None:
    """Put a run on the Hub, with its card, and with its encoder where that is a folder.

    Parameters
    ----------
    repo
        ORG/NAME; it is made where it is not there yet. Log in first with `hf auth login`, or set HF_TOKEN.
    private
        Make it for your eyes only; one that is public already is refused.
    message
        What the commit says.
    """
    from imageless.stages.push import push

    show(push(run, repo, private=private, message=message, scores=scores), json, shown.pushed)


@app.command
def export(
    run: Run,
    /,
    *,
    to: Literal["onnx"] = "onnx",
    out: Out,
    overwrite: bool = False,
    json: AsJson = False,
) -> None:
    """Write a run's prefix and language model as ONNX graphs, compared with PyTorch's answers.

    Parameters
    ----------
    to
        The format.
    overwrite
        Replace a folder of that name once the new one is complete.
    """
    from imageless.stages.export import export

    show(export(run, out, to, overwrite), json, shown.exported)
