"""Stage 0a, optional: contrastive pre-training on (picture, caption) pairs -> an encoder folder.

The one stage that opens pictures while learning. Each step takes a batch of pictures, one caption of each, and asks both
towers to find the pairs among all combinations. With the image network locked (LiT) its features are computed once.
CLIP, arXiv:2103.00020; LiT, arXiv:2111.07991.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imageless import data, draws, limits, loop
from imageless.encoders import folder as encoder_folder
from imageless.errors import InputError
from imageless.folders import begin, cache, expect_free, publish
from imageless.models.contrastive import sigmoid_loss, softmax_loss
from imageless.models.dual_encoder import DualEncoder, DualEncoderConfig
from imageless.options import PretrainOptions
from imageless.pixels import Resize, View, decode
from imageless.records import Record
from imageless.screen import progress
from imageless.tokens import encode, train_tokenizer

log = logging.getLogger(__name__)
TEMPERATURE = {"softmax": 0.01, "sigmoid": 0.1}  # the second is SigLIP's (arXiv:2303.15343 section 3.2)
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
        records = _paired(sources, options.split, options)
        held_out = _held_out(sources[0], options)
        config, backbone = _shape(options)
        tokenizer = train_tokenizer((text for r in records for text in r.captions), options.vocabulary, lower_case=True)
        torch.manual_seed(options.seed)
        config = replace(config, vocabulary=len(tokenizer), bias=options.loss == "sigmoid")
        model = DualEncoder(config, options.temperature or TEMPERATURE[options.loss], backbone)
        job = _Contrast(model, tokenizer, records, held_out, options)
        job.expect_even_parts(processes.num_processes * options.accumulate)
        work = begin(out, options.overwrite, resume)
        wanted = {"data": list(sources), "pairs": len(records)}
        loop.expect_same(work, wanted | limits.deciding(options))
    plan = loop.LoopOptions.of(options, betas=(0.9, 0.98))  # CLIP, arXiv:2103.00020 appendix F
    result = loop.run(job, plan, work)
    final = {"loss": result.loss, **job.validate()}
    if processes.is_main_process:
        trained = {"data": list(sources), "options": asdict(options), "final": final, "seconds": round(result.seconds)}
        encoder_folder.save(work, model, tokenizer, trained)
        publish(work, out)
        loop.discard_checkpoints(out)
    processes.wait_for_everyone()
    return Pretrained(out, result.seconds, result.steps, final)


class _Contrast:
    """The loop's job: a batch of pictures, one caption of each."""

    def __init__(
        self,
        model: DualEncoder,
        tokenizer: Any,
        records: list[Record],
        held_out: list[Record],
        options: PretrainOptions,
    ):
        self.model = model
        self.options = options
        self.inputs = _Inputs(model, records, options.lock_image)
        records = [records[row] for row in self.inputs.records]
        self.captions = encode(
            tokenizer, [text for record in records for text in record.captions], model.config.text_length
        )
        counts = np.array([len(record.captions) for record in records])
        self.first, self.counts = np.cumsum(counts) - counts, counts
        self.order = draws.Order(len(records), options.batch_size, options.seed)
        self.held_out = _Inputs(model, held_out, options.lock_image) if held_out else None
        if self.held_out:
            held_out = [held_out[row] for row in self.held_out.records]
        self._everyone: tuple[Tensor, Tensor] | None = None
        self.held_captions = encode(tokenizer, [record.captions[0] for record in held_out], model.config.text_length)

    def expect_even_parts(self, parts: int) -> None:
        """Every part must hold as many pairs as the others, or they could not be exchanged."""
        if self.order.batch % parts:
            raise InputError(
                f"expected a batch that can be cut into {parts} equal parts, got {self.order.batch} pairs; "
                f"choose --batch-size {max(parts, self.order.batch // parts * parts)}"
            )

    def batch(self, step: int, part: loop.Part) -> dict[str, Tensor]:
        rows = self.order(step)
        mine = part.rows(len(rows))
        chosen = draws.choices(self.options.seed, step, self.counts[rows], self.options.captions)
        captions = (
            self.first[rows[mine], None] + chosen[mine]
        ).T.ravel()  # first one caption of every picture, then the next
        words = torch.from_numpy(self.captions.padded(captions, fill=0))
        mask = words != 0
        if self.options.word_dropout:
            draw = np.random.default_rng(draws.key(self.options.seed, "words", step))
            shape = (self.options.captions, len(rows), self.model.config.text_length)
            kept = draw.random(shape)[:, mine, : words.shape[1]] >= self.options.word_dropout
            mask &= torch.from_numpy(kept).flatten(0, 1) | (words == 1)  # the end token stays: no sentence is empty
        return {"pixels": self._seen(rows, mine, step), "ids": words, "mask": mask}

    def _seen(self, rows: np.ndarray, mine: slice, step: int) -> Tensor:
        """What the image tower sees of this part's pictures: of a locked network's features not always all."""
        seen, dropout = self.inputs[rows[mine]], self.options.feature_dropout
        if not dropout:
            return seen
        draw = np.random.default_rng(draws.key(self.options.seed, "features", step))
        kept = torch.from_numpy(draw.random((len(rows), seen.shape[1]))[mine] >= dropout)
        return seen * kept / (1 - dropout)

    @torch.no_grad()
    def look_ahead(self, model: nn.Module, batches: list[dict[str, Tensor]], parts: list[loop.Part]) -> None:
        """Everyone's vectors, where a process takes its part of the batch in pieces: a piece must know the others.

        With them each piece is encoded once more, alone, so that a batch of any size needs the memory of a piece.
        Gao et al., Scaling Deep Contrastive Learning Batch Size under Memory Limited Setup, arXiv:2101.06983.
        """
        if len(parts) == 1:
            return
        pieces = [model(**batch)[:2] for batch in batches]
        images = torch.cat([image.float() for image, _ in pieces])
        texts = torch.cat([text.float().unflatten(0, (self.options.captions, -1)) for _, text in pieces], dim=1)
        if parts[0].count > len(parts):
            images = torch.cat(_gathered(images))
            texts = torch.cat(_gathered(texts.contiguous()), dim=1)
        self._everyone = images, texts

    def loss(self, model: nn.Module, batch: dict[str, Tensor], part: loop.Part) -> Tensor:
        images, texts, scale, bias = model(**batch)
        with torch.autocast(images.device.type, enabled=False):  # logits of up to 100 need more than bfloat16's digits
            images, sets = images.float(), texts.float().chunk(self.options.captions)
            shares = [self._share(images, texts, scale, bias, part, number) for number, texts in enumerate(sets)]
            return torch.stack(shares).mean()

    def _share(
        self, images: Tensor, texts: Tensor, scale: Tensor, bias: Tensor | None, part: loop.Part, number: int
    ) -> Tensor:
        """This part's share of the loss of the whole batch; `number` of the captions of each picture."""
        if part.count == 1:
            return _pairs(images, texts, scale, bias)
        first = part.index * len(images)
        if self._everyone is None:
            from torch.distributed.nn.functional import all_gather

            everyone = torch.cat(all_gather(images)), torch.cat(all_gather(texts))
            return _pairs(images, texts, scale, bias, first, *everyone) / part.count
        known = self._everyone[0].clone(), self._everyone[1][number].clone()
        for everyone, mine in zip(known, (images, texts), strict=True):
            everyone[first : first + len(mine)] = mine
        scale, bias = _counted_once(scale, part.count), None if bias is None else _counted_once(bias, part.count)
        loss = _pairs(*known, scale, bias)
        return loss + (loss / part.count - loss).detach()

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Retrieval among held-out pictures and their first captions, and how far the two sides lie apart."""
        if self.held_out is None:
            return {}
        rows = np.arange(len(self.held_out))
        device = self.model.logit_scale.device
        images = F.normalize(
            torch.cat([self.model.images(self.held_out[part].to(device)) for part in np.array_split(rows, 8)]).float(),
            dim=-1,
        )
        words = torch.from_numpy(self.held_captions.padded(rows, fill=0)).to(device)
        texts = F.normalize(self.model.text(words, words != 0).float(), dim=-1)
        similar = images @ texts.T
        unrelated = (similar.sum() - similar.diagonal().sum()) / (similar.numel() - len(similar))
        between = texts @ texts.T
        return {
            "image_to_text_r1": _recall(similar, 1),
            "image_to_text_r5": _recall(similar, 5),
            "text_to_image_r1": _recall(similar.T, 1),
            "text_to_image_r5": _recall(similar.T, 5),
            "paired": float(similar.diagonal().mean()),
            "unrelated": float(unrelated),
            "caption_caption": float((between.sum() - between.diagonal().sum()) / (between.numel() - len(between))),
            "centroid_distance": float((images.mean(0) - texts.mean(0)).norm()),
            "logit_scale": float(self.model.logit_scale.exp()),
        }


def _pairs(images: Tensor, texts: Tensor, scale: Tensor, bias: Tensor | None, *everyone: Any) -> Tensor:
    """The loss of these pairs, by whether the logits have a bias."""
    if bias is None:
        return softmax_loss(images, texts, scale, *everyone)
    return sigmoid_loss(images, texts, scale, bias, *everyone[:1], *everyone[2:])


def _counted_once(value: Tensor, parts: int) -> Tensor:
    """The value as it is, with a gradient that adds up to its own over the parts."""
    return value.detach() + (value - value.detach()) / parts


def _gathered(vectors: Tensor) -> list[Tensor]:
    """Everyone's, in the order of the processes; no gradient."""
    from torch import distributed

    pieces = [torch.empty_like(vectors) for _ in range(distributed.get_world_size())]
    distributed.all_gather(pieces, vectors)
    return pieces


class _Inputs:
    """What the image tower is fed, by record: decoded pixels from disk, or a locked network's features of them."""

    def __init__(self, model: DualEncoder, records: list[Record], locked: bool):
        pictures = {
            record.image.name: record.image for record in records if record.image
        }  # each once, however often shown
        place = {name: row for row, name in enumerate(pictures)}
        rows = np.array([place[record.image.name] for record in records if record.image])
        config = model.config
        preprocess = View.of(config.view) if config.view else Resize(config.image_size)
        named = [repr(config.view), *(f"{name} {picture.stamp}" for name, picture in pictures.items())]
        content = hashlib.sha256("\n".join(named).encode()).hexdigest()[:24]
        self.pixels = decode(list(pictures.values()), preprocess, config.image_size, cache() / "pixels" / content)
        readable = np.array([row not in self.pixels.failed for row in rows])
        if not readable.all():
            first = next(iter(self.pixels.failed.values()))
            log.warning(
                "%d of %d pictures could not be read and are left out, the first: %s",
                (~readable).sum(),
                len(rows),
                first,
            )
        self.records = np.flatnonzero(readable)
        """Which of the records have a readable picture."""
        self.rows = rows[self.records]
        self.features = self._features(model) if locked else None

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, rows: np.ndarray) -> Tensor:
        if self.features is not None:
            return self.features[torch.from_numpy(self.rows[rows])]
        return self.pixels[self.rows[rows]]

    @torch.no_grad()
    def _features(self, model: DualEncoder) -> Tensor:
        """A locked network's features of every picture, computed once."""
        parts = []
        with progress("looking at pictures", len(self.pixels)) as bar:
            for rows in np.array_split(np.arange(len(self.pixels)), max(1, len(self.pixels) // 64)):
                parts.append(model.eval().features(self.pixels[rows]))
                bar.advance(len(rows))
        return torch.cat(parts)


def _recall(similar: Tensor, k: int) -> float:
    """Share of rows whose own column is among the k most similar."""
    own = similar.diagonal().unsqueeze(1)
    return float(((similar > own).sum(1) < k).float().mean())


def _paired(sources: Sequence[str], split: str, options: PretrainOptions) -> list[Record]:
    found = [r for source in sources for r in data.read(source, split, options.images, options.limit)]
    records = [record for record in found if record.image is not None and record.captions]
    if len(records) < 2:
        raise InputError(
            f"expected pictures with captions in {', '.join(sources)} ({split}), found {len(records)} pairs"
        )
    if len(records) < len(found):
        log.warning(
            "%d of %d records have no picture or no caption and are left out", len(found) - len(records), len(found)
        )
    return records


def _held_out(source: str, options: PretrainOptions) -> list[Record]:
    try:
        return [r for r in data.read(source, "val", options.images, RETRIEVED) if r.image is not None and r.captions]
    except InputError:
        log.info("%s has no validation split: no retrieval is measured", source)
        return []


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
    if prefix != "timm" or not name:
        raise InputError(f"expected --image-encoder world or timm:NAME_OR_FOLDER, got {options.image_encoder!r}")
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
