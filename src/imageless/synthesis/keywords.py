"""What a caption is about, and which words the next one is asked to have.

A language model that is only told "write a caption" writes the same few captions. CLOSE asks for two words at a time and
so gets as many scenes as there are pairs of words; its keywords are drawn uniformly, or so that the words of all that is
written are as frequent as in a corpus (arXiv:2211.09778, section 3.3). The paper does not say how it matches; `Unigram`
says how we do.

Notable: the default finds content words with a stop list of function words, and needs no download. Taggers are optional:

    plain words          A man rides a brown horse.  ->  man, rides, brown, horse
    spacy:en_core_web_sm, nltk                       ->  nouns, verbs and adjectives that their taggers see
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

import numpy as np

from imageless import function_words
from imageless.data.lines import lines
from imageless.draws import key
from imageless.errors import InputError

Extractor = Callable[[Sequence[str]], Iterator[tuple[str, ...]]]
"""The different keywords of each of many texts, in the order they stand there."""

WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
POSSESSIVE = re.compile(r"['’]s$")

IRREGULAR = {
    "men": "man",
    "women": "woman",
    "children": "child",
    "people": "person",
    "feet": "foot",
    "teeth": "tooth",
    "mice": "mouse",
    "geese": "goose",
}
CONTENT = ("NOUN", "PROPN", "VERB", "ADJ")  # spaCy's coarse tags
PENN_CONTENT = ("NN", "VB", "JJ")  # how nltk's tags for the same begin


def words(text: str) -> list[str]:
    """The words of a text in lower case, without punctuation and possessive endings."""
    return [POSSESSIVE.sub("", word) for word in WORD.findall(text.lower())]


def content_words(texts: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """The words that are not function words, numbers or single letters: an `Extractor` that needs no model."""
    for text in texts:
        found = (
            word for word in words(text) if word not in function_words.ALL and len(word) > 1 and not word[0].isdigit()
        )
        yield tuple(dict.fromkeys(found))


def extractor(tagger: str | None) -> Extractor:
    """The one behind a --tagger word: none, `nltk` or `spacy:MODEL`."""
    if tagger is None:
        return content_words
    if tagger == "nltk":
        return _nltk()
    name, _, model = tagger.partition(":")
    if name == "spacy" and model:
        return _spacy(model)
    raise InputError(f"--tagger: expected nltk or spacy:MODEL (e.g. spacy:en_core_web_sm), got {tagger!r}")


def _spacy(model: str) -> Extractor:
    try:
        import spacy  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise InputError(f"--tagger spacy:{model}: expected spaCy, it is not installed; pip install spacy") from None
    try:
        pipeline = spacy.load(model)
    except OSError:
        raise InputError(
            f"--tagger spacy:{model}: expected a spaCy model of that name; get it: python -m spacy download {model}"
        ) from None

    def extract(texts: Sequence[str]) -> Iterator[tuple[str, ...]]:
        for text, document in zip(texts, pipeline.pipe(texts), strict=True):
            yield _kept(text, (token.text.lower() for token in document if token.pos_ in CONTENT))

    return extract


def _nltk() -> Extractor:
    try:
        import nltk  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise InputError("--tagger nltk: expected NLTK, it is not installed; pip install nltk") from None
    try:
        nltk.pos_tag(["dog"])
    except LookupError:
        raise InputError(
            "--tagger nltk: expected its tagger's data; get it: python -m nltk.downloader averaged_perceptron_tagger_eng"
        ) from None

    def extract(texts: Sequence[str]) -> Iterator[tuple[str, ...]]:
        for text in texts:
            tagged = nltk.pos_tag(words(text))
            yield _kept(text, (word for word, tag in tagged if tag.startswith(PENN_CONTENT)))

    return extract


def _kept(text: str, tagged: Iterable[str]) -> tuple[str, ...]:
    """What a tagger found, as far as it can be found again with `words`; auxiliary verbs are no keywords."""
    there = set(words(text))
    return tuple(
        dict.fromkeys(word for word in tagged if word in there and word not in function_words.ALL and len(word) > 1)
    )


def read(path: str) -> list[str]:
    """The different keywords of a file, one a line; a keyword may be of several words."""
    found: dict[str, None] = {}
    for number, line in lines(path, longest=200, expected="a keyword a line"):
        keyword = " ".join(line.lower().split())
        if keyword and not words(keyword):
            raise InputError(f"{path}, line {number}: expected a keyword, got {keyword!r}; take the line out")
        if keyword:
            found[keyword] = None
    if not found:
        raise InputError(f"{path}: expected a keyword a line, got blank lines only; write some into it")
    return list(found)


def most_frequent(found: Iterable[tuple[str, ...]], most: int) -> list[str]:
    """The keywords that stand in most texts, the alphabet deciding between equals."""
    counts = Counter(word for own in found for word in own)
    return sorted(counts, key=lambda word: (-counts[word], word))[:most]


def stem(word: str) -> str:
    """What the forms of a word share: dog and dogs, ride and riding, puppy and puppies, man and men.

    Crude on purpose: it only decides whether a caption has the word that was asked for.
    """
    word = IRREGULAR.get(word, word)
    for ending in ("ing", "ed", "es", "s"):
        root = word.removesuffix(ending)
        if root != word and len(root) > 1 and re.search("[aeiouy]", root) and _may_end(root, ending):
            word = root
            break
    word = word.removesuffix("e")
    if len(word) > 2 and word[-1] == word[-2]:
        word = word[:-1]
    return word[:-1] + {"y": "i", "v": "f"}.get(word[-1:], word[-1:])


def _may_end(root: str, ending: str) -> bool:
    """glass, bus and feed are whole words, not forms of others."""
    if ending == "s":
        return root[-1] not in "su"
    return ending != "ed" or (len(root) > 2 and root[-1] != "e")


def has(text: str, keyword: str) -> bool:
    """Whether a text has a keyword in some form; one of several words has to stand there as it is said."""
    there, wanted = [stem(word) for word in words(text)], [stem(word) for word in words(keyword)]
    return any(there[start : start + len(wanted)] == wanted for start in range(len(there) - len(wanted) + 1))


class Sampler(Protocol):
    """Chooses the words to ask for; caption `number` gets the same ones whatever batch it is in."""

    def draw(self, number: int) -> tuple[str, ...]:
        """Different keywords for one caption."""
        ...

    def saw(self, captions: Iterable[tuple[str, tuple[str, ...]]]) -> None:
        """Take notice of what has been written, and for which keywords."""
        ...


class Uniform:
    """Every keyword as often as every other (the paper's RNG)."""

    def __init__(self, keywords: Sequence[str], each: int, seed: int):
        _expect_enough(len(keywords), each, "keywords")
        self.keywords, self.each, self.seed = keywords, each, seed

    def draw(self, number: int) -> tuple[str, ...]:
        chance = np.random.default_rng(key(self.seed, "keywords", number))
        rows = chance.choice(len(self.keywords), self.each, replace=False)
        return tuple(self.keywords[int(row)] for row in rows)

    def saw(self, captions: Iterable[tuple[str, tuple[str, ...]]]) -> None:
        """What is written changes nothing."""


class Unigram:
    """Asks most for what is most missing, so that the frequencies of written keywords approach the corpus'.

    With t the share of a keyword among all keywords of the corpus, W how many keywords the captions so far have, w how
    many of them are this one, and H how many the next round asks for, the keyword is owed t (W + H) - w. Keywords are
    drawn in proportion to what is owed. What the language model writes unasked thus counts too: a word that it likes is
    asked for less, or never. Every time that it ignores a word which it was asked for counts as a quarter of that word:
    a word that it never writes is asked for at most four times too often, and crowds out nothing.

    Relations: drawing from t alone adds what the model likes to what is asked for, and overshoots.
    """

    IGNORED = 0.25  # of a word; 0 would ask for refused words alone in the end, 1 would not insist at all
    SLIGHT = 1e-3  # of a keyword's fair share is always owed, so that there is a choice

    def __init__(self, keywords: Sequence[str], corpus: Iterable[str], each: int, seed: int, captions: int):
        self.keywords, self.each, self.seed = keywords, each, seed
        self.index = {tuple(words(keyword)): row for row, keyword in enumerate(keywords)}
        self.sizes = sorted({len(keyword) for keyword in self.index})
        counts = self.count(corpus)
        _expect_enough(int((counts > 0).sum()), each, "keywords that the reference captions have")
        self.target = counts / counts.sum()
        self.written = np.zeros(len(keywords))
        self.ignored = np.zeros(len(keywords))
        self.round = float(captions * each)  # H
        self.chances = self.target

    def count(self, texts: Iterable[str]) -> np.ndarray:
        """How often each keyword stands in the texts, in the very form it has."""
        counts = np.zeros(len(self.keywords))
        for text in texts:
            found = words(text)
            for size in self.sizes:
                for start in range(len(found) - size + 1):
                    if (row := self.index.get(tuple(found[start : start + size]))) is not None:
                        counts[row] += 1
        return counts

    def draw(self, number: int) -> tuple[str, ...]:
        chance = np.random.default_rng(key(self.seed, "keywords", number))
        rows = chance.choice(len(self.keywords), self.each, replace=False, p=self.chances)
        return tuple(self.keywords[int(row)] for row in rows)

    def saw(self, captions: Iterable[tuple[str, tuple[str, ...]]]) -> None:
        for text, asked in captions:
            found = self.count([text])
            self.written += found
            for keyword in asked:
                row = self.index[tuple(words(keyword))]
                self.ignored[row] += self.IGNORED * (found[row] == 0)
        settled, fair = self.written + self.ignored, self.target * self.round
        owed = self.target * settled.sum() + fair - settled
        weights = owed.clip(min=0) + self.SLIGHT * fair
        self.chances = weights / weights.sum()


def _expect_enough(there: int, each: int, what: str) -> None:
    if there < each:
        raise InputError(f"expected at least {each} {what}, got {there}; name more with --keywords")
