"""The bundled world: rendered scenes with captions, drawn when they are asked for.

    world                    captions: 20,000 train, 2,000 val, 5,000 test scenes
    world:captions/100000    the same scenes and more of them
    world:voices             the same scenes told in the world's voices
    world:news               the same scenes under a newspaper's captions
    world:explanations       the same scenes by the sentences that answer questions about them

An encoder is pretrained on all four, so that its text tower has read every word of the world.


    Record(key="test-0000000", captions=("a small pink butterfly", ...), image=WorldPicture("test-0000000"))
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from PIL import Image

from imageless.errors import InputError
from imageless.records import Record
from imageless.world.language import captions
from imageless.world.news import news
from imageless.world.questions import questions
from imageless.world.render import render
from imageless.world.scenes import SPLITS, Scene, scene
from imageless.world.voices import VOICES, sentence

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


def _captioned(scene: Scene) -> tuple[str, ...]:
    return captions(scene)


def _voiced(scene: Scene) -> tuple[str, ...]:
    return tuple(sentence(scene, voice) for voice in VOICES)


def _reported(scene: Scene) -> tuple[str, ...]:
    return (news(scene).caption,)


def _explained(scene: Scene) -> tuple[str, ...]:
    return tuple(question.explanation for question in questions(scene))


FLAVOURS = {"captions": _captioned, "voices": _voiced, "news": _reported, "explanations": _explained}


def world(path: str, split: str | None = None, images: str | None = None) -> Iterator[Record]:
    """Records of one split, or of all; `path` is FLAVOUR or FLAVOUR/COUNT."""
    flavour, _, count = path.partition("/")
    if flavour and flavour not in FLAVOURS:
        raise InputError(f"unknown part of the world {flavour!r}; there are: {', '.join(FLAVOURS)}")
    if count and not count.isdigit():
        raise InputError(f"expected a number of scenes after world:{flavour}/, got {count!r}")
    if split is not None and split not in SPLITS:
        raise InputError(f"the world has no split {split!r}; there are: {', '.join(SPLITS)}")
    sizes = {name: int(count) if count else size for name, size in SIZES.items()}
    return _records(FLAVOURS[flavour or "captions"], [split] if split else list(SPLITS), sizes)


def _records(say, splits: list[str], sizes: dict[str, int]) -> Iterator[Record]:
    for split in splits:
        for index in range(sizes[split]):
            here = scene(split, index)
            yield Record(key=here.key, captions=say(here), image=WorldPicture(here))
