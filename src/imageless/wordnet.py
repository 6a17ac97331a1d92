"""WordNet, by nltk's reader: what kind of word a word is, what it is a form of, and how near two nouns lie.

nltk brings no data. `python -m nltk.downloader wordnet` fetches some; Debian's packages wordnet-base and wordnet-sense-index
bring the same, but for a list of the lexicographers' files, which is laid beside them here.
"""

from __future__ import annotations

import shutil
import warnings
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from imageless import function_words
from imageless.errors import InputError
from imageless.folders import cache as cache_folder
from imageless.folders import locked

SENSES = 3  # of a noun that are compared; by rarer ones anything is near anything
KIND_OF = {"n": "noun", "a": "modifier", "v": "relation", "r": "modifier"}  # of two as frequent, the first
DEBIAN = Path("/usr/share/wordnet")
PLACES = ("corpora/wordnet", "corpora/wordnet.zip/wordnet/")  # below each folder of nltk's own
PARTS = {"noun": 1, "verb": 2, "adj": 3, "adv": 4}
FILES = """
adj.all adj.pert adv.all noun.Tops noun.act noun.animal noun.artifact noun.attribute noun.body noun.cognition
noun.communication noun.event noun.feeling noun.food noun.group noun.location noun.motive noun.object noun.person
noun.phenomenon noun.plant noun.possession noun.process noun.quantity noun.relation noun.shape noun.state noun.substance
noun.time verb.body verb.change verb.cognition verb.communication verb.competition verb.consumption verb.contact
verb.creation verb.emotion verb.motion verb.perception verb.possession verb.social verb.stative verb.weather adj.ppl
"""
"""The lexicographers' files in the order of their numbers: lexnames(5WN)."""


class WordNet:
    """What WordNet knows of single words, each looked up once."""

    def __init__(self) -> None:
        self._reader = _reader()
        self.lemma = cache(self._lemma)
        self.singular = cache(self._singular)
        self.near = cache(self._near)
        self.category = cache(self._category)

    def _lemma(self, word: str) -> tuple[str, str] | None:
        """What kind of word this is, by its most frequent sense, and what it is a form of; None for words that say nothing.

        Verbs and prepositions are relations, adjectives, adverbs and numbers modifiers, as in LiMBeR (arXiv:2209.15162,
        section 5.1).
        """
        if word in function_words.PREPOSITIONS:
            return "relation", word
        if word in function_words.NUMBERS:
            return "modifier", word
        if word in function_words.OTHERS:
            return None
        forms = [(kind, part, self._reader.morphy(word, part)) for part, kind in KIND_OF.items()]
        known = [(kind, part, form) for kind, part, form in forms if form is not None]
        if not known:
            return None
        kind, _, form = max(
            known, key=lambda each: sum(sense.count() for sense in self._reader.lemmas(each[2], each[1]))
        )
        return kind, form

    def _singular(self, word: str) -> str:
        """A word as a noun in the singular, if it can be one."""
        return self._reader.morphy(word, "n") or word

    def _category(self, noun: str) -> str:
        """The lexicographers' file of a noun's most frequent sense: animal, artifact, person, ..."""
        found = self._reader.synsets(noun, "n")
        return found[0].lexname().partition(".")[2] if found else "unknown"

    def _near(self, noun: str, other: str) -> float:
        """Wu-Palmer similarity of the most similar senses of two nouns; nought where WordNet does not know one."""
        senses, others = self._senses(noun), self._senses(other)
        return max((one.wup_similarity(another) or 0.0 for one in senses for another in others), default=0.0)

    def _senses(self, noun: str) -> list[Any]:
        """The senses of a noun, of several words too, such as grizzly bear."""
        return self._reader.synsets(noun.replace(" ", "_"), "n")[:SENSES]

    def names(self, noun: str) -> set[str]:
        """What else a thing is called: the words of its first sense."""
        found = self._senses(noun)
        return {noun} | ({name.replace("_", " ").lower() for name in found[0].lemma_names()} if found else set())


@cache
def wordnet() -> WordNet:
    """WordNet, read once."""
    return WordNet()


def at_hand() -> bool:
    """Whether WordNet's files are here; nltk, which takes seconds to import, is asked only where Debian has none."""
    if _debians():
        return True
    try:
        import nltk
    except ImportError:
        return False
    for name in PLACES:
        with suppress(LookupError):
            return bool(nltk.data.find(name))
    return False


def _debians() -> bool:
    return (DEBIAN / "index.sense").is_file()


def _reader() -> Any:
    try:
        import nltk
        from nltk.corpus.reader.wordnet import WordNetCorpusReader
    except ImportError:
        raise InputError("expected nltk, it is not installed; pip install 'imageless[concepts]'") from None
    if _debians():
        nltk.data.path.append(str(_laid_out(cache_folder() / "nltk")))  # nltk reads from nowhere else
    for name in PLACES:
        with suppress(LookupError), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it misses other languages than English, which nobody asks it for
            return WordNetCorpusReader(nltk.data.find(name), None)
    raise InputError(
        "expected WordNet's files, found none; python -m nltk.downloader wordnet, or on Debian "
        "apt install wordnet-base wordnet-sense-index"
    )


def _laid_out(folder: Path) -> Path:
    """Debian's files as nltk wants them, with the one that it misses."""
    place = folder / "corpora" / "wordnet"
    with locked(place):
        place.mkdir(parents=True, exist_ok=True)
        if (place / "lexnames").is_file():
            return folder
        for file in DEBIAN.iterdir():
            if file.is_file():
                shutil.copyfile(file, place / file.name)
        names = [
            f"{number:02d}\t{name}\t{PARTS[name.partition('.')[0]]}\n" for number, name in enumerate(FILES.split())
        ]
        (place / "lexnames").write_text("".join(names), encoding="utf-8")
    return folder
