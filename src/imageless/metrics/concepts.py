"""Which words of people's captions a model's captions have too: nouns, modifiers and relations, each word by itself.

For each of the words that people use of most pictures, over all pictures:

    precision    of the captions with the word, the share whose picture people use it of
    recall       of the pictures people use it of, the share whose caption has it
    near misses  where people use a noun and the caption does not: how near its nearest noun comes

LiMBeR, arXiv:2209.15162 section 5.1. What kind of word a word is, and how near two nouns lie, is for the caller to say.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from statistics import fmean

Word = tuple[str, str]
"""Kind and word: ("noun", "dog")."""
KINDS = ("noun", "modifier", "relation")
MOST = 50  # words of a kind that are looked at


@dataclass(frozen=True)
class Concept:
    """A word, and how many pictures people, the model and both have it for."""

    kind: str
    word: str
    people: int
    said: int
    both: int

    @property
    def precision(self) -> float:
        return self.both / self.said if self.said else 0.0

    @property
    def recall(self) -> float:
        return self.both / self.people

    @property
    def f1(self) -> float:
        return 2 * self.both / (self.said + self.people)


def concepts(said: Sequence[Set[Word]], people: Sequence[Set[Word]], most: int = MOST) -> list[Concept]:
    """The words of each kind that people use of most pictures, the most usual first.

    said: the words of each picture's caption; people: the words of all of its references together.
    """
    usual, uttered = Counter(word for words in people for word in words), Counter(w for words in said for w in words)
    both = Counter(word for mine, theirs in zip(said, people, strict=True) for word in mine & theirs)
    found = []
    for kind in KINDS:
        of_kind = sorted((-count, word) for word, count in usual.items() if word[0] == kind)[:most]
        found += [Concept(kind, word[1], -count, uttered[word], both[word]) for count, word in of_kind]
    return found


def near_misses(
    said: Sequence[Set[Word]], people: Sequence[Set[Word]], nouns: Set[str], near: Callable[[str, str], float]
) -> dict[str, list[float]]:
    """For each of these nouns, how near its nearest noun comes in every caption that should have it and does not.

    A caption without a noun comes nowhere near.
    """
    found: dict[str, list[float]] = {noun: [] for noun in nouns}
    for mine, theirs in zip(said, people, strict=True):
        mentioned = [word for kind, word in mine if kind == "noun"]
        for kind, word in theirs:
            if kind == "noun" and word in nouns and (kind, word) not in mine:
                found[word].append(max((near(word, other) for other in mentioned), default=0.0))
    return found


def means(found: Sequence[Concept], misses: dict[str, list[float]]) -> dict[str, float]:
    """Precision, recall and F1 of each kind, every word counting the same, and how near misses of nouns come."""
    scores = {}
    for kind in KINDS:
        words = [concept for concept in found if concept.kind == kind]
        for name in ("precision", "recall", "f1"):
            scores[f"{kind}_{name}"] = fmean(getattr(word, name) for word in words) if words else 0.0
    scores["noun_wup"] = fmean([near for nears in misses.values() for near in nears] or [0.0])
    return scores
