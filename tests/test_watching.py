"""Pictures seen anew in each step, and what may then learn along: the image network, bottlenecks in the language model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, GPT2Config, GPT2LMHeadModel, GPTJConfig, GPTJForCausalLM

from conftest import make_album
from imageless import encoders
from imageless.encoders.derived import Tuned, learning
from imageless.errors import InputError
from imageless.models import causal
from imageless.models.bottleneck import behind_attentions
from imageless.models.limber import Limber
from imageless.stages.predict import PredictOptions, Predictor
from imageless.stages.watching import Watching

ALONG = ("--model", "limber", "--steps", 6, "--batch-size", 4, "--device", "cpu", "--learning-rate", 1e-2)


@pytest.fixture(scope="module")
def told(album: Path, encoder_folder: Path, lm: Path) -> tuple[object, ...]:
    """What all of these runs are asked for."""
    return ("train", "captioning", f"karpathy:{album}", "--encoder", f"grid:{encoder_folder}", "--lm", lm, *ALONG)


def weights(run: Path, file: str = "model") -> dict[str, torch.Tensor]:
    return load_file(run / f"{file}.safetensors")


def test_seeing_anew_teaches_what_a_table_teaches(imageless, tmp_path, told):
    for name, more in (("table", ()), ("anew", ("--stream",)), ("pieces", ("--stream", "--accumulate", 2))):
        assert imageless(*told, *more, "--out", tmp_path / name).code == 0
    table, anew, pieces = (weights(tmp_path / name) for name in ("table", "anew", "pieces"))
    for name in table:
        assert torch.allclose(table[name], anew[name], atol=2e-4), name  # a table rounds to float16
        assert torch.allclose(pieces[name], anew[name], atol=1e-5), name
    assert not (tmp_path / "anew/encoder.safetensors").exists()


def test_an_image_network_learns_along_and_the_run_sees_with_it(imageless, tmp_path, told, album, encoder_folder):
    before = weights(encoder_folder)
    out = tmp_path / "run"
    assert imageless(*told, "--tune-encoder", "--out", out).code == 0
    learned, after = weights(out, "encoder"), weights(encoder_folder)
    assert all(torch.equal(before[name], after[name]) for name in before)  # the encoder itself stays as it was
    assert learned and all(name.startswith("image.") for name in learned)  # of the towers, the one that sees
    assert not any(name.startswith("image.head") for name in learned)  # a grid is read before the head
    assert any(not torch.equal(before[name].float(), weight) for name, weight in learned.items())
    assert torch.equal(
        weights(out / "lm")["model.embed_tokens.weight"], weights(lm_of(told))["model.embed_tokens.weight"]
    )
    plain = encoders.load(f"grid:{encoder_folder}", "cpu")
    seen = Predictor(out, PredictOptions(device="cpu")).encoder
    pixels = plain.preprocess(Image.new("RGB", (64, 64), (200, 30, 30)))[None]
    assert isinstance(seen, Tuned) and seen.fingerprint != plain.fingerprint
    assert not torch.allclose(seen.images(pixels), plain.images(pixels), atol=1e-3)
    told_again = imageless("caption", out, album.parent / "000.png", "--device", "cpu", "--json").json
    assert told_again["results"][0]["text"] is not None
    assert imageless("evaluate", out, f"karpathy:{album}", "--device", "cpu", "--out", tmp_path / "scores").code == 0
    assert "its image network learned along" in (out / "README.md").read_text()
    words = [out if word == lm_of(told) else word for word in told]
    assert "expected a run whose encoder stayed as it was" in imageless(*words, "--out", tmp_path / "on").complaint


def lm_of(told: tuple[Any, ...]) -> Path:
    return told[told.index("--lm") + 1]


def test_a_stopped_tuning_goes_on_to_the_same_weights(imageless, tmp_path, told, monkeypatch):
    told = (*told, "--tune-encoder", "--bottleneck", 4, "--save-every", 3)
    assert imageless(*told, "--out", tmp_path / "whole").code == 0
    real, calls = Watching.loss, iter(range(4))

    def stop(self, *arguments: object) -> torch.Tensor:
        next(calls)  # the fifth call finds nothing
        return real(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Watching, "loss", stop)
        with pytest.raises(StopIteration):
            imageless(*told, "--out", tmp_path / "parts")
    assert imageless(*told, "--out", tmp_path / "parts", "--resume").code == 0
    for file in ("model", "encoder"):
        one, other = weights(tmp_path / "whole", file), weights(tmp_path / "parts", file)
        assert one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_an_image_network_learns_more_slowly(imageless, tmp_path, told, encoder_folder):
    before, moved = weights(encoder_folder), {}
    for rate in (0.01, 1.0):
        out = tmp_path / str(rate)
        assert imageless(*told, "--tune-encoder", "--encoder-rate", rate, "--out", out).code == 0
        learned = weights(out, "encoder")
        moved[rate] = sum(float((weight - before[name].float()).abs().sum()) for name, weight in learned.items())
    assert moved[0.01] < 0.1 * moved[1.0]


def test_bottlenecks_learn_in_a_model_that_stays_as_it_is(imageless, tmp_path, told, album, lm):
    out = tmp_path / "run"
    assert imageless(*told, "--bottleneck", 4, "--out", out).code == 0
    learned, frozen, kept = weights(out), weights(out / "lm"), weights(lm)
    assert sorted(learned) == sorted(
        ["project.weight", "project.bias"]
        + [f"bottlenecks.{n}.{layer}.{kind}" for n in (0, 1) for layer in ("down", "up") for kind in ("weight", "bias")]
    )
    assert learned["bottlenecks.0.down.weight"].shape == (8, 32) and learned["bottlenecks.1.up.weight"].abs().max() > 0
    assert frozen.keys() == kept.keys() and all(torch.equal(frozen[name], kept[name]) for name in kept)
    said = [imageless("caption", out, album.parent / "001.png", "--device", "cpu", "--json").json for _ in range(2)]
    assert said[0] == said[1]
    assert "bottlenecks 4 times narrower" in (out / "README.md").read_text()
    scores = tmp_path / "scores"
    assert imageless("evaluate", out, f"karpathy:{album}", "--device", "cpu", "--out", scores).code == 0
    assert json.loads((scores / "scores.json").read_text())["n"] == 6


@pytest.mark.parametrize(
    "lm",
    [
        GPT2LMHeadModel(GPT2Config(vocab_size=50, n_embd=32, n_layer=3, n_head=2)),
        GPTJForCausalLM(GPTJConfig(vocab_size=50, n_embd=32, n_layer=3, n_head=2, rotary_dim=8)),
        causal.small_llama(32, 3, 50, 64),
    ],
    ids=["gpt2", "gptj", "llama"],
)
def test_bottlenecks_start_as_nothing_and_stand_behind_each_attention(lm):
    lm.eval().requires_grad_(False)
    ids = torch.arange(10)[None]
    before = lm(input_ids=ids).logits
    added = behind_attentions(lm, 32, 4)
    assert len(added) == 3
    assert torch.equal(lm(input_ids=ids).logits, before)
    torch.nn.init.normal_(added[1].up.bias)
    assert not torch.allclose(lm(input_ids=ids).logits, before, atol=1e-3)
    assert not any("bottleneck" in name for name in lm.state_dict())


def test_only_what_sees_is_let_learn(encoder_folder):
    encoder: Any = encoders.load(str(encoder_folder), "cpu")
    seeing = learning(encoder)
    named = dict(encoder.model.named_parameters())
    assert {name for name, weight in named.items() if weight.requires_grad} == set(seeing)
    assert any(name.startswith("text.") for name in named) and not any(name.startswith("text.") for name in seeing)
    assert all(weight.grad is None for weight in named.values())
    with pytest.raises(InputError, match=r"expected weights of .*, got others, such as nobody"):
        Tuned(encoder, {"nobody": torch.zeros(1)})


def test_a_picture_that_cannot_be_read_is_passed_over(imageless, tmp_path, told):
    album = make_album(tmp_path, 24)
    (album.parent / "000.png").write_bytes(b"no picture")
    words = [f"karpathy:{album}" if str(word).startswith("karpathy:") else word for word in told]
    ended = imageless(*words, "--stream", "--out", tmp_path / "run")
    assert ended.code == 0 and ended.err.count("teach nothing") == 1


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        (("--stream", "--on", "text"), "--stream: expected --on images"),
        (("--tune-encoder", "--on", "nothing"), "--tune-encoder: expected --on images"),
        (("--bottleneck", 0), "--bottleneck: expected at least 1, got 0"),
        (("--bottleneck", 64), "--bottleneck: expected at most the model's width of 32, got 64"),
        (("--encoder-rate", 0), "--encoder-rate: expected a number above 0"),
    ],
)
def test_what_cannot_be_is_said_in_a_line(imageless, tmp_path, told, more, complaint):
    ended = imageless(*told, *more, "--out", tmp_path / "run")
    assert ended.code == 2 and complaint in ended.complaint


def test_a_run_with_another_bottleneck_is_not_gone_on_from(imageless, tmp_path, told):
    assert imageless(*told, "--bottleneck", 4, "--out", tmp_path / "first").code == 0
    words = [tmp_path / "first" if word == lm_of(told) else word for word in told]
    assert "--bottleneck: expected 4, as" in imageless(*words, "--out", tmp_path / "second").complaint
    assert imageless(*words, "--bottleneck", 4, "--out", tmp_path / "third").code == 0
    assert AutoModelForCausalLM.from_pretrained(tmp_path / "third/lm") is not None
    assert isinstance(Predictor(tmp_path / "third", PredictOptions(device="cpu")).model, Limber)
