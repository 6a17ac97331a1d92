"""Pictures that the page offers, and where they and some sentences lie on its map."""

from __future__ import annotations

import io
from dataclasses import dataclass
from itertools import islice
from typing import Any

import torch
import torch.nn.functional as F

from imageless import data, pictures
from imageless.records import Picture
from imageless.serving.answering import Answerer
from imageless.serving.plane import Plane

SHOWN = 12
SENTENCES = 48  # on the map
SMALL, LARGE = 96, 512  # pixels of the longer side, in the row and when chosen


@dataclass(frozen=True)
class Shown:
    """One picture, in the row and when chosen, as JPEG, with what people say of it where they do."""

    small: bytes
    large: bytes
    caption: str | None


@dataclass(frozen=True)
class Gallery:
    """What the page offers."""

    shown: list[Shown]
    map: dict[str, list[tuple[float, float]]]
    """Where its pictures and some sentences of the world lie; empty where the encoder reads no sentences."""


def gallery(source: str | None, answerer: Answerer) -> Gallery:
    """Pictures of `source`, or of the world's test scenes; draws the answerer's map from them."""
    world = list(islice(data.read("world", "test"), SENTENCES))
    if source is None:
        found: list[tuple[Picture, str | None]] = [
            (r.image, r.captions[0]) for r in world[:SHOWN] if r.image is not None
        ]
    else:
        found = [(picture, None) for picture in pictures.find([source])[:SHOWN]]
    opened = [(picture, caption, *_sizes(picture)) for picture, caption in found]
    shown = [Shown(small, large, caption) for _, caption, small, large in opened]
    return Gallery(shown, _map([picture for picture, *_ in opened], [r.captions[0] for r in world], answerer))


@torch.no_grad()
def _map(seen: list[Picture], sentences: list[str], answerer: Answerer) -> dict[str, list[tuple[float, float]]]:
    if not answerer.reads or len(seen) < 2:
        return {}
    encoder = answerer.encoder
    looked = encoder.images(torch.stack([answerer.pixels(picture) for picture in seen]))
    there = F.normalize(looked.float().cpu(), dim=-1)
    here = F.normalize(encoder.texts(sentences).float().cpu(), dim=-1)
    answerer.plane = plane = Plane.of(here, there)
    return {"pictures": plane.places(there), "sentences": plane.places(here)}


def _sizes(picture: Picture) -> tuple[bytes, bytes]:
    image = pictures.load(picture)
    parts = []
    for longest in (SMALL, LARGE):
        copy: Any = image.copy()
        copy.thumbnail((longest, longest))
        file = io.BytesIO()
        copy.save(file, "JPEG", quality=90)
        parts.append(file.getvalue())
    return parts[0], parts[1]
