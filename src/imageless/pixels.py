"""Pictures to arrays: decoded by several threads beside whatever uses them, and kept decoded where a training reads them
many times.

PIXELS/pixels_0000.npy    uint8 (rows, 3, size, size)
PIXELS/about.json         rows per shard, names of the pictures that could not be read; written last
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from imageless import pictures, processor
from imageless.errors import InputError
from imageless.folders import disk_errors, locked, read_json, write_json
from imageless.records import Picture
from imageless.screen import Progress, progress

log = logging.getLogger(__name__)

ROWS_PER_SHARD = 8192


@runtime_checkable
class Preprocess(Protocol):
    """One picture to one pixel tensor on the CPU, as a network was trained to see it. Pickles, weightless."""

    @property
    def size(self) -> int | None:
        """What a picture's shorter side is brought to, in pixels: more of its detail is not seen. None: all of it is."""
        ...

    def __call__(self, image: Image.Image, /) -> Tensor: ...


@dataclass(frozen=True)
class Resize:
    """A picture squeezed to size x size as uint8 (3, size, size): all our own image towers need."""

    size: int

    def __call__(self, image: Image.Image) -> Tensor:
        if image.size != (self.size, self.size):
            image = image.resize((self.size, self.size), Image.Resampling.BICUBIC)
        return torch.from_numpy(np.asarray(image).transpose(2, 0, 1).copy())


@dataclass(frozen=True)
class View:
    """A picture as a timm model was trained to see it, still as uint8 (3, height, width): normalising is the model's part."""

    transform: Callable[[Image.Image], Tensor]
    size: int

    @classmethod
    def of(cls, view: dict[str, Any]) -> View:
        """From timm's data config: input size, crop and interpolation."""
        from timm.data.transforms_factory import create_transform

        unscaled: Any = create_transform(**{**view, "mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}, is_training=False)
        return cls(unscaled, before_crop(view))

    def __call__(self, image: Image.Image) -> Tensor:
        return (self.transform(image) * 255).round().to(torch.uint8)


@dataclass(frozen=True)
class Prepared:
    """A run of pictures, decoded: `rows` of the sequence asked for, their pixels, and why the others failed."""

    rows: list[int]
    pixels: Tensor
    failed: dict[int, str]


def before_crop(view: dict[str, Any]) -> int:
    """What timm's data config brings the shorter side to before it cuts the middle out."""
    return math.ceil(min(view["input_size"][1:]) / (view.get("crop_pct") or 1.0))


def opened(picture: Picture, preprocess: Preprocess) -> Tensor | str:
    """A picture's pixels, or why it has none."""
    try:
        return preprocess(pictures.load(picture, least=preprocess.size))
    except InputError as error:
        return str(error)


def prepared(wanted: Sequence[Picture], preprocess: Preprocess, batch: int = 64) -> Iterator[Prepared]:
    """Decode pictures in order, `batch` at a time; the next ones are decoded while these are looked at."""
    with _threads() as threads:  # Pillow lets go of the interpreter while it decodes and scales

        def begun(start: int) -> Iterator[Tensor | str]:
            return threads.map(
                lambda row: opened(wanted[row], preprocess), range(start, min(start + batch, len(wanted)))
            )

        upcoming = begun(0)
        for start in range(0, len(wanted), batch):
            done = dict(enumerate(upcoming, start))
            upcoming = begun(start + batch)
            good = {row: pixels for row, pixels in done.items() if isinstance(pixels, Tensor)}
            failed = {row: why for row, why in done.items() if isinstance(why, str)}
            yield Prepared(list(good), torch.stack(list(good.values())) if good else torch.zeros(0), failed)


def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(min(16, processor.cores()))


class PixelTable:
    """Decoded pictures on disk; rows by number, memory-mapped."""

    def __init__(self, folder: Path):
        about = read_json(folder / "about.json", "a complete folder of decoded pictures")
        self.failed: dict[int, str] = {int(row): why for row, why in about["failed"].items()}
        files = sorted(folder.glob("pixels_*.npy"))
        self._shards = [np.load(file, mmap_mode="r", allow_pickle=False) for file in files]

    def __len__(self) -> int:
        return sum(len(shard) for shard in self._shards)

    def __getitem__(self, rows: np.ndarray) -> Tensor:
        out = np.empty((len(rows), *self._shards[0].shape[1:]), np.uint8)
        shards = rows // ROWS_PER_SHARD
        for number in np.unique(shards):
            here = shards == number
            out[here] = self._shards[number][rows[here] % ROWS_PER_SHARD]
        return torch.from_numpy(out)


class Anew:
    """Pictures decoded each time they are asked for, by several threads, where decoded ones would not fit on the disk.

    One that cannot be read is grey; `failed` has the rows that were and why.
    """

    def __init__(self, wanted: Sequence[Picture], preprocess: Preprocess):
        self.wanted, self.preprocess = wanted, preprocess
        self.failed: dict[int, str] = {}
        self._grey = preprocess(Image.new("RGB", (64, 64), (128, 128, 128)))
        self._threads = _threads()

    def __len__(self) -> int:
        return len(self.wanted)

    def __getitem__(self, rows: np.ndarray) -> Tensor:
        seen = list(self._threads.map(lambda row: opened(self.wanted[row], self.preprocess), rows.tolist()))
        found = {row: why for row, why in zip(rows.tolist(), seen, strict=True) if isinstance(why, str)}
        if found and not self.failed:
            log.warning("pictures that cannot be read teach nothing, the first: %s", next(iter(found.values())))
        self.failed |= found
        return torch.stack([self._grey if isinstance(pixels, str) else pixels for pixels in seen])


def decode(wanted: Sequence[Picture], preprocess: Resize | View, size: int, folder: Path) -> PixelTable:
    """Decode every picture once into `folder`; finished shards are kept when a stopped run starts again."""
    with locked(folder):
        if not (folder / "about.json").is_file():
            folder.mkdir(exist_ok=True)
            failed: dict[int, str] = {}
            with progress("decoding pictures", len(wanted)) as bar:
                for start in range(0, len(wanted), ROWS_PER_SHARD):
                    part = wanted[start : start + ROWS_PER_SHARD]
                    failed |= _decode_shard(part, preprocess, size, folder, start, bar)
            write_json(folder / "about.json", {"rows": len(wanted), "failed": failed})
        return PixelTable(folder)


def _decode_shard(
    wanted: Sequence[Picture], preprocess: Resize | View, size: int, folder: Path, start: int, bar: Progress
) -> dict[int, str]:
    """One shard and a note of what failed in it; a shard that is there already is kept."""
    shard = folder / f"pixels_{start // ROWS_PER_SHARD:04d}.npy"
    note = shard.with_suffix(".json")
    if note.is_file():
        bar.advance(len(wanted))
        return {int(row): why for row, why in read_json(note, "decoded pictures").items()}
    block = np.zeros((len(wanted), 3, size, size), np.uint8)
    failed: dict[int, str] = {}
    for piece in prepared(wanted, preprocess):
        if piece.rows:
            block[piece.rows] = piece.pixels.numpy()
        failed |= {start + row: why for row, why in piece.failed.items()}
        bar.advance(len(piece.rows) + len(piece.failed))
    with disk_errors(folder):
        beside = folder / "beside.npy"
        np.save(beside, block, allow_pickle=False)
        beside.replace(shard)
    write_json(note, failed)
    return failed
