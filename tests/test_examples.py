"""What README, the guides and examples/ tell people to type works; with fewer steps, so that it takes seconds."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
HERE = {**os.environ, "OMP_NUM_THREADS": "1", "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
LEFT_OUT = (
    "imageless serve",
    "open_clip:",
    "make ",
    "runs/reviews",
)  # waits for ever, needs the Hub or what is not here


def quicker(text: str) -> str:
    """The same in fewer steps, on less."""
    text = re.sub(r"(steps[ =])\d+", r"\g<1>20", text)
    return re.sub(r"(limit[ =])[\d_]+", r"\g<1>400", text)


def blocks(document: str, kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", (ROOT / document).read_text(encoding="utf-8"), re.DOTALL)


def ran(command: list[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, env=HERE, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_an_example_says_as_much_as_is_shown_of_it(example, tmp_path):
    (tmp_path / example.name).write_text(quicker(example.read_text(encoding="utf-8")), encoding="utf-8")
    said = ran([sys.executable, example.name], tmp_path)
    sections = (ROOT / "examples/README.md").read_text(encoding="utf-8").split("\n## ")
    (shown,) = [
        re.findall(r"```text\n(.*?)```", part, re.DOTALL)[0] for part in sections if part.startswith(example.name)
    ]
    told = [beginning(line) for line in said.split("\n")]
    assert [line for line in shown.splitlines() if beginning(line) not in told] == []


def beginning(line: str) -> str:
    """What a line says whatever was learned: up to its colon, without numbers."""
    return re.sub(r"[\d.,]+", "", line.partition(":")[0])


@pytest.mark.slow
@pytest.mark.parametrize("document", ["README.md", "docs/your-own-voice.md"])
def test_what_a_document_tells_to_type_works(document, tmp_path):
    for code in blocks(document, "python"):
        if "runs/reviews" not in code:  # test_api.py runs those
            ran([sys.executable, "-c", quicker(code)], tmp_path)
    commands = [line for block in blocks(document, "bash") for line in block.splitlines()]
    typed = [line for line in commands if line.strip() and not any(word in line for word in LEFT_OUT)]
    assert any(line.startswith("imageless train") for line in typed)
    ran(["bash", "-ec", quicker("\n".join(typed))], tmp_path)
