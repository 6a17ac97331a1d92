"""A small CLIP: two towers that put pictures and sentences into one space.

The image tower is a residual network of our own for small pictures, or any timm model with a head on top, which may be
frozen (LiT). The text tower is a small transformer over a vocabulary made from the captions at hand.

Notable: group norm and layer norm only, so that a vector never depends on its batch mates.
CLIP, arXiv:2103.00020; LiT, arXiv:2111.07991.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor, nn

FIRST_BIAS = -10.0  # most pairs do not belong together: SigLIP, arXiv:2303.15343 section 3.2
LONGEST_SCALE = math.log(100)  # CLIP clamps the logit scale at 100 (arXiv:2103.00020 section 2.5)


@dataclass(frozen=True)
class DualEncoderConfig:
    """The shape of both towers."""

    image: str = "world"
    """`world`, or the architecture of a timm model."""
    image_arguments: dict[str, Any] = field(default_factory=dict)
    """How the timm model is built, over and above its architecture's name."""
    view: dict[str, Any] = field(default_factory=dict)
    """How a timm model was trained to see: input size, crop and interpolation, mean and std."""
    image_features: int = 0
    """Width of the timm model's pooled features under the head."""
    hidden: int = 0
    """Width of a hidden layer in the head over timm features; 0 is one linear map."""
    dim: int = 256
    vocabulary: int = 1024
    text_width: int = 160
    """0: there is no text tower, pictures are all it sees."""
    text_layers: int = 3
    text_length: int = 40
    bias: bool = False
    """A learned bias beside the learned scale, which the sigmoid loss needs."""

    @property
    def image_size(self) -> int:
        """Side of the square the image tower sees, in pixels."""
        return self.view["input_size"][-1] if self.view else 64


class Residual(nn.Module):
    """Two 3x3 convolutions around which the input passes unchanged."""

    def __init__(self, channels: int):
        super().__init__()
        self.norm1, self.norm2 = nn.GroupNorm(8, channels), nn.GroupNorm(8, channels)
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        out = self.conv1(F.gelu(self.norm1(x)))
        return x + self.conv2(F.gelu(self.norm2(out)))


class WorldTower(nn.Module):
    """A residual network for 64-pixel pictures whose last map is flattened, not pooled: where things are stays known."""

    CHANNELS = (32, 64, 160, 256)
    BLOCKS = (1, 2, 2)  # none at 32 x 32, where a block costs most

    def __init__(self, dim: int, image_size: int = 64):
        super().__init__()
        stages: list[nn.Module] = [nn.Conv2d(3, self.CHANNELS[0], 4, stride=2, padding=1), nn.GELU()]
        for narrow, wide, depth in zip(self.CHANNELS, self.CHANNELS[1:], self.BLOCKS, strict=False):
            stages.append(nn.Conv2d(narrow, wide, 3, stride=2, padding=1, bias=False))
            stages += [Residual(wide) for _ in range(depth)]
        self.stages = nn.Sequential(*stages)
        side = image_size // 2 ** len(self.CHANNELS)
        self.norm = nn.GroupNorm(8, self.CHANNELS[-1])
        self.squeeze = nn.Conv2d(self.CHANNELS[-1], 128, 1)
        self.head = nn.Linear(128 * side * side, dim)

    def grid(self, pixels: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n 256 4 4"]:
        """The last map, before it becomes one vector."""
        return F.gelu(self.norm(self.stages(pixels.contiguous(memory_format=torch.channels_last))))

    def forward(self, pixels: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n dim"]:
        return self.head(F.gelu(self.squeeze(self.grid(pixels))).flatten(1))


class Block(nn.Module):
    """Attention and a feed-forward layer, each on normalised input, around which the input passes unchanged.

    Attention is written out: for a dozen words torch's fused kernel is three times slower on CPUs (docs/log.md).
    """

    def __init__(self, width: int):
        super().__init__()
        self.heads = width // 32
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.read, self.write = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.forth, self.back = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(
        self, x: Float[Tensor, "n words width"], unseen: Float[Tensor, "n 1 1 words"]
    ) -> Float[Tensor, "n words width"]:
        query, key, value = self.read(self.norm1(x)).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        weights = (query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5 + unseen).softmax(
            -1
        )  # (n, heads, words, words)
        x = x + self.write((weights.to(value.dtype) @ value).transpose(1, 2).flatten(2))
        return x + self.back(F.gelu(self.forth(self.norm2(x))))


class TextTower(nn.Module):
    """A transformer that reads both ways; the mean over the words is the sentence."""

    def __init__(self, vocabulary: int, width: int, layers: int, length: int, dim: int):
        super().__init__()
        self.words = nn.Embedding(vocabulary, width)
        self.places = nn.Parameter(0.02 * torch.randn(length, width))
        self.blocks = nn.ModuleList(Block(width) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, dim, bias=False)
        nn.init.normal_(self.words.weight, std=0.02)

    def forward(self, ids: Int[Tensor, "n words"], mask: Bool[Tensor, "n words"]) -> Float[Tensor, "n dim"]:
        x = self.words(ids) + self.places[: ids.shape[1]]
        unseen = torch.zeros(mask.shape, device=mask.device).masked_fill(~mask, -1e4)[:, None, None]
        for block in self.blocks:
            x = block(x, unseen)
        weight = mask.unsqueeze(-1).to(x.dtype)
        return self.head((self.norm(x) * weight).sum(1) / weight.sum(1))


class DualEncoder(nn.Module):
    """Both towers and the learned temperature. `backbone` is the timm model's body; the world's tower needs none."""

    def __init__(self, config: DualEncoderConfig, temperature: float = 0.01, backbone: nn.Module | None = None):
        super().__init__()
        self.config = config
        self.backbone = backbone
        self.image = WorldTower(config.dim) if backbone is None else _head(config)
        if config.text_width:
            self.text = TextTower(
                config.vocabulary, config.text_width, config.text_layers, config.text_length, config.dim
            )
        self.logit_scale = nn.Parameter(torch.tensor(-math.log(temperature)))
        self.logit_bias = nn.Parameter(torch.tensor(FIRST_BIAS)) if config.bias else None

    def _scaled(self, pixels: UInt8[Tensor, "n 3 h w"]) -> Float[Tensor, "n 3 h w"]:
        """Pixels as the image tower reads them."""
        weight = self.logit_scale
        mean = torch.tensor(self.config.view.get("mean", (0.5, 0.5, 0.5)), device=weight.device).view(3, 1, 1)
        std = torch.tensor(self.config.view.get("std", (0.5, 0.5, 0.5)), device=weight.device).view(3, 1, 1)
        scaled = ((pixels / 255 - mean) / std).to(weight.dtype)
        return scaled.contiguous(memory_format=torch.channels_last)  # 1.5 times faster on CPUs

    def features(self, pixels: UInt8[Tensor, "n 3 h w"]) -> Float[Tensor, "n ..."]:
        """What the head reads: normalised pixels, or the timm model's features of them."""
        scaled = self._scaled(pixels)
        return scaled if self.backbone is None else self.backbone(scaled)

    def grid(self, pixels: UInt8[Tensor, "n 3 h w"]) -> Float[Tensor, "n ..."]:
        """The image tower's last features, before they are pooled into one vector."""
        if self.backbone is None:
            tower: Any = self.image
            return tower.grid(self._scaled(pixels))
        body: Any = self.backbone
        return body.forward_features(self._scaled(pixels))

    def images(self, pixels: Tensor) -> Float[Tensor, "n dim"]:
        """Raw image vectors from uint8 pixels, or from `features` computed before."""
        return self.image(self.features(pixels) if pixels.dtype == torch.uint8 else pixels)

    def forward(
        self, pixels: Tensor, ids: Int[Tensor, "n words"], mask: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        """Unit image vectors, unit text vectors, the logits' scale and, where there is one, their bias."""
        images = F.normalize(self.images(pixels), dim=-1)
        texts = F.normalize(self.text(ids, mask), dim=-1)
        return images, texts, self.logit_scale.clamp(max=LONGEST_SCALE).exp(), self.logit_bias


def _head(config: DualEncoderConfig) -> nn.Module:
    """What turns a timm model's features into vectors of the shared space."""
    norm = nn.LayerNorm(config.image_features)
    if not config.hidden:
        return nn.Sequential(norm, nn.Linear(config.image_features, config.dim))
    wide = nn.Linear(config.image_features, config.hidden)
    return nn.Sequential(norm, wide, nn.GELU(), nn.Linear(config.hidden, config.dim))
