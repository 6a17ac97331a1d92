"""Photographs in JPEG files to vectors with CLIP ViT-L/14: open_clip's preprocessing and encode_image beside `imageless embed`."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from imageless import pixels
from imageless.benchmarks import ceilings
from imageless.benchmarks.base import Figure, empty_cache, in_turns, row
from imageless.benchmarks.text_embedding import MODEL, encoder
from imageless.encoders.open_clip import OpenClip
from imageless.pictures import FilePicture
from imageless.stages import embed

BATCH = 32
GOALS = ("", ">= 4x at cosine .999")
SMALL, LARGE = (640, 480), (4032, 3024)  # as COCO's photographs are, and as a telephone takes them


def photographs(folder: Path, count: int, size: tuple[int, int]) -> list[FilePicture]:
    """Cuttings of the two photographs that scikit-learn brings along, scaled to `size`."""
    from sklearn.datasets import load_sample_images

    draw = np.random.default_rng(0)
    whole = [Image.fromarray(picture) for picture in load_sample_images().images]
    found = []
    for number in range(count):
        source, share = whole[number % len(whole)], draw.uniform(0.7, 1)
        side = [int(share * length) for length in source.size]
        left, top = (int(draw.integers(0, length - cut + 1)) for length, cut in zip(source.size, side, strict=True))
        path = folder / f"{size[0]}-{number:04d}.jpg"
        cutting = source.crop((left, top, left + side[0], top + side[1]))
        cutting.resize(size, Image.Resampling.BICUBIC).save(path, quality=90)
        found.append(FilePicture(str(path)))
    return found


def looked_at(shown: Sequence[FilePicture], clip: OpenClip) -> Tensor:
    """Files to pixels, as open_clip's README has it."""
    preprocess: Any = clip.preprocess
    return torch.stack([preprocess.transform(Image.open(picture.path)) for picture in shown])


def plain(shown: Sequence[FilePicture], clip: OpenClip) -> Tensor:
    """32 at a time, in float32, one after the other."""
    with torch.no_grad():
        parts = [
            clip.model.encode_image(looked_at(shown[start : start + BATCH], clip))
            for start in range(0, len(shown), BATCH)
        ]
    return torch.cat(parts)


def ours(shown: Sequence[FilePicture], clip: OpenClip) -> Tensor:
    """The stage itself, table on disk and all."""
    with empty_cache():
        table = embed.images(shown, clip, BATCH)
        return torch.from_numpy(table.raw(np.arange(len(table))))


def decoded(shown: Sequence[FilePicture], clip: OpenClip) -> Tensor:
    """Files to pixels, as the stage does it."""
    return torch.cat([piece.pixels for piece in pixels.prepared(shown, clip.preprocess, BATCH)])


def figures(quick: bool) -> list[Figure]:
    count, few, rounds, name = (8, 4, 1, "ViT-B-32") if quick else (64, 32, 3, MODEL)
    clip, half = encoder(model_name=name), encoder(torch.bfloat16, name)
    with tempfile.TemporaryDirectory() as folder:
        small, large = (photographs(Path(folder), n, size) for n, size in ((count, SMALL), (few, LARGE)))
        given = plain(small, clip)
        cosines = [F.cosine_similarity(given, ours(small, mine), dim=-1) for mine in (clip, half)]
        apart = (looked_at(large, clip) - decoded(large, clip)).abs().mean()
        theirs, *mine = in_turns(
            [lambda: plain(small, clip), lambda: ours(small, clip), lambda: ours(small, half)], rounds
        )
        before, after = in_turns([lambda: looked_at(large, clip), lambda: decoded(large, clip)], rounds)
    input = f"{count} photographs of {SMALL[0]} x {SMALL[1]}, {name} with random weights"
    baseline = f"Pillow, open_clip's preprocessing, encode_image in float32, batches of {BATCH}, one process"
    found = [
        row(
            f"image embedding, {dtype}",
            "photos/s",
            count,
            theirs,
            seconds,
            goal,
            {"least_cosine": float(cosine.min())},
            what={"input": input, "baseline": baseline, "ours": f"imageless embed --of image --dtype {dtype}"},
            of_ceiling=_share(clip, count, seconds, getattr(torch, dtype), quick),
        )
        for dtype, goal, seconds, cosine in zip(("float32", "bfloat16"), GOALS, mine, cosines, strict=True)
    ]
    what = {
        "input": f"{few} photographs of {LARGE[0]} x {LARGE[1]}, to pixels alone",
        "baseline": "Pillow and open_clip's preprocessing, one process",
        "ours": "by threads, and at a fraction of their size",
    }
    agreement = {"mean_difference_of_255": 255 * float(apart) * float(np.mean(clip.model.visual.preprocess_cfg["std"]))}
    return [*found, row("photo decoding", "photos/s", few, before, after, "", agreement, what=what)]


def _share(clip: OpenClip, count: int, seconds: Sequence[float], dtype: torch.dtype, quick: bool) -> float:
    """Of what this machine does in a matrix product: two operations a weight and place."""
    visual = clip.model.visual
    weights = sum(weight.numel() for weight in visual.transformer.parameters())
    places = visual.positional_embedding.shape[0]
    reached = 2 * weights * places * count / 1e9 / float(np.median(seconds))
    return reached / ceilings.gflops(dtype, 512 if quick else ceilings.SIDE)
