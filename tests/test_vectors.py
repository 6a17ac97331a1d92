"""Vector tables: made once, whatever stopped in between; never half there; read back as they were written."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as parquet
import pytest
import torch
import torch.nn.functional as F

from conftest import make_album, make_encoder
from imageless import data, encoders
from imageless.errors import InputError
from imageless.options import EmbedOptions
from imageless.pictures import FilePicture
from imageless.stages import embed
from imageless.texts import identify
from imageless.tokens import Ragged
from imageless.vectors import VectorTable

CPU = EmbedOptions(device="cpu", batch_size=4)


class Counting:
    """An encoder that counts what it is asked for, and can be told to die."""

    def __init__(self, encoder, dies_after: int | None = None):
        self._encoder, self.calls, self.dies_after = encoder, 0, dies_after

    def __getattr__(self, name: str):
        return getattr(self._encoder, name)

    def texts(self, texts):
        return self._count(self._encoder.texts(texts))

    def images(self, pixels):
        return self._count(self._encoder.images(pixels))

    def _count(self, vectors):
        self.calls += 1
        if self.calls == self.dies_after:
            raise KeyboardInterrupt
        return vectors


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embed, "SHARD_ROWS", 8)


def written(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def captions(album: Path) -> list[str]:
    return list(dict.fromkeys(caption for record in data.read(f"karpathy:{album}") for caption in record.captions))


def shown(album: Path) -> list[FilePicture]:
    return [record.image for record in data.read(f"karpathy:{album}") if record.image]


# The layout.


@pytest.mark.parametrize(("of", "emb"), [("text", "text_emb"), ("image", "img_emb")])
def test_the_files_have_clip_retrieval_s_names(tmp_path, album, encoder_folder, small_shards, of, emb):
    embed.embed([f"karpathy:{album}"], tmp_path / "table", str(encoder_folder), of, CPU)
    about = json.loads((tmp_path / "table/about.json").read_text())
    numbers = [f"{number:04d}" for number in range(about["shards"])]
    assert about["shards"] >= 3
    assert set(written(tmp_path / "table")) == {
        "about.json",
        *(f"{emb}/{emb}_{number}.npy" for number in numbers),
        *(f"metadata/metadata_{number}.parquet" for number in numbers),
    }
    shards = [np.load(tmp_path / f"table/{emb}/{emb}_{number}.npy") for number in numbers]
    metadata = [parquet.read_table(tmp_path / f"table/metadata/metadata_{number}.parquet") for number in numbers]
    assert {shard.dtype for shard in shards} == {np.dtype("float16")}
    assert [len(shard) for shard in shards] == [table.num_rows for table in metadata]
    assert sum(map(len, shards)) == about["rows"]
    names = [name for table in metadata for name in table["name"].to_pylist()]
    assert names == (captions(album) if of == "text" else [picture.name for picture in shown(album)])
    assert [number for table in metadata for number in table["id"].to_pylist()] == [identify(name) for name in names]


def test_about_says_who_made_it_of_what(tmp_path, album, encoder):
    embed.embed([f"karpathy:{album}"], tmp_path / "table", encoder.name, "text", CPU)
    about = VectorTable(tmp_path / "table").about
    assert (about.side, about.encoder, about.fingerprint) == ("text", encoder.name, encoder.fingerprint)
    assert (about.rows, about.dim, about.skipped, about.truncated) == (len(captions(album)), encoder.dim, {}, 0)
    said = "".join(f"{caption}\n" for caption in captions(album))
    assert about.content == hashlib.sha256(said.encode()).hexdigest()


# Reading.


def test_rows_come_back_raw_and_of_unit_length(encoder, album, own_cache, small_shards):
    table, wanted = embed.texts(captions(album), encoder), captions(album)[::-3]
    plain = encoder.texts(wanted).numpy()
    rows = table.rows(wanted)
    assert np.allclose(table.raw(rows), plain, rtol=1e-3, atol=1e-3)  # float16 on disk
    assert torch.allclose(table.unit(rows).norm(dim=-1), torch.ones(len(rows)))
    assert torch.allclose(table.unit(rows), F.normalize(torch.from_numpy(plain), dim=-1), atol=2e-3)


def test_averaged_captions_are_the_mean_of_raw_vectors_then_of_unit_length(encoder, album, own_cache, small_shards):
    names = captions(album)
    table = embed.texts(names, encoder)
    scenes = [[0, 1, 9], [3], [10, 2], [5, 5, 6, 7]]
    read = table.scenes(Ragged.of(scenes), np.array([3, 0, 2, 1]))
    raw = table.raw(np.arange(len(names)))
    for vector, scene in zip(read, [scenes[3], scenes[0], scenes[2], scenes[1]], strict=True):
        mean = raw[scene].mean(0)
        assert np.allclose(vector, mean / np.linalg.norm(mean), atol=1e-6)


def test_one_caption_a_scene_is_the_caption_itself(encoder, album, own_cache):
    table = embed.texts(captions(album), encoder)
    read = table.scenes(Ragged.of([[4], [0], [2]]), np.array([2, 0]))
    assert torch.equal(read, table.unit(np.array([2, 4])))


def test_a_name_that_is_not_there_is_named(encoder, album, own_cache):
    table = embed.texts(captions(album), encoder)
    with pytest.raises(InputError, match=r"1 of 2 texts are not in .*'never said'; embed this data again"):
        table.rows([captions(album)[0], "never said"])


# Chunked = full, cached = uncached.


def test_chunked_is_full(tmp_path, album, encoder_folder, small_shards):
    for of in ("text", "image"):
        for size in (1, 5, 100):
            options = EmbedOptions(device="cpu", batch_size=size)
            embed.embed([f"karpathy:{album}"], tmp_path / f"{of}{size}", str(encoder_folder), of, options)
        tables = [VectorTable(tmp_path / f"{of}{size}") for size in (1, 5, 100)]
        whole = tables[-1].raw(np.arange(len(tables[-1])))
        for table in tables[:-1]:
            assert table.about == tables[-1].about
            assert np.allclose(table.raw(np.arange(len(table))), whole, atol=2e-3)


def test_cached_is_uncached(encoder, album, own_cache):
    counting = Counting(encoder)
    for make, wanted in ((embed.texts, captions(album)), (embed.images, shown(album))):
        before = counting.calls
        first = make(wanted, counting)
        asked = counting.calls
        second = make(wanted, counting)
        assert asked > before and counting.calls == asked
        rows = np.arange(len(first))
        assert first.folder == second.folder and np.array_equal(first.raw(rows), second.raw(rows))


def test_the_cache_tells_encoders_texts_and_changed_pictures_apart(tmp_path, encoder, own_cache):
    made = make_album(tmp_path, 5)
    other = encoders.load(str(make_encoder(tmp_path / "other", seed=1)), device="cpu")
    tables = [
        embed.texts(["one", "two"], encoder),
        embed.texts(["two", "one"], encoder),
        embed.texts(["one", "two"], other),
        embed.images(shown(made), encoder),
        embed.images(shown(made)[:4], encoder),
    ]
    shutil.copy(made.parent / "003.png", made.parent / "001.png")
    tables.append(embed.images(shown(made), encoder))
    assert len({table.folder for table in tables}) == len(tables)


# Stopped work.


@pytest.mark.parametrize("dies_after", [1, 2, 4, 6])
@pytest.mark.parametrize("of", ["text", "image"])
def test_a_stopped_embedding_goes_on_to_the_very_same_table(
    tmp_path, encoder, small_shards, monkeypatch, of, dies_after
):
    """Also where pictures cannot be read: they are still named with their reason."""
    album = make_album(tmp_path, 30)
    (tmp_path / "003.png").write_bytes(b"")
    (tmp_path / "020.png").write_bytes(b"not a picture")
    told = [f"karpathy:{album}"]
    at_once = Counting(encoder)
    monkeypatch.setattr(encoders, "load", lambda *_: at_once)
    embed.embed(told, tmp_path / "at-once", encoder.name, of, CPU)
    out = tmp_path / "stopped"
    monkeypatch.setattr(encoders, "load", lambda *_: Counting(encoder, dies_after))
    with pytest.raises(KeyboardInterrupt):
        embed.embed(told, out, encoder.name, of, CPU)
    assert not out.exists()
    counting = Counting(encoder)
    monkeypatch.setattr(encoders, "load", lambda *_: counting)
    embed.embed(told, out, encoder.name, of, CPU)
    assert written(out) == written(tmp_path / "at-once")
    assert counting.calls <= at_once.calls - dies_after // 3 * 2  # finished shards of two batches are not made again
    assert not (tmp_path / "stopped.partial").exists()


def test_unfinished_work_of_another_kind_is_not_gone_on_with(tmp_path, album, encoder, small_shards, monkeypatch):
    told, out = [f"karpathy:{album}"], tmp_path / "table"
    monkeypatch.setattr(encoders, "load", lambda *_: Counting(encoder, dies_after=4))
    with pytest.raises(KeyboardInterrupt):
        embed.embed(told, out, encoder.name, "text", CPU)
    other = encoders.load(encoder.name)._encoder
    monkeypatch.setattr(encoders, "load", lambda *_: other)
    embed.embed(told, out, encoder.name, "image", CPU)
    assert VectorTable(out).about.side == "image" and not (out / "text_emb").exists()


def test_a_table_without_about_is_never_read(tmp_path, album, encoder_folder):
    embed.embed([f"karpathy:{album}"], tmp_path / "table", str(encoder_folder), "text", CPU)
    (tmp_path / "table/about.json").unlink()
    with pytest.raises(InputError, match=r"expected a complete vector table .* found no about\.json there"):
        VectorTable(tmp_path / "table")


@pytest.mark.parametrize("damage", ["a shard is missing", "a shard is short", "about is no JSON", "a field is missing"])
def test_a_damaged_table_is_one_line(tmp_path, album, encoder_folder, small_shards, damage):
    folder = tmp_path / "table"
    embed.embed([f"karpathy:{album}"], folder, str(encoder_folder), "text", CPU)
    shard, about = folder / "text_emb/text_emb_0001.npy", folder / "about.json"
    match damage:
        case "a shard is missing":
            shard.unlink()
        case "a shard is short":
            np.save(shard, np.load(shard)[:-1])
        case "about is no JSON":
            about.write_text("{")
        case "a field is missing":
            about.write_text(json.dumps({"side": "text"}))
    with pytest.raises(InputError) as caught:
        VectorTable(folder)
    assert "\n" not in str(caught.value) and "table" in str(caught.value)


def test_a_table_of_another_encoder_or_side_is_refused(tmp_path, album, encoder, encoder_folder):
    embed.embed([f"karpathy:{album}"], tmp_path / "table", str(encoder_folder), "text", CPU)
    table = VectorTable(tmp_path / "table")
    with pytest.raises(InputError, match=r"expected vectors of other .* was made by"):
        table.expect("other", "f" * 64, encoder.dim, "text")
    with pytest.raises(InputError, match=r"expected image vectors, .* holds text vectors; embed with --of image"):
        table.expect(encoder.name, encoder.fingerprint, encoder.dim, "image")


# Pictures that cannot be read, and names that clash.


def test_a_bad_picture_is_skipped_named_and_counted(tmp_path, encoder_folder):
    album = make_album(tmp_path, 12)
    (tmp_path / "005.png").write_bytes(b"")
    made = embed.embed([f"karpathy:{album}"], tmp_path / "table", str(encoder_folder), "image", CPU)
    about = VectorTable(tmp_path / "table").about
    assert (made.rows, made.final["skipped"], about.rows) == (11, 1, 11)
    assert list(about.skipped) == ["005.png"] and "empty file" in about.skipped["005.png"]


def test_pictures_none_of_which_can_be_read_are_one_line(tmp_path, encoder_folder):
    album = make_album(tmp_path, 3)
    for picture in tmp_path.glob("*.png"):
        picture.write_bytes(b"")
    with pytest.raises(InputError, match=r"none of 3 could be read; the first: .*empty file"):
        embed.embed([f"karpathy:{album}"], tmp_path / "table", str(encoder_folder), "image", CPU)
    assert not (tmp_path / "table").exists()


def test_two_pictures_under_one_name_are_refused_rather_than_mixed_up(tmp_path, encoder_folder):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
    told = [f"karpathy:{make_album(tmp_path / folder, count)}" for folder, count in (("one", 3), ("two", 4))]
    with pytest.raises(InputError, match=r"two are called '000.png'"):
        embed.embed(told, tmp_path / "table", str(encoder_folder), "image", CPU)
    joined = embed.embed([told[0], told[0]], tmp_path / "table", str(encoder_folder), "image", CPU)
    assert joined.rows == 3


@pytest.mark.parametrize("lengths", [[], [0, 0, 5], [40, 7, 41, 9, 300, 8, 42, 10, 9], [10] * 20])
def test_texts_of_like_length_are_embedded_together(lengths):
    runs = list(embed._alike(lengths, 4))
    assert sorted(row for rows in runs for row in rows) == list(range(len(lengths)))
    for rows in runs:
        sizes = [lengths[row] for row in rows]
        assert len(rows) <= 4 and max(sizes) <= 1.5 * (min(sizes) + 1)


def test_texts_longer_than_the_encoder_reads_are_cut_and_counted(tmp_path, encoder_folder):
    long = " ".join(["dog"] * 60)
    (tmp_path / "long.txt").write_text(f"a red dog\n{long}\n{long} and cat\n")
    made = embed.embed([f"text:{tmp_path / 'long.txt'}"], tmp_path / "table", str(encoder_folder), "text", CPU)
    assert (made.rows, made.final["truncated"]) == (3, 2)
    table = VectorTable(tmp_path / "table")
    assert np.array_equal(table.raw(np.array([1])), table.raw(np.array([2])))  # they differ behind the cut only


def test_vectors_that_are_not_finite_are_refused(encoder, own_cache):
    broken = Counting(encoder)
    broken._count = lambda vectors: vectors / 0
    with pytest.raises(InputError, match=r"expected finite vectors, .* gave 2 that are not, the first for 'one'"):
        embed.texts(["one", "two"], broken)


# Ragged rows.


def test_ragged_rows_come_back_as_they_went_in():
    rows = [[1, 2, 3], [], [4], [5, 6]]
    ragged = Ragged.of(rows)
    assert [ragged.flat(np.array([row]))[0].tolist() for row in range(4)] == rows
    values, owners = ragged.flat(np.array([3, 0, 1]))
    assert values.tolist() == [5, 6, 1, 2, 3] and owners.tolist() == [0, 0, 1, 1, 1]
    assert ragged.padded(np.array([0, 1, 3]), fill=9).tolist() == [[1, 2, 3], [9, 9, 9], [5, 6, 9]]
    some = ragged.only(np.array([3, 1]))
    assert [some.flat(np.array([row]))[0].tolist() for row in range(2)] == [[5, 6], []]
