"""What Prometheus reads about work: the worker beside this server, and how work stands in the store."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, time

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from retinue.errors import RetinueError
from retinue.serve.company import Company
from retinue.store.upkeep.working import Working as Stands
from retinue.store.work.leases import HOLDS

_log = logging.getLogger("retinue.serve")
Gauge = GaugeMetricFamily


class Working(Collector):
    """Asks the store at each reading: whichever process works, and wherever, it says the same."""

    def __init__(self, stands: Callable[[], Stands], company: Company | None):
        self.stands = stands
        self.company = company

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Nothing is asked when this is registered."""
        return iter(())

    def collect(self) -> Iterator[GaugeMetricFamily | CounterMetricFamily]:
        if self.company is not None:
            yield Gauge(
                "retinue_worker_up", "Whether the worker beside this server runs.", self.company.running
            )
            yield CounterMetricFamily(
                "retinue_worker_starts", "How often it was started.", value=self.company.starts
            )
        try:
            told = self.stands()
        except RetinueError as error:
            _log.error("the store does not answer: %s", error.message)
            return
        yield from _by_the_clock(told)
        if told.evaluated is not None:
            yield Gauge(
                "retinue_alerts_last_as_of_timestamp_seconds",
                "Start of the last date that was looked at for alerts.",
                datetime.combine(told.evaluated, time(), UTC).timestamp(),
            )
        yield Gauge("retinue_alerts", "Alerts that were raised and are on record.", told.alerts)
        yield Gauge("retinue_alerts_open", "Alerts that nobody has dealt with.", told.open_alerts)
        yield Gauge("retinue_tasks_open", "Tasks that are to be done.", told.open_tasks)
        messages = Gauge("retinue_messages", "Messages in the outbox.", labels=["state"])
        for state, value in (("waiting", told.waiting), ("sent", told.sent), ("dead", told.dead)):
            messages.add_metric([state], value)
        yield messages
        if told.oldest_due is not None:
            yield Gauge(
                "retinue_messages_oldest_due_timestamp_seconds",
                "When the message that waits longest was or is due.",
                told.oldest_due.timestamp(),
            )
        yield Gauge("retinue_destinations_disabled", "Destinations that were given up.", told.disabled)


def _by_the_clock(told: Stands) -> Iterator[GaugeMetricFamily]:
    if told.worker is not None:
        holder = Gauge("retinue_worker_info", "The worker that has the lease.", labels=["holder"])
        holder.add_metric([told.worker.holder], 1)
        yield holder
        yield Gauge(
            "retinue_worker_last_look_timestamp_seconds",
            "When a worker last looked around.",
            (told.worker.until - HOLDS).timestamp(),
        )
    due = Gauge("retinue_scheduled_due_timestamp_seconds", "When it was last due.", labels=["name"])
    done = Gauge("retinue_scheduled_done_timestamp_seconds", "When it was last done.", labels=["name"])
    failed = Gauge("retinue_scheduled_failed", "Whether it failed then.", labels=["name"])
    for name, one in sorted(told.scheduled.items()):
        due.add_metric([name], one.due_at.timestamp())
        if one.done_at is not None:
            done.add_metric([name], one.done_at.timestamp())
            failed.add_metric([name], (one.result or "").startswith("failed"))
    yield from (due, done, failed)
