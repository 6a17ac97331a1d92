"""Examples as numbers: every distinct text once, examples as rows that point at them.

In the multiple setting a caption is one example's scene and four others' target; here it is stored and tokenised once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from imageless.records import Example, Picture
from imageless.texts import Growing, Numbering
from imageless.tokens import Ragged, Rows


@dataclass(frozen=True)
class Pack:
    """Examples by number; `scenes`, `prompts` and `targets` point into the lists of texts."""

    scenes: Sequence[str]
    prompts: Sequence[str]
    targets: Sequence[str]
    scene_of: Ragged
    prompt_of: np.ndarray
    targets_of: Ragged
    pictures: list[Picture]
    """One for each example when learning from pictures, else empty."""

    def __len__(self) -> int:
        return len(self.prompt_of)

    def only(self, examples: np.ndarray) -> Pack:
        """Some of the examples."""
        return replace(
            self,
            scene_of=self.scene_of.only(examples),
            prompt_of=self.prompt_of[examples],
            targets_of=self.targets_of.only(examples),
            pictures=[self.pictures[number] for number in examples] if self.pictures else [],
        )


def pack(examples: Iterable[Example], write: Callable[[str], str], on: str = "text") -> Pack:
    """Pack examples; `write` is what a target becomes before it is learned, e.g. str.lower."""
    scene_number, prompt_number, target_number = Numbering(), Numbering(), Numbering()
    scenes, prompts, targets = Rows(), Growing("i"), Rows()
    pictures: list[Picture] = []
    for example in examples:
        if on == "images":
            if example.image is None:
                continue
            pictures.append(example.image)
            scenes.append([])
        else:
            scenes.append([scene_number(text) for text in example.scene])
        prompts.append(prompt_number(example.prompt))
        targets.append([target_number(write(text)) for text in example.targets])
    return Pack(
        scene_number.texts(),
        prompt_number.texts(),
        target_number.texts(),
        scenes.ragged(),
        prompts.numpy(),
        targets.ragged(),
        pictures,
    )
