"""Requests that come at the same time are answered together, by one thread.

No request waits for company: while a batch is answered, the next gathers. The room is bounded; who finds it full is told so at once.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Generic, TypeVar

Asked = TypeVar("Asked")
Said = TypeVar("Said")

log = logging.getLogger(__name__)


class Full(Exception):
    """No room is left to wait in."""


class Batcher(Generic[Asked, Said]):
    """A bounded queue in front of `answer`, which is called with at most `most` at a time."""

    def __init__(self, answer: Callable[[Sequence[Asked]], Sequence[Said]], most: int, room: int):
        self._answer, self._most = answer, most
        self._waiting: queue.Queue[tuple[Asked, Future[Said]] | None] = queue.Queue(room)
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="answering", daemon=True)
        self._thread.start()

    def __len__(self) -> int:
        """How many wait."""
        return self._waiting.qsize()

    def submit(self, asked: Asked) -> Future[Said]:
        """The answer to come; `Full` where no room is left. Cancelling it spares the work if that has not begun."""
        coming: Future[Said] = Future()
        try:
            if self._closed:
                raise queue.Full
            self._waiting.put_nowait((asked, coming))
        except queue.Full:
            raise Full from None
        return coming

    def close(self) -> None:
        """Answer what waits, take on nothing more."""
        self._closed = True
        self._waiting.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (first := self._waiting.get()) is not None:
            batch, last = [first], False
            while len(batch) < self._most and not last:
                try:
                    more = self._waiting.get_nowait()
                except queue.Empty:
                    break
                if more is None:
                    last = True
                else:
                    batch.append(more)
            self._settle([each for each in batch if each[1].set_running_or_notify_cancel()])
            if last:
                return

    def _settle(self, batch: list[tuple[Asked, Future[Said]]]) -> None:
        """Give everyone an answer; where a batch fails, each of it is tried alone, so that one cannot spoil the others'."""
        if not batch:
            return
        try:
            settled = list(zip(batch, self._answer([asked for asked, _ in batch]), strict=True))
        except Exception as error:
            if len(batch) == 1:
                batch[0][1].set_exception(error)
                return
            log.warning("a batch of %d failed (%s); each is tried alone", len(batch), error)
            for each in batch:
                self._settle([each])
            return
        for (_, coming), answer in settled:
            coming.set_result(answer)
