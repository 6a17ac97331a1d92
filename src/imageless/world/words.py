"""The words of the world: what its kinds, colours, sizes, numbers, deeds and places are called.

Tables only; `language` makes sentences of them.

Notable:
- Of a kind or a colour the first word is the usual one and the others are synonyms. Elsewhere all words are equals, and
  one that stands twice is said twice as often.
- The gaps are meant: a medium thing has no size in words, a lamp is nothing more general than a lamp, red is just red.
"""

from __future__ import annotations

from dataclasses import dataclass

NOUNS = {
    "cat": (("cat", "cats"), ("kitty", "kitties")),
    "dog": (("dog", "dogs"), ("puppy", "puppies")),
    "rabbit": (("rabbit", "rabbits"), ("bunny", "bunnies")),
    "bear": (("bear", "bears"),),
    "horse": (("horse", "horses"), ("pony", "ponies")),
    "turtle": (("turtle", "turtles"),),
    "duck": (("duck", "ducks"),),
    "fish": (("fish", "fish"),),
    "bird": (("bird", "birds"),),
    "butterfly": (("butterfly", "butterflies"),),
    "car": (("car", "cars"), ("automobile", "automobiles")),
    "truck": (("truck", "trucks"),),
    "bus": (("bus", "buses"),),
    "bicycle": (("bicycle", "bicycles"), ("bike", "bikes")),
    "boat": (("boat", "boats"), ("ship", "ships")),
    "airplane": (("airplane", "airplanes"), ("plane", "planes")),
    "ball": (("ball", "balls"),),
    "kite": (("kite", "kites"),),
    "balloon": (("balloon", "balloons"),),
    "guitar": (("guitar", "guitars"),),
    "umbrella": (("umbrella", "umbrellas"), ("parasol", "parasols")),
    "chair": (("chair", "chairs"),),
    "lamp": (("lamp", "lamps"),),
    "cup": (("cup", "cups"), ("mug", "mugs")),
    "cake": (("cake", "cakes"),),
    "flower": (("flower", "flowers"),),
    "tree": (("tree", "trees"),),
    "mushroom": (("mushroom", "mushrooms"), ("toadstool", "toadstools")),
    "house": (("house", "houses"),),
    "tent": (("tent", "tents"),),
    "star": (("star", "stars"),),
    "moon": (("moon", "moons"),),
}
"""Singular and plural of each kind, the usual word first."""

HYPERNYMS = {
    **dict.fromkeys(
        ("cat", "dog", "rabbit", "bear", "horse", "turtle", "duck", "fish", "bird", "butterfly"), ("animal", "animals")
    ),
    **dict.fromkeys(("car", "truck", "bus", "bicycle", "boat", "airplane"), ("vehicle", "vehicles")),
    **dict.fromkeys(("ball", "kite", "balloon"), ("toy", "toys")),
    **dict.fromkeys(("flower", "tree"), ("plant", "plants")),
    "house": ("building", "buildings"),
    "cake": ("dessert", "desserts"),
}
"""What some kinds also are, singular and plural."""

COLOUR_WORDS = {"gray": ("gray", "grey"), "purple": ("purple", "violet")}
SIZE_WORDS = {"small": ("small", "small", "little", "tiny"), "large": ("large", "big", "big", "huge")}
COUNT_WORDS = {1: ("one",), 2: ("a couple of", "a pair of"), 3: ("several", "a few", "a group of", "some")}
"""What is said instead of the plain article or number; only the words for three are vague."""

VERBS = {
    "cat": ("sitting", "resting", "standing"),
    "dog": ("sitting", "standing", "waiting"),
    "rabbit": ("sitting", "hopping", "resting"),
    "bear": ("standing", "walking", "sitting"),
    "horse": ("standing", "walking", "waiting"),
    "turtle": ("resting", "crawling"),
    "duck": ("standing", "walking"),
    "fish": ("swimming",),
    "bird": ("flying",),
    "butterfly": ("flying", "fluttering"),
    "car": ("parked", "stopped"),
    "truck": ("parked", "stopped"),
    "bus": ("parked", "stopped"),
    "bicycle": ("parked", "standing"),
    "boat": ("floating", "sailing"),
    "airplane": ("flying", "passing"),
    "ball": ("lying", "resting"),
    "kite": ("flying", "floating"),
    "balloon": ("floating",),
    "guitar": ("standing", "lying"),
    "umbrella": ("standing", "placed"),
    "chair": ("standing", "placed"),
    "lamp": ("standing", "placed"),
    "cup": ("standing", "placed"),
    "cake": ("standing", "placed"),
    "flower": ("growing", "blooming"),
    "tree": ("growing", "standing"),
    "mushroom": ("growing",),
    "house": ("standing", "built"),
    "tent": ("standing", "pitched"),
    "star": ("shining", "glowing"),
    "moon": ("shining", "glowing"),
}
SWIMMING = {"turtle": ("swimming",), "duck": ("swimming", "floating")}
AFLOAT = ("boat", "duck")  # on the water, not in it


@dataclass(frozen=True)
class Setting:
    """A place in words: by name ("a beach with ..."), around anything, and around what stands, swims or flies there."""

    names: tuple[str, ...]
    around: tuple[str, ...]
    ground: tuple[str, ...] = ()
    sky: tuple[str, ...] = ()
    water: tuple[str, ...] = ()
    surface: tuple[str, ...] = ()


SETTINGS = {
    "beach": Setting(
        names=("a beach", "a sandy beach", "a beach scene"),
        around=("at the beach", "near a beach", "near the shore"),
        ground=("on the beach", "on a sandy beach", "at the beach", "on the shore"),
        sky=("over the beach", "above the shore", "in the sky above a beach"),
        water=("in the water at the beach", "in the waves near the shore"),
        surface=("on the water near a beach", "on the waves near the shore"),
    ),
    "forest": Setting(
        names=("a forest", "the woods", "a forest scene"),
        around=("in the forest", "in a forest", "in the woods"),
        ground=("in the forest", "in a forest", "in the woods", "on the forest floor"),
        sky=("over the forest", "above the woods", "in the sky above a forest"),
    ),
    "meadow": Setting(
        names=("a meadow", "a grassy field", "a field of grass"),
        around=("in a meadow", "in a grassy field"),
        ground=("in a meadow", "in a grassy field", "on the grass", "in the grass"),
        sky=("over a meadow", "above the grass", "in the sky above a field"),
    ),
    "desert": Setting(
        names=("a desert", "a dry desert", "a desert scene"),
        around=("in the desert", "in a desert"),
        ground=("in the desert", "in a dry desert", "among the dunes", "on the desert sand"),
        sky=("over the desert", "above the dunes", "in the sky above a desert"),
    ),
    "snow": Setting(
        names=("a snowy field", "a winter scene", "a snowy scene"),
        around=("in the snow", "in a snowy field"),
        ground=("in the snow", "on the snow", "on snowy ground", "in a snowy field"),
        sky=("over the snow", "above a snowy field", "in the winter sky"),
    ),
    "sea": Setting(
        names=("the open sea", "the ocean", "a sea scene"),
        around=("at sea", "out on the ocean"),
        sky=("over the sea", "above the ocean", "in the sky above the sea"),
        water=("in the sea", "in the ocean", "in the open sea"),
        surface=("on the sea", "on the ocean", "on the open sea"),
    ),
    "street": Setting(
        names=("a street", "a city street", "a street scene"),
        around=("on the street", "on a city street"),
        ground=("on the street", "on a city street", "on the road", "by the road"),
        sky=("over the street", "above a city street", "in the sky above a road"),
    ),
    "room": Setting(
        names=("a room", "an indoor scene", "the inside of a room"),
        around=("in a room", "inside a room", "indoors"),
        ground=("in a room", "inside a room", "on the floor", "on the floor of a room"),
        sky=("in a room", "inside a room", "near the ceiling", "under the ceiling of a room"),
    ),
    "mountains": Setting(
        names=("a mountain scene", "a mountain valley", "some mountains"),
        around=("in the mountains", "near the mountains"),
        ground=("in the mountains", "near the mountains", "in front of the mountains", "in a mountain valley"),
        sky=("over the mountains", "above a mountain valley", "in the sky above the mountains"),
    ),
    "night": Setting(
        names=("a night scene", "a dark night", "the dark"),
        around=("at night", "in the dark"),
        ground=("at night", "in the dark", "on a dark night", "after dark"),
        sky=("in the night sky", "in the dark sky", "at night"),
    ),
}
