"""Frozen encoders: what all of them promise, and what each takes care of that its library does not.

The checkpoints are made here: real architectures, tiny, with random weights.
"""

from __future__ import annotations

import json
import pickle
import shutil
import subprocess
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import open_clip
import pytest
import timm
import torch
import torch.nn.functional as F
from open_clip import factory, pretrained
from PIL import Image
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import (
    CLIPConfig,
    CLIPImageProcessor,
    CLIPModel,
    CLIPTokenizer,
    PreTrainedTokenizerFast,
    SiglipConfig,
    SiglipImageProcessor,
    SiglipModel,
)

from imageless import encoders
from imageless.encoders import base
from imageless.encoders.derived import Grid
from imageless.encoders.quick import QuickLinear, quick
from imageless.errors import InputError

PHOTO_ENCODERS = Path(__file__).parents[1].parent / "shared/data/encoders"
CAPTIONS = ["A dog runs.", "two red birds sit on a very old and rather crooked garden fence", "a CAT"]
KINDS = ["open_clip", "open_clip-custom", "hf-clip", "hf-siglip", "timm"]
READERS = KINDS[:-1]
TINY = {
    "embed_dim": 24,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 16},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},
}


def picture(seed: int = 0, size: tuple[int, int] = (60, 44), mode: str = "RGB") -> Image.Image:
    pixels = torch.randint(0, 256, (size[1], size[0], 3), dtype=torch.uint8, generator=torch.manual_seed(seed))
    return Image.fromarray(pixels.numpy()).convert(mode)


def stir(model: torch.nn.Module, seed: int) -> None:
    """Weights far from their timid initial values, so that a wrong step shows in the vectors."""
    torch.manual_seed(seed)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)


@pytest.fixture(scope="module", autouse=True)
def tiny_models() -> Iterator[None]:
    """open_clip knows three more architectures while this file runs."""
    with pytest.MonkeyPatch.context() as patch:
        custom = {**TINY, "custom_text": True}
        deep = {**TINY, "text_cfg": {**TINY["text_cfg"], "layers": 3}}
        more = {"tiny": TINY, "tiny-custom": custom, "tiny-deep": deep}
        patch.setattr(factory, "_MODEL_CONFIGS", {**factory._MODEL_CONFIGS, **more})
        yield


def save_open_clip(path: Path, name: str = "tiny", seed: int = 0, **settings: bool) -> Path:
    model = open_clip.create_model(name, **settings)
    stir(model, seed)
    save_file(model.state_dict(), path)
    return path


def save_clip(folder: Path, seed: int = 0) -> Path:
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)] + ["."]
    words = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    tokenizer = CLIPTokenizer(vocab={word: index for index, word in enumerate(words)}, merges=[])
    tower = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    last = len(words) - 1
    text = {**tower, "vocab_size": len(words), "bos_token_id": last - 1, "eos_token_id": last, "pad_token_id": last}
    vision = {**tower, "image_size": 32, "patch_size": 16}
    model = CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=24))
    stir(model, seed)
    processor = CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    for part in (model, tokenizer, processor):
        part.save_pretrained(folder)
    return folder


def save_siglip(folder: Path, seed: int = 0) -> Path:
    letters = ["<pad>", "</s>", *"abcdefghijklmnopqrstuvwxyz. "]
    backend = Tokenizer(models.BPE({letter: index for index, letter in enumerate(letters)}, [], unk_token="<pad>"))
    backend.normalizer = normalizers.NFC()
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    backend.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, pad_token="<pad>", eos_token="</s>")
    tower = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    text = {**tower, "vocab_size": len(letters), "projection_size": 32, "bos_token_id": 1, "eos_token_id": 1}
    model = SiglipModel(SiglipConfig(text_config=text, vision_config={**tower, "image_size": 32, "patch_size": 16}))
    stir(model, seed)
    for part in (model, tokenizer, SiglipImageProcessor(size={"height": 32, "width": 32})):
        part.save_pretrained(folder)
    return folder


def save_timm(folder: Path, seed: int = 0, weights: Path | None = None, **model_args: str) -> Path:
    """timm's own folder: config.json beside model.safetensors."""
    folder.mkdir()
    architecture = "mobilenetv2_100" if weights else "mobilenetv2_035"
    view = {"input_size": [3, 64, 64], "mean": [0.5] * 3, "std": [0.5] * 3, "interpolation": "bicubic", "crop_pct": 1.0}
    view |= {"first_conv": "conv_stem", "classifier": "classifier", "num_classes": 1000}
    about = {"architecture": architecture, "num_classes": 1000, "model_args": model_args, "pretrained_cfg": view}
    (folder / "config.json").write_text(json.dumps(about))
    if weights:
        shutil.copy(weights, folder / "model.safetensors")
    else:
        torch.manual_seed(seed)
        save_file(timm.create_model(architecture).state_dict(), folder / "model.safetensors")
    return folder


def save(kind: str, folder: Path, seed: int = 0) -> str:
    """The name of a new encoder of this kind."""
    if kind == "open_clip":
        return f"open_clip:tiny/{save_open_clip(folder / f'{seed}.safetensors', seed=seed)}"
    if kind == "open_clip-custom":
        return f"open_clip:tiny-custom/{save_open_clip(folder / f'{seed}.safetensors', 'tiny-custom', seed)}"
    if kind == "hf-clip":
        return f"hf:{save_clip(folder / f'clip-{seed}', seed)}"
    if kind == "hf-siglip":
        return f"hf:{save_siglip(folder / f'siglip-{seed}', seed)}"
    return f"timm:{save_timm(folder / f'timm-{seed}', seed, pad_type='same')}"


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return {kind: save(kind, tmp_path_factory.mktemp(kind)) for kind in KINDS}


@pytest.fixture(scope="module")
def loaded(names: dict[str, str]) -> dict[str, base.Encoder]:
    return {kind: encoders.load(name, device="cpu") for kind, name in names.items()}


# ---- what all of them promise


@pytest.mark.parametrize("kind", KINDS)
def test_a_grid_is_an_encoder_of_pictures_with_a_vector_for_each_place(loaded, names, kind):
    grid = encoders.load(f"grid:{names[kind]}", device="cpu")
    assert isinstance(grid, Grid)
    channels = 1280 if kind == "timm" else 32
    assert (grid.places, grid.channels, grid.dim, grid.sides) == (4, channels, 4 * channels, ("image",))
    assert grid.fingerprint != loaded[kind].fingerprint
    pixels = torch.stack([grid.preprocess(picture(seed)) for seed in range(3)])
    seen = grid.images(pixels)
    assert torch.allclose(grid.images(pixels[1:2])[0], seen[1], atol=1e-4)  # whoever else is in the batch
    if kind == "timm":
        assert torch.allclose(seen.unflatten(1, (4, -1)).mean(1), loaded[kind].images(pixels), atol=1e-4)
    with pytest.raises(InputError, match="sees pictures only"):
        grid.texts(["a dog"])


@pytest.mark.parametrize("kind", [*KINDS, "folder"])
def test_a_random_encoder_has_forgotten_what_it_learned_and_nothing_else(loaded, names, encoder_folder, kind):
    name = str(encoder_folder) if kind == "folder" else names[kind]
    learned = encoders.load(name, device="cpu") if kind == "folder" else loaded[kind]
    fresh, again, other = (encoders.load(f"random:{name}{seed}", device="cpu") for seed in ("", "?seed=0", "?seed=1"))
    assert (fresh.dim, fresh.name, other.name) == (
        learned.dim,
        f"random:{learned.name}",
        f"random:{learned.name}?seed=1",
    )
    assert len({learned.fingerprint, fresh.fingerprint, other.fingerprint}) == 3
    assert fresh.fingerprint == again.fingerprint
    shapes = ({n: w.shape for n, w in one.model.state_dict().items()} for one in (learned, fresh))
    assert next(shapes) == next(shapes)
    pixels = torch.stack([fresh.preprocess(picture(seed)) for seed in range(2)])
    assert not torch.allclose(other.images(pixels), learned.images(pixels), atol=1e-2)
    assert not any(weight.requires_grad for weight in fresh.model.parameters())
    with pytest.raises(InputError, match="expected random:ENC"):
        encoders.load(f"random:{name}?sead=1")


def test_the_world_s_grid_is_what_its_vector_is_made_of():
    world, grid = encoders.load("world", device="cpu"), encoders.load("grid:world", device="cpu")
    tower = world.model.image  # pyright: ignore[reportAttributeAccessIssue]
    pixels = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    maps = grid.images(pixels).view(2, 16, 256).transpose(1, 2).unflatten(2, (4, 4))
    assert torch.allclose(tower.head(F.gelu(tower.squeeze(maps)).flatten(1)), world.images(pixels), atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_an_encoder_is_frozen(loaded, kind):
    model = loaded[kind].model
    assert not any(module.training for module in model.modules())
    assert not any(parameter.requires_grad for parameter in model.parameters())
    assert not loaded[kind].images(loaded[kind].preprocess(picture())[None]).requires_grad


@pytest.mark.parametrize("kind", KINDS)
def test_vectors_are_raw_float32_of_the_width_it_says(loaded, kind):
    encoder = loaded[kind]
    found = [encoder.images(torch.stack([encoder.preprocess(picture(seed)) for seed in range(2)]))]
    if "text" in encoder.sides:
        found.append(encoder.texts(CAPTIONS[:2]))
    for vectors in found:
        assert vectors.shape == (2, encoder.dim) and vectors.dtype == torch.float32
        assert ((vectors.norm(dim=-1) - 1).abs() > 0.01).all()


@pytest.mark.parametrize("kind", READERS)
def test_a_sentence_keeps_its_vector_whatever_its_batch_mates(loaded, kind):
    encoder = loaded[kind]
    together = encoder.texts([*CAPTIONS, "word " * 500])
    alone = torch.cat([encoder.texts([caption]) for caption in CAPTIONS])
    torch.testing.assert_close(together[:3], alone, atol=1e-5, rtol=1e-5)
    assert not torch.allclose(together[0], together[1], atol=1e-2)


@pytest.mark.parametrize("kind", READERS)
def test_a_long_text_is_cut_off_and_counted(loaded, kind):
    encoder = loaded[kind]
    texts = [*CAPTIONS, "word " * 500]
    assert encoder.texts(texts).isfinite().all()
    assert encoder.truncated(texts) == 1
    assert encoder.truncated(CAPTIONS) == 0


@pytest.mark.parametrize(
    ("kind", "fits"), [("open_clip", "dog " * 75), ("hf-clip", "a " * 75), ("hf-siglip", "a " * 63)]
)
def test_the_count_is_exact_at_the_edge(loaded, kind, fits):
    assert loaded[kind].truncated([fits]) == 0
    assert loaded[kind].truncated([fits + fits[:4]]) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_preprocess_travels_without_the_weights(loaded, kind):
    encoder = loaded[kind]
    parcel = pickle.dumps(encoder.preprocess)
    assert len(parcel) < 10_000
    torch.testing.assert_close(pickle.loads(parcel)(picture()), encoder.preprocess(picture()))


@pytest.mark.parametrize("kind", KINDS)
def test_weights_laid_out_for_speed_give_the_same_vectors_and_come_back(loaded, kind):
    encoder = loaded[kind]
    seen = torch.stack([encoder.preprocess(picture(seed)) for seed in range(3)])
    told = ["a dog", "two cats on a mat", "a"]
    before = {name: weight.clone() for name, weight in encoder.model.state_dict().items()}
    plain = [encoder.images(seen), *([encoder.texts(told)] if "text" in encoder.sides else [])]
    with quick(encoder, texts=1000):
        swapped = [module for module in encoder.model.modules() if isinstance(module, QuickLinear)]
        fast = [encoder.images(seen), *([encoder.texts(told)] if "text" in encoder.sides else [])]
    for one, other in zip(plain, fast, strict=True):
        torch.testing.assert_close(other, one, atol=1e-5 * float(one.abs().max()), rtol=1e-4)
    after = encoder.model.state_dict()
    assert list(after) == list(before) and all(torch.equal(after[name], before[name]) for name in before)
    assert len(swapped) > 3 or "timm" in kind
    with quick(encoder, texts=2):
        assert not any(isinstance(module, QuickLinear) for module in encoder.model.modules())


def test_weights_come_back_after_an_error_too(loaded):
    encoder = loaded["open_clip"]
    with pytest.raises(ZeroDivisionError), quick(encoder, texts=1000):
        raise ZeroDivisionError
    assert encoder.texts(["a dog"]).isfinite().all()
    assert not any(isinstance(module, QuickLinear) for module in encoder.model.modules())


@pytest.mark.parametrize("kind", KINDS)
def test_detail_is_kept_down_to_what_preprocess_looks_at(loaded, kind):
    """`size` is what the shorter side is scaled to: a picture of that size passes without being scaled."""
    preprocess = loaded[kind].preprocess
    sharp = Image.fromarray(np.random.default_rng(0).integers(0, 256, (preprocess.size, preprocess.size, 3), np.uint8))
    seen = preprocess(sharp).float()
    side = seen.shape[-1]
    first = (preprocess.size - side) // 2
    cut = (
        torch.from_numpy(np.asarray(sharp)[first : first + side, first : first + side].copy()).permute(2, 0, 1).float()
    )
    for shown, stored in zip(seen, cut, strict=True):  # channel by channel, as normalising does
        assert torch.corrcoef(torch.stack([shown.flatten(), stored.flatten()]))[0, 1] > 0.999


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK", "1"])
@pytest.mark.parametrize("kind", KINDS)
def test_any_mode_of_picture_becomes_three_channels(loaded, kind, mode):
    pixels = loaded[kind].preprocess(picture(mode=mode))
    assert pixels.shape == loaded[kind].preprocess(picture(size=(300, 17))).shape
    assert pixels.shape[0] == 3


@pytest.mark.parametrize("kind", KINDS)
def test_the_fingerprint_follows_the_weights_not_the_name(names, loaded, kind, tmp_path):
    assert encoders.load(names[kind], device="cpu").fingerprint == loaded[kind].fingerprint
    assert encoders.load(save(kind, tmp_path, seed=1), device="cpu").fingerprint != loaded[kind].fingerprint


@pytest.mark.parametrize("kind", KINDS)
def test_bfloat16_is_the_same_encoder_in_less_memory(names, loaded, kind):
    full, half = loaded[kind], encoders.load(names[kind], device="cpu", dtype="bfloat16")
    assert any(parameter.dtype == torch.bfloat16 for parameter in half.model.parameters())
    pixels = full.preprocess(picture())[None]
    pairs = [(full.images(pixels), half.images(pixels))]
    if "text" in full.sides:
        pairs.append((full.texts(CAPTIONS), half.texts(CAPTIONS)))
    for exact, rounded in pairs:
        assert rounded.dtype == torch.float32
        assert torch.cosine_similarity(exact, rounded).min() > 0.99
    assert half.fingerprint == full.fingerprint


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_run_writes_down_loads_the_same_encoder(loaded, kind):
    assert encoders.load(loaded[kind].name, device="cpu").fingerprint == loaded[kind].fingerprint


# ---- the same vectors as the libraries' own


@pytest.mark.parametrize("model_name", ["tiny", "tiny-custom"])
def test_open_clip_vectors_are_open_clip_s(tmp_path, model_name):
    path = save_open_clip(tmp_path / "weights.safetensors", model_name)
    model, _, transform = open_clip.create_model_and_transforms(model_name, str(path))
    encoder = encoders.load(f"open_clip:{model_name}/{path}", device="cpu")
    with torch.no_grad():
        texts = model.eval().encode_text(open_clip.get_tokenizer(model_name)([*CAPTIONS, "word " * 500]))
        images = model.encode_image(transform(picture())[None])
    torch.testing.assert_close(encoder.texts([*CAPTIONS, "word " * 500]), texts, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(encoder.images(encoder.preprocess(picture())[None]), images, atol=1e-5, rtol=1e-5)


def test_padding_to_the_longest_sentence_leaves_the_model_as_it_was(loaded):
    """The shorter context is a copy's: texts and pictures may be encoded from several threads at once."""
    model = loaded["open_clip"].model
    before = model.positional_embedding
    loaded["open_clip"].texts(["a dog"])
    assert model.positional_embedding is before and model.attn_mask.shape == (77, 77)


def test_clip_vectors_are_transformers_own(tmp_path):
    folder = save_clip(tmp_path / "clip")
    model, tokenizer = CLIPModel.from_pretrained(folder).eval(), CLIPTokenizer.from_pretrained(folder)
    encoder = encoders.load(f"hf:{folder}", device="cpu")
    pixels = CLIPImageProcessor.from_pretrained(folder)(images=picture(), return_tensors="pt")["pixel_values"]
    with torch.no_grad():
        texts = model.get_text_features(**tokenizer(CAPTIONS, padding=True, return_tensors="pt")).pooler_output
        images = model.get_image_features(pixel_values=pixels).pooler_output
    torch.testing.assert_close(encoder.texts(CAPTIONS), texts, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(encoder.images(encoder.preprocess(picture())[None]), images, atol=1e-5, rtol=1e-5)


def test_siglip_vectors_are_transformers_own_with_sentences_padded_to_64_in_lower_case_and_no_mask(tmp_path):
    folder = save_siglip(tmp_path / "siglip")
    model, tokenizer = SiglipModel.from_pretrained(folder).eval(), PreTrainedTokenizerFast.from_pretrained(folder)
    encoder = encoders.load(f"hf:{folder}", device="cpu")
    pixels = SiglipImageProcessor.from_pretrained(folder)(images=picture(), return_tensors="pt")["pixel_values"]
    lower = [caption.lower() for caption in CAPTIONS]
    tokens = tokenizer(lower, padding="max_length", max_length=64, truncation=True, return_tensors="pt")["input_ids"]
    with torch.no_grad():
        texts = model.get_text_features(input_ids=tokens).pooler_output
        images = model.get_image_features(pixel_values=pixels).pooler_output
    torch.testing.assert_close(encoder.texts(CAPTIONS), texts, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(encoder.images(encoder.preprocess(picture())[None]), images, atol=1e-5, rtol=1e-5)


def test_timm_folder_keeps_its_padding(tmp_path):
    """The same weights under another padding load as well and see something else: other vectors and fingerprint."""
    same = encoders.load(f"timm:{save_timm(tmp_path / 'same', pad_type='same')}", device="cpu")
    plain = encoders.load(f"timm:{save_timm(tmp_path / 'plain')}", device="cpu")
    model = timm.create_model("mobilenetv2_035", pad_type="same", num_classes=0).eval()
    model.load_state_dict(load_file(tmp_path / "same/model.safetensors"), strict=False)
    pixels = same.preprocess(picture())[None]
    with torch.no_grad():
        torch.testing.assert_close(same.images(pixels), model(pixels))
    assert not torch.allclose(same.images(pixels), plain.images(pixels))
    assert same.fingerprint != plain.fingerprint


@pytest.mark.skipif(
    not PHOTO_ENCODERS.is_dir(), reason="needs ../shared/data/encoders, the weights of a real MobileNetV2"
)
def test_real_mobilenet_features_are_timm_s(tmp_path):
    weights = PHOTO_ENCODERS / "mobilenetv2_100.safetensors"
    encoder = encoders.load(f"timm:{save_timm(tmp_path / 'net', weights=weights, pad_type='same')}", device="cpu")
    model = timm.create_model("mobilenetv2_100", pad_type="same").eval()
    model.load_state_dict(load_file(weights))
    pixels = encoder.preprocess(picture())[None]
    with torch.no_grad():
        features = model.forward_head(model.forward_features(pixels), pre_logits=True)
    torch.testing.assert_close(encoder.images(pixels), features)
    assert encoder.dim == 1280


# ---- open_clip: tags, files and folders


def test_quick_gelu_and_the_view_follow_the_tag(tmp_path, monkeypatch):
    """OpenAI's weights want QuickGELU under a name that does not say so; open_clip alone would only warn."""
    path = save_open_clip(tmp_path / "weights.safetensors")
    view = {"mean": (0.1, 0.2, 0.3), "std": (0.5, 0.5, 0.5), "interpolation": "bilinear", "resize_mode": "squash"}
    told = {"file": str(path), "quick_gelu": True, **view}
    monkeypatch.setitem(pretrained._PRETRAINED, "tiny", {"openai": told})
    encoder = encoders.load("open_clip:tiny/openai", device="cpu")
    model = open_clip.create_model("tiny", str(path), force_quick_gelu=True).eval()
    with torch.no_grad():
        expected = model.encode_text(open_clip.get_tokenizer("tiny")(CAPTIONS))
    torch.testing.assert_close(encoder.texts(CAPTIONS), expected, atol=1e-5, rtol=1e-5)
    assert encoder.model.visual.preprocess_cfg["mean"] == (0.1, 0.2, 0.3)
    assert encoder.name == "open_clip:tiny/openai"
    plain = encoders.load(f"open_clip:tiny/{path}", device="cpu")  # a file: GELU, but the view all tags agree on
    assert plain.model.visual.preprocess_cfg["mean"] == (0.1, 0.2, 0.3)
    assert plain.fingerprint != encoder.fingerprint


def test_an_open_clip_folder_says_itself_what_it_is(tmp_path):
    save_open_clip(tmp_path / "open_clip_model.safetensors")
    view = {"mean": [0.5] * 3, "std": [0.5] * 3, "interpolation": "bicubic", "resize_mode": "shortest"}
    (tmp_path / "open_clip_config.json").write_text(json.dumps({"model_cfg": TINY, "preprocess_cfg": view}))
    file = encoders.load(f"open_clip:tiny/{tmp_path / 'open_clip_model.safetensors'}", device="cpu")
    for name in (f"open_clip:{tmp_path}", f"open_clip:local-dir:{tmp_path}"):
        folder = encoders.load(name, device="cpu")
        torch.testing.assert_close(folder.texts(CAPTIONS), file.texts(CAPTIONS))
        assert folder.model.visual.preprocess_cfg["mean"] == [0.5] * 3


def test_a_training_checkpoint_of_open_clip_is_read(tmp_path):
    weights = load_file(save_open_clip(tmp_path / "weights.safetensors"))
    wrapped = {"epoch": 3, "state_dict": {f"module.{name}": value for name, value in weights.items()}}
    torch.save(wrapped, tmp_path / "epoch_3.pt")
    ours = encoders.load(f"open_clip:tiny/{tmp_path / 'epoch_3.pt'}", device="cpu")
    assert ours.fingerprint == encoders.load(f"open_clip:tiny/{tmp_path / 'weights.safetensors'}").fingerprint


class Trap:
    def __reduce__(self):
        return (Path.touch, (Path("sprung"),))


def test_a_pickle_that_is_not_tensors_is_refused_and_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": Trap()}, "evil.pt")
    with pytest.raises(InputError, match="file of tensors"):
        encoders.load("open_clip:tiny/evil.pt", device="cpu")
    assert not Path("sprung").exists()


@pytest.mark.parametrize("content", [b"", b"not weights at all", pickle.dumps({"a": 1}), pickle.dumps([1, 2])])
@pytest.mark.parametrize("suffix", ["pt", "bin", "safetensors"])
def test_a_file_that_is_no_checkpoint_is_one_line(tmp_path, suffix, content):
    path = tmp_path / f"weights.{suffix}"
    path.write_bytes(content)
    assert "file of tensors" in refusal(f"open_clip:tiny/{path}")


def test_weights_of_another_architecture_are_one_line(tmp_path):
    path = save_open_clip(tmp_path / "weights.safetensors")
    assert "architecture they were trained with" in refusal(f"open_clip:tiny-deep/{path}")


# ---- incomplete checkpoints: never filled with random numbers


@pytest.mark.parametrize("kind", ["open_clip", "hf-clip", "hf-siglip", "timm"])
def test_a_checkpoint_that_lacks_a_weight_is_refused(tmp_path, kind):
    name = save(kind, tmp_path)
    path = next(tmp_path.rglob("*.safetensors"))
    weights = load_file(path)
    names = sorted(name for name in weights if name.endswith("weight"))
    del weights[names[len(names) // 2]]
    save_file(weights, path, metadata={"format": "pt"})
    refusal(name)


@pytest.mark.parametrize("kind", ["hf-clip", "hf-siglip", "timm"])
@pytest.mark.parametrize("file", ["config.json", "model.safetensors"])
def test_a_folder_that_lacks_a_file_is_refused(tmp_path, kind, file):
    name = save(kind, tmp_path)
    next(tmp_path.rglob(file)).unlink()
    refusal(name)


@pytest.mark.parametrize("kind", ["hf-clip", "timm"])
def test_damaged_weights_in_a_folder_are_refused(tmp_path, kind):
    name = save(kind, tmp_path)
    path = next(tmp_path.rglob("*.safetensors"))
    path.write_bytes(path.read_bytes()[:-100])
    refusal(name)


def test_a_transformers_folder_without_tokenizer_or_preprocessor_is_refused(tmp_path):
    for missing in ("tokenizer*", "*processor*"):
        folder = save_clip(tmp_path / missing.strip("*"))
        for path in folder.glob(missing):
            path.unlink()
        assert "tokenizer" in refusal(f"hf:{folder}")


# ---- names


def refusal(name: str, **options: str) -> str:
    """The one line that a mistaken name gets."""
    with pytest.raises(InputError) as caught:
        encoders.load(name, **{"device": "cpu", **options})
    line = str(caught.value)
    assert "\n" not in line and "expected" in line
    return line


@pytest.mark.parametrize(
    ("name", "helps"),
    [
        ("open_clip:ViT-L-41/openai", "or ViT-L-14"),
        ("open_clip:ViT-L-14/opnai", "did you mean openai"),
        ("open_clip:ViT-L-14", "there are: openai"),
        ("open_clip:ViT-L-14/weights.pt", "neither a tag nor a file"),
        ("open_clip:local-dir:nowhere", "open_clip_config.json"),
        ("open_clip:", "open_clip:MODEL/WEIGHTS"),
        ("timm:mobilenetv2_10", "or mobilenetv2_100"),
        ("timm:mobilenetv2_100.no_such_tag", "did you mean mobilenetv2_100.ra_in1k"),
        ("hf:", "hf:NAME_OR_FOLDER"),
        ("hf:a/b/c", "check the name"),
        ("world:small", "write world"),
        ("openclip:ViT-L-14/openai", "there are: world, open_clip:MODEL/WEIGHTS"),
        ("no/such/folder", "or an encoder folder"),
        ("", "there are: world"),
    ],
)
def test_a_name_that_does_not_exist_gets_one_helpful_line(monkeypatch, name, helps):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert helps in refusal(name)


def test_a_device_or_precision_that_is_not_here_gets_one_helpful_line(names):
    assert "try cpu" in refusal(names["hf-clip"], device="abacus")
    assert "float32, bfloat16" in refusal(names["hf-clip"], dtype="float8")


def test_another_kind_of_model_is_refused(tmp_path):
    for model_type, hint in (("bert", "clip or siglip"), ("siglip2", "NaFlex")):
        (tmp_path / "config.json").write_text(json.dumps({"model_type": model_type}))
        assert hint in refusal(f"hf:{tmp_path}")


def test_an_image_model_reads_no_sentences(loaded):
    with pytest.raises(InputError, match="sees pictures only"):
        loaded["timm"].texts(CAPTIONS)
    assert loaded["timm"].sides == ("image",)


@pytest.mark.parametrize(
    "name",
    [
        "open_clip:ViT-B-32/openai",
        "open_clip:ViT-B-16-SigLIP/webli",
        "open_clip:hf-hub:laion/CLIP-ViT-B-32-laion2B-s34B-b79K",
        "hf:openai/clip-vit-large-patch14",
        "timm:mobilenetv2_100",
        "timm:hf-hub:timm/mobilenetv2_100.ra_in1k",
    ],
)
@pytest.mark.parametrize("offline", [True, False])
def test_without_a_connection_the_line_says_so_at_once(monkeypatch, tmp_path, name, offline):
    """Whether the user switched the Hub off or the cable is out: no minutes of retries."""

    def unplugged(*arguments, **options):
        raise ConnectionError("no route to the Hub")

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", offline)
    monkeypatch.setattr("huggingface_hub.get_session", lambda: types.SimpleNamespace(head=unplugged))
    line = refusal(name)
    assert "expected to download" in line and "no connection" in line and "local folder" in line


def test_the_shipped_encoder_and_folders_have_their_own_reader(monkeypatch, tmp_path):
    """`world` is a folder with a name of its own."""
    asked = []
    reader = types.ModuleType("imageless.encoders.folder")
    reader.load = lambda folder, name, device, dtype: asked.append((Path(folder), name, device, dtype))
    monkeypatch.setitem(sys.modules, "imageless.encoders.folder", reader)
    encoders.load("world", device="cpu")
    encoders.load(str(tmp_path), dtype="bfloat16")
    assert asked == [(encoders.WORLD, "world", "cpu", None), (tmp_path, None, None, "bfloat16")]


def test_noise_comes_with_the_encoder_it_was_tuned_on(loaded):
    assert base.known_noise("open_clip:ViT-L-14/openai")["captioning-single"] == 0.12
    assert base.known_noise("hf:openai/clip-vit-large-patch14")["entailment"] == 0.08
    assert not loaded["open_clip"].noise and not base.known_noise("open_clip:ViT-L-14-336/openai")


def test_asking_for_an_encoder_is_what_imports_the_libraries():
    heavy = "{'torch', 'open_clip', 'timm', 'transformers', 'huggingface_hub'}"
    program = f"import sys, imageless.encoders; print(sorted({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.mark.network
@pytest.mark.parametrize(
    "name", ["open_clip:ViT-B-32/openai", "hf:openai/clip-vit-base-patch32", "timm:mobilenetv2_100"]
)
def test_a_model_of_the_hub_loads(name):
    encoder = encoders.load(name, device="cpu")
    assert encoder.images(encoder.preprocess(picture())[None]).shape == (1, encoder.dim)
