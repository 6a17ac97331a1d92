"""Pictures find their captions and captions their pictures, as the plain way counts it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from conftest import make_table
from imageless.analysis import retrieval
from imageless.errors import InputError


def test_ranks_are_those_of_the_plain_way(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(retrieval, "AT_ONCE", 100)  # three queries at a time
    draw = np.random.default_rng(0)
    queries, keys = draw.normal(size=(20, 6)), draw.normal(size=(30, 6))
    query_of, key_of = np.concatenate([np.arange(20), draw.integers(0, 20, 25)]), draw.integers(0, 30, 45)
    cosines = queries @ keys.T
    plain = []
    for query in range(20):
        own = key_of[query_of == query]
        plain.append(int((cosines[query] > cosines[query, own].max()).sum()))
    assert retrieval.ranks(queries, keys, query_of, key_of).tolist() == plain


def test_what_lies_on_its_own_is_found_and_what_is_turned_round_is_not(tmp_path: Path):
    pictures = np.eye(12)
    rows = np.repeat(np.arange(12), 2)
    images = make_table(tmp_path / "i", "image", pictures)
    near = make_table(tmp_path / "t", "text", pictures[rows] + 0.01)
    assert set(retrieval.measure(near, images, np.arange(24), rows)["scores"].values()) == {1.0}
    turned = retrieval.measure(near, images, np.arange(24), (rows + 1) % 12)
    assert turned["scores"]["image_to_text_r1"] == turned["scores"]["text_to_image_r1"] == 0
    assert (turned["n"], turned["captions"]) == (12, 24)
    with pytest.raises(InputError, match="captions of at least 2 pictures, got 1"):
        retrieval.measure(near, images, np.arange(2), np.zeros(2, int))


def test_the_worlds_encoder_finds_what_it_was_taught(imageless):
    said = imageless("retrieve", "world", "--encoder", "world", "--limit", 100, "--device", "cpu", "--json").json
    assert (said["n"], said["captions"] > 400) == (100, True)
    assert said["scores"]["image_to_text_r1"] > 0.85
    assert said["scores"]["text_to_image_r10"] > 0.9
    ranked = [said["scores"][f"text_to_image_r{k}"] for k in (1, 5, 10)]
    assert ranked == sorted(ranked)
