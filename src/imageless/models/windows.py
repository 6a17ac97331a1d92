"""Documents in rows of fixed length, so that every step of a causal language model costs the same and little is padding.

A row holds whole documents side by side; only what is longer than a row is cut, and each piece then stands for itself.
Positions begin at nought with every document, which is what keeps attention within it (causal.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from imageless.models.causal import IGNORED, start_and_end
from imageless.tokens import Ragged

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

WINDOW = 256  # tokens in a row
CHUNK = 1000  # documents tokenised at once


@dataclass(frozen=True)
class Windows:
    """Rows of WINDOW tokens: whole documents side by side, or a piece of a long one."""

    ids: np.ndarray
    positions: np.ndarray
    """Place of each token in its own document or piece: nought begins another, and what is left over is one more."""
    filled: np.ndarray
    """How much of each row is text."""

    def __len__(self) -> int:
        return len(self.ids)

    def only(self, rows: np.ndarray) -> Windows:
        return Windows(self.ids[rows], self.positions[rows], self.filled[rows])

    def tensors(self, rows: np.ndarray) -> dict[str, Tensor]:
        """Tokens, positions and targets, each (rows, WINDOW); the first token of a document is nobody's target."""
        ids, positions = self.ids[rows].astype(np.int64), self.positions[rows].astype(np.int64)
        text = np.arange(WINDOW) < self.filled[rows, None]
        targets = np.where(text & (positions > 0), ids, IGNORED)
        arrays = {"ids": ids, "positions": positions, "targets": targets}
        return {name: torch.from_numpy(array) for name, array in arrays.items()}


def windows_of(tokenizer: PreTrainedTokenizerBase, texts: Iterable[str]) -> Windows:
    """Documents as rows of tokens."""
    pieces = Ragged.of(_pieces(tokenizer, texts))
    rows = fit(pieces.lengths, WINDOW)
    ids, positions = np.zeros((len(rows), WINDOW), np.int32), np.zeros((len(rows), WINDOW), np.int16)
    filled = np.zeros(len(rows), np.int64)
    for number, row in enumerate(rows):
        for piece in row:
            said = pieces.values[pieces.offsets[piece] : pieces.offsets[piece + 1]]
            here = slice(filled[number], filled[number] + len(said))
            ids[number, here], positions[number, here] = said, np.arange(len(said))
            filled[number] = here.stop
        positions[number, filled[number] :] = np.arange(WINDOW - filled[number])
    return Windows(ids, positions, filled)


def fit(lengths: np.ndarray, room: int) -> list[list[int]]:
    """Which pieces share a row: each goes where the least room is left that still takes it."""
    rows: list[list[int]] = []
    open_rows: list[list[int]] = [[] for _ in range(room + 1)]  # by the room they have left
    for piece, length in enumerate(lengths.tolist()):
        left = next((left for left in range(length, room + 1) if open_rows[left]), None)
        row = len(rows) if left is None else open_rows[left].pop()
        if left is None:
            rows.append([])
        rows[row].append(piece)
        open_rows[(room if left is None else left) - length].append(row)
    return rows


def _pieces(tokenizer: PreTrainedTokenizerBase, texts: Iterable[str]) -> Iterator[list[int]]:
    """Token ids of each document with its start and end token, cut where it is longer than a window."""
    start, end = start_and_end(tokenizer)
    texts = iter(texts)
    while chunk := list(islice(texts, CHUNK)):
        for said in tokenizer(chunk, add_special_tokens=False, verbose=False)["input_ids"]:
            whole = [start, *said, end]
            yield from (whole[first : first + WINDOW] for first in range(0, len(whole), WINDOW))
