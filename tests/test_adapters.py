"""Bridges over the gap: what each does to vectors, that fitting finds what was planted, and that a run applies its half."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

from conftest import make_table
from imageless import adapters, fitting, moments, neighbours
from imageless.adapters import Chain, CovarianceNoise, Gaussian, LinearMap, MeanShift, Noise, RandomShift, Standardize
from imageless.encoders.base import Encoder
from imageless.errors import InputError
from imageless.moments import Pairs
from imageless.options import AdaptOptions, EvaluateOptions, Kind, PredictOptions, TrainOptions
from imageless.stages import embed
from imageless.stages.adapt import adapt
from imageless.stages.evaluate import evaluate
from imageless.stages.predict import Predictor
from imageless.stages.train import train

DIM = 12
KINDS = get_args(Kind)
QUICK = TrainOptions(device="cpu", steps=3, batch_size=8, noise=0.05)


def draw(rows: int, seed: int = 0, dim: int = DIM) -> torch.Tensor:
    return torch.randn(rows, dim, generator=torch.Generator().manual_seed(seed))


def units(rows: int, seed: int = 0, dim: int = DIM) -> torch.Tensor:
    return F.normalize(draw(rows, seed, dim), dim=-1)


# What each does.

EVERY = {
    "noise": Noise(0.3),
    "mean": MeanShift(draw(1, 1)[0]),
    "random": RandomShift(DIM, 0.5),
    "linear": LinearMap(draw(DIM, 2)),
    "covariance": CovarianceNoise(draw(1, 3)[0], draw(DIM, 4)),
    "gaussian": Gaussian(draw(DIM, 2), draw(1, 3)[0], draw(DIM, 4)),
    "standardize": Standardize(0.1 * draw(1, 5)[0], 1 + draw(1, 6)[0].abs()),
    "chain": Chain([MeanShift(draw(1, 1)[0]), CovarianceNoise(draw(1, 3)[0], draw(DIM, 4)), Noise(0.3)]),
}


@pytest.mark.parametrize("name", EVERY)
def test_unit_length_goes_in_and_comes_out(name: str):
    adapter = EVERY[name]
    out = adapter(units(20), draw(20, 7, adapter.draws * DIM))
    assert torch.allclose(out.norm(dim=-1), torch.ones(20), atol=1e-6)


@pytest.mark.parametrize("name", EVERY)
def test_the_same_numbers_give_the_same_vectors_and_eval_mode_draws_nothing(name: str):
    adapter, normal = EVERY[name], draw(20, 7, EVERY[name].draws * DIM)
    assert torch.equal(adapter(units(20), normal), adapter(units(20), normal))
    adapter.eval()
    assert torch.equal(adapter(units(20), normal), adapter(units(20), -normal))
    adapter.train()


def test_arithmetic_is_plain_numpys():
    vectors, normal = units(9), draw(9, 8)
    mean, matrix, stretch = draw(1, 1)[0], draw(DIM, 2), 1 + draw(1, 3)[0].abs()

    def unit(rows: torch.Tensor) -> np.ndarray:
        return rows.numpy() / np.linalg.norm(rows.numpy(), axis=1, keepdims=True)

    plain = {
        MeanShift(mean, -0.5): vectors - 0.5 * mean,
        LinearMap(matrix): torch.stack([matrix.T @ row for row in vectors]),
        CovarianceNoise(mean, matrix, 3.0): torch.stack(
            [row + mean + 3 * matrix @ number for row, number in zip(vectors, normal, strict=True)]
        ),
        Gaussian(matrix, mean, matrix, 0.5): torch.stack(
            [matrix.T @ row + mean + 0.5 * matrix @ number for row, number in zip(vectors, normal, strict=True)]
        ),
        Standardize(mean, stretch): stretch * (vectors - mean),
    }
    for adapter, expected in plain.items():
        np.testing.assert_allclose(adapter(vectors, normal).numpy(), unit(expected), atol=1e-6)


def test_a_random_shift_has_its_magnitude_and_keeps_its_direction():
    shift = RandomShift(DIM, 0.7, seed=3).shift
    assert shift.norm().item() == pytest.approx(0.7)
    assert torch.equal(RandomShift(DIM, 0.7, seed=3).shift, shift)
    assert not torch.allclose(RandomShift(DIM, 0.7, seed=4).shift, shift)


def test_noise_alone_in_a_chain_sees_the_numbers_it_saw_alone():
    normal = draw(5, 1)
    assert torch.equal(Chain([Noise(0.1)])(units(5), normal), Noise(0.1)(units(5), normal))


def test_adapters_of_a_chain_draw_apart():
    seen: list[torch.Tensor] = []

    class Watch(Noise):
        def forward(self, vectors, normal):
            seen.append(normal)
            return vectors

    Chain([Watch(), RandomShift(DIM, 0.1), Watch()])(units(4), draw(4, 2, 2 * DIM))
    assert torch.equal(torch.cat(seen, 1), draw(4, 2, 2 * DIM))


# Moments, and what is fitted to them.


def test_moments_by_pieces_are_the_moments_of_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    raw_text, raw_image = draw(250, 1).numpy(), draw(250, 2).numpy() + 1
    texts, images = make_table(tmp_path / "t", "text", raw_text), make_table(tmp_path / "i", "image", raw_image)
    rows, others = np.random.default_rng(0).permutation(250), np.random.default_rng(1).permutation(250)
    monkeypatch.setattr(moments, "PIECE", 64)
    found = moments.pairs(texts, images, rows, others)
    text, image = (t.unit(r).numpy().astype(np.float64) for t, r in ((texts, rows), (images, others)))
    np.testing.assert_allclose(found.text_text, text.T @ text / 250, atol=1e-6)
    np.testing.assert_allclose(found.text_image, text.T @ image / 250, atol=1e-6)
    np.testing.assert_allclose(found.difference, (image - text).mean(0), atol=1e-6)
    np.testing.assert_allclose(found.difference_covariance, np.cov(image - text, rowvar=False), atol=1e-6)
    side = moments.side(images, others)
    np.testing.assert_allclose(side.mean, image.mean(0), atol=1e-6)
    np.testing.assert_allclose(side.spread, image.std(0), atol=1e-6)


def planted(count: int, move: float = 0.0) -> tuple[Pairs, np.ndarray, np.ndarray]:
    """Pairs whose images are a map of their texts plus noise of a known covariance; map and covariance."""
    draws = np.random.default_rng(0)
    text = draws.normal(size=(count, DIM))
    matrix = np.linalg.qr(draws.normal(size=(DIM, DIM)))[0] if move else np.eye(DIM)
    root = 0.1 * draws.normal(size=(DIM, DIM))
    image = text @ matrix + draws.normal(size=(count, DIM)) @ root.T + 0.3
    apart = image - text
    found = Pairs(
        count,
        text.mean(0),
        image.mean(0),
        text.T @ text / count,
        text.T @ image / count,
        np.atleast_2d(np.cov(apart, rowvar=False)),
    )
    return found, matrix, root @ root.T


def test_a_planted_map_is_found():
    found, matrix, _ = planted(100_000, move=1.0)
    fitted = fitting.fit("linear", found)["matrix"].numpy()
    np.testing.assert_allclose(fitted, matrix, atol=0.02)
    held = fitting.fit("linear", found, ridge=1e6)["matrix"].numpy()
    assert np.abs(held).max() < 1e-3


def test_a_planted_covariance_is_found_and_drawn_from():
    found, _, covariance = planted(100_000)
    fitted = fitting.fit("covariance", found)
    factor = fitted["factor"].numpy()
    np.testing.assert_allclose(factor @ factor.T, covariance, atol=0.01)
    np.testing.assert_allclose(fitted["mean"].numpy(), found.difference)
    drawn = draw(200_000, 3) @ fitted["factor"].float().T
    np.testing.assert_allclose(np.cov(drawn.numpy(), rowvar=False), covariance, atol=0.01)


def test_a_planted_map_with_its_blur_is_found_and_pictures_are_drawn_as_they_are_spread():
    found, matrix, covariance = planted(100_000, move=1.0)
    fitted = {name: tensor.numpy() for name, tensor in fitting.fit("gaussian", found).items()}
    np.testing.assert_allclose(fitted["matrix"], matrix, atol=0.01)
    np.testing.assert_allclose(fitted["mean"], np.full(DIM, 0.3), atol=0.01)
    np.testing.assert_allclose(fitted["factor"] @ fitted["factor"].T, covariance, atol=0.01)
    text, image = found.covariances
    drawn = fitted["matrix"].T @ text @ fitted["matrix"] + fitted["factor"] @ fitted["factor"].T
    np.testing.assert_allclose(drawn, image, atol=1e-4)


def test_too_few_pairs_are_shrunk_as_scikit_learn_does_and_said(caplog: pytest.LogCaptureFixture):
    from sklearn.covariance import oas

    apart = np.random.default_rng(0).normal(size=(40, 64)) * np.linspace(0.1, 2, 64)
    covariance = np.cov(apart, rowvar=False)
    assert fitting.shrinkage(covariance, 40) == pytest.approx(oas(apart)[1], rel=0.05)
    few = Pairs(40, np.zeros(64), np.zeros(64), np.eye(64), np.eye(64), covariance)
    with caplog.at_level(logging.WARNING):
        factor = fitting.fit("covariance", few)["factor"].numpy()
    assert "40 pairs do not fill a covariance of 64 dimensions: shrunk by 0." in caplog.text
    assert np.linalg.eigvalsh(factor @ factor.T).min() > 0.01 > np.linalg.eigvalsh(covariance).min()


@pytest.mark.parametrize("piece", [7, 1000])
def test_the_nearest_sentences_are_those_of_the_plain_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece: int):
    monkeypatch.setattr(moments, "PIECE", piece)
    table = make_table(tmp_path / "t", "text", draw(90).numpy())
    asked = units(5, seed=1).numpy()
    plain = np.argsort(-(asked @ table.unit(np.arange(90)).numpy().T), axis=1)[:, :4]
    assert neighbours.nearest(asked, table, 4).tolist() == plain.tolist()


def test_a_planted_gap_is_found_without_pairs(tmp_path: Path):
    """Sentences come in clumps, as many are said of like things; pictures lie beside clumps, all in one direction."""
    clumps, shift = 3 * draw(8, 1), torch.eye(DIM)[0]
    texts = clumps.repeat(60, 1) + 0.1 * draw(480, 2)
    images = clumps.repeat(5, 1) + 0.1 * draw(40, 3) + shift
    tables = make_table(tmp_path / "t", "text", texts.numpy()), make_table(tmp_path / "i", "image", images.numpy())
    found = moments.pairs(*tables, *neighbours.pairs(*tables, k=20))
    own = np.tile(np.arange(8), 5)
    true = (F.normalize(images, dim=-1) - F.normalize(clumps[own], dim=-1)).mean(0).numpy()
    assert found.count == 800
    np.testing.assert_allclose(found.difference, true, atol=0.02)
    with pytest.raises(InputError, match="--nearest: expected at most the 480 sentences"):
        neighbours.pairs(*tables, k=481)


def test_sentences_and_pictures_that_are_no_pairs_can_be_fitted(
    imageless, tmp_path: Path, album: Path, encoder_folder: Path
):
    words, shown = f"karpathy:{album}?only=text", f"karpathy:{album}?only=image&split=val"
    told = ("adapt", words, shown, "--encoder", encoder_folder, "--device", "cpu", "--out", tmp_path / "near")
    assert "pair them with --nearest 20" in imageless(*told, "--kind", "covariance").complaint
    said = imageless(*told, "--kind", "covariance", "--nearest", 3, "--json").json
    assert said["pairs"] == 18
    assert json.loads((tmp_path / "near" / "config.json").read_text())["settings"]["nearest"] == 3
    assert (
        "standardize needs none" in imageless(*told, "--kind", "standardize", "--nearest", 3, "--overwrite").complaint
    )


def test_standardizing_puts_each_side_in_the_middle(tmp_path: Path):
    texts = make_table(tmp_path / "t", "text", draw(300, 1).numpy() + 1)
    images = make_table(tmp_path / "i", "image", 3 * draw(200, 2).numpy() - 1)
    fitted = fitting.standardized(texts, images, stretch=True)
    text = texts.unit(np.arange(300)) - fitted["text_mean"]
    image = (images.unit(np.arange(200)) - fitted["image_mean"]) * fitted["stretch"]
    assert text.mean(0).abs().max() < 1e-6 and image.mean(0).abs().max() < 1e-6
    np.testing.assert_allclose(text.std(0, correction=0), image.std(0, correction=0), rtol=1e-4)
    assert (fitting.standardized(texts, images, stretch=False)["stretch"] == 1).all()


@pytest.mark.parametrize("vector", [np.zeros(DIM), np.full(DIM, np.nan)])
def test_vectors_without_a_length_are_refused(tmp_path: Path, vector: np.ndarray):
    bad = np.vstack([draw(5, 1).numpy(), vector])
    with pytest.raises(InputError, match="got 1 that are nought or no numbers"):
        moments.side(make_table(tmp_path / "t", "text", bad), np.arange(6))


# The verb, and runs that learned with an adapter.


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory, album: Path, encoder_folder: Path) -> Path:
    """One adapter of each kind, for the tiny encoder."""
    folder = tmp_path_factory.mktemp("adapters")
    for kind in KINDS:
        adapt([f"karpathy:{album}"], folder / kind, str(encoder_folder), kind, AdaptOptions(device="cpu"))
    return folder


@pytest.mark.parametrize("kind", KINDS)
def test_an_adapter_says_what_it_was_fitted_on_and_closes_the_gap(fitted: Path, kind: str):
    about = json.loads((fitted / kind / "config.json").read_text())
    assert about["kind"] == kind and about["pairs"] == (None if kind == "standardize" else 36)
    assert set(about["tables"]) == {"text", "image"}
    assert about["gap"]["after"]["centroid_distance"] < about["gap"]["before"]["centroid_distance"]


@pytest.mark.parametrize("spec", ["random:0.5", "mean", "mean?scale=-1", "linear", "covariance", "covariance?scale=3"])
def test_a_run_learns_through_an_adapter_and_reads_pictures_as_they_are(
    fitted: Path, spec: str, tmp_path: Path, sentences: Path, encoder_folder: Path
):
    named = spec if spec.startswith("random") else str(fitted / spec)
    for name, options in {"plain": QUICK, "adapted": replace(QUICK, adapter=(named,))}.items():
        train("captioning", [f"text:{sentences}"], tmp_path / name, str(encoder_folder), "world:32x1", options)
    plain, adapted = (load_file(tmp_path / name / "model.safetensors") for name in ("plain", "adapted"))
    assert any(not torch.equal(plain[name], adapted[name]) for name in plain)
    predictor = Predictor(tmp_path / "adapted", PredictOptions(device="cpu"))
    pictures = units(3, dim=24)
    assert torch.equal(predictor.seen(pictures), pictures)


@pytest.mark.gpu
@pytest.mark.parametrize("kind", KINDS)
def test_a_run_learns_through_an_adapter_on_a_gpu(
    fitted: Path, kind: str, tmp_path: Path, sentences: Path, encoder_folder: Path
):
    options = replace(QUICK, adapter=(str(fitted / kind),), device="cuda")
    learned = train("captioning", [f"text:{sentences}"], tmp_path / "run", str(encoder_folder), "world:32x1", options)
    assert learned.steps == QUICK.steps


def test_a_standardized_run_moves_pictures_itself(
    fitted: Path, tmp_path: Path, sentences: Path, album: Path, encoder_folder: Path
):
    options = replace(QUICK, adapter=(str(fitted / "standardize"),))
    train("captioning", [f"text:{sentences}"], tmp_path / "run", str(encoder_folder), "world:32x1", options)
    half = load_file(fitted / "standardize" / "adapter.safetensors")
    pictures = units(3, dim=24)
    moved = Predictor(tmp_path / "run", PredictOptions(device="cpu")).seen(pictures)
    assert torch.allclose(moved, F.normalize(pictures - half["image_mean"], dim=-1), atol=1e-6)
    scored = EvaluateOptions(device="cpu", beams=1)
    assert evaluate(tmp_path / "run", [f"karpathy:{album}"], tmp_path / "scores", scored).n == 6


def complaint(spec: str, tmp_path: Path, sentences: Path, encoder_folder: Path, **changes) -> str:
    options = replace(QUICK, adapter=(spec,), **changes)
    with pytest.raises(InputError) as error:
        train("captioning", [f"text:{sentences}"], tmp_path / "run", str(encoder_folder), "world:32x1", options)
    assert "\n" not in str(error.value) and not (tmp_path / "run").exists()
    return str(error.value)


def test_adapters_that_do_not_fit_are_refused_in_one_line(
    fitted: Path, tmp_path: Path, sentences: Path, encoder_folder: Path
):
    told = (tmp_path, sentences, encoder_folder)
    assert "random:MAGNITUDE" in complaint("random:much", *told)
    assert "random:MAGNITUDE" in complaint("random:0.5?size=2", *told)
    assert "random:MAGNITUDE" in complaint("random:nan", *told)
    assert "scale=NUMBER" in complaint(f"{fitted / 'mean'}?scale=inf", *told)
    assert "make one with `imageless adapt`" in complaint("nowhere", *told)
    assert "without scale" in complaint(f"{fitted / 'linear'}?scale=2", *told)
    assert "--on text" in complaint("random:0.5", *told, on="nothing")
    strange = tmp_path / "strange"
    strange.mkdir()
    about = json.loads((fitted / "mean" / "config.json").read_text())
    (strange / "config.json").write_text(json.dumps({**about, "fingerprint": "0" * 64}))
    (strange / "adapter.safetensors").write_bytes((fitted / "mean" / "adapter.safetensors").read_bytes())
    assert "expected an adapter for this encoder" in complaint(str(strange), *told)
    (strange / "config.json").write_text(json.dumps({**about, "kind": "spiral"}))
    assert "is damaged" in complaint(str(strange), *told)
    (strange / "config.json").write_text(json.dumps(about))
    (strange / "adapter.safetensors").write_bytes(b"no weights")
    assert "is damaged" in complaint(str(strange), *told)


def test_fitting_without_pictures_is_refused(tmp_path: Path, sentences: Path, encoder_folder: Path):
    with pytest.raises(InputError, match="found no pictures"):
        adapt([f"text:{sentences}"], tmp_path / "mean", str(encoder_folder), "mean", AdaptOptions(device="cpu"))


def test_the_verb_fits_and_says_the_gap_before_and_after(imageless, tmp_path: Path, album: Path, encoder_folder: Path):
    told = ("adapt", f"karpathy:{album}", "--encoder", encoder_folder, "--device", "cpu", "--out", tmp_path / "mean")
    said = imageless(*told, "--kind", "mean", "--json").json
    assert said.keys() == {"out", "seconds", "kind", "pairs", "gap"}
    assert (said["kind"], said["pairs"]) == ("mean", 36)
    assert said["gap"] == json.loads((tmp_path / "mean/config.json").read_text())["gap"]
    assert said["gap"].keys() == {"before", "after"}
    assert all(gap.keys() == {"paired", "centroid_distance"} for gap in said["gap"].values())
    assert "exists already" in imageless(*told, "--kind", "mean").complaint
    assert "36 pairs" in imageless(*told, "--kind", "linear", "--ridge", 0.1, "--overwrite").out
    assert "spiral" in imageless(*told, "--kind", "spiral").complaint


def test_the_gap_after_is_that_of_the_vectors_a_run_reads(album: Path, fitted: Path, encoder: Encoder):
    texts, images, text_rows, image_rows = embed.pairs([f"karpathy:{album}"], encoder, AdaptOptions(device="cpu"))
    bridge = adapters.load(str(fitted / "covariance"), encoder.fingerprint, encoder.dim)
    moved = bridge.text.eval()(texts.unit(text_rows), torch.empty(len(text_rows), 0))
    pictures = images.unit(image_rows)
    after = json.loads((fitted / "covariance/config.json").read_text())["gap"]["after"]
    assert after["paired"] == pytest.approx((moved * pictures).sum(1).mean().item(), abs=1e-5)
    assert after["centroid_distance"] == pytest.approx((pictures - moved).mean(0).norm().item(), abs=1e-5)
