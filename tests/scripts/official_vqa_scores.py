"""Ask the official VQA evaluator, and store what it says for tests/test_task_metrics.py.

    git clone https://github.com/GT-Vision-Lab/VQA VQA     # a013f00 is the last commit
    python tests/scripts/official_vqa_scores.py VQA --python python2.7
    python tests/scripts/official_vqa_scores.py VQA --python python2.7 --fuzz 100000

The evaluator is Python 2 and runs unchanged in one. All answers are made up here. Writes
tests/data/official_vqa_scores.json (what the evaluator made of them, not the answers); with --fuzz, prints how often both
agree on many more, and stores nothing.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from imageless.metrics import vqa

STORED = Path(__file__).parents[1] / "data/official_vqa_scores.json"
EVALUATOR = "PythonEvaluationTools/vqaEvaluation"
DIGITS = 10  # after the point

# Runs in Python 2: questions from a file, through the evaluator, to another file.
DRIVER = """
import io, json, sys
sys.path.insert(0, sys.argv[1])
from vqaEval import VQAEval

class Split(object):
    def __init__(self, qa):
        self.qa = qa
    def getQuesIds(self):
        return sorted(self.qa)

asked = json.load(io.open(sys.argv[2], encoding="utf8"))
people, said = {}, {}
for number, (answer, answers, kind) in enumerate(asked):
    written = [{"answer": each, "answer_id": person} for person, each in enumerate(answers)]
    people[number] = {"answers": written, "answer_type": kind, "question_type": kind}
    said[number] = {"answer": answer}
evaluator = VQAEval(Split(people), Split(said), n=int(sys.argv[4]))
evaluator.evaluate()
found = {
    "python": sys.version.split()[0],
    "overall": evaluator.accuracy["overall"],
    "by_type": evaluator.accuracy["perAnswerType"],
    "items": [evaluator.evalQA[number] for number in range(len(asked))],
    "first": [people[number]["answers"][0]["answer"] for number in range(len(asked))],
}
open(sys.argv[3], "w").write(json.dumps(found))
"""

PIECES = """
    a an the A The none None zero one Two three ten eleven 0 1 2 10 1,000 1,000,000 3.5 .5 3. 10:30 1/2 5% $5 #1 2,b
    yes no Yes. red blue/green half-eaten U.S. p.m. e.g. don't dont DONT cant im Im ive id've hed hes its it's wed let's
    somebody'd somebodyd've yall yall'd've owsat ow's'at oclock o'clock don’t ; / [ ] " { } ( ) = + \\ _ - > < @ ` , ? !
    . .. ... ' '' : & * ^ ~ | “ ” – — … é É ñ ß ẞ İ ı Σ ΣΑΣ ǅ １，２ １,２ ١,٢ ².5 ½ 😀 中文 日本 б Б"""
SPACES = ["", "", " ", " ", " ", "  ", "\n", "\t", "\xa0", "\u2003", "\r\n"]
ODD = (
    "",
    " ",
    ".",
    "...",
    "a",
    "The",
    "an a the",
    "?!",
    "one",
    "none",
    "none.",
    "Two dogs.",
    "the  red\tball\n",
    "red/blue",
    "red / blue",
    "red/blue /green",
    "red/blue; green/yellow",
    "1,000",
    "1,000-2,000",
    "1, 000",
    "3.5",
    "3.",
    ".5",
    "v.2",
    "3 . 5",
    "10:30 a.m.",
    "x" + "." * 40 + "y",
    ". " * 40,
    "don't",
    "Don't!",
    "I'm",
    "It's a dog's.",
    "im",
    "well",
    "shed",
    "somebody'd",
    "- 5",
    "-5",
    "half-eaten",
    "one-two",
    "twenty one",
    "a/an",
    '"stop"',
    "STOP!",
    "c++",
    "@home",
    "1,2,3",
    "a,b",
    "١,٢-٣",
    "3.٥",
    "İstanbul",
    "ΟΔΟΣ",
    "STRASSE ẞ",
    "\u2028x\x1cy",
)


class Question(NamedTuple):
    said: str
    answers: list[str]
    type: str


def texts(count: int, seed: int = 0) -> list[str]:
    """Answers nobody, or hardly anybody, would give: the odd ones, every contraction misspelt, and made-up ones."""
    draw = random.Random(f"texts/{seed}")
    misspelt = [word.replace("'", "") for word in vqa.CONTRACTED.split()]
    return [*ODD, *vqa.CONTRACTIONS, *misspelt, *(_made_up(draw) for _ in range(count))]


def questions(count: int, seed: int = 0) -> list[Question]:
    """Questions on which people agree more or less, each writing the same answer in a manner of their own."""
    draw = random.Random(f"questions/{seed}")
    asked = []
    for _ in range(count):
        ideas = [_made_up(draw) for _ in range(draw.choice((1, 1, 2, 3, 5)))]
        people = draw.choice((1, 2, 3, 9, 10, 10, 10, 10, 10, 12))
        manners = draw.choice((("{}",), ("{}", "{}", "{}."), ("{}", "the {}", "{}!", " {} ", "{}\n", "({})")))
        answers = [draw.choice(manners).format(draw.choice(ideas)) for _ in range(people)]
        said = draw.choice((*answers[:4], _made_up(draw), draw.choice(ideas), "", "a"))
        asked.append(Question(said, answers, draw.choice(("yes/no", "number", "other"))))
    return asked


def _made_up(draw: random.Random) -> str:
    pieces = PIECES.split()
    return "".join(draw.choice(pieces) + draw.choice(SPACES) for _ in range(draw.choice((1, 1, 1, 2, 3, 5))))


def digest(written: Sequence[str], asked: Sequence[Question]) -> str:
    """One number for all that is asked, so that a test notices when it is no longer what was asked."""
    return hashlib.sha256(json.dumps([written, asked]).encode()).hexdigest()


def official(asked: Sequence[Question], checkout: Path, python: str) -> dict[str, Any]:
    """The evaluator's accuracies, out of 100, and what it made of everybody's first answer."""
    with tempfile.TemporaryDirectory() as folder:
        told, found = Path(folder) / "asked.json", Path(folder) / "found.json"
        told.write_text(json.dumps(asked), encoding="utf8")
        arguments = [str(checkout / EVALUATOR), str(told), str(found), str(DIGITS)]
        subprocess.run([python, "-", *arguments], input=DRIVER, text=True, check=True, stdout=subprocess.DEVNULL)
        return json.loads(found.read_text(encoding="utf8"))


def official_forms(written: Sequence[str], checkout: Path, python: str) -> list[str]:
    """What the evaluator makes of each answer: that of a person whom another one contradicts."""
    return official([Question("", [text, "unlike"], "other") for text in written], checkout, python)["first"]


def fuzz(count: int, seed: int, checkout: Path, python: str) -> None:
    """How often we differ on answers nobody would give, and on questions about them."""
    written, asked = texts(count, seed), questions(count // 10, seed)
    forms = official_forms(written, checkout, python)
    odd = [(text, form, vqa.normalise(text)) for text, form in zip(written, forms, strict=True)]
    odd = [each for each in odd if each[1] != each[2]]
    print(f"{len(written)} answers (seed {seed}): {len(odd)} differ")
    for text, theirs, ours in odd[:10]:
        print(f"  {text!r}\n    official {theirs!r}\n    ours     {ours!r}")
    items = official(asked, checkout, python)["items"]
    differing = [
        question
        for question, item in zip(asked, items, strict=True)
        if abs(100 * vqa.accuracy(question.said, question.answers) - item) > 10**-8
    ]
    print(f"{len(asked)} questions: {len(differing)} differ", *differing[:5], sep="\n  ")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkout", type=Path, help="the official repository")
    parser.add_argument("--python", default="python2.7", help="a Python 2")
    parser.add_argument("--fuzz", type=int, metavar="ANSWERS", help="compare on made-up answers, store nothing")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if options.fuzz:
        return fuzz(options.fuzz, options.seed, options.checkout, options.python)
    written, asked = texts(300), questions(500)
    found = official(asked, options.checkout, options.python)
    del found["first"]
    source = (options.checkout / EVALUATOR / "vqaEval.py").read_bytes()
    stored = {
        "evaluator": f"GT-Vision-Lab/VQA {EVALUATOR}/vqaEval.py, sha256 {hashlib.sha256(source).hexdigest()}",
        "asked": digest(written, asked),
        **found,
        "forms": official_forms(written, options.checkout, options.python),
    }
    STORED.write_text(json.dumps(stored) + "\n", encoding="utf8")
    print(f"{len(written)} answers and {len(asked)} questions stored in {STORED.name}")


if __name__ == "__main__":
    main()
