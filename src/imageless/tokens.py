"""Words to numbers: a small tokenizer made from the text at hand, and ragged rows of token ids.

A model that starts from scratch needs no vocabulary of 32,000 pieces: the world gets by with a few hundred words. Byte
pieces stand behind every word, so that no text is ever unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from imageless.texts import Growing

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

PAD, EOS = "<pad>", "</s>"  # ids 0 and 1, as in T5


def train_tokenizer(texts: Iterable[str], vocabulary: int = 8192, lower_case: bool = False) -> PreTrainedTokenizerFast:
    """A byte-level BPE of at most `vocabulary` pieces that writes `</s>` after every text."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    steps = [normalizers.NFC(), normalizers.Lowercase()] if lower_case else [normalizers.NFC()]
    tokenizer.normalizer = normalizers.Sequence(steps)  # pyright: ignore[reportAttributeAccessIssue]
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)  # pyright: ignore[reportAttributeAccessIssue]
    tokenizer.decoder = decoders.ByteLevel()  # pyright: ignore[reportAttributeAccessIssue]
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        min_frequency=2,
        special_tokens=[PAD, EOS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(  # pyright: ignore[reportAttributeAccessIssue]
        single=f"$A {EOS}", special_tokens=[(EOS, 1)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token=PAD, eos_token=EOS, clean_up_tokenization_spaces=False
    )


@dataclass(frozen=True)
class Ragged:
    """Rows of different lengths in one flat array: row i is values[offsets[i]:offsets[i + 1]]."""

    values: np.ndarray
    offsets: np.ndarray

    @classmethod
    def of(cls, rows: Iterable[Sequence[int]]) -> Ragged:
        gathered = Rows()
        for row in rows:
            gathered.append(row)
        return gathered.ragged()

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> np.ndarray:
        return np.diff(self.offsets)

    def only(self, rows: np.ndarray) -> Ragged:
        """Some rows, in the order named."""
        return Ragged(self.flat(rows)[0], np.concatenate([[0], np.cumsum(self.lengths[rows])]))

    def flat(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The values of some rows one after the other, and for each value the position of its row in `rows`."""
        lengths = self.offsets[rows + 1] - self.offsets[rows]
        owners = np.repeat(np.arange(len(rows)), lengths)
        starts = np.cumsum(lengths) - lengths
        return self.values[np.arange(lengths.sum()) - starts[owners] + self.offsets[rows][owners]], owners

    def padded(self, rows: np.ndarray, fill: int) -> np.ndarray:
        """Some rows side by side, (rows, longest), filled up on the right."""
        lengths = self.offsets[rows + 1] - self.offsets[rows]
        wide = np.full((len(rows), int(lengths.max(initial=0))), fill, dtype=np.int64)
        wide[np.arange(wide.shape[1]) < lengths[:, None]] = self.flat(rows)[0]
        return wide


class Rows:
    """Ragged rows that come one by one."""

    def __init__(self) -> None:
        self._values, self._ends, self._end = Growing("i"), Growing("q"), 0
        self._ends.append(0)

    def append(self, row: Sequence[int]) -> None:
        self._values.extend(row)
        self._end += len(row)
        self._ends.append(self._end)

    def ragged(self) -> Ragged:
        """All of them; nothing can be added any more."""
        return Ragged(self._values.numpy(), self._ends.numpy())


def encode(
    tokenizer: PreTrainedTokenizerBase,
    texts: Sequence[str],
    longest: int,
    ends: Sequence[int] | None = None,
    chunk: int = 10_000,
) -> Ragged:
    """Token ids of every text, cut to `longest` with its end kept: the tokenizer's own way, or `ends` and nothing else."""

    def rows() -> Iterable[list[int]]:
        most = longest - len(ends or ())
        for start in range(0, len(texts), chunk):
            some = list(texts[start : start + chunk])
            read = tokenizer(some, truncation=True, max_length=most, add_special_tokens=ends is None)["input_ids"]
            yield from read if ends is None else ([*row, *ends] for row in read)  # pyright: ignore[reportReturnType]

    return Ragged.of(rows())
