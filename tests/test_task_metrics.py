"""Answers, classes, METEOR and style: counted as officially where there is an official count."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from imageless.errors import InputError
from imageless.metrics import classes, clipscore, meteor, style, vqa
from scripts.official_vqa_scores import digest, questions, texts

OFFICIAL = json.loads((Path(__file__).parent / "data/official_vqa_scores.json").read_text(encoding="utf8"))
TEN = ["red"] * 6 + ["dark red"] * 3 + ["pink"]


# VQA


@pytest.fixture(scope="module")
def asked():
    written, asked = texts(300), questions(500)
    assert digest(written, asked) == OFFICIAL["asked"], (
        "no longer what was asked; run tests/scripts/official_vqa_scores.py"
    )
    return written, asked


def test_answers_are_normalised_as_officially(asked):
    assert [vqa.normalise(text) for text in asked[0]] == OFFICIAL["forms"]


def test_answers_score_as_officially(asked):
    said, answers, kinds = zip(*asked[1], strict=True)
    scores = vqa.score(said, answers, kinds)
    np.testing.assert_allclose(100 * scores.items, OFFICIAL["items"], rtol=0, atol=1e-9)
    assert 100 * scores.overall == pytest.approx(OFFICIAL["overall"], abs=1e-9)
    assert {kind: 100 * share for kind, share in scores.by_type.items()} == pytest.approx(OFFICIAL["by_type"], abs=1e-9)


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("The red ball.", "red ball"),
        ("Two dogs!", "2 dogs"),
        ("none", "0"),
        ("dont", "don't"),
        ("im", "im"),
        ("somebody'd", "somebodyd"),
        ("half-eaten", "half eaten"),
        ("red/blue", "red blue"),
        ("red/blue /green", "redblue green"),
        ("1,000-2,000", "10002000"),
        ("1, 000", "1 000"),
        ("3.5", "3.5"),
        ("U.S.", "us"),
        ("10:30", "10:30"),
        ("x" + "." * 40 + "y", "x........y"),
        ("\tthe\ncat ", "cat"),
        ("A", ""),
    ],
)
def test_the_evaluators_habits(text, normal):
    assert vqa.normalise(text) == normal


@pytest.mark.parametrize(("agreeing", "worth"), [(0, 0), (1, 0.3), (2, 0.6), (3, 0.9), (4, 1), (10, 1)])
def test_of_ten_people_four_are_enough(agreeing, worth):
    answers = ["yes"] * agreeing + ["no"] * (10 - agreeing)
    assert vqa.accuracy("yes", answers) == pytest.approx(worth)


def test_accuracy_is_the_mean_over_people_of_how_many_others_agree():
    draw = random.Random(0)
    for _ in range(50):
        answers = draw.choices("wxyz", k=draw.randint(2, 12))
        others = [answers[:person] + answers[person + 1 :] for person in range(len(answers))]
        plain = np.mean([min(each.count("w") / 3, 1) for each in others])
        assert vqa.accuracy("w", answers) == pytest.approx(plain)


def test_where_people_agree_to_the_letter_an_answer_must_too():
    assert vqa.accuracy("Yes.", ["yes"] * 10) == 0
    assert vqa.accuracy("Yes.", ["yes"] * 9 + ["no"]) == 1
    assert vqa.accuracy(" yes\n", ["yes"] * 10) == 1


def test_an_answer_that_comes_to_nothing_counts_and_is_wrong(caplog):
    scores = vqa.score(["", "The", "red"], [TEN] * 3, ["other"] * 3)
    assert scores.items.tolist() == [0, 0, 1]
    assert scores.silent.tolist() == [True, True, False]
    assert scores.overall == pytest.approx(1 / 3)
    assert "2 of 3 answers come to nothing" in caplog.text


def test_nothing_is_right_only_where_people_said_nothing():
    """The letter in the picture is A: an article to the evaluator, to whom every nothing is alike."""
    assert vqa.accuracy("a", ["a"] * 6 + ["b"] * 4) == vqa.accuracy("?", ["a"] * 6 + ["b"] * 4) == 1


def test_types_are_scored_apart_and_together():
    scores = vqa.score(["red", "pink", "2"], [TEN, TEN, ["2"] * 10], ["other", "other", "number"])
    assert scores.by_type == pytest.approx({"other": 0.65, "number": 1.0})
    assert scores.overall == pytest.approx(2.3 / 3)
    assert scores.items.tolist() == [vqa.accuracy("red", TEN), vqa.accuracy("pink", TEN), 1]


@pytest.mark.parametrize(
    ("said", "answers", "kinds", "told"),
    [
        ([], [], [], "at least one answer"),
        (["a"], [], ["other"], "1 said, 0 lists"),
        (["a"], ["yes"], ["other"], "list of people's answers, got str"),
        (["a"], [[]], ["other"], "empty list"),
        ([None], [TEN], ["other"], "expected an answer, got NoneType"),
        (["a"], [[3]], ["other"], "expected an answer, got int 3"),
    ],
)
def test_mistakes_with_answers_are_named_in_one_line(said, answers, kinds, told):
    assert_told(told, vqa.score, said, answers, kinds)


# Classes

VERDICTS = ("entailment", "neutral", "contradiction")


@pytest.fixture
def verdicts():
    truth = ["entailment"] * 10 + ["neutral"] * 4 + ["contradiction"]
    said = ["entailment"] * 8 + ["neutral", "maybe"] + ["neutral"] * 2 + ["entailment"] * 2 + ["contradiction"]
    return classes.score(said, truth, VERDICTS)


def test_who_was_taken_for_whom(verdicts):
    assert verdicts.confusion.tolist() == [[8, 1, 0, 1], [2, 2, 0, 0], [0, 0, 1, 0]]
    assert verdicts.accuracy == pytest.approx(11 / 15)
    assert verdicts.by_class == pytest.approx({"entailment": 0.8, "neutral": 0.5, "contradiction": 1.0})


def test_a_rare_class_counts_as_much_as_a_frequent_one(verdicts):
    assert verdicts.macro == pytest.approx((0.8 + 0.5 + 1.0) / 3)


def test_a_class_that_never_occurs_is_no_failure():
    scores = classes.score(["yes", "maybe"], ["yes", "yes"], ["yes", "no", "maybe"])
    assert scores.by_class == {"yes": 0.5}
    assert scores.macro == scores.accuracy == 0.5


def test_every_answer_stands_in_the_matrix():
    draw = random.Random(0)
    truth, said = draw.choices("abc", k=200), draw.choices("abcd", k=200)
    scores = classes.score(said, truth)
    assert scores.classes == ("a", "b", "c")
    assert scores.confusion.sum() == 200
    assert scores.confusion[:, -1].sum() == said.count("d")
    assert scores.accuracy == pytest.approx(np.mean([s == t for s, t in zip(said, truth, strict=True)]))


def test_the_matrix_reads_as_markdown(verdicts):
    assert classes.table(verdicts).splitlines() == [
        "| truth         | entailment | neutral | contradiction | *other* |  right |",
        "|---------------|-----------:|--------:|--------------:|--------:|-------:|",
        "| entailment    |          8 |       1 |             0 |       1 |  80.0% |",
        "| neutral       |          2 |       2 |             0 |       0 |  50.0% |",
        "| contradiction |          0 |       0 |             1 |       0 | 100.0% |",
    ]


def test_a_name_cannot_break_the_table():
    shown = classes.table(classes.score(["a|b"], ["a|b"], ["a|b", "c\nd"])).splitlines()
    assert len(shown) == 4
    assert {line.replace("\\|", "").count("|") for line in shown} == {6}


@pytest.mark.parametrize(
    ("said", "truth", "names", "told"),
    [
        ([], [], None, "got 0 for 0"),
        (["a"], ["a", "b"], None, "got 1 for 2"),
        (["a"], ["b"], ["a"], "expected the classes a, got b"),
        (["a"], ["a"], ["a", "a"], "each class once"),
    ],
)
def test_mistakes_with_classes_are_named_in_one_line(said, truth, names, told):
    assert_told(told, classes.score, said, truth, names)


# METEOR

SAID = {"a": "A dog runs.", "b": "Two cats, asleep."}
WRITTEN = {"a": ["a dog is running", "the dog runs"], "b": ["two cats are sleeping"]}


def test_meteor_says_what_it_lacks(monkeypatch):
    missing = "pycocoevalcap.meteor.meteor"
    monkeypatch.setitem(sys.modules, missing, None)
    assert_told("expected pycocoevalcap, got no module", meteor.score, SAID, WRITTEN)
    for name in ("pycocoevalcap", "pycocoevalcap.meteor"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    module = types.ModuleType(missing)
    monkeypatch.setattr(module, "Meteor", None, raising=False)
    monkeypatch.setitem(sys.modules, missing, module)
    monkeypatch.setenv("PATH", "")
    assert_told("expected `java` on the PATH, got none", meteor.score, SAID, WRITTEN)


def test_a_java_that_does_not_start_is_named(monkeypatch, tmp_path):
    pytest.importorskip("pycocoevalcap", reason="pycocoevalcap is not installed")
    (tmp_path / "java").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "java").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert_told("scores from its Java program, got none", meteor.score, SAID, WRITTEN)


@pytest.mark.parametrize(
    ("said", "written", "told"),
    [
        ({}, {}, "at least one hypothesis"),
        (SAID, {"a": ["x"], "b": []}, "none for 1 ids: b"),
        (SAID, {"a": ["x"], "b": "y"}, "list of references for b, got str"),
    ],
)
def test_mistakes_with_captions_are_named_before_java_starts(said, written, told):
    assert_told(told, meteor.score, said, written)


@pytest.mark.slow
def test_meteor_is_the_official_one():
    """The official tokeniser and scorer, one after the other, on captions of every kind."""
    pytest.importorskip("pycocoevalcap", reason="pycocoevalcap is not installed")
    if shutil.which("java") is None:
        pytest.skip("java is not installed")
    from scripts.official_caption_scores import odd_corpus, silence

    lines = (Path(__file__).parent / "data/odd_captions.txt").read_text(encoding="utf8").splitlines()[:20]
    said, written = odd_corpus([*lines, "A dog runs.", "the dogs are running", "café noir"])
    scores = meteor.score(said, written)
    from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

    with silence():
        res = PTBTokenizer().tokenize({key: [{"caption": text}] for key, text in said.items()})
        gts = PTBTokenizer().tokenize({key: [{"caption": text} for text in texts] for key, texts in written.items()})
    with meteor._program() as program:
        corpus, items = program.compute_score(gts, res)
    assert scores.corpus == pytest.approx(corpus, abs=1e-12)
    np.testing.assert_allclose(scores.items, items, rtol=0, atol=1e-12)
    assert scores.keys == tuple(said) and 0 < scores.corpus < 1


# Style

VOICES = {
    "plain": "a dog runs on the {}, a man sits on the {}, two cats sleep by the {}",
    "romantic": "a dog runs for love on the {}, a man dreams of his beloved by the {}, two cats share a tender {}",
    "funny": "a dog runs from taxes on the {}, a man argues with a silly {}, two cats rob a {} like ninjas",
}
WHERE = ("grass", "beach", "hill", "road", "snow", "sofa", "bench", "river", "field", "park")


@pytest.fixture(scope="module")
def spoken():
    """Sentences of three voices, and others of the same voices."""
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")

    def of(places):
        pairs = [(s.format(at), voice) for voice, some in VOICES.items() for s in some.split(", ") for at in places]
        return [text for text, _ in pairs], [voice for _, voice in pairs]

    return of(WHERE[:7]), of(WHERE[7:])


@pytest.fixture(scope="module")
def judge(spoken):
    return style.fit(*spoken[0])


def test_a_judge_knows_voices_it_has_heard(judge, spoken):
    texts, voices = spoken[1]
    assert judge.held_out == 1
    assert judge.judge(texts) == voices


def test_strength_is_in_the_voice_and_not_in_the_others(judge, spoken):
    romantic = [text for text, voice in zip(*spoken[1], strict=True) if voice == "romantic"]
    own, other = judge.strength(romantic, "romantic"), judge.strength(romantic, "plain")
    assert own.share == 1 and other.share == 0
    assert own.probability > 0.6 > 0.4 > other.probability
    everything = judge.probabilities(romantic)
    np.testing.assert_allclose(everything.sum(axis=1), 1)
    assert own.probability == pytest.approx(everything[:, judge.voices.index("romantic")].mean())


def test_voices_drawn_at_random_are_not_told_apart(spoken):
    """What it hears is the voice: without one, it guesses."""
    texts = [text for text, voice in zip(*spoken[0], strict=True) if voice == "plain"] * 20
    texts = [f"{text} {number}" for number, text in enumerate(texts)]
    voices = random.Random(0).choices(("one", "other"), k=len(texts))
    assert style.fit(texts, voices).held_out == pytest.approx(0.5, abs=0.2)


def test_the_same_seed_makes_the_same_judge(judge, spoken):
    again, another = style.fit(*spoken[0], seed=0), style.fit(*spoken[0], seed=1)
    texts = spoken[1][0]
    np.testing.assert_array_equal(judge.probabilities(texts), again.probabilities(texts))
    assert (judge.probabilities(texts) != another.probabilities(texts)).any()


def test_sentences_held_out_are_not_learnt_from(spoken):
    pairs = list(zip(*spoken[0], strict=True))
    shown, kept = style._split(pairs, tuple(VOICES), seed=0)
    assert not set(shown) & set(kept) and set(shown) | set(kept) == set(pairs)
    assert [sum(voice == each for _, voice in kept) for each in VOICES] == [2, 2, 2]


def test_mistakes_with_voices_are_named_in_one_line(judge):
    assert_told("one of the voices funny, plain, romantic, got 'sad'", judge.strength, ["a dog"], "sad")
    assert_told("list of sentences to judge", judge.strength, [], "plain")
    assert_told("got 1 for 2 sentences", style.fit, ["a", "b"], ["plain"])


@pytest.mark.parametrize(
    ("texts", "voices", "told"),
    [
        ([], [], "got 0 for 0 sentences"),
        (["a", "b"], ["plain", "plain"], "two voices or more to tell apart, got only plain"),
        (["a", "b", "b"], ["plain", "sad", "sad"], "two different sentences or more of 'plain', got one"),
    ],
)
def test_a_judge_needs_sentences_of_several_voices(texts, voices, told):
    assert_told(told, style.fit, texts, voices)


def test_style_says_what_it_lacks(monkeypatch):
    for name in [*(name for name in sys.modules if name.startswith("sklearn.")), "sklearn.feature_extraction.text"]:
        monkeypatch.setitem(sys.modules, name, None)
    assert_told("expected scikit-learn", style.fit, ["a", "b", "c", "d"], ["plain", "plain", "sad", "sad"])


# All of them


def test_metrics_are_light():
    """Java and scikit-learn wait until a score is asked for."""
    code = "import sys; from imageless.metrics import classes, meteor, style, vqa; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"sklearn", "scipy", "pycocoevalcap", "torch"} & set(loaded)


def assert_told(told, function, *arguments):
    """An InputError of one line."""
    with pytest.raises(InputError) as error:
        function(*arguments)
    assert told in str(error.value) and "\n" not in str(error.value)


# CLIPScore.


def test_clip_score_is_that_of_the_plain_way():
    draw = np.random.default_rng(0)
    images, captions, references = (
        rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in draw.normal(size=(3, 6, 4))
    )
    owners = np.array([0, 0, 1, 2, 3, 5])  # the fifth caption has no reference
    scores = clipscore.clip_score(images, captions)
    with_references = clipscore.ref_clip_score(scores, captions, references, owners)
    for row in range(6):
        plain = 2.5 * max(float(images[row] @ captions[row]), 0.0)
        nearest = max([0.0, *(float(captions[row] @ references[i]) for i in range(6) if owners[i] == row)])
        assert scores[row] == pytest.approx(plain)
        both = 2 * plain * nearest / (plain + nearest) if plain and nearest else 0.0
        assert with_references[row] == pytest.approx(both)
