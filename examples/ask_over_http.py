"""A server of one's own, asked from Python: a picture, then a sentence in its place. Needs the extra `serve`."""

import base64
import json
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

from imageless import read, train
from imageless.options import TrainOptions

folder = Path(tempfile.mkdtemp())
options = TrainOptions(setting="single", noise=0.04, steps=200, batch_size=48, limit=6_000)
train("captioning", ["world"], folder / "run", "world", "world", options)
scene = next(read("world", "test", limit=1)).image
assert scene is not None
scene.open().save(folder / "scene.png")

command = [sys.executable, "-m", "imageless", "serve", str(folder / "run"), "--port", "0", "--json"]
with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
    assert server.stdout is not None
    address = json.loads(server.stdout.readline())["address"]
    for seen in (
        {"image": base64.b64encode((folder / "scene.png").read_bytes()).decode()},
        {"text": "two dogs in the snow"},
    ):
        request = urllib.request.Request(
            f"{address}/caption", json.dumps(seen | {"n_best": 2}).encode(), {"content-type": "application/json"}
        )
        with urllib.request.urlopen(request) as reply:
            said = json.load(reply)
        print(f"from its {next(iter(seen))}: " + " | ".join(answer["text"] for answer in said["nbest"]))
    server.terminate()
