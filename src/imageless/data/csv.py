"""A table with a header: comma-separated, or by tab (.tsv), semicolon or bar when the header has more of those.

    image,caption
    1000268201_693b08cb0e.jpg,A child in a pink dress is climbing up a set of stairs in an entry way .
    1000268201_693b08cb0e.jpg,A girl going into a wooden building .

Any spreadsheet saves one ("CSV UTF-8"), and pandas makes one:

    pandas.DataFrame({"image": names, "caption": sentences}).to_csv("photos.csv", index=False)

Rows that follow each other and name the same picture are one record with several captions; the file is streamed, so
rows of a picture that lie apart stay apart. A record's key is the line its first row begins on.
"""

from __future__ import annotations

import csv as table
import dataclasses
from collections.abc import Iterator

from imageless.data.album import Album
from imageless.data.lines import lines
from imageless.data.rows import Rows
from imageless.errors import InputError
from imageless.records import Record

LONGEST = 1_000_000  # characters in a line
DELIMITERS = ",\t;|"


def csv(path: str, split: str | None = None, images: str | None = None, **columns: str) -> Iterator[Record]:
    """A record per picture, or per row where no picture is named."""
    rows = Rows(f"csv:{path}", split, Album(images, beside=path), columns)
    current: Record | None = None
    for number, row in _rows(path):
        record = rows.record(row, f"line-{number:06d}", f"{path}, line {number}")
        if record is None:
            continue
        if current is not None and record.fields.get("image") and record.fields["image"] == current.fields["image"]:
            current = dataclasses.replace(current, captions=current.captions + record.captions)
            continue
        if current is not None:
            yield current
        current = record
    if current is not None:
        yield current
    rows.finish()


def _rows(path: str) -> Iterator[tuple[int, dict[str, str]]]:
    """(line, {column: cell}); blank rows are skipped, a row of another length is refused."""
    numbered = lines(path, LONGEST, "a table row")
    first = next(numbered, (1, ""))[1]
    delimiter = "\t" if path.lower().endswith(".tsv") else max(DELIMITERS, key=first.count)
    header = [name.strip() for name in next(table.reader([first], delimiter=delimiter))]
    if not header or len(set(header)) < len(header):
        raise InputError(f"{path}, line 1: expected a header of different names, got {first[:120]!r}; name the columns")
    reader = table.reader(
        (line + "\n" for _, line in numbered), delimiter=delimiter, skipinitialspace=True, strict=True
    )
    while True:
        number = reader.line_num + 2  # where the next row begins: it counts lines read, without the header
        try:
            cells = next(reader, None)
        except table.Error as error:
            raise InputError(f"{path}, line {number}: expected a table row, got {error}; mend its quotes") from None
        if cells is None:
            return
        if cells and len(cells) != len(header):
            raise InputError(
                f"{path}, line {number}: expected {len(header)} cells ({', '.join(header)}), got {len(cells)}; "
                f"put quotes around a cell that holds {delimiter!r}"
            )
        if cells:
            yield number, dict(zip(header, cells, strict=True))
