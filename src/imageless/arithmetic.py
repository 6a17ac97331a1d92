"""float32 products at full speed on processors that PyTorch's own library slows down.

PyTorch's wheels multiply float32 with MKL, whose kernels for AMD processors reach half of what oneDNN's do (docs/log.md). PyTorch
goes to oneDNN once it may take bfloat16 for float32; without units for bfloat16 matrices (AMX) oneDNN then computes float32 as
float32. With such units it would round, so it is asked for only where a product shows that it does not.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch

from imageless import processor

ERROR = 1e-5  # of a product of normal numbers, over its largest; bfloat16 would leave 1e-2


@contextmanager
def quick_float32() -> Iterator[None]:
    """Until the end of the `with`, float32 matrices are multiplied by the faster library, where there is one."""
    if not _gains():
        yield
        return
    with _by_onednn():
        yield


@contextmanager
def _by_onednn() -> Iterator[None]:
    settings: Any = getattr(torch.backends.mkldnn, "matmul")  # noqa: B009 not among its declared names
    before = settings.fp32_precision
    settings.fp32_precision = "bf16"
    try:
        yield
    finally:
        settings.fp32_precision = before


@cache
def _gains() -> bool:
    """Whether the processor is AMD's, and oneDNN's float32 is one."""
    if not torch.backends.mkldnn.is_available() or processor.vendor() != "AuthenticAMD":
        return False
    draw = torch.Generator().manual_seed(0)
    one, other = (torch.randn(256, 256, generator=draw) for _ in range(2))
    exact = one.double() @ other.double()
    with _by_onednn():
        return bool(((one @ other) - exact).abs().max() < ERROR * exact.abs().max())
