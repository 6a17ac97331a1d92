"""Our own search and decoder give what transformers' give: the same captions, in the same order, with the same scores."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import T5Config, T5ForConditionalGeneration
from transformers.modeling_outputs import BaseModelOutput

from imageless.models import beams, t5
from imageless.models.language import small_t5
from imageless.models.packed import EightBits
from imageless.models.t5 import T5Decoder, T5Encoder

END, PAD = 1, 0


def classic_t5() -> T5ForConditionalGeneration:
    """The form of google-t5/t5-base: relu, and a head that is the embedding, scaled."""
    sizes: dict[str, Any] = dict(vocab_size=96, d_model=48, d_kv=16, num_heads=3, d_ff=64, num_layers=3)
    return T5ForConditionalGeneration(T5Config(**sizes, decoder_start_token_id=0, pad_token_id=0))


def model(kind: str, seed: int) -> T5ForConditionalGeneration:
    """Random, but sure enough of itself that captions end at different lengths."""
    torch.manual_seed(seed)
    lm = classic_t5() if kind == "classic" else small_t5(64, 2, 96)
    with torch.no_grad():
        for weight in lm.parameters():
            weight.mul_(2.0)
        lm.lm_head.weight[END] = 5.0 * torch.randn(lm.config.d_model)
    return lm.eval()


def read(lm: T5ForConditionalGeneration, inputs: int) -> tuple[torch.Tensor, torch.Tensor]:
    hidden = torch.randn(inputs, 5, lm.config.d_model)
    lengths = torch.arange(inputs) % 4 + 2
    return hidden, (torch.arange(5) < lengths[:, None]).long()


def theirs(lm: Any, hidden: torch.Tensor, mask: torch.Tensor, **told: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """What transformers finds: ids without start, and their log probabilities."""
    out = lm.generate(
        encoder_outputs=BaseModelOutput(last_hidden_state=hidden),
        attention_mask=mask,
        num_beams=told["beams"],
        num_return_sequences=told["n_best"],
        max_new_tokens=told["longest"],
        length_penalty=told["length_penalty"],
        early_stopping=False,
        do_sample=False,
        output_scores=True,
        return_dict_in_generate=True,
    )
    ids = out.sequences[:, 1:]
    said = (ids == END).cumsum(-1) - (ids == END).long() == 0
    totals = out.sequences_scores * (out.beam_indices >= 0).sum(-1) ** told["length_penalty"]
    return ids.masked_fill(~said, PAD).unflatten(0, (-1, told["n_best"])), totals.unflatten(0, (-1, told["n_best"]))


@pytest.mark.parametrize("kind", ["classic", "gated"])
@pytest.mark.parametrize(
    ("count", "width", "n_best", "longest", "penalty"),
    [(1, 5, 1, 12, 0.0), (6, 5, 5, 12, 0.0), (6, 3, 2, 9, 1.0), (4, 2, 1, 20, 0.7), (3, 8, 4, 3, 1.5)],
)
def test_the_same_captions_as_transformers(kind, count, width, n_best, longest, penalty):
    ended = set()
    for seed in range(3):
        lm = model(kind, seed)
        hidden, mask = read(lm, count)
        told = {"beams": width, "n_best": n_best, "longest": longest, "length_penalty": penalty}
        expected, scores = theirs(lm, hidden, mask, **told)
        steps = T5Decoder(lm).start(hidden, mask, longest)
        ids, totals = beams.search(steps, count, 0, END, PAD, beams.Search(**told))
        shared = expected.shape[2]
        assert torch.equal(ids[..., :shared], expected) and (ids[..., shared:] == PAD).all()
        assert torch.allclose(totals, scores, atol=1e-4)
        ended |= set((ids != PAD).sum(-1).flatten().tolist())
    assert len(ended) > 1  # captions of several lengths


@pytest.mark.parametrize("kind", ["classic", "gated"])
def test_what_is_read_is_what_transformers_reads(kind):
    lm = model(kind, 0)
    embedded, mask = read(lm, 6)
    expected = lm.encoder(inputs_embeds=embedded, attention_mask=mask).last_hidden_state
    found = T5Encoder(lm)(embedded, mask)
    seen = mask.bool()
    torch.testing.assert_close(found[seen], expected[seen], atol=1e-4, rtol=1e-4)


def test_logits_are_those_of_transformers_and_rows_may_change_places():
    lm = model("gated", 0)
    hidden, mask = read(lm, 2)
    steps = T5Decoder(lm).start(hidden, mask, 6)
    start = steps.step(torch.zeros(2, dtype=torch.long))
    steps.keep(torch.tensor([0, 0, 0, 1, 1, 1]))
    tokens = torch.tensor([[4, 5, 6, 7, 8, 9], [10, 11, 12, 13, 14, 15]])
    steps.step(tokens[0])
    turned = torch.tensor([2, 0, 0, 4, 5, 3])
    steps.keep(turned)
    last = steps.step(tokens[1])
    whole = torch.cat([torch.zeros(6, 1, dtype=torch.long), tokens[0][turned][:, None], tokens[1][:, None]], 1)
    places = torch.tensor([0, 0, 0, 1, 1, 1])
    told = lm(
        encoder_outputs=BaseModelOutput(last_hidden_state=hidden[places]),
        attention_mask=mask[places],
        decoder_input_ids=whole,
    ).logits
    assert torch.allclose(start, told[[0, 3], 0], atol=1e-4)
    assert torch.allclose(last, told[:, 2], atol=1e-4)


@pytest.mark.parametrize("room", [1, 3, 100])
def test_what_is_remembered_finds_room(monkeypatch, room):
    lm = model("gated", 2)
    hidden, mask = read(lm, 4)

    def said() -> torch.Tensor:
        return beams.search(T5Decoder(lm).start(hidden, mask, 20), 4, 0, END, PAD, beams.Search(longest=20))[0]

    before = said()
    monkeypatch.setattr(t5, "ROOM", room)
    assert torch.equal(said(), before)


@pytest.mark.parametrize(("dtype", "near"), [(torch.bfloat16, 0.999), (torch.int8, 0.995)])
@pytest.mark.parametrize("kind", ["classic", "gated"])
def test_in_fewer_bits_the_numbers_are_near(kind, dtype, near):
    lm = model(kind, 1)
    hidden, mask = read(lm, 3)
    whole, half = (T5Decoder(lm, held).start(hidden, mask, 4) for held in (None, dtype))
    ids = torch.zeros(3, dtype=torch.long)
    one, other = whole.step(ids), half.step(ids)
    assert torch.nn.functional.cosine_similarity(one, other).min() > near


@pytest.mark.parametrize("shape", [(3, 24), (2, 5, 24)])
def test_eight_bits_are_a_linear_layer_of_rounded_numbers(shape):
    """Against plain arithmetic on the same rounded numbers; rows of nothing and of any size are told as well."""
    weight, x = torch.randn(7, 24) * torch.logspace(-3, 3, 7)[:, None], torch.randn(*shape) * 1e3
    x.view(-1, 24)[0] = 0
    scales = weight.abs().amax(1, keepdim=True) / 127
    largest = x.abs().amax(-1, keepdim=True).clamp_min(1e-12)
    told = ((x * (127 / largest)).round() * largest / 127) @ ((weight / scales).round() * scales).T
    torch.testing.assert_close(EightBits(weight)(x), told, rtol=1e-4, atol=1e-2)


def test_what_has_ended_leaves_the_batch():
    """Rows asked about become fewer, and nothing changes for the others."""
    lm = model("gated", 3)
    hidden, mask = read(lm, 8)
    sizes = []

    class Watched:
        def __init__(self) -> None:
            self.steps = T5Decoder(lm).start(hidden, mask, 16)

        def step(self, ids: torch.Tensor) -> torch.Tensor:
            sizes.append(len(ids))
            return self.steps.step(ids)

        def keep(self, rows: torch.Tensor, inputs: torch.Tensor | None = None) -> None:
            self.steps.keep(rows, inputs)

    together, _ = beams.search(Watched(), 8, 0, END, PAD, beams.Search(3, longest=16))
    assert sizes[0] == 8 and max(sizes) == 24 and min(sizes[1:]) < 24
    for row in range(8):
        alone = T5Decoder(lm).start(hidden[row : row + 1], mask[row : row + 1], 16)
        ids, _ = beams.search(alone, 1, 0, END, PAD, beams.Search(3, longest=16))
        assert torch.equal(ids[0], together[row])
