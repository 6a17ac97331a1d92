"""Running text of the world, for a language model that is to learn to read what stands before.

A document is one scene in several lines, so that its beginning tells much of what follows; or a list of scenes, whose
lines share only the way they are written. `train` documents speak of train scenes alone, and so on.

    captions    a snowy scene with three brown birds      questions   the photo shows some brown birds
                the photo shows some brown birds                      is there a turtle in the picture? yes.
    news        an article, then its picture's caption    voices      a caption, then a diary's, a pirate's, ... words
    keywords    brown, birds: the photo shows some brown birds
                chair, meadow: a white chair in a meadow

Notable:
- Questions also come without any caption before them, and every answer is the one most people gave.
- Keywords before a caption are what CLOSE asks a language model to write from (arXiv:2211.09778 section 3.3). There are
  three ways to write such a list and a document keeps to one, so that the way has to be read from the lines above; half
  of the lists begin with the instruction that `synthesize` gives.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from imageless.options import SynthesizeOptions
from imageless.records import Record
from imageless.tasks.language import answered
from imageless.world.language import captions
from imageless.world.news import news
from imageless.world.questions import questions
from imageless.world.scenes import Scene, scene
from imageless.world.voices import VOICES, sentence

SIZES = {"train": 100_000, "val": 2_000, "test": 5_000}  # documents; scenes are many, and few are better read once
MOST_BEFORE = 3  # captions before questions
LISTED = range(4, 17)  # lines of a list: the longest fill a window
WAYS = ("{words}: {caption}", "{words} -> {caption}", "keywords: {words} caption: {caption}")

# Words that say nothing of a scene on their own.
# fmt: off
PLAIN = frozenset((
    "a", "an", "the", "of", "in", "on", "at", "by", "to", "with", "and", "is", "are", "be", "can", "we", "see", "seen",
    "here", "there", "this", "some", "several", "few", "couple", "pair", "group", "one", "two", "three", "out", "over",
    "under", "next", "near", "among", "left", "right", "middle", "picture", "photo", "image", "view", "scene", "shows",
))
# fmt: on


def documents(split: str, count: int | None = None, seed: int = 0) -> Iterator[str]:
    """The documents of a split, the first `count` of them; one scene begins each."""
    for index in range(SIZES[split] if count is None else min(count, SIZES[split])):
        yield document(scene(split, index), seed)


def document(scene: Scene, seed: int = 0) -> str:
    """The document of a scene: which kind it is, and all it says, is drawn from (split, index, seed)."""
    draw = random.Random(f"{scene.split}/{scene.index}/document/{seed}")
    (write,) = draw.choices(list(KINDS), list(KINDS.values()))
    return "\n".join(write(scene, draw))


def records(split: str, count: int) -> Iterator[Record]:
    """Scenes with their captions, each with one of the questions about it."""
    for index in range(count):
        here = scene(split, index)
        asked = random.Random(f"{split}/{index}/asked").choice(questions(here))
        yield Record(here.key, captions(here), fields={"question": asked.question, "answers": asked.answers})


def _described(scene: Scene, draw: random.Random) -> list[str]:
    return draw.sample(captions(scene), 5)


def _asked(scene: Scene, draw: random.Random) -> list[str]:
    """Captions, often enough none, then questions; a caption may be a sentence that holds the evidence for one."""
    asked = questions(scene)
    said = [*captions(scene), *dict.fromkeys(question.explanation for question in asked)]
    before = draw.sample(said, draw.randint(0, MOST_BEFORE))
    return [*before, *(answered(question.question, question.answers) for question in asked)]


def _reported(scene: Scene, draw: random.Random) -> list[str]:
    told = news(scene, draw.randrange(1000))
    return [told.article, told.caption]


def _voiced(scene: Scene, draw: random.Random) -> list[str]:
    said = [sentence(scene, voice, draw.randrange(1000)) for voice in VOICES]
    return [captions(scene, 1)[0], *draw.sample(said, len(said))]


def _listed(here: Scene, draw: random.Random) -> list[str]:
    way = draw.choice(WAYS)
    others = (scene(here.split, draw.randrange(10**9)) for _ in range(draw.choice(LISTED) - 1))
    said = [draw.choice(captions(one, 2)) for one in (here, *others)]
    instruction = [SynthesizeOptions.instruction] if draw.random() < 0.5 else []
    return instruction + [way.format(words=", ".join(keywords(one, draw)), caption=one) for one in said]


def keywords(caption: str, draw: random.Random) -> list[str]:
    """Up to two of a caption's telling words, in any order."""
    telling = list(dict.fromkeys(word for word in caption.replace(",", "").split() if word not in PLAIN))
    return draw.sample(telling, min(2, len(telling)))


KINDS = {_described: 3, _asked: 4, _reported: 2, _voiced: 1, _listed: 2}  # and how often each is written
