"""Fit a bridge over the gap from captions and their pictures: what `train --adapter` takes.

The kinds are in fitting.py. With `nearest` none of them needs pairs: a picture stands with the sentences nearest to it
(neighbours.py).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from imageless import adapters, encoders, fitting, limits, moments, neighbours
from imageless.errors import InputError
from imageless.folders import begin, expect_free, publish
from imageless.options import AdaptOptions, Kind
from imageless.stages import embed
from imageless.vectors import VectorTable


@dataclass(frozen=True)
class Adapted:
    """What fitting left behind."""

    out: Path
    seconds: float
    kind: str
    pairs: int | None
    gap: dict[str, dict[str, float]]
    """Before and after: mean cosine of a caption with its picture, and the distance of the two means.

    After is without any blur: where captions end up, not how far they are scattered; `imageless gap` measures both.
    """


def adapt(
    sources: Sequence[str],
    out: Path,
    encoder: str,
    kind: Kind,
    options: AdaptOptions,
) -> Adapted:
    """Fit an adapter on the joined data and write it to `out`."""
    began = time.monotonic()
    limits.check(options)
    expect_free(out, options.overwrite, resume=True)  # what was begun is made anew in a minute
    model = encoders.load(encoder, options.device, options.dtype)
    texts, images, text_rows, image_rows = embed.pairs(sources, model, options)
    if options.nearest:
        if kind == "standardize":
            raise InputError("--nearest: expected a kind that needs pairs, standardize needs none; leave it out")
        text_rows, image_rows = neighbours.pairs(texts, images, options.nearest, options.seed)
    elif not len(text_rows) and kind != "standardize":
        raise InputError(f"expected captions of pictures for kind {kind}, found none; pair them with --nearest 20")
    paired = None
    if kind == "standardize":
        tensors = fitting.standardized(texts, images, options.stretch)
    else:
        paired = moments.pairs(texts, images, text_rows, image_rows)
        tensors = fitting.fit(kind, paired, options.ridge)
    tensors = {name: tensor.float() for name, tensor in tensors.items()}
    about = adapters.About(
        kind=kind,
        encoder=model.name,
        fingerprint=model.fingerprint,
        dim=model.dim,
        tables={"text": texts.about.content, "image": images.about.content},
        rows={"text": len(texts), "image": len(images)},
        pairs=None if paired is None else paired.count,
        settings={
            "data": list(sources),
            "split": options.split,
            "ridge": options.ridge,
            "stretch": options.stretch,
            "nearest": options.nearest,
        },
        gap=_gaps(texts, images, text_rows, image_rows, adapters.bridge(kind, tensors)) if len(text_rows) else {},
    )
    work = begin(out, options.overwrite, resume=True)
    adapters.save(work, about, tensors)
    publish(work, out)
    return Adapted(out, time.monotonic() - began, kind, about.pairs, about.gap)


@torch.no_grad()
def _gaps(
    texts: VectorTable, images: VectorTable, text_rows: np.ndarray, image_rows: np.ndarray, bridge: adapters.Bridge
) -> dict[str, dict[str, float]]:
    """How near captions are to their pictures, as they are and once they went over the bridge, its blur left out."""
    still = bridge.text.eval()

    def moved(vectors: Tensor) -> Tensor:
        return still(vectors, vectors[:, :0])

    def asis(vectors: Tensor) -> Tensor:
        return vectors

    gaps = {}
    for name, text, image in (("before", asis, asis), ("after", moved, bridge.image or asis)):
        cosines, apart = 0.0, np.zeros(texts.dim)
        for left, right in zip(moments.pieces(texts, text_rows), moments.pieces(images, image_rows), strict=True):
            caption, picture = text(torch.from_numpy(left)), image(torch.from_numpy(right))
            cosines += float((caption * picture).sum())
            apart += (picture - caption).sum(0).double().numpy()
        distance = float(np.linalg.norm(apart / len(text_rows)))
        gaps[name] = {"paired": cosines / len(text_rows), "centroid_distance": distance}
    return gaps
