"""Captions into words, as the official COCO scorers do it, without Java.

The scorers call Stanford's PTBTokenizer (CoreNLP 3.4.1, `-preserveLines -lowerCase`) and then drop punctuation. Its
lexer is a list of patterns: at each place the pattern that reaches furthest wins, what it must see *after* the token
counts too, and of equals the first in the list wins. So does ours. Its rules are our own wording of the known behaviour,
corrected by asking the original: every character, every word of up to five letters, and made-up lines until next to none differed.

Notable:
- Nothing is Americanised: "colour" stays. "a dog." loses its full stop; "st." and the end of "plan b." keep theirs.
- Brackets stay, as "-lrb-": the official list of what to drop has them in capitals, and looks after lower-casing.
- Captions are lines of one file, and a few tokens look across the line: "modern art." keeps its full stop when the next
  line starts with a digit, "plan b." loses it before a line "The ...". `following` is that next line.
- The original reads 16-bit characters of Unicode 6.1: emoji, later letters and most rarer symbols vanish.
- Plain words, nearly all of a caption, are looked up by chunk; only odd captions meet the whole list.

Known differences: what the original takes for a line end within a caption (carriage return, form feed, U+2028 ...) is
a space here, where the official scorers lose count of their lines; and now and then the lower case of a final capital
sigma.
Source: pycocoevalcap 1.2, tokenizer/ptbtokenizer.py; tests/scripts/official_caption_scores.py compares the two.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache, lru_cache

from imageless.errors import InputError
from imageless.metrics.ptb_characters import DIGIT, LETTER, MARK, SHAPES, SYMBOL, WIDE

# As in ptbtokenizer.py, less the brackets, which it never finds.
DROPPED = frozenset(("''", "'", "``", "`", ".", "?", "!", ",", ":", "-", "--", "...", ";"))
SPACES = " \t\xa0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u3000"
LINE_ENDS = dict.fromkeys(map(ord, "\n\r\v\f\u2028\u2029"), " ")


def tokenize(text: str, following: str | None = None) -> list[str]:
    """The words of one caption. `following` is the caption on the next line of the same file; None at its end."""
    if not isinstance(text, str):
        raise InputError(f"expected a caption, got {type(text).__name__} {text!r:.60}; pass strings")
    words = _plain(text)
    return _odd(text, following) if words is None else words


def tokenize_lines(captions: Sequence[str]) -> list[list[str]]:
    """Each caption's words, read as lines of one file, as the official scorers do."""
    following, read = None, []
    for caption in reversed(captions):
        read.append(tokenize(caption, following))
        line = caption.replace("\n", " ")
        following = line if following is None or line.strip() else f"{line}\n{following}"
    return read[::-1]


def _plain(text: str) -> list[str] | None:
    """The words when each chunk between spaces can be read alone; None when one cannot."""
    words: list[str] = []
    for chunk in text.split(" "):
        read = _chunk(chunk)
        if read is None:
            return None
        words += read
    return words


@lru_cache(maxsize=1 << 16)
def _chunk(chunk: str) -> tuple[str, ...] | None:
    """The words of a chunk that no rule looks beyond; None when one might, as from a number or an abbreviation."""
    parts = re.fullmatch(r"((?:[A-Za-z]+(?:[-'][A-Za-z]+)*)?)([.,]?)", chunk)
    if parts is None:
        return None
    word, stop = parts.groups()
    if stop == "." and word and ("'" in word or len(word) == 1 or _abbreviations().fullmatch(chunk)):
        return None
    if "'" not in word and word.lower() not in _JOINED:
        return (word.lower(),) if word else ()
    tokens, start = [], 0
    while start < len(word):
        token, start = _token(word, f"{word}\n", start)
        tokens.append(token)
    return tuple(token for token in tokens if token not in DROPPED)


def _odd(text: str, following: str | None) -> list[str]:
    """The words of any text: plain chunks as before, all else by the rules."""
    text = text.translate(LINE_ENDS)
    shape = text if following is None else f"{text}\n{following}\n"
    if not shape.isascii():
        shape = shape.translate(SHAPES)
    tokens: list[str] = []
    start = 0
    while start < len(text):
        chunk = text[start:].partition(" ")[0]
        if not chunk:
            start = len(text) - len(text[start:].lstrip(SPACES))
        elif read := _chunk(chunk):
            tokens += read
            start += len(chunk)
        else:
            token, start = _token(text, shape, start)
            tokens.append(token)
    while tokens and not tokens[-1]:
        tokens.pop()
    if tokens:
        tokens[-1] = tokens[-1].rstrip()  # the scorers strip the line
    return [token for token in tokens if token and token not in DROPPED]


def _token(text: str, shape: str, start: int) -> tuple[str, int]:
    """The token that starts here, and where the next one does; what no rule takes becomes nothing."""
    reach, taken, becomes = start, start + 1, _nothing
    for pattern, rewrite in _rules():
        found = pattern.match(shape, start)
        if found and found.end() > reach:
            reach, taken, becomes = found.end(), found.end(1), rewrite
    return becomes(text[start:taken]).lower().replace(" ", "\xa0"), taken  # a space within a token: 1 1/2


# What a token becomes.


def _nothing(_token: str) -> str:
    return ""


def _itself(token: str) -> str:
    return token


def _word(token: str) -> str:
    """Soft hyphens go, &amp; is an ampersand."""
    return re.sub("(?i)&amp;", "&", token.replace("\xad", "")) or "-"


def _clitic(token: str) -> str:
    """Every apostrophe is an ASCII one."""
    return _word(_quote(token))


def _quote(token: str) -> str:
    return re.sub("(?i)&apos;", "'", token).translate(_QUOTES)


def _brackets(token: str) -> str:
    return token.replace("(", "-lrb-").replace(")", "-rrb-")


def _hyphens(token: str) -> str:
    return "--" if len(token) in (3, 4) else token


def _angle(token: str) -> str:
    return re.sub("(?i)&lt;", "<", re.sub("(?i)&gt;", ">", token))


def _always(word: str) -> Callable[[str], str]:
    return lambda _token: word


_QUOTES = str.maketrans(
    {character: "`" for character in "\x91‘‛‹"}
    | {character: "'" for character in "\x92’›"}
    | {character: "``" for character in "\x93«“"}
    | {character: "''" for character in "\x94»”"}
)
_VALUES = str.maketrans(
    {"¼": "1/4", "½": "1/2", "¾": "3/4", "⅓": "1/3", "⅔": "2/3", "¢": "cents", "£": "#"} | dict.fromkeys("\x80¤₠€", "$")
)


# Pieces of rules. Classes in brackets mean their case, words do not.
_APOSTROPHE = "(?:['\x92’]|(?i:&apos;))"
_ANY_APOSTROPHE = "(?:['\x92’`\x91‘‛]|(?i:&apos;))"
_SPACE = f"[{SPACES}]"
_DIGIT = f"[0-9{DIGIT}]"
_LETTER = f"[A-Za-z{LETTER}]"
_ALNUM = f"[A-Za-z0-9{LETTER}{DIGIT}]"
_IN_WORD = f"(?:[A-Za-z{LETTER}{MARK}\xad]|(?i:&[aeiou](?:acute|grave|uml);))"  # letters, marks, accents as entities
_INNER = f"(?:{_IN_WORD}|{_DIGIT})"
_WORD = f"{_IN_WORD}{_INNER}*(?:[.!?]{_IN_WORD}{_INNER}*)*"  # dog, dog.cat
_PART = f"(?:[dDoOlL]{_ANY_APOSTROPHE}{_ALNUM})?{_ALNUM}+"  # o'clock
_HYPHENATED = f"{_PART}(?:[-_\u058a\u2010\u2011]{_PART})*"  # x-ray, two_dogs, 5ft
_COMPOUND = "[A-Za-z0-9][A-Za-z0-9.,\xad]*(?:-(?:(?:[A-Za-z]\\.){2,}|[A-Za-z0-9\xad]+))+"  # 3.5-inch, U.S.-based
_AMPERSAND = "[A-Z]+(?:(?:[+&]|(?i:&amp;))[A-Z]+)+"  # AT&T
_NUMBER = f"(?:{_DIGIT}*(?:[.:,\xad\u066b\u066c]{_DIGIT}+)+|{_DIGIT}+)"  # 1,000 10:30 .5
_AREA = "(?:[0-9]{2,4}[- \xa0])"  # of a telephone number
_CLITIC = f"{_APOSTROPHE}(?i:[msd]|re|ve|ll)"
_NOT = f"(?i:n{_ANY_APOSTROPHE}t)"
_EDGE = '[^ \t\n\f\r"<>|.!?(){},'  # a character that may end part of an address
_PATH = f'(?:/[^ \t\n\f\r"<>|()]+{_EDGE}-])?'
_NAME = "[A-Za-z][A-Za-z0-9_:.-]*"  # of a tag
_ATTRIBUTE = f"[ ]+{_NAME}(?:[ ]*=[ ]*(?:'[^'\r\n]*'|\"[^\"\r\n]*\"|{_NAME}))?"
_TAG = f"<(?:[!?][A-Za-z-][^>\r\n]*|/{_NAME}[ ]*|{_NAME}(?:{_ATTRIBUTE})*[ ]*/?[ ]*)>"
_LESS, _MORE = "(?:(?i:&lt;)|<)", "(?:(?i:&gt;)|>)"
_DOMAIN = '[^ \t\n\f\r"<>|(){}.\xa0]+'

# Abbreviations, whose full stop stays: those a sentence may end in, titles and the like, and those before a number.
_ENDING = """
    al co ct ga jr ky md mo rd rt sq sr va vt ala apr aug bhd cos dak dec esq est etc ext feb fla fri inc ind jan
    jul jun kan ltd mar mon neb nev nov oct plc sep seq sys tel thu tue wed wis wyo ariz assn bldg blvd bros colo
    conn corp intl kans mich minn mont okla penn sept tenn tues univ wisc calif thurs bancorp ph\\.d ed\\.d"""
_ENDING_CASED = (
    "A(?i:rk|z)|L(?i:a)|P(?i:a)|D(?i:el)|I(?i:ll)|O(?i:re)|T(?i:ex)|M(?i:ass|iss)|W(?i:ash)|(?i:pp?t)[ey](?i:s?)"
)
_TITLES = """
    cf dr ft lt mr ms mt ph st vs wm adj adm adv ave cie col cpl det drs ens gen gov hon jos maj mme mrs pfc pvt rep
    rev sen sfc sgt spc ste alex asst atty brig capt cmdr dept elec govs insp invt mlle msgr natl pres prof reps
    sens supt assoc attys comdr lieut profs supts treas messrs [a-z]"""
_JOINED = ("cannot", "gonna", "wanna", "gotta", "lemme", "gimme")  # two words each, the first of three letters
_BEFORE_NUMBER = "ca no op pp art fig nos figs prop"
_STARTERS = """
    a about according additionally after an as at but earlier he her here however if in it last many more now once
    one other our she since so some such that the their then there these they this we what when while yet you
    mr\\. ms\\."""
_FILES = """
    bat bmp c cgi cpp dll doc docx exe gif gz h htm html jar java jpeg jpg mov mp3 pdf php pl png ppt ps py sql tar
    txt wav x xml zip"""


def _one_of(words: str) -> str:
    return "|".join(sorted(words.split(), key=len, reverse=True))


@cache
def _abbreviations() -> re.Pattern[str]:
    """Whatever may keep its full stop, somewhere."""
    words = _one_of(f"{_ENDING} {_TITLES} {_BEFORE_NUMBER} mfg mtg")
    return re.compile(f"(?:{_ENDING_CASED}|(?i:{words}))\\.")


@cache
def _rules() -> list[tuple[re.Pattern[str], Callable[[str], str]]]:
    """(token, what must follow it) as one pattern, and what the token becomes; the order settles ties."""
    starter = "|".join(f"{word[0].upper()}(?i:{word[1:]})" for word in _STARTERS.split()) + f"|{_TAG}"
    gap = f"(?:{_SPACE}|\n)"
    table: list[tuple[str, str, Callable[[str], str]]] = [
        (f"{_SPACE}+", "", _nothing),
        ("(?i:&nbsp;)", "", _nothing),
        # words, and where they come apart
        *((f"(?i:{word[:3]})", f"(?i:{word[3:]})", _word) for word in _JOINED),
        ("'(?i:t)", "(?i:is|was)", _word),
        (_TAG, "", _itself),
        ("(?i:&(?:MD|mdash|ndash);)|[\x96\x97–—―]", "", _always("--")),
        ("(?i:&amp;)", "", _always("&")),
        ("&(?i:HT|TL|UR|LR|QC|QL|QR|odq|cdq|#[0-9]+);", "", _itself),
        (_WORD, _CLITIC, _word),
        ("[A-Za-z\xad]*[A-MO-Za-mo-z]\xad*", _NOT, _word),
        (_WORD, "", _word),
        (f"[A-HJ-XZn]{_ANY_APOSTROPHE}{_LETTER}{{2,}}", "", _word),
        # addresses
        (f'(?i:https?://)(?:[^ \t\n\f\r"<>|(){{}}]+{_EDGE}-]|{WIDE})', "", _itself),
        (f"(?i:www)\\.(?:{_EDGE}]+\\.)+[a-zA-Z]{{2,4}}{_PATH}", "", _itself),
        (f"(?:[^ \t\n\f\r\"`'<>|.!?(){{}},-_$]+\\.)+(?i:com|net|org|edu){_PATH}", "", _itself),
        (f'{_LESS}?[a-zA-Z0-9][^ \t\n\f\r"<>|()\xa0{{}}]*@(?:{_DOMAIN}\\.)*{_DOMAIN}{_MORE}?', "", _itself),
        ("[@\uff20][a-zA-Z_][a-zA-Z_0-9]*", "", _itself),
        (f"[#\uff03]{_IN_WORD}+", "", _itself),
        # clitics, numbers
        ("'(?i:[msd]|re|ve|ll)", "[^A-Za-z]", _clitic),
        (_NOT, "[^A-Za-z]", _clitic),
        (f"{_DIGIT}{{1,2}}[-/]{_DIGIT}{{1,2}}[-/]{_DIGIT}{{2,4}}", "", _word),
        (f"[-+]?{_NUMBER}", "", _word),
        ("[⁺⁻₊₋]?(?:[⁰¹²³⁴-⁹]+|[₀-₉]+)", "", _word),
        (f"(?:{_DIGIT}{{1,4}}[- \xa0])?{_DIGIT}{{1,4}}(?:\\\\?/|⁄){_DIGIT}{{1,4}}", "", _word),
        ("(?i:-[LR][RCS]B-|C\\.D\\.s|pro-|anti-|S(?:&|&amp;)P-500|S(?:&|&amp;)Ls|Cap'n|c'est)", "", _word),
        (f"{_APOSTROPHE}[2-9]0(?i:s)", "", _word),
        (f"{_APOSTROPHE}[0-9][0-9]", gap, _word),
        # compounds and abbreviations
        (_HYPHENATED, "", _word),
        (f"(?:(?i:{_one_of(_ENDING)})|{_ENDING_CASED})\\.", "(?s:..)", _word),
        (_COMPOUND, "", _word),
        (f"(?:{_WORD}|{_HYPHENATED}|{_COMPOUND}|{_AMPERSAND})\\.", "[,;:\u3001]", _word),
        ("(?i:c\\+\\+|[cf]#)", "", _word),
        ("(?i:Canada|Sino|Korean|EU|Japan|non)-(?i:U\\.S)\\.?", "", _word),
        ("[A-Za-z]", f"\\.{gap}+(?:{starter}){gap}", _word),
        (f"{_LETTER}+[aeiouyAEIOUY]{_ANY_APOSTROPHE}[aeiouA-Z]{_LETTER}*", "", _word),
        (_AMPERSAND, "", _word),
        ("[A-Za-z0-9]+(?:-[A-Za-z]+){0,2}(?:\\\\?/[A-Za-z0-9]+(?:-[A-Za-z]+){0,2}){1,2}", "", _word),
        (f"{_APOSTROPHE}(?i:n{_APOSTROPHE}?|em|till?)", "", _word),
        (f"(?i:(?:[ldj]|dunkin|somethin|ol){_APOSTROPHE}|o{_ANY_APOSTROPHE}o)", "", _word),
        ("(?i:cont'd\\.?|nor'easter|c'mon|e'er|s'mores|ev'ry|li'l|nat'l)", "", _word),
        ("'", "[A-Za-z][^ \t\n\r\xa0]", _quote),
        (_CLITIC, "", _clitic),
        (_NOT, "", _clitic),
        (f"(?i:y){_APOSTROPHE}", _LETTER, _word),
        ("[A-Za-z](?:\\.[A-Za-z])+\\.", "", _word),
        (f"{_INNER}+(?:\\.{_INNER}+)*\\.(?i:{_one_of(_FILES)})", f"(?:{_SPACE}|[\n.?!,])", _itself),
        (f"(?:(?i:{_one_of(_ENDING + _TITLES)})|{_ENDING_CASED}|(?i:m)[ft](?i:g))\\.", "", _word),
        (f"(?i:{_one_of(_BEFORE_NUMBER)})\\.", f"{gap}?{_DIGIT}", _word),
        (f"(?:\\([0-9]{{2,3}}\\)[ \xa0]?|(?:\\+\\+?)?{_AREA}?{_AREA})[0-9]{{3,4}}[- \xa0]?[0-9]{{3,5}}", "", _brackets),
        ("(?:(?:\\+\\+?)?[0-9]{2,4}\\.)?[0-9]{2,4}\\.[0-9]{3,4}\\.[0-9]{3,5}", "", _itself),
        # faces, marks, symbols
        ("[<>]?[:;=][-o*']?[()DPdpO\\\\{@|\\[\\]]", "[^A-Za-z0-9]", _brackets),
        ("[-^x=~<>']_[-^x=~<>']|\\([-^x=~<>'][_.]?[-^x=~<>']\\)|\\([\\^x=~<>']-[\\^x=~<>'`]\\)", "", _brackets),
        ("[A-Z]*\\$|#", "", _itself),
        ("[¼½¾⅓⅔¢£\x80¤₠€]", "", lambda token: token.translate(_VALUES)),
        ('"|(?i:&quot;)', "", _always("''")),
        ("(?i:&lt;)|<<?", "", _angle),
        ("(?i:&gt;)|>>?", "", _angle),
        ("\\(", "", _brackets),
        ("\\)", "", _brackets),
        ("\\[", "", _always("-lsb-")),
        ("\\]", "", _always("-rsb-")),
        ("\\{", "", _always("-lcb-")),
        ("\\}", "", _always("-rcb-")),
        ("-+", "", _hyphens),
        ("\\.{3,5}|(?:\\.[ \xa0]){2,4}\\.|[\x85…]", "", _always("...")),
        ("@+|#+|_+|\\*+|(?:\\\\\\*){1,3}|[?!]+", "", _itself),
        (f"''?|[`\x82\x84\x91-\x94‘-‟‹›«»]{{1,2}}|{_APOSTROPHE}", "", _quote),
        (f"[.,;:=/+%^&~|\\\\⁄⁺⁻₊₋\u3001\uff03\uff20{SYMBOL}]", "", _itself),
        ("\xad", "", _always("-")),
    ]
    return [(re.compile(f"({token}){after}"), becomes) for token, after, becomes in table]
