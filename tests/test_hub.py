"""A run travels: to a stand-in Hub on this machine and back, and to another folder.

The stand-in speaks what huggingface_hub needs to make a repository, commit to it (small files in the commit, large ones by
git-lfs' batch protocol) and download from it; xet, which would send them elsewhere, is switched off.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from dataclasses import asdict, dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from conftest import make_encoder
from imageless import Close, InputError, cards, encoders, runs
from imageless.folders import write_json
from imageless.options import EvaluateOptions, PredictOptions, TrainOptions
from imageless.stages import push
from imageless.stages.evaluate import evaluate
from imageless.stages.train import train

pytestmark = pytest.mark.filterwarnings(
    "ignore:Use 'content=:DeprecationWarning"
)  # huggingface_hub, sending large files
CPU = PredictOptions(device="cpu")
TOKEN = "hf_of-this-test"


@dataclass
class Repository:
    """Its files by name at every commit, and whom it is for."""

    private: bool
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)
    head: str = "0" * 40

    @property
    def files(self) -> dict[str, bytes]:
        return self.commits.get(self.head, {})


class StandIn(ThreadingHTTPServer):
    """A Hub of one user, you."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Asked)
        self.repositories: dict[str, Repository] = {}
        self.large: dict[str, bytes] = {}
        self.sent_large: list[str] = []
        self.address = f"http://127.0.0.1:{self.server_port}"


class Asked(BaseHTTPRequestHandler):
    """One request to the stand-in."""

    server: StandIn
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        if path == "/":
            return self.reply({})
        if path.startswith("/api/models/"):
            name = "/".join(path.split("/")[3:5])
            repository = self.seen(name)
            if repository is None:
                return None
            rest = path.removeprefix(f"/api/models/{name}").strip("/")
            if rest.startswith("tree/"):
                return self.reply([self.entry(*file) for file in repository.files.items()])
            siblings = [{"rfilename": file} for file in repository.files]
            return self.reply({"id": name, "sha": repository.head, "private": repository.private, "siblings": siblings})
        if path.startswith("/api/"):
            return self.reply({"error": "Not Found"}, 404)  # what a library asks beside our business
        org, name, _, revision, file = path.strip("/").split("/", 4)
        repository = self.seen(f"{org}/{name}")
        if repository is None:
            return None
        revision = repository.head if revision == "main" else revision
        content = repository.commits.get(revision, {}).get(file)
        if content is None:
            return self.reply({}, 404, {"X-Error-Code": "EntryNotFound"})
        headers = {"ETag": f'"{hashlib.sha1(content).hexdigest()}"', "X-Repo-Commit": revision}
        return self.reply(content, headers=headers)

    def do_POST(self) -> None:
        asked = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = unquote(urlsplit(self.path).path)
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self.reply({"error": "Invalid username or password."}, 401)
        if path == "/api/repos/create":
            told = json.loads(asked)
            name = f"{told['organization'] or 'you'}/{told['name']}"
            there = name in self.server.repositories
            self.server.repositories.setdefault(name, Repository(told.get("visibility") == "private"))
            return self.reply({"url": f"{self.server.address}/{name}"}, 409 if there else 200)
        if path == "/api/validate-yaml":
            errors = [{"message": '"license" must be one of ...'}] if b"license: none-such" in asked else []
            return self.reply({"errors": errors, "warnings": []}, 400 if errors else 200)
        if path.endswith("/info/lfs/objects/batch"):
            return self.reply({"transfer": "basic", "objects": [self.invited(o) for o in json.loads(asked)["objects"]]})
        _, _, org, name, kind, _ = path.strip("/").split("/")
        if kind == "preupload":
            files = [file["path"] for file in json.loads(asked)["files"]]
            modes = [
                {"path": p, "uploadMode": "lfs" if p.endswith(".safetensors") else "regular", "shouldIgnore": False}
                for p in files
            ]
            return self.reply({"files": modes})
        return self.commit(f"{org}/{name}", [json.loads(line) for line in asked.splitlines()])

    def do_PUT(self) -> None:
        oid = self.path.rpartition("/")[2]
        content = self.rfile.read(int(self.headers["Content-Length"]))
        assert hashlib.sha256(content).hexdigest() == oid
        self.server.large[oid] = content
        self.server.sent_large.append(oid)
        self.reply({})

    def seen(self, name: str) -> Repository | None:
        """The repository, where there is one that this asker may see."""
        repository = self.server.repositories.get(name)
        known = self.headers.get("Authorization") == f"Bearer {TOKEN}"
        if repository is None or (repository.private and not known):
            self.reply({"error": "Repository not found"}, 404 if known else 401, {"X-Error-Code": "RepoNotFound"})
            return None
        return repository

    def invited(self, wanted: dict) -> dict:
        if wanted["oid"] in self.server.large:
            return wanted
        return wanted | {"actions": {"upload": {"href": f"{self.server.address}/large/{wanted['oid']}"}}}

    def commit(self, name: str, lines: list[dict]) -> None:
        repository = self.server.repositories[name]
        files = dict(repository.files)
        for line in lines:
            value = line["value"]
            if line["key"] == "header":
                repository.messages.append(value["summary"])
            elif line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.server.large[value["oid"]]
            elif line["key"] == "deletedFile":
                del files[value["path"]]
            else:
                raise AssertionError(line["key"])
        repository.head = hashlib.sha1(repr(sorted(files.items())).encode()).hexdigest()
        repository.commits[repository.head] = files
        url = f"{self.server.address}/{name}/commit/{repository.head}"
        self.reply({"commitUrl": url, "commitOid": repository.head})

    def entry(self, path: str, content: bytes) -> dict:
        return {"type": "file", "path": path, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}

    def reply(self, content: object, status: int = 200, headers: dict[str, str] | None = None) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | (headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """The stand-in, which huggingface_hub takes for the Hub, with a cache of its own."""
    from huggingface_hub import constants

    server = StandIn()
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    template = server.address + "/{repo_id}/resolve/{revision}/{filename}"
    for name, value in {
        "ENDPOINT": server.address,
        "HUGGINGFACE_CO_URL_TEMPLATE": template,
        "HF_HUB_CACHE": str(tmp_path / "hub-cache"),
        "HF_HUB_DISABLE_XET": True,
        "HF_HUB_OFFLINE": False,
    }.items():
        monkeypatch.setattr(constants, name, value)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory, sentences: Path) -> Path:
    """A run whose encoder folder nobody else needs."""
    home = tmp_path_factory.mktemp("own")
    make_encoder(home / "enc", seed=3)
    options = TrainOptions(device="cpu", steps=2, batch_size=8, noise=0.1)
    train("captioning", [f"text:{sentences}"], home / "run", str(home / "enc"), "world:32x1", options)
    return home / "run"


# There and back.


def test_a_pushed_run_says_the_same_from_the_hub(hub, run, photos):
    model = Close.from_pretrained(run, CPU)
    url = model.push_to_hub("you/reviews", message="The first one")
    assert url == f"{hub.address}/you/reviews" and hub.repositories["you/reviews"].messages == ["The first one"]
    away = Close.from_pretrained("you/reviews", CPU)
    assert away.captions([photos]) == model.captions([photos])


def test_the_encoder_folder_comes_along_and_is_found(hub, own, photos, tmp_path):
    said = Close.from_pretrained(own, CPU).captions([photos])
    push.push(own, "you/own")
    (own.parent / "enc").rename(own.parent / "gone")
    try:
        assert Close.from_pretrained("you/own", CPU).captions([photos]) == said
        config = json.loads(hub.repositories["you/own"].files["config.json"])
        assert config["encoder"]["name"] == "encoder"
    finally:
        (own.parent / "gone").rename(own.parent / "enc")


def test_only_the_model_goes(hub, run):
    (run / "notes.txt").write_text("not for everybody")
    try:
        push.push(run, "you/reviews")
    finally:
        (run / "notes.txt").unlink()
    files = hub.repositories["you/reviews"].files
    assert {name for name in files if "/" not in name} == {"config.json", "model.safetensors", "README.md"}
    assert {name.partition("/")[0] for name in files if "/" in name} == {"lm", "encoder"}
    assert not any(name.endswith((".jsonl", ".bin", ".pt")) for name in files) and (run / "tensorboard").is_dir()
    assert hub.sent_large  # weights take the way of large files


def test_paths_of_the_authors_disk_stay_at_home(hub, run, sentences):
    push.push(run, "you/reviews")
    files = hub.repositories["you/reviews"].files
    told = files["README.md"] + files["config.json"]
    assert b"text:sentences.txt" in told and str(sentences.parent).encode() not in told
    assert json.loads((run / "config.json").read_text())["data"] == [f"text:{sentences}"]


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("text:/home/you/reviews.txt?part=1/2", "text:reviews.txt?part=1/2"),
        ("images:/home/you/photos/", "images:photos/"),
        ("jsonl:a.jsonl?images=/home/you/photos", "jsonl:a.jsonl?images=photos"),
        ("webdataset:http://host/a/b.tar", "webdataset:http://host/a/b.tar"),
        ("text:data/reviews.txt", "text:data/reviews.txt"),
        ("hf:org/name", "hf:org/name"),
    ],
)
def test_a_path_keeps_its_reader_and_its_name(hub, run, tmp_path, source, told):
    shutil.copytree(run, tmp_path / "run")
    write_json(tmp_path / "run/config.json", asdict(replace(runs.read_config(run), data=[source], asked="/a/b {}")))
    push.push(tmp_path / "run", "you/run")
    config = json.loads(hub.repositories["you/run"].files["config.json"])
    assert (config["data"], config["asked"]) == ([told], "/a/b {}")


def test_what_an_older_push_left_is_deleted_and_what_others_put_there_stays(hub, run):
    push.push(run, "you/reviews")
    repository = hub.repositories["you/reviews"]
    repository.files.update({runs.PICTURE_SIDE: b"older", "lm/old.json": b"{}", "photo.jpg": b"a picture"})
    push.push(run, "you/reviews")
    assert runs.PICTURE_SIDE not in repository.files and "lm/old.json" not in repository.files
    assert repository.files["photo.jpg"] == b"a picture"


def test_a_revision_can_be_named(hub, run, own, photos):
    first = push.push(run, "you/reviews").commit
    push.push(own, "you/reviews")
    old = Close.from_pretrained("you/reviews", CPU, revision=first)
    assert old.captions([photos]) == Close.from_pretrained(run, CPU).captions([photos])
    with pytest.raises(InputError, match=r"found no you/reviews there|expected to download"):
        Close.from_pretrained("you/reviews", CPU, revision="f" * 40)


def test_private_means_private(hub, run):
    push.push(run, "you/secret", private=True)
    assert hub.repositories["you/secret"].private
    with pytest.raises(InputError, match="no right to read it"):
        Close.from_pretrained("you/secret", CPU, token=False)
    assert Close.from_pretrained("you/secret", CPU, token=TOKEN)
    push.push(run, "you/open")
    with pytest.raises(InputError, match="--private: expected a private repository, you/open is public"):
        push.push(run, "you/open", private=True)


def test_offline_what_was_fetched_once_is_enough(hub, run, photos, monkeypatch):
    push.push(run, "you/reviews")
    said = Close.from_pretrained("you/reviews", CPU).captions([photos])
    hub.shutdown()
    hub.server_close()
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert Close.from_pretrained("you/reviews", CPU).captions([photos]) == said


def test_a_checkpoint_file_stays_at_home_and_is_named_without_its_folders(hub, run, tmp_path):
    """A pickle is not ours to hand on; who has the file lays it where imageless is called."""
    shutil.copytree(run, tmp_path / "run")
    config = runs.read_config(run)
    named = replace(config.encoder, name="open_clip:ViT-L-14//home/you/ViT-L-14.pt")
    write_json(tmp_path / "run/config.json", asdict(replace(config, encoder=named)))
    assert not [file for file in push.push(tmp_path / "run", "you/run").files if file.startswith("encoder/")]
    files = hub.repositories["you/run"].files
    assert json.loads(files["config.json"])["encoder"]["name"] == "open_clip:ViT-L-14/ViT-L-14.pt"


def test_a_damaged_run_is_not_pushed(hub, run, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    (tmp_path / "run/model.safetensors").unlink()
    with pytest.raises(InputError, match="is damaged"):
        push.push(tmp_path / "run", "you/run")
    assert hub.repositories == {}


# The command line.


def test_push_and_caption_from_anywhere(imageless, hub, run, photos, album, tmp_path):
    said = imageless("push", run, "reviews", "--json").json
    assert said.keys() == {"repo", "url", "commit", "files"} and said["repo"] == "you/reviews"
    assert said["commit"] == hub.repositories["you/reviews"].head
    shown = ("caption", "you/reviews", photos / "000.png", "--device", "cpu", "--json")
    told, here = imageless(*shown).json, imageless("caption", run, *shown[2:]).json
    assert told["run"] == "you/reviews" and told["results"] == here["results"]
    assert "use it with: imageless VERB you/reviews" in imageless("push", run, "you/reviews").out
    scored = ("evaluate", "you/reviews", f"karpathy:{album}", "--limit", 2, "--out", tmp_path / "scores")
    assert imageless(*scored, "--device", "cpu", "--json").json["n"] == 2


def test_another_process_finds_the_hub_by_its_environment(hub, run, photos, tmp_path):
    push.push(run, "you/reviews")
    told = {"HF_ENDPOINT": hub.address, "HF_HUB_CACHE": str(tmp_path / "another"), "HF_HUB_DISABLE_XET": "1"}
    words = ("-m", "imageless", "caption", "you/reviews", str(photos / "000.png"), "--device", "cpu", "--json")
    done = subprocess.run([sys.executable, *words], env=os.environ | told, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["results"][0]["text"] == Close.from_pretrained(run, CPU).caption(photos / "000.png")


# What is refused.


def test_without_the_right_to_write_there_is_a_line(imageless, hub, run, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_of-somebody-else")
    assert "log in with `hf auth login`" in imageless("push", run, "you/reviews").complaint


def test_what_cannot_be_pushed_or_found_is_told_in_one_line(imageless, hub, run, tmp_path, photos):
    assert "expected a repository as ORG/NAME" in imageless("push", run, "a/b/c").complaint
    assert "expected a finished run" in imageless("push", tmp_path, "you/nothing").complaint
    missing = imageless("caption", "you/none", photos / "000.png").complaint
    assert "no folder you/none is here" in missing and "found no you/none there" in missing
    assert hub.repositories == {}


def test_another_model_on_the_hub_is_no_run(hub):
    hub.repositories["you/bert"] = Repository(False, {"a" * 40: {"config.json": b"{}", "big.bin": b""}}, head="a" * 40)
    with pytest.raises(InputError, match="expected a run in the repository you/bert, found another model"):
        Close.from_pretrained("you/bert", CPU)


def test_without_a_connection_nothing_is_begun(run, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(InputError, match=r"expected to reach the Hub at .*, got no connection"):
        push.push(run, "you/reviews")
    with pytest.raises(InputError, match=r"no folder you/reviews is here; .* no connection"):
        Close.from_pretrained("you/reviews", CPU)


def test_an_encoder_that_has_changed_since_is_refused(own, tmp_path):
    make_encoder(tmp_path / "other", seed=9)
    (own.parent / "enc").rename(own.parent / "true")
    (tmp_path / "other").rename(own.parent / "enc")
    try:
        with pytest.raises(InputError, match=r"expected the encoder .* this run was trained with"):
            push.save(own, tmp_path / "saved")
    finally:
        (own.parent / "enc").rename(tmp_path / "other")
        (own.parent / "true").rename(own.parent / "enc")
    assert not (tmp_path / "saved").exists()


# Another folder.


def test_a_saved_run_needs_nothing_of_the_old_place(own, photos, tmp_path):
    model = Close.from_pretrained(own, CPU)
    said = model.captions([photos])
    out = model.save_pretrained(tmp_path / "saved")
    (own.parent / "enc").rename(own.parent / "gone")
    try:
        assert Close.from_pretrained(out, CPU).captions([photos]) == said
        Close.from_pretrained(out, CPU).save_pretrained(tmp_path / "again")
        assert (tmp_path / "again/encoder/model.safetensors").is_file()
    finally:
        (own.parent / "gone").rename(own.parent / "enc")
    with pytest.raises(InputError, match="exists already"):
        model.save_pretrained(out)
    assert model.save_pretrained(out, overwrite=True) == out
    with pytest.raises(InputError, match="expected another folder than the run's own"):
        model.save_pretrained(own, overwrite=True)


def test_a_clip_of_transformers_comes_along_too(run, photos, tmp_path):
    """Named hf:FOLDER; all that its loader reads, and nothing else that lies there."""
    from test_encoders import save_clip

    clip = encoders.load(f"hf:{save_clip(tmp_path / 'clip')}", "cpu")  # of as many dimensions as the run's own
    (tmp_path / "clip/optimizer.pt").write_bytes(b"")
    config = runs.read_config(run)
    shutil.copytree(run, tmp_path / "run")
    named = runs.EncoderName(clip.name, clip.fingerprint, clip.dim)
    write_json(tmp_path / "run/config.json", asdict(replace(config, encoder=named)))
    said = Close.from_pretrained(tmp_path / "run", CPU).captions([photos])
    push.save(tmp_path / "run", tmp_path / "saved")
    shutil.rmtree(tmp_path / "clip")
    assert runs.read_config(tmp_path / "saved").encoder.name == "hf:encoder"
    assert Close.from_pretrained(tmp_path / "saved", CPU).captions([photos]) == said
    assert not (tmp_path / "saved/encoder/optimizer.pt").exists()


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("world", ("", "world", "")),
        ("encoders/own", ("", "encoders/own", "")),
        ("grid:random:world?seed=1", ("grid:random:", "world", "?seed=1")),
        ("hf:openai/clip-vit-large-patch14", ("hf:", "openai/clip-vit-large-patch14", "")),
        ("open_clip:hf-hub:ORG/NAME", ("open_clip:", "hf-hub:ORG/NAME", "")),
    ],
)
def test_an_encoders_name_is_taken_apart_around_the_models_own(name, parts, tmp_path, monkeypatch):
    (tmp_path / "world").mkdir()
    monkeypatch.chdir(tmp_path)
    assert encoders.parts(name) == parts
    assert encoders.local(name) is None  # a folder that happens to be called world is not it


# The card.


def data_of(text: str) -> dict:
    from huggingface_hub import ModelCard

    card = ModelCard(text)
    assert card.text.strip().startswith("# A ")
    return card.data.to_dict()


def test_every_run_has_a_card_the_hub_can_read(run):
    text = (run / "README.md").read_text()
    told = data_of(text)
    assert (told["library_name"], told["pipeline_tag"]) == ("imageless", "image-to-text")
    assert "text-only-training" in told["tags"] and "license" not in told
    assert 'model.caption("photo.jpg")' in text and "imageless caption THIS_FOLDER photo.jpg" in text
    assert "## Scores" not in text


def test_the_card_names_its_repository_and_what_is_loaded(hub, run):
    push.push(run, "you/reviews")
    text = hub.repositories["you/reviews"].files["README.md"].decode()
    assert 'Close.from_pretrained("you/reviews")' in text and cards.HERE not in text
    assert "The encoder lies in `encoder/`" in text


def test_scores_stand_in_the_card_with_their_command(hub, run, album, tmp_path, imageless):
    options = EvaluateOptions(device="cpu", limit=4)
    evaluate(run, [f"karpathy:{album}"], tmp_path / "scores", options)
    shuffled = EvaluateOptions(device="cpu", limit=4, control="shuffled")
    evaluate(run, [f"karpathy:{album}"], tmp_path / "control", shuffled)
    told = ("--scores", tmp_path / "scores", "--scores", tmp_path / "control", "--json")
    assert imageless("push", run, "you/reviews", *told).code == 0
    text = hub.repositories["you/reviews"].files["README.md"].decode()
    found = json.loads((tmp_path / "scores/scores.json").read_text())
    assert f"{found['n']} answers, by `imageless evaluate you/reviews karpathy:dataset.json --limit 4`" in text
    assert f"| cider | {found['scores']['cider']:.4f} |" in text
    assert "each shown shuffled pictures: the control" in text and "--control shuffled" in text
    data_of(text)


def test_scores_of_another_run_are_refused(imageless, hub, run, own, album, tmp_path):
    evaluate(own, [f"karpathy:{album}"], tmp_path / "scores", EvaluateOptions(device="cpu", limit=2))
    told = ("push", run, "you/reviews", "--scores")
    assert "--scores: expected an evaluation of" in imageless(*told, tmp_path / "scores").complaint
    assert "expected an evaluation (make one with" in imageless(*told, tmp_path / "none").complaint
    assert hub.repositories == {}


def test_what_the_author_wrote_into_the_card_goes_as_it_is(hub, own):
    before = (own / "README.md").read_text()
    (own / "README.md").write_text(before.replace("library_name", "license: mit\nlibrary_name"))
    try:
        push.push(own, "you/own")
    finally:
        (own / "README.md").write_text(before)
    told = data_of(hub.repositories["you/own"].files["README.md"].decode())
    assert told["license"] == "mit"


def test_a_card_the_hub_cannot_read_is_told_before_anything_is_sent(hub, own):
    before = (own / "README.md").read_text()
    (own / "README.md").write_text(before.replace("library_name", "license: none-such\nlibrary_name"))
    try:
        with pytest.raises(InputError, match=r"Invalid metadata in README\.md"):
            push.push(own, "you/own")
    finally:
        (own / "README.md").write_text(before)
    assert hub.sent_large == [] and hub.repositories["you/own"].files == {}


def test_a_licence_is_named_only_where_everything_is_ours(run):
    config = runs.read_config(run)
    world = runs.EncoderName("world", "f" * 64, 256)
    ours = replace(config, encoder=world, lm="world:32x1", data=["world:captions/100"])
    assert data_of(cards.card(ours))["license"] == "apache-2.0"
    for other in (replace(ours, lm="google-t5/t5-base"), replace(ours, data=["text:a.txt"])):
        assert "license" not in data_of(cards.card(other))
    named = replace(ours, lm="google-t5/t5-base", encoder=replace(world, name="open_clip:ViT-L-14/openai"))
    text = cards.card(named)
    assert data_of(text)["base_model"] == "google-t5/t5-base"
    assert "see the encoder's own page" in text and "`open_clip:ViT-L-14/openai` is fetched" in text


@pytest.mark.parametrize(
    ("task", "line", "words"),
    [
        ("vqa", 'model.ask("photo.jpg", "', "imageless ask THIS_FOLDER photo.jpg"),
        ("entailment", 'model.entail("photo.jpg", "', "imageless entail THIS_FOLDER photo.jpg"),
        ("news", 'model.news("photo.jpg", open', "imageless news THIS_FOLDER photo.jpg --article"),
        ("style", 'PredictOptions(style="ego")', "imageless caption THIS_FOLDER photo.jpg --style ego"),
    ],
)
def test_a_card_shows_how_its_task_is_asked(run, task, line, words):
    prompts = ["ego", "pirate"] if task == "style" else []
    text = cards.card(replace(runs.read_config(run), task=task, prompts=prompts))
    assert line in text and words in text
    exec(re.findall(r"^from imageless import .*", text, re.MULTILINE)[0], {})
    data_of(text)
