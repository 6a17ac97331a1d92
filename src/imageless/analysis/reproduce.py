"""A published table, or one of our own, made again from its recipe: every number with the command that made it.

A recipe names rows and columns; each cell is a run of `imageless train` and one of `imageless evaluate`, for every seed.
The words of recipe, column and row are joined, those that begin with a task or with data first.
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
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from imageless.analysis import table_page
from imageless.analysis.table import markdown
from imageless.errors import InputError
from imageless.folders import disk_errors, read_json, write_json, write_text
from imageless.metrics.bootstrap import paired_bootstrap
from imageless.screen import progress

log = logging.getLogger(__name__)

RESUMED = ("pretrain", "synthesize", "train")  # go on from where they were stopped; the others are done in minutes


@dataclass(frozen=True)
class Row:
    """One row of a table: what is added to the training and to the evaluation of each of its cells."""

    name: str
    train: str = ""
    evaluate: str = ""
    of: str | None = None
    """Evaluate the runs of this other row instead of training."""
    columns: dict[str, str] = field(default_factory=dict)
    """What more is added to the training of single columns."""
    shared: dict[str, str] = field(default_factory=dict)
    """Columns that make no difference to this row, with the column whose runs stand for them."""
    skip: list[str] = field(default_factory=list)
    """Columns this row leaves empty."""
    key: str | None = None
    """Where columns that are read from a file look for this row; default: its name."""


@dataclass(frozen=True)
class Column:
    """One column of a table: what is added to the training and to the evaluation of its cells, and what is read off."""

    train: str = ""
    evaluate: str = ""
    score: str | None = None
    """Default: the recipe's."""
    noise: str | None = None
    """Under which name a sweep over w keeps the best; default: the task and the column's name."""
    read: str | None = None
    """Nothing is trained: the numbers stand in this file below OUT/made"""
    path: list[str] = field(default_factory=list)
    """along these keys, of which {row} is the row's."""


@dataclass(frozen=True)
class Recipe:
    """What a recipe file says."""

    title: str
    rows: list[Row]
    columns: dict[str, Column]
    seeds: list[int]
    train: str = ""
    evaluate: str = ""
    score: str = "cider"
    also: list[str] = field(default_factory=list)
    """Further scores to print, their means alone."""
    make: dict[str, str] = field(default_factory=dict)
    """Commands that are run first, by the name under OUT/made of what they leave behind."""
    compare: list[list[str]] = field(default_factory=list)
    """Pairs of rows whose difference is tested picture by picture."""
    names: dict[str, str] = field(default_factory=dict)
    """What {name} stands for in the commands, such as the encoder; whoever runs the table may set them otherwise."""
    needs: dict[str, str] = field(default_factory=dict)
    """Files and folders below {data}, and where each is had."""
    keep_noise: bool = False
    """The rows are a sweep over w: write the best for each column as noise.json."""
    paper: dict[str, Any] = field(default_factory=dict)
    """What was published: `source`, and under `rows` numbers x 100 by row and column."""
    shares: list[list[str]] = field(default_factory=list)
    """Pairs of rows: which share of the second the first reaches."""


def recipes() -> list[str]:
    """The names of all recipes, as TABLE.GROUND."""
    return sorted(
        Path(file.name).stem for file in resources.files("imageless.recipes").iterdir() if file.name.endswith(".toml")
    )


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
    _expect_data(recipe, data, f"{table} on {ground}")
    if other := sorted((names or {}).keys() - recipe.names.keys()):
        raise InputError(f"expected names among {', '.join(recipe.names) or 'none'} of {table}, got {', '.join(other)}")
    recipe = replace(recipe, names={**recipe.names, **(names or {})})
    with disk_errors(out):
        out.mkdir(parents=True, exist_ok=True)
    chosen = [first_seed + seed for seed in recipe.seeds[:seeds]]
    commands = _commands(recipe, chosen, out, data)
    for stage in commands:
        _run_all(stage, jobs or len(os.sched_getaffinity(0)))
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


def read(table: str, ground: str) -> Recipe:
    """The recipe of a table on a ground."""
    file = resources.files("imageless.recipes") / f"{table}.{ground}.toml"
    if not file.is_file():
        raise InputError(f"no recipe for {table} on {ground}; there are: {', '.join(recipes())}")
    values = tomllib.loads(file.read_text(encoding="utf-8"))
    columns = {
        name: Column(told) if isinstance(told, str) else Column(**told) for name, told in values["columns"].items()
    }
    return Recipe(**{**values, "rows": [Row(**row) for row in values["rows"]], "columns": columns})


def _expect_data(recipe: Recipe, data: Path | None, table: str) -> None:
    """Say at once, before hours of work, what a recipe's commands would miss."""
    wanted = "{data}" in json.dumps(asdict(recipe))
    if wanted and (data is None or not data.is_dir()):
        listed = "".join(f"; {name}: {origin}" for name, origin in recipe.needs.items())
        raise InputError(
            f"expected --data FOLDER with the data of {table}, got {data}; docs/data.md says where to get it{listed}"
        )
    missing = [f"{name} ({origin})" for name, origin in recipe.needs.items() if data and not (data / name).exists()]
    if missing:
        raise InputError(f"expected the data of {table} in {data}, found no {'; no '.join(missing)}")


@dataclass(frozen=True)
class _Step:
    """A command of ours and the file whose presence says it is done."""

    arguments: list[str]
    done: Path


def _commands(recipe: Recipe, seeds: Iterable[int], out: Path, data: Path | None) -> list[list[_Step]]:
    """Everything to be run, in stages that wait for each other."""

    def words(*texts: str) -> list[str]:
        places = {"data": str(data), "made": str(out / "made"), **recipe.names}
        joined = sorted(texts, key=lambda text: text.startswith("--"))  # what is named goes before options
        return [word.format(**places) for text in joined for word in shlex.split(text)]

    made = []
    for name, text in recipe.make.items():
        told, place = words(text), out / "made" / name
        told += ["--resume"] if told[0] in RESUMED else []
        made.append([_Step([*told, "--out", str(place)], place)])
    trained, evaluated = [], []
    for row in recipe.rows:
        for name, column in recipe.columns.items():
            if column.read or name in row.shared or name in row.skip:
                continue
            for seed in seeds:
                run = out / "runs" / _cell(row.of or row.name, name, seed)
                if row.of is None:
                    told = ["train", *words(recipe.train, column.train, row.train, row.columns.get(name, ""))]
                    told += ["--seed", str(seed), "--resume", "--out", str(run)]
                    trained.append(_Step(told, run / "config.json"))
                scores = out / "scores" / _cell(row.name, name, seed)
                asked = words(recipe.evaluate, column.evaluate, row.evaluate)
                told = ["evaluate", str(run), *asked, "--out", str(scores)]
                evaluated.append(_Step(told, scores / "scores.json"))
    return [*made, trained, evaluated]


def _cell(row: str, column: str, seed: int) -> str:
    return f"{row}-{column}-{seed}".replace(" ", "_")


def _run_all(steps: list[_Step], jobs: int) -> None:
    waiting = [step for step in steps if not step.done.exists()]
    with progress("commands", len(steps), len(steps) - len(waiting)) as bar, ThreadPoolExecutor(jobs) as pool:
        for _ in pool.map(_run, waiting):
            bar.advance()


def _run(step: _Step) -> None:
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
            folders = [out / "scores" / _cell(row.name, row.shared.get(column, column), seed) for seed in seeds]
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
            "cores": len(os.sched_getaffinity(0)),
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
