"""The bundled world: rendered scenes with captions, drawn when they are asked for.

    world                    20,000 train, 2,000 val, 5,000 test scenes, as the task at hand wants them:
    world:captions             a scene's five captions
    world:vqa                  a record a question: question, answers, answer_type; the scene's captions
    world:vqae                 the same, with the one sentence that explains the answer as its caption
    world:entailment           a record a hypothesis: hypothesis, label; a caption as the premise
    world:news                 a newspaper's caption with its article
    world:style                a record a voice: style
    world:classes              scenes of things of one kind: label, names, attributes
    world:objects              the kinds of all things in a scene: labels
    world:captions/100000    the same scenes and more of them

and, so that an encoder's text tower has read every word of the world, one record a scene:

    world:voices             told in the world's voices
    world:explanations       the sentences that answer questions about it
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from PIL import Image

from imageless.errors import InputError
from imageless.records import Record
from imageless.world.entailments import entailments
from imageless.world.language import captions
from imageless.world.news import news
from imageless.world.questions import questions
from imageless.world.render import render
from imageless.world.scenes import KINDS as KINDS_OF_THINGS
from imageless.world.scenes import SPLITS, Scene, scene
from imageless.world.voices import VOICES, sentence
from imageless.world.words import NOUNS

VERSION = "1"  # of the renderer: another one draws other pixels
SIZES = {"train": 20_000, "val": 2_000, "test": 5_000}


@dataclass(frozen=True)
class WorldPicture:
    """A scene that is rendered when it is opened."""

    scene: Scene

    @property
    def name(self) -> str:
        return f"world/{self.scene.key}"

    @property
    def stamp(self) -> str:
        return f"drawn by {VERSION}"

    def open(self) -> Image.Image:
        return render(self.scene)


def _captioned(scene: Scene) -> Iterator[Record]:
    yield Record(scene.key, captions(scene), WorldPicture(scene))


def _asked(scene: Scene) -> Iterator[Record]:
    said = captions(scene)
    for record in _explained(scene):
        yield Record(record.key, said, record.image, record.fields)


def _explained(scene: Scene) -> Iterator[Record]:
    for number, asked in enumerate(questions(scene)):
        fields = {"question": asked.question, "answers": asked.answers, "answer_type": asked.kind}
        yield Record(f"{scene.key}-{number}", (asked.explanation,), WorldPicture(scene), fields)


def _claimed(scene: Scene) -> Iterator[Record]:
    for number, claim in enumerate(entailments(scene)):
        fields = {"hypothesis": claim.hypothesis, "label": claim.label}
        yield Record(f"{scene.key}-{number}", (claim.premise,), WorldPicture(scene), fields)


def _reported(scene: Scene) -> Iterator[Record]:
    told = news(scene)
    yield Record(scene.key, (told.caption,), WorldPicture(scene), {"article": told.article})


def _styled(scene: Scene) -> Iterator[Record]:
    for voice in VOICES:
        yield Record(f"{scene.key}-{voice}", (sentence(scene, voice),), WorldPicture(scene), {"style": voice})


def _voices(scene: Scene) -> Iterator[Record]:
    yield Record(scene.key, tuple(sentence(scene, voice) for voice in VOICES), WorldPicture(scene))


def _explanations(scene: Scene) -> Iterator[Record]:
    yield Record(scene.key, tuple(asked.explanation for asked in questions(scene)), WorldPicture(scene))


def _of_one_kind(scene: Scene) -> Iterator[Record]:
    if len(scene.groups) == 1:
        kind = KINDS_OF_THINGS[scene.groups[0].kind]
        true_of_it = (kind.family, *kind.at, *(("indoors",) if kind.indoors else ()), *kind.colours)
        fields = {"label": kind.name, "names": tuple(one for one, _ in NOUNS[kind.name]), "attributes": true_of_it}
        yield Record(scene.key, captions(scene), WorldPicture(scene), fields)


def _holding(scene: Scene) -> Iterator[Record]:
    kinds = tuple(dict.fromkeys(group.kind for group in scene.groups))
    yield Record(scene.key, (), WorldPicture(scene), {"labels": kinds})


KINDS = {
    "captions": _captioned,
    "vqa": _asked,
    "vqae": _explained,
    "entailment": _claimed,
    "news": _reported,
    "style": _styled,
    "classes": _of_one_kind,
    "objects": _holding,
    "voices": _voices,
    "explanations": _explanations,
}


def world(path: str, split: str | None = None, images: str | None = None, kind: str | None = None) -> Iterator[Record]:
    """Records of one split, or of all; `path` is KIND or KIND/COUNT and wins over `kind`."""
    named, _, count = path.partition("/")
    kind = named or kind or "captions"
    if kind not in KINDS:
        raise InputError(f"unknown part of the world {kind!r}; there are: {', '.join(KINDS)}")
    if count and not count.isdigit():
        raise InputError(f"expected a number of scenes after world:{named}/, got {count!r}")
    if split is not None and split not in SPLITS:
        raise InputError(f"the world has no split {split!r}; there are: {', '.join(SPLITS)}")
    sizes = {name: int(count) if count else size for name, size in SIZES.items()}
    return _records(KINDS[kind], [split] if split else list(SPLITS), sizes)


def _records(tell, splits: list[str], sizes: dict[str, int]) -> Iterator[Record]:
    for split in splits:
        for index in range(sizes[split]):
            yield from tell(scene(split, index))
