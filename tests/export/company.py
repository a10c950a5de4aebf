"""Published runs of a small company, and what an export left of them in a database."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
from psycopg import sql

from retinue.project.project import Project, Settings
from retinue.store.database import open_store
from retinue.store.published.contract import TABLES
from retinue.store.published.manifest import Manifest, merge_parts
from retinue.store.published.publish import publish
from retinue.store.published.runs import RunWriter
from retinue.workspace import Workspace
from tests.store.company import NOW, SUNDAYS, changed, components, current_rows, snapshots

Rows = list[dict[str, Any]]


def workspace(root: Path, name: str = "acme") -> Workspace:
    settings = Settings.model_validate({"project": name, "accounts": {"table": "accounts.csv"}})
    project = Project(root=root, settings=settings, metrics={}, scorecards=())
    return Workspace(project, open_store(project.store_url))


def score(
    space: Workspace, run_id: str, dates: list[date], level: float = 50.0, count: int = 20, **attributes: Any
) -> Manifest:
    """Publish a run over `dates`, with every kind of table; `attributes` are columns of `accounts`."""
    home = space.project.home
    writer = RunWriter(home, run_id)
    for month in sorted({f"{day:%Y-%m}" for day in dates}):
        days = [day for day in dates if f"{day:%Y-%m}" == month]
        writer.write("snapshots", snapshots(count, days, level), month)
        writer.write("components", components(count, days, level), month)
        writer.write("accounts", _accounts(count, days, attributes), month)
        writer.write("transitions", _conformed("transitions", changed(count, days[-1])), month)
    texts = pa.table(
        {
            "account_id": ["A-00001"] * 3,
            "occurred_at": [datetime(2026, 1, 5, 9, 30, 15, 250000)] * 2 + [datetime(2026, 1, 6)],
            "kind": ["tickets"] * 3,
            "summary": ['Zürich said "no", twice\tand\nagain', None, f"run {run_id} \\N 'x'"],
        }
    )
    writer.write("timeline", texts)
    curves = {"fingerprint": ["f"], "metric": ["m"], "lo": [None], "hi": [0.1 + 0.2], "points_hi": [1e-300]}
    writer.write("curves", _conformed("curves", pa.table(curves)))
    writer.write(
        "rejected", _conformed("rejected", pa.table({"source": ["s"], "row": [2**40], "reason": ["no"]}))
    )
    before = space.manifest()
    manifest = writer.finish(
        Manifest(
            run_id=run_id,
            started_at=NOW,
            finished_at=NOW,
            dates=tuple(dates),
            parts=merge_parts(before.parts if before else (), writer.parts(dates)),
            whole=writer.whole(),
            package="0.0.test",
            previous=before.run_id if before else None,
        )
    )
    publish(space.store, manifest, current_rows(count, dates[-1], level), changed(count, dates[-1]), NOW)
    return manifest


def _accounts(count: int, days: list[date], attributes: dict[str, Any]) -> pa.Table:
    keys = snapshots(count, days).select(["account_id", "as_of"])
    told = {name: pa.array([value] * keys.num_rows) for name, value in attributes.items()}
    return _conformed("accounts", keys, **told)


def _conformed(name: str, rows: pa.Table, **more: pa.Array) -> pa.Table:
    schema = TABLES[name].schema()
    told = {
        field.name: rows[field.name].cast(field.type)
        if field.name in rows.column_names
        else pa.nulls(rows.num_rows, field.type)
        for field in schema
    }
    return pa.table({**told, **more})


def expected(space: Workspace, folder: Path) -> dict[str, Rows]:
    """What `retinue export DIR` writes."""
    space.published().export(folder)
    return {path.stem: ordered(pq.read_table(path).to_pylist()) for path in folder.iterdir()}


def in_postgres(url: str, schema: str = "retinue") -> dict[str, Rows]:
    with psycopg.connect(url, row_factory=psycopg.rows.dict_row) as con:
        return {
            name: ordered(
                con.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(schema, name))).fetchall()
            )
            for name in TABLES
        }


def in_duckdb(path: Path, schema: str = "retinue") -> dict[str, Rows]:
    with duckdb.connect(str(path), read_only=True) as con:
        (catalog,) = con.execute("SELECT current_database()").fetchone()
        return {
            name: ordered(
                con.execute(f'SELECT * FROM "{catalog}"."{schema}"."{name}"').to_arrow_table().to_pylist()
            )
            for name in TABLES
        }


def ordered(rows: Rows) -> Rows:
    """Columns by name, rows in an order that depends on nothing but their values."""
    return sorted(({name: row[name] for name in sorted(row)} for row in rows), key=str)


__all__ = ["SUNDAYS", "expected", "in_duckdb", "in_postgres", "ordered", "score", "workspace"]
