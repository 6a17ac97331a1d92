"""News captions: a picture and its article in, a caption that knows both out.

    scene (the caption,)    prompt: the article    targets (the caption,)

The caption stands for the picture while learning; the article tells who and where. Long articles are cut at the end: who
and where come first. One epoch is 15 % of the data.
CLOSE, arXiv:2211.09778 section 3.2; close/experiments @ 80f8db0. Visual News: arXiv:2010.03743.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from imageless.records import Example, Record
from imageless.tasks.base import Defaults, captions_scored, without_setting

LEARNED = ASKED = "news"
NEEDS = "captions with an article"
LONGEST_ARTICLE = 512  # tokens, what T5 was made with; the released code reads an article's first line only

choose = without_setting
score = captions_scored


def defaults(setting: str | None) -> Defaults:
    """16 new tokens, beam 2, 16 in a batch."""
    return Defaults(LONGEST_ARTICLE, 16, beams=2, batch_size=16, noise="news", share=0.15)


def examples(records: Iterable[Record], setting: str | None, on: str) -> Iterator[Example]:
    """One for each caption that has an article."""
    for record in records:
        article = record.fields.get("article")
        if record.captions and article and article.strip():
            yield Example(record.key, record.captions, article, record.captions, record.image)


def questions(records: Iterable[Record]) -> Iterator[Example]:
    """Every picture of an article."""
    return (example for example in examples(records, None, "images") if example.image is not None)
