"""VQA-E: questions of VQA 2.0 with a sentence that explains the answer; that sentence stands for the photograph.

    {"img_id": 458752, "question": "...", "question_type": "what is this", "answers": ["net", "net", ...],
     "multiple_choice_answer": "net", "explanation": ["...", 0.78]}

    VQA-E_train_set.json and VQA-E_val_set.json by the link of github.com/liqing-ustc/VQA-E (close/download.py @ c211b9a
    names them, too); photographs: COCO's train2014 and val2014
    imageless train vqa vqae:vqa-e ...

The caption is the explanation's text; its second part, how sure its makers were, is left out (close/data/vqa_e.py @
16056ff). The kind of answer (yes/no, number, other) is taken from the entry or, where that has none, as CLOSE does it:
from VQA 2.0's annotations, when `v2_mscoco_*_annotations.json` lies in the folder; by the photograph and its answers.
There is no test split: CLOSE scores on val. Li et al., ECCV 2018.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from typing import Any

from imageless.data.album import Album
from imageless.data.lines import read_json
from imageless.data.released import Tally, number_of, objects, seek, split_files, text_of
from imageless.data.rows import captions
from imageless.data.vqa2 import ANNOTATIONS, coco_names, read_annotations, words_of
from imageless.records import Record

NAMES = {"train": "VQA-E_train_set.json", "val": "VQA-E_val_set.json"}
HAD_FROM = "fetch it by the link of github.com/liqing-ustc/VQA-E"


def vqae(path: str, split: str | None = None, images: str | None = None) -> Iterator[Record]:
    """A record per explained question."""
    files = split_files(path, split, NAMES, f"vqae:{path}", HAD_FROM)
    folder = path if os.path.isdir(path) else os.path.dirname(path) or "."
    album = Album(images, beside=os.path.join(folder, ""))
    picture = functools.cache(album.get)  # a photograph has several questions, and is counted once
    tally = Tally(f"vqae:{path}")
    for name, file in files:
        subset = f"{name}2014"
        for number, entry in enumerate(_entries(file, seek(folder, ANNOTATIONS.format(subset)))):
            where = f"{file}, entry {number}"
            tally.total += 1
            explanation = _explanation(entry, where)
            if not explanation:
                tally.note("questions without an explanation skipped", number)
                continue
            image_id = number_of(entry, "img_id", where)
            fields = {
                "question": text_of(entry, "question", where),
                "answers": words_of(entry, where),
                "answer_type": entry.get("answer_type"),
                "question_type": entry.get("question_type"),
                "image_id": image_id,
            }
            yield Record(f"{name}-{number:06d}", explanation, picture(*coco_names(subset, image_id)), fields)
    tally.report()
    album.report()


def _entries(file: str, annotated: str | None) -> list[dict[str, Any]]:
    """The questions of a file, each with its kind of answer where that can be known."""
    entries = objects(read_json(file, "VQA-E's JSON"), file, "VQA-E's list of questions")
    if annotated is None or all("answer_type" in entry for entry in entries):
        return entries
    kinds = {_identity(asked, "image_id"): asked.get("answer_type") for asked in read_annotations(annotated)}
    return [{"answer_type": kinds.get(_identity(entry, "img_id")), **entry} for entry in entries]


def _identity(entry: dict[str, Any], image: str) -> tuple[str, str]:
    """Ten answers to a question about one photograph: the two releases share no number of the question."""
    answers = entry.get("answers")
    return str(entry.get(image)), str(sorted(map(str, answers)) if isinstance(answers, list) else answers)


def _explanation(entry: dict[str, Any], where: str) -> tuple[str, ...]:
    """The text of [text, how sure]."""
    explanation = entry.get("explanation")
    return captions(explanation[0] if isinstance(explanation, list) and explanation else explanation, where)
