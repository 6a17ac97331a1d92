"""The task `language`: documents whose beginning tells what follows, rows that mix nothing, a model that reads context."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from transformers import AutoModelForCausalLM, AutoTokenizer, GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerBase

from conftest import ANIMALS, COLOURS, SHARED, Said, sentence
from imageless import loop
from imageless.errors import InputError
from imageless.models import causal
from imageless.models.language import small_t5
from imageless.models.windows import WINDOW, fit, windows_of
from imageless.options import TrainOptions
from imageless.records import Record
from imageless.stages import train_language as training
from imageless.stages.train import Trained, train
from imageless.tasks import language
from imageless.tokens import train_tokenizer
from imageless.world import corpus
from imageless.world.scenes import scene, split_of

STEPS = 8
QUICK = TrainOptions(device="cpu", steps=STEPS, batch_size=4, save_every=3, limit=60)


# The world's documents.


def test_a_document_speaks_of_scenes_of_its_own_split_alone(monkeypatch):
    drawn = {split: set[str]() for split in corpus.SIZES}

    def noted(split: str, index: int):
        here = scene(split, index)
        drawn[split].add(split_of(here.place, here.groups))
        return here

    monkeypatch.setattr(corpus, "scene", noted)
    written = {split: set(corpus.documents(split, 300)) for split in drawn}
    assert drawn == {split: {split} for split in drawn}
    assert not written["train"] & written["val"] and not written["train"] & written["test"]


def test_documents_are_the_same_whenever_they_are_drawn():
    few, many = list(corpus.documents("val", 20)), list(corpus.documents("val", 60))
    assert many[:20] == few and len(set(many)) > 55
    assert list(corpus.documents("val", 20)) == few


def test_every_kind_of_document_is_written():
    lines = [document.split("\n") for document in corpus.documents("train", 200)]
    openings = [first for first, *_ in lines]
    assert any(first.endswith(("yes.", "no.")) for first in openings)  # questions that no caption stands before
    assert any("guest" in first for first in openings)  # an article
    assert any("->" in first for first in openings)  # keywords
    assert any("matey" in line or "captain" in line for rest in lines for line in rest)  # a voice


def test_the_keywords_before_a_caption_stand_in_it():
    draw = random.Random(0)
    for record in corpus.records("val", 50):
        for caption in record.captions:
            words = corpus.keywords(caption, draw)
            assert 1 <= len(words) <= 2 and set(words) <= set(caption.replace(",", "").split()) - corpus.PLAIN


# What records become.

CAPTIONS = ("a dog", "a dog in the snow")
ASKED = {"question": "is there a dog?", "answers": ["no", "yes", "yes"]}


@pytest.mark.parametrize(
    ("record", "document"),
    [
        (Record("a", CAPTIONS), "a dog\na dog in the snow"),
        (Record("b", CAPTIONS, fields=ASKED), "a dog\na dog in the snow\nis there a dog? yes."),
        (Record("c", fields={**ASKED, "answers": [{"answer": "no"}]}), "is there a dog? no."),
        (Record("d", ("a dog",), fields={"article": "dogs came.\nthey ran."}), "dogs came. they ran.\na dog"),
        (Record("e", CAPTIONS, fields={"question": "who is it?", "answers": []}), "a dog\na dog in the snow"),
    ],
)
def test_a_record_is_written_down_one_thing_a_line(record, document):
    assert language.document([record]) == document


def test_sentences_that_stand_alone_run_on():
    alone = [Record(str(number), (f"sentence {number}",)) for number in range(language.RUNNING + 2)]
    sizes = [len(group) for group in language.groups([*alone, Record("scene", CAPTIONS), alone[0], Record("empty")])]
    assert sizes == [language.RUNNING, 2, 1, 1]


def test_a_probe_joins_to_what_a_document_says():
    """What is measured in context is written as it is in documents, or the figures would be about spaces."""
    record = Record("b", CAPTIONS, fields=ASKED)
    caption, answer = (probe.context + probe.prompt + probe.said for probe in language.probes([record]))
    assert language.document([record]).startswith(caption)
    assert language.document([replace(record, captions=CAPTIONS[:1])]) == f"{answer}."


# Rows of tokens.


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerBase:
    return causal.small_tokenizer((sentence(number) for number in range(60)), 400, lower_case=True)


@pytest.fixture(scope="module")
def model(tokenizer: PreTrainedTokenizerBase) -> nn.Module:
    torch.manual_seed(0)
    llama = causal.small_llama(32, 2, len(tokenizer), WINDOW).eval()
    for name, weight in llama.named_parameters():
        if "norm" not in name:
            nn.init.normal_(weight, std=0.2)  # far from its timid start, so that a leak shows
    return llama


def texts(count: int) -> list[str]:
    draw = random.Random(0)
    return [" ".join(sentence(draw.randrange(60)) for _ in range(draw.randint(1, 12))) for _ in range(count)]


def test_rows_hold_every_piece_once_and_are_nearly_full():
    lengths = np.random.default_rng(0).integers(2, 120, 2000)
    rows = fit(lengths, WINDOW)
    assert sorted(piece for row in rows for piece in row) == list(range(2000))
    filled = [lengths[row].sum() for row in rows]
    assert max(filled) <= WINDOW and np.mean(filled) > 0.95 * WINDOW


def test_a_row_says_each_document_whole(tokenizer):
    windows, said = windows_of(tokenizer, texts(40)), []
    for ids, positions, filled in zip(windows.ids, windows.positions, windows.filled, strict=True):
        starts = np.flatnonzero(positions[:filled] == 0)
        for here, until in zip(starts, [*starts[1:], filled], strict=True):
            assert ids[here] == ids[until - 1] == tokenizer.eos_token_id
            said.append(tokenizer.decode(ids[here + 1 : until - 1]).strip())
    assert sorted(said) == sorted(text.lower() for text in texts(40))


def test_a_document_longer_than_a_row_is_cut_and_nothing_is_lost(tokenizer):
    long = " ".join(texts(60))
    windows = windows_of(tokenizer, [long])
    assert len(windows) > 2 and np.all(windows.positions[:, 0] == 0)
    ids = np.concatenate([row[:filled] for row, filled in zip(windows.ids, windows.filled, strict=True)])
    assert tokenizer.decode(ids[1:-1]).strip() == long.lower()


def test_documents_side_by_side_cost_what_each_costs_alone(model, tokenizer):
    """Nothing in a row is read across documents: the sum over a full row is that of its documents, one a row."""
    packed = windows_of(tokenizer, texts(40))
    alone = [windows_of(tokenizer, [text]) for text in texts(40)]
    with torch.no_grad():
        together = causal.losses(model, **packed.tensors(np.arange(len(packed)))).sum()
        apart = sum(causal.losses(model, **one.tensors(np.array([0]))).sum() for one in alone)
    assert len(packed) < 40 / 2
    torch.testing.assert_close(together, apart, rtol=1e-5, atol=0)


def test_a_changed_document_changes_no_other_in_its_row(model, tokenizer):
    row = windows_of(tokenizer, texts(6)).tensors(np.array([0]))
    second = int((row["positions"][0] == 0).nonzero()[1])
    changed = row | {"ids": row["ids"].clone()}
    changed["ids"][0, 1 : second - 1] = 7
    with torch.no_grad():
        before, after = causal.losses(model, **row)[0], causal.losses(model, **changed)[0]
    assert not torch.allclose(before[: second - 1], after[: second - 1])
    torch.testing.assert_close(before[second:], after[second:])


def test_what_is_left_over_and_where_a_document_starts_is_nobodys_target(tokenizer):
    windows = windows_of(tokenizer, texts(6))
    row = windows.tensors(np.array([len(windows) - 1]))
    asked = row["targets"][0] != causal.IGNORED
    assert not asked[row["positions"][0] == 0].any() and not asked[windows.filled[-1] :].any()
    assert asked.sum() == windows.filled[-1] - (row["positions"][0][: windows.filled[-1]] == 0).sum()


class Mixing(nn.Module):
    """Says of each token what stood before it in the row, whichever text it was in."""

    def forward(self, input_ids: torch.Tensor, position_ids: torch.Tensor, use_cache: bool) -> SimpleNamespace:
        return SimpleNamespace(
            logits=nn.functional.one_hot(input_ids, 9).mul(input_ids[..., None]).cumsum(1).float() ** 2
        )


class Placeless(nn.Module):
    """Takes no positions."""

    def forward(self, input_ids: torch.Tensor, use_cache: bool) -> SimpleNamespace:
        return SimpleNamespace(logits=nn.functional.one_hot(input_ids, 9).float())


def test_a_model_that_reads_across_documents_is_refused(model):
    causal.expect_apart(model, "a llama")
    for other in (Mixing(), Placeless()):
        with pytest.raises(InputError, match="keeps the texts of one row apart, mine mixes them"):
            causal.expect_apart(other, "mine")


def test_a_prompt_can_go_on(tokenizer):
    """The start token stands before a prompt, no end token behind it, and capitals read as the model was taught."""
    ids = tokenizer("A red dog")["input_ids"]
    assert ids[0] == tokenizer.bos_token_id and ids[-1] != tokenizer.eos_token_id
    assert tokenizer.decode(ids, skip_special_tokens=True).strip() == "a red dog"


# The stage.


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "LOG_EVERY", 1)
    monkeypatch.setattr(training, "HELD_OUT", 20)


def learn(out: Path, options: TrainOptions = QUICK, lm: str = "world-causal:32x1", data: str = "world") -> Trained:
    return train("language", [data], out, "not used", lm, options)


@pytest.fixture(scope="module")
def at_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A language model whose training nobody stopped."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "LOG_EVERY", 1)
        patch.setattr(training, "HELD_OUT", 20)
        out = tmp_path_factory.mktemp("lm") / "at-once"
        learn(out)
        return out


def assert_same(one: Path, other: Path) -> None:
    mine, yours = load_file(one / "model.safetensors"), load_file(other / "model.safetensors")
    assert mine.keys() == yours.keys()
    assert [name for name in mine if not torch.equal(mine[name], yours[name])] == []
    assert (one / "log.jsonl").read_text() == (other / "log.jsonl").read_text()
    assert (one / "tokenizer.json").read_text() == (other / "tokenizer.json").read_text()


def test_two_trainings_of_one_seed_are_equal_and_another_seed_differs(tmp_path, at_once):
    learn(tmp_path / "again")
    assert_same(tmp_path / "again", at_once)
    learn(tmp_path / "other", replace(QUICK, seed=1))
    assert (tmp_path / "other/log.jsonl").read_text() != (at_once / "log.jsonl").read_text()


@pytest.mark.parametrize("step", [2, 7])
def test_a_training_stopped_anywhere_goes_on_to_the_same_weights(tmp_path, at_once, step):
    calls, real = iter(range(step)), training._Reading.loss

    def stop(self, *arguments: object) -> torch.Tensor:
        if next(calls, None) is None:
            raise KeyboardInterrupt
        return real(self, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training._Reading, "loss", stop)
        with pytest.raises(KeyboardInterrupt):
            learn(tmp_path / "lm")
    assert not (tmp_path / "lm").exists()
    learn(tmp_path / "lm", replace(QUICK, resume=True))
    assert_same(tmp_path / "lm", at_once)
    done = learn(tmp_path / "lm", replace(QUICK, resume=True))
    assert done.steps == 0 and "held_out" in done.final  # complete already


def test_a_batch_cut_in_pieces_gives_the_same_weights(tmp_path, at_once):
    learn(tmp_path / "lm", replace(QUICK, accumulate=3))
    whole, pieces = load_file(at_once / "model.safetensors"), load_file(tmp_path / "lm/model.safetensors")
    for name in whole:
        torch.testing.assert_close(pieces[name], whole[name], rtol=1e-3, atol=1e-4)


def test_the_folder_is_a_plain_transformers_folder_and_writes(at_once):
    model, tokenizer = AutoModelForCausalLM.from_pretrained(at_once), AutoTokenizer.from_pretrained(at_once)
    prompts = tokenizer(["a dog", "a red car on the"], padding=True, return_tensors="pt")
    assert prompts["input_ids"][0, 0] == tokenizer.pad_token_id  # on the left, so that all go on at the same place
    written = model.generate(**prompts, max_new_tokens=5, do_sample=False)
    assert written.shape[1] > prompts["input_ids"].shape[1]
    assert tokenizer.decode(written[1], skip_special_tokens=True).strip().startswith("a red car on the")
    told = json.loads((at_once / "training.json").read_text())
    assert told["steps"] == STEPS and told["final"]["held_out"] > 0
    card = (at_once / "README.md").read_text()
    assert "library_name: transformers" in card and "caption in context" in card
    assert not list(at_once.glob("checkpoint-*"))


def scenes(path: Path, count: int, split: bool = True) -> str:
    """Scenes whose other captions and answer can only be known from the first caption."""
    draw = random.Random(0)
    with path.open("w") as file:
        for number in range(count):
            colour, animal = draw.choice(COLOURS), draw.choice(ANIMALS)
            said = draw.sample([f"a {colour} {animal}", f"the {animal} is {colour}"], 2)
            row = {
                "captions": said[: 1 + number % 3],
                "question": f"what color is the {animal}?",
                "answers": [colour],
            }
            file.write(json.dumps(row | ({"split": "val" if number % 10 == 0 else "train"} if split else {})) + "\n")
    return f"jsonl:{path}"


def test_a_model_that_learned_reads_what_stands_before(tmp_path, monkeypatch):
    monkeypatch.setattr(training, "HELD_OUT", 100)
    options = TrainOptions(device="cpu", steps=350, batch_size=2, learning_rate=2e-3, warmup=50)
    final = learn(tmp_path / "lm", options, "world-causal:64x2", scenes(tmp_path / "scenes.jsonl", 1000)).final
    assert final["caption_in_context"] < final["caption_alone"] - 0.3
    assert (
        final["answer_in_context"] < math.log(len(COLOURS)) - 0.5
    )  # a blind guess can do no better than the logarithm
    assert final["answer_in_context"] < final["answer_alone"]


def test_where_nothing_is_held_out_some_documents_are_kept_apart(tmp_path, monkeypatch):
    source, seen = scenes(tmp_path / "scenes.jsonl", 200, split=False), []
    real = training.windows_of

    def noted(tokenizer, texts):
        seen.append(list(texts))
        return real(tokenizer, seen[-1])

    monkeypatch.setattr(training, "windows_of", noted)
    final = learn(tmp_path / "lm", replace(QUICK, limit=None), data=source).final
    assert [len(texts) for texts in seen] == [190, 10]
    assert {"held_out", "answer_alone", "answer_in_context"} <= set(final)


def test_a_file_of_sentences_is_running_text(tmp_path, sentences):
    final = learn(tmp_path / "lm", replace(QUICK, limit=None), data=f"text:{sentences}").final
    assert set(final) == {"loss", "held_out"}  # nothing is said twice and nothing asked: no probe can be made


def test_a_model_that_exists_is_fine_tuned(tmp_path, sentences):
    """A GPT-2, which learned positions by heart, has no padding token and ends texts with what it begins them with."""
    tokenizer = train_tokenizer((sentence(number) for number in range(60)), 400)
    tokenizer.pad_token = None
    torch.manual_seed(0)
    ids = dict(bos_token_id=1, eos_token_id=1)
    GPT2LMHeadModel(
        GPT2Config(vocab_size=len(tokenizer), n_embd=32, n_layer=1, n_head=2, n_positions=WINDOW, **ids)
    ).save_pretrained(tmp_path / "gpt2")
    tokenizer.save_pretrained(tmp_path / "gpt2")
    learned = learn(tmp_path / "lm", replace(QUICK, limit=None), str(tmp_path / "gpt2"), f"text:{sentences}")
    losses = [row["loss"] for row in loop.read_log(tmp_path / "lm") if "loss" in row]
    assert losses[-1] < losses[0] and learned.final["loss"] == losses[-1]
    assert AutoModelForCausalLM.from_pretrained(tmp_path / "lm").config.model_type == "gpt2"


@pytest.mark.skipif(not (SHARED / "lm/stories260k").is_dir(), reason="no real data beside the checkout")
def test_a_real_model_is_fine_tuned(tmp_path, sentences):
    options = replace(QUICK, limit=None, learning_rate=1e-3)
    learn(tmp_path / "lm", options, str(SHARED / "lm/stories260k"), f"text:{sentences}")
    losses = [row["loss"] for row in loop.read_log(tmp_path / "lm") if "loss" in row]
    assert losses[-1] < losses[0] < 8


# The command line, and mistakes.


def test_the_command_line_trains_a_language_model(imageless: Callable[..., Said], tmp_path, sentences):
    said = imageless("train", "language", f"text:{sentences}", "--lm", "world-causal:32x1", "--out", tmp_path / "lm",
                     "--steps", 2, "--device", "cpu", "--json")  # fmt: skip
    assert said.json["steps"] == 2 and said.json["final"]["held_out"] > 0


@pytest.mark.parametrize(
    ("options", "lm", "complaint"),
    [
        ({"on": "images"}, "world-causal", "expected no --on for the language task, got images"),
        ({"noise": 0.1}, "world-causal", "expected no --noise for the language task, got 0.1; it reads text alone"),
        ({"adapter": ("random:1",)}, "world-causal", "expected no --adapter for the language task, got random:1"),
        ({"compile": True}, "world-causal", "expected no --compile for the language task"),
        ({}, "world-causal:33x1", "expected a language model such as world-causal:128x2"),
        ({}, "nowhere/at-all", "expected to download nowhere/at-all, got no connection to the Hub"),
        ({"split": "dreams"}, "world-causal", "the world has no split 'dreams'; there are: train, val, test"),
    ],
)
def test_a_mistake_is_one_line(tmp_path, monkeypatch, options, lm, complaint):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(InputError, match=complaint) as mistake:
        learn(tmp_path / "lm", replace(QUICK, **options), lm)
    assert "\n" not in str(mistake.value) and list(tmp_path.iterdir()) == []


def test_a_model_that_is_not_causal_is_one_line(tmp_path, tokenizer):
    small_t5(32, 1, len(tokenizer)).save_pretrained(tmp_path / "t5")
    tokenizer.save_pretrained(tmp_path / "t5")
    with pytest.raises(InputError, match=r"expected a causal language model at .*t5"):
        learn(tmp_path / "lm", lm=str(tmp_path / "t5"))


def test_too_little_text_is_one_line(tmp_path):
    (tmp_path / "one.txt").write_text("a dog\n")
    with pytest.raises(InputError, match="text to learn from and to hold out"):
        learn(tmp_path / "lm", data=f"text:{tmp_path / 'one.txt'}")
