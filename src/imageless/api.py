"""`Close`: the few lines a person writes who wants captions in Python."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from glob import has_magic
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from imageless import hub, pictures
from imageless.errors import InputError
from imageless.options import PredictOptions
from imageless.records import Picture
from imageless.stages import push
from imageless.stages.predict import Prediction, Predictor

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from PIL.Image import Image

    Shown = str | Path | Image | np.ndarray
    """A path, a PIL image, or uint8 pixels of shape (height, width, 3) or (height, width)."""
    Many = list[Any] | tuple[Any, ...]


class Predictions(list[Prediction]):
    """What the model says about many, in order; one that could not be read carries an `error` instead of a text."""

    def frame(self) -> pd.DataFrame:
        """A row for each, with a column for each probability where a task has them."""
        try:
            import pandas as pd
        except ImportError:
            raise InputError("expected pandas for frame(), it is not installed; pip install pandas") from None
        rows = [
            {"image": told.image, "text": told.text, "score": told.score}
            | (told.probabilities or {})
            | ({} if told.error is None else {"error": told.error})
            for told in self
        ]
        return pd.DataFrame(rows, columns=None if rows else ["image", "text", "score"])


class Close:
    """A trained model, ready to look at pictures.

    >>> model = Close.from_pretrained("runs/reviews")
    >>> model.caption("photo.jpg")
    >>> model.captions("photos").frame()
    >>> model.read("a dog runs through the snow")

    Each verb takes one, and says a sentence, or a list, and gives `Predictions`.
    """

    def __init__(self, predictor: Predictor):
        self.predictor = predictor

    @classmethod
    def from_pretrained(
        cls,
        run: str | Path,
        options: PredictOptions = PredictOptions(),
        *,
        revision: str | None = None,
        token: str | bool | None = None,
    ) -> Close:
        """The run in a folder or a Hub repository (of a revision), with the frozen encoder it names."""
        return cls(Predictor(hub.found(run, revision, token), options))

    def save_pretrained(self, folder: str | Path, *, overwrite: bool = False) -> Path:
        """Copy the run, with its encoder where that is a folder: all of it moves together from then on."""
        return push.save(self.predictor.run, Path(folder), overwrite)

    def push_to_hub(
        self,
        repo: str,
        *,
        private: bool = False,
        message: str | None = None,
        scores: Sequence[str | Path] = (),
        token: str | bool | None = None,
    ) -> str:
        """Upload the run with its card; `scores` are folders that `evaluate` wrote. Gives the repository's address."""
        return push.push(self.predictor.run, repo, private, message, scores, token).url

    @overload
    def caption(self, image: Shown) -> str: ...
    @overload
    def caption(self, image: Many) -> Predictions: ...
    def caption(self, image: Shown | Many) -> str | Predictions:
        """What is in a picture."""
        self.predictor.expect_task("captioning", "style")
        return self._seen(image, None)

    def captions(self, images: Shown | Many) -> Predictions:
        """What is in many pictures: folders, globs, tars, or a list of whatever `caption` takes."""
        return self.caption(list(images) if isinstance(images, (list, tuple)) else [images])

    @overload
    def ask(self, image: Shown, question: str) -> str: ...
    @overload
    def ask(self, image: Many, question: str | Many) -> Predictions: ...
    def ask(self, image: Shown | Many, question: str | Many) -> str | Predictions:
        """The answer to a question; many pictures may be asked the same, or each its own."""
        self.predictor.expect_task("vqa")
        return self._seen(image, question)

    @overload
    def entail(self, image: Shown, hypothesis: str) -> str: ...
    @overload
    def entail(self, image: Many, hypothesis: str | Many) -> Predictions: ...
    def entail(self, image: Shown | Many, hypothesis: str | Many) -> str | Predictions:
        """Whether a sentence holds: entailment, neutral or contradiction; of many with their probabilities."""
        self.predictor.expect_task("entailment")
        return self._seen(image, hypothesis)

    @overload
    def news(self, image: Shown, article: str) -> str: ...
    @overload
    def news(self, image: Many, article: str | Many) -> Predictions: ...
    def news(self, image: Shown | Many, article: str | Many) -> str | Predictions:
        """A newspaper's caption for a picture that goes with an article, the text itself."""
        self.predictor.expect_task("news")
        return self._seen(image, article)

    @overload
    def read(self, sentence: str, prompt: str | None = None) -> str: ...
    @overload
    def read(self, sentence: Many, prompt: str | Many | None = None) -> Predictions: ...
    def read(self, sentence: str | Many, prompt: str | Many | None = None) -> str | Predictions:
        """The same answer from a sentence in the picture's place; the prompt is the question, hypothesis or article."""
        if prompt is None and self.predictor.config.task not in ("captioning", "style"):
            raise InputError(f"expected a prompt, a run of the task {self.predictor.config.task} is asked something")
        sentences = list(sentence) if isinstance(sentence, (list, tuple)) else [sentence]
        told = Predictions(self.predictor.sentences(sentences, _prompts(prompt, len(sentences), "sentences")))
        return told if isinstance(sentence, (list, tuple)) else _only(told)

    def _seen(self, image: Shown | Many, prompt: str | Many | None) -> str | Predictions:
        """The text for one picture, all predictions for a list."""
        many = isinstance(image, (list, tuple))
        shown = list(_pictures(list(image) if many else [image]))
        if not many and len(shown) > 1:
            raise InputError(f"expected one picture, {image} names {len(shown)}; put it into a list: [{str(image)!r}]")
        told = Predictions(self.predictor.pictures(shown, _prompts(prompt, len(shown), "pictures")))
        return told if many else _only(told)


@dataclass(frozen=True)
class _InMemory:
    """A picture that is decoded already, or will be by whoever opened it."""

    image: Image
    name: str
    stamp: str = ""

    def open(self) -> Image:
        return self.image.copy()  # a reader may ask a JPEG for less than all of its pixels


def _pictures(images: list[Any]) -> Iterator[Picture]:
    for number, image in enumerate(images):
        if isinstance(image, (str, Path)):
            yield from _named(str(image))
        else:
            yield _InMemory(_image(image), f"picture {number}")


def _named(path: str) -> list[Picture]:
    """What a path names. A file that is missing is one picture that cannot be read."""
    if "://" in path:
        raise InputError(f"expected a path or a picture, got the address {path[:80]}; download it first")
    several = os.path.isdir(path) or path.endswith(".tar") or (has_magic(path) and not os.path.exists(path))
    return list(pictures.find([path])) if several else [pictures.FilePicture(path)]


def _image(image: Any) -> Image:
    import numpy as np
    from PIL import Image

    if isinstance(image, Image.Image):
        return image
    if not isinstance(image, np.ndarray):
        raise InputError(f"expected a path, a PIL image or a numpy array, got {type(image).__name__}")
    if image.dtype != np.uint8 or not (image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 3)) or not image.size:
        raise InputError(
            "expected uint8 pixels of shape (height, width, 3) or (height, width), got "
            f"{image.dtype} of shape {image.shape}; scale to 0..255, put the colours last and convert with .astype('uint8')"
        )
    return Image.fromarray(image)


def _prompts(prompt: str | Many | None, count: int, what: str) -> list[str] | None:
    """A prompt for each, the same or their own."""
    if prompt is None:
        return None
    prompts = [prompt] * count if isinstance(prompt, str) else list(prompt)
    if len(prompts) != count:
        raise InputError(f"expected a prompt for all or one for each of {count} {what}, got {len(prompts)}")
    return prompts


def _only(told: Predictions) -> str:
    if told[0].text is None:
        raise InputError(told[0].error or "no answer")
    return told[0].text
