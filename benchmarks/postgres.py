"""Rates of PostgreSQL: reading a table into DuckDB, and writing one, beside what psycopg does at best.

    python -m benchmarks.postgres postgresql://user@host/db [--rows 2000000]

Makes and drops the schema `retinue_benchmark` there. Seconds are of the clock and of this process's
CPU; the server has its own. COPY here moves the bytes and looks at none of them.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pyarrow as pa

from retinue import postgres
from retinue.project.project import Project, Settings
from retinue.warehouse import engine
from retinue.warehouse.destinations import postgres as destination
from retinue.warehouse.destinations.destination import Layout
from retinue.warehouse.reading import postgres as reading

SCHEMA = "retinue_benchmark"
MADE = f"""
CREATE TABLE {SCHEMA}.events AS
SELECT i AS id, 'account-' || i % 10000 AS account_id, 'user-' || i % 100000 AS "user",
       timestamptz '2026-01-01' + i * interval '1 second' AS ts, date '2026-01-01' + i / 86400 AS day,
       (i % 1000 / 8.0)::numeric(12, 3) AS amount, i % 7 / 7.0::float8 AS share
FROM generate_series(1, %s) i
"""
COPY = f"COPY {SCHEMA}.events TO STDOUT (FORMAT binary)"


def timed(work: Callable[[], int]) -> dict[str, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    rows = work()
    seconds = time.perf_counter() - wall
    return {"rows": rows, "seconds": round(seconds, 2), "cpu": round(time.process_time() - cpu, 2)}


def read(url: str) -> int:
    """Into the engine, as a source is read."""
    with TemporaryDirectory() as folder:
        settings = Settings.model_validate({"project": "benchmark", "accounts": {"table": "a.csv"}})
        project = Project(root=Path(folder), settings=settings, metrics={}, scorecards=())
        with engine.connect(project) as con:
            _, table = reading.read(con, url, f"{SCHEMA}.events", "events")
            return int(con.arrow(table.aggregate(n=table.count()))["n"][0].as_py())


def copied(url: str, rows: int) -> int:
    with psycopg.connect(url) as con, con.cursor().copy(COPY) as copy:
        for _ in copy:
            pass
    return rows


def written(url: str, rows: int) -> int:
    """As an export writes."""
    schema = pa.schema([("account_id", pa.string()), ("as_of", pa.date32()), ("value", pa.float64())])
    size = 65_536
    one = {
        "account_id": [f"account-{n % 10_000}" for n in range(size)],
        "as_of": pa.array([n // 1000 for n in range(size)], pa.date32()),
        "value": [n / 7 for n in range(size)],
    }
    batch = pa.table(one, schema).to_batches()[0]
    batches = (batch.slice(0, min(size, rows - start)) for start in range(0, rows, size))
    layout = Layout("written", schema)
    with destination.opened(url, SCHEMA) as there:
        there.create(layout)
        return there.append(layout, pa.RecordBatchReader.from_batches(schema, batches))


def taken(url: str) -> list[bytes]:
    """What an export has written, as the bytes that the server sends."""
    with psycopg.connect(url) as con, con.cursor() as cursor:
        cursor.execute(f"CREATE TABLE {SCHEMA}.again (LIKE {SCHEMA}.written)")
        with cursor.copy(f"COPY {SCHEMA}.written TO STDOUT (FORMAT binary)") as copy:
            return [bytes(part) for part in copy]


def sent(url: str, parts: list[bytes], rows: int) -> int:
    with (
        psycopg.connect(url) as con,
        con.cursor().copy(f"COPY {SCHEMA}.again FROM STDIN (FORMAT binary)") as copy,
    ):
        for part in parts:
            copy.write(part)
    return rows


def main() -> None:
    told = argparse.ArgumentParser(description=__doc__)
    told.add_argument("url")
    told.add_argument("--rows", type=int, default=2_000_000)
    asked = told.parse_args()
    url, rows = asked.url, asked.rows
    with psycopg.connect(url) as con:
        con.execute(f"CREATE SCHEMA {SCHEMA}")
        con.execute(MADE.replace("%s", str(rows)))
    try:
        found = {
            "read into the engine": timed(lambda: read(url)),
            "COPY to psycopg": timed(lambda: copied(url, rows)),
            "written by an export": timed(lambda: written(url, rows)),
        }
        parts = taken(url)
        found["COPY from psycopg"] = timed(lambda: sent(url, parts, rows))
    finally:
        with psycopg.connect(url) as con:
            con.execute(f"DROP SCHEMA {SCHEMA} CASCADE")
    for name, one in found.items():
        rate = one["rows"] / one["seconds"]
        print(f"{name:32} {one['seconds']:8.2f} s {one['cpu']:8.2f} s CPU {rate:12,.0f} rows/s")
    print(json.dumps({"url": postgres.shown(url), **found}))


if __name__ == "__main__":
    main()
