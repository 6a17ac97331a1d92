"""What people get wrong: one clear line and exit code 2, or handled and counted; nothing already made is lost."""

from __future__ import annotations

import errno
import io
import json
import os
import shutil
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
from PIL import Image
from safetensors import SafetensorError

from conftest import make_album, make_encoder
from imageless import folders, loop, vectors

CPU = ("--device", "cpu")
TINY = ("--lm", "world:32x1", "--steps", 4, "--batch-size", 8, "--noise", 0.1, *CPU)


def train(imageless, data: object, encoder: object, out: Path, *more: object):
    return imageless("train", "captioning", data, "--encoder", encoder, "--out", out, *TINY, *more)


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# Texts.


TEXTS = {
    "missing": (None, "expected a sentence a line in a file, got no such file; check the path"),
    "empty": (b"", "expected a sentence a line, got an empty file"),
    "blank": (b"\n  \n\n", "expected at least one record, got none"),
    "latin": ("ein Fuß\nein Hund\n".encode("latin-1"), "line 1: expected UTF-8, got byte 0xdf"),
    "utf-16": ("a dog\n".encode("utf-16"), "expected UTF-8"),
    "binary": (bytes(range(256)) * 10, "expected"),
    "a-million-letters": (b"a dog. " * 150_000, "line 1: expected a sentence a line, got over 10,000 characters"),
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_file_that_is_none(imageless, tmp_path, encoder_folder, name):
    content, words = TEXTS[name]
    path = tmp_path / f"{name}.txt"
    if content is not None:
        path.write_bytes(content)
    complaint = train(imageless, f"text:{path}", encoder_folder, tmp_path / "run").complaint
    assert words in complaint and str(path) in complaint
    assert {entry.name for entry in tmp_path.iterdir()} <= {path.name}  # nothing half-made is left


def test_after_a_mistake_the_right_command_just_works(imageless, tmp_path, sentences, encoder_folder):
    for data, encoder in (("text:nowhere.txt", encoder_folder), (f"text:{sentences}", "nowhere")):
        assert train(imageless, data, encoder, tmp_path / "run").complaint
    assert train(imageless, f"text:{sentences}", encoder_folder, tmp_path / "run").code == 0


def test_a_single_sentence_is_enough(imageless, tmp_path, encoder_folder):
    (tmp_path / "one.txt").write_text("a red dog")
    assert train(imageless, f"text:{tmp_path / 'one.txt'}", encoder_folder, tmp_path / "run").code == 0


def test_a_text_longer_than_the_encoder_reads_is_cut_and_said_so(imageless, tmp_path, encoder_folder):
    (tmp_path / "long.txt").write_text("a red dog\n" + "dog " * 200 + "\n")
    said = train(imageless, f"text:{tmp_path / 'long.txt'}", encoder_folder, tmp_path / "run")
    assert said.code == 0 and "1 of 2 texts are longer than" in said.err


def test_lonely_captions_in_the_multiple_setting(imageless, tmp_path, sentences, encoder_folder):
    out = tmp_path / "run"
    complaint = train(imageless, f"text:{sentences}", encoder_folder, out, "--setting", "multiple").complaint
    assert "several captions" in complaint and complaint.endswith("use --setting single")


def test_a_few_lonely_captions_are_left_out_and_counted(imageless, tmp_path, encoder_folder):
    scenes = [{"captions": ["a dog", "a red dog"]}] * 3 + [{"captions": ["alone"]}] * 2
    (tmp_path / "scenes.jsonl").write_text("\n".join(map(json.dumps, scenes)))
    said = train(imageless, f"jsonl:{tmp_path / 'scenes.jsonl'}", encoder_folder, tmp_path / "run")
    assert said.code == 0 and "2 scenes have a single caption" in said.err
    assert json.loads((tmp_path / "run/config.json").read_text())["examples"] == 6


# Names.


NAMES = {
    "unknown task": (
        ["train", "dreaming", "{text}", "--encoder", "{encoder}"],
        "unknown task 'dreaming'; there are: captioning",
    ),
    "unknown reader": (["train", "captioning", "txt:a.txt", "--encoder", "{encoder}"], "did you mean text?"),
    "bare path": (["train", "captioning", "{path}", "--encoder", "{encoder}"], "did you mean text:{path}?"),
    "unknown encoder": (
        ["train", "captioning", "{text}", "--encoder", "clap"],
        "expected an encoder, got 'clap'; there are: world",
    ),
    "no encoder folder": (
        ["train", "captioning", "{text}", "--encoder", "{tmp}"],
        "expected an encoder folder made by",
    ),
    "unknown size": (
        ["train", "captioning", "{text}", "--encoder", "{encoder}", "--lm", "world:30x1"],
        "such as world:128x2",
    ),
    "no language model": (
        ["train", "captioning", "{text}", "--encoder", "{encoder}", "--lm", "{tmp}"],
        "expected a language model at",
    ),
    "unknown split": (
        ["evaluate", "{run}", "{album}", "--split", "tset"],
        "expected split 'tset', got only test, train, val",
    ),
    "nothing to look at": (["evaluate", "{run}", "{text}?split=train"], "expected pictures with captions"),
    "no run": (["evaluate", "{tmp}", "{album}"], "expected a finished run (make one with `imageless train`)"),
    "one picture to shuffle": (
        ["evaluate", "{run}", "{album}", "--limit", "1", "--control", "shuffled"],
        "at least 2 pictures",
    ),
    "no table": (
        ["train", "captioning", "{text}", "--encoder", "{encoder}", "--vectors", "{tmp}"],
        "expected a complete vector table",
    ),
    "no pictures": (["embed", "{text}", "--encoder", "{encoder}", "--of", "image"], "expected pictures in text:"),
    "no pairs": (["pretrain", "{text}"], "expected pictures with captions in text:"),
    "nothing to lock": (["pretrain", "{album}", "--lock-image"], "expected a pretrained image network to lock"),
    "unknown side": (["embed", "{text}", "--encoder", "{encoder}", "--of", "sound"], 'Invalid value "sound" for --of'),
    "unknown flag": (["train", "captioning", "{text}", "--nose", "0.1"], "--nose"),
    "a word for a number": (["train", "captioning", "{text}", "--seed", "seven"], 'unable to convert "seven" into int'),
    "unknown verb": (["trian"], 'Unknown command "trian"'),
}


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_does_not_exist(imageless, tmp_path, sentences, album, encoder_folder, run, name):
    words, expected = NAMES[name]
    known = {"text": f"text:{sentences}", "path": str(sentences), "album": f"karpathy:{album}", "tmp": str(tmp_path)}
    known |= {"encoder": str(encoder_folder), "run": str(run)}
    told = [word.format(**known) for word in words]
    if told[0] != "trian":
        told += ["--out", str(tmp_path / "out"), *CPU]
    assert expected.format(**known) in imageless(*told).complaint
    assert list(tmp_path.iterdir()) == []


NUMBERS = {
    "train": "steps=0 steps=-3 batch-size=0 accumulate=0 prefix=0 save-every=0 epochs=0 warmup=-1 clip=0 limit=0"
    " learning-rate=-1 learning-rate=nan noise=-0.1 noise=inf weight-decay=-1 device=tpu accumulate=500",
    "pretrain": "dim=0 text-width=33 vocabulary=10 captions=0 word-dropout=1 temperature=0 batch-size=0 device=tpu",
    "embed": "batch-size=0 limit=-1 device=tpu",
    "caption": "beams=0 n-best=0 n-best=9 batch-size=0 device=tpu",
    "evaluate": "beams=0 n-best=9 batch-size=-1 limit=0 device=tpu",
}


@pytest.mark.parametrize(("verb", "wrong"), [(verb, wrong) for verb in NUMBERS for wrong in NUMBERS[verb].split()])
def test_a_number_that_makes_no_sense(imageless, tmp_path, sentences, album, encoder_folder, run, verb, wrong):
    """Refused before any work begins."""
    told = {
        "train": ["captioning", f"text:{sentences}", "--encoder", encoder_folder, "--lm", "world:32x1"],
        "pretrain": [f"karpathy:{album}"],
        "embed": [f"text:{sentences}", "--encoder", encoder_folder, "--of", "text"],
        "caption": [run, album.parent / "000.png"],
        "evaluate": [run, f"karpathy:{album}"],
    }[verb]
    if "noise" not in wrong and verb == "train":
        told += ["--noise", 0.1]
    if verb != "caption":
        told += ["--out", tmp_path / "out"]
    flag, _, value = wrong.partition("=")
    complaint = imageless(verb, *told, f"--{flag}={value}").complaint
    assert "expected" in complaint and value.lstrip("-") in complaint
    assert list(tmp_path.iterdir()) == []


def test_a_table_of_another_encoder(imageless, tmp_path, sentences, encoder_folder):
    other, table = make_encoder(tmp_path / "other", seed=3), tmp_path / "table"
    told = ["--encoder", other, "--of", "text", "--out", table, *CPU]
    assert imageless("embed", f"text:{sentences}", *told).code == 0
    complaint = train(imageless, f"text:{sentences}", encoder_folder, tmp_path / "run", "--vectors", table).complaint
    assert f"was made by {other}" in complaint and f"embed again with --encoder {encoder_folder}" in complaint


def test_a_table_of_other_texts(imageless, tmp_path, sentences, encoder_folder):
    (tmp_path / "other.txt").write_text("a purple elephant\n")
    told = ["--encoder", encoder_folder, "--of", "text", "--out", tmp_path / "table", *CPU]
    imageless("embed", f"text:{tmp_path / 'other.txt'}", *told)
    out, table = tmp_path / "run", tmp_path / "table"
    complaint = train(imageless, f"text:{sentences}", encoder_folder, out, "--vectors", table).complaint
    assert "60 of 60 texts are not in" in complaint and complaint.endswith("embed this data again")


def test_a_run_whose_encoder_has_changed(imageless, tmp_path, sentences, album):
    encoder = make_encoder(tmp_path / "encoder")
    assert train(imageless, f"text:{sentences}", encoder, tmp_path / "run").code == 0
    shutil.rmtree(encoder)
    picture = album.parent / "000.png"
    assert "expected an encoder, got" in imageless("caption", tmp_path / "run", picture, *CPU).complaint
    make_encoder(encoder, seed=1)
    complaint = imageless("caption", tmp_path / "run", picture, *CPU).complaint
    assert "this run was trained with" in complaint and "train again with the new one" in complaint


@pytest.mark.parametrize("file", ["config.json", "model.safetensors", "lm/tokenizer.json", "lm/config.json"])
@pytest.mark.parametrize("damage", ["missing", "cut", "empty", "nonsense"])
def test_a_damaged_run(imageless, tmp_path, album, run, file, damage):
    shutil.copytree(run, tmp_path / "run")
    hurt(tmp_path / "run" / file, damage)
    complaint = imageless("caption", tmp_path / "run", album.parent / "000.png", *CPU).complaint
    assert str(tmp_path / "run") in complaint


@pytest.mark.parametrize("file", ["config.json", "model.safetensors", "tokenizer.json"])
@pytest.mark.parametrize("damage", ["missing", "cut", "empty", "nonsense"])
def test_a_damaged_encoder(imageless, tmp_path, sentences, encoder_folder, file, damage):
    shutil.copytree(encoder_folder, tmp_path / "encoder")
    hurt(tmp_path / "encoder" / file, damage)
    complaint = train(imageless, f"text:{sentences}", tmp_path / "encoder", tmp_path / "run").complaint
    assert str(tmp_path / "encoder") in complaint


def hurt(file: Path, damage: str) -> None:
    content = file.read_bytes()
    file.unlink()
    if damage != "missing":
        file.write_bytes({"cut": content[: len(content) // 2], "empty": b"", "nonsense": b'{"a": [1, 2]}'}[damage])


# Pictures.


def saved(image: Image.Image, format: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def enormous() -> bytes:
    """A PNG that claims 60,000 x 60,000 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 99)) + chunk(b"IEND", b"")
    )


PHOTO = Image.linear_gradient("L").convert("RGB")
ROTATED = Image.Exif()
ROTATED[0x0112] = 6
BAD = {
    "empty.jpg": b"",
    "text.png": b"this is no picture",
    "cut.jpg": saved(PHOTO, "JPEG")[:300],
    "enormous.png": enormous(),
}
ODD = {
    "cmyk.jpg": saved(PHOTO.convert("CMYK"), "JPEG"),
    "sixteen.png": saved(Image.fromarray(np.arange(65536, dtype=np.uint16).reshape(256, 256)), "PNG"),
    "animated.gif": saved(PHOTO, "GIF", save_all=True, append_images=[Image.new("RGB", (256, 256), "red")]),
    "transparent.png": saved(PHOTO.convert("RGBA"), "PNG"),
    "palette.png": saved(PHOTO.convert("P"), "PNG", transparency=3),
    "rotated.jpg": saved(PHOTO, "JPEG", exif=ROTATED),
    "one.png": saved(Image.new("1", (1, 1)), "PNG"),
    "long.png": saved(Image.new("L", (3000, 1)), "PNG"),
}


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """A Karpathy file whose pictures are good, odd and bad."""
    path = make_album(tmp_path, 8)
    told = json.loads(path.read_text())
    for name, content in {**BAD, **ODD}.items():
        (tmp_path / name).write_bytes(content)
        told["images"] += [{**told["images"][3], "filename": name, "split": split} for split in ("test",)]
    path.write_text(json.dumps(told))
    return path


@pytest.mark.parametrize("name", BAD)
def test_a_bad_picture_alone(imageless, tmp_path, run, name):
    (tmp_path / name).write_bytes(BAD[name])
    complaint = imageless("caption", run, tmp_path / name, *CPU).complaint
    assert complaint.startswith(f"{tmp_path / name}: expected a picture, got ")


def test_a_picture_that_is_not_there(imageless, tmp_path, run):
    missing = tmp_path / "missing.png"
    assert imageless("caption", run, missing, *CPU).complaint.endswith("got no such file; check the path")
    assert "expected pictures, got no path" in imageless("caption", run, "-", *CPU).complaint
    assert "a folder with pictures" in imageless("caption", run, tmp_path, *CPU).complaint


def test_a_bad_picture_among_others_is_named_and_the_others_are_captioned(imageless, mixed, run):
    said = imageless("caption", run, mixed.parent, *CPU, "--json", "--batch-size", 3)
    results = {Path(result["image"]).name: result for result in said.json["results"]}
    assert len(results) == 8 + len(BAD) + len(ODD)
    for name, result in results.items():
        assert ("error" in result) == (name in BAD)
        assert isinstance(result["text"], str) != (name in BAD)
    assert f"{len(BAD)} of {len(results)} pictures could not be read" in said.err


def test_a_picture_turned_by_exif_is_captioned_as_a_person_sees_it(imageless, tmp_path, run):
    turned = Image.open(io.BytesIO(ODD["rotated.jpg"])).transpose(Image.Transpose.ROTATE_270)
    (tmp_path / "a.jpg").write_bytes(ODD["rotated.jpg"])
    (tmp_path / "b.png").write_bytes(saved(turned, "PNG"))
    one, other = imageless("caption", run, tmp_path, *CPU, "--json").json["results"]
    assert (one["text"], one["score"]) == (other["text"], other["score"])


def test_bad_pictures_are_counted_by_every_verb_that_looks(imageless, tmp_path, mixed, encoder_folder, run):
    data, out = f"karpathy:{mixed}", tmp_path / "out"
    table = imageless("embed", data, "--encoder", encoder_folder, "--of", "image", "--out", out / "t", *CPU, "--json")
    assert table.json["final"]["skipped"] == len(BAD) and table.json["rows"] == 8 + len(ODD)
    assert json.loads((out / "t/about.json").read_text())["skipped"].keys() == BAD.keys()
    scored = imageless("evaluate", run, data, "--out", out / "e", *CPU, "--json")
    assert scored.json["n"] == 2 + len(ODD) and scored.json["skipped"] == len(BAD)
    assert json.loads((out / "e/scores.json").read_text())["skipped"].keys() == BAD.keys()
    shape = ("--steps", 1, "--batch-size", 4, "--dim", 16, "--text-width", 32, "--text-layers", 1, "--split", "test")
    trained = imageless("pretrain", data, "--out", out / "p", *shape, *CPU)
    assert trained.code == 0 and f"{len(BAD)} of {2 + len(BAD) + len(ODD)} pictures could not be read" in trained.err


def test_a_name_that_is_no_utf_8_is_a_name_too(imageless, tmp_path, encoder_folder, run):
    good, bad = (
        os.fsdecode(os.fsencode(tmp_path / "photos") + ending) for ending in (b"/caf\xe9.png", b"/na\xefve.png")
    )
    (tmp_path / "photos").mkdir()
    Path(good).write_bytes(ODD["one.png"])
    Path(bad).write_bytes(b"")
    said = imageless("caption", run, tmp_path / "photos", *CPU, "--json")
    assert [result["image"] for result in said.json["results"]] == [good, bad]
    told = [f"images:{tmp_path / 'photos'}", "--encoder", encoder_folder, "--of", "image", "--out", tmp_path / "table"]
    assert imageless("embed", *told, *CPU, "--json").json["rows"] == 1
    table = vectors.VectorTable(tmp_path / "table")
    assert table.rows([os.path.basename(good)]).tolist() == [0]
    assert list(table.about.skipped) == [os.path.basename(bad)]


# Nothing already made is lost.


@pytest.mark.parametrize("verb", ["train", "embed", "evaluate", "pretrain"])
def test_what_is_made_already_is_left_alone(imageless, tmp_path, sentences, album, encoder_folder, run, verb):
    out = tmp_path / "out"
    shutil.copytree(run, out)
    before = snapshot(out)
    told = {
        "train": ["captioning", f"text:{sentences}", "--encoder", encoder_folder],
        "embed": [f"text:{sentences}", "--encoder", encoder_folder, "--of", "text"],
        "evaluate": [run, f"karpathy:{album}"],
        "pretrain": [f"karpathy:{album}"],
    }[verb]
    complaint = imageless(verb, *told, "--out", out, *CPU).complaint
    assert complaint == f"{out} exists already; choose another name or add --overwrite"
    assert snapshot(out) == before and [path.name for path in tmp_path.iterdir()] == ["out"]


def test_overwriting_is_for_what_imageless_made(imageless, tmp_path, sentences, encoder_folder):
    precious = tmp_path / "photos"
    precious.mkdir()
    (precious / "holiday.jpg").write_bytes(b"once in a lifetime")
    for out in (precious, precious / "holiday.jpg", Path("."), precious / ".."):
        complaint = train(imageless, f"text:{sentences}", encoder_folder, out, "--overwrite").complaint
        assert "choose" in complaint
    assert snapshot(tmp_path) == {"photos/holiday.jpg": b"once in a lifetime"}


def test_a_mistake_while_overwriting_costs_nothing(imageless, tmp_path, encoder_folder, run):
    out = tmp_path / "out"
    shutil.copytree(run, out)
    before = snapshot(out)
    assert train(imageless, "text:nowhere.txt", encoder_folder, out, "--overwrite").complaint
    assert snapshot(out) == before


def test_a_place_that_cannot_be_written(imageless, tmp_path, sentences, encoder_folder):
    (tmp_path / "file").write_text("in the way")
    for out in (tmp_path / "file/run", Path("/proc/imageless/run"), tmp_path / ("long" * 80)):
        complaint = train(imageless, f"text:{sentences}", encoder_folder, out).complaint
        assert "expected a folder" in complaint and "choose another" in complaint


# A full disk.


def full(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def numpys_full(*_: object, **__: object) -> None:
    raise OSError("2000000 requested and 1048512 written")


def safetensors_full(*_: object, **__: object) -> None:
    raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")


DISKS = {
    "a table": (vectors.np, "save", numpys_full),
    "about a table": (folders.os, "fsync", full),
    "a checkpoint": (loop, "save_file", safetensors_full),
    "the log": (loop._Log, "write", full),
    "the run": (safetensors.torch, "save_file", safetensors_full),
}


@pytest.mark.parametrize("moment", DISKS)
def test_a_full_disk_is_one_line_and_what_was_made_stays(
    imageless, tmp_path, sentences, encoder_folder, run, monkeypatch, own_cache, moment
):
    """Errors as numpy, safetensors and the system word them; seen on a file system of two megabytes."""
    out, owner = tmp_path / "run", DISKS[moment]
    shutil.copytree(run, out)
    before = snapshot(out)
    with monkeypatch.context() as patch:
        patch.setattr(*owner)
        said = train(imageless, f"text:{sentences}", encoder_folder, out, "--save-every", 2, "--overwrite")
        assert said.complaint.startswith("the disk is full, ") and "free some space" in said.complaint
    assert snapshot(out) == before
    again = train(imageless, f"text:{sentences}", encoder_folder, out, "--save-every", 2, "--overwrite", "--resume")
    assert again.code == 0 and snapshot(out) != before
