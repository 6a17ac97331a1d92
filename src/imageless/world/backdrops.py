"""The ten places as backdrops: sky, ground, water and decor that belongs to no caption.

Decor is cut by the frame, dim or far away, and never one of the kinds: a forest is trunks without crowns, a street has
flat-roofed blocks, a night has no moon and no stars.

A backdrop is painted on a 64 x 64 grid (y down) whatever the picture's size, between two lines that the layout chose:
`horizon`, where ground or water begins, and `shore`, where ground begins behind which water lies.
"""

from __future__ import annotations

import colorsys
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

from imageless.world.layout import GRID, Ground

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Canvas:
    """A picture under the brush: coordinates are grid units, `unit` pixels each."""

    image: Image.Image
    brush: ImageDraw.ImageDraw
    unit: float

    @classmethod
    def blank(cls, size: int) -> Canvas:
        """An empty square picture, `size` pixels wide."""
        image = Image.new("RGB", (size, size))
        return cls(image, ImageDraw.Draw(image), size / GRID)

    def at(self, x: float, y: float) -> Colour:
        """The colour there, or at the nearest point of the frame."""
        last = self.image.width - 1
        return self.image.getpixel((min(max(int(x * self.unit), 0), last), min(max(int(y * self.unit), 0), last)))  # type: ignore[return-value]

    def gradient(self, top: float, bottom: float, above: Colour, below: Colour) -> None:
        """A band over the whole width, from one colour above to another below."""
        first, last = round(top * self.unit), round(bottom * self.unit)
        if last <= first:
            return
        strip = Image.frombytes("RGB", (1, 2), bytes((*above, *below)))
        self.image.paste(strip.resize((self.image.width, last - first), Image.Resampling.BILINEAR), (0, first))

    def shape(self, colour: Colour, points: Sequence[float]) -> None:
        """A polygon through x1, y1, x2, y2 ..."""
        self.brush.polygon([value * self.unit for value in points], fill=colour)

    def box(self, colour: Colour, left: float, top: float, right: float, bottom: float) -> None:
        """A rectangle."""
        self.shape(colour, (left, top, right, top, right, bottom, left, bottom))

    def oval(self, colour: Colour, x: float, y: float, wide: float, high: float) -> None:
        """An ellipse by its centre and half axes."""
        u = self.unit
        self.brush.ellipse(((x - wide) * u, (y - high) * u, (x + wide) * u, (y + high) * u), fill=colour)

    def line(self, colour: Colour, thickness: float, *points: float) -> None:
        """A line through x1, y1, x2, y2 ..."""
        width = max(1, round(thickness * self.unit))
        self.brush.line([value * self.unit for value in points], fill=colour, width=width)

    def speckle(self, colour: Colour, count: int, top: float, bottom: float, draw: random.Random) -> None:
        """Small dashes scattered over a band, twice as dense near its lower end."""
        u, draws = self.unit, draw.random
        for _ in range(count):
            x, y = draws() * GRID * u, (top + max(draws(), draws()) * (bottom - top)) * u
            self.brush.line((x, y, x + (1 + 2 * draws()) * u * 0.6, y), fill=colour, width=max(1, round(u / 2)))


def mix(colour: Colour, other: Colour, share: float) -> Colour:
    """`share` of the other colour in the first."""
    return tuple(round(a + (b - a) * share) for a, b in zip(colour, other, strict=True))  # type: ignore[return-value]


def jitter(draw: random.Random, hue: float, saturation: float, value: float, spread: float = 1.0) -> Colour:
    """A colour near hue (0 to 1), saturation and value, a little other each time."""
    hue = (hue + draw.uniform(-0.03, 0.03) * spread) % 1
    saturation = min(max(saturation + draw.uniform(-0.08, 0.08) * spread, 0), 1)
    value = min(max(value + draw.uniform(-0.07, 0.07) * spread, 0), 1)
    return tuple(round(255 * channel) for channel in colorsys.hsv_to_rgb(hue, saturation, value))  # type: ignore[return-value]


SKIES = (  # hue, saturation and value above and below: noon, haze, dusk, dawn, overcast
    ((0.57, 0.45, 0.88), (0.54, 0.20, 0.94)),
    ((0.53, 0.28, 0.86), (0.50, 0.12, 0.90)),
    ((0.70, 0.25, 0.72), (0.03, 0.28, 0.92)),
    ((0.60, 0.25, 0.85), (0.12, 0.25, 0.95)),
    ((0.60, 0.10, 0.74), (0.58, 0.06, 0.85)),
)


def paint(canvas: Canvas, place: str, ground: Ground, draw: random.Random) -> None:
    """Paint a place over the whole canvas."""
    PLACES[place](canvas, ground, draw)


def _sky(canvas: Canvas, ground: Ground, draw: random.Random, clouds: int = 3) -> None:
    above, below = draw.choice(SKIES)
    low = jitter(draw, *below)
    canvas.gradient(0, ground.horizon + 1, jitter(draw, *above), low)
    for _ in range(draw.randint(0, clouds)):
        x, y = draw.uniform(0, GRID), draw.uniform(2, max(4, ground.horizon * 0.7))
        pale = mix(low, (255, 255, 255), draw.uniform(0.25, 0.5))
        for _ in range(3):
            canvas.oval(
                pale, x + draw.uniform(-6, 6), y + draw.uniform(-1, 1), draw.uniform(4, 9), draw.uniform(1, 2.4)
            )


def _ridge(
    canvas: Canvas, colour: Colour, base: float, high: tuple[float, float], step: float, draw: random.Random
) -> list[float]:
    """A range of hills or peaks on a base line; its corners come back."""
    x, corners = draw.uniform(-step, 0), []
    while x < GRID + 2 * step:
        corners += [x, base - draw.uniform(*high)]
        x += step * draw.uniform(0.7, 1.3)
    canvas.shape(colour, [-9, base + 1, -9, corners[1], *corners, GRID + 9, base + 1])
    return corners


def _hills(canvas: Canvas, colour: Colour, base: float, high: float, draw: random.Random) -> None:
    """Soft rounded hills behind a base line."""
    for _ in range(draw.randint(2, 3)):
        canvas.oval(mix(colour, (255, 255, 255), draw.uniform(0, 0.12)), draw.uniform(0, GRID), base + 2,
                    draw.uniform(16, 30), high * draw.uniform(0.6, 1.2) + 2)  # fmt: skip


def _floor(canvas: Canvas, top: float, colour: Colour, draw: random.Random, specks: int = 26) -> None:
    """Ground from `top` down to the frame, lighter far away, speckled."""
    near = mix(colour, (0, 0, 0), draw.uniform(0.02, 0.2))
    canvas.gradient(top, GRID, mix(colour, (255, 255, 255), draw.uniform(0.0, 0.15)), near)
    canvas.speckle(mix(colour, (0, 0, 0), 0.24), specks, top + 1, GRID, draw)
    canvas.speckle(mix(colour, (255, 255, 255), 0.24), specks // 2, top + 1, GRID, draw)


def _water(canvas: Canvas, top: float, bottom: float, colour: Colour, draw: random.Random) -> None:
    """Water with streaks of light and dark."""
    canvas.gradient(top, bottom, mix(colour, (255, 255, 255), 0.15), colour)
    for tone, other in ((0.2, (255, 255, 255)), (0.2, (0, 0, 30))):
        streak = mix(colour, other, tone)
        for _ in range(int((bottom - top) / 3)):
            x, y = draw.uniform(-4, GRID), draw.uniform(top + 1, bottom - 1)
            long = draw.uniform(3, 8)
            canvas.line(streak, 0.6, x, y, x + long / 2, y - 0.6, x + long, y)


def beach(canvas: Canvas, ground: Ground, draw: random.Random) -> None:
    """Sky, a band of sea, a line of foam, sand."""
    _sky(canvas, ground, draw)
    _water(canvas, ground.horizon, ground.shore + 1, jitter(draw, 0.53, 0.55, 0.72), draw)
    sand = jitter(draw, 0.11, 0.34, 0.88)
    _floor(canvas, ground.shore, sand, draw)
    x, edge = -4.0, []
    while x < GRID + 6:
        edge += [x, ground.shore + draw.uniform(-0.8, 0.8)]
        x += draw.uniform(4, 9)
    canvas.line((240, 244, 244), 1.0, *edge)


def forest(canvas: Canvas, ground: Ground, draw: random.Random) -> None:
    """Bare trunks cut off by the upper frame before a green haze; litter below."""
    haze = jitter(draw, 0.30, 0.30, 0.58)
    canvas.gradient(0, ground.horizon + 1, mix(haze, (0, 20, 0), 0.35), mix(haze, (255, 255, 220), 0.15))
    bark = jitter(draw, 0.08, 0.32, 0.36)
    soil = jitter(draw, draw.uniform(0.13, 0.27), 0.38, 0.50)
    for far in (0.55, 0.25):
        x = draw.uniform(-2, 8)
        while x < GRID:
            wide, lean = draw.uniform(1.6, 3.6) * (1.3 - far), draw.uniform(-1.5, 1.5)
            foot = ground.horizon + 2
            canvas.shape(mix(bark, haze, far), (x + lean, -1, x + wide + lean, -1, x + wide * 1.2, foot, x, foot))
            x += draw.uniform(7, 15)
    _floor(canvas, ground.horizon, soil, draw, 60)


def meadow(canvas: Canvas, ground: Ground, draw: random.Random) -> None:
    """Grass in tufts before soft hills."""
    _sky(canvas, ground, draw)
    grass = jitter(draw, 0.27, 0.50, 0.68)
    _hills(canvas, mix(grass, (170, 200, 220), 0.35), ground.horizon, draw.uniform(3, 8), draw)
    _floor(canvas, ground.horizon, grass, draw, 16)
    for _ in range(22):
        x, y = draw.uniform(0, GRID), draw.uniform(ground.horizon + 3, GRID)
        canvas.line(mix(grass, (0, 40, 0), 0.3), 0.6, x, y, x + draw.uniform(-1, 1), y - draw.uniform(1, 2.2))


def desert(canvas: Canvas, ground: Ground, draw: random.Random) -> None:
    """Dunes, rippled sand, now and then a table mountain far away."""
    _sky(canvas, ground, draw, clouds=1)
    sand = jitter(draw, 0.085, 0.46, 0.86)
    if draw.random() < 0.5:
        x, wide, top = draw.uniform(4, 44), draw.uniform(10, 18), ground.horizon - draw.uniform(4, 8)
        foot = ground.horizon + 1
        canvas.shape(mix(sand, (150, 90, 90), 0.5), (x, foot, x + 3, top, x + wide - 3, top, x + wide, foot))
    _hills(canvas, mix(sand, (255, 240, 220), 0.2), ground.horizon, draw.uniform(1.5, 4), draw)
    _floor(canvas, ground.horizon, sand, draw, 14)
    for _ in range(7):
        x, y, long = draw.uniform(-6, GRID), draw.uniform(ground.horizon + 2, GRID), draw.uniform(8, 20)
        canvas.line(mix(sand, (90, 40, 10), 0.2), 0.7, x, y, x + long / 2, y - 1.2, x + long, y)


def snow(canvas: Canvas, ground: Ground, draw: random.Random) -> None:
    """White ground, blue-gray hills, falling flakes."""
    canvas.gradient(0, ground.horizon + 1, jitter(draw, 0.60, 0.30, 0.66), jitter(draw, 0.58, 0.16, 0.80))
    white = jitter(draw, 0.58, 0.05, 0.98, 0.4)
    _hills(canvas, mix(white, (130, 150, 180), 0.35), ground.horizon, draw.uniform(3, 8), draw)
    _floor(canvas, ground.horizon, white, draw, 12)
    for _ in range(draw.randint(10, 40)):
        x, y = draw.uniform(0, GRID), draw.uniform(0, GRID)
        canvas.line((250, 252, 255), 0.5, x, y, x + 0.5, y)


def sea(canvas: Canvas, ground: Ground, draw: random.Random) -> None:
    """Nothing but water under the sky."""
    _sky(canvas, ground, draw)
    water = jitter(draw, 0.56, 0.58, 0.62)
    _water(canvas, ground.horizon, GRID, water, draw)


def street(canvas: Canvas, ground: Ground, draw: random.Random) -> None:
    """Flat-roofed blocks with rows of windows, a pavement and a road with a broken line."""
    _sky(canvas, ground, draw, clouds=1)
    x = draw.uniform(-6, 0)
    while x < GRID:
        wide, top = draw.uniform(9, 17), max(ground.horizon - draw.uniform(8, 22), -2)
        wall = jitter(draw, draw.choice((0.05, 0.1, 0.6)), 0.16, draw.uniform(0.5, 0.72))
        canvas.box(wall, x, top, x + wide, ground.horizon + 1)
        pane = mix(wall, draw.choice(((40, 50, 70), (250, 240, 190))), 0.35)
        for row in range(int((ground.horizon - top - 2) / 4)):
            for column in range(int((wide - 2) / 4)):
                left, high = x + 1.8 + column * 4, top + 2 + row * 4
                canvas.box(pane, left, high, left + 1.8, high + 2)
        x += wide + draw.choice((0, 0, 2))
    road = jitter(draw, 0.62, 0.06, 0.48)
    canvas.gradient(ground.horizon, GRID, road, mix(road, (0, 0, 0), 0.15))
    canvas.box(mix(road, (255, 255, 255), 0.45), -1, ground.horizon, GRID + 1, ground.horizon + draw.uniform(2, 5))
    canvas.speckle(mix(road, (0, 0, 0), 0.2), 18, ground.horizon + 5, GRID, draw)
    y, x = draw.uniform(ground.horizon + 10, GRID - 4), draw.uniform(-10, 0)
    while x < GRID:
        canvas.shape(mix(road, (255, 255, 240), 0.55), (x, y, x + 6, y, x + 5.4, y + 1.2, x - 0.6, y + 1.2))
        x += 11


def room(canvas: Canvas, ground: Ground, draw: random.Random) -> None:
    """A wall with a skirting board, boards or carpet below; sometimes a window, a picture, a curtain or shelves."""
    wall = jitter(draw, draw.random(), draw.uniform(0.08, 0.25), draw.uniform(0.72, 0.88))
    canvas.gradient(0, ground.horizon + 1, mix(wall, (255, 255, 255), 0.15), mix(wall, (0, 0, 0), 0.08))
    if draw.random() < 0.4:
        step = draw.uniform(4, 8)
        for number in range(int(GRID / step) + 1):
            canvas.line(mix(wall, (255, 255, 255), 0.35), 0.8, number * step, 0, number * step, ground.horizon)
    decor = draw.choice((_window, _picture, _shelf, None))
    if decor is not None:
        decor(canvas, draw.uniform(4, 46), draw.uniform(2, 8), wall, draw)
    if draw.random() < 0.3:
        cloth, left = jitter(draw, draw.random(), 0.3, 0.6), draw.choice((-1, GRID - 8))
        canvas.box(cloth, left, -1, left + 9, ground.horizon)
        for number in range(3):
            canvas.line(
                mix(cloth, (0, 0, 0), 0.2), 0.8, left + 2 + number * 3, -1, left + 2 + number * 3, ground.horizon
            )
    boards = jitter(draw, draw.choice((0.07, 0.09, 0.1, 0.6)), 0.30, draw.uniform(0.5, 0.72))
    canvas.gradient(ground.horizon, GRID, boards, mix(boards, (0, 0, 0), 0.12))
    y, step = ground.horizon + 3, 3.0
    while y < GRID:
        canvas.line(mix(boards, (0, 0, 0), 0.18), 0.5, -1, y, GRID + 1, y)
        step *= 1.25
        y += step
    canvas.box(mix(wall, (255, 255, 255), 0.6), -1, ground.horizon - 1, GRID + 1, ground.horizon + 0.8)


def _window(canvas: Canvas, x: float, y: float, wall: Colour, draw: random.Random) -> None:
    wide, high = draw.uniform(12, 18), draw.uniform(12, 16)
    canvas.box((236, 236, 230), x, y, x + wide, y + high)
    canvas.box(jitter(draw, 0.56, 0.3, 0.88), x + 1.2, y + 1.2, x + wide - 1.2, y + high - 1.2)
    canvas.line((236, 236, 230), 1, x + wide / 2, y, x + wide / 2, y + high)
    canvas.line((236, 236, 230), 1, x, y + high / 2, x + wide, y + high / 2)


def _picture(canvas: Canvas, x: float, y: float, wall: Colour, draw: random.Random) -> None:
    wide, high = draw.uniform(8, 14), draw.uniform(7, 10)
    canvas.box(jitter(draw, 0.08, 0.4, 0.42), x, y, x + wide, y + high)
    canvas.box(jitter(draw, draw.random(), 0.25, 0.75), x + 1.2, y + 1.2, x + wide - 1.2, y + high - 1.2)
    canvas.box(jitter(draw, draw.random(), 0.3, 0.6), x + 1.2, y + high / 2, x + wide - 1.2, y + high - 1.2)


def _shelf(canvas: Canvas, x: float, y: float, wall: Colour, draw: random.Random) -> None:
    wood = mix(wall, (110, 75, 45), 0.6)
    wide = draw.uniform(12, 18)
    for row in range(2):
        low, at = y + 6 + row * 8, x + 1
        while at < x + wide - 2:
            thick = draw.uniform(1, 2.2)
            canvas.box(
                mix(wall, jitter(draw, draw.random(), 0.4, 0.5), 0.6), at, low - draw.uniform(3.5, 5.5), at + thick, low
            )
            at += thick + draw.choice((0.2, 0.2, 2))
        canvas.box(wood, x, low, x + wide, low + 1)


def mountains(canvas: Canvas, ground: Ground, draw: random.Random) -> None:
    """Sharp snow-capped peaks above stony ground."""
    _sky(canvas, ground, draw, clouds=2)
    rock = jitter(draw, 0.66, 0.16, 0.56)
    corners = _ridge(canvas, rock, ground.horizon, (6, 17), 12, draw)
    peaks = list(zip(corners[::2], corners[1::2], strict=True))
    for left, peak, right in zip(peaks, peaks[1:], peaks[2:], strict=False):
        if peak[1] < min(left[1], right[1]):
            (a, b), (c, d) = _toward(peak, left, 0.4), _toward(peak, right, 0.4)
            middle = (peak[0] + draw.uniform(-1, 1), peak[1] + (b + d - 2 * peak[1]) * 0.25)
            canvas.shape(mix(rock, (246, 248, 252), 0.75), (*peak, c, d, *middle, a, b))
    _ridge(canvas, mix(rock, (50, 70, 70), 0.35), ground.horizon, (1, 6), 9, draw)
    stones = jitter(draw, draw.uniform(0.1, 0.25), 0.18, 0.58)
    _floor(canvas, ground.horizon, stones, draw, 40)


def _toward(start: tuple[float, float], end: tuple[float, float], share: float) -> tuple[float, float]:
    return start[0] + (end[0] - start[0]) * share, start[1] + (end[1] - start[1]) * share


def night(canvas: Canvas, ground: Ground, draw: random.Random) -> None:
    """A dark sky without lights, dim hills, dark ground."""
    canvas.gradient(0, ground.horizon + 1, jitter(draw, 0.65, 0.6, 0.14), jitter(draw, 0.64, 0.5, 0.32))
    dark = jitter(draw, draw.uniform(0.45, 0.68), 0.35, 0.22)
    _hills(canvas, mix(dark, (0, 0, 20), 0.3), ground.horizon, draw.uniform(3, 9), draw)
    _floor(canvas, ground.horizon, dark, draw, 20)


PLACES: dict[str, Callable[[Canvas, Ground, random.Random], None]] = {
    place.__name__: place for place in (beach, forest, meadow, desert, snow, sea, street, room, mountains, night)
}
