"""Scenes as JSON, one object a line.

    {"image": "COCO_val2014_000000184613.jpg", "split": "val", "captions": ["A child holding a flowered umbrella and
     petting a yak.", "A young man holding an umbrella next to a herd of cattle."]}

`captions` (a list) or `caption` or `text` (a string), and where there are: `image` (a file name), `split`, `key` or
`id`. Everything else becomes a field. Made from any list of dictionaries:

    with open("scenes.jsonl", "w", encoding="utf-8") as file:
        file.writelines(json.dumps(scene, ensure_ascii=False) + "\\n" for scene in scenes)
"""

from __future__ import annotations

from collections.abc import Iterator

from imageless.data.album import Album
from imageless.data.lines import lines, parse_json
from imageless.data.rows import Rows
from imageless.errors import InputError
from imageless.records import Record

LONGEST = 10_000_000  # characters; room for an article beside its caption, not for a whole file in one line


def jsonl(path: str, split: str | None = None, images: str | None = None, **columns: str) -> Iterator[Record]:
    """A record per line that holds an object."""
    rows = Rows(f"jsonl:{path}", split, Album(images, beside=path), columns)
    for number, line in lines(path, LONGEST, "a JSON object a line"):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        row = parse_json(line, where)
        if not isinstance(row, dict):
            raise InputError(f'{where}: expected a JSON object, got {line[:60]!r}; write {{"caption": "..."}}')
        record = rows.record(row, f"line-{number:06d}", where)
        if record is not None:
            yield record
    rows.finish()
