"""Stage 0b, optional: a language model writes the captions that training needs.

A prompt is an instruction and examples in context, each behind two of its own keywords, and ends with two new keywords:

    Write one caption for each group of keywords.
    umbrella, child: A child holding a flowered umbrella and petting a yak.
    ...
    fire, hydrant:

The model ends the line, and other keywords make another caption. No picture is seen, and no caption of a picture is
needed but the few examples: with twenty sentences in a voice of one's own this becomes a captioner in that voice.
CLOSE, arXiv:2211.09778 section 3.3 (captions by GPT-J and Curie) and 5 (styles).

Everything is drawn from (seed, number of the caption); written captions are kept at once, so that a stopped run goes on.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from imageless import data, limits, loop, screen
from imageless.errors import InputError
from imageless.folders import disk_errors, partial, read_json, write_json, write_text
from imageless.options import SynthesizeOptions
from imageless.synthesis import keywords, writers
from imageless.synthesis.filters import Caption, habits, reasons
from imageless.synthesis.prompts import Prompts, tidy

log = logging.getLogger(__name__)

LEAST = {
    "count": 1,
    "shots": 1,
    "keywords_each": 1,
    "most_keywords": 1,
    "longest": 1,
    "least_words": 1,
    "most_words": 1,
    "keywords_needed": 0,
    "repeats": 2,
    "repeats_scale": 1,
    "retries": 0,
    "price_per_million_tokens": 0,
}
AFTERWARDS = ("least_words", "most_words", "keywords_needed", "keep_unfinished", "repeats", "repeats_scale")
ASIDE = (*AFTERWARDS, "batch_size", "base_url", "timeout", "retries", "price_per_million_tokens")
"""Options that do not decide what is written: they may change when unfinished work goes on."""
SHOWN = 10  # over-used words in the result; the report has more
LEAST_ROUND = 64  # captions between two looks at what has been written


@dataclass(frozen=True)
class Synthesized:
    """What writing left behind."""

    out: Path
    seconds: float
    written: int
    kept: int
    left_out: dict[str, int]
    """How many captions were left out, by reason."""
    shots: float
    """Examples in a prompt, on average: fewer than asked for where the model's context is short."""
    tokens: int
    """Read and written by the language model."""
    per_second: float
    cost: float | None
    """Of all tokens, at the price that was named."""
    style: list[dict[str, Any]]
    """Words written far more often than in the reference."""


def synthesize(lm: str, examples: str, out: Path, about: str | None, options: SynthesizeOptions) -> Synthesized:
    """Have `lm` write captions like the examples to `out`, a caption a line, about a file's or some data's keywords.

    Where `about` is None, the keywords are the examples' own.
    """
    _check(options)
    if options.resume and not options.overwrite and _files(out)["report"].is_file() and out.is_file():
        log.info("%s is complete already", out)
        return _told_before(out)
    _expect_free(out, options)
    extract = keywords.extractor(options.tagger)
    prompts = Prompts(_captions(examples, options), extract, examples, options)
    named = _keywords(about, extract, prompts, options)
    reference = prompts.captions if options.reference is None else _captions(options.reference, options)
    sampler = _sampler(named, reference, options)
    writer = writers.writer(lm, options)
    _expect_room(writer, prompts, sampler, options)
    work = _begin(out, options)
    sources = {"examples": prompts.captions, "keywords": named, "reference": reference}
    wanted = {"lm": lm} | {name: _fingerprint(texts) for name, texts in sources.items()} | limits.deciding(options)
    loop.expect_same(work, {name: value for name, value in wanted.items() if name not in ASIDE})
    start = time.monotonic()
    book = _Book(work / "written.jsonl")
    before = len(book.captions)
    _write(book, writer, prompts, sampler, options)
    captions = [book.captions[number] for number in range(options.count)]
    told = _Told(lm, examples, about, time.monotonic() - start, options.count - before)
    return _publish(out, work, captions, prompts.captions, reference, told, options)


def _write(
    book: _Book, writer: writers.Writer, prompts: Prompts, sampler: keywords.Sampler, options: SynthesizeOptions
) -> None:
    """Round after round, so that `sampler` sees the same captions before each round however it was cut into batches."""
    size = _round(options)
    with screen.progress("captions", options.count, len(book.captions)) as bar:
        for start in range(0, options.count, size):
            numbers = range(start, min(start + size, options.count))
            missing = [number for number in numbers if number not in book.captions]
            asked = {number: prompts.ask(number, sampler.draw(number), writer) for number in missing}
            for written in writer.write([one.asked for one in asked.values()]):
                one = asked[written.number]
                text = tidy(written.text, one.keywords)
                book.add(Caption(written.number, text, one.keywords, written.finished, written.tokens, one.shots))
                bar.advance()
            sampler.saw((book.captions[number].text, book.captions[number].keywords) for number in numbers)


class _Book:
    """Captions as they are written, one JSON line each; a line that a stop cut short is written again."""

    def __init__(self, path: Path):
        self.path, self.captions = path, dict[int, Caption]()
        if not path.is_file():
            return
        whole = 0
        for line in path.read_bytes().splitlines(keepends=True):
            try:
                told = json.loads(line)
            except ValueError:
                break
            if not line.endswith(b"\n"):
                break
            self.captions[told["number"]] = Caption(**told | {"keywords": tuple(told["keywords"])})
            whole += len(line)
        with disk_errors(path), path.open("r+b") as file:
            file.truncate(whole)

    def add(self, caption: Caption) -> None:
        with disk_errors(self.path), self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(caption), ensure_ascii=False) + "\n")
        self.captions[caption.number] = caption


@dataclass(frozen=True)
class _Told:
    """What the report says of the work itself."""

    lm: str
    examples: str
    keywords: str | None
    seconds: float
    written: int
    """Captions written since the last stop."""


def _publish(
    out: Path,
    work: Path,
    captions: Sequence[Caption],
    examples: Sequence[str],
    reference: Sequence[str],
    told: _Told,
    options: SynthesizeOptions,
) -> Synthesized:
    """Choose what is kept, and give everything its final name; the captions themselves come last."""
    why = reasons(captions, examples, options)
    kept = [caption.text for caption, reason in zip(captions, why, strict=True) if reason is None]
    left_out = dict(Counter(reason for reason in why if reason is not None).most_common())
    if not kept:
        counted = ", ".join(f"{count} {reason}" for reason, count in left_out.items())
        raise InputError(
            f"expected captions worth keeping, all {len(captions)} were left out ({counted}); "
            "loosen those filters (imageless synthesize --help) and go on with --resume"
        )
    tokens, price = sum(caption.tokens for caption in captions), options.price_per_million_tokens
    style = [asdict(habit) for habit in habits(kept, reference)]
    result = Synthesized(
        out,
        round(told.seconds, 3),
        len(captions),
        len(kept),
        left_out,
        round(sum(caption.shots for caption in captions) / len(captions), 1),
        tokens,
        round(told.written / max(told.seconds, 1e-9), 2),
        None if price is None else round(tokens * price / 1e6, 4),
        style[:SHOWN],
    )
    files = _files(out)
    write_text(files["lines"], "".join(_line(*pair, options.seed) for pair in zip(captions, why, strict=True)))
    report = asdict(result) | {"out": out.name, "style": style, "options": asdict(options)}
    write_json(files["report"], report | {"lm": told.lm, "examples": told.examples, "keywords": told.keywords})
    write_text(out, "".join(f"{text}\n" for text in kept))
    shutil.rmtree(work)
    return result


def _line(caption: Caption, why: str | None, seed: int) -> str:
    told = {"text": caption.text, "keywords": caption.keywords, "seed": seed, "number": caption.number}
    told |= {"kept": why is None} | ({} if why is None else {"why": why})
    return json.dumps(told, ensure_ascii=False) + "\n"


def _captions(source: str, options: SynthesizeOptions) -> list[str]:
    """Every caption of a text file or DATA word, on one line each."""
    spec = source if source.partition(":")[0] in data.READERS else f"text:{source}"
    records = data.read(spec, options.split, options.images, options.limit)
    captions = [" ".join(caption.split()) for record in records for caption in record.captions]
    if not captions:
        raise InputError(f"{source}: expected captions, got records without any; name data that has some")
    return captions


def _keywords(
    about: str | None, extract: keywords.Extractor, prompts: Prompts, options: SynthesizeOptions
) -> list[str]:
    if about is not None and about.partition(":")[0] not in data.READERS:
        return keywords.read(about)
    stand_in = prompts.found if about is None else extract(_captions(about, options))
    found = keywords.most_frequent(stand_in, options.most_keywords)
    log.info("%s keywords from %s, such as %s", f"{len(found):,}", about or "the examples", ", ".join(found[:5]))
    return found


def _sampler(named: Sequence[str], reference: Iterable[str], options: SynthesizeOptions) -> keywords.Sampler:
    if options.sampling == "uniform":
        return keywords.Uniform(named, options.keywords_each, options.seed)
    sampler = keywords.Unigram(named, reference, options.keywords_each, options.seed, _round(options))
    if absent := int((sampler.target == 0).sum()):
        log.warning("%d of %d keywords never stand in the reference: they are not asked for", absent, len(named))
    return sampler


def _round(options: SynthesizeOptions) -> int:
    return max(LEAST_ROUND, options.count // 100)


def _expect_room(
    writer: writers.Writer, prompts: Prompts, sampler: keywords.Sampler, options: SynthesizeOptions
) -> None:
    """Say before the work begins when a model's context is too short for the examples."""
    shots = prompts.ask(0, sampler.draw(0), writer).shots
    wanted = min(options.shots, len(prompts.usable))
    if shots == 0:
        raise InputError(
            f"expected room for one example and --longest {options.longest} tokens, the language model's context is too short;"
            " lower --longest or use another model"
        )
    if shots < wanted:
        log.warning("the language model's context has room for about %d of %d examples", shots, wanted)


def _check(options: SynthesizeOptions) -> None:
    limits.check(options)
    for name, least in LEAST.items():
        value = getattr(options, name)
        if value is not None and not value >= least:
            flag = name.replace("_", "-")
            raise InputError(f"--{flag}: expected at least {least}, got {value}; leave it out for the default")
    for name, top in (("top_p", 1.0), ("timeout", 86400.0)):
        if not 0 < (value := getattr(options, name)) <= top:
            flag = name.replace("_", "-")
            raise InputError(
                f"--{flag}: expected above 0 and at most {top:g}, got {value}; leave it out for the default"
            )


def _files(out: Path) -> dict[str, Path]:
    """What stands beside the captions."""
    return {"lines": out.with_suffix(".jsonl"), "report": out.with_suffix(".report.json")}


def _expect_free(out: Path, options: SynthesizeOptions) -> None:
    """Refuse names that are taken, unless by captions that were written here and may be replaced."""
    if out.suffix == ".jsonl" or not out.name or out.is_dir():
        raise InputError(f"expected --out FILE such as captions.txt, got {out}; name a file, not .jsonl")
    files = _files(out)
    with disk_errors(out):
        taken = [path for path in (out, *files.values()) if path.exists()]
    if taken and not options.overwrite:
        raise InputError(f"{taken[0]} exists already; choose another name or add --overwrite")
    if taken and not files["report"].is_file():
        raise InputError(
            f"expected to overwrite captions written here, {taken[0]} is something else; choose another name"
        )
    work = partial(out)
    if work.exists() and not (options.resume or options.overwrite):
        raise InputError(f"unfinished captions lie at {work}; go on with --resume or start anew with --overwrite")


def _begin(out: Path, options: SynthesizeOptions) -> Path:
    """The folder to work in; older captions of that name stay until the new ones are complete."""
    work = partial(out)
    with disk_errors(work):
        if work.exists() and not options.resume:
            shutil.rmtree(work)
        work.mkdir(parents=True, exist_ok=True)
    return work


def _told_before(out: Path) -> Synthesized:
    """The result of captions that are complete already."""
    told = read_json(_files(out)["report"], "a report on captions")
    fields = Synthesized.__dataclass_fields__
    if missing := sorted(fields.keys() - told.keys()):
        raise InputError(
            f"{out}: expected captions written here, their report has no {missing[0]}; choose another name"
        )
    return Synthesized(**{name: told[name] for name in fields} | {"out": out, "style": told["style"][:SHOWN]})


def _fingerprint(texts: Iterable[str]) -> str:
    digest = hashlib.blake2b(digest_size=8)
    for text in texts:
        digest.update(text.encode() + b"\n")
    return digest.hexdigest()
