"""Which written captions are worth learning from, and how their style differs from a reference.

Each caption is kept, or left out for the first of these reasons:

    unfinished    the language model was cut off before it ended the line
    short, long   fewer or more words than a caption has
    keywords      words that were asked for are missing (another form of the word will do)
    copied        one of the examples, word for word
    duplicate     an earlier caption, word for word
    repeated      phrases of 4 to 9 words that stand in very many captions; a draw decides, the worse the likelier

The last is what the released script for stylistic captions means to do (close/experiments/generate_stylistic_captioning.py
@ 14c4013): each phrase that stands 50 times or more adds a chance of its count / 800. As released it cannot run: phrases
are looked up before they are counted.

The table of over-used words is how the paper found that Curie writes "opens" 23 times as often as COCO's captions do
(arXiv:2211.09778, section 3.3): a model's habits become the captioner's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from imageless.draws import key
from imageless.options import SynthesizeOptions
from imageless.synthesis.keywords import has, words

PHRASES = range(4, 10)  # lengths in words; generate_stylistic_captioning.py @ 14c4013
RARE = 5  # a word written less often says nothing about style


@dataclass(frozen=True)
class Caption:
    """A caption as a language model wrote it, and what it was asked for."""

    number: int
    text: str
    keywords: tuple[str, ...]
    finished: bool
    tokens: int
    shots: int
    """In-context examples that its prompt had."""


def reasons(captions: Sequence[Caption], examples: Iterable[str], options: SynthesizeOptions) -> list[str | None]:
    """For each caption why it is left out, or None; captions in the order of their numbers."""
    copied = {_plain(example) for example in examples}
    seen: set[str] = set()
    found = []
    for caption in captions:
        reason = _alone(caption, options)
        plain = _plain(caption.text)
        if reason is None:
            reason = "copied" if plain in copied else "duplicate" if plain in seen else None
        if reason is None:
            seen.add(plain)
        found.append(reason)
    return _repeated(captions, found, options)


def _alone(caption: Caption, options: SynthesizeOptions) -> str | None:
    """What can be told from the caption itself."""
    length = len(words(caption.text))
    if not caption.finished and not options.keep_unfinished:
        return "unfinished"
    if not options.least_words <= length <= options.most_words:
        return "short" if length < options.least_words else "long"
    needed = len(caption.keywords) if options.keywords_needed is None else options.keywords_needed
    if sum(has(caption.text, keyword) for keyword in caption.keywords) < min(needed, len(caption.keywords)):
        return "keywords"
    return None


def _plain(text: str) -> str:
    return " ".join(text.casefold().split()).rstrip(".!? ")


def _repeated(captions: Sequence[Caption], found: list[str | None], options: SynthesizeOptions) -> list[str | None]:
    texts = [words(caption.text) if reason is None else [] for caption, reason in zip(captions, found, strict=True)]
    frequent = _frequent_phrases(texts, options.repeats)
    judged = list(found)
    for row, (caption, text) in enumerate(zip(captions, texts, strict=True)):
        chance = (
            sum(frequent.get(phrase, 0) for size in PHRASES for phrase in _phrases(text, size)) / options.repeats_scale
        )
        if chance > 0 and np.random.default_rng(key(options.seed, "repeated", caption.number)).random() <= chance:
            judged[row] = "repeated"
    return judged


def _frequent_phrases(texts: Sequence[list[str]], least: int) -> dict[tuple[str, ...], int]:
    """Phrases that stand `least` times or more; a longer one can only if its beginning does, which spares memory."""
    frequent: dict[tuple[str, ...], int] = {}
    for size in PHRASES:
        counts = Counter(
            phrase for text in texts for phrase in _phrases(text, size) if size == PHRASES[0] or phrase[:-1] in frequent
        )
        frequent |= {phrase: count for phrase, count in counts.items() if count >= least}
    return frequent


def _phrases(text: list[str], size: int) -> Iterable[tuple[str, ...]]:
    return (tuple(text[start : start + size]) for start in range(len(text) - size + 1))


@dataclass(frozen=True)
class Habit:
    """A word, how often it is written, how often the reference has it, and the ratio of both rates."""

    word: str
    written: int
    reference: int
    times: float


def habits(written: Iterable[str], reference: Iterable[str], most: int = 50, least_times: float = 2.0) -> list[Habit]:
    """Words used far more often than in the reference, the worst first; one added to the reference's counts spares zeros."""
    mine, theirs = (Counter(word for text in texts for word in words(text)) for texts in (written, reference))
    scale = (theirs.total() + 1) / max(1, mine.total())
    found = [
        Habit(word, count, theirs[word], round(scale * count / (theirs[word] + 1), 2))
        for word, count in mine.items()
        if count >= RARE
    ]
    return sorted(
        (habit for habit in found if habit.times >= least_times), key=lambda habit: (-habit.times, habit.word)
    )[:most]
