"""The command line: a verb for each stage, no logic of its own.

One result goes to stdout, progress to stderr. A user's mistake is one line and exit code 2. Nothing heavy is imported
before a verb has its arguments, so that `--help` answers at once.
"""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import App, Parameter
from cyclopts.exceptions import CycloptsError

from imageless import __version__, shown
from imageless.errors import InputError
from imageless.options import (
    AdaptOptions,
    EmbedOptions,
    EvaluateOptions,
    GapOptions,
    Kind,
    PredictOptions,
    PretrainOptions,
    SynthesizeOptions,
    TrainOptions,
)

app = App(
    name="imageless",
    help="Learn to see from text alone: train on sentences, then caption pictures.",
    version=__version__,
    help_format="plaintext",
    result_action="return_value",
    suppress_keyboard_interrupt=False,  # main says how to go on
)

log = logging.getLogger(__name__)

Data = Annotated[str, Parameter(help="READER:PATH, e.g. text:reviews.txt, karpathy:dataset_coco.json, world")]
DATA = "DATA as READER:PATH"
Out = Annotated[Path, Parameter(help="Folder to write; it appears under this name when it is complete")]
AsJson = Annotated[bool, Parameter(name="--json", negative="", help="Print the result as one JSON object")]
Flat = Parameter(name="*")
Run = Annotated[Path, Parameter(help="A run folder made by `imageless train`")]
Image = Annotated[str, Parameter(help="A picture, a glob or a folder", allow_leading_hyphen=True)]


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


@app.command
def demo(
    out: Out = Path("demo"),
    *,
    task: str = "captioning",
    overwrite: bool = False,
    seed: int = 0,
    json: AsJson = False,
) -> None:
    """The whole method on the bundled world, offline, in a few minutes.

    Trains on sentences with and without noise, and on pictures; asks about pictures nobody trained on; writes a page.

    Parameters
    ----------
    task
        captioning, entailment, vqa, news or style.
    """
    from imageless.demo import demo

    _show(demo(out, task, seed, overwrite), json, lambda r: f"{r['table']}\n\nLook at {r['report']}")


@app.command
def check(*, json: AsJson = False) -> None:
    """What is installed, reachable and fast here."""
    from imageless.check import check

    _show(check(), json, lambda r: "\n".join(f"{name:<14} {value}" for name, value in r.items()))


@app.command
def pretrain(
    *data: Data, out: Out, options: Annotated[PretrainOptions, Flat] = PretrainOptions(), json: AsJson = False
) -> None:
    """Train a small dual encoder (CLIP) on pictures with captions, from scratch or on a locked image network."""
    from imageless.stages.pretrain import pretrain

    _show(pretrain(_some(data, DATA), out, options), json, shown.trained)


@app.command
def synthesize(
    *,
    lm: str,
    examples: str,
    keywords: Path | None = None,
    out: Annotated[Path, Parameter(help="File to write, a caption a line; a .jsonl and a .report.json come beside it")],
    options: Annotated[SynthesizeOptions, Flat] = SynthesizeOptions(),
    json: AsJson = False,
) -> None:
    """Have a language model write captions to train on, from a few examples and keywords.

    Parameters
    ----------
    lm
        A causal language model by Hub name or folder, http://host/v1?model=NAME, or openai:NAME (key in the environment).
    examples
        Captions to imitate: a text file with one a line, or READER:PATH.
    keywords
        File with what captions shall be about, a keyword a line; default: the keywords of the examples.
    """
    from imageless.stages.synthesize import synthesize

    _show(synthesize(lm, examples, out, None if keywords is None else str(keywords), options), json, shown.synthesized)


@app.command
def embed(
    *data: Data,
    encoder: str,
    of: Literal["text", "image"],
    out: Out,
    options: Annotated[EmbedOptions, Flat] = EmbedOptions(),
    json: AsJson = False,
) -> None:
    """Turn every text or picture of the data into a vector, once."""
    from imageless.stages.embed import embed

    _show(embed(_some(data, DATA), out, encoder, of, options), json, lambda r: f"{r['rows']:,} vectors in {r['out']}")


@app.command
def adapt(
    *data: Data,
    encoder: str,
    kind: Kind,
    out: Out,
    options: Annotated[AdaptOptions, Flat] = AdaptOptions(),
    json: AsJson = False,
) -> None:
    """Fit a bridge from sentences to pictures, for `train --adapter`."""
    from imageless.stages.adapt import adapt

    _show(adapt(_some(data, DATA), out, encoder, kind, options), json, shown.adapted)


@app.command
def gap(
    *data: Data, encoder: str, out: Out, options: Annotated[GapOptions, Flat] = GapOptions(), json: AsJson = False
) -> None:
    """Measure how far sentences and pictures lie apart, and what bridges make of it; draws figures and a page."""
    from imageless.analysis.gap import gap

    _show(gap(_some(data, DATA), out, encoder, options), json, shown.gap)


@app.command
def train(
    task: str,
    /,
    *data: Data,
    encoder: str = "world",
    lm: str = "world",
    out: Out,
    options: Annotated[TrainOptions, Flat] = TrainOptions(),
    json: AsJson = False,
) -> None:
    """Train a model for TASK on sentences; no picture is opened.

    TASK is captioning, entailment, vqa, news or style; language trains a causal language model on text.

    Parameters
    ----------
    encoder
        world, open_clip:ViT-L-14/openai, hf:openai/clip-vit-large-patch14 or an encoder folder.
    lm
        world (a small T5 from scratch), world:256x4, a T5 by Hub name or folder, e.g. google-t5/t5-base, or a finished
        run, from which is learned on. For the task language: world-causal (a small Llama from scratch),
        world-causal:256x4, or a causal model by Hub name or folder.
    """
    from imageless.stages.train import train

    _show(train(task, _some(data, DATA), out, encoder, lm, options), json, shown.trained)


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
    wanted = _paths(_some(images, "a picture, a glob or a folder"))
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

    _show(evaluate(run, _some(data, DATA), out, options), json, shown.scored)


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

    _show(score_files(hypotheses, references), json, shown.scored)


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
    _show(reproduce(table, on, out, data, seeds, jobs, names=named(set or [])), json, markdown)


def _answer(
    run: Path, options: PredictOptions, tasks: tuple[str, ...], images: list[str], prompt: str | None, as_json: bool
) -> None:
    from imageless.stages.predict import answers

    said = answers(run, options, tasks, images, prompt)
    told = {"run": str(run), "results": [shown.present(result) for result in said]}
    _show(told, as_json, lambda r: "\n".join(shown.line(result, len(said) > 1) for result in r["results"]))


def _some(words: Sequence[str], what: str) -> list[str]:
    """The words a verb takes any number of, wherever among the options they stand; at least one."""
    if not words:
        raise InputError(f"expected {what}, got none; see --help")
    return list(words)


def _paths(images: Iterable[str]) -> list[str]:
    listed = [line.rstrip("\n") for line in sys.stdin] if "-" in images else []
    return [path for path in images if path != "-"] + [path for path in listed if path]


def _show(result: Any, as_json: bool, describe: Callable[[dict[str, Any]], str]) -> None:
    if shown.speaks():
        print(shown.told(result, as_json, describe))
