"""Captions to vectors with CLIP ViT-L/14: open_clip's encode_text beside `imageless embed`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from imageless.benchmarks import ceilings
from imageless.benchmarks.base import Figure, empty_cache, in_turns, row
from imageless.encoders.open_clip import OpenClip
from imageless.stages import embed

MODEL = "ViT-L-14"
BATCH = 64
LENGTHS = dict(  # tokens of 50,020 captions of COCO, start and end included, per mille
    zip(range(9, 29), (3, 42, 146, 199, 195, 150, 99, 63, 39, 23, 14, 9, 6, 4, 2, 2, 1, 1, 1, 1), strict=True)
)
WORDS = "a man dog cat bus street snow red blue tree horse ball boy girl chair table food plate train wave beach"


def captions(count: int) -> list[str]:
    """Sentences as long as COCO's captions are, every one another; each word is one token."""
    draw = np.random.default_rng(0)
    lengths = draw.choice(list(LENGTHS), count, p=np.array(list(LENGTHS.values())) / sum(LENGTHS.values()))
    return [" ".join(draw.choice(WORDS.split(), length - 2)) for length in lengths]


def encoder(dtype: torch.dtype = torch.float32, model_name: str = MODEL) -> OpenClip:
    """The architecture with random weights: how fast it is does not depend on what it knows."""
    import open_clip

    torch.manual_seed(0)
    model: Any = open_clip.create_model(model_name)
    tokenizer = open_clip.get_tokenizer(model_name)
    dim = model.text_projection.shape[1]
    name = f"benchmark:{model_name}/{dtype}"
    return OpenClip(name, model.to(dtype), tokenizer, dim, torch.device("cpu"), dtype, lambda: model)


def plain(told: Sequence[str], clip: OpenClip) -> torch.Tensor:
    """As open_clip's README has it: tokens of the whole context, 64 sentences at a time."""
    with torch.no_grad():
        parts = [
            clip.model.encode_text(clip.tokenizer(list(told[start : start + BATCH])))
            for start in range(0, len(told), BATCH)
        ]
    return torch.cat(parts)


def embedded(told: Sequence[str], clip: OpenClip) -> None:
    """The stage itself, table on disk and all."""
    with empty_cache():
        embed.texts(told, clip)


def figures(quick: bool) -> list[Figure]:
    count, rounds, name = (24, 1, "ViT-B-32") if quick else (512, 3, MODEL)
    told = captions(count)
    clip, half = encoder(model_name=name), encoder(torch.bfloat16, name)
    given, ours, ours_half = plain(told, clip), clip.texts(told), half.texts(told)
    theirs, mine, mine_half = in_turns(
        [lambda: plain(told, clip), lambda: embedded(told, clip), lambda: embedded(told, half)], rounds
    )
    what = {"input": f"{count} captions as long as COCO's, {name} with random weights"}
    told_of = what | {"baseline": f"open_clip encode_text, 77 tokens, float32, batches of {BATCH}"}
    cosines = torch.nn.functional.cosine_similarity(given, ours_half, dim=-1)
    apart = float((given - ours).abs().max() / given.abs().max())
    return [
        row(
            "text embedding, float32",
            "captions/s",
            count,
            theirs,
            mine,
            ">= 5x at 1e-5",
            {"largest_difference": apart},
            what=told_of | {"ours": "imageless embed: batches of like length, cut to the longest of them"},
            of_ceiling=_share(clip, told, mine, torch.float32, quick),
        ),
        row(
            "text embedding, bfloat16",
            "captions/s",
            count,
            theirs,
            mine_half,
            ">= 10x at cosine .999",
            {"least_cosine": float(cosines.min())},
            what=told_of | {"ours": "the same in bfloat16"},
            of_ceiling=_share(half, told, mine_half, torch.bfloat16, quick),
        ),
    ]


def _share(clip: OpenClip, told: Sequence[str], seconds: Sequence[float], dtype: torch.dtype, quick: bool) -> float:
    """Of what this machine does in a matrix product: two operations a weight and token that is no padding."""
    weights = sum(weight.numel() for weight in clip.model.transformer.parameters())
    tokens = sum(len(clip.tokenizer.encode(sentence)) + 2 for sentence in told)
    reached = 2 * weights * tokens / 1e9 / float(np.median(seconds))
    return reached / ceilings.gflops(dtype, 512 if quick else ceilings.SIDE)
