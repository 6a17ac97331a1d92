"""Stage 2: text vectors -> adapter -> language model -> a run folder. No picture is opened, but where watching.py is asked for.

The model is handed a vector and learns to say what the sentence behind it said. It cannot tell that the vector was a
sentence; `predict` will hand it pictures.
CLOSE, arXiv:2211.09778; settings of the released code: close/experiments/train.py @ 80f8db0.
"""

from __future__ import annotations

import logging
import math
import shutil
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from imageless import data, draws, encoders, limits, loop, noise, runs, tasks
from imageless.adapters import Chain
from imageless.arithmetic import quick_float32
from imageless.encoders.base import Encoder, from_hub, precision
from imageless.encoders.derived import Grid
from imageless.errors import InputError
from imageless.folders import begin, expect_free, publish
from imageless.models import causal
from imageless.models.close import Close
from imageless.models.language import from_scratch, load_t5
from imageless.models.limber import Limber
from imageless.options import TrainOptions
from imageless.pack import Pack, pack
from imageless.records import Record
from imageless.stages import crossing, embed, learning_page, samples, watching
from imageless.tokens import Ragged, encode
from imageless.vectors import Scenes, VectorTable

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

log = logging.getLogger(__name__)

EPOCHS = 8.0  # close/experiments/train.py @ 80f8db0
FROM_SCRATCH_STEPS = 3000  # minutes on one core; twice as many give a few points more (docs/log.md)
FINE_TUNING_RATE = 3e-4  # close/experiments/train.py @ 80f8db0
LIMBER_STEPS = 15_000  # arXiv:2209.15162 section 3.2
LIMBER_RATE, LIMBER_BETAS = 8e-4, (0.9, 0.95)  # configs of jmerullo/limber
LIMBER_ASKS = {"captioning": "A picture of", "vqa": "Q: {} A:"}  # arXiv:2209.15162 sections 4.1, 4.2


@dataclass(frozen=True)
class Trained:
    """What training left behind."""

    out: Path
    seconds: float
    steps: int
    final: dict[str, float]


def train(task: str, sources: Sequence[str], out: Path, encoder: str, lm: str, options: TrainOptions) -> Trained:
    """Train a model for `task` on the joined data and write it to `out`; under torchrun every process takes its share."""
    if task == "language":  # no vectors at all: text in a row, and a loop's job of its own
        from imageless.stages import train_language

        return train_language.train(sources, out, lm, options)
    limits.check(options)
    on = options.on or ("images" if options.model == "limber" else "text")
    options = replace(options, on=on)
    _expect_together(options)
    if options.resume and not options.overwrite and (out / "config.json").is_file():
        config = runs.read_config(out)
        log.info("%s is complete already", out)
        return Trained(out, 0.0, 0, config.final)
    processes = loop.processes(options.device)
    with processes.main_process_first():
        resume = options.resume or not processes.is_main_process
        expect_free(out, options.overwrite, resume)
        asked = tasks.task(task)
        wished = options.setting or (getattr(asked, "UNPAIRED", None) if options.unpaired else None)
        records, setting = asked.choose(_records(sources, asked.LEARNED, options), wished)
        defaults: tasks.Defaults = asked.defaults(setting)
        packed = pack(asked.examples(records, setting, on), _case(options), on)
        if not len(packed):
            raise InputError(_nothing_to_learn(sources, asked.NEEDS, setting, options))
        frozen = encoders.load(encoder, str(processes.device))
        torch.manual_seed(options.seed)
        start = runs.read_config(Path(lm)) if runs.is_run(lm) else None
        question = start.asked if start else _asked(task, options)
        defaults = defaults.asked(question)
        packed = replace(packed, prompts=[question.replace("{}", prompt) for prompt in packed.prompts])
        model, tokenizer = _model(lm, packed, frozen, defaults, options)
        said = noise.said(packed) if options.noise == "auto" else 0.0
        sentences = packed.scene_of  # whose numbers stand for texts; those of _vectors for rows of a table
        streamed = options.stream or options.tune_encoder
        packed, table = (packed, None) if streamed else _vectors(packed, frozen, options)
        w = crossing.noise_std(options, frozen, defaults.noise, said)
        adapter, picture_side = (Chain([]), None) if streamed else crossing.bridge(options, frozen, w)
        job = Learning(model, tokenizer, packed, table, adapter, defaults, options)
        job.order.expect_rows_for(processes.num_processes * options.accumulate)
        spec = start.lm if start else lm
        plan = _plan(job.order, defaults, spec, options)
        plan = replace(plan, validate_at=samples.moments(plan.steps))
        work = begin(out, options.overwrite, resume)
        wanted = {"task": task, "data": list(sources), "encoder": frozen.fingerprint, "lm": lm, "examples": len(packed)}
        loop.expect_same(work, wanted | limits.deciding(options))
        if options.unpaired and table is not None:
            scenes = Scenes(table, packed.scene_of)
            job.adapter = Chain([crossing.from_unpaired(work / crossing.UNPAIRED, options, frozen, scenes), adapter])
        named = runs.EncoderName(frozen.name, frozen.fingerprint, frozen.dim)
        if options.compile and _can_compile(str(processes.device)):
            model.compile(dynamic=True)
        watched = watching.Watching(job, frozen, packed.pictures, options) if streamed else None
        del frozen  # its vectors are on disk: the memory is the language model's now
    with nullcontext() if watched else quick_float32():
        result = loop.run(watched or job, plan, work)
    final = {"loss": result.loss}
    kept = {name: value for name, value in asdict(options).items() if name not in ("resume", "overwrite")}
    config = runs.RunConfig(
        task,
        setting,
        on,
        named,
        spec,
        model.length,
        w,
        list(sources),
        len(packed),
        kept,
        final,
        model=options.model,
        asked=question,
        **(
            {
                "places": model.places,
                "start_token": model.start,
                "end_token": model.end,
                "bottleneck": options.bottleneck,
            }
            if isinstance(model, Limber)
            else {}
        ),
        prompts=list(packed.prompts) if defaults.named_prompts else [],
        start=lm if start else None,
        versions=_versions(),
    )
    if processes.is_main_process:
        shown = samples.scenes(replace(job.packed, scene_of=sentences), job.sampled)
        learning_page.leave(work, f"train {task} {' '.join(sources)}", result, shown)
        runs.save(work, model, tokenizer, config, picture_side, watched.learned if watched else {})
        publish(work, out)
        loop.discard_checkpoints(out)
    processes.wait_for_everyone()
    return Trained(out, result.seconds, result.steps, final)


class Learning:
    """The loop's job: vectors of a batch of scenes in, their targets out."""

    def __init__(
        self,
        model: Close | Limber,
        tokenizer: PreTrainedTokenizerBase,
        packed: Pack,
        table: VectorTable | None,
        adapter: Chain,
        defaults: tasks.Defaults,
        options: TrainOptions,
    ):
        self.model, self.packed, self.table, self.adapter, self.options = model, packed, table, adapter, options
        self.prompts = encode(tokenizer, packed.prompts, defaults.longest_prompt, model.prompt_ends)
        if len(packed.prompts) == 1 and not packed.prompts[0]:
            self.prompts = Ragged.of([[]])  # nothing is asked: the encoder reads the vector alone
        self.targets = encode(tokenizer, packed.targets, defaults.longest_target, model.target_ends)
        words = self.targets.lengths[packed.targets_of.values]
        owners = np.repeat(np.arange(len(packed)), packed.targets_of.lengths)
        self.words = np.bincount(owners, weights=words, minlength=len(packed)).astype(np.int64)
        longest = np.zeros(len(packed), np.int64)
        np.maximum.at(longest, owners, words)
        batch = defaults.batch_size if options.batch_size is None else options.batch_size
        self.order = draws.Order(len(packed), batch, options.seed, longest if defaults.by_length else None)
        self.sampled = samples.chosen(len(packed), options.seed)
        self._say = samples.Saying(tokenizer, defaults.longest_target)

    def batch(self, step: int, part: loop.Part) -> dict[str, Tensor]:
        rows = self.order(step)
        mine = part.rows(len(rows))
        chosen = rows[mine]
        vectors = self._scenes(chosen)  # the swap: here sentences, in predict.py pictures
        targets, owners = self.packed.targets_of.flat(chosen)
        return {
            "vectors": vectors,
            "normal": draws.normal(self.options.seed, step, len(rows), self.adapter.draws * vectors.shape[1])[mine],
            **self._asked(chosen),
            "targets": torch.from_numpy(self.targets.padded(targets, fill=-100)),
            "owners": torch.from_numpy(owners),
            "words": torch.tensor(float(self.words[rows].sum())),
        }

    def _asked(self, chosen: np.ndarray) -> dict[str, Tensor]:
        prompts = torch.from_numpy(self.prompts.padded(self.packed.prompt_of[chosen], fill=0))
        lengths = torch.from_numpy(self.prompts.lengths[self.packed.prompt_of[chosen]])
        return {"prompts": prompts, "prompt_mask": (torch.arange(prompts.shape[1]) < lengths[:, None]).long()}

    def _scenes(self, chosen: np.ndarray) -> Tensor:
        if self.table is None:
            return torch.zeros(len(chosen), self.model.dim)
        return self.table.scenes(self.packed.scene_of, chosen)

    def loss(self, model: nn.Module, batch: dict[str, Tensor], part: loop.Part) -> Tensor:
        vectors = batch.pop("vectors")
        vectors = self.adapter.to(vectors.device)(vectors, batch.pop("normal"))
        words = batch.pop("words")
        return model(vectors, **batch) / words

    @torch.no_grad()
    def validate(self) -> dict[str, list[str]]:
        """What is said of the sampled scenes, which go through the adapter without its noise."""
        vectors = self._scenes(self.sampled)
        none = torch.zeros(len(vectors), self.adapter.draws * vectors.shape[1])
        self.adapter.eval()
        vectors = self.adapter.to(vectors.device)(vectors, none)
        self.adapter.train()
        return self.says(vectors)

    def says(self, vectors: Tensor) -> dict[str, list[str]]:
        """What is said of the sampled scenes when these stand for them."""
        return self._say(self.model, vectors, **self._asked(self.sampled))


def _can_compile(device: str) -> bool:
    """On the CPU torch.compile writes C++."""
    if device != "cpu" or shutil.which("g++") or shutil.which("clang++"):
        return True
    log.warning("--compile: no C++ compiler here (g++ or clang++): steps stay as they are")
    return False


def _expect_together(options: TrainOptions) -> None:
    if options.adapter and options.on != "text":
        raise InputError(f"--adapter: expected --on text, an adapter moves sentences; got --on {options.on}")
    if options.unpaired and (options.on != "text" or options.adapter):
        raise InputError("--unpaired: expected --on text and no --adapter, whose place it takes; leave one of them out")
    if (options.stream or options.tune_encoder) and options.on != "images":
        told = "--stream" if options.stream else "--tune-encoder"
        raise InputError(f"{told}: expected --on images, whose pictures are looked at; got --on {options.on}")
    if options.stream and options.vectors:
        raise InputError("--stream: expected no --vectors, pictures are seen anew in each step; leave one of them out")
    if options.bottleneck and options.model != "limber":
        raise InputError(f"--bottleneck: expected --model limber, whose language model is frozen; got {options.model}")


def _records(sources: Sequence[str], kind: str, options: TrainOptions) -> Iterator[Record]:
    for source in sources:
        yield from data.read(source, options.split, options.images, options.limit, kind)


def _case(options: TrainOptions):
    return str if options.keep_case else str.lower  # targets in lower case, as in the released code


def _vectors(packed: Pack, encoder: Encoder, options: TrainOptions) -> tuple[Pack, VectorTable | None]:
    """The table of the side that is learned from, and the pack with its scenes as rows of that table."""
    if options.on == "nothing":
        return packed, None
    named = (encoder.name, encoder.fingerprint, encoder.dim)
    if options.on == "text":
        table = VectorTable(options.vectors) if options.vectors else embed.texts(packed.scenes, encoder)
        table.expect(*named, side="text")
        rows = table.rows(packed.scenes)[packed.scene_of.values]
        return replace(packed, scene_of=Ragged(rows, packed.scene_of.offsets)), table
    table = VectorTable(options.vectors) if options.vectors else embed.images(packed.pictures, encoder)
    table.expect(*named, side="image")
    readable = np.array([picture.name not in table.about.skipped for picture in packed.pictures])
    packed = packed.only(np.flatnonzero(readable))
    rows = table.rows(picture.name for picture in packed.pictures)
    return replace(packed, scene_of=Ragged(rows, np.arange(len(rows) + 1))), table


def _asked(task: str, options: TrainOptions) -> str:
    """What the model is asked, {} standing for the task's own words."""
    if options.prompt is not None:
        return options.prompt
    return LIMBER_ASKS.get(task, "{}") if options.model == "limber" else "{}"


def _model(
    lm: str, packed: Pack, encoder: Encoder, defaults: tasks.Defaults, options: TrainOptions
) -> tuple[Close | Limber, PreTrainedTokenizerBase]:
    if runs.is_run(lm):  # learns on, prefix and all
        config, model, tokenizer = runs.load(Path(lm))
        runs.expect_encoder(config, encoder)
        if config.model != options.model:
            raise InputError(f"expected --model {config.model} to go on from {lm}, got {options.model}")
        if runs.image_network(Path(lm)):
            raise InputError(
                f"expected a run whose encoder stayed as it was, that of {lm} has learned; start from another"
            )
        if options.bottleneck != config.bottleneck:
            raise InputError(f"--bottleneck: expected {config.bottleneck}, as {lm} has it, got {options.bottleneck}")
        model.learned().requires_grad_(True)
        return model.train(), tokenizer
    if options.model == "limber":
        places = encoder.places if isinstance(encoder, Grid) else 1
        window = options.prefix + places + defaults.longest_prompt + defaults.longest_target + 1
        with nullcontext() if Path(lm).is_dir() else from_hub(lm):
            frozen, tokenizer, start, end = causal.load_frozen(lm, window, precision(options.dtype))
        return Limber(frozen, encoder.dim, options.prefix, places, start, end, options.bottleneck), tokenizer

    def texts() -> Iterator[str]:
        """Each as often as it is learned: a "yes" that is most of the answers deserves a token."""
        yield from (packed.targets[int(number)] for number in packed.targets_of.values)
        yield from (packed.prompts[int(number)] for number in packed.prompt_of)

    here = from_scratch(lm) is not None or Path(lm).is_dir()
    with nullcontext() if here else from_hub(lm):
        language_model, tokenizer = load_t5(lm, texts, options.vocabulary)
    return Close(language_model, encoder.dim, options.prefix), tokenizer


def _plan(order: draws.Order, defaults: tasks.Defaults, lm: str, options: TrainOptions) -> loop.LoopOptions:
    if options.model == "limber":
        return loop.LoopOptions.of(
            options,
            steps=options.steps
            or (LIMBER_STEPS if options.epochs is None else round(options.epochs * order.steps_per_epoch)),
            learning_rate=options.learning_rate or LIMBER_RATE,
            betas=LIMBER_BETAS,
        )
    scratch = from_scratch(lm) is not None
    share = defaults.share if options.epoch_share is None else options.epoch_share
    an_epoch = min(share * order.rows, options.epoch_most or math.inf) / order.batch  # steps
    by_epochs = max(1, round((options.epochs or EPOCHS) * an_epoch))
    steps = options.steps or (FROM_SCRATCH_STEPS if scratch and options.epochs is None else by_epochs)
    rate = options.learning_rate or (defaults.scratch_rate if scratch else FINE_TUNING_RATE)
    return loop.LoopOptions.of(options, steps=steps, learning_rate=rate)


def _nothing_to_learn(sources: Sequence[str], needs: str, setting: str | None, options: TrainOptions) -> str:
    where = f"{', '.join(sources)} ({options.split})"
    if options.on == "images":
        return f"expected pictures with {needs} in {where}, found none; say where the pictures lie with --images"
    if setting == "multiple":
        return f"expected scenes with several captions in {where} for the multiple setting, found none; use --setting single"
    return f"expected {needs} in {where}, found none"


def _versions() -> dict[str, str]:
    from importlib.metadata import version

    return {name: version(name) for name in ("torch", "transformers", "open-clip-torch")}
