"""A small company whose runs the tests of the store write, publish and read."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa

from retinue.store.database import Store
from retinue.store.published.contract import TABLES
from retinue.store.published.current import current_run
from retinue.store.published.manifest import Manifest, merge_parts, read_manifest
from retinue.store.published.publish import publish
from retinue.store.published.runs import RunWriter

NOW = datetime(2026, 3, 1, 6, 30, tzinfo=UTC)
SUNDAYS = [date(2026, 1, 4) + timedelta(days=7 * week) for week in range(8)]


def ids(count: int) -> list[str]:
    return [f"A-{number:05}" for number in range(count)]


def snapshots(count: int, dates: list[date], score: float = 50.0) -> pa.Table:
    """Every account on every date, in the order of dates, so not in that of the key."""
    rows = [(account, day) for day in dates for account in ids(count)]
    size = len(rows)
    scores = [score + index % 7 for index in range(size)]
    told: dict[str, list[object]] = {
        "account_id": [account for account, _ in rows],
        "as_of": [day for _, day in rows],
        "scorecard": ["standard"] * size,
        "status": ["scored"] * size,
        **dict.fromkeys(("base", "computed", "published", "effective"), scores),
        "band": ["watch"] * size,
        "band_since": [dates[0]] * size,
        "coverage": [1.0] * size,
        "held": [False] * size,
    }
    # Columns that are added to the contract are empty here.
    schema = TABLES["snapshots"].schema()
    return pa.table(
        {field.name: pa.array(told.get(field.name, [None] * size), field.type) for field in schema}
    )


def components(count: int, dates: list[date], score: float = 50.0) -> pa.Table:
    rows = [(account, day, part) for account in ids(count) for day in dates for part in ("adoption", "voice")]
    return pa.table(
        {
            "account_id": [row[0] for row in rows],
            "as_of": [row[1] for row in rows],
            "component": [row[2] for row in rows],
            "points": [score] * len(rows),
            "weight": [0.5] * len(rows),
            "contribution": [score / 2] * len(rows),
        }
    )


def current_rows(count: int, day: date, score: float = 50.0, **columns: list[object]) -> pa.Table:
    told = {
        "account_id": ids(count),
        "name": [f"Company {number}" for number in range(count)],
        "as_of": [day] * count,
        "status": ["scored"] * count,
        "band": ["watch"] * count,
        "effective": [score + number % 7 for number in range(count)],
        "attention": [float(number % 3) for number in range(count)],
        "sparkline": ["[50.0, 51.5]"] * count,
        "explanation": [json.dumps({"score": score, "text": "x" * 300})] * count,
        "attributes": ['{"plan": "pro"}'] * count,
    }
    return pa.table({**told, **columns})


def attributes(day: date, **columns: object) -> pa.Table:
    """Account A with attributes of its own; the fixed columns are empty."""
    schema = TABLES["accounts"].schema()
    fixed: dict[str, list[object]] = {"account_id": ["A"], "as_of": [day]}
    told = {field.name: pa.array(fixed.get(field.name, [None]), field.type) for field in schema}
    return pa.table({**columns, **told})


def changed(count: int, day: date, kind: str = "data") -> pa.Table:
    return pa.table(
        {
            "account_id": pa.array(ids(count), pa.string()),
            "as_of": pa.array([day] * count, pa.date32()),
            "kind": pa.array([kind] * count, pa.string()),
            "from_band": pa.array(["healthy"] * count, pa.string()),
            "to_band": pa.array(["watch"] * count, pa.string()),
            "drivers": pa.array(['[{"kind": "value", "points": -3.5}]'] * count, pa.string()),
        }
    )


def write_run(
    home: Path, run_id: str, dates: list[date], count: int, score: float, previous: str | None
) -> Manifest:
    """The files of a run over `dates`, finished but not published."""
    writer = RunWriter(home, run_id)
    for month in sorted({f"{day:%Y-%m}" for day in dates}):
        days = [day for day in dates if f"{day:%Y-%m}" == month]
        writer.write("snapshots", snapshots(count, days, score), month)
        writer.write("components", components(count, days, score), month)
    before = () if previous is None else read_manifest(home, previous).parts
    return writer.finish(
        Manifest(
            run_id=run_id,
            started_at=NOW,
            finished_at=NOW,
            dates=tuple(dates),
            parts=merge_parts(before, writer.parts(dates)),
            whole=writer.whole(),
            previous=previous,
        )
    )


def run_and_publish(
    store: Store, home: Path, run_id: str, dates: list[date], count: int = 20, score: float = 50.0
) -> Manifest:
    run = current_run(store)
    manifest = write_run(home, run_id, dates, count, score, run.run_id if run else None)
    publish(store, manifest, current_rows(count, dates[-1], score), changed(count, dates[-1]), NOW)
    return manifest


def intact(home: Path, manifest: Manifest) -> bool:
    """Whether every file that the manifest's parts name is there, as its own run wrote it."""
    for run_id in {part.path.split("/")[1] for part in manifest.parts}:
        for path, file in read_manifest(home, run_id).files.items():
            written = (home / path).read_bytes()
            if len(written) != file.bytes or hashlib.sha256(written).hexdigest() != file.sha256:
                return False
    return True
