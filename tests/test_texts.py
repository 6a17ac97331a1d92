"""Many texts, numbered and read again, wherever they lie."""

from __future__ import annotations

import random

import numpy as np
import pytest

from imageless import texts
from imageless.texts import Growing, Numbering, distinct
from imageless.tokens import Ragged

ODD = ["", "a", "zwei Hunde", "ein Boot am See", "犬が走る", "\ud800 alone", "x\ny", "a" * 5000, "a"]


@pytest.fixture(params=["in memory", "in a file"])
def somewhere(request, monkeypatch, tmp_path):
    """Everything fits, or nothing does."""
    monkeypatch.setenv("IMAGELESS_CACHE", str(tmp_path / "cache"))
    if request.param == "in a file":
        monkeypatch.setattr(texts, "IN_MEMORY", 64)


def test_texts_come_back_as_they_were(somewhere):
    kept = distinct(iter(ODD))
    expected = list(dict.fromkeys(ODD))
    assert list(kept) == expected and len(kept) == len(expected)
    assert [kept[number] for number in range(len(kept))] == expected
    assert (kept[-1], kept[1:4], kept[::-3]) == (expected[-1], expected[1:4], expected[::-3])
    assert distinct(kept) is kept and "zwei Hunde" in kept and kept.index("犬が走る") == 4
    with pytest.raises(IndexError):
        kept[len(expected)]


def test_no_texts_are_no_texts(somewhere):
    assert list(distinct([])) == [] and len(distinct([])) == 0


def test_numbers_are_those_of_a_dictionary(somewhere):
    draw = random.Random(0)
    said = [f"text {draw.randrange(5000)}" for _ in range(20_000)]
    number, plain = Numbering(), {}
    assert [number(text) for text in said] == [plain.setdefault(text, len(plain)) for text in said]
    assert list(number.texts()) == list(plain)


def test_ids_that_fall_on_one_place_stay_apart(monkeypatch):
    """Neighbours in an open table, and an id of nought."""
    ids = {"nought": 0, "one": 1 << 20, "two": 2 << 20, "three": 3}
    monkeypatch.setattr(texts, "identify", ids.__getitem__)
    number = Numbering()
    assert [number(name) for name in [*ids, *ids]] == [0, 1, 2, 3] * 2


@pytest.mark.parametrize("code", ["i", "q"])
def test_numbers_grow_as_they_are(somewhere, code):
    growing = Growing(code)
    for number in range(100):
        growing.append(number)
        growing.extend([-number, number])
    found = growing.numpy()
    assert found.dtype == np.dtype(code) and found.flags.writeable
    assert found.tolist() == [value for number in range(100) for value in (number, -number, number)]


def test_ragged_rows_come_back(somewhere):
    draw = np.random.default_rng(0)
    rows = [draw.integers(0, 9, size).tolist() for size in draw.integers(0, 7, 300)]
    ragged = Ragged.of(iter(rows))
    assert [ragged.flat(np.array([number]))[0].tolist() for number in range(300)] == rows


def test_a_full_disk_is_one_line(monkeypatch, tmp_path):
    from imageless.errors import InputError

    monkeypatch.setenv("IMAGELESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(texts, "IN_MEMORY", 64)

    def full(**_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(texts.tempfile, "TemporaryFile", full)
    with pytest.raises(InputError, match="the disk is full"):
        distinct(f"text {number}" for number in range(100))
