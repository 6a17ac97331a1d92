"""Pictures and captions find each other: the loop's job of contrastive pretraining.

CLIP, arXiv:2103.00020; SigLIP, arXiv:2303.15343; a batch in pieces: arXiv:2101.06983.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imageless import draws, loop
from imageless.models.contrastive import sigmoid_loss, softmax_loss
from imageless.models.dual_encoder import DualEncoder
from imageless.options import PretrainOptions
from imageless.records import Record
from imageless.stages.pretraining.inputs import Batches, Inputs
from imageless.tokens import encode
from imageless.zero_shot import ZeroShot


class Contrast:
    """The loop's job: a batch of pictures, one caption of each."""

    def __init__(
        self,
        model: DualEncoder,
        tokenizer: Any,
        records: list[Record],
        held_out: list[Record],
        options: PretrainOptions,
        labelled: list[Record] | None = None,
    ):
        self.model = model
        self.options = options
        self.inputs = Inputs(model, records, options.lock_image, options.stream)
        records = [records[row] for row in self.inputs.records]
        self.captions = encode(
            tokenizer, [text for record in records for text in record.captions], model.config.text_length
        )
        counts = np.array([len(record.captions) for record in records])
        self.first, self.counts = np.cumsum(counts) - counts, counts
        self.batches = Batches(self.inputs, options)
        self.held_out = Inputs(model, held_out, options.lock_image) if held_out else None
        if self.held_out:
            held_out = [held_out[row] for row in self.held_out.records]
        self.named = _Named(model, tokenizer, labelled, options.lock_image) if labelled else None
        self._everyone: tuple[Tensor, Tensor] | None = None
        self.held_captions = encode(tokenizer, [record.captions[0] for record in held_out], model.config.text_length)

    def batch(self, step: int, part: loop.Part) -> dict[str, Tensor]:
        rows = self.batches.order(step)
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
        return {"pixels": self.batches.seen(rows, mine, step), "ids": words, "mask": mask}

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
        named = {} if self.named is None else {"zero_shot": self.named.accuracy()}
        if self.held_out is None:
            return named
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
            "image_to_text_r10": _recall(similar, 10),
            "text_to_image_r1": _recall(similar.T, 1),
            "text_to_image_r5": _recall(similar.T, 5),
            "text_to_image_r10": _recall(similar.T, 10),
            "paired": float(similar.diagonal().mean()),
            "unrelated": float(unrelated),
            "caption_caption": float((between.sum() - between.diagonal().sum()) / (between.numel() - len(between))),
            "centroid_distance": float((images.mean(0) - texts.mean(0)).norm()),
            "logit_scale": float(self.model.logit_scale.exp()),
            **named,
        }


class _Named:
    """Labelled pictures whose classes the towers are asked to name."""

    sides = ("text", "image")

    def __init__(self, model: DualEncoder, tokenizer: Any, records: list[Record], locked: bool):
        self.model, self.tokenizer = model, tokenizer
        self.inputs = Inputs(model, records, locked)
        labels = [str(records[int(row)].fields["label"]) for row in self.inputs.records]
        self.names = sorted(set(labels))
        self.truth = torch.tensor([self.names.index(label) for label in labels])

    def texts(self, texts: Sequence[str]) -> Tensor:
        words = encode(self.tokenizer, texts, self.model.config.text_length)
        ids = torch.from_numpy(words.padded(np.arange(len(texts)), fill=0)).to(self.model.logit_scale.device)
        return self.model.text(ids, ids != 0).float()

    def accuracy(self) -> float:
        """Share of the pictures that are nearest to their class's name, said in several ways (zero_shot.py)."""
        device = self.model.logit_scale.device
        judge = ZeroShot.of(self, self.names, "plain")  # pyright: ignore[reportArgumentType]
        parts = np.array_split(np.arange(len(self.inputs)), max(1, len(self.inputs) // 256))
        vectors = torch.cat([self.model.images(self.inputs[part].to(device)).float().cpu() for part in parts])
        return float((judge.cosines(F.normalize(vectors, dim=-1)).argmax(-1) == self.truth).float().mean())


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


def _recall(similar: Tensor, k: int) -> float:
    """Share of rows whose own column is among the k most similar."""
    own = similar.diagonal().unsqueeze(1)
    return float(((similar > own).sum(1) < k).float().mean())
