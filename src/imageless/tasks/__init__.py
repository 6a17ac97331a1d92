"""One file per task: how it is asked, its examples, its defaults, its score. Nothing else changes when one is added."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from imageless.errors import InputError
from imageless.tasks.base import Defaults

__all__ = ["TASKS", "Defaults", "task"]

TASKS = {"captioning": "imageless.tasks.captioning"}


def task(name: str) -> ModuleType:
    """The task's module: DEFAULTS, examples(...), score(...)."""
    if name not in TASKS:
        raise InputError(f"unknown task {name!r}; there are: {', '.join(TASKS)}")
    return import_module(TASKS[name])
