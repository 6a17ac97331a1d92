"""Frozen encoders: sentences and pictures -> vectors of one space.

    world                                 the small dual encoder that comes with the package
    open_clip:MODEL/WEIGHTS               WEIGHTS is one of open_clip's tags or a checkpoint file
    open_clip:hf-hub:ORG/NAME             an open_clip model on the Hub; open_clip:FOLDER is a copy of one
    hf:NAME_OR_FOLDER                     CLIP or SigLIP in transformers' format
    timm:NAME_OR_FOLDER                   any of timm's image models, pooled; no text side
    FOLDER                                what `imageless pretrain` wrote
    random:ENC                            any of these before it has learned anything; random:ENC?seed=1 draws other weights
    grid:ENC                              any of these before it pools a picture's places into one vector (LiMBeR); no text side

`load` is the one door. Nothing heavy is imported before it is opened.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from imageless.errors import InputError
from imageless.folders import read_json
from imageless.options import with_options

if TYPE_CHECKING:
    from imageless.encoders.base import Encoder

WORLD = Path(__file__).parents[1] / "world" / "encoder"


def _world(rest: str, device: str | None, dtype: str | None) -> Encoder:
    if rest:
        raise InputError(f"expected the encoder 'world' alone, got 'world:{rest}'; write world, or the folder's path")
    return _folder(WORLD, device, dtype, name="world")


def _open_clip(rest: str, device: str | None, dtype: str | None) -> Encoder:
    from imageless.encoders.open_clip import load

    return load(rest, device, dtype)


def _huggingface(rest: str, device: str | None, dtype: str | None) -> Encoder:
    from imageless.encoders.huggingface import load

    return load(rest, device, dtype)


def _timm(rest: str, device: str | None, dtype: str | None) -> Encoder:
    from imageless.encoders.timm import load

    return load(rest, device, dtype)


def _folder(path: Path, device: str | None, dtype: str | None, name: str | None = None) -> Encoder:
    from imageless.encoders.folder import load

    return load(path, name, device, dtype)


def _random(rest: str, device: str | None, dtype: str | None) -> Encoder:
    from imageless.encoders.derived import forgotten

    path, told = with_options(rest)
    if told.keys() - {"seed"} or not told.get("seed", "0").isdecimal():
        raise InputError(f"expected random:ENC?seed=NUMBER, got random:{rest}")
    return forgotten(load(path, device, dtype), int(told.get("seed", 0)))


def _grid(rest: str, device: str | None, dtype: str | None) -> Encoder:
    from imageless.encoders.derived import Grid

    return Grid(load(rest, device, dtype))


ENCODERS: dict[str, Callable[[str, str | None, str | None], Encoder]] = {
    "world": _world,
    "open_clip": _open_clip,
    "hf": _huggingface,
    "timm": _timm,
    "random": _random,
    "grid": _grid,
}

_FORMS = {
    "world": "world",
    "open_clip": "open_clip:MODEL/WEIGHTS",
    "hf": "hf:NAME_OR_FOLDER",
    "timm": "timm:NAME_OR_FOLDER",
    "random": "random:ENC",
    "grid": "grid:ENC",
}


def is_one(spec: str) -> bool:
    """Whether this names an encoder, and not a run or anything else."""
    prefix, colon, _ = spec.partition(":")
    if prefix in ENCODERS and (colon or prefix == "world"):
        return True
    about = Path(spec) / "config.json"
    return about.is_file() and read_json(about, "an encoder or a run").get("kind") == "dual_encoder"


def parts(spec: str) -> tuple[str, str, str]:
    """An encoder's name taken apart around the model's own: ("grid:hf:", "openai/clip-vit-large-patch14", "")."""
    before = re.match(rf"(?:(?:{'|'.join(ENCODERS)}):)*", spec)
    start = before.end() if before else 0
    path, _ = with_options(spec[start:])
    return spec[:start], path, spec[start + len(path) :]


def local(spec: str) -> Path | None:
    """The folder on this machine an encoder is read from; None where its name loads on any."""
    before, path, _ = parts(spec)
    bundled = path == "world" and not before.endswith(("open_clip:", "hf:", "timm:"))
    return Path(path) if path and not bundled and Path(path).is_dir() else None


def load(spec: str, device: str | None = None, dtype: str | None = None) -> Encoder:
    """The encoder by this name, frozen. Device: an accelerator if there is one; dtype: float32 or bfloat16 weights."""
    prefix, colon, rest = spec.partition(":")
    if prefix in ENCODERS and (colon or prefix == "world"):
        if colon and not rest:
            raise InputError(f"expected a model after {spec!r}, got nothing; write {_FORMS[prefix]}")
        return ENCODERS[prefix](rest, device, dtype)
    if spec and Path(spec).is_dir():
        return _folder(Path(spec), device, dtype)
    raise InputError(
        f"expected an encoder, got {spec!r}; there are: {', '.join(_FORMS.values())}, or an encoder folder"
    )
