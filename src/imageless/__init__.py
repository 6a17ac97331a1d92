"""Learn to see from text alone.

    from imageless import Close
    Close.from_pretrained("runs/reviews").caption("photo.jpg")

The public names, resolved when they are first used: importing the package imports nothing else.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from imageless.api import Close
    from imageless.data import read
    from imageless.encoders import load as load_encoder
    from imageless.errors import InputError
    from imageless.options import PredictOptions
    from imageless.records import Example, Record
    from imageless.stages.embed import embed
    from imageless.stages.evaluate import evaluate
    from imageless.stages.pretrain import pretrain
    from imageless.stages.train import train
    from imageless.vectors import VectorTable

__version__ = "0.1.0"

__all__ = [
    "Close",
    "Example",
    "InputError",
    "PredictOptions",
    "Record",
    "VectorTable",
    "embed",
    "evaluate",
    "load_encoder",
    "pretrain",
    "read",
    "train",
]

_HOMES = {
    "Close": ("imageless.api", "Close"),
    "Example": ("imageless.records", "Example"),
    "InputError": ("imageless.errors", "InputError"),
    "PredictOptions": ("imageless.options", "PredictOptions"),
    "Record": ("imageless.records", "Record"),
    "VectorTable": ("imageless.vectors", "VectorTable"),
    "embed": ("imageless.stages.embed", "embed"),
    "evaluate": ("imageless.stages.evaluate", "evaluate"),
    "load_encoder": ("imageless.encoders", "load"),
    "pretrain": ("imageless.stages.pretrain", "pretrain"),
    "read": ("imageless.data", "read"),
    "train": ("imageless.stages.train", "train"),
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'imageless' has no attribute {name!r}; there are: {', '.join(__all__)}")
    module, attribute = _HOMES[name]
    return getattr(import_module(module), attribute)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
