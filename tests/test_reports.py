"""The pages that training and evaluation leave: curves, what was said when, the best and the worst answers."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from conftest import make_album
from imageless import loop, pictures, runs
from imageless.models import causal
from imageless.options import PretrainOptions, TrainOptions
from imageless.stages import learning_page, samples
from imageless.stages import train as training
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


@pytest.fixture(scope="module")
def lm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A language model as `imageless train language` leaves it, with random weights."""
    from conftest import sentence

    folder = tmp_path_factory.mktemp("lm") / "small"
    tokenizer = causal.small_tokenizer(["\n".join(map(sentence, range(60)))], 400, lower_case=True)
    torch.manual_seed(0)
    for part in (causal.small_llama(32, 1, len(tokenizer), window=384), tokenizer):
        part.save_pretrained(folder)
    (folder / causal.MADE).write_text("{}")
    return folder


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
