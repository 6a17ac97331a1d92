"""The only place where a picture is opened.

A picture is named long before it is looked at: `FilePicture`, `TarPicture` and `BytesPicture` say where the pixels lie,
cost a few words of memory and travel between processes. `load` turns any of them, and any other `Picture`, into upright
RGB pixels, or says in one line why it cannot.

Notable:
- Whatever the stored mode, the result is what a person would see: EXIF rotation applied, transparency laid on white,
  16-bit and floating-point greys scaled instead of clipped, the first frame of an animation.
- Only formats that are decoded in this process are accepted: Pillow would hand an EPS file to Ghostscript.
- A name inside a tar is only a name. Nothing is ever unpacked.
"""

from __future__ import annotations

import glob
import hashlib
import io
import os
import stat
import tarfile
import threading
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from imageless.errors import InputError

if TYPE_CHECKING:
    from PIL.Image import Image

    from imageless.records import Picture

FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "DIB", "TIFF", "AVIF", "JPEG2000", "PPM", "TGA", "ICO", "QOI")
SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".gif", ".webp", ".bmp", ".dib", ".tif", ".tiff", ".avif"),
    *(".jp2", ".j2k", ".ppm", ".pgm", ".pbm", ".pnm", ".pfm", ".tga", ".ico", ".qoi"),
)
MAX_PIXELS = 178_956_970  # where Pillow itself refuses to decode: twice its Image.MAX_IMAGE_PIXELS
MAX_BYTES = 1 << 30  # what MAX_PIXELS take at six bytes each; a larger file holds no picture we could show


class NotAPicture(OSError):
    """What came instead of a picture, in words."""


@dataclass(frozen=True, slots=True)
class FilePicture:
    """A picture in a file of its own."""

    path: str
    called: str | None = None
    """Its name within a data set; default: the path."""

    @property
    def name(self) -> str:
        return self.path if self.called is None else self.called

    @property
    def stamp(self) -> str:
        return _stamp(self.path)

    def open(self) -> Image:
        about = os.stat(self.path)
        if stat.S_ISDIR(about.st_mode):
            raise IsADirectoryError(self.path)
        if not stat.S_ISREG(about.st_mode):  # a pipe or a device could keep us waiting for ever
            raise NotAPicture("a pipe or a device")
        return _decode(read_at(self.path, 0, about.st_size))


@dataclass(frozen=True, slots=True)
class TarPicture:
    """A picture inside an uncompressed tar, read where it lies."""

    tar: str
    member: str
    offset: int
    size: int

    @property
    def name(self) -> str:
        return self.member

    @property
    def stamp(self) -> str:
        return f"{_stamp(self.tar)} {self.offset} {self.size}"

    def open(self) -> Image:
        return _decode(read_at(self.tar, self.offset, self.size))


@dataclass(frozen=True, slots=True)
class BytesPicture:
    """A picture whose encoded bytes are at hand: an upload, a cell of a table."""

    name: str
    data: bytes = field(repr=False)

    @property
    def stamp(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    def open(self) -> Image:
        return _decode(self.data)


def load(picture: Picture, max_pixels: int = MAX_PIXELS, least: int | None = None) -> Image:
    """The picture as upright RGB. `max_pixels` can only be lowered; Pillow stops at its default.

    Who will look at no more than `least` pixels a side gets a JPEG at a half, a quarter or an eighth of its size where twice
    `least` is left of it: a fraction of the work, and nearly the same once scaled down (docs/performance.md).
    """
    with _quiet_pillow:
        try:
            with picture.open() as stored:
                width, height = stored.size
                if not 0 < width * height <= max_pixels:
                    raise NotAPicture(f"{width} x {height} pixels, of at most {max_pixels:,}")
                if least is not None:
                    stored.draft(None, (2 * least, 2 * least))
                stored.load()
                return _rgb(_upright(stored))
        except InputError:
            raise
        except Exception as error:  # Pillow raises whatever a damaged file makes it stumble over
            raise InputError(_one_line(f"{picture.name}: expected a picture, got {_what_came(error)}")) from error


def find(paths: Sequence[str]) -> list[Picture]:
    """The pictures that files, globs, folders (all the way down) and tars name, in the order given, each one once."""
    if not paths:
        raise InputError("expected pictures, got no path; name files, globs, folders or tars")
    found: dict[Picture, None] = {}
    for path in paths:
        found |= dict.fromkeys(_under(path))
    return list(found)


def is_picture_name(name: str) -> bool:
    """Whether the suffix is one of `SUFFIXES`, in any case."""
    return os.path.splitext(name)[1].lower() in SUFFIXES


class Member(NamedTuple):
    """A regular file inside a tar: its name, and where its bytes begin and how many they are."""

    name: str
    offset: int
    size: int


def tar_members(path: str) -> Iterator[Member]:
    """The files inside an uncompressed tar, found by reading headers only."""
    try:
        with tarfile.open(path, "r:") as tar:
            for member in tar:
                if member.isfile() and member.sparse is None:
                    yield Member(member.name, member.offset_data, member.size)
            rest = read_at(path, tar.offset, max(0, min(tarfile.BLOCKSIZE, os.path.getsize(path) - tar.offset)))
            if rest.strip(b"\0"):  # tarfile takes a broken header for the end
                raise tarfile.ReadError(f"no header at byte {tar.offset}")
    except (tarfile.TarError, OSError) as error:
        reason = _one_line(str(error))
        raise InputError(f"{path}: expected a complete, uncompressed tar, got {reason}; make it again") from None


def tar_pictures(path: str) -> Iterator[TarPicture]:
    """The pictures inside an uncompressed tar, known by suffix."""
    for name, offset, size in tar_members(path):
        if is_picture_name(name):
            yield TarPicture(path, name, offset, size)


def read_at(path: str, offset: int, size: int) -> bytes:
    """So many bytes of a file from an offset; fewer than asked for is an error."""
    if size > MAX_BYTES:
        raise NotAPicture(f"{size:,} bytes, of at most {MAX_BYTES:,}")
    with open(path, "rb") as file:
        file.seek(offset)
        data = file.read(size)
    if len(data) < size:
        raise NotAPicture(f"{len(data):,} of {size:,} bytes from {path}")
    return data


def _under(path: str) -> Sequence[Picture]:
    """What one path names."""
    if os.path.isdir(path):
        return [FilePicture(file) for file in _walk(path)] or _no_pictures(path, "a folder with pictures")
    if path.endswith(".tar") and os.path.isfile(path):
        return list(tar_pictures(path)) or _no_pictures(path, "a tar with pictures")
    if os.path.exists(path):
        return [FilePicture(path)]
    if not glob.has_magic(path):
        raise InputError(f"{path}: expected a picture, got no such file; check the path")
    matches = sorted(glob.glob(path, recursive=True))
    wanted = [match for match in matches if match.endswith(".tar") or is_picture_name(match)]
    return [picture for match in wanted for picture in _under(match)] or _no_pictures(path, "a pattern of pictures")


def _no_pictures(path: str, expected: str) -> NoReturn:
    raise InputError(f"{path}: expected {expected}, got no name that ends in {' '.join(SUFFIXES)}; check the path")


def _walk(folder: str) -> Iterator[str]:
    """Picture files below a folder, sorted; hidden ones (`._photo.jpg`) are other programs' notes."""
    for here, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if is_picture_name(name) and not name.startswith("."):
                yield os.path.join(here, name)


def _stamp(path: str) -> str:
    """A file's size and time of change; of a file that is missing, that it is."""
    try:
        about = os.stat(path)
    except OSError:
        return "missing"
    return f"{about.st_size} {about.st_mtime_ns}"


def _decode(data: bytes) -> Image:
    """Pillow's view of the bytes; pixels are not decoded yet."""
    from PIL import Image

    if not data:
        raise NotAPicture("an empty file")
    Image.init()
    return Image.open(io.BytesIO(data), formats=[name for name in FORMATS if name in Image.OPEN])


def _upright(image: Image) -> Image:
    """Turned as EXIF says; a damaged EXIF block says nothing."""
    from PIL import ImageOps

    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # parsing a block that follows no rule fails in no particular way
        return image


def _rgb(image: Image) -> Image:
    from PIL import Image

    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return _grey_from_deep(image).convert("RGB")
    if image.mode == "La":  # Pillow leads from premultiplied grey to LA only
        image = image.convert("LA")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


def _grey_from_deep(image: Image) -> Image:
    """Eight-bit grey from 16 bits, 32 bits or floats.

    A file does not say where its white is. Integers that fit 16 bits are taken for 16-bit grey, floats for 0..1 where
    they fit, else for 0..255; anything beyond is stretched between its darkest and its brightest value.
    """
    import numpy as np
    from PIL import Image

    values = np.nan_to_num(np.asarray(image).astype(np.float64))
    low, high = float(values.min()), float(values.max())
    white = (1.0 if high <= 1 else 255.0) if image.mode == "F" else 65535.0
    if low >= 0 and high <= white:
        low, high = 0.0, white
    scaled = (values - low) * (255.0 / max(high - low, np.finfo(np.float64).tiny))
    return Image.fromarray(scaled.round().astype(np.uint8))


def _what_came(error: Exception) -> str:
    """What was found instead of a picture, and what to do about it."""
    from PIL import Image, UnidentifiedImageError

    match error:
        case FileNotFoundError():
            return f"no such file as {error.filename}; check the path"
        case IsADirectoryError():
            return "a folder; name a picture in it"
        case PermissionError():
            return "a file that may not be read; change its permissions"
        case NotAPicture():
            return f"{error}; leave it out or replace it"
        case UnidentifiedImageError():
            return f"bytes of no known format; there are: {', '.join(FORMATS)}"
        case Image.DecompressionBombError():
            return f"more than {MAX_PIXELS:,} pixels; scale it down"
        case _:
            return f"a damaged one ({type(error).__name__}: {error}); fetch it again or leave it out"


def _one_line(text: str) -> str:
    return " ".join(text.split())


class _QuietPillow:
    """Keeps Pillow's warnings (bombs, odd EXIF, palettes) from whoever asked for pixels: they get those or an error.

    Warning filters belong to the process, so threads share one change: the first to enter makes it, the last to leave
    takes it back.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._saved = warnings.catch_warnings()

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._saved = warnings.catch_warnings()
                self._saved.__enter__()
                warnings.filterwarnings("ignore", module=r"PIL\.")
            self._inside += 1

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._saved.__exit__(None, None, None)


_quiet_pillow = _QuietPillow()
