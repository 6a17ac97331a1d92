"""Where things stand in a picture, and where its horizon lies.

Groups stand in rows, one above another: sky above water above ground. A row is filled from left to right in the order
of the groups, so that groups never hide one another. Their centres keep the scene's order across all rows, and what is
in the sky is above everything else.

Notable:
- Each thing's longer side is about 14, 21 or 30 of the grid's 64 units. A crowded picture shrinks everything, large
  things most and small ones least, so that the order of sizes stays.
- Two or three alike stand in a formation (side by side, in a wedge, behind one another); of the formations that fit,
  one is drawn by chance.
- The horizon follows the things: feet on the ground, fish under water.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from imageless.world.scenes import Group, Scene
from imageless.world.sketch import VARIANTS, Drawing
from imageless.world.things import drawing

GRID = 64  # units a picture is wide and high, whatever its pixels; y runs down

SIDE = {"small": 14.0, "medium": 21.0, "large": 30.0}
SHRINKS = {"small": 0.4, "medium": 0.75, "large": 1.0}  # powers of the common shrinking
BESIDE = 7.0  # the least distance of two groups' centres across
ZONES = ("sky", "water", "ground")
FORMATIONS = {  # steps to the right in widths and upwards in heights
    1: (((0.0, 0.0),),),
    2: (((0.0, 0.0), (1.1, 0.12)), ((0.0, 0.12), (1.1, 0.0)), ((0.0, 0.0), (0.75, 0.7)), ((0.0, 0.7), (0.75, 0.0))),
    3: (
        ((0.0, 0.1), (1.1, 0.0), (2.2, 0.1)),
        ((0.0, 0.0), (1.03, 0.25), (2.06, 0.0)),
        ((0.0, 0.0), (1.05, 0.1), (0.48, 0.92)),
        ((0.0, 0.85), (1.05, 0.92), (0.55, 0.0)),
        ((0.0, 0.0), (0.6, 0.95), (0.05, 1.9)),
    ),
}

Formation = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Thing:
    """One thing: the middle of its foot and its longer side, in grid units."""

    group: Group
    drawing: Drawing
    x: float
    foot: float
    side: float

    @property
    def top(self) -> float:
        return self.foot - self.drawing.height * self.side


@dataclass(frozen=True)
class Ground:
    """Where the sky ends (`horizon`) and the ground begins (`shore`); in between may lie water."""

    horizon: float
    shore: float


@dataclass(frozen=True)
class _Cluster:
    """A group in a formation, at a size: a box to be placed."""

    group: Group
    formation: Formation
    drawing: Drawing
    side: float

    @property
    def width(self) -> float:
        steps = [x for x, _ in self.formation]
        return self.side * self.drawing.width * (1 + max(steps) - min(steps))

    @property
    def height(self) -> float:
        return self.side * self.drawing.height * (1 + max(y for _, y in self.formation))


def arrange(scene: Scene, draw: random.Random) -> tuple[list[Thing], Ground]:
    """All things of a scene, those in the back first, and the ground they stand on."""
    rows, centres = _fit(scene, draw)
    things = []
    for row, (top, bottom) in zip(rows, _bands(scene, rows, draw), strict=True):
        for cluster in row:
            foot = bottom - draw.uniform(0, bottom - top - cluster.height)
            things += _things(cluster, centres[cluster.group], foot, draw)
    ground = _ground(scene, things, draw)
    return sorted(things, key=lambda thing: (thing.group.at != "sky", thing.foot)), ground


def _fit(scene: Scene, draw: random.Random) -> tuple[list[list[_Cluster]], dict[Group, float]]:
    """Rows of clusters that fit into the picture, as large as can be, otherwise by chance; and their centres."""
    shift, zoom = draw.uniform(-2, 2), draw.uniform(0.94, 1.06)
    drawings = [drawing(group.kind, draw.randrange(VARIANTS)) for group in scene.groups]
    high = GRID - 2 - _spare(scene)
    splits = list(_splits(scene.groups))
    for shrink in (1, 0.93, 0.87, 0.81, 0.75, 0.7, 0.65, 0.6, 0.55, 0.5, 0.45, 0.4, 0.35, 0.3):
        for _ in range(10):
            clusters = {
                group: _Cluster(
                    group,
                    _loosened(draw.choice(FORMATIONS[group.count]), 1.12 if group.at == "sky" else 1.0),
                    drawn,
                    SIDE[group.size] * zoom * shrink ** SHRINKS[group.size],
                )
                for group, drawn in zip(scene.groups, drawings, strict=True)
            }
            rows = [[clusters[group] for group in row] for row in draw.choice(splits)]
            if sum(max(cluster.height for cluster in row) for row in rows) > high:
                continue
            centres = _centres(scene.groups, rows, shift)
            if centres is not None:
                return rows, centres
    raise AssertionError(f"no room for {scene.groups}")


def _loosened(formation: Formation, spread: float) -> Formation:
    """A formation with wider steps: moons and butterflies that touch would flow into one."""
    return tuple((x * spread, y * spread) for x, y in formation)


def _spare(scene: Scene) -> float:
    """Height that must stay free below, so that a place without things on its ground still shows it."""
    at = {group.at for group in scene.groups}
    return 0 if "ground" in at else 14 if at == {"sky"} else 7 if scene.place == "beach" else 0


def _splits(groups: Sequence[Group]) -> Iterator[list[list[Group]]]:
    """Ways to put groups in rows from above to below: each zone one row, or one of its groups behind the others."""
    zones = [[group for group in groups if group.at == zone] for zone in ZONES]
    options = []
    for zone in filter(None, zones):
        ways = [[zone]]
        if len(zone) > 1:
            ways += [[[one], [group for group in zone if group is not one]] for one in zone]
            ways += [[[group for group in zone if group is not one], [one]] for one in zone]
        options.append(ways)
    for ways in itertools.product(*options):
        yield [row for way in ways for row in way]


def _bands(scene: Scene, rows: list[list[_Cluster]], draw: random.Random) -> list[tuple[float, float]]:
    """Top and bottom of each row: what height is left over falls by chance above, between and below."""
    heights = [max(cluster.height for cluster in row) for row in rows]
    spare = _spare(scene)
    slack = GRID - 2 - spare - sum(heights)
    weights = [draw.uniform(0.2, 1) for _ in range(len(rows) + 1)]
    if rows[0][0].group.at != "sky":
        weights[0] *= 3  # the ground is below
    if rows[-1][0].group.at == "sky":
        weights[-1] *= 3  # the sky is above
    bands, y = [], 1.0
    for height, weight in zip(heights, weights, strict=False):
        share = slack * weight / sum(weights)
        y += share
        extra = share * draw.uniform(0, 0.4)
        bands.append((y - extra, y + height))
        y += height
    return bands


def _centres(groups: Sequence[Group], rows: list[list[_Cluster]], shift: float) -> dict[Group, float] | None:
    """Where the scene wants its groups, pushed apart and into the picture; None where that cannot be.

    The order from left to right holds for all groups, so that captions may speak of it; clusters in one row keep clear
    of one another as well.
    """
    row_of = {cluster.group: number for number, row in enumerate(rows) for cluster in row}
    half = {cluster.group: cluster.width / 2 for row in rows for cluster in row}

    def apart(one: Group, other: Group) -> float:
        return half[one] + half[other] + 1.5 if row_of[one] == row_of[other] else BESIDE

    centres: dict[Group, float] = {}
    for group in groups:
        bounds = [x + apart(other, group) for other, x in centres.items()]
        centres[group] = max(group.x * GRID + shift, half[group] + 0.5, *bounds)
    placed: list[Group] = []
    for group in reversed(groups):
        bounds = [centres[other] - apart(group, other) for other in placed]
        centres[group] = min(centres[group], GRID - 0.5 - half[group], *bounds)
        placed.append(group)
    return centres if all(x >= half[group] for group, x in centres.items()) else None


def _things(cluster: _Cluster, x: float, foot: float, draw: random.Random) -> list[Thing]:
    """The members of a cluster, each in a drawing and size a little of its own."""
    wide, high = cluster.side * cluster.drawing.width, cluster.side * cluster.drawing.height
    middle = max(step for step, _ in cluster.formation) / 2
    return [
        Thing(
            group=cluster.group,
            drawing=drawing(cluster.group.kind, draw.randrange(VARIANTS)),
            x=x + wide * (right - middle + draw.uniform(-0.04, 0.04)),
            foot=foot - high * (up + draw.uniform(-0.03, 0.03)),
            side=cluster.side * draw.uniform(0.95, 1.03),
        )
        for right, up in cluster.formation
    ]


def _ground(scene: Scene, things: list[Thing], draw: random.Random) -> Ground:
    """A horizon above all feet, below most of the sky's things, and above all fish; on a beach also a shore."""
    feet = min((thing.foot for thing in things if thing.group.at == "ground"), default=float(GRID - 8))
    swim = [thing for thing in things if thing.group.at == "water"]
    waterline = min((thing.top - 1 if thing.group.kind == "fish" else thing.foot - 3 for thing in swim), default=feet)
    flying = max((thing.foot for thing in things if thing.group.at == "sky"), default=0)
    shore = feet - draw.uniform(1.5, 4)
    if scene.place == "beach":
        deepest = max((thing.foot for thing in swim), default=0)
        shore = min(max(shore, deepest + 1), GRID - 5)
        waterline = min(waterline, shore - draw.uniform(5, 12))
    wish = max(draw.uniform(20, 36), min(flying - draw.uniform(0, 8), 46))
    return Ground(horizon=max(min(wish, waterline - draw.uniform(1, 3)), 3), shore=shore)
