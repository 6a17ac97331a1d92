"""Verbs that measure: scores, the gap, tables."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from imageless import shown
from imageless.cli.words import DATA, AsJson, Data, Flat, Out, Run, app, show, some
from imageless.options import (
    ContrastOptions,
    EvaluateOptions,
    GapOptions,
    ProbeOptions,
    RetrieveOptions,
    RobustnessOptions,
)


@app.command
def evaluate(
    run: Run,
    /,
    *data: Data,
    out: Out,
    options: Annotated[EvaluateOptions, Flat] = EvaluateOptions(),
    json: AsJson = False,
) -> None:
    """Answer a whole split and score the answers."""
    from imageless.stages.evaluate import evaluate

    show(evaluate(run, some(data, DATA), out, options), json, shown.scored)


@app.command
def score(*, hypotheses: Path, references: Path, json: AsJson = False) -> None:
    """Score captions against references, as the official COCO scorers do, without Java.

    Parameters
    ----------
    hypotheses
        COCO results [{"image_id": 1, "caption": "..."}] or {"id": ["caption"]} as JSON.
    references
        COCO annotations {"annotations": [{"image_id": 1, "caption": "..."}]} or {"id": ["caption", ...]} as JSON.
    """
    from imageless.stages.evaluate import score_files

    show(score_files(hypotheses, references), json, shown.scored)


@app.command
def gap(
    *data: Data, encoder: str, out: Out, options: Annotated[GapOptions, Flat] = GapOptions(), json: AsJson = False
) -> None:
    """Measure how far sentences and pictures lie apart, and what bridges make of it; draws figures and a page."""
    from imageless.analysis.gap import gap

    show(gap(some(data, DATA), out, encoder, options), json, shown.gap)


@app.command
def probe(
    *data: Data,
    encoder: str,
    out: Annotated[Path | None, Parameter(help="Folder for the curve and a page")] = None,
    options: Annotated[ProbeOptions, Flat] = ProbeOptions(),
    json: AsJson = False,
) -> None:
    """Tell classes apart by a linear classifier on frozen image vectors, from few examples and from all."""
    from imageless.analysis.probe import probe

    show(probe(some(data, DATA), encoder, out, options), json, shown.scored)


@app.command
def robustness(
    *data: Data,
    encoder: list[str],
    out: Out,
    options: Annotated[RobustnessOptions, Flat] = RobustnessOptions(),
    json: AsJson = False,
) -> None:
    """Compare classifiers on pictures as they are and on changed ones: class names alone, and linear probes.

    Parameters
    ----------
    encoder
        Encoders to compare; give it several times.
    """
    from imageless.analysis.robustness import robustness

    show(robustness(some(data, DATA), encoder, out, options), json, shown.scored)


@app.command
def retrieve(
    *data: Data, encoder: str, options: Annotated[RetrieveOptions, Flat] = RetrieveOptions(), json: AsJson = False
) -> None:
    """Let captions find their pictures and pictures their captions: recall at 1, 5 and 10."""
    from imageless.analysis.retrieval import retrieve

    show(retrieve(some(data, DATA), encoder, options), json, shown.scored)


@app.command
def contrast(
    *,
    encoder: str = "world",
    run: Annotated[Path | None, Parameter(help="A captioning run; can it tell the pictures apart?")] = None,
    out: Out,
    options: Annotated[ContrastOptions, Flat] = ContrastOptions(),
    json: AsJson = False,
) -> None:
    """Measure how sentences and pictures of the world move when one thing changes."""
    from imageless.analysis.contrast import contrast

    show(contrast(out, encoder, run, options), json, shown.contrast)


@app.command
def bench(*, only: str | None = None, quick: bool = False, json: AsJson = False) -> None:
    """Measure how fast things are beside what people would write today, in turns, in one run.

    Parameters
    ----------
    only
        One figure: text-embedding, image-embedding, training, answering, scoring, adapters, growth or startup.
    quick
        Small inputs and one round, to see that everything runs.
    """
    from imageless.benchmarks import bench

    show(bench(only, quick), json, shown.benched)


@app.command
def reproduce(
    table: str,
    /,
    *,
    on: Literal["world", "photos", "paper"] = "world",
    out: Out,
    data: Path | None = None,
    seeds: int | None = None,
    jobs: int | None = None,
    official: bool = False,
    set: Annotated[
        list[str] | None, Parameter(help="NAME=VALUE: an encoder or language model in place of the recipe's")
    ] = None,
    json: AsJson = False,
) -> None:
    """Make a table again from its recipe; a stopped table goes on where it stopped.

    Parameters
    ----------
    on
        The ground to stand on.
    data
        Folder with the recipe's data, where it needs some.
    seeds
        Use only this many of the recipe's seeds.
    jobs
        Processes at a time; default: one for each core.
    official
        The settings of the released code, where they differ from the paper's.
    """
    from imageless.analysis.reproduce import named, reproduce
    from imageless.analysis.table import markdown

    table = f"{table}-official" if official else table
    show(reproduce(table, on, out, data, seeds, jobs, names=named(set or [])), json, markdown)
