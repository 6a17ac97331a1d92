"""Words that people and a model share, names of what is on a picture, and WordNet behind both."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from conftest import SHARED, read, refusal
from imageless import wordnet as words
from imageless.errors import InputError
from imageless.metrics import concepts as lexical
from imageless.metrics import names
from imageless.records import Example
from imageless.stages import naming

# Words by hand: dog is said of two pictures of three, and of one that has none.
PEOPLE = [
    {("noun", "dog"), ("modifier", "red")},
    {("noun", "dog")},
    {("noun", "dog"), ("noun", "car")},
    {("noun", "car")},
]
SAID = [{("noun", "dog"), ("modifier", "red")}, {("noun", "dog")}, {("noun", "cat")}, {("noun", "dog")}]


def nearness(one: str, other: str) -> float:
    return {frozenset(("dog", "cat")): 0.8, frozenset(("dog", "car")): 0.3}.get(frozenset((one, other)), 0.1)


def test_precision_and_recall_of_each_word():
    found = {concept.word: concept for concept in lexical.concepts(SAID, PEOPLE)}
    assert [(c.word, c.people, c.said, c.both) for c in found.values()] == [
        ("dog", 3, 3, 2),
        ("car", 2, 0, 0),
        ("red", 1, 1, 1),
    ]
    assert found["dog"].precision == found["dog"].recall == found["dog"].f1 == pytest.approx(2 / 3)
    assert found["car"].precision == found["car"].f1 == 0
    misses = lexical.near_misses(SAID, PEOPLE, {"dog", "car"}, nearness)
    assert misses == {"dog": [0.8], "car": [0.1, 0.3]}
    scores = lexical.means(list(found.values()), misses)
    assert scores["noun_f1"] == pytest.approx(1 / 3) and scores["modifier_recall"] == 1 and scores["relation_f1"] == 0
    assert scores["noun_wup"] == pytest.approx(0.4)


def test_only_the_usual_words_are_looked_at():
    people = [{("noun", f"word{n}") for n in range(k)} for k in range(1, 60)]
    found = lexical.concepts(people, people)
    assert len(found) == 50 and found[0].word == "word0" and found[0].people == 59
    assert lexical.near_misses([set()], [{("noun", "dog")}], {"dog"}, nearness) == {"dog": [0.0]}


CALLED: Mapping[str, list[tuple[str, ...]]] = {
    "bear": [("bear",)],
    "grizzly bear": [("grizzly", "bear"), ("grizzly",)],
    "dog": [("dog",), ("puppy",)],
}


def test_longer_names_go_first():
    assert names.found_in(["a", "grizzly", "bear", "and", "a", "puppy", "near", "a", "bear"], CALLED) == [
        "grizzly bear",
        "dog",
        "bear",
    ]
    assert names.found_in(["a", "cat"], CALLED) == []


def test_how_near_the_wrong_names_come():
    attributes = {"dog": {"fur", "legs"}, "bear": {"fur", "legs", "big"}, "fish": {"fins"}}
    labels = ["dog", "dog", "dog", "fish"]
    scores, right = names.scored(labels, [["dog"], ["bear"], [], ["bear"]], attributes, nearness)
    assert right.tolist() == [1, 0, 0, 0]
    assert scores["named"] == 0.25 and scores["named_other"] == 0.5
    assert scores["attributes"] == pytest.approx((2 / 3 + 0) / 2) and scores["wup"] == pytest.approx(0.1)
    assert scores["attributes_any"] == pytest.approx((3 * (2 / 3 + 0) / 2 + 0) / 4)
    nothing, _ = names.scored(["dog"], [[]], {"dog": set()}, nearness)
    assert nothing == {"named": 0.0, "named_other": 0.0, "wup": 0.0}


# --- WordNet


@pytest.fixture(scope="module")
def wordnet(wordnet_files) -> words.WordNet:
    return words.wordnet()


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("dogs", ("noun", "dog")),
        ("standing", ("relation", "stand")),
        ("behind", ("relation", "behind")),
        ("sandy", ("modifier", "sandy")),
        ("two", ("modifier", "two")),
        ("the", None),
        ("qzxv", None),
    ],
)
def test_what_kind_of_word_a_word_is(wordnet, word, found):
    assert wordnet.lemma(word) == found


def test_wordnet_knows_what_is_near_and_what_things_are_called(wordnet):
    assert wordnet.near("dog", "dog") == 1.0
    assert wordnet.near("dog", "cat") > wordnet.near("dog", "car") > 0 == wordnet.near("dog", "qzxv")
    assert wordnet.near("grizzly bear", "polar bear") > 0.85
    assert wordnet.category("dog") == "animal" and wordnet.category("car") == "artifact"
    assert wordnet.category("qzxv") == "unknown"
    assert "grizzly" in wordnet.names("grizzly bear") and wordnet.names("qzxv") == {"qzxv"}
    assert wordnet.singular("bears") == "bear" and wordnet.singular("qzxvs") == "qzxvs"


def test_lexicographers_files_are_numbered_as_in_wordnets_own_data(wordnet_files):
    """The second column of data.noun; the first sense of a few words tells which is which."""
    numbers = {}
    for line in Path("/usr/share/wordnet/data.noun").read_text(encoding="latin-1").splitlines():
        parts = line.split()
        if not line.startswith(" ") and parts[4] in ("dog", "screwdriver", "grandma", "bread"):
            numbers.setdefault(parts[4], int(parts[1]))
    named = {word: words.FILES.split()[number] for word, number in numbers.items()}
    assert named["dog"] == "noun.animal" and named["screwdriver"] == "noun.artifact" and named["bread"] == "noun.food"
    assert named["grandma"] == "noun.person"


def test_without_wordnet_a_line_says_where_it_is_had(monkeypatch, tmp_path):
    pytest.importorskip("nltk")
    import nltk

    monkeypatch.setattr(words, "DEBIAN", tmp_path)
    monkeypatch.setattr(nltk.data, "path", [])
    with pytest.raises(InputError, match=r"expected WordNet's files, found none; python -m nltk.downloader wordnet"):
        words._reader()


# --- animals with attributes


@pytest.fixture
def animals(tmp_path: Path) -> Path:
    """AwA2 as it unpacks, of three animals with two photographs each."""
    folder = tmp_path / "Animals_with_Attributes2"
    folder.mkdir()
    (folder / "classes.txt").write_text("     1\tantelope\n     2\tgrizzly+bear\n     3\tkiller+whale")
    (folder / "predicates.txt").write_text("     1\tfurry\n     2\thooves\n     3\tswims")
    (folder / "predicate-matrix-binary.txt").write_text("1 1 0\n1 0 0\n0 0 1")
    (folder / "testclasses.txt").write_text("grizzly+bear\nkiller+whale")
    for name in ("antelope", "grizzly+bear", "killer+whale"):
        (folder / "JPEGImages" / name).mkdir(parents=True)
        for number in (1, 2):
            Image.new("RGB", (8, 8)).save(folder / "JPEGImages" / name / f"{name}_1000{number}.jpg")
    return folder


def test_awa2_has_animals_and_what_is_true_of_them(animals):
    records = read(f"awa2:{animals.parent}", split="test")
    assert [record.key for record in records] == [
        f"{name}/{name}_1000{n}.jpg" for name in ("grizzly+bear", "killer+whale") for n in (1, 2)
    ]
    assert records[0].fields == {"label": "grizzly bear", "attributes": ("furry",)}
    assert [r.fields["label"] for r in read(f"awa2:{animals}", split="train")] == ["antelope"] * 2
    (animals / "testclasses.txt").unlink()
    assert len(read(f"awa2:{animals}", split="test")) == 6


def test_awa2_amiss(animals):
    (animals / "predicate-matrix-binary.txt").write_text("1 1 0\n1 0 0\n")
    assert "expected 3 rows, one for each of classes.txt, got 2" in refusal(f"awa2:{animals}")
    (animals / "predicate-matrix-binary.txt").write_text("1 1 0\n1 0 7\n0 0 1")
    assert "line 2: expected 3 times 0 or 1" in refusal(f"awa2:{animals}")
    (animals / "classes.txt").write_text("antelope\n")
    assert "line 1: expected 1 and a name, got 'antelope'" in refusal(f"awa2:{animals}")
    shutil.rmtree(animals / "JPEGImages")
    (animals / "classes.txt").write_text("1 antelope\n2 bear\n3 whale")
    (animals / "predicate-matrix-binary.txt").write_text("1 1 0\n1 0 0\n0 0 1")
    assert "expected a folder of photographs for each animal" in refusal(f"awa2:{animals}")
    (animals / "predicates.txt").unlink()
    assert "expected predicates.txt" in refusal(f"awa2:{animals}")


@pytest.mark.skipif(not (SHARED / "awa2").is_dir(), reason="the bundle of real data is not here")
def test_the_real_attributes_are_read(animals):
    for file in ("classes.txt", "predicates.txt", "predicate-matrix-binary.txt"):
        shutil.copyfile(SHARED / "awa2" / file, animals / file)
    (animals / "testclasses.txt").unlink()
    (animals / "JPEGImages/zebra").mkdir()
    Image.new("RGB", (8, 8)).save(animals / "JPEGImages/zebra/zebra_10001.jpg")
    told = {record.fields["label"]: record.fields["attributes"] for record in read(f"awa2:{animals}")}
    assert {"black", "white", "stripes", "hooves", "longleg"} <= set(told["zebra"]) and "killer whale" in told


# --- as people ask for it


def asked(label: str, *attributes: str) -> Example:
    return Example(label, attributes, "", (label,), None, label)


def test_a_caption_names_the_animal_or_another(wordnet):
    examples = [
        asked("grizzly bear", "furry", "paws"),
        asked("killer whale", "swims"),
        asked("dog", "furry", "paws", "tail"),
        asked("dog", "furry", "paws", "tail"),
    ]
    scored = naming.score(examples, ["Two grizzlies.", "a dog in the sea", "some grizzly bears", "a cup of tea"])
    assert scored.items["named"].tolist() == [1, 0, 0, 0] and scored.corpus["named_other"] == 0.5
    assert scored.corpus["attributes"] == pytest.approx((0 + 2 / 3) / 2) and 0.5 < scored.corpus["wup"] < 1
    assert scored.files["names.json"]["dog"] == {"n": 2, "named": 0.0, "instead": {"grizzly bear": 1}}


def test_the_worlds_things_have_names_and_attributes():
    record = next(record for record in read("world:classes", split="val") if record.fields["label"] == "dog")
    assert record.fields["names"] == ("dog", "puppy") and {"animal", "ground", "brown"} <= set(
        record.fields["attributes"]
    )


def test_concepts_and_names_of_a_run(imageless, tmp_path, run, album, wordnet):
    told = (
        "evaluate",
        run,
        f"karpathy:{album}",
        "--device",
        "cpu",
        "--concepts",
        "--out",
        tmp_path / "scores",
        "--json",
    )
    scores = imageless(*told).json["scores"]
    assert {"cider", "noun_f1", "noun_wup", "modifier_recall", "relation_precision"} <= scores.keys()
    table: list[dict[str, Any]] = json.loads((tmp_path / "scores/concepts.json").read_text())
    nouns = [row for row in table if row["kind"] == "noun"]
    assert nouns and {"dog", "cat", "bird"} & {row["word"] for row in nouns}
    assert scores["noun_recall"] == pytest.approx(np.mean([row["recall"] for row in nouns]))
    folders = tmp_path / "pets"
    for number, name in enumerate(("dog", "cat")):
        (folders / "test" / name).mkdir(parents=True)
        Image.new("RGB", (8, 8), (90 * number, 40, 40)).save(folders / "test" / name / "1.png")
    told = (
        "evaluate",
        run,
        f"imagefolder:{folders}",
        "--device",
        "cpu",
        "--names",
        "--out",
        tmp_path / "names",
        "--json",
    )
    named = imageless(*told).json
    assert named["n"] == 2 and {"named", "named_other", "wup"} == named["scores"].keys()
    assert set(json.loads((tmp_path / "names/names.json").read_text())) == {"dog", "cat"}
