"""Options of the verbs that look at pictures, and of those that measure how well that went."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from imageless.options.base import Machine, Source


@dataclass(frozen=True)
class PredictOptions(Machine):
    """How answers are searched for."""

    int8: bool = False
    """Say words in numbers of eight bits, on a CPU: less to read, at a small cost in score (docs/performance.md)."""
    batch_size: int = 64
    """Pictures at once."""
    beams: int | None = None
    """Beam width; default: the task's (5 for captions)."""
    length_penalty: float | None = None
    """Beams compare log probability / length ** this: 0 favours short answers; default: the task's (1 for captions)."""
    n_best: int = 1
    """How many answers to give for each picture."""
    style: str | None = None
    """The voice to speak in, where the run knows several; evaluation takes all in turn."""
    written: bool = False
    """Let the model write where it would rank the task's few possible answers by likelihood."""


@dataclass(frozen=True)
class ClassifyOptions(Machine):
    """How pictures are given the names of classes."""

    labels: str = ""
    """The classes to choose among, e.g. cat,dog."""
    templates: str = "photo"
    """The sentences class names are put into: photo, plain, name, or a file with a sentence a line, {} for the name."""
    batch_size: int = 64
    """Pictures at once."""
    n_best: int = 5
    """How many classes to give for each picture."""


@dataclass(frozen=True)
class ServeOptions(Machine):
    """Where answers are to be had, and how much is taken on at once."""

    host: str = "127.0.0.1"
    """Address to listen at; 0.0.0.0 lets other machines in."""
    port: int = 8000
    """Port to listen at; 0 for any that is free."""
    gallery: str | None = None
    """Pictures the page offers: a folder, a glob or a tar; default: scenes of the bundled world."""
    batch_size: int = 16
    """Requests answered at once."""
    queue: int = 64
    """Requests that may wait; those beyond are told to come back later."""
    timeout: float = 30
    """Seconds after which a request is given up."""
    megabytes: float = 20
    """The largest request body."""
    beams: int | None = None
    """Beam width; default: the task's (5 for captions)."""
    int8: bool = False
    """Say words in numbers of eight bits, on a CPU: less to read, at a small cost in score (docs/performance.md)."""


@dataclass(frozen=True)
class EvaluateOptions(Source, PredictOptions):
    """How a whole split is answered and scored."""

    split: str = "test"
    """Which split of the data."""
    control: Literal["shuffled"] | None = None
    """Give every picture another picture's vector: what is left of the score needs no eyes."""
    vectors: str | None = None
    """An image vector table made by `imageless embed`; default: made as needed and kept in the cache."""
    judge: tuple[str, ...] = ()
    """Sentences in several voices (READER:PATH) from which a judge learns how strongly answers speak in theirs."""
    labels: str = ""
    """An encoder in place of a run: classes to choose among, e.g. cat,dog; default: all in the data."""
    templates: str = "photo"
    """An encoder in place of a run: the sentences class names are put into (photo, plain, name), or a file with some."""
    meteor: bool = False
    """Score METEOR too; needs Java and pycocoevalcap."""
    shots: int | None = None
    """Ask questions (task vqa) of a limber captioner that never learned any, after so many answered ones of the train split."""
    turn: str = "Q: {} A: {}"
    """How a question and its answer are written with --shots."""
    blind: bool = False
    """Leave the pictures out with --shots: what the language model answers by itself."""
    clipscore: str | None = None
    """Score CLIPScore and RefCLIPScore too, in the space of this encoder; open_clip:ViT-B-32/openai gives the published scale."""
    concepts: bool = False
    """Score which of people's nouns, modifiers and relations captions have, too; needs nltk and WordNet."""
    names: bool = False
    """Ask instead whether captions name what is on pictures with a label, and how near they come; needs nltk and WordNet."""
    overwrite: bool = False
    """Replace a folder of that name once the new one is complete."""


@dataclass(frozen=True)
class GapOptions(Source, Machine):
    """How the gap between sentences and pictures is measured."""

    split: str = "test"
    """Which split of the data."""
    projection: Literal["tsne", "umap", "pca"] = "tsne"
    """How captions and pictures are put on a plane; umap needs umap-learn."""
    adapter: tuple[str, ...] = ()
    """Further bridges to measure, as `train --adapter` names them."""
    overwrite: bool = False
    """Replace a folder of that name once the new one is complete."""


@dataclass(frozen=True)
class ProbeOptions(Source, Machine):
    """How a linear classifier is fitted on frozen image vectors."""

    shots: str = "1,2,4,8,16"
    """How many examples of a class to learn from, beside all of them."""
    templates: str = "photo"
    """The sentences class names are put into for comparison: photo, plain, name, or a file with some."""
    projection: Literal["tsne", "umap", "pca"] = "tsne"
    """How the test pictures are put on a plane; umap needs umap-learn."""
    overwrite: bool = False
    """Replace a folder of that name once the new one is complete."""


@dataclass(frozen=True)
class RobustnessOptions(Source, Machine):
    """How classifiers are compared on pictures as they are and on changed ones."""

    strengths: str = "3"
    """How strongly the test pictures are changed, 1 to 5, e.g. 1,3,5."""
    kinds: str = ""
    """Which changes, e.g. noise,blur; default: all there are."""
    shots: str = "1,2,4,8,16"
    """How many examples of a class linear probes learn from, beside all of them."""
    templates: str = "photo"
    """The sentences class names are put into: photo, plain, name, or a file with some."""
    overwrite: bool = False
    """Replace a folder of that name once the new one is complete."""


@dataclass(frozen=True)
class RetrieveOptions(Source, Machine):
    """Which captions and pictures find each other."""

    split: str = "test"
    """Which split of the data."""


@dataclass(frozen=True)
class ContrastOptions(Machine):
    """How changes of one thing are measured."""

    quartets: int = 200
    """Times four scenes."""
    overwrite: bool = False
    """Replace a folder of that name once the new one is complete."""
