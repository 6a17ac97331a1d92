"""How people put a scene into words: a paraphrase grammar, seeded.

A caption names the main thing nearly always, the side things every other time, and of each only some of colour, size
and number: like annotators who never agreed on a wording. What it leaves out is left out, never contradicted: each
sentence is true of its scene.

Notable:
- Same scene, same seed, same words. `captions(scene, 3)` are the first three of `captions(scene, 5)`.
- `described` also says what a caption told (`Mention`), so that entailments know what follows from the sentence alone.
- The voices, articles, questions and entailments speak through `mention`, `subject`, `named` and `where`, hence with
  the same words; the words themselves stand in `words`.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from imageless.errors import InputError
from imageless.world.scenes import Group, Scene
from imageless.world.words import (
    AFLOAT,
    COLOUR_WORDS,
    COUNT_WORDS,
    HYPERNYMS,
    NOUNS,
    SETTINGS,
    SIZE_WORDS,
    SWIMMING,
    VERBS,
)

Word = TypeVar("Word")

MAIN_SAID = 0.93  # how often a caption names the most salient group
SIDE_SAID = 0.5  # and how often each of the others
COLOUR_SAID = 0.65
SIZE_SAID = 0.35
PLACE_SAID = 0.5
VERB_SAID = 0.3
RELATION_SAID = 0.3
HYPERNYM_SAID = 0.04
SYNONYM_SAID = 0.25
VAGUE_SAID = 0.2
MOST_CAPTIONS = 100  # the plainest scene has some 400 wordings, and finding a new one should stay quick
LENGTHS = range(6, 15)  # words in a caption; COCO asked its annotators for at least eight, arXiv:1504.00325


@dataclass(frozen=True, slots=True)
class Mention:
    """One group as a sentence names it, and how much that gives away."""

    group: Group
    text: str
    """ "two small brown dogs" """
    noun: str
    """Its singular noun: the kind, a synonym or a hypernym."""
    colour: bool
    """Whether the colour is said."""
    exact: bool
    """Whether the number can be told from the words."""

    @property
    def plural(self) -> bool:
        return self.group.count > 1

    @property
    def hypernym(self) -> bool:
        return self.noun == HYPERNYMS.get(self.group.kind, ("",))[0]

    @property
    def there(self) -> str:
        """ "there is" or "there are", as its first words ask for."""
        return "there are" if self.plural and not self.text.startswith(("a pair", "a group")) else "there is"


@dataclass(frozen=True, slots=True)
class Caption:
    """A sentence and what it told."""

    text: str
    mentions: tuple[Mention, ...]
    placed: bool


def captions(scene: Scene, count: int = 5, seed: int = 0) -> tuple[str, ...]:
    """What `count` people would write under the picture, no two the same."""
    return tuple(caption.text for caption in described(scene, count, seed))


def described(scene: Scene, count: int = 5, seed: int = 0) -> tuple[Caption, ...]:
    """The same captions, each with what it told."""
    if not 0 <= count <= MOST_CAPTIONS:
        raise InputError(f"expected 0 to {MOST_CAPTIONS} captions a scene, got {count}; draw more scenes instead")
    draw = random.Random(f"{scene.split}/{scene.index}/captions/{seed}")
    told: dict[str, Caption] = {}
    while len(told) < count:
        caption = _caption(scene, draw)
        if caption.text.count(" ") + 1 in LENGTHS:
            told.setdefault(caption.text, caption)
    return tuple(told.values())


def mention(
    group: Group,
    draw: random.Random,
    colour: float = COLOUR_SAID,
    size: float = SIZE_SAID,
    vague: float = VAGUE_SAID,
    hypernym: float = HYPERNYM_SAID,
) -> Mention:
    """A group with its article or number; the chances say how often each detail is told, 0 never and 1 always."""
    general = draw.random() < hypernym and group.kind in HYPERNYMS
    noun = HYPERNYMS[group.kind] if general else noun_of(group.kind, draw)
    words = []
    if draw.random() < size and group.size in SIZE_WORDS:
        words.append(draw.choice(SIZE_WORDS[group.size]))
    coloured = draw.random() < colour
    if coloured:
        words.append(colour_word(group.colour, draw))
    words.append(noun[group.count > 1])
    loose = draw.random() < (vague / 2 if group.count == 1 else vague)
    if loose:
        words.insert(0, draw.choice(COUNT_WORDS[group.count]))
    else:
        words.insert(0, article(words[0]) if group.count == 1 else ("two", "three")[group.count - 2])
    return Mention(group, " ".join(words), noun[0], coloured, exact=not loose or group.count < 3)


def noun_of(kind: str, draw: random.Random) -> tuple[str, str]:
    """Singular and plural of the usual word, or now and then of a synonym."""
    return _word(NOUNS[kind], draw)


def named(group: Group, draw: random.Random) -> tuple[str, str]:
    """The noun in the number it has, and the verb that goes with it."""
    return noun_of(group.kind, draw)[group.count > 1], "are" if group.count > 1 else "is"


def colour_word(colour: str, draw: random.Random) -> str:
    return _word(COLOUR_WORDS[colour], draw) if colour in COLOUR_WORDS else colour


def article(word: str) -> str:
    """ "a" or "an"; none of our words sounds unlike its first letter."""
    return "an" if word[0] in "aeiou" else "a"


def listed(texts: Sequence[str]) -> str:
    """ "a cat", "a cat and a dog", "a cat, a dog and a car"."""
    return " and ".join([", ".join(texts[:-1]), texts[-1]] if len(texts) > 1 else texts)


def where(scene: Scene, groups: Sequence[Group], draw: random.Random) -> str:
    """The place, in words that fit what these groups do there."""
    setting = SETTINGS[scene.place]
    spots = {"surface" if group.at == "water" and group.kind in AFLOAT else group.at for group in groups}
    return draw.choice(getattr(setting, spots.pop()) if len(spots) == 1 else setting.around)


def verb(group: Group, draw: random.Random) -> str:
    verbs = SWIMMING.get(group.kind, VERBS[group.kind]) if group.at == "water" else VERBS[group.kind]
    return draw.choice(verbs)


def relation(a: Group, others: Sequence[Group], scene: Scene, draw: random.Random) -> str:
    """How `a` stands to all of the others, in words that are true of the picture; empty when nothing is."""
    kinds = []
    if all(a.x < b.x for b in others):
        kinds.append(("to the left of", "on the left of", "left of"))
    if all(a.x > b.x for b in others):
        kinds.append(("to the right of", "on the right of", "right of"))
    if all(a.at == b.at and abs(scene.groups.index(a) - scene.groups.index(b)) == 1 for b in others):
        kinds.append(("next to", "beside", "near"))
    if all(a.at == "sky" != b.at for b in others):
        kinds.append(("above", "over"))
    if all(a.at != "sky" == b.at for b in others):
        kinds.append(("below", "under"))
    return draw.choice(draw.choice(kinds)) if kinds else ""


def salient(scene: Scene) -> list[Group]:
    """The groups as they catch the eye: large before small, then from left to right."""
    return sorted(scene.groups, key=lambda group: -("small", "medium", "large").index(group.size))


def subject(scene: Scene, draw: random.Random) -> tuple[str, tuple[Mention, ...]]:
    """Who is there and what they do, without the place: "two dogs sitting next to a red car"."""
    mentions = _mentioned(scene, draw)
    texts = [told.text for told in mentions]
    first, last = mentions[0].group, mentions[-1].group
    does = draw.random() < VERB_SAID
    if len(mentions) == 1:
        return f"{texts[0]} {verb(first, draw)}" if does else texts[0], mentions
    if draw.random() < RELATION_SAID:
        others = [told.group for told in mentions[1:]]
        if len(others) == 1 and first.x < last.x and draw.random() < 0.2:
            return f"{texts[0]} on the left and {texts[1]} on the right", mentions
        if stands := relation(first, others, scene, draw):
            doing = f" {verb(first, draw)}" if does else ""
            return f"{texts[0]}{doing} {stands} {listed(texts[1:])}", mentions
    if draw.random() < 0.3:
        return f"{texts[0]} with {listed(texts[1:])}", mentions
    return f"{listed(texts)} {verb(last, draw)}" if does else listed(texts), mentions


def _mentioned(scene: Scene, draw: random.Random) -> tuple[Mention, ...]:
    main, *sides = salient(scene)
    groups = [side for side in sides if draw.random() < SIDE_SAID]
    if not groups or draw.random() < MAIN_SAID:
        groups.insert(0, main)
    if draw.random() < 0.3:
        draw.shuffle(groups)
    mentions = tuple(mention(group, draw) for group in groups)
    if len({told.noun for told in mentions}) < len(mentions):  # "an animal and an animal"
        mentions = tuple(mention(group, draw, hypernym=0) for group in groups)
    return mentions


def _caption(scene: Scene, draw: random.Random) -> Caption:
    text, mentions = subject(scene, draw)
    placed = draw.random() < PLACE_SAID
    text = _placed(scene, text, mentions, draw) if placed else _bare(text, mentions, draw)
    return Caption(text, mentions, placed)


def _placed(scene: Scene, text: str, mentions: tuple[Mention, ...], draw: random.Random) -> str:
    spot = where(scene, [told.group for told in mentions], draw)
    setting = SETTINGS[scene.place]
    there = mentions[0].there
    return draw.choice(
        (
            f"{text} {spot}",
            f"{text} {spot}",
            f"{text} {spot}",
            f"{there} {text} {spot}",
            f"{draw.choice(setting.names)} with {text}",
            f"{draw.choice(setting.around)} {there} {text}",
            f"{_picture(draw)} of {text} {spot}",
        )
    )


def _bare(text: str, mentions: tuple[Mention, ...], draw: random.Random) -> str:
    there, side = mentions[0].there, _side(mentions[0].group)
    forms = [
        text,
        f"{there} {text}",
        f"{there} {text} in the {draw.choice(('picture', 'photo'))}",
        f"{_picture(draw)} of {text}",
        f"the {draw.choice(('picture', 'photo', 'image'))} shows {text}",
        f"we can see {text} here",
        f"{text} can be seen here",
    ]
    if len(mentions) == 1 and side:
        forms += [f"{text} {side} of the {draw.choice(('picture', 'photo'))}", f"{there} {text} {side}"]
    return draw.choice(forms)


def _side(group: Group) -> str:
    """The part of the picture it is in; empty near the edge of a part and for wide groups, which are drawn off it."""
    if group.count > 1 and group.size != "small":
        return ""
    parts = {"on the left": (0, 0.35), "in the middle": (0.43, 0.57), "on the right": (0.65, 1)}
    return next((part for part, (low, high) in parts.items() if low <= group.x <= high), "")


def _picture(draw: random.Random) -> str:
    return draw.choice(("a picture", "a photo", "an image", "a view"))


def _word(words: Sequence[Word], draw: random.Random) -> Word:
    """The usual word, or now and then one of its synonyms."""
    return draw.choice(words[1:]) if len(words) > 1 and draw.random() < SYNONYM_SAID else words[0]
