"""Captions in borrowed voices: a picture in, a sentence about it in the manner of some text out.

    scene ("arr, two dogs ahead",)    prompt "pirate"    targets ("arr, two dogs ahead",)

Every sentence is its own target. Several voices live in one model; the prompt names the voice, so that any tokenizer can
say it. The paper trains a model for each style; naming them is ours. What is said is compared with plain captions, how
it is said with the voices' own text.
CLOSE, arXiv:2211.09778 section 5.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from imageless.metrics import style as metric
from imageless.records import Example, Record
from imageless.tasks.base import Defaults, Scored, captions_scored, without_setting

LEARNED, ASKED = "style", "captions"
NEEDS = "sentences"
PLAIN = "plain"  # the voice of sentences that name none, where others do

choose = without_setting


def defaults(setting: str | None) -> Defaults:
    """As for captions, with room for longer sentences: reviews have up to 40 tokens."""
    return Defaults(8, 48, 5, batch_size=128, noise="captioning-single", length_penalty=1.0, named_prompts=True)


def examples(records: Iterable[Record], setting: str | None, on: str) -> Iterator[Example]:
    """One for each sentence."""
    for record in records:
        voice = str(record.fields.get("style") or PLAIN)
        for number, sentence in enumerate(record.captions):
            yield Example(f"{record.key}#{number}", (sentence,), voice, (sentence,), record.image, group=voice)


def questions(records: Iterable[Record]) -> Iterator[Example]:
    """Every picture that has plain captions to compare with; the voice is added by whoever asks."""
    for record in records:
        if record.image is not None and record.captions:
            yield Example(record.key, record.captions, "", record.captions, record.image)


def score(asked: Sequence[Example], answers: Sequence[str]) -> Scored:
    """What is said, against plain captions: CIDEr-D, BLEU, ROUGE-L overall, and CIDEr-D by voice."""
    scored = captions_scored(asked, answers)
    corpus = dict(scored.corpus)
    for voice, rows in _by_voice(asked).items():
        corpus[f"cider_{voice}"] = float(scored.items["cider"][rows].mean())
    return Scored(corpus, scored.items)


def judged(asked: Sequence[Example], answers: Sequence[str], records: Iterable[Record]) -> Scored:
    """How it is said: what a judge that has learned the voices from `records` makes of the answers."""
    told = list(examples(records, None, "text"))
    judge = metric.fit([example.targets[0].lower() for example in told], [example.group for example in told])
    corpus = {"judge_held_out": judge.held_out}
    items = np.zeros(len(asked))
    probabilities = judge.probabilities([answer.lower() or "." for answer in answers])
    for voice, rows in _by_voice(asked).items():
        if voice in judge.voices:
            items[rows] = probabilities[rows, judge.voices.index(voice)]
            share = probabilities[rows].argmax(axis=1) == judge.voices.index(voice)
            corpus |= {f"strength_{voice}": float(items[rows].mean()), f"judged_{voice}": float(share.mean())}
    corpus["strength"] = float(items.mean())
    return Scored(corpus, {"strength": items})


def _by_voice(asked: Sequence[Example]) -> dict[str, np.ndarray]:
    voices = np.array([example.group for example in asked])
    return {str(voice): np.flatnonzero(voices == voice) for voice in dict.fromkeys(voices)}
