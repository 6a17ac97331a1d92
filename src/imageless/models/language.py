"""The language models CLOSE stands on: any T5, or a small one made from scratch.

`world` is a T5 of width 128 with 2 + 2 layers whose vocabulary is made from the text at hand; `world:256x4` names another
width and depth. Every other name is a Hub name or a local folder of a T5.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

import torch
from transformers import AutoConfig, AutoTokenizer, PreTrainedTokenizerBase, T5Config, T5ForConditionalGeneration
from transformers.utils import logging as transformers_logging

from imageless.errors import InputError
from imageless.tokens import train_tokenizer

DEFAULT_WIDTH, DEFAULT_LAYERS = 128, 2


def from_scratch(
    spec: str, family: str = "world", default: tuple[int, int] = (DEFAULT_WIDTH, DEFAULT_LAYERS)
) -> tuple[int, int] | None:
    """Width and layers of a `world` or `world:WIDTHxLAYERS` name (or another family's); None for any other name."""
    if spec == family:
        return default
    if not spec.startswith(f"{family}:"):
        return None
    size = re.fullmatch(r"(\d+)x(\d+)", spec.removeprefix(f"{family}:"))
    if size is None or int(size[1]) % 32 or int(size[1]) == 0 or int(size[2]) == 0:
        raise InputError(
            f"expected a language model such as {family}:128x2 (width a multiple of 32, layers), got {spec!r}"
        )
    return int(size[1]), int(size[2])


def small_t5(width: int, layers: int, vocabulary: int) -> T5ForConditionalGeneration:
    """A T5 (v1.1 form, no dropout) with random weights."""
    settings: dict[str, Any] = dict(
        vocab_size=-(-vocabulary // 64) * 64,  # a multiple of 64 is kinder to matrix units
        d_model=width,
        d_kv=32,
        num_heads=width // 32,
        d_ff=4 * width,
        num_layers=layers,
        num_decoder_layers=layers,
        feed_forward_proj="gated-gelu_pytorch_tanh",  # the function of gated-gelu in one fused operation
        dropout_rate=0.0,
        tie_word_embeddings=True,
        pad_token_id=0,
        eos_token_id=1,
        decoder_start_token_id=0,
    )
    return T5ForConditionalGeneration(T5Config(**settings))


def load_t5(
    spec: str, texts: Callable[[], Iterable[str]], vocabulary: int = 8192
) -> tuple[T5ForConditionalGeneration, PreTrainedTokenizerBase]:
    """The language model and its tokenizer; `texts` is only read when a vocabulary of at most so many pieces has to be made."""
    size = from_scratch(spec)
    if size is not None:
        tokenizer = train_tokenizer(texts(), vocabulary)
        return small_t5(*size, vocabulary=len(tokenizer)), tokenizer
    with quiet():
        try:
            config: Any = AutoConfig.from_pretrained(spec)
            if config.model_type != "t5":
                raise InputError(
                    f"expected a T5-family language model, {spec} is a {config.model_type}; e.g. google-t5/t5-base"
                )
            tokenizer = AutoTokenizer.from_pretrained(spec)
            # transformers 5 would keep a bfloat16 checkpoint's precision, and AdamW's small steps would be lost in it
            return T5ForConditionalGeneration.from_pretrained(spec, dtype=torch.float32), tokenizer
        except (OSError, ValueError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(
                f"expected a language model at {spec!r} (world, a Hub name or a folder), could not load it: "
                f"{str(error).strip().splitlines()[0][:160]}; offline, name a local folder"
            ) from None


class quiet:
    """No progress bars or advice from transformers while a model is loaded or saved."""

    def __enter__(self) -> None:
        self.verbosity = transformers_logging.get_verbosity()
        transformers_logging.set_verbosity_error()
        transformers_logging.disable_progress_bar()

    def __exit__(self, *_: object) -> None:
        transformers_logging.set_verbosity(self.verbosity)
        transformers_logging.enable_progress_bar()
