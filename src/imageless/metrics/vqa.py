"""VQA accuracy as the official evaluator counts it: several people answered, and an answer is right with a few of them.

    said "Two dogs."    answers 5 x "2 dogs", 1 x "dogs", 4 x "a cat"    ->  1.0
    said "Dogs"                                                          ->  0.3

Against each person in turn: how many of the *others* gave this answer, three are enough; then the mean. Of ten people
one who agrees is worth 0.3, two 0.6, three 0.9, four 1.

Notable, all of it as the official evaluator does it:
- Where people's answers are alike to the letter nothing is normalised: "Yes." is wrong where all ten said "yes".
- A mark becomes a space, but vanishes wherever it stands if it stands beside a space once: "red/blue" is "red blue",
  "red/blue /green" is "redblue green". A comma between two digits makes every mark vanish: "1,000-2,000" is "10002000".
- A full stop vanishes unless a digit follows: "3.5" stays, "U.S." is "us". Only the first 32 do: `re.UNICODE` stands where
  `sub` takes a count. Apostrophes, colons, "&", "%" and "$" are no marks and stay.
- "none" is 0. Articles vanish, so that "a" (which letter is it?) becomes nothing, and is right where people's became nothing.
- Contractions get their apostrophe back ("dont"), but not those that begin with I ("im": the table has a capital, the
  text has none by then), nor "wed", "hell" and the like; "somebody'd" loses the one it has.
- It is Python 2: digits are ASCII's, and letters are lower-cased one by one ("İ" is "i", never two characters).

Here scores are shares, unrounded; the official ones are these times 100, rounded to two digits. Known differences: letters
later than Unicode 5.2 keep their case there, and U+180E is a space there.
VQA: arXiv:1505.00468. Official: GT-Vision-Lab/VQA PythonEvaluationTools/vqaEvaluation/vqaEval.py @ a013f00;
tests/scripts/official_vqa_scores.py compares the two.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from imageless.errors import InputError

ENOUGH = 3  # people who agree
MARKS = frozenset(';/[]"{}()=+\\_-><@`,?!')
STOPS = 32  # the value of re.UNICODE
NUMBERS = {"none": "0", "zero": "0", "one": "1", "two": "2", "three": "3", "four": "4", "five": "5"}
NUMBERS |= {"six": "6", "seven": "7", "eight": "8", "nine": "9", "ten": "10"}
ARTICLES = frozenset(("a", "an", "the"))
CONTRACTED = """
    ain't aren't can't didn't doesn't don't hadn't hasn't haven't isn't mightn't mustn't needn't oughtn't shan't wasn't
    weren't won't couldn't shouldn't wouldn't couldn't've hadn't've mightn't've shouldn't've wouldn't've
    could've might've must've not've should've they've we've what've where've who've would've you've
    he'd how'd it'd someone'd something'd there'd they'd where'd who'd you'd
    he'd've it'd've she'd've somebody'd've someone'd've something'd've there'd've they'd've we'd've who'd've you'd've
    how'll it'll somebody'll someone'll something'll they'll what'll who'll why'll you'll
    he's how's somebody's someone's that's there's what's when's where's who's why's
    there're they're what're why're you're ma'am o'clock 'ow's'at 'twas y'all y'all'll y'all'd've"""
# What lacks one apostrophe gets it back.
CONTRACTIONS = {"somebody'd": "somebodyd"} | {
    word[:at] + word[at + 1 :]: word
    for word in CONTRACTED.split()
    for at, character in enumerate(word)
    if character == "'"
}
REMEMBERED = 1 << 18  # distinct answers; people give the same short ones again and again

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Scores:
    """Accuracies of a split, all from 0 to 1."""

    overall: float
    """Mean over questions."""
    by_type: dict[str, float]
    """Mean over the questions of each type, in order of appearance."""
    items: np.ndarray
    """(questions,)"""
    silent: np.ndarray
    """(questions,): which answers came to nothing. They count: as 0, unless people's came to nothing too."""


def score(said: Sequence[str], answers: Sequence[Sequence[str]], types: Sequence[str]) -> Scores:
    """For each question what was said, what people answered, and its type: of the answer or of the question."""
    if not said:
        raise InputError("expected at least one answer to score, got none; check the predictions")
    if not len(said) == len(answers) == len(types):
        got = f"{len(said)} said, {len(answers)} lists of people's and {len(types)} types"
        raise InputError(f"expected as many answers as questions, got {got}; align them")
    items, silent = np.zeros(len(said)), np.zeros(len(said), dtype=bool)
    for index, (answer, written) in enumerate(zip(said, answers, strict=True)):
        answer, written = _comparable(answer, written)
        items[index] = _agreement(written.count(answer), len(written))
        silent[index] = not answer
    if silent.any():
        log.warning("%d of %d answers come to nothing once normalised; they count as they are", silent.sum(), len(said))
    names, of = list(dict.fromkeys(types)), np.asarray(types)
    return Scores(float(items.mean()), {name: float(items[of == name].mean()) for name in names}, items, silent)


def accuracy(answer: str, answers: Sequence[str]) -> float:
    """How right an answer is, from 0 to 1."""
    answer, written = _comparable(answer, answers)
    return _agreement(written.count(answer), len(written))


def normalise(text: str) -> str:
    """An answer as it is compared: one line, without marks and articles, numbers as digits, contractions repaired."""
    if not isinstance(text, str):
        raise InputError(f"expected an answer, got {type(text).__name__} {text!r:.60}; pass strings")
    return _normalise(text)


def _comparable(answer: str, answers: Sequence[str]) -> tuple[str, list[str]]:
    """What is compared: normalised, but as it stands where people's answers do not differ."""
    if isinstance(answers, str) or not isinstance(answers, Sequence):
        raise InputError(f"expected a list of people's answers, got {type(answers).__name__}; put them in a list")
    if not answers:
        raise InputError("expected what people answered, got an empty list; leave the question out")
    normal = normalise(answer), [normalise(each) for each in answers]
    lines = {_line(each) for each in answers}
    return normal if len(lines) > 1 else (_line(answer), [*lines] * len(answers))


def _agreement(agreeing: int, people: int) -> float:
    """Mean over people of how many of the others agree: those who do see one less."""
    seen_by_agreeing = min(max(agreeing - 1, 0) / ENOUGH, 1.0)
    seen_by_others = min(agreeing / ENOUGH, 1.0)
    return (agreeing * seen_by_agreeing + (people - agreeing) * seen_by_others) / people


@lru_cache(REMEMBERED)
def _normalise(text: str) -> str:
    words = [NUMBERS.get(word, word) for word in _lower(_without_marks(_line(text))).split()]
    return " ".join(CONTRACTIONS.get(word, word) for word in words if word not in ARTICLES)


def _line(text: str) -> str:
    return text.replace("\n", " ").replace("\t", " ").strip()


def _without_marks(text: str) -> str:
    """Whether a mark vanishes or becomes a space is settled by the text as it came."""
    marks = MARKS.intersection(text)
    if marks:
        thousands = _thousands.search(text)
        vanishing = {mark for mark in marks if thousands or f"{mark} " in text or f" {mark}" in text}
        text = text.translate({ord(mark): "" if mark in vanishing else " " for mark in marks})
    return _stop.sub("", text, count=STOPS)


_thousands = re.compile("[0-9],[0-9]")
_stop = re.compile(r"\.(?![0-9])")


def _lower(text: str) -> str:
    return text.lower() if text.isascii() else "".join(character.lower()[0] for character in text)
