"""ONNX graphs say what the run says, by the lines of Python that come with them."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from imageless.options import AdaptOptions, PredictOptions, TrainOptions
from imageless.stages.adapt import adapt
from imageless.stages.predict import Predictor
from imageless.stages.train import train

QUICK = TrainOptions(device="cpu", steps=20, limit=200, noise=0.02, learning_rate=5e-3)


def answers(folder, monkeypatch):
    """`answer` as the folder's README.md has it."""
    monkeypatch.chdir(folder)
    (code,) = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL)
    told: dict = {}
    exec(code, told)
    return told["answer"]


@pytest.mark.slow
@pytest.mark.parametrize("task", ["captioning", "vqa"])
def test_the_graphs_say_what_the_run_says(imageless, run, tmp_path, encoder_folder, monkeypatch, task):
    prompt = ""
    if task == "vqa":
        run, prompt = tmp_path / "run", "how many dogs are there?"
        train("vqa", ["world:vqa"], run, str(encoder_folder), "world:32x1", QUICK)
    told = imageless("export", run, "--out", tmp_path / "onnx", "--json").json
    assert told["difference"] < 1e-4 and {"reads.onnx", "says.onnx", "about.json"} <= set(told["files"])
    about = json.loads((tmp_path / "onnx/about.json").read_text())
    assert about["task"] == task and about["encoder"]["dim"] == 24
    answer = answers(tmp_path / "onnx", monkeypatch)
    predictor = Predictor(run, PredictOptions(device="cpu", beams=1))
    vectors = F.normalize(torch.randn(4, 24, generator=torch.Generator().manual_seed(0)), dim=-1)
    said = [best.text for (best,) in predictor.vectors(vectors, [prompt] * 4)]
    assert [answer(vector, prompt) for vector in vectors.numpy()] == said
    assert "exists already" in imageless("export", run, "--out", tmp_path / "onnx").complaint


@pytest.mark.slow
def test_a_run_that_moves_pictures_takes_that_along(imageless, tmp_path, sentences, album, encoder_folder, monkeypatch):
    adapt([f"karpathy:{album}"], tmp_path / "adapter", str(encoder_folder), "standardize", AdaptOptions(device="cpu"))
    options = replace(QUICK, limit=None, adapter=(str(tmp_path / "adapter"),))
    train("captioning", [f"text:{sentences}"], tmp_path / "run", str(encoder_folder), "world:32x1", options)
    assert imageless("export", tmp_path / "run", "--out", tmp_path / "onnx").code == 0
    answer = answers(tmp_path / "onnx", monkeypatch)
    predictor = Predictor(tmp_path / "run", PredictOptions(device="cpu", beams=1))
    vectors = F.normalize(torch.randn(4, 24, generator=torch.Generator().manual_seed(0)), dim=-1)
    said = [best.text for (best,) in predictor.vectors(predictor.seen(vectors), [""] * 4)]
    assert [answer(vector) for vector in np.asarray(vectors)] == said


def test_what_cannot_be_exported_is_refused(imageless, run, tmp_path, sentences, encoder_folder):
    assert "--to" in imageless("export", run, "--to", "coreml", "--out", tmp_path / "out").complaint
    assert "a finished run" in imageless("export", tmp_path / "none", "--out", tmp_path / "out").complaint
    assert not (tmp_path / "out").exists()
