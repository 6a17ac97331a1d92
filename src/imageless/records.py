"""The shapes that travel: what a file says (Record), and what a model is asked (Example).

    files -data-> Record -tasks-> Example(key, scene, prompt, targets, image)

A reader knows files and nothing of tasks; a task knows questions and nothing of files. Everything after the task sees
examples only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from PIL.Image import Image


class Picture(Protocol):
    """Where a picture lies. Naming one opens nothing; only `pictures.load` opens it."""

    @property
    def name(self) -> str:
        """Unique within its data: a file name, a tar member, a scene's key."""
        ...

    @property
    def stamp(self) -> str:
        """Changes when the pixels may have: a file's size and time, or whatever says so cheaply."""
        ...

    def open(self) -> Image:
        """The picture as it is stored, whatever its mode; raises when it cannot be read."""
        ...


@dataclass(frozen=True, slots=True)
class Record:
    """What one entry of a data set says: sentences about a scene and, where there is one, its picture."""

    key: str
    captions: tuple[str, ...] = ()
    image: Picture | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    """What only some data sets have, by its usual name: question, answers, hypothesis, label, article, style."""


@dataclass(frozen=True, slots=True)
class Example:
    """One thing asked of a model: from a scene and a prompt to any of the targets."""

    key: str
    scene: tuple[str, ...]
    """Sentences that stand for the picture while learning; more than one are averaged as raw vectors."""
    prompt: str
    targets: tuple[str, ...]
    image: Picture | None = None
    group: str = ""
    """What its score is also counted under: an answer's type, a label, a voice."""
