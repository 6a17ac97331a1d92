"""SNLI 1.0: is a sentence true of a scene that another sentence describes? Language only.

    {"annotator_labels": ["neutral", "entailment", "neutral", "neutral", "neutral"], "captionID": "4705552913.jpg#2",
     "gold_label": "neutral", "pairID": "4705552913.jpg#2r1n", "sentence1": "Two women are embracing while holding to go
     packages.", "sentence1_binary_parse": "( ( Two women ) ...", ..., "sentence2": "The sisters are hugging goodbye."}

    curl -O https://nlp.stanford.edu/projects/snli/snli_1.0.zip && unzip snli_1.0.zip
    imageless train entailment snli:snli_1.0 ...

The premise is the caption; hypothesis and label are fields. The label is the one most judges gave; where they agreed on
none it is "-", and the corpus's own README leaves the pair out of accuracies. Splits are files: train, dev (val), test.
Bowman et al., EMNLP 2015. CLOSE learns entailment from the premises in SNLI-VE instead (close/data/visual_entailment.py
@ c211b9a): see `snlive`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

from imageless.data.lines import lines, parse_json
from imageless.data.released import Tally, split_files, text_of
from imageless.errors import InputError
from imageless.records import Picture, Record

NAMES = {"train": "snli_1.0_train.jsonl", "val": "snli_1.0_dev.jsonl", "test": "snli_1.0_test.jsonl"}
HAD_FROM = "unzip snli_1.0.zip of nlp.stanford.edu/projects/snli there"
LABELS = ("entailment", "neutral", "contradiction")
LONGEST = 1_000_000  # characters in a line; with its four parses a pair takes a few thousand


def snli(path: str, split: str | None = None) -> Iterator[Record]:
    """A record per pair that has a label."""
    tally = Tally(f"snli:{path}")
    for _, file in split_files(path, split, NAMES, f"snli:{path}", HAD_FROM):
        for pair, where in labelled_pairs(file, tally):
            yield pair_record(pair, where)
    tally.report()


def labelled_pairs(path: str, tally: Tally) -> Iterator[tuple[dict[str, Any], str]]:
    """(pair, where it stands) for the pairs that can be learned from; the others are counted."""
    for number, line in lines(path, LONGEST, "an SNLI pair a line"):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        pair = parse_json(line, where)
        if not isinstance(pair, dict) or not {"gold_label", "sentence1", "sentence2"} <= pair.keys():
            raise InputError(
                f"{where}: expected an object with gold_label, sentence1 and sentence2, got {line[:60]!r}; "
                f"name the .jsonl of the release"
            )
        tally.total += 1
        label = pair["gold_label"]
        if label == "-":
            tally.note("pairs on whose label the judges did not agree skipped", pair.get("pairID", where), logging.INFO)
        elif label not in LABELS:
            tally.note(f"pairs with a label that is none of {', '.join(LABELS)} skipped", label)
        elif not text_of(pair, "sentence1", where) or not text_of(pair, "sentence2", where):
            tally.note("pairs with an empty sentence skipped", pair.get("pairID", where))
        else:
            yield pair, where


def pair_record(pair: dict[str, Any], where: str, image: Picture | None = None) -> Record:
    """A pair whose premise stands for the picture."""
    fields = {"hypothesis": text_of(pair, "sentence2", where), "label": pair["gold_label"]}
    return Record(str(pair.get("pairID") or where), (text_of(pair, "sentence1", where),), image, fields)
