"""Captions are scored as the official scorers score them, without Java, and comparisons are not luck."""

from __future__ import annotations

import json
import math
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from imageless.errors import InputError
from imageless.metrics.bootstrap import paired_bootstrap
from imageless.metrics.captions import per_item, score
from imageless.metrics.ptb import tokenize
from scripts.official_caption_scores import CORPORA, STORED, TEXT, corpus, digest, odd_corpus

DATA = Path(__file__).parent / "data"
ODD_LINES = (DATA / "odd_captions.txt").read_text(encoding="utf8").removesuffix("\n").split("\n")
ODD = json.loads((DATA / "official_odd_captions.json").read_text(encoding="utf8"))
OFFICIAL = json.loads((DATA / "official_caption_scores.json").read_text(encoding="utf8"))


# The tokeniser


@pytest.mark.parametrize("index", range(len(ODD_LINES)))
def test_odd_captions_become_the_official_tokens(index):
    following = ODD_LINES[index + 1] if index + 1 < len(ODD_LINES) else None
    assert tokenize(ODD_LINES[index], following) == ODD["tokens"][index]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("A man doesn't.", "a man does n't"),
        ("I cannot, he's gonna!", "i can not he 's gon na"),
        ("The colour grey", "the colour grey"),
        ("x-ray of a half-eaten U.S.-based thing.", "x-ray of a half-eaten u.s.-based thing"),
        ("(a) [b] {c}", "-lrb- a -rrb- -lsb- b -rsb- -lcb- c -rcb-"),
        ("St. John's vol. 3, no. 5", "st. john 's vol 3 no. 5"),
        ("“quoted” ’tis it’s", "quoted tis it 's"),
        ("1 1/2 cups", "1\xa01/2 cups"),
        ("a 🐕 dog", "a dog"),
        ("", ""),
        ("...", ""),
    ],
)
def test_words_are_those_of_the_penn_treebank_without_punctuation(text, words):
    assert tokenize(text) == (words.split(" ") if words else [])


def test_the_next_line_settles_a_few_full_stops():
    """Captions are lines of one file to the official tokeniser, and it looks across."""
    assert tokenize("modern art.", following="2 people") == ["modern", "art."]
    assert tokenize("modern art.", following="two people") == ["modern", "art"]
    assert tokenize("plan b.", following="The man") == ["plan", "b"]
    assert tokenize("plan b.", following="Two men") == ["plan", "b."]


def test_a_line_break_within_a_caption_is_a_space():
    assert tokenize("a dog\nruns\r\nfast\u2028now") == ["a", "dog", "runs", "fast", "now"]


def test_any_text_can_be_tokenised():
    draw = random.Random(0)
    for _ in range(300):
        text = "".join(chr(draw.choice((draw.randrange(0x80), draw.randrange(0x110000)))) for _ in range(12))
        assert all(word and word == word.lower() for word in tokenize(text) if word.isascii())


def test_plain_words_read_alone_are_as_read_in_their_sentence(monkeypatch):
    """The quick way through chunks = every rule at every place."""
    from imageless.metrics import ptb

    quick = [tokenize(line) for line in ODD_LINES]
    monkeypatch.setattr(ptb, "_chunk", lambda chunk: None)
    assert [tokenize(line) for line in ODD_LINES] == quick


# The scores


def test_odd_captions_score_as_officially():
    assert_as_stored(*odd_corpus(ODD_LINES), ODD)


@pytest.mark.parametrize("name", CORPORA)
def test_real_captions_score_as_officially(name):
    path = TEXT / CORPORA[name]
    if not path.exists():
        pytest.skip(f"the real captions {CORPORA[name]} are not beside this checkout")
    assert_as_stored(*corpus(path), OFFICIAL[name])


def assert_as_stored(hypotheses, references, stored):
    scores = per_item(hypotheses, references)
    assert len(scores.keys) == stored["n"]
    assert scores.corpus == pytest.approx(stored["scores"], abs=1e-9)  # asked for: 1e-6
    np.testing.assert_allclose(scores.cider[:STORED], stored["cider"], rtol=0, atol=1e-9)
    np.testing.assert_allclose(scores.rouge_l[:STORED], stored["rouge_l"], rtol=0, atol=1e-9)
    np.testing.assert_allclose(scores.bleu[:STORED, 3], stored["bleu4"], rtol=0, atol=1e-9)
    lines = [caption for captions in references.values() for caption in captions]
    tokens = [tokenize(line, following) for line, following in zip(lines, [*lines[1:], None], strict=True)]
    assert digest(tokens) == stored["digest"]


@pytest.fixture
def small():
    """Random captions of few words, so that n-grams repeat; some empty."""
    draw = random.Random(1)

    def caption():
        return " ".join(draw.choices(["a", "the", "dog", "cat", "sees", "runs"], k=draw.choice((0, 1, 2, 5, 9))))

    hypotheses = {key: caption() for key in range(30)}
    return hypotheses, {key: [caption() for _ in range(draw.randint(1, 5))] for key in hypotheses}


def test_cider_is_the_mean_cosine_of_clipped_tf_idf_vectors(small):
    hypotheses, references = small
    documents = Counter(g for refs in references.values() for g in {g for ref in refs for g in grams(ref)})

    def vector(caption, n):
        return {
            g: count * (math.log(len(hypotheses)) - math.log(max(1, documents[g])))
            for g, count in grams(caption).items()
            if len(g) == n
        }

    def alike(hypothesis, reference, n):
        h, r = vector(hypothesis, n), vector(reference, n)
        norms = math.hypot(*h.values()) * math.hypot(*r.values())
        longer = max(len(hypothesis.split()) - 1, 0) - max(len(reference.split()) - 1, 0)
        product = sum(min(h[g], r[g]) * r[g] for g in h if g in r)
        return math.exp(-(longer**2) / (2 * 6**2)) * product / norms if norms else 0.0

    plain = [
        10 * np.mean([alike(hypotheses[key], ref, n) for ref in references[key] for n in (1, 2, 3, 4)])
        for key in hypotheses
    ]
    np.testing.assert_allclose(per_item(hypotheses, references).cider, plain, atol=1e-12)


def test_bleu_counts_clipped_n_grams_over_the_corpus(small):
    hypotheses, references = small
    logs, guessed_length, closest_length = [], 0, 0
    for n in (1, 2, 3, 4):
        correct = guessed = 0
        for key, hypothesis in hypotheses.items():
            for g, count in grams(hypothesis).items():
                if len(g) == n:
                    correct += min(count, max(grams(ref)[g] for ref in references[key]))
                    guessed += count
        logs.append(math.log(correct / guessed))
    for key, hypothesis in hypotheses.items():
        length = len(hypothesis.split())
        guessed_length += length
        closest_length += min((abs(len(ref.split()) - length), len(ref.split())) for ref in references[key])[1]
    short = min(0.0, 1 - closest_length / guessed_length)
    scores = score(hypotheses, references)
    for n in (1, 2, 3, 4):
        assert scores[f"bleu{n}"] == pytest.approx(math.exp(np.mean(logs[:n]) + short), abs=1e-8)


def test_rouge_l_is_the_longest_common_subsequence(small):
    hypotheses, references = small

    def common(a, b):
        table = np.zeros((len(a) + 1, len(b) + 1), int)
        for i, word in enumerate(a):
            for j, other in enumerate(b):
                table[i + 1, j + 1] = table[i, j] + 1 if word == other else max(table[i, j + 1], table[i + 1, j])
        return table[-1, -1]

    for key, rouge in zip(hypotheses, per_item(hypotheses, references).rouge_l, strict=True):
        h = hypotheses[key].split(" ")
        pairs = [(common(h, r), len(r)) for r in (ref.split(" ") for ref in references[key])]
        precision, recall = max(c for c, _ in pairs) / len(h), max(c / length for c, length in pairs)
        expected = (1 + 1.2**2) * precision * recall / (recall + 1.2**2 * precision) if precision and recall else 0
        assert rouge == pytest.approx(expected)


def grams(caption):
    words = caption.split()
    return Counter(tuple(words[i : i + n]) for n in (1, 2, 3, 4) for i in range(len(words) - n + 1))


def test_saying_exactly_what_people_said_is_best():
    references = {"a": ["a red dog runs fast"], "b": ["two cats sleep in the sun"], "c": ["an old blue boat sails"]}
    scores = score({key: captions[0] for key, captions in references.items()}, references)
    assert scores["cider"] == pytest.approx(10)
    assert scores["rouge_l"] == 1
    assert scores["bleu1"] == pytest.approx(1)


def test_one_image_alone_has_no_cider():
    """Every word stands in every document, so none is worth anything."""
    scores = score({"a": "a dog"}, {"a": ["a dog", "the dog"]})
    assert scores["cider"] == 0
    assert scores["bleu2"] == pytest.approx(1, abs=1e-6)


def test_empty_captions_score_nothing_and_break_nothing():
    scores = per_item({"a": "", "b": "a dog", "c": "."}, {"a": ["a dog"], "b": ["", "."], "c": ["a cat", ""]})
    assert not scores.cider.any()
    assert scores.rouge_l.tolist() == [0, 0, 1]  # nothing agrees with nothing, as officially
    assert score({"a": ""}, {"a": [""]})["bleu1"] == 0


def test_references_without_a_hypothesis_do_not_count():
    references = {"a": ["a dog runs"], "b": ["a cat sits"], "c": ["never scored"]}
    hypotheses = {"b": "a cat", "a": "a dog"}
    both = {key: references[key] for key in ("a", "b")}
    assert score(hypotheses, references) == score(hypotheses, both)
    assert per_item(hypotheses, references).keys == ("b", "a")


@pytest.mark.parametrize(
    ("hypotheses", "references", "said"),
    [
        ({}, {"a": ["x"]}, "at least one hypothesis"),
        ({"a": "x", "b": "y", "c": "z"}, {"a": ["x"]}, "2 ids: b, c"),
        ({"a": "x"}, {"a": []}, "at least one reference for a"),
        ({"a": "x"}, {"a": "a string"}, "list of references for a, got str"),
        ({"a": 5}, {"a": ["x"]}, "expected a caption, got int 5"),
        ({"a": "x"}, {"a": [None]}, "expected a caption, got NoneType"),
    ],
)
def test_mistakes_are_named_in_one_line(hypotheses, references, said):
    with pytest.raises(InputError, match=said) as error:
        score(hypotheses, references)
    assert "\n" not in str(error.value)


# Comparisons


def test_a_clear_gain_is_found_and_bounded():
    draw = np.random.default_rng(0)
    b = draw.normal(1.0, 0.5, 400)
    a = b + draw.normal(0.1, 0.2, 400)
    found = paired_bootstrap(a, b, draws=2000)
    assert found.low < found.difference < found.high
    assert found.difference == pytest.approx(np.mean(a) - np.mean(b))
    assert found.low > 0 and found.p < 0.01
    half_width = 1.96 * np.std(a - b) / 20
    assert found.high - found.low == pytest.approx(2 * half_width, rel=0.1)


def test_noise_is_called_noise():
    draw = np.random.default_rng(1)
    found = paired_bootstrap(draw.normal(size=300), draw.normal(size=300), draws=1000)
    assert found.low < 0 < found.high and found.p > 0.05
    assert paired_bootstrap([1, 2], [1, 2], draws=100).p == 1


def test_the_same_seed_draws_the_same_images():
    a, b = np.arange(9.0), np.ones(9)
    assert paired_bootstrap(a, b, draws=50, seed=3) == paired_bootstrap(a, b, draws=50, seed=3)
    turned = paired_bootstrap(b, a, draws=50, seed=3)
    assert turned.difference == -paired_bootstrap(a, b, draws=50, seed=3).difference


def test_scores_of_different_images_are_not_compared():
    with pytest.raises(InputError, match="same images"):
        paired_bootstrap([1, 2, 3], [1, 2])
