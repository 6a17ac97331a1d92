"""Python in ten lines: `Close` on one picture, on many, and on a sentence in a picture's place."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from imageless import Close, InputError
from imageless.options import PredictOptions, TrainOptions
from imageless.stages.train import train
from imageless.tasks import entailment

CPU = PredictOptions(device="cpu")


@pytest.fixture(scope="module")
def photo(photos: Path) -> Path:
    return photos / "000.png"


@pytest.fixture(scope="module")
def model(run: Path) -> Close:
    return Close.from_pretrained(run, CPU)


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory, encoder_folder: Path):
    """A model of a task that asks something, barely trained."""
    folder, made = tmp_path_factory.mktemp("asked"), {}

    def of(task: str) -> Close:
        if task not in made:
            options = TrainOptions(device="cpu", steps=2, batch_size=4, noise=0.1, limit=30)
            train(task, ["world"], folder / task, str(encoder_folder), "world:32x1", options)
            made[task] = Close.from_pretrained(folder / task, CPU)
        return made[task]

    return of


# One and many.


def test_one_picture_is_one_sentence_whatever_holds_it(model, photo):
    opened = Image.open(photo)
    ways = [str(photo), photo, opened, opened.convert("RGB"), np.asarray(opened)]
    assert len({model.caption(way) for way in ways}) == 1
    assert isinstance(model.caption(photo), str)


def test_many_are_answered_like_each_alone(model, photos):
    names = sorted(map(str, photos.glob("*.png")))
    told = model.captions(names)
    assert [one.image for one in told] == names and [one.text for one in told] == [model.caption(n) for n in names]
    assert told == model.caption(names) == model.captions(tuple(names))


def test_folders_and_globs_name_pictures(model, photos):
    assert model.captions(photos) == model.captions(str(photos / "*.png")) == model.captions([photos])
    assert len(model.captions(photos)) == 4


def test_more_pictures_than_a_batch_come_back_in_order(run, photos):
    small = Close.from_pretrained(run, PredictOptions(device="cpu", batch_size=3))
    names = sorted(map(str, photos.glob("*.png"))) * 3
    assert [told.image for told in small.captions(names)] == names


def test_an_unreadable_one_among_many_says_why(model, photo, tmp_path):
    (tmp_path / "torn.png").write_bytes(photo.read_bytes()[:40])
    good, torn, missing = model.captions([photo, tmp_path / "torn.png", tmp_path / "none.png"])
    assert good.error is None and (torn.text, missing.text) == (None, None)
    assert "expected a picture" in torn.error and "no such file" in missing.error
    with pytest.raises(InputError, match="no such file"):
        model.caption(tmp_path / "none.png")


def test_an_opened_jpeg_keeps_its_pixels(model, tmp_path):
    """A reader that needs few of them may ask Pillow for a fraction; not of somebody else's picture."""
    Image.effect_noise((800, 600), 50).convert("RGB").save(tmp_path / "large.jpg")
    with Image.open(tmp_path / "large.jpg") as opened:
        model.caption(opened)
        assert opened.size == (800, 600) and np.asarray(opened).shape == (600, 800, 3)


def test_grey_arrays_are_pictures(model):
    grey = np.arange(0, 240, dtype=np.uint8).reshape(12, 20)
    assert model.caption(grey) == model.caption(np.stack([grey] * 3, axis=2))


# Questions, hypotheses, articles.


def test_one_question_for_all_or_one_for_each(asked, photo, photos):
    model, questions = asked("vqa"), ["what is it?", "how many dogs?"]
    assert isinstance(model.ask(photo, questions[0]), str)
    assert len(model.ask([photos], questions[0])) == 4
    both = model.ask([photo, photo], questions)
    assert [told.text for told in both] == [model.ask(photo, question) for question in questions]
    with pytest.raises(InputError, match="one for each of 1 pictures, got 2"):
        model.ask([photo], questions)


def test_entailment_is_a_word_and_of_many_its_probabilities_too(asked, photo):
    model = asked("entailment")
    assert model.entail(photo, "a dog is there") in entailment.LABELS
    (told,) = model.entail([photo], "a dog is there")
    assert sum(told.probabilities.values()) == pytest.approx(1, abs=1e-3)
    assert set(entailment.LABELS) < set(model.entail([photo], "a dog is there").frame().columns)


def test_news_reads_the_article(asked, photo):
    assert isinstance(asked("news").news(photo, "The mayor opened the fair in Lindby."), str)


def test_a_model_of_another_task_is_refused_by_name(model, asked, photo):
    with pytest.raises(InputError, match="expected a run of the task vqa, got one of captioning"):
        model.ask(photo, "why?")
    with pytest.raises(InputError, match="task captioning or style, got one of vqa"):
        asked("vqa").caption(photo)


# A sentence in the picture's place.


def test_a_sentence_stands_where_a_picture_does(model, encoder):
    """Its unit vector, and nothing else: no noise, the same answer every time."""
    sentences = ["A red dog in the snow.", "A blue cat on a beach."]
    vectors = F.normalize(encoder.texts(sentences), dim=-1)
    said = [nbest[0].text for nbest in model.predictor.vectors(vectors, [""] * 2)]
    assert [told.text for told in model.read(sentences)] == said == [model.read(sentence) for sentence in sentences]
    assert [told.image for told in model.read(sentences)] == sentences


def test_a_model_repeats_what_it_has_read(model):
    """The space is the same on both sides while learning; what was learned comes back."""
    assert "dog" in model.read("A red dog in the snow.").lower()


def test_a_sentence_can_be_asked_about(asked):
    model = asked("vqa")
    assert isinstance(model.read("Two dogs in the snow.", "how many dogs?"), str)
    assert len(model.read(["Two dogs.", "A cat."], ["how many dogs?", "what animal?"])) == 2
    with pytest.raises(InputError, match="expected a prompt, a run of the task vqa is asked something"):
        model.read("Two dogs in the snow.")


def test_an_encoder_that_only_sees_reads_no_sentence(run, encoder):
    from imageless.stages.predict import Predictor

    class Seeing:
        name, fingerprint, dim, sides = encoder.name, encoder.fingerprint, encoder.dim, ("image",)

    with pytest.raises(InputError, match="only sees pictures; show it a picture"):
        Close(Predictor(run, CPU, encoder=Seeing())).read("A dog.")  # pyright: ignore[reportArgumentType]


# The table.


def test_predictions_turn_into_a_table(model, photos, tmp_path):
    pytest.importorskip("pandas")
    frame = model.captions([photos]).frame()
    assert list(frame.columns) == ["image", "text", "score"] and len(frame) == 4
    assert "error" in model.captions([photos, tmp_path / "none.png"]).frame().columns
    assert list(model.captions([]).frame().columns) == ["image", "text", "score"]


def test_without_pandas_there_is_a_line(model, photo, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(InputError, match="pip install pandas"):
        model.captions([photo]).frame()


@pytest.mark.parametrize("page", ["README.md", "docs/hub.md"])
def test_the_python_that_is_shown_runs(page, run, photos, tmp_path, monkeypatch):
    pytest.importorskip("pandas")
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs/reviews").symlink_to(run)
    (tmp_path / "photos").symlink_to(photos)
    for name in ("photo.jpg", "a.jpg"):
        Image.open(photos / "000.png").save(tmp_path / name)
    shown = re.findall(r"```python\n(.*?)```", (Path(__file__).parents[1] / page).read_text(), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(shown[0], {"array": np.zeros((8, 8, 3), np.uint8)})


# What is refused.


@pytest.mark.parametrize(
    ("shown", "line"),
    [
        ("https://example.org/a.jpg", "got the address .*; download it first"),
        (np.zeros((3, 8, 8), np.uint8), r"uint8 of shape \(3, 8, 8\)"),
        (np.zeros((8, 8, 3)), r"float64 of shape \(8, 8, 3\)"),
        (np.zeros((0, 8, 3), np.uint8), r"of shape \(0, 8, 3\)"),
        (torch.zeros(8, 8, 3), "a PIL image or a numpy array, got Tensor"),
        (None, "got NoneType"),
    ],
    ids=["address", "colours first", "floats", "empty", "tensor", "nothing"],
)
def test_what_is_no_picture_is_refused_in_one_line(model, shown, line):
    with pytest.raises(InputError, match=line) as error:
        model.caption(shown)
    assert "\n" not in str(error.value)


def test_a_folder_where_one_picture_belongs_is_refused(model, photos):
    with pytest.raises(InputError, match=r"expected one picture, .* names 4"):
        model.caption(photos)
