"""Benchmarks run, compare what they time, and say where: no time is asserted here."""

from __future__ import annotations

import shutil
from pathlib import Path

import open_clip
import pytest

from imageless.benchmarks import base, growth, text_embedding
from imageless.errors import InputError


def test_captions_are_as_long_as_they_say():
    tokenizer = open_clip.get_tokenizer("ViT-B-32")
    told = text_embedding.captions(300)
    lengths = [len(tokenizer.encode(sentence)) + 2 for sentence in told]
    assert lengths == [len(sentence.split()) + 2 for sentence in told]
    assert 13 < sum(lengths) / 300 < 14 and len(set(told)) == 300


def test_a_ratio_is_the_median_of_rounds():
    told = base.row("f", "n/s", 10, [2.0, 4.0, 8.0], [1.0, 1.0, 1.0], "g", {})
    assert (told.baseline, told.ours, told.ratio, told.rounds) == (2.5, 10.0, 4.0, [2.0, 4.0, 8.0])


@pytest.mark.parametrize("name", ["text-embedding", "image-embedding", "training", "answering", "adapters", "startup"])
def test_a_figure_runs_and_agrees(imageless, name):
    result = imageless("bench", "--only", name, "--quick", "--json").json
    assert {"processor", "cores", "float32_gflops", "bfloat16_gflops", "copy_gb_per_s"} <= result["machine"].keys()
    for row in result["figures"]:
        assert {"figure", "baseline", "ours", "ratio", "goal", "agreement"} <= row.keys()
    agreement = {row["figure"]: row["agreement"] for row in result["figures"]}
    if name == "text-embedding":
        assert agreement["text embedding, float32"]["largest_difference"] < 1e-5
        assert agreement["text embedding, bfloat16"]["least_cosine"] > 0.999
    if name == "image-embedding":
        assert agreement["image embedding, float32"]["least_cosine"] > 0.9999
        assert agreement["image embedding, bfloat16"]["least_cosine"] > 0.999
        assert agreement["photo decoding"]["mean_difference_of_255"] < 2
    if name == "training":
        assert agreement["training, float32"]["last_loss_apart"] < 1e-3
        assert agreement["training, bfloat16"]["last_loss_apart"] < 1e-2
    if name == "answering":
        assert agreement["captioning latency, float32"]["same_tokens"] == 1
        assert agreement["captioning throughput, float32"]["same_tokens"] == 1
        assert agreement["captioning throughput, int8"]["same_tokens"] > 0
    if name == "adapters":
        assert agreement["covariance noise"]["covariance_cosine"] > 0.99


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="no /proc here")
def test_growth_sees_the_time_and_memory_of_a_process():
    seconds, megabytes = growth.cost(["--version"])
    assert seconds > 0.05 and 5 < megabytes < 500
    with pytest.raises(InputError, match="imageless embed to end well"):
        growth.cost(["embed"])


def test_growth_is_told_by_the_largest_and_the_slope():
    costs = [(1.5, 100.0), (2.0, 102.0), (3.5, 101.0), (6.0, 104.0)]
    memory, time = growth.rows("embedding", growth.SIZES, costs)
    assert (memory.ours, time.ours) == (pytest.approx(1.04), pytest.approx(5.0))  # .5 s for every 100,000


@pytest.mark.skipif(shutil.which("java") is None, reason="Java is not here: apt install default-jre-headless")
def test_scores_are_the_official_ones(imageless):
    pytest.importorskip("pycocoevalcap", reason="pycocoevalcap is not installed")
    (row,) = imageless("bench", "--only", "scoring", "--quick", "--json").json["figures"]
    assert row["agreement"]["largest_difference"] < 1e-6


def test_an_unknown_figure_lists_those_there_are(imageless):
    assert (
        "--only: expected one of text-embedding, image-embedding, training"
        in imageless("bench", "--only", "speed").complaint
    )
