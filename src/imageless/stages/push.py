"""A run leaves its folder: for the Hub, in one commit, or for another folder.

What goes is what `hub.contents` says. A README.md that somebody has written in goes as it is.
"""

from __future__ import annotations

import json
import logging
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from imageless import cards, hub, runs
from imageless.encoders.base import first_line, hub_answers
from imageless.errors import InputError
from imageless.folders import begin, disk_errors, expect_free, publish, read_json, read_text, write_json, write_text

log = logging.getLogger(__name__)
_FOLDERS_BEFORE = re.compile(
    r"(^|[:=]|open_clip:[^/]+/)/(?!/)(?:[^/?]+/)+(?=[^/?])"
)  # of a path, alone or behind its reader
_WITH_PATHS = ("encoder", "lm", "data", "options", "start")  # of a config; nothing else is a path


@dataclass(frozen=True)
class Pushed:
    """Where a run lies on the Hub."""

    repo: str
    url: str
    commit: str
    files: list[str]


def push(
    run: str | Path,
    repo: str,
    private: bool = False,
    message: str | None = None,
    scores: Sequence[str | Path] = (),
    token: str | bool | None = None,
) -> Pushed:
    """Upload a run to a Hub repository, which is made where it is not there; what an older push left and this has not is deleted."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, constants

    folder = hub.found(run, token=token)
    evaluations = [_evaluation(Path(path), Path(run)) for path in scores]
    config, files = hub.contents(folder)
    config = _public(config)
    if not hub_answers():
        raise InputError(f"expected to reach the Hub at {constants.ENDPOINT}, got no connection; try again online")
    with _refused(repo):
        api = HfApi(token=token, library_name="imageless")
        url = api.create_repo(repo, private=private or None, exist_ok=True)
        name = url.repo_id
        if private and not api.model_info(name).private:
            raise InputError(f"--private: expected a private repository, {name} is public; change its settings first")
        written = {
            "README.md": _card(folder, config, evaluations, name),
            "config.json": json.dumps(asdict(config), indent=2, ensure_ascii=False) + "\n",
        }
        sent: dict[str, str | Path | bytes] = {**files, **{place: text.encode() for place, text in written.items()}}
        old = {file for file in api.list_repo_files(name) if any(fnmatch(file, pattern) for pattern in hub.FILES)}
        done = api.create_commit(
            name,
            [
                *(CommitOperationAdd(place, file) for place, file in sent.items()),
                *(CommitOperationDelete(place) for place in sorted(old - sent.keys())),
            ],
            commit_message=message or f"A {config.task} model, by imageless push",
        )
    return Pushed(name, str(url), done.oid, sorted(sent))


def save(run: Path, out: Path, overwrite: bool = False) -> Path:
    """Copy a run to another folder, where it needs no encoder of the old place."""
    if out.resolve() == run.resolve():
        raise InputError(f"expected another folder than the run's own, got {out}; it is saved there already")
    expect_free(out, overwrite, resume=True)
    config, files = hub.contents(run)
    work = begin(out, overwrite=True)
    with disk_errors(work):
        for place, file in files.items():
            (work / place).parent.mkdir(exist_ok=True)
            shutil.copyfile(file, work / place)
    write_text(work / "README.md", _card(run, config))
    write_json(work / "config.json", asdict(config))
    publish(work, out)
    return out


def _card(run: Path, config: runs.RunConfig, evaluations: Sequence[dict[str, Any]] = (), name: str = cards.HERE) -> str:
    """The card for where the run goes, unless somebody has written in the one it has."""
    there = run / "README.md"
    text = read_text(there, "the run's card") if there.is_file() else None
    if text is None or text == cards.card(runs.read_config(run)):
        return cards.card(config, name, evaluations)
    log.info("%s is not as imageless writes it now, and goes as it is", there)
    return text + cards.scores(evaluations, name)


def _evaluation(folder: Path, run: Path) -> dict[str, Any]:
    """What `imageless evaluate` found of this run."""
    found = read_json(folder / "scores.json", "an evaluation (make one with `imageless evaluate`)")
    if not {"n", "scores", "run", "data", "options"} <= found.keys():
        raise InputError(f"expected an evaluation of a run in {folder}, got something else; evaluate {run} again")
    if Path(found["run"]).name not in (run.name, run.resolve().name):
        raise InputError(f"--scores: expected an evaluation of {run}, {folder} is one of {found['run']}")
    return _without_folders(found)


def _public(config: runs.RunConfig) -> runs.RunConfig:
    """What config.json says on the Hub."""
    told = {name: _without_folders(value) for name, value in asdict(config).items() if name in _WITH_PATHS}
    return replace(config, **{**told, "encoder": runs.EncoderName(**told["encoder"])})


def _without_folders(value: Any) -> Any:
    """Full paths without the folders they lie in, which are nobody else's business."""
    if isinstance(value, str):
        return _FOLDERS_BEFORE.sub(r"\1", value)
    if isinstance(value, Mapping):
        return {name: _without_folders(one) for name, one in value.items()}
    return [_without_folders(one) for one in value] if isinstance(value, (list, tuple)) else value


@contextmanager
def _refused(repo: str) -> Iterator[None]:
    """What the Hub refuses, in one line."""
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        yield
    except InputError:
        raise
    except HFValidationError as error:
        raise InputError(f"expected a repository as ORG/NAME, got {repo!r}; {first_line(error)}") from None
    except HfHubHTTPError as error:
        if error.response.status_code in (401, 403):
            raise InputError(
                f"expected the right to write to {repo}, the Hub gave none; log in with `hf auth login` or set HF_TOKEN"
            ) from None
        raise InputError(f"the Hub did not take {repo}: {first_line(error)}") from None
    except ValueError as error:
        raise InputError(f"the Hub did not take {repo}: {first_line(error)}; mend it and push again") from None
    except Exception as error:  # of the HTTP library, whose name changes with huggingface_hub's version, or an upload's
        if not (isinstance(error, RuntimeError) or type(error).__module__.startswith("httpx")):
            raise
        told = first_line(error.__cause__ or error)
        raise InputError(f"the way to {repo} broke: {told}; push again, what has arrived is not sent twice") from None
