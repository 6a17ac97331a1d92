"""VectorTable: what an encoder made of texts or pictures, kept on disk once.

    TABLE/text_emb/text_emb_0000.npy    float16, as the encoder gave them: (rows, dim)      (or img_emb/img_emb_*.npy)
    TABLE/metadata/metadata_0000.parquet    id (64-bit hash), name (the text, or the picture's name)
    TABLE/about.json    encoder, fingerprint, dim, rows, side; written last: without it a table is not complete

The layout is clip-retrieval's (clip_inference/writer.py), so that its tools read our tables. Vectors are kept raw and get
unit length on read, because several captions of a scene are averaged raw, then normalised (close/model @ 80f8db0).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from imageless.errors import InputError
from imageless.folders import disk_errors, read_json, write_json
from imageless.texts import identify
from imageless.tokens import Ragged

SHARD_ROWS = 16_384
FOLDERS = {"text": "text_emb", "image": "img_emb"}


def centred(
    vectors: Float[Tensor, "rows dim"], mean: Float[Tensor, " dim"], stretch: Float[Tensor, " dim"]
) -> Float[Tensor, "rows dim"]:
    """Unit vectors with `mean` moved to nought, each dimension stretched, and unit length again."""
    return F.normalize(stretch * (vectors - mean), dim=-1)


@dataclass(frozen=True)
class About:
    """What a table says of itself."""

    side: str
    encoder: str
    fingerprint: str
    dim: int
    rows: int
    shards: int
    content: str
    """sha256 over the names in their order: two tables of one content hold the same rows."""
    skipped: dict[str, str]
    """Pictures that could not be read, with the reason."""
    truncated: int = 0
    """Texts longer than the encoder's context, cut there."""


class VectorTable:
    """Rows of one encoder on one side, memory-mapped; looked up by text or picture name."""

    def __init__(self, folder: Path | str):
        self.folder = Path(folder)
        about = read_json(self.folder / "about.json", "a complete vector table (make one with `imageless embed`)")
        try:
            self.about = About(**about)
            prefix = FOLDERS[self.about.side]
            names = [f"{number:04d}" for number in range(self.about.shards)]
            self._shards = [
                np.load(self.folder / prefix / f"{prefix}_{name}.npy", mmap_mode="r", allow_pickle=False)
                for name in names
            ]
        except (TypeError, KeyError, ValueError, OSError) as error:
            raise InputError(
                f"the vector table {self.folder} is damaged ({error}); make it again with --overwrite"
            ) from None
        lengths = [len(shard) for shard in self._shards]
        if sum(lengths) != self.about.rows or any(shard.shape[1:] != (self.about.dim,) for shard in self._shards):
            raise InputError(
                f"the vector table {self.folder} is damaged: about.json says {self.about.rows} rows of {self.about.dim}, "
                f"its shards hold {sum(lengths)}; make it again with --overwrite"
            )
        self._starts = np.cumsum([0, *lengths])
        self._ids: tuple[np.ndarray, np.ndarray] | None = None

    @property
    def dim(self) -> int:
        return self.about.dim

    def __len__(self) -> int:
        return self.about.rows

    def expect(self, name: str, fingerprint: str, dim: int, side: str) -> VectorTable:
        """This table, if this encoder made it for this side; otherwise one line that names both."""
        mine = self.about
        if (mine.fingerprint, mine.dim) != (fingerprint, dim):
            raise InputError(
                f"expected vectors of {name} ({dim} dimensions, {fingerprint[:12]}), but {self.folder} was made by "
                f"{mine.encoder} ({mine.dim} dimensions, {mine.fingerprint[:12]}); embed again with --encoder {name}"
            )
        if mine.side != side:
            raise InputError(
                f"expected {side} vectors, but {self.folder} holds {mine.side} vectors; embed with --of {side}"
            )
        return self

    def opened(self) -> VectorTable:
        """This table with all that is read of it open, so that it can be used to its end whoever removes its folder."""
        self._index()
        return self

    def names(self) -> list[str]:
        """The text or picture name of every row."""
        import pyarrow.parquet as parquet

        files = (self.folder / "metadata" / f"metadata_{number:04d}.parquet" for number in range(self.about.shards))
        return [name for file in files for name in parquet.read_table(file, columns=["name"])["name"].to_pylist()]

    def rows(self, names: Iterable[str]) -> np.ndarray:
        """The row of each name; refuses names the table does not hold."""
        names = names if isinstance(names, Sequence) else list(names)
        sorted_ids, order = self._index()
        wanted = np.fromiter((identify(name) for name in names), dtype=np.uint64, count=len(names))
        places = np.searchsorted(sorted_ids, wanted)
        found = (
            sorted_ids[np.minimum(places, len(sorted_ids) - 1)] == wanted
            if len(sorted_ids)
            else np.zeros(len(wanted), bool)
        )
        if not found.all():
            missing = names[int(np.argmin(found))]
            raise InputError(
                f"{int((~found).sum())} of {len(names)} {self.about.side}s are not in {self.folder}, the first is "
                f"{missing[:80]!r}; embed this data again"
            )
        return order[places]

    def raw(self, rows: np.ndarray) -> np.ndarray:
        """Rows as the encoder gave them, (rows, dim) float32."""
        out = np.empty((len(rows), self.dim), dtype=np.float32)
        shards = np.searchsorted(self._starts, rows, side="right") - 1
        for number in np.unique(shards):
            here = shards == number
            out[here] = self._shards[number][rows[here] - self._starts[number]]
        return out

    def unit(self, rows: np.ndarray) -> Float[Tensor, "rows dim"]:
        """Rows of unit length."""
        return F.normalize(torch.from_numpy(self.raw(rows)), dim=-1)

    def scenes(self, scenes: Ragged, chosen: np.ndarray) -> Float[Tensor, "chosen dim"]:
        """One unit vector per scene: the mean of its rows' raw vectors, then unit length."""
        rows, owners = scenes.flat(chosen)
        if len(rows) == len(chosen):
            return self.unit(rows)
        mean = np.zeros((len(chosen), self.dim), dtype=np.float32)
        np.add.at(mean, owners, self.raw(rows))
        mean /= np.bincount(owners, minlength=len(chosen))[:, None]
        return F.normalize(torch.from_numpy(mean), dim=-1)

    def _index(self) -> tuple[np.ndarray, np.ndarray]:
        if self._ids is None:
            import pyarrow.parquet as parquet

            files = (self.folder / "metadata" / f"metadata_{number:04d}.parquet" for number in range(self.about.shards))
            parts = [parquet.read_table(file, columns=["id"])["id"].to_numpy() for file in files]
            ids = np.concatenate(parts) if parts else np.zeros(0, np.uint64)
            order = np.argsort(ids, kind="stable")
            self._ids = ids[order], order
        return self._ids


class Scenes:
    """What a model learns from, as rows: the scenes of a table, each told once, averaged when they are asked for."""

    def __init__(self, table: VectorTable, scenes: Ragged):
        first: dict[bytes, int] = {}
        for number, (start, end) in enumerate(pairwise(scenes.offsets)):
            first.setdefault(scenes.values[start:end].tobytes(), number)
        self.folder, self.dim = table.folder, table.dim
        self._table, self._scenes, self._chosen = table, scenes, np.fromiter(first.values(), np.int64)

    def __len__(self) -> int:
        return len(self._chosen)

    def raw(self, rows: np.ndarray) -> np.ndarray:
        """Scenes of unit length, (rows, dim) float32."""
        return self._table.scenes(self._scenes, self._chosen[rows]).numpy()


class ShardWriter:
    """Writes a table shard by shard into a folder; shards that are there already are kept, so work can go on."""

    def __init__(self, folder: Path, side: str):
        self.folder = folder
        self.prefix = FOLDERS[side]
        with disk_errors(folder):
            (folder / self.prefix).mkdir(parents=True, exist_ok=True)
            (folder / "metadata").mkdir(exist_ok=True)

    def done(self, number: int) -> bool:
        """Whether this shard is complete: its metadata are written after its vectors."""
        return self._metadata(number).is_file()

    def write(self, number: int, names: Sequence[str], vectors: np.ndarray) -> None:
        import pyarrow as arrow
        import pyarrow.parquet as parquet

        shard = self.folder / self.prefix / f"{self.prefix}_{number:04d}.npy"
        metadata = self._metadata(number)
        ids = np.fromiter((identify(name) for name in names), dtype=np.uint64, count=len(names))
        with disk_errors(self.folder):
            beside = shard.with_name(shard.name + ".tmp")
            with beside.open("wb") as file:
                np.save(file, vectors.astype(np.float16), allow_pickle=False)
            beside.replace(shard)
            beside = metadata.with_name(metadata.name + ".tmp")
            shown = [name.encode("utf-8", "backslashreplace").decode() for name in names]  # ids are of the name itself
            parquet.write_table(arrow.table({"id": ids, "name": shown}), beside)
            beside.replace(metadata)

    def count(self) -> int:
        """How many shards are finished."""
        return len(list((self.folder / "metadata").glob("*.parquet")))

    def _metadata(self, number: int) -> Path:
        return self.folder / "metadata" / f"metadata_{number:04d}.parquet"

    def finish(self, about: About) -> None:
        """Write about.json: from now on the table is complete."""
        write_json(self.folder / "about.json", vars(about))
