"""The data sets of every task: released files, as they unpack, become records with the fields the tasks ask for.

The files under data/readers have the released formats and words of our own.
"""

from __future__ import annotations

import gzip
import json
import logging
import shutil
import zlib
from pathlib import Path

import pytest
from PIL import Image

from conftest import read, refusal
from imageless import data, pictures
from imageless.data import released
from imageless.data.sentences import split_sentences
from imageless.data.visualnews import part_of
from imageless.errors import InputError
from imageless.records import Record
from imageless.tasks import task

HERE = Path(__file__).parent / "data/readers"
REAL = Path(__file__).parents[1].parent / "shared/data"


def said(records: list[Record]) -> list[str]:
    return [record.captions[0] for record in records]


def touch(*paths: Path) -> None:
    """Files under a picture's name: naming one needs no pixels."""
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


@pytest.fixture
def release(tmp_path: Path):
    """A copy of one release that a test may damage."""

    def copy(name: str) -> Path:
        return Path(shutil.copytree(HERE / name, tmp_path / name))

    return copy


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture):
    """What was said at the end, the source taken off: {(level, words)}."""
    caplog.set_level(logging.INFO)

    def messages() -> set[tuple[str, str]]:
        return {(entry.levelname, entry.getMessage().partition(": ")[2]) for entry in caplog.records}

    return messages


# --- every reader


ALL = {
    "snli": ("snli", 6),
    "snlive": ("snlive", 6),
    "vqa2": ("vqa2", 5),
    "vqae": ("vqae", 3),
    "visualnews": ("visualnews", 60),
    "reviews": ("reviews.jsonl", 3),
    "book": ("lantern.txt", 6),
}


@pytest.mark.parametrize("name", ALL)
def test_keys_are_unique_and_reading_opens_no_picture(name, monkeypatch):
    monkeypatch.setattr(Image, "open", lambda *given, **options: pytest.fail("a picture was opened"))
    path, count = ALL[name]
    records = read(f"{name}:{HERE / path}")
    assert len(records) == len({record.key for record in records}) == count
    assert read(f"{name}:{HERE / path}") == records


@pytest.mark.parametrize("name", ALL)
def test_a_path_that_is_not_there_is_one_line(name):
    assert "got no such f" in refusal(f"{name}:gone/away", split="train")


@pytest.mark.parametrize("name", ALL)
def test_a_split_that_is_not_there_is_a_mistake(name):
    assert "split" in refusal(f"{name}:{HERE / ALL[name][0]}", split="restval")


@pytest.mark.parametrize("name", ["vqa2", "visualnews"])
def test_a_release_of_several_files_is_a_folder(name, tmp_path):
    touch(tmp_path / "data.json")
    assert "expected a folder with the released files, got a file" in refusal(f"{name}:{tmp_path}/data.json")


@pytest.mark.parametrize(
    ("name", "asks", "count"),
    [
        ("snli", "entailment", 6),
        ("snlive", "entailment", 6),
        ("vqa2", "vqa", 4),
        ("vqae", "vqa", 3),
        ("visualnews", "news", 1),
        ("reviews", "style", 3),
        ("book", "style", 6),
    ],
)
def test_every_reader_feeds_its_task(name, asks, count):
    """A question without captions and a caption without its article are nothing to learn from."""
    examples = list(task(asks).examples(read(f"{name}:{HERE / ALL[name][0]}"), None, "text"))
    assert len(examples) == count and all(example.scene and example.targets for example in examples)


# --- one voice among several


def test_a_style_marks_every_record_so_that_voices_can_be_joined(tmp_path):
    text, rows, table = tmp_path / "a.txt", tmp_path / "a.jsonl", tmp_path / "a.csv"
    text.write_text("one dog")
    rows.write_text('{"caption": "one dog", "style": "its own"}')
    table.write_text("caption\none dog\n")
    specs = [f"text:{text}?style=pirate", f"jsonl:{rows}?style=pirate", f"csv:{table}?style=pirate"]
    specs += [f"book:{HERE}/lantern.txt?style=pirate&part=1/2", f"reviews:{HERE}/reviews.jsonl?style=pirate"]
    for spec in specs:
        records = read(spec)
        assert records and {record.fields["style"] for record in records} == {"pirate"}, spec
    assert read(f"jsonl:{rows}")[0].fields["style"] == "its own"
    assert "style" not in read(f"text:{text}")[0].fields


# --- snli


def test_a_premise_stands_for_the_scene():
    record = read(f"snli:{HERE}/snli", split="train")[0]
    assert record.key == "1001.jpg#0r1e" and record.image is None
    assert record.captions == ("Two boys carry a kite up a hill.",)
    assert record.fields == {"hypothesis": "Children are outdoors.", "label": "entailment"}


@pytest.mark.parametrize(
    ("split", "key"), [("val", "1003.jpg#1r1e"), ("dev", "1003.jpg#1r1e"), ("test", "1004.jpg#2r1n")]
)
def test_the_files_of_snli_are_its_splits(split, key):
    assert [record.key for record in read(f"snli:{HERE}/snli", split=split)] == [key]
    assert [record.key for record in read(f"snlive:{HERE}/snlive", split=split)] == [key]


def test_a_file_of_snli_is_the_split_in_its_name():
    file = HERE / "snli/snli_1.0/snli_1.0_dev.jsonl"
    assert read(f"snli:{file}", split="val") == read(f"snli:{file}")
    assert "expected split 'train', got only val" in refusal(f"snli:{file}", split="train")


def test_pairs_that_cannot_be_learned_from_are_counted_by_kind(release, told):
    file = release("snli") / "snli_1.0/snli_1.0_train.jsonl"
    odd = {"gold_label": "maybe", "pairID": "x", "sentence1": "A dog.", "sentence2": "A cat."}
    blank = odd | {"gold_label": "neutral", "sentence2": " ", "pairID": "y"}
    file.write_text(file.read_text() + "\n".join(json.dumps(pair) for pair in (odd, odd, blank)))
    assert len(read(f"snli:{file}")) == 4
    assert told() == {
        ("INFO", "1 of 8 pairs on whose label the judges did not agree skipped (first: '1002.jpg#3r1n')"),
        (
            "WARNING",
            "2 of 8 pairs with a label that is none of entailment, neutral, contradiction skipped (first: 'maybe')",
        ),
        ("WARNING", "1 of 8 pairs with an empty sentence skipped (first: 'y')"),
    }


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("[]", "expected an object with gold_label"),
        ('{"gold_label": "neutral"', "broken JSON"),
        ('{"gold_label": "neutral", "sentence1": "A dog."}', "name the .jsonl of the release"),
        ('{"gold_label": "neutral", "sentence1": 3, "sentence2": "A"}', "expected text as sentence1, got '3'"),
        ('{"gold_label": "neutral", "sentence1": "\\ud83d", "sentence2": "A"}', "half a character"),
    ],
)
def test_a_bad_pair_names_its_line(tmp_path, line, words):
    file = tmp_path / "snli_1.0_train.jsonl"
    file.write_text("\n" + line)
    assert "snli_1.0_train.jsonl, line 2: " in (message := refusal(f"snli:{tmp_path}")) and words in message


def test_a_missing_file_is_named_with_where_it_is_had(release):
    folder = release("snli")
    (folder / "snli_1.0/snli_1.0_test.jsonl").unlink()
    assert len(read(f"snli:{folder}")) == 5
    message = refusal(f"snli:{folder}", split="test")
    assert "expected snli_1.0_test.jsonl" in message and "nlp.stanford.edu" in message


# --- snlive


def test_the_hypothesis_is_put_to_the_photograph(release, caplog):
    folder = release("snlive")
    touch(folder / "photos/1001.jpg")
    records = read(f"snlive:{folder}", split="train", images=str(folder / "photos"))
    assert [record.image and record.image.name for record in records] == ["1001.jpg"] * 3 + [None]
    assert records[3].fields == {"hypothesis": "The man is asleep in bed.", "label": "contradiction"}
    assert "1 of 2 pictures not found (first: '1002.jpg')" in caplog.messages


@pytest.mark.skipif(not (REAL / "entailment").is_dir(), reason="the real pairs are not beside the checkout")
def test_real_pairs_have_their_real_photographs():
    spec = f"snlive:{REAL}/entailment/flickr8k_ve_val.jsonl"
    records = read(spec, split="val", images=f"{REAL}/flickr8k/*.tar")
    assert len(records) == 2_442 and all(record.image is not None for record in records)
    assert {record.fields["label"] for record in records} == {"entailment", "contradiction"}
    assert pictures.load(records[0].image).size == (224, 224)
    assert read(spec, limit=3)[0].image is None


# --- vqa2


def test_a_question_has_captions_and_ten_answers():
    (first, *_) = read(f"vqa2:{HERE}/vqa2", split="train")
    assert first.key == "11000" and first.image is None
    assert first.captions == ("A red kettle on a stove.", "A kettle steams in a kitchen.")
    assert first.fields["answers"] == ("red",) * 7 + ("dark red",) * 3
    named = {name: first.fields[name] for name in ("question", "question_id", "answer_type", "question_type")}
    assert named == {
        "question": "What color is the kettle?",
        "question_id": 11000,
        "answer_type": "other",
        "question_type": "what color is the",
    }


@pytest.mark.parametrize(
    ("split", "keys"),
    [
        ("train", ["11000", "11001", "12000", "13000"]),
        ("val", ["21000"]),
        ("trainval", ["11000", "11001", "12000", "13000", "21000"]),
        (None, ["11000", "11001", "12000", "13000", "21000"]),
        ("test", ["31000", "32000"]),
        ("test-dev", ["32000"]),
    ],
)
def test_the_splits_of_vqa(split, keys):
    records = read(f"vqa2:{HERE}/vqa2", split=split)
    assert [record.key for record in records] == keys
    has_answers = split not in ("test", "test-dev")
    assert all(("answers" in record.fields) == has_answers for record in records)
    assert has_answers or not any(record.captions for record in records)


def test_what_has_no_partner_is_counted_once(told):
    read(f"vqa2:{HERE}/vqa2", split="train")
    assert {
        ("WARNING", "1 of 5 questions without an annotation skipped (first: '14000')"),
        ("WARNING", "1 of 5 questions are about a picture without captions (first: '13000')"),
        ("WARNING", "1 of 5 annotations without their question skipped (first: '15000')"),
    } <= told()


def test_pictures_of_vqa_lie_where_coco_unpacks_them(release, told):
    folder = release("vqa2")
    touch(folder / "val2014/COCO_val2014_000000000021.jpg", folder / "elsewhere/COCO_test2015_000000000032.jpg")
    (record,) = read(f"vqa2:{folder}", split="val")
    assert record.image.name == "val2014/COCO_val2014_000000000021.jpg"
    (record,) = read(f"vqa2:{folder}", split="test-dev", images=str(folder / "elsewhere"))
    assert record.image.name == "COCO_test2015_000000000032.jpg"


def test_the_files_may_lie_in_sub_folders(release, tmp_path):
    expected = read(f"vqa2:{HERE}/vqa2")
    folder = release("vqa2")
    for file in folder.glob("v2_*.json"):
        kind = "questions" if "questions" in file.name else "answers"
        (folder / "vqa" / kind).mkdir(parents=True, exist_ok=True)
        file.rename(folder / "vqa" / kind / file.name)
    (folder / "coco").mkdir()
    (folder / "annotations").rename(folder / "coco/annotations")
    assert read(f"vqa2:{folder}") == expected


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("v2_OpenEnded_mscoco_val2014_questions.json", "visualqa.org"),
        ("v2_mscoco_val2014_annotations.json", "visualqa.org"),
        ("annotations/captions_val2014.json", "cocodataset.org"),
    ],
)
def test_a_missing_file_of_vqa_shows_before_any_work(release, name, where):
    folder = release("vqa2")
    (folder / name).unlink()
    with pytest.raises(InputError, match=f"expected {Path(name).name} in it .* {where}"):
        data.read(f"vqa2:{folder}", split="trainval")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{}", "expected JSON with questions"),
        ('{"questions": 3}', "expected JSON with questions, got '3'"),
        ('{"questions": [3]}', "expected JSON with questions"),
        ('{"questions": [{"question_id": 1, "image_id": 2}]}', "question 0: expected text as question"),
        ('{"questions": [{"question_id": "x", "image_id": 2}]}', "question 0: expected a whole number as question_id"),
        ("{", "broken JSON"),
        ("", "an empty file"),
    ],
)
def test_a_damaged_file_of_vqa_is_one_line(release, content, words):
    folder = release("vqa2")
    (folder / "v2_OpenEnded_mscoco_val2014_questions.json").write_text(content)
    assert words in refusal(f"vqa2:{folder}", split="val")


# --- vqae


def test_an_explanation_stands_for_the_photograph(told):
    records = read(f"vqae:{HERE}/vqae", split="train")
    assert [record.captions for record in records] == [
        ("A red kettle is on a stove .",),
        ("Three ducks swim on a pond .",),
    ]
    assert records[0].fields["question"] == "What color is the kettle?"
    assert records[0].fields["answers"] == ("red",) * 7 + ("dark red",) * 3
    assert records[0].fields["question_type"] == "what color is the"
    assert ("WARNING", "1 of 3 questions without an explanation skipped (first: 2)") in told()


def test_the_kind_of_answer_comes_from_the_entry_or_from_vqa(release, tmp_path):
    alone = read(f"vqae:{HERE}/vqae")
    assert [record.fields["answer_type"] for record in alone] == [None, None, "yes/no"]
    release("vqa2"), release("vqae")
    together = read(f"vqae:{tmp_path}")
    assert [record.fields["answer_type"] for record in together] == ["other", "number", "yes/no"]
    assert [record.key for record in together] == [record.key for record in alone]


def test_pictures_of_vqae_are_cocos(release):
    folder = release("vqae")
    touch(folder / "train2014/COCO_train2014_000000000012.jpg")
    records = read(f"vqae:{folder / 'VQA-E_train_set.json'}", split="train")
    assert [record.image and record.image.name for record in records] == [
        None,
        "train2014/COCO_train2014_000000000012.jpg",
    ]


# --- visualnews


def test_an_article_is_read_whole(told):
    records = read(f"visualnews:{HERE}/visualnews")
    assert records[0].key == "1" and records[0].captions == ("The mayor of Lindby opens market number 1",)
    assert records[0].fields == {
        "article": "Lindby has a new market.\n\nThe mayor cut the ribbon – twice.",
        "topic": "law_crime",
        "source": "bbc",
    }
    assert {record.fields["article"] for record in records[1:]} == {""}
    assert {
        ("WARNING", "1 of 60 articles are empty (first: './bbc/articles/3.txt')"),
        ("WARNING", "58 of 60 articles are missing (first: './guardian/articles/2.txt')"),
    } <= told()


def test_an_article_of_a_million_characters_is_only_long(release):
    folder = release("visualnews")
    (folder / "origin/bbc/articles/1.txt").write_bytes(b"word " * 200_000 + b"caf\xe9")
    touch(folder / "origin/bbc/images/0001/1.jpg")
    record = read(f"visualnews:{folder}", limit=1)[0]
    assert len(record.fields["article"]) == 1_000_004
    assert record.image.name == "bbc/images/0001/1.jpg"


def test_news_without_split_files_are_divided_by_their_ids():
    """Disjoint, complete, and the same on every day."""
    parts = {split: read(f"visualnews:{HERE}/visualnews", split=split) for split in ("train", "val", "test")}
    keys = [record.key for records in parts.values() for record in records]
    assert sorted(keys, key=int) == [record.key for record in read(f"visualnews:{HERE}/visualnews")]
    assert [record.key for record in parts["val"]] == [str(n) for n in range(1, 61) if part_of(str(n)) == "val"]
    shares = [part_of(str(number)) for number in range(20_000)]
    assert shares.count("val") == pytest.approx(1_000, abs=100) and shares.count("test") == pytest.approx(
        1_000, abs=100
    )


def test_split_files_of_news_are_the_splits_where_they_lie_beside(release):
    folder = release("visualnews") / "origin"
    entries = json.loads((folder / "data.json").read_text())
    (folder / "train_data.json").write_text(json.dumps(entries[:3]))
    (folder / "test_data.json").write_text(json.dumps(entries[3:5]))
    assert [record.key for record in read(f"visualnews:{folder}", split="test")] == ["4", "5"]
    assert [record.key for record in read(f"visualnews:{folder.parent}")] == ["1", "2", "3", "4", "5"]
    assert "expected val_data.json" in refusal(f"visualnews:{folder}", split="val")


@pytest.mark.parametrize("path", ["../../secret.txt", "/etc/hostname", "a\0b"])
def test_an_article_that_leaves_the_folder_is_refused(release, path):
    folder = release("visualnews") / "origin"
    entries = json.loads((folder / "data.json").read_text())
    (folder / "data.json").write_text(json.dumps([entries[0] | {"article_path": path}]))
    words = "NUL character" if "\0" in path else "expected an article inside"
    assert words in refusal(f"visualnews:{folder}")


# --- reviews


def test_reviews_of_both_namings_are_cleaned_of_markup(told):
    records = read(f"reviews:{HERE}/reviews.jsonl")
    assert said(records) == [
        "Lovely teapot. Pours well & keeps warm.",
        "Broke at once.",
        "A sturdy ladder. My wife likes it for size < 5 m.",
    ]
    assert records[0].fields == {"rating": 5.0, "title": "Tea!", "style": "review"}
    assert records[2].fields == {"rating": 4.0, "title": "Sturdy", "style": "review"}
    assert told() == {
        ("WARNING", f"1 of 5 reviews without words skipped (first: '{HERE}/reviews.jsonl, line 3')"),
        ("INFO", f"1 of 5 reviews of over 40 words skipped (first: '{HERE}/reviews.jsonl, line 5')"),
    }


def test_reviews_can_be_chosen_by_stars_and_length():
    assert said(read(f"reviews:{HERE}/reviews.jsonl?rating=4&longest=7")) == ["Lovely teapot. Pours well & keeps warm."]
    assert len(read(f"reviews:{HERE}/reviews.jsonl?rating=4.5&longest=41")) == 2
    records = read(f"reviews:{HERE}/reviews.jsonl?sentences=1&rating=5&longest=5")
    assert [(record.key, record.captions[0]) for record in records] == [
        ("line-000001#0", "Lovely teapot."),
        ("line-000001#1", "Pours well & keeps warm."),
    ]


def test_a_packed_file_holds_the_same_reviews(tmp_path):
    packed = tmp_path / "reviews.json.gz"
    packed.write_bytes(gzip.compress((HERE / "reviews.jsonl").read_bytes()))
    assert read(f"reviews:{packed}") == read(f"reviews:{HERE}/reviews.jsonl")
    assert f"did you mean reviews:{packed}?" in refusal(str(packed))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"not packed", "expected a whole gzip file"),
        (gzip.compress(b'{"text": "a dog"}\n' * 9)[:-9], "expected a whole gzip file"),
        (gzip.compress(b'{"text": "a dog"}\n{"text": "caf\xe9"}'), "line 2: expected UTF-8"),
        (gzip.compress(b"x" * 10_000_002), "line 1: expected a review a line, got over 10,000,000"),
        (b"", "an empty file"),
    ],
    ids=["plain", "cut short", "not UTF-8", "endless line", "empty"],
)
def test_a_damaged_package_is_one_line(tmp_path, content, words):
    (tmp_path / "a.jsonl.gz").write_bytes(content)
    assert words in refusal(f"reviews:{tmp_path}/a.jsonl.gz")


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("rating=many", "expected a number as ?rating=, got 'many'"),
        ("longest=-1", "expected a number as ?longest="),
        ("longest=nan", "expected a number as ?longest="),
        ("sentences=yes", "expected ?sentences=1 or ?sentences=0"),
        ("colour=red", "expected options among"),
    ],
)
def test_a_bad_option_of_reviews_is_one_line(option, words):
    assert words in refusal(f"reviews:{HERE}/reviews.jsonl?{option}")


@pytest.mark.parametrize("line", ["[]", "3", '{"review": "a dog"}', "{'text': 'a dog'}"])
def test_a_line_that_is_no_review_is_named(tmp_path, line):
    (tmp_path / "a.jsonl").write_text('{"text": "fine"}\n' + line)
    assert "a.jsonl, line 2: expected" in refusal(f"reviews:{tmp_path}/a.jsonl")


# --- book


def test_a_book_is_its_sentences_without_what_stands_around_it():
    records = read(f"book:{HERE}/lantern.txt?shortest=3")
    assert said(records) == [
        "Down the lane came a boy with a lantern, singing so loudly that the geese woke up.",
        '"Who is there?" called Mr. Webb from his window.',
        '"It is only the wind!" he said to his wife.',
        "Dr. J. R. Hart lived at No. 9 St. Mary's Street, i.e. next to the mill.",
        "He had seen it all…",
        "The boy did not stop.",
    ]
    assert [record.key for record in records][:2] == ["line-000012#0", "line-000012#1"]
    assert {record.fields.get("style") for record in records} == {None}


def test_sentences_of_a_book_have_a_length(told):
    assert said(read(f"book:{HERE}/lantern.txt?shortest=5&longest=9")) == [
        '"Who is there?" called Mr. Webb from his window.',
        "He had seen it all…",
        "The boy did not stop.",
    ]
    assert {level for level, _ in told()} == {"INFO"}


def test_a_book_without_marks_is_read_from_cover_to_cover(tmp_path):
    (tmp_path / "a.txt").write_text("\ufeffThe first line has\r\nfive more words.\r\n\r\nThe last one has none after")
    assert said(read(f"book:{tmp_path}/a.txt")) == [
        "The first line has five more words.",
        "The last one has none after",
    ]


def test_a_book_is_utf8_and_all_train(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"The caf\xe9 is closed today.")
    assert "line 1: expected UTF-8" in refusal(f"book:{tmp_path}/a.txt")
    assert "got only train" in refusal(f"book:{HERE}/lantern.txt", split="test")


@pytest.mark.parametrize(
    "sentences",
    [
        ["He left.", "She stayed."],
        ["It cost 3.50 at the shop.", "Too much!", "(Or so he said.)", "“No,” she said."],
        ["Is it I?", "It is I.", "Nobody else came at 5 p.m. on Friday."],
        ['"Stop!" he cried.', '"Go!"', "Prof. E. M. Vale, of the U.S. Navy, spoke."],
        ["Wait... what?", "What?!", "Écoutez !", "Élan is a word."],
    ],
)
def test_sentences_are_split_where_a_reader_would(sentences):
    assert split_sentences("  ".join(sentences)) == sentences


def test_splitting_takes_time_in_proportion():
    for text in ("." * 300_000, ". " * 100_000, '! " ' * 100_000, "A. " * 100_000, "_" * 300_000):
        assert "".join(split_sentences(text)).replace(" ", "") == text.replace(" ", "")


# --- what they share


def test_the_nearest_file_of_a_name_is_found(tmp_path):
    touch(tmp_path / "a/b/c/deep.json", tmp_path / "b/near.json", tmp_path / "a/b/near.json", tmp_path / ".git/x.json")
    assert released.seek(str(tmp_path), "near.json") == str(tmp_path / "b/near.json")
    assert released.seek(str(tmp_path), "deep.json") is None and released.seek(str(tmp_path), "x.json") is None


# --- nocaps


def nocaps_release(folder: Path) -> Path:
    """As nocaps.org gives them out, of four photographs."""
    domains = ("in-domain", "near-domain", "near-domain", "out-domain")
    images = [
        {"id": n, "file_name": f"{n:016x}.jpg", "domain": d, "height": 9, "width": 9} for n, d in enumerate(domains)
    ]
    said = [{"image_id": n % 4, "id": n, "caption": f" A thing, told for time {n}. "} for n in range(8)]
    (folder / "nocaps_val_4500_captions.json").write_text(json.dumps({"images": images, "annotations": said}))
    hidden = [{key: value for key, value in image.items() if key != "domain"} for image in images]
    (folder / "nocaps_test_image_info.json").write_text(json.dumps({"images": hidden}))
    touch(*(folder / "val" / image["file_name"] for image in images))
    return folder


def test_nocaps_has_ten_captions_and_a_domain(tmp_path):
    folder = nocaps_release(tmp_path)
    records = read(f"nocaps:{folder}", split="val", images=str(folder / "val"))
    assert [record.fields["domain"] for record in records] == ["in-domain", "near-domain", "near-domain", "out-domain"]
    assert records[1].captions == ("A thing, told for time 1.", "A thing, told for time 5.")
    assert records[3].image is not None and records[3].image.name == f"{3:016x}.jpg"
    kept_back = read(f"nocaps:{folder}", split="test")
    assert [(record.captions, record.fields["domain"]) for record in kept_back] == [((), None)] * 4
    assert read(f"nocaps:{folder}/nocaps_val_4500_captions.json") == read(f"nocaps:{folder}", split="val")
    (tmp_path / "val.json").write_text('{"annotations": []}')
    assert "NoCaps' images" in refusal(f"nocaps:{tmp_path}/val.json")
    assert "expected a split among val, test" in refusal(f"nocaps:{folder}", split="train")


def test_captions_of_several_domains_are_scored_in_each(tmp_path):
    folder = nocaps_release(tmp_path)
    captioning = task("captioning")
    asked = list(captioning.questions(read(f"nocaps:{folder}", split="val", images=str(folder / "val"))))
    answers = ["a thing told for time 0", "a thing told for time 1", "something else", "a thing told for time 3"]
    scored = captioning.score(asked, answers).corpus
    assert {name for name in scored if name.startswith("cider_")} == {
        "cider_in-domain",
        "cider_near-domain",
        "cider_out-domain",
    }
    near = captioning.score(asked[1:3], answers[1:3]).corpus
    assert scored["cider_near-domain"] == near["cider"] and "cider_near-domain" not in near


# --- cc3m


def test_cc3m_finds_photographs_by_the_names_that_downloaders_give(tmp_path, caplog):
    lines = [f"caption {n}\thttp://example.org/{n}.jpg" for n in range(5)]
    (tmp_path / "Train_GCC-training.tsv").write_text("\n".join(lines) + "\n")
    sums = [zlib.crc32(f"http://example.org/{n}.jpg".encode()) for n in range(5)]
    touch(
        tmp_path / f"training/0_{sums[0]}",
        tmp_path / f"training/{sums[1]}.jpg",
        tmp_path / "training/00000/000000002.jpg",
    )
    records = read(f"cc3m:{tmp_path}", split="train", images=str(tmp_path / "training"))
    assert said(records) == [f"caption {n}" for n in range(5)]
    assert [record.image.name if record.image else None for record in records] == [
        f"0_{sums[0]}",
        f"{sums[1]}.jpg",
        "00000/000000002.jpg",
        None,
        None,
    ]
    assert len({record.key for record in records}) == 5 and records[3].fields["url"] == "http://example.org/3.jpg"
    assert "2 of 5 pictures not found" in caplog.text


def test_cc3m_amiss(tmp_path):
    file = tmp_path / "Validation_GCC-1.1.0-Validation.tsv"
    file.write_text("caption\turl\na dog\thttp://example.org/dog.jpg\n\n")
    assert said(read(f"cc3m:{file}", split="val")) == ["a dog"]  # img2dataset wants a header
    file.write_text("a dog\n")
    assert "line 1: expected a caption, a tab and an address, got 'a dog'" in refusal(f"cc3m:{file}")
    assert "expected Train_GCC-training.tsv" in refusal(f"cc3m:{tmp_path}", split="train")
