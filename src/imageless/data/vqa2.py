"""VQA 2.0: questions about COCO's photographs, each answered by ten people; COCO's captions stand for the photographs.

    questions    {"image_id": 458752, "question": "What is this photo taken looking through?", "question_id": 458752000}
    annotations  {"question_type": "what is this", "multiple_choice_answer": "net", "answers": [{"answer": "net",
                  "answer_confidence": "maybe", "answer_id": 1}, ...], "image_id": 458752, "answer_type": "other",
                  "question_id": 458752000}
    captions     {"image_id": 458752, "id": ..., "caption": "..."}

    for part in Questions_Train Questions_Val Questions_Test Annotations_Train Annotations_Val; do
        curl -O https://s3.amazonaws.com/cvmlp/vqa/mscoco/vqa/v2_${part}_mscoco.zip && unzip v2_${part}_mscoco.zip; done
    curl -O http://images.cocodataset.org/annotations/annotations_trainval2014.zip && unzip annotations_trainval2014.zip
    curl -O http://images.cocodataset.org/zips/val2014.zip && unzip val2014.zip          # and train2014, test2015

Splits: train, val, both as trainval (CLOSE learns from both before test-dev, close/data/vqa_v2.py @ 16056ff), and test and
test-dev, which have neither answers nor captions. Without a split: train and val, as far as they are there.
The files are looked for in the folder and below it. Goyal et al., arXiv:1612.00837; names as on visualqa.org.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import sys
from collections.abc import Iterator
from typing import Any

from imageless.data.album import Album
from imageless.data.lines import read_json
from imageless.data.released import Tally, find, number_of, objects, require_folder, seek, text_of
from imageless.data.splits import canonical
from imageless.errors import InputError
from imageless.records import Record

SPLITS = {
    "train": ("train2014",),
    "val": ("val2014",),
    "trainval": ("train2014", "val2014"),
    "test": ("test2015",),
    "test-dev": ("test-dev2015",),
}
QUESTIONS = "v2_OpenEnded_mscoco_{}_questions.json"
ANNOTATIONS = "v2_mscoco_{}_annotations.json"
CAPTIONS = "captions_{}.json"
HAD_FROM = "unzip it there from visualqa.org/download.html"
CAPTIONS_HAD_FROM = "unzip annotations_trainval2014.zip of cocodataset.org there"


def vqa2(path: str, split: str | None = None, images: str | None = None) -> Iterator[Record]:
    """A record per question: the captions of its photograph, its ten answers and their kind."""
    require_folder(path, f"vqa2:{path}")
    album = Album(images, beside=os.path.join(path, ""))
    files = {subset: _files(path, subset) for subset in _subsets(path, split)}
    for subset, (asked, *answered) in files.items():
        questions = _questions(asked, subset, album)
        yield from _answered(f"vqa2:{path} {subset}", questions, *answered) if answered else questions
    album.report()


def coco_names(subset: str, image_id: int) -> tuple[str, str]:
    """What a photograph of COCO may be called: in the folder of its subset, or just so."""
    folder = subset.replace("-dev", "")  # the photographs of test-dev are some of test2015
    name = f"COCO_{folder}_{image_id:012d}.jpg"
    return f"{folder}/{name}", name


def read_annotations(file: str) -> list[dict[str, Any]]:
    """What was answered, every answer as its word alone: a file holds millions of them and few different ones."""
    return _list(read_json(file, "VQA 2.0 annotations", _lean), "annotations", file)


def _subsets(path: str, split: str | None) -> tuple[str, ...]:
    """The parts of COCO that a split consists of."""
    if split is None:
        there = tuple(subset for subset in SPLITS["trainval"] if seek(path, QUESTIONS.format(subset)) is not None)
        return there or SPLITS["trainval"]
    if canonical(split) not in SPLITS:
        names = ", ".join(SPLITS)
        raise InputError(f"vqa2:{path}: expected a split among {names}, got {split!r}; choose with --split")
    return SPLITS[canonical(split)]


def _files(path: str, subset: str) -> list[str]:
    """Questions and, but for the test sets, annotations and captions."""
    files = [find(path, QUESTIONS.format(subset), HAD_FROM)]
    if subset in SPLITS["trainval"]:
        files.append(find(path, ANNOTATIONS.format(subset), HAD_FROM))
        files.append(find(path, CAPTIONS.format(subset), CAPTIONS_HAD_FROM))
    return files


def _questions(file: str, subset: str, album: Album) -> Iterator[Record]:
    """What was asked of which photograph: all there is of the test sets."""
    picture = functools.cache(album.get)  # a photograph has about five questions, and is counted once
    for number, asked in enumerate(_list(read_json(file, "VQA 2.0 questions"), "questions", file)):
        where = f"{file}, question {number}"
        key, image_id = number_of(asked, "question_id", where), number_of(asked, "image_id", where)
        fields = {"question": text_of(asked, "question", where), "question_id": key, "image_id": image_id}
        yield Record(str(key), image=picture(*coco_names(subset, image_id)), fields=fields)


def _answered(source: str, questions: Iterator[Record], annotated: str, captioned: str) -> Iterator[Record]:
    """The questions with their answers and the captions of their photographs."""
    answers, captions = _answers(annotated), _captions(captioned)
    asked, answered = Tally(source), Tally(source)
    answered.total = len(answers)
    for record in questions:
        asked.total += 1
        given = answers.pop(record.fields["question_id"], None)
        if given is None:
            asked.note("questions without an annotation skipped", record.key)
            continue
        sentences = captions.get(record.fields["image_id"], ())
        if not sentences:
            asked.note("questions are about a picture without captions", record.key)
        yield dataclasses.replace(record, captions=tuple(sentences), fields={**record.fields, **given})
    for key in answers:
        answered.note("annotations without their question skipped", str(key))
    asked.report()
    answered.report()


def _answers(file: str) -> dict[int, dict[str, Any]]:
    """The fields that each question's annotation adds."""
    fields = {}
    for number, annotation in enumerate(read_annotations(file)):
        where = f"{file}, annotation {number}"
        fields[number_of(annotation, "question_id", where)] = {
            "answers": words_of(annotation, where),
            "answer_type": annotation.get("answer_type"),
            "question_type": annotation.get("question_type"),
        }
    return fields


def words_of(annotation: dict[str, Any], where: str) -> tuple[str, ...]:
    """The answers as words."""
    words = annotation.get("answers")
    if not isinstance(words, list) or not words or not all(isinstance(word, str) for word in words):
        raise InputError(f"{where}: expected a list of answers, got {str(words)[:60]!r}; fetch the file again")
    return tuple(words)


def _captions(file: str) -> dict[int, list[str]]:
    """The captions of each photograph."""
    captions: dict[int, list[str]] = {}
    for number, caption in enumerate(_list(read_json(file, "COCO captions"), "annotations", file)):
        where = f"{file}, annotation {number}"
        if sentence := text_of(caption, "caption", where):
            captions.setdefault(number_of(caption, "image_id", where), []).append(sentence)
    return captions


def _list(data: Any, name: str, file: str) -> list[dict[str, Any]]:
    inside = data.get(name) if isinstance(data, dict) else None
    return objects(data if inside is None else inside, file, f"JSON with {name}")


def _lean(part: dict[str, Any]) -> Any:
    if "answer_id" in part and isinstance(part.get("answer"), str):
        return sys.intern(part["answer"])
    return part
