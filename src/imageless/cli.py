"""The command line: a verb for each stage, no logic of its own.

One result goes to stdout, progress to stderr. A user's mistake is one line and exit code 2. Nothing heavy is imported
before a verb has its arguments, so that `--help` answers at once.
"""

from __future__ import annotations

import io
import json
import logging
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import App, Parameter
from cyclopts.exceptions import CycloptsError

from imageless import __version__
from imageless.errors import InputError
from imageless.options import EmbedOptions, EvaluateOptions, PredictOptions, PretrainOptions, TrainOptions

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


def main() -> None:
    """Entry point: run a verb, print its result, turn a mistake into one line and exit code 2."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # file names need not be UTF-8
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    logging.getLogger("imageless").setLevel(logging.INFO if _speaks() else logging.ERROR)
    try:
        app(sys.argv[1:], exit_on_error=False, print_error=False)
    except CycloptsError as error:
        fail(f"{_one_line(str(error))}; see imageless --help")
    except InputError as error:
        fail(_one_line(str(error)))
    except KeyboardInterrupt:
        fail("stopped; a training goes on from its last checkpoint with --resume", code=130)


def fail(message: str, code: int = 2) -> None:
    print(f"imageless: {message}", file=sys.stderr)
    raise SystemExit(code)


@app.command
def demo(out: Out = Path("demo"), *, overwrite: bool = False, seed: int = 0, json: AsJson = False) -> None:
    """The whole method on the bundled world, offline, in a few minutes.

    Trains on sentences with and without noise, and on pictures; captions pictures nobody trained on; writes a page.
    """
    from imageless.demo import demo

    _show(demo(out, seed, overwrite), json, lambda r: f"{r['table']}\n\nLook at {r['report']}")


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

    _show(pretrain(_some(data, DATA), out, options), json, _trained)


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
    """Train a model for TASK (captioning) on sentences; no picture is opened.

    Parameters
    ----------
    encoder
        world, open_clip:ViT-L-14/openai, hf:openai/clip-vit-large-patch14 or an encoder folder.
    lm
        world (a small T5 from scratch), world:256x4, or a T5 by Hub name or folder, e.g. google-t5/t5-base.
    """
    from imageless.stages.train import train

    _show(train(task, _some(data, DATA), out, encoder, lm, options), json, _trained)


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
    from imageless import pictures
    from imageless.stages.predict import Predictor

    wanted = pictures.find(_paths(_some(images, "a picture, a glob or a folder")))
    results = list(Predictor(run, options).pictures(wanted))
    errors = [result.error for result in results if result.error]
    if len(errors) == len(results):
        raise InputError(errors[0])
    if errors:
        log.warning("%d of %d pictures could not be read, the first: %s", len(errors), len(results), errors[0])
    shown = {"run": str(run), "results": [_present(result) for result in results]}
    _show(shown, json, lambda r: "\n".join(_line(result, len(wanted) > 1) for result in r["results"]))


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

    _show(evaluate(run, _some(data, DATA), out, options), json, _scored)


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

    _show(score_files(hypotheses, references), json, _scored)


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
    """
    from imageless.analysis.reproduce import markdown, reproduce

    _show(reproduce(table, on, out, data, seeds, jobs), json, markdown)


def _some(words: Sequence[str], what: str) -> list[str]:
    """The words a verb takes any number of, wherever among the options they stand; at least one."""
    if not words:
        raise InputError(f"expected {what}, got none; see --help")
    return list(words)


def _paths(images: Iterable[str]) -> list[str]:
    listed = [line.rstrip("\n") for line in sys.stdin] if "-" in images else []
    return [path for path in images if path != "-"] + [path for path in listed if path]


def _present(result: Any) -> dict[str, Any]:
    """A result as JSON shows it: with "error" only where there is one."""
    return {name: value for name, value in asdict(result).items() if name != "error" or value is not None}


def _line(result: dict[str, Any], named: bool) -> str:
    said = f"({result['error']})" if "error" in result else result["text"]
    return f"{result['image']}\t{said}" if named else said


def _trained(result: dict[str, Any]) -> str:
    figures = ", ".join(f"{name} {value:.3f}" for name, value in result["final"].items())
    return f"{result['out']}: {result['steps']:,} steps in {result['seconds']:,.0f} s, {figures}"


def _scored(result: dict[str, Any]) -> str:
    return "\n".join(
        [f"n        {result['n']:,}", *(f"{name:<8} {value:.4f}" for name, value in result["scores"].items())]
    )


def _speaks() -> bool:
    """Of several processes that torchrun started only the first says anything."""
    return os.environ.get("RANK", "0") == "0"


def _show(result: Any, as_json: bool, describe: Callable[[dict[str, Any]], str]) -> None:
    if not _speaks():
        return
    values: Any = asdict(result) if is_dataclass(result) and not isinstance(result, type) else result
    print(json.dumps(values, default=str, ensure_ascii=False) if as_json else describe(values))


def _one_line(text: str) -> str:
    return " ".join(text.split())
