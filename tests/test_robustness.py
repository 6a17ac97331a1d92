"""Classifiers on changed pictures: the line of the probes, and what lies above it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imageless.analysis import clusters
from imageless.analysis.robustness import expected, line


def logistic(x: float) -> float:
    return float(1 / (1 + np.exp(-x)))


def test_the_line_is_fitted_on_probes_alone_and_on_logits():
    told = {
        "a": {
            f"{k} a class": {"clean": logistic(k), "noise/3": logistic(0.5 * k - 1), "blur/3": logistic(0.5 * k - 1)}
            for k in (-2.0, 0.0, 3.0)
        },
        "b": {"names": {"clean": 0.5, "noise/3": 0.49}, "all": {"clean": logistic(1), "noise/3": logistic(-0.5)}},
    }
    found = line(told)
    assert found == pytest.approx({"slope": 0.5, "intercept": -1.0}, abs=1e-6)
    assert expected(0.5, found) == pytest.approx(logistic(-1.0))
    told["guessing"] = {"all": {"clean": 0.09, "noise/3": 0.09}}
    assert line(told, chance=0.05) == pytest.approx(found) != line(told)


def test_one_probe_gives_a_line_of_slope_one():
    found = line({"a": {"all": {"clean": 0.8, "noise/3": 0.6}}})
    assert found["slope"] == 1.0 and expected(0.8, found) == pytest.approx(0.6)


def test_perfect_probes_do_not_break_the_line():
    found = line({"a": {"1 a class": {"clean": 1.0, "noise/3": 1.0}, "all": {"clean": 1.0, "noise/3": 0.5}}})
    assert np.isfinite(list(found.values())).all()


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    """Red and blue squares by the names of animals, in three splits."""
    for split, count in (("train", 8), ("val", 4), ("test", 6)):
        for name, colour in (("cat", (200, 30, 30)), ("dog", (30, 30, 200))):
            folder = tmp_path / "pets" / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                shade = tuple(min(255, part + 5 * number) for part in colour)
                Image.new("RGB", (16, 16), shade).save(folder / f"{number}.png")
    return tmp_path / "pets"


def test_the_verb_compares_encoders(imageless, tmp_path, pets, encoder_folder):
    told = ("robustness", f"imagefolder:{pets}", "--device", "cpu", "--out", tmp_path / "robust", "--json")
    more = ("--encoder", encoder_folder, "--encoder", f"random:{encoder_folder}", "--shots", "1,4")
    said = imageless(*told, *more, "--kinds", "noise,grey,sketch", "--strengths", "1,5").json
    assert (said["n"], said["classes"]) == (12, 2)
    measured = json.loads((tmp_path / "robust/measures.json").read_text())
    first, second = measured["encoders"].values()
    assert set(first) == {"1 a class", "4 a class", "all", "names"} == set(second)
    assert list(first["all"]) == ["clean", "noise/1", "noise/5", "grey/1", "grey/5", "sketch/1", "sketch/5"]
    assert first["all"]["clean"] == 1.0  # red and blue
    assert first["all"]["grey/5"] == 0.5  # without a colour nothing is left to tell them by
    name = next(iter(measured["encoders"]))
    scores = said["scores"]
    assert scores[f"{name} probe"] == 1.0 > scores[f"{name} probe shifted"]
    share = scores[f"{name} zero_shot shifted"] - expected(scores[f"{name} zero_shot"], measured["line"])
    assert scores[f"{name} zero_shot effective"] == pytest.approx(share)
    page = (tmp_path / "robust/report.html").read_text()
    assert "Who loses how much" in page and (tmp_path / "robust/figures/effective.svg").is_file()


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        (("--strengths", "7"), "expected ?shift=KIND/STRENGTH with 1 to 5"),
        (("--strengths", ""), "--strengths: expected numbers from 1 to 5"),
        (("--kinds", "fog"), "expected ?shift=KIND/STRENGTH"),
        (("--shots", "0"), "--shots: expected numbers of examples a class"),
    ],
)
def test_what_cannot_be_is_said_in_a_line(imageless, tmp_path, pets, encoder_folder, more, complaint):
    told = ("robustness", f"imagefolder:{pets}", "--encoder", encoder_folder, "--out", tmp_path / "robust")
    ended = imageless(*told, *more)
    assert ended.code == 2 and complaint in ended.complaint


# --- what lies next to what


def planted(by: str) -> tuple[np.ndarray, list[str], dict[str, set[str]]]:
    """60 pictures of six classes in three families, around corners of their class or of their family."""
    labels = [f"{family}{number}" for family in "abc" for number in range(2) for _ in range(10)]
    attributes = {label: {label[0], "thing"} for label in labels}
    corners = sorted(set(labels) if by == "class" else {label[0] for label in labels})
    places = [corners.index(label if by == "class" else label[0]) for label in labels]
    return np.eye(8)[places] + 0.05 * np.random.default_rng(0).normal(size=(60, 8)), labels, attributes


def test_pictures_lie_by_class_or_by_what_they_have_in_common():
    by_class, by_family = clusters.measure(*planted("class")), clusters.measure(*planted("family"))
    assert by_class["class_any"] == pytest.approx(9 / 59)
    assert by_class["class"] == pytest.approx(0.9)  # nine others of the class, and a stranger
    assert 0.3 < by_family["class"] < 0.7 and by_family["attributes"] == 1.0
    assert by_family["attributes_any"] == pytest.approx((10 * 1 + 40 / 3) / 50)
    vectors, labels, _ = planted("class")
    assert set(clusters.measure(vectors, labels, {label: set() for label in labels})) == {"class", "class_any"}


def test_the_plane_is_coloured_by_class_and_by_what_parts_them_most_evenly():
    vectors, labels, attributes = planted("family")
    assert [axis.get_title() for axis in clusters.plot(vectors, labels, attributes, "pca", 0).axes] == [
        "class",
        "a",
        "b",
        "c",
    ]
    bare = {label: set() for label in labels}
    assert [axis.get_title() for axis in clusters.plot(vectors, labels, bare, "pca", 0).axes] == ["class"]


def test_the_probe_of_things_with_attributes_shows_them(imageless, tmp_path, encoder_folder):
    told = ("probe", "world:classes", "--encoder", encoder_folder, "--device", "cpu", "--shots", "1", "--limit", 400)
    said = imageless(*told, "--projection", "pca", "--out", tmp_path / "probe", "--json")
    assert said.code == 0, said.err
    assert {"nearest_class", "nearest_class_any", "nearest_attributes", "nearest_attributes_any"} <= said.json[
        "scores"
    ].keys()
    assert "What lies next to what" in (tmp_path / "probe/report.html").read_text()
    assert (tmp_path / "probe/figures/plane.png").is_file()
