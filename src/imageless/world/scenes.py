"""What the world is made of, and how a scene is drawn from it.

A scene is content only: a place and one to three groups of things, each with a kind, a colour, a size, a count and a
position. `render` turns it into pixels and `language` into sentences; neither decides what is there.

Notable:
- Scene `index` of `split` is always the same scene: every draw is keyed by (seed, split, index).
- Splits are disjoint in content: a hash of what a caption could say about the scene decides where it belongs.
- `kinds`, `colours` and `standing` say what could be in a place. Scenes are drawn by them, and so are the wrong kinds
  and colours that questions and entailments speak of.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass

COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "black", "white", "gray")
SIZES = ("small", "medium", "large")
COUNTS = (1, 2, 3)
SPLITS = ("train", "val", "test")

FUR = ("brown", "black", "white", "gray", "orange")
PAINT = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "black", "white", "gray")
PETALS = ("red", "orange", "yellow", "blue", "purple", "pink", "white")


@dataclass(frozen=True)
class Kind:
    """A kind of thing: its family, where it can be and which colours it comes in."""

    name: str
    family: str
    at: tuple[str, ...]  # of "ground", "water", "sky"
    colours: tuple[str, ...]
    indoors: bool = False


KINDS = {
    kind.name: kind
    for kind in (
        Kind("cat", "animal", ("ground",), FUR, indoors=True),
        Kind("dog", "animal", ("ground",), FUR, indoors=True),
        Kind("rabbit", "animal", ("ground",), FUR, indoors=True),
        Kind("bear", "animal", ("ground",), ("brown", "black", "white")),
        Kind("horse", "animal", ("ground",), FUR),
        Kind("turtle", "animal", ("ground", "water"), ("green", "brown", "gray", "yellow")),
        Kind("duck", "animal", ("ground", "water"), ("white", "yellow", "brown", "gray")),
        Kind("fish", "animal", ("water",), ("red", "orange", "yellow", "blue", "purple", "gray")),
        Kind("bird", "animal", ("sky",), ("red", "yellow", "blue", "brown", "black", "white", "gray")),
        Kind("butterfly", "animal", ("sky",), PETALS),
        Kind("car", "vehicle", ("ground",), PAINT),
        Kind("truck", "vehicle", ("ground",), PAINT),
        Kind("bus", "vehicle", ("ground",), PAINT),
        Kind("bicycle", "vehicle", ("ground",), PAINT),
        Kind("boat", "vehicle", ("water",), PAINT),
        Kind("airplane", "vehicle", ("sky",), ("red", "yellow", "blue", "white", "gray", "orange")),
        Kind("ball", "toy", ("ground",), PAINT, indoors=True),
        Kind("kite", "toy", ("sky",), PAINT),
        Kind("balloon", "toy", ("sky",), PAINT, indoors=True),
        Kind("guitar", "furnishing", ("ground",), ("red", "orange", "brown", "black", "white", "blue"), indoors=True),
        Kind("umbrella", "furnishing", ("ground",), PAINT, indoors=True),
        Kind("chair", "furnishing", ("ground",), PAINT, indoors=True),
        Kind("lamp", "furnishing", ("ground",), PAINT, indoors=True),
        Kind("cup", "furnishing", ("ground",), PAINT, indoors=True),
        Kind("cake", "food", ("ground",), ("pink", "white", "brown", "yellow"), indoors=True),
        Kind("flower", "plant", ("ground",), PETALS, indoors=True),
        Kind("tree", "plant", ("ground",), ("green", "orange", "yellow", "red", "brown")),
        Kind("mushroom", "plant", ("ground",), ("red", "brown", "white", "purple", "yellow")),
        Kind("house", "building", ("ground",), ("red", "yellow", "blue", "white", "brown", "gray")),
        Kind("tent", "building", ("ground",), PAINT),
        Kind("star", "heaven", ("sky",), ("yellow", "white", "orange", "blue", "red")),
        Kind("moon", "heaven", ("sky",), ("yellow", "white", "orange", "gray")),
    )
}


@dataclass(frozen=True)
class Place:
    """Where a scene plays: what it offers to stand, swim or fly in, and the colours nobody could make out there."""

    name: str
    offers: tuple[str, ...]
    hides: tuple[str, ...] = ()


PLACES = {
    place.name: place
    for place in (
        Place("beach", ("ground", "water", "sky"), hides=("yellow",)),
        Place("forest", ("ground", "sky"), hides=("green",)),
        Place("meadow", ("ground", "sky"), hides=("green",)),
        Place("desert", ("ground", "sky"), hides=("orange",)),
        Place("snow", ("ground", "sky"), hides=("white",)),
        Place("sea", ("water", "sky"), hides=("blue",)),
        Place("street", ("ground", "sky"), hides=("gray",)),
        Place("room", ("indoors",)),
        Place("mountains", ("ground", "sky"), hides=("gray",)),
        Place("night", ("ground", "sky"), hides=("black",)),
    )
}


@dataclass(frozen=True)
class Group:
    """One to three things of a kind, alike in colour and size, standing together."""

    kind: str
    colour: str
    size: str
    count: int
    at: str  # "ground", "water" or "sky"
    x: float  # centre, 0 left to 1 right


@dataclass(frozen=True)
class Scene:
    """A place and its groups, from left to right. `seed` is the renderer's, for all that no caption mentions."""

    split: str
    index: int
    place: str
    groups: tuple[Group, ...]
    seed: int

    @property
    def key(self) -> str:
        return f"{self.split}-{self.index:07d}"


def scenes(split: str, count: int, seed: int = 0, start: int = 0) -> Iterator[Scene]:
    """Scenes `start` to `start + count` of a split."""
    for index in range(start, start + count):
        yield scene(split, index, seed)


def scene(split: str, index: int, seed: int = 0) -> Scene:
    """The scene with this index: drawn again and again until its content belongs to the split."""
    draw = random.Random(f"{seed}/{split}/{index}")
    while True:
        place = draw.choice(list(PLACES))
        groups = _groups(place, draw)
        if split_of(place, groups) == split:
            return Scene(split, index, place, groups, seed=draw.getrandbits(31))


def split_of(place: str, groups: tuple[Group, ...]) -> str:
    """Which split a content belongs to: 80 % of all contents are train, 10 % val, 10 % test."""
    content = "|".join([place, *sorted(f"{g.count} {g.size} {g.colour} {g.kind}" for g in groups)])
    bucket = hashlib.sha256(content.encode()).digest()[0] % 10
    return "val" if bucket == 8 else "test" if bucket == 9 else "train"


def kinds(place: str) -> tuple[str, ...]:
    """What can be in a place."""
    return tuple(kind for kind in KINDS if standing(kind, place))


def colours(kind: str, place: str) -> tuple[str, ...]:
    """The colours a kind can have in a place: those that can be made out there."""
    return tuple(colour for colour in KINDS[kind].colours if colour not in PLACES[place].hides)


def standing(kind: str, place: str) -> tuple[str, ...]:
    """Where a kind can be in a place, of "ground", "water" and "sky"; empty when it does not belong there."""
    if place == "room":
        return KINDS[kind].at if KINDS[kind].indoors else ()
    return tuple(at for at in KINDS[kind].at if at in PLACES[place].offers)


def _groups(place: str, draw: random.Random) -> tuple[Group, ...]:
    """One to three groups of different kinds, spread over the width."""
    count = draw.choices((1, 2, 3), (0.25, 0.5, 0.25))[0]
    groups = []
    for slot, kind in enumerate(draw.sample(kinds(place), count)):
        x = (slot + 0.5 + draw.uniform(-0.2, 0.2)) / count if count > 1 else draw.uniform(0.25, 0.75)
        groups.append(
            Group(
                kind=kind,
                colour=draw.choice(colours(kind, place)),
                size=draw.choice(SIZES),
                count=draw.choices(COUNTS, (0.55, 0.25, 0.2))[0],
                at=draw.choice(standing(kind, place)),
                x=x,
            )
        )
    return tuple(groups)
