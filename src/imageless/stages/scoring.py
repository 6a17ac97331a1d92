"""The scores of a split's answers: the task's own, and what is asked for beside it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from itertools import chain
from typing import Any

import numpy as np

from imageless import data, encoders
from imageless.errors import InputError
from imageless.metrics import clipscore
from imageless.metrics import concepts as lexical
from imageless.options import EvaluateOptions
from imageless.records import Example
from imageless.stages import embed
from imageless.tasks.base import Scored
from imageless.wordnet import WordNet, wordnet


def scored(task: Any, asked: Sequence[Example], answers: Sequence[str], options: EvaluateOptions) -> Scored:
    """All of them together."""
    found = [task.score(asked, answers)]
    if options.judge:
        if not hasattr(task, "judged"):
            raise InputError("--judge: expected a run of the task style, whose voices can be judged; leave it out")
        voices = (r for source in options.judge for r in data.read(source, images=options.images, kind=task.LEARNED))
        found.append(task.judged(asked, answers, voices))
    if options.meteor:
        found.append(_meteor(asked, answers))
    if options.clipscore:
        found.append(_clipscores(asked, answers, options.clipscore, options))
    if options.concepts:
        found.append(_concepts(asked, answers))
    return Scored(
        _joined(each.corpus for each in found),
        _joined(each.items for each in found),
        _joined(each.files for each in found),
    )


def _joined(parts: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    return {name: value for part in parts for name, value in part.items()}


def _meteor(asked: Sequence[Example], answers: Sequence[str]) -> Scored:
    from imageless.metrics import meteor

    keys = [str(number) for number in range(len(asked))]
    people = {key: example.targets for key, example in zip(keys, asked, strict=True)}
    found = meteor.score(dict(zip(keys, answers, strict=True)), people)
    return Scored({"meteor": found.corpus}, {"meteor": found.items})


def _clipscores(asked: Sequence[Example], answers: Sequence[str], encoder: str, options: EvaluateOptions) -> Scored:
    """CLIPScore and RefCLIPScore of each answer."""
    judge = encoders.load(encoder, options.device, options.dtype)
    pictures = embed.images([example.image for example in asked if example.image], judge)
    told = [clipscore.PREFIX + answer for answer in answers]
    people = [[clipscore.PREFIX + target for target in example.targets] for example in asked]
    texts = embed.texts(chain(told, *people), judge)
    seen = pictures.unit(pictures.rows(example.image.name for example in asked if example.image)).numpy()
    said = texts.unit(texts.rows(told)).numpy()
    scores = clipscore.clip_score(seen, said)
    owners = np.repeat(np.arange(len(asked)), [len(targets) for targets in people])
    references = texts.unit(texts.rows(chain(*people))).numpy()
    items = {"clip_score": scores, "ref_clip_score": clipscore.ref_clip_score(scores, said, references, owners)}
    return Scored({name: float(values.mean()) for name, values in items.items()}, items)


def _concepts(asked: Sequence[Example], answers: Sequence[str]) -> Scored:
    """How well the captions have people's nouns, modifiers and relations, and concepts.json with every word by itself."""
    known = wordnet()
    said = [_words(answer, known) for answer in answers]
    people = [set().union(*(_words(target, known) for target in example.targets)) for example in asked]
    found = lexical.concepts(said, people)
    nouns = {concept.word for concept in found if concept.kind == "noun"}
    misses = lexical.near_misses(said, people, nouns, known.near)
    words = []
    for concept in found:
        row = {**asdict(concept), "precision": concept.precision, "recall": concept.recall, "f1": concept.f1}
        if concept.kind == "noun":
            nears = misses[concept.word]
            row |= {"category": known.category(concept.word), "wup": float(np.mean(nears)) if nears else None}
        words.append(row)
    return Scored(lexical.means(found, misses), {}, {"concepts.json": words})


def _words(text: str, known: WordNet) -> set[lexical.Word]:
    """The words of a sentence that say something, as WordNet has them."""
    return {word for token in re.findall(r"[a-z]+", text.lower()) if (word := known.lemma(token)) is not None}
