"""CLIPScore: how near a caption lies to its picture in a contrastive encoder's space; with references, RefCLIPScore.

Hessel et al., EMNLP 2021, arXiv:2104.08718; clipscore.py of jmhessel/clipscore @ 459f821. Every text is read behind PREFIX.
The published figures are of CLIP ViT-B/32; another encoder gives another scale.
"""

from __future__ import annotations

import numpy as np

PREFIX = "A photo depicts "
SCALE = 2.5  # so that CLIP ViT-B/32 gives figures between nought and one


def clip_score(images: np.ndarray, captions: np.ndarray) -> np.ndarray:
    """SCALE times the cosine of each caption with its picture, nought at least; unit vectors (n, dim) -> (n,)."""
    return SCALE * np.maximum((images * captions).sum(axis=1), 0.0)


def ref_clip_score(scores: np.ndarray, captions: np.ndarray, references: np.ndarray, owners: np.ndarray) -> np.ndarray:
    """Harmonic mean of CLIPScore and the cosine with the nearest reference.

    captions: unit (n, dim); references: unit (m, dim), of which number i belongs to caption owners[i] (m,). -> (n,)
    """
    nearest = np.zeros(len(captions))
    np.maximum.at(nearest, owners, (captions[owners] * references).sum(axis=1))
    both = scores + nearest
    return np.where(both > 0, 2 * scores * nearest / np.where(both > 0, both, 1.0), 0.0)
