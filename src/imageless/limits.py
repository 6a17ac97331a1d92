"""Numbers a user may choose: what is out of range is refused in one line, before any work begins.

An option means the same in every verb, so one table serves all.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from imageless.errors import InputError

LEAST = {
    "steps": 1,
    "batch_size": 1,
    "epoch_most": 1,
    "accumulate": 1,
    "save_every": 1,
    "validate_every": 1,
    "prefix": 1,
    "bottleneck": 1,
    "beams": 1,
    "n_best": 1,
    "captions": 1,
    "word_least": 1,
    "word_most": 1,
    "quartets": 2,
    "queue": 1,
    "port": 0,
    "dim": 1,
    "text_layers": 0,
    "vocabulary": 300,  # 256 bytes, two special tokens and a few pieces
    "hidden": 0,
    "warmup": 0,
    "noise": 0,
    "ridge": 0,
    "nearest": 0,
    "weight_decay": 0,
    "length_penalty": 0,
    "word_dropout": 0,
    "feature_dropout": 0,
}
WORDS = {"noise": ("auto",)}  # that stand for a number
ASIDE = ("images", "vectors", "device", "save_every", "validate_every", "resume", "overwrite")
ABOVE_ZERO = ("epochs", "learning_rate", "encoder_rate", "clip", "temperature", "timeout", "megabytes")


def check(options: object) -> None:
    """Refuse the first number that makes no sense; None means "not given" and is always fine."""
    for name, least in LEAST.items():
        _expect(options, name, f"at least {least}", lambda value, least=least: value >= least)
    for name in ABOVE_ZERO:
        _expect(options, name, "a number above 0", lambda value: value > 0)
    for name in ("word_dropout", "feature_dropout"):
        _expect(options, name, "a share below 1", lambda value: value < 1)
    _expect(options, "crop", "a share above 0 and at most 1", lambda value: 0 < value <= 1)
    _expect(options, "epoch_share", "a share above 0 and at most 1", lambda value: 0 < value <= 1)
    _expect(options, "text_width", "a multiple of 32", lambda value: value > 0 and value % 32 == 0)


def deciding(options: Any) -> dict[str, Any]:
    """The options that decide what comes out, as opposed to where things lie and how often they are saved."""
    return {name: value for name, value in asdict(options).items() if name not in ASIDE}


def _expect(options: object, name: str, expected: str, fits: Callable[[float], bool]) -> None:
    value = getattr(options, name, None)
    if value is None or value in WORDS.get(name, ()):
        return
    if isinstance(value, str) or not (math.isfinite(value) and fits(value)):
        flag = name.replace("_", "-")
        raise InputError(f"--{flag}: expected {expected}, got {value}; leave it out for the default")
