"""A caption from a picture's vector with T5-base, beam 5: transformers' generate beside ours, one vector and many at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import T5Config, T5ForConditionalGeneration

from imageless.benchmarks.base import Figure, in_turns, row
from imageless.models.beams import Search
from imageless.models.close import Close
from imageless.options import PredictOptions

TOKENS: dict[str, Any] = dict(decoder_start_token_id=0, pad_token_id=0, eos_token_id=1)
BASE: dict[str, Any] = dict(vocab_size=32128, d_model=768, d_kv=64, num_heads=12, d_ff=3072, num_layers=12)
SMALL: dict[str, Any] = dict(vocab_size=512, d_model=64, d_kv=16, num_heads=4, d_ff=128, num_layers=2)
DIM, BEAMS = 768, 5
BATCHES = (8, 16, 32, 64)
GOALS = {
    "float32": (">= 2.5x, the same words", ">= 4x, the same words"),
    "bfloat16": (">= 4x", ">= 4x"),
    "int8": (">= 4x", ">= 4x"),
}
"""Of latency and of throughput."""


def close(sizes: dict[str, Any], dtype: torch.dtype = torch.float32, dim: int = DIM) -> Close:
    """The shape with random weights, which say something of every length asked for."""
    torch.manual_seed(0)
    lm = T5ForConditionalGeneration(T5Config(**sizes, **TOKENS))
    model = Close(lm, dim).eval().requires_grad_(False)
    if dtype == torch.int8:
        model.said_in, dtype = dtype, torch.bfloat16
    return model.to(dtype)


def theirs(model: Close, vectors: Tensor, longest: int, batch: int) -> Tensor:
    """What people write today."""
    ids = []
    for start in range(0, len(vectors), batch):
        prefix = model.prefix(vectors[start : start + batch])
        out = model.lm.generate(
            inputs_embeds=prefix,
            attention_mask=torch.ones(prefix.shape[:2], dtype=torch.long),
            num_beams=BEAMS,
            max_new_tokens=longest,
            length_penalty=0.0,
            early_stopping=False,
            do_sample=False,
        )[:, 1:]
        ids.append(F.pad(out, (0, longest - out.shape[1])))
    return torch.cat(ids)


def ours(model: Close, vectors: Tensor, longest: int, batch: int) -> Tensor:
    """What `imageless caption` does with a vector."""
    parts = [vectors[start : start + batch] for start in range(0, len(vectors), batch)]
    how = Search(BEAMS, longest=longest)
    return torch.cat([model.generate(part, *_nothing(part), how).ids[:, 0] for part in parts])


def _best_batch(model: Close, vectors: Tensor, longest: int) -> int:
    """The size at which the baseline is fastest."""
    few = vectors[: max(BATCHES)]
    taken = in_turns([lambda batch=batch: theirs(model, few, longest, batch) for batch in BATCHES], 1)
    return min(zip(taken, BATCHES, strict=True))[1]


def _nothing(vectors: Tensor) -> tuple[Tensor, Tensor]:
    """An empty prompt for each."""
    empty = torch.zeros(len(vectors), 0, dtype=torch.long)
    return empty, empty


@torch.no_grad()
def figures(quick: bool) -> list[Figure]:
    sizes, longest, rounds, many = (SMALL, 4, 1, 4) if quick else (BASE, 12, 3, 512)
    vectors = F.normalize(torch.randn(many, DIM, generator=torch.Generator().manual_seed(0)), dim=-1)
    held = {name: close(sizes, getattr(torch, name)) for name in GOALS}
    whole, found = held["float32"], []
    for name, count in (("captioning latency", 1), ("captioning throughput", many)):
        seen, mine = vectors[:count], min(count, PredictOptions.batch_size)
        batch = 1 if count == 1 else min(count, _best_batch(whole, vectors, longest))
        runs: list[Callable[[], Tensor]] = [lambda seen=seen, batch=batch: theirs(whole, seen, longest, batch)]
        for model in held.values():
            given = seen.to(model.dtype)
            runs.append(lambda model=model, given=given, mine=mine: ours(model, given, longest, mine))
        said = [run() for run in runs]
        taken = in_turns(runs, rounds)
        for number, (dtype, goals) in enumerate(GOALS.items(), 1):
            agreement = {"same_tokens": float((said[0] == said[number]).float().mean())}
            what = {
                "input": f"{count} vectors, {longest} tokens each, T5-base's shape with random weights, beam {BEAMS}",
                "baseline": f"transformers generate, float32, batches of {batch}"
                + ("" if count == 1 else ", the best of some"),
                "ours": f"imageless, {dtype}, batches of {mine}",
            }
            unit, goal = ("tokens/s of one caption", goals[0]) if count == 1 else ("captions/s", goals[1])
            amount = longest if count == 1 else count
            found.append(row(f"{name}, {dtype}", unit, amount, taken[0], taken[number], goal, agreement, what=what))
    return found
