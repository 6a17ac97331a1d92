"""Questions for a captioner that was never asked one: it is shown a few pictures with questions and their answers first.

    [picture] Q: is there a dog? A: yes | [picture] Q: what color is the cat? A: black | [picture] Q: where is it? A:

Each turn stands on a line of its own. What is written is cut to as many words as the longest of people's answers has.
LiMBeR, arXiv:2209.15162 section 4.2.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from imageless import data, draws, tasks
from imageless.errors import InputError
from imageless.models import causal
from imageless.models.beams import Search
from imageless.models.limber import Limber
from imageless.options import EvaluateOptions
from imageless.records import Example
from imageless.stages import embed
from imageless.stages.predict import Answer, Predictor
from imageless.tasks.language import usual
from imageless.tokens import Ragged, encode
from imageless.vectors import VectorTable

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

TASK = "vqa"
POOL = 5_000  # train questions that examples are drawn from
LONGEST_TURN = 96  # tokens


def answers(
    predictor: Predictor,
    asked: Sequence[Example],
    table: VectorTable,
    rows: np.ndarray,
    sources: Sequence[str],
    options: EvaluateOptions,
) -> Iterator[list[Answer]]:
    """What the model says to each question about the picture in `rows` of the table, in turn."""
    model = predictor.model
    if not isinstance(model, Limber):
        raise InputError("--shots: expected a run of --model limber, whose language model was left as it is")
    parts = options.turn.split("{}")
    if len(parts) != 3:
        raise InputError(
            f'--turn: expected a question and an answer as {{}}, e.g. "Q: {{}} A: {{}}", got {options.turn!r}'
        )
    before, between, after = parts
    shown, drawn = _examples(asked, sources, options)
    pictures = embed.images([example.image for example in shown if example.image], predictor.encoder) if shown else None
    turns = [f"{before}{each.prompt}{between}{usual(each.targets)}{after}" for each in shown]
    told = encode(predictor.tokenizer, turns, LONGEST_TURN, _line_end(predictor.tokenizer))
    last = [f"{before}{each.prompt}{between}".rstrip() for each in asked]
    questions = encode(predictor.tokenizer, last, LONGEST_TURN, ())
    longest = tasks.task(TASK).defaults(None).longest_target
    for start in range(0, len(asked), options.batch_size):
        some = np.arange(start, min(start + options.batch_size, len(asked)))
        vectors = predictor.seen(table.unit(rows[some]))[:, None]
        if pictures is not None:
            names = [example.image.name for example in shown if example.image]
            seen = pictures.unit(pictures.rows(names[number] for number in drawn[some].ravel().tolist()))
            vectors = torch.cat([predictor.seen(seen).unflatten(0, drawn[some].shape), vectors], dim=1)
        words = [[*_rows(told, drawn[row]), *_rows(questions, np.array([row]))] for row in some]
        ids, mask = (tensor.to(predictor.device) for tensor in _padded(words))
        read = model.turns(vectors.to(predictor.device, model.dtype), ids, mask, options.blind)
        _expect_room(read[0].shape[1] + longest, model)
        written = model.say(*read, Search(beams=1, longest=longest))
        ids = _first_text(written.ids[:, 0], model.start)
        texts = predictor.tokenizer.batch_decode(ids, skip_special_tokens=True)
        for row, text, score in zip(some.tolist(), texts, written.scores[:, 0].tolist(), strict=True):
            yield [Answer(_cut(text, asked[row].targets), round(score, 4))]


def _examples(
    asked: Sequence[Example], sources: Sequence[str], options: EvaluateOptions
) -> tuple[list[Example], np.ndarray]:
    """Train questions that are shown, and for each question which of them: (asked, shots)."""
    shots = options.shots or 0
    if shots < 0:
        raise InputError(
            f"--shots: expected at least 0 examples, got {shots}; leave it out to ask what the run learned"
        )
    if not shots:
        return [], np.zeros((len(asked), 0), np.int64)
    task = tasks.task(TASK)
    records = (r for source in sources for r in data.read(source, "train", options.images, None, task.ASKED))
    pool = [each for each in islice(task.questions(records), POOL) if each.targets]
    if len(pool) < shots:
        raise InputError(
            f"--shots: expected {shots} answered train questions in {', '.join(sources)}, found {len(pool)}"
        )
    drawn = np.stack(
        [
            np.random.default_rng(draws.key(options.seed, "shots", row)).choice(len(pool), shots, replace=False)
            for row in range(len(asked))
        ]
    )
    needed, places = np.unique(drawn, return_inverse=True)
    return [pool[number] for number in needed.tolist()], places.reshape(drawn.shape)


def _rows(texts: Ragged, rows: np.ndarray) -> list[np.ndarray]:
    """The token ids of some texts."""
    return [texts.values[texts.offsets[row] : texts.offsets[row + 1]] for row in rows]


def _line_end(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """What ends a turn."""
    line = causal.line_end(tokenizer)
    written: Any = tokenizer("\n", add_special_tokens=False)["input_ids"]
    return written if line is None else [line]


def _expect_room(tokens: int, model: Limber) -> None:
    """Refuse more than the language model can read at once."""
    most = getattr(model.lm.config, "max_position_embeddings", tokens)
    if tokens > most:
        raise InputError(f"--shots: expected at most {most} tokens with all examples, got {tokens}; show fewer")


def _padded(words: Sequence[Sequence[np.ndarray]]) -> tuple[Tensor, Tensor]:
    """Token ids of every turn, (batch, turns, words), with their mask."""
    longest = max(len(turn) for turns in words for turn in turns)
    ids = torch.zeros(len(words), len(words[0]), longest, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, turns in enumerate(words):
        for number, turn in enumerate(turns):
            ids[row, number, : len(turn)] = torch.from_numpy(turn.astype(np.int64))
            mask[row, number, : len(turn)] = 1
    return ids, mask


def _first_text(ids: Tensor, start: int | None) -> Tensor:
    """What is written before another text begins: a model of many short texts writes the next one after its answer."""
    return ids if start is None else ids.masked_fill((ids == start).cumsum(-1) > 0, start)


def _cut(text: str, people: Sequence[str]) -> str:
    """The first line, without the marks at its end, of at most as many words as people's longest answer; of one where none is known."""
    line = next(iter(text.strip().splitlines()), "")
    most = max((len(answer.split()) for answer in people), default=1)
    return " ".join(line.split()[:most]).rstrip(".,;:!?")
