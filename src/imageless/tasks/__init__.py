"""One file per task: how it is asked, its examples, its defaults, its score. Nothing else changes when one is added."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from imageless.errors import InputError
from imageless.tasks.base import Defaults

__all__ = ["TASKS", "Defaults", "task"]

TASKS = {
    "captioning": "imageless.tasks.captioning",
    "entailment": "imageless.tasks.entailment",
    "vqa": "imageless.tasks.vqa",
    "news": "imageless.tasks.news",
    "style": "imageless.tasks.style",
}


def task(name: str) -> ModuleType:
    """The task's module.

    LEARNED, ASKED      what it wants of a source that has several things to tell, while learning and when asked
    NEEDS               what it needs, in words
    UNPAIRED            the setting that suits --unpaired, where a task has settings
    defaults(setting), choose(records, setting), examples(records, setting, on), questions(records), score(asked, answers)
    """
    if name not in TASKS:
        raise InputError(f"unknown task {name!r}; there are: {', '.join(TASKS)}, language")
    return import_module(TASKS[name])
