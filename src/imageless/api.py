"""`Close`: the few lines a person writes who wants captions in Python."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from imageless import pictures
from imageless.errors import InputError
from imageless.options import PredictOptions
from imageless.records import Picture
from imageless.stages.predict import Prediction, Predictor

if TYPE_CHECKING:
    from PIL.Image import Image

    Showable = str | Path | Image


@dataclass(frozen=True)
class _Shown:
    """A picture that is in memory already."""

    image: Image
    name: str = "picture"
    stamp: str = ""

    def open(self) -> Image:
        return self.image


class Close:
    """A trained model, ready to look at pictures.

    >>> model = Close.from_pretrained("runs/reviews")
    >>> model.caption("photo.jpg")
    """

    def __init__(self, predictor: Predictor):
        self.predictor = predictor

    @classmethod
    def from_pretrained(cls, run: str | Path, options: PredictOptions = PredictOptions()) -> Close:
        """The run in a folder, with the frozen encoder it names."""
        return cls(Predictor(Path(run), options))

    def caption(self, image: Showable) -> str:
        """What is in one picture: a path or a PIL image."""
        told = self.captions([image])[0]
        if told.error is not None or told.text is None:
            raise InputError(told.error or "no caption")
        return told.text

    def captions(self, images: Sequence[Showable]) -> list[Prediction]:
        """What is in many; one that cannot be read carries an `error` instead of a text."""
        return list(self.predictor.pictures([_picture(image) for image in images]))


def _picture(image: Showable) -> Picture:
    if isinstance(image, str) and image.startswith(("http://", "https://")):
        raise InputError(f"expected a path or a picture, got the address {image[:80]}; download it first")
    return pictures.FilePicture(str(image)) if isinstance(image, (str, Path)) else _Shown(image)
