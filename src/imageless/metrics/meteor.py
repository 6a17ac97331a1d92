"""METEOR of captions: words, stems, synonyms and paraphrases that agree, by the authors' own Java program.

The only score here that is not ours: the program, its WordNet and its paraphrase table come with pycocoevalcap, and it
needs Java and about 2 GB. Captions become words as for the other scores, without the official tokeniser's own Java.
METEOR of the corpus is computed from summed counts; it is not the mean over images.

    pip install 'imageless[metrics]'; apt install default-jre-headless

METEOR 1.5: Denkowski and Lavie, WMT 2014. Official: pycocoevalcap 1.2, meteor/meteor.py.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from imageless.errors import InputError
from imageless.metrics.ptb import tokenize_lines


@dataclass(frozen=True)
class Scores:
    """METEOR of a corpus, and of each of its images in the order of `keys`; from 0 to 1."""

    keys: tuple[str, ...]
    corpus: float
    items: np.ndarray
    """(images,)"""


def score(hypotheses: Mapping[str, str], references: Mapping[str, Sequence[str]]) -> Scores:
    """One caption per image against all of its references."""
    if not hypotheses:
        raise InputError("expected at least one hypothesis, got none; check the file of hypotheses")
    if unknown := [key for key in hypotheses if not references.get(key)]:
        some = ", ".join(map(str, unknown[:5]))
        raise InputError(f"expected references for every hypothesis, got none for {len(unknown)} ids: {some}; add them")
    if alone := [key for key in hypotheses if isinstance(references[key], str)]:
        raise InputError(f"expected a list of references for {alone[0]}, got str; put captions in a list")
    keys = tuple(hypotheses)
    written = iter(_words([caption for key in keys for caption in references[key]]))
    people = {key: [next(written) for _ in references[key]] for key in keys}
    said = {key: [words] for key, words in zip(keys, _words([hypotheses[key] for key in keys]), strict=True)}
    with _program() as program:
        try:
            corpus, items = program.compute_score(people, said)
        except (ValueError, OSError):  # an empty line where a number should be, or its pipe is closed
            got = "none; see whether `java -version` runs and 2 GB are free"
            raise InputError(f"METEOR: expected scores from its Java program, got {got}") from None
    return Scores(keys, corpus, np.array(items))


def _words(captions: Sequence[str]) -> list[str]:
    return [" ".join(tokens) for tokens in tokenize_lines(captions)]


@contextlib.contextmanager
def _program() -> Iterator[Any]:
    """The running program, and nothing left of it afterwards, whatever happens."""
    try:
        from pycocoevalcap.meteor.meteor import Meteor
    except ModuleNotFoundError as error:
        got = f"no module {error.name!r}; pip install 'imageless[metrics]'"
        raise InputError(f"METEOR: expected pycocoevalcap, got {got}") from None
    if shutil.which("java") is None:
        raise InputError("METEOR: expected `java` on the PATH, got none; apt install default-jre-headless, or the like")
    program = Meteor()
    try:
        yield program
    finally:
        if program.lock.locked():  # still held after a failure, and its own clean-up would wait for it for ever
            program.lock.release()
        program.meteor_p.kill()
        program.meteor_p.communicate()  # closes its pipes and waits
