"""The command line as a contract: verbs, flags, one result on stdout, JSON of a known shape."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import make_album

CPU = ("--device", "cpu")
TINY = ("--lm", "world:32x1", "--steps", 6, "--batch-size", 8, "--noise", 0.1, *CPU)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    make_album(tmp_path, 4)
    return tmp_path


def numbers(values: dict) -> bool:
    return all(isinstance(value, int | float) for value in values.values())


# One JSON object each.


def test_train(imageless, tmp_path, sentences, encoder_folder):
    out = tmp_path / "run"
    said = imageless(
        "train", "captioning", f"text:{sentences}", "--encoder", encoder_folder, "--out", out, *TINY, "--json"
    )
    assert said.json.keys() == {"out", "seconds", "steps", "final"}
    assert (said.json["out"], said.json["steps"]) == (str(out), 6) and said.json["final"].keys() == {"loss"}
    assert {path.name for path in out.iterdir()} == {
        *("config.json", "model.safetensors", "lm", "README.md", "log.jsonl", "tensorboard", "report.html"),
    }


def test_train_joins_data_and_takes_both_sides(imageless, tmp_path, sentences, album, encoder_folder):
    told = ["train", "captioning", f"text:{sentences}", f"karpathy:{album}?split=train", "--encoder", encoder_folder]
    imageless(*told, "--out", tmp_path / "run", *TINY, "--setting", "single")
    config = json.loads((tmp_path / "run/config.json").read_text())
    assert config["examples"] == 60 + 12 * 3 and len(config["data"]) == 2
    said = imageless(
        *("train", "captioning", f"karpathy:{album}", "--on", "images", "--encoder", encoder_folder),
        *("--out", tmp_path / "bound", "--lm", "world:32x1", "--steps", 3, *CPU, "--json"),
    )
    assert said.json["steps"] == 3


def test_data_may_stand_anywhere_among_the_options(imageless, tmp_path, sentences, album, encoder_folder):
    words = ("--encoder", encoder_folder, f"text:{sentences}", "--lm", "world:32x1", f"karpathy:{album}")
    told = ("--steps", 2, "--noise", 0.04, "--device", "cpu", "--out", tmp_path / "run", "--json")
    imageless("train", "captioning", *words, *told)
    assert json.loads((tmp_path / "run/config.json").read_text())["data"] == [f"text:{sentences}", f"karpathy:{album}"]
    assert (
        "expected DATA as READER:PATH, got none" in imageless("train", "captioning", "--out", tmp_path / "no").complaint
    )


@pytest.mark.parametrize(("of", "rows"), [("text", 60), ("image", 24)])
def test_embed(imageless, tmp_path, album, encoder_folder, of, rows):
    out = tmp_path / "table"
    said = imageless(
        "embed", f"karpathy:{album}", "--encoder", encoder_folder, "--of", of, "--out", out, *CPU, "--json"
    )
    assert said.json.keys() == {"out", "seconds", "rows", "final"}
    assert said.json["rows"] <= rows and numbers(said.json["final"])


def test_a_table_made_before_gives_the_run_made_at_once(imageless, tmp_path, sentences, encoder_folder):
    told = ["train", "captioning", f"text:{sentences}", "--encoder", encoder_folder, *TINY]
    imageless(*told, "--out", tmp_path / "at-once")
    imageless(
        "embed", f"text:{sentences}", "--encoder", encoder_folder, "--of", "text", "--out", tmp_path / "table", *CPU
    )
    imageless(*told, "--out", tmp_path / "in-two", "--vectors", tmp_path / "table")
    one, two = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("at-once", "in-two"))
    assert one == two


def test_caption(imageless, run, photos):
    said = imageless("caption", run, photos, *CPU, "--json", "--n-best", 2)
    assert said.json["run"] == str(run) and len(said.json["results"]) == 4
    for result in said.json["results"]:
        assert result.keys() == {"image", "text", "score", "nbest"}
        assert [answer.keys() for answer in result["nbest"]] == [{"text", "score"}] * 2
        assert result["nbest"][0] == {"text": result["text"], "score": result["score"]}


def test_caption_in_eight_bits_is_nearly_as_sure_of_its_words(imageless, run, photos):
    whole, eight = (
        imageless("caption", run, photos, *CPU, "--json", *more).json["results"] for more in ([], ["--int8"])
    )
    for one, other in zip(whole, eight, strict=True):
        assert other["score"] == pytest.approx(one["score"], rel=0.05)


def test_caption_takes_files_globs_folders_and_a_list_on_stdin(imageless, run, photos):
    names = sorted(map(str, photos.glob("*.png")))
    ways = [names], [photos], [photos / "*.png"], ["-"], [names[0], "-"]
    for way in ways:
        words = [word for part in way for word in (part if isinstance(part, list) else [part])]
        said = imageless("caption", run, *words, *CPU, "--json", stdin="".join(f"{name}\n" for name in names))
        assert [result["image"] for result in said.json["results"]] == names


def test_caption_for_people(imageless, run, photos):
    one = imageless("caption", run, photos / "000.png", *CPU)
    more = imageless("caption", run, photos, *CPU)
    assert one.code == 0 and one.out.count("\n") == 1 and "\t" not in one.out
    assert [line.split("\t")[0] for line in more.out.splitlines()] == sorted(map(str, photos.glob("*.png")))
    assert more.out.splitlines()[0].split("\t")[1] == one.out.strip()


@pytest.mark.parametrize("control", [[], ["--control", "shuffled"]])
def test_evaluate(imageless, tmp_path, run, album, control):
    out = tmp_path / "scores"
    said = imageless("evaluate", run, f"karpathy:{album}", "--split", "val", *control, "--out", out, *CPU, "--json")
    assert {"n", "scores", "predictions"} <= said.json.keys() and said.json["n"] == 6
    assert said.json["scores"].keys() == {"cider", "bleu1", "bleu2", "bleu3", "bleu4", "rouge_l"}
    lines = Path(said.json["predictions"]).read_text().splitlines()
    assert len(lines) == 6 and {"key", "text", "references"} <= json.loads(lines[0]).keys()
    kept = json.loads((out / "scores.json").read_text())
    assert kept["scores"] == said.json["scores"] and kept["options"]["control"] == (control[1] if control else None)


def test_pretrain(imageless, tmp_path, album):
    out = tmp_path / "encoder"
    shape = ("--steps", 2, "--batch-size", 6, "--dim", 16, "--text-width", 32, "--text-layers", 1)
    said = imageless("pretrain", f"karpathy:{album}", "--out", out, *shape, *CPU, "--json")
    assert said.json.keys() == {"out", "seconds", "steps", "final"} and numbers(said.json["final"])
    embedded = imageless(
        "embed", f"karpathy:{album}", "--encoder", out, "--of", "image", "--out", tmp_path / "t", *CPU, "--json"
    )
    assert embedded.json["final"]["dim"] == 16


# Manners.


def test_the_version_and_the_verbs(imageless):
    from imageless import __version__

    assert imageless("--version").out.strip() == __version__
    shown = imageless("--help").out
    for verb in ("pretrain", "embed", "train", "caption", "evaluate", "score"):
        assert verb in shown


@pytest.mark.parametrize("words", [[], ["--help"]])
def test_the_verbs_stand_in_groups(imageless, words):
    """The one on learning first; help and version with what keeps the house."""
    said = imageless(*words)
    groups = [line.split()[1] for line in said.out.splitlines() if line.startswith("╭")]
    assert said.code == 0 and groups == ["Learning", "Asking", "Measuring", "Sharing", "Housekeeping"]
    last = said.out.partition("Housekeeping")[2]
    assert all(word in last for word in ("check", "list", "--help", "--version", "--install-completion"))
    assert "train" not in last and "caption" not in last


def test_who_reads_may_have_read_enough(tmp_path):
    told = [sys.executable, "-m", "imageless", "list", str(tmp_path)]
    with subprocess.Popen(told, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as done:
        assert done.stdout is not None and done.stderr is not None
        done.stdout.close()
        assert (done.stderr.read(), done.wait(60)) == ("", 1)


def test_help_tells_what_an_option_is_for(imageless):
    shown = " ".join(imageless("train", "--help").out.split())
    assert "standard deviation of the noise" in shown and "--learning-rate" in shown


def test_without_json_a_result_is_a_line_for_people(imageless, tmp_path, sentences, encoder_folder):
    said = imageless(
        "train", "captioning", f"text:{sentences}", "--encoder", encoder_folder, "--out", tmp_path / "run", *TINY
    )
    assert said.code == 0 and said.out.startswith(f"{tmp_path / 'run'}: 6 steps in ") and said.out.count("\n") == 1


def test_a_flag_can_be_given_anywhere_and_seeds_decide(imageless, tmp_path, sentences, encoder_folder):
    told = ["train", "captioning", f"text:{sentences}", "--encoder", encoder_folder, *TINY]
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        imageless(*told[:1], "--seed", seed, *told[1:], "--out", tmp_path / name)
    a, b, c = ((tmp_path / name / "model.safetensors").read_bytes() for name in "abc")
    assert a == b != c


def test_an_interrupt_says_how_to_go_on(imageless, tmp_path, sentences, encoder_folder, monkeypatch):
    from imageless.stages import train

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(train.Learning, "loss", interrupt)
    said = imageless(
        "train", "captioning", f"text:{sentences}", "--encoder", encoder_folder, "--out", tmp_path / "r", *TINY
    )
    assert (
        said.code == 130
        and said.err == "imageless: stopped; a training goes on from its last checkpoint with --resume\n"
    )


@pytest.mark.slow
def test_the_program_itself(tmp_path):
    """As a person calls it: exit code, streams, no trace."""
    told = [
        sys.executable,
        "-m",
        "imageless",
        "train",
        "captioning",
        "text:nowhere.txt",
        "--out",
        str(tmp_path / "run"),
    ]
    done = subprocess.run(told, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (2, "")
    assert (
        done.stderr
        == "imageless: nowhere.txt: expected a sentence a line in a file, got no such file; check the path\n"
    )


def test_the_program_itself_without_its_libraries():
    """A slip of the hand is answered at once."""
    done = subprocess.run([sys.executable, "-m", "imageless", "trian"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith('imageless: Unknown command "trian"') and done.stderr.count("\n") == 1
