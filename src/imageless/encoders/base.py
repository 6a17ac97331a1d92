"""What an encoder is, and what every loader of one needs: a place, a precision, a fingerprint, a way to the Hub.

An encoder turns sentences and pictures into vectors of one space and never learns: evaluation mode, no gradients.
Notable:
- Vectors are raw, not unit length. Several captions of a scene are averaged as raw vectors, as the official code
  does (close/model/clip_t5_model.py @ 80f8db0); whoever reads a vector makes it unit length.
- `preprocess` is kept apart from the weights, so that threads and other processes can have it.
- A Hub that cannot be reached costs one short request, not minutes of retries, and becomes one line.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol
from urllib.error import URLError

import torch
from jaxtyping import Float, Shaped
from PIL.Image import Image
from torch import Tensor, nn

from imageless.errors import InputError
from imageless.pixels import Preprocess

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "fp32": torch.float32, "bf16": torch.bfloat16}
HUB_PATIENCE = 5.0  # seconds for one request to the Hub before it counts as out of reach


class Encoder(Protocol):
    """Sentences or pictures -> vectors. Frozen; what it returns is float32 on its own device."""

    @property
    def name(self) -> str:
        """What `encoders.load` takes and a run writes down: open_clip:ViT-L-14/openai, timm:mobilenetv2_100, ..."""
        ...

    @property
    def dim(self) -> int: ...

    @property
    def fingerprint(self) -> str:
        """Tells two encoders of one name apart."""
        ...

    @property
    def sides(self) -> tuple[str, ...]:
        """("text", "image") or ("image",)."""
        ...

    @property
    def noise(self) -> Mapping[str, float]:
        """Best known noise per setting ("captioning-single", "vqa", ...); empty where nobody has measured it."""
        ...

    @property
    def preprocess(self) -> Preprocess: ...

    def texts(self, texts: Sequence[str]) -> Float[Tensor, "batch dim"]: ...

    def truncated(self, texts: Sequence[str]) -> int:
        """How many of these sentences are longer than the encoder reads; `texts` cuts them off silently."""
        ...

    def images(self, pixels: Shaped[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch dim"]: ...


@dataclass(frozen=True)
class Transform:
    """A checkpoint's own transform, fed with RGB whatever the picture's mode."""

    transform: Callable[[Image], Tensor]
    size: int | None

    def __call__(self, image: Image) -> Float[Tensor, "3 height width"]:
        return self.transform(image.convert("RGB"))


_VIT_L_14 = {  # close/experiments/train.py @ 80f8db0; the file states none for news
    "captioning-single": 0.12,
    "captioning-multiple": 0.04,
    "vqa": 0.04,
    "vqa-e": 0.04,
    "entailment": 0.08,
}
NOISE: Mapping[str, Mapping[str, float]] = {
    "open_clip:ViT-L-14": _VIT_L_14,
    "open_clip:ViT-L-14-quickgelu": _VIT_L_14,
    "hf:openai/clip-vit-large-patch14": _VIT_L_14,
}


def known_noise(name: str) -> Mapping[str, float]:
    """The noise found best for this model, whichever weights of that architecture it carries."""
    model = name.partition("/")[0] if name.startswith("open_clip:") else name
    return MappingProxyType(dict(NOISE.get(model, {})))


def place(device: str | None) -> torch.device:
    """The device by this name; None is the accelerator if there is one."""
    if device is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.empty(0, device=device).device
    except (RuntimeError, AssertionError) as error:  # torch built without CUDA asserts
        raise InputError(f"expected a device that is here, got {device!r}; try cpu, or leave it out") from error


def precision(dtype: str | None) -> torch.dtype:
    """What the weights are held in; vectors come out as float32 all the same."""
    if dtype is not None and dtype not in DTYPES:
        raise InputError(f"expected a precision among {', '.join(DTYPES)}, got {dtype!r}; leave it out for float32")
    return DTYPES[dtype or "float32"]


def freeze(model: nn.Module) -> nn.Module:
    return model.eval().requires_grad_(False)


def by_place(features: Tensor, channels: int, extra: int = 0) -> Float[Tensor, "batch places channels"]:
    """A network's last features, whichever way it lays them out; the first `extra` tokens are no places."""
    if features.dim() == 3:
        return features[:, extra:]
    if features.shape[1] != channels:  # channels last
        return features.flatten(1, 2)
    return features.flatten(2).transpose(1, 2)


def fingerprint(model: nn.Module, settings: Mapping[str, Any]) -> str:
    """A short hash of all weights and of the settings that change vectors but stand in no weight.

    Weights are hashed as rounded to bfloat16: the same encoder held in float32 or bfloat16 is the same encoder.
    """
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode())
    for name, tensor in sorted(model.state_dict().items()):
        values = tensor.to(torch.bfloat16) if tensor.is_floating_point() else tensor
        digest.update(f"{name} {tuple(tensor.shape)}".encode())
        digest.update(values.cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()[:16]


def suggestion(word: str, options: Iterable[str]) -> str:
    """What to write instead of a name that does not exist."""
    options = list(options)
    close = difflib.get_close_matches(word, options, n=3)
    if close:
        return f"did you mean {' or '.join(close)}?"
    return f"there are: {', '.join(options[:12])}{f' and {len(options) - 12} more' if len(options) > 12 else ''}"


def first_line(error: BaseException) -> str:
    """The error in one line of bearable length; libraries like to write pages."""
    line = " ".join(str(error).split())
    return line if len(line) <= 200 else line[:197] + "..."


@contextmanager
def from_hub(what: str) -> Iterator[None]:
    """Downloads happen in here. Without a connection the local cache still serves; what it lacks is an InputError."""
    from huggingface_hub import constants, errors

    unreachable = (errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled)
    broken = (ConnectionError, TimeoutError, socket.gaierror, URLError)
    absent = (errors.RepositoryNotFoundError, errors.EntryNotFoundError, errors.RevisionNotFoundError)
    misspelt = (errors.HFValidationError,)
    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = before or not hub_answers()
    try:
        yield
    except Exception as error:
        causes = tuple(_causes(error))
        if any(
            isinstance(cause, unreachable + broken) for cause in causes
        ):  # before absent: what is not cached is both
            raise InputError(
                f"expected to download {what}, got no connection to the Hub; give a local folder that has it,"
                " or try again online"
            ) from error
        if any(isinstance(cause, absent + misspelt) for cause in causes):
            raise InputError(
                f"expected a model on the Hub, found no {what} there (or no right to read it);"
                " check the name, log in with `hf auth login`, or give a local folder"
            ) from error
        raise
    finally:
        constants.HF_HUB_OFFLINE = before


def hub_answers() -> bool:
    """Whether the Hub can be reached now: one request, as huggingface_hub itself retries for 23 seconds per file."""
    from huggingface_hub import constants, get_session

    if constants.HF_HUB_OFFLINE:
        return False
    try:
        get_session().head(constants.ENDPOINT, timeout=HUB_PATIENCE)
    except Exception:  # the HTTP library's own tree of errors, which changes its name with huggingface_hub's version
        return False
    return True


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
