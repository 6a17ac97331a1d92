"""Language: text in a row, from which a causal language model learns to read context.

    captions of a scene    a caption / another caption / ...                       one a line
    with a question        captions / is there a dog? yes.
    with an article        the article / its caption
    sentences alone        a line of running text, with the lines that come next

Two figures say whether what stands before was read: how likely a scene's second caption is after its first and without
it, and an answer after caption and question and after the question alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

from imageless.records import Record

RUNNING = 20  # lines of running text in one document; captions of the usual length then fill a window of 256 tokens


@dataclass(frozen=True)
class Probe:
    """Words whose likelihood is measured after `prompt`, and after `context` and `prompt`."""

    name: str
    """ "caption" or "answer"."""
    context: str
    prompt: str
    said: str


def groups(records: Iterable[Record]) -> Iterator[tuple[Record, ...]]:
    """The records of each document: one that says several things, or sentences that stand alone, as they follow each other."""
    running: list[Record] = []
    for record in records:
        said = len(lines(record))
        if running and (said > 1 or len(running) == RUNNING):
            yield tuple(running)
            running = []
        if said > 1:
            yield (record,)
        elif said == 1:
            running.append(record)
    if running:
        yield tuple(running)


def document(group: Iterable[Record]) -> str:
    """What the records of a group say, a line for each thing."""
    return "\n".join(line for record in group for line in lines(record))


def lines(record: Record) -> list[str]:
    """What a record says, one thing a line: its article, its captions, its question with the answer."""
    fields = record.fields
    said = [fields["article"]] if _text(fields.get("article")) else []
    said += record.captions
    if _text(fields.get("question")) and (answers := _answers(fields)):
        said.append(answered(fields["question"], answers))
    return [" ".join(text.split()) for text in said]


def answered(question: str, answers: Sequence[str]) -> str:
    """ "is there a dog? yes.", with the answer most people gave."""
    return f"{question} {usual(answers)}."


def usual(answers: Sequence[str]) -> str:
    """The most frequent answer, the first of equals."""
    return Counter(answers).most_common(1)[0][0]


def probes(records: Iterable[Record]) -> Iterator[Probe]:
    """What can be measured on records: second captions, and answers where something is asked about a caption."""
    for record in records:
        if len(record.captions) > 1:
            yield Probe("caption", f"{record.captions[0]}\n", "", record.captions[1])
        question, answers = record.fields.get("question"), _answers(record.fields)
        if record.captions and _text(question) and answers:
            yield Probe("answer", f"{record.captions[0]}\n", question, f" {usual(answers)}")


def _answers(fields: Mapping[str, Any]) -> list[str]:
    """A record's answers: texts, or objects that hold one as VQA v2 writes them, or a single answer."""
    given = fields.get("answers") or fields.get("answer") or []
    given = [given] if isinstance(given, str) else given
    found: list[Any] = [answer.get("answer") if isinstance(answer, Mapping) else answer for answer in given]
    return [answer for answer in found if _text(answer)]


def _text(value: Any) -> TypeGuard[str]:
    return isinstance(value, str) and bool(value.strip())
