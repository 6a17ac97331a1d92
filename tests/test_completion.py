"""Completion in the shell: the scripts know the verbs, and bash finishes words by them."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from imageless.cli import app

VERBS = [name for name in app if not name.startswith("-")]
ASK = """
source "$1"
COMP_WORDS=("${@:2}"); COMP_CWORD=$(($# - 2)); COMP_LINE="${*:2}"; COMP_POINT=${#COMP_LINE}
_imageless imageless
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nobody's own shell is set up by a test."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("ZSH", "ZSH_CUSTOM"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.mark.parametrize(
    ("shell", "place"),
    [
        ("bash", ".local/share/bash-completion/completions/imageless"),
        ("zsh", ".zsh/completions/_cyclopts_imageless"),
        ("fish", ".config/fish/completions/imageless.fish"),
    ],
)
def test_every_verb_is_in_the_script(imageless, home, shell, place):
    said = imageless("--install-completion", "--shell", shell)
    assert said.code == 0 and str(home / place) in said.out
    script = (home / place).read_text()
    assert {"train", "caption", "list", "check"} <= set(VERBS)
    assert [verb for verb in VERBS if verb not in script] == [] and "learning-rate" in script


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not here")
@pytest.mark.parametrize(
    ("words", "reply"),
    [(["tr"], ["train"]), (["list", "--cl"], ["--clean"]), (["embed", "--of", "i"], ["image"])],
)
def test_bash_finishes_words(tmp_path, words, reply):
    (tmp_path / "script").write_text(app.generate_completion(shell="bash"))
    told = ["bash", "-c", ASK, "bash", str(tmp_path / "script"), "imageless", *words]
    done = subprocess.run(told, capture_output=True, text=True, timeout=60, env={"PATH": os.environ["PATH"]})
    assert (done.returncode, done.stdout.split()) == (0, reply), done.stderr
