"""The causal language models that write captions and that a linear map speaks to: any of transformers', or a small Llama.

`world-causal` is a Llama of width 128 with 2 layers, made from scratch, whose vocabulary is made from the text at hand;
`world-causal:256x4` names another width and depth. Every other name is a Hub name or a local folder of a causal model.

Notable:
- A text begins with a start token and ends with an end token; a tokenizer that has only an end token uses it for both,
  as GPT-2's does. Ours writes the start before every prompt and never an end after it, so that a prompt can go on.
- Several texts lie in one row. Positions start at zero with each, and by that transformers (masking_utils.py, v5.23)
  keeps the attention of each text within it. Not every model goes through there, so `expect_apart` tries it out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
)

from imageless.errors import InputError
from imageless.models.language import from_scratch, quiet
from imageless.tokens import EOS, PAD, train_tokenizer

FAMILY = "world-causal"
SIZE = (128, 2)  # width, layers
HEAD = 32  # width of an attention head
MADE = "training.json"  # what a folder that `imageless train language` made says of itself
LINE_END = "\u010a"  # a line feed as byte-level vocabularies write it
IGNORED = -100  # a target nobody asks for, as torch's cross entropy has it


def size_from_scratch(spec: str) -> tuple[int, int] | None:
    """Width and layers of a `world-causal` name; None for a model that exists."""
    return from_scratch(spec, FAMILY, SIZE)


def small_llama(width: int, layers: int, vocabulary: int, window: int) -> LlamaForCausalLM:
    """A Llama with random weights and tied embeddings that reads `window` tokens."""
    settings: dict[str, Any] = dict(
        vocab_size=-(-vocabulary // 64) * 64,  # a multiple of 64 is kinder to matrix units
        hidden_size=width,
        intermediate_size=-(-8 * width // 3 // 64) * 64,  # gated: as many weights as 4 x width without a gate
        num_hidden_layers=layers,
        num_attention_heads=width // HEAD,
        max_position_embeddings=window,
        initializer_range=0.06,  # from the usual 0.02 so small a model takes longer to learn to copy
        tie_word_embeddings=True,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=1,
    )
    return LlamaForCausalLM(LlamaConfig(**settings))


def small_tokenizer(texts: Iterable[str], vocabulary: int, lower_case: bool) -> PreTrainedTokenizerBase:
    """Our own vocabulary, with `</s>` before a text instead of after it."""
    from tokenizers import processors

    pieces = train_tokenizer(texts, vocabulary, lower_case).backend_tokenizer
    pieces.post_processor = processors.TemplateProcessing(  # pyright: ignore[reportAttributeAccessIssue]
        single=f"{EOS} $A", special_tokens=[(EOS, 1)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=pieces,
        bos_token=EOS,
        eos_token=EOS,
        pad_token=PAD,
        padding_side="left",  # prompts are to go on at their right end
        clean_up_tokenization_spaces=False,
    )


def load_causal(
    spec: str, texts: Callable[[], Iterable[str]], window: int, vocabulary: int = 8192, lower_case: bool = False
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """The language model and its tokenizer; a vocabulary of at most so many pieces is made from `texts` where none exists."""
    size = size_from_scratch(spec)
    if size is not None:
        tokenizer = small_tokenizer(texts(), vocabulary, lower_case)
        return small_llama(*size, vocabulary=len(tokenizer), window=window), tokenizer
    # transformers 5 would keep a bfloat16 checkpoint's precision, and AdamW's small steps would be lost in it
    model, tokenizer = _existing(spec, window, torch.float32)
    expect_apart(model, spec)
    return model, tokenizer


def _existing(spec: str, window: int, dtype: torch.dtype) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """A causal model that has learned, with its tokenizer."""
    with quiet():
        try:
            tokenizer = AutoTokenizer.from_pretrained(spec)
            model = AutoModelForCausalLM.from_pretrained(spec, dtype=dtype)
        except (OSError, ValueError) as error:
            raise InputError(
                f"expected a causal language model at {spec!r} ({FAMILY}, a Hub name or a folder), could not load it: "
                f"{str(error).strip().splitlines()[0][:160]}; offline, name a local folder"
            ) from None
    if tokenizer.eos_token_id is None:
        raise InputError(f"expected a tokenizer with an end token, {spec} has none; set its eos_token and save it")
    longest = getattr(model.config, "max_position_embeddings", window)
    if longest < window:
        raise InputError(f"expected a language model that reads {window} tokens, {spec} reads {longest}; take another")
    return model, tokenizer


def load_frozen(
    spec: str, window: int, dtype: torch.dtype = torch.float32
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase, int | None, int]:
    """A language model that is only read, its tokenizer, and the tokens a text begins with and a caption ends with.

    Models of ours say one thing a line, so a caption ends where its line does.
    """
    if size_from_scratch(spec) is not None:
        raise InputError(
            f"expected a language model that has learned, {spec} is one from scratch; make one with "
            f"`imageless train language DATA --lm {spec} --out LM` and name its folder"
        )
    model, tokenizer = _existing(spec, window, dtype)
    written: Any = tokenizer("")["input_ids"]
    _, end = start_and_end(tokenizer)
    line = line_end(tokenizer) if (Path(spec) / MADE).is_file() else None
    return model, tokenizer, written[0] if written else None, end if line is None else line


def line_end(tokenizer: PreTrainedTokenizerBase) -> int | None:
    """The token of a line feed, in a vocabulary that has one for it."""
    line: Any = tokenizer.convert_tokens_to_ids(LINE_END)
    return None if line == tokenizer.unk_token_id else line


def start_and_end(tokenizer: PreTrainedTokenizerBase) -> tuple[int, int]:
    """The tokens a text begins and ends with."""
    start: Any = tokenizer.bos_token_id
    end: Any = tokenizer.eos_token_id
    return end if start is None else start, end


def losses(
    model: nn.Module,
    ids: Int[Tensor, "batch length"],
    positions: Int[Tensor, "batch length"],
    targets: Int[Tensor, "batch length"],
) -> Float[Tensor, "batch before_last"]:
    """Nats of every target but the first column's, given all of its own text before it; nought where it is ignored."""
    logits = model(input_ids=ids, position_ids=positions, use_cache=False).logits[:, :-1]
    nats = F.cross_entropy(
        logits.flatten(0, 1).float(), targets[:, 1:].flatten(), ignore_index=IGNORED, reduction="none"
    )
    return nats.unflatten(0, logits.shape[:2])  # (batch, length - 1)


@torch.no_grad()
def expect_apart(model: nn.Module, spec: str) -> None:
    """Refuse a model that reads across the texts of one row."""
    if not _apart(model.eval()):
        raise InputError(
            f"expected a model that keeps the texts of one row apart, {spec} mixes them; take a Llama, GPT-2 or their like"
        )


def _apart(model: nn.Module) -> bool:
    """Whether changing the first text of a row leaves what is said in the second as it was."""
    ids = torch.tensor([[1, 2, 3, 4, 5, 6], [2, 1, 4, 4, 5, 6]])
    positions = torch.tensor([[0, 1, 2, 0, 1, 2]]).expand(2, -1)
    try:
        said = model(input_ids=ids, position_ids=positions, use_cache=False).logits[:, 3:]
    except (TypeError, ValueError):  # it takes no positions
        return False
    return torch.allclose(said[0], said[1], atol=1e-4)
