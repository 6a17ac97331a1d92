"""How a caption is asked for: an instruction, examples behind their own keywords, and new keywords at the end.

    Write one caption for each group of keywords.
    umbrella, yak: A child holding a flowered umbrella and petting a yak.
    ...
    fire, hydrant:

CLOSE's figure 4 shows an instruction, captions with two keywords before each, and two keywords at the end
(arXiv:2211.09778); a line for each example and the instruction's words are ours.
"""

from __future__ import annotations

import logging
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from imageless.draws import key
from imageless.errors import InputError
from imageless.options import SynthesizeOptions
from imageless.synthesis.keywords import Extractor
from imageless.synthesis.writers import Asked, Writer

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Prompt:
    """What a writer is asked, for which keywords, and how many examples it is shown."""

    asked: Asked
    keywords: tuple[str, ...]
    shots: int


class Prompts:
    """Makes the prompt of any caption from (seed, number) and its keywords."""

    def __init__(self, captions: Sequence[str], extract: Extractor, source: str, options: SynthesizeOptions):
        self.captions, self.options = captions, options
        self.found = list(extract(captions))
        self.usable = [row for row, own in enumerate(self.found) if len(own) >= options.keywords_each]
        if not self.usable:
            raise InputError(
                f"{source}: expected captions with at least {options.keywords_each} keywords to show as examples, "
                f"got none in {len(captions)}; add some, or lower --keywords-each"
            )
        if len(self.usable) < options.shots:
            log.warning("%d captions can be examples: prompts have these, not %d", len(self.usable), options.shots)

    def ask(self, number: int, keywords: tuple[str, ...], writer: Writer) -> Prompt:
        """The prompt of a caption, with as many examples as the writer has room for."""
        shown, end = self.shots(number), f"{', '.join(keywords)}:"

        def text(left_out: int) -> str:
            return "\n".join([self.options.instruction, *shown[left_out:], end])

        left_out = bisect_left(range(len(shown)), True, key=lambda count: writer.fits(text(count)))
        asked = Asked(number, text(left_out), key(self.options.seed, "caption", number))
        return Prompt(asked, keywords, len(shown) - left_out)

    def shots(self, number: int) -> list[str]:
        """Examples for caption `number`, each behind some of its own keywords."""
        chance = np.random.default_rng(key(self.options.seed, "shots", number))
        rows = chance.choice(self.usable, min(self.options.shots, len(self.usable)), replace=False)
        each = self.options.keywords_each
        return [
            f"{', '.join(chance.choice(self.found[row], each, replace=False))}: {self.captions[row]}" for row in rows
        ]


def tidy(text: str, keywords: Sequence[str]) -> str:
    """A caption without what a talkative model wraps it in: its keywords once more, quotation marks, odd spaces."""
    text = " ".join(text.split())
    begin = f"{', '.join(keywords)}:"
    if text.lower().startswith(begin):
        text = text[len(begin) :].strip()
    for first, last in ('""', "''", "“”", "‘’"):
        if len(text) > 1 and text[0] == first and text[-1] == last:
            text = text[1:-1].strip()
    return text
