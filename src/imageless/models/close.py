"""CLOSE: a vector and a prompt in, words out. It cannot know whether the vector was a sentence or a picture.

    unit vector -> linear -> 4 vectors | embedded prompt -> T5 encoder -> T5 decoder

Notable:
- The attention mask covers the prompt's padding in the encoder too; the official model leaves it out, so that padding is
  attended to (close/model/clip_t5_model.py @ 80f8db0).
- An input is encoded once and repeated over its targets: for captions the encoder's work is four tokens.
CLOSE, arXiv:2211.09778.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn
from transformers import T5ForConditionalGeneration
from transformers.modeling_outputs import BaseModelOutput

from imageless.models.prefix import Prefix


@dataclass(frozen=True)
class Generated:
    """The best sequences for each input, best first: (batch, n_best, length) ids and the log probabilities of their words."""

    ids: Int[Tensor, "batch n_best length"]
    scores: Float[Tensor, "batch n_best"]


class Close(nn.Module):
    """A prefix in front of a T5."""

    prompt_ends = target_ends = None  # as the tokenizer writes them

    def __init__(self, lm: T5ForConditionalGeneration, dim: int, length: int = 4):
        super().__init__()
        self.lm: Any = lm  # transformers' generation mixin defies static types
        self.dim, self.length = dim, length
        self.prefix = Prefix(dim, length, lm.config.d_model)

    @property
    def dtype(self) -> torch.dtype:
        return self.prefix.project.weight.dtype

    def learned(self) -> nn.Module:
        """What training changes: everything."""
        return self

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

    def forward(
        self,
        vectors: Float[Tensor, "batch dim"],
        prompts: Int[Tensor, "batch words"],
        prompt_mask: Int[Tensor, "batch words"],
        targets: Int[Tensor, "targets length"],
        owners: Int[Tensor, " targets"],
    ) -> Float[Tensor, ""]:
        """Summed cross entropy of the target tokens; -100 is padding, `owners` names each target's input."""
        return self._losses(*self.read(vectors, prompts, prompt_mask), targets, owners).sum()

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
        losses = self._losses(hidden, mask, choices.repeat(len(vectors), 1), owners)
        return -losses.sum(-1).unflatten(0, (-1, len(choices)))

    def _losses(
        self,
        hidden: Float[Tensor, "batch read width"],
        mask: Int[Tensor, "batch read"],
        targets: Int[Tensor, "targets length"],
        owners: Int[Tensor, " targets"],
    ) -> Float[Tensor, "targets length"]:
        """Cross entropy of every target token, 0 at padding."""
        logits = self.lm(
            encoder_outputs=BaseModelOutput(last_hidden_state=hidden[owners]),
            attention_mask=mask[owners],
            decoder_input_ids=self.lm._shift_right(targets),
        ).logits
        return F.cross_entropy(logits.mT.float(), targets, ignore_index=-100, reduction="none")

    @torch.no_grad()
    def generate(
        self,
        vectors: Float[Tensor, "batch dim"],
        prompts: Int[Tensor, "batch words"],
        prompt_mask: Int[Tensor, "batch words"],
        beams: int = 5,
        n_best: int = 1,
        longest: int = 32,
        length_penalty: float = 0.0,
    ) -> Generated:
        """Beam search; beams are compared by log probability / length ** `length_penalty`."""
        hidden, mask = self.read(vectors, prompts, prompt_mask)
        out = self.lm.generate(
            encoder_outputs=BaseModelOutput(last_hidden_state=hidden),
            attention_mask=mask,
            num_beams=beams,
            num_return_sequences=n_best,
            max_new_tokens=longest,
            **({"length_penalty": length_penalty, "early_stopping": False} if beams > 1 else {}),
            do_sample=False,
            output_scores=True,
            return_dict_in_generate=True,
        )
        ids = out.sequences.unflatten(0, (-1, n_best))[:, :, 1:]  # (batch, n_best, length), without the start token
        end = ids == self.lm.config.eos_token_id
        said = (ids != self.lm.config.pad_token_id) & (
            end.cumsum(-1) - end.long() == 0
        )  # beams are filled up with ends
        ids = ids.masked_fill(~said, self.lm.config.pad_token_id)
        if beams > 1:
            compared = out.sequences_scores.unflatten(0, (-1, n_best))
            return Generated(ids, compared * said.sum(-1) ** length_penalty)
        steps = self.lm.compute_transition_scores(out.sequences, out.scores, normalize_logits=True)
        return Generated(ids, steps.masked_fill(~said.squeeze(1), 0).sum(-1, keepdim=True))
