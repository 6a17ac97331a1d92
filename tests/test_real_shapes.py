"""The paper's shapes from end to end: CLIP ViT-L/14 and T5-base with random weights, saved here, used as anyone's would be."""

from __future__ import annotations

import gc
import json
from pathlib import Path
from typing import Any

import open_clip
import pytest
import timm
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer, GPTJConfig, GPTJForCausalLM, T5Config, T5ForConditionalGeneration

from conftest import SHARED, make_album
from imageless.models import causal
from imageless.tokens import train_tokenizer

CPU = ("--device", "cpu")
T5_TOKENIZER = SHARED / "tokenizers/t5"


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> str:
    """OpenAI's architecture with a state dict of random numbers, in half the memory."""
    file = tmp_path_factory.mktemp("clip") / "random.safetensors"
    model = open_clip.create_model("ViT-L-14-quickgelu", precision="bf16")
    save_file(model.state_dict(), file)
    return f"open_clip:ViT-L-14-quickgelu/{file}"


@pytest.fixture(scope="module")
def t5(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as google-t5/t5-base is one."""
    folder = tmp_path_factory.mktemp("t5") / "t5-base"
    shape = {"d_model": 768, "d_kv": 64, "d_ff": 3072, "num_layers": 12, "num_heads": 12, "vocab_size": 32128}
    config = T5Config(**shape, decoder_start_token_id=0, pad_token_id=0, eos_token_id=1)
    T5ForConditionalGeneration(config).to(torch.bfloat16).save_pretrained(folder)
    tokenizer = (
        AutoTokenizer.from_pretrained(T5_TOKENIZER) if T5_TOKENIZER.is_dir() else train_tokenizer(["a red dog"] * 9)
    )
    tokenizer.save_pretrained(folder)
    return folder


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*QuickGELU:UserWarning")
def test_clip_vit_l_14_and_t5_base_from_embed_to_evaluate(imageless, tmp_path, clip, t5, own_cache):
    album = make_album(tmp_path, 8)
    (tmp_path / "long.txt").write_text("a red dog\n" + "dog " * 100 + "\n")
    data = f"karpathy:{album}"

    embedded = imageless(
        "embed",
        f"text:{tmp_path / 'long.txt'}",
        "--encoder",
        clip,
        "--of",
        "text",
        "--out",
        tmp_path / "t",
        *CPU,
        "--json",
    )
    assert embedded.json["final"] == {"dim": 768, "skipped": 0, "truncated": 1}  # 77 tokens are what CLIP reads

    out = tmp_path / "run"
    told = ["--encoder", clip, "--lm", t5, "--out", out, "--steps", 2, "--batch-size", 4, *CPU, "--json"]
    trained = imageless("train", "captioning", data, *told)
    assert trained.json["steps"] == 2 and trained.json["final"]["loss"] > 0
    gc.collect()
    config = json.loads((out / "config.json").read_text())
    assert config["encoder"]["dim"] == 768 and config["setting"] == "multiple"
    assert config["noise"] == 0.04  # the released code's, for this encoder and setting
    weights = load_file(out / "model.safetensors")
    assert weights["prefix.project.weight"].shape == (4 * 768, 768)
    assert {weight.dtype for weight in weights.values()} == {torch.float32}  # whatever the checkpoint's precision
    assert sum(weight.numel() for weight in weights.values()) > 220e6
    del weights

    said = imageless("caption", out, tmp_path / "003.png", *CPU, "--json", "--n-best", 2)
    assert len(said.json["results"][0]["nbest"]) == 2 and isinstance(said.json["results"][0]["text"], str)
    scored = imageless("evaluate", out, data, "--out", tmp_path / "scores", "--beams", 1, *CPU, "--json")
    assert scored.json["n"] == 2 and scored.json["scores"].keys() >= {"cider", "bleu4", "rouge_l"}


@pytest.mark.skipif(not T5_TOKENIZER.is_dir(), reason="needs the T5 tokenizer in ../shared/data")
def test_captions_survive_the_t5_tokenizer():
    from imageless.tokens import encode

    tokenizer = AutoTokenizer.from_pretrained(T5_TOKENIZER)
    told = ["two dogs run in the snow.", "a man holds a red umbrella"]
    rows = encode(tokenizer, told, longest=32)
    for number, text in enumerate(told):
        ids = rows.values[rows.offsets[number] : rows.offsets[number + 1]]
        assert ids[-1] == 1 and tokenizer.decode(ids, skip_special_tokens=True) == text


# LiMBeR's.


def save_rn50x16(folder: Path) -> str:
    file = folder / "random.safetensors"
    save_file(open_clip.create_model("RN50x16-quickgelu", precision="bf16").state_dict(), file)
    return f"open_clip:RN50x16-quickgelu/{file}"


def save_beit_large(folder: Path) -> str:
    model: Any = timm.create_model("beit_large_patch16_224", num_classes=10)
    save_file({name: weight.bfloat16() for name, weight in model.state_dict().items()}, folder / "model.safetensors")
    about = {"architecture": "beit_large_patch16_224", "num_classes": 10}
    view = {"input_size": [3, 224, 224], "num_classes": 10, "classifier": "head", "first_conv": "patch_embed.proj"}
    (folder / "config.json").write_text(json.dumps(about | {"pretrained_cfg": view}))
    return f"timm:{folder}"


@pytest.fixture(scope="module")
def gpt_j(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as EleutherAI/gpt-j-6b is one, with 2 of its 28 layers."""
    folder = tmp_path_factory.mktemp("lm") / "gpt-j"
    GPTJForCausalLM(GPTJConfig(n_layer=2)).to(torch.bfloat16).save_pretrained(folder)
    causal.small_tokenizer(["a red dog\n" * 9], 400, lower_case=False).save_pretrained(folder)
    return folder


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*QuickGELU:UserWarning")
@pytest.mark.parametrize(
    ("saved", "places", "channels"), [(save_rn50x16, 144, 3072), (save_beit_large, 196, 1024)], ids=["rn50x16", "beit"]
)
def test_limber_s_shapes_from_train_to_evaluate(imageless, tmp_path, gpt_j, own_cache, saved, places, channels):
    (tmp_path / "encoder").mkdir()
    encoder, data = f"grid:{saved(tmp_path / 'encoder')}", f"karpathy:{make_album(tmp_path, 8)}"
    told = ("train", "captioning", data, "--model", "limber", "--encoder", encoder, "--lm", gpt_j, *CPU)
    trained = imageless(*told, "--steps", 2, "--batch-size", 2, "--dtype", "bfloat16", "--out", tmp_path / "run")
    assert trained.code == 0, trained.err
    assert {name: tuple(weight.shape) for name, weight in load_file(tmp_path / "run/model.safetensors").items()} == {
        "project.weight": (4096, channels),
        "project.bias": (4096,),
    }
    assert json.loads((tmp_path / "run/config.json").read_text())["places"] == places
    scored = imageless("evaluate", tmp_path / "run", data, "--beams", 1, "--out", tmp_path / "scores", *CPU)
    assert scored.code == 0, scored.err
    gc.collect()
