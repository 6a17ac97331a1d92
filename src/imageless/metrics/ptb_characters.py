"""What characters are to the caption tokeniser: letter, mark, digit, symbol, or nothing at all.

Beyond ASCII its rules care for little more than the kind of a character. So a text is matched by its shape: the same
text, as long, with one stand-in per kind. Found by asking the original about every 16-bit character; it knows
Unicode 6.1, and sees two unknown halves where we see an emoji.
"""

from __future__ import annotations

import bisect
import unicodedata

LETTER, MARK, DIGIT, SYMBOL, WIDE, UNKNOWN = "\ue000", "\ue001", "\ue002", "\ue003", "\ue004", "\0"  # the stand-ins

# Ranges of characters, in hexadecimal.
THEMSELVES = (  # named in a rule
    "0-7f 80 82 84-85 91-97 a0 a2-a4 ab ad b2-b3 b9 bb-be 58a 66b-66c 2000-200a 2010-2011 2013-2015 2018-201f 2026 "
    "2039-203a 2044 2070 2074-207b 2080-208b 20a0 20ac 2153-2154 3000-3001 ff03 ff20"
)
MARKS = (  # letters within a word, but they do not follow a digit
    "2c2-2c5 2d2-2df 2e5-2eb 2ed 2ef-36f 375 378-379 384-385 3f6 483-487 55a-55f 591-5bd 5bf 5c1-5c2 5c4-5c5 5c7 "
    "615-61a 64b-65e 670 6d6-6e4 6e7-6ed 6fd-6fe 70f 711 730-74c 7a6-7b0 7eb-7f3 900-903 93c 93e-94e 951-955 962-963 "
    "981-983 9bc 9be-9c4 9c7-9c8 9cb-9cd 9d7 9e2-9e3 a01-a03 a3c a3e-a4f a81-a83 abc abe-acf b82 bbe-bc2 bc6-bc8 "
    "bca-bcd c01-c03 c3e-c56 d3e-d44 d46-d48 e31 e34-e3a e47-e4e eb1 eb4-ebc ec8-ecd"
)
SYMBOLS = (  # kept, each a token of its own; other symbols vanish
    "a1 a5-a9 ac ae-b1 b4 b6-b8 bf d7 f7 37e 387 589 5be 5c0 5c3 5c6 5f3-5f4 600-603 606-60c 614 61b 61e-61f 66a 66d "
    "6d4 700-70d 7f6-7f8 964-965 e3f e4f 1fbd 2016-2017 2020-2023 2030-2038 203b 203e-2042 207c-207e 208c-208e 20a4 "
    "2100-2101 2103-2106 2108-2109 2114 2116-2118 211e-2123 2125 2127 2129 212e 213a-213b 2140-2144 214a-214d 214f "
    "2155-215e 2190-2bff 3002 3012 30fb ff01-ff02 ff04-ff0f ff1a-ff1f ff3b-ff40 ff5b-ff65 ffe0-ffe1 ffe5-ffe6"
)
NEWER = (  # letters and digits later than Unicode 6.1, with the gaps around them
    "37f 528-52f 560 588 5ef 860-88e 8a1 8ad-8c9 978 980 9fc af9 c34 c5a-c5d c80 cdd d04 d54-d5f de6-def e86 e89 e8c "
    "e8e-e93 e98 ea0 ea8-ea9 eac 13f5-13fd 16f1-16f8 170d 171f 1878 191d-191e 19b0-19c0 19c8-19c9 1b4c 1c80-1cbf "
    "1cf2-1cf3 1cfa 2c2f 2c5f 312e-312f 31bb-31bf 4db6-4dbf 9fcd-9fff a698-a69d a78f a794-a79f a7ab-a7f7 a8fd-a8fe "
    "a9e0-a9fe aa7e-aa7f ab30-abbf"
)
OLDER = "1885-1886"  # letters then, marks now
HALVES = "10000-10ffff"  # two 16-bit characters each


class Ranges:
    """A set of characters given as ranges."""

    def __init__(self, ranges: str):
        pairs = [[int(bound, 16) for bound in span.split("-")] for span in ranges.split()]
        self.first = [pair[0] for pair in pairs]
        self.last = [pair[-1] for pair in pairs]

    def __contains__(self, code: int) -> bool:
        at = bisect.bisect_right(self.first, code) - 1
        return at >= 0 and code <= self.last[at]


class Shapes(dict[int, str]):
    """Character -> itself or the stand-in of its kind; a table for `str.translate` that fills itself."""

    def __init__(self) -> None:
        super().__init__()
        self.themselves = Ranges(THEMSELVES)
        self.kinds = [
            (Ranges(ranges), stand_in)
            for ranges, stand_in in (
                (MARKS, MARK),
                (SYMBOLS, SYMBOL),
                (NEWER, UNKNOWN),
                (OLDER, LETTER),
                (HALVES, WIDE),
            )
        ]

    def __missing__(self, code: int) -> str:
        self[code] = chr(code) if code in self.themselves else self.kind(code)
        return self[code]

    def kind(self, code: int) -> str:
        for ranges, stand_in in self.kinds:
            if code in ranges:
                return stand_in
        category = unicodedata.category(chr(code))
        return LETTER if category[0] == "L" else DIGIT if category == "Nd" else UNKNOWN


SHAPES = Shapes()
