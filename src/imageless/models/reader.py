"""What CLOSE and LiMBeR share: a vector and a prompt are read, and words are said, scored or ranked on what was read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from imageless.models.beams import Search


@dataclass(frozen=True)
class Generated:
    """The best sequences for each input, best first: (batch, n_best, length) ids and the log probabilities of their words."""

    ids: Int[Tensor, "batch n_best length"]
    scores: Float[Tensor, "batch n_best"]


class Reader(nn.Module, ABC):
    """A language model that reads vectors; how it reads (`read`) and what words cost it (`losses`) is its own."""

    lm: Any  # transformers' generation mixin defies static types

    @abstractmethod
    def read(
        self,
        vectors: Float[Tensor, "batch dim"],
        prompts: Int[Tensor, "batch words"],
        prompt_mask: Int[Tensor, "batch words"],
    ) -> tuple[Float[Tensor, "batch read width"], Int[Tensor, "batch read"]]:
        """What stands for the vector and the prompt, with its mask."""

    @abstractmethod
    def losses(
        self,
        hidden: Float[Tensor, "batch read width"],
        mask: Int[Tensor, "batch read"],
        targets: Int[Tensor, "targets length"],
        owners: Int[Tensor, " targets"],
    ) -> Float[Tensor, "targets length"]:
        """Cross entropy of every target token after what its owner has read, 0 at padding."""

    def learned(self) -> nn.Module:
        """What training changes."""
        return self

    def forward(
        self,
        vectors: Float[Tensor, "batch dim"],
        prompts: Int[Tensor, "batch words"],
        prompt_mask: Int[Tensor, "batch words"],
        targets: Int[Tensor, "targets length"],
        owners: Int[Tensor, " targets"],
    ) -> Float[Tensor, ""]:
        """Summed cross entropy of the target tokens; -100 is padding, `owners` names each target's input."""
        return self.losses(*self.read(vectors, prompts, prompt_mask), targets, owners).sum()

    @torch.no_grad()
    def rank(
        self,
        vectors: Float[Tensor, "batch dim"],
        prompts: Int[Tensor, "batch words"],
        prompt_mask: Int[Tensor, "batch words"],
        choices: Int[Tensor, "choices length"],
    ) -> Float[Tensor, "batch choices"]:
        """Log probability of each choice as the answer to each input."""
        hidden, mask = self.read(vectors, prompts, prompt_mask)
        owners = torch.arange(len(vectors), device=vectors.device).repeat_interleave(len(choices))
        losses = self.losses(hidden, mask, choices.repeat(len(vectors), 1), owners)
        return -losses.sum(-1).unflatten(0, (-1, len(choices)))

    @torch.no_grad()
    def generate(
        self,
        vectors: Float[Tensor, "batch dim"],
        prompts: Int[Tensor, "batch words"],
        prompt_mask: Int[Tensor, "batch words"],
        how: Search = Search(),
    ) -> Generated:
        """The words that a beam search finds."""
        return self.say(*self.read(vectors, prompts, prompt_mask), how)

    @abstractmethod
    def say(
        self,
        hidden: Float[Tensor, "batch read width"],
        mask: Int[Tensor, "batch read"],
        how: Search = Search(),
    ) -> Generated:
        """What follows on what was read, searched for as `generate` says."""
