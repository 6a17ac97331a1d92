"""Product reviews: what people say about things, short and content, as the voice of a captioner.

    {"overall": 5.0, "reviewText": "...", "summary": "...", "asin": "0000013714", ...}        Amazon, 2014 and 2018
    {"rating": 5.0, "text": "...", "title": "...", "parent_asin": "B08...", ...}              Amazon, 2023

    a file per kind of thing: jmcauley.ucsd.edu/data/amazon, huggingface.co/datasets/McAuley-Lab/Amazon-Reviews-2023
    imageless train style "reviews:Home_and_Kitchen.jsonl.gz?rating=4" ...

One JSON object a line, whatever the file is called; `.gz` is unpacked on the way. `?rating=4` keeps reviews of at least
four stars, `?longest=40` (the default) those of at most 40 words, `?sentences=1` makes each sentence a record, and then
the length is that of the sentence. CLOSE takes positive reviews of at most 40 tokens (arXiv:2211.09778, its reviews);
words are counted here, because which tokens there are is the language model's affair. Line breaks and HTML go.
Everything is train: a file that knows no splits has nothing that was kept apart for scoring.
"""

from __future__ import annotations

import html
import logging
import re
from collections.abc import Iterator, Mapping
from typing import Any

from imageless.data.lines import parse_json, unpacked_lines
from imageless.data.released import Tally, option
from imageless.data.rows import captions
from imageless.data.sentences import of_length, split_sentences
from imageless.data.splits import Splits
from imageless.errors import InputError
from imageless.records import Record

TEXT = ("reviewText", "text")
STARS = ("overall", "rating")
TITLE = ("summary", "title")
LONGEST_LINE = 10_000_000  # characters; a review with the addresses of its pictures is far below
TAG = re.compile(r"<[a-zA-Z/][^<>]*>")  # not the < of "size < 5"


def reviews(
    path: str, split: str | None = None, rating: str | None = None, longest: str = "40", sentences: str = "0"
) -> Iterator[Record]:
    """A record per review, or per sentence of one."""
    source = f"reviews:{path}"
    splits = Splits(split, source)
    if not splits.takes("train"):
        splits.check()
    least, most = 0.0 if rating is None else option(rating, "rating", source), option(longest, "longest", source)
    if sentences not in ("0", "1"):
        raise InputError(f"{source}: expected ?sentences=1 or ?sentences=0, got {sentences!r}; choose one")
    tally = Tally(source)
    for number, where, row in _rows(path):
        tally.total += 1
        stars, text = _stars(row), plain(" ".join(captions(_first(row, TEXT), where)))
        if not text:
            tally.note("reviews without words skipped", where)
        elif rating is not None and stars is None:
            tally.note("reviews without stars skipped", where)
        elif stars is None or stars >= least:
            fields = {"rating": stars, "title": _first(row, TITLE), "style": "review"}
            kept = list(of_length(split_sentences(text) if sentences == "1" else [text], 1, most))
            if not kept:
                tally.note(f"reviews of over {longest} words skipped", where, logging.INFO)
            for turn, sentence in enumerate(kept):
                key = f"line-{number:06d}" + (f"#{turn}" if sentences == "1" else "")
                yield Record(key, (sentence,), fields=fields)
    tally.report()


def plain(text: str) -> str:
    """A text without tags, entities and line breaks."""
    return " ".join(html.unescape(TAG.sub(" ", text)).replace("\0", "").split())


def _rows(path: str) -> Iterator[tuple[int, str, Mapping[str, Any]]]:
    """(line, where it stands, review)."""
    for number, line in unpacked_lines(path, LONGEST_LINE, "a review a line"):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        row = parse_json(line, where)
        if not isinstance(row, dict) or not any(
            name in row for name in TEXT + STARS
        ):  # an empty review may lack its text
            raise InputError(
                f"{where}: expected an object with reviewText or text, got {line[:60]!r}; write such lines"
            )
        yield number, where, row


def _first(row: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((row[name] for name in names if row.get(name) is not None), None)


def _stars(row: Mapping[str, Any]) -> float | None:
    """How many stars; None when none are given."""
    try:
        return float(_first(row, STARS))
    except (TypeError, ValueError):
        return None
