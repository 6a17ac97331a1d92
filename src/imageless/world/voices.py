"""The same scenes in other voices: what a diary, a greeting card or a pirate would make of them.

A voice is a handful of frames around a plain description, so that what is true stays true and only the manner changes.
Each frame holds words that no plain caption has: a captioner that uses them has learned the voice, not the world.
"""

from __future__ import annotations

import random

from imageless.errors import InputError
from imageless.world.language import PLACE_SAID, subject, where
from imageless.world.scenes import Scene

VOICES = {
    "ego": "first person, a diary: i saw two dogs today",
    "uplifting": "warm and hopeful, a greeting card: what a lovely sight, two dogs",
    "pirate": "a lookout to the captain: arr, the crew spied two dogs",
}

FRAMES = {
    "ego": (
        "i saw {scene} today",
        "today i found {scene}",
        "i turned around and saw {scene}",
        "my day began with {scene}",
        "i smiled when i saw {scene}",
        "i will never forget {scene}",
        "i told my friends about {scene}",
        "i still dream of {scene}",
        "my best memory is {scene}",
        "nobody believes me but i saw {scene}",
        "i took this for my diary: {scene}",
        "me alone with {scene}",
    ),
    "uplifting": (
        "what a lovely sight, {scene}",
        "a happy moment with {scene}",
        "{scene} to warm every heart",
        "hope looks like {scene}",
        "what a wonderful world, {scene}",
        "life is sweet with {scene}",
        "pure delight: {scene}",
        "the world is so much better with {scene}",
        "{scene} and a heart full of joy",
        "how lovely life is with {scene}",
        "a wonderful gift: {scene}",
        "{scene}, beautiful and full of hope",
    ),
    "pirate": (
        "ahoy, {scene}",
        "arr, the crew spied {scene}",
        "avast ye, {scene} ahead",
        "shiver me timbers, {scene}",
        "aye captain, {scene} ahead",
        "yo ho ho, {scene} for the crew",
        "ahoy matey, feast yer eyes on {scene}",
        "no treasure beats {scene}, matey",
        "through the spyglass, {scene}",
        "arr, {scene}, worth more than treasure",
        "behold, ye scoundrels, {scene}",
        "blimey, captain, {scene}",
    ),
}


def sentence(scene: Scene, voice: str, number: int = 0, seed: int = 0) -> str:
    """The `number`-th sentence about a scene in a voice."""
    if voice not in FRAMES:
        raise InputError(f"expected a voice, got {voice!r}; there are: {', '.join(VOICES)}")
    draw = random.Random(f"{scene.split}/{scene.index}/{voice}/{number}/{seed}")
    text, mentions = subject(scene, draw)
    if draw.random() < PLACE_SAID:
        text = f"{text} {where(scene, [told.group for told in mentions], draw)}"
    return draw.choice(FRAMES[voice]).format(scene=text)
