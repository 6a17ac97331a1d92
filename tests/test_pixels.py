"""Pictures become arrays in order, whatever one of them holds."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from imageless import pixels
from imageless.pictures import BytesPicture


def picture(number: int) -> BytesPicture:
    file = io.BytesIO()
    Image.new("RGB", (8, 8), (number, number, number)).save(file, "PNG")
    return BytesPicture(str(number), file.getvalue())


@pytest.mark.parametrize("count", [0, 1, 3, 4, 9])
def test_every_picture_comes_once_in_its_order(count):
    found = list(pixels.prepared([picture(number) for number in range(count)], pixels.Resize(4), batch=4))
    assert [row for piece in found for row in piece.rows] == list(range(count))
    assert [int(shown[0, 0, 0]) for piece in found for shown in piece.pixels] == list(range(count))


def test_one_that_cannot_be_read_is_named_and_the_others_stay_where_they_are():
    wanted = [picture(0), BytesPicture("broken", b"no picture"), picture(2)]
    (found,) = pixels.prepared(wanted, pixels.Resize(4))
    assert found.rows == [0, 2] and found.pixels[:, 0, 0, 0].tolist() == [0, 2]
    assert found.failed.keys() == {1} and found.failed[1].startswith("broken: expected a picture")


def test_a_batch_of_broken_ones_has_no_pixels():
    (found,) = pixels.prepared([BytesPicture("broken", b"")], pixels.Resize(4))
    assert (found.rows, len(found.pixels)) == ([], 0)


def test_who_stops_early_waits_for_no_more_than_was_begun(monkeypatch):
    opened: list[str] = []
    before = pixels.opened
    monkeypatch.setattr(pixels, "opened", lambda wanted, view: opened.append(wanted.name) or before(wanted, view))
    next(iter(pixels.prepared([picture(number) for number in range(100)], pixels.Resize(4), batch=2)))
    assert len(opened) <= 4


def test_timms_view_says_what_it_scales_to():
    view = {"input_size": (3, 224, 224), "interpolation": "bicubic", "crop_pct": 0.875}
    assert pixels.View.of(view).size == 256
    shown = Image.fromarray(np.zeros((256, 256, 3), np.uint8))
    assert pixels.View.of(view)(shown).shape == (3, 224, 224)
