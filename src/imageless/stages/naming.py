"""What is asked with `evaluate --names`: does a caption name what is on its picture, and if not, how near does it come?

    picture of a squirrel -> "a rabbit in the grass"        named no, named_other yes, wup and attributes of squirrel and rabbit

LiMBeR, arXiv:2209.15162 section 5.3. Data are pictures with a `label`, with `names` where it has others than
WordNet knows, and `attributes` where something is known of it (readers awa2:, imagefolder:, world:classes).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from imageless.metrics import names
from imageless.records import Example, Record
from imageless.tasks.base import Scored
from imageless.wordnet import WordNet, wordnet

ASKED = "classes"
NEEDS = "a label"


def questions(records: Iterable[Record]) -> Iterator[Example]:
    """Every picture with a label, once: its names are the targets, and what is true of it goes along as its scene."""
    for record in records:
        label = record.fields.get("label")
        if record.image is not None and isinstance(label, str):
            true_of_it, called = (tuple(record.fields.get(name) or ()) for name in ("attributes", "names"))
            yield Example(record.key, true_of_it, "", (label, *called), record.image, label)


def score(asked: Sequence[Example], answers: Sequence[str]) -> Scored:
    """The scores of metrics/names.py; names.json tells them class by class."""
    known = wordnet()
    attributes = {example.group: set(example.scene) for example in asked}
    called = {example.group: {*example.targets, *known.names(example.group)} for example in asked}
    called = {label: [tuple(_words(name, known)) for name in sorted(every)] for label, every in called.items()}
    named = [names.found_in(_words(answer, known), called) for answer in answers]
    labels = [example.group for example in asked]
    corpus, right = names.scored(labels, named, attributes, known.near)
    classes: dict[str, Any] = {}
    for label in sorted(attributes):
        here = [said for own, said in zip(labels, named, strict=True) if own == label]
        instead = Counter(said[0] for said in here if said and label not in said)
        classes[label] = {
            "n": len(here),
            "named": sum(label in said for said in here) / len(here),
            "instead": dict(instead.most_common(3)),
        }
    return Scored(corpus, {"named": right}, {"names.json": classes})


def _words(text: str, known: WordNet) -> list[str]:
    """The words of a sentence, nouns in the singular."""
    return [known.singular(token) for token in re.findall(r"[a-z]+", text.lower())]
