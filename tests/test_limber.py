"""LiMBeR: one linear map into a frozen language model. What moves, what does not, and that padding is nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor
from transformers import AutoModelForCausalLM

from conftest import sentence
from imageless import runs
from imageless.models import causal
from imageless.models.beams import Search
from imageless.models.limber import Limber
from imageless.options import EvaluateOptions, PredictOptions, TrainOptions
from imageless.records import Example
from imageless.stages import few_shot, push
from imageless.stages import train as training
from imageless.stages.predict import Predictor
from imageless.stages.train import train
from imageless.tokens import encode

WORDS = [sentence(number) for number in range(60)]


def small_lm(seed: int = 0) -> tuple[Any, Any]:
    tokenizer = causal.small_tokenizer(["\n".join(WORDS)], 400, lower_case=True)
    torch.manual_seed(seed)
    return causal.small_llama(32, 2, len(tokenizer), window=384), tokenizer


@pytest.fixture(scope="module")
def lm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A language model as `imageless train language` leaves it, with random weights."""
    folder = tmp_path_factory.mktemp("lm") / "small"
    for part in small_lm():
        part.save_pretrained(folder)
    (folder / causal.MADE).write_text("{}")
    return folder


@pytest.fixture(scope="module")
def limber() -> Limber:
    torch.manual_seed(1)
    return Limber(small_lm()[0], dim=24, length=3, start=1, end=5).eval()


def told(limber: Limber, lengths: tuple[int, ...]) -> tuple[Tensor, Tensor, Tensor]:
    """Vectors and prompts of these lengths, padded on the right."""
    draw = torch.Generator().manual_seed(2)
    vectors = F.normalize(torch.randn(len(lengths), limber.dim, generator=draw), dim=-1)
    words = torch.randint(6, 300, (len(lengths), max(lengths)), generator=draw)
    mask = (torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]).long()
    return vectors, words * mask, mask


def test_a_grid_goes_through_one_map_place_by_place():
    grid = Limber(small_lm()[0], dim=6 * 8, length=4, places=6)
    assert grid.project.weight.shape == (32, 8)
    vectors = F.normalize(torch.randn(2, 48), dim=-1)
    turned = vectors.unflatten(1, (6, 8)).flip(1).flatten(1)
    assert grid.see(vectors).shape == (2, 6, 32)
    assert torch.allclose(grid.see(turned), grid.see(vectors).flip(1), atol=1e-6)


def test_a_picture_starts_with_embeddings_of_the_usual_size(limber):
    usual = limber.lm.get_input_embeddings().weight.std()
    assert 0.7 < limber.see(told(limber, (1,) * 200)[0]).std() / usual < 1.4


def test_a_prompts_padding_changes_nothing(limber):
    vectors, prompts, mask = told(limber, (2, 7))
    choices = torch.tensor([[9, 8, 5], [11, 5, -100]])
    ranked = limber.rank(vectors, prompts, mask, choices)
    alone = limber.rank(vectors[:1], prompts[:1, :2], mask[:1, :2], choices)
    assert torch.allclose(ranked[:1], alone, atol=1e-5)
    together, single = (
        limber.generate(vectors, prompts, mask),
        limber.generate(vectors[:1], prompts[:1, :2], mask[:1, :2]),
    )
    shared = min(together.ids.shape[2], single.ids.shape[2])
    assert torch.equal(together.ids[0, 0, :shared], single.ids[0, 0, :shared])


@pytest.mark.parametrize("beams", [1, 4])
def test_what_is_written_is_as_likely_as_it_is_ranked(limber, beams):
    vectors, prompts, mask = told(limber, (3, 1, 5))
    written = limber.generate(vectors, prompts, mask, Search(beams=beams, longest=6))
    for row in range(3):
        ids = written.ids[row, 0]
        ids = ids[ids != limber.lm.config.pad_token_id]
        words = torch.cat([ids, torch.tensor([5])])[None] if len(ids) < 6 else ids[None]
        ranked = limber.rank(vectors[row : row + 1], prompts[row : row + 1], mask[row : row + 1], words)
        assert torch.allclose(ranked[0, 0], written.scores[row, 0], atol=1e-4)


def test_the_loss_is_that_of_words_one_after_the_other(limber):
    """Against the plain way: one picture, no padding, cross entropy word by word."""
    vectors, prompts, mask = told(limber, (2,))
    targets = torch.tensor([[7, 9, 5], [8, 5, -100]])
    embed = limber.lm.get_input_embeddings()
    plain = torch.zeros(())
    for row in targets:
        row = row[row >= 0]
        before = torch.cat([embed(torch.tensor([[1]])), limber.see(vectors), embed(prompts), embed(row[None])], dim=1)
        said = limber.lm(inputs_embeds=before).logits[0, -len(row) - 1 : -1].log_softmax(-1)
        plain = plain - said.gather(1, row[:, None]).sum()
    loss = limber(vectors, prompts, mask, targets, torch.tensor([0, 0]))
    assert torch.allclose(loss, plain, rtol=1e-4)


# From the command line.


@pytest.fixture(scope="module")
def told_to_learn(album: Path, encoder_folder: Path, lm: Path) -> tuple[object, ...]:
    data = ("train", "captioning", f"karpathy:{album}", "--model", "limber", "--encoder", f"grid:{encoder_folder}")
    return (*data, "--lm", lm, "--steps", 6, "--batch-size", 4, "--device", "cpu")


def test_only_the_map_learns(imageless, tmp_path, told_to_learn, lm, encoder_folder):
    before = load_file(encoder_folder / "model.safetensors")
    assert imageless(*told_to_learn, "--out", tmp_path / "run").code == 0
    learned, frozen = load_file(tmp_path / "run/model.safetensors"), load_file(tmp_path / "run/lm/model.safetensors")
    assert {name: tuple(weight.shape) for name, weight in learned.items()} == {
        "project.weight": (32, 256),
        "project.bias": (32,),
    }
    assert learned["project.bias"].abs().max() > 0  # it was nought
    kept = load_file(lm / "model.safetensors")
    assert frozen.keys() == kept.keys() and all(torch.equal(frozen[name], kept[name]) for name in kept)
    after = load_file(encoder_folder / "model.safetensors")
    assert all(torch.equal(before[name], after[name]) for name in before)
    config = runs.read_config(tmp_path / "run")
    assert (config.model, config.on, config.asked, config.places) == ("limber", "images", "A picture of", 16)


def test_a_stopped_training_goes_on_to_the_same_map(imageless, tmp_path, told_to_learn, monkeypatch):
    told = (*told_to_learn, "--save-every", 3)
    assert imageless(*told, "--out", tmp_path / "whole").code == 0
    real, calls = training.Learning.loss, iter(range(4))

    def stop(self, *arguments: object) -> torch.Tensor:
        next(calls)  # the fifth call finds nothing
        return real(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(training.Learning, "loss", stop)
        with pytest.raises(StopIteration):
            imageless(*told, "--out", tmp_path / "parts")
    assert imageless(*told, "--out", tmp_path / "parts", "--resume").code == 0
    one, other = (load_file(tmp_path / name / "model.safetensors") for name in ("whole", "parts"))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_batch_in_pieces_teaches_the_same_and_the_run_answers(imageless, tmp_path, told_to_learn, album):
    assert imageless(*told_to_learn, "--out", tmp_path / "whole").code == 0
    assert imageless(*told_to_learn, "--out", tmp_path / "pieces", "--accumulate", 2).code == 0
    one, other = (load_file(tmp_path / name / "model.safetensors")["project.weight"] for name in ("whole", "pieces"))
    assert torch.allclose(one, other, atol=1e-5)
    card = (tmp_path / "whole/README.md").read_text()
    assert "LiMBeR" in card and "CLOSE" not in card and "learned from image vectors" in card
    shown = ("caption", tmp_path / "whole", album.parent / "000.png", "--device", "cpu")
    assert "--int8: expected a T5" in imageless(*shown, "--int8").complaint
    said = imageless(*shown, "--json").json
    assert "\n" not in said["results"][0]["text"] and said["results"][0]["score"] < 0
    scored = imageless(
        "evaluate", tmp_path / "whole", f"karpathy:{album}", "--out", tmp_path / "scores", "--device", "cpu"
    )
    assert scored.code == 0 and json.loads((tmp_path / "scores/scores.json").read_text())["n"] == 6


def test_a_caption_ends_with_its_line_where_the_model_is_ours(lm, tmp_path):
    _, tokenizer, start, end = causal.load_frozen(str(lm), 64)
    assert (start, tokenizer.convert_ids_to_tokens(end)) == (1, "Ċ")
    for part in small_lm():
        part.save_pretrained(tmp_path)
    assert causal.load_frozen(str(tmp_path), 64)[3] == tokenizer.eos_token_id
    words = encode(tokenizer, ["A red dog", "A red dog in the snow, on a beach."], 5, ends=(end,))
    assert [int(words.values[offset - 1]) for offset in words.offsets[1:]] == [end, end]
    assert words.lengths.max() == 5 and 1 not in words.values


def test_a_question_goes_around_the_tasks_own_words(imageless, tmp_path, told_to_learn):
    assert imageless(*told_to_learn, "--prompt", "We see {}", "--out", tmp_path / "run").code == 0
    predictor = Predictor(tmp_path / "run", PredictOptions(device="cpu"))
    _, ids, mask = predictor._read(torch.zeros(1, predictor.config.encoder.dim), ["a dog"])
    assert predictor.tokenizer.decode(ids[0][mask[0] > 0]).strip() == "we see a dog"


def test_a_large_language_model_is_named_and_not_copied(imageless, tmp_path, told_to_learn, lm, monkeypatch):
    monkeypatch.setattr(runs, "COPIED", 0)
    assert imageless(*told_to_learn, "--out", tmp_path / "run").code == 0
    assert not list((tmp_path / "run/lm").glob("*.safetensors"))
    _, model, _ = runs.load(tmp_path / "run")
    plain: Any = AutoModelForCausalLM.from_pretrained(lm)
    assert torch.equal(model.lm.get_input_embeddings().weight, plain.get_input_embeddings().weight)


def test_a_run_learns_on_with_its_map_alone(imageless, tmp_path, told_to_learn, lm):
    words = list(told_to_learn)
    assert imageless(*words, "--out", tmp_path / "first").code == 0
    words[words.index("--lm") + 1] = tmp_path / "first"
    assert imageless(*words, "--out", tmp_path / "second").code == 0
    first, second = (load_file(tmp_path / name / "model.safetensors")["project.weight"] for name in ("first", "second"))
    assert not torch.equal(first, second)
    kept = load_file(tmp_path / "second/lm/model.safetensors")
    assert all(torch.equal(kept[name], weight) for name, weight in load_file(lm / "model.safetensors").items())
    words[words.index("--model") + 1] = "close"
    assert "expected --model limber to go on" in imageless(*words, "--out", tmp_path / "third").complaint


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"--lm": "world-causal"}, "expected a language model that has learned, world-causal is one from scratch"),
        ({"--encoder": "grid:grid:world"}, "expected an encoder with a grid behind grid:"),
        ({"--model": "clip"}, "--model"),
    ],
)
def test_a_mistake_is_one_line(imageless, tmp_path, told_to_learn, changed, complaint):
    words = list(told_to_learn)
    for flag, value in changed.items():
        words[words.index(flag) + 1] = value
    assert complaint in imageless(*words, "--out", tmp_path / "run").complaint
    assert not np.any([path.exists() for path in (tmp_path / "run", tmp_path / "run.partial")])


# Questions it was never asked.


def test_turns_are_read_one_after_the_other(limber):
    """Against the plain way: no padding, embeddings in a row."""
    draw = torch.Generator().manual_seed(3)
    vectors = F.normalize(torch.randn(1, 2, 24, generator=draw), dim=-1)
    words = torch.tensor([[[7, 8, 9], [11, 0, 0]]])
    before, mask = limber.turns(vectors, words, (words > 0).long())
    embed = limber.lm.get_input_embeddings()
    parts = [embed(torch.tensor([[1]])), limber.see(vectors[:, 0]), embed(torch.tensor([[7, 8, 9]]))]
    parts += [limber.see(vectors[:, 1]), embed(torch.tensor([[11]]))]
    assert torch.allclose(before[mask > 0], torch.cat(parts, dim=1)[0]) and mask[0, :2].tolist() == [0, 0]
    blind, seen = limber.turns(vectors, words, (words > 0).long(), blind=True)
    assert torch.allclose(blind[seen > 0], torch.cat([parts[0], parts[2], parts[4]], dim=1)[0])


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory, lm: Path) -> Path:
    out = tmp_path_factory.mktemp("runs") / "limber"
    train(
        "captioning",
        ["world"],
        out,
        "grid:world",
        str(lm),
        TrainOptions(device="cpu", steps=2, limit=8, model="limber"),
    )
    return out


@pytest.mark.parametrize("shots", [0, 2])
def test_a_captioner_answers_questions_after_a_few_answered_ones(imageless, tmp_path, reader, shots):
    told = ("evaluate", reader, "world:vqa", "--limit", 12, "--device", "cpu", "--shots", shots)
    scored = imageless(*told, "--out", tmp_path / "scores", "--json").json
    assert scored["n"] == 12 and 0 <= scored["scores"]["accuracy"] <= 1
    lines = [json.loads(line) for line in (tmp_path / "scores/predictions.jsonl").read_text().splitlines()]
    for line in lines:
        assert len(line["text"].split()) <= max(len(answer.split()) for answer in line["references"])
    one = imageless(*told, "--batch-size", 1, "--out", tmp_path / "one", "--json").json
    assert one["scores"] == scored["scores"]  # whoever else is asked at the same time
    imageless(*told, "--blind", "--out", tmp_path / "blind")
    unseen = (tmp_path / "blind/predictions.jsonl").read_text()
    assert unseen != (tmp_path / "scores/predictions.jsonl").read_text()


@pytest.mark.parametrize(
    ("said", "people", "kept"),
    [
        ("yes. it is\nno", ("yes", "no"), "yes"),
        (" two dogs, and more", ("a cat", "dog"), "two dogs"),
        ("", ("no",), ""),
    ],
)
def test_an_answer_is_cut_to_the_longest_of_people_s(said, people, kept):
    assert few_shot._cut(said, people) == kept


def test_what_a_model_writes_of_the_next_text_is_no_answer():
    written = torch.tensor([[7, 9, 1, 8, 1, 5], [7, 9, 8, 8, 8, 8]])
    assert few_shot._first_text(written, 1).tolist() == [[7, 9, 1, 1, 1, 1], written[1].tolist()]
    assert few_shot._first_text(written, None) is written


def test_examples_are_train_questions_drawn_by_seed():
    asked = [Example(str(number), (), "is there a dog?", ("yes",)) for number in range(5)]
    told = (["world:vqa"], EvaluateOptions(shots=3))
    shown, drawn = few_shot._examples(asked, *told)
    again, same = few_shot._examples(asked, *told)
    assert shown == again and np.array_equal(drawn, same) and drawn.shape == (5, 3)
    assert all(len(set(row)) == 3 for row in drawn.tolist())
    assert all(example.image.name.startswith("world/train") for example in shown if example.image)


def test_only_a_frozen_language_model_is_asked_what_it_never_learned(imageless, tmp_path, run, reader):
    told = ("world:vqa", "--limit", 4, "--shots", 1, "--device", "cpu", "--out", tmp_path / "scores")
    alone = ("--limit", 4, "--blind", "--device", "cpu", "--out", tmp_path / "scores")
    assert "--blind: expected --shots" in imageless("evaluate", reader, "world", *alone).complaint
    assert "--shots: expected a run of --model limber" in imageless("evaluate", run, *told).complaint
    assert "at least 0 examples" in imageless("evaluate", reader, *told[:3], "--shots", -1, *told[5:]).complaint
    many = (*told[:3], "--shots", 20, *told[5:])
    assert "--shots: expected at most 384 tokens" in imageless("evaluate", reader, *many).complaint
    assert (
        "--turn: expected a question and an answer" in imageless("evaluate", reader, *told, "--turn", "Q {}").complaint
    )


def test_a_run_on_a_journey_takes_its_grid_and_a_language_model_too_large_to_copy(
    imageless, tmp_path, told_to_learn, album, monkeypatch
):
    monkeypatch.setattr(runs, "COPIED", 0)
    assert imageless(*told_to_learn, "--out", tmp_path / "run").code == 0
    assert not (tmp_path / "run/lm/model.safetensors").exists()
    push.save(tmp_path / "run", tmp_path / "saved")
    assert (tmp_path / "saved/lm/model.safetensors").is_file()
    config = runs.read_config(tmp_path / "saved")
    assert config.encoder.name == "grid:encoder"
    assert runs.encoder_name(tmp_path / "saved", config) == f"grid:{tmp_path / 'saved/encoder'}"
    shown = (album.parent / "000.png", "--device", "cpu", "--json")
    one, other = (imageless("caption", tmp_path / name, *shown).json["results"] for name in ("run", "saved"))
    assert one == other
