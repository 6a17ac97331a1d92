"""Visual News: photographs of four newspapers with their captions and the articles around them.

    origin/data.json            [{"id": 39136, "caption": "...", "topic": "law_crime", "source": "washington_post",
                                 "image_path": "./washington_post/images/0376/501.jpg",
                                 "article_path": "./washington_post/articles/39136.txt"}, ...]
    origin/washington_post/...  the pictures and the articles

    by request: github.com/FuxiaoLiu/VisualNews-Repository (this layout: VisualNews-Dataset.ipynb @ 596d45c)
    imageless train news visualnews:visual_news ...

The article is a field, whole; CLOSE reads its first line only (close/data/visual_news.py @ 16056ff), and skips entries
without article or picture, which are kept here: the article is "" then.

Splits. CLOSE reads train_data.json, val_data.json and test_data.json, which the release's own description does not name;
where one of them lies beside, they are the splits. Else data.json is divided by a hash of the id: 5 % val, 5 % test.
Scores on the divided data compare with each other, not with published ones. Liu et al., arXiv:2010.03743.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator

from imageless.data.album import Album
from imageless.data.lines import read_json
from imageless.data.released import Tally, find, objects, require_folder, seek, split_files, text_of
from imageless.data.splits import Splits
from imageless.errors import InputError
from imageless.records import Record

NAMES = {"train": "train_data.json", "val": "val_data.json", "test": "test_data.json"}
WHOLE = "data.json"
HAD_FROM = "ask for the data at github.com/FuxiaoLiu/VisualNews-Repository"
SEED = "visualnews/1"  # another one divides otherwise


def visualnews(path: str, split: str | None = None, images: str | None = None) -> Iterator[Record]:
    """A record per photograph."""
    source = f"visualnews:{path}"
    require_folder(path, source)
    files, splits = _files(path, split, source)
    album, tally = Album(images, beside=files[0]), Tally(source)
    for file in files:
        folder = os.path.dirname(file)
        for number, entry in enumerate(objects(read_json(file, "Visual News' JSON"), file, "Visual News' list")):
            where = f"{file}, entry {number}"
            key = str(entry.get("id", where))
            if splits is not None and not splits.takes(part_of(key)):
                continue
            tally.total += 1
            caption = text_of(entry, "caption", where)
            if not caption:
                tally.note("photographs without a caption", key)
            article = _article(folder, text_of(entry, "article_path", where), where)
            if not article:
                tally.note("articles are missing" if article is None else "articles are empty", entry["article_path"])
            name = text_of(entry, "image_path", where)
            fields = {"article": article or "", "topic": entry.get("topic"), "source": entry.get("source")}
            yield Record(key, (caption,) if caption else (), album.get(name.removeprefix("./"), name), fields)
    tally.report()
    album.report()
    if splits is not None:
        splits.check()


def part_of(key: str) -> str:
    """The split of an id where the data names none: 5 of 100 are val, 5 test."""
    number = int.from_bytes(hashlib.sha256(f"{SEED}/{key}".encode()).digest()[:8], "big") % 100
    return "val" if number < 5 else "test" if number < 10 else "train"


def _files(path: str, split: str | None, source: str) -> tuple[list[str], Splits | None]:
    """The files of a split or, where there are none, the whole and a rule that divides it."""
    if any(seek(path, name) is not None for name in NAMES.values()):
        return [file for _, file in split_files(path, split, NAMES, source, HAD_FROM)], None
    return [find(path, WHOLE, HAD_FROM)], Splits(split, source)


def _article(folder: str, name: str, where: str) -> str | None:
    """The text of an article, without blanks around it; None when it is not there."""
    path = os.path.normpath(os.path.join(folder, name))
    root = os.path.abspath(folder)
    if "\0" in name or os.path.commonpath([root, os.path.abspath(path)]) != root:
        raise InputError(f"{where}: expected an article inside {folder}, got {name!r}; mend its path")
    try:
        with open(path, encoding="utf-8-sig", errors="replace") as file:  # one bad byte is no reason to lose an article
            return file.read().replace("\0", "").strip()
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        return None
