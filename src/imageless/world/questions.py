"""Questions about a scene whose own words give the answer away as little as can be.

A blind model, which reads the question and sees nothing, is the yardstick: what it gets above the majority is a fault
of the wording. So what is asked is drawn in the same way whatever the answer is. Every scene asks one yes and one no
about presence or colour; the wrong kind (colour) comes from those that could as well have been there. Left and right
are mirrored by a coin. Numbers are asked less often where there is just one.

The evidence, too, is no answer by itself: as VQA-E's explanations, which are captions with the answer worked in, it tells of
everything there is. A sentence about the thing asked for alone would teach to read off the only colour it names.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from imageless.world.language import Mention, article, colour_word, listed, mention, named, noun_of, where
from imageless.world.scenes import COUNTS, Group, Scene, colours, kinds
from imageless.world.words import NOUNS

NUMBER_ASKED = {1: 0.4, 2: 0.9, 3: 1.0}  # against scenes' 55, 25 and 20 %, so that each answer is about as frequent

PLACE_ANSWERS = {
    "beach": ("beach", "shore"),
    "forest": ("forest", "woods"),
    "meadow": ("meadow", "field", "grass"),
    "desert": ("desert",),
    "snow": ("snow",),
    "sea": ("sea", "ocean"),
    "street": ("street", "road"),
    "room": ("room", "indoors"),
    "mountains": ("mountains",),
    "night": ("in the dark", "dark"),
}
COLOUR_ANSWERS = {"gray": ("grey",), "purple": ("violet",)}


@dataclass(frozen=True)
class Question:
    """A question, what ten people answer, and a sentence that holds the evidence."""

    question: str
    answers: tuple[str, ...]
    kind: str
    """ "yes/no", "number" or "other", as VQA v2 sorts its answers."""
    explanation: str


def questions(scene: Scene, seed: int = 0) -> tuple[Question, ...]:
    """Four to six questions, in no particular order."""
    draw = random.Random(f"{scene.split}/{scene.index}/questions/{seed}")
    asked = [_colour(scene, draw), _place(scene, draw), *draw.choice((_presence, _coloured))(scene, draw)]
    counted = draw.choice(scene.groups)
    if draw.random() < NUMBER_ASKED[counted.count]:
        asked.append(_number(scene, counted, draw))
    if len(scene.groups) > 1:
        asked.append(draw.choice((_side, _left_of))(scene, draw))
    draw.shuffle(asked)
    return tuple(asked)


def _colour(scene: Scene, draw: random.Random) -> Question:
    group = draw.choice(scene.groups)
    noun, be = named(group, draw)
    wording = draw.choice((f"what color {be} the {noun}?", f"what is the color of the {noun}?"))
    answers = _ten(group.colour, COLOUR_ANSWERS.get(group.colour, ()), (), draw)
    return Question(wording, answers, "other", _evidence(scene, draw, group))


def _place(scene: Scene, draw: random.Random) -> Question:
    group = draw.choice(scene.groups)
    noun, be = named(group, draw)
    wording = draw.choice((f"where {be} the {noun}?", "where was the picture taken?"))
    main, *others = PLACE_ANSWERS[scene.place]
    return Question(wording, _ten(main, others, (), draw), "other", _evidence(scene, draw))


def _presence(scene: Scene, draw: random.Random) -> tuple[Question, Question]:
    """One thing that is there and one that could have been."""
    group = draw.choice(scene.groups)
    here = {other.kind for other in scene.groups}
    absent = draw.choice([kind for kind in kinds(scene.place) if kind not in here])
    return (
        Question(_is_there(group.kind, draw), _yes(draw), "yes/no", _evidence(scene, draw)),
        Question(_is_there(absent, draw), _no(draw), "yes/no", _evidence(scene, draw)),
    )


def _is_there(kind: str, draw: random.Random) -> str:
    one, many = noun_of(kind, draw)
    one = f"{article(one)} {one}"
    return draw.choice((f"is there {one} in the picture?", f"are there any {many}?", f"can you see {one}?"))


def _coloured(scene: Scene, draw: random.Random) -> tuple[Question, Question]:
    """The colour a thing has and one it could have had."""
    group = draw.choice(scene.groups)
    noun, be = named(group, draw)
    other = draw.choice([colour for colour in colours(group.kind, scene.place) if colour != group.colour])
    evidence = _evidence(scene, draw, group)
    return (
        Question(f"{be} the {noun} {colour_word(group.colour, draw)}?", _yes(draw), "yes/no", evidence),
        Question(f"{be} the {noun} {colour_word(other, draw)}?", _no(draw), "yes/no", evidence),
    )


def _number(scene: Scene, group: Group, draw: random.Random) -> Question:
    many = noun_of(group.kind, draw)[1]
    endings = ("are there", "can be seen", "are in the picture")
    strays = [str(count) for count in COUNTS if abs(count - group.count) == 1]
    answers = _ten(str(group.count), (), strays, draw)
    return Question(f"how many {many} {draw.choice(endings)}?", answers, "number", _evidence(scene, draw, group))


def _side(scene: Scene, draw: random.Random) -> Question:
    """What is on the one side of a thing that has just one neighbour there."""
    asked, other, side = draw.choice(
        [
            (scene.groups[1], scene.groups[0], "left"),
            (scene.groups[-2], scene.groups[-1], "right"),
        ]
    )
    noun, _ = named(asked, draw)
    main, *others = (words[other.count > 1] for words in NOUNS[other.kind])
    evidence = f"{_told(other, draw).text} to the {side} of {_told(asked, draw).text}"
    return Question(f"what is to the {side} of the {noun}?", _ten(main, others, (), draw), "other", evidence)


def _left_of(scene: Scene, draw: random.Random) -> Question:
    a, b = draw.sample(scene.groups, 2)
    side = draw.choice(("left", "right"))
    noun, be = named(a, draw)
    holds = (a.x < b.x) == (side == "left")
    truth = side if holds else {"left": "right", "right": "left"}[side]
    return Question(
        f"{be} the {noun} to the {side} of the {named(b, draw)[0]}?",
        _yes(draw) if holds else _no(draw),
        "yes/no",
        f"{_told(a, draw).text} to the {truth} of {_told(b, draw).text}",
    )


def _ten(main: str, synonyms: Sequence[str], strays: Sequence[str], draw: random.Random) -> tuple[str, ...]:
    """What ten people say: most the same word, some a synonym, now and then one of them something else."""
    answers = [main] * 10
    for position in draw.sample(range(10), draw.randrange(4)):
        if synonyms:
            answers[position] = draw.choice(synonyms)
    if strays and draw.random() < 0.25:
        answers[draw.randrange(10)] = draw.choice(strays)
    return tuple(answers)


def _yes(draw: random.Random) -> tuple[str, ...]:
    return _ten("yes", (), ("no",), draw)


def _no(draw: random.Random) -> tuple[str, ...]:
    return _ten("no", (), ("yes",), draw)


def _told(group: Group, draw: random.Random) -> Mention:
    return mention(group, draw, hypernym=0)


def _full(group: Group, draw: random.Random) -> Mention:
    return mention(group, draw, colour=1, vague=0, hypernym=0)


def _evidence(scene: Scene, draw: random.Random, asked: Group | None = None) -> str:
    """Everything there is and where, with the colour and the number of the thing asked about."""
    mentions = [_full(group, draw) if group is asked else _told(group, draw) for group in scene.groups]
    draw.shuffle(mentions)
    spot = where(scene, [told.group for told in mentions], draw)
    text = listed([told.text for told in mentions])
    return draw.choice((f"{text} {spot}", f"{mentions[0].there} {text} {spot}"))
