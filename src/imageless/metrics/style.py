"""How strongly sentences speak in a voice: a small judge that has learnt to tell voices apart.

    judge = fit(texts, voices)                    # sentences, and the voice of each: "plain", "romantic", "funny"
    judge.held_out                                # how often it is right on sentences it has not seen
    judge.strength(captions, "romantic")          # share judged romantic, and mean probability

Notable:
- Words, pairs of words and pieces of words (tf-idf) into a logistic regression; each voice counts the same, however many
  sentences it has. A tenth of the sentences, drawn by the seed, is kept out of learning to see how far it can be trusted.
- It hears words, not meaning: a caption that only sprinkles "love" is romantic to it. Read it beside a caption score.
- There is nothing to save: it learns again from the same sentences in seconds and is the same.

Style strength by a classifier: Shen et al., arXiv:1705.09655. Needs scikit-learn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from imageless.errors import InputError

HELD_OUT = 0.1
FREEDOM = (
    10.0  # of its weights: the surest of 0.3 to 100 on 90 captions after 810 of three voices; log loss 0.59, at 1: 0.70
)


class Strength(NamedTuple):
    """How much of a voice there is in some sentences."""

    share: float
    """Sentences judged to be in that voice."""
    probability: float
    """Mean probability of that voice."""


@dataclass(frozen=True)
class Judge:
    """Tells voices apart."""

    voices: tuple[str, ...]
    held_out: float
    """Accuracy on the sentences it was not shown, each voice counting the same."""
    pipeline: Any

    def probabilities(self, texts: Sequence[str]) -> np.ndarray:
        """(texts, voices), in the order of `voices`."""
        if not texts or isinstance(texts, str):
            raise InputError("expected a list of sentences to judge, got none; pass at least one")
        return self.pipeline.predict_proba(list(texts))

    def judge(self, texts: Sequence[str]) -> list[str]:
        """The likeliest voice of each sentence."""
        return [self.voices[best] for best in self.probabilities(texts).argmax(axis=1)]

    def strength(self, texts: Sequence[str], voice: str) -> Strength:
        """How much of a voice there is in these sentences."""
        if voice not in self.voices:
            raise InputError(f"expected one of the voices {', '.join(self.voices)}, got {voice!r}; name one of them")
        probabilities = self.probabilities(texts)
        number = self.voices.index(voice)
        share = (probabilities.argmax(axis=1) == number).mean()
        return Strength(float(share), float(probabilities[:, number].mean()))


def fit(texts: Sequence[str], voices: Sequence[str], seed: int = 0) -> Judge:
    """A judge of the voices named. A sentence that a voice says twice counts once."""
    if len(texts) != len(voices) or not texts:
        got = f"{len(voices)} for {len(texts)} sentences"
        raise InputError(f"expected a voice for each sentence, got {got}; align them")
    pairs = list(dict.fromkeys(zip(texts, voices, strict=True)))
    names = tuple(sorted(set(voices)))
    shown, kept = _split(pairs, names, seed)
    pipeline = _pipeline()
    pipeline.fit([text for text, _ in shown], [voice for _, voice in shown])
    judge = Judge(names, 0.0, pipeline)
    by_voice = [judge.strength([text for text, of in kept if of == voice], voice).share for voice in names]
    return Judge(names, float(np.mean(by_voice)), pipeline)


def _split(
    pairs: list[tuple[str, str]], voices: tuple[str, ...], seed: int
) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """What is learnt from, and the tenth of each voice that is not."""
    if len(voices) < 2:
        raise InputError(
            f"expected two voices or more to tell apart, got only {', '.join(voices)}; add sentences of another"
        )
    draw = np.random.default_rng(seed)
    shown, kept = [], []
    for voice in voices:
        own = [pair for pair in pairs if pair[1] == voice]
        if len(own) < 2:
            raise InputError(f"expected two different sentences or more of {voice!r}, got one; add some")
        order = [own[at] for at in draw.permutation(len(own))]
        held_out = max(1, round(HELD_OUT * len(own)))
        kept += order[:held_out]
        shown += order[held_out:]
    return shown, kept


def _pipeline() -> Any:
    """Its optimiser draws nothing: the same sentences make the same judge."""
    try:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline, make_union
    except ModuleNotFoundError as error:
        got = f"no module {error.name!r}; pip install scikit-learn"
        raise InputError(f"style: expected scikit-learn to judge voices, got {got}") from None
    words = TfidfVectorizer(token_pattern=r"\w+|[^\w\s]", ngram_range=(1, 2), sublinear_tf=True)
    pieces = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True)
    regression = LogisticRegression(C=FREEDOM, class_weight="balanced", max_iter=1000)
    return make_pipeline(make_union(words, pieces), regression)
