"""CLIP and SigLIP as transformers keeps them: a Hub name or a folder with weights, tokenizer and preprocessor.

Notable:
- CLIP reads up to its end token, so a batch is padded to its longest sentence. SigLIP was trained on sentences padded
  to 64 tokens, in lower case and without a mask over the padding (big_vision), and reads the last position: padded
  any other way it says something else.
- A checkpoint that lacks weights or a tokenizer is refused; transformers fills in random numbers and an empty one.
- SigLIP 2 of fixed resolution is a SigLIP here as in transformers. Its NaFlex models see pictures of changing shape and
  are refused.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from PIL.Image import Image
from safetensors import SafetensorError
from torch import Tensor
from transformers import AutoConfig, AutoImageProcessor, AutoModel, AutoTokenizer
from transformers.utils import logging as hf_logging

from imageless.encoders import base
from imageless.errors import InputError

log = logging.getLogger(__name__)

FAMILIES = ("clip", "siglip")


class HuggingFace:
    """A frozen CLIP or SigLIP of transformers, with its tokenizer and its view of pictures."""

    sides = ("text", "image")

    def __init__(self, name: str, model: Any, tokenizer: Any, processor: Any, device: torch.device):
        self.name = name
        self.noise = base.known_noise(name)
        self.model: Any = base.freeze(model.to(device))
        self.tokenizer = tokenizer
        self.processor = processor
        self.device = device
        self._fingerprint: str | None = None
        self.family = model.config.model_type
        self.context = model.config.text_config.max_position_embeddings
        text = model.config.text_config
        self.dim = model.config.projection_dim if self.family == "clip" else text.projection_size
        self.preprocess = base.Transform(partial(_pixels, processor), _size(processor))

    @property
    def fingerprint(self) -> str:
        if self._fingerprint is None:
            view, config = self.processor.to_dict(), self.model.config
            settings = {key: view.get(key) for key in ("size", "crop_size", "resample", "image_mean", "image_std")}
            settings["activations"] = [config.text_config.hidden_act, config.vision_config.hidden_act]
            self._fingerprint = base.fingerprint(self.model, settings)
        return self._fingerprint

    @torch.no_grad()  # not inference_mode: a bridge that learns may stand behind these vectors
    def texts(self, texts: Sequence[str]) -> Float[Tensor, "batch dim"]:
        siglip = self.family == "siglip"
        batch = self.tokenizer(
            [text.lower() for text in texts] if siglip else list(texts),
            padding="max_length" if siglip else "longest",
            truncation=True,
            max_length=self.context,
            return_tensors="pt",
        ).to(self.device)
        mask = None if siglip else batch["attention_mask"]
        return self.model.get_text_features(input_ids=batch["input_ids"], attention_mask=mask).pooler_output.float()

    def truncated(self, texts: Sequence[str]) -> int:
        lengths = self.tokenizer(list(texts), verbose=False)["input_ids"]
        return sum(len(tokens) > self.context for tokens in lengths)

    def forget(self) -> None:
        """Take fresh weights for the learned ones."""
        self.model = base.freeze(type(self.model)(self.model.config).to(self.device, self.model.dtype))
        self._fingerprint = None

    def images(self, pixels: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch dim"]:
        pixels = pixels.to(self.device, self.model.dtype)
        return self.model.get_image_features(pixel_values=pixels).pooler_output.float()

    def grid(self, pixels: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch places channels"]:
        """What the image network knows of each place, before it pools."""
        told = self.model.vision_model(pixel_values=pixels.to(self.device, self.model.dtype))
        return told.last_hidden_state[:, 1 if self.family == "clip" else 0 :].float()


def load(rest: str, device: str | None = None, dtype: str | None = None) -> HuggingFace:
    """The encoder behind `hf:REST`."""
    where, weights_dtype = base.place(device), base.precision(dtype)
    local = Path(rest).is_dir()
    source = str(Path(rest).resolve()) if local else rest
    with nullcontext() if local else base.from_hub(source), _without_reports():
        try:
            _check_family(source, AutoConfig.from_pretrained(source).model_type)
            model, told = AutoModel.from_pretrained(source, dtype=weights_dtype, output_loading_info=True)
            tokenizer, processor = AutoTokenizer.from_pretrained(source), AutoImageProcessor.from_pretrained(source)
        except InputError:
            raise
        except (OSError, ValueError, KeyError, SafetensorError) as error:
            raise InputError(
                f"expected a CLIP or SigLIP with weights, tokenizer and preprocessor in {source},"
                f" got: {base.first_line(error)}; save all three there with save_pretrained"
            ) from error
    absent = sorted(told["missing_keys"]) + sorted(key for key, *_ in told["mismatched_keys"])
    if absent:
        raise InputError(
            f"expected all weights in {source}, {len(absent)} are missing or of another shape, the first of them"
            f" {absent[0]}; give the complete checkpoint"
        )
    if tokenizer("dog")["input_ids"] == tokenizer("cat")["input_ids"]:
        raise InputError(
            f"expected a tokenizer in {source}, got one that knows no words; save it there with save_pretrained"
        )
    log.info("hf:%s: a %s model on %s", source, model.config.model_type, where)
    return HuggingFace(f"hf:{source}", model, tokenizer, processor, where)


@contextmanager
def _without_reports() -> Iterator[None]:
    """transformers prints a table of what a checkpoint lacks; here that is an error of one line."""
    before = hf_logging.get_verbosity()
    hf_logging.set_verbosity_error()
    try:
        yield
    finally:
        hf_logging.set_verbosity(before)


def _check_family(source: str, model_type: str) -> None:
    if model_type == "siglip2":
        raise InputError(
            f"expected pictures of one shape, {source} is a NaFlex model; take a SigLIP 2 of fixed resolution, such as"
            " google/siglip2-base-patch16-224"
        )
    if model_type not in FAMILIES:
        raise InputError(
            f"expected a model of type {' or '.join(FAMILIES)}, {source} is {model_type!r}; choose another"
        )


def _size(processor: Any) -> int | None:
    """What a picture's shorter side is brought to; None where it stays as it is."""
    sides = [side for side in dict(processor.size).values() if side is not None]
    return max(sides) if processor.do_resize else None


def _pixels(processor: Any, image: Image) -> Tensor:
    return processor(images=image, return_tensors="pt")["pixel_values"][0]
