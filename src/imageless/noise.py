"""How much noise: what `train --noise auto` chooses without ever having seen a picture with its caption.

What decides is whether a sentence is asked to say itself. Then little noise teaches to repeat it word by word, which no
picture's vector allows, and w has to be large; a sentence that is asked for another of its scene, or for an answer, has
to be understood anyway. The two sizes are the released code's for COCO (CLIP ViT-L/14, 768 dimensions;
close/experiments/train.py @ 80f8db0). The sweeps of docs/results.md, in two spaces of 256, end near them:

    itself     0.12   best on the world; best, and the largest tried, on photographs
    another    0.04   within 1 % of the best (0.03) on the world; best, and the smallest tried, on photographs

Pictures of anything of the kind (`--unpaired`) can say it instead. Noise should carry a sentence about as far as pictures
lie from sentences; noise w leaves it a cosine of 1 / sqrt(1 + w^2 dim) with itself. So that shall be

    itself     a picture's mean cosine with its NEAREST sentences
    another    that over a sentence's cosine with its own: as far as sentences differ among themselves they do it anyway
"""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from imageless.errors import InputError
from imageless.pack import Pack

PAPER = 0.08  # for all tasks on CLIP ViT-L/14: CLOSE, arXiv:2211.09778 section 3.1
ITSELF, ANOTHER = 0.12, 0.04
NEAREST = 20  # the nearest sentence of all is nearer than one that belongs to the picture would be
SCENES, PICTURES = 20_000, 2_000  # most that are looked at


def from_text(said: float) -> float:
    """w where scenes say this share of their targets; between the two sizes on a scale of ratios."""
    return round(ITSELF**said * ANOTHER ** (1 - said), 3)


def from_pictures(said: float, scenes: Float[Tensor, "scenes dim"], pictures: Float[Tensor, "pictures dim"]) -> float:
    """w from unit vectors of what is learned from and of pictures, where scenes say this share of their targets."""
    scenes = torch.unique(scenes, dim=0)
    near = _nearest(pictures, scenes)
    alike = _nearest(scenes[:: math.ceil(len(scenes) / PICTURES)], scenes, besides=1)
    if min(near, alike) <= 0:
        raise InputError(
            f"--unpaired: expected pictures of what the sentences are about, got some with a mean cosine of {near:.2f} "
            "with their nearest sentences; show others, or give --noise a number"
        )
    cosine = near / alike ** (1 - said)
    return round(math.sqrt(max(1 / cosine**2 - 1, 0.0) / scenes.shape[1]), 3)


def _nearest(asked: Tensor, scenes: Tensor, besides: int = 0) -> float:
    """Mean cosine with the NEAREST of `scenes`, but for the `besides` first, which are those asked about."""
    found = (asked @ scenes.T).topk(min(NEAREST + besides, len(scenes)), dim=1).values
    return float(found[:, besides:].mean())


def said(packed: Pack) -> float:
    """The share of targets that their own scene says, whatever the case."""
    numbers: dict[str, int] = {}
    scenes, targets = (
        np.array([numbers.setdefault(text.lower(), len(numbers)) for text in texts], dtype=np.int64)
        for texts in (packed.scenes, packed.targets)
    )
    said, owners = packed.targets_of.flat(np.arange(len(packed)))
    heard, listeners = packed.scene_of.flat(np.arange(len(packed)))
    pairs = np.stack([owners, targets[said]], axis=1)
    known = np.stack([listeners, scenes[heard]], axis=1)
    width = len(numbers) + 1
    return float(np.isin(pairs @ [width, 1], known @ [width, 1]).mean()) if len(pairs) else 0.0
