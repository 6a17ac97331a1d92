"""Anything the `datasets` library opens: a name on the Hub, a parquet file, a folder of parquet or of pictures.

    {"image": {"bytes": b"\\xff\\xd8...", "path": "0001.jpg"}, "label": 4}      hf:cifar10, a folder with .parquet files

    pip install 'imageless[data]'
    imageless embed "hf:OWNER/NAME?caption=sentence" ...       a name on the Hub is fetched at first use

Columns are found by their type (a picture) and by their usual names (a caption), or named after a question mark, as in
`rows`; `config` there picks one of several configurations. Class labels become fields by their name, not their number.
Captions are read without touching the pictures; a picture is a row number until it is opened.
"""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from imageless.data.album import Album
from imageless.data.rows import captions, fields, find_roles
from imageless.data.splits import canonical, named_in
from imageless.errors import InputError
from imageless.pictures import BytesPicture, NotAPicture, read_at
from imageless.records import Picture, Record

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict
    from PIL.Image import Image

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class CellPicture:
    """A picture in a table's cell, fetched when it is opened."""

    name: str
    cells: Dataset = field(repr=False)
    """The column of pictures, not decoded."""
    row: int

    @property
    def stamp(self) -> str:
        return f"{self.cells._fingerprint} {self.row}"

    def open(self) -> Image:
        cell = next(iter(self.cells[self.row].values()))
        if isinstance(cell, dict):  # what the library keeps of a picture: its bytes, or the file they are in
            path = cell.get("path")
            cell = cell.get("bytes") or (read_at(path, 0, os.path.getsize(path)) if path else None)
        if not isinstance(cell, bytes):
            raise NotAPicture("an empty cell")
        return BytesPicture(self.name, cell).open()


def hf(
    path: str, split: str | None = None, images: str | None = None, config: str | None = None, **columns: str
) -> Iterator[Record]:
    """A record per row."""
    album = Album(images, beside=path if os.path.isfile(path) else os.path.join(path, ""))
    parts = _load(path, config)
    wanted = {name: part for name, part in parts.items() if split is None or canonical(name) == canonical(split)}
    if not wanted:
        raise InputError(f"hf:{path}: expected split {split!r}, got only {', '.join(parts)}; choose with --split")
    empty = 0
    for name, part in wanted.items():
        for record in _records(part.with_format(None), canonical(name), album, f"hf:{path}", columns):
            if record.captions or record.fields.get("image") or record.image is not None:
                yield record
            else:
                empty += 1
    if empty:
        log.warning("hf:%s: %d rows with neither a caption nor a picture were skipped", path, empty)
    album.report()


def _load(path: str, config: str | None) -> Mapping[str, Dataset]:
    try:
        import datasets
    except ImportError:
        raise InputError("hf: expected the `datasets` library, got none; pip install 'imageless[data]'") from None
    if not os.path.exists(path) and not re.fullmatch(r"[\w.-]+(/[\w.-]+)?", path):
        raise InputError(f"hf:{path}: expected a folder, a parquet file or a name on the Hub, got none; check the path")
    try:
        with _quiet(datasets):
            loaded = _open(datasets, path, config)
    except Exception as error:  # whatever a builder, a parquet file or the network trips over
        reason = " ".join(str(error.__cause__ or error).split())[:200]
        raise InputError(
            f"hf:{path}: expected a data set, got {type(error).__name__} ({reason}); check the name, or fetch it again"
        ) from error
    return {str(name): part for name, part in loaded.items()} if isinstance(loaded, dict) else {"train": loaded}


def _open(datasets: Any, path: str, config: str | None) -> Dataset | DatasetDict:
    if os.path.isfile(path):
        return datasets.load_dataset("parquet", data_files={named_in(path) or "train": path})
    if any(os.path.exists(os.path.join(path, name)) for name in ("dataset_dict.json", "state.json")):
        return datasets.load_from_disk(path)
    return datasets.load_dataset(path, config)


@contextmanager
def _quiet(datasets: Any) -> Iterator[None]:
    """The library logs an error before it raises it, and draws bars: only where ours are drawn, too."""
    verbosity, disabled = datasets.logging.get_verbosity(), datasets.are_progress_bars_disabled()
    datasets.logging.set_verbosity(logging.CRITICAL)
    if not (log.isEnabledFor(logging.INFO) and sys.stderr.isatty()):
        datasets.disable_progress_bars()
    try:
        yield
    finally:
        datasets.logging.set_verbosity(verbosity)
        if not disabled:
            datasets.enable_progress_bars()


def _records(part: Dataset, split: str, album: Album, where: str, columns: Mapping[str, str]) -> Iterator[Record]:
    import datasets

    pictures = [name for name, feature in part.features.items() if isinstance(feature, datasets.Image)]
    roles = find_roles(part.column_names, ({"image": pictures[0]} if pictures else {}) | dict(columns), where)
    image = roles.get("image")
    cells = None if image is None or _is_plain(part, image) else _undecoded(part, image)
    words: Any = part.select_columns([name for name in part.column_names if _is_plain(part, name)])
    for number, row in enumerate(words if words.column_names else ({} for _ in range(len(part)))):
        key = f"{split}-{number:07d}"
        sentences = captions(row.get(roles.get("caption", "")), f"{where}, {key}")
        labelled = {name: _value(part, name, value) for name, value in row.items()}
        picture: Picture | None = None
        if cells is not None:
            picture = CellPicture(key, cells, number)
        elif image is not None and row[image]:
            picture = album.get(str(row[image]))
        yield Record(key, sentences, picture, fields(labelled, roles))


def _undecoded(part: Dataset, column: str) -> Dataset:
    import datasets

    cells = part.select_columns([column])
    if isinstance(part.features[column], datasets.Image):
        return cells.cast_column(column, datasets.Image(decode=False))
    return cells


def _is_plain(part: Dataset, column: str) -> bool:
    """Text, numbers and labels, or a list of them: what can be a caption or a field, a file's name among them."""
    import datasets

    feature = part.features[column]
    inner = feature.feature if isinstance(feature, datasets.List | datasets.LargeList) else feature
    return isinstance(inner, datasets.ClassLabel) or (isinstance(inner, datasets.Value) and "binary" not in inner.dtype)


def _value(part: Dataset, column: str, value: Any) -> Any:
    """A class label by its name; unlabelled rows (-1) have none."""
    import datasets

    feature = part.features[column]
    if isinstance(feature, datasets.ClassLabel) and value is not None:
        return feature.int2str(value) if value >= 0 else None
    return value
