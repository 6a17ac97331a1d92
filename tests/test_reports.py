"""The pages that training and evaluation leave: curves, what was said when, the best and the worst answers."""

from __future__ import annotations

import base64
import io
import json
import logging
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from conftest import make_album
from imageless import loop, pictures, report, runs
from imageless.options import EvaluateOptions, PretrainOptions, TrainOptions
from imageless.stages import galleries, learning_page, samples
from imageless.stages import train as training
from imageless.stages.evaluate import evaluate
from imageless.stages.pretrain import pretrain
from imageless.stages.train import train

STEPS = 60
QUICK = TrainOptions(device="cpu", steps=STEPS, batch_size=8, noise=0.1, save_every=10)


def learn(out: Path, album: Path, encoder: Path, options: TrainOptions = QUICK, **more: Any) -> Path:
    train(
        more.pop("task", "captioning"), [f"karpathy:{album}"], out, str(encoder), more.pop("lm", "world:32x1"), options
    )
    return out


def said(run: Path) -> dict[int, list[str]]:
    return {row["step"]: row["said"] for row in loop.read_log(run) if "said" in row}


def page(folder: Path) -> str:
    return (folder / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory, album: Path, encoder_folder: Path) -> Path:
    return learn(tmp_path_factory.mktemp("runs") / "run", album, encoder_folder)


# How it learned.


def test_a_run_shows_its_curves_and_what_it_said_as_it_learned(learned):
    told, shown = said(learned), page(learned)
    assert sorted(told) == [20, 36, 60] and all(len(texts) == samples.SCENES for texts in told.values())
    assert shown.count("<figure>") == 1 and shown.count('class="card"') == samples.SCENES
    assert shown.count("after 60 steps") == samples.SCENES and "<dt>sentences</dt>" in shown and "<script" not in shown


def test_a_model_is_asked_a_handful_of_times_and_last_at_the_end():
    for steps in (1, 6, 25, 300, 15_000):
        moments = samples.moments(steps)
        assert len(moments) <= len(samples.SHARES) and max(moments) == steps
        assert min(moments) >= min(steps, samples.APART)


def test_being_asked_changes_nothing_that_is_learned(tmp_path, album, encoder_folder, learned, monkeypatch):
    monkeypatch.setattr(samples, "moments", lambda steps: frozenset())
    unasked = learn(tmp_path / "run", album, encoder_folder)
    one, other = load_file(learned / "model.safetensors"), load_file(unasked / "model.safetensors")
    assert one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
    assert not said(unasked) and "What it would say" not in page(unasked)


def test_a_run_that_was_stopped_shows_all_of_it(tmp_path, album, encoder_folder, learned, monkeypatch):
    """What was said before the stop stays, what was said after the last checkpoint is said anew."""
    calls, real = iter(range(38)), training.Learning.loss

    def loss(self, *arguments: object) -> torch.Tensor:
        next(calls)  # the 39th finds nothing
        return real(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(training.Learning, "loss", loss)
        with pytest.raises(StopIteration):
            learn(tmp_path / "run", album, encoder_folder)
    assert sorted(said(tmp_path / "run.partial")) == [20, 36]
    resumed = learn(tmp_path / "run", album, encoder_folder, replace(QUICK, resume=True))
    assert said(resumed) == said(learned)
    one, other = load_file(learned / "model.safetensors"), load_file(resumed / "model.safetensors")
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert page(resumed).split("Curves")[1] == page(learned).split("Curves")[1]


def test_saying_what_sentences_would_be_opens_no_picture(tmp_path, album, encoder_folder, monkeypatch, own_cache):
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a picture was opened for a report")

    for door in ((pictures, "load"), (pictures.FilePicture, "open")):
        monkeypatch.setattr(*door, refuse)
    monkeypatch.setattr("PIL.Image.open", refuse)
    assert said(learn(tmp_path / "run", album, encoder_folder))
    assert "What it would say" in page(tmp_path / "run")


def test_the_scenes_are_shown_with_what_was_to_be_said_of_them_though_a_picture_is_missing(tmp_path, encoder_folder):
    """Learning from pictures, rows are counted anew without the one that cannot be read."""
    album = make_album(tmp_path, 24)
    (tmp_path / "000.png").write_bytes(b"no picture")
    run = learn(tmp_path / "run", album, encoder_folder, replace(QUICK, steps=4, on="images", noise=None))
    shown = page(run)
    assert shown.count("<dt>to be said</dt>") == samples.SCENES and "<dt>sentences</dt>" not in shown
    assert runs.read_config(run).examples == 11


def test_a_page_that_cannot_be_made_costs_a_warning(tmp_path, album, encoder_folder, monkeypatch, caplog):
    def fail(*_: object) -> None:
        raise OSError("no fonts here")

    monkeypatch.setattr(learning_page, "plot", fail)
    with caplog.at_level(logging.WARNING):
        run = learn(tmp_path / "run", album, encoder_folder, replace(QUICK, steps=2))
    assert runs.is_run(str(run)) and not (run / "report.html").exists()
    assert "report.html could not be written: no fonts here" in caplog.text


def test_a_model_without_room_to_answer_learns_on(tmp_path, album, encoder_folder, learned, monkeypatch):
    def full(*_: object) -> None:
        raise torch.OutOfMemoryError

    monkeypatch.setattr("imageless.models.reader.Reader.generate", full)
    run = learn(tmp_path / "run", album, encoder_folder)
    one, other = load_file(learned / "model.safetensors"), load_file(run / "model.safetensors")
    assert not said(run) and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("more", [{}, {"stream": True}, {"tune_encoder": True}, {"on": "text"}])
def test_limber_says_what_it_would_say_however_it_sees(tmp_path, album, encoder_folder, lm, monkeypatch, more):
    options = replace(QUICK, model="limber", steps=3, noise=None, learning_rate=1e-2, **more)
    run = learn(tmp_path / "run", album, encoder_folder, options, lm=str(lm))
    assert list(said(run)) == [3] and page(run).count("<dt>asked</dt><dd>A picture of</dd>") == samples.SCENES
    monkeypatch.setattr(samples, "moments", lambda steps: frozenset())
    learn(tmp_path / "unasked", album, encoder_folder, options, lm=str(lm))
    for file in run.glob("*.safetensors"):
        one, other = load_file(file), load_file(tmp_path / "unasked" / file.name)
        assert all(torch.equal(one[name], other[name]) for name in one)


def test_an_encoder_shows_its_curves(tmp_path, album):
    shape = PretrainOptions(device="cpu", steps=4, batch_size=6, dim=16, text_width=32, text_layers=1, validate_every=2)
    pretrain([f"karpathy:{album}"], tmp_path / "encoder", shape)
    assert "imageless pretrain" in page(tmp_path / "encoder") and page(tmp_path / "encoder").count("<figure>") == 1


def test_a_curve_for_each_number_that_was_followed():
    rows = [{"step": step, "loss": 1 / step, "lr": 0.1} for step in range(1, 200)]
    drawn = learning_page.plot([*rows, {"step": 100, "held_out": 0.4}, {"step": 100, "said": ["a dog"]}])
    assert [axis.get_title() for axis in drawn.axes] == ["loss", "learning rate", "held out"]
    assert [len(axis.lines) for axis in drawn.axes] == [2, 2, 1]
    smooth: Any = drawn.axes[1].lines[1]
    assert np.allclose(smooth.get_ydata(), 0.1)


# How it answers.

ASKED = EvaluateOptions(device="cpu", beams=2)


def predictions(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "predictions.jsonl").read_text(encoding="utf-8").splitlines()]


def gallery(folder: Path, heading: str) -> str:
    """What a page shows beneath a heading."""
    return page(folder).split(f"<h2>{heading}</h2>")[1].split("<h2>")[0]


def lines(shown: str, name: str) -> list[str]:
    """What all cards say under one name."""
    return re.findall(rf"<dt>{name}</dt><dd[^>]*>([^<]*)</dd>", shown)


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory, learned: Path) -> Path:
    """A captioner shown twelve pictures of other sizes."""
    folder = tmp_path_factory.mktemp("scored")
    album = make_album(folder, 48)
    for number, picture in enumerate(sorted(folder.glob("*.png"))):
        Image.open(picture).resize((900, 300 + number)).save(picture)
    evaluate(learned, [f"karpathy:{album}"], folder / "scores", ASKED)
    return folder / "scores"


def test_the_best_the_worst_and_some_are_shown_with_their_scores(scored):
    ciders = sorted((100 * line["scores"]["cider"] for line in predictions(scored)), reverse=True)
    best, worst, drawn = (gallery(scored, name) for name in ("The best", "The worst", "Drawn blindly"))
    assert lines(best, "CIDEr-D x 100") == [f"{cider:.1f}" for cider in ciders[:6]]
    assert lines(worst, "CIDEr-D x 100") == [f"{cider:.1f}" for cider in ciders[::-1][:6]]
    assert drawn.count("<img") == 12 and drawn.count("<dt>people</dt>") == 12
    assert "Left out" not in page(scored)


def test_pictures_on_a_page_are_small(scored):
    shown = re.findall(r'src="data:image/jpeg;base64,([^"]*)"', page(scored))
    assert len(shown) == 24 and len(page(scored)) < 500_000
    for data in shown:
        picture = Image.open(io.BytesIO(base64.b64decode(data)))
        assert max(picture.size) == 256 and picture.width > picture.height


def test_the_heaviest_page_stays_below_three_megabytes():
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (600, 600, 3), dtype=np.uint8))
    cards = [report.Card(noise, {"the model": "noise"}, "the model")] * 3 * galleries.SHOWN
    assert len(report.gallery(cards)) < 3_000_000


def test_of_equal_scores_the_surest_come_first():
    scores, sure = np.array([1.0, 0, 1, 0, 1, 0]), np.array([0.1, 0.2, 0.9, 0.8, 0.5, 0.6])
    rows = galleries.picked(scores, sure, seed=0)
    assert rows["best"].tolist() == [2, 4, 0] and rows["worst"].tolist() == [3, 5, 1]
    assert sorted(rows["drawn"].tolist()) == list(range(6))
    assert galleries.picked(None, sure, 0).keys() == {"drawn"}
    many = galleries.picked(np.zeros(100), np.zeros(100), 0)
    assert all(len(set(found.tolist())) == galleries.SHOWN for found in many.values())


@pytest.mark.parametrize("task", ["entailment", "vqa", "style"])
def test_an_answer_is_shown_right_or_wrong_and_how_probable_it_was(tmp_path, encoder_folder, task):
    options = replace(QUICK, steps=6, limit=60, batch_size=16)
    train(task, ["world"], tmp_path / "run", str(encoder_folder), "world:32x1", options)
    evaluate(tmp_path / "run", ["world"], tmp_path / "scores", replace(ASKED, limit=6))
    drawn, found = gallery(tmp_path / "scores", "Drawn blindly"), predictions(tmp_path / "scores")
    assert len(lines(drawn, "asked")) == min(len(found), galleries.SHOWN)
    if task == "entailment":
        assert all(sum(line["probabilities"].values()) == pytest.approx(1, abs=1e-3) for line in found)
        assert all(max(line["probabilities"], key=line["probabilities"].get) == line["text"] for line in found)
        assert set(lines(drawn, "score")) <= {"right", "wrong"} and "contradiction 0." in drawn
    elif task == "vqa":
        assert len(lines(drawn, "probability of these words")) == len(lines(drawn, "score")) == 6
    else:
        assert set(lines(drawn, "asked")) == {"ego", "uplifting", "pirate"} and len(found) == 18
    assert ("probabilities" in found[0]) == (task == "entailment")


def test_a_picture_that_cannot_be_read_is_named(tmp_path, learned):
    album = make_album(tmp_path, 24)
    (tmp_path / "003.png").write_bytes(b"no picture")
    done = evaluate(learned, [f"karpathy:{album}"], tmp_path / "scores", ASKED)
    assert (done.n, done.skipped) == (5, 1)
    left = gallery(tmp_path / "scores", "Left out")
    assert "1 pictures could not be read" in left and "003.png: expected a picture" in left


def test_a_picture_that_is_damaged_by_now_is_scored_and_says_so(imageless, tmp_path, learned, encoder_folder):
    """Its vector is in a table of old."""
    album, table = make_album(tmp_path, 24), tmp_path / "vectors"
    told = ("embed", f"karpathy:{album}", "--encoder", encoder_folder, "--of", "image", "--split", "test")
    assert imageless(*told, "--device", "cpu", "--out", table).code == 0
    (tmp_path / "003.png").write_bytes(b"no picture")
    done = evaluate(learned, [f"karpathy:{album}"], tmp_path / "scores", replace(ASKED, vectors=str(table)))
    assert done.n == 6 and "expected a picture" in lines(gallery(tmp_path / "scores", "Drawn blindly"), "no picture")[0]


def test_classes_by_their_names_are_shown_the_same_way(imageless, tmp_path, encoder_folder):
    for label, colour in (("cat", "red"), ("dog", "blue")):
        (tmp_path / "pets" / label).mkdir(parents=True)
        for number in range(3):
            Image.new("RGB", (40, 30 + number), colour).save(tmp_path / "pets" / label / f"{number}.png")
    out = tmp_path / "scores"
    told = ("evaluate", encoder_folder, f"imagefolder:{tmp_path / 'pets'}", "--device", "cpu", "--out", out)
    assert imageless(*told, "--split", "train").code == 0
    assert set(lines(gallery(out, "The worst"), "score")) <= {"right", "wrong"}
    assert all(0 < line["probability"] <= 1 for line in predictions(out))
