"""Answers over HTTP: the same as on the command line, however many ask at once, and one line for whatever goes wrong."""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from starlette.testclient import TestClient

from imageless.errors import InputError
from imageless.options import PredictOptions, ServeOptions, TrainOptions
from imageless.serving.answering import Answerer
from imageless.serving.app import application
from imageless.serving.batcher import Batcher, Full
from imageless.serving.gallery import gallery
from imageless.serving.plane import Plane
from imageless.stages.predict import Predictor
from imageless.stages.train import train

OPTIONS = ServeOptions(device="cpu", queue=4, timeout=20, megabytes=0.1)


@pytest.fixture(scope="module")
def questions(tmp_path_factory, encoder_folder) -> Path:
    out = tmp_path_factory.mktemp("serve") / "answers"
    options = TrainOptions(device="cpu", steps=20, limit=200, noise=0.02, learning_rate=5e-3)
    train("vqa", ["world:vqa"], out, str(encoder_folder), "world:32x1", options)
    return out


@pytest.fixture(scope="module")
def voices(tmp_path_factory, encoder_folder) -> Path:
    out = tmp_path_factory.mktemp("serve") / "voices"
    options = TrainOptions(device="cpu", steps=2, limit=200, noise=0.02)
    train("style", ["world:style"], out, str(encoder_folder), "world:32x1", options)
    return out


@pytest.fixture(scope="module")
def answerer(run, questions, voices) -> Answerer:
    return Answerer([run, questions, voices], OPTIONS)


@pytest.fixture(scope="module")
def client(answerer):
    with TestClient(application(answerer, gallery(None, answerer), OPTIONS), "http://127.0.0.1") as client:
        yield client


def encoded(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


@pytest.fixture(scope="module")
def picture(album) -> Path:
    return album.parent / "003.png"


def test_a_picture_is_captioned_as_on_the_command_line(client, run, picture, imageless):
    (told,) = imageless("caption", run, picture, "--n-best", 3, "--device", "cpu", "--json").json["results"]
    said = client.post("/caption", json={"image": encoded(picture), "n_best": 3}).json()
    assert said["text"] == told["text"] and [each["text"] for each in said["nbest"]] == [
        a["text"] for a in told["nbest"]
    ]
    assert said["score"] == pytest.approx(told["score"], abs=1e-3) and said["milliseconds"] > 0


def test_a_sentence_goes_where_a_picture_goes(client, run, encoder):
    sentence = "a blue dog on a beach"
    vector = torch.nn.functional.normalize(encoder.texts([sentence]), dim=-1)
    ((answer,),) = Predictor(run, PredictOptions(device="cpu"), encoder).vectors(vector, [""])
    assert client.post("/caption", json={"text": sentence}).json()["text"] == answer.text


def test_each_run_is_asked_by_its_verb(client, voices):
    said = client.post("/ask", json={"text": "two red cars", "question": "how many cars?"})
    assert said.status_code == 200 and isinstance(said.json()["text"], str)
    known = client.get("/health").json()["runs"]
    assert {(run["verb"], run["task"]) for run in known} == {
        ("caption", "captioning"),
        ("ask", "vqa"),
        ("caption", "style"),
    }
    (names,) = (run["voices"] for run in known if run["task"] == "style")
    for style in names:
        assert client.post("/caption", json={"text": "two red cars", "style": style}).status_code == 200
    refused = client.post("/caption", json={"text": "two red cars", "style": "sour"})
    assert refused.status_code == 400 and refused.json()["error"].startswith("expected one of ")


def test_classes_are_told_by_the_encoder_alone(client, encoder):
    said = client.post("/classify", json={"text": "a red dog", "labels": ["horse", "dog"], "n_best": 2}).json()
    assert said["label"] == said["text"] and sum(said["probabilities"].values()) == pytest.approx(1, abs=1e-3)
    assert said["nbest"][0]["score"] >= said["nbest"][1]["score"]
    refused = client.post("/classify", json={"text": "a red dog", "labels": ["dog", "dog"]})
    assert refused.status_code == 400 and "two different names" in refused.json()["error"]


@pytest.mark.parametrize(
    ("verb", "asked", "code", "why"),
    [
        ("caption", {}, 422, "expected an image or a text, exactly one of them"),
        ("caption", {"text": "a dog", "image": "aGVsbG8="}, 422, "expected an image or a text, exactly one of them"),
        ("caption", {"image": "aGVsbG8="}, 400, "image: expected a picture, got bytes of no known format"),
        ("caption", {"image": "a"}, 422, "image: "),
        ("caption", {"text": " "}, 422, "text: "),
        ("caption", {"text": "a dog", "n_best": 0}, 422, "n_best: "),
        ("caption", {"text": "a dog", "colour": "red"}, 422, "colour: "),
        ("ask", {"text": "a dog"}, 422, "question: Field required"),
        (
            "entail",
            {"text": "a dog", "hypothesis": "a cat"},
            400,
            "expected a request this server has a run for (ask, caption)",
        ),
    ],
)
def test_what_cannot_be_answered_gets_one_line(client, verb, asked, code, why):
    refused = client.post(f"/{verb}", json=asked)
    assert refused.status_code == code and refused.json()["error"].startswith(why), refused.json()
    assert "\n" not in refused.json()["error"] and "/" not in refused.json()["error"]


def test_unknown_routes_and_methods_too(client):
    assert client.get("/nothing").json() == {"error": "Not Found"}
    assert client.put("/caption").status_code == 405
    assert client.get("/gallery/99/small").status_code == client.get("/gallery/0/huge").status_code == 404
    assert client.get("/", headers={"host": "elsewhere.example"}).status_code == 400


def test_too_large_a_request_is_refused_announced_or_not(client):
    much = b"x" * 200_000
    announced = client.post("/caption", content=much)
    streamed = client.post("/caption", content=iter([much[:50_000]] * 4))
    for refused in (announced, streamed):
        assert refused.status_code == 413 and "at most 100,000 bytes" in refused.json()["error"]
        assert "content-security-policy" in refused.headers


def test_the_page_is_small_and_nothing_comes_from_elsewhere(client):
    page = client.get("/")
    offered = client.get("/gallery").json()
    parts = [page, *(client.get(name) for name in ("page.css", "page.js", "health", "gallery"))]
    parts += [client.get(each["small"]) for each in offered["pictures"]]
    assert all(part.status_code == 200 for part in parts) and len(offered["pictures"]) == 12
    assert sum(len(part.content) for part in parts) < 100_000
    assert "http" not in page.text and "default-src 'none'" in page.headers["content-security-policy"]
    assert page.headers["x-content-type-options"] == "nosniff"


def test_the_schema_and_the_manual_name_every_verb(client):
    schema, manual = client.get("/openapi.json").json(), client.get("/docs").text
    for verb in ("caption", "ask", "entail", "news", "classify"):
        assert "503" in schema["paths"][f"/{verb}"]["post"]["responses"]
        assert f"POST /{verb}" in manual
    assert "hypothesis" in manual and "http://127.0.0.1/caption" in manual


def test_metrics_count_what_was_answered_and_what_was_not(client):
    def count(outcome: str) -> float:
        lines = client.get("/metrics").text.splitlines()
        name = f'imageless_requests_total{{outcome="{outcome}",verb="news"}} '
        return sum(float(line.removeprefix(name)) for line in lines if line.startswith(name))

    before = count("InputError")
    client.post("/news", json={"text": "a dog", "article": "Dogs."})
    assert count("InputError") == before + 1 and count("answered") == 0


def test_the_map_lies_across_the_gap(answerer, client):
    places = client.get("/gallery").json()["map"]
    across = {side: [x for x, _ in places[side]] for side in places}
    assert sum(across["pictures"]) / len(across["pictures"]) > 0 > sum(across["sentences"]) / len(across["sentences"])
    left, right = torch.randn(50, 8) - torch.eye(8)[0], torch.randn(40, 8) + torch.eye(8)[0]
    plane = Plane.of(left, right)
    assert torch.allclose(plane.axes @ plane.axes.T, torch.eye(2), atol=1e-5)
    middles = [plane.places(side.mean(0)[None])[0] for side in (left, right)]
    assert middles[0][0] == pytest.approx(-middles[1][0], abs=1e-3) and middles[0][1] == pytest.approx(
        middles[1][1], abs=1e-3
    )


def test_a_gallery_of_ones_own(answerer, album):
    own = gallery(str(album.parent), answerer)
    assert len(own.shown) == 12 and own.shown[0].caption is None and own.shown[0].small[:2] == b"\xff\xd8"


# Many at once.


class Slow:
    """Answers when it is let."""

    def __init__(self) -> None:
        self.go, self.batches = threading.Event(), list[int]()

    def __call__(self, batch):
        self.go.wait(20)
        self.batches.append(len(batch))
        if "bad" in batch:
            raise ValueError("bad")
        return [each.upper() for each in batch]


def test_who_comes_meanwhile_is_answered_together_and_one_cannot_spoil_it():
    slow = Slow()
    batcher = Batcher(slow, 8, 8)
    coming = [batcher.submit(word) for word in ("a", "bad", "b")]
    slow.go.set()
    assert [coming[0].result(20), coming[2].result(20)] == ["A", "B"]
    with pytest.raises(ValueError, match="bad"):
        coming[1].result(20)
    batcher.close()
    with pytest.raises(Full):
        batcher.submit("late")


def test_a_full_room_is_told_and_a_closed_one_empties():
    slow = Slow()
    batcher = Batcher(slow, 2, 3)
    first = batcher.submit("0")
    while len(batcher):  # until it is being answered
        pass
    coming = [batcher.submit(str(number)) for number in range(1, 4)]
    with pytest.raises(Full):
        batcher.submit("4")
    assert coming[0].cancel()
    slow.go.set()
    batcher.close()
    assert [each.result(0) for each in (first, *coming[1:])] == ["0", "2", "3"] and sum(slow.batches) == 3


def test_many_at_once_get_what_each_would_alone(answerer, client):
    sentences = [
        f"a {colour} dog {place}" for colour in ("red", "blue", "green") for place in ("in the snow", "on a beach")
    ]
    alone = [client.post("/caption", json={"text": sentence}).json() for sentence in sentences]
    asked, options = sentences * 4, ServeOptions(device="cpu", queue=64)
    with (
        TestClient(application(answerer, gallery(None, answerer), options), "http://127.0.0.1") as busy,
        ThreadPoolExecutor(16) as threads,
    ):
        together = list(threads.map(lambda sentence: busy.post("/caption", json={"text": sentence}).json(), asked))
    for said, told in zip(together, alone * 4, strict=True):
        assert said["text"] == told["text"] and said["score"] == pytest.approx(told["score"], abs=1e-3)


def test_too_many_and_too_slow_are_asked_to_come_back(run, monkeypatch):
    answerer = Answerer([run], OPTIONS)
    go = threading.Event()
    monkeypatch.setattr(Answerer, "__call__", lambda self, batch: go.wait(20))
    options = ServeOptions(device="cpu", queue=1, timeout=0.2, batch_size=1)
    with TestClient(application(answerer, gallery(None, answerer), options), "http://127.0.0.1") as client:
        with ThreadPoolExecutor(4) as threads:
            replies = list(threads.map(lambda _: client.post("/caption", json={"text": "a dog"}), range(4)))
        assert {reply.status_code for reply in replies} == {503}
        assert all(reply.headers["retry-after"] == "1" and "come back" in reply.json()["error"] for reply in replies)
        go.set()


# What it cannot be started with.


def test_one_run_a_task_and_one_encoder(run, questions, tmp_path, encoder_folder):
    with pytest.raises(InputError, match="expected one run a task"):
        Answerer([run, run], OPTIONS)
    from conftest import make_encoder

    other = make_encoder(tmp_path / "other", seed=1)
    train(
        "vqa", ["world:vqa"], tmp_path / "run", str(other), "world:32x1", TrainOptions(device="cpu", steps=1, limit=20)
    )
    with pytest.raises(InputError, match="this run was trained with"):
        Answerer([run, tmp_path / "run"], OPTIONS)


def test_a_port_in_use_is_told_at_once(imageless, run):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        said = imageless("serve", run, "--port", taken.getsockname()[1])
    assert "expected an address to listen at" in said.complaint and "--port" in said.complaint
    assert imageless("serve", run, "--port", -1).complaint.startswith("--port: expected at least 0")
    assert "expected a run folder" in imageless("serve").complaint


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_stopped(run, how):
    command = [sys.executable, "-m", "imageless", "serve", str(run), "--port", "0", "--device", "cpu", "--json"]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, **streams) as started:
        try:
            told = json.loads(started.stdout.readline())
            with urllib.request.urlopen(f"{told['address']}/health", timeout=20) as reply:
                assert json.load(reply)["status"] == "ok"
            started.send_signal(how)
            rest = started.communicate(timeout=30)
        finally:
            started.kill()
    assert rest == ("", "") and started.returncode in (0, -how)
