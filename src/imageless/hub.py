"""Runs on the Hub: which folder a repository's name stands for, and which files of a run go on a journey.

A run whose encoder is a folder takes it along as RUN/encoder; one whose encoder has a name that loads anywhere does not.
Logs and checkpoints stay at home, and so does whatever else somebody laid into the folder.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from imageless import encoders, runs
from imageless.errors import InputError

WEIGHTS = ("model.safetensors", runs.PICTURE_SIDE, runs.IMAGE_NETWORK)
SUFFIXES = (".json", ".safetensors", ".txt", ".model", ".jinja")  # of what a model and a tokenizer keep; no pickles
FOLDERS = ("lm", runs.ENCODER)
FILES = (*WEIGHTS, "config.json", "README.md", *(f"{folder}/*{suffix}" for folder in FOLDERS for suffix in SUFFIXES))
"""All that a run on the Hub can have, as patterns."""
_REPOSITORY = re.compile(r"\w[\w.-]*/\w[\w.-]*")  # ORG/NAME


def found(run: str | Path, revision: str | None = None, token: str | bool | None = None) -> Path:
    """The folder of a run: its own, or where a Hub repository of that name lies once it is downloaded."""
    if Path(run).exists() or not _REPOSITORY.fullmatch(str(run)):
        return Path(run)
    from huggingface_hub import snapshot_download

    from imageless.encoders.base import from_hub

    def fetched(patterns: tuple[str, ...]) -> Path:
        return Path(snapshot_download(str(run), revision=revision, token=token, allow_patterns=list(patterns)))

    try:
        with from_hub(str(run)):
            folder = fetched(("config.json", "lm/config.json"))  # other models are told apart before they are fetched
            if not runs.is_run(str(folder)):
                raise InputError(
                    f"expected a run in the repository {run}, found another model; name one made by `imageless push`"
                )
            return fetched(FILES)
    except InputError as error:
        raise InputError(f"no folder {run} is here; {error}") from error.__cause__


def contents(run: Path) -> tuple[runs.RunConfig, dict[str, Path]]:
    """The files a run needs elsewhere, by their place in it, and what its config.json says there."""
    config = runs.read_config(run)
    files = {name: run / name for name in (*WEIGHTS, "README.md") if (run / name).is_file()}
    if not runs.is_run(str(run)) or "model.safetensors" not in files:
        raise InputError(f"the run {run} is damaged (weights or language model are missing); train it again")
    files |= _inside(run / "lm", "lm")
    if config.model == "limber" and Path(config.lm).is_dir() and not any((run / "lm").glob("*.safetensors")):
        files |= {f"lm/{file.name}": file for file in Path(config.lm).glob("*.safetensors*")}
    named = runs.encoder_name(run, config)
    encoder = encoders.local(named)
    if encoder is not None:
        runs.expect_encoder(config, encoders.load(named, "cpu"))
        along = _inside(encoder, runs.ENCODER)
        if not any(place.endswith(".safetensors") for place in along):
            raise InputError(f"expected .safetensors in {encoder}, the encoder to take along; save it anew as such")
        files |= along
        before, _, after = encoders.parts(named)
        config = replace(config, encoder=replace(config.encoder, name=f"{before}{runs.ENCODER}{after}"))
    return config, files


def _inside(folder: Path, place: str) -> dict[str, Path]:
    return {f"{place}/{file.name}": file for file in sorted(folder.iterdir()) if file.suffix in SUFFIXES}
