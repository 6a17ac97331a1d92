"""CLOSE: a vector and a prompt in, words out. It cannot know whether the vector was a sentence or a picture.

    unit vector -> linear -> 4 vectors | embedded prompt -> T5 encoder -> T5 decoder

Notable:
- The attention mask covers the prompt's padding in the encoder too; the official model leaves it out, so that padding is
  attended to (close/model/clip_t5_model.py @ 80f8db0).
- An input is encoded once and repeated over its targets: for captions the encoder's work is four tokens.
CLOSE, arXiv:2211.09778.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor
from transformers import T5ForConditionalGeneration
from transformers.modeling_outputs import BaseModelOutput

from imageless.models.beams import Search, search
from imageless.models.prefix import Prefix
from imageless.models.reader import Generated, Reader
from imageless.models.t5 import T5Decoder, T5Encoder


class Close(Reader):
    """A prefix in front of a T5."""

    prompt_ends = target_ends = None  # as the tokenizer writes them

    def __init__(self, lm: T5ForConditionalGeneration, dim: int, length: int = 4):
        super().__init__()
        self.lm = lm
        self.dim, self.length = dim, length
        self.prefix = Prefix(dim, length, lm.config.d_model)
        self.said_in: torch.dtype | None = None
        """The numbers in which words are said, if not those of the weights: int8 is read fastest (packed.py)."""
        self._answering: tuple[T5Encoder, T5Decoder] | None = None

    @property
    def dtype(self) -> torch.dtype:
        return self.prefix.project.weight.dtype

    def read(
        self,
        vectors: Float[Tensor, "batch dim"],
        prompts: Int[Tensor, "batch words"],
        prompt_mask: Int[Tensor, "batch words"],
    ) -> tuple[Float[Tensor, "batch read width"], Int[Tensor, "batch read"]]:
        """What the T5 encoder makes of the vector and the prompt, with its mask."""
        prefix = self.prefix(vectors)  # (batch, length, width)
        words = self.lm.get_input_embeddings()(prompts)  # (batch, words, width)
        embedded = torch.cat([prefix.to(words.dtype), words], dim=1)
        mask = torch.cat([prompt_mask.new_ones(prefix.shape[:2]), prompt_mask], dim=1)
        if not self.training and not torch.is_grad_enabled():
            return self._laid_out()[0](embedded, mask), mask
        return self.lm.get_encoder()(inputs_embeds=embedded, attention_mask=mask).last_hidden_state, mask

    def losses(
        self,
        hidden: Float[Tensor, "batch read width"],
        mask: Int[Tensor, "batch read"],
        targets: Int[Tensor, "targets length"],
        owners: Int[Tensor, " targets"],
    ) -> Float[Tensor, "targets length"]:
        logits = self.lm(
            encoder_outputs=BaseModelOutput(last_hidden_state=hidden[owners]),
            attention_mask=mask[owners],
            decoder_input_ids=self.lm._shift_right(targets),
        ).logits
        return F.cross_entropy(logits.mT.float(), targets, ignore_index=-100, reduction="none")

    @torch.no_grad()
    def say(
        self,
        hidden: Float[Tensor, "batch read width"],
        mask: Int[Tensor, "batch read"],
        how: Search = Search(),
    ) -> Generated:
        steps, config = self._laid_out()[1].start(hidden, mask, how.longest), self.lm.config
        tokens = (config.decoder_start_token_id, config.eos_token_id, config.pad_token_id)
        return Generated(*search(steps, len(hidden), *tokens, how, hidden.device))

    def _laid_out(self) -> tuple[T5Encoder, T5Decoder]:
        """The weights as they answer fastest."""
        if self._answering is None:
            self._answering = T5Encoder(self.lm), T5Decoder(self.lm, self.said_in)
        return self._answering

    def train(self, mode: bool = True) -> Close:
        """What answers is laid out anew once the weights may have changed."""
        self._answering = None
        return super().train(mode)

    def _apply(self, fn: Any, recurse: bool = True) -> Any:  # torch's own door for another device or precision
        self._answering = None
        return super()._apply(fn, recurse)
