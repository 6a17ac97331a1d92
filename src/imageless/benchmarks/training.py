"""Eight epochs of learning to caption, embedding included: CLIP's text tower in every step beside `imageless train`.

The plain loop is the released code's (close/experiments/train.py @ 80f8db0): the frozen tower reads each caption anew in each epoch,
in float32, all of its 77 places; T5-base learns from batches as they come, padded. A few steps of each are timed in turns, and
eight epochs counted from them: eight times the steps, and for ours the embedding once.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from transformers.modeling_outputs import BaseModelOutput

from imageless import draws, loop
from imageless.adapters import Chain, Noise
from imageless.benchmarks.answering import BASE, SMALL, close
from imageless.benchmarks.base import Figure, empty_cache, in_turns, row
from imageless.benchmarks.text_embedding import MODEL, captions, encoder
from imageless.encoders.open_clip import OpenClip
from imageless.models.close import Close
from imageless.options import TrainOptions
from imageless.pack import pack
from imageless.records import Record
from imageless.stages import embed
from imageless.stages.train import Learning
from imageless.tasks import captioning
from imageless.tokens import Ragged, train_tokenizer

EPOCHS, RATE, NOISE = 8, 3e-4, 0.08  # close/experiments/train.py @ 80f8db0; noise: arXiv:2211.09778 section 3.1
BATCH = captioning.BATCH["single"]


class Plain:
    """What the released code does in a step."""

    def __init__(self, model: Close, told: Sequence[str], clip: OpenClip, tokenizer: Any):
        self.model, self.told, self.clip, self.tokenizer = model, told, clip, tokenizer
        self.optimizer = torch.optim.AdamW(model.parameters(), RATE, weight_decay=0.0)

    def step(self, rows: Sequence[int], normal: Tensor, rate: float = RATE) -> float:
        said = [self.told[row] for row in rows]
        with torch.no_grad():
            vectors = F.normalize(self.clip.model.encode_text(self.clip.tokenizer(said)), dim=-1)
        prefix = self.model.prefix(F.normalize(vectors + NOISE * normal, dim=-1))
        hidden = self.model.lm.get_encoder()(inputs_embeds=prefix).last_hidden_state
        labels = self.tokenizer(said, padding=True, return_tensors="pt")["input_ids"]
        labels[labels == self.tokenizer.pad_token_id] = -100
        loss = self.model.lm(encoder_outputs=BaseModelOutput(last_hidden_state=hidden), labels=labels).loss
        loss.backward()
        self.optimizer.param_groups[0]["lr"] = rate
        self.optimizer.step()
        self.optimizer.zero_grad()
        return loss.item()

    def epoch(self) -> None:
        for start in range(0, len(self.told), BATCH):
            rows = range(start, min(start + BATCH, len(self.told)))
            self.step(rows, torch.randn(len(rows), self.clip.dim))


def learning(model: Close, told: Sequence[str], clip: OpenClip, tokenizer: Any, batch: int = BATCH) -> Learning:
    """The job of `imageless train captioning --setting single` on these captions, which are embedded at once."""
    records = [Record(str(number), (sentence,)) for number, sentence in enumerate(told)]
    packed = pack(captioning.examples(records, "single", "text"), str)
    table = embed.texts(told, clip)
    rows = Ragged(table.rows(packed.scenes)[packed.scene_of.values], packed.scene_of.offsets)
    options = TrainOptions(batch_size=batch, setting="single")
    packed, bridge = replace(packed, scene_of=rows), Chain([Noise(NOISE)])
    return Learning(model, tokenizer, packed, table, bridge, captioning.defaults("single"), options)


def learned(job: Learning, steps: int, dtype: str) -> float:
    """The last loss, as `imageless train` optimises."""
    with tempfile.TemporaryDirectory() as folder:
        job.model.train()
        return loop.run(job, loop.LoopOptions(steps, RATE, dtype=dtype, device="cpu"), Path(folder)).loss


def apart(dtype: str, steps: int = 24, batch: int = 16) -> float:
    """How far the last losses lie apart, as a share, on a small model that sees the same rows and noise both ways."""
    told, clip = captions(steps * batch), encoder(model_name="ViT-B-32")
    tokenizer = train_tokenizer(told, SMALL["vocab_size"])
    with empty_cache():
        job = learning(_small(clip.dim), told, clip, tokenizer, batch)
        plain = Plain(_small(clip.dim), told, clip, tokenizer)
        options = loop.LoopOptions(steps, RATE)
        theirs = [
            plain.step(rows.tolist(), draws.normal(0, step, batch, clip.dim), RATE * loop.factor(step, options))
            for step, rows in enumerate(map(job.order, range(steps)))
        ]
        return abs(learned(job, steps, dtype) - theirs[-1]) / theirs[-1]


def _small(dim: int) -> Close:
    """Without dropout, whose draws are each one's own."""
    return close({**SMALL, "dropout_rate": 0.0}, dim=dim).requires_grad_(True).train()


def figures(quick: bool) -> list[Figure]:
    sizes, count, rounds, name = (SMALL, 2 * BATCH, 1, "ViT-B-32") if quick else (BASE, 4 * BATCH, 3, MODEL)
    told, clip, half = captions(count), encoder(model_name=name), encoder(torch.bfloat16, name)
    tokenizer = train_tokenizer(told, 512)
    plain = Plain(close(sizes, dim=clip.dim).requires_grad_(True).train(), told, clip, tokenizer)
    found = []
    with empty_cache():
        job = learning(close(sizes, dim=clip.dim).requires_grad_(True), told, half, tokenizer)
        steps = job.order.steps_per_epoch
        runs: list[Callable[[], Any]] = [plain.epoch, lambda: _embedded(told, clip), lambda: _embedded(told, half)]
        runs += [lambda dtype=dtype: learned(job, steps, dtype) for dtype in ("float32", "bfloat16")]
        epoch, *embedding = (np.array(seconds) for seconds in in_turns(runs, rounds))
    for number, dtype in enumerate(("float32", "bfloat16")):
        what = {
            "input": f"{count} captions as long as COCO's, {name} and T5-base's shape with random weights, {BATCH} a step",
            "baseline": "text tower of 77 tokens in every step, padded batches, float32",
            "ours": f"imageless train captioning --setting single --dtype {dtype}, embedded once in {dtype}",
        }
        ours = EPOCHS * embedding[2 + number] + embedding[number]
        found.append(
            row(
                f"training, {dtype}",
                "captions/s",
                EPOCHS * count,
                list(EPOCHS * epoch),
                list(ours),
                ">= 6x, the same loss" if dtype == "bfloat16" else "",
                {"last_loss_apart": apart(dtype)},
                what=what,
            )
        )
    return found


def _embedded(told: Sequence[str], clip: OpenClip) -> None:
    with empty_cache():
        embed.texts(told, clip)
