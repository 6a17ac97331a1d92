"""Whether captions name what is on their pictures, and if they name something else, how much the two are alike.

LiMBeR, arXiv:2209.15162 section 5.3, on Animals with Attributes. There the overlap of attributes is not defined; here it is the
share, of the attributes that either of two classes has, that both have.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from statistics import fmean

import numpy as np


def found_in(words: Sequence[str], names: Mapping[str, Sequence[tuple[str, ...]]]) -> list[str]:
    """The classes that a caption names, in its order; a name may be of several words, and longer ones go first."""
    longest = sorted(((name, label) for label, called in names.items() for name in called), key=lambda n: -len(n[0]))
    found, place = [], 0
    while place < len(words):
        for name, label in longest:
            if tuple(words[place : place + len(name)]) == name:
                found.append(label)
                place += len(name)
                break
        else:
            place += 1
    return found


def overlap(one: Set[str], other: Set[str]) -> float:
    """Of what either has, the share that both have."""
    return len(one & other) / len(one | other) if one | other else 0.0


def scored(
    labels: Sequence[str],
    named: Sequence[Sequence[str]],
    attributes: Mapping[str, Set[str]],
    near: Callable[[str, str], float],
) -> tuple[dict[str, float], np.ndarray]:
    """Corpus scores, and for each caption 1 if it names its picture's class.

    named           the share of captions that name their picture's class
    named_other     that name another class instead
    wup             of these: Wu-Palmer similarity of the two, and
    attributes      how many attributes they share, with
    attributes_any  that of the picture's class and every other one
    """
    right = np.array([label in said for label, said in zip(labels, named, strict=True)], dtype=float)
    wrong = [(label, said[0]) for label, said in zip(labels, named, strict=True) if said and label not in said]
    shares = {
        (one, other): overlap(attributes[one], attributes[other])
        for one in attributes
        for other in attributes
        if one != other
    }
    scores = {"named": float(right.mean()), "named_other": len(wrong) / len(labels)}
    scores["wup"] = fmean([near(label, other) for label, other in wrong] or [0.0])
    if any(attributes.values()):
        scores["attributes"] = fmean([shares[pair] for pair in wrong] or [0.0])
        others = {label: fmean(v for (one, _), v in shares.items() if one == label) for label in set(labels)}
        scores["attributes_any"] = fmean(others[label] for label in labels) if len(attributes) > 1 else 0.0
    return scores, right
