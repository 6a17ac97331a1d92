"""A published table, or one of our own, made again from its recipe: every number with the command that made it.

Runs are processes of their own with one thread each, as many at a time as there are cores. What is finished is not done
again, so a stopped table goes on where it stopped.

    OUT/table.json    means, spread, every seed, paired differences, commands, machine
    OUT/table.md      the same to read; scores x 100
    OUT/report.html   the same to look at, with OUT/figures
    OUT/runs, OUT/scores, OUT/made    what the table stands on
"""

from __future__ import annotations

import json
import logging
import os
import platform
import shlex
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from imageless import processor
from imageless.analysis import table_page
from imageless.analysis.recipe import Recipe, Step, cell, expect_data, read, steps_of
from imageless.analysis.table import markdown
from imageless.errors import InputError
from imageless.folders import disk_errors, read_json, write_json, write_text
from imageless.metrics.bootstrap import paired_bootstrap
from imageless.screen import progress

log = logging.getLogger(__name__)


def reproduce(
    table: str,
    ground: str,
    out: Path,
    data: Path | None = None,
    seeds: int | None = None,
    jobs: int | None = None,
    first_seed: int = 0,
    names: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Make a table; `data` is the folder the recipe's {data} stands for, `seeds` cuts the list of seeds short.

    `names` sets what else stands in braces otherwise than the recipe does.
    """
    recipe = read(table, ground)
    expect_data(recipe, data, f"{table} on {ground}")
    if other := sorted((names or {}).keys() - recipe.names.keys()):
        raise InputError(f"expected names among {', '.join(recipe.names) or 'none'} of {table}, got {', '.join(other)}")
    recipe = replace(recipe, names={**recipe.names, **(names or {})})
    with disk_errors(out):
        out.mkdir(parents=True, exist_ok=True)
    chosen = [first_seed + seed for seed in recipe.seeds[:seeds]]
    commands = steps_of(recipe, chosen, out, data)
    for stage in commands:
        _run_all(stage, jobs or processor.cores())
    result = _collect(recipe, chosen, out)
    result["commands"] = [shlex.join(["imageless", *step.arguments]) for stage in commands for step in stage]
    write_json(out / "table.json", result)
    write_text(out / "table.md", markdown(result))
    table_page.write(out, result)
    if recipe.keep_noise:
        write_json(out / "noise.json", _best_noise(recipe, result))
    return result


def named(pairs: Sequence[str]) -> dict[str, str]:
    """What NAME=VALUE sets."""
    wrong = [pair for pair in pairs if "=" not in pair]
    if wrong:
        raise InputError(f"--set: expected NAME=VALUE, got {wrong[0]!r}; e.g. --set encoder=FOLDER")
    return dict(pair.split("=", 1) for pair in pairs)


def _run_all(steps: list[Step], jobs: int) -> None:
    waiting = [step for step in steps if not step.done.exists()]
    with progress("commands", len(steps), len(steps) - len(waiting)) as bar, ThreadPoolExecutor(jobs) as pool:
        for _ in pool.map(_run, waiting):
            bar.advance()


def _run(step: Step) -> None:
    alone = {**os.environ, "OMP_NUM_THREADS": "1"}
    ended = subprocess.run(
        [sys.executable, "-m", "imageless", *step.arguments], env=alone, capture_output=True, text=True
    )
    if ended.returncode:
        told = ended.stderr.strip().splitlines() or ["no word"]
        raise InputError(f"a command of the recipe failed: imageless {shlex.join(step.arguments)}: {told[-1]}")


def _collect(recipe: Recipe, seeds: list[int], out: Path) -> dict[str, Any]:
    """Means, spread and paired differences over everything that was scored."""
    rows: dict[str, dict[str, Any]] = {}
    items: dict[tuple[str, str], np.ndarray] = {}
    for row in recipe.rows:
        rows[row.name] = {}
        for column, read_off in recipe.columns.items():
            if column in row.skip:
                continue
            if read_off.read:
                rows[row.name][column] = _read_off(out / "made" / read_off.read, read_off.path, row.key or row.name)
                continue
            scored = read_off.of or row.shared.get(column, column)
            folders = [out / "scores" / cell(row.name, scored, seed) for seed in seeds]
            scores = [read_json(folder / "scores.json", "scores of a recipe's cell") for folder in folders]
            name = read_off.score or recipe.score
            values = [score["scores"][name] for score in scores]
            rows[row.name][column] = {
                "score": name,
                "mean": statistics.fmean(values),
                "spread": statistics.stdev(values) if len(values) > 1 else None,
                "n": scores[0]["n"],
                "seeds": {str(seed): score["scores"] for seed, score in zip(seeds, scores, strict=True)},
            }
            single = [each for folder in folders if (each := _items(folder, name)) is not None]
            if single:
                items[row.name, column] = np.mean(single, axis=0)
    differences = [
        {"a": a, "b": b, "column": column, **paired_bootstrap(items[a, column], items[b, column])._asdict()}
        for a, b in recipe.compare
        for column in recipe.columns
        if (a, column) in items and (b, column) in items
    ]
    return {
        "title": recipe.title,
        "seeds": seeds,
        "also": recipe.also,
        "rows": rows,
        "paper": recipe.paper,
        "shares": {
            f"{part} / {whole}": {
                c: _share(rows[part][c]["mean"], rows[whole][c]["mean"])
                for c in recipe.columns
                if c in rows[part] and c in rows[whole]
            }
            for part, whole in recipe.shares
        },
        "differences": differences,
        "date": date.today().isoformat(),
        "machine": {
            "system": platform.platform(),
            "cores": processor.cores(),
            "python": platform.python_version(),
        },
    }


def _read_off(file: Path, path: list[str], row: str) -> dict[str, Any]:
    """A cell whose number was measured once for all seeds."""
    found: Any = read_json(file, "what a recipe's column is read from")
    try:
        for key in path:
            found = found[key.format(row=row)]
    except (KeyError, TypeError):
        raise InputError(f"expected {' > '.join(path)} of {row} in {file}, found none") from None
    return {"score": path[-1], "mean": float(found), "spread": None, "seeds": {}}


def _items(folder: Path, score: str) -> np.ndarray | None:
    """A score picture by picture; None for one that is only had of all together, such as CIDEr of one voice."""
    with (folder / "predictions.jsonl").open(encoding="utf-8") as file:
        single = [json.loads(line)["scores"].get(score) for line in file]
    return None if None in single else np.array(single)


def _best_noise(recipe: Recipe, result: dict[str, Any]) -> dict[str, Any]:
    """The w of the best row for each column, with the whole sweep."""
    sweep = {
        column.noise or f"{shlex.split(recipe.train)[0]}-{name}": {
            row: cells[name]["mean"] for row, cells in result["rows"].items() if name in cells
        }
        for name, column in recipe.columns.items()
    }
    best = {setting: float(max(means, key=means.__getitem__)) for setting, means in sweep.items()}
    return {"best": best, "sweep": sweep, "seeds": result["seeds"], "title": recipe.title}


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None
