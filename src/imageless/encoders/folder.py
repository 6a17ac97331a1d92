"""Encoders of our own: a folder with config.json, model.safetensors, a tokenizer and the log of the training that made it.

`noise.json`, where there is one, keeps the best noise found for each task's setting with the sweep that found it.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from imageless.encoders.base import by_place, first_line, freeze, place, precision
from imageless.encoders.base import fingerprint as hashed
from imageless.errors import InputError
from imageless.folders import read_json, write_json
from imageless.models.dual_encoder import DualEncoder, DualEncoderConfig, WorldTower
from imageless.pixels import Resize, View

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

FORMAT = 1


class FolderEncoder:
    """A dual encoder that `imageless pretrain` made."""

    def __init__(self, folder: Path, name: str, device: str | None = None, dtype: str | None = None):
        from transformers import PreTrainedTokenizerFast

        about = read_json(folder / "config.json", "an encoder folder made by `imageless pretrain`")
        if about.get("kind") != "dual_encoder" or about.get("format") != FORMAT:
            raise InputError(
                f"expected an encoder folder of format {FORMAT} made by `imageless pretrain`, {folder}/config.json says "
                f"kind {about.get('kind')!r}, format {about.get('format')!r}"
            )
        self.name = name
        try:
            self.config = DualEncoderConfig(**about["model"])
        except (TypeError, KeyError) as error:
            raise InputError(f"the config.json of {folder} is damaged ({error}); pretrain it again") from None
        self.dim = self.config.dim
        self.sides: tuple[str, ...] = ("text", "image") if self.config.text_width else ("image",)
        self.device, self.dtype = place(device), precision(dtype)
        self.fingerprint = fingerprint(folder)
        noise = folder / "noise.json"
        self.noise: Mapping[str, float] = read_json(noise, "tuned noise")["best"] if noise.is_file() else {}
        try:
            self.tokenizer = PreTrainedTokenizerFast.from_pretrained(folder) if "text" in self.sides else None
            weights = load_file(folder / "model.safetensors")
            self.model = DualEncoder(self.config, backbone=_backbone(self.config))
            self.model.load_state_dict(
                {name: value.float() if value.is_floating_point() else value for name, value in weights.items()}
            )
        except Exception as error:  # a damaged file fails in as many ways as there are files
            raise InputError(
                f"the encoder in {folder} is damaged ({first_line(error)}); pretrain it again or fetch it anew"
            ) from None
        self.model.eval().requires_grad_(False).to(self.device, self.dtype)
        self.preprocess = View.of(self.config.view) if self.config.view else Resize(self.config.image_size)

    def truncated(self, texts: Sequence[str]) -> int:
        """How many texts are longer than the text tower reads."""
        return sum(len(ids) > self.config.text_length for ids in self._reader(list(texts))["input_ids"])  # pyright: ignore[reportArgumentType]

    @torch.no_grad()
    def texts(self, texts: Sequence[str]) -> Float[Tensor, "batch dim"]:
        """Raw text vectors."""
        batch = self._reader(
            list(texts), padding=True, truncation=True, max_length=self.config.text_length, return_tensors="pt"
        )
        mask = batch["attention_mask"].bool()  # pyright: ignore[reportAttributeAccessIssue]
        return self.model.text(batch["input_ids"].to(self.device), mask.to(self.device)).float()  # pyright: ignore[reportAttributeAccessIssue]

    @property
    def _reader(self) -> PreTrainedTokenizerFast:
        if self.tokenizer is None:
            raise InputError(
                f"expected an encoder that reads sentences, got {self.name}, which sees pictures only; pretrain one with "
                "--objective captions"
            )
        return self.tokenizer

    def forget(self) -> None:
        """Take fresh weights for the learned ones."""
        self.model = DualEncoder(self.config, backbone=_backbone(self.config)).to(self.device, self.dtype)
        self.fingerprint = hashed(freeze(self.model), {})

    def grid(self, pixels: Tensor) -> Float[Tensor, "batch places channels"]:
        """What the image tower knows of each place."""
        body: Any = self.model.backbone
        channels = WorldTower.CHANNELS[-1] if body is None else body.num_features
        extra = getattr(body, "num_prefix_tokens", 0)
        return by_place(self.model.grid(pixels.to(self.device)), channels, extra).float()

    def images(self, pixels: Tensor) -> Float[Tensor, "batch dim"]:
        """Raw image vectors."""
        return self.model.images(pixels.to(self.device)).float()


def _backbone(config: DualEncoderConfig) -> nn.Module | None:
    """The body of the timm model the image tower stands on, without weights."""
    if config.image == "world":
        return None
    import timm

    return timm.create_model(config.image, pretrained=False, num_classes=0, **config.image_arguments)


def load(
    folder: Path | str, name: str | None = None, device: str | None = None, dtype: str | None = None
) -> FolderEncoder:
    """The encoder in a folder; `name` is what runs will call it."""
    return FolderEncoder(Path(folder), name or str(folder), device, dtype)


def save(folder: Path, model: DualEncoder, tokenizer: Any | None, trained: dict[str, Any]) -> None:
    """Write config, weights (float16) and, where it reads, its tokenizer; config.json comes last and makes the folder an encoder."""
    weights = {name: _half(value) for name, value in model.state_dict().items()}
    save_file(weights, folder / "model.safetensors")
    if tokenizer is not None:
        tokenizer.save_pretrained(folder)
    shutil.rmtree(folder / "tensorboard", ignore_errors=True)
    write_json(
        folder / "config.json",
        {"format": FORMAT, "kind": "dual_encoder", "model": vars(model.config), "trained": trained},
    )


def _half(value: Tensor) -> Tensor:
    value = value.detach().contiguous().cpu()
    return value.half() if value.is_floating_point() else value


def fingerprint(folder: Path) -> str:
    """sha256 over weights and vocabulary: two encoders of one name are told apart."""
    digest = hashlib.sha256()
    reads = bool(read_json(folder / "config.json", "an encoder folder").get("model", {}).get("text_width", 1))
    for name in ("model.safetensors", "tokenizer.json") if reads else ("model.safetensors",):
        path = folder / name
        if not path.is_file():
            raise InputError(
                f"the encoder in {folder} is incomplete: {name} is missing; pretrain it again or fetch it anew"
            )
        digest.update(path.read_bytes())
    return digest.hexdigest()
