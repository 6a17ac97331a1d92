"""From a scene to its picture.

What is there comes from the scene; everything no caption mentions (where exactly things stand and which way they face,
their outlines, the backdrop, light, camera, blur and grain) from `scene.seed`: same scene, same pixels, in every
process; the same layout at every size.

Notable:
- `layout` places things, `backdrops` paints the place, `things` says what each kind looks like; here they meet.
- Drawn at twice the size with Pillow, then reduced; light, blur and grain come last, in a few array operations.
- Each thing has a thin rim, dark or pale, so that a brown bear stands out in a brown forest.
"""

from __future__ import annotations

import math
import random

import numpy as np
from PIL import Image, ImageFilter

from imageless.errors import InputError
from imageless.world.backdrops import Canvas, Colour, mix, paint
from imageless.world.layout import GRID, Thing, arrange
from imageless.world.scenes import Scene

RGB: dict[str, Colour] = {
    "red": (214, 40, 40),
    "orange": (244, 136, 24),
    "yellow": (250, 216, 44),
    "green": (44, 150, 60),
    "blue": (40, 92, 212),
    "purple": (132, 54, 168),
    "pink": (250, 146, 188),
    "brown": (130, 78, 42),
    "black": (38, 38, 44),
    "white": (246, 246, 246),
    "gray": (140, 142, 148),
}
PAINTS: dict[str, Colour] = {
    "dark": (42, 38, 42),
    "white": (250, 250, 250),
    "cream": (250, 240, 214),
    "red": (206, 40, 44),
    "pink": (236, 150, 160),
    "beak": (250, 160, 30),
    "glass": (150, 205, 232),
    "tyre": (40, 40, 46),
    "metal": (176, 180, 188),
    "lamp": (255, 240, 170),
    "wood": (124, 82, 46),
    "leaf": (52, 138, 58),
    "string": (96, 92, 96),
    "steam": (244, 244, 248),
    "flame": (255, 170, 40),
    "candle": (120, 180, 225),
    "cherry": (206, 30, 50),
    "roof": (104, 66, 62),
    "brick": (150, 84, 70),
}
TURN = {"kite": 22, "star": 16, "moon": 14, "airplane": 10, "bird": 10, "butterfly": 20, "ball": 40, "balloon": 6,
        "guitar": 14, "fish": 7}  # degrees to either side; whatever stands leans by 3 at most  # fmt: skip


DIM = {"night": 150, "forest": 120}  # what is darker than this gets a pale rim there


def render(scene: Scene, size: int = 64) -> Image.Image:
    """The picture of a scene, RGB, `size` x `size` pixels."""
    if size < 32:
        raise InputError(f"expected a size of at least 32 pixels, got {size}; the world is made for 64 to 96")
    draw, noise = random.Random(scene.seed), np.random.default_rng(scene.seed)
    things, ground = arrange(scene, draw)
    canvas = Canvas.blank(2 * size)
    paint(canvas, scene.place, ground, draw)
    light = draw.uniform(0, 2 * math.pi)
    palettes = {group: _palette(group.colour, scene.place, draw) for group in scene.groups}
    for thing in things:
        _put(canvas, thing, palettes[thing.group], light, draw, noise)
    return _photograph(canvas.image.reduce(2), scene.place, light, draw, noise)


def _palette(colour: str, place: str, draw: random.Random) -> dict[str, Colour]:
    """The paints of one group: a shade of its colour, what goes with it, and everything that is always the same."""
    level = draw.uniform(-8, 8)  # more in common than apart: a white house must not turn pink
    red, green, blue = (min(max(round(c + level + draw.uniform(-4, 4)), 0), 255) for c in RGB[colour])
    body = mix((red, green, blue), (255, 255, 255) if draw.random() < 0.5 else (0, 0, 0), draw.uniform(0, 0.08))
    brightness = 0.3 * body[0] + 0.59 * body[1] + 0.11 * body[2]
    dark_rim, pale_rim = mix(body, (24, 18, 28), 0.62), mix(body, (255, 255, 255), 0.5)
    return PAINTS | {
        "body": body,
        "shade": mix(body, (20, 10, 40), 0.3) if brightness > 60 else mix(body, (255, 255, 255), 0.16),
        "light": mix(body, (255, 255, 255), 0.38),
        "pale": mix(body, (255, 255, 255), 0.62) if brightness < 200 else mix(body, (90, 90, 120), 0.3),
        "skin": mix(body, (205, 190, 120), 0.55),
        "mane": mix(body, (16, 10, 10), 0.6) if brightness > 60 else mix(body, (150, 130, 120), 0.5),
        "eye": (30, 26, 30) if brightness > 85 else (250, 240, 190),
        "spot": (250, 248, 240) if brightness < 215 else mix(body, (150, 90, 60), 0.5),
        "heart": (112, 66, 34) if colour in ("yellow", "orange") else (252, 206, 56),
        "frosting": (252, 246, 236) if brightness < 225 else (240, 170, 190),
        "rim": pale_rim if brightness < DIM.get(place, 60) else dark_rim,
    }


def _put(
    canvas: Canvas,
    thing: Thing,
    paints: dict[str, Colour],
    light: float,
    draw: random.Random,
    noise: np.random.Generator,
) -> None:
    """Draw one thing with its shadow, or with the water that laps at it."""
    below = canvas.at(thing.x, thing.foot)
    wide = thing.drawing.width * thing.side / 2
    if thing.group.at == "ground":
        canvas.oval(mix(below, (0, 0, 10), 0.32), thing.x + math.cos(light), thing.foot - 0.2, wide, 0.8 + wide * 0.12)
    points, rims = _bent(thing, canvas.unit, light, draw, noise)
    polygon = canvas.brush.polygon
    for part in thing.drawing.parts:
        if part.rimmed:
            polygon(rims[2 * part.start : 2 * part.stop], fill=paints["rim"])
    for part in thing.drawing.parts:
        polygon(points[2 * part.start : 2 * part.stop], fill=paints[part.paint])
    if thing.group.at == "water" and thing.group.kind != "fish":
        _lap(canvas, thing, mix(below, (255, 255, 255), 0.12), draw)


def _bent(
    thing: Thing, unit: float, light: float, draw: random.Random, noise: np.random.Generator
) -> tuple[list[float], list[float]]:
    """Pixel coordinates of all parts and of their rims: jittered, warped, sheared, mirrored, turned and scaled."""
    points = thing.drawing.points
    wobble = noise.normal(0, 0.006, points.shape)
    wave, phase = draw.uniform(2, 5), draw.uniform(0, 6)
    wobble += draw.uniform(0.005, 0.022) * np.sin(points[:, ::-1] * wave + phase)
    turn = math.radians(draw.uniform(-1, 1) * TURN.get(thing.group.kind, 3))
    mirror = 1 if draw.random() < 0.5 else -1
    cos, sin, lean = math.cos(turn), math.sin(turn), draw.uniform(-0.06, 0.06)
    matrix = np.array([[mirror * cos, sin], [mirror * (lean * cos - sin), cos]])  # from (x, y up) to pixels, y down
    stretch = np.array([draw.uniform(0.94, 1.06), draw.uniform(0.94, 1.04)])
    middle = np.array([0.0, thing.drawing.height / 2])
    turned = (points + wobble - middle) @ matrix.T * stretch * thing.side * unit
    turned[:, 1] *= -1
    turned += np.array([thing.x, thing.foot - thing.drawing.height / 2 * thing.side]) * unit
    outwards = thing.drawing.normals @ matrix.T * (0.62 * unit)
    outwards[:, 1] *= -1
    outwards += np.array([math.cos(light), 0.6]) * (0.25 * unit)  # thicker on the shadow's side
    return turned.ravel().tolist(), (turned + outwards).ravel().tolist()


def _lap(canvas: Canvas, thing: Thing, water: Colour, draw: random.Random) -> None:
    """Ripples over the lower edge of what swims."""
    wide, high = thing.drawing.width * thing.side * 0.56, thing.drawing.height * thing.side * 0.1
    canvas.oval(water, thing.x, thing.foot + high * 0.2, wide, high)
    y = thing.foot - high * 0.5
    canvas.line(mix(water, (255, 255, 255), 0.45), 0.6, thing.x - wide, y, thing.x - wide * draw.uniform(0.2, 0.6), y)
    canvas.line(mix(water, (255, 255, 255), 0.45), 0.6, thing.x + wide * draw.uniform(0.2, 0.6), y, thing.x + wide, y)


def _photograph(
    image: Image.Image, place: str, light: float, draw: random.Random, noise: np.random.Generator
) -> Image.Image:
    """Light from one side and in soft blotches, a tint, a little blur, grain."""
    size = image.width
    blur = draw.uniform(0, 0.75) * size / GRID
    if blur > 0.2:
        image = image.filter(ImageFilter.GaussianBlur(blur))
    pixels = np.asarray(image, dtype=np.float32)
    blotches = Image.fromarray(noise.normal(0, 0.035, (5, 5)).astype(np.float32))
    field = np.asarray(blotches.resize((size, size), Image.Resampling.BICUBIC))
    ramp = np.linspace(-1, 1, size, dtype=np.float32) * draw.uniform(0.02, 0.12)
    field = field + math.cos(light) * ramp[None, :] + math.sin(light) * ramp[:, None]
    tint = np.array([draw.uniform(0.965, 1.03) for _ in range(3)], dtype=np.float32) * draw.uniform(0.87, 1.1)
    pixels = pixels * (field[:, :, None] + 1) * tint
    pixels += noise.standard_normal(pixels.shape, dtype=np.float32) * draw.uniform(2.5, 8.5)
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
