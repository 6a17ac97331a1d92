"""Four scenes that differ in one thing at a time: a duck or a turtle, ashore or afloat.

As the four photographs of cats and dogs, standing and asleep, in the paper's case study (CLOSE, arXiv:2211.09778,
appendix 5): everything a caption would say is the same but the species or the position. What no caption says (outlines,
backdrop, light, camera) is another each time, as in photographs, or the same, as no photographer could have it.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from imageless.world.language import mention, where
from imageless.world.scenes import COUNTS, SIZES, Group, Scene, colours

SPECIES = ("duck", "turtle")
POSITIONS = {"ashore": "ground", "afloat": "water"}
PLACE = "beach"  # the place that offers both


@dataclass(frozen=True)
class Case:
    """One scene of four, and what is said of it."""

    species: str
    position: str
    scene: Scene
    alike: Scene
    """The same, drawn with the chances of the other three."""
    caption: str


def quartets(count: int, seed: int = 0) -> Iterator[tuple[Case, ...]]:
    """`count` times four cases in the order duck ashore, duck afloat, turtle ashore, turtle afloat."""
    for number in range(count):
        draw = random.Random(f"{seed}/contrasts/{number}")
        colour = draw.choice([c for c in colours(SPECIES[0], PLACE) if c in colours(SPECIES[1], PLACE)])
        size, many, x, chances = draw.choice(SIZES), draw.choice(COUNTS), draw.uniform(0.3, 0.7), draw.getrandbits(31)
        cases = []
        for species in SPECIES:
            for position, at in POSITIONS.items():
                group = Group(species, colour, size, many, at, x)
                index = 4 * number + len(cases)
                # vectors are kept by a scene's name, so another seed's scenes need another one
                scene = Scene(f"contrasts-{seed}", index, PLACE, (group,), draw.getrandbits(31))
                alike = Scene(f"contrasts-{seed}-alike", index, PLACE, (group,), chances)
                words = random.Random(f"{seed}/contrasts/{number}/words")  # the same words wherever they fit
                text = f"{mention(group, words, hypernym=0).text} {where(scene, [group], words)}"
                cases.append(Case(species, position, scene, alike, text))
        yield tuple(cases)
