"""`imageless list`: what was made, known without loading it, and a cache that can be emptied at any time."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from conftest import make_table, sentence

TABLE = "text-0123456789ab-0123456789abcdef0123"
HOLD = """
import sys
from pathlib import Path
from imageless.folders import locked
with locked(Path(sys.argv[1])):
    sys.stdout.write("held\\n")
    sys.stdout.flush()
    sys.stdin.read()
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def vectors() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((6, 4)).astype(np.float32)


def listed(imageless, *words: object) -> dict[str, tuple[str, str]]:
    """Kind and description by path."""
    things = imageless("list", *words, "--json").json["things"]
    assert all(thing.keys() == {"kind", "path", "bytes", "what", "date"} for thing in things)
    assert all(thing["bytes"] > 0 and len(thing["date"]) == 10 for thing in things)
    return {thing["path"]: (thing["kind"], thing["what"]) for thing in things}


def test_what_has_been_made_is_known_without_loading_it(imageless, here, own_cache, run, encoder_folder):
    shutil.copytree(run, here / "runs/tiny")
    shutil.copytree(encoder_folder, here / "encoders/tiny")
    make_table(here / "tables/six", "text", vectors())
    begun = here / "runs/begun.partial"
    begun.mkdir()
    (begun / "started.json").write_text("{}")
    (here / "another").mkdir()
    (here / "another/config.json").write_text('{"model_type": "t5"}')
    found = listed(imageless)
    assert {path: kind for path, (kind, _) in found.items()} == {
        "encoders/tiny": "encoder",
        "runs/begun.partial": "unfinished",
        "runs/tiny": "run",
        "tables/six": "table",
    }
    assert found["runs/tiny"][1].startswith("captioning") and str(encoder_folder) in found["runs/tiny"][1]
    assert found["encoders/tiny"][1] == "texts and pictures in 24 dimensions"
    assert found["tables/six"][1] == "6 text vectors, encoder planted"


def test_adapters_and_language_models_are_things_too(imageless, here, own_cache):
    (here / "shift").mkdir()
    (here / "shift/adapter.safetensors").write_bytes(b"0")
    (here / "shift/config.json").write_text('{"kind": "mean", "encoder": "world"}')
    (here / "reader").mkdir()
    (here / "reader/training.json").write_text('{"lm": "world-causal"}')
    assert listed(imageless) == {
        "reader": ("language model", "from world-causal"),
        "shift": ("adapter", "mean, encoder world"),
    }


def test_folders_may_be_named_and_links_lead_nowhere_twice(imageless, here, own_cache, encoder_folder):
    shutil.copytree(encoder_folder, here / "a/encoder")
    (here / "a/loop").symlink_to(here / "a")
    (here / "b").symlink_to(here / "a")
    assert len(listed(imageless)) == 1
    assert listed(imageless, here / "a").keys() == listed(imageless, here / "a/encoder").keys()
    assert imageless("list", here / "nowhere").complaint.startswith("expected a folder to look through, got ")


@pytest.mark.parametrize(
    "config", ["no JSON", "[]", '{"task": "captioning", "encoder": "x"}', '{"kind": "dual_encoder"}']
)
def test_what_is_not_ours_is_left_out(imageless, here, own_cache, config):
    (here / "other").mkdir()
    (here / "other/config.json").write_text(config)
    (here / "other/about.json").write_text('{"side": "text"}')
    assert listed(imageless) == {}
    assert imageless("list").out == "nothing here that imageless made\n"


def test_the_cache_is_emptied_of_what_is_made_again_by_itself(imageless, here, own_cache, sentences, encoder_folder):
    told = ["train", "captioning", f"text:{sentences}", "--encoder", encoder_folder, "--lm", "world:32x1"]
    told += ["--steps", 2, "--noise", 0.04, "--device", "cpu"]
    imageless(*told, "--out", here / "run")
    assert listed(imageless)[str(own_cache / "tables")] == ("cache", "vector tables: 1")
    cleaned = imageless("list", "--clean", "--json").json
    assert (cleaned["removed"], cleaned["left"], cleaned["cache"]) == (1, 0, str(own_cache)) and cleaned["freed"] > 0
    assert list(listed(imageless)) == ["run"]
    assert [path for path in own_cache.rglob("*") if path.is_file() and path.suffix != ".lock"] == []
    assert imageless(*told, "--out", here / "again").code == 0


def test_what_a_person_keeps_in_the_cache_stays(imageless, here, own_cache, run):
    for name in ("tables/mine", "pixels/mine", "runs/tiny", f"tables/{TABLE}-mine"):
        shutil.copytree(run, own_cache / name)
    (own_cache / "tables/notes.txt").write_text("mine")
    before = sorted(own_cache.rglob("*"))
    assert imageless("list", "--clean").out == f"{own_cache}: 0 B freed\n"
    assert sorted(own_cache.rglob("*")) == before


def test_what_another_process_writes_survives(imageless, own_cache):
    """It holds the table's lock, as embedding does; what it has left behind once it is gone goes too."""
    make_table(own_cache / "tables" / f"{TABLE}.partial", "text", vectors())
    make_table(own_cache / "tables" / TABLE.replace("text", "image"), "image", vectors())
    told = [sys.executable, "-c", HOLD, str(own_cache / "tables" / TABLE)]
    with subprocess.Popen(told, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None and other.stdout.readline() == "held\n"
        cleaned = imageless("list", "--clean")
        other.communicate("")
    assert "freed; 1 left, being written" in cleaned.out
    assert (own_cache / "tables" / f"{TABLE}.partial/about.json").is_file()
    assert not (own_cache / "tables" / TABLE.replace("text", "image")).exists()
    assert imageless("list", "--clean", "--json").json["removed"] == 1
    assert not (own_cache / "tables" / f"{TABLE}.partial").exists()


def test_what_is_in_use_can_be_read_to_its_end(imageless, own_cache, encoder):
    from imageless.stages import embed

    told = [sentence(number) for number in range(6)]
    table = embed.texts(told, encoder)
    assert imageless("list", "--clean", "--json").json["removed"] == 1
    assert not table.folder.exists() and table.raw(table.rows(told)).shape == (6, encoder.dim)


def test_cleaning_takes_no_folder(imageless, own_cache, here):
    (here / "runs").mkdir()
    assert imageless("list", "--clean", "runs").complaint.startswith("expected no folder with --clean")
    assert imageless("list", "--clean").out == f"{own_cache}: 0 B freed\n"
