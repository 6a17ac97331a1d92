"""`imageless check`: one screen, one object, and extras told from the package's own metadata."""

from __future__ import annotations

import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1] / "pyproject.toml"


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    """Nobody waits for the Hub."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


def test_what_is_here(imageless):
    told = imageless("check", "--json").json
    assert told["libraries"]["torch"] == version("torch") and told["devices"][0]["device"]
    assert told["processor"]["cores"] >= 1 and told["processor"]["threads"] >= 1
    assert all(speed > 0 for speed in told["gflops"].values()) and told["gflops"].keys() == {"float32", "bfloat16"}
    assert told["hub"] is False


def test_it_fits_on_one_screen(imageless):
    said = imageless("check")
    assert said.code == 0 and len(said.out.splitlines()) <= 24
    assert "Hub            not reachable" in said.out


def test_extras_are_told_as_the_project_lists_them(tmp_path, monkeypatch):
    """A package with an extra that is half there, as an installer writes it."""
    from imageless.check import extras

    about = tmp_path / "somewhere-1.0.dist-info"
    about.mkdir()
    lines = ["Metadata-Version: 2.4", "Name: somewhere", "Version: 1.0", "Provides-Extra: more", "Provides-Extra: all"]
    wanted = ["pillow>=11", 'numpy>=2.0; extra == "more"', 'no-such-package>=1; extra == "more"']
    (about / "METADATA").write_text("\n".join([*lines, *(f"Requires-Dist: {line}" for line in wanted)]) + "\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert extras("somewhere") == {"more": {"numpy": version("numpy"), "no-such-package": None}, "all": {}}
    assert extras("never-installed") == {}


def test_a_missing_extra_says_how_to_get_it(imageless, monkeypatch):
    monkeypatch.setattr("imageless.check.extras", lambda _: {"more": {"numpy": "2.0", "no-such-package": None}})
    assert "extra more     numpy 2.0, no-such-package missing; pip install 'imageless[more]'" in imageless("check").out


def test_every_extra_of_the_project_is_told(imageless):
    listed = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    assert imageless("check", "--json").json["extras"].keys() == listed.keys()


@pytest.mark.parametrize(("flags", "there"), [("avx2 avx512f", {"AVX512": True, "AMX": False}), ("", {})])
def test_instructions_are_what_the_processor_says(imageless, monkeypatch, flags, there):
    monkeypatch.setattr("imageless.processor.flags", lambda: set(flags.split()))
    told = imageless("check", "--json").json["processor"]["instructions"]
    assert there.items() <= told.items() and bool(told) == bool(there)
