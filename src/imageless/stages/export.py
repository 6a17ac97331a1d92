"""A run leaves PyTorch: two ONNX graphs from which any ONNX runtime answers, and the few lines of Python that do.

    OUT/reads.onnx    vectors (batch, dim), prompts and prompt_mask (batch, words) -> hidden (batch, read, width), mask (batch, read)
    OUT/says.onnx     ids (batch, length), hidden, mask -> logits (batch, length, vocabulary)
    OUT/tokenizer/    the tokenizer's files
    OUT/README.md     how to answer with them
    OUT/about.json    encoder, tokens and lengths, and how far the graphs are from PyTorch; written last

The encoder stays what it is: its unit image vectors go in.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers.modeling_outputs import BaseModelOutput

from imageless import hub, runs, tasks
from imageless.errors import InputError
from imageless.folders import begin, disk_errors, expect_free, publish, write_json, write_text
from imageless.models.close import Close
from imageless.models.language import quiet

FORMATS = ("onnx",)
FURTHEST = 1e-4  # of the largest number: what another order of the same sums may make
SHAPES = ((1, 0, 1), (3, 5, 7), (2, 1, 12))  # batch, words of the prompt and of the answer at which both are compared


@dataclass(frozen=True)
class Exported:
    """What was written, and how far it is from what it was made of."""

    out: Path
    seconds: float
    files: list[str]
    difference: float
    """The largest of any output, as a share of the largest number."""


class Reads(nn.Module):
    """A picture's vector and a prompt, read."""

    def __init__(self, model: Close, seen: Callable[[Tensor], Tensor]):
        super().__init__()
        self.prefix, self.lm, self.seen = model.prefix, model.lm, seen

    def forward(self, vectors: Tensor, prompts: Tensor, prompt_mask: Tensor) -> tuple[Tensor, Tensor]:
        prefix = self.prefix(self.seen(vectors))
        mask = torch.cat([prompt_mask.new_ones(prefix.shape[:2]), prompt_mask], dim=1)
        embedded = torch.cat([prefix, self.lm.get_input_embeddings()(prompts)], dim=1)
        return self.lm.get_encoder()(inputs_embeds=embedded, attention_mask=mask).last_hidden_state, mask


class Says(nn.Module):
    """What may come next after each token."""

    def __init__(self, model: Close):
        super().__init__()
        self.lm = model.lm

    def forward(self, ids: Tensor, hidden: Tensor, mask: Tensor) -> Tensor:
        read = BaseModelOutput(last_hidden_state=hidden)  # pyright: ignore[reportArgumentType]
        return self.lm(encoder_outputs=read, attention_mask=mask, decoder_input_ids=ids, use_cache=False).logits


def export(run: str | Path, out: Path, to: str = "onnx", overwrite: bool = False) -> Exported:
    """Write a run's prefix and language model to `out`, compared with PyTorch at several shapes."""
    began = time.monotonic()
    if to not in FORMATS:
        raise InputError(f"--to: expected {' or '.join(FORMATS)}, got {to!r}")
    runtime = _runtime()
    expect_free(out, overwrite, resume=True)
    folder = hub.found(run)
    config, model, tokenizer = runs.load(folder)
    if not isinstance(model, Close):
        raise InputError(
            f"expected a run of --model close, {run} is one of {config.model}, whose language model has its own exporters"
        )
    work = begin(out, overwrite=True)
    reads, says = Reads(model, runs.picture_side(folder)).eval(), Says(model).eval()
    with disk_errors(work):
        _write(reads, _read_inputs(config.encoder.dim, 2, 3), work / "reads.onnx", ("hidden", "mask"))
        hidden, mask = reads(*_read_inputs(config.encoder.dim, 2, 3).values())
        inputs = {"ids": torch.ones(2, 4, dtype=torch.long), "hidden": hidden, "mask": mask}
        _write(says, inputs, work / "says.onnx", ("logits",))
        with quiet():
            tokenizer.save_pretrained(work / "tokenizer")
    difference = _difference(runtime, work, reads, says, config.encoder.dim)
    if difference > FURTHEST:
        raise InputError(
            f"expected graphs within {FURTHEST} of PyTorch, got {difference:.1e}; try another version of onnxruntime"
        )
    defaults = tasks.task(config.task).defaults(config.setting)
    lm: Any = model.lm.config
    about = {
        "run": folder.name,
        "task": config.task,
        "asked": config.asked,
        "encoder": {"name": config.encoder.name, "fingerprint": config.encoder.fingerprint, "dim": config.encoder.dim},
        "start": lm.decoder_start_token_id,
        "end": lm.eos_token_id,
        "longest_prompt": defaults.longest_prompt,
        "longest": defaults.longest_target,
        "difference": difference,
    }
    write_text(work / "README.md", README % (folder.name, config.encoder.name))
    write_json(work / "about.json", about)
    publish(work, out)
    files = sorted(file.name for file in out.iterdir())
    return Exported(out, time.monotonic() - began, files, difference)


def _runtime() -> Any:
    try:
        import onnx
        import onnxruntime
        import onnxscript
    except ModuleNotFoundError as error:
        raise InputError(
            f"export: expected the extra `export`, got no module {error.name!r}; pip install 'imageless[export]'"
        ) from None
    _ = onnx, onnxscript  # torch's exporter needs both
    return onnxruntime


def _read_inputs(dim: int, batch: int, words: int) -> dict[str, Tensor]:
    draw = torch.Generator().manual_seed(batch)
    prompts = torch.randint(3, 50, (batch, words), generator=draw)
    vectors = F.normalize(torch.randn(batch, dim, generator=draw), dim=-1)
    return {"vectors": vectors, "prompts": prompts, "prompt_mask": torch.ones_like(prompts)}


def _write(graph: nn.Module, inputs: dict[str, Tensor], file: Path, outputs: Sequence[str]) -> None:
    """Any number of rows, and of words in each: only the last dimension of numbers that are no tokens is fixed."""
    shapes = {
        name: {place: torch.export.Dim.DYNAMIC for place in range(value.ndim - value.is_floating_point())}
        for name, value in inputs.items()
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names for what is dynamic, and of what the exporter itself does of old
        program = torch.onnx.export(
            graph, kwargs=inputs, dynamo=True, dynamic_shapes=shapes, output_names=list(outputs), verbose=False
        )
    assert program is not None
    program.save(file)


@torch.no_grad()
def _difference(runtime: Any, folder: Path, reads: Reads, says: Says, dim: int) -> float:
    """How far the graphs are from what they were made of, at several shapes."""
    first, second = (runtime.InferenceSession(str(folder / f"{name}.onnx")) for name in ("reads", "says"))
    furthest = 0.0
    for batch, words, length in SHAPES:
        inputs = _read_inputs(dim, batch, words)
        hidden, mask = reads(**inputs)
        ids = torch.randint(3, 50, (batch, length), generator=torch.Generator().manual_seed(length))
        logits = says(ids, hidden, mask)
        read = first.run(None, {name: value.numpy() for name, value in inputs.items()})
        (said,) = second.run(None, {"ids": ids.numpy(), "hidden": read[0], "mask": read[1]})
        for mine, theirs in ((hidden, read[0]), (logits, said)):
            furthest = max(furthest, float((mine - torch.from_numpy(theirs)).abs().max() / mine.abs().max()))
    return furthest


README = '''# %s, as ONNX

Unit image vectors of the encoder `%s` go in, words come out. It needs onnxruntime, tokenizers and numpy:

```python
import json
from pathlib import Path

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

about = json.loads(Path("about.json").read_text())
reads, says = (onnxruntime.InferenceSession(f"{name}.onnx") for name in ("reads", "says"))
tokenizer = Tokenizer.from_file("tokenizer/tokenizer.json")


def answer(vector, prompt=""):
    """The likeliest word at a time; `prompt` is the question, hypothesis or article."""
    asked = about["asked"].replace("{}", prompt)
    words = tokenizer.encode(asked).ids[: about["longest_prompt"]] if asked else []
    prompts = np.array([words], np.int64).reshape(1, -1)
    inputs = {"vectors": vector[None].astype(np.float32), "prompts": prompts, "prompt_mask": np.ones_like(prompts)}
    hidden, mask = reads.run(None, inputs)
    ids = [about["start"]]
    while len(ids) <= about["longest"] and (len(ids) == 1 or ids[-1] != about["end"]):
        (logits,) = says.run(None, {"ids": np.array([ids], np.int64), "hidden": hidden, "mask": mask})
        ids.append(int(logits[0, -1].argmax()))
    return tokenizer.decode(ids, skip_special_tokens=True).strip()
```
'''
