"""CLOSE and the dual encoder against plain versions of what they do."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from transformers.modeling_outputs import BaseModelOutput

from imageless.models.beams import Search
from imageless.models.close import Close
from imageless.models.contrastive import sigmoid_loss, softmax_loss
from imageless.models.dual_encoder import DualEncoder, DualEncoderConfig
from imageless.models.language import from_scratch, small_t5
from imageless.tokens import encode, train_tokenizer

DIM, PAD = 12, 0


@pytest.fixture(scope="module")
def model() -> Close:
    torch.manual_seed(0)
    close = Close(small_t5(32, 1, vocabulary=60), DIM).eval()
    for weight in close.parameters():
        torch.nn.init.normal_(weight, std=0.3)  # far from its timid start, so that a wrong step shows
    close.lm.shared.weight.data[PAD] = 0  # a model that has learned anything never says it
    return close


@pytest.fixture
def vectors() -> torch.Tensor:
    return F.normalize(torch.randn(5, DIM, generator=torch.manual_seed(1)), dim=-1)


def prompts(*rows: list[int], width: int | None = None) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids padded on the right to `width`, and their mask."""
    width = width or max(map(len, rows))
    ids = torch.tensor([row + [PAD] * (width - len(row)) for row in rows], dtype=torch.long).reshape(len(rows), width)
    mask = (torch.arange(width) < torch.tensor([len(row) for row in rows])[:, None]).long()
    return ids, mask


NOTHING = prompts([], [], [], [], [])


def test_a_vector_becomes_four_words_in_front_of_the_prompt(model, vectors):
    ids, mask = prompts([7, 8, 1], [9, 1], [3, 1], [4, 5, 1], [1])
    hidden, seen = model.read(vectors, ids, mask)
    assert hidden.shape == (5, 4 + 3, 32) and seen.sum(1).tolist() == [7, 6, 6, 7, 5]
    prefix = model.prefix.project(vectors).reshape(5, 4, 32)
    embedded = torch.cat([prefix, model.lm.shared(ids)], dim=1)
    plain = model.lm.encoder(inputs_embeds=embedded, attention_mask=seen).last_hidden_state
    assert torch.allclose(hidden, plain)


def test_padding_of_prompts_does_not_change_the_answer(model, vectors):
    """The official model attends to its padding; ours masks it."""
    rows = [7, 8, 1], [9, 1], [3, 1], [4, 5, 1], [1]
    short, long = model.generate(vectors, *prompts(*rows)), model.generate(vectors, *prompts(*rows, width=9))
    assert torch.equal(short.ids, long.ids) and torch.allclose(short.scores, long.scores, atol=1e-4)
    alone = model.generate(vectors[1:2], *prompts(rows[1]))
    assert torch.allclose(alone.scores, short.scores[1:2], atol=1e-4)
    unmasked = model.generate(vectors, prompts(*rows, width=9)[0], torch.ones(5, 9, dtype=torch.long))
    assert not torch.allclose(unmasked.scores, short.scores, atol=1e-3)


def test_the_loss_is_the_summed_cross_entropy_of_the_target_words(model, vectors):
    targets = torch.tensor([[5, 6, 1, -100], [7, 1, -100, -100], [8, 9, 10, 1]])
    owners = torch.tensor([0, 0, 3])  # two targets for the first vector
    loss = model(vectors, *NOTHING, targets, owners)
    expected = 0.0
    for row, owner in zip(targets, owners, strict=True):
        words = row[row != -100]
        hidden, mask = model.read(vectors[owner : owner + 1], NOTHING[0][:1], NOTHING[1][:1])
        logits = model.lm(
            encoder_outputs=BaseModelOutput(last_hidden_state=hidden),
            attention_mask=mask,
            decoder_input_ids=torch.cat([torch.tensor([PAD]), words[:-1]])[None],
        ).logits[0]
        expected -= logits.log_softmax(-1)[torch.arange(len(words)), words].sum()
    assert torch.allclose(loss, torch.as_tensor(expected), rtol=1e-5)


def test_a_loss_does_not_depend_on_its_neighbours(model, vectors):
    targets, owners = torch.tensor([[5, 6, 1, -100], [8, 9, 10, 1]]), torch.tensor([0, 1])
    ids, mask = prompts([7, 8, 1], [9, 1])
    both = model(vectors[:2], ids, mask, targets, owners)
    first = model(vectors[:1], ids[:1], mask[:1], targets[:1, :3], owners[:1])
    second = model(vectors[1:2], ids[1:, :2], mask[1:, :2], targets[1:], owners[:1])
    assert torch.allclose(both, first + second, rtol=1e-5)


@pytest.mark.parametrize(("beams", "length_penalty"), [(2, 0.0), (5, 0.0), (5, 1.0)])
def test_beam_search_is_transformers_own(model, vectors, beams, length_penalty):
    """Written plainly: embed by hand, hand it to generate."""
    ids, mask = prompts([7, 8, 1], [9, 1], [3, 1], [4, 5, 1], [1])
    ours = model.generate(vectors, ids, mask, Search(beams=beams, n_best=2, longest=9, length_penalty=length_penalty))
    embedded = torch.cat([model.prefix.project(vectors).reshape(5, 4, 32), model.lm.shared(ids)], dim=1)
    plain = model.lm.generate(
        inputs_embeds=embedded,
        attention_mask=torch.cat([torch.ones(5, 4, dtype=torch.long), mask], dim=1),
        num_beams=beams,
        num_return_sequences=2,
        max_new_tokens=9,
        length_penalty=length_penalty,
        early_stopping=False,
        do_sample=False,
        return_dict_in_generate=True,
        output_scores=True,
    )
    written = [row[: row.index(1) + 1] if 1 in row else row for row in plain.sequences[:, 1:].tolist()]
    assert [[word for word in row if word != PAD] for row in ours.ids.flatten(0, 1).tolist()] == written
    lengths = torch.tensor([len(row) for row in written])
    assert torch.allclose(ours.scores.flatten(), plain.sequences_scores * lengths**length_penalty, atol=1e-5)


@pytest.mark.parametrize(("beams", "length_penalty"), [(1, 0.0), (4, 0.0), (4, 1.0)])
def test_a_score_is_the_log_probability_of_the_words(model, vectors, beams, length_penalty):
    said = model.generate(vectors, *NOTHING, Search(beams=beams, longest=6, length_penalty=length_penalty))
    for row in range(5):
        words = said.ids[row, 0]
        end = (words == 1).nonzero()
        words = words[: int(end[0]) + 1] if len(end) else words
        loss = model(vectors[row : row + 1], NOTHING[0][:1], NOTHING[1][:1], words[None], torch.tensor([0]))
        assert math.isclose(-loss.item(), said.scores[row, 0].item(), abs_tol=1e-3)


def test_the_best_come_first_and_five_beams_find_better_words_than_one(model, vectors):
    best = model.generate(vectors, *NOTHING, Search(beams=5, n_best=5, longest=6)).scores
    assert (best[:, :-1] >= best[:, 1:]).all()
    assert best[:, 0].mean() > model.generate(vectors, *NOTHING, Search(beams=1, longest=6)).scores[:, 0].mean()


def test_a_sentence_keeps_its_answer_whatever_its_batch_mates(model, vectors):
    together = model.generate(vectors, *NOTHING)
    for row in range(5):
        alone = model.generate(vectors[row : row + 1], NOTHING[0][:1], NOTHING[1][:1])
        shorter = min(alone.ids.shape[-1], together.ids.shape[-1])
        assert torch.equal(alone.ids[0, 0, :shorter], together.ids[row, 0, :shorter])
        assert torch.allclose(alone.scores[0], together.scores[row], atol=1e-4)


@pytest.mark.parametrize(("name", "size"), [("world", (128, 2)), ("world:64x3", (64, 3)), ("google-t5/t5-base", None)])
def test_a_language_model_from_scratch_has_the_size_in_its_name(name, size):
    assert from_scratch(name) == size


# The dual encoder.


@pytest.fixture(scope="module")
def towers() -> DualEncoder:
    torch.manual_seed(0)
    return DualEncoder(DualEncoderConfig(dim=16, vocabulary=50, text_width=32, text_layers=2, text_length=12)).eval()


def test_a_vector_never_depends_on_its_batch_mates(towers):
    pixels = torch.randint(0, 256, (4, 3, 64, 64), dtype=torch.uint8)
    words = torch.randint(2, 50, (4, 7))
    mask = torch.ones(4, 7, dtype=torch.bool)
    images, texts, _, _ = towers.train()(pixels, words, mask)
    for row in range(4):
        one, other, _, _ = towers(pixels[row : row + 1], words[row : row + 1], mask[row : row + 1])
        assert torch.allclose(one[0], images[row], atol=1e-5) and torch.allclose(other[0], texts[row], atol=1e-5)


def test_padding_of_sentences_does_not_change_their_vectors(towers):
    words, mask = torch.randint(2, 50, (3, 5)), torch.ones(3, 5, dtype=torch.bool)
    wider, wider_mask = F.pad(words, (0, 4)), F.pad(mask, (0, 4))
    assert torch.allclose(towers.text(words, mask), towers.text(wider, wider_mask), atol=1e-6)


def test_a_word_changes_a_sentence_s_vector_and_so_does_its_place(towers):
    words = torch.tensor([[5, 6, 7, 1], [5, 6, 8, 1], [6, 5, 7, 1]])
    texts = towers.text(words, torch.ones(3, 4, dtype=torch.bool))
    assert not torch.allclose(texts[0], texts[1], atol=1e-4) and not torch.allclose(texts[0], texts[2], atol=1e-4)


def test_the_contrastive_loss_is_clip_s():
    """Cross entropy along rows and columns of the similarities, the diagonal being right (arXiv:2103.00020, figure 3)."""
    images, texts = (F.normalize(torch.randn(6, 8), dim=-1) for _ in range(2))
    logits = 20 * images @ texts.T
    plain = -(logits.log_softmax(1).diag().mean() + logits.log_softmax(0).diag().mean()) / 2
    assert torch.allclose(softmax_loss(images, texts, torch.tensor(20.0)), plain)


def test_the_contrastive_loss_is_the_mean_of_its_parts():
    images, texts = (F.normalize(torch.randn(6, 8), dim=-1) for _ in range(2))
    scale = torch.tensor(20.0)
    parts = [
        softmax_loss(images[first : first + 3], texts[first : first + 3], scale, first, images, texts)
        for first in (0, 3)
    ]
    assert torch.allclose(sum(parts) / 2, softmax_loss(images, texts, scale), rtol=1e-5)


def test_the_sigmoid_loss_is_siglip_s():
    """Binary cross entropy of every pair, 1 for the own ones, summed and divided by the batch (arXiv:2303.15343, algorithm 1)."""
    images, texts = (F.normalize(torch.randn(6, 8), dim=-1) for _ in range(2))
    scale, bias = torch.tensor(10.0), torch.tensor(-3.0)
    plain = F.binary_cross_entropy_with_logits(10 * images @ texts.T - 3, torch.eye(6), reduction="sum") / 6
    assert torch.allclose(sigmoid_loss(images, texts, scale, bias), plain)
    parts = [sigmoid_loss(images[f : f + 3], texts[f : f + 3], scale, bias, f, texts) for f in (0, 3)]
    assert torch.allclose(sum(parts) / 2, plain)


# Words to numbers.


def test_a_vocabulary_from_scratch_knows_every_text():
    tokenizer = train_tokenizer(["a red dog", "two red dogs"] * 5)
    for text in ("a red dog", "Ein Hündchen, rot!", "犬 🐕", "  spaces   stay "):
        ids = tokenizer(text).input_ids
        assert ids[-1] == 1 and 0 not in ids
        assert tokenizer.decode(ids, skip_special_tokens=True).strip() == text.strip()


def test_a_text_is_cut_with_its_end_token_kept():
    tokenizer = train_tokenizer(["a red dog", "two red dogs"] * 5)
    rows = encode(tokenizer, ["dog " * 50, "a red dog"], longest=8, chunk=1)
    assert rows.lengths.max() == 8 and rows.padded(np.array([0]), 0)[0, -1] == 1
