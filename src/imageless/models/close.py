"""CLOSE: a vector and a prompt in, words out. It cannot know whether the vector was a sentence or a picture.

    unit vector -> linear -> 4 vectors | embedded prompt -> T5 encoder -> T5 decoder

Notable:
- The attention mask covers the prompt's padding in the encoder too; the official model leaves it out, so that padding is
  attended to (close/model/clip_t5_model.py @ 80f8db0).
- An input is encoded once and repeated over its targets: for captions the encoder's work is four tokens.
CLOSE, arXiv:2211.09778.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor
from transformers import T5ForConditionalGeneration
from transformers.modeling_outputs import BaseModelOutput

from imageless.models.prefix import Prefix
from imageless.models.reader import Generated, Reader


class Close(Reader):
    """A prefix in front of a T5."""

    prompt_ends = target_ends = None  # as the tokenizer writes them

    def __init__(self, lm: T5ForConditionalGeneration, dim: int, length: int = 4):
        super().__init__()
        self.lm = lm
        self.dim, self.length = dim, length
        self.prefix = Prefix(dim, length, lm.config.d_model)

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
        hidden = self.lm.get_encoder()(inputs_embeds=embedded, attention_mask=mask).last_hidden_state
        return hidden, mask

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
        beams: int = 5,
        n_best: int = 1,
        longest: int = 32,
        length_penalty: float = 0.0,
    ) -> Generated:
        read = BaseModelOutput(last_hidden_state=hidden)
        out = self._search(beams, n_best, longest, length_penalty, encoder_outputs=read, attention_mask=mask)
        ids = out.sequences.unflatten(0, (-1, n_best))[:, :, 1:]  # (batch, n_best, length), without the start token
        end = ids == self.lm.config.eos_token_id
        said = (ids != self.lm.config.pad_token_id) & (
            end.cumsum(-1) - end.long() == 0
        )  # beams are filled up with ends
        ids = ids.masked_fill(~said, self.lm.config.pad_token_id)
        return self._generated(out, ids, said, beams, length_penalty)
