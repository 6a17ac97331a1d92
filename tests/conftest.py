"""What the tests of the main path share: a tiny encoder, a few sentences and pictures, a run trained on them.

The encoder has random weights: enough to carry a sentence or a picture through every stage, not to bring the two together.
Shapes and types in the signatures at the seams (models, adapters, tables, encoders) are checked while tests run.
"""

from __future__ import annotations

import io
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jaxtyping import install_import_hook

if TYPE_CHECKING:
    import numpy as np

    from imageless.records import Record
    from imageless.vectors import VectorTable

SEAMS = ("models", "adapters", "vectors", "draws", "encoders")
install_import_hook([f"imageless.{name}" for name in SEAMS], "beartype.beartype")

SHARED = Path(__file__).parents[1].parent / "shared/data"
LONGEST = (
    "test_paper_recipes.py",
    "test_reproduce.py",
    "test_resume.py",
    "test_synthesize.py",
    "test_watching.py",
    "test_limber.py",
)
"""Minutes each: begun last, they would be waited for alone."""
COLOURS = ("red", "blue", "green", "black", "white", "yellow")
ANIMALS = ("dog", "cat", "bird", "fish", "horse")
PLACES = ("in the snow", "on a beach")


def sentence(number: int) -> str:
    """One of 60 sentences."""
    colour, rest = COLOURS[number % 6], number // 6
    return f"A {colour} {ANIMALS[rest % 5]} {PLACES[rest // 5 % 2]}."


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first; `--no-loadscope-reorder` keeps them there."""
    items.sort(key=lambda item: LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST))


@pytest.fixture(autouse=True, scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory):
    """No test reads or writes the user's own cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IMAGELESS_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield Path(os.environ["IMAGELESS_CACHE"])


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, for a test that counts what is embedded."""
    monkeypatch.setenv("IMAGELESS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="session")
def wordnet_files(tmp_path_factory: pytest.TempPathFactory) -> None:
    """WordNet, which nltk does not bring; Debian's root may fetch it."""
    from filelock import FileLock

    pytest.importorskip("nltk")
    index = Path("/usr/share/wordnet/index.sense")
    with FileLock(Path(tempfile.gettempdir()) / "imageless-tests-wordnet.lock"):
        if not index.is_file() and shutil.which("apt-get") and os.geteuid() == 0:
            fetch = "apt-get update -qq && apt-get install -y -qq wordnet-base wordnet-sense-index"
            subprocess.run(fetch, shell=True, capture_output=True, check=False)
    if not index.is_file():
        pytest.skip("WordNet is not here: apt install wordnet-base wordnet-sense-index")


@pytest.fixture(scope="session")
def sentences(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 sentences, one a line."""
    path = tmp_path_factory.mktemp("text") / "sentences.txt"
    path.write_text("\n".join(sentence(number) for number in range(60)) + "\n")
    return path


@pytest.fixture(scope="session")
def album(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Karpathy's JSON over 24 pictures with three captions each: 12 train, 6 val, 6 test."""
    return make_album(tmp_path_factory.mktemp("album"), 24)


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of four pictures."""
    folder = tmp_path_factory.mktemp("photos")
    make_album(folder, 4)
    return folder


@pytest.fixture(scope="session")
def lm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A causal language model as `imageless train language` leaves it, with random weights."""
    import torch

    from imageless.models import causal

    folder = tmp_path_factory.mktemp("lm") / "small"
    tokenizer = causal.small_tokenizer(["\n".join(map(sentence, range(60)))], 400, lower_case=True)
    torch.manual_seed(0)
    for part in (causal.small_llama(32, 2, len(tokenizer), window=384), tokenizer):
        part.save_pretrained(folder)
    (folder / causal.MADE).write_text("{}")
    return folder


def make_album(folder: Path, count: int) -> Path:
    """`count` pictures in one colour each and a dataset.json that gives each three captions."""
    from PIL import Image

    images = []
    for number in range(count):
        name = f"{number:03d}.png"
        Image.new("RGB", (40, 30), (number * 10 % 256, number * 70 % 256, 255 - number * 10 % 256)).save(folder / name)
        said = [{"raw": sentence(number + turn)} for turn in (0, 12, 36)]
        images.append({"filename": name, "split": ("train", "val", "train", "test")[number % 4], "sentences": said})
    path = folder / "dataset.json"
    path.write_text(json.dumps({"images": images}))
    return path


def read(spec: str, **options: Any) -> list[Record]:
    """All records of a source."""
    from imageless import data

    return list(data.read(spec, **options))


def refusal(spec: str, **options: Any) -> str:
    """The one line in which a source is refused."""
    from imageless.errors import InputError

    with pytest.raises(InputError) as error:
        read(spec, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


def make_table(folder: Path, side: str, vectors: np.ndarray, shard: int = 100) -> VectorTable:
    """Vectors as a table on disk, in shards."""
    from imageless.vectors import About, ShardWriter, VectorTable

    writer = ShardWriter(folder, side)
    for number, start in enumerate(range(0, len(vectors), shard)):
        part = vectors[start : start + shard]
        writer.write(number, [f"{side} {start + row}" for row in range(len(part))], part)
    writer.finish(About(side, "planted", "f" * 64, vectors.shape[1], len(vectors), writer.count(), "0" * 64, {}))
    return VectorTable(folder)


@pytest.fixture(scope="session")
def encoder_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_encoder(tmp_path_factory.mktemp("encoders") / "tiny")


def make_encoder(folder: Path, seed: int = 0, dim: int = 24) -> Path:
    """An encoder folder as `imageless pretrain` writes it, with random weights."""
    import torch

    from imageless.encoders.folder import save
    from imageless.models.dual_encoder import DualEncoder, DualEncoderConfig
    from imageless.tokens import train_tokenizer

    tokenizer = train_tokenizer([sentence(number) for number in range(60)], lower_case=True)
    config = DualEncoderConfig(dim=dim, vocabulary=len(tokenizer), text_width=32, text_layers=1, text_length=24)
    torch.manual_seed(seed)
    model = DualEncoder(config)
    torch.nn.init.normal_(model.text.words.weight)  # far from its timid start, so that sentences lie apart
    folder.mkdir()
    save(folder, model, tokenizer, {})
    return folder


@pytest.fixture(scope="session")
def encoder(encoder_folder: Path):
    from imageless import encoders

    return encoders.load(str(encoder_folder), device="cpu")


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory, sentences: Path, encoder_folder: Path) -> Path:
    """A captioner that has read the sentences for long enough to say something."""
    from imageless.options import TrainOptions
    from imageless.stages.train import train

    out = tmp_path_factory.mktemp("runs") / "tiny"
    options = TrainOptions(device="cpu", steps=120, noise=0.02, learning_rate=5e-3, batch_size=30)
    train("captioning", [f"text:{sentences}"], out, str(encoder_folder), "world:32x1", options)
    return out


@dataclass(frozen=True)
class Said:
    """What a command left on both streams, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one object on stdout."""
        assert self.code == 0, self.err
        assert len(self.out.splitlines()) == 1
        return json.loads(self.out)

    @property
    def complaint(self) -> str:
        """The one line of a user's mistake, without the program's name."""
        assert self.code == 2 and self.out == "", (self.code, self.out)
        assert self.err.startswith("imageless: ") and self.err.count("\n") == 1 and self.err.endswith("\n"), self.err
        return self.err.removeprefix("imageless: ").rstrip("\n")


@pytest.fixture
def imageless(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Said]:
    """The command line, in this process: `imageless("train", "captioning", ...)`."""

    def call(*words: object, stdin: str = "") -> Said:
        from imageless import cli

        root = logging.getLogger()
        with monkeypatch.context() as patch:
            patch.setattr(sys, "argv", ["imageless", *map(str, words)])
            patch.setattr(sys, "stdin", io.StringIO(stdin))
            patch.setattr(root, "handlers", [])  # pytest's own would keep ours from being made
            capsys.readouterr()
            code = 0
            try:
                cli.main()
            except SystemExit as stop:
                code = stop.code if isinstance(stop.code, int) else 1
        said = capsys.readouterr()
        return Said(code, said.out, said.err)

    return call
