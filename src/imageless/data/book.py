"""A plain book, for the voice it is told in: sentences out of wrapped paragraphs.

    Down the lane came a boy with a lantern, singing so loudly that the
    geese woke up. "Who is there?" called Mr. Webb from his window.

    curl -o emma.txt https://www.gutenberg.org/cache/epub/158/pg158.txt
    imageless train style "book:emma.txt?style=austen" ...

Blank lines part paragraphs, so a sentence may run over lines but never over a paragraph's end. What stands before
Project Gutenberg's `*** START OF` mark and after its `*** END OF` is left out where there are such marks, and so are
lines all in capitals and the underlines of _emphasis_. `?longest=40` and `?shortest=4` (the defaults) bound a sentence
in words: a chapter's name or a cry is no caption, and neither is half a page. UTF-8; everything is train.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator

from imageless.data.lines import lines
from imageless.data.released import Tally, option
from imageless.data.sentences import of_length, split_sentences
from imageless.data.splits import Splits
from imageless.records import Record

LONGEST_LINE = 1_000_000  # characters; some books have a paragraph a line
START = re.compile(r"\s*\*\*\* ?START OF (THE|THIS) PROJECT GUTENBERG|\s*\*END\W+THE SMALL PRINT", re.IGNORECASE)
END = re.compile(r"\s*(\*\*\* ?)?END OF (THE |THIS )?PROJECT GUTENBERG", re.IGNORECASE)
EMPHASIS = re.compile(r"(?<!\w)_([^_]+)_(?!\w)")


def book(path: str, split: str | None = None, longest: str = "40", shortest: str = "4") -> Iterator[Record]:
    """A record per sentence, called by the line its paragraph begins on."""
    source = f"book:{path}"
    splits = Splits(split, source)
    if not splits.takes("train"):
        splits.check()
    least, most = option(shortest, "shortest", source), option(longest, "longest", source)
    tally = Tally(source)
    for number, paragraph in _paragraphs(path):
        sentences = [sentence for sentence in split_sentences(paragraph) if not sentence.isupper()]
        kept = list(of_length(sentences, least, most))
        tally.total += len(sentences)
        for _ in range(len(sentences) - len(kept)):
            tally.note(f"sentences of under {shortest} or over {longest} words skipped", paragraph[:60], logging.INFO)
        for turn, sentence in enumerate(kept):
            yield Record(f"line-{number:06d}#{turn}", (sentence,))
    tally.report()


def _paragraphs(path: str) -> Iterator[tuple[int, str]]:
    """(first line, text) of each paragraph between the marks."""
    begins, gathered = 0, []
    for number, line in _body(path):
        if line.strip():
            begins = begins if gathered else number
            gathered.append(line.strip())
        elif gathered:
            yield begins, EMPHASIS.sub(r"\1", " ".join(gathered))
            gathered = []
    if gathered:
        yield begins, EMPHASIS.sub(r"\1", " ".join(gathered))


def _body(path: str) -> Iterator[tuple[int, str]]:
    """The lines of the book itself; read twice, as only the whole file can tell that it has no mark."""
    started = next((number for number, line in lines(path, LONGEST_LINE, "a book") if START.match(line)), 0)
    for number, line in lines(path, LONGEST_LINE, "a book"):
        if number > started:
            if END.match(line):
                return
            yield number, line
