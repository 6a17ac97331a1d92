"""Every task is learned from sentences and asked about pictures, by the same stages: only the task's file knows more."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from imageless import data, runs, tasks
from imageless.errors import InputError
from imageless.options import EvaluateOptions, PredictOptions, TrainOptions
from imageless.records import Example
from imageless.stages.evaluate import evaluate
from imageless.stages.predict import Predictor
from imageless.stages.train import train
from imageless.tasks import entailment, news, style, vqa

QUICK = TrainOptions(device="cpu", steps=6, limit=60, batch_size=16, noise=0.02)
ASKED = EvaluateOptions(device="cpu", limit=6, beams=2)


def learn(task: str, out: Path, encoder: object, source: str = "world", **told: object) -> Path:
    train(task, [source], out, str(encoder), "world:32x1", replace(QUICK, **told))
    return out


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("tasks")


@pytest.fixture(scope="module")
def judge_run(folder, encoder_folder) -> Path:
    return learn("entailment", folder / "entailment", encoder_folder)


@pytest.fixture(scope="module")
def question_run(folder, encoder_folder) -> Path:
    return learn("vqa", folder / "vqa", encoder_folder)


@pytest.fixture(scope="module")
def news_run(folder, encoder_folder) -> Path:
    return learn("news", folder / "news", encoder_folder)


@pytest.fixture(scope="module")
def voices_run(folder, encoder_folder) -> Path:
    return learn("style", folder / "style", encoder_folder)


@pytest.fixture(scope="module")
def captioner_of_the_world(folder) -> Path:
    return learn("captioning", folder / "worldly", "world", steps=1)


@pytest.fixture(scope="module")
def picture(folder) -> Path:
    from imageless.world.render import render
    from imageless.world.scenes import scene

    path = folder / "scene.png"
    render(scene("test", 0)).save(path)
    return path


# What is learned from what.


@pytest.mark.parametrize("task", [name for name in tasks.TASKS if name != "captioning"])
def test_the_world_speaks_every_task_and_each_example_stands_on_text(task):
    asked = tasks.task(task)
    examples = list(asked.examples(data.read("world", "train", limit=40, kind=asked.LEARNED), None, "text"))
    assert len(examples) >= 40
    assert all(example.scene and example.targets and example.prompt for example in examples)
    questions = list(asked.questions(data.read("world", "test", limit=40, kind=asked.ASKED)))
    assert len(questions) == 40 and all(question.image is not None for question in questions)


@pytest.mark.parametrize("task", [name for name in tasks.TASKS if name != "captioning"])
def test_a_setting_belongs_to_captioning(task):
    with pytest.raises(InputError, match="--setting multiple belongs to captioning"):
        tasks.task(task).choose([], "multiple")


def test_answers_of_three_people_are_learned_and_the_most_frequent_where_nobody_agrees():
    assert vqa.agreed(["tan"] * 3 + ["brown"] * 6 + ["red"]) == ("tan", "brown")
    assert vqa.agreed(["a", "b", "c", "a", "b"]) == ("a", "b")
    assert vqa.agreed(["a", "b"]) == ("a", "b")


def test_a_question_is_learned_from_the_mean_of_the_scenes_captions(question_run):
    records = data.read("world", "train", limit=3, kind="vqa")
    assert {len(example.scene) for example in vqa.examples(records, None, "text")} == {5}
    explained = data.read("world:vqae", "train", limit=3)
    assert {len(example.scene) for example in vqa.examples(explained, None, "text")} == {1}


def test_an_epoch_of_news_is_a_share_of_the_data(folder, encoder_folder):
    told = {"steps": None, "limit": 200, "batch_size": 10}
    learn("news", folder / "epochs", encoder_folder, epochs=2.0, **told)
    learn("news", folder / "whole", encoder_folder, epochs=2.0, epoch_share=1.0, **told)
    steps = [len((folder / name / "log.jsonl").read_text().splitlines()) for name in ("epochs", "whole")]
    last = [
        json.loads((folder / name / "log.jsonl").read_text().splitlines()[-1])["step"] for name in ("epochs", "whole")
    ]
    assert last == [6, 40] and steps[0] < steps[1]


def test_a_run_is_learned_on_from_with_its_prefix_and_words(folder, encoder_folder, tmp_path):
    captioner = learn("captioning", folder / "captioner", encoder_folder, prefix=2)
    train("vqa", ["world"], tmp_path / "on", str(encoder_folder), str(captioner), replace(QUICK, learning_rate=1e-9))
    (before, start, words), (after, end, same) = (runs.load(run) for run in (captioner, tmp_path / "on"))
    assert (after.task, after.prefix) == ("vqa", 2) and words.get_vocab() == same.get_vocab()
    ends = dict(end.named_parameters())
    assert all(torch.allclose(weight, ends[name], atol=1e-6) for name, weight in start.named_parameters())
    assert before.encoder == after.encoder
    assert (after.lm, after.start) == ("world:32x1", str(captioner))


def test_a_run_of_another_encoder_is_not_learned_on_from(folder, encoder_folder, captioner_of_the_world, tmp_path):
    with pytest.raises(InputError, match="expected the encoder world"):
        train("vqa", ["world"], tmp_path / "on", str(encoder_folder), str(captioner_of_the_world), QUICK)


# What is answered.


def test_possible_answers_are_ranked_by_the_likelihood_of_their_words(judge_run):
    predictor = Predictor(judge_run, PredictOptions(device="cpu"))
    vectors = torch.nn.functional.normalize(torch.randn(3, predictor.config.encoder.dim), dim=-1)
    ranked = predictor.vectors(vectors, ["a dog is there", "there is a cat and a bird", "no"])
    for row, answers in enumerate(ranked):
        assert {answer.text for answer in answers} == set(entailment.LABELS)
        assert [a.score for a in answers] == sorted((a.score for a in answers), reverse=True)
        alone = predictor.vectors(vectors[row : row + 1], [["a dog is there", "there is a cat and a bird", "no"][row]])[
            0
        ]
        for one, other in zip(answers, alone, strict=True):
            assert one.text == other.text and math.isclose(one.score, other.score, abs_tol=1e-3)


def test_a_judge_may_also_write_its_answer(judge_run):
    predictor = Predictor(judge_run, PredictOptions(device="cpu", written=True))
    vectors = torch.nn.functional.normalize(torch.randn(2, predictor.config.encoder.dim), dim=-1)
    assert all(len(answers) == 1 for answers in predictor.vectors(vectors, ["a dog", "a cat"]))


def test_evaluating_entailment_tells_who_was_taken_for_whom(judge_run, tmp_path):
    done = evaluate(judge_run, ["world"], tmp_path / "scores", ASKED)
    confusion = json.loads((tmp_path / "scores/confusion.json").read_text())
    counts = np.array(confusion["counts"])
    assert counts.sum() == done.n == 6 and done.scores["accuracy"] == pytest.approx(np.trace(counts) / 6)


def test_evaluating_questions_scores_each_type_of_answer(question_run, tmp_path):
    done = evaluate(question_run, ["world"], tmp_path / "scores", ASKED)
    assert "accuracy" in done.scores and set(done.scores) <= {
        "accuracy",
        "accuracy_yes_no",
        "accuracy_number",
        "accuracy_other",
    }
    results = json.loads((tmp_path / "scores/results.json").read_text())
    assert len(results) == 6 and set(results[0]) == {"question_id", "answer"}


def test_a_split_without_answers_leaves_the_leaderboards_file():
    scored = vqa.score([Example("17", (), "why?", ()), Example("18", (), "who?", ())], ["because", "me"])
    assert scored.corpus == {}
    assert scored.files["results.json"] == [
        {"question_id": 17, "answer": "because"},
        {"question_id": 18, "answer": "me"},
    ]


def test_every_voice_of_a_run_is_evaluated_and_judged(voices_run, tmp_path):
    told = replace(ASKED, judge=("world:style/50?split=val",))
    done = evaluate(voices_run, ["world"], tmp_path / "scores", told)
    assert done.n == 18
    for voice in ("ego", "uplifting", "pirate"):
        assert {f"cider_{voice}", f"strength_{voice}", f"judged_{voice}"} <= set(done.scores)
    assert done.scores["judge_held_out"] > 0.9
    one = evaluate(voices_run, ["world"], tmp_path / "one", replace(ASKED, style="pirate"))
    assert one.n == 6 and "cider_ego" not in one.scores


def test_the_judge_knows_a_voice_by_its_words():
    records = list(data.read("world:style/60", "val"))
    said = [record.captions[0] for record in records[:30]]
    asked = [Example(record.key, (), "", (), group=record.fields["style"]) for record in records[:30]]
    strong = style.judged(asked, said, records).corpus
    weak = style.judged(asked, ["a dog on a beach"] * 30, records).corpus
    assert strong["judged_pirate"] > 0.9 > weak["strength_pirate"]


def test_predictions_carry_log_probabilities_and_the_other_answers(question_run, tmp_path):
    evaluate(question_run, ["world"], tmp_path / "scores", replace(ASKED, n_best=2))
    for line in map(json.loads, (tmp_path / "scores/predictions.jsonl").read_text().splitlines()):
        assert line["log_probability"] == line["nbest"][0]["score"] and len(line["nbest"]) == 2


def test_a_judge_of_voices_is_for_voices(judge_run, tmp_path):
    with pytest.raises(InputError, match="task style"):
        evaluate(judge_run, ["world"], tmp_path / "scores", replace(ASKED, judge=("world:style/9",)))


# The controls.


def test_a_blind_model_says_the_same_of_every_picture(folder, encoder_folder):
    blind = Predictor(learn("vqa", folder / "blind", encoder_folder, on="nothing"), PredictOptions(device="cpu"))
    one, other = torch.nn.functional.normalize(torch.randn(2, 1, blind.config.encoder.dim), dim=-1)
    assert blind.vectors(one, ["what color is the dog?"]) == blind.vectors(other, ["what color is the dog?"])
    assert "blind control" in (folder / "blind/README.md").read_text()


# The command line.


def test_ask_entail_news_and_caption_answer_in_one_shape(
    imageless, picture, question_run, judge_run, news_run, voices_run, tmp_path
):
    article = tmp_path / "article.txt"
    article.write_text("The mayor opened the fair in Lindby.")
    said = {
        "ask": imageless("ask", question_run, picture, "what color is the dog?", "--json"),
        "entail": imageless("entail", judge_run, picture, "a dog is there", "--json", "--n-best", "3"),
        "news": imageless("news", news_run, picture, "--article", article, "--json"),
        "caption": imageless("caption", voices_run, picture, "--style", "pirate", "--json"),
    }
    for name, answer in said.items():
        (result,) = answer.json["results"]
        assert result["image"] == str(picture) and isinstance(result["text"], str), name
        assert ("probabilities" in result) == (name == "entail")
    judged = said["entail"].json["results"][0]
    assert sum(judged["probabilities"].values()) == pytest.approx(1, abs=1e-3)
    assert len(judged["nbest"]) == 3 and judged["text"] in entailment.LABELS


def test_a_voice_that_does_not_exist_is_refused_with_those_that_do(imageless, picture, voices_run):
    for words in (["--style", "poet"], []):
        complaint = imageless("caption", voices_run, picture, *words).complaint
        assert "expected one of ego, uplifting, pirate" in complaint


def test_a_run_of_another_task_is_refused_by_name(imageless, picture, judge_run, run):
    assert (
        "expected a run of the task vqa, got one of entailment"
        in imageless("ask", judge_run, picture, "why?").complaint
    )
    assert "single voice" in imageless("caption", run, picture, "--style", "pirate").complaint


def test_data_without_what_the_task_needs_is_refused_in_its_words(imageless, sentences, encoder_folder, tmp_path):
    for task, needs in (("vqa", vqa.NEEDS), ("entailment", entailment.NEEDS), ("news", news.NEEDS)):
        words = ("train", task, f"text:{sentences}", "--encoder", encoder_folder, "--out", tmp_path / task)
        assert f"expected {needs}" in imageless(*words).complaint
