"""From a text file to a captioner that speaks like it, in about half a minute, offline.

The file here is a pirate's log of 6,000 lines; take your own. No picture is opened before the last step.
"""

import tempfile
from pathlib import Path

from imageless import Close, read, train
from imageless.options import TrainOptions

folder = Path(tempfile.mkdtemp())
lines = [record.captions[0] for record in read("world:style", limit=18_000) if record.fields["style"] == "pirate"]
(folder / "log.txt").write_text("\n".join(lines))
print(f"{len(lines):,} lines, such as: {lines[0]}")

options = TrainOptions(setting="single", noise=0.04, steps=300, batch_size=48)
learned = train("captioning", [f"text:{folder / 'log.txt'}"], folder / "pirate", "world", "world", options)
print(f"learned for {learned.steps} steps")

model = Close.from_pretrained(learned.out)
for record in read("world", "test", limit=3):
    assert record.image is not None
    print(f"people say: {record.captions[0]}\n  it says: {model.caption(record.image.open())}")
