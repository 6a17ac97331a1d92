"""Readers: whatever the source, the same records; whatever the mistake, one line that names its place."""

from __future__ import annotations

import csv as table
import importlib.util
import io
import json
import logging
import os
import pickle
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from PIL import Image

from conftest import read, refusal
from imageless import data, pictures
from imageless.data import patterns
from imageless.data.splits import canonical, named_in
from imageless.errors import InputError
from imageless.records import Record

REAL = Path(__file__).parents[1].parent / "shared/data"
real = pytest.mark.skipif(not (REAL / "flickr8k").is_dir(), reason="the real photos are not beside the checkout")

SCENES = [
    {"image": "dog.png", "split": "train", "captions": ["A dog runs .", "Run, dog!"]},
    {"image": "cat.png", "split": "train", "captions": ["A cat sleeps .", "Zzz"]},
    {"image": "owl.png", "split": "val", "captions": ["An owl – awake .", "Hoo"]},
]
CAPTIONS = [tuple(scene["captions"]) for scene in SCENES]


def png() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (4, 3), (255, 0, 0)).save(file, "PNG")
    return file.getvalue()


def write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def write_tar(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, content in members.items():
            about = tarfile.TarInfo(name)
            about.size = len(content)
            tar.addfile(about, io.BytesIO(content))
    return path


def write_karpathy(folder: Path, filepath: str | None = None) -> Path:
    images = [
        {
            **({"filepath": filepath} if filepath else {}),
            "filename": scene["image"],
            "imgid": number,
            "split": scene["split"],
            "sentids": [number],
            "sentences": [{"raw": raw, "tokens": raw.split(), "sentid": 0} for raw in scene["captions"]],
        }
        for number, scene in enumerate(SCENES)
    ]
    return write(folder / "dataset_tiny.json", json.dumps({"images": images, "dataset": "tiny"}))


def write_photos(folder: Path) -> None:
    for scene in SCENES:
        write(folder / scene["image"], png())


# --- one scene, many sources


def as_jsonl(folder: Path) -> str:
    write_photos(folder)
    return f"jsonl:{write(folder / 'scenes.jsonl', ''.join(json.dumps(scene) + chr(10) for scene in SCENES))}"


def as_csv(folder: Path) -> str:
    write_photos(folder)
    with open(folder / "scenes.csv", "w", encoding="utf-8", newline="") as file:
        writer = table.writer(file)
        writer.writerow(["image", "split", "caption"])
        writer.writerows([scene["image"], scene["split"], raw] for scene in SCENES for raw in scene["captions"])
    return f"csv:{folder / 'scenes.csv'}"


def as_karpathy(folder: Path) -> str:
    write_photos(folder)
    return f"karpathy:{write_karpathy(folder)}"


def as_karpathy_with_tars(folder: Path) -> str:
    write_tar(folder / "any.tar", {f"somewhere/{scene['image']}": png() for scene in SCENES})
    return f"karpathy:{write_karpathy(folder, 'train2014')}"


def as_webdataset(folder: Path) -> str:
    for split in ("train", "val"):
        members = {}
        for scene in SCENES:
            if scene["split"] == split:
                stem = scene["image"].removesuffix(".png")
                members |= {f"{stem}.png": png(), f"{stem}.json": json.dumps(scene).encode()}
        write_tar(folder / f"tiny-{split}-000.tar", members)
    return f"webdataset:{folder}"


def as_webdataset_with_splits_inside(folder: Path) -> str:
    members = {}
    for scene in SCENES:
        stem = scene["image"].removesuffix(".png")
        members |= {f"{stem}.json": json.dumps(scene).encode(), f"{stem}.png": png()}
    return f"webdataset:{write_tar(folder / 'shard.tar', members)}"


def as_parquet_folder(folder: Path) -> str:
    datasets = pytest.importorskip("datasets")
    features = datasets.Features({"image": datasets.Image(), "captions": datasets.List(datasets.Value("string"))})
    for split, name in (("train", "train"), ("val", "validation")):
        rows = [scene for scene in SCENES if scene["split"] == split]
        columns = {
            "image": [{"bytes": png(), "path": scene["image"]} for scene in rows],
            "captions": [scene["captions"] for scene in rows],
        }
        (folder / "parquet").mkdir(exist_ok=True)
        datasets.Dataset.from_dict(columns, features=features).to_parquet(folder / "parquet" / f"{name}-0.parquet")
    return f"hf:{folder / 'parquet'}"


SOURCES = (
    as_jsonl,
    as_csv,
    as_karpathy,
    as_karpathy_with_tars,
    as_webdataset,
    as_webdataset_with_splits_inside,
    as_parquet_folder,
)


@pytest.fixture(autouse=True)
def tables_of_the_library_stay_in_the_test(tmp_path_factory, monkeypatch):
    if importlib.util.find_spec("datasets"):
        import datasets

        monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path_factory.mktemp("cache"))
        monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)


@pytest.mark.parametrize("source", SOURCES)
def test_every_source_tells_the_same_scenes(tmp_path, source):
    """Captions, their order and the splits are those of the file; each picture opens, also in another process."""
    spec = source(tmp_path)
    assert [record.captions for record in read(spec)] == CAPTIONS
    assert [record.captions for record in read(spec, split="train")] == CAPTIONS[:2]
    assert [record.captions for record in read(spec, split="validation")] == CAPTIONS[2:]
    assert [record.captions for record in read(spec, limit=1)] == CAPTIONS[:1]
    records = read(spec)
    assert len({record.key for record in records}) == len({record.image.name for record in records}) == 3
    for record in records:
        image = pickle.loads(pickle.dumps(record.image))
        assert image.stamp == record.image.stamp
        assert pictures.load(image).getpixel((0, 0)) == (255, 0, 0)


@pytest.mark.parametrize("source", SOURCES)
def test_a_split_that_is_not_there_is_a_mistake(tmp_path, source):
    message = refusal(source(tmp_path), split="test")
    assert "split 'test'" in message and "train" in message


@pytest.mark.parametrize("source", SOURCES)
def test_reading_opens_no_picture(tmp_path, monkeypatch, source):
    spec = source(tmp_path)
    monkeypatch.setattr(Image, "open", lambda *given, **options: pytest.fail("a picture was opened"))
    assert len(read(spec)) == 3


# --- the word DATA


def test_readers_load_nothing_before_they_are_asked():
    code = "import sys, imageless.data; assert not {'torch', 'datasets', 'PIL', 'numpy', 'pyarrow'} & set(sys.modules)"
    source = Path(data.__file__).parents[2]
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONPATH": str(source)})


@pytest.mark.parametrize(
    ("name", "reader"),
    [("a.txt", "text"), ("a.jsonl", "jsonl"), ("a.tsv", "csv"), ("a.tar", "webdataset"), ("a.png", "images")],
)
def test_a_bare_path_gets_its_reader_named(tmp_path, name, reader):
    path = write(tmp_path / name, "x")
    assert refusal(str(path)).endswith(f"did you mean {reader}:{path}?")


def test_a_bare_folder_gets_its_reader_named(tmp_path):
    assert f"images:{tmp_path}?" in refusal(str(tmp_path))
    write(tmp_path / "train-0.parquet", "x")
    assert f"hf:{tmp_path}?" in refusal(str(tmp_path))


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("txt:a", "did you mean text?"),
        ("wrld", "did you mean world?"),
        ("nothing:a", "there are: world, text, jsonl"),
        ("text:", "expected text:PATH"),
        ("karpathy", "expected karpathy:PATH"),
        ("text:a.txt?colour=red", "expected options among split"),
        ("text:gone.txt", "no such file"),
        ("jsonl:gone.jsonl", "no such file"),
        ("csv:gone.csv", "no such file"),
        ("karpathy:gone.json", "no such file"),
        ("images:gone", "no such file"),
        ("webdataset:gone-{00..11}.tar", "gone-00.tar: expected webdataset tars, got no such file"),
        ("webdataset:gone-{}.tar", "in braces"),
        ("hf:gone/from/here", "check the path"),
    ],
)
def test_a_mistake_in_the_word_is_one_line(spec, words):
    assert words in refusal(spec)


@pytest.mark.parametrize("limit", [0, -3])
def test_a_limit_below_one_is_refused(tmp_path, limit):
    assert "at least 1" in refusal(f"text:{write(tmp_path / 'a.txt', 'one')}", limit=limit)


def test_mistakes_come_before_work(tmp_path):
    """`read` itself raises, not the first step through what it returns."""
    with pytest.raises(InputError):
        data.read(f"jsonl:{write(tmp_path / 'a.jsonl', '{')}")


def test_one_data_may_carry_its_own_split(tmp_path):
    assert [record.captions for record in read(as_jsonl(tmp_path) + "?split=val", split="train")] == CAPTIONS[2:]


def test_one_side_of_the_data_may_be_asked_for():
    (words,), (shown,) = (read(f"world:captions?only={side}", split="val", limit=1) for side in ("text", "image"))
    assert (len(words.captions), words.image) == (5, None)
    assert shown.captions == () and shown.image is not None
    assert "expected ?only=text or ?only=image, got 'both'" in refusal("world:captions?only=both")


def test_the_world_is_a_reader_like_any_other():
    assert len(read("world", split="val", limit=3)) == 3


def test_patterns_count_in_braces_and_keep_zeros(tmp_path):
    for number in (8, 9, 10):
        write(tmp_path / f"s-{number:03d}.tar", "x")
    every = [str(tmp_path / f"s-{number}.tar") for number in ("008", "009", "010")]
    for pattern in ("s-{008..010}.tar", "s-0??.tar", "s-{008,009,010}.tar", "s-*.tar", ""):
        assert patterns.expand(str(tmp_path / pattern), "tars") == every


def test_splits_go_by_one_name():
    assert [canonical(name) for name in ("Train", "validation", "dev", "restval")] == ["train", "val", "val", "restval"]
    assert [named_in(name) for name in ("a/flickr8k-val-000.tar", "train_3.tar", "trainer.tar", "test/x.tar")] == [
        "val",
        "train",
        None,
        None,
    ]


# --- text


def test_a_sentence_a_line(tmp_path):
    file = write(tmp_path / "a.txt", "\ufeffone dog\r\n\n  two – dogs \n")
    assert read(f"text:{file}") == [Record("line-000001", ("one dog",)), Record("line-000003", ("two – dogs",))]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"fine\ncaf\xe9\n", "line 2: expected UTF-8, got byte 0xe9 at character 4; convert it: iconv -f LATIN1"),
        (
            "sentence".encode("utf-16"),
            "line 1: expected UTF-8, got byte 0xff at character 1; convert it: iconv -f UTF-16",
        ),
        (b"fine\n\nno\0no\n", "line 3: expected text, got a NUL byte"),
        (b"fine\n" + b"word " * 2001, "line 2: expected a sentence a line, got over 10,000 characters"),
        (b"", "empty file"),
        (b"\n \n\t\n", "expected at least one record, got none"),
    ],
)
def test_a_bad_line_is_named(tmp_path, content, words):
    assert words in refusal(f"text:{write(tmp_path / 'a.txt', content)}")


def test_a_line_of_the_full_length_is_a_sentence(tmp_path):
    assert len(read(f"text:{write(tmp_path / 'a.txt', 'x' * 10_000 + chr(10) + 'y')}")) == 2


def test_a_text_file_is_all_train(tmp_path):
    file = write(tmp_path / "a.txt", "one")
    assert read(f"text:{file}", split="train") == read(f"text:{file}")
    assert "has no splits, got 'test'" in refusal(f"text:{file}", split="test")


def test_a_folder_is_no_text(tmp_path):
    assert "got a folder" in refusal(f"text:{tmp_path}")


# --- jsonl


@pytest.mark.parametrize(
    "row", [{"caption": "a dog"}, {"text": "a dog"}, {"captions": ["a dog", " "]}, {"TEXT": "a dog"}]
)
def test_a_caption_goes_by_its_usual_names(tmp_path, row):
    assert read(f"jsonl:{write(tmp_path / 'a.jsonl', json.dumps(row))}") == [Record("line-000001", ("a dog",))]


def test_other_keys_become_fields_and_may_be_renamed(tmp_path):
    row = {"id": 7, "premise": "a dog", "sentence2": "an animal", "gold": "entailment", "score": 0.5}
    file = write(tmp_path / "a.jsonl", json.dumps(row))
    record = Record("7", ("a dog",), None, {"hypothesis": "an animal", "label": "entailment", "score": 0.5})
    assert read(f"jsonl:{file}?caption=premise&hypothesis=sentence2&label=gold") == [record]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"caption": "a"', "expected JSON, got broken JSON (Expecting ',' delimiter at character 16)"),
        ("[" * 100_000, "too many brackets"),
        ('["a"]', "expected a JSON object"),
        ('{"captoin": "a"}', "expected a caption or an image, got captoin"),
        ('{"caption": 3}', "expected a caption or a list of captions, got '3'"),
        ('{"captions": ["a", null]}', "expected a caption or a list of captions"),
        ('{"caption": "half \\ud83d"}', "half a character"),
        ('{"caption": "no\\u0000no"}', "a NUL character"),
        ('{"caption": "a", "image": {"bytes": ""}}', "expected a picture's file name"),
        ('{"caption": "caf\udce9"}', "expected UTF-8"),
    ],
)
def test_a_bad_object_names_its_line(tmp_path, line, words):
    content = b'{"caption": "fine"}\n\n' + line.encode(errors="surrogateescape")
    message = refusal(f"jsonl:{write(tmp_path / 'a.jsonl', content)}")
    assert "a.jsonl, line 3: " in message and words in message


def test_rows_that_say_nothing_are_counted_once(tmp_path, caplog):
    file = write(tmp_path / "a.jsonl", '{"caption": "a"}\n{"caption": " "}\n{"caption": null}\n')
    assert len(read(f"jsonl:{file}")) == 1
    assert [record.message for record in caplog.records] == [
        f"jsonl:{file}: 2 rows with neither a caption nor a picture were skipped"
    ]


# --- where pictures lie


@pytest.mark.parametrize(
    "name", ["../secret.png", "a/../../secret.png", "/etc/secret.png", "..", "a/\0/../../../b.png"]
)
def test_a_name_that_leaves_the_folder_is_refused(tmp_path, name):
    write(tmp_path / "secret.png", png())
    write(tmp_path / "photos" / "dog.png", png())
    file = write(tmp_path / "scenes" / "a.jsonl", json.dumps({"image": name, "caption": "a"}))
    assert "got one that leaves it" in refusal(f"jsonl:{file}", images=str(tmp_path / "photos"))
    assert "got one that leaves it" in refusal(f"jsonl:{file}")


def test_a_name_that_comes_back_is_fine(tmp_path):
    write(tmp_path / "dog.png", png())
    write(tmp_path / "a" / "x", "")
    file = write(tmp_path / "a.jsonl", json.dumps({"image": "a/../dog.png", "caption": "a"}))
    assert read(f"jsonl:{file}")[0].image is not None


def test_pictures_may_lie_in_a_folder_or_in_tars_elsewhere(tmp_path):
    spec = f"karpathy:{write_karpathy(tmp_path / 'notes', 'val2014')}"
    write_photos(tmp_path / "photos" / "val2014")
    (tmp_path / "tars").mkdir()
    tar = write_tar(tmp_path / "tars" / "x.tar", {f"val2014/{scene['image']}": png() for scene in SCENES})
    for images in (tmp_path / "photos", tmp_path / "photos" / "val2014", tar, tar.parent, f"{tar.parent}/*.tar"):
        records = read(spec, images=str(images))
        assert [pictures.load(record.image).size for record in records] == [(4, 3)] * 3


def test_a_file_name_that_two_pictures_share_is_neither(tmp_path):
    """Better no picture than a wrong one."""
    write_tar(tmp_path / "x.tar", {"a/dog.png": png(), "b/dog.png": png(), "a/cat.png": png()})
    records = read(f"karpathy:{write_karpathy(tmp_path)}")
    assert [record.image is None for record in records] == [True, False, True]


def test_without_pictures_the_captions_remain(tmp_path, caplog):
    """Learning from text alone is the point: nothing to tell."""
    caplog.set_level(logging.INFO)
    records = read(f"karpathy:{write_karpathy(tmp_path)}")
    assert [record.captions for record in records] == CAPTIONS and not any(record.image for record in records)
    assert caplog.records == []


def test_some_missing_pictures_are_counted_once(tmp_path, caplog):
    write(tmp_path / "dog.png", png())
    read(f"karpathy:{write_karpathy(tmp_path)}")
    assert [record.message for record in caplog.records] == ["2 of 3 pictures not found (first: 'cat.png')"]


def test_the_wrong_folder_of_pictures_is_a_mistake(tmp_path):
    (tmp_path / "other").mkdir()
    message = refusal(f"karpathy:{write_karpathy(tmp_path)}", images=str(tmp_path / "other"))
    assert "got none of 3 (first: 'dog.png')" in message
    assert "no such file" in refusal(f"karpathy:{write_karpathy(tmp_path)}", images=str(tmp_path / "gone"))


# --- csv


@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|"])
def test_the_header_tells_what_separates(tmp_path, delimiter):
    text = f'filename{delimiter}sentence\ndog.png{delimiter}"a {delimiter} in quotes, and ""more"""\n\n'
    (record,) = read(f"csv:{write(tmp_path / 'a.csv', text)}")
    assert record.captions == (f'a {delimiter} in quotes, and "more"',)
    assert record.fields == {"image": "dog.png"}


def test_a_tsv_is_separated_by_tabs_whatever_its_header_holds(tmp_path):
    file = write(tmp_path / "a.tsv", "caption\tone, two, three\na, b\tc\n")
    assert read(f"csv:{file}")[0].captions == ("a, b",)


def test_rows_of_one_picture_are_one_record_when_they_follow_each_other(tmp_path):
    rows = "image,caption\na.jpg,one\na.jpg,two\nb.jpg,three\na.jpg,four\n"
    records = read(f"csv:{write(tmp_path / 'a.csv', rows)}")
    assert [record.captions for record in records] == [("one", "two"), ("three",), ("four",)]
    assert [record.key for record in records] == ["line-000002", "line-000004", "line-000005"]


def test_rows_without_a_picture_stay_apart(tmp_path):
    assert len(read(f"csv:{write(tmp_path / 'a.csv', chr(10).join(['caption', 'one', 'one']))}")) == 2


def test_columns_may_be_named(tmp_path):
    file = write(tmp_path / "a.csv", "Satz,Bild\nein Hund,dog.png\n")
    assert read(f"csv:{file}?caption=Satz&image=Bild")[0].captions == ("ein Hund",)
    assert "expected a caption or an image, got Satz, Bild" in refusal(f"csv:{file}")
    assert "expected a column 'Wort', got Satz, Bild" in refusal(f"csv:{file}?caption=Wort")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("image,caption\na,b\n\nc,d, e\n", "line 4: expected 2 cells (image, caption), got 3"),
        ('image,caption\na,b\nc,"d\ne\n', "line 3: expected a table row, got unexpected end of data"),
        ("caption,caption\na,b\n", "line 1: expected a header of different names"),
        ("\n\n", "line 1: expected a header"),
        ("\ufeff", "line 1: expected a header"),
        ("caption\n", "expected at least one record"),
    ],
)
def test_a_bad_row_names_its_line(tmp_path, content, words):
    assert words in refusal(f"csv:{write(tmp_path / 'a.csv', content)}")


# --- karpathy


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "broken JSON"),
        (b"\xff\xfe\0", "broken JSON"),
        ("[]", "expected Karpathy's JSON with `images`"),
        ('{"images": [], "annotations": []}', "got images, annotations; use dataset_coco.json"),
        ('{"images": []}', "expected at least one record"),
        ('{"images": [{"split": "train"}]}', "image 0: expected an object with a filename"),
        ('{"images": [{"filename": "a", "sentences": [{}]}]}', "image 0: expected a caption"),
    ],
)
def test_a_file_that_is_not_karpathys_is_refused(tmp_path, content, words):
    assert words in refusal(f"karpathy:{write(tmp_path / 'a.json', content)}")


# --- images


def test_a_folder_of_pictures_is_called_by_the_names_below_it(tmp_path):
    write_photos(tmp_path / "photos" / "deep")
    records = read(f"images:{tmp_path / 'photos'}")
    assert [record.key for record in records] == ["deep/cat.png", "deep/dog.png", "deep/owl.png"]
    assert all(record.key == record.image.name and not record.captions for record in records)
    assert "has no splits" in refusal(f"images:{tmp_path / 'photos'}", split="val")


# --- webdataset


def test_shards_of_text_files_are_read_too(tmp_path):
    members = {"a/1.jpg": png(), "a/1.txt": b"one", "a/2.caption": b"two", "a/2.seg.png": png(), "a/3.cls": b"0"}
    records = read(f"webdataset:{write_tar(tmp_path / 'x.tar', members)}")
    assert [(record.key, record.captions, record.image is None) for record in records] == [
        ("a/1", ("one",), False),
        ("a/2", ("two",), True),
    ]


@pytest.mark.parametrize(
    ("member", "content", "words"),
    [("a.json", b"{", "broken JSON"), ("a.json", b"[]", "a JSON object"), ("a.txt", b"\xff", "expected UTF-8")],
)
def test_a_bad_sample_is_named(tmp_path, member, content, words):
    message = refusal(f"webdataset:{write_tar(tmp_path / 'x.tar', {member: content})}")
    assert f"x.tar, {member}: " in message and words in message


def test_a_broken_shard_is_refused(tmp_path):
    tar = write_tar(tmp_path / "x.tar", {f"{number}.txt": b"word" for number in range(9)})
    write(tar, tar.read_bytes()[:1800])
    assert "expected a complete, uncompressed tar" in refusal(f"webdataset:{tar}")


# --- hf


def parquet(path: Path, columns: dict) -> Path:
    pytest.importorskip("datasets")
    import pyarrow
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.table(columns), path)
    return path


def test_a_parquet_file_made_without_the_library(tmp_path):
    """Pictures as bytes, or as names of files; captions as a string."""
    spec = f"hf:{parquet(tmp_path / 'a.parquet', {'image': [png()] * 2, 'text': ['one', 'two']})}"
    records = read(spec)
    assert [record.captions for record in records] == [("one",), ("two",)]
    assert pictures.load(records[1].image).size == (4, 3)
    write_photos(tmp_path)
    names = parquet(tmp_path / "b.parquet", {"file_name": ["dog.png", "cat.png"], "Satz": ["eins", "zwei"]})
    records = read(f"hf:{names}?caption=Satz")
    assert [(record.captions[0], record.image.name) for record in records] == [("eins", "dog.png"), ("zwei", "cat.png")]


def test_rows_without_words_are_counted_once(tmp_path, caplog):
    assert len(read(f"hf:{parquet(tmp_path / 'a.parquet', {'text': ['one', ' ', None]})}")) == 1
    assert "2 rows with neither a caption nor a picture were skipped" in caplog.text


def test_an_empty_cell_is_no_picture(tmp_path):
    (record, _) = read(f"hf:{parquet(tmp_path / 'a.parquet', {'image': [None, png()]})}")
    with pytest.raises(InputError, match="an empty cell"):
        pictures.load(record.image)


def test_a_saved_data_set_and_a_folder_of_pictures_are_read(tmp_path):
    datasets = pytest.importorskip("datasets")
    datasets.Dataset.from_dict({"caption": ["one"], "label": [1]}).save_to_disk(tmp_path / "saved")
    assert read(f"hf:{tmp_path / 'saved'}") == [Record("train-0000000", ("one",), None, {"label": 1})]
    write_photos(tmp_path / "photos" / "train" / "animals")
    assert [pictures.load(record.image).size for record in read(f"hf:{tmp_path / 'photos'}")] == [(4, 3)] * 3


def test_a_table_without_words_or_pictures_is_a_mistake(tmp_path):
    assert "got score, Satz; say which column" in refusal(
        f"hf:{parquet(tmp_path / 'a.parquet', {'score': [1], 'Satz': ['eins']})}"
    )


def test_a_broken_parquet_is_one_line_and_the_library_keeps_quiet(tmp_path, capfd):
    pytest.importorskip("datasets")
    assert "expected a data set" in refusal(f"hf:{write(tmp_path / 'a.parquet', b'PAR1 and no more')}")
    assert capfd.readouterr().err == ""


def test_without_the_library_its_install_line_is_shown(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "datasets", None)
    assert "pip install 'imageless[data]'" in refusal(f"hf:{tmp_path}")


# --- real files


@real
@pytest.mark.parametrize(("reader", "name"), [("karpathy", "dataset_flickr8k.json"), ("webdataset", "")])
def test_flickr8k_has_its_photos(reader, name):
    spec = f"{reader}:{REAL / 'flickr8k' / name}"
    train, val = read(spec, split="train"), read(spec, split="val")
    assert (len(train), len(val)) == (5_996, 1_000)
    assert all(len(record.captions) == 5 and record.image is not None for record in train + val)
    assert {pictures.load(record.image).size for record in train[::500] + val[::250]} == {(224, 224)}


@real
def test_real_tables_fit():
    assert sum(len(record.captions) for record in read(f"jsonl:{REAL}/text/coco_karpathy_test_val.jsonl")) == 50_020
    assert len(read(f"jsonl:{REAL}/text/flickr30k_karpathy_test_val.jsonl", split="test")) == 934
    assert len(read(f"text:{REAL}/text/styles/funny.txt")) == 7_000
    pairs = read(f"jsonl:{REAL}/entailment/flickr8k_ve_val.jsonl?caption=sentence1&label=gold_label")
    assert {record.fields["label"] for record in pairs} == {"entailment", "contradiction"}


@real
def test_cifar10_has_labels_by_name():
    pytest.importorskip("datasets")
    records = read(f"hf:{REAL}/cifar10", split="test")
    assert len(records) == 1_000 and len({record.fields["label"] for record in records}) == 10
    assert pictures.load(records[-1].image).size == (32, 32)
