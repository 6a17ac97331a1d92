"""Pretraining beyond resume: a batch in pieces, and what else decides how the towers learn."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from conftest import read
from imageless import encoders, loop
from imageless.errors import InputError
from imageless.models.dual_encoder import DualEncoder, DualEncoderConfig
from imageless.options import EvaluateOptions, PretrainOptions
from imageless.pictures import FilePicture
from imageless.pixels import Anew, Resize
from imageless.records import Record
from imageless.stages.evaluate import evaluate
from imageless.stages.pretrain import pretrain
from imageless.stages.pretraining import words
from imageless.stages.pretraining.contrast import Contrast
from imageless.stages.pretraining.denoise import Denoise, hidden
from imageless.stages.pretraining.inputs import cropped
from imageless.tokens import train_tokenizer

TOWERS = PretrainOptions(device="cpu", batch_size=12, captions=2, word_dropout=0.2)


def gradients(album: Path, pieces: int, loss: str) -> tuple[float, dict[str, torch.Tensor]]:
    """The loss of a step and the gradient it leaves on every weight, the batch cut into pieces."""
    records = read(f"karpathy:{album}", split="train")
    tokenizer = train_tokenizer((text for record in records for text in record.captions), 300, lower_case=True)
    torch.manual_seed(0)
    shape = DualEncoderConfig(dim=16, text_width=32, text_layers=1, vocabulary=len(tokenizer), bias=loss == "sigmoid")
    model = DualEncoder(shape, temperature=0.1)
    job = Contrast(model, tokenizer, records, [], replace(TOWERS, loss=loss, accumulate=pieces))
    parts = [loop.Part(number, pieces) for number in range(pieces)]
    batches = [job.batch(0, part) for part in parts]
    job.look_ahead(model, batches, parts)
    total = 0.0
    for batch, part in zip(batches, parts, strict=True):
        share = job.loss(model, batch, part)
        share.backward()
        total += float(share.detach())
    return total, {name: weight.grad for name, weight in model.named_parameters() if weight.grad is not None}


@pytest.mark.parametrize("loss", ["softmax", "sigmoid"])
@pytest.mark.parametrize("pieces", [2, 3, 12])
def test_a_batch_in_pieces_has_the_gradient_of_the_whole(album: Path, loss: str, pieces: int):
    whole, wanted = gradients(album, 1, loss)
    cut, found = gradients(album, pieces, loss)
    assert cut == pytest.approx(whole, abs=1e-5)
    assert found.keys() == wanted.keys() >= {"logit_scale"}
    for name, gradient in wanted.items():
        assert torch.allclose(found[name], gradient, atol=1e-6 + 1e-4 * float(gradient.abs().max())), name


# What a tower can learn beside captions.

SMALL = PretrainOptions(device="cpu", steps=4, batch_size=16, limit=64, dim=24, warmup=1, validate_every=2)


@pytest.mark.parametrize(("objective", "measured"), [("classes", "classes_found"), ("denoise", "painted")])
def test_a_tower_learns_without_language_and_only_sees(tmp_path: Path, objective: str, measured: str):
    told = pretrain(["world"], tmp_path / "encoder", replace(SMALL, objective=objective))
    assert told.final.keys() == {"loss", measured}
    encoder = encoders.load(str(tmp_path / "encoder"), device="cpu")
    assert encoder.sides == ("image",)
    assert encoder.images(torch.zeros(2, 3, 64, 64, dtype=torch.uint8)).shape == (2, 24)
    with pytest.raises(InputError, match="sees pictures only; pretrain one with --objective captions"):
        encoder.texts(["a dog"])


def test_labels_teach_labels(tmp_path: Path):
    """Three colours are told apart on pictures never seen."""
    draw = np.random.default_rng(0)
    for split, count in (("train", 20), ("val", 5)):
        for name, colour in (("red", (200, 40, 40)), ("green", (40, 200, 40)), ("blue", (40, 40, 200))):
            (tmp_path / "pictures" / split / name).mkdir(parents=True)
            for number in range(count):
                pixels = (np.array(colour) + draw.normal(0, 20, (64, 64, 3))).clip(0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(tmp_path / "pictures" / split / name / f"{number}.png")
    options = replace(SMALL, objective="classes", steps=40, validate_every=None)
    told = pretrain([f"imagefolder:{tmp_path / 'pictures'}"], tmp_path / "encoder", options)
    assert told.final["classes_found"] > 0.9


def test_a_stopped_objective_goes_on_to_the_same_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    options = replace(SMALL, objective="denoise", steps=6, save_every=2, validate_every=None, crop=0.5)
    pretrain(["world"], tmp_path / "whole", options)
    real, calls = Denoise.loss, iter(range(4))

    def falls_over(self, *told):
        if next(calls, None) is None:
            raise KeyboardInterrupt
        return real(self, *told)

    with monkeypatch.context() as patch:
        patch.setattr(Denoise, "loss", falls_over)
        with pytest.raises(KeyboardInterrupt):
            pretrain(["world"], tmp_path / "stopped", options)
    pretrain(["world"], tmp_path / "stopped", replace(options, resume=True))
    whole = load_file(tmp_path / "whole/model.safetensors")
    assert all(
        torch.equal(value, whole[name]) for name, value in load_file(tmp_path / "stopped/model.safetensors").items()
    )


@pytest.mark.parametrize("name", ["vit_tiny_patch16_224", "resnet10t"])
def test_a_tower_of_timm_s_may_start_from_nothing(tmp_path: Path, name: str):
    options = replace(SMALL, image_encoder=f"scratch:{name}", image_size=64, steps=1, limit=20, batch_size=4)
    pretrain(["world"], tmp_path / "encoder", options)
    encoder = encoders.load(str(tmp_path / "encoder"), device="cpu")
    assert encoder.sides == ("text", "image")
    assert encoder.images(torch.zeros(2, 3, 64, 64, dtype=torch.uint8)).shape == (2, 24)


@pytest.mark.parametrize("objective", ["captions", "classes", "denoise"])
def test_pictures_decoded_anew_teach_the_same(tmp_path: Path, own_cache: Path, objective: str):
    options = replace(
        TOWERS, objective=objective, steps=3, dim=32, text_width=32, text_layers=1, limit=40, validate_every=None
    )
    for stream in (False, True):
        pretrain(["world"], tmp_path / str(stream), replace(options, stream=stream))
    kept, anew = (load_file(tmp_path / name / "model.safetensors") for name in ("False", "True"))
    assert all(torch.equal(kept[name], anew[name]) for name in kept)
    decoded = [folder for folder in (own_cache / "pixels").iterdir() if folder.is_dir()]
    assert len(decoded) == 2  # train, once, and val, by which both are measured


def test_a_picture_that_cannot_be_read_anew_is_grey(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    Image.new("RGB", (8, 8), (200, 0, 0)).save(tmp_path / "good.png")
    (tmp_path / "bad.png").write_bytes(b"no picture")
    anew = Anew([FilePicture(str(tmp_path / name)) for name in ("good.png", "bad.png")], Resize(4))
    seen = anew[np.array([1, 0, 1])]
    assert seen[:, :, 0, 0].tolist() == [[128] * 3, [200, 0, 0], [128] * 3]
    assert list(anew.failed) == [1] and len(caplog.records) == 1


def test_pictures_of_one_class_are_refused(tmp_path: Path, album: Path):
    with pytest.raises(InputError, match=r"expected pictures with labels in .* found 0"):
        pretrain([f"karpathy:{album}"], tmp_path / "encoder", replace(SMALL, objective="classes"))
    with pytest.raises(InputError, match="to lock, scratch:resnet10t starts from scratch"):
        pretrain(["world"], tmp_path / "encoder", replace(SMALL, image_encoder="scratch:resnet10t", lock_image=True))
    with pytest.raises(InputError, match="expected a model of timm, got 'resnet1'"):
        pretrain(["world"], tmp_path / "encoder", replace(SMALL, image_encoder="scratch:resnet1"))


def test_classes_are_named_while_captions_are_learned(tmp_path: Path):
    asked = "world:classes?split=val"
    told = pretrain(["world"], tmp_path / "encoder", replace(SMALL, classes=asked))
    rows = [json.loads(line) for line in (tmp_path / "encoder/log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows if "zero_shot" in row] == [2, 4]
    judge = evaluate(
        tmp_path / "encoder", [asked], tmp_path / "scores", EvaluateOptions(templates="plain", split="val")
    )
    assert told.final["zero_shot"] == pytest.approx(judge.scores["accuracy"], abs=0.01)  # weights are kept as halves


# What is seen of a picture.


def test_a_crop_is_a_part_of_the_picture_and_all_of_it_where_it_must_be():
    ramp = torch.arange(64, dtype=torch.uint8).expand(2, 3, 64, 64).clone()
    whole = cropped(ramp, np.array([[0.9, 0.1, 0.7]] * 2), least=1.0)
    assert torch.equal(whole, ramp)
    quarter = cropped(ramp, np.array([[0.0, 0.0, 0.5], [0.0, 0.999, 0.5]]), least=0.25).float()
    assert quarter[0].min() >= 0 and quarter[0].max() <= 33
    assert quarter[1].min() >= 30 and quarter[1].max() == 63
    assert quarter.shape == ramp.shape


def test_what_is_hidden_is_grey_and_in_patches():
    shown = torch.zeros(1, 1, 8, 8, dtype=torch.bool)
    shown[0, 0, 2, 3] = True
    seen = hidden(torch.full((1, 3, 64, 64), 7, dtype=torch.uint8), shown)
    assert (seen[:, :, 16:24, 24:32] == 7).all()
    assert int((seen == 7).sum()) == 3 * 8 * 8
    assert set(seen.unique().tolist()) == {7, 128}


# Which pairs are learned from.


def told(*captions: tuple[str, ...]) -> list[Record]:
    return [Record(str(number), said) for number, said in enumerate(captions)]


def test_captions_of_rare_words_alone_are_left_out():
    records = told(("a dog", "xqzt"), ("A dog!", "IMG_0001.JPG"), ("the dog", "vbnm"), ("qwer",))
    kept = words.chosen(records, least=2, most=None, seed=0)
    assert [record.captions for record in kept] == [("a dog",), ("A dog!",), ("the dog",)]


def test_a_word_admits_so_many_captions_and_then_another_word_must():
    records = told(*[("dog",)] * 50, *[("dog cat",)] * 3, *[("owl",)] * 4)
    kept = [record.captions[0] for record in words.chosen(records, least=1, most=10, seed=0)]
    assert 10 <= kept.count("dog") + kept.count("dog cat") <= 13
    assert (kept.count("dog cat"), kept.count("owl")) == (3, 4)
    assert kept == [record.captions[0] for record in words.chosen(records, least=1, most=10, seed=0)]


def test_too_strict_a_choice_is_refused():
    with pytest.raises(InputError, match="--word-least, --word-most: expected captions that are kept, 0 of 2 are"):
        words.chosen(told(("a",), ("b",)), least=5, most=None, seed=0)
