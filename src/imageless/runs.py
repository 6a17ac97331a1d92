"""A run folder: everything a trained model needs, except the frozen encoder, which is named with its fingerprint.

RUN/config.json          format version, task, encoder, options, data, final loss; written last
RUN/model.safetensors    what was learned: prefix and language model (close), or the map (limber)
RUN/picture_side.safetensors    only where pictures are moved too (adapter standardize)
RUN/encoder.safetensors  only where the encoder's image network learned along (train --tune-encoder)
RUN/encoder/             only where a run went on a journey whose encoder was a folder
RUN/lm/                  the language model's config and tokenizer; a frozen one's weights too, unless it is large
RUN/log.jsonl, tensorboard/, report.html, README.md
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imageless import cards, encoders
from imageless.errors import InputError
from imageless.folders import disk_errors, read_json, write_json, write_text

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedTokenizerBase

    from imageless.adapters import Standardize
    from imageless.encoders.base import Encoder
    from imageless.models.close import Close
    from imageless.models.limber import Limber

FORMAT = 1
PICTURE_SIDE = "picture_side.safetensors"
IMAGE_NETWORK = "encoder.safetensors"
ENCODER = "encoder"  # where a run that was saved elsewhere or pushed has its encoder, if that was a folder
COPIED = 1_000_000_000  # weights of a frozen language model that come with the run; a larger one is only named


@dataclass(frozen=True)
class EncoderName:
    """Which frozen encoder a run belongs to."""

    name: str
    fingerprint: str
    dim: int


@dataclass(frozen=True)
class RunConfig:
    """What config.json says."""

    task: str
    setting: str | None
    on: str
    encoder: EncoderName
    lm: str
    prefix: int
    noise: float
    data: list[str]
    examples: int
    options: dict[str, Any]
    final: dict[str, float]
    model: str = "close"
    asked: str = "{}"
    """What the model is asked, {} standing for the task's own words."""
    places: int = 1
    """Places of a picture, each of which a vector holds a share for: limber on a grid."""
    start_token: int | None = None
    end_token: int | None = None
    """What a text begins with and an answer ends with: limber."""
    bottleneck: int | None = None
    """How much narrower than the model the bottlenecks behind its attentions are, if it has any: limber."""
    prompts: list[str] = field(default_factory=list)
    """The names it can be prompted with, where those are all: voices."""
    start: str | None = None
    """The run that was learned on from."""
    format: int = FORMAT
    versions: dict[str, str] = field(default_factory=dict)


def save(
    folder: Path,
    model: Close | Limber,
    tokenizer: PreTrainedTokenizerBase,
    config: RunConfig,
    picture_side: Standardize | None = None,
    image_network: Mapping[str, Tensor] | None = None,
) -> None:
    """Write weights, language model config, tokenizer and card; config.json comes last and makes the folder a run.

    `picture_side` is what pictures go through, where sentences went through its other half; `image_network` what has
    learned of the encoder, by name.
    """
    from safetensors.torch import save_file

    from imageless.models.language import quiet

    learned = model.learned()
    weights = {name: weight.detach().contiguous().cpu() for name, weight in learned.named_parameters()}
    with quiet(), disk_errors(folder):
        save_file(weights, folder / "model.safetensors")
        if picture_side is not None:
            save_file(dict(picture_side.named_buffers()), folder / PICTURE_SIDE)
        if image_network:
            seeing = {name: weight.detach().contiguous().cpu() for name, weight in image_network.items()}
            save_file(seeing, folder / IMAGE_NETWORK)
        if learned is not model and model.lm.num_parameters() <= COPIED:
            model.lm.save_pretrained(folder / "lm")
        model.lm.config.save_pretrained(folder / "lm")
        tokenizer.save_pretrained(folder / "lm")
    write_text(folder / "README.md", cards.card(config))
    write_json(folder / "config.json", asdict(config))


def is_run(name: str) -> bool:
    """Whether a name is the folder of a finished run."""
    return (Path(name) / "config.json").is_file() and (Path(name) / "lm").is_dir()


def read_config(folder: Path) -> RunConfig:
    """What a run says of itself, without loading it."""
    values = read_json(folder / "config.json", "a finished run (make one with `imageless train`)")
    if values.get("format") != FORMAT:
        raise InputError(
            f"expected a run of format {FORMAT}, {folder} has format {values.get('format')!r}; train it again or update imageless"
        )
    try:
        return RunConfig(**{**values, "encoder": EncoderName(**values["encoder"])})
    except (TypeError, KeyError) as error:
        raise InputError(f"the config.json of {folder} is damaged ({error}); train the run again") from None


def encoder_name(folder: Path, config: RunConfig) -> str:
    """What loads the run's encoder: the name it was trained with, or the copy that came along."""
    before, path, after = encoders.parts(config.encoder.name)
    along = folder / ENCODER
    return f"{before}{along}{after}" if path == ENCODER and along.is_dir() else config.encoder.name


def load(folder: Path, device: str = "cpu") -> tuple[RunConfig, Close | Limber, PreTrainedTokenizerBase]:
    """Config, model (eval mode) and tokenizer of a run."""
    from safetensors.torch import load_file
    from transformers import AutoTokenizer

    from imageless.encoders.base import first_line
    from imageless.models.language import quiet

    config = read_config(folder)
    try:
        with quiet():
            tokenizer = AutoTokenizer.from_pretrained(folder / "lm")
            model = _limber(folder, config) if config.model == "limber" else _close(folder, config)
        weights = load_file(folder / "model.safetensors", device=device)
        learned = model.learned()
        expected = dict(learned.named_parameters())
        if weights.keys() != expected.keys():
            raise ValueError(f"weights {sorted(weights.keys() ^ expected.keys())[:3]} do not fit")
        learned.load_state_dict(weights, strict=False, assign=True)
        model.lm.tie_weights()
        model.to(device)
    except InputError:
        raise
    except Exception as error:  # a damaged file fails in as many ways as there are files
        raise InputError(
            f"the run {folder} is damaged ({first_line(error)}); train it again or fetch it anew"
        ) from None
    return config, model.eval().requires_grad_(False), tokenizer


def _close(folder: Path, config: RunConfig) -> Close:
    """A T5 and its prefix that have no weights yet."""
    import torch
    from transformers import T5Config, T5ForConditionalGeneration

    from imageless.models.close import Close

    lm_config = T5Config.from_pretrained(folder / "lm")
    with torch.device("meta"):
        return Close(T5ForConditionalGeneration(lm_config), config.encoder.dim, config.prefix)


def _limber(folder: Path, config: RunConfig) -> Limber:
    """The frozen language model, from the run itself or from where it was, and a map that has not learned yet."""
    import torch
    from transformers import AutoModelForCausalLM

    from imageless.encoders.base import from_hub
    from imageless.models.limber import Limber

    kept = any((folder / "lm").glob("*.safetensors*"))
    with nullcontext() if kept or Path(config.lm).is_dir() else from_hub(config.lm):
        lm = AutoModelForCausalLM.from_pretrained(folder / "lm" if kept else config.lm, dtype=torch.float32)
    end = config.end_token or 0
    return Limber(lm, config.encoder.dim, config.prefix, config.places, config.start_token, end, config.bottleneck)


def picture_side(folder: Path) -> Callable[[Tensor], Tensor]:
    """What unit image vectors go through before the model reads them; most runs take them as they are."""
    from safetensors.torch import load_file

    from imageless.vectors import centred

    if not (folder / PICTURE_SIDE).is_file():
        return lambda vectors: vectors
    try:
        half = load_file(folder / PICTURE_SIDE)
        mean, stretch = half["mean"], half["stretch"]
        return lambda vectors: centred(vectors.cpu(), mean, stretch)
    except Exception as error:  # a damaged file fails in as many ways as there are files
        raise InputError(f"the run {folder} is damaged ({error}); train it again or fetch it anew") from None


def image_network(folder: Path) -> dict[str, Tensor]:
    """What has learned of the run's encoder, by name; nothing of most."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(folder / IMAGE_NETWORK) if (folder / IMAGE_NETWORK).is_file() else {}
    except (OSError, SafetensorError) as error:
        raise InputError(f"the run {folder} is damaged ({error}); train it again or fetch it anew") from None


def expect_encoder(config: RunConfig, encoder: Encoder) -> None:
    """Refuse an encoder other than the one the run was trained with."""
    if (encoder.fingerprint, encoder.dim) != (config.encoder.fingerprint, config.encoder.dim):
        raise InputError(
            f"expected the encoder {config.encoder.name} ({config.encoder.dim} dimensions, {config.encoder.fingerprint[:12]}) this run "
            f"was trained with, got {encoder.name} ({encoder.dim} dimensions, {encoder.fingerprint[:12]}); train again with the new one"
        )
