"""Counts and times for Prometheus."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest

BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)  # seconds


class Measures:
    """A registry of its own: several servers in one process do not mix."""

    kind = CONTENT_TYPE_LATEST

    def __init__(self, waiting: Callable[[], int]):
        self.registry = CollectorRegistry()
        self.requests = Counter("imageless_requests", "Requests", ["verb", "outcome"], registry=self.registry)
        self.seconds = Histogram(
            "imageless_seconds", "Time to answer", ["verb"], buckets=BUCKETS, registry=self.registry
        )
        self.waiting = Gauge("imageless_waiting", "Requests that wait", registry=self.registry)
        self.waiting.set_function(waiting)

    @contextmanager
    def timed(self, verb: str) -> Iterator[None]:
        """Count a request, answered or not, and how long it took."""
        began, outcome = time.perf_counter(), "answered"
        try:
            yield
        except BaseException as error:
            outcome = type(error).__name__
            raise
        finally:
            self.requests.labels(verb, outcome).inc()
            self.seconds.labels(verb).observe(time.perf_counter() - began)

    def page(self) -> bytes:
        return generate_latest(self.registry)
