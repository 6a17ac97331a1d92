"""Stopped anywhere and gone on with, in one process or two: the same weights, the same loss, nothing lost."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from conftest import make_album
from imageless import loop
from imageless.errors import InputError
from imageless.options import PretrainOptions, TrainOptions
from imageless.stages import train as training
from imageless.stages.pretrain import pretrain
from imageless.stages.pretraining import contrast
from imageless.stages.train import train

STEPS = 12
QUICK = TrainOptions(device="cpu", steps=STEPS, batch_size=8, noise=0.1, save_every=3, warmup=2)
TOWERS = PretrainOptions(
    device="cpu", steps=8, batch_size=6, dim=16, text_width=32, text_layers=1, save_every=3, warmup=2, word_dropout=0.2
)


class Stopped(BaseException):
    """What a test throws into a training."""


def stop_at(monkeypatch: pytest.MonkeyPatch, job: type, step: int) -> None:
    """Let the job fall over when its loss is asked for after so many steps."""
    calls, real = iter(range(step)), job.loss

    def loss(self, *arguments: object) -> torch.Tensor:
        if next(calls, None) is None:
            raise Stopped
        return real(self, *arguments)

    monkeypatch.setattr(job, "loss", loss)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def assert_same(one: Path, other: Path) -> None:
    mine, yours = weights(one), weights(other)
    assert mine.keys() == yours.keys()
    assert [name for name in mine if not torch.equal(mine[name], yours[name])] == []


def losses(folder: Path) -> list[tuple[int, float]]:
    rows = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [(row["step"], row["loss"]) for row in rows if "loss" in row]


@pytest.fixture(autouse=True)
def every_step_is_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "LOG_EVERY", 1)


@pytest.fixture(scope="module")
def album(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_album(tmp_path_factory.mktemp("album"), 28)


@pytest.fixture(scope="module")
def at_once(tmp_path_factory: pytest.TempPathFactory, album: Path, encoder_folder: Path) -> Path:
    """A run nobody stopped."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "LOG_EVERY", 1)
        return learn(tmp_path_factory.mktemp("run") / "at-once", album, encoder_folder)


def learn(out: Path, album: Path, encoder: Path, options: TrainOptions = QUICK) -> Path:
    train("captioning", [f"karpathy:{album}"], out, str(encoder), "world:32x1", options)
    return out


# Resume gives the same weights as not stopping.


@pytest.mark.parametrize("step", [0, 2, 3, 7, 9, 11])
def test_a_training_stopped_anywhere_goes_on_to_the_same_weights(
    tmp_path, album, encoder_folder, at_once, monkeypatch, step
):
    out = tmp_path / "run"
    with pytest.MonkeyPatch.context() as patch:
        stop_at(patch, training.Learning, step)
        with pytest.raises(Stopped):
            learn(out, album, encoder_folder)
    assert not out.exists()
    learn(out, album, encoder_folder, replace(QUICK, resume=True))
    assert_same(out, at_once)
    assert losses(out) == losses(at_once)  # each step once, as if nothing had happened


def test_a_training_stopped_twice_and_saved_otherwise_goes_on_to_the_same_weights(
    tmp_path, album, encoder_folder, at_once
):
    out = tmp_path / "run"
    for step, options in ((4, QUICK), (5, replace(QUICK, resume=True, save_every=1))):
        with pytest.MonkeyPatch.context() as patch:
            stop_at(patch, training.Learning, step)
            with pytest.raises(Stopped):
                learn(out, album, encoder_folder, options)
    learn(out, album, encoder_folder, replace(QUICK, resume=True, save_every=100))
    assert_same(out, at_once)


def test_a_training_goes_on_with_what_it_learned_from_pictures_whatever_became_of_them(tmp_path, album, encoder_folder):
    gone = tmp_path / "pictures"
    shutil.copytree(album.parent, gone)
    options = replace(QUICK, unpaired=f"images:{gone}", noise=None)
    learn(tmp_path / "at-once", album, encoder_folder, options)
    out = tmp_path / "run"
    with pytest.MonkeyPatch.context() as patch:
        stop_at(patch, training.Learning, 3)
        with pytest.raises(Stopped):
            learn(out, album, encoder_folder, options)
    shutil.rmtree(gone)
    learn(out, album, encoder_folder, replace(options, resume=True))
    assert_same(out, tmp_path / "at-once")


@pytest.mark.parametrize("moment", ["writing a checkpoint", "saving the run", "naming the run"])
def test_a_training_stopped_while_it_writes_loses_nothing(
    tmp_path, album, encoder_folder, at_once, monkeypatch, moment
):
    out = tmp_path / "run"
    owner, name = {
        "writing a checkpoint": (loop, "write_json"),
        "saving the run": (training.runs, "write_text"),
        "naming the run": (training, "publish"),
    }[moment]
    with pytest.MonkeyPatch.context() as patch:
        real, calls = getattr(owner, name), iter(range(2 if moment == "writing a checkpoint" else 0))

        def stop(*arguments: object) -> None:
            if next(calls, None) is None:
                raise Stopped
            real(*arguments)

        patch.setattr(owner, name, stop)
        with pytest.raises(Stopped):
            learn(out, album, encoder_folder)
    assert not out.exists()
    stop_at(monkeypatch, training.Learning, STEPS - 3 if moment == "writing a checkpoint" else 3)  # no step more
    learn(out, album, encoder_folder, replace(QUICK, resume=True))
    assert_same(out, at_once)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_killed_training_goes_on_to_the_same_weights(tmp_path, album, encoder_folder, at_once):
    """SIGKILL at a random moment after the first checkpoint, in a process of its own."""
    out, begun = tmp_path / "run", tmp_path / "run.partial"
    process = get_context("fork").Process(target=learn_slowly, args=(out, album, encoder_folder))
    process.start()
    deadline = time.monotonic() + 60
    while process.is_alive() and not list(begun.glob("checkpoint-*[0-9]")) and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(random.uniform(0, 0.6))
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL and begun.is_dir() and not out.exists()
    learn(out, album, encoder_folder, replace(QUICK, resume=True))
    assert_same(out, at_once)


def learn_slowly(out: Path, album: Path, encoder: Path) -> None:
    """As `learn`, with a tenth of a second for each step."""
    torch.set_num_threads(1)  # a forked process has lost its parent's threads
    real = training.Learning.loss

    def loss(self, *arguments: object) -> torch.Tensor:
        time.sleep(0.1)
        return real(self, *arguments)

    training.Learning.loss = loss
    learn(out, album, encoder)


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory: pytest.TempPathFactory, album: Path) -> Path:
    """An encoder whose training nobody stopped."""
    out = tmp_path_factory.mktemp("encoder") / "at-once"
    pretrain([f"karpathy:{album}"], out, TOWERS)
    return out


@pytest.mark.parametrize("step", [0, 7])
def test_a_pretraining_stopped_anywhere_goes_on_to_the_same_weights(tmp_path, album, pretrained, step):
    """Also after the pictures were decoded, and with words left out at random."""
    with pytest.MonkeyPatch.context() as patch:
        stop_at(patch, contrast.Contrast, step)
        with pytest.raises(Stopped):
            pretrain([f"karpathy:{album}"], tmp_path / "stopped", TOWERS)
    pretrain([f"karpathy:{album}"], tmp_path / "stopped", replace(TOWERS, resume=True))
    assert_same(tmp_path / "stopped", pretrained)


# What is made or begun is safe.


def test_unfinished_work_is_neither_lost_nor_mixed_with_other_work(tmp_path, album, encoder_folder):
    out = tmp_path / "run"
    with pytest.MonkeyPatch.context() as patch:
        stop_at(patch, training.Learning, 7)
        with pytest.raises(Stopped):
            learn(out, album, encoder_folder)
    begun = sorted(path.name for path in (tmp_path / "run.partial").iterdir())
    with pytest.raises(InputError, match=r"an unfinished run lies at .* --resume or start anew with --overwrite"):
        learn(out, album, encoder_folder)
    with pytest.raises(InputError, match=r"as it was begun, got another noise, seed; repeat the first command"):
        learn(out, album, encoder_folder, replace(QUICK, resume=True, seed=1, noise=0.2))
    assert sorted(path.name for path in (tmp_path / "run.partial").iterdir()) == begun
    learn(out, album, encoder_folder, replace(QUICK, overwrite=True, seed=1))
    assert out.is_dir() and not (tmp_path / "run.partial").exists()


def test_a_damaged_checkpoint_is_one_line(tmp_path, album, encoder_folder):
    out = tmp_path / "run"
    with pytest.MonkeyPatch.context() as patch:
        stop_at(patch, training.Learning, 7)
        with pytest.raises(Stopped):
            learn(out, album, encoder_folder)
    (checkpoint,) = (tmp_path / "run.partial").glob("checkpoint-*")
    assert checkpoint.name == "checkpoint-00000006"
    file = checkpoint / "optimizer.safetensors"
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(
        InputError, match=r"expected a checkpoint of this model in .*checkpoint-00000006, got a damaged"
    ):
        learn(out, album, encoder_folder, replace(QUICK, resume=True))


def test_a_finished_run_is_resumed_by_doing_nothing(tmp_path, album, encoder_folder, at_once):
    shutil.copytree(at_once, tmp_path / "run")
    before = (tmp_path / "run/model.safetensors").stat().st_mtime_ns
    result = train(
        "captioning",
        [f"karpathy:{album}"],
        tmp_path / "run",
        str(encoder_folder),
        "world:32x1",
        replace(QUICK, resume=True),
    )
    assert result.steps == 0 and (tmp_path / "run/model.safetensors").stat().st_mtime_ns == before


def test_an_old_run_makes_room_only_when_the_new_one_is_complete(tmp_path, album, encoder_folder, at_once):
    out = tmp_path / "run"
    shutil.copytree(at_once, out)
    with pytest.MonkeyPatch.context() as patch:
        stop_at(patch, training.Learning, 7)
        with pytest.raises(Stopped):
            learn(out, album, encoder_folder, replace(QUICK, seed=1, overwrite=True))
    assert_same(out, at_once)
    learn(out, album, encoder_folder, replace(QUICK, seed=1, overwrite=True, resume=True))
    with pytest.raises(AssertionError):
        assert_same(out, at_once)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run"]


# The loop itself.


class Line(nn.Module):
    """y = weight * x + bias."""

    def __init__(self) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.zeros(())), nn.Parameter(torch.zeros(()))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.weight * x + self.bias


class Fitting:
    """The smallest job: points on a line, each batch drawn by its step."""

    def __init__(self, bad_step: int | None = None) -> None:
        self.model, self.bad_step = Line(), bad_step

    def batch(self, step: int, part: loop.Part) -> dict[str, torch.Tensor]:
        x = torch.from_numpy(np.random.default_rng(step).normal(size=16).astype(np.float32))[part.rows(16)]
        return {"x": x, "y": 3 * x + 1 + (float("nan") if step == self.bad_step else 0)}

    def loss(self, model: nn.Module, batch: dict[str, torch.Tensor], part: loop.Part) -> torch.Tensor:
        return (model(batch["x"]) - batch["y"]).square().sum() / 16

    def validate(self) -> dict[str, float]:
        return {"off": abs(self.model.weight.item() - 3)}


def test_the_rate_climbs_then_falls_straight_to_zero(tmp_path):
    options = loop.LoopOptions(steps=200, learning_rate=0.5, warmup=10, device="cpu")
    rates = [loop.factor(step, options) for step in range(201)]
    assert np.allclose(np.diff(rates[:11]), 1 / 11) and np.allclose(np.diff(rates[10:]), -1 / 190)
    assert max(rates) == rates[10] == 1.0 and rates[200] == 0.0 and 0 < rates[199] < 0.01
    loop.run(Fitting(), options, tmp_path)
    used = [row["lr"] for row in loop.read_log(tmp_path)]
    assert np.allclose(used, [0.5 * rate for rate in rates[:200]])


def test_a_line_is_found_and_its_progress_written_down(tmp_path):
    job = Fitting()
    options = loop.LoopOptions(steps=300, learning_rate=0.1, device="cpu", validate_every=100)
    result = loop.run(job, options, tmp_path)
    assert abs(job.model.weight.item() - 3) < 0.01 and abs(job.model.bias.item() - 1) < 0.01
    assert result.steps == 300 and result.loss < 1e-3
    measured = [row for row in loop.read_log(tmp_path) if "off" in row]
    assert [row["step"] for row in measured] == [100, 200, 300] and measured[-1]["off"] < 0.01


def test_the_loop_is_plain_adamw(tmp_path):
    """Against the same few steps written down without the loop."""
    job, plain = Fitting(), Line()
    options = loop.LoopOptions(steps=20, learning_rate=0.1, weight_decay=0.1, clip=0.5, device="cpu", accumulate=4)
    loop.run(job, options, tmp_path)
    adam = torch.optim.AdamW(plain.parameters(), 0.1, weight_decay=0.1)
    for step in range(20):
        adam.param_groups[0]["lr"] = 0.1 * (20 - step) / 20
        batch = Fitting().batch(step, loop.Part())
        loss = (plain(batch["x"]) - batch["y"]).square().mean()
        adam.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(plain.parameters(), 0.5)
        adam.step()
    assert torch.allclose(job.model.weight, plain.weight, atol=1e-6)
    assert torch.allclose(job.model.bias, plain.bias, atol=1e-6)


def test_a_loss_that_is_not_finite_stops_the_training_with_the_last_good_checkpoint(tmp_path):
    options = loop.LoopOptions(steps=50, learning_rate=0.1, device="cpu", save_every=5)
    with pytest.raises(InputError, match=r"the loss became nan at step 13; last good checkpoint: checkpoint-00000010"):
        loop.run(Fitting(bad_step=12), options, tmp_path)


def test_only_the_newest_checkpoint_is_kept_and_it_holds_no_pickle(tmp_path):
    options = loop.LoopOptions(steps=23, learning_rate=0.1, device="cpu", save_every=5)
    loop.run(Fitting(), options, tmp_path)
    kept = [path for path in tmp_path.iterdir() if path.name.startswith("checkpoint")]
    assert [path.name for path in kept] == ["checkpoint-00000020"]
    assert {path.suffix for path in kept[0].iterdir()} == {".json", ".safetensors"}


def test_the_parts_of_a_batch_are_the_batch():
    for total, count in ((16, 4), (17, 4), (5, 3)):
        rows = [row for index in range(count) for row in range(total)[loop.Part(index, count).rows(total)]]
        assert rows == list(range(total))


# Two processes.


def two_processes(folder: Path, *told: object) -> dict:
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", free_port()]
    command += ["-m", "imageless", *map(str, told), "--device", "cpu", "--json"]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=300, env=os.environ | {"OMP_NUM_THREADS": "1"}
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)  # one result, not one of each process


def free_port() -> str:
    import socket

    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return str(one.getsockname()[1])


@pytest.fixture
def flags_of() -> Iterator:
    def flags(options: object, names: str) -> list[object]:
        return [word for name in names.split() for word in (f"--{name.replace('_', '-')}", getattr(options, name))]

    yield flags


@pytest.mark.slow
def test_two_processes_train_as_one(tmp_path, album, encoder_folder, at_once, flags_of, own_cache):
    told = ["train", "captioning", f"karpathy:{album}", "--encoder", encoder_folder, "--lm", "world:32x1"]
    flags = flags_of(QUICK, "steps batch_size noise save_every warmup")
    shown = two_processes(tmp_path, *told, "--out", tmp_path / "run", *flags)
    assert shown["final"]["loss"] == pytest.approx(losses(at_once)[-1][1], rel=1e-5)
    for name, weight in weights(at_once).items():
        assert torch.allclose(weight, weights(tmp_path / "run")[name], atol=1e-5), name


@pytest.mark.parametrize("loss", ["softmax", "sigmoid"])
def test_a_batch_in_pieces_pretrains_the_encoder_of_one(tmp_path, album, loss):
    options = replace(TOWERS, captions=2, loss=loss, batch_size=12, steps=4)
    one, cut = (
        pretrain([f"karpathy:{album}"], tmp_path / str(pieces), replace(options, accumulate=pieces))
        for pieces in (1, 3)
    )
    assert cut.final["loss"] == pytest.approx(one.final["loss"], rel=1e-5)
    whole = load_file(tmp_path / "1/model.safetensors")
    for name, weight in load_file(tmp_path / "3/model.safetensors").items():
        assert torch.allclose(weight.float(), whole[name].float(), atol=2e-3), name  # halves, after Adam's small steps


def test_pieces_of_unequal_size_are_refused(tmp_path, album):
    with pytest.raises(InputError, match="expected a batch that can be cut into 5 equal parts, got 12"):
        pretrain([f"karpathy:{album}"], tmp_path / "encoder", replace(TOWERS, batch_size=12, accumulate=5))


@pytest.mark.slow
@pytest.mark.parametrize(("pieces", "loss"), [(1, "softmax"), (2, "softmax"), (1, "sigmoid")])
def test_two_processes_pretrain_as_one(tmp_path, album, flags_of, own_cache, pieces, loss):
    options = replace(TOWERS, captions=2, batch_size=8, loss=loss, steps=3)
    one = pretrain([f"karpathy:{album}"], tmp_path / "one", options)
    flags = flags_of(
        options, "steps batch_size dim text_width text_layers save_every warmup word_dropout captions loss"
    )
    flags += ["--accumulate", pieces]
    two = two_processes(tmp_path, "pretrain", f"karpathy:{album}", "--out", tmp_path / "two", *flags)
    assert two["final"]["loss"] == pytest.approx(one.final["loss"], rel=1e-5)  # cosines are multiplied by a hundred
