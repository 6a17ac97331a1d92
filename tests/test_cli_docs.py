"""docs/cli.md says what the command line says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from imageless.cli import app

PAGE = Path(__file__).parents[1] / "docs/cli.md"
SCRIPT = Path(__file__).parent / "scripts/write_cli_docs.py"


def test_the_page_is_what_the_command_line_says(tmp_path):
    """On another machine: neither the terminal nor the user nor the place counts."""
    elsewhere = {"COLUMNS": "40", "HOME": str(tmp_path), "IMAGELESS_CACHE": str(tmp_path)}
    told = [sys.executable, str(SCRIPT), str(tmp_path / "cli.md")]
    subprocess.run(told, check=True, capture_output=True, timeout=120, cwd=tmp_path, env={**os.environ, **elsewhere})
    assert PAGE.read_text(encoding="utf-8") == (tmp_path / "cli.md").read_text(encoding="utf-8"), (
        "docs/cli.md is behind the command line; write it again: python tests/scripts/write_cli_docs.py"
    )


def test_every_verb_has_its_part():
    page = PAGE.read_text(encoding="utf-8")
    verbs = [name for name in app if not name.startswith("-")]
    assert verbs
    assert [verb for verb in verbs if f"## imageless {verb}\n\n```console\nimageless {verb}" not in page] == []
