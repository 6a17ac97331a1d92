"""CIDEr-D, BLEU and ROUGE-L of 5,000 captions with five references each: pycocoevalcap and its Java beside `imageless score`."""

from __future__ import annotations

import contextlib
import io
import shutil
from importlib.util import find_spec
from typing import Any

from imageless import data
from imageless.benchmarks.base import Figure, in_turns, row
from imageless.errors import InputError
from imageless.metrics import captions

COUNT = 5_000
NAMES = ("bleu1", "bleu2", "bleu3", "bleu4", "rouge_l", "cider")


def corpus(count: int) -> tuple[dict[str, str], dict[str, list[str]]]:
    """The captions of another scene for each of the world's test scenes, and its own as references."""
    told = [list(record.captions) for record in data.read("world", "test", limit=count)]
    said = {str(number): told[(number + 1) % len(told)][0] for number in range(len(told))}
    return said, {str(number): references for number, references in enumerate(told)}


def official(said: dict[str, str], references: dict[str, list[str]]) -> dict[str, float]:
    """pycocoevalcap, as its example has it."""
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.rouge.rouge import Rouge
    from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

    tokenizer: Any = PTBTokenizer()
    with contextlib.redirect_stdout(io.StringIO()):
        mine = tokenizer.tokenize({key: [{"caption": text}] for key, text in said.items()})
        theirs = tokenizer.tokenize({key: [{"caption": each} for each in many] for key, many in references.items()})
        scorers: list[Any] = [Bleu(4), Rouge(), Cider()]
        bleu, rouge, cider = (scorer.compute_score(theirs, mine)[0] for scorer in scorers)
    return dict(zip(NAMES, [*bleu, rouge, cider], strict=True))


def figures(quick: bool) -> list[Figure]:
    if find_spec("pycocoevalcap") is None or shutil.which("java") is None:
        raise InputError(
            "scoring: expected pycocoevalcap and Java to compare with; pip install 'imageless[metrics]', "
            "apt install default-jre-headless"
        )
    said, references = corpus(100 if quick else COUNT)
    theirs, ours = official(said, references), captions.score(said, references)
    apart = max(abs(theirs[name] - ours[name]) for name in NAMES)
    rounds = 1 if quick else 3
    before, after = in_turns([lambda: official(said, references), lambda: captions.score(said, references)], rounds)
    what = {
        "input": f"{len(said)} captions of the world with five references each",
        "baseline": "pycocoevalcap 1.2: PTBTokenizer (Java), Bleu(4), Rouge, Cider",
        "ours": "imageless score",
    }
    agreement = {"largest_difference": apart}
    return [row("scoring", "captions/s", len(said), before, after, ">= 10x at 1e-6", agreement, what=what)]
