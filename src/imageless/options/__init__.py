"""The options of every verb: the same object is the Python argument, the command line's flags, a recipe and a config.json.

Frozen dataclasses of plain values, and nothing heavy imported, so that `imageless --help` answers at once.
None means "not given": the stage then takes what the task, the encoder or the machine suggests.
"""

from imageless.options.base import Kind, Machine, Source, with_options
from imageless.options.learning import AdaptOptions, EmbedOptions, PretrainOptions, SynthesizeOptions, TrainOptions
from imageless.options.measuring import (
    ClassifyOptions,
    ContrastOptions,
    EvaluateOptions,
    GapOptions,
    PredictOptions,
    ProbeOptions,
    RetrieveOptions,
    RobustnessOptions,
    ServeOptions,
)

__all__ = [
    "AdaptOptions",
    "ClassifyOptions",
    "ContrastOptions",
    "EmbedOptions",
    "EvaluateOptions",
    "GapOptions",
    "Kind",
    "Machine",
    "PredictOptions",
    "PretrainOptions",
    "ProbeOptions",
    "RetrieveOptions",
    "RobustnessOptions",
    "ServeOptions",
    "Source",
    "SynthesizeOptions",
    "TrainOptions",
    "with_options",
]
