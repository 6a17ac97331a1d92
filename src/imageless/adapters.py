"""Bridges over the gap between text and image vectors.

All take unit text vectors and return unit vectors a model can mistake for images. They act while learning: at test time
pictures go where sentences went, as they are. The one exception is Standardize, whose other half stands pictures beside
the sentences; a run keeps that half and applies it itself.

    Noise            blur                                  needs nothing
    RandomShift      move, all the same way                needs nothing: how much does it hurt?
    Standardize      subtract each side's own mean         needs sentences, and pictures of anything
    MeanShift        move by the difference of the means   needs sentences, and pictures of anything
    LinearMap        the linear map that fits best         needs pairs
    CovarianceNoise  blur as pictures differ from captions needs pairs
    Chain            one after the other, usually with Noise last

`normal` are standard normal numbers keyed by seed, step and row (draws.py): `draws` of them for each dimension.
CLOSE, arXiv:2211.09778 section 4; official code close/model/language_adapters.py @ 80f8db0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from imageless.errors import InputError
from imageless.folders import disk_errors, read_json, write_json
from imageless.options import Kind, with_options
from imageless.vectors import centred


class Adapter(nn.Module):
    """Unit text vectors in, unit vectors out; it takes `draws` standard normal numbers for each dimension."""

    draws = 0


class Noise(Adapter):
    """Blur text vectors until image vectors look like more of the same.

    `std` is w: the standard deviation in every dimension, so that the blur's length is about w times the root of the
    number of dimensions. 0.08 is the paper's for all tasks on CLIP ViT-L/14 (768 dimensions); other encoders need others.
    """

    draws = 1

    def __init__(self, std: float = 0.08):
        super().__init__()
        self.std = std

    def forward(
        self, vectors: Float[Tensor, "batch dim"], normal: Float[Tensor, "batch numbers"]
    ) -> Float[Tensor, "batch dim"]:
        if self.training:
            vectors = vectors + self.std * normal
        return F.normalize(vectors, dim=-1)


class _Shift(Adapter):
    """Move every vector by the same `shift`, then give it unit length again."""

    shift: Tensor

    def __init__(self, shift: Float[Tensor, " dim"]):
        super().__init__()
        self.register_buffer("shift", shift)

    def forward(
        self, vectors: Float[Tensor, "batch dim"], normal: Float[Tensor, "batch numbers"]
    ) -> Float[Tensor, "batch dim"]:
        return F.normalize(vectors + self.shift, dim=-1)


class MeanShift(_Shift):
    """Move sentences to where pictures are: by the difference of the two means, times `scale`; -1 moves them away."""

    def __init__(self, difference: Float[Tensor, " dim"], scale: float = 1.0):
        super().__init__(scale * difference)


class RandomShift(_Shift):
    """Move sentences `magnitude` in one direction drawn from `seed`: nowhere in particular."""

    def __init__(self, dim: int, magnitude: float, seed: int = 0):
        direction = torch.randn(dim, generator=torch.Generator().manual_seed(seed))
        super().__init__(magnitude * F.normalize(direction, dim=0))


class LinearMap(Adapter):
    """The linear map from sentences to their pictures that least squares finds."""

    matrix: Tensor

    def __init__(self, matrix: Float[Tensor, "dim dim"]):
        super().__init__()
        self.register_buffer("matrix", matrix)

    def forward(
        self, vectors: Float[Tensor, "batch dim"], normal: Float[Tensor, "batch numbers"]
    ) -> Float[Tensor, "batch dim"]:
        return F.normalize(vectors @ self.matrix, dim=-1)


class CovarianceNoise(Adapter):
    """Blur sentences the way pictures differ from their captions: the mean and covariance of (image - text).

    The covariance comes factored, once (`factor @ factor.T`). `scale` multiplies the blur and not the mean; the released
    code multiplies by 3. Noise without direction is added after it where one is chained behind.
    """

    draws = 1
    mean: Tensor
    factor: Tensor

    def __init__(self, mean: Float[Tensor, " dim"], factor: Float[Tensor, "dim dim"], scale: float = 1.0):
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("factor", scale * factor)

    def forward(
        self, vectors: Float[Tensor, "batch dim"], normal: Float[Tensor, "batch numbers"]
    ) -> Float[Tensor, "batch dim"]:
        vectors = vectors + self.mean
        if self.training:
            vectors = vectors + normal @ self.factor.T
        return F.normalize(vectors, dim=-1)


class Gaussian(Adapter):
    """Draw a picture that a sentence may be of: the linear map to pictures, and a blur shaped as what is left of them.

    What it draws is spread as pictures are, so that a model that learns from it has seen what it will be asked about.
    `scale` multiplies the blur. Ours; the paper has its two halves, LinearMap and CovarianceNoise, apart.
    """

    draws = 1
    matrix: Tensor
    mean: Tensor
    factor: Tensor

    def __init__(
        self,
        matrix: Float[Tensor, "dim dim"],
        mean: Float[Tensor, " dim"],
        factor: Float[Tensor, "dim dim"],
        scale: float = 1.0,
    ):
        super().__init__()
        self.register_buffer("matrix", matrix)
        self.register_buffer("mean", mean)
        self.register_buffer("factor", scale * factor)

    def forward(
        self, vectors: Float[Tensor, "batch dim"], normal: Float[Tensor, "batch numbers"]
    ) -> Float[Tensor, "batch dim"]:
        vectors = vectors @ self.matrix + self.mean
        if self.training:
            vectors = vectors + normal @ self.factor.T
        return F.normalize(vectors, dim=-1)


class Standardize(Adapter):
    """Put the middle of one side at nought; with `stretch` each dimension spreads as on the other side.

    The text half acts while learning, the image half wherever the run is asked. Each half needs vectors of its side alone,
    no pairs. The mean as in C3 (ICLR 2024); the paper's "gap is not performance" also matches the spread.
    """

    mean: Tensor
    stretch: Tensor

    def __init__(self, mean: Float[Tensor, " dim"], stretch: Float[Tensor, " dim"] | None = None):
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("stretch", torch.ones_like(mean) if stretch is None else stretch)

    def forward(
        self, vectors: Float[Tensor, "batch dim"], normal: Float[Tensor, "batch numbers"] | None = None
    ) -> Float[Tensor, "batch dim"]:
        return centred(vectors, self.mean, self.stretch)


class Chain(Adapter):
    """Adapters one after the other, each with normal numbers of its own."""

    def __init__(self, adapters: Sequence[Adapter]):
        super().__init__()
        self.adapters = nn.ModuleList(adapters)
        self.each = [adapter.draws for adapter in adapters]
        self.draws = sum(self.each)

    def forward(
        self, vectors: Float[Tensor, "batch dim"], normal: Float[Tensor, "batch numbers"]
    ) -> Float[Tensor, "batch dim"]:
        shares = normal.split([draws * vectors.shape[1] for draws in self.each], dim=1)
        for adapter, mine in zip(self.adapters, shares, strict=True):
            vectors = adapter(vectors, mine)
        return vectors


HOLDS: dict[Kind, set[str]] = {
    "mean": {"difference"},
    "linear": {"matrix"},
    "covariance": {"mean", "factor"},
    "gaussian": {"matrix", "mean", "factor"},
    "standardize": {"text_mean", "image_mean", "stretch"},
}
"""What a fitted adapter of each kind keeps; see stages/adapt.py."""
SCALED = ("mean", "covariance", "gaussian")


@dataclass(frozen=True)
class About:
    """What an adapter's config.json says."""

    kind: Kind
    encoder: str
    fingerprint: str
    dim: int
    tables: dict[str, str]
    """The content of the text and the image table it was fitted on, as their about.json names it."""
    rows: dict[str, int]
    """Captions and pictures looked at."""
    pairs: int | None
    settings: dict[str, Any]
    gap: dict[str, dict[str, float]]
    """Before and after."""


def save(folder: Path, about: About, tensors: dict[str, Tensor]) -> None:
    """Write a fitted adapter; config.json comes last and makes the folder one."""
    from safetensors.torch import save_file

    with disk_errors(folder):
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / "adapter.safetensors")
    write_json(folder / "config.json", asdict(about))


@dataclass(frozen=True)
class Bridge:
    """What a spec stands for: what happens to sentences while learning, and to pictures whenever the run is asked."""

    text: Adapter
    image: Standardize | None = None


def load(spec: str, fingerprint: str, dim: int, seed: int = 0) -> Bridge:
    """An adapter as the command line names it.

    random:0.5             moved 0.5 in one direction; random:0.5?seed=3 in another
    FOLDER                 as `imageless adapt` made it
    FOLDER?scale=-1        a mean times -1; a covariance's or a gaussian's blur times a number
    """
    path, told = with_options(spec)
    try:
        settings = {name: _finite(value) for name, value in told.items()}
        if path.startswith("random:"):
            taken = {"seed": float(seed), **settings}
            if taken.keys() != {"seed"}:
                raise ValueError
            return Bridge(RandomShift(dim, _finite(path.removeprefix("random:")), int(taken["seed"])))
    except ValueError:
        raise InputError(f"--adapter: expected random:MAGNITUDE, or FOLDER?scale=NUMBER, got {spec!r}") from None
    about, tensors = _read(Path(path))
    if (about.fingerprint, about.dim) != (fingerprint, dim):
        raise InputError(
            f"expected an adapter for this encoder ({dim} dimensions, {fingerprint[:12]}), {path} was fitted for "
            f"{about.encoder} ({about.dim} dimensions, {about.fingerprint[:12]}); fit one with `imageless adapt`"
        )
    if settings.keys() - ({"scale"} if about.kind in SCALED else set()):
        raise InputError(
            f"--adapter: expected {path} without {', '.join(told)}, of which an adapter of kind {about.kind} knows nothing"
        )
    return bridge(about.kind, tensors, settings.get("scale", 1.0))


def kept(folder: Path) -> Bridge:
    """The bridge that a run learned from pictures without captions and keeps."""
    about, tensors = _read(folder)
    return bridge(about.kind, tensors)


def bridge(kind: Kind, tensors: dict[str, Tensor], scale: float = 1.0) -> Bridge:
    """The bridge made of what was fitted; `scale` is for those that are SCALED."""
    if kind == "mean":
        return Bridge(MeanShift(tensors["difference"], scale))
    if kind == "linear":
        return Bridge(LinearMap(tensors["matrix"]))
    if kind == "covariance":
        return Bridge(CovarianceNoise(tensors["mean"], tensors["factor"], scale))
    if kind == "gaussian":
        return Bridge(Gaussian(tensors["matrix"], tensors["mean"], tensors["factor"], scale))
    return Bridge(Standardize(tensors["text_mean"]), Standardize(tensors["image_mean"], tensors["stretch"]))


def _finite(word: str) -> float:
    number = float(word)
    if not math.isfinite(number):
        raise ValueError
    return number


def _read(folder: Path) -> tuple[About, dict[str, Tensor]]:
    from safetensors.torch import load_file

    values = read_json(folder / "config.json", "a fitted adapter (make one with `imageless adapt`)")
    try:
        tensors = load_file(folder / "adapter.safetensors")
        if tensors.keys() != HOLDS[values["kind"]]:
            raise ValueError(f"it holds {sorted(tensors)}")
        about = About(**values)
    except Exception as error:  # a damaged file fails in as many ways as there are files
        raise InputError(f"the adapter {folder} is damaged ({error}); fit it again with `imageless adapt`") from None
    return about, tensors
