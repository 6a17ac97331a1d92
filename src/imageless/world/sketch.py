"""How a drawing is made: flat polygons, a silhouette with details inside.

Parts name a paint, not a colour: `body` is the thing's own colour, `shade` and `light` its darker and lighter tones,
the rest (glass, tyre, leaf ...) is the same for all.

Notable:
- Sketched on a grid of about 100 x 100 with y up, then normalised: it stands on y = 0 around x = 0, longer side 1.
- All points of a drawing lie in one array with their outward normals, so that a thing is bent, turned, scaled and
  rimmed in a few array operations.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

VARIANTS = 12

Vary = Callable[[float, float], float]
"""A number between two, other in each variant."""


@dataclass(frozen=True)
class Part:
    """The points `start` to `stop` of a drawing, filled with a paint."""

    start: int
    stop: int
    paint: str
    rimmed: bool


@dataclass(frozen=True)
class Drawing:
    """A kind in one variant: longer side 1, standing on y = 0, centred on x = 0."""

    points: np.ndarray  # (points, 2)
    normals: np.ndarray  # (points, 2), unit length, outwards
    parts: tuple[Part, ...]
    width: float
    height: float


class Sketch:
    """Collects parts: the silhouette first, then, after `inside`, the details on it."""

    def __init__(self) -> None:
        self._parts: list[tuple[np.ndarray, str, bool]] = []
        self._rimmed = True

    def inside(self) -> None:
        """What follows are details: no rim of their own."""
        self._rimmed = False

    def shape(self, paint: str, *xy: float) -> None:
        """A polygon through the points x1, y1, x2, y2 ..."""
        self._parts.append((np.array(xy, dtype=np.float64).reshape(-1, 2), paint, self._rimmed))

    def blob(self, paint: str, *xy: float) -> None:
        """A smooth closed curve through the points (Catmull-Rom)."""
        points = np.array(xy, dtype=np.float64).reshape(-1, 2)
        before, after, beyond = (np.roll(points, shift, axis=0) for shift in (1, -1, -2))
        steps = []
        for t in (0.0, 1 / 3, 2 / 3):
            steps.append(
                0.5
                * (
                    2 * points
                    + (after - before) * t
                    + (2 * before - 5 * points + 4 * after - beyond) * t**2
                    + (3 * points - before - 3 * after + beyond) * t**3
                )
            )
        self.shape(paint, *np.stack(steps, axis=1).ravel())

    def oval(self, paint: str, x: float, y: float, wide: float, high: float | None = None, turn: float = 0) -> None:
        """An ellipse by its centre, half axes and turn in degrees."""
        angles = np.arange(14) * (2 * math.pi / 14)
        self.shape(paint, *ellipse(x, y, wide, wide if high is None else high, turn, angles).ravel())

    def ring(self, paint: str, x: float, y: float, radius: float, thickness: float) -> None:
        """A circle one can look through: out along the outer edge, back along the inner one."""
        angles = np.linspace(0, 2 * math.pi, 17)
        outer = ellipse(x, y, radius, radius, 0, angles)
        inner = ellipse(x, y, radius - thickness, radius - thickness, 0, angles)[::-1]
        self.shape(paint, *np.concatenate([outer, inner]).ravel())

    def line(self, paint: str, thickness: float, *xy: float) -> None:
        """A thick line through the points."""
        points = np.array(xy, dtype=np.float64).reshape(-1, 2)
        along = np.gradient(points, axis=0)
        along /= np.linalg.norm(along, axis=1, keepdims=True)
        aside = np.stack([-along[:, 1], along[:, 0]], axis=1) * thickness / 2
        self.shape(paint, *np.concatenate([points + aside, (points - aside)[::-1]]).ravel())

    def finish(self) -> Drawing:
        """All parts in one array, normalised by the silhouette."""
        silhouette = np.concatenate([points for points, _, rimmed in self._parts if rimmed])
        low, high = silhouette.min(axis=0), silhouette.max(axis=0)
        scale = 1 / (high - low).max()
        origin = np.array([(low[0] + high[0]) / 2, low[1]])
        parts, start = [], 0
        for points, paint, rimmed in self._parts:
            parts.append(Part(start, start + len(points), paint, rimmed))
            start += len(points)
        return Drawing(
            points=np.concatenate([(points - origin) * scale for points, _, _ in self._parts]),
            normals=np.concatenate([_normals(points) for points, _, _ in self._parts]),
            parts=tuple(parts),
            width=float((high - low)[0] * scale),
            height=float((high - low)[1] * scale),
        )


def ellipse(x: float, y: float, wide: float, high: float, turn: float, angles: np.ndarray) -> np.ndarray:
    """Points of an ellipse, turned by degrees, at these angles."""
    across, up = wide * np.cos(angles), high * np.sin(angles)
    c, s = math.cos(math.radians(turn)), math.sin(math.radians(turn))
    return np.stack([x + c * across - s * up, y + s * across + c * up], axis=1)


def _normals(points: np.ndarray) -> np.ndarray:
    """Outward unit normals of a polygon's corners."""
    before, after = np.roll(points, 1, axis=0), np.roll(points, -1, axis=0)
    area = np.sum(points[:, 0] * after[:, 1] - after[:, 0] * points[:, 1])
    edge = after - before
    normals = np.stack([edge[:, 1], -edge[:, 0]], axis=1) * (1 if area >= 0 else -1)
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
