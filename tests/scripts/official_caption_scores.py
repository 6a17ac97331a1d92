"""Ask the official caption scorers, and store what they say for tests/test_metrics.py.

    python tests/scripts/official_caption_scores.py            # needs Java and pycocoevalcap; a minute
    python tests/scripts/official_caption_scores.py --fuzz 20000

Writes tests/data/official_odd_captions.json and tests/data/official_caption_scores.json (numbers only: the captions of
the large corpora stay where they are) and prints both times; with --fuzz, how often both tokenisers agree on made-up
lines.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import json
import os
import random
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from imageless.metrics.captions import per_item
from imageless.metrics.ptb import tokenize

HERE = Path(__file__).parents[1] / "data"
TEXT = Path(__file__).parents[3] / "shared/data/text"
CORPORA = {"coco": "coco_karpathy_test_val.jsonl", "flickr30k": "flickr30k_karpathy_test_val.jsonl"}
SCENES = 5000  # of a corpus, at most
STORED = 200  # images whose own scores are stored
Corpus = tuple[dict[str, str], dict[str, list[str]]]

PIECES = """
    a b dog Dog US don't it's n't cannot gonna Mr. dr. st. U.S. u.s. e.g. etc. no. fig. jan. Corp. A. b. 1 2
    10 1,000 3.5 1/2 1990 90s ' '' ` `` " - -- --- . .. ... , ; : ! ? ( ) [ ] { } < > & &amp; &lt; &quot;
    &apos; @ # $ % ^ * + = _ ~ | \\ / ’ ‘ “ ” – — … • é ñ £ € ½ ° ² ™ 😀 中 日本 б s t re 's 've 't ft in. .com
    .jpg www. http:// n 'n' o' d' y' ol' :) ;) C++ The A It 5"""


def corpus(path: Path) -> Corpus:
    """Scenes with a caption for hypothesis: every other scene its own first, the rest that of the next scene."""
    lines = path.read_text(encoding="utf8").splitlines()[:SCENES]
    scenes = [json.loads(line)["captions"] for line in lines]
    hypotheses, references = {}, {}
    for index, captions in enumerate(scenes):
        own = index % 2 == 0
        hypotheses[str(index)] = captions[0] if own else scenes[(index + 1) % len(scenes)][0]
        references[str(index)] = captions[1:5] if own else captions[:5]
    return hypotheses, references


def odd_corpus(lines: Sequence[str]) -> Corpus:
    """Each odd line against its two neighbours, itself among the references of every third."""
    hypotheses = {str(index): line for index, line in enumerate(lines)}
    references = {
        str(index): [lines[index - 1], lines[(index + 1) % len(lines)], *([line] if index % 3 == 0 else [])]
        for index, line in enumerate(lines)
    }
    return hypotheses, references


def digest(tokens: Sequence[Sequence[str]]) -> str:
    """One number for the tokens of many captions."""
    return hashlib.sha256("\n".join(" ".join(line) for line in tokens).encode()).hexdigest()


def official_tokens(lines: Sequence[str]) -> list[list[str]]:
    """Tokens of each line, all lines in one run of the official tokeniser."""
    from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

    with silence():
        read = PTBTokenizer().tokenize({"all": [{"caption": line} for line in lines]})["all"]
    return [line.split(" ") if line else [] for line in read]


def official_scores(hypotheses: dict[str, str], references: dict[str, list[str]]) -> dict[str, Any]:
    """Corpus scores, scores of the first images, the tokens of the references, and the seconds it took."""
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.rouge.rouge import Rouge
    from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

    began = time.perf_counter()
    with silence():
        res = PTBTokenizer().tokenize({key: [{"caption": text}] for key, text in hypotheses.items()})
        gts = PTBTokenizer().tokenize({key: [{"caption": text} for text in texts] for key, texts in references.items()})
    bleu, bleus = Bleu(4).compute_score(gts, res, verbose=0)
    rouge, rouges = Rouge().compute_score(gts, res)
    cider, ciders = Cider().compute_score(gts, res)
    seconds = time.perf_counter() - began
    scores = {"cider": cider} | {f"bleu{n}": value for n, value in enumerate(bleu, start=1)} | {"rouge_l": rouge}
    return {
        "n": len(hypotheses),
        "scores": {name: float(value) for name, value in scores.items()},
        "cider": [float(value) for value in ciders[:STORED]],
        "rouge_l": [float(value) for value in rouges[:STORED]],
        "bleu4": [float(value) for value in bleus[3][:STORED]],
        "digest": digest([line.split(" ") if line else [] for lines in gts.values() for line in lines]),
        "seconds": seconds,
    }


@contextlib.contextmanager
def silence() -> Any:
    """Java talks on the process's own standard error."""
    kept, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(null)


def our_seconds(hypotheses: dict[str, str], references: dict[str, list[str]]) -> float:
    began = time.perf_counter()
    per_item(hypotheses, references)
    return time.perf_counter() - began


def fuzz(count: int, seed: int) -> None:
    """How often both tokenisers agree on lines nobody would write."""
    draw = random.Random(seed)
    pieces = [*PIECES.split(), *[" "] * 40]
    lines = ["".join(draw.choices(pieces, k=draw.randint(2, 8))) + "." for _ in range(count)]
    differing = [
        (line, theirs, ours)
        for index, (line, theirs) in enumerate(zip(lines, official_tokens(lines), strict=True))
        if theirs != (ours := tokenize(line, lines[index + 1] if index + 1 < count else None))
    ]
    print(f"{count} made-up lines (seed {seed}): {len(differing)} differ")
    for line, theirs, ours in differing[:10]:
        print(f"  {line!r}\n    official {theirs}\n    ours     {ours}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--fuzz", type=int, metavar="LINES", help="compare the tokenisers on made-up lines, store nothing"
    )
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if options.fuzz:
        return fuzz(options.fuzz, options.seed)
    lines = (HERE / "odd_captions.txt").read_text(encoding="utf8").removesuffix("\n").split("\n")
    odd = {"tokens": official_tokens(lines), **official_scores(*odd_corpus(lines))}
    del odd["seconds"]
    text = json.dumps(odd, ensure_ascii=False, indent=1)
    (HERE / "official_odd_captions.json").write_text(text + "\n", encoding="utf8")
    stored = {}
    for name, file in CORPORA.items():
        pairs = corpus(TEXT / file)
        stored[name] = official_scores(*pairs)
        seconds = stored[name].pop("seconds")
        print(f"{name}: {len(pairs[0])} images, official {seconds:.2f} s, ours {our_seconds(*pairs):.2f} s")
    (HERE / "official_caption_scores.json").write_text(json.dumps(stored) + "\n", encoding="utf8")


if __name__ == "__main__":
    main()
