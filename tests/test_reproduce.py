"""Tables from recipes: every cell has a command, what is finished is not done again, a mistake is one line."""

from __future__ import annotations

import importlib
import json
import re
import sys
from html import escape
from importlib import resources
from pathlib import Path

import pytest

from imageless.analysis import recipe as recipes
from imageless.analysis import reproduce as made
from imageless.analysis import table, table_page
from imageless.errors import InputError


@pytest.fixture
def recipe(monkeypatch: pytest.MonkeyPatch, album: Path, encoder_folder: Path) -> recipes.Recipe:
    """A table of two rows on a handful of pictures."""
    small = recipes.Recipe(
        title="A small table.",
        train=f"captioning karpathy:{album} --encoder {encoder_folder} --lm world:32x1 --steps 2 --device cpu",
        evaluate=f"karpathy:{album} --split test --beams 1 --device cpu",
        rows=[recipes.Row("noise", "--noise 0.04"), recipes.Row("shuffled", evaluate="--control shuffled", of="noise")],
        columns={"single": recipes.Column("--setting single")},
        seeds=[0, 1],
        compare=[["noise", "shuffled"]],
        keep_noise=False,
    )
    monkeypatch.setattr(made, "read", lambda table, ground: small)
    return small


@pytest.mark.slow
def test_a_stopped_table_goes_on_where_it_stopped(recipe: recipes.Recipe, tmp_path: Path):
    first = made.reproduce("small", "world", tmp_path / "table")
    weights = tmp_path / "table" / "runs" / "noise-single-1" / "model.safetensors"
    written = weights.stat().st_mtime_ns
    (tmp_path / "table" / "scores" / "shuffled-single-1" / "scores.json").rename(tmp_path / "lost.json")
    (tmp_path / "table" / "scores" / "shuffled-single-1" / "predictions.jsonl").unlink()
    (tmp_path / "table" / "scores" / "shuffled-single-1").rmdir()
    again = made.reproduce("small", "world", tmp_path / "table")
    assert weights.stat().st_mtime_ns == written
    assert again["rows"] == first["rows"]
    assert json.loads((tmp_path / "table" / "table.json").read_text())["rows"] == first["rows"]
    cell = first["rows"]["noise"]["single"]
    assert cell["n"] == 6
    assert cell["mean"] == pytest.approx(sum(seed["cider"] for seed in cell["seeds"].values()) / 2)
    assert sum(command.startswith("imageless train") for command in first["commands"]) == 2
    assert "| noise |" in (tmp_path / "table" / "table.md").read_text()
    for name in ("figures/single.png", "figures/single.svg", "report.html"):
        assert (tmp_path / "table" / name).stat().st_size > 1000


def test_a_recipe_that_needs_data_says_where_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    needy = recipes.Recipe(
        "t", [recipes.Row("noise")], {"single": recipes.Column()}, [0], "captioning text:{data}/a.txt"
    )
    monkeypatch.setattr(made, "read", lambda table, ground: needy)
    with pytest.raises(InputError, match="expected --data FOLDER"):
        made.reproduce("small", "photos", tmp_path / "table")


def test_a_command_that_fails_is_named_in_one_line(
    recipe: recipes.Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    broken = recipes.Recipe(
        "t", [recipes.Row("noise")], {"single": recipes.Column()}, [0], "captioning text:/nowhere.txt", "world"
    )
    monkeypatch.setattr(made, "read", lambda table, ground: broken)
    with pytest.raises(InputError, match=r"imageless train captioning text:/nowhere\.txt.*nowhere\.txt"):
        made.reproduce("small", "world", tmp_path / "table")


def test_a_share_of_nothing_is_not_a_number():
    assert table._percent(made._share(0.0, 0.0)) == "-"
    assert table._percent(made._share(0.5, 2.0)) == "25 %"


def test_a_row_leaves_the_columns_it_skips_empty(tmp_path: Path):
    recipe = recipes.Recipe(
        title="Rows with holes.",
        rows=[recipes.Row("0.1", skip=["news"]), recipes.Row("0.2")],
        columns={"vqa": recipes.Column("vqa world"), "news": recipes.Column("news world")},
        seeds=[0],
        train="captioning",
        compare=[["0.2", "0.1"]],
        shares=[["0.1", "0.2"]],
        keep_noise=True,
    )
    *_, evaluated = recipes.steps_of(recipe, [0], tmp_path, None)
    assert [step.done.parent.name for step in evaluated] == ["0.1-vqa-0", "0.2-vqa-0", "0.2-news-0"]
    for number, step in enumerate(evaluated, 1):
        step.done.parent.mkdir(parents=True)
        step.done.write_text(json.dumps({"scores": {"cider": number / 4}, "n": 2}))
        items = [{"scores": {"cider": number / 4}}] * 2
        (step.done.parent / "predictions.jsonl").write_text("".join(json.dumps(item) + "\n" for item in items))
    result = made._collect(recipe, [0], tmp_path)
    assert "| 0.1 | 25.0 |  |\n| 0.2 | 50.0 | 75.0 |\n| *0.1 / 0.2* | 50 % | - |" in table.markdown(result)
    assert made._best_noise(recipe, result)["best"] == {"captioning-vqa": 0.2, "captioning-news": 0.2}
    assert [difference["column"] for difference in result["differences"]] == ["vqa"]


def test_a_score_of_all_pictures_together_is_shown_and_not_compared(tmp_path: Path):
    columns = {"content": recipes.Column(), "funny": recipes.Column(score="cider_funny")}
    rows = [recipes.Row(name, shared={"funny": "content"}) for name in ("a", "b")]
    recipe = recipes.Recipe("Voices.", rows, columns, [0], "style world", compare=[["a", "b"]])
    for step in recipes.steps_of(recipe, [0], tmp_path, None)[-1]:
        step.done.parent.mkdir(parents=True)
        step.done.write_text(json.dumps({"scores": {"cider": 0.5, "cider_funny": 0.25}, "n": 2}))
        (step.done.parent / "predictions.jsonl").write_text(json.dumps({"scores": {"cider": 0.5}}) + "\n")
    result = made._collect(recipe, [0], tmp_path)
    assert "| a | 50.0 | 25.0 |" in table.markdown(result)
    assert [difference["column"] for difference in result["differences"]] == ["content"]


def test_a_column_may_be_read_from_what_was_made(tmp_path: Path):
    read = recipes.Column(read="gap/measures.json", path=["bridges", "{row}", "paired"])
    rows = [recipes.Row("none", key="raw"), recipes.Row("mean")]
    recipe = recipes.Recipe(
        title="Read off.", rows=rows, columns={"gap": read}, seeds=[0, 1], make={"gap": "gap world"}
    )
    assert [len(stage) for stage in recipes.steps_of(recipe, [0, 1], tmp_path, None)] == [1, 0, 0]
    file = tmp_path / "made" / "gap" / "measures.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"bridges": {"raw": {"paired": 0.25}}}))
    with pytest.raises(InputError, match=r"of mean in .*measures\.json, found none"):
        made._collect(recipe, [0, 1], tmp_path)
    file.write_text(json.dumps({"bridges": {"raw": {"paired": 0.25}, "mean": {"paired": 0.5}}}))
    assert "| none | 25.0 |\n| mean | 50.0 |" in table.markdown(made._collect(recipe, [0, 1], tmp_path))


def test_a_page_shows_every_column_of_a_recorded_table_and_what_was_tested(tmp_path: Path):
    result = json.loads((resources.files("imageless.recipes") / "recorded" / "close-table-1.world.json").read_text())
    table_page.write(tmp_path, result)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    columns = table.columns_of(result)
    assert {file.stem for file in (tmp_path / "figures").iterdir()} == set(columns)
    assert page.count("<img ") == len(columns)
    assert "tuned_noise minus no_noise is +51.5 (95 %: 49.4 to 53.4)" in page
    assert "the paper&#x27;s tuned_noise" in page
    assert all(escape(command) in page for command in result["commands"])


def test_a_sweep_is_drawn_as_a_curve_and_other_rows_beside_the_papers():
    def drawn(*rows: str):
        cell = {"score": "cider", "mean": 0.5, "spread": 0.1, "seeds": {"0": {"cider": 0.4}, "1": {"cider": 0.6}}}
        paper = {"source": "a paper", "rows": {rows[0]: {"single": 80.0}}}
        result = {"title": "t", "rows": {row: {"single": cell} for row in rows}, "paper": paper, "differences": []}
        return table_page.plot(result, "single").axes

    (curve,) = drawn("0", "0.04", "0.1")
    assert list(curve.lines[0].get_xdata()) == [0, 0.04, 0.1]
    ours, papers = drawn("none", "mean", "0.1")
    assert list(ours.lines[0].get_xdata()) == [50, 50, 50]
    assert papers.collections[0].get_offsets().tolist() == [[80, pytest.approx(2.78)]]


def test_what_is_made_first_goes_on_where_it_stopped(tmp_path: Path, album: Path, encoder_folder: Path):
    adapt = f"adapt karpathy:{album} --encoder {encoder_folder} --kind mean --device cpu"
    recipe = recipes.Recipe("Made.", [], {}, [0], make={"encoder": "pretrain world", "shift": adapt})
    (encoder, shift), *_ = recipes.steps_of(recipe, [0], tmp_path, None)
    assert "--resume" in encoder.arguments and "--resume" not in shift.arguments
    (tmp_path / "made" / "shift.partial").mkdir(parents=True)
    made._run_all([shift], jobs=1)
    assert [each.name for each in (tmp_path / "made").iterdir()] == ["shift"] and (shift.done / "config.json").is_file()


def test_what_does_not_need_each_other_is_made_side_by_side(tmp_path: Path):
    make = {
        "a": "pretrain world",
        "b": "pretrain world",
        "c": "gap world --encoder {made}/a",
        "d": "gap world --adapter {made}/c",
    }
    made_first = recipes.steps_of(recipes.Recipe("Made.", [], {}, [0], make=make), [0], tmp_path, None)
    assert [[step.done.name for step in stage] for stage in made_first] == [["a", "b"], ["c"], ["d"], [], []]


def test_a_column_may_ask_the_runs_of_another_table_and_a_second_one_its_scores(tmp_path: Path):
    columns = {
        "nouns": recipes.Column(
            run="{made}/first/runs/{row}-captioning-{seed}", evaluate="world --concepts", score="noun_f1"
        ),
        "near misses": recipes.Column(of="nouns", score="noun_wup"),
    }
    rows = [recipes.Row("seeing"), recipes.Row("blind", of="seeing", evaluate="--blind")]
    recipe = recipes.Recipe("Words.", rows, columns, [1], make={"first": "reproduce limber-table-1 --on world"})
    (first,), trained, evaluated = recipes.steps_of(recipe, [1], tmp_path, None)
    assert first.arguments == ["reproduce", "limber-table-1", "--on", "world", "--out", str(tmp_path / "made/first")]
    assert (
        trained == []
        and [step.arguments[:4] for step in evaluated]
        == [["evaluate", str(tmp_path / "made/first/runs/seeing-captioning-1"), "world", "--concepts"]] * 2
    )
    for step in evaluated:
        step.done.parent.mkdir(parents=True)
        step.done.write_text(json.dumps({"scores": {"noun_f1": 0.5, "noun_wup": 0.25}, "n": 1}))
        (step.done.parent / "predictions.jsonl").write_text(json.dumps({"scores": {}}) + "\n")
    shown = table.markdown(made._collect(recipe, [1], tmp_path))
    assert "| seeing | 50.0 | 25.0 |\n| blind | 50.0 | 25.0 |" in shown


def test_an_unknown_table_lists_those_there_are():
    with pytest.raises(InputError, match=r"there are: .*captioning\.world"):
        made.read("captoning", "world")


def test_the_results_in_the_docs_are_the_recorded_ones():
    sys.path.insert(0, str(Path(__file__).parent / "scripts"))
    try:
        record_table = importlib.import_module("record_table")
    finally:
        sys.path.pop(0)
    shown = record_table.RESULTS.read_text(encoding="utf-8")
    assert record_table.written(shown) == shown
    assert {f"<!-- {file.stem} -->" for file in record_table.RECORDED.glob("*.json")} <= set(shown.splitlines())


@pytest.mark.parametrize("name", recipes.recipes())
def test_every_recipe_reads_and_its_commands_name_every_cell(name: str, tmp_path: Path):
    table, _, ground = name.rpartition(".")
    recipe = recipes.read(table, ground)
    commands = [step for stage in recipes.steps_of(recipe, recipe.seeds, tmp_path, tmp_path) for step in stage]
    for step in commands:
        options = [word for word in step.arguments if word.startswith("--") and word not in ("--judge", "--adapter")]
        assert len(options) == len(set(options)), step.arguments
    scored = {name for name, column in recipe.columns.items() if not (column.read or column.of)}
    cells = sum(len(scored - row.shared.keys() - set(row.skip)) * len(recipe.seeds) for row in recipe.rows)
    assert sum(step.arguments[0] == "evaluate" for step in commands) == cells


def _fewer(command: str, **numbers: int) -> str:
    for option, number in numbers.items():
        command = re.sub(rf"--{option} \d+", f"--{option} {number}", command)
    return command


@pytest.mark.slow
@pytest.mark.parametrize("task", ["captioning", "vqa"])
def test_the_demo_leaves_a_page_and_its_scores(task: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The real demo with two steps of training: everything but good answers."""
    from dataclasses import replace

    from imageless import demo

    read = made.read

    def short(table: str, ground: str) -> recipes.Recipe:
        whole = read(table, ground)
        columns = {
            name: replace(each, train=_fewer(each.train, steps=2, limit=60)) for name, each in whole.columns.items()
        }
        train = _fewer(whole.train, steps=2, limit=60)
        assert all("--steps 2" in f"{train} {column.train}" for column in columns.values())
        return replace(whole, train=train, columns=columns, evaluate=_fewer(whole.evaluate, limit=40) + " --beams 1")

    monkeypatch.setattr(made, "read", short)
    done = demo.demo(tmp_path / "demo", task, seed=0)
    scores = json.loads((tmp_path / "demo" / "scores.json").read_text())
    assert set(scores) == {"no_noise", "noise", "images", "shuffled"}
    assert all(set(score) == {*demo.SCORES[task], "n"} for score in scores.values())
    page = done.report.read_text()
    assert page.count("<img") >= demo.SHOWN + 1
    assert "http" not in page.split("</style>")[1]  # nothing is fetched from anywhere
