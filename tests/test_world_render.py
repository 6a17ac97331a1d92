"""The renderer keeps what a caption says and varies all it does not mention."""

from __future__ import annotations

import itertools
import random
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from imageless.errors import InputError
from imageless.world.layout import Ground, Thing, arrange
from imageless.world.render import RGB, render
from imageless.world.scenes import COLOURS, KINDS, PLACES, SIZES, Group, Scene, scenes
from imageless.world.things import DRAW


def alone(kind: str, colour: str = "", size: str = "large", count: int = 1, place: str = "") -> Scene:
    """A scene with one group in the middle, by default in a place the kind belongs to."""
    belongs = KINDS[kind].at
    place = place or next(p.name for p in PLACES.values() if set(belongs) & set(p.offers))
    at = next((at for at in belongs if at in PLACES[place].offers), belongs[0])
    return Scene("train", 0, place, (Group(kind, colour or KINDS[kind].colours[0], size, count, at, 0.5),), seed=5)


def pixels(scene: Scene, size: int = 64) -> np.ndarray:
    return np.asarray(render(scene, size), dtype=np.float32)


def layout(scene: Scene) -> tuple[list[Thing], Ground]:
    return arrange(scene, random.Random(scene.seed))


def test_the_same_scene_gives_the_same_pixels():
    for scene in scenes("train", 10):
        assert np.array_equal(pixels(scene), pixels(scene))


def test_pixels_do_not_depend_on_the_process():
    code = (
        "import hashlib; from imageless.world.render import render; from imageless.world.scenes import scenes;"
        "print(hashlib.sha256(b''.join(render(s).tobytes() for s in scenes('val', 5))).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1


def test_another_seed_of_the_same_content_gives_other_pixels():
    for scene in scenes("train", 10):
        other = pixels(replace(scene, seed=scene.seed + 1))
        assert np.abs(pixels(scene) - other).mean() > 5


def test_all_kinds_colours_and_places_of_the_scenes_can_be_drawn():
    assert set(DRAW) == set(KINDS)
    assert set(RGB) == set(COLOURS)
    for place in PLACES:
        scene = replace(alone("star" if place != "room" else "balloon"), place=place)
        assert pixels(scene).std() > 5


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_changes_the_picture_where_it_stands(kind):
    """Its pixels are its own: the middle of its box differs from the place elsewhere."""
    scene = alone(kind)
    things, _ = layout(scene)
    picture = pixels(scene)
    inside = np.zeros((64, 64), dtype=bool)
    for thing in things:
        wide = thing.drawing.width * thing.side / 2
        inside[int(thing.top) : int(thing.foot) + 1, int(thing.x - wide) : int(thing.x + wide) + 1] = True
    rows = np.nonzero(inside.any(axis=1))[0]
    beside = picture[rows][~inside[rows]]
    assert inside.sum() > 80
    assert np.abs(picture[inside] - beside.mean(axis=0)).mean() > 1.5 * np.abs(beside - beside.mean(axis=0)).mean() + 5


@pytest.mark.parametrize("colour", ["red", "orange", "yellow", "green", "blue", "purple", "pink", "black", "white"])
def test_the_colour_of_a_plain_thing_prevails_where_it_is(colour):
    """Nearest colour name, by majority over the middle of a balloon."""
    names = list(RGB)
    scene = alone("balloon", colour, place="room")
    ((thing,), _) = layout(scene)
    top, x = thing.top + thing.side * 0.2, thing.x
    middle = pixels(scene)[int(top) : int(top) + 10, int(x) - 5 : int(x) + 5].reshape(-1, 3)
    table = np.array([RGB[name] for name in names], dtype=np.float32)
    nearest = np.linalg.norm(middle[:, None] - table[None], axis=2).argmin(axis=1)
    assert names[np.bincount(nearest, minlength=len(names)).argmax()] == colour


def test_sizes_keep_their_order_even_in_a_crowd():
    for scene in scenes("train", 400):
        things, _ = layout(scene)
        sides = {size: [t.side for t in things if t.group.size == size] for size in SIZES}
        present = [sides[size] for size in SIZES if sides[size]]
        for smaller, larger in itertools.pairwise(present):
            assert max(smaller) < min(larger)


def test_every_thing_is_drawn_and_lies_within_the_frame():
    for scene in scenes("train", 400):
        things, _ = layout(scene)
        assert len(things) == sum(group.count for group in scene.groups)
        for thing in things:
            wide = thing.drawing.width * thing.side
            across = min(thing.x + wide / 2, 64) - max(thing.x - wide / 2, 0)
            down = min(thing.foot, 64) - max(thing.top, 0)
            assert across * down >= 0.8 * wide * (thing.foot - thing.top)


def test_what_is_in_the_sky_is_above_what_is_not():
    for scene in scenes("train", 400):
        things, ground = layout(scene)
        sky = [thing for thing in things if thing.group.at == "sky"]
        below = [thing for thing in things if thing.group.at != "sky"]
        assert all(one.foot <= other.top + 3 for one in sky for other in below)
        assert all(thing.foot > ground.horizon for thing in below)


def test_groups_keep_their_order_from_left_to_right():
    for scene in scenes("train", 400):
        things, _ = layout(scene)
        centres = [np.mean([thing.x for thing in things if thing.group == group]) for group in scene.groups]
        assert all(left + 4 < right for left, right in itertools.pairwise(centres))


def test_groups_do_not_hide_one_another():
    for scene in scenes("train", 400):
        things, _ = layout(scene)
        for one, other in itertools.permutations(things, 2):
            assert one.group == other.group or _shared(one, other) < 0.25


def _shared(a: Thing, b: Thing) -> float:
    """How much of the first thing's box the second one's covers."""
    wide_a, wide_b = (t.drawing.width * t.side / 2 for t in (a, b))
    across = min(a.x + wide_a, b.x + wide_b) - max(a.x - wide_a, b.x - wide_b)
    down = min(a.foot, b.foot) - max(a.top, b.top)
    return max(across, 0) * max(down, 0) / (2 * wide_a * (a.foot - a.top))


def test_a_larger_picture_shows_the_same_scene():
    for scene in scenes("val", 5):
        large = render(scene, 96)
        assert large.size == (96, 96)
        assert large.mode == "RGB"
        assert np.abs(np.asarray(large.resize((64, 64)), dtype=np.float32) - pixels(scene)).mean() < 16


def test_a_picture_too_small_to_show_anything_is_refused():
    with pytest.raises(InputError, match="at least 32"):
        render(alone("cat"), 8)
