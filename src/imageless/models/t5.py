"""A T5 that only answers: its encoder, and its decoder one token at a time, which is what a caption's beam search asks for.

    embeddings -> [ self-attention | feed-forward ] x layers -> what was read
    token -> embedding -> [ self-attention | attention to what was read | feed-forward ] x layers -> logits

The same numbers as transformers' own modules (models/t5/modeling_t5.py, v5.23), from the same weights. Notable:
- A step's time is that of reading the weights once, so what reads the same input is one matrix (query, key and value, and
  both halves of a gated feed-forward layer), laid out as it is read fastest (packed.py).
- What was read is attended to by all beams of an input at once: its keys and values stand there once, not once a beam.
- Keys and values of what was written lie in a room that doubles when it is full; when beams change places, what is filled of it is
  written once into a second such room, which takes its place.
- With `dtype` bfloat16 the weights are read in half the bytes, with int8 in a quarter; what passes between layers stays float32.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor
from transformers import T5ForConditionalGeneration
from transformers.models.t5.modeling_t5 import T5Attention

from imageless.models.packed import Linear, held

ROOM = 16  # tokens; most captions end before


class T5Encoder:
    """The weights of an encoder, laid out a second time; called with embeddings it gives what was read."""

    def __init__(self, lm: T5ForConditionalGeneration):
        encoder: Any = lm.encoder
        config: Any = lm.config
        self.dtype: torch.dtype = lm.lm_head.weight.dtype
        self.layers = [_Layer(block, self.dtype) for block in encoder.block]
        self.heads, self.width = config.num_heads, config.d_kv
        self.norm, self.eps = encoder.final_layer_norm.weight.detach(), config.layer_norm_epsilon
        self.distances = _Distances(lm, encoder, both_ways=True)

    @torch.no_grad()
    def __call__(
        self, embedded: Float[Tensor, "inputs read width"], mask: Int[Tensor, "inputs read"]
    ) -> Float[Tensor, "inputs read width"]:
        places = torch.arange(mask.shape[1], device=mask.device)
        near = self.distances(places[None] - places[:, None]).permute(2, 0, 1)  # (heads, read, read)
        near = near + torch.zeros(mask.shape, device=mask.device).masked_fill(mask == 0, -torch.inf)[:, None, None]
        x = embedded.float()
        for layer in self.layers:
            told = layer.self_in(_normed(x, layer.norms[0], self.eps))
            query, key, value = told.unflatten(-1, (3, self.heads, self.width)).permute(2, 0, 3, 1, 4)
            seen = F.scaled_dot_product_attention(query, key, value, near, scale=1.0)
            x = x + layer.self_out(seen.transpose(1, 2).flatten(2))
            x = x + layer.feed(_normed(x, layer.norms[-1], self.eps))
        return _normed(x, self.norm, self.eps).to(self.dtype)


class T5Decoder:
    """The weights of a decoder, laid out for steps, which takes their memory a second time; `start` begins a batch."""

    def __init__(self, lm: T5ForConditionalGeneration, dtype: torch.dtype | None = None):
        decoder: Any = lm.decoder
        config: Any = lm.config
        self.dtype = dtype or lm.lm_head.weight.dtype
        self.heads, self.width = config.num_heads, config.d_kv
        self.embedding: Tensor = decoder.embed_tokens.weight.detach()
        self.layers = [_Layer(block, self.dtype) for block in decoder.block]
        self.norm, self.eps = decoder.final_layer_norm.weight.detach(), config.layer_norm_epsilon
        scale = config.d_model**-0.5 if config.scale_decoder_outputs else 1.0
        self.head = held(lm.lm_head.weight.detach() * scale, self.dtype)
        self.distances = _Distances(lm, decoder, both_ways=False)

    def nearness(self, longest: int) -> Float[Tensor, "heads longest"]:
        """What a token's distance behind the newest one adds to its weight, the newest last."""
        return self.distances(torch.arange(1 - longest, 1, device=self.embedding.device)).T.contiguous()

    def start(
        self, hidden: Float[Tensor, "inputs read width"], mask: Int[Tensor, "inputs read"], longest: int
    ) -> Steps:
        """Steps that attend to what was read, one row an input to begin with."""
        return Steps(self, hidden, mask, longest)


class _Distances:
    """How much weight a T5 adds for how far behind or ahead another token is."""

    def __init__(self, lm: T5ForConditionalGeneration, stack: Any, both_ways: bool):
        self._bias: Tensor = stack.block[0].layer[0].SelfAttention.relative_attention_bias.weight.detach().float()
        config: Any = lm.config
        self._told = (both_ways, config.relative_attention_num_buckets, config.relative_attention_max_distance)

    def __call__(self, distances: Int[Tensor, ...]) -> Float[Tensor, "... heads"]:
        return self._bias[T5Attention._relative_position_bucket(distances, *self._told)]


class _Layer:
    """One block's weights; an encoder's has nothing that attends to what was read."""

    def __init__(self, block: Any, dtype: torch.dtype):
        def joined(*linears: Any) -> Linear:
            return held(torch.cat([linear.weight.detach() for linear in linears]), dtype)

        mine, *read, forward = block.layer
        attention, dense = mine.SelfAttention, forward.DenseReluDense
        self.norms = [part.layer_norm.weight.detach() for part in block.layer]
        self.self_in, self.self_out = joined(attention.q, attention.k, attention.v), joined(attention.o)
        if read:
            cross = read[0].EncDecAttention
            self.cross_in, self.cross_read, self.cross_out = joined(cross.q), joined(cross.k, cross.v), joined(cross.o)
        self.gated = hasattr(dense, "wi_0")
        self.wide_in = joined(dense.wi_0, dense.wi_1) if self.gated else joined(dense.wi)
        self.wide_out, self.act = joined(dense.wo), dense.act

    def feed(self, x: Float[Tensor, "... width"]) -> Float[Tensor, "... width"]:
        """The feed-forward layer."""
        wide = self.wide_in(x)
        if self.gated:
            gate, through = wide.chunk(2, dim=-1)
            return self.wide_out(self.act(gate) * through)
        return self.wide_out(self.act(wide))


class Steps:
    """A batch under way: rows of one input stand together. See beams.py for what is asked of it."""

    def __init__(self, decoder: T5Decoder, hidden: Tensor, mask: Tensor, longest: int):
        self.decoder, self.inputs, self.rows, self.length = decoder, len(hidden), len(hidden), 0
        shape = (2, decoder.heads, decoder.width)
        self.read = [
            layer.cross_read(hidden).unflatten(-1, shape).permute(2, 0, 3, 1, 4).contiguous()
            for layer in decoder.layers
        ]  # (keys and values, inputs, heads, read, width)
        self.unseen = torch.zeros(mask.shape, device=mask.device).masked_fill(mask == 0, -torch.inf)[:, None, None]
        self.longest = longest
        self.written = self._empty(min(ROOM, longest), self.rows)  # (room, layers, keys and values, rows, heads, width)
        self._spare = self._empty(0, 0)
        self.near = decoder.nearness(longest)[None, :, None]  # (1, heads, 1, longest)

    @torch.no_grad()
    def step(self, ids: Int[Tensor, " rows"]) -> Float[Tensor, "rows vocabulary"]:
        """Logits of what follows, after another token of every row."""
        decoder, new = self.decoder, self.length
        if new == len(self.written):
            room = self._empty(min(2 * new, self.longest), self.rows)
            room[:new] = self.written
            self.written = room
        self.length += 1
        near = self.near[..., -self.length :]
        x = decoder.embedding[ids].float()  # (rows, width)
        for number, (layer, read) in enumerate(zip(decoder.layers, self.read, strict=True)):
            told = layer.self_in(_normed(x, layer.norms[0], decoder.eps))
            told = told.unflatten(-1, (3, decoder.heads, decoder.width))
            self.written[new, number] = told[:, 1:].transpose(0, 1)
            keys, values = self.written[: self.length, number].permute(1, 2, 3, 0, 4)
            seen = F.scaled_dot_product_attention(told[:, 0, :, None], keys, values, near, scale=1.0)
            x = x + layer.self_out(seen.flatten(1))
            query = layer.cross_in(_normed(x, layer.norms[1], decoder.eps))
            query = query.unflatten(0, (self.inputs, -1)).unflatten(-1, (decoder.heads, decoder.width)).transpose(1, 2)
            seen = F.scaled_dot_product_attention(query, read[0], read[1], self.unseen, scale=1.0)
            x = x + layer.cross_out(seen.transpose(1, 2).flatten(2).flatten(0, 1))
            x = x + layer.feed(_normed(x, layer.norms[-1], decoder.eps))
        return decoder.head(_normed(x, decoder.norm, decoder.eps))

    def keep(self, rows: Int[Tensor, " kept"], inputs: Int[Tensor, " some"] | None = None) -> None:
        """Go on with these rows, in this order; of what was read with that of `inputs`, if not of all."""
        if inputs is not None:
            self.read, self.unseen = [read[:, inputs] for read in self.read], self.unseen[inputs]
            self.inputs = len(inputs)
        room = len(self.written)
        if self._spare.shape[0] != room or self._spare.shape[3] != len(rows):
            self._spare = self._empty(room, len(rows))
        filled, moved = self.written[: self.length].flatten(0, 2), self._spare[: self.length].flatten(0, 2)
        torch.index_select(filled, 1, rows, out=moved)
        self.written, self._spare, self.rows = self._spare, self.written, len(rows)

    def _empty(self, room: int, rows: int) -> Tensor:
        """Room for so many tokens of so many rows; one after the other, so that what is filled lies together."""
        decoder = self.decoder
        return torch.empty(room, len(decoder.layers), 2, rows, decoder.heads, decoder.width, device=self.unseen.device)


def _normed(x: Float[Tensor, "... width"], weight: Float[Tensor, " width"], eps: float) -> Float[Tensor, "... width"]:
    """By its root mean square."""
    return F.rms_norm(x, (x.shape[-1],), weight.float(), eps)
