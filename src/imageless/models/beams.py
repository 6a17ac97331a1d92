"""Beam search: the likeliest sequences, several candidates at a time.

The same beams, in the same order and with the same scores, as transformers' `generate` without early stopping (generation/utils.py,
v5.23), by fewer operations: the first step looks at each input once, not once for each beam, and an input leaves the batch
when nothing it still has could become better than what it has finished.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

NEVER = -1e9


@dataclass(frozen=True)
class Search:
    """How words are searched for."""

    beams: int = 5
    n_best: int = 1
    longest: int = 32
    length_penalty: float = 0.0
    """Sequences are compared by log probability / length ** this, their end counted in."""


@runtime_checkable
class Stepper(Protocol):
    """A language model that goes on token by token, with a row for each sequence it remembers."""

    def step(self, ids: Int[Tensor, " rows"]) -> Float[Tensor, "rows vocabulary"]:
        """Logits of what follows, after another token of every row."""
        ...

    def keep(self, rows: Int[Tensor, " kept"], inputs: Int[Tensor, " some"] | None = None) -> None:
        """Go on with these rows, in this order; one may be kept several times. `inputs` are those still asked about, if fewer."""
        ...


def search(
    model: Stepper,
    inputs: int,
    start: int,
    end: int,
    pad: int,
    how: Search = Search(),
    device: torch.device | str = "cpu",
) -> tuple[Int[Tensor, "inputs n_best length"], Float[Tensor, "inputs n_best"]]:
    """The best sequences of each input, best first, without their start and padded behind their end; their log probabilities."""
    beams, longest = how.beams, how.longest
    found = torch.full((inputs, beams, longest), pad, device=device)
    values = torch.full((inputs, beams), NEVER, device=device)  # what finished sequences are compared by
    totals = torch.zeros((inputs, beams), device=device)
    asked = torch.arange(inputs, device=device)  # the inputs that are still in the batch
    written = torch.full((inputs, beams, longest), pad, device=device)
    running = torch.zeros((inputs, 1), device=device)
    ids = torch.full((inputs,), start, device=device)
    for length in range(1, longest + 1):
        logits = model.step(ids).float()
        likely = logits.log_softmax(-1).unflatten(0, (len(asked), -1)) + running[..., None]
        vocabulary = likely.shape[-1]
        best, place = likely.flatten(1).topk(2 * beams)  # enough, should as many as there are beams end here
        beam, token = place // vocabulary, place % vocabulary
        if length == 1:
            beam = torch.zeros_like(beam)
        candidates = written.gather(1, beam[..., None].expand(-1, -1, longest))
        candidates[..., length - 1] = token
        ended = (token == end) if length < longest else torch.ones_like(token, dtype=torch.bool)
        finishing = ended.clone()
        finishing[:, beams:] = False  # the rest is there to go on with, not to be returned
        value = (best / length**how.length_penalty).masked_fill(~finishing, NEVER)
        merged = torch.cat([values[asked], value], 1)
        values[asked], kept = merged.topk(beams)
        totals[asked] = torch.cat([totals[asked], best], 1).gather(1, kept)
        rows = kept[..., None].expand(-1, -1, longest)
        found[asked] = torch.cat([found[asked], candidates], 1).gather(1, rows)
        if length == longest:
            break
        running, kept = (best + NEVER * ended).topk(beams)
        beam, token = beam.gather(1, kept), token.gather(1, kept)
        written = candidates.gather(1, kept[..., None].expand(-1, -1, longest))
        worst = values[asked].min(1).values
        going = (worst == NEVER) | (running[:, 0] / length**how.length_penalty > worst)
        if not going.any():
            break
        before = 1 if length == 1 else beams
        rows = torch.arange(len(asked), device=device)[:, None] * before + beam
        if going.all():
            model.keep(rows.flatten())
        else:
            some = going.nonzero().squeeze(1)
            model.keep(rows[some].flatten(), some)
            asked, running, written, token = asked[some], running[some], written[some], token[some]
        ids = token.flatten()
    ids, ends = found[:, : how.n_best], found[:, : how.n_best] == end
    said = ends.cumsum(-1) - ends.long() == 0
    return ids.masked_fill(~said, pad), totals[:, : how.n_best]
