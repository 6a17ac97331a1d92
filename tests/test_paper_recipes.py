"""The paper's tables run as published: on hand-made files in exactly the released formats, with a tiny encoder and model."""

from __future__ import annotations

import json
import shutil
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from conftest import sentence
from imageless.analysis import reproduce as made
from imageless.errors import InputError
from imageless.models import causal

READERS = Path(__file__).parent / "data/readers"


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory, album: Path) -> Path:
    """A folder with every data set of the table, a few entries each."""
    folder = tmp_path_factory.mktemp("released")
    for name in ("snli", "snlive", "vqa2", "vqae", "visualnews"):
        shutil.copytree(READERS / name, folder / name)
    coco = folder / "coco"
    shutil.copytree(album.parent, coco)
    told = json.loads((coco / "dataset.json").read_text())
    for number, image in enumerate(told["images"]):
        if image["split"] == "train" and number % 3:
            image["split"] = "restval"
    (coco / "dataset.json").unlink()
    (coco / "dataset_coco.json").write_text(json.dumps(told))
    (folder / "cc3m").mkdir()
    with tarfile.open(folder / "cc3m/00000.tar", "w") as shard:
        for number, picture in enumerate(sorted(album.parent.glob("*.png"))):
            shard.add(picture, f"{number:09d}.png")
            caption = tmp_path_factory.mktemp("caption") / "caption.txt"
            caption.write_text(sentence(number))
            shard.add(caption, f"{number:09d}.txt")
    for part in ("train2014", "val2014"):
        (coco / part).mkdir(exist_ok=True)
    asked = [json.loads(file.read_text()) for file in (folder / "vqa2").glob("*questions.json")]
    numbers = {question["image_id"] for entry in asked for question in entry["questions"]}
    numbers |= {entry["img_id"] for file in (folder / "vqae").glob("*.json") for entry in json.loads(file.read_text())}
    photographs = folder / "flickr30k_images"
    photographs.mkdir()
    pairs = [json.loads(line) for file in (folder / "snlive").glob("*.jsonl") for line in file.read_text().splitlines()]
    places = [coco / part / f"COCO_{part}_{number:012d}.jpg" for number in numbers for part in ("train2014", "val2014")]
    places += [photographs / f"{pair['Flickr30K_ID']}.jpg" for pair in pairs]
    places += [
        folder / "visualnews/origin" / entry["image_path"]
        for entry in json.loads((folder / "visualnews/origin/data.json").read_text())
    ]
    for number, place in enumerate(places):
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 30), (number * 40 % 256, 90, number * 90 % 256)).save(place)
    for split in ("train", "val", "test"):  # the divided release would leave a handful in one part
        shutil.copy(folder / "visualnews/origin/data.json", folder / f"visualnews/origin/{split}_data.json")
    return folder


@pytest.mark.slow
def test_the_papers_first_table_runs_on_files_in_the_released_formats(released, encoder_folder, tmp_path):
    tiny = {"encoder": str(encoder_folder), "news_encoder": str(encoder_folder), "lm": "world:32x1"}
    result = made.reproduce("close-table-1", "paper", tmp_path / "table", data=released, names=tiny)
    recipe = made.read("close-table-1", "paper")
    assert set(result["rows"]) == {row.name for row in recipe.rows}
    for cells in result["rows"].values():
        assert set(cells) == {"captioning_single", "captioning_multiple", "entailment", "vqa", "vqa_e", "news"}
        assert all(cell["n"] > 0 for cell in cells.values())
    told = (tmp_path / "table/table.md").read_text()
    assert "| *the paper's images* | 113.2 | 113.2 | 77.7 | 65.4 | 67.9 | 105.7 |" in told
    assert "other data" in told


@pytest.mark.slow
@pytest.mark.parametrize(
    ("table", "row", "columns"),
    [
        ("close-table-3", "random 2.0", {"gap", "kept", "captioning", "vqa_e", "entailment"}),
        ("close-table-4", "covariance, CC3M", {"gap", "captioning", "vqa", "entailment", "news"}),
        ("close-table-5", "EVA-CLIP", {"captioning", "entailment", "vqa_e"}),
        (
            "close-figure-3",
            "covariance",
            {"paired", "to_original", "centroid_distance", "nearest_stays", "nearest_is_own"},
        ),
    ],
)
def test_the_other_tables_run_on_files_in_the_released_formats(
    table, row, columns, released, encoder_folder, tmp_path, monkeypatch
):
    """What a table makes first, and its last row, after two steps."""
    whole = made.read(table, "paper")
    (last,) = (each for each in whole.rows if each.name == row)
    tiny = f"--encoder {encoder_folder} --lm world:32x1"
    if table == "close-table-5":
        last = replace(last, train=tiny)
    cut = replace(whole, rows=[last], train=f"{whole.train} --steps 2", compare=[])
    monkeypatch.setattr(made, "read", lambda *_: cut)
    names = {name: str(encoder_folder) if name == "encoder" else "world:32x1" for name in whole.names}
    result = made.reproduce(table, "paper", tmp_path / "table", data=released, names=names)
    assert set(result["rows"]) == {row} and set(result["rows"][row]) == columns


def test_what_is_missing_is_named_with_its_origin_before_any_work(released, tmp_path):
    part = tmp_path / "data"
    shutil.copytree(released, part)
    shutil.rmtree(part / "vqae")
    with pytest.raises(InputError, match=r"found no vqae \(by the link of github\.com/liqing-ustc/VQA-E\)"):
        made.reproduce("close-table-1", "paper", tmp_path / "table", data=part)
    with pytest.raises(InputError, match="expected --data FOLDER"):
        made.reproduce("close-table-1", "paper", tmp_path / "table")
    assert not (tmp_path / "table").exists()


def test_a_name_the_recipe_does_not_know_is_refused(released, tmp_path):
    with pytest.raises(InputError, match="expected names among encoder, news_encoder, lm"):
        made.reproduce("close-table-1", "paper", tmp_path / "table", data=released, names={"decoder": "x"})


@pytest.mark.slow
def test_limbers_tables_run_on_files_in_the_released_formats(released, encoder_folder, tmp_path, monkeypatch):
    """The last row of the first, MAGMA's, after two steps; then the questions, asked of the run that it left."""
    data = tmp_path / "data"
    shutil.copytree(released, data)
    photographs = sorted((data / "coco").glob("*.png"))
    images = [
        {"id": n, "file_name": photograph.name, "domain": f"{side}-domain"}
        for n, (photograph, side) in enumerate(zip(photographs, ("in", "out", "near"), strict=False))
    ]
    captions = [{"id": n, "image_id": image["id"], "caption": sentence(n)} for n, image in enumerate(images)]
    (data / "nocaps/val").mkdir(parents=True)
    for photograph in photographs[:3]:
        shutil.copy(photograph, data / "nocaps/val")
    (data / "nocaps/nocaps_val_4500_captions.json").write_text(json.dumps({"images": images, "annotations": captions}))
    (data / "beit_large_patch16_224_pt22k").mkdir()
    lm = tmp_path / "lm"
    tokenizer = causal.small_tokenizer(["\n".join(map(sentence, range(60)))], 400, lower_case=True)
    for part in (causal.small_llama(32, 2, len(tokenizer), window=512), tokenizer):
        part.save_pretrained(lm)
    first, second = made.read("limber-table-1", "paper"), made.read("limber-vqa", "paper")
    magma = replace(first.rows[-1], train=f"--encoder grid:{encoder_folder} --tune-encoder --bottleneck 4")
    train = first.train.replace("--batch-size 2048 --accumulate 8", "--batch-size 8 --accumulate 2")
    cut = {
        "limber-table-1": replace(first, rows=[magma], train=train.replace("--steps 15000", "--steps 2")),
        "limber-vqa": replace(second, rows=[row for row in second.rows if row.name == "MAGMA"]),
    }
    monkeypatch.setattr(made, "read", lambda table, _: cut[table])
    names = {"lm": str(lm), "judge": str(encoder_folder)}
    where = tmp_path / "vqa/made/limber-table-1"
    captioned = made.reproduce("limber-table-1", "paper", where, data=data, names=names)
    assert set(captioned["rows"]["MAGMA"]) == set(first.columns)
    asked = made.reproduce("limber-vqa", "paper", tmp_path / "vqa", data=data, names={"lm": str(lm)})
    assert [cell["n"] for cell in asked["rows"]["MAGMA"].values()] == [asked["rows"]["MAGMA"]["0"]["n"]] * 4
