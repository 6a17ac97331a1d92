"""What sentences go through while a model learns from them, so that pictures can take their place: bridges, then noise.

Only train.py asks for this. predict.py hands pictures over as they are.
"""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np

from imageless import adapters, data, fitting, moments, neighbours, noise
from imageless.adapters import Adapter, Chain, Noise, Standardize
from imageless.encoders.base import Encoder
from imageless.errors import InputError
from imageless.options import TrainOptions
from imageless.stages import embed
from imageless.vectors import Scenes

log = logging.getLogger(__name__)

UNPAIRED = "unpaired"  # what a run keeps of what it learned from --unpaired: a folder as `imageless adapt` makes it


def noise_std(options: TrainOptions, encoder: Encoder, setting: str, said: float) -> float:
    """w: the one given, or the one kept with the encoder; none where the model learns from pictures, or how they lie.

    `said` is the share of targets that their own scene says, on which `auto` decides.
    """
    if isinstance(options.noise, float | int):
        return options.noise
    if options.on != "text" or options.unpaired:
        return 0.0
    if options.noise == "auto":
        w = noise.from_text(said)
        log.info("noise w = %s, chosen from the text", w)
        return w
    if setting not in encoder.noise:
        log.warning("no tuned noise is known for %s on %s: using the paper's %s", encoder.name, setting, noise.PAPER)
    return encoder.noise.get(setting, noise.PAPER)


def from_unpaired(folder: Path, options: TrainOptions, encoder: Encoder, scenes: Scenes) -> Adapter:
    """How pictures lie beside the scenes nearest to them, fitted once and kept in `folder`, from where training goes on."""
    if not (folder / "config.json").is_file():
        read = data.read(str(options.unpaired), options.split)
        shown = {record.image.name: record.image for record in read if record.image is not None}
        if not shown:
            raise InputError(f"--unpaired: expected pictures in {options.unpaired}, found none; e.g. images:FOLDER")
        some = np.sort(np.random.default_rng(0).permutation(len(shown))[: neighbours.PICTURES])
        table = embed.images([list(shown.values())[row] for row in some], encoder)
        text_rows, image_rows = neighbours.pairs(scenes, table, min(neighbours.NEAREST, len(scenes)))
        found = moments.pairs(scenes, table, text_rows, image_rows)
        tensors = {name: tensor.float() for name, tensor in fitting.fit("gaussian", found).items()}
        about = adapters.About(
            kind="gaussian",
            encoder=encoder.name,
            fingerprint=encoder.fingerprint,
            dim=encoder.dim,
            tables={"image": table.about.content},
            rows={"text": len(scenes), "image": len(table)},
            pairs=found.count,
            settings={"data": [options.unpaired], "split": options.split, "nearest": neighbours.NEAREST},
            gap={},
        )
        folder.mkdir(exist_ok=True)
        adapters.save(folder, about, tensors)
        log.info("learned from %d pictures how they lie beside the sentences nearest to them", len(table))
    return adapters.kept(folder).text


def bridge(options: TrainOptions, encoder: Encoder, w: float) -> tuple[Chain, Standardize | None]:
    """What sentences go through while learning, noise last, and what pictures go through whenever the run is asked."""
    bridges = [adapters.load(spec, encoder.fingerprint, encoder.dim, options.seed) for spec in options.adapter]
    picture_sides = [bridge.image for bridge in bridges if bridge.image]
    if len(picture_sides) > 1 or (picture_sides and bridges[0].image is None):
        raise InputError(
            "--adapter: expected one adapter of kind standardize, as the first; fit others on what it gives"
        )
    return Chain([*(bridge.text for bridge in bridges), Noise(w)]), (picture_sides or [None])[0]
