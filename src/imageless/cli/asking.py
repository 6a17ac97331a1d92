"""Verbs that ask a run, or an encoder, about pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from imageless import shown
from imageless.cli.words import AsJson, Flat, Image, Run, app, paths, show, some
from imageless.options import ClassifyOptions, PredictOptions, ServeOptions


@app.command
def caption(
    run: Run,
    /,
    *images: Annotated[
        str,
        Parameter(help="Files, globs or folders; - reads paths from standard input", allow_leading_hyphen=True),
    ],
    options: Annotated[PredictOptions, Flat] = PredictOptions(),
    json: AsJson = False,
) -> None:
    """Say what is in pictures."""
    wanted = paths(some(images, "a picture, a glob or a folder"))
    _answer(run, options, ("captioning", "style"), wanted, None, json)


@app.command
def ask(
    run: Run,
    image: Image,
    question: str,
    /,
    *,
    options: Annotated[PredictOptions, Flat] = PredictOptions(),
    json: AsJson = False,
) -> None:
    """Answer a question about a picture; RUN was trained for vqa."""
    _answer(run, options, ("vqa",), [image], question, json)


@app.command
def entail(
    run: Run,
    image: Image,
    hypothesis: str,
    /,
    *,
    options: Annotated[PredictOptions, Flat] = PredictOptions(),
    json: AsJson = False,
) -> None:
    """Say whether a sentence holds of a picture; RUN was trained for entailment."""
    _answer(run, options, ("entailment",), [image], hypothesis, json)


@app.command
def news(
    run: Run,
    image: Image,
    /,
    *,
    article: Annotated[Path, Parameter(help="A text file with the article")],
    options: Annotated[PredictOptions, Flat] = PredictOptions(),
    json: AsJson = False,
) -> None:
    """Write a newspaper's caption for a picture; RUN was trained for news."""
    from imageless.folders import read_text

    _answer(run, options, ("news",), [image], read_text(article, "an article"), json)


def _answer(
    run: Path, options: PredictOptions, tasks: tuple[str, ...], images: list[str], prompt: str | None, as_json: bool
) -> None:
    from imageless.stages.predict import answers

    said = answers(run, options, tasks, images, prompt)
    told = {"run": str(run), "results": [shown.present(result) for result in said]}
    show(told, as_json, lambda r: "\n".join(shown.line(result, len(said) > 1) for result in r["results"]))


@app.command
def classify(
    encoder: str,
    /,
    *images: Image,
    options: Annotated[ClassifyOptions, Flat] = ClassifyOptions(),
    json: AsJson = False,
) -> None:
    """Name the class of pictures among --labels; ENCODER as in `train --encoder`, no run is needed."""
    from imageless.stages.classify import classify

    wanted = paths(some(images, "a picture, a glob or a folder"))
    said = classify(encoder, wanted, options)
    told = {"run": encoder, "results": [shown.present(result) for result in said]}
    show(told, json, lambda r: "\n".join(shown.line(result, len(said) > 1) for result in r["results"]))


@app.command
def serve(*runs: Run, options: Annotated[ServeOptions, Flat] = ServeOptions(), json: AsJson = False) -> None:
    """Answer over HTTP, and on one page: RUN, or several of different tasks on one encoder."""
    from imageless.serving import serve

    told = {"runs": [str(run) for run in some(runs, "a run folder")]}
    serve(
        runs,
        options,
        lambda address: show(told | {"address": address}, json, lambda r: f"{r['address']}\tCtrl-C stops"),
    )
