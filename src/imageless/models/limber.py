"""LiMBeR: one linear map from pictures into a frozen causal language model.

    [start] | place 1 ... place k, each -> linear -> an embedding | embedded prompt | words

A grid of k places gives k embeddings by one and the same map; a single vector gives `length` embeddings at once. Nothing but
the map learns, and bottlenecks behind the model's attentions where they are asked for (MAGMA). Without them, whatever the
model can say of a picture the picture's vectors must hold in a form that a language model reads as they stand.

Notable:
- A prompt's padding is moved in front, so that words go on where the prompt ends, and positions are counted without it.
- Vectors come at unit length; they are stretched so that an entry is about one, as in the networks they come from.
- A tokenizer that writes a start token by itself gets it before the picture: there its model was used to seeing it.
- Our own language models say one thing a line, so a caption ends with its line; others end with their end token.
LiMBeR, arXiv:2209.15162 section 3; released code: limber.py, image_prefix.py of jmerullo/limber.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn
from transformers import PreTrainedModel

from imageless.models.beams import Search
from imageless.models.bottleneck import behind_attentions
from imageless.models.causal import IGNORED
from imageless.models.reader import Generated, Reader


class Limber(Reader):
    """A linear map in front of a frozen causal language model.

    `start` and `end` are the tokens a text begins with, if any, and a caption ends with; `bottleneck` is the factor by which
    bottlenecks behind the attentions are narrower than the model, if there are to be any.
    """

    prompt_ends = ()

    def __init__(
        self,
        lm: PreTrainedModel,
        dim: int,
        length: int = 4,
        places: int = 1,
        start: int | None = None,
        end: int = 0,
        bottleneck: int | None = None,
    ):
        super().__init__()
        self.lm = lm.eval().requires_grad_(False)
        if not torch.cuda.is_available():
            self.lm.set_attn_implementation("eager")  # for a few dozen words torch's fused attention is slower on CPUs
        embeddings: Tensor = self.lm.get_input_embeddings().weight
        width = embeddings.shape[1]
        self.places, self.length, self.start, self.end = places, length if places == 1 else 1, start, end
        self.dim, self.target_ends = dim, (end,)
        self.stretch = dim**0.5
        self.project = nn.Linear(dim // places, self.length * width)
        with torch.no_grad():  # entries of about one become embeddings of the usual size
            nn.init.normal_(self.project.weight, std=float(embeddings.std()) / (dim // places) ** 0.5)
            self.project.bias.zero_()
        self.bottlenecks = behind_attentions(self.lm, width, bottleneck) if bottleneck else nn.ModuleList()

    @property
    def dtype(self) -> torch.dtype:
        return self.project.weight.dtype

    def train(self, mode: bool = True) -> Limber:
        """The frozen model never drops anything out."""
        super().train(mode)
        self.lm.eval()
        return self

    def learned(self) -> nn.Module:
        """What training changes: the map, and the bottlenecks if there are any."""
        return nn.ModuleDict({"project": self.project, "bottlenecks": self.bottlenecks})

    def see(self, vectors: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch read width"]:
        """The embeddings that stand for a picture: one for each place, or `length` for one vector."""
        seen = (self.stretch * vectors).unflatten(-1, (self.places, -1))  # (batch, places, channels)
        return self.project(seen).unflatten(-1, (self.length, -1)).flatten(1, 2)

    def turns(
        self,
        vectors: Float[Tensor, "batch turns dim"],
        prompts: Int[Tensor, "batch turns words"],
        prompt_mask: Int[Tensor, "batch turns words"],
        blind: bool = False,
    ) -> tuple[Float[Tensor, "batch read width"], Int[Tensor, "batch read"]]:
        """Pictures with their words one after the other, embedded, with their mask; blind leaves the pictures out."""
        embed = self.lm.get_input_embeddings()
        count = vectors.shape[1]
        words, mask = embed(prompts), prompt_mask
        if not blind:
            seen = self.see(vectors.flatten(0, 1)).unflatten(0, (-1, count)).to(words.dtype)
            words = torch.cat([seen, words], dim=2)
            mask = torch.cat([mask.new_ones(seen.shape[:3]), mask], dim=2)
        before, mask = words.flatten(1, 2), mask.flatten(1)
        if self.start is not None:
            before = torch.cat([embed(prompts.new_full((len(vectors), 1), self.start)), before], dim=1)
            mask = torch.cat([mask.new_ones(len(vectors), 1), mask], dim=1)
        order = mask.argsort(dim=1, stable=True)  # padding first, all else as it stood
        return before.gather(1, order.unsqueeze(-1).expand_as(before)), mask.gather(1, order)

    def read(
        self,
        vectors: Float[Tensor, "batch dim"],
        prompts: Int[Tensor, "batch words"],
        prompt_mask: Int[Tensor, "batch words"],
    ) -> tuple[Float[Tensor, "batch read width"], Int[Tensor, "batch read"]]:
        """What stands before the words that are to be said, embedded, with its mask; padding goes in front."""
        return self.turns(vectors[:, None], prompts[:, None], prompt_mask[:, None])

    def losses(
        self,
        hidden: Float[Tensor, "batch read width"],
        mask: Int[Tensor, "batch read"],
        targets: Int[Tensor, "targets length"],
        owners: Int[Tensor, " targets"],
    ) -> Float[Tensor, "targets length"]:
        words = self.lm.get_input_embeddings()(targets.clamp(min=0))
        whole = torch.cat([mask[owners], torch.ones_like(targets)], dim=1)
        logits = self.lm(
            inputs_embeds=torch.cat([hidden[owners], words], dim=1),
            attention_mask=whole,
            position_ids=_positions(whole),
            use_cache=False,
        ).logits[:, hidden.shape[1] - 1 : -1]
        return F.cross_entropy(logits.mT.float(), targets, ignore_index=IGNORED, reduction="none")

    @torch.no_grad()
    def say(
        self,
        hidden: Float[Tensor, "batch read width"],
        mask: Int[Tensor, "batch read"],
        how: Search = Search(),
    ) -> Generated:
        pad = self.lm.config.pad_token_id if self.lm.config.pad_token_id is not None else self.end
        out = self.lm.generate(
            inputs_embeds=hidden,
            attention_mask=mask,
            eos_token_id=self.end,
            pad_token_id=pad,
            num_beams=how.beams,
            num_return_sequences=how.n_best,
            max_new_tokens=how.longest,
            **({"length_penalty": how.length_penalty, "early_stopping": False} if how.beams > 1 else {}),
            do_sample=False,
            output_scores=True,
            return_dict_in_generate=True,
        )
        ids = out.sequences.unflatten(0, (-1, how.n_best))  # (batch, n_best, length): what was read is not among it
        ended = ids == self.end
        said = ended.cumsum(-1) - ended.long() == 0
        ids = ids.masked_fill(~said | ended, pad)
        if how.beams > 1:  # undivided by the length that beams are compared by
            compared = out.sequences_scores.unflatten(0, ids.shape[:2])
            return Generated(ids, compared * said.sum(-1) ** how.length_penalty)
        steps = self.lm.compute_transition_scores(out.sequences, out.scores, normalize_logits=True)
        return Generated(ids, steps.masked_fill(~said.squeeze(1), 0).sum(-1, keepdim=True))


def _positions(mask: Int[Tensor, "batch read"]) -> Int[Tensor, "batch read"]:
    """Where each embedding stands, padding not counted."""
    return (mask.cumsum(1) - 1).clamp(min=0)
