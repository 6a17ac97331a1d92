"""Pictures as they would come from a worse camera, or another hand: for asking how robust an encoder is.

    karpathy:dataset.json?shift=noise/3         every picture with noise of the third of five strengths
    world:classes?shift=sketch/5                drawn instead of painted

What is done depends on nothing but the picture's name, the kind and the strength: two readings see the same pixels. Sizes are
shares of the picture's side, so that small and large pictures suffer alike. Kinds as in Hendrycks and Dietterich
(arXiv:1903.12261), their strengths ours; `grey`, `poster` and `sketch` stand for another style.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from imageless.errors import InputError
from imageless.pictures import load

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image

    from imageless.records import Picture

STRENGTHS: dict[str, tuple[float, ...]] = {
    "noise": (0.04, 0.08, 0.12, 0.18, 0.26),  # standard deviation, white being 1
    "blur": (0.006, 0.012, 0.018, 0.028, 0.04),  # radius
    "pixelate": (0.5, 0.35, 0.25, 0.18, 0.12),  # pixels that are left on a side
    "jpeg": (40, 25, 15, 10, 6),  # quality
    "contrast": (0.7, 0.5, 0.35, 0.25, 0.15),  # that is left
    "dark": (0.75, 0.55, 0.4, 0.28, 0.18),  # light that is left
    "cutout": (0.2, 0.3, 0.4, 0.5, 0.6),  # side of a grey square somewhere
    "grey": (0.6, 0.4, 0.25, 0.1, 0.0),  # colour that is left
    "poster": (5, 4, 3, 2, 1),  # bits of each colour
    "sketch": (0.3, 0.5, 0.7, 0.85, 1.0),  # of a drawing of the edges laid over it
}


@dataclass(frozen=True)
class ShiftedPicture:
    """A picture that is changed when it is opened."""

    picture: Picture
    kind: str
    strength: int

    @property
    def name(self) -> str:
        return f"{self.picture.name}?shift={self.kind}/{self.strength}"

    @property
    def stamp(self) -> str:
        return self.picture.stamp

    def open(self) -> Image:
        import numpy as np

        draw = np.random.default_rng(zlib.crc32(self.name.encode("utf-8", "surrogatepass")))
        return CHANGES[self.kind](load(self.picture), STRENGTHS[self.kind][self.strength - 1], draw)


def parse(told: str) -> tuple[str, int]:
    """KIND/STRENGTH."""
    kind, _, strength = told.partition("/")
    if kind not in STRENGTHS or strength not in ("1", "2", "3", "4", "5"):
        raise InputError(f"expected ?shift=KIND/STRENGTH with 1 to 5 of {', '.join(STRENGTHS)}, got {told!r}")
    return kind, int(strength)


def _noise(image: Image, amount: float, draw: np.random.Generator) -> Image:
    import numpy as np

    pixels = np.asarray(image, np.float32)
    return _image(pixels + draw.normal(0, 255 * amount, pixels.shape))


def _blur(image: Image, amount: float, draw: np.random.Generator) -> Image:
    from PIL import ImageFilter

    return image.filter(ImageFilter.GaussianBlur(amount * max(image.size)))


def _pixelate(image: Image, amount: float, draw: np.random.Generator) -> Image:
    from PIL.Image import Resampling

    width, height = (max(1, round(side * amount)) for side in image.size)
    return image.resize((width, height), Resampling.BOX).resize(image.size, Resampling.NEAREST)


def _jpeg(image: Image, amount: float, draw: np.random.Generator) -> Image:
    from PIL import Image as images

    file = io.BytesIO()
    image.save(file, "JPEG", quality=int(amount))
    return images.open(file).convert("RGB")


def _contrast(image: Image, amount: float, draw: np.random.Generator) -> Image:
    import numpy as np

    pixels = np.asarray(image, np.float32)
    middle = pixels.mean((0, 1))
    return _image(middle + amount * (pixels - middle))


def _dark(image: Image, amount: float, draw: np.random.Generator) -> Image:
    import numpy as np

    return _image(amount * np.asarray(image, np.float32))


def _cutout(image: Image, amount: float, draw: np.random.Generator) -> Image:
    import numpy as np

    pixels = np.asarray(image).copy()
    high, wide = (round(side * amount) for side in pixels.shape[:2])
    top, left = draw.integers(0, pixels.shape[0] - high + 1), draw.integers(0, pixels.shape[1] - wide + 1)
    pixels[top : top + high, left : left + wide] = 128
    return _image(pixels)


def _grey(image: Image, amount: float, draw: np.random.Generator) -> Image:
    from PIL import ImageEnhance

    return ImageEnhance.Color(image).enhance(amount)


def _poster(image: Image, amount: float, draw: np.random.Generator) -> Image:
    from PIL import ImageOps

    return ImageOps.posterize(image, int(amount))


def _sketch(image: Image, amount: float, draw: np.random.Generator) -> Image:
    from PIL import Image as images
    from PIL import ImageFilter, ImageOps

    lines = ImageOps.autocontrast(ImageOps.invert(image.convert("L").filter(ImageFilter.FIND_EDGES)))
    return images.blend(image, lines.convert("RGB"), amount)


def _image(pixels: np.ndarray) -> Image:
    import numpy as np
    from PIL import Image as images

    return images.fromarray(np.clip(np.round(pixels), 0, 255).astype(np.uint8))


CHANGES: dict[str, Callable[[Image, float, np.random.Generator], Image]] = {
    "noise": _noise,
    "blur": _blur,
    "pixelate": _pixelate,
    "jpeg": _jpeg,
    "contrast": _contrast,
    "dark": _dark,
    "cutout": _cutout,
    "grey": _grey,
    "poster": _poster,
    "sketch": _sketch,
}
