"""What a person sees while waiting: a progress bar with speed and ETA on stderr, or a line now and then in a log file.

Shown only when the `imageless` logger lets INFO through; the command line sets that, an importing program decides itself.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

log = logging.getLogger("imageless")
LINE_EVERY = 15.0  # seconds between lines where there is no terminal


class Progress:
    """Counts towards a total; `advance` may carry a note such as the loss."""

    def __init__(self, label: str, total: int | None, start: int = 0):
        self.label, self.total, self.done = label, total, start
        self._start, self._first = start, time.monotonic()
        self._line = self._first
        self._bar = None
        self._note = ""
        if log.isEnabledFor(logging.INFO) and sys.stderr.isatty():
            from rich import progress
            from rich.console import Console

            self._bar = progress.Progress(
                progress.TextColumn("{task.description}"),
                progress.BarColumn(),
                progress.MofNCompleteColumn(),
                progress.TextColumn("{task.fields[speed]}"),
                progress.TimeRemainingColumn(),
                progress.TextColumn("{task.fields[note]}"),
                console=Console(stderr=True),
                transient=True,
            )
            self._task = self._bar.add_task(label, total=total, completed=start, speed="", note="")
            self._bar.start()

    def advance(self, count: int = 1, note: str = "") -> None:
        self.done += count
        now = time.monotonic()
        speed = (self.done - self._start) / max(now - self._first, 1e-9)
        if self._bar is not None:
            self._note = note or self._note
            self._bar.update(self._task, completed=self.done, speed=f"{speed:,.0f}/s", note=self._note)
        elif now - self._line > LINE_EVERY:
            self._line = now
            left = f", {(self.total - self.done) / speed:,.0f} s left" if self.total and speed > 0 else ""
            log.info(
                "%s %s/%s, %s/s%s %s", self.label, f"{self.done:,}", f"{self.total or 0:,}", f"{speed:,.0f}", left, note
            )

    def close(self) -> None:
        if self._bar is not None:
            self._bar.stop()


@contextmanager
def progress(label: str, total: int | None, start: int = 0) -> Iterator[Progress]:
    bar = Progress(label, total, start)
    try:
        yield bar
    finally:
        bar.close()
