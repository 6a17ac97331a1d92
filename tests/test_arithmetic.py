"""Faster float32 products are float32 products, and nothing stays changed."""

from __future__ import annotations

import pytest
import torch

from imageless import arithmetic


@pytest.mark.parametrize("gains", [True, False])
def test_the_setting_is_as_before_even_after_an_error(monkeypatch, gains):
    monkeypatch.setattr(arithmetic, "_gains", lambda: gains)
    settings = torch.backends.mkldnn.matmul
    before = settings.fp32_precision
    with pytest.raises(ZeroDivisionError), arithmetic.quick_float32():
        assert (settings.fp32_precision == "bf16") == gains
        raise ZeroDivisionError
    assert settings.fp32_precision == before


def test_products_are_those_of_float32():
    one, other = torch.randn(300, 400), torch.randn(400, 500)
    exact = one.double() @ other.double()
    with arithmetic.quick_float32():
        assert ((one @ other) - exact).abs().max() < 1e-5 * exact.abs().max()


def test_a_processor_that_would_round_is_left_alone(monkeypatch):
    """As one with units for bfloat16 matrices does."""
    monkeypatch.setattr(arithmetic.processor, "vendor", lambda: "AuthenticAMD")
    monkeypatch.setattr(torch.Tensor, "__matmul__", lambda self, other: torch.mm(self, other).bfloat16().float())
    assert not arithmetic._gains.__wrapped__()
