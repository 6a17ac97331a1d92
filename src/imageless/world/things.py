"""What all kinds look like: animals and vehicles have files of their own, everything else is sketched here.

Each function sketches one kind on a grid of about 100 x 100, y up; `vary` draws what differs between its variants
(wider sails, more windows), of which there are VARIANTS, made once and kept.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from functools import cache

import numpy as np

from imageless.world import animals, vehicles
from imageless.world.sketch import Drawing, Sketch, Vary, ellipse


@cache
def drawing(kind: str, variant: int) -> Drawing:
    """A kind as it is drawn in this variant (0 to VARIANTS - 1)."""
    sketch = Sketch()
    DRAW[kind](sketch, random.Random(f"{kind}/{variant}").uniform)
    return sketch.finish()


# Toys


def ball(s: Sketch, vary: Vary) -> None:
    """A beach ball: coloured and white wedges meeting in a button."""
    x, y = vary(42, 58), vary(56, 66)
    s.oval("body", 50, 50, 50)
    s.inside()
    for degrees in (20, 140, 260):
        first, last = math.radians(degrees), math.radians(degrees + 42)
        middle = (first + last) / 2
        edge = [50 + 47 * math.cos(first), 50 + 47 * math.sin(first)]
        edge += [50 + 49 * math.cos(middle), 50 + 49 * math.sin(middle)]
        edge += [50 + 47 * math.cos(last), 50 + 47 * math.sin(last)]
        s.shape("pale", x, y, *edge)
    s.oval("shade", x, y, 7)
    s.oval("light", 34, 72, 9, 6, 40)


def kite(s: Sketch, vary: Vary) -> None:
    """A diamond in two tones with crossed spars and a long tail of bows."""
    bend = vary(-8, 8)
    s.shape("body", 50, 100, 82, 66, 50, 26, 18, 66)
    s.line("dark", 3.5, 50, 28, 46 + bend, 16, 54 - bend, 6, 50, -6)
    for x, y in ((46 + bend, 16), (53 - bend, 3)):
        s.shape("body", x, y, x - 9, y + 5, x - 9, y - 5)
        s.shape("body", x, y, x + 9, y + 5, x + 9, y - 5)
    s.inside()
    s.shape("pale", 50, 100, 82, 66, 50, 66)
    s.shape("pale", 50, 66, 50, 26, 18, 66)
    s.line("dark", 3, 50, 98, 50, 28)
    s.line("dark", 3, 20, 66, 80, 66)


def balloon(s: Sketch, vary: Vary) -> None:
    """A smooth egg with a knot and a curling string."""
    bend = vary(-9, 9)
    s.blob("body", 50, 100, 74, 92, 80, 68, 66, 44, 50, 35, 34, 44, 20, 68, 26, 92)
    s.shape("body", 50, 37, 43, 29, 57, 29)
    s.line("string", 3.5, 50, 30, 50 + bend, 20, 50 - bend, 10, 50, 0)
    s.inside()
    s.blob("shade", 58, 42, 74, 56, 78, 76, 70, 60)
    s.oval("light", 38, 80, 6, 11, -22)


# Furnishings


def guitar(s: Sketch, vary: Vary) -> None:
    """A waisted body with a round hole, a long neck and pegs."""
    waist = vary(18, 22)
    s.line("wood", 10, 50, 40, 50, 90)
    s.shape("dark", 42, 88, 40, 104, 60, 104, 58, 88)
    s.blob("body", 50, 0, 78, 5, 84, 22, 50 + waist, 35, 73, 50, 60, 62, 40, 62, 27, 50, 50 - waist, 35, 16, 22, 22, 5)
    s.inside()
    s.blob("shade", 60, 2, 78, 7, 82, 20, 66, 14)
    s.line("wood", 8, 50, 44, 50, 90)
    s.oval("dark", 50, 39, 9)
    s.ring("cream", 50, 39, 11, 3)
    s.shape("wood", 36, 14, 64, 14, 64, 20, 36, 20)
    s.line("cream", 2, 50, 18, 50, 90)


def umbrella(s: Sketch, vary: Vary) -> None:
    """Open: a scalloped dome in panels over a stick with a hooked handle."""
    top, hook = vary(88, 96), vary(8, 14)
    s.line("dark", 6, 50, 60, 50, 8, 54, 1, 60, 1, 50 + hook + 4, 9)
    s.blob(
        "body", 0, 46, 8, 70, 28, top - 6, 50, top, 72, top - 6, 92, 70, 100, 46, 83, 53, 66, 47, 50, 54, 34, 47, 17, 53
    )
    s.shape("dark", 48, top - 2, 52, top - 2, 51, top + 8, 49, top + 8)
    s.inside()
    s.blob("pale", 33, 48, 36, 72, 50, top - 2, 64, 72, 67, 48, 50, 53)
    s.line("shade", 3, 33, 48, 37, 72, 50, top - 2)
    s.line("shade", 3, 67, 48, 63, 72, 50, top - 2)


def chair(s: Sketch, vary: Vary) -> None:
    """From the side and a little above: a slatted back, a seat, four legs."""
    top = vary(92, 104)
    s.shape("body", 12, 42, 22, 40, 16, top, 6, top)
    s.shape("body", 40, 50, 50, 48, 44, top + 4, 34, top + 4)
    for y in (62, 78, top - 6):
        s.shape("body", 10, y - 4, 44, y, 44, y + 8, 10, y + 4)
    s.shape("body", 8, 36, 60, 34, 78, 44, 30, 50)
    for x, y in ((12, 0), (58, 0), (70, 8)):
        s.shape("body", x - 4, 42, x + 4, 42, x + 4, y, x - 4, y)
    s.inside()
    s.shape("light", 14, 41, 60, 39, 74, 45, 32, 48)
    s.shape("shade", 8, 32, 60, 30, 60, 36, 8, 37)
    s.shape("shade", 67, 36, 74, 40, 74, 8, 67, 8)


def lamp(s: Sketch, vary: Vary) -> None:
    """A table lamp: a wide shade, bright below, on a thin foot."""
    wide, high = vary(36, 42), vary(94, 102)
    s.line("metal", 7, 50, 4, 50, 58)
    s.oval("metal", 50, 5, 22, 6)
    s.oval("metal", 50, 26, 9, 13)
    s.shape("body", 50 - wide, 50, 50 + wide, 50, 50 + wide * 0.5, high, 50 - wide * 0.5, high)
    s.inside()
    s.shape("lamp", 52 - wide, 50, 48 + wide, 50, 49 + wide, 56, 51 - wide, 56)
    s.shape("light", 40, 57, 50, 57, 50, high - 3, 44, high - 3)
    s.line("shade", 3, 50 - wide * 0.52, high - 3, 50 + wide * 0.52, high - 3)


def cup(s: Sketch, vary: Vary) -> None:
    """A mug with a round handle, a dark drink and a wisp of steam."""
    waist = vary(0, 6)
    s.ring("body", 76, 38, 23, 9)
    s.shape("body", 6, 68, 74, 68, 70 - waist, 6, 62, 0, 18, 0, 10 + waist, 6)
    s.oval("body", 40, 68, 34, 9)
    s.inside()
    s.oval("shade", 40, 68, 31, 7)
    s.oval("wood", 40, 67, 26, 4.5)
    s.shape("light", 14, 58, 24, 57, 26, 8, 18, 8)
    s.shape("pale", 32, 40, 62, 40, 60, 28, 32, 28)
    for x in (30, 48):
        s.line("steam", 4, x, 76, x - 5, 86, x + 3, 96)


def cake(s: Sketch, vary: Vary) -> None:
    """Two round tiers with dripping cream, candles and a plate."""
    top = vary(62, 68)
    s.oval("metal", 50, 5, 50, 6)
    s.shape("body", 10, 5, 90, 5, 90, 36, 10, 36)
    s.shape("body", 26, 36, 74, 36, 74, top, 26, top)
    for x in (36, 50, 64):
        s.shape("candle", x - 2.5, top, x + 2.5, top, x + 2.5, top + 14, x - 2.5, top + 14)
        s.oval("flame", x, top + 19, 4, 6)
    s.inside()
    for x, y, wide in ((10, 36, 80), (26, top, 48)):
        steps = [x + wide * part / 6 for part in range(7)]
        drips = [value for number, at in enumerate(steps) for value in (at, y - (8 if number % 2 else 12))]
        s.shape("frosting", x, y, *drips, x + wide, y)
    s.shape("shade", 10, 5, 90, 5, 90, 11, 10, 11)
    for x in (24, 50, 76):
        s.oval("cherry", x, 38, 4.5)


# Plants


def flower(s: Sketch, vary: Vary) -> None:
    """Round petals about a heart, on a stem with two leaves."""
    petals, turn = 6 if vary(0, 1) < 0.5 else 7, vary(0, 60)
    s.line("leaf", 6, 50, 0, 50 + vary(-4, 4), 25, 50, 56)
    s.blob("leaf", 50, 12, 36, 30, 20, 30, 32, 14)
    s.blob("leaf", 50, 18, 66, 36, 80, 34, 66, 18)
    for number in range(petals):
        angle = turn + 360 * number / petals
        x, y = 50 + 18 * math.cos(math.radians(angle)), 72 + 18 * math.sin(math.radians(angle))
        s.oval("body", x, y, 14, 10.5, angle)
    s.inside()
    for number in range(petals):
        angle = math.radians(turn + 360 * (number + 0.5) / petals)
        s.line("shade", 2.5, 50, 72, 50 + 22 * math.cos(angle), 72 + 22 * math.sin(angle))
    s.oval("heart", 50, 72, 10)


def tree(s: Sketch, vary: Vary) -> None:
    """A broad lumpy crown on a brown trunk."""
    left, right, top = vary(8, 16), vary(84, 92), vary(94, 104)
    s.shape("wood", 40, 0, 60, 0, 56, 44, 44, 44)
    s.oval("body", left + 16, 50, 20, 16)
    s.oval("body", right - 16, 50, 20, 16)
    s.oval("body", 34, 70, 22, 19)
    s.oval("body", 66, 71, 22, 18)
    s.oval("body", 50, top - 20, 22, 20)
    s.oval("body", 50, 54, 24, 16)
    s.inside()
    s.blob("shade", left + 2, 46, 34, 46, 50, 44, 68, 46, right - 4, 44, 70, 37, 50, 39, 26, 37)
    s.oval("light", 38, top - 18, 10, 7, 30)
    s.oval("light", 28, 66, 6, 5)
    s.oval("shade", 68, 64, 9, 5, 20)
    s.oval("shade", 56, 80, 6, 4)
    s.line("dark", 3, 47, 4, 48, 32)


def mushroom(s: Sketch, vary: Vary) -> None:
    """A domed cap with pale spots on a thick pale stem."""
    top, stem = vary(82, 94), vary(12, 17)
    s.blob("cream", 50 - stem, 2, 50 - stem + 4, 24, 50 - stem, 46, 50 + stem, 46, 50 + stem - 4, 24, 50 + stem, 2)
    s.blob("body", 0, 42, 8, 66, 30, top - 6, 50, top, 70, top - 6, 92, 66, 100, 42, 74, 36, 50, 34, 26, 36)
    s.inside()
    s.blob("shade", 4, 42, 28, 41, 50, 39, 72, 41, 96, 42, 74, 36, 50, 34, 26, 36)
    s.oval("spot", 50, top - 16, 10, 8)
    s.oval("spot", 24, 58, 9, 8)
    s.oval("spot", 76, 59, 9, 8)
    s.oval("spot", 51, 52, 6, 5)


# Buildings


def house(s: Sketch, vary: Vary) -> None:
    """Coloured walls under a pitched roof, with door, windows and chimney."""
    peak, eaves = vary(92, 104), vary(50, 56)
    s.shape("brick", 70, 60, 82, 60, 82, peak - 2, 70, peak - 2)
    s.shape("body", 10, 0, 90, 0, 90, eaves, 10, eaves)
    s.shape("roof", 0, eaves - 2, 100, eaves - 2, 56, peak, 44, peak)
    s.inside()
    s.shape("shade", 10, eaves - 2, 90, eaves - 2, 90, eaves - 8, 10, eaves - 8)
    s.shape("wood", 42, 0, 58, 0, 58, 30, 42, 30)
    for x in (17, 66):
        s.shape("white", x, 16, x + 18, 16, x + 18, 38, x, 38)
        s.shape("glass", x + 2, 18, x + 16, 18, x + 16, 36, x + 2, 36)
    s.oval("lamp", 55, 14, 2.5)
    s.oval("glass", 50, eaves + 18, 7)


def tent(s: Sketch, vary: Vary) -> None:
    """A ridge tent from the front: sloping cloth, a dark opening, pegs."""
    peak = vary(72, 84)
    s.line("wood", 3, -6, 0, 14, 20)
    s.line("wood", 3, 106, 0, 86, 20)
    s.shape("body", 0, 0, 47, peak, 53, peak, 100, 0)
    s.line("wood", 4, 44, peak + 8, 50, peak - 4, 56, peak + 8)
    s.inside()
    s.shape("shade", 72, 0, 100, 0, 53, peak, 50, peak)
    s.shape("pale", 14, 0, 24, 0, 50, peak, 47, peak)
    s.shape("dark", 34, 0, 66, 0, 50, peak * 0.72)
    s.shape("light", 34, 0, 42, 0, 50, peak * 0.72)


# The heavens


def star(s: Sketch, vary: Vary) -> None:
    """Five points, each half lit."""
    inner = vary(20, 24)
    angles = [math.pi / 2 + math.pi * number / 5 for number in range(10)]
    radii = [50 if number % 2 == 0 else inner for number in range(10)]
    corners = [(50 + r * math.cos(a), 50 + r * math.sin(a)) for r, a in zip(radii, angles, strict=True)]
    s.shape("body", *(value for corner in corners for value in corner))
    s.inside()
    for number in range(0, 10, 2):
        s.shape("shade", 50, 50, *corners[number], *corners[(number + 1) % 10])
    s.oval("light", 50, 50, 10)


def moon(s: Sketch, vary: Vary) -> None:
    """A crescent with a few craters."""
    bulge = vary(38, 48)
    outer = ellipse(50, 50, 50, 50, 0, np.linspace(math.radians(55), math.radians(305), 18))
    inner = [(78 - bulge * (1 - ((y - 50) / 41) ** 2), y) for y in range(18, 83, 8)]
    s.shape("body", *outer.ravel(), *(value for point in inner for value in point))
    s.inside()
    s.oval("shade", 18, 62, 6)
    s.oval("shade", 14, 42, 4.5)
    s.oval("shade", 28, 24, 5)
    s.oval("light", 26, 78, 4)


DRAW: dict[str, Callable[[Sketch, Vary], None]] = {
    draw.__name__: draw
    for draw in (
        *(
            animals.cat,
            animals.dog,
            animals.rabbit,
            animals.bear,
            animals.horse,
            animals.turtle,
            animals.duck,
            animals.fish,
            animals.bird,
            animals.butterfly,
        ),
        *(vehicles.car, vehicles.truck, vehicles.bus, vehicles.bicycle, vehicles.boat, vehicles.airplane),
        *(ball, kite, balloon),
        *(guitar, umbrella, chair, lamp, cup, cake),
        *(flower, tree, mushroom),
        *(house, tent),
        *(star, moon),
    )
}
