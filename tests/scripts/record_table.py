"""Keep a finished table with the package: its JSON among the recorded recipes, its words in docs/results.md.

    python tests/scripts/record_table.py captioning world tables/captioning-world [PLACE=NAME ...]

PLACE=NAME writes a place of this machine as a name, e.g. /data/photos=PHOTOS. Without OUT, only docs/results.md is brought
up to date. tests/test_reproduce.py checks that the two say the same.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from imageless.analysis.table import markdown

HERE = Path(__file__).resolve().parents[2]
RECORDED = HERE / "src/imageless/recipes/recorded"
RESULTS = HERE / "docs/results.md"
DIGITS = 5


def record(name: str, out: Path, places: list[str]) -> None:
    """OUT/table.json as it is kept: no place of this machine, no digits that mean nothing, with the commit."""
    text = (out / "table.json").read_text(encoding="utf-8").replace(str(out), f"tables/{name.replace('.', '-')}")
    for place in places:
        text = text.replace(*place.split("="))
    commit = subprocess.run(["git", "log", "-1", "--format=%h"], capture_output=True, text=True, check=True, cwd=HERE)
    table = {**_rounded(json.loads(text)), "commit": commit.stdout.strip()}
    (RECORDED / f"{name}.json").write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _rounded(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_rounded(each) for each in value]
    return round(value, DIGITS) if isinstance(value, float) else value


def written(document: str) -> str:
    """The document with every recorded table between its marks."""

    def table(match: re.Match[str]) -> str:
        kept = json.loads((RECORDED / f"{match[1]}.json").read_text(encoding="utf-8"))
        return f"<!-- {match[1]} -->\n\n{markdown(kept)}\n<!-- end -->"

    return re.sub(r"<!-- ([\w.-]+) -->\n.*?<!-- end -->", table, document, flags=re.DOTALL)


def main() -> None:
    if len(sys.argv) > 3:
        table, ground, out, *places = sys.argv[1:]
        record(f"{table}.{ground}", Path(out), places)
    RESULTS.write_text(written(RESULTS.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
