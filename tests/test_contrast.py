"""One thing changes: the quartets are what they say, planted shifts are found, and a captioner is asked to tell them apart."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from conftest import Said
from imageless.analysis.contrast import measure
from imageless.data.world import WorldPicture
from imageless.world.contrasts import POSITIONS, SPECIES, quartets
from imageless.world.render import render
from imageless.world.words import NOUNS


def test_a_quartet_differs_in_species_and_position_alone():
    for four in quartets(50):
        assert [(case.species, case.position) for case in four] == [(s, p) for s in SPECIES for p in POSITIONS]
        plain = [replace(case.scene.groups[0], kind="", at="") for case in four]
        assert len(set(plain)) == 1
        assert len({case.scene.seed for case in four}) == 4 and len({case.alike.seed for case in four}) == 1
        for case in four:
            assert any(word in case.caption.split() for pair in NOUNS[case.species] for word in pair), case.caption
        assert len({case.caption for case in four}) == 4


def test_quartets_are_the_same_again_and_others_by_another_seed():
    assert list(quartets(5)) == list(quartets(9))[:5]
    pictures = [{WorldPicture(case.scene).name for four in quartets(5, seed) for case in four} for seed in (0, 1)]
    assert list(quartets(5)) != list(quartets(5, seed=1)) and not pictures[0] & pictures[1]  # vectors are kept by name


def test_pictures_drawn_alike_are_more_alike():
    first, second, *_ = next(quartets(1))
    pixels = [np.asarray(render(scene, size=64), dtype=float) for scene in (first.scene, second.scene)]
    alike = [np.asarray(render(scene, size=64), dtype=float) for scene in (first.alike, second.alike)]
    assert np.abs(alike[0] - alike[1]).mean() < np.abs(pixels[0] - pixels[1]).mean()


def sides(steady: float, count: int = 60, dim: int = 16) -> np.ndarray:
    """Four vectors a quartet: the same two directions every time, and as much else as `steady` leaves."""
    draw = np.random.default_rng(0)
    loose = (1 - steady) * draw.normal(size=(count, 4, dim))
    loose[:, 2:, 0] += steady  # the species
    loose[:, 1::2, 1] -= steady  # the position
    return loose


def test_planted_shifts_are_found():
    found = measure({"captions": sides(1.0), "pictures": sides(0.0), "alike": sides(0.8)})["changes"]
    for change, dimension, shift in (("species", 0, 1.0), ("position", 1, -1.0)):
        assert found[change]["captions"]["consistency"] == pytest.approx(1.0)
        assert abs(found[change]["pictures"]["consistency"]) < 0.05
        assert found[change]["alike"]["consistency"] == pytest.approx(
            0.64 / 1.92, abs=0.1
        )  # 0.8 of 0.2 * sqrt(2) in 16
        first = found[change]["captions"]["most_moved"][0]
        assert (first["dimension"], first["shift"]) == (dimension, pytest.approx(shift))
        assert abs(found[change]["agreement"]) < 0.2


def test_the_verb_measures_draws_and_asks_a_captioner(
    imageless: Callable[..., Said], tmp_path: Path, encoder_folder: Path, run: Path
):
    told = ("contrast", "--encoder", encoder_folder, "--quartets", 3, "--device", "cpu")
    said = imageless(*told, "--run", run, "--out", tmp_path / "contrast", "--json").json
    assert said.keys() == {"out", "seconds", "n", "consistency", "agreement", "told"} and said["n"] == 3
    assert said["consistency"].keys() == said["agreement"].keys() == {"species", "position"}
    assert said["told"].keys() == {"all", "species", "position"} and 0 <= said["told"]["all"] <= 1
    measured = json.loads((tmp_path / "contrast/measures.json").read_text())
    assert np.array(measured["captioner"]["confusion"]).sum() == 12
    assert {path.name for path in (tmp_path / "contrast/figures").iterdir()} == {"shifts.png", "shifts.svg"}
    assert (tmp_path / "contrast/report.html").read_text().count('class="card"') == 8
    assert "exists already" in imageless(*told, "--out", tmp_path / "contrast").complaint
    assert "3 quartets" in imageless(*told, "--out", tmp_path / "contrast", "--overwrite").out


def test_what_cannot_be_contrasted_is_one_line(imageless: Callable[..., Said], tmp_path: Path, run: Path):
    told = ("contrast", "--encoder", "world", "--out", tmp_path / "contrast", "--device", "cpu")
    assert "encoder" in imageless(*told, "--run", run).complaint  # the run has learned with another
    assert "at least 2" in imageless(*told, "--quartets", 1).complaint
    assert imageless(*told, "--run", tmp_path / "nowhere").complaint
    assert not list(tmp_path.iterdir())
