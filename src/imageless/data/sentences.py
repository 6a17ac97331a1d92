"""Sentences out of running text, and those of a length that a caption has.

The splitter is for languages written as English is. It ends a sentence at . ! ? or … (and the quotes or brackets that
close after it) when what follows does not begin in lower case; not after a title or another word of `ABBREVIATIONS`,
nor after an initial. So `"Stop!" he cried.` is one sentence, and `"Stop!" John cried.` is, wrongly, two; a review that
starts its sentences in lower case stays whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

END = re.compile(r"(?<![.!?…])[.!?…]++[\"'”’»)\]]*+(?=\s)")
NEXT = re.compile(r"[\W_]{0,40}(\w)")  # bounded, so that a page of marks takes no time
OPENING = "\"'“‘«([_*-—–"
# fmt: off
ABBREVIATIONS = frozenset((
    "mr", "mrs", "ms", "messrs", "mme", "mlle", "dr", "prof", "rev", "hon", "st", "mt", "ft", "sr", "capt", "col",
    "gen", "lieut", "lt", "sgt", "corp", "gov", "pres", "sen", "rep", "vs", "viz", "cf", "al", "approx", "dept", "est",
    "fig", "vol", "chap", "pp", "no", "nos", "jan", "feb", "aug", "sept", "oct", "nov", "dec",
))
# fmt: on
LONGEST_WORD = 40  # characters before a full stop that are looked at; no abbreviation is longer


def split_sentences(text: str) -> list[str]:
    """The sentences of a text, without blanks around them; line ends and runs of blanks become one blank."""
    text = " ".join(text.split())
    sentences, start = [], 0
    for match in END.finditer(text):
        if _ends(text, match):
            sentences.append(text[start : match.end()].strip())
            start = match.end()
    rest = text[start:].strip()
    return [*sentences, rest] if rest else sentences


def _ends(text: str, match: re.Match[str]) -> bool:
    """Whether a sentence ends at these marks."""
    following = NEXT.match(text, match.end())
    if following is None or following[1].islower():
        return False
    if not match[0].startswith(".") or match[0].startswith(".."):
        return True
    words = text[max(0, match.start() - LONGEST_WORD) : match.start()].split()
    word = words[-1].lstrip(OPENING).rpartition(".")[2] if words else ""
    initial = len(word) == 1 and word.isalpha() and word != "I"
    return not initial and word.lower() not in ABBREVIATIONS


def of_length(sentences: Iterable[str], shortest: float, longest: float) -> Iterator[str]:
    """Those that have so many words, counted by the blanks between them."""
    return (sentence for sentence in sentences if shortest <= len(sentence.split()) <= longest)
