"""Pages a person would rather look at than read: one HTML file with everything in it, no script, no address.

page("The world", [figure(plot), table(rows), gallery(cards)])
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from PIL.Image import Image

SIDE = 256  # most pixels a side of a picture on a page
DRAWN = 128  # and up to which it is shown as it is

STYLE = """
:root { color-scheme: light dark; --ink: #1d2129; --paper: #fbfaf7; --soft: #6b7280; --line: #d8d5cc; --mark: #b4532a; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8e6e1; --paper: #16181d; --soft: #9aa0aa; --line: #343841; --mark: #e58a5c; }
}
body { margin: 2.5rem auto; max-width: 72rem; padding: 0 1.2rem; font: 16px/1.5 system-ui, sans-serif }
body { color: var(--ink); background: var(--paper) }
h1 { font-size: 1.9rem; margin-bottom: .2rem } h2 { margin-top: 2.6rem; font-size: 1.25rem } p { max-width: 46rem }
.soft { color: var(--soft) } table { border-collapse: collapse; margin: 1rem 0 } caption { text-align: left; color: var(--soft) }
th, td { padding: .35rem .9rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap }
th:first-child, td:first-child { text-align: left; white-space: normal }
figure { margin: 1rem 0 } figure img { max-width: 100%; background: white; border-radius: 6px }
.gallery { display: grid; grid-template-columns: repeat(auto-fill, minmax(17rem, 1fr)); gap: 1.4rem }
.card img { width: 100%; aspect-ratio: 1; object-fit: contain; border-radius: 8px; display: block; margin-bottom: .5rem }
.card img.drawn { image-rendering: pixelated }
.card dl { margin: 0; font-size: .92rem } .card dt { color: var(--soft); font-size: .78rem; margin-top: .35rem }
.card dd { margin: 0 }
.card dd.main { color: var(--mark); font-weight: 600 }
"""


@dataclass(frozen=True)
class Card:
    """A picture, where there is one, and what is said of it; `main` names the line to look at first."""

    image: Image | None
    lines: Mapping[str, str | Sequence[str]]
    main: str


def page(title: str, lead: str, sections: Sequence[str]) -> str:
    """A whole HTML document."""
    body = "\n".join(sections)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>\n<body><h1>{escape(title)}</h1>"
        f'<p class="soft">{escape(lead)}</p>\n{body}\n</body></html>\n'
    )


def section(heading: str, sentence: str, content: str) -> str:
    """A heading, one sentence on what is shown, and the thing itself."""
    return f"<h2>{escape(heading)}</h2><p>{escape(sentence)}</p>{content}"


def table(caption: str, columns: Sequence[str], rows: Mapping[str, Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(column)}</th>" for column in ["", *columns])
    lines = "".join(
        f"<tr><td>{escape(name)}</td>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"
        for name, cells in rows.items()
    )
    return f"<table><caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>"


def gallery(cards: Sequence[Card]) -> str:
    return f'<div class="gallery">{"".join(_card(card) for card in cards)}</div>'


def figure(plot: Figure, alternative: str) -> str:
    """A matplotlib figure, in the page."""
    file = io.BytesIO()
    plot.savefig(file, format="png", dpi=150, bbox_inches="tight")
    return f'<figure><img alt="{escape(alternative)}" src="{_data(file.getvalue())}"></figure>'


def _card(card: Card) -> str:
    lines = []
    for name, said in card.lines.items():
        mark = ' class="main"' if name == card.main else ""
        told = [said] if isinstance(said, str) else said
        lines.append(f"<dt>{escape(name)}</dt>" + "".join(f"<dd{mark}>{escape(line)}</dd>" for line in told))
    alternative = card.lines[card.main]
    alternative = alternative if isinstance(alternative, str) else alternative[0]
    shown = "" if card.image is None else _shown(card.image, alternative)
    return f'<div class="card">{shown}<dl>{"".join(lines)}</dl></div>'


def _shown(image: Image, alternative: str) -> str:
    """A picture no larger than a page needs it; a very small one, which is drawn rather than photographed, as it is."""
    file, drawn = io.BytesIO(), max(image.size) <= DRAWN
    if drawn:
        image.save(file, format="PNG")
    else:
        image = image.copy()
        image.thumbnail((SIDE, SIDE))
        image.save(file, format="JPEG", quality=85)
    kind = ' class="drawn"' if drawn else ""
    return f'<img{kind} alt="{escape(alternative)}" src="{_data(file.getvalue(), "png" if drawn else "jpeg")}">'


def _data(image: bytes, kind: str = "png") -> str:
    return f"data:image/{kind};base64," + base64.b64encode(image).decode()
