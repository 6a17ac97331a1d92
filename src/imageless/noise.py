"""How much noise: what `train --noise auto` chooses without ever having seen a picture with its caption.

What decides is whether a sentence is asked to say itself. Then little noise teaches to repeat it word by word, which no
picture's vector allows, and w has to be large; a sentence that is asked for another of its scene, or for an answer, has
to be understood anyway. The two sizes are the released code's for COCO (CLIP ViT-L/14, 768 dimensions;
close/experiments/train.py @ 80f8db0). The sweeps of docs/results.md, in two spaces of 256, end near them:

    itself     0.12   best on the world; within 1 % of the best (0.08) on photographs
    another    0.04   within 1 % of the best (0.03) on the world; on photographs 0 to 0.06 differ by less than runs do
"""

from __future__ import annotations

import numpy as np

from imageless.pack import Pack
from imageless.texts import Numbering

PAPER = 0.08  # for all tasks on CLIP ViT-L/14: CLOSE, arXiv:2211.09778 section 3.1
ITSELF, ANOTHER = 0.12, 0.04


def from_text(said: float) -> float:
    """w where scenes say this share of their targets; between the two sizes on a scale of ratios."""
    return round(ITSELF**said * ANOTHER ** (1 - said), 3)


def said(packed: Pack) -> float:
    """The share of targets that their own scene says, whatever the case."""
    number = Numbering()
    scenes, targets = (
        np.fromiter((number(text.lower()) for text in texts), np.int64, len(texts))
        for texts in (packed.scenes, packed.targets)
    )
    said, owners = packed.targets_of.flat(np.arange(len(packed)))
    heard, listeners = packed.scene_of.flat(np.arange(len(packed)))
    pairs = np.stack([owners, targets[said]], axis=1)
    known = np.stack([listeners, scenes[heard]], axis=1)
    width = max(scenes.max(initial=0), targets.max(initial=0)) + 1
    return float(np.isin(pairs @ [width, 1], known @ [width, 1]).mean()) if len(pairs) else 0.0
