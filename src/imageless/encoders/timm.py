"""timm's image models as image encoders: pooled features before the classifier. They have no text side.

LiMBeR (arXiv:2209.15162) and contrastive pre-training on a locked image tower start from these.
Notable:
- The whole checkpoint is read strictly, classifier included, and the classifier is taken off afterwards. Asked for
  num_classes=0, timm reads loosely and leaves whatever a file lacks at random.
- A folder is timm's own: config.json and model.safetensors. Its `model_args` are kept: TensorFlow's weights need
  pad_type "same", load without it just as well, and then see something else.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import timm
import torch
from jaxtyping import Float
from timm.data.config import resolve_model_data_config
from timm.data.transforms_factory import create_transform
from torch import Tensor, nn

from imageless.encoders import base
from imageless.errors import InputError
from imageless.pixels import before_crop

log = logging.getLogger(__name__)


class Timm:
    """A frozen image model of timm, without its classifier."""

    sides = ("image",)

    def __init__(
        self, name: str, model: nn.Module, arguments: Mapping[str, Any], device: torch.device, dtype: torch.dtype
    ):
        self.name = name
        self.noise = base.known_noise(name)
        self.model: Any = base.freeze(model.to(device, dtype))
        self.architecture: str = self.model.pretrained_cfg["architecture"]
        self.arguments = arguments
        self.device = device
        self._fingerprint: str | None = None
        self.dtype = dtype
        self.view = resolve_model_data_config(model)
        transform: Any = create_transform(**self.view, is_training=False)
        self.preprocess = base.Transform(transform, before_crop(self.view))
        self.dim = self.images(torch.zeros(1, *self.view["input_size"])).shape[-1]

    @property
    def fingerprint(self) -> str:
        if self._fingerprint is None:
            settings = {"model_args": self.arguments, "preprocess": self.view}
            self._fingerprint = base.fingerprint(self.model, settings)
        return self._fingerprint

    def texts(self, texts: Sequence[str]) -> Float[Tensor, "batch dim"]:
        raise InputError(
            f"expected an encoder that reads sentences, got {self.name}, which sees pictures only; take world,"
            " open_clip: or hf:, or give it a text side with imageless pretrain"
        )

    def truncated(self, texts: Sequence[str]) -> int:
        return 0

    def forget(self) -> None:
        """Take fresh weights for the learned ones."""
        model = timm.create_model(self.architecture, pretrained=False, num_classes=0, **self.arguments)
        self.model = base.freeze(model.to(self.device, self.dtype))
        self._fingerprint = None

    def images(self, pixels: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch dim"]:
        return self.model(pixels.to(self.device, self.dtype)).float()

    def grid(self, pixels: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch places channels"]:
        """What the network knows of each place, before it pools."""
        features = self.model.forward_features(pixels.to(self.device, self.dtype))
        return base.by_place(features, self.model.num_features, getattr(self.model, "num_prefix_tokens", 0)).float()


def load(rest: str, device: str | None = None, dtype: str | None = None) -> Timm:
    """The encoder behind `timm:REST`."""
    where, weights_dtype = base.place(device), base.precision(dtype)
    arguments: Mapping[str, Any] = {}
    if Path(rest).is_dir():
        rest = str(Path(rest).resolve())
        arguments = _arguments(Path(rest))
        source, hub = f"local-dir:{rest}", nullcontext()
    else:
        source, hub = _hub_source(rest), base.from_hub(f"timm:{rest}")
    with hub:
        model = _create(rest, source)
    log.info("timm:%s on %s", rest, where)
    return Timm(f"timm:{rest}", model, arguments, where, weights_dtype)


def random_body(name: str, size: int | None, seed: int) -> tuple[Any, dict[str, Any], dict[str, Any], int]:
    """An architecture with random weights and no classifier, what it is built with, how it is to see, its features."""
    _check_architecture(name)
    torch.manual_seed(seed)
    arguments: dict[str, Any] = {} if size is None else {"img_size": size}
    try:
        model: Any = timm.create_model(name, pretrained=False, num_classes=0, **arguments)
    except TypeError:  # convolutions take any size and are not told one
        arguments = {}
        torch.manual_seed(seed)
        model = timm.create_model(name, pretrained=False, num_classes=0)
    view = resolve_model_data_config(model)
    if size is not None:
        view |= {"input_size": (3, size, size), "crop_pct": 1.0}
    if any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in model.modules()):
        log.warning(
            "%s learns from the statistics of its batch: pieces and processes change them; there are architectures "
            "without (*_gn, nf_*, vit_*)",
            name,
        )
    with torch.no_grad():
        features = model.eval()(torch.zeros(1, *view["input_size"])).shape[-1]
    return model, arguments, view, features


def _arguments(folder: Path) -> Mapping[str, Any]:
    """How the folder says its model was built, over and above the architecture's name."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        architecture = config["architecture"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f'expected "architecture" in config.json of {folder}, got {type(error).__name__}: {base.first_line(error)}'
            "; save the folder with timm.models.save_for_hf"
        ) from error
    _check_architecture(architecture)
    return config.get("model_args", {})


def _hub_source(name: str) -> str:
    """timm's own name for a model that has weights: of its list, or anybody's on the Hub."""
    if "/" in name:
        return f"hf-hub:{name.removeprefix('hf-hub:')}"
    _check_architecture(name.partition(".")[0])
    if not timm.models.is_model_pretrained(name):
        tags = timm.list_pretrained(f"{name.partition('.')[0]}*")
        raise InputError(
            f"expected a timm model with weights, {name} has none;"
            f" {base.suggestion(name, tags) if tags else 'give a folder that has some'}"
        )
    return name


def _check_architecture(name: str) -> None:
    if not timm.is_model(name):
        raise InputError(f"expected a model of timm, got {name!r}; {base.suggestion(name, timm.list_models())}")


def _create(name: str, source: str) -> nn.Module:
    try:
        model: Any = timm.create_model(source, pretrained=True)
        model.reset_classifier(0)
    except Exception as error:  # a wrong file fails in as many ways as there are files
        if not source.startswith("local-dir:"):
            raise
        raise InputError(
            f"expected the weights of {name} as a file of tensors, got {type(error).__name__}: {base.first_line(error)}"
            "; give the folder of the architecture they were trained with"
        ) from error
    return model
