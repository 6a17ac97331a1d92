"""Claims about a captioned scene that follow from the caption, contradict it or stay open, three to a premise.

As for `questions` a blind model is the yardstick: whoever reads the hypothesis alone should be right a third of the
time. So each label has the same claims, hence the same words, and each is decidable from the caption alone and from the
picture alone:

- A hypothesis makes two claims: one about what is seen, and that a second thing is somewhere around. If the first is
  false: contradiction. If it is true and the second thing is there too: entailment. If the second thing is not there,
  it may be around all the same, outside the frame: neutral. Three labels a premise, as in SNLI.
- As in SNLI (arXiv:1508.05326) a hypothesis speaks of the very scene of the premise: a thing it says is in the picture
  that the premise lacks contradicts it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from imageless.world.language import Caption, Mention, colour_word, described, mention, named, noun_of
from imageless.world.questions import NUMBER_ASKED
from imageless.world.scenes import COUNTS, KINDS, PLACES, Scene, colours, kinds, standing
from imageless.world.scenes import scene as draw_scene
from imageless.world.words import HYPERNYMS, SETTINGS

LABELS = ("entailment", "neutral", "contradiction")


@dataclass(frozen=True)
class Entailment:
    """A caption, a claim about its scene, and whether the claim holds: entailment, neutral or contradiction."""

    premise: str
    hypothesis: str
    label: str


Claim = Callable[[Scene, Mention, Mention, bool, random.Random], str]
"""Says something true or false of the first mention, in a hypothesis that goes on to speak of the second."""


def entailments(scene: Scene, seed: int = 0) -> tuple[Entailment, ...]:
    """One hypothesis of each label for one of the scene's captions; none when no caption tells enough.

    A lone thing has to come with its place, which fewer than one scene in a hundred never gets."""
    draw = random.Random(f"{scene.split}/{scene.index}/entailments/{seed}")
    able = [caption for caption in described(scene) if _tells_enough(scene, caption)]
    if not able:
        return ()
    premise = draw.choice([caption for caption in able if len(caption.mentions) > 1] or able)
    pairs = [(_hypothesis(scene, premise, label, draw), label) for label in LABELS]
    draw.shuffle(pairs)
    return tuple(Entailment(premise.text, hypothesis, label) for hypothesis, label in pairs)


def _tells_enough(scene: Scene, caption: Caption) -> bool:
    if any(told.hypernym for told in caption.mentions):
        return False
    return len(caption.mentions) > 1 or (caption.placed and bool(_elsewhere(scene, caption.mentions)))


def _hypothesis(scene: Scene, premise: Caption, label: str, draw: random.Random) -> str:
    """A claim about what is seen, true or false, and a second thing around, seen or not."""
    seen = label == "entailment" or (label == "contradiction" and draw.random() < 0.5)
    claim, first, second = _claimed(scene, premise, seen, draw)
    said = claim(scene, first, second, label != "contradiction", draw)
    thing = _again(scene, second, draw)
    return draw.choice(
        (
            f"{said} and {thing.text} {'are' if thing.plural else 'is'} not far away",
            f"{said} with {thing.text} somewhere around",
            f"{said} and somewhere around {thing.there} {thing.text}",
            f"{said} and close by {thing.there} {thing.text}",
        )
    )


def _claimed(scene: Scene, premise: Caption, seen: bool, draw: random.Random) -> tuple[Claim, Mention, Mention]:
    """A claim, the thing it is about, and the second thing: of the premise, or else a stranger."""
    while True:
        first, *others = draw.sample(premise.mentions, len(premise.mentions))
        second = (others[0] if others else first) if seen else _stranger(scene, draw)
        if claims := _claims(scene, premise, first, second, draw) if others else _lone_claims(scene, second):
            return draw.choice(claims), first, second


def _claims(scene: Scene, premise: Caption, first: Mention, second: Mention, draw: random.Random) -> list[Claim]:
    """What the premise lets one say about its first thing, by chances that make true and false claims look alike."""
    claims: list[Claim] = [_claim_presence]
    if first.colour:
        claims.append(_claim_colour)
    if first.exact and draw.random() < NUMBER_ASKED[first.group.count]:
        claims.append(_claim_number)
    # Two given kinds meet more often where there are few kinds; without this, "room" and "sea" would sound true.
    if premise.placed and draw.random() < (len(kinds(scene.place)) / len(KINDS)) ** 2:
        claims += [_claim_spot, _claim_setting] if _elsewhere(scene, [first, second]) else []
    return claims


def _lone_claims(scene: Scene, second: Mention) -> list[Claim]:
    """A premise with a single thing leaves only its place to speak of before that thing."""
    return [_claim_setting] if _elsewhere(scene, [second]) else []


def _claim_presence(scene: Scene, first: Mention, second: Mention, holds: bool, draw: random.Random) -> str:
    thing = _again(scene, first if holds else _stranger(scene, draw, besides=second.group.kind), draw)
    return draw.choice((f"{thing.there} {thing.text}", f"the picture shows {thing.text}"))


def _claim_colour(scene: Scene, first: Mention, second: Mention, holds: bool, draw: random.Random) -> str:
    group = first.group
    noun, be = named(group, draw)
    others = [colour for colour in colours(group.kind, scene.place) if colour != group.colour]
    denied = draw.random() < 0.25
    colour = colour_word(group.colour if holds != denied else draw.choice(others), draw)
    return f"the {noun} {be} not {colour}" if denied else f"the {noun} {be} {colour}"


def _claim_number(scene: Scene, first: Mention, second: Mention, holds: bool, draw: random.Random) -> str:
    others = [count for count in COUNTS if count != first.group.count]
    count = first.group.count if holds else draw.choice(others)
    noun = noun_of(first.group.kind, draw)[count > 1]
    return f"there is just one {noun}" if count == 1 else f"there are just {('two', 'three')[count - 2]} {noun}"


def _claim_spot(scene: Scene, first: Mention, second: Mention, holds: bool, draw: random.Random) -> str:
    noun, be = named(first.group, draw)
    place = scene.place if holds else draw.choice(_elsewhere(scene, [first, second]))
    return f"the {noun} {be} {draw.choice(SETTINGS[place].around)}"


def _claim_setting(scene: Scene, first: Mention, second: Mention, holds: bool, draw: random.Random) -> str:
    place = scene.place if holds else draw.choice(_elsewhere(scene, [second]))
    return f"the picture was taken {draw.choice(SETTINGS[place].around)}"


def _elsewhere(scene: Scene, mentions: Sequence[Mention]) -> list[str]:
    """The other places where these things could as well have been."""
    return [
        place
        for place in PLACES
        if place != scene.place
        and all(
            standing(told.group.kind, place) and not (told.colour and told.group.colour in PLACES[place].hides)
            for told in mentions
        )
    ]


def _stranger(scene: Scene, draw: random.Random, besides: str = "") -> Mention:
    """Something that is not in this scene, as told of another scene of the same place: it could have been here."""
    here = {besides, *(group.kind for group in scene.groups)}
    while True:
        other = draw_scene(scene.split, draw.randrange(10**9))
        if other.place == scene.place:
            told = draw.choice(described(other, 1)[0].mentions)
            if told.group.kind not in here and not told.hypernym:
                return told


def _again(scene: Scene, told: Mention, draw: random.Random) -> Mention:
    """A mention in other words that give away no more, its hypernym only where nothing else could be meant."""
    alike = [g for g in scene.groups if g != told.group and HYPERNYMS.get(g.kind) == HYPERNYMS.get(told.group.kind)]
    return mention(
        told.group,
        draw,
        colour=0.6 if told.colour else 0,
        size=0,
        vague=0.1 if told.exact else 1,
        hypernym=0 if alike else 0.1,
    )
