"""Who writes captions: a causal language model on this machine, or an OpenAI-compatible endpoint.

    gpt2, EleutherAI/gpt-j-6b, a folder      any causal language model that transformers loads
    http://localhost:8000/v1?model=NAME      any server that speaks OpenAI's protocol (vLLM, llama.cpp, Ollama, ...)
    openai:NAME [--base-url URL]             the same, OpenAI's own address by default; the key is in the environment

Notable: every draw of a local model is made from numbers that depend on the seed and the caption's number alone, so that
neither the batch size nor a stop changes what is written, as far as floating point allows (a sum in another order can
turn a draw that falls on the edge between two words). An endpoint is given a seed of the same kind and may heed it.

Nothing heavy is imported before a local model is wanted; requests need only the standard library.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from imageless.errors import InputError
from imageless.options import SynthesizeOptions

if TYPE_CHECKING:
    import torch
    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Asked:
    """A prompt that ends where caption `number` begins."""

    number: int
    prompt: str
    seed: int


@dataclass(frozen=True)
class Written:
    """The line that was written; `finished` unless the writer was cut off. Tokens read and written are counted."""

    number: int
    text: str
    finished: bool
    tokens: int


class Writer(Protocol):
    """Goes on with prompts."""

    def fits(self, prompt: str) -> bool:
        """Whether the prompt leaves room for a caption, as far as that is known."""
        ...

    def write(self, asked: Sequence[Asked]) -> Iterator[Written]:
        """A line for each, in any order, as they are ready; what is written before trouble comes is handed out first."""
        ...


def writer(lm: str, options: SynthesizeOptions) -> Writer:
    """The writer by this name."""
    if lm.startswith(("http://", "https://", "openai:")):
        from imageless.synthesis.endpoint import Endpoint

        return Endpoint(lm, options)
    if options.base_url is not None:
        raise InputError(
            f"expected --lm openai:NAME with --base-url, got {lm!r}; leave out --base-url for a local model"
        )
    return LocalWriter(lm, options)


class LocalWriter:
    """A causal language model of transformers, in batches padded on the left."""

    def __init__(self, lm: str, options: SynthesizeOptions):
        import torch

        from imageless.encoders.base import place

        self.options, self.device = options, place(options.device)
        self.model, self.tokenizer = _load(lm, self.device, options.dtype)
        self.special = frozenset(self.tokenizer.all_special_ids) | _ends(self.model)
        size = self.model.get_output_embeddings().weight.shape[0]  # pyright: ignore[reportOptionalMemberAccess]
        pieces = self.tokenizer.batch_decode([[token] for token in range(min(size, len(self.tokenizer)))])
        self.stops = torch.zeros(size, dtype=torch.bool)
        self.stops[[token for token, piece in enumerate(pieces) if "\n" in piece or token in self.special]] = True
        self.stops, self.known = self.stops.to(self.device), len(pieces)
        self.room = getattr(self.model.config.get_text_config(), "max_position_embeddings", None)

    def fits(self, prompt: str) -> bool:
        return self.room is None or len(self._tokens(prompt)) + self.options.longest <= self.room

    def write(self, asked: Sequence[Asked]) -> Iterator[Written]:
        for start in range(0, len(asked), self.options.batch_size):
            yield from self._batch(asked[start : start + self.options.batch_size])

    def _tokens(self, prompt: str) -> list[int]:
        """Token ids of a text to go on with: an end token that the tokenizer may add would end it."""
        tokens = list(self.tokenizer(prompt, verbose=False)["input_ids"])
        while tokens and tokens[-1] in self.special:
            tokens.pop()
        return tokens

    def _batch(self, asked: Sequence[Asked]) -> Iterator[Written]:
        import torch
        from transformers import GenerationConfig

        rows = [self._tokens(one.prompt) for one in asked]
        width = max(map(len, rows))
        tokens = torch.tensor([[0] * (width - len(row)) + row for row in rows], device=self.device)
        lengths = torch.tensor([[len(row)] for row in rows], device=self.device)
        mask = (torch.arange(width, device=self.device) >= width - lengths).long()
        settings = GenerationConfig(max_new_tokens=self.options.longest, do_sample=False, pad_token_id=0)
        try:
            with torch.inference_mode():
                told = self.model.generate(  # pyright: ignore[reportCallIssue]
                    tokens,
                    attention_mask=mask,
                    generation_config=settings,
                    logits_processor=[self._draws(asked, width)],  # pyright: ignore[reportArgumentType]
                    stopping_criteria=[lambda ids, scores, **_: self.stops[ids[:, -1]]],  # pyright: ignore[reportArgumentType]
                )
        except torch.OutOfMemoryError:
            raise InputError(
                f"expected room for {len(asked)} prompts of up to {width} tokens, the device's memory is full; "
                "lower --batch-size or --shots and go on with --resume"
            ) from None
        for one, row, line in zip(asked, rows, told[:, width:].tolist(), strict=True):
            yield self._line(one, len(row), line)

    def _line(self, one: Asked, read: int, tokens: list[int]) -> Written:
        """The text up to the first token that ends it."""
        end = next((place for place, token in enumerate(tokens) if self.stops[token]), len(tokens))
        last = tokens[end : end + 1]
        kept = tokens[:end] + [
            token for token in last if token not in self.special
        ]  # a piece such as ".\n" has words too
        text = str(self.tokenizer.decode(kept)).partition("\n")[0].strip()
        return Written(one.number, text, bool(last), read + end + len(last))

    def _draws(self, asked: Sequence[Asked], width: int) -> Any:
        """A step of sampling as a function of logits: it leaves each row the one token that its own numbers choose."""
        import torch

        numbers = [np.random.default_rng(one.seed).random(self.options.longest, dtype=np.float32) for one in asked]
        uniform = torch.from_numpy(np.stack(numbers)).to(self.device).clamp(max=1 - 1e-6)  # (rows, longest)

        def choose(ids: Tensor, scores: Tensor) -> Tensor:
            logits = scores.float() / self.options.temperature
            logits[:, self.known :] = float("-inf")  # rows of the output layer that stand for no token
            chances = _likeliest(logits.softmax(dim=-1), self.options.top_p).cumsum(dim=-1)  # (rows, vocabulary)
            drawn = uniform[:, ids.shape[1] - width, None] * chances[:, -1:]
            chosen = torch.searchsorted(
                chances, drawn, right=True
            )  # tokens in their own order: no sum depends on a sort
            return torch.full_like(logits, float("-inf")).scatter(1, chosen, 0.0)

        return choose


def _likeliest(chances: Tensor, top_p: float) -> Tensor:
    """Probabilities with all but the likeliest, which together have `top_p`, set to zero."""
    if top_p >= 1:
        return chances
    ordered, order = chances.sort(dim=-1, descending=True)
    ordered = ordered.masked_fill(ordered.cumsum(dim=-1) - ordered >= top_p, 0.0)  # the first one always stays
    return chances.new_zeros(chances.shape).scatter(1, order, ordered)


def _ends(model: PreTrainedModel) -> frozenset[int]:
    """The end tokens that a model's own settings name."""
    named = model.generation_config.eos_token_id if model.generation_config is not None else None
    return frozenset([named] if isinstance(named, int) else named or [])


def _load(lm: str, device: torch.device, dtype: str | None) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    from contextlib import nullcontext
    from pathlib import Path

    import torch
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from imageless.encoders.base import from_hub, precision
    from imageless.models.language import quiet

    held = torch.bfloat16 if dtype is None and device.type == "cuda" else precision(dtype)
    with nullcontext() if Path(lm).is_dir() else from_hub(lm), quiet():
        try:
            tokenizer = AutoTokenizer.from_pretrained(lm, trust_remote_code=False)
            model = AutoModelForCausalLM.from_pretrained(lm, dtype=held, trust_remote_code=False)
        except (OSError, ValueError, KeyError, SafetensorError) as error:
            raise InputError(
                f"expected a causal language model at {lm!r} (a Hub name, a folder, http://host/v1?model=NAME or openai:NAME),"
                f" could not load it: {str(error).strip().splitlines()[0][:160]}"
            ) from None
    return model.to(device).eval(), tokenizer  # pyright: ignore[reportArgumentType]
