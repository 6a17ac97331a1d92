"""What every task states about itself, and the score that all tasks share which end in a sentence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from imageless.errors import InputError
from imageless.metrics import captions
from imageless.records import Example, Record

QUESTION = 32  # most tokens of what is asked around a task's own words


@dataclass(frozen=True)
class Defaults:
    """Lengths, beams and batch of a task when nothing else is said."""

    longest_prompt: int
    longest_target: int
    beams: int
    batch_size: int
    noise: str
    """Under which name an encoder keeps the noise that suits this task."""
    length_penalty: float = 0.0
    """The released code compares beams by log probability alone (AllenNLP beam search, close @ 80f8db0)."""
    choices: tuple[str, ...] = ()
    """All that can be answered, to be ranked by likelihood; without choices the model writes."""
    named_prompts: bool = False
    """Prompts are names from a closed list, which the run keeps and people choose from."""
    share: float = 1.0
    """Share of the data that counts as one epoch."""
    scratch_rate: float = 1e-3
    """Peak learning rate of a small language model from scratch; measured in docs/log.md."""
    by_length: bool = True
    """Batches of targets of like length. Not where the length tells the answer: a batch of "no" alone teaches little."""

    def asked(self, question: str) -> Defaults:
        """These, with room for what is asked around the task's own words, for which {} stands."""
        return self if question == "{}" else replace(self, longest_prompt=self.longest_prompt + QUESTION)


@dataclass(frozen=True)
class Scored:
    """Scores of a whole split, and of each answer in the order they were given."""

    corpus: Mapping[str, float]
    items: Mapping[str, np.ndarray]
    files: Mapping[str, Any] = field(default_factory=dict)
    """What else is written beside the scores, as JSON, by file name."""


def without_setting(records: Iterable[Record], setting: str | None) -> tuple[Iterator[Record], None]:
    """The records as they are, for a task that knows a single setting."""
    if setting is not None:
        raise InputError(f"--setting {setting} belongs to captioning; leave it out")
    return iter(records), None


def captions_scored(asked: Sequence[Example], answers: Sequence[str]) -> Scored:
    """CIDEr-D, BLEU-1..4 and ROUGE-L as the official scorers print them, against each example's targets."""
    if not asked:
        raise InputError("expected captions to score, got none; does the split have pictures and captions?")
    keys = [str(number) for number in range(len(asked))]  # joined data may share keys
    references = {key: example.targets for key, example in zip(keys, asked, strict=True)}
    scores = captions.per_item(dict(zip(keys, answers, strict=True)), references)
    return Scored(scores.corpus, {"cider": scores.cider, "bleu4": scores.bleu[:, 3], "rouge_l": scores.rouge_l})
