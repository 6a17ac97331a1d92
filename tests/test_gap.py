"""The gap between sentences and pictures: measured as the plain way measures it, found where it was planted, and drawn."""

from __future__ import annotations

import json
import sys
import tracemalloc
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from conftest import make_table
from imageless import moments, noise
from imageless.analysis import both, bridges, gap_figures, plane
from imageless.analysis.gap import Gap, gap, measure
from imageless.errors import InputError
from imageless.options import GapOptions
from imageless.vectors import VectorTable

DIM = 12
SEVEN = {"paired", "unrelated", "caption_caption", "image_image", "centroid_distance", "separability", "n"}
FIGURES = ("cosines", "bridges", "explained_variance", "correlation")
QUICK = GapOptions(device="cpu", projection="pca", limit=200)


def draw(rows: int, seed: int, dim: int = DIM) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(rows, dim))


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def album_tables(tmp_path_factory: pytest.TempPathFactory) -> tuple[VectorTable, VectorTable, np.ndarray, np.ndarray]:
    """60 pictures with one to five captions each, in no order; some captions are said of several pictures."""
    folder = tmp_path_factory.mktemp("tables")
    chance = np.random.default_rng(0)
    pictures = draw(60, 1)
    image_rows = chance.permutation(np.repeat(np.arange(60), chance.integers(1, 6, 60)))
    captions = pictures[image_rows] + 0.7 * draw(len(image_rows), 2) + np.linspace(-1, 1, DIM)
    text_rows = np.arange(len(image_rows))
    text_rows[::9] = text_rows[1::9][: len(text_rows[::9])]
    return (
        make_table(folder / "t", "text", captions),
        make_table(folder / "i", "image", pictures),
        text_rows,
        image_rows,
    )


def plain(texts: VectorTable, images: VectorTable, text_rows: np.ndarray, image_rows: np.ndarray) -> dict[str, float]:
    """Mean cosines one pair after the other."""
    text, image = texts.unit(text_rows).numpy(), images.unit(image_rows).numpy()
    once = images.unit(np.unique(image_rows)).numpy()
    other = image_rows[:, None] != image_rows[None]
    another = image_rows[:, None] != np.unique(image_rows)[None]
    return {
        "paired": (text * image).sum(1).mean(),
        "unrelated": (text @ once.T)[another].mean(),
        "caption_caption": (text @ text.T)[other].mean(),
        "image_image": (once @ once.T)[~np.eye(len(once), dtype=bool)].mean(),
        "centroid_distance": np.linalg.norm(text.mean(0) - image.mean(0)),
    }


# What is measured.


@pytest.mark.parametrize("piece", [7, 8192])
def test_streamed_measures_are_the_plain_ones(album_tables, monkeypatch: pytest.MonkeyPatch, piece: int):
    monkeypatch.setattr(moments, "PIECE", piece)
    texts, images, text_rows, image_rows = album_tables
    found = measure(*album_tables)
    for name, expected in plain(*album_tables).items():
        assert found[name] == pytest.approx(expected, abs=1e-5), name
    assert found["n"] == len(text_rows) and found["pictures"] == 60

    text, image = texts.unit(text_rows).numpy().astype(float), images.unit(image_rows).numpy().astype(float)
    sizes = np.linalg.eigvalsh(np.cov(image - text, rowvar=False))[::-1]
    np.testing.assert_allclose(found["explained_variance"], np.cumsum(sizes) / sizes.sum(), atol=1e-5)
    table = np.corrcoef(text, image, rowvar=False)[:DIM, DIM:]
    np.testing.assert_allclose(found["correlation"]["diagonal"], table.diagonal(), atol=1e-5)
    most = np.sort(np.abs(table), axis=None)[::-1][:20]
    np.testing.assert_allclose(
        [abs(pair["correlation"]) for pair in found["correlation"]["most_related"]], most, atol=1e-5
    )
    for pair in found["correlation"]["most_related"]:
        assert pair["correlation"] == pytest.approx(table[pair["text"], pair["image"]], abs=1e-5)


@pytest.mark.parametrize("piece", [7, 8192])
def test_bridges_are_measured_as_the_plain_way_does(album_tables, monkeypatch: pytest.MonkeyPatch, piece: int):
    monkeypatch.setattr(moments, "PIECE", piece)
    texts, images, text_rows, image_rows = album_tables
    text, image = texts.unit(text_rows).numpy().astype(float), images.unit(image_rows).numpy().astype(float)
    moved = {
        "raw": text,
        "mean": unit(text + (image - text).mean(0)),
        "linear": unit(text @ np.linalg.lstsq(text, image, rcond=None)[0]),
    }
    found = measure(*album_tables)["bridges"]
    assert set(found) == {"raw", "noise", "mean", "linear", "covariance"}
    for name, vectors in moved.items():
        assert found[name]["paired"] == pytest.approx((vectors * image).sum(1).mean(), abs=1e-4)
        apart = np.linalg.norm((image - vectors).mean(0))
        assert found[name]["centroid_distance"] == pytest.approx(apart, abs=1e-4)
    assert found["noise"]["paired"] < found["raw"]["paired"] < found["linear"]["paired"]


def test_memory_does_not_grow_with_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(moments, "PIECE", 500)
    monkeypatch.setattr(both, "SAMPLE", 200)
    peaks = []
    for rows in (2_000, 10_000):
        tables = [make_table(tmp_path / f"{rows}{side}", side, draw(rows, 1, 128)) for side in ("text", "image")]
        tracemalloc.start()
        measure(*tables, np.arange(rows), np.arange(rows))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    a_row = 2 * 128 * np.dtype(np.float32).itemsize  # both sides of one pair
    assert peaks[1] - peaks[0] < 0.2 * a_row * 8_000, peaks


def test_a_caption_of_two_pictures_is_its_own_neighbour_at_both(tmp_path: Path):
    pictures = np.vstack([np.eye(8), np.eye(8)])
    tables = make_table(tmp_path / "t", "text", np.eye(8)), make_table(tmp_path / "i", "image", pictures)
    found = measure(*tables, np.tile(np.arange(8), 2), np.arange(16), w=0.0)
    assert found["sampled"] == 16
    assert found["bridges"]["raw"]["nearest_is_own"] == 1 == found["bridges"]["raw"]["nearest_stays"]
    assert found["bridges"]["noise"] == pytest.approx(found["bridges"]["raw"], abs=1e-6)


def test_captions_pointing_elsewhere_have_other_neighbours(tmp_path: Path):
    around = unit(draw(40, 1))
    tables = make_table(tmp_path / "t", "text", np.roll(around, 1, axis=0)), make_table(tmp_path / "i", "image", around)
    found = measure(*tables, np.arange(40), np.arange(40))["bridges"]
    assert found["raw"]["nearest_is_own"] == 0 and found["raw"]["nearest_stays"] == 1


def test_a_planted_shift_is_measured_and_the_mean_closes_it(tmp_path: Path):
    pictures = unit(draw(400, 1))
    shift = np.zeros(DIM)
    shift[3] = 5.0
    tables = make_table(tmp_path / "t", "text", pictures + shift), make_table(tmp_path / "i", "image", pictures)
    found = measure(*tables, np.arange(400), np.arange(400))
    assert 0.8 < found["centroid_distance"] < 1.1
    assert found["bridges"]["mean"]["centroid_distance"] < 0.3 * found["centroid_distance"]
    assert found["caption_caption"] > 0.9 > 0.1 > found["image_image"]


def test_sides_far_apart_are_always_told_apart(tmp_path: Path):
    sides = 0.2 * draw(400, 1) + np.eye(DIM)[0], 0.2 * draw(400, 2) + np.eye(DIM)[1]
    tables = make_table(tmp_path / "t", "text", sides[0]), make_table(tmp_path / "i", "image", sides[1])
    assert measure(*tables, np.arange(400), np.arange(400))["separability"] == 1.0


def test_two_sides_of_one_distribution_cannot_be_told_apart(tmp_path: Path):
    tables = make_table(tmp_path / "t", "text", draw(2000, 1)), make_table(tmp_path / "i", "image", draw(2000, 2))
    found = measure(*tables, np.arange(2000), np.arange(2000))
    assert found["separability"] == pytest.approx(0.5, abs=0.04)
    assert found["centroid_distance"] < 0.05


def test_the_same_vectors_on_both_sides_are_a_guess(tmp_path: Path):
    same = draw(50, 1)
    tables = make_table(tmp_path / "t", "text", same), make_table(tmp_path / "i", "image", same)
    found = measure(*tables, np.arange(50), np.arange(50))
    assert found["separability"] == 0.5 and found["paired"] == pytest.approx(1.0)
    assert found["centroid_distance"] == pytest.approx(0.0, abs=1e-6)


def test_sides_that_never_change_are_told_apart_and_give_plain_numbers(tmp_path: Path):
    sides = (np.tile(draw(1, seed), (20, 1)) for seed in (1, 2))
    tables = make_table(tmp_path / "t", "text", next(sides)), make_table(tmp_path / "i", "image", next(sides))
    found = measure(*tables, np.arange(20), np.arange(20))
    assert found["separability"] == 1.0
    assert set(found["correlation"]["diagonal"]) == {0.0}
    json.dumps(found, allow_nan=False)


def test_the_seed_decides_every_draw(album_tables):
    assert measure(*album_tables) == measure(*album_tables)
    first, second = (measure(*album_tables, seed=seed)["bridges"] for seed in (0, 1))
    assert first["noise"] != second["noise"] and first["raw"]["paired"] == second["raw"]["paired"]


def test_too_few_pictures_are_refused(tmp_path: Path):
    tables = make_table(tmp_path / "t", "text", draw(9, 1)), make_table(tmp_path / "i", "image", draw(3, 2))
    with pytest.raises(InputError, match="at least 4 pictures, got 3"):
        measure(*tables, np.arange(9), np.arange(9) // 3)


@pytest.mark.parametrize("vector", [np.zeros(DIM), np.full(DIM, np.nan)])
def test_vectors_without_a_length_are_refused(tmp_path: Path, vector: np.ndarray):
    bad = np.vstack([draw(9, 1), vector])
    tables = make_table(tmp_path / "t", "text", draw(10, 2)), make_table(tmp_path / "i", "image", bad)
    with pytest.raises(InputError, match="got 1 that are nought or no numbers"):
        measure(*tables, np.arange(10), np.arange(10))


# Pictures on a plane.


@pytest.mark.parametrize("projection", ["pca", pytest.param("tsne", marks=pytest.mark.slow)])
def test_a_projection_is_the_same_twice_and_takes_few_vectors(projection: str):
    for rows in (8, 300):
        vectors = draw(rows, 1).astype(np.float32)
        first = plane.project(vectors, projection, 3)
        assert first.shape == (rows, 2) and np.isfinite(first).all()
        assert np.array_equal(first, plane.project(vectors, projection, 3))


@pytest.mark.parametrize(("projection", "package"), [("umap", "umap-learn"), ("tsne", "scikit-learn")])
def test_a_projection_says_what_it_lacks(
    imageless, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, projection: str, package: str
):
    for name in ("umap", "sklearn", "sklearn.manifold"):
        monkeypatch.setitem(sys.modules, name, None)
    told = ("gap", "world", "--encoder", "world", "--out", tmp_path / "gap", "--projection", projection)
    assert f"pip install {package}, or choose pca" in imageless(*told).complaint
    assert not list(tmp_path.iterdir())


# The verb.


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The gap of the world's own encoder on 200 scenes."""
    out = tmp_path_factory.mktemp("gap") / "world"
    gap(["world"], out, "world", QUICK)
    return out


def test_everything_is_written(measured: Path):
    assert {path.name for path in measured.iterdir()} == {"figures", "measures.json", "report.html"}
    drawn = {f"{name}.{suffix}" for name in FIGURES for suffix in ("png", "svg")}
    assert {path.name for path in (measured / "figures").iterdir()} == {*drawn, "bridges.json"}
    for name in FIGURES:
        assert (measured / f"figures/{name}.png").read_bytes().startswith(b"\x89PNG")
        assert "<svg" in (measured / f"figures/{name}.svg").read_text()
    page = (measured / "report.html").read_text()
    assert page.count("<figure>") == 4 and page.index("<figure>") < page.index("<table>")


def test_the_world_shows_the_gap_by_itself(measured: Path):
    found = json.loads((measured / "measures.json").read_text())
    assert found.keys() >= SEVEN and found["n"] == 1000 and found["pictures"] == 200
    assert found["paired"] > found["caption_caption"] > found["unrelated"]
    assert found["centroid_distance"] > 0.3 and found["separability"] > 0.95
    assert found["bridges"]["mean"]["centroid_distance"] < 0.1 * found["centroid_distance"]


def test_figure_three_has_its_five_panels(measured: Path):
    dots = json.loads((measured / "figures/bridges.json").read_text())
    assert list(dots["panels"]) == ["raw", "noise", "mean", "linear", "covariance"]
    assert {len(side) for panel in dots["panels"].values() for side in panel.values()} == {200}
    assert len(gap_figures.plot_bridges(dots["panels"]).axes) == 5


def test_the_verb_says_seven_figures_and_again_the_same(imageless, measured: Path, tmp_path: Path):
    told = ("gap", "world", "--encoder", "world", "--limit", 200, "--device", "cpu", "--projection", "pca")
    said = imageless(*told, "--out", tmp_path / "gap", "--json").json
    assert said.keys() == {field.name for field in fields(Gap)} == {*SEVEN, "out", "seconds"}
    first, second = (json.loads((out / "measures.json").read_text()) for out in (measured, tmp_path / "gap"))
    assert first == second and all(said[name] == second[name] for name in SEVEN)
    assert "exists already" in imageless(*told, "--out", tmp_path / "gap").complaint
    assert "1,000 pairs" in imageless(*told, "--out", tmp_path / "gap", "--overwrite").out


def test_any_encoder_and_captions_of_pictures_from_a_file(imageless, tmp_path: Path, album: Path, encoder_folder: Path):
    told = ("gap", f"karpathy:{album}", "--encoder", encoder_folder, "--device", "cpu", "--projection", "pca")
    said = imageless(*told, "--out", tmp_path / "gap", "--json").json
    assert said["n"] == 18
    assert json.loads((tmp_path / "gap/measures.json").read_text())["noise"] == noise.PAPER


def test_named_adapters_are_measured_beside_the_four(imageless, tmp_path: Path, album: Path, encoder_folder: Path):
    told = (f"karpathy:{album}", "--encoder", encoder_folder, "--device", "cpu")
    for kind in ("mean", "standardize"):
        imageless("adapt", *told, "--kind", kind, "--out", tmp_path / f"my-{kind}")
    mean = tmp_path / "my-mean"
    more = [f"{mean}", f"{mean}?scale=-1", "random:0.5", f"{tmp_path / 'my-standardize'}"]
    named = [word for spec in more for word in ("--adapter", spec)]
    assert imageless("gap", *told, "--projection", "pca", *named, "--out", tmp_path / "gap").code == 0
    found = json.loads((tmp_path / "gap/measures.json").read_text())["bridges"]
    assert list(found) == [*bridges.FITTED, "my-mean", "my-mean?scale=-1", "random:0.5", "my-standardize"]
    assert found["raw"]["to_original"] == pytest.approx(1.0)
    assert found["random:0.5"]["to_original"] == pytest.approx(1 / np.sqrt(1 + 0.25), abs=0.05)
    assert found["my-mean?scale=-1"]["paired"] < found["raw"]["paired"] < found["my-mean"]["paired"]
    assert found["my-standardize"]["centroid_distance"] < found["raw"]["centroid_distance"]
    mean.rename(tmp_path / "mean")
    for again in ((tmp_path / "mean",), ("random:1", "random:1")):
        named = [word for spec in again for word in ("--adapter", spec)]
        assert "names of their own" in imageless("gap", *told, *named, "--out", tmp_path / "other").complaint
    assert "random:MAGNITUDE" in imageless("gap", *told, "--adapter", "random:x", "--out", tmp_path / "other").complaint


@pytest.mark.slow
def test_the_default_projection_is_tsne(imageless, tmp_path: Path):
    told = ("gap", "world", "--encoder", "world", "--limit", 200, "--device", "cpu", "--out", tmp_path / "gap")
    assert imageless(*told).code == 0
    assert json.loads((tmp_path / "gap/figures/bridges.json").read_text())["projection"] == "tsne"


def test_data_without_pictures_or_with_few_are_refused_in_one_line(
    imageless, tmp_path: Path, sentences: Path, album: Path, encoder_folder: Path
):
    told = ("--encoder", encoder_folder, "--out", tmp_path / "gap", "--device", "cpu", "--projection", "pca")
    assert "found no pictures" in imageless("gap", f"text:{sentences}", *told, "--split", "train").complaint
    assert "at least 4 pictures, got 3" in imageless("gap", f"karpathy:{album}", *told, "--limit", 3).complaint
    assert "DATA as READER:PATH" in imageless("gap", *told).complaint
    assert not list(tmp_path.iterdir())
