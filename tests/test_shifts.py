"""Worse pictures: each kind does what its name says, more of it the stronger it is, and the same twice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from conftest import read, refusal
from imageless.pictures import FilePicture, load
from imageless.shifts import STRENGTHS, ShiftedPicture


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> FilePicture:
    """Colours, edges and a ramp."""
    path = tmp_path_factory.mktemp("photo") / "photo.png"
    pixels = np.zeros((60, 80, 3), np.uint8)
    pixels[..., 0] = np.linspace(0, 250, 80)
    pixels[10:40, 20:50] = (30, 200, 90)
    pixels[25:55:4, 40:75] = (240, 230, 20)
    Image.fromarray(pixels).save(path)
    return FilePicture(str(path))


@pytest.mark.parametrize("kind", STRENGTHS)
def test_the_stronger_the_further_from_the_picture_and_the_same_twice(photo: FilePicture, kind: str):
    as_it_is = np.asarray(load(photo), float)
    seen = [np.asarray(load(ShiftedPicture(photo, kind, strength)), float) for strength in range(1, 6)]
    far = [float(np.abs(one - as_it_is).mean()) for one in seen]
    assert far[0] > 0
    assert far == sorted(far)
    assert all(one.shape == as_it_is.shape for one in seen)
    assert np.array_equal(seen[2], np.asarray(load(ShiftedPicture(photo, kind, 3)), float))


def test_grey_has_no_colour_and_a_poster_few_shades(photo: FilePicture):
    grey = np.asarray(load(ShiftedPicture(photo, "grey", 5)), int)
    assert np.ptp(grey, axis=2).max() <= 1
    assert len(np.unique(np.asarray(load(ShiftedPicture(photo, "poster", 5))))) == 2


def test_any_data_may_be_asked_for_worse_pictures(album: Path):
    (plain, *_), (worse, *_) = (read(f"karpathy:{album}{told}", split="val") for told in ("", "?shift=dark/5"))
    assert worse.captions == plain.captions
    assert worse.image is not None and plain.image is not None
    assert worse.image.name == f"{plain.image.name}?shift=dark/5"
    assert np.asarray(load(worse.image)).mean() < 0.3 * np.asarray(load(plain.image)).mean()


@pytest.mark.parametrize("told", ["fog/3", "noise", "noise/0", "noise/6"])
def test_a_shift_that_is_unknown_is_refused(album: Path, told: str):
    assert "expected ?shift=KIND/STRENGTH with 1 to 5 of noise, blur" in refusal(f"karpathy:{album}?shift={told}")
