"""What a model would say while it learns, of a few scenes it learns from: their vectors without noise, written greedily.

Nothing is drawn for it and no picture is opened, so that what is learned is the same to the last bit, asked or not.
"""

from __future__ import annotations

import logging

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from imageless import draws
from imageless.models.beams import Search
from imageless.models.reader import Reader
from imageless.pack import Pack

log = logging.getLogger(__name__)
SCENES = 8
SHARES = (0.02, 0.1, 0.3, 0.6, 1.0)  # of the steps: most is learned early
APART = 20  # steps before it is asked first: to be asked costs about as much as one
TOLD = 3  # sentences shown of a scene, and of what is to be said of it
LONGEST = 200  # characters shown of what is asked: a newspaper's article has thousands


def moments(steps: int) -> frozenset[int]:
    """The steps after which a model that learns for so many is asked, the last among them."""
    return frozenset(min(steps, max(APART, round(share * steps))) for share in SHARES)


def chosen(examples: int, seed: int) -> np.ndarray:
    """The rows that a model is asked about."""
    draw = np.random.default_rng(draws.key(seed, "samples"))
    return draw.choice(examples, min(SCENES, examples), replace=False)


def scenes(packed: Pack, rows: np.ndarray) -> list[dict[str, list[str]]]:
    """What the data say of these rows: the sentences that stand for the scene, what is asked, what is to be said."""
    found = []
    for row in rows:
        one = np.array([row])
        asked = packed.prompts[int(packed.prompt_of[row])]
        sentences = [packed.scenes[int(number)] for number in packed.scene_of.flat(one)[0]]
        targets = [packed.targets[int(number)] for number in packed.targets_of.flat(one)[0]]
        own = [sentence.lower() for sentence in sentences]  # often what is to be said is what was read
        others = [target for target in targets if target.lower() not in own]
        told = {"sentences": sentences, "asked": [asked[:LONGEST]] if asked else [], "to be said": others}
        found.append({name: lines[:TOLD] for name, lines in told.items() if lines})
    return found


class Saying:
    """Says in words what a model makes of vectors."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, longest: int):
        self.tokenizer, self.search = tokenizer, Search(beams=1, longest=longest)

    def __call__(self, model: Reader, vectors: Tensor, prompts: Tensor, prompt_mask: Tensor) -> dict[str, list[str]]:
        """By `model`, which is in evaluation mode; nothing where there is no room for that beside the training."""
        device = next(model.parameters()).device
        try:
            written = model.generate(vectors.to(device), prompts.to(device), prompt_mask.to(device), self.search)
        except torch.OutOfMemoryError:
            log.warning("no sample answers: beside what is learned with there is no room to answer")
            return {}
        return {
            "said": [text.strip() for text in self.tokenizer.batch_decode(written.ids[:, 0], skip_special_tokens=True)]
        }
