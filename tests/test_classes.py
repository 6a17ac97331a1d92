"""Classes by their names, and by a line through examples: found where planted, refused in one line where they cannot be."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from conftest import SHARED, read, refusal
from imageless.analysis import probe as probing
from imageless.analysis.probe import Part
from imageless.errors import InputError
from imageless.zero_shot import TEMPLATES, ZeroShot, fill, sentences_of


class Reader:
    """An encoder to whom a sentence is the classes' words in it, and a little of its length."""

    name, dim, sides = "reader", 4, ("text", "image")

    def texts(self, texts):
        return torch.tensor([[4.0 * ("cat" in t), 4.0 * ("owl" in t), 4.0 * ("dog" in t), len(t) / 40] for t in texts])


@pytest.fixture(scope="module")
def pets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes in two splits, one with an underscore in its name."""
    folder = tmp_path_factory.mktemp("pets")
    for split, count in (("train", 4), ("test", 3)):
        for name, colour in (("grey_cat", (120, 120, 120)), ("red_dog", (200, 30, 30))):
            (folder / split / name).mkdir(parents=True)
            for number in range(count):
                shade = tuple(min(255, value + 4 * number) for value in colour)
                Image.new("RGB", (40, 30), shade).save(folder / split / name / f"{number}.png")
    return folder


def test_names_become_unit_means_of_unit_sentences():
    judge = ZeroShot.of(Reader(), ["cat", "owl", "dog"], "plain")
    sentences = [fill(sentence, "owl") for sentence in TEMPLATES["plain"]]
    plain = Reader().texts(sentences).numpy()
    plain = (plain / np.linalg.norm(plain, axis=1, keepdims=True)).mean(0)
    assert np.allclose(judge.vectors[1].numpy(), plain / np.linalg.norm(plain), atol=1e-6)
    shares = judge.probabilities(torch.eye(4)[:3])
    assert shares.argmax(-1).tolist() == [0, 1, 2]
    assert torch.allclose(shares.sum(-1), torch.ones(3))


def test_a_name_is_put_into_a_sentence_as_one_says_it():
    assert fill("a photo of a {}.", "owl") == "a photo of an owl."
    assert fill("A {} and a pear", "apple") == "An apple and a pear"
    assert fill("somebody's {}", "owl") == "somebody's owl"


def test_every_set_has_room_for_one_name():
    assert all(sentence.count("{}") == 1 for sentences in TEMPLATES.values() for sentence in sentences)


def test_templates_may_be_a_file(tmp_path: Path):
    file = tmp_path / "templates.txt"
    file.write_text("one {}\n\ntwo {}\n")
    assert sentences_of(str(file)) == ("one {}", "two {}")
    file.write_text("no room\n")
    with pytest.raises(InputError, match="for the class, got 'no room'"):
        sentences_of(str(file))
    with pytest.raises(InputError, match="--templates: expected one of name, plain, photo"):
        sentences_of("nowhere")


def test_a_folder_for_each_class_is_read(pets: Path):
    records = read(f"imagefolder:{pets}", split="test")
    assert [record.fields["label"] for record in records] == ["grey cat"] * 3 + ["red dog"] * 3
    assert records[0].key == "test/grey_cat/0.png"
    assert len(read(f"imagefolder:{pets}")) == 14
    assert len(read(f"imagefolder:{pets / 'train'}", split="train")) == 8


def test_folders_without_classes_are_refused(pets: Path, tmp_path: Path):
    assert "expected split 'val'" in refusal(f"imagefolder:{pets}", split="val")
    assert "expected a folder, could not read it" in refusal(f"imagefolder:{tmp_path / 'nowhere'}")
    assert "found none" in refusal(f"imagefolder:{pets / 'train' / 'red_dog'}")


def test_the_world_has_scenes_of_one_kind():
    records = read("world:classes", split="val", limit=20)
    assert all(record.fields["label"] in " ".join(record.captions) for record in records[:5])


def test_the_verb_names_a_class_and_says_how_sure_it_is(imageless, pets: Path, encoder_folder: Path):
    said = imageless("classify", encoder_folder, pets / "test", "--labels", "cat, dog,bird", "--n-best", 2, "--json")
    result = json.loads(said.out)["results"][0]
    assert said.code == 0
    assert result["label"] == result["text"] == result["nbest"][0]["text"]
    assert len(result["nbest"]) == 2
    assert set(result["probabilities"]) == {"cat", "dog", "bird"}
    assert sum(result["probabilities"].values()) == pytest.approx(1, abs=1e-3)


@pytest.mark.slow
def test_the_worlds_encoder_knows_its_kinds_by_name(imageless, tmp_path: Path):
    told = ("evaluate", "world", "world", "--split", "test", "--limit", 150, "--templates", "plain", "--device", "cpu")
    seen = json.loads(imageless(*told, "--out", tmp_path / "seen", "--json").out)
    blind = json.loads(imageless(*told, "--out", tmp_path / "blind", "--control", "shuffled", "--json").out)
    assert seen["n"] == 150
    assert seen["scores"]["accuracy"] > 0.9 > 0.2 > blind["scores"]["accuracy"]
    assert seen["scores"]["top5"] >= seen["scores"]["accuracy"]
    lines = [json.loads(line) for line in (tmp_path / "seen" / "predictions.jsonl").read_text().splitlines()]
    assert np.mean([line["scores"]["accuracy"] for line in lines]) == pytest.approx(seen["scores"]["accuracy"])
    assert "Who was taken for whom" in (tmp_path / "seen" / "report.html").read_text()
    assert (tmp_path / "seen" / "confusion.png").stat().st_size > 1000


def test_an_unreadable_picture_is_named_and_passed_over(imageless, tmp_path: Path, encoder_folder: Path):
    Image.new("RGB", (20, 20)).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"no picture")
    said = imageless("classify", encoder_folder, tmp_path, "--labels", "cat,dog", "--json")
    first, second = json.loads(said.out)["results"]
    assert "error" not in first
    assert second["label"] is None
    assert "b.png" in second["error"]


@pytest.mark.parametrize("labels", ["", "cat", "cat,cat", "cat,,dog"])
def test_fewer_than_two_names_are_refused(imageless, pets: Path, encoder_folder: Path, labels: str):
    said = imageless("classify", encoder_folder, pets / "test", "--labels", labels)
    assert said.code == 2
    assert "expected at least two different names" in said.err


def test_data_without_classes_are_refused(imageless, album: Path, encoder_folder: Path, tmp_path: Path):
    said = imageless("evaluate", encoder_folder, f"karpathy:{album}", "--out", tmp_path / "out")
    assert said.code == 2
    assert "expected pictures of at least two classes" in said.err


def clusters(count: int, seed: int, spread: float = 1.0) -> Part:
    """Three classes around three corners."""
    draw = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    return Part(np.eye(8)[labels] + spread * 0.3 * draw.normal(size=(count, 8)), labels)


def test_planted_clusters_are_told_apart_and_more_examples_help():
    found = probing.measure(clusters(90, 0), clusters(60, 1), clusters(300, 2), [1, 8])
    assert found["full"]["accuracy"] > 0.9
    assert found["shots"][1]["accuracy"] < found["shots"][8]["accuracy"] <= found["full"]["accuracy"] + 0.02
    assert found["chance"] == pytest.approx(1 / 3)


def test_vectors_that_say_nothing_are_a_guess():
    noise = [clusters(300, seed, spread=1e6) for seed in range(3)]
    assert abs(probing.measure(*noise, [])["full"]["accuracy"] - 1 / 3) < 0.1


def test_few_examples_are_as_many_of_each_class_and_other_ones_in_each_draw():
    labels = np.array([0] * 10 + [1] * 10 + [2] * 2)
    rows = probing.few(labels, 3, seed=0, draw=0)
    assert np.bincount(labels[rows]).tolist() == [3, 3, 2]
    assert set(rows) != set(probing.few(labels, 3, seed=0, draw=1))
    assert set(rows) == set(probing.few(labels, 3, seed=0, draw=0))


def test_the_verb_probes_a_folder_for_each_class(imageless, pets: Path, encoder_folder: Path, tmp_path: Path):
    told = ("probe", f"imagefolder:{pets}", "--encoder", encoder_folder, "--device", "cpu")
    said = imageless(*told, "--shots", "1,2", "--out", tmp_path / "probe", "--json")
    result = json.loads(said.out)
    assert said.code == 0
    assert {"accuracy", "accuracy_1shot", "accuracy_2shot", "zero_shot"} == set(result["scores"])
    assert (result["n"], result["classes"]) == (6, 2)
    assert "C is chosen on a fifth of train" in said.err
    assert "class names alone" in (tmp_path / "probe" / "report.html").read_text()
    wrong = imageless(*told, "--shots", "0,2")
    assert wrong.code == 2
    assert "--shots: expected numbers of examples a class" in wrong.err


@pytest.mark.skipif(not (SHARED / "cifar10").is_dir(), reason="needs the CIFAR-10 pictures in shared/data")
def test_cifar_is_read_with_its_class_names():
    records = read(f"hf:{SHARED / 'cifar10'}", split="test")
    names = [record.fields["label"] for record in records]
    assert {names.count(name) for name in set(names)} == {100}
    assert {"airplane", "frog", "horse", "truck"} < set(names)
    assert len(set(names)) == 10
    assert all(record.image is not None for record in records)
