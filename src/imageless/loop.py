"""The optimisation loop that pretraining and training share.

Notable:
- Everything random is drawn by step number (draws.py), so a checkpoint is weights, optimiser and a step count, and a
  stopped run goes on to the very same weights.
- A job returns its part's share of the loss of the whole global batch; shares add up over accumulation and processes,
  so that the gradient does not depend on how the batch was cut.
- The next batch is prepared while the current one is computed; the loss is only read where it is logged.
Checkpoints are safetensors and JSON of our own: accelerate's save_state writes pickles.
"""

from __future__ import annotations

import contextlib
import json
import logging
import math
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from imageless import draws
from imageless.encoders.base import first_line, place
from imageless.errors import InputError
from imageless.folders import disk_errors, read_json, write_json, write_text
from imageless.screen import progress

if TYPE_CHECKING:
    from accelerate import PartialState

log = logging.getLogger(__name__)
LOG_EVERY = 25  # steps between readings of the loss


@dataclass(frozen=True)
class LoopOptions:
    """How to optimise: AdamW, linear warm-up, linear decay to zero over the steps."""

    steps: int
    learning_rate: float
    warmup: int = 0
    weight_decay: float = 0.0
    betas: tuple[float, float] = (0.9, 0.999)
    clip: float | None = None
    accumulate: int = 1
    save_every: int = 500
    validate_every: int | None = None
    validate_at: frozenset[int] = frozenset()
    """Further steps after which the job is asked how it does."""
    seed: int = 0
    device: str | None = None
    dtype: str | None = None
    """float32 or bfloat16 (autocast); default: bfloat16 on CUDA, float32 elsewhere."""

    @classmethod
    def of(cls, options: Any, **decided: Any) -> LoopOptions:
        """What a stage's own options say under the same names, and what the stage has decided."""
        names = [field.name for field in fields(cls) if hasattr(options, field.name)]
        return cls(**{name: getattr(options, name) for name in names} | decided)


@dataclass(frozen=True)
class Part:
    """Which rows of the global batch are asked for: part `index` of `count`."""

    index: int = 0
    count: int = 1

    def rows(self, total: int) -> slice:
        return slice(self.index * total // self.count, (self.index + 1) * total // self.count)


class Job(Protocol):
    """What a stage hands to the loop.

    A job whose parts' losses depend on each other may also have `look_ahead(model, batches, parts)`, which is shown all of
    this process's parts of a step before the first of them is asked for its loss. One whose weights do not all learn at the
    same rate may have `slower`, by name the share of it at which they do.
    """

    @property
    def model(self) -> nn.Module: ...

    def batch(self, step: int, part: Part) -> dict[str, Tensor]:
        """The inputs of a part of the global batch of a step, on the CPU."""
        ...

    def loss(self, model: nn.Module, batch: dict[str, Tensor], part: Part) -> Tensor:
        """The part's share of the global batch's mean loss."""
        ...

    def validate(self) -> Mapping[str, float | Sequence[str]]:
        """Figures and words worth following while training; may be empty."""
        ...


@dataclass(frozen=True)
class Result:
    """How the optimisation ended."""

    steps: int
    seconds: float
    loss: float


def factor(step: int, options: LoopOptions) -> float:
    """Share of the peak learning rate at a step: up over `warmup`, then straight down to zero at the end."""
    if step < options.warmup:
        return (step + 1) / (options.warmup + 1)
    return max(0.0, (options.steps - step) / max(1, options.steps - options.warmup))


def processes(device: str | None) -> PartialState:
    """This process and its siblings, if `torchrun` or `accelerate launch` started several."""
    from accelerate import PartialState

    return PartialState(cpu=place(device).type == "cpu")


def run(job: Job, options: LoopOptions, folder: Path) -> Result:
    """Optimise `job.model` in place; goes on from the newest checkpoint in `folder` if there is one."""
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState

    AcceleratorState._reset_state()  # an earlier training in this process may have had another precision
    accelerator = Accelerator(cpu="cpu" in str(processes(options.device).device), mixed_precision=_precision(options))
    named = {name: weight for name, weight in job.model.named_parameters() if weight.requires_grad}
    optimizer = torch.optim.AdamW(
        _groups(named, getattr(job, "slower", {})),
        options.learning_rate,
        options.betas,
        weight_decay=options.weight_decay,
        fused=True,
    )
    kept = {name: buffer for name, buffer in job.model.named_buffers() if buffer is not None}
    start, seconds = _restore(folder, named, kept, optimizer)
    model, prepared = accelerator.prepare(job.model, optimizer)
    parts = [
        Part(accelerator.process_index * options.accumulate + number, accelerator.num_processes * options.accumulate)
        for number in range(options.accumulate)
    ]
    look_ahead = getattr(job, "look_ahead", None)
    began = time.monotonic() - seconds
    loss_value = math.nan
    model.train()
    with (
        disk_errors(folder),
        _Log(folder, start, accelerator.is_main_process) as logged,
        ThreadPoolExecutor(1) as ahead,
        progress("training", options.steps, start) as bar,
    ):
        upcoming = ahead.submit(lambda: [job.batch(start, part) for part in parts])
        for step in range(start, options.steps):
            batches = upcoming.result()
            if step + 1 < options.steps:
                upcoming = ahead.submit(lambda step=step: [job.batch(step + 1, part) for part in parts])
            torch.manual_seed(draws.key(options.seed, "dropout", step, accelerator.process_index))
            for group in optimizer.param_groups:
                group["lr"] = options.learning_rate * factor(step, options) * group["share"]
            total = torch.zeros((), device=accelerator.device)
            batches = [
                {n: tensor.to(accelerator.device, non_blocking=True) for n, tensor in b.items()} for b in batches
            ]
            if look_ahead is not None:
                with accelerator.autocast():
                    look_ahead(model, batches, parts)
            for number, (batch, part) in enumerate(zip(batches, parts, strict=True)):
                last = number == len(parts) - 1
                with contextlib.nullcontext() if last else accelerator.no_sync(model):
                    with accelerator.autocast():
                        loss = job.loss(model, batch, part)
                    accelerator.backward(loss * accelerator.num_processes)  # DDP averages, shares add up
                total += loss.detach()
            if options.clip is not None:
                accelerator.clip_grad_norm_(named.values(), options.clip)
            prepared.step()
            prepared.zero_grad()
            done = step + 1
            if done % LOG_EVERY == 0 or done in (1, options.steps):
                loss_value = float(accelerator.reduce(total, "sum"))  # pyright: ignore[reportArgumentType]
                _expect_finite(loss_value, done, folder)
                logged.write({"step": done, "loss": loss_value, "lr": options.learning_rate * factor(step, options)})
            bar.advance(note=f"loss {loss_value:.3f}")
            if done in options.validate_at or (
                options.validate_every and (done % options.validate_every == 0 or done == options.steps)
            ):
                model.eval()
                logged.write({"step": done, **job.validate()})
                model.train()
            if done % options.save_every == 0 and done < options.steps:
                _expect_finite(float(total), done, folder)
                accelerator.wait_for_everyone()
                if accelerator.is_main_process:
                    _save(folder, done, time.monotonic() - began, named, kept, optimizer)
    model.eval()
    accelerator.free_memory()
    return Result(options.steps, time.monotonic() - began, loss_value)


def _groups(named: dict[str, nn.Parameter], slower: dict[str, float]) -> list[dict[str, Any]]:
    """The weights by the share of the learning rate at which they learn."""
    shares = sorted({slower.get(name, 1.0) for name in named})
    return [
        {"share": share, "params": [weight for name, weight in named.items() if slower.get(name, 1.0) == share]}
        for share in shares
    ]


def expect_same(folder: Path, asked: dict[str, Any]) -> None:
    """Note down what is asked for; unfinished work in `folder` only goes on if it was asked for in the same words."""
    started, asked = folder / "started.json", json.loads(json.dumps(asked))
    before = read_json(started, "what the unfinished run was asked for") if started.is_file() else asked
    other = sorted(name for name in before.keys() | asked.keys() if before.get(name) != asked.get(name))
    if other:
        raise InputError(
            f"expected to go on in {folder} as it was begun, got another {', '.join(other)}; "
            "repeat the first command with --resume or start anew with --overwrite"
        )
    write_json(started, asked)


def discard_checkpoints(folder: Path) -> None:
    """Remove what only a resumed run would need."""
    (folder / "started.json").unlink(missing_ok=True)
    for old in folder.glob("checkpoint-*"):
        shutil.rmtree(old)


def _precision(options: LoopOptions) -> str:
    if options.dtype is None:
        return "bf16" if torch.cuda.is_available() and options.device != "cpu" else "no"
    if options.dtype not in ("float32", "bfloat16"):
        raise InputError(f"expected --dtype float32 or bfloat16, got {options.dtype!r}")
    return {"float32": "no", "bfloat16": "bf16"}[options.dtype]


def _expect_finite(loss: float, step: int, folder: Path) -> None:
    if not math.isfinite(loss):
        kept = max((path.name for path in folder.glob("checkpoint-*")), default="none was saved yet")
        raise InputError(
            f"the loss became {loss} at step {step}; last good checkpoint: {kept}; lower --learning-rate or set --clip 1"
        )


def _save(
    folder: Path,
    step: int,
    seconds: float,
    named: dict[str, nn.Parameter],
    kept: dict[str, Tensor],
    optimizer: torch.optim.Optimizer,
) -> None:
    """Write checkpoint-STEP beside, then rename it; the one before goes last."""
    final = folder / f"checkpoint-{step:08d}"
    work = folder / f"{final.name}.tmp"
    shutil.rmtree(work, ignore_errors=True)
    moments = {
        f"{kind}/{name}": optimizer.state[weight][kind]
        for name, weight in named.items()
        for kind in ("exp_avg", "exp_avg_sq")
    }
    with disk_errors(folder):
        work.mkdir()
        save_file(
            {name: weight.detach().contiguous() for name, weight in (named | kept).items()}, work / "model.safetensors"
        )
        save_file(moments, work / "optimizer.safetensors")
        write_json(work / "state.json", {"step": step, "seconds": seconds})
        earlier = list(folder.glob("checkpoint-*[0-9]"))
        work.rename(final)
    for old in earlier:
        shutil.rmtree(old)


def _restore(
    folder: Path, named: dict[str, nn.Parameter], kept: dict[str, Tensor], optimizer: torch.optim.Optimizer
) -> tuple[int, float]:
    """Load the newest checkpoint into weights and optimiser; the step and the seconds it had taken."""
    newest = max(folder.glob("checkpoint-*[0-9]"), default=None)
    if newest is None:
        return 0, 0.0
    state = read_json(newest / "state.json", "a training checkpoint")
    try:
        weights, moments = load_file(newest / "model.safetensors"), load_file(newest / "optimizer.safetensors")
        with torch.no_grad():
            for name, buffer in kept.items():
                buffer.copy_(weights[name])
            for name, weight in named.items():
                weight.copy_(weights[name])
                optimizer.state[weight] = {
                    "step": torch.tensor(float(state["step"])),
                    "exp_avg": moments[f"exp_avg/{name}"],
                    "exp_avg_sq": moments[f"exp_avg_sq/{name}"],
                }
    except (OSError, KeyError, RuntimeError, SafetensorError) as error:
        raise InputError(
            f"expected a checkpoint of this model in {newest}, got a damaged one or another's "
            f"({first_line(error)}); remove it or start anew with --overwrite"
        ) from None
    log.info("going on from step %d", state["step"])
    return int(state["step"]), float(state["seconds"])


class _Log:
    """log.jsonl and TensorBoard's scalars and texts in the run's folder; what a stopped run wrote after `start` is written anew."""

    def __init__(self, folder: Path, start: int, active: bool):
        self.folder, self.start, self.active = folder, start, active

    def __enter__(self) -> _Log:
        if self.active:
            from torch.utils.tensorboard import SummaryWriter

            path = self.folder / "log.jsonl"
            if path.is_file():
                rows = [row for row in read_log(self.folder) if row["step"] <= self.start]
                write_text(path, "".join(json.dumps(row) + "\n" for row in rows))
            self.file = path.open("a", encoding="utf-8")
            self.board = SummaryWriter(str(self.folder / "tensorboard"), purge_step=self.start + 1)
        return self

    def write(self, row: dict[str, Any]) -> None:
        if self.active:
            self.file.write(json.dumps(row) + "\n")
            self.file.flush()
            for name, value in row.items():
                if isinstance(value, list):
                    self.board.add_text(name, "\n\n".join(value), row["step"])
                elif name != "step":
                    self.board.add_scalar(name, value, row["step"])

    def __exit__(self, *_: object) -> None:
        if self.active:
            self.file.close()
            self.board.close()


def read_log(folder: Path) -> Iterator[dict[str, Any]]:
    """The rows of a run's log.jsonl, but for one that a killed run left half-written."""
    for line in (folder / "log.jsonl").read_text(encoding="utf-8").splitlines():
        with contextlib.suppress(json.JSONDecodeError):
            yield json.loads(line)
