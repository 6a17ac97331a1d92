"""The figures and the page of `imageless gap`, drawn from what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from imageless import report
from imageless.folders import disk_errors, write_json, write_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SENTENCES, PICTURES = "#2f6f9f", "#c8642f"
KINDS = {
    "paired": ("a caption and its picture", "#6b8e3a"),
    "unrelated": ("a caption and another picture", "#8a6fae"),
    "caption_caption": ("two captions", SENTENCES),
    "image_image": ("two pictures", PICTURES),
}
BRIDGES = {
    "raw": "as they are",
    "noise": "noise",
    "mean": "mean shift",
    "linear": "linear map",
    "covariance": "covariance noise",
}


def plot_cosines(measured: Mapping[str, Any]) -> Figure:
    """Histograms of the four kinds of cosine; a dashed line at each exact mean."""
    plot = _figure(7.5, 4)
    axis = plot.subplots()
    edges = measured["cosines"]["edges"]
    for kind, (told, colour) in KINDS.items():
        axis.stairs(measured["cosines"]["density"][kind], edges, fill=True, alpha=0.35, color=colour, label=told)
        axis.axvline(measured[kind], color=colour, linestyle="--", linewidth=1)
    axis.set(xlabel="cosine", ylabel="density", yticks=[])
    axis.legend(frameon=False)
    return plot


def plot_explained_variance(measured: Mapping[str, Any]) -> Figure:
    """How few directions hold most of how pictures differ from their captions."""
    shares = measured["explained_variance"]
    plot = _figure(6, 4)
    axis = plot.subplots()
    axis.plot(range(1, len(shares) + 1), shares, color=PICTURES)
    axis.plot([0, len(shares)], [0, 1], color="#9aa0aa", linestyle=":", linewidth=1, label="the same in all directions")
    axis.set(xlabel="principal directions of (image - text)", ylabel="share of the variance", ylim=(0, 1.02))
    axis.legend(frameon=False, loc="lower right")
    return plot


def plot_correlation(measured: Mapping[str, Any]) -> Figure:
    """The most related features of captions and pictures, and each feature with itself."""
    shown = measured["correlation"]["shown"]
    plot = _figure(11, 5)
    left, right = plot.subplots(1, 2)
    drawn = left.imshow(shown["correlation"], cmap="RdBu_r", vmin=-1, vmax=1, aspect="auto")
    left.set_xticks(range(len(shown["image"])), shown["image"], rotation=90, fontsize=7)
    left.set_yticks(range(len(shown["text"])), shown["text"], fontsize=7)
    left.set(xlabel="feature of pictures", ylabel="feature of captions", title="the most related features")
    plot.colorbar(drawn, ax=left, label="Pearson correlation")
    right.hist(measured["correlation"]["diagonal"], bins=40, range=(-1, 1), color=SENTENCES)
    right.set(xlabel="Pearson correlation", ylabel="features", title="each feature with itself")
    return plot


def plot_bridges(panels: Mapping[str, Any]) -> Figure:
    """Captions and pictures on a plane: as they are, then with captions moved by each bridge."""
    plot = _figure(15, 3.4)
    axes = plot.subplots(1, len(panels))
    for axis, (name, dots) in zip(axes, panels.items(), strict=True):
        axis.scatter(*np.transpose(dots["captions"]), s=6, color=SENTENCES, label="captions")
        axis.scatter(*np.transpose(dots["pictures"]), s=6, color=PICTURES, label="pictures")
        axis.set(title=BRIDGES[name], xticks=[], yticks=[])
    axes[0].legend(frameon=False, loc="best", fontsize=8)
    return plot


def write(folder: Path, measured: Mapping[str, Any], dots: Mapping[str, Any]) -> None:
    """figures/ and report.html."""
    figures = folder / "figures"
    with disk_errors(figures):
        figures.mkdir(exist_ok=True)
    write_json(figures / "bridges.json", dots)
    sections = []
    for name, heading, plot, sentence in _shown(measured, dots):
        with disk_errors(figures):
            for suffix in ("png", "svg"):
                plot.savefig(figures / f"{name}.{suffix}", dpi=150)
        sections.append(f"<h2>{escape(heading)}</h2>{report.figure(plot, sentence)}<p>{escape(sentence)}</p>")
    lead = f"imageless gap: {', '.join(measured['data'])}, split {measured['split']}, {measured['encoder']}."
    page = report.page("The gap between sentences and pictures", lead, [*sections, _tables(measured)])
    write_text(folder / "report.html", page)


def _shown(measured: Mapping[str, Any], dots: Mapping[str, Any]) -> list[tuple[str, str, Figure, str]]:
    """File name, heading, figure, and one sentence on what it shows."""
    shares = np.array(measured["explained_variance"])
    most, few = int(np.searchsorted(shares, 0.9)) + 1, min(10, len(shares))
    best = measured["correlation"]["most_related"][0]
    count = len(dots["panels"]["raw"]["captions"])
    return [
        (
            "cosines",
            "How near they are",
            plot_cosines(measured),
            f"A caption and its picture have a mean cosine of {measured['paired']:.3f}, two captions of different pictures "
            f"one of {measured['caption_caption']:.3f}; dashed lines are means over everything, the rest is a sample of "
            f"{measured['sampled']:,} pictures.",
        ),
        (
            "bridges",
            "The gap, and what bridges make of it",
            plot_bridges(dots["panels"]),
            f"{count} captions and their pictures, each panel projected on its own with {dots['projection']}: where the two "
            "colours mix, a model that learns from captions has seen what it will be asked about.",
        ),
        (
            "explained_variance",
            "Where pictures differ from their captions",
            plot_explained_variance(measured),
            f"The first {few} of {len(shares)} directions hold {shares[few - 1]:.0%} of the variance of (image - text) around "
            f"its mean, and {most} hold 90%.",
        ),
        (
            "correlation",
            "Which features move together",
            plot_correlation(measured),
            f"Feature {best['text']} of captions and feature {best['image']} of pictures are most related, with a correlation "
            f"of {best['correlation']:.2f}; a feature has {np.mean(measured['correlation']['diagonal']):.2f} with itself on "
            "the other side, in the mean.",
        ),
    ]


def _tables(measured: Mapping[str, Any]) -> str:
    kinds = {told: [f"{measured[kind]:.4f}"] for kind, (told, _) in KINDS.items()}
    rest = {
        "distance of the means": [f"{measured['centroid_distance']:.4f}"],
        "told apart by a linear classifier": [f"{measured['separability']:.1%}"],
    }
    behind = {
        BRIDGES.get(name, str(name)): [
            f"{found['paired']:.4f}",
            f"{found['to_original']:.4f}",
            f"{found['centroid_distance']:.4f}",
            f"{found['nearest_stays']:.1%}",
            f"{found['nearest_is_own']:.1%}",
        ]
        for name, found in measured["bridges"].items()
    }
    columns = [
        "paired cosine",
        "cosine to where it was",
        "distance of the means",
        "nearest caption stays",
        "nearest caption is its own",
    ]
    size = f"{measured['n']:,} captions of {measured['pictures']:,} pictures"
    told = f"Behind each bridge; nearest captions of {measured['sampled']:,} pictures among as many; noise w = {measured['noise']}"
    return (
        f"<h2>{escape('In numbers')}</h2>"
        + report.table(f"Mean cosines and more, {size}", ["measured"], kinds | rest)
        + report.table(told, columns, behind)
    )


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")
