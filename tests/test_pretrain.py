"""Pretraining beyond resume: a batch in pieces, and what else decides how the towers learn."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from conftest import read
from imageless import loop
from imageless.models.dual_encoder import DualEncoder, DualEncoderConfig
from imageless.options import PretrainOptions
from imageless.stages.pretrain import _Contrast
from imageless.tokens import train_tokenizer

TOWERS = PretrainOptions(device="cpu", batch_size=12, captions=2, word_dropout=0.2)


def gradients(album: Path, pieces: int, loss: str) -> tuple[float, dict[str, torch.Tensor]]:
    """The loss of a step and the gradient it leaves on every weight, the batch cut into pieces."""
    records = read(f"karpathy:{album}", split="train")
    tokenizer = train_tokenizer((text for record in records for text in record.captions), 300, lower_case=True)
    torch.manual_seed(0)
    shape = DualEncoderConfig(dim=16, text_width=32, text_layers=1, vocabulary=len(tokenizer), bias=loss == "sigmoid")
    model = DualEncoder(shape, temperature=0.1)
    job = _Contrast(model, tokenizer, records, [], replace(TOWERS, loss=loss, accumulate=pieces))
    parts = [loop.Part(number, pieces) for number in range(pieces)]
    batches = [job.batch(0, part) for part in parts]
    job.look_ahead(model, batches, parts)
    total = 0.0
    for batch, part in zip(batches, parts, strict=True):
        share = job.loss(model, batch, part)
        share.backward()
        total += float(share.detach())
    return total, {name: weight.grad for name, weight in model.named_parameters() if weight.grad is not None}


@pytest.mark.parametrize("loss", ["softmax", "sigmoid"])
@pytest.mark.parametrize("pieces", [2, 3, 12])
def test_a_batch_in_pieces_has_the_gradient_of_the_whole(album: Path, loss: str, pieces: int):
    whole, wanted = gradients(album, 1, loss)
    cut, found = gradients(album, pieces, loss)
    assert cut == pytest.approx(whole, abs=1e-5)
    assert found.keys() == wanted.keys() >= {"logit_scale"}
    for name, gradient in wanted.items():
        assert torch.allclose(found[name], gradient, atol=1e-6 + 1e-4 * float(gradient.abs().max())), name
