"""Runs and their encoders in memory, and what they say to a batch of requests.

A request shows a picture or, in its place, a sentence: both become a unit vector, and the same model answers from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from imageless import hub, pictures, runs, tasks
from imageless.encoders.base import Encoder
from imageless.encoders.quick import quick
from imageless.errors import InputError
from imageless.options import PredictOptions, ServeOptions
from imageless.records import Picture
from imageless.serving.plane import Plane
from imageless.stages.predict import Answer, Prediction, Predictor
from imageless.zero_shot import ZeroShot

VERBS = {"captioning": "caption", "style": "caption", "vqa": "ask", "entailment": "entail", "news": "news"}
"""What a run of each task is asked by."""
MAX_PIXELS = 50_000_000  # of an upload: more than any telephone's camera takes
ALWAYS = 1 << 30  # as many as are embedded in a server's life: the encoder is laid out for speed once


@dataclass(frozen=True)
class Asked:
    """One request, its picture decoded already."""

    verb: str
    prompt: str = ""
    task: str | None = None
    """Which run; None where the encoder alone answers."""
    pixels: Tensor | None = None
    sentence: str = ""
    """What stands in a picture's place."""
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Said:
    """The answer, and where its vector lies on the page's map."""

    prediction: Prediction
    place: tuple[float, float] | None


class Answerer:
    """One run for each task, on one encoder."""

    def __init__(self, names: Sequence[Path], options: ServeOptions):
        self.runs: dict[str, Predictor] = {}
        self.names: dict[str, str] = {}
        self.plane: Plane | None = None
        for name in names:
            self._take(name, options)
        self._named = lru_cache(64)(lambda labels: ZeroShot.of(self.encoder, labels))
        self._open = ExitStack()
        self._open.enter_context(quick(self.encoder, pictures=ALWAYS))

    def _take(self, name: Path, options: ServeOptions) -> None:
        folder = hub.found(name)
        config = runs.read_config(folder)
        if config.task not in VERBS:
            raise InputError(f"expected runs of {', '.join(VERBS)}, {name} is of {config.task}")
        if config.task in self.runs:
            raise InputError(
                f"expected one run a task, got {self.names[config.task]} and {name}, both of {config.task}"
            )
        task = tasks.task(config.task).defaults(config.setting)
        many = len(task.choices) or options.beams or task.beams
        asked = PredictOptions(
            options.seed, options.device, options.dtype, int8=options.int8, beams=options.beams, n_best=many
        )
        given = next((run.encoder for run in self.runs.values()), None)
        predictor = Predictor(folder, asked, given)
        if given is not None and predictor.encoder is not given:
            raise InputError(f"expected runs of one frozen encoder, {name} has tuned its own; serve it by itself")
        self.runs[config.task], self.names[config.task] = predictor, name.name

    @property
    def encoder(self) -> Encoder:
        return next(iter(self.runs.values())).encoder

    @property
    def reads(self) -> bool:
        """Whether the encoder reads sentences too: some only see."""
        return "text" in self.encoder.sides

    def close(self) -> None:
        self._open.close()

    def pixels(self, picture: Picture) -> Tensor:
        """A picture as the encoder looks at it."""
        look = self.encoder.preprocess
        return look(pictures.load(picture, MAX_PIXELS, look.size))

    def asked(self, verb: str, prompt: str, style: str | None, pixels: Tensor | None, sentence: str) -> Asked:
        """A request to the run that can answer it."""
        able = [task for task in self.runs if VERBS[task] == verb]
        if not able:
            there = ", ".join(sorted({VERBS[task] for task in self.runs}))
            raise InputError(f"expected a request this server has a run for ({there}), got {verb}")
        if pixels is None:
            self.expect_reader()
        if verb != "caption":
            return Asked(verb, prompt, able[0], pixels, sentence)
        task = "style" if "style" in able and (style is not None or len(able) == 1) else able[0]
        return Asked(verb, self.runs[task].voice(style), task, pixels, sentence)

    def expect_reader(self) -> None:
        if not self.reads:
            raise InputError(f"expected a picture: the encoder {self.encoder.name} reads no sentences")

    def __call__(self, batch: Sequence[Asked]) -> list[Said]:
        """What is said to each, those of one task together."""
        vectors = self._vectors(batch)
        places = self.plane.places(vectors) if self.plane else [None] * len(batch)
        said: dict[int, Prediction] = {}
        for task in {asked.task for asked in batch}:
            rows = [row for row, asked in enumerate(batch) if asked.task == task]
            found = self._answers(task, [batch[row] for row in rows], vectors[rows])
            said |= dict(zip(rows, found, strict=True))
        return [Said(said[row], place) for row, place in enumerate(places)]

    @torch.no_grad()
    def _vectors(self, batch: Sequence[Asked]) -> Float[Tensor, "batch dim"]:
        """Unit vectors of pictures and sentences, in the order asked."""
        shown = [row for row, asked in enumerate(batch) if asked.pixels is not None]
        read = [row for row, asked in enumerate(batch) if asked.pixels is None]
        parts = []
        if shown:
            parts.append(
                self.encoder.images(torch.stack([pixels for row in shown if (pixels := batch[row].pixels) is not None]))
            )
        if read:
            parts.append(self.encoder.texts([batch[row].sentence for row in read]))
        order = torch.tensor([*shown, *read]).argsort()
        return F.normalize(torch.cat([part.float().cpu() for part in parts]), dim=-1)[order]

    def _answers(self, task: str | None, asked: Sequence[Asked], vectors: Tensor) -> list[Prediction]:
        if task is None:
            return [self._class(each.labels, vector) for each, vector in zip(asked, vectors, strict=True)]
        run = self.runs[task]
        pictured = torch.tensor([each.pixels is not None for each in asked])
        vectors = torch.where(pictured[:, None], run.seen(vectors), vectors)
        return [run.prediction("", answers) for answers in run.vectors(vectors, [each.prompt for each in asked])]

    def _class(self, labels: tuple[str, ...], vector: Tensor) -> Prediction:
        judge: ZeroShot = self._named(labels)
        shares = judge.probabilities(vector[None])[0].tolist()
        nbest = [
            Answer(name, round(share, 4)) for share, name in sorted(zip(shares, labels, strict=True), reverse=True)
        ]
        return Prediction("", nbest[0].text, nbest[0].score, nbest, {answer.text: answer.score for answer in nbest})
