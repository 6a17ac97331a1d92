"""Keep measured speeds with the documents: the JSON of `imageless bench --json` beside them, its rows in docs/performance.md.

    imageless bench --json > bench.json
    python tests/scripts/record_bench.py bench.json

Without a file, only docs/performance.md is brought up to date. tests/test_bench.py checks that the two say the same.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE, KEPT = DOCS / "performance.md", DOCS / "performance.json"


def table(measured: dict[str, Any]) -> str:
    """Rows of every figure, beneath where they were taken."""
    machine = measured["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    lines = [
        f"{machine['date']}, {machine['processor']}, {machine['cores']} cores, {machine['threads']} threads, {machine['device']}; "
        f"{versions}. This machine multiplies large matrices at {machine['float32_gflops']:,.0f} GFLOP/s in float32 and "
        f"{machine['bfloat16_gflops']:,.0f} in bfloat16, and copies memory at {machine['copy_gb_per_s']:.0f} GB/s.",
        "",
        "| figure | baseline | ours | ratio (rounds) | goal | the two agree | of the ceiling |",
        "|---|---|---|---|---|---|---|",
    ]
    return "\n".join([*lines, *map(_row, measured["figures"])])


def _row(row: dict[str, Any]) -> str:
    rounds = ", ".join(f"{ratio:.2f}" for ratio in row["rounds"])
    agreement = ", ".join(f"{name.replace('_', ' ')} {value:.2g}" for name, value in row["agreement"].items())
    cells = [
        row["figure"],
        "" if row["baseline"] is None else f"{row['baseline']:,.1f}",
        f"{row['ours']:,.2f} {row['unit']}",
        "" if row["ratio"] is None else f"**{row['ratio']:.1f}x** ({rounds})",
        row["goal"],
        agreement,
        "" if row["of_ceiling"] is None else f"{row['of_ceiling']:.0%}",
    ]
    return f"| {' | '.join(cells)} |"


def written(page: str) -> str:
    """The page with the rows between its marks."""
    rows = table(json.loads(KEPT.read_text(encoding="utf-8")))
    return re.sub(
        r"<!-- bench -->.*?<!-- end -->", lambda _: f"<!-- bench -->\n\n{rows}\n\n<!-- end -->", page, flags=re.DOTALL
    )


def main() -> None:
    if len(sys.argv) > 1:
        measured = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
        KEPT.write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
