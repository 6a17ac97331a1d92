"""Classes by their names alone: a picture belongs to the class whose name, put into sentences, lies nearest.

Each name goes into every template of a set; its unit text vectors are averaged, and the mean made unit length again.
One sentence says too much of itself; what several have in common is the class.
CLIP, arXiv:2103.00020 section 3.1; the templates are ours.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from imageless.encoders.base import Encoder
from imageless.errors import InputError
from imageless.folders import read_text

SCALE = 100.0  # of cosines before the softmax: where CLIP clamps what it learns (arXiv:2103.00020 section 2.5)
TEMPLATES: dict[str, tuple[str, ...]] = {
    "name": ("{}",),
    "plain": (
        "a {}.",
        "this is a {}.",
        "there is a {}.",
        "a picture of a {}.",
        "a small {}.",
        "a large {}.",
    ),
    "photo": (
        "a photo of a {}.",
        "a blurry photo of a {}.",
        "a dark photo of a {}.",
        "a bright photo of a {}.",
        "a snapshot of a {}.",
        "a {} seen from close by.",
        "a {} seen from far away.",
        "a {} outdoors.",
        "a {} indoors.",
        "a small {} in the distance.",
        "a large {} that fills the picture.",
        "somebody's {}.",
        "two {} side by side.",
        "a picture with a {} in it.",
    ),
}
"""Sets of sentences with {} for a class's name."""


class ZeroShot:
    """A classifier made of class names."""

    def __init__(self, names: Sequence[str], vectors: Float[Tensor, "classes dim"]):
        self.names = tuple(names)
        self.vectors = vectors

    @classmethod
    def of(cls, encoder: Encoder, names: Sequence[str], templates: str = "photo") -> ZeroShot:
        """`templates` is the name of a set, or a file with a sentence a line."""
        names = expect_classes(names)
        if "text" not in encoder.sides:
            raise InputError(
                f"expected an encoder that reads class names, {encoder.name} only sees pictures; "
                "use `imageless probe`, which learns classes from examples"
            )
        sentences = sentences_of(templates)
        said = [fill(sentence, name) for name in names for sentence in sentences]
        vectors = F.normalize(encoder.texts(said), dim=-1).cpu().unflatten(0, (len(names), len(sentences)))
        return cls(names, F.normalize(vectors.mean(1), dim=-1))

    def cosines(self, pictures: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch classes"]:
        """Of unit image vectors with every class."""
        return pictures @ self.vectors.T

    def probabilities(self, pictures: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch classes"]:
        """Softmax of the scaled cosines."""
        return torch.softmax(SCALE * self.cosines(pictures), dim=-1)


def expect_classes(names: Sequence[str]) -> list[str]:
    """At least two names, each once, none blank."""
    names = [name.strip() for name in names]
    if len(names) < 2 or len(set(names)) < len(names) or not all(names):
        raise InputError(
            f"--labels: expected at least two different names, e.g. cat,dog; got {', '.join(names) or 'none'}"
        )
    return names


def sentences_of(templates: str) -> tuple[str, ...]:
    """The sentences of a set, or of a file."""
    if templates in TEMPLATES:
        return TEMPLATES[templates]
    if not Path(templates).is_file():
        raise InputError(
            f"--templates: expected one of {', '.join(TEMPLATES)}, or a file with a sentence a line, got {templates!r}"
        )
    lines = read_text(Path(templates), "templates").splitlines()
    sentences = tuple(line.strip() for line in lines if line.strip())
    wrong = [sentence for sentence in sentences if sentence.count("{}") != 1]
    if wrong or not sentences:
        raise InputError(
            f"{templates}: expected sentences with one {{}} for the class, got {(wrong or ['no sentence'])[0]!r}; "
            "write e.g. a photo of a {}."
        )
    return sentences


def fill(sentence: str, name: str) -> str:
    """The sentence with the name in it: an apple, a pear."""
    return re.sub(r"\b([Aa]) (?=[aeiouAEIOU])", r"\1n ", sentence.replace("{}", name))
