"""Captions written by a language model: who is asked, for which words, with how much patience, and what is kept."""

from __future__ import annotations

import gzip
import json
import logging
import re
import shutil
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from conftest import SHARED, sentence
from imageless import data
from imageless.analysis import reproduce
from imageless.errors import InputError
from imageless.options import PredictOptions, SynthesizeOptions, TrainOptions
from imageless.stages import synthesize as stage
from imageless.stages.synthesize import Synthesized, synthesize
from imageless.synthesis import endpoint, keywords, writers
from imageless.synthesis.filters import Caption, habits, reasons
from imageless.synthesis.prompts import Prompts, tidy

STORIES = SHARED / "lm/stories260k"
LOOSE = SynthesizeOptions(
    device="cpu", count=8, shots=3, longest=12, keywords_needed=0, least_words=1, keep_unfinished=True
)
PLAIN = SynthesizeOptions(count=6, shots=3, batch_size=2, retries=3, timeout=5.0, least_words=1)


@pytest.fixture(scope="module")
def lm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A GPT-2 that has read a few prompts; its tokenizer has no pad token and ends every text, as some do."""
    return make_lm(tmp_path_factory.mktemp("lm") / "gpt2", positions=256)


def make_lm(folder: Path, positions: int) -> Path:
    from transformers import GPT2Config, GPT2LMHeadModel

    from imageless.tokens import train_tokenizer

    captions = [sentence(number) for number in range(60)]
    tokenizer = train_tokenizer(captions, vocabulary=400)
    tokenizer.pad_token = None
    config = GPT2Config(
        vocab_size=len(tokenizer) + 9,  # some rows of the output layer stand for no token, as in many models
        n_positions=positions,
        n_embd=32,
        n_layer=2,
        n_head=2,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        bos_token_id=None,
        eos_token_id=1,
        pad_token_id=None,
    )
    torch.manual_seed(0)
    model, prompts = GPT2LMHeadModel(config), Prompts(captions, keywords.content_words, "", replace(PLAIN, shots=4))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for step in range(60):
        shown = ["\n".join(prompts.shots(step * 16 + row)) for row in range(16)]
        tokens = torch.tensor([row[:40] for row in tokenizer(shown, add_special_tokens=False)["input_ids"]])
        model(input_ids=tokens, labels=tokens).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.with_suffix(".jsonl").read_text().splitlines()]


# Keywords.


def test_keywords_are_the_words_that_say_what_is_seen():
    told = ["A man's two dogs are riding in front of the fire hydrant.", "The T-shirt, and 3 of us!", "Ein Fuß."]
    found = list(keywords.content_words(told))
    assert found == [("man", "dogs", "riding", "front", "fire", "hydrant"), ("t-shirt",), ("ein", "fuß")]
    assert keywords.most_frequent([("b", "a"), ("a",), ("c", "b")], most=2) == ["a", "b"]


@pytest.mark.parametrize(
    "forms",
    [
        *("dog dogs", "ride riding rides", "run running", "puppy puppies", "man men", "person people", "bus buses"),
        *("glass glasses", "knife knives", "leaf leaves", "play playing plays played", "box boxes", "shoe shoes"),
    ],
)
def test_another_form_of_a_word_will_do(forms):
    assert len({keywords.stem(form) for form in forms.split()}) == 1
    assert keywords.has(f"A {forms.split()[-1]}.", forms.split()[0])


@pytest.mark.parametrize("words", ["king kin", "red re", "string str", "glass gla", "feed fe", "dog door"])
def test_other_words_will_not(words):
    assert len({keywords.stem(word) for word in words.split()}) == 2


def test_a_keyword_of_two_words_has_to_stand_together():
    assert keywords.has("Two fire hydrants.", "fire hydrant") and not keywords.has("A hydrant on fire.", "fire hydrant")


def test_taggers_say_how_to_get_them(monkeypatch):
    monkeypatch.setitem(sys.modules, "spacy", None)
    monkeypatch.setitem(sys.modules, "nltk", None)
    with pytest.raises(InputError, match="pip install spacy"):
        keywords.extractor("spacy:en_core_web_sm")
    with pytest.raises(InputError, match="pip install nltk"):
        keywords.extractor("nltk")
    with pytest.raises(InputError, match="expected nltk or spacy:MODEL"):
        keywords.extractor("stanza")


def test_taggers_keep_nouns_verbs_and_adjectives(monkeypatch):
    tags = {"a": "DET", "brown": "ADJ", "dog": "NOUN", "is": "VERB", "barking": "VERB", "loudly": "ADV"}
    penn = {"DET": "DT", "ADJ": "JJ", "NOUN": "NN", "VERB": "VBG", "ADV": "RB"}

    def pipe(texts: list[str]) -> Iterator[list[SimpleNamespace]]:
        for text in texts:
            yield [SimpleNamespace(text=word, pos_=tags[word.lower()]) for word in text.split()]

    monkeypatch.setitem(sys.modules, "spacy", SimpleNamespace(load=lambda name: SimpleNamespace(pipe=pipe)))
    tagger = SimpleNamespace(pos_tag=lambda words: [(word, penn[tags[word]]) for word in words])
    monkeypatch.setitem(sys.modules, "nltk", tagger)
    for name in ("spacy:any", "nltk"):
        found = list(keywords.extractor(name)(["A brown dog is barking loudly"]))
        assert found == [("brown", "dog", "barking")]


def test_a_missing_model_of_a_tagger_is_one_line(monkeypatch):
    def fail(*_: object) -> None:
        raise OSError("[E050] Can't find model")

    def lack(*_: object) -> None:
        raise LookupError("a page of advice")

    monkeypatch.setitem(sys.modules, "spacy", SimpleNamespace(load=fail))
    monkeypatch.setitem(sys.modules, "nltk", SimpleNamespace(pos_tag=lack))
    with pytest.raises(InputError, match="python -m spacy download en_core_web_sm"):
        keywords.extractor("spacy:en_core_web_sm")
    with pytest.raises(InputError, match=r"python -m nltk\.downloader"):
        keywords.extractor("nltk")


def test_uniform_keywords_are_uniform_and_never_twice_the_same():
    sampler = keywords.Uniform(["a1", "b1", "c1", "d1"], each=2, seed=0)
    pairs = [sampler.draw(number) for number in range(2000)]
    counts = Counter(word for pair in pairs for word in pair)
    assert all(len(set(pair)) == 2 for pair in pairs) and max(counts.values()) < 1.1 * min(counts.values())
    other = keywords.Uniform(["a1", "b1", "c1", "d1"], each=2, seed=1)
    assert sampler.draw(7) == pairs[7] and pairs[:9] != [other.draw(number) for number in range(9)]


def talkative(pair: tuple[str, ...], number: int) -> str:
    """A language model that writes what it is asked for, and "man" in every second caption, but never "zebra"."""
    said = [word for word in pair if word != "zebra"]
    return " ".join(said + ["man"] * (number % 2))


def distance(counts: np.ndarray, target: np.ndarray) -> float:
    """Total variation between the words written and the corpus'."""
    return float(np.abs(counts / counts.sum() - target).sum() / 2)


def test_unigram_keywords_bring_what_is_written_to_the_frequencies_of_the_corpus():
    """Better than asking in the corpus' proportions, although the model has habits; each round comes nearer."""
    named = ["man", "dog", "table", "horse", "kite", "red", "sofa"]
    corpus = [word for word, times in zip(named, (400, 250, 150, 100, 50, 30, 20), strict=True) for _ in range(times)]
    sampler = keywords.Unigram(named, corpus, each=2, seed=0, captions=64)
    plain = keywords.Unigram(named, corpus, each=2, seed=0, captions=64)
    far, written = [], []
    for start in range(0, 64 * 20, 64):
        pairs = [sampler.draw(number) for number in range(start, start + 64)]
        written += [talkative(plain.draw(number), number) for number in range(start, start + 64)]
        sampler.saw((talkative(pair, place), pair) for place, pair in enumerate(pairs))
        far.append(distance(sampler.written, sampler.target))
    assert far[-1] < 0.02 < far[0]
    assert far[-1] < 0.3 * distance(plain.count(written), plain.target)


def test_a_word_the_model_refuses_to_write_does_not_crowd_out_the_others():
    named = ["zebra", "dog", "table", "horse"]
    corpus = ["zebra"] * 5 + ["dog"] * 50 + ["table"] * 30 + ["horse"] * 15
    sampler = keywords.Unigram(named, corpus, each=2, seed=0, captions=64)
    for start in range(0, 64 * 50, 64):
        pairs = [sampler.draw(number) for number in range(start, start + 64)]
        sampler.saw((talkative(pair, 0), pair) for pair in pairs)
    asked = Counter(word for pair in pairs for word in pair)
    assert asked["zebra"] < 32 < asked["dog"]
    assert distance(sampler.written[1:], sampler.target[1:] / sampler.target[1:].sum()) < 0.03


def test_unigram_counts_keywords_of_several_words():
    sampler = keywords.Unigram(["fire hydrant", "fire"], ["A fire hydrant on fire."], each=1, seed=0, captions=1)
    assert sampler.count(["fire hydrant, fire"]).tolist() == [1, 2]


# The prompt.


class Roomy:
    """A writer that takes prompts of so many lines, and is never asked to write."""

    def __init__(self, most: int = 1000):
        self.most = most

    def fits(self, prompt: str) -> bool:
        return prompt.count("\n") + 1 <= self.most

    def write(self, asked: object) -> Iterator[writers.Written]:
        raise AssertionError("asked to write")


def prompts(**changes: Any) -> Prompts:
    captions = [sentence(number) for number in range(60)]
    return Prompts(captions, keywords.content_words, "sentences.txt", replace(PLAIN, **changes))


def test_a_prompt_shows_captions_behind_their_own_keywords_and_ends_with_new_ones():
    asked = prompts(shots=10).ask(0, ("fire", "hydrant"), Roomy()).asked.prompt.split("\n")
    assert len(asked) == 12 and asked[0] == PLAIN.instruction and asked[-1] == "fire, hydrant:"
    for line in asked[1:-1]:
        words, caption = line.split(": ")
        first, second = words.split(", ")
        assert first != second and first in caption.lower() and second in caption.lower()


def test_a_prompt_depends_on_seed_and_number_only():
    one, other = prompts(), prompts(batch_size=7, count=99)
    same = [maker.ask(5, ("a", "b"), Roomy()) for maker in (one, other)]
    assert same[0] == same[1] != one.ask(6, ("a", "b"), Roomy())
    assert same[0] != prompts(seed=1).ask(5, ("a", "b"), Roomy())


def test_examples_that_do_not_fit_are_left_out():
    asked = prompts(shots=10).ask(0, ("a", "b"), Roomy(most=6))
    whole = prompts(shots=10).ask(0, ("a", "b"), Roomy())
    assert (asked.shots, whole.shots) == (4, 10)
    assert asked.asked.prompt.split("\n")[1:] == whole.asked.prompt.split("\n")[-5:]


@pytest.mark.parametrize(
    "told", ["A red dog.", "red, dog: A red dog.", '"A red dog."', "  A  red dog. ", "Red, dog: “A red dog.”"]
)
def test_a_caption_is_taken_out_of_what_a_talkative_model_wraps_it_in(told):
    assert tidy(told, ("red", "dog")) == "A red dog."


# A local language model.


def local(lm: Path, **changes: Any) -> writers.LocalWriter:
    return writers.LocalWriter(str(lm), replace(LOOSE, **changes))


def asked(count: int) -> list[writers.Asked]:
    """Prompts of different lengths."""
    return [writers.Asked(n, "\n".join(sentence(n + i) for i in range(n % 4 + 1)) + "\nred:", n) for n in range(count)]


def told(writer: writers.Writer, count: int = 8) -> list[writers.Written]:
    return sorted(writer.write(asked(count)), key=lambda written: written.number)


def test_batch_size_and_company_do_not_change_what_is_written(lm):
    together = told(local(lm, batch_size=8))
    assert together == told(local(lm, batch_size=1)) == told(local(lm, batch_size=3))
    assert next(iter(local(lm).write(asked(8)[5:6]))) == together[5]


def test_every_caption_has_draws_of_its_own(lm):
    writer = local(lm, longest=6)
    same = [writers.Asked(number, "a dog:", seed) for number, seed in enumerate([1, 2, 3, 1])]
    texts = [written.text for written in writer.write(same)]
    assert texts[0] == texts[3] and len(set(texts)) == 3


def test_draws_follow_the_model(lm):
    """The first token of 4,000 captions is as frequent as the model says, also with a temperature."""
    writer = local(lm, longest=1, temperature=0.7, batch_size=4000)
    tokens = torch.tensor([writer._tokens("a dog:")])
    logits = writer.model(tokens).logits[0, -1] / 0.7
    logits[writer.known :] = float("-inf")
    choose = writer._draws([writers.Asked(n, "", n) for n in range(4000)], width=1)
    drawn = choose(torch.zeros(4000, 1), writer.model(tokens).logits[0, -1].repeat(4000, 1)).argmax(dim=-1)
    rates = torch.bincount(drawn, minlength=len(logits)) / 4000
    assert (rates - logits.softmax(dim=-1)).abs().sum() / 2 < 0.11  # about what 4,000 fair draws of 300 tokens give


def test_top_p_draws_only_from_the_likeliest():
    chances = torch.tensor([[0.1, 0.5, 0.25, 0.15]])
    assert writers._likeliest(chances, 0.7).tolist() == [[0.0, 0.5, 0.25, 0.0]]
    assert writers._likeliest(chances, 0.01).tolist() == [[0.0, 0.5, 0.0, 0.0]]
    assert writers._likeliest(chances, 1.0) is chances


def test_a_caption_ends_at_the_line_or_at_the_end_token(lm):
    writer = local(lm)
    newline = next(token for token in range(writer.known) if writer.tokenizer.decode([token]) == "\n")
    words = writer.tokenizer(" A red dog", add_special_tokens=False)["input_ids"][:3]
    one = writers.Asked(0, "", 0)
    for end in (newline, 1):
        line = writer._line(one, 10, [*words, end, *words, 0])
        assert (line.text, line.finished, line.tokens) == (writer.tokenizer.decode(words).strip(), True, 14)
    assert not writer._line(one, 10, words).finished


def test_a_prompt_is_not_closed_by_the_tokenizers_end_token(lm):
    writer = local(lm)
    assert writer.tokenizer("a dog:")["input_ids"][-1] == 1 and writer._tokens("a dog:")[-1] != 1


def test_resumed_captions_are_those_of_a_run_that_never_stopped(tmp_path, lm, sentences, monkeypatch):
    """Stopped in the middle of a round, with half a line on disk, and gone on with another batch size."""
    options = replace(LOOSE, count=20, sampling="unigram")
    monkeypatch.setattr(stage, "LEAST_ROUND", 6)
    whole = synthesize(str(lm), str(sentences), tmp_path / "whole.txt", None, options)
    with monkeypatch.context() as patch:
        patch.setattr(writers.LocalWriter, "write", stops_after(9, writers.LocalWriter.write))
        with pytest.raises(KeyboardInterrupt):
            synthesize(str(lm), str(sentences), tmp_path / "resumed.txt", None, replace(options, batch_size=2))
    work = tmp_path / "resumed.txt.partial"
    assert not (tmp_path / "resumed.txt").exists() and len((work / "written.jsonl").read_text().splitlines()) == 9
    with (work / "written.jsonl").open("a") as file:
        file.write('{"number": 9, "te')
    resumed = replace(options, batch_size=5, resume=True)
    again = synthesize(str(lm), f"text:{sentences}", tmp_path / "resumed.txt", None, resumed)
    for suffix in (".txt", ".jsonl"):
        assert (tmp_path / f"resumed{suffix}").read_text() == (tmp_path / f"whole{suffix}").read_text()
    assert (again.kept, again.tokens) == (whole.kept, whole.tokens) and not work.exists()
    once_more = synthesize(str(lm), str(sentences), tmp_path / "resumed.txt", None, resumed)
    assert once_more == replace(again, out=tmp_path / "resumed.txt")


def stops_after(count: int, write: Callable) -> Callable:
    left = [count]

    def stopping(self: writers.LocalWriter, asked: list[writers.Asked]) -> Iterator[writers.Written]:
        for written in write(self, asked):
            if left[0] == 0:
                raise KeyboardInterrupt
            left[0] -= 1
            yield written

    return stopping


def test_unfinished_work_goes_on_only_as_it_was_begun(tmp_path, lm, sentences):
    strict = replace(LOOSE, least_words=39, most_words=39)
    with pytest.raises(InputError, match=r"all 8 were left out \(8 short\); loosen"):
        synthesize(str(lm), str(sentences), tmp_path / "out.txt", None, strict)
    with pytest.raises(InputError, match="unfinished captions lie at"):
        synthesize(str(lm), str(sentences), tmp_path / "out.txt", None, LOOSE)
    with pytest.raises(InputError, match="got another temperature"):
        synthesize(str(lm), str(sentences), tmp_path / "out.txt", None, replace(LOOSE, resume=True, temperature=2.0))
    done = synthesize(str(lm), str(sentences), tmp_path / "out.txt", None, replace(LOOSE, resume=True))
    assert done.written == 8 and done.per_second == 0  # the filter alone was loosened: nothing is written twice


def test_a_short_context_has_fewer_examples(tmp_path, sentences, caplog):
    short = make_lm(tmp_path / "short", positions=128)
    result = synthesize(str(short), str(sentences), tmp_path / "out.txt", None, replace(LOOSE, shots=30))
    assert 0 < result.shots < 6 and "has room for about" in caplog.text
    with pytest.raises(InputError, match="expected room for one example"):
        synthesize(str(short), str(sentences), tmp_path / "no.txt", None, replace(LOOSE, longest=110))


def test_what_is_no_causal_language_model(tmp_path, sentences):
    from imageless.models.language import small_t5
    from imageless.tokens import train_tokenizer

    small_t5(32, 1, 320).save_pretrained(tmp_path / "t5")
    train_tokenizer(["a dog"], 320).save_pretrained(tmp_path / "t5")
    (tmp_path / "empty").mkdir()
    for name in ("t5", "empty"):
        with pytest.raises(InputError, match="expected a causal language model"):
            synthesize(str(tmp_path / name), str(sentences), tmp_path / "out.txt", None, LOOSE)
    assert {path.name for path in tmp_path.iterdir()} == {"t5", "empty"}


@pytest.mark.skipif(not STORIES.is_dir(), reason=f"no trained language model at {STORIES}")
def test_a_trained_model_writes_with_llamas_tokenizer(tmp_path, sentences):
    options = replace(LOOSE, count=6, shots=8, longest=24, top_p=0.9)
    synthesize(str(STORIES), str(sentences), tmp_path / "one.txt", None, options)
    synthesize(str(STORIES), str(sentences), tmp_path / "two.txt", None, replace(options, batch_size=2))
    assert (tmp_path / "one.txt").read_text() == (tmp_path / "two.txt").read_text()
    assert "�" not in (tmp_path / "one.txt").read_text()


def test_from_examples_to_a_captioner(tmp_path, lm, sentences):
    """Sentences, captions like them, a model trained on those, and a caption for a picture: no picture before the last."""
    from imageless.stages.predict import Predictor
    from imageless.stages.train import train

    name, seen = (STORIES, 0.9) if STORIES.is_dir() else (lm, 1.0)
    told = synthesize(str(name), str(sentences), tmp_path / "told.txt", None, replace(LOOSE, count=24, top_p=seen))
    learning = TrainOptions(device="cpu", steps=4, batch_size=8, noise=0.06)
    train("captioning", [f"text:{told.out}"], tmp_path / "run", "world", "world:32x1", learning)
    picture = next(data.read("world", split="test", limit=1)).image
    answer = next(iter(Predictor(tmp_path / "run", PredictOptions(device="cpu")).pictures([picture])))
    assert answer.error is None and isinstance(answer.text, str)


@pytest.mark.slow
def test_the_papers_voices_from_examples_to_captions_of_pictures(
    tmp_path, lm, sentences, album, encoder_folder, monkeypatch
):
    shutil.copytree(album.parent, tmp_path / "data/coco")
    (tmp_path / "data/coco/dataset.json").rename(tmp_path / "data/coco/dataset_coco.json")
    (tmp_path / "data/coco/val2014").mkdir()
    voices = tmp_path / "data/voices"
    voices.mkdir()
    for name in ("ego-centric.txt", "uplifting.txt", "character.txt"):
        shutil.copy(sentences, voices / name)
    (voices / "names.txt").write_text("Ada\nBill\n")
    reviews = Path(__file__).parent / "data/readers/reviews.jsonl"
    (voices / "reviews.jsonl.gz").write_bytes(gzip.compress(reviews.read_bytes()))
    whole = reproduce.read("styles", "paper")
    loose = "--longest 12 --keywords-needed 0 --least-words 1 --keep-unfinished --device cpu"
    make = {
        name: re.sub(r"--count \d+ --shots \d+", f"--count 6 --shots 2 {loose}", text)
        for name, text in whole.make.items()
    }
    quick = f"{whole.train} --steps 2 --device cpu"
    monkeypatch.setattr(
        reproduce, "read", lambda *_: replace(whole, make=make, train=quick, evaluate=whole.evaluate + " --beams 1")
    )
    names = {"writer": str(lm), "lm": "world:32x1", "encoder": str(encoder_folder)}
    made = reproduce.reproduce("styles", "paper", tmp_path / "table", tmp_path / "data", names=names)
    assert list(made["rows"]) == ["ego-centric", "uplifting", "character", "reviews"]
    said = [json.loads(line) for line in (tmp_path / "table/made/character.jsonl").read_text().splitlines()]
    assert {word for line in said for word in line["keywords"]} <= {"ada", "bill"} and len(said) == 6
    assert all(cells["content"]["n"] > 0 for cells in made["rows"].values())


# An endpoint.


Answer = tuple[int, dict[str, str], bytes]


class Stand:
    """A server on loopback that answers as it is told; it keeps what it was asked."""

    def __init__(self, answer: Callable[[dict[str, Any], int], Answer | None]):
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.under_way = self.most_under_way = 0
        self.closing, lock, stand = threading.Event(), threading.Lock(), self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with lock:
                    stand.asked.append(body | {"path": self.path})
                    stand.keys.append(self.headers["Authorization"])
                    number = len(stand.asked)
                    stand.under_way += 1
                    stand.most_under_way = max(stand.most_under_way, stand.under_way)
                told = answer(body, number)
                with lock:
                    stand.under_way -= 1
                if told is None:
                    stand.closing.wait()
                    return
                status, headers, content = told
                self.send_response(status)
                for name, value in ({"Content-Length": str(len(content))} | headers).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        self.lm = f"http://127.0.0.1:{self.server.server_port}/v1?model=small"

    def close(self) -> None:
        self.closing.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Stand]]:
    stands: list[Stand] = []
    monkeypatch.setattr(endpoint, "FIRST_PAUSE", 0.01)
    monkeypatch.setenv("no_proxy", "*")
    for name in endpoint.KEYS:
        monkeypatch.delenv(name, raising=False)

    def start(answer: Callable[[dict[str, Any], int], Answer | None]) -> Stand:
        stands.append(Stand(answer))
        return stands[-1]

    yield start
    for stand in stands:
        stand.close()


def says(text: str | None, reason: str = "stop") -> Answer:
    choice = {"message": {"role": "assistant", "content": text}, "text": f" {text}\n", "finish_reason": reason}
    usage = {"prompt_tokens": 100, "completion_tokens": 10}
    return 200, {}, json.dumps({"choices": [choice], "usage": usage}).encode()


def fails(status: int, words: str = "no", **headers: str) -> Answer:
    return status, headers, json.dumps({"error": {"message": words}}).encode()


def obeys(body: dict[str, Any], number: int = 0) -> Answer:
    """A model that writes what it is asked for."""
    told = body["prompt"] if "prompt" in body else body["messages"][0]["content"]
    first, second = told.rsplit("\n", 1)[1].rstrip(":").split(", ")
    return says(f"A {first} and a {second}.")


def test_an_endpoint_writes_captions(tmp_path, serve, sentences, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "secret-1")
    stand = serve(obeys)
    options = replace(PLAIN, price_per_million_tokens=2.0, temperature=0.5)
    result = synthesize(stand.lm, str(sentences), tmp_path / "out.txt", None, options)
    assert (result.written, result.tokens, result.cost) == (6, 660, 0.0013) and stand.most_under_way <= 2
    assert {body["path"] for body in stand.asked} == {"/v1/chat/completions"}
    body = stand.asked[0]
    assert (body["model"], body["temperature"], body["top_p"], body["max_tokens"]) == ("small", 0.5, 1.0, 64)
    assert len({body["seed"] for body in stand.asked}) == 6 and set(stand.keys) == {"Bearer secret-1"}
    kept = [line for line in lines(result.out) if line["kept"]]
    assert [line["text"] for line in kept] == result.out.read_text().splitlines()
    assert all(word in line["text"] for line in kept for word in line["keywords"])
    assert "secret-1" not in "".join(path.read_text() for path in tmp_path.iterdir())


def test_completions_stop_at_the_line(tmp_path, serve, sentences):
    stand = serve(obeys)
    result = synthesize(stand.lm, str(sentences), tmp_path / "out.txt", None, replace(PLAIN, api="completions"))
    assert stand.asked[0]["path"] == "/v1/completions" and stand.asked[0]["stop"] == ["\n"] and result.written == 6


def test_openai_by_name_wants_a_key_and_takes_another_address(tmp_path, serve, sentences):
    with pytest.raises(InputError, match=r"expected a key for https://api\.openai\.com/v1"):
        synthesize("openai:any", str(sentences), tmp_path / "out.txt", None, PLAIN)
    stand = serve(obeys)
    address = stand.lm.partition("?")[0]
    synthesize("openai:any", str(sentences), tmp_path / "out.txt", None, replace(PLAIN, base_url=address))
    assert stand.asked[0]["model"] == "any" and stand.keys[0] is None


@pytest.mark.parametrize(
    ("trouble", "headers"),
    [(429, {}), (429, {"Retry-After": "0.01"}), (500, {}), (503, {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"})],
)
def test_a_busy_endpoint_is_asked_again(tmp_path, serve, sentences, trouble, headers):
    stand = serve(lambda body, number: fails(trouble, **headers) if number in (1, 3, 4) else obeys(body))
    result = synthesize(stand.lm, str(sentences), tmp_path / "out.txt", None, PLAIN)
    assert result.written == 6 and len(stand.asked) == 9


BABBLE = [
    b"<html>busy</html>",
    b"[]",
    b'{"choices": []}',
    b'{"choices": [{"message": {"content": 7}}]}',
    b"\xff\xfe",
    b"",
]


def test_babble_is_asked_again(tmp_path, serve, sentences):
    stand = serve(lambda body, number: (200, {}, BABBLE[number - 1]) if number <= len(BABBLE) else obeys(body))
    result = synthesize(stand.lm, str(sentences), tmp_path / "out.txt", None, replace(PLAIN, retries=6))
    assert result.written == 6 and len(stand.asked) == 6 + len(BABBLE)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda body, number: fails(500, "out of order"), r"got HTTP 500: out of order \(asked 4 times\)"),
        (lambda body, number: (200, {}, b"<p>hello"), r"got no completion but '<p>hello' \(asked 4 times\)"),
        (lambda body, number: (200, {"Content-Length": "99"}, b"{"), r"got no completion but '\{'"),
    ],
)
def test_an_endpoint_that_stays_broken_costs_nothing_that_is_written(tmp_path, serve, sentences, answer, words):
    broken = serve(lambda body, number: obeys(body) if number <= 3 else answer(body, number))
    out = tmp_path / "out.txt"
    with pytest.raises(InputError, match=f"{words}.*--resume") as error:
        synthesize(broken.lm, str(sentences), out, None, replace(PLAIN, batch_size=1))
    assert "\n" not in str(error.value) and not out.exists()
    told = (tmp_path / "out.txt.partial/written.jsonl").read_text().splitlines()
    assert len(told) == 3
    mended = serve(obeys)
    named = replace(PLAIN, resume=True, base_url=None)
    with pytest.raises(InputError, match="got another lm"):
        synthesize(mended.lm, str(sentences), out, None, named)
    broken.close()
    mended.close()


def test_a_mended_endpoint_goes_on_where_it_broke(tmp_path, serve, sentences):
    whole = synthesize("openai:x", str(sentences), tmp_path / "whole.txt", None, at(serve(obeys)))
    broken = serve(lambda body, number: obeys(body) if number <= 3 else fails(502))
    with pytest.raises(InputError, match="HTTP 502"):
        synthesize("openai:x", str(sentences), tmp_path / "out.txt", None, at(broken))
    done = len((tmp_path / "out.txt.partial/written.jsonl").read_text().splitlines())
    mended = serve(obeys)
    synthesize("openai:x", str(sentences), tmp_path / "out.txt", None, replace(at(mended), resume=True))
    assert len(mended.asked) == 6 - done and done == 3
    assert (tmp_path / "out.jsonl").read_text() == (tmp_path / "whole.jsonl").read_text() and whole.written == 6


def at(stand: Stand) -> SynthesizeOptions:
    return replace(PLAIN, base_url=stand.lm.partition("?")[0])


def test_answers_that_come_while_another_request_fails_are_kept(tmp_path, serve, sentences):
    slow = threading.Event()

    def answer(body: dict[str, Any], number: int) -> Answer:
        if number == 1:
            slow.wait(5)
            return obeys(body)
        if number == 2 + PLAIN.retries:
            threading.Timer(0.05, slow.set).start()
        return fails(500)

    stand = serve(answer)
    with pytest.raises(InputError, match="HTTP 500"):
        synthesize(stand.lm, str(sentences), tmp_path / "out.txt", None, PLAIN)
    assert len((tmp_path / "out.txt.partial/written.jsonl").read_text().splitlines()) == 1


def test_an_endpoint_that_never_answers(tmp_path, serve, sentences):
    stand = serve(lambda body, number: None)
    quick = replace(PLAIN, timeout=0.2, retries=1)
    with pytest.raises(InputError, match=r"got no answer within 0\.2 s \(asked 2 times\)"):
        synthesize(stand.lm, str(sentences), tmp_path / "out.txt", None, quick)


def test_an_endpoint_that_is_not_there(tmp_path, serve, sentences):
    stand = serve(obeys)
    stand.close()
    with pytest.raises(InputError, match=r"got no answer .*refused.*asked 2 times"):
        synthesize(stand.lm, str(sentences), tmp_path / "out.txt", None, replace(PLAIN, retries=1))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (fails(401, "bad key"), "HTTP 401: bad key; check the key in IMAGELESS_API_KEY or OPENAI_API_KEY"),
        (fails(404, "no model small"), "HTTP 404: no model small; check the address and the model's name"),
        (fails(400, "too many tokens in the prompt"), "HTTP 400: too many tokens in the prompt; lower --shots"),
        (fails(429, "You exceeded your quota (insufficient_quota)"), "expected credit left"),
        (fails(307, Location="http://elsewhere.invalid/"), "HTTP 307"),
    ],
)
def test_what_will_not_pass_is_not_tried_again(tmp_path, serve, sentences, answer, words):
    stand = serve(lambda body, number: answer)
    with pytest.raises(InputError) as error:
        synthesize(stand.lm, str(sentences), tmp_path / "out.txt", None, replace(PLAIN, batch_size=1))
    assert words in str(error.value) and len(stand.asked) == 1


def test_fields_that_an_endpoint_refuses_are_renamed_or_left_out(tmp_path, serve, sentences):
    def picky(body: dict[str, Any], number: int) -> Answer:
        if "max_tokens" in body:
            return fails(400, "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.")
        return fails(422, "extra field seed") if "seed" in body else obeys(body)

    stand = serve(picky)
    synthesize(stand.lm, str(sentences), tmp_path / "out.txt", None, replace(PLAIN, batch_size=1))
    assert len(stand.asked) == 8 and stand.asked[-1]["max_completion_tokens"] == 64


def test_a_caption_that_an_endpoint_will_not_write_is_counted(tmp_path, serve, sentences):
    told = [fails(400, "flagged by content_filter"), says(None), says("A cut", reason="length")]
    stand = serve(lambda body, number: told[number - 1] if number <= 3 else obeys(body))
    result = synthesize(stand.lm, str(sentences), tmp_path / "out.txt", None, replace(PLAIN, batch_size=1))
    assert result.left_out["short"] == 2 and result.left_out["unfinished"] == 1


@pytest.mark.parametrize(
    ("lm", "base_url", "words"),
    [
        ("http://localhost:1/v1", None, "expected the name of a model"),
        ("http:///v1?model=x", None, "expected an address"),
        ("openai:", None, "expected the name of a model"),
        ("http://localhost:1/v1?model=x", "http://localhost:2", "expected one address"),
        ("gpt2", "http://localhost:1", "expected --lm openai:NAME with --base-url"),
    ],
)
def test_addresses_that_are_none(lm, base_url, words):
    with pytest.raises(InputError, match=words):
        writers.writer(lm, replace(PLAIN, base_url=base_url))


# What is kept.


def captions(*texts: str, words: tuple[str, ...] = ("red", "dog"), finished: bool = True) -> list[Caption]:
    return [Caption(number, text, words, finished, 1, 1) for number, text in enumerate(texts)]


def why(*texts: str, examples: tuple[str, ...] = (), **changes: Any) -> list[str | None]:
    return reasons(captions(*texts), examples, replace(SynthesizeOptions(), **changes))


def test_a_caption_is_left_out_for_the_first_reason_found():
    told = ["A red dog sits.", "", "Red dogs " * 30, "A red cat sits.", "a red dog sits", "Two RED dogs sit!"]
    assert why(*told, examples=("two red dogs sit.",)) == [None, "short", "long", "keywords", "duplicate", "copied"]
    assert why("A red cat.", "A blue cat.", keywords_needed=1) == [None, "keywords"]
    cut = captions("A red dog sits", finished=False)
    assert reasons(cut, (), SynthesizeOptions()) == ["unfinished"]
    assert reasons(cut, (), SynthesizeOptions(keep_unfinished=True)) == [None]


def test_phrases_in_very_many_captions_are_thinned_out_by_chance():
    """49 captions share a phrase and stay; of 200 about a quarter goes at a count of 200 / 800."""
    few = [f"red dog over the hill {word_of(number)}" for number in range(49)]
    assert why(*few) == [None] * 49
    many = [f"red dog over {word_of(number)} the" for number in range(200)] + [
        f"{word_of(number)} red dog on it" for number in range(200)
    ]
    judged = why(*many)
    assert judged[:200] == [None] * 200 and set(judged[200:]) == {None, "repeated"}
    assert 30 <= judged.count("repeated") <= 70
    assert judged == why(*many) != why(*many, seed=1)
    assert set(why(*many, repeats_scale=200)[200:]) == {"repeated"}


def word_of(number: int) -> str:
    return "".join(chr(ord("a") + int(digit)) for digit in str(number))


def test_habits_are_the_words_written_far_more_often_than_in_the_reference():
    reference = ["a living room with a balcony"] * 99 + ["a door opens onto a balcony"]
    written = ["a living room that opens onto the balcony"] * 23 + ["a living room with a balcony"] * 77
    found = {habit.word: habit for habit in habits(written, reference)}
    assert found["opens"].times == pytest.approx(23 / 2, rel=0.1) and (
        found["opens"].written,
        found["opens"].reference,
    ) == (23, 1)
    assert "room" not in found and "balcony" not in found and "a" not in found


# Files and manners.


def test_the_command_line(imageless, tmp_path, lm, sentences):
    (tmp_path / "words.txt").write_text("Red\ndog\n\nfire hydrant\nred\n")
    out = tmp_path / "out.txt"
    told = ("synthesize", "--lm", lm, "--examples", sentences, "--keywords", tmp_path / "words.txt", "--out", out)
    loose = (
        "--count",
        5,
        "--shots",
        2,
        "--longest",
        6,
        "--keywords-needed",
        0,
        "--least-words",
        1,
        "--keep-unfinished",
    )
    said = imageless(*told, *loose, "--device", "cpu", "--seed", 3, "--json")
    assert said.json.keys() == set(Synthesized.__dataclass_fields__) and said.json["out"] == str(out)
    assert said.json["kept"] == len(out.read_text().splitlines()) == 5 - sum(said.json["left_out"].values())
    assert [line["number"] for line in lines(out)] == [0, 1, 2, 3, 4]
    for line in lines(out):
        assert line.keys() - {"why"} == {"text", "keywords", "seed", "number", "kept"} and line["seed"] == 3
        assert line["kept"] == ("why" not in line) and set(line["keywords"]) <= {"red", "dog", "fire hydrant"}
    report = json.loads((tmp_path / "out.report.json").read_text())
    assert report["options"]["count"] == 5 and report["lm"] == str(lm) and report["kept"] == said.json["kept"]
    assert {path.name for path in tmp_path.iterdir()} == {"words.txt", "out.txt", "out.jsonl", "out.report.json"}
    assert "exists already" in imageless(*told, *loose, "--device", "cpu").complaint
    again = imageless(*told, *loose, "--device", "cpu", "--overwrite")
    assert again.code == 0 and again.out.startswith(f"{out}: ") and "captions/s" in again.out


def test_examples_may_be_any_data(tmp_path, lm, album):
    result = synthesize(str(lm), f"karpathy:{album}", tmp_path / "out.txt", None, LOOSE)
    assert result.written == 8 and json.loads((tmp_path / "out.report.json").read_text())["options"]["split"] == "train"


def test_keywords_may_be_those_of_other_data(tmp_path, lm, album, sentences, caplog):
    caplog.set_level(logging.INFO)
    synthesize(str(lm), str(sentences), tmp_path / "out.txt", f"karpathy:{album}", LOOSE)
    asked = {word for line in lines(tmp_path / "out.txt") for word in line["keywords"]}
    told = " ".join(caption for record in data.read(f"karpathy:{album}", "train") for caption in record.captions)
    assert asked <= set(keywords.words(told)) and f"keywords from karpathy:{album}" in caplog.text


def test_only_captions_written_here_are_overwritten(tmp_path, lm, sentences):
    mine = tmp_path / "mine.jsonl"
    mine.write_text('{"caption": "a dog"}\n')
    for options in (LOOSE, replace(LOOSE, overwrite=True)):
        with pytest.raises(InputError, match="choose another name"):
            synthesize(str(lm), str(sentences), tmp_path / "mine.txt", None, options)
    with pytest.raises(InputError, match=r"expected --out FILE such as captions\.txt"):
        synthesize(str(lm), str(sentences), tmp_path / "mine.jsonl", None, LOOSE)
    assert mine.read_text() == '{"caption": "a dog"}\n' and list(tmp_path.iterdir()) == [mine]


@pytest.mark.parametrize(
    ("examples", "words"),
    [
        ("", "got an empty file"),
        ("\n \n", "expected at least one record"),
        ("Dog.\nIt is.\n", "expected captions with at least 2 keywords"),
        (None, "got no such file"),
    ],
)
def test_examples_that_are_none(tmp_path, lm, examples, words):
    path = tmp_path / "examples.txt"
    if examples is not None:
        path.write_text(examples)
    with pytest.raises(InputError, match=words):
        synthesize(str(lm), str(path), tmp_path / "out.txt", None, LOOSE)


def test_fewer_examples_than_shots_are_all_shown(tmp_path, lm, caplog):
    (tmp_path / "two.txt").write_text("A red dog.\nA blue cat.\n")
    result = synthesize(str(lm), str(tmp_path / "two.txt"), tmp_path / "out.txt", None, LOOSE)
    assert result.shots == 2.0 and "2 captions can be examples" in caplog.text


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "got an empty file"),
        ("  \n", "got blank lines only"),
        ("dog\n!!\n", "line 2"),
        ("dog\n", "at least 2 keywords, got 1"),
    ],
)
def test_keywords_that_are_none(tmp_path, lm, sentences, content, words):
    (tmp_path / "words.txt").write_text(content)
    with pytest.raises(InputError, match=words):
        synthesize(str(lm), str(sentences), tmp_path / "out.txt", str(tmp_path / "words.txt"), LOOSE)


def test_keywords_that_the_reference_lacks_cannot_be_matched_to_it(tmp_path, lm, sentences, caplog):
    words = tmp_path / "words.txt"
    words.write_text("zebra\nviolin\ndog\n")
    options = replace(LOOSE, sampling="unigram")
    with pytest.raises(InputError, match="at least 2 keywords that the reference captions have, got 1"):
        synthesize(str(lm), str(sentences), tmp_path / "out.txt", str(words), options)
    (tmp_path / "other.txt").write_text("A zebra and a dog.\n")
    synthesize(
        str(lm),
        str(sentences),
        tmp_path / "out.txt",
        str(words),
        replace(options, reference=str(tmp_path / "other.txt")),
    )
    assert "1 of 3 keywords never stand in the reference" in caplog.text
    assert {word for line in lines(tmp_path / "out.txt") for word in line["keywords"]} == {"zebra", "dog"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"count": 0}, "--count: expected at least 1, got 0"),
        ({"shots": 0}, "--shots: expected at least 1"),
        ({"top_p": 0.0}, "--top-p: expected above 0 and at most 1, got 0.0"),
        ({"top_p": float("nan")}, "--top-p"),
        ({"temperature": 0.0}, "--temperature: expected a number above 0"),
        ({"batch_size": 0}, "--batch-size"),
        ({"timeout": 0.0}, "--timeout"),
        ({"retries": -1}, "--retries"),
    ],
)
def test_numbers_that_make_no_sense(tmp_path, change, words):
    with pytest.raises(InputError, match=words):
        synthesize("nowhere", "nowhere.txt", tmp_path / "out.txt", None, replace(LOOSE, **change))


def test_options_are_plain_values():
    assert json.loads(json.dumps(asdict(SynthesizeOptions())))["shots"] == 50
