"""How the house is built: imports run one way, and nothing heavy is imported before it is needed."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[1] / "src/imageless"
HEAVY = (
    "torch",
    "transformers",
    "numpy",
    "open_clip",
    "timm",
    "datasets",
    "pyarrow",
    "matplotlib",
    "PIL",
    "accelerate",
)

# Every module may import from rooms above its own line, and from its own room. errors stands above all.
ROOMS = (
    ("errors", "limits", "function_words"),
    ("options", "metrics", "screen", "folders", "report", "shown", "wordnet", "processor"),
    ("records", "pictures", "shifts"),
    ("data", "world", "tasks", "texts", "tokens", "draws", "arithmetic", "pack", "pixels"),
    ("vectors", "models", "adapters", "encoders", "synthesis"),
    ("cards", "runs", "hub", "loop", "moments", "neighbours", "fitting", "noise", "zero_shot"),
    ("stages",),
    ("analysis", "api", "recipes"),
    ("serving", "demo", "check", "inventory", "benchmarks"),
    ("cli",),
    ("__main__", "__init__"),
)
FLOOR = {room: number for number, rooms in enumerate(ROOMS) for room in rooms}


def modules() -> Iterator[tuple[str, ast.Module]]:
    """Every module by its name below imageless, with its parsed source."""
    for path in sorted(HOUSE.rglob("*.py")):
        name = ".".join(path.relative_to(HOUSE).with_suffix("").parts).removesuffix(".__init__")
        yield name, ast.parse(path.read_text(encoding="utf-8"))


def imported(tree: ast.AST) -> Iterator[str]:
    """What a module imports of ours, anywhere in it, as names below imageless; types alone do not count."""
    for node in _without_types(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "imageless":
            below = (node.module or "").removeprefix("imageless").lstrip(".")
            yield from ([below] if below else [alias.name for alias in node.names])
        elif isinstance(node, ast.Import):
            yield from (a.name.removeprefix("imageless.") for a in node.names if a.name.startswith("imageless."))


def _without_types(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        if not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"):
            yield node
            yield from _without_types(node)


def room(name: str) -> str:
    return name.partition(".")[0]


IMPORTS = {name: set(imported(tree)) for name, tree in modules()}


def test_every_module_has_its_room():
    assert {room(name) for name in IMPORTS} - set(FLOOR) == set()


def test_imports_run_one_way():
    against = [
        f"{name} imports {other}"
        for name, others in IMPORTS.items()
        for other in others
        if room(other) in FLOOR and FLOOR[room(other)] > FLOOR[room(name)]
    ]
    assert against == []


def test_predict_knows_no_bridge():
    """Nothing crosses the gap at test time, so nothing that could is at hand."""
    assert not reaches("stages.predict", "adapters")


def reaches(start: str, goal: str) -> bool:
    """Whether importing one module leads to another, through however many."""
    seen, waiting = set(), [start]
    while waiting:
        name = waiting.pop()
        if room(name) == goal:
            return True
        if name not in seen:
            seen.add(name)
            waiting += IMPORTS.get(name, ())
    return False


def test_train_opens_no_picture_and_says_where_the_swap_is():
    assert "pictures" not in IMPORTS["stages.train"] and "pixels" not in IMPORTS["stages.train"]
    for stage in ("train", "predict"):
        comments = re.findall(r"# (.*)", (HOUSE / f"stages/{stage}.py").read_text())
        assert sum("swap" in comment for comment in comments) == 1, stage


@pytest.mark.parametrize("alone", ["metrics", "options"])
def test_metrics_and_options_import_nothing_of_ours(alone):
    for name, others in IMPORTS.items():
        if room(name) == alone:
            assert {other for other in others if room(other) not in (alone, "errors")} == set(), name


@pytest.mark.parametrize("room_name", ["data", "models", "encoders", "tasks", "world"])
def test_nouns_know_no_verbs(room_name):
    for name in IMPORTS:
        if room(name) == room_name:
            assert not reaches(name, "stages"), name


def test_models_know_tensors_only():
    """No records, no data sets, no files of ours: a model takes vectors, prompts and targets."""
    for name, others in IMPORTS.items():
        if room(name) == "models":
            assert {room(other) for other in others} <= {"models", "tokens", "errors"}, name


def test_only_the_command_line_prints():
    printing = [
        name
        for name, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("print", "sys.stdout.write")
    ]
    assert {room(name) for name in printing} <= {"cli"}


def loaded_by(code: str) -> set[str]:
    """The heavy libraries a fresh interpreter has loaded after some code."""
    told = f"{code}\nimport sys\nsys.stderr.write(' '.join(name for name in {HEAVY!r} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return set(done.stderr.split())


def test_importing_the_package_loads_nothing_heavy():
    assert loaded_by("import imageless; imageless.__version__") == set()


def test_help_loads_nothing_heavy():
    verbs = ("", "train", "embed", "caption", "evaluate", "pretrain")
    asked = "\n".join(f"app({[verb, '--help'] if verb else ['--help']!r}, exit_on_error=False)" for verb in verbs)
    assert loaded_by(f"from imageless.cli import app\n{asked}") == set()


def test_the_light_modules_load_no_networks():
    light = "records errors options folders screen limits pictures data tasks world.scenes encoders metrics.captions"
    loaded = loaded_by("\n".join(f"import imageless.{name}" for name in light.split()))
    assert loaded <= {"numpy"}
