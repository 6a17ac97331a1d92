"""Stage 3 without a run: an encoder names the class of each picture, and a labelled split is scored.

No language model is needed where the answer is one of a few names: zero_shot.py makes a classifier of the names alone.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F

from imageless import data, encoders, limits, pictures, pixels, report
from imageless.errors import InputError
from imageless.folders import begin, disk_errors, expect_free, publish, write_json, write_text
from imageless.metrics import classes
from imageless.options import ClassifyOptions, EvaluateOptions
from imageless.records import Record
from imageless.screen import progress
from imageless.stages import embed, galleries
from imageless.stages.evaluate import Evaluated, others
from imageless.stages.predict import Answer
from imageless.zero_shot import SCALE, ZeroShot

if TYPE_CHECKING:
    from matplotlib.figure import Figure

log = logging.getLogger(__name__)
TOP = 5  # classes among which the right one may be


@dataclass(frozen=True)
class Classified:
    """The class of a picture, or why it could not be read."""

    image: str
    text: str | None
    label: str | None
    score: float | None
    """Its probability."""
    nbest: list[Answer] = field(default_factory=list)
    probabilities: dict[str, float] | None = None
    error: str | None = None


def classify(encoder: str, images: Sequence[str], options: ClassifyOptions) -> list[Classified]:
    """The class of each picture (files, globs, folders) among `options.labels`."""
    limits.check(options)
    wanted = pictures.find(images)
    model = encoders.load(encoder, options.device, options.dtype)
    judge = ZeroShot.of(model, options.labels.split(","), options.templates)
    results: list[Classified] = []
    with progress("looking", len(wanted)) as bar:
        for piece in pixels.prepared(wanted, model.preprocess, options.batch_size):
            size, start = len(piece.rows) + len(piece.failed), len(results)
            vectors = model.images(piece.pixels).cpu() if piece.rows else torch.zeros(0, model.dim)
            shares = dict(zip(piece.rows, judge.probabilities(F.normalize(vectors, dim=-1)).tolist(), strict=True))
            for row in range(start, start + size):
                name = wanted[row].name
                failed = piece.failed.get(row)
                results.append(
                    Classified(name, None, None, None, error=failed)
                    if failed
                    else _named(name, judge.names, shares[row], options.n_best)
                )
            bar.advance(size)
    errors = [result.error for result in results if result.error]
    if len(errors) == len(results):
        raise InputError(errors[0])
    if errors:
        log.warning("%d of %d pictures could not be read, the first: %s", len(errors), len(results), errors[0])
    return results


def _named(image: str, names: Sequence[str], shares: Sequence[float], n_best: int) -> Classified:
    ranked = sorted(range(len(names)), key=lambda row: -shares[row])
    nbest = [Answer(names[row], round(shares[row], 4)) for row in ranked[:n_best]]
    best = nbest[0]
    probabilities = {names[row]: round(shares[row], 4) for row in ranked}
    return Classified(image, best.text, best.text, best.score, nbest, probabilities)


def evaluate(encoder: str, sources: Sequence[str], out: Path, options: EvaluateOptions) -> Evaluated:
    """Name the class of every labelled picture of the split and score the names."""
    limits.check(options)
    expect_free(out, options.overwrite, resume=True)
    model = encoders.load(encoder, options.device, options.dtype)
    records = labelled(sources, options.split, options.images, options.limit)
    names = options.labels.split(",") if options.labels else sorted({record.fields["label"] for record in records})
    judge = ZeroShot.of(model, names, options.templates)
    table = embed.images([record.image for record in records if record.image], model)
    records = [record for record in records if record.image and record.image.name not in table.about.skipped]
    rows = table.rows(record.image.name for record in records if record.image)
    if options.control == "shuffled":
        rows = others(rows, options.seed)
    cosines = judge.cosines(table.unit(rows))
    sure = torch.softmax(SCALE * cosines, dim=-1).amax(-1).numpy()
    truth = [str(record.fields["label"]) for record in records]
    said = [judge.names[row] for row in cosines.argmax(-1).tolist()]
    found = classes.score(said, truth, judge.names)
    near = cosines.topk(min(TOP, len(judge.names)), dim=-1).indices.tolist()
    places = {name: number for number, name in enumerate(judge.names)}
    among = np.array([places[label] in top for label, top in zip(truth, near, strict=True)])
    scores = {"accuracy": found.accuracy, "top5": float(among.mean()), "macro": found.macro}
    scores |= {f"accuracy_{name.replace(' ', '_')}": share for name, share in found.by_class.items()}
    work = begin(out, options.overwrite, resume=True)
    write_text(work / "predictions.jsonl", "".join(_lines(records, said, truth, sure)))
    plot = plot_confusion(found)
    with disk_errors(work):
        plot.savefig(work / "confusion.png", dpi=150)
    shown = [] if options.control else _galleries(records, said, truth, sure, options.seed)
    content = [*_confusion(found, plot), *shown, *galleries.left_out(table.about.skipped)]
    lead = f"imageless evaluate {encoder} {' '.join(sources)}"
    write_text(work / "report.html", report.page("Classes by their names", lead, content))
    told = {"n": len(records), "scores": scores, "skipped": table.about.skipped, "encoder": model.name}
    write_json(work / "scores.json", told | {"data": list(sources), "options": asdict(options)})
    publish(work, out)
    return Evaluated(out, len(records), scores, out / "predictions.jsonl", len(table.about.skipped))


def labelled(sources: Sequence[str], split: str | None, images: str | None, limit: int | None) -> list[Record]:
    """The pictures that have a class; those without are counted and left out."""
    found = [record for source in sources for record in data.read(source, split, images, limit, "classes")]
    records = [record for record in found if record.image is not None and isinstance(record.fields.get("label"), str)]
    if len({record.fields["label"] for record in records}) < 2:
        raise InputError(
            f"expected pictures of at least two classes in {', '.join(sources)}"
            f"{f' ({split})' if split else ''}, found {len(records)} labelled pictures; e.g. imagefolder:FOLDER, with a folder "
            "for each class, or ?label=COLUMN"
        )
    if len(records) < len(found):
        log.warning(
            "%d of %d records have no picture or no label and are left out", len(found) - len(records), len(found)
        )
    return records


def _lines(records: Sequence[Record], said: Sequence[str], truth: Sequence[str], sure: np.ndarray) -> Iterator[str]:
    for record, name, label, share in zip(records, said, truth, sure.tolist(), strict=True):
        told = {"key": record.key, "text": name, "references": [label], "scores": {"accuracy": float(name == label)}}
        yield json.dumps(told | {"probability": round(share, 4)}, ensure_ascii=False) + "\n"


def plot_confusion(found: classes.Scores) -> Figure:
    """Who was taken for whom: rows the truth, in shares of the row."""
    from matplotlib.figure import Figure

    shares = found.confusion[:, :-1] / np.maximum(found.confusion.sum(1, keepdims=True), 1)
    side = 2.4 + 0.24 * len(found.classes)
    plot = Figure(figsize=(side + 0.8, side), layout="constrained")
    axis = plot.subplots()
    drawn = axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    places = range(len(found.classes))
    axis.set_xticks(places, found.classes, rotation=90, fontsize=8)
    axis.set_yticks(places, found.classes, fontsize=8)
    axis.set(xlabel="named", ylabel="is")
    plot.colorbar(drawn, ax=axis, shrink=0.7)
    return plot


def _confusion(found: classes.Scores, plot: Figure) -> list[str]:
    """Who was taken for whom, and how often each class is named right."""
    count = found.confusion.sum(1)
    rows = {
        name: [f"{count[row]:,}", f"{found.by_class[name]:.1%}" if name in found.by_class else ""]
        for row, name in enumerate(found.classes)
    }
    return [
        report.section(
            "Who was taken for whom",
            f"{found.accuracy:.1%} of {count.sum():,} pictures are named right; the mean over classes is {found.macro:.1%}.",
            report.figure(plot, "confusion matrix"),
        ),
        report.section("By class", "How often each is named right.", report.table("", ["pictures", "right"], rows)),
    ]


def _galleries(
    records: Sequence[Record], said: Sequence[str], truth: Sequence[str], sure: np.ndarray, seed: int
) -> list[str]:
    right = np.array([name == label for name, label in zip(said, truth, strict=True)], dtype=float)

    def card(row: int) -> report.Card:
        picture = records[row].image
        assert picture is not None
        score = "right" if right[row] else "wrong"
        lines = {"named": said[row], "is": truth[row], "score": score, "probability": f"{sure[row]:.2f}"}
        return galleries.card(picture, lines, "named")

    return galleries.sections(right, sure, card, seed)
