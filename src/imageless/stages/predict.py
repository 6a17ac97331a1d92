"""Stage 3: picture vectors go where text vectors went, and the model says what it reads.

Nothing bridges the gap here: no adapter, no noise. The run knows which encoder it belongs to and refuses any other.
CLOSE, arXiv:2211.09778.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from imageless import encoders, hub, limits, pictures, pixels, runs, tasks
from imageless.encoders.base import Encoder, place
from imageless.encoders.derived import Tuned
from imageless.encoders.quick import quick
from imageless.errors import InputError
from imageless.models import packed
from imageless.models.beams import Search
from imageless.models.close import Close
from imageless.options import PredictOptions
from imageless.records import Picture
from imageless.screen import progress
from imageless.tokens import Ragged, encode

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Answer:
    """One thing the model would say, with its log probability."""

    text: str
    score: float


@dataclass(frozen=True)
class Prediction:
    """What the model says about one picture, or why it could not be read."""

    image: str
    """The picture's name, or the sentence that stood in its place."""
    text: str | None
    score: float | None
    nbest: list[Answer] = field(default_factory=list)
    probabilities: dict[str, float] | None = None
    """Of each possible answer, where a task has few."""
    error: str | None = None


class Predictor:
    """A loaded run, from its folder or its Hub repository, with its frozen encoder."""

    def __init__(self, run: str | Path, options: PredictOptions, encoder: Encoder | None = None):
        limits.check(options)
        self.options, self.run = options, (run := hub.found(run))
        self.device = place(options.device)
        self.config, self.model, self.tokenizer = runs.load(run, str(self.device))
        self.seen = runs.picture_side(run)  # as they are, unless the run stands pictures beside sentences itself
        if options.dtype == "bfloat16":
            self.model.to(torch.bfloat16)
        if options.int8:
            if not isinstance(self.model, Close) or not packed.possible(self.device, torch.int8):
                raise InputError(
                    f"--int8: expected a T5 on a CPU that PyTorch has oneDNN for, got {self.config.model} on {self.device}; "
                    "take --dtype bfloat16"
                )
            self.model.said_in = torch.int8
        defaults: tasks.Defaults = tasks.task(self.config.task).defaults(self.config.setting)
        self.defaults = defaults.asked(self.config.asked)
        self.search = Search(
            self.defaults.beams if options.beams is None else options.beams,
            options.n_best,
            self.defaults.longest_target,
            self.defaults.length_penalty if options.length_penalty is None else options.length_penalty,
        )
        self.choices: tuple[str, ...] = () if options.written else self.defaults.choices
        seen = len(self.choices) or self.search.beams
        if options.n_best > seen:
            raise InputError(
                f"--n-best: expected at most the {seen} answers looked at, got {options.n_best}; widen the search with --beams"
            )
        self._given, self._learned = encoder, runs.image_network(run)

    @cached_property
    def encoder(self) -> Encoder:
        """The run's frozen encoder, loaded when it is first needed, with what has learned of it."""
        named = runs.encoder_name(self.run, self.config)
        given = None if self._learned else self._given  # another's is not to change
        encoder = given or encoders.load(named, self.options.device, self.options.dtype)
        runs.expect_encoder(self.config, encoder)
        return Tuned(encoder, self._learned) if self._learned else encoder

    def expect_task(self, *names: str) -> Predictor:
        """Refuse a run that learned something else."""
        if self.config.task not in names:
            raise InputError(f"expected a run of the task {' or '.join(names)}, got one of {self.config.task}")
        return self

    def voice(self, style: str | None) -> str:
        """The prompt that stands for a voice: the one named, or the only one."""
        known = self.config.prompts
        if style is None and len(known) < 2:
            return known[0] if known else ""
        if style not in known:
            some = f"one of {', '.join(known)}" if known else "no --style: this run knows a single voice"
            raise InputError(f"expected {some}, got {style or 'no --style'}; see the run's README.md")
        return style

    def pictures(self, pictures: Sequence[Picture], prompts: Sequence[str] | None = None) -> Iterator[Prediction]:
        """What the model says about each picture, in order; one that cannot be read is named and passed over."""
        prompts = self._prompts(prompts, len(pictures))
        start = 0
        with quick(self.encoder, pictures=len(pictures)), progress("answering", len(pictures)) as bar:
            for piece in pixels.prepared(pictures, self.encoder.preprocess, self.options.batch_size):
                size = len(piece.rows) + len(piece.failed)
                vectors = self.encoder.images(piece.pixels) if piece.rows else torch.zeros(0, self.config.encoder.dim)
                answers = self.vectors(self.seen(F.normalize(vectors, dim=-1)), [prompts[row] for row in piece.rows])
                said = dict(zip(piece.rows, answers, strict=True))
                for row in range(start, start + size):
                    if row in said:
                        yield self.prediction(pictures[row].name, said[row])
                    else:
                        yield Prediction(pictures[row].name, None, None, error=piece.failed[row])
                start += size
                bar.advance(size)

    def sentences(self, sentences: Sequence[str], prompts: Sequence[str] | None = None) -> Iterator[Prediction]:
        """What the model says where a sentence stands in a picture's place, in order: as it was trained, but without noise."""
        if "text" not in self.encoder.sides:
            raise InputError(
                f"expected a run whose encoder reads sentences, {self.encoder.name} only sees pictures; show it a picture"
            )
        prompts, size = self._prompts(prompts, len(sentences)), self.options.batch_size
        with quick(self.encoder, texts=len(sentences)), progress("answering", len(sentences)) as bar:
            for start in range(0, len(sentences), size):
                batch = sentences[start : start + size]
                vectors = F.normalize(self.encoder.texts(batch), dim=-1)
                for sentence, said in zip(batch, self.vectors(vectors, prompts[start : start + size]), strict=True):
                    yield self.prediction(sentence, said)
                bar.advance(len(batch))

    def _prompts(self, prompts: Sequence[str] | None, count: int) -> Sequence[str]:
        return prompts or [self.voice(self.options.style)] * count

    def vectors(self, vectors: Float[Tensor, "batch dim"], prompts: Sequence[str]) -> list[list[Answer]]:
        """The best answers for unit vectors, whichever side they came from."""
        if not len(vectors):
            return []
        if self.choices:
            return self._ranked(vectors, prompts)
        generated = self.model.generate(*self._read(vectors, prompts), self.search)
        words = self.tokenizer.batch_decode(generated.ids.flatten(0, 1), skip_special_tokens=True)
        scores = generated.scores.flatten().tolist()
        answers = [Answer(text.strip(), _rounded(score)) for text, score in zip(words, scores, strict=True)]
        n_best = self.options.n_best
        return [answers[first : first + n_best] for first in range(0, len(answers), n_best)]

    def likelihoods(
        self, vectors: Float[Tensor, "batch dim"], prompts: Sequence[str], choices: Sequence[str]
    ) -> Float[Tensor, "batch choices"]:
        """Log probability of each choice as the answer to each vector and its prompt."""
        words = encode(self.tokenizer, choices, self.defaults.longest_target, self.model.target_ends)
        ids = torch.from_numpy(words.padded(np.arange(len(words)), fill=-100)).to(self.device)
        return self.model.rank(*self._read(vectors, prompts), ids).float().cpu()

    def _read(self, vectors: Float[Tensor, "batch dim"], prompts: Sequence[str]) -> tuple[Tensor, Tensor, Tensor]:
        prompts = [self.config.asked.replace("{}", prompt) for prompt in prompts]
        if any(prompts):
            asked = encode(self.tokenizer, prompts, self.defaults.longest_prompt, self.model.prompt_ends)
        else:
            asked = Ragged.of([[]] * len(prompts))  # nothing is asked: the encoder reads the vector alone
        ids = torch.from_numpy(asked.padded(np.arange(len(prompts)), fill=0))
        mask = (torch.arange(ids.shape[1]) < torch.from_numpy(asked.lengths)[:, None]).long()
        seen = vectors.to(self.device, self.model.dtype)  # the swap: pictures, where train.py had sentences
        if self.config.on == "nothing":
            seen = torch.zeros_like(seen)
        return seen, ids.to(self.device), mask.to(self.device)

    def _ranked(self, vectors: Tensor, prompts: Sequence[str]) -> list[list[Answer]]:
        """All that can be answered, the likeliest first."""
        return [
            [
                Answer(self.choices[place], _rounded(float(row[place])))
                for place in row.argsort(descending=True).tolist()
            ]
            for row in self.likelihoods(vectors, prompts, self.choices)
        ]

    def prediction(self, name: str, answers: list[Answer]) -> Prediction:
        """What is said of one picture, from its best answers."""
        shares = probabilities(answers) if self.choices else None
        return Prediction(name, answers[0].text, answers[0].score, answers[: self.options.n_best], shares)


def answers(
    run: Path, options: PredictOptions, tasks: Sequence[str], images: Sequence[str], prompt: str | None = None
) -> list[Prediction]:
    """What a run of one of these tasks says about pictures (files, globs, folders), all of them asked the same."""
    wanted = pictures.find(images)
    predictor = Predictor(run, options).expect_task(*tasks)
    results = list(predictor.pictures(wanted, None if prompt is None else [prompt] * len(wanted)))
    errors = [result.error for result in results if result.error]
    if len(errors) == len(results):
        raise InputError(errors[0])
    if errors:
        log.warning("%d of %d pictures could not be read, the first: %s", len(errors), len(results), errors[0])
    return results


def probabilities(answers: Sequence[Answer]) -> dict[str, float]:
    """Of all that can be answered, by their log probabilities."""
    shares = torch.tensor([answer.score for answer in answers]).softmax(-1).tolist()
    return {answer.text: round(share, 4) for answer, share in zip(answers, shares, strict=True)}


def _rounded(score: float) -> float:
    return round(score, 4) if math.isfinite(score) else -1e9
