"""Stage 1: a frozen encoder turns texts or pictures into a vector table on disk, once.

Work is cut into shards; a stopped run keeps the shards it finished. A picture that cannot be read is skipped, named in
about.json and counted, and never stops the rest. `texts` and `images` do the same into the cache for the other stages.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from imageless import data, encoders, limits
from imageless.encoders.base import Encoder
from imageless.encoders.quick import quick
from imageless.errors import InputError
from imageless.folders import begin, cache, expect_free, locked, publish, read_json, write_json
from imageless.options import AdaptOptions, EmbedOptions, GapOptions, RetrieveOptions
from imageless.pixels import prepared
from imageless.records import Picture
from imageless.screen import progress
from imageless.texts import distinct
from imageless.vectors import SHARD_ROWS, About, ShardWriter, VectorTable

log = logging.getLogger(__name__)

LONGER = 1.5


@dataclass(frozen=True)
class Embedded:
    """What embedding left behind."""

    out: Path
    seconds: float
    rows: int
    final: dict[str, int]
    """Dimensions, pictures skipped, texts cut."""


def embed(
    sources: Sequence[str], out: Path, encoder: str, of: Literal["text", "image"], options: EmbedOptions
) -> Embedded:
    """Write the vector table of every caption, or of every picture, in the joined data to `out`."""
    began = time.monotonic()
    limits.check(options)
    expect_free(out, options.overwrite, resume=True)
    records = (r for source in sources for r in data.read(source, options.split, options.images, options.limit))
    if of == "text":
        names = distinct(caption for record in records for caption in record.captions)
        _expect_some(names, "captions", sources)
        model = encoders.load(encoder, options.device, options.dtype)
        table = _embed_texts(names, model, out, options.batch_size)
    else:
        pictures = _by_name(record.image for record in records if record.image is not None)
        _expect_some(list(pictures), "pictures", sources)
        model = encoders.load(encoder, options.device, options.dtype)
        table = _embed_images(list(pictures.values()), model, out, options.batch_size)
    about = table.about
    final = {"dim": about.dim, "skipped": len(about.skipped), "truncated": about.truncated}
    return Embedded(out, time.monotonic() - began, about.rows, final)


def texts(wanted: Iterable[str], encoder: Encoder, batch_size: int = 256) -> VectorTable:
    """The table of these texts by this encoder: from the cache, or made and kept there."""
    names = distinct(wanted)
    out = _cached("text", encoder, names)
    with locked(out):
        table = VectorTable(out) if out.exists() else _embed_texts(names, encoder, out, batch_size)
        return table.opened()


def images(wanted: Iterable[Picture], encoder: Encoder, batch_size: int = 64) -> VectorTable:
    """The table of these pictures by this encoder: from the cache, or made and kept there."""
    pictures = _by_name(wanted)
    out = _cached("image", encoder, _stamped(pictures.values()))
    with locked(out):
        table = VectorTable(out) if out.exists() else _embed_images(list(pictures.values()), encoder, out, batch_size)
        return table.opened()


def pairs(
    sources: Sequence[str], encoder: Encoder, options: AdaptOptions | GapOptions | RetrieveOptions
) -> tuple[VectorTable, VectorTable, np.ndarray, np.ndarray]:
    """The tables of the captions and of the pictures in the joined data, and the rows of every caption and its picture."""
    records = [r for source in sources for r in data.read(source, options.split, options.images, options.limit)]
    captions = [caption for record in records for caption in record.captions]
    pictures = [record.image for record in records if record.image is not None]
    if not captions or not pictures:
        what = "captions" if not captions else "pictures (say where they lie with --images)"
        raise InputError(f"expected captions and pictures in {', '.join(sources)}, found no {what}")
    text, image = texts(captions, encoder), images(pictures, encoder)
    both = [
        (caption, record.image.name)
        for record in records
        if record.image is not None and record.image.name not in image.about.skipped
        for caption in record.captions
    ]
    return text, image, text.rows(caption for caption, _ in both), image.rows(name for _, name in both)


def _embed_texts(names: Sequence[str], encoder: Encoder, out: Path, batch_size: int) -> VectorTable:
    """Shard by shard; within a shard texts of like length go together, and come back in their order."""
    if "text" not in encoder.sides:
        raise InputError(
            f"expected an encoder that reads text, {encoder.name} only sees pictures; e.g. open_clip:ViT-L-14/openai"
        )
    writer = _writer(out, "text", encoder, names)
    truncated = 0
    with quick(encoder, texts=len(names)), progress("embedding texts", len(names)) as bar:
        for number, start in enumerate(range(0, len(names), SHARD_ROWS)):
            shard = names[start : start + SHARD_ROWS]
            truncated += encoder.truncated(shard)
            if writer.done(number):
                bar.advance(len(shard))
                continue
            vectors = np.empty((len(shard), encoder.dim), np.float32)
            for rows in _alike([len(text) for text in shard], batch_size):
                vectors[rows] = encoder.texts([shard[row] for row in rows]).cpu().numpy()
                bar.advance(len(rows))
            writer.write(number, shard, _finite(vectors, shard, encoder))
    if truncated:
        log.warning("%d of %d texts are longer than %s reads and were cut", truncated, len(names), encoder.name)
    return _finish(writer, out, encoder, "text", names, {}, truncated)


def _alike(lengths: Sequence[int], most: int) -> Iterator[list[int]]:
    """All rows, the shortest first, at most so many together and none half as long again as another: padding is work too."""
    rows: list[int] = []
    for row in sorted(range(len(lengths)), key=lengths.__getitem__):
        if len(rows) == most or (rows and lengths[row] > LONGER * (lengths[rows[0]] + 1)):
            yield rows
            rows = []
        rows.append(row)
    if rows:
        yield rows


def _embed_images(pictures: list[Picture], encoder: Encoder, out: Path, batch_size: int) -> VectorTable:
    writer = _writer(out, "image", encoder, _stamped(pictures))
    unread = writer.folder / "unread.json"
    skipped: dict[str, str] = read_json(unread, "unfinished embedding") if unread.is_file() else {}
    kept: list[str] = []
    with quick(encoder, pictures=len(pictures)), progress("embedding pictures", len(pictures)) as bar:
        for number, start in enumerate(range(0, len(pictures), SHARD_ROWS)):
            shard = pictures[start : start + SHARD_ROWS]
            if writer.done(number):
                kept += [picture.name for picture in shard if picture.name not in skipped]
                bar.advance(len(shard))
                continue
            names, parts = [], []
            for piece in prepared(shard, encoder.preprocess, batch_size):
                skipped |= {shard[row].name: why for row, why in piece.failed.items()}
                if piece.rows:
                    names += [shard[row].name for row in piece.rows]
                    parts.append(encoder.images(piece.pixels).cpu().numpy())
                bar.advance(len(piece.rows) + len(piece.failed))
            vectors = np.concatenate(parts) if parts else np.empty((0, encoder.dim), np.float32)
            write_json(unread, skipped)
            writer.write(number, names, _finite(vectors, names, encoder))
            kept += names
    if skipped:
        first = next(iter(skipped.values()))
        log.warning(
            "%d of %d pictures could not be read and are skipped, the first: %s", len(skipped), len(pictures), first
        )
    if not kept:
        raise InputError(
            f"expected pictures, none of {len(pictures)} could be read; the first: {next(iter(skipped.values()))}"
        )
    return _finish(writer, out, encoder, "image", kept, skipped, 0)


def _writer(out: Path, side: str, encoder: Encoder, names: Sequence[str]) -> ShardWriter:
    """A writer that goes on with unfinished work towards `out`, if it was the same work."""
    work = begin(out, overwrite=True, resume=True)
    task = {"side": side, "fingerprint": encoder.fingerprint, "content": _content(names)}
    started = work / "started.json"
    if started.is_file() and read_json(started, "unfinished embedding") != task:
        shutil.rmtree(work)
        work.mkdir()
    write_json(started, task)
    return ShardWriter(work, side)


def _finish(
    writer: ShardWriter,
    out: Path,
    encoder: Encoder,
    side: str,
    names: Sequence[str],
    skipped: dict[str, str],
    truncated: int,
) -> VectorTable:
    about = About(
        side=side,
        encoder=encoder.name,
        fingerprint=encoder.fingerprint,
        dim=encoder.dim,
        rows=len(names),
        shards=writer.count(),
        content=_content(names),
        skipped=skipped,
        truncated=truncated,
    )
    writer.finish(about)
    for note in ("started.json", "unread.json"):
        (writer.folder / note).unlink(missing_ok=True)
    publish(writer.folder, out)
    return VectorTable(out)


def _cached(side: str, encoder: Encoder, names: Sequence[str]) -> Path:
    return cache() / "tables" / f"{side}-{encoder.fingerprint[:12]}-{_content(names)[:20]}"


def _by_name(pictures: Iterable[Picture]) -> dict[str, Picture]:
    """Each picture once; joined data may show one twice, but not two under one name."""
    found: dict[str, Picture] = {}
    for picture in pictures:
        if found.setdefault(picture.name, picture) != picture:
            raise InputError(
                f"expected a name for each picture, two are called {picture.name!r}; rename one or join other data"
            )
    return found


def _stamped(pictures: Iterable[Picture]) -> list[str]:
    """Names that change with the pixels."""
    return [f"{picture.name} {picture.stamp}" for picture in pictures]


def _content(names: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for name in names:
        digest.update(name.encode("utf-8", "surrogatepass") + b"\n")
    return digest.hexdigest()


def _finite(vectors: np.ndarray, names: Sequence[str], encoder: Encoder) -> np.ndarray:
    bad = ~np.isfinite(vectors.astype(np.float16)).all(axis=1)
    if bad.any():
        raise InputError(
            f"expected finite vectors, {encoder.name} gave {int(bad.sum())} that are not, the first for "
            f"{names[int(np.argmax(bad))][:80]!r}; is the checkpoint complete? try --dtype float32"
        )
    return vectors


def _expect_some(names: Sequence[str], what: str, sources: Sequence[str]) -> None:
    if not names:
        raise InputError(f"expected {what} in {', '.join(sources)}, found none")
