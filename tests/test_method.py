"""The method, as properties: a model that cannot tell a sentence from a picture, and learns from sentences alone."""

from __future__ import annotations

import json
import logging
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

from conftest import make_table
from imageless import data, draws, encoders, noise, pictures
from imageless.adapters import Noise
from imageless.errors import InputError
from imageless.models.close import Close
from imageless.models.language import small_t5
from imageless.options import EvaluateOptions, PredictOptions, TrainOptions
from imageless.pack import pack
from imageless.records import Example
from imageless.stages import embed
from imageless.stages.evaluate import evaluate, others
from imageless.stages.predict import Predictor
from imageless.stages.train import Learning, train
from imageless.tasks import captioning, entailment, vqa
from imageless.tokens import Ragged, train_tokenizer
from imageless.vectors import Scenes

QUICK = TrainOptions(device="cpu", steps=6, batch_size=8, noise=0.1)


def learn(out: Path, data: str, encoder: Path | str, options: TrainOptions = QUICK, lm: str = "world:32x1") -> Path:
    train("captioning", [data], out, str(encoder), lm, options)
    return out


def weights(run: Path) -> dict[str, torch.Tensor]:
    return load_file(run / "model.safetensors")


def same(one: Path, other: Path) -> bool:
    mine, yours = weights(one), weights(other)
    return mine.keys() == yours.keys() and all(torch.equal(mine[name], yours[name]) for name in mine)


@pytest.fixture
def no_picture_opens(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a picture was opened while learning from sentences")

    monkeypatch.setattr(pictures, "load", refuse)
    monkeypatch.setattr("PIL.Image.open", refuse)
    monkeypatch.setattr(pictures.FilePicture, "open", refuse)


# The swap.


def test_a_model_cannot_tell_a_sentence_from_a_picture(run, encoder):
    """Same vector, same words, whichever side it came from."""
    picture = F.normalize(torch.randn(3, encoder.dim, generator=torch.manual_seed(0)), dim=-1)

    class Disguised:
        """Says of pictures what the true encoder would say of sentences that have these very vectors."""

        name, fingerprint, dim, sides, noise = encoder.name, encoder.fingerprint, encoder.dim, encoder.sides, {}
        preprocess = encoder.preprocess

        def images(self, pixels):
            return picture[: len(pixels)] * 7  # raw vectors have any length

    blank = [pictures.BytesPicture(str(number), png()) for number in range(3)]
    seen = list(Predictor(run, PredictOptions(device="cpu"), encoder=Disguised()).pictures(blank))
    read = Predictor(run, PredictOptions(device="cpu")).vectors(picture, [""] * 3)
    assert [answer.nbest for answer in seen] == read


def png() -> bytes:
    import io

    from PIL import Image

    file = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(file, "PNG")
    return file.getvalue()


def test_training_never_opens_an_image(tmp_path, album, encoder_folder, no_picture_opens, own_cache):
    learn(tmp_path / "run", f"karpathy:{album}", encoder_folder)
    assert (tmp_path / "run/config.json").is_file()


def test_the_upper_bound_does_open_them(tmp_path, album, encoder_folder, no_picture_opens, own_cache):
    with pytest.raises(AssertionError, match="a picture was opened"):
        learn(tmp_path / "run", f"karpathy:{album}", encoder_folder, replace(QUICK, on="images"))


def test_the_upper_bound_learns_from_the_other_table(tmp_path, album, encoder_folder):
    run = learn(tmp_path / "run", f"karpathy:{album}", encoder_folder, replace(QUICK, on="images", noise=None))
    config = json.loads((run / "config.json").read_text())
    assert (config["on"], config["noise"], config["examples"]) == ("images", 0.0, 12)


@pytest.mark.skipif(not encoders.WORLD.is_dir(), reason="the encoder that ships with the package is not there yet")
def test_learning_from_sentences_helps_on_pictures(tmp_path):
    """Trained on sentences with noise, a model says more of its pictures than of other pictures' vectors."""
    told = {"steps": 400, "limit": 800, "batch_size": 32, "learning_rate": 2e-3}
    options = TrainOptions(device="cpu", setting="single", **told)
    learn(tmp_path / "run", "world", "world", options, lm="world:64x1")
    scored = EvaluateOptions(device="cpu", limit=100, batch_size=100, beams=1)
    own = evaluate(tmp_path / "run", ["world"], tmp_path / "own", scored)
    others = evaluate(tmp_path / "run", ["world"], tmp_path / "others", replace(scored, control="shuffled"))
    assert own.scores["cider"] > 1.5 * others.scores["cider"]


# The noise.


def test_noise_is_still_in_eval_mode():
    vectors, normal = F.normalize(torch.randn(4, 6), dim=-1), torch.randn(4, 6)
    assert torch.allclose(Noise(0.5).eval()(vectors, normal), vectors)
    assert not torch.allclose(Noise(0.5).train()(vectors, normal), vectors, atol=0.01)


def test_noise_keeps_unit_length_and_comes_from_the_numbers_it_is_given():
    vectors, normal = F.normalize(torch.randn(4, 6), dim=-1), torch.randn(4, 6)
    blurred = Noise(0.5)(vectors, normal)
    assert torch.allclose(blurred.norm(dim=-1), torch.ones(4))
    assert torch.allclose(blurred, F.normalize(vectors + 0.5 * normal, dim=-1))


def test_noise_depends_on_seed_step_and_row_and_on_nothing_else():
    whole = draws.normal(1, 5, rows=8, dim=3)
    torch.manual_seed(99)
    assert torch.equal(whole, draws.normal(1, 5, rows=8, dim=3))
    assert len({tuple(row.tolist()) for row in whole}) == 8
    assert not torch.equal(whole, draws.normal(2, 5, rows=8, dim=3))
    assert not torch.equal(whole, draws.normal(1, 6, rows=8, dim=3))
    assert abs(draws.normal(0, 0, 1000, 50).std().item() - 1) < 0.01


@pytest.mark.parametrize(
    ("scenes", "w"),
    [
        ([("A dog.", ["a dog."]), ("A cat.", ["a cat."])], 0.12),  # each says itself, in lower case
        ([("A dog.", ["an animal.", "it barks."]), ("A cat.", ["a pet."])], 0.04),
        ([("A dog.", ["a dog."]), ("A cat.", ["a dog."])], 0.069),  # half do; a target of another scene does not count
    ],
)
def test_automatic_noise_asks_whether_sentences_say_themselves(scenes, w):
    examples = [Example(scene, (scene,), "", tuple(targets)) for scene, targets in scenes]
    assert noise.from_text(noise.said(pack(examples, str.lower))) == w


@pytest.mark.parametrize(("setting", "w"), [("single", 0.12), ("multiple", 0.04)])
def test_auto_is_a_noise_the_command_line_knows(imageless, tmp_path, album, encoder_folder, setting, w):
    told = ("train", "captioning", f"karpathy:{album}", "--encoder", encoder_folder, "--lm", "world:32x1", "--steps", 2)
    told = (*told, "--setting", setting, "--device", "cpu")
    assert "chosen from the text" in imageless(*told, "--noise", "auto", "--out", tmp_path / "run").err
    config = json.loads((tmp_path / "run/config.json").read_text())
    assert config["noise"] == w and config["options"]["noise"] == "auto"
    assert "--noise" in imageless(*told, "--noise", "much", "--out", tmp_path / "other").complaint
    with pytest.raises(InputError, match="--noise: expected at least 0, got much"):
        learn(tmp_path / "other", f"karpathy:{album}", encoder_folder, replace(QUICK, noise="much"))


def test_pictures_without_captions_take_the_place_of_noise(imageless, tmp_path, album, encoder_folder):
    told = ("train", "captioning", f"karpathy:{album}", "--encoder", encoder_folder, "--lm", "world:32x1", "--steps", 2)
    told = (*told, "--device", "cpu")
    photos = f"images:{album.parent}"
    imageless("embed", f"karpathy:{album}", "--encoder", encoder_folder, "--of", "text", "--out", tmp_path / "table")
    told = (*told, "--vectors", tmp_path / "table")
    seen = imageless(*told, "--noise", "auto", "--unpaired", photos, "--out", tmp_path / "run")
    assert "learned from 24 pictures how they lie beside the sentences nearest to them" in seen.err
    config = json.loads((tmp_path / "run/config.json").read_text())
    assert (config["noise"], config["setting"]) == (0.0, "single")  # though pictures have several captions
    assert "no picture was opened" not in (tmp_path / "run/README.md").read_text()
    again = ("--setting", "single", "--noise", 0, "--adapter", tmp_path / "run/unpaired", "--out", tmp_path / "again")
    assert imageless(*told, *again).code == 0  # what a run keeps is an adapter like any other
    assert imageless(*told, "--setting", "single", "--noise", 0, "--out", tmp_path / "bare").code == 0
    assert same(tmp_path / "run", tmp_path / "again") and not same(tmp_path / "run", tmp_path / "bare")
    assert imageless(*told, "--noise", 0.04, "--unpaired", photos, "--out", tmp_path / "both").code == 0
    assert json.loads((tmp_path / "both/config.json").read_text())["noise"] == 0.04
    sentences = f"text:{tmp_path / 'a.txt'}"
    (tmp_path / "a.txt").write_text("A dog.\n")
    for wrong, word in (
        (("--unpaired", sentences), "expected pictures in"),
        (("--unpaired", photos, "--adapter", "random:1"), "no --adapter"),
        (("--unpaired", photos, "--on", "images"), "--unpaired: expected --on text"),
    ):
        assert word in imageless(*told, *wrong, "--out", tmp_path / "other").complaint


def test_scenes_are_told_once_and_averaged(tmp_path):
    raw = torch.randn(5, 8).numpy()
    table = make_table(tmp_path / "t", "text", raw)
    scenes = Scenes(table, Ragged.of([[0, 1], [2], [0, 1], [3, 4]]))
    kept = table.raw(np.arange(5))
    plain = np.stack([kept[:2].mean(0), kept[2], kept[3:].mean(0)])
    assert len(scenes) == 3
    np.testing.assert_allclose(
        scenes.raw(np.array([2, 0, 1])), (plain / np.linalg.norm(plain, axis=1, keepdims=True))[[2, 0, 1]], atol=1e-6
    )


def test_noise_reaches_the_weights(tmp_path, sentences, encoder_folder):
    still = learn(tmp_path / "still", f"text:{sentences}", encoder_folder, replace(QUICK, noise=0.0))
    blurred = learn(tmp_path / "blurred", f"text:{sentences}", encoder_folder)
    assert not same(still, blurred)


# Runs.


def test_two_runs_with_one_seed_are_equal_and_with_two_seeds_are_not(tmp_path, sentences, encoder_folder):
    one = learn(tmp_path / "one", f"text:{sentences}", encoder_folder)
    torch.manual_seed(123)
    two = learn(tmp_path / "two", f"text:{sentences}", encoder_folder)
    other = learn(tmp_path / "other", f"text:{sentences}", encoder_folder, replace(QUICK, seed=1))
    assert same(one, two) and not same(one, other)


@pytest.mark.slow
@pytest.mark.skipif(not (shutil.which("g++") or shutil.which("clang++")), reason="torch.compile needs a C++ compiler")
def test_a_compiled_run_learns_what_a_plain_one_does(tmp_path, sentences, encoder_folder):
    """In a process of its own: shapes that are checked while tests run cannot be compiled."""
    plain = weights(learn(tmp_path / "plain", f"text:{sentences}", encoder_folder))
    told = f"captioning text:{sentences} --encoder {encoder_folder} --lm world:32x1 --device cpu --compile"
    told += (
        f" --steps {QUICK.steps} --batch-size {QUICK.batch_size} --noise {QUICK.noise} --out {tmp_path / 'compiled'}"
    )
    subprocess.run([sys.executable, "-m", "imageless", "train", *told.split()], check=True)
    compiled = weights(tmp_path / "compiled")
    assert plain.keys() == compiled.keys()
    for name, weight in plain.items():
        assert torch.allclose(weight, compiled[name], atol=1e-4), name


def test_without_a_compiler_a_run_says_so_and_goes_on(tmp_path, sentences, encoder_folder, monkeypatch, caplog):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with caplog.at_level(logging.WARNING):
        learn(tmp_path / "run", f"text:{sentences}", encoder_folder, replace(QUICK, steps=1, compile=True))
    assert "no C++ compiler here" in caplog.text


def test_a_batch_in_two_pieces_gives_the_weights_of_one(tmp_path, sentences, encoder_folder):
    whole = weights(learn(tmp_path / "one", f"text:{sentences}", encoder_folder))
    pieces = weights(learn(tmp_path / "two", f"text:{sentences}", encoder_folder, replace(QUICK, accumulate=2)))
    for name, weight in whole.items():
        assert torch.allclose(weight, pieces[name], atol=1e-6), name


def test_two_precisions_can_be_trained_in_one_process(tmp_path, sentences, encoder_folder):
    rough = learn(tmp_path / "rough", f"text:{sentences}", encoder_folder, replace(QUICK, dtype="bfloat16"))
    exact = learn(tmp_path / "exact", f"text:{sentences}", encoder_folder, replace(QUICK, dtype="float32"))
    assert not same(rough, exact)
    for name, weight in weights(exact).items():
        assert torch.allclose(weight, weights(rough)[name], atol=0.05), name


def test_saved_and_loaded_run_writes_the_same_words(tmp_path, sentences, encoder_folder, monkeypatch):
    """What the model says at the end of training is what the run folder says."""
    from imageless import runs

    kept = {}
    real = runs.save

    def save(folder: Path, model: torch.nn.Module, *rest: object) -> None:
        kept["model"] = model
        real(folder, model, *rest)

    monkeypatch.setattr(runs, "save", save)
    out = learn(tmp_path / "run", f"text:{sentences}", encoder_folder, replace(QUICK, steps=30))
    loaded = Predictor(out, PredictOptions(device="cpu", n_best=3))
    vectors = F.normalize(torch.randn(5, loaded.config.encoder.dim, generator=torch.manual_seed(0)), dim=-1)
    after = loaded.vectors(vectors, [""] * 5)
    loaded.model = kept["model"].eval()
    assert after == loaded.vectors(vectors, [""] * 5)


def test_a_run_has_learned_its_sentences(run, encoder, sentences):
    """Without a gap to cross, a sentence's own vector brings back the sentence."""
    known = [line.lower() for line in sentences.read_text().splitlines()]
    table = embed.texts(sentences.read_text().splitlines(), encoder)
    answers = Predictor(run, PredictOptions(device="cpu")).vectors(table.unit(np.arange(60)), [""] * 60)
    said = [answer[0].text for answer in answers]
    assert sum(one == other for one, other in zip(said, known, strict=True)) > 30


def test_the_run_says_what_it_was_made_of(run, encoder, sentences):
    config = json.loads((run / "config.json").read_text())
    assert config["format"] == 1 and config["task"] == "captioning" and config["setting"] == "single"
    assert config["encoder"] == {"name": encoder.name, "fingerprint": encoder.fingerprint, "dim": encoder.dim}
    assert config["data"] == [f"text:{sentences}"] and config["options"]["seed"] == 0
    card = (run / "README.md").read_text()
    assert "no picture was opened" in card and encoder.fingerprint[:12] in card
    assert not list(run.glob("checkpoint-*")) and not (run / "started.json").exists()


# What is learned from what.


def albums_records(album: Path, split: str = "train"):
    return data.read(f"karpathy:{album}", split)


def test_in_the_multiple_setting_the_other_captions_are_the_targets(album):
    records = list(albums_records(album))
    examples = list(captioning.examples(records, "multiple", "text"))
    assert len(examples) == sum(len(record.captions) for record in records)
    for record, start in zip(records, range(0, len(examples), 3), strict=True):
        for number, example in enumerate(examples[start : start + 3]):
            assert example.scene == (record.captions[number],)
            assert example.targets == tuple(c for turn, c in enumerate(record.captions) if turn != number)


def test_in_the_single_setting_a_caption_is_its_own_target(album):
    for example in captioning.examples(albums_records(album), "single", "text"):
        assert example.targets == example.scene and len(example.scene) == 1


def test_the_setting_follows_the_data_unless_it_is_named(album, sentences):
    assert captioning.choose(albums_records(album), None)[1] == "multiple"
    assert captioning.choose(data.read(f"text:{sentences}"), None)[1] == "single"
    records, setting = captioning.choose(albums_records(album), "single")
    assert setting == "single" and len(list(records)) == 12


def test_choosing_the_setting_loses_no_record(album, monkeypatch):
    monkeypatch.setattr(captioning, "LOOKED_AT", 5)
    records, _ = captioning.choose(albums_records(album), None)
    assert [record.key for record in records] == [record.key for record in albums_records(album)]


@pytest.mark.parametrize("keep_case", [False, True])
def test_targets_are_lower_cased_unless_case_is_kept(tmp_path, sentences, encoder_folder, keep_case):
    learn(tmp_path / "run", f"text:{sentences}", encoder_folder, replace(QUICK, keep_case=keep_case))
    words = json.loads((tmp_path / "run/lm/tokenizer.json").read_text())["model"]["vocab"]
    assert ("ĠA" in words) == keep_case


def test_a_text_is_stored_once_however_many_examples_point_at_it(album):
    examples = list(captioning.examples(albums_records(album), "multiple", "text"))
    packed = pack(examples, str.lower)
    assert len(packed) == len(examples) and len(packed.scenes) == len({e.scene[0] for e in examples})
    for row in (0, 7, len(packed) - 1):
        told = [packed.targets[number] for number in packed.targets_of.flat(np.array([row]))[0]]
        assert told == [target.lower() for target in examples[row].targets]


# The order of things.


def test_each_epoch_sees_each_example_once_whether_or_not_lengths_are_sorted():
    lengths = np.arange(96) % 13
    for given in (None, lengths):
        order = draws.Order(96, 8, seed=0, lengths=given)
        epochs = [np.concatenate([order(step) for step in range(start, start + 12)]) for start in (0, 12, 24)]
        assert all(sorted(rows) == list(range(96)) for rows in epochs)
        assert not np.array_equal(epochs[0], epochs[1])


def test_batches_of_like_length_need_less_padding():
    lengths = np.random.default_rng(0).integers(3, 30, 4096)

    def padding(order: draws.Order) -> int:
        return sum(int((lengths[rows].max() - lengths[rows]).sum()) for rows in map(order, range(128)))

    assert padding(draws.Order(4096, 32, 0, lengths)) < 0.2 * padding(draws.Order(4096, 32, 0))


@pytest.mark.parametrize(("task", "answers"), [(vqa, ("yes", "no, not at all")), (entailment, entailment.LABELS)])
def test_answers_are_not_sorted_by_their_length(task, answers):
    """Else whole batches would ask for nothing but "yes", and whole batches for nothing but "no"."""
    examples = [Example(str(number), ("a dog",), "is there a dog?", (answers[number % 2],)) for number in range(256)]
    job = Learning(
        Close(small_t5(32, 1, 400), dim=24),
        train_tokenizer([*answers] * 9, 400),
        pack(examples, str.lower),
        None,
        Noise(0.0),
        task.defaults(None),
        replace(QUICK, batch_size=16),
    )
    for step in range(16):
        asked = job.order(step) % 2
        assert 0 < asked.sum() < len(asked)


def test_an_order_can_be_asked_anywhere():
    """Step 17 is the same batch, whether or not the steps before it were asked for."""
    lengths = np.arange(50) % 7
    once = draws.Order(50, 8, 3, lengths)
    in_turn = [once(step) for step in range(20)]
    assert np.array_equal(draws.Order(50, 8, 3, lengths)(17), in_turn[17])


# Answers.


def test_a_split_is_scored_with_its_own_pictures_and_the_control_with_others(tmp_path, run, album):
    options = EvaluateOptions(device="cpu", split="test", images=str(album.parent))
    evaluate(run, [f"karpathy:{album}"], tmp_path / "own", options)
    lines = [json.loads(line) for line in (tmp_path / "own/predictions.jsonl").read_text().splitlines()]
    predictor = Predictor(run, PredictOptions(device="cpu"))
    seen = list(predictor.pictures([r.image for r in albums_records(album, "test") if r.image]))
    assert [line["text"] for line in lines] == [prediction.text for prediction in seen]
    assert all(len(line["references"]) == 3 and "cider" in line["scores"] for line in lines)


def test_in_the_control_every_picture_gets_another_pictures_vector():
    rows = np.array([4, 4, 9, 2, 2, 7, 9])  # a picture asked about twice is still one picture
    for seed in range(20):
        given = others(rows, seed)
        assert (given != rows).all()
        assert np.array_equal(others(rows, seed), given)
        assert len(set(zip(rows.tolist(), given.tolist(), strict=True))) == len(set(rows.tolist()))


def test_captions_are_scored_in_the_space_of_another_encoder_too(imageless, tmp_path, run, album, encoder):
    told = ("evaluate", run, f"karpathy:{album}", "--device", "cpu", "--clipscore", encoder.name)
    scored = imageless(*told, "--out", tmp_path / "scores", "--json").json["scores"]
    lines = [json.loads(line) for line in (tmp_path / "scores/predictions.jsonl").read_text().splitlines()]
    shown = {record.key: record.image for record in albums_records(album, "test")}
    for line in lines:
        picture = encoder.preprocess(pictures.load(shown[line["key"]]))
        seen = F.normalize(encoder.images(picture[None]), dim=-1)
        said = F.normalize(encoder.texts(["A photo depicts " + line["text"]]), dim=-1)
        assert line["scores"]["clip_score"] == pytest.approx(2.5 * max(float(seen @ said.T), 0), abs=1e-2)
    assert scored["clip_score"] == pytest.approx(np.mean([line["scores"]["clip_score"] for line in lines]))
    assert 0 <= scored["ref_clip_score"] <= 1


def test_joined_data_may_share_keys(tmp_path, run, album):
    """Two files whose pictures have the same keys are scored as twice as many pictures."""
    options = EvaluateOptions(device="cpu", images=str(album.parent))
    once = evaluate(run, [f"karpathy:{album}"], tmp_path / "once", options)
    twice = evaluate(run, [f"karpathy:{album}"] * 2, tmp_path / "twice", options)
    assert (once.n, twice.n) == (6, 12)
