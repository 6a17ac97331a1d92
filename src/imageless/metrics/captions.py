"""How well captions agree with what people wrote: CIDEr-D, BLEU-1 to 4 and ROUGE-L, as the official scorers count them.

Notable:
- Equal to pycocoevalcap 1.2 on real corpora (tests/test_metrics.py), without its Java.
- Every caption becomes a row of word numbers, every n-gram one number; counts, document frequencies, tf-idf vectors and
  clipped matches are then sorted arrays. Longest common subsequences are found a word of bits at a time.
- What the official code calls CIDEr is CIDEr-D: clipped counts, a penalty on length, document frequencies from the
  references of the very images scored. With one image every word stands in every document, and CIDEr is 0.
- Numbers are as the scorers print them: CIDEr-D around 1, not 100.

CIDEr: arXiv:1411.5726. BLEU: Papineni et al. 2002. ROUGE-L: Lin 2004. Official: pycocoevalcap cider/, bleu/, rouge/.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, count

import numpy as np

from imageless.errors import InputError
from imageless.metrics.ptb import tokenize_lines

ORDERS = 4  # n-grams of one to four words, in CIDEr and BLEU
SIGMA = 6.0  # width of CIDEr-D's length penalty; cider_scorer.py
BETA = 1.2  # how much more recall counts in ROUGE-L; rouge.py
TINY, SMALL = 1e-15, 1e-9  # keep BLEU's fractions finite; bleu_scorer.py

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Scores:
    """Scores of a corpus, and of each of its images in the order of `keys`."""

    keys: tuple[str, ...]
    corpus: dict[str, float]
    """cider, bleu1 to bleu4, rouge_l."""
    cider: np.ndarray
    """(images,)"""
    rouge_l: np.ndarray
    """(images,)"""
    bleu: np.ndarray
    """(images, 4): smoothed as in the official code, whose corpus BLEU is not their mean."""


def score(hypotheses: Mapping[str, str], references: Mapping[str, Sequence[str]]) -> dict[str, float]:
    """Scores of the corpus: one caption per image against all of its references."""
    return per_item(hypotheses, references).corpus


def per_item(hypotheses: Mapping[str, str], references: Mapping[str, Sequence[str]]) -> Scores:
    """The same, with the scores of each image. References of images without a hypothesis are left out."""
    _check(hypotheses, references)
    if len(references) > len(hypotheses):
        log.warning("%d images have references but no hypothesis; left out", len(references) - len(hypotheses))
    keys = tuple(hypotheses)
    written = [key for key in references if key in hypotheses]
    tokens = iter(tokenize_lines([caption for key in written for caption in references[key]]))
    tokens_of = {key: [next(tokens) for _ in references[key]] for key in written}
    corpus = _Corpus(tokenize_lines(list(hypotheses.values())), [tokens_of[key] for key in keys])
    ciders, rouges = corpus.cider(), corpus.rouge_l()
    bleus, whole = corpus.bleu()
    scores = {"cider": float(ciders.mean())}
    scores |= {f"bleu{order}": value for order, value in enumerate(whole, start=1)}
    scores["rouge_l"] = float(rouges.mean())
    return Scores(keys, scores, ciders, rouges, bleus)


def _check(hypotheses: Mapping[str, str], references: Mapping[str, Sequence[str]]) -> None:
    if not hypotheses:
        raise InputError("expected at least one hypothesis, got none; check the file of hypotheses")
    unknown = [key for key in hypotheses if key not in references]
    if unknown:
        some = ", ".join(map(str, unknown[:5])) + (" ..." if len(unknown) > 5 else "")
        raise InputError(f"expected references for every hypothesis, got none for {len(unknown)} ids: {some}; add them")
    for key in hypotheses:
        captions = references[key]
        if isinstance(captions, str) or not isinstance(captions, Sequence):
            kind = type(captions).__name__
            raise InputError(f"expected a list of references for {key}, got {kind}; put captions in a list")
        if not captions:
            raise InputError(f"expected at least one reference for {key}, got none; leave the image out or add some")


class _Corpus:
    """Hypotheses and references as numbers. Captions are counted through: all hypotheses, then all references."""

    def __init__(self, hypotheses: list[list[str]], references: list[list[list[str]]]):
        self.hypotheses, self.references = hypotheses, references
        self.images = len(hypotheses)
        self.image = np.repeat(np.arange(self.images), [len(each) for each in references])  # of each reference
        captions = [*hypotheses, *(reference for each in references for reference in each)]
        rows = [" ".join(tokens).split() for tokens in captions]  # a token may hold a space: one to ROUGE, two here
        self.length = np.array([len(row) for row in rows])
        numbers: defaultdict[str, int] = defaultdict(count().__next__)  # each new word gets the next number
        words = np.fromiter(map(numbers.__getitem__, chain.from_iterable(rows)), np.int64, self.length.sum())
        caption = np.repeat(np.arange(len(rows)), self.length)
        self.orders = [_Counts(number, of, self.image) for number, of in _ngrams(words, caption)]

    def cider(self) -> np.ndarray:
        """CIDEr-D of each image: how alike tf-idf vectors are, mean over orders and references, times 10."""
        bigrams = np.maximum(self.length - 1, 0)  # what the official code takes for a caption's length
        longer = bigrams[self.image] - bigrams[self.images :]
        penalty = np.exp(-(longer**2) / (2 * SIGMA**2))
        alike = np.zeros(len(self.image))
        for counts in self.orders:
            rarity = np.log(self.images) - np.log(np.maximum(counts.documents, 1))
            weight = counts.count * rarity[counts.gram]
            norm = np.sqrt(np.bincount(counts.caption, weight**2, minlength=len(self.length)))
            shared = np.minimum(weight[counts.hypothesis], weight[counts.reference]) * weight[counts.reference]
            product = np.bincount(counts.caption[counts.reference], shared, minlength=len(self.length))[self.images :]
            norms = norm[self.image] * norm[self.images :]
            alike += penalty * np.divide(product, norms, out=np.zeros(len(product)), where=norms > 0)
        return 10 * np.bincount(self.image, alike / ORDERS) / np.bincount(self.image)

    def bleu(self) -> tuple[np.ndarray, list[float]]:
        """BLEU-1 to 4 of each image (images, 4) and of the corpus."""
        length = self.length[: self.images]
        guessed = np.maximum(length[:, None] - np.arange(ORDERS), 0)  # (images, 4)
        correct = np.stack([counts.clipped(self.images) for counts in self.orders], axis=1)  # (images, 4)
        ends = np.bincount(self.image).cumsum()
        lengths = np.split(self.length[self.images :], ends[:-1])
        closest = np.array([min((abs(r - h), r) for r in each)[1] for h, each in zip(length, lengths, strict=True)])
        whole = _bleu(correct.sum(0), guessed.sum(0), length.sum(), closest.sum())
        return _bleu(correct, guessed, length, closest), whole.tolist()

    def rouge_l(self) -> np.ndarray:
        """ROUGE-L of each image: best precision and best recall, not always of the same reference."""
        return np.array([_rouge_l(*pair) for pair in zip(self.hypotheses, self.references, strict=True)])


class _Counts:
    """How often each n-gram of one order stands in each caption, and where hypotheses and references meet."""

    def __init__(self, number: np.ndarray, caption: np.ndarray, image: np.ndarray):
        images, distinct = int(image[-1]) + 1, int(number.max(initial=0)) + 1
        entries, self.count = np.unique(caption * distinct + number, return_counts=True)
        self.caption, self.gram = np.divmod(entries, distinct)
        first = int(np.searchsorted(self.caption, images))  # of the references' entries
        wanted = image[self.caption[first:] - images] * distinct + self.gram[first:]
        at = np.searchsorted(entries[:first], wanted)
        meet = np.r_[entries[:first], -1][at] == wanted
        self.reference = first + np.flatnonzero(meet)
        self.hypothesis = at[meet]  # the entry of the same n-gram in the hypothesis for that reference's image
        self.documents = np.bincount(_distinct(wanted) % distinct, minlength=distinct)

    def clipped(self, images: int) -> np.ndarray:
        """n-grams of each hypothesis, each as often as the reference that has it most often."""
        most = np.zeros(len(self.count), dtype=np.int64)
        np.maximum.at(most, self.hypothesis, self.count[self.reference])
        return np.bincount(self.caption, np.minimum(most, self.count), minlength=images)[:images]


def _ngrams(words: np.ndarray, caption: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """For each order: a number for every n-gram, and the caption it stands in."""
    caption_at = np.r_[caption, np.full(ORDERS, -1)]
    distinct = int(words.max(initial=0)) + 1
    start, number = np.arange(len(words)), words
    yield number, caption
    for more in range(1, ORDERS):
        inside = caption_at[start + more] == caption_at[start]
        start, number = start[inside], number[inside]
        number = np.unique(number * distinct + words[start + more], return_inverse=True)[1]
        yield number, caption[start]


def _distinct(numbers: np.ndarray) -> np.ndarray:
    """Like np.unique, whose hashing in numpy 2.4 takes far longer than sorting here."""
    numbers = np.sort(numbers)
    return numbers[np.r_[True, numbers[1:] != numbers[:-1]][: len(numbers)]]


def _bleu(correct: np.ndarray, guessed: np.ndarray, length: np.ndarray, closest: np.ndarray) -> np.ndarray:
    """Geometric means of precisions (..., 4), short captions punished."""
    precision = np.cumprod((correct + TINY) / (guessed + SMALL), axis=-1) ** (1 / np.arange(1, ORDERS + 1))
    ratio = (length + TINY) / (closest + SMALL)
    return precision * np.where(ratio < 1, np.exp(1 - 1 / ratio), 1.0)[..., None]


def _rouge_l(hypothesis: list[str], references: list[list[str]]) -> float:
    hypothesis = hypothesis or [""]  # as "".split(" ") has it: nothing agrees with nothing
    places: dict[str, int] = {}
    for place, word in enumerate(hypothesis):
        places[word] = places.get(word, 0) | 1 << place
    precision = recall = 0.0
    for reference in references:
        common = _longest_common(places, len(hypothesis), reference or [""])
        precision = max(precision, common / len(hypothesis))
        recall = max(recall, common / (len(reference) or 1))
    return (1 + BETA**2) * precision * recall / (recall + BETA**2 * precision) if precision and recall else 0.0


def _longest_common(places: dict[str, int], length: int, words: list[str]) -> int:
    """Length of the longest common subsequence; all places of the other caption at once, as bits (Hyyrö 2004)."""
    everywhere = (1 << length) - 1
    free = everywhere
    for word in words:
        met = free & places.get(word, 0)
        free = (free + met) | (free - met)
    return length - (free & everywhere).bit_count()
