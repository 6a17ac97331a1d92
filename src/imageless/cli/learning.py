"""Verbs that make something: encoders, vectors, captions, adapters, runs, and all of it at once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from imageless import shown
from imageless.cli.words import DATA, AsJson, Data, Flat, Out, app, show, some
from imageless.options import (
    AdaptOptions,
    EmbedOptions,
    Kind,
    PretrainOptions,
    SynthesizeOptions,
    TrainOptions,
)


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

    show(demo(out, task, seed, overwrite), json, lambda r: f"{r['table']}\n\nLook at {r['report']}")


@app.command
def pretrain(
    *data: Data, out: Out, options: Annotated[PretrainOptions, Flat] = PretrainOptions(), json: AsJson = False
) -> None:
    """Train a small dual encoder (CLIP) on pictures with captions, from scratch or on a locked image network."""
    from imageless.stages.pretrain import pretrain

    show(pretrain(some(data, DATA), out, options), json, shown.trained)


@app.command
def synthesize(
    *,
    lm: str,
    examples: str,
    keywords: str | None = None,
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
        What captions shall be about: a file with a keyword a line, or READER:PATH whose captions' keywords are taken; default:
        the keywords of the examples.
    """
    from imageless.stages.synthesize import synthesize

    show(synthesize(lm, examples, out, keywords, options), json, shown.synthesized)


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

    show(embed(some(data, DATA), out, encoder, of, options), json, lambda r: f"{r['rows']:,} vectors in {r['out']}")


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

    show(adapt(some(data, DATA), out, encoder, kind, options), json, shown.adapted)


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
    """Train a model for TASK on sentences; no picture is opened unless --on images, --unpaired or --model limber asks for it.

    TASK is captioning, entailment, vqa, news or style; language trains a causal language model on text.

    Parameters
    ----------
    encoder
        world, open_clip:ViT-L-14/openai, hf:openai/clip-vit-large-patch14 or an encoder folder; grid:ENC is one
        before it pools, for --model limber.
    lm
        world (a small T5 from scratch), world:256x4, a T5 by Hub name or folder, e.g. google-t5/t5-base, or a finished
        run, from which is learned on. With --model limber: a causal model that has learned, by Hub name or folder.
        For the task language: world-causal (a small Llama from scratch), world-causal:256x4, or a causal model.
    """
    from imageless.stages.train import train

    show(train(task, some(data, DATA), out, encoder, lm, options), json, shown.trained)
