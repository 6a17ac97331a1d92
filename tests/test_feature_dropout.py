"""Leaving out features of a locked image network: what keeps a head on few pictures from learning them by heart."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from imageless import limits
from imageless.errors import InputError
from imageless.options import PretrainOptions
from imageless.stages.pretrain import pretrain
from imageless.stages.pretraining.inputs import Batches

OPTIONS = PretrainOptions(lock_image=True, feature_dropout=0.6, device="cpu")


class Ones:
    """Features of pictures that are 1 everywhere."""

    def __getitem__(self, rows: np.ndarray) -> Tensor:
        return torch.ones(len(rows), 400)


def seen(options: PretrainOptions, mine: slice = slice(0, 50), step: int = 3) -> Tensor:
    batches = object.__new__(Batches)
    batches.options, batches.inputs = options, Ones()
    return batches.seen(np.arange(50), mine, step)


def test_the_share_named_is_left_out_and_the_mean_stays():
    features = seen(OPTIONS)
    assert abs(float((features == 0).float().mean()) - 0.6) < 0.02
    assert abs(float(features.mean()) - 1) < 0.05


def test_every_step_leaves_out_others_and_a_process_sees_its_part_of_the_batch():
    whole = seen(OPTIONS)
    assert not torch.equal(whole, seen(OPTIONS, step=4))
    assert torch.equal(whole[25:], seen(OPTIONS, slice(25, 50)))


def test_without_dropout_features_are_seen_as_they_are():
    assert torch.equal(seen(replace(OPTIONS, feature_dropout=0.0)), torch.ones(50, 400))


def test_a_network_that_learns_has_no_features_to_leave_out(tmp_path: Path):
    with pytest.raises(InputError, match="--lock-image"):
        pretrain(["world:captions/8"], tmp_path / "encoder", replace(OPTIONS, lock_image=False))


def test_all_features_cannot_be_left_out():
    with pytest.raises(InputError, match="a share below 1"):
        limits.check(replace(OPTIONS, feature_dropout=1.0))


def test_a_text_tower_needs_no_layers():
    limits.check(replace(OPTIONS, text_layers=0))
