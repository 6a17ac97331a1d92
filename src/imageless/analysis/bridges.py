"""What bridges make of the gap: how near captions come to their pictures, and whether neighbours stay.

Four are fitted on the pairs they are measured on, as `imageless adapt` fits them; others are given. They blur as they do
while learning. Neighbours are looked for in the sample. CLOSE, arXiv:2211.09778: figure 3 and table 3.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from imageless import adapters, draws, fitting
from imageless.adapters import Bridge, CovarianceNoise, LinearMap, MeanShift, Noise
from imageless.analysis import plane
from imageless.analysis.both import Both
from imageless.encoders.base import Encoder
from imageless.errors import InputError
from imageless.moments import Pairs

DOTS = 350  # pairs in figure 3
FITTED = ("raw", "noise", "mean", "linear", "covariance")  # what figure 3 shows


def fitted(pairs: Pairs, noise: float) -> dict[str, Bridge]:
    """The four of figure 3."""
    shift = fitting.fit("mean", pairs)["difference"].float()
    matrix = fitting.fit("linear", pairs)["matrix"].float()
    factor = fitting.fit("covariance", pairs)["factor"].float()
    return {
        "noise": Bridge(Noise(noise)),
        "mean": Bridge(MeanShift(shift)),
        "linear": Bridge(LinearMap(matrix)),
        "covariance": Bridge(CovarianceNoise(shift, factor)),
    }


def given(specs: Sequence[str], encoder: Encoder, seed: int) -> dict[str, Bridge]:
    """Adapters as `train --adapter` names them, by the last part of the name: ADAPTERS/coco?scale=3 is coco?scale=3."""
    names = [Path(spec).name for spec in specs]
    for name, count in Counter([*FITTED, *names]).items():
        if count > 1:
            raise InputError(
                f"--adapter: expected names of their own beside {', '.join(FITTED)}, got {name} again; rename a folder"
            )
    return {
        name: adapters.load(spec, encoder.fingerprint, encoder.dim, seed)
        for name, spec in zip(names, specs, strict=True)
    }


@torch.no_grad()
def measured(both: Both, bridges: dict[str, Bridge]) -> dict[str, dict[str, float]]:
    """What is left of the gap behind each bridge, over all pairs; and of the sample the share with the same neighbours."""
    across = _with_raw(both, bridges)
    paired, kept = dict.fromkeys(across, 0.0), dict.fromkeys(across, 0.0)
    apart = {name: np.zeros(both.texts.dim) for name in across}
    for number, (text, image) in enumerate(both.pieces()):
        for name, bridge in across.items():
            moved, seen = _cross(bridge, text, both.seed, number), _seen(bridge, image)
            paired[name] += float((moved * seen).sum())
            kept[name] += float((moved * text).sum())
            apart[name] += (seen - moved).sum(0, dtype=np.float64)
    captions, pictures = both.sampled()
    own = both.text_rows[both.sample]
    nearest = {
        name: own[(_seen(bridge, pictures) @ _cross(bridge, captions, both.seed).T).argmax(axis=1)]
        for name, bridge in across.items()
    }
    return {
        name: {
            "paired": paired[name] / both.pairs.count,
            "to_original": kept[name] / both.pairs.count,
            "centroid_distance": float(np.linalg.norm(apart[name] / both.pairs.count)),
            "nearest_stays": float((nearest[name] == nearest["raw"]).mean()),
            "nearest_is_own": float((nearest[name] == own).mean()),
        }
        for name in across
    }


def panels(both: Both, bridges: dict[str, Bridge], projection: str) -> dict[str, dict[str, list[list[float]]]]:
    """Up to DOTS captions and their pictures on a plane, before and after each bridge: the paper's figure 3."""
    captions, pictures = both.sampled(DOTS)
    placed = {}
    for name, bridge in _with_raw(both, bridges).items():
        sides = np.vstack([_cross(bridge, captions, both.seed), _seen(bridge, pictures)])
        dots = plane.project(sides, projection, both.seed)
        placed[name] = {"captions": dots[: len(captions)].tolist(), "pictures": dots[len(captions) :].tolist()}
    return placed


def _with_raw(both: Both, bridges: dict[str, Bridge]) -> dict[str, Bridge]:
    return {"raw": Bridge(MeanShift(torch.zeros(both.texts.dim))), **bridges}


@torch.no_grad()
def _cross(bridge: Bridge, captions: np.ndarray, seed: int, step: int = 0) -> np.ndarray:
    normal = draws.normal(seed, step, len(captions), bridge.text.draws * captions.shape[1])
    return bridge.text(torch.from_numpy(captions), normal).numpy()


@torch.no_grad()
def _seen(bridge: Bridge, pictures: np.ndarray) -> np.ndarray:
    return bridge.image(torch.from_numpy(pictures)).numpy() if bridge.image else pictures
