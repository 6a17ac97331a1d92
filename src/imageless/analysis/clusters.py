"""How an encoder's pictures lie by what they show: next to their own class, or to what looks alike.

    class             of a picture's nearest others, the share of its own class
    class_any         of all others
    attributes        of its nearest others of another class: the attributes the two classes share, of those either has
    attributes_any    of all others of another class

LiMBeR, arXiv:2209.15162 section 5.3, figure 4b: there by eye, on Animals with Attributes; networks that had learned classes or
language lay by class, one that had learned neither by what animals have in common.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import TYPE_CHECKING, Any

import numpy as np

from imageless.analysis import plane
from imageless.metrics.names import overlap

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NEAREST = 10
MOST = 2_000  # pictures that are looked at; the plane has a fourth of them
SHOWN = 3  # attributes


def measure(vectors: np.ndarray, labels: Sequence[str], attributes: Mapping[str, Set[str]]) -> dict[str, float]:
    """The shares above, for vectors (n, dim) of pictures with these classes; without attributes those of classes alone."""
    vectors, named = vectors[:MOST], np.array(labels[:MOST])
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = unit @ unit.T
    np.fill_diagonal(cosines, -np.inf)
    near = np.zeros(cosines.shape, bool)
    np.put_along_axis(near, np.argpartition(-cosines, NEAREST, axis=1)[:, :NEAREST], True, axis=1)
    same = named[:, None] == named[None, :]
    other = ~np.eye(len(named), dtype=bool)
    found = {"class": float(same[near].mean()), "class_any": float(same[other].mean())}
    if not any(attributes.values()):
        return found
    classes = sorted(attributes)
    shares = np.array([[overlap(attributes[one], attributes[another]) for another in classes] for one in classes])
    places = np.searchsorted(classes, named)
    alike = shares[places[:, None], places[None, :]]
    for name, which in (("attributes", near & ~same), ("attributes_any", ~same)):
        found[name] = float(alike[which].mean()) if which.any() else 0.0
    return found


def plot(
    vectors: np.ndarray, labels: Sequence[str], attributes: Mapping[str, Set[str]], projection: str, seed: int
) -> Figure:
    """The pictures on a plane, coloured by class and by the attributes that part the classes most evenly."""
    from matplotlib.figure import Figure

    few = MOST // 4
    dots = plane.project(vectors[:few], projection, seed)
    shown = labels[:few]
    every = sorted({attribute for told in attributes.values() for attribute in told})
    even = sorted(every, key=lambda name: abs(sum(name in told for told in attributes.values()) - len(attributes) / 2))
    panels = ["class", *even[:SHOWN]]
    drawn = Figure(figsize=(3.6 * len(panels), 3.6), layout="constrained")
    classes = sorted(set(labels))
    for axis, panel in zip(np.atleast_1d(drawn.subplots(1, len(panels))), panels, strict=True):
        if panel == "class":
            colours: Any = [classes.index(label) for label in shown]
            axis.scatter(*dots.T, c=colours, cmap="nipy_spectral", s=7)
        else:
            has = np.array([panel in attributes[label] for label in shown])
            axis.scatter(*dots[~has].T, c="#c9ccd1", s=7)
            axis.scatter(*dots[has].T, c="#c8642f", s=7)
        axis.set(title=panel, xticks=[], yticks=[])
    return drawn
