"""Short articles and the captions of their pictures: the article knows who and where, the picture shows what.

Neither is enough. The article names a guest, a town and an event, and also things and people that are not in the
picture; things are drawn from another scene altogether, so that what the article mentions says nothing about what the
picture shows. The caption joins the two, as those of Visual News do (arXiv:2010.03743).
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from imageless.world.language import listed, mention, salient
from imageless.world.scenes import Group, Scene
from imageless.world.scenes import scene as draw_scene

# fmt: off
FIRST_NAMES = (
    "ada", "anna", "ben", "carl", "clara", "dora", "eli", "ella", "emma", "eric", "finn", "frank", "greta", "hugo",
    "ida", "ivan", "jack", "kate", "leo", "lena", "luke", "mary", "max", "mia", "nina", "noah", "nora", "otto",
    "paul", "rosa", "ruth", "sam", "tom", "vera",
)
LAST_NAMES = (
    "abbot", "archer", "barlow", "bell", "brook", "carter", "cole", "cross", "dale", "dean", "fisher", "flint",
    "fox", "gale", "grant", "hart", "holt", "hunt", "kent", "lane", "marsh", "mason", "miller", "moss", "palmer",
    "parker", "penn", "reed", "rowe", "shaw", "vale", "ward", "webb", "wells",
)
TOWNS = (
    "lindby", "marlow", "tarn", "elmford", "oakley", "redwick", "fernham", "ashby", "norden", "wexdale",
)
# fmt: on
ROLES = ("mayor", "doctor", "teacher", "farmer", "painter", "singer")
EVENTS = ("spring fair", "summer festival", "harvest market", "art show", "town parade")
DAYS = ("saturday", "sunday", "monday")

OPENINGS = (
    "the {event} in {town} opened on {day}",
    "{town} held its {event} on {day}",
    "on {day} people came to {town} for the {event}",
)
GUESTS = (
    "{who} was the guest of honor",
    "{who} welcomed the visitors",
    "the guest of the {event} was {who}",
    "{who} came as the guest of the town",
)
THINGS = (
    "last year {thing} won the prize",
    "next year the prize will be {thing}",
    "next week visitors can see {thing}",
)
ABSENT = (
    "{other} could not come",
    "{other} sent a letter",
    "last year the guest was {other}",
)
CLOSINGS = ("the {event} ends next week", "tickets were free", "people came from far away")

CAPTIONS = (
    "{who} beside {what} in {town}",
    "{who} with {what} at the {event} in {town}",
    "{who} looks at {what} during the {event}",
    "{what} at the {event} in {town}",
    "{what} near {who} in {town}",
    "{what} as seen by {who} at the {event}",
)


@dataclass(frozen=True)
class News:
    """An article of two to five sentences and the caption of its picture."""

    caption: str
    article: str


def news(scene: Scene, seed: int = 0) -> News:
    """An article that goes with the scene."""
    draw = random.Random(f"{scene.split}/{scene.index}/news/{seed}")
    elsewhere = draw_scene(scene.split, draw.randrange(10**9))
    facts = {
        "town": draw.choice(TOWNS),
        "event": draw.choice(EVENTS),
        "day": draw.choice(DAYS),
        "thing": _described(draw.choice(elsewhere.groups), draw),
        "what": _what(scene, draw),
        **dict(zip(("who", "other"), _people(draw), strict=True)),
    }
    sides = [draw.choice(forms) for forms in (THINGS, ABSENT, CLOSINGS) if draw.random() < 0.6]
    sentences = [draw.choice(GUESTS), *sides]
    draw.shuffle(sentences)
    article = "".join(f"{sentence}. " for sentence in (draw.choice(OPENINGS), *sentences))
    return News(draw.choice(CAPTIONS).format(**facts), article.format(**facts).strip())


def _people(draw: random.Random) -> list[str]:
    """Two people with different names: the guest and somebody else."""
    firsts, lasts = draw.sample(FIRST_NAMES, 2), draw.sample(LAST_NAMES, 2)
    return [f"{draw.choice(ROLES)} {first} {last}" for first, last in zip(firsts, lasts, strict=True)]


def _what(scene: Scene, draw: random.Random) -> str:
    """The main thing of the picture, and half of the time a second one."""
    shown = salient(scene)[: 1 + (draw.random() < 0.5)]
    return listed([_described(group, draw) for group in shown])


def _described(group: Group, draw: random.Random) -> str:
    return mention(group, draw, colour=0.8, vague=0.1, hypernym=0).text
