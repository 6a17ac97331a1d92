"""Stage 0a, optional: pre-training of an encoder, on (picture, caption) pairs or pictures alone -> an encoder folder.

The one stage that opens pictures while learning. By default each step takes a batch of pictures, one caption of each, and asks
both towers to find the pairs among all combinations. With the image network locked (LiT) its features are computed once.
For comparison a tower may learn classes or to mend pictures instead: encoders with ever less language in them, as LiMBeR
compares. CLIP, arXiv:2103.00020; LiT, arXiv:2111.07991; LiMBeR, arXiv:2209.15162.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from imageless import data, limits, loop
from imageless.encoders import folder as encoder_folder
from imageless.errors import InputError
from imageless.folders import begin, expect_free, publish
from imageless.models.dual_encoder import DualEncoder, DualEncoderConfig
from imageless.options import PretrainOptions
from imageless.records import Record
from imageless.stages import classify, learning_page
from imageless.stages.pretraining import words
from imageless.stages.pretraining.classes import Classes, labels_of
from imageless.stages.pretraining.contrast import Contrast
from imageless.stages.pretraining.denoise import Denoise
from imageless.tokens import train_tokenizer

log = logging.getLogger(__name__)
TEMPERATURE = {"softmax": 0.01, "sigmoid": 0.1}  # the second is SigLIP's (arXiv:2303.15343 section 3.2)
KINDS = {"captions": None, "classes": "objects", "denoise": None}  # what a source of several things is asked for
NEEDED = {"captions": "with captions", "classes": "with labels", "denoise": "at all"}
RETRIEVED = 1000  # pictures and captions between which the validation retrieves, as CLIP's 1K test sets


@dataclass(frozen=True)
class Pretrained:
    """What pretraining left behind."""

    out: Path
    seconds: float
    steps: int
    final: dict[str, float]


def pretrain(sources: Sequence[str], out: Path, options: PretrainOptions) -> Pretrained:
    """Train a dual encoder on the joined data and write it to `out`; under torchrun every process takes its share."""
    limits.check(options)
    processes = loop.processes(options.device)
    with processes.main_process_first():
        resume = options.resume or not processes.is_main_process
        expect_free(out, options.overwrite, resume)
        records = _records(sources, options)
        held_out = _held_out(sources[0], options)
        job, encoder, tokenizer = _job(records, held_out, options)
        job.batches.expect_even_parts(processes.num_processes * options.accumulate)
        work = begin(out, options.overwrite, resume)
        wanted = {"data": list(sources), "pairs": len(records)}
        loop.expect_same(work, wanted | limits.deciding(options))
    plan = loop.LoopOptions.of(options, betas=(0.9, 0.98))  # CLIP, arXiv:2103.00020 appendix F
    result = loop.run(job, plan, work)
    final = {"loss": result.loss, **job.validate()}
    if processes.is_main_process:
        trained = {"data": list(sources), "options": asdict(options), "final": final, "seconds": round(result.seconds)}
        learning_page.leave(work, f"pretrain {' '.join(sources)}", result)
        encoder_folder.save(work, encoder, tokenizer, trained)
        publish(work, out)
        loop.discard_checkpoints(out)
    processes.wait_for_everyone()
    return Pretrained(out, result.seconds, result.steps, final)


def _job(
    records: list[Record], held_out: list[Record], options: PretrainOptions
) -> tuple[Contrast | Classes | Denoise, DualEncoder, Any | None]:
    """What the loop is to optimise, the encoder in it, and the encoder's tokenizer, if it reads."""
    config, backbone = _shape(options)
    tokenizer = None
    if options.objective == "captions":
        said = (text for record in records for text in record.captions)
        tokenizer = train_tokenizer(said, options.vocabulary, lower_case=True)
        config = replace(config, vocabulary=len(tokenizer), bias=options.loss == "sigmoid")
    else:
        config = replace(config, text_width=0, text_layers=0)
    torch.manual_seed(options.seed)
    encoder = DualEncoder(config, options.temperature or TEMPERATURE[options.loss], backbone)
    if options.objective == "captions":
        named = classify.labelled([options.classes], None, options.images, RETRIEVED) if options.classes else None
        return Contrast(encoder, tokenizer, records, held_out, options, named), encoder, tokenizer
    job = Classes if options.objective == "classes" else Denoise
    return job(encoder, records, held_out, options), encoder, None


def _serves(record: Record, objective: str) -> bool:
    """Whether a record has what the objective needs."""
    needed = {"captions": bool(record.captions), "classes": bool(labels_of(record)), "denoise": True}
    return record.image is not None and needed[objective]


def _records(sources: Sequence[str], options: PretrainOptions) -> list[Record]:
    kind = KINDS[options.objective]
    found = [r for source in sources for r in data.read(source, options.split, options.images, options.limit, kind)]
    records = [record for record in found if _serves(record, options.objective)]
    if len(records) < 2:
        raise InputError(
            f"expected pictures {NEEDED[options.objective]} in {', '.join(sources)} ({options.split}), found {len(records)}"
        )
    if len(records) < len(found):
        log.warning(
            "%d of %d records are no pictures %s and are left out",
            len(found) - len(records),
            len(found),
            NEEDED[options.objective],
        )
    if options.objective == "captions" and (options.word_least > 1 or options.word_most):
        return words.chosen(records, options.word_least, options.word_most, options.seed)
    return records


def _held_out(source: str, options: PretrainOptions) -> list[Record]:
    try:
        found = list(data.read(source, "val", options.images, RETRIEVED, KINDS[options.objective]))
    except InputError:
        log.info("%s has no validation split: nothing is measured on the way", source)
        return []
    return [record for record in found if _serves(record, options.objective)]


def _shape(options: PretrainOptions) -> tuple[DualEncoderConfig, nn.Module | None]:
    """The towers' shape, and the body of a timm model if the image tower stands on one."""
    config = DualEncoderConfig(dim=options.dim, text_width=options.text_width, text_layers=options.text_layers)
    prefix, _, name = options.image_encoder.partition(":")
    if options.feature_dropout and not options.lock_image:
        raise InputError(
            f"expected --lock-image with --feature-dropout {options.feature_dropout}: it leaves out a locked network's features"
        )
    if prefix == "world" and not name:
        if options.lock_image:
            raise InputError(
                "expected a pretrained image network to lock, world starts from scratch; e.g. --image-encoder timm:resnet50"
            )
        return config, None
    if prefix not in ("timm", "scratch") or not name:
        raise InputError(
            f"expected --image-encoder world, timm:NAME_OR_FOLDER or scratch:NAME, got {options.image_encoder!r}"
        )
    if prefix == "scratch":
        return _from_scratch(name, config, options)
    from imageless.encoders.timm import load

    encoder = load(name, device="cpu")
    backbone = encoder.model if options.lock_image else encoder.model.requires_grad_(True)
    shape = replace(
        config,
        image=encoder.architecture,
        image_arguments=dict(encoder.arguments),
        view=encoder.view,
        image_features=encoder.dim,
        hidden=options.hidden,
    )
    return shape, backbone


def _from_scratch(
    name: str, config: DualEncoderConfig, options: PretrainOptions
) -> tuple[DualEncoderConfig, nn.Module]:
    """One of timm's architectures with random weights: a ViT, a ResNet, whatever it lists."""
    from imageless.encoders.timm import random_body

    if options.lock_image:
        raise InputError(f"expected a pretrained image network to lock, {options.image_encoder} starts from scratch")
    body, arguments, view, features = random_body(name, options.image_size, options.seed)
    shape = replace(
        config,
        image=name,
        image_arguments=arguments,
        view=view,
        image_features=features,
        hidden=options.hidden,
    )
    return shape, body
