"""What a recipe file says, and the commands it stands for.

A recipe names rows and columns; each cell is a run of `imageless train` and one of `imageless evaluate`, for every seed.
The words of recipe, column and row are joined, those that begin with a task or with data first.
"""

from __future__ import annotations

import json
import shlex
import tomllib
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from imageless.errors import InputError

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
    of: str | None = None
    """Nothing is done for it: its scores are among those of this other column."""
    run: str = ""
    """Nothing is trained: these runs are evaluated, {row} and {seed} standing for what they do, e.g. another table's."""
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


def expect_data(recipe: Recipe, data: Path | None, table: str) -> None:
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
class Step:
    """A command of ours and the file whose presence says it is done."""

    arguments: list[str]
    done: Path


def steps_of(recipe: Recipe, seeds: Iterable[int], out: Path, data: Path | None) -> list[list[Step]]:
    """Everything to be run, in stages that wait for each other."""

    def words(*texts: str) -> list[str]:
        places = {"data": str(data), "made": str(out / "made"), "runs": str(out / "runs"), **recipe.names}
        joined = sorted(texts, key=lambda text: text.startswith("--"))  # what is named goes before options
        return [word.format(**places) for text in joined for word in shlex.split(text)]

    made: list[list[Step]] = []
    level: dict[str, int] = {}
    for name, text in recipe.make.items():
        told, place = words(text), out / "made" / name
        told += ["--resume"] if told[0] in RESUMED else []
        level[name] = max((level[other] + 1 for other in level if f"{{made}}/{other}" in text), default=0)
        made += [[]] if level[name] == len(made) else []
        done = place / "table.json" if told[0] == "reproduce" else place  # a table's folder is there before it is done
        made[level[name]].append(Step([*told, "--out", str(place)], done))
    trained, evaluated = [], []
    for row in recipe.rows:
        for name, column in recipe.columns.items():
            if column.read or column.of or name in row.shared or name in row.skip:
                continue
            for seed in seeds:
                run = out / "runs" / cell(row.of or row.name, name, seed)
                if column.run:
                    named = (row.of or row.name).replace(" ", "_")
                    run = Path(*words(column.run.replace("{row}", named).replace("{seed}", str(seed))))
                elif row.of is None:
                    told = ["train", *words(recipe.train, column.train, row.train, row.columns.get(name, ""))]
                    told += ["--seed", str(seed), "--resume", "--out", str(run)]
                    trained.append(Step(told, run / "config.json"))
                scores = out / "scores" / cell(row.name, name, seed)
                asked = words(recipe.evaluate, column.evaluate, row.evaluate)
                told = ["evaluate", str(run), *asked, "--out", str(scores)]
                evaluated.append(Step(told, scores / "scores.json"))
    return [*made, trained, evaluated]


def cell(row: str, column: str, seed: int) -> str:
    return f"{row}-{column}-{seed}".replace(" ", "_")
