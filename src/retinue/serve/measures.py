"""What Prometheus reads: requests as they come, and at each reading how the store and the disk stand."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from retinue import __version__
from retinue.errors import RetinueError
from retinue.store.upkeep.standing import Standing

#: Where processes that answer at one port share what they count: a folder, by the library's name for it.
SHARED = "PROMETHEUS_MULTIPROC_DIR"
CONTENT = "text/plain; version=0.0.4; charset=utf-8"

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_log = logging.getLogger("retinue.serve")


class Measures:
    """The numbers of one server."""

    def __init__(self, standing: Callable[[], Standing], free_bytes: Callable[[], int]):
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry(auto_describe=True)
        names = ("route", "method", "status")
        self.requests = Counter(
            "retinue_requests", "Requests that were answered.", names, registry=self.registry
        )
        self.seconds = Histogram(
            "retinue_request_seconds",
            "Seconds from the first to the last byte of an answer.",
            ("route", "method"),
            buckets=_BUCKETS,
            registry=self.registry,
        )
        # Asked of the store at each reading, so the same whichever process is asked.
        self.beside = CollectorRegistry(auto_describe=True) if SHARED in os.environ else self.registry
        self.beside.register(_Standing(standing, free_bytes))

    def answered(self, route: str, method: str, status: int, seconds: float) -> None:
        """`route` is a template, so that there are as many as there are pages."""
        method = method if method in _METHODS else "OTHER"
        self.requests.labels(route, method, str(status)).inc()
        self.seconds.labels(route, method).observe(seconds)

    def text(self) -> bytes:
        """All of it; of several processes that answer the sums, whichever of them is asked."""
        if SHARED not in os.environ:
            return generate_latest(self.registry)
        requests = CollectorRegistry()
        MultiProcessCollector(requests)  # type: ignore[no-untyped-call]
        return generate_latest(requests) + generate_latest(self.beside)


class _Standing(Collector):
    def __init__(self, standing: Callable[[], Standing], free_bytes: Callable[[], int]):
        self.standing = standing
        self.free_bytes = free_bytes

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Nothing is asked when this is registered."""
        return iter(())

    def collect(self) -> Iterator[GaugeMetricFamily]:
        build = GaugeMetricFamily("retinue_build_info", "The version that runs.", labels=["version"])
        build.add_metric([__version__], 1)
        yield build
        yield GaugeMetricFamily("retinue_disk_free_bytes", "Room for runs.", self.free_bytes())
        try:
            told = self.standing()
        except RetinueError as error:
            _log.error("the store does not answer: %s", error.message)
            yield GaugeMetricFamily("retinue_store_up", "Whether the store answers.", 0)
            return
        yield GaugeMetricFamily("retinue_store_up", "Whether the store answers.", 1)
        yield GaugeMetricFamily("retinue_store_bytes", "Size of the store.", told.bytes)
        yield GaugeMetricFamily("retinue_sessions_open", "Sessions that have not ended.", told.sessions)
        yield GaugeMetricFamily("retinue_people", "People who may sign in.", told.people)
        if told.run is not None:
            yield GaugeMetricFamily(
                "retinue_scoring_last_success_timestamp_seconds",
                "When the current run was published.",
                told.run.published_at.timestamp(),
            )
            yield GaugeMetricFamily("retinue_accounts_published", "Accounts of the run.", told.run.accounts)
