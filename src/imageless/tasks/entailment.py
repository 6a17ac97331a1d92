"""Visual entailment: a picture and a sentence in, whether the sentence holds out.

    scene ("two dogs in the snow",)    prompt "two animals play outside"    targets ("entailment",)

Learned from text alone (SNLI's premises stand for the pictures), asked about pictures (SNLI-VE). The answer is one of three
class names; by default they are ranked by likelihood, so that each comes with a probability.
Lengths: CLOSE, arXiv:2211.09778; close/experiments/eval.py @ 80f8db0.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from imageless.metrics import classes
from imageless.records import Example, Record
from imageless.tasks.base import Defaults, Scored, without_setting

LEARNED = ASKED = "entailment"
NEEDS = "premises with a hypothesis and a label"
LABELS = ("entailment", "neutral", "contradiction")

choose = without_setting


def defaults(setting: str | None) -> Defaults:
    """8 new tokens, beam 5; the hypothesis is cut at 64 tokens, which is ours."""
    return Defaults(64, 8, 5, 128, noise="entailment", choices=LABELS, scratch_rate=5e-4, by_length=False)


def examples(records: Iterable[Record], setting: str | None, on: str) -> Iterator[Example]:
    """One for each hypothesis."""
    for record in records:
        hypothesis, label = record.fields.get("hypothesis"), record.fields.get("label")
        if record.captions and hypothesis and label in LABELS:
            yield Example(record.key, record.captions, hypothesis, (label,), record.image, group=label)


def questions(records: Iterable[Record]) -> Iterator[Example]:
    """Every hypothesis about a picture."""
    return (example for example in examples(records, None, "images") if example.image is not None)


def score(asked: Sequence[Example], answers: Sequence[str]) -> Scored:
    """Accuracy overall and per label, and who was taken for whom."""
    truth = [example.targets[0] for example in asked]
    scores = classes.score(answers, truth, LABELS)
    corpus = {"accuracy": scores.accuracy, "macro_accuracy": scores.macro}
    corpus |= {f"accuracy_{label}": share for label, share in scores.by_class.items()}
    right = np.array([said == label for said, label in zip(answers, truth, strict=True)], dtype=float)
    confusion = {"rows_truth": LABELS, "columns_said": [*LABELS, classes.OTHER], "counts": scores.confusion.tolist()}
    return Scored(corpus, {"accuracy": right}, {"confusion.json": confusion})
