"""open_clip's models: OpenAI's CLIP, OpenCLIP, EVA, SigLIP, DFN, MetaCLIP and whatever else it can read.

Notable:
- QuickGELU follows the weights. open_clip only warns when, say, ViT-L-14 is loaded with OpenAI's weights, which were
  trained with QuickGELU, and then computes other vectors.
- No random weights: an architecture without weights is a mistake, not an encoder.
- Checkpoint files are read as tensors only; a pickle that holds anything else is refused.
- Sentences are padded to the longest of their batch, not to 77 tokens, where that changes nothing (`_with_room_for`).
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import open_clip
import torch
from jaxtyping import Float
from open_clip.pretrained import download_pretrained, download_pretrained_from_hf
from open_clip.tokenizer import HFTokenizer
from open_clip.transform import PreprocessCfg, image_transform_v2
from torch import Tensor, nn

from imageless.encoders import base
from imageless.errors import InputError

log = logging.getLogger(__name__)

PRECISIONS = {torch.float32: "fp32", torch.bfloat16: "bf16"}
SOURCES = ("hf-hub:", "local-dir:")


class OpenClip:
    """A frozen open_clip model with its tokenizer and its view of pictures."""

    sides = ("text", "image")

    def __init__(
        self,
        name: str,
        model: Any,
        tokenizer: Any,
        dim: int,
        device: torch.device,
        dtype: torch.dtype,
        again: Callable[[], nn.Module],
    ):
        self.name = name
        self._again = again
        self.dim = dim
        self.noise = base.known_noise(name)
        self.model: Any = base.freeze(model.to(device))
        self.tokenizer = tokenizer
        self.device = device
        self._fingerprint: str | None = None
        self.dtype = dtype
        view = PreprocessCfg(**model.visual.preprocess_cfg)
        transform: Any = image_transform_v2(view, is_train=False)
        self.preprocess = base.Transform(transform, min(view.size) if isinstance(view.size, tuple) else view.size)

    @property
    def fingerprint(self) -> str:
        if self._fingerprint is None:
            quick = any(type(module).__name__ == "QuickGELU" for module in self.model.modules())
            settings = {"quick_gelu": quick, "preprocess": self.model.visual.preprocess_cfg}
            self._fingerprint = base.fingerprint(self.model, settings)
        return self._fingerprint

    @torch.no_grad()  # not inference_mode: a bridge that learns may stand behind these vectors
    def texts(self, texts: Sequence[str]) -> Float[Tensor, "batch dim"]:
        tokens = self.tokenizer(list(texts))  # (batch, context)
        model = self.model
        if _is_plain_clip(model):
            length = int(tokens.argmax(dim=-1).max()) + 1  # the end token has the highest number
            model, tokens = _with_room_for(length, model), tokens[:, :length]
        return model.encode_text(tokens.to(self.device), normalize=False).float()

    def truncated(self, texts: Sequence[str]) -> int:
        return sum(self._length(text) > self.tokenizer.context_length for text in texts)

    def _length(self, text: str) -> int:
        """Tokens of a sentence with its start and end."""
        if isinstance(self.tokenizer, HFTokenizer):
            return len(self.tokenizer.tokenizer(self.tokenizer.clean_fn(text), verbose=False).input_ids)
        most = len(text.encode()) + 2  # a token stands for one byte or more
        return len(self.tokenizer.encode(text)) + 2 if most > self.tokenizer.context_length else most

    def forget(self) -> None:
        """Take fresh weights for the learned ones."""
        self.model = base.freeze(self._again().to(self.device))
        self._fingerprint = None

    def images(self, pixels: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch dim"]:
        return self.model.encode_image(pixels.to(self.device, self.dtype), normalize=False).float()

    def grid(self, pixels: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch places channels"]:
        """What the image network knows of each place, before it pools."""
        told = self.model.visual.forward_intermediates(
            pixels.to(self.device, self.dtype), indices=1, normalize_intermediates=True, intermediates_only=True
        )
        return told["image_intermediates"][-1].flatten(2).transpose(1, 2).float()


def load(rest: str, device: str | None = None, dtype: str | None = None) -> OpenClip:
    """The encoder behind `open_clip:REST`."""
    where, weights_dtype = base.place(device), base.precision(dtype)
    if rest.startswith(SOURCES) or Path(rest).is_dir():
        model_name, checkpoint, settings = _source(rest), None, {}
        name = f"open_clip:{model_name.removeprefix('local-dir:')}"
    else:
        model_name, _, weights = rest.partition("/")
        checkpoint, settings, weights = _weights(model_name, weights)
        name = f"open_clip:{model_name}/{weights}"
    config = _config(model_name)
    with base.from_hub(name) if _asks_the_hub(model_name, config) else nullcontext():
        tokenizer = open_clip.get_tokenizer(model_name)
        model = _create(name, model_name, checkpoint, settings, PRECISIONS[weights_dtype])
    log.info("%s: %d numbers per vector, on %s", name, config["embed_dim"], where)
    bare = {"load_weights": False, "pretrained_text": False, "precision": PRECISIONS[weights_dtype], **settings}
    again = partial(open_clip.create_model, model_name, **bare)
    return OpenClip(name, model, tokenizer, config["embed_dim"], where, weights_dtype, again)


def _source(rest: str) -> str:
    """A folder or a Hub model that says itself what it is, in open_clip's own way of naming it."""
    if rest.startswith("hf-hub:"):
        with base.from_hub(rest.removeprefix("hf-hub:")):
            download_pretrained_from_hf(rest.removeprefix("hf-hub:"), filename="open_clip_config.json")
            download_pretrained_from_hf(rest.removeprefix("hf-hub:"))
        return rest
    folder = Path(rest.removeprefix("local-dir:"))
    if not (folder / "open_clip_config.json").is_file():
        raise InputError(
            f"expected open_clip_config.json in {folder}, found none; save one with open_clip.push_to_hf_hub"
        )
    return f"local-dir:{folder.resolve()}"


def _weights(model_name: str, weights: str) -> tuple[str, Mapping[str, Any], str]:
    """Of an architecture and a tag or file: the checkpoint, what goes with it, and how a run writes it down."""
    models = open_clip.list_models()
    if model_name not in models:
        raise InputError(f"expected a model of open_clip, got {model_name!r}; {base.suggestion(model_name, models)}")
    tags = open_clip.list_pretrained_tags_by_model(model_name)
    if Path(weights).is_file():
        path = str(Path(weights).resolve())
        told = [open_clip.get_pretrained_cfg(model_name, tag) for tag in tags]
        return path, {"force_preprocess_cfg": _view(told)}, path
    told = open_clip.get_pretrained_cfg(model_name, weights)
    if not told:
        hint = base.suggestion(weights, tags) if tags else "it has no tags: give a checkpoint file"
        got = f"{weights!r}, neither a tag nor a file" if weights else "none"
        raise InputError(f"expected weights as in open_clip:{model_name}/WEIGHTS, got {got}; {hint}")
    with base.from_hub(f"open_clip:{model_name}/{weights}"):
        checkpoint = download_pretrained(told)
    return checkpoint, {"force_quick_gelu": told["quick_gelu"], "force_preprocess_cfg": _view([told])}, weights


def _view(told: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """How pictures are prepared, where all of these weights agree; a file of SigLIP's is treated like SigLIP's tags."""
    view = {}
    for key in ("mean", "std", "interpolation", "resize_mode"):
        values = {weights.get(key) for weights in told}
        if len(values) == 1 and None not in values:
            view[key] = values.pop()
    return view


def _config(model_name: str) -> dict[str, Any]:
    try:
        config = open_clip.get_model_config(model_name) or {}
        return {"embed_dim": config["embed_dim"], "text_cfg": config["text_cfg"]}
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"expected an open_clip model's settings in {model_name}, got: {base.first_line(error)}"
        ) from error


def _asks_the_hub(model_name: str, config: Mapping[str, Any]) -> bool:
    """Whether open_clip will look for a tokenizer or a text tower's settings on the Hub, weights or no weights."""
    text = config["text_cfg"]
    return "hf_model_name" in text or ("hf_tokenizer_name" in text and not model_name.startswith("local-dir:"))


def _create(
    name: str, model_name: str, checkpoint: str | None, settings: Mapping[str, Any], precision: str
) -> nn.Module:
    """The model on the CPU with all of its weights."""
    try:
        return open_clip.create_model(
            model_name, checkpoint, precision=precision, require_pretrained=True, weights_only=True, **settings
        )
    except Exception as error:  # a wrong file fails in as many ways as there are files
        raise InputError(
            f"expected the weights of {name} as a file of tensors, got {type(error).__name__}: {base.first_line(error)}"
            "; give the architecture they were trained with, as .safetensors or a plain state dict"
        ) from error


def _is_plain_clip(model: Any) -> bool:
    return isinstance(model, open_clip.CLIP) and model.attn_mask is not None and model.text_pool_type == "argmax"


def _with_room_for(length: int, clip: Any) -> Any:
    """The same model with a shorter context.

    Attention looks back only and the vector is read at the end token, so what follows it never mattered. A caption
    of 15 tokens then costs a fifth of one padded to 77.
    """
    short = copy.copy(clip)
    positions = nn.Parameter(clip.positional_embedding[:length], requires_grad=False)
    short._parameters = {**clip._parameters, "positional_embedding": positions}
    short._buffers = {**clip._buffers, "attn_mask": clip.attn_mask[:length, :length]}
    return short
