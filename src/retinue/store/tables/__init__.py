"""The tables of the store. How a store gets to have them is in `migrations.py`; a test keeps them equal."""

from retinue.store.tables.base import metadata
from retinue.store.tables.people import api_keys, attempts, people, saved_views, sessions, sign_ins, uses
from retinue.store.tables.published import current, details, pointer, runs, schema_version, transitions
from retinue.store.tables.said import audit, erasures, notes, outcomes, overrides, pulses
from retinue.store.tables.work import (
    alert_memory,
    alert_rules,
    alerts,
    assignments,
    destinations,
    enrolments,
    interventions,
    leases,
    mutes,
    outbox,
    schedules,
    tasks,
)

__all__ = [
    "alert_memory",
    "alert_rules",
    "alerts",
    "api_keys",
    "assignments",
    "attempts",
    "audit",
    "current",
    "destinations",
    "details",
    "enrolments",
    "erasures",
    "interventions",
    "leases",
    "metadata",
    "mutes",
    "notes",
    "outbox",
    "outcomes",
    "overrides",
    "people",
    "pointer",
    "pulses",
    "runs",
    "saved_views",
    "schedules",
    "schema_version",
    "sessions",
    "sign_ins",
    "tasks",
    "transitions",
    "uses",
]
