"""What is known of the processor, and what is done where the system does not tell."""

from __future__ import annotations

import os

import pytest

from imageless import processor

TOLD = """processor\t: 0
vendor_id\t: AuthenticAMD
model name\t: AMD EPYC: of some kind

processor\t: 1
vendor_id\t: another
"""


@pytest.fixture(autouse=True)
def forgetful():
    """What was read of one processor is not told of another."""
    processor._told.cache_clear()
    yield
    processor._told.cache_clear()


def test_the_first_processor_speaks_for_all(tmp_path, monkeypatch):
    (tmp_path / "cpuinfo").write_text(TOLD)
    monkeypatch.setattr(processor, "TOLD", tmp_path / "cpuinfo")
    assert (processor.name(), processor.vendor()) == ("AMD EPYC: of some kind", "AuthenticAMD")


def test_another_system_than_linux_tells_less(tmp_path, monkeypatch):
    monkeypatch.setattr(processor, "TOLD", tmp_path / "nowhere")
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert processor.name() and processor.vendor() == ""
    assert processor.cores() == os.cpu_count()
