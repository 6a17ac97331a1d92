"""Examples as numbers: every distinct text once, examples as rows that point at them.

In the multiple setting a caption is one example's scene and four others' target; here it is stored and tokenised once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np

from imageless.records import Example, Picture
from imageless.tokens import Ragged


@dataclass(frozen=True)
class Pack:
    """Examples by number; `scenes`, `prompts` and `targets` point into the lists of texts."""

    scenes: list[str]
    prompts: list[str]
    targets: list[str]
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


class _Numbers:
    """Gives every distinct text a number."""

    def __init__(self) -> None:
        self.of: dict[str, int] = {}

    def __call__(self, text: str) -> int:
        return self.of.setdefault(text, len(self.of))


def pack(examples: Iterable[Example], write: Callable[[str], str], on: str = "text") -> Pack:
    """Pack examples; `write` is what a target becomes before it is learned, e.g. str.lower."""
    scene_number, prompt_number, target_number = _Numbers(), _Numbers(), _Numbers()
    scenes: list[list[int]] = []
    prompts: list[int] = []
    targets: list[list[int]] = []
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
        list(scene_number.of),
        list(prompt_number.of),
        list(target_number.of),
        Ragged.of(scenes),
        np.array(prompts, dtype=np.int64),
        Ragged.of(targets),
        pictures,
    )
