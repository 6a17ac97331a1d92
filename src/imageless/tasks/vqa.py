"""Visual questions: a picture and a question in, a short answer out.

    scene (five captions, averaged)      prompt "what color is the dog?"    targets ("brown", "tan")     VQA 2.0
    scene (one sentence of evidence,)    the same                           the same                     VQA-E

Learned from captions and people's answers, asked about pictures. Every answer that three people gave is a target, and
those given most often where nobody is agreed with. The score is the official evaluator's (metrics/vqa.py).
CLOSE, arXiv:2211.09778; close/data/vqa_e.py, close/experiments/eval.py @ 80f8db0.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from imageless.metrics import vqa as metric
from imageless.records import Example, Record
from imageless.tasks.base import Defaults, Scored, without_setting

LEARNED = ASKED = "vqa"
NEEDS = "captions with a question and its answers"
AGREED = 3  # people

choose = without_setting


def defaults(setting: str | None) -> Defaults:
    """16 new tokens, beam 5; the question is cut at 64 tokens, which is ours."""
    return Defaults(64, 16, beams=5, batch_size=128, noise="vqa", scratch_rate=5e-4, by_length=False)


def examples(records: Iterable[Record], setting: str | None, on: str) -> Iterator[Example]:
    """One for each question."""
    for record in records:
        question, answers = record.fields.get("question"), record.fields.get("answers")
        if question and answers and (record.captions or on == "images"):
            yield Example(record.key, record.captions, question, agreed(answers), record.image)


def agreed(answers: Sequence[str]) -> tuple[str, ...]:
    """What is learned of people's answers: those of three or more, and the most frequent."""
    counts = Counter(answers)
    most = max(counts.values())
    return tuple(answer for answer, count in counts.items() if count >= min(AGREED, most))


def questions(records: Iterable[Record]) -> Iterator[Example]:
    """Every question about a picture, with people's answers where they are known."""
    for record in records:
        question = record.fields.get("question")
        if question and record.image is not None:
            people = tuple(record.fields.get("answers") or ())
            kind = record.fields.get("answer_type") or "any"
            yield Example(record.key, record.captions, question, people, record.image, group=kind)


def score(asked: Sequence[Example], answers: Sequence[str]) -> Scored:
    """Accuracy overall and per type of answer; for a split without answers the leaderboard's file alone."""
    said = [{"question_id": _number(each.key), "answer": answer} for each, answer in zip(asked, answers, strict=True)]
    files = {"results.json": said}
    if not all(example.targets for example in asked):
        return Scored({}, {}, files)
    scores = metric.score(answers, [example.targets for example in asked], [example.group for example in asked])
    by_type = {f"accuracy_{name.replace('/', '_')}": value for name, value in scores.by_type.items()}
    return Scored({"accuracy": scores.overall, **by_type}, {"accuracy": scores.items}, files)


def _number(key: str) -> int | str:
    return int(key) if key.isdigit() else key
