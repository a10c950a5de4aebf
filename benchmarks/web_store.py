"""A published company that does not exist: many accounts, two years of weekly snapshots, no sources.

Written straight through the writer of runs and `publish`, because what is measured is reading. The same
seed gives the same company. Twelve measures in five components; two of them have cohort curves, so that
a quarter starts with a bridge. A twentieth of the accounts has left before the last date, a fifth came
after the first. Measures, components, metrics and attributes of accounts are written for the last
`detailed` dates only: snapshots have all dates.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import yaml
from web_company import CARD, COHORTS, LAST, PLACES, Company, History
from web_rows import ATTRIBUTES, batches, changes, current, curves, timeline

from retinue.store.published.contract import TABLES
from retinue.store.published.manifest import Manifest, merge_parts
from retinue.store.published.publish import publish
from retinue.store.published.reading import prepare_ahead, tidy
from retinue.store.published.runs import RunWriter
from retinue.store.published.snapshots import Published
from retinue.workspace import Workspace, open_workspace


def declare(folder: Path) -> None:
    """The project: everything it says is published already, and its sources are not there."""
    columns = ("name", "owner", "territory", "segment", "tier", "arr", "renews_on")
    (folder / "scorecards").mkdir(parents=True, exist_ok=True)
    settings = {
        "project": "large",
        "accounts": {"table": "accounts.csv", "key": "account", "columns": {name: name for name in columns}},
        "facts": {
            "events": {"table": "events.csv", "account": "account", "occurred_at": "at", "user": "user"},
            "tickets": {"table": "tickets.csv", "account": "account", "occurred_at": "at"},
            "surveys": {"table": "surveys.csv", "account": "account", "occurred_at": "at",
                        "columns": {"score": "score"}},
        },
    }  # fmt: skip
    metrics: dict[str, Any] = {}
    for n, (_, metric) in enumerate(PLACES):
        source = "tickets" if metric.startswith("tickets") else "events"
        metrics[metric] = {"count": source, "window": f"{7 * (n + 1)}d", "direction": "higher_is_better"}
    metrics["nps"] = {"latest": "surveys.score", "direction": "higher_is_better"}
    card = {
        "scorecard": "main",
        "components": {
            component: {
                "weight": weight,
                "measures": {
                    m: {"weight": w, "curve": "cohort" if m in COHORTS else [[0, 0], [200, 100]]}
                    for m, w in measures.items()
                },
            }
            for component, (weight, measures) in CARD.items()
        },
        "bands": {"at_risk": 0, "watch": 55, "healthy": 70},
    }
    texts = {"retinue.yaml": settings, "metrics.yaml": {"metrics": metrics}, "scorecards/main.yaml": card}
    for name, told in texts.items():
        (folder / name).write_text(yaml.safe_dump(told, sort_keys=False), "utf-8")


def build(folder: Path, accounts: int, weeks: int, seed: int = 1, detailed: int = 13) -> Workspace:
    """The project in `folder`, which is empty, with its run published."""
    declare(folder)
    workspace = open_workspace(folder, {})
    company = Company(accounts, weeks, seed, detailed)
    writer = RunWriter(workspace.project.home, "20260601T000000-first")
    _write(workspace, company, writer, company.dates, None, at=0)
    return workspace


def build_next(workspace: Workspace, company: Company, name: str) -> None:
    """One more run over the same accounts: the last date again, with points a week older."""
    previous = workspace.manifest()
    writer = RunWriter(workspace.project.home, name)
    _write(workspace, company, writer, company.dates[-1:], previous, at=company.weeks - 1)


def _write(
    workspace: Workspace,
    company: Company,
    writer: RunWriter,
    dates: Sequence[date],
    previous: Manifest | None,
    at: int,
) -> None:
    formula = workspace.project.formulas[0]
    months: dict[str, list[date]] = {}
    for day in dates:
        months.setdefault(f"{day:%Y-%m}", []).append(day)
    history = History(company, formula)
    for month, days in months.items():
        weeks = [history.week(at + n) for n in range(len(days))]
        at += len(days)
        for table in ("snapshots", "components", "measures", "metrics", "accounts", "bridges", "transitions"):
            schema = TABLES[table].schema()
            if table == "accounts":
                schema = pa.schema([*schema, *ATTRIBUTES])
            rows = pa.RecordBatchReader.from_batches(schema, batches(table, schema, company, weeks))
            writer.write(table, rows, month)
    for table, made in (("curves", curves(company, formula)), ("timeline", timeline(company))):
        writer.write(table, made)
    for table in ("observed", "rejected"):
        writer.write(table, TABLES[table].schema().empty_table())
    now = datetime.combine(LAST + timedelta(days=1), time(), UTC)
    manifest = writer.finish(
        Manifest(
            run_id=writer.run_id,
            started_at=now,
            finished_at=now,
            dates=tuple(dates),
            parts=merge_parts(previous.parts if previous else (), writer.parts(dates)),
            whole=writer.whole(),
            formulas={formula.fingerprint: formula.to_dict()},
            texts=workspace.project.texts,
            previous=previous.run_id if previous else None,
        )
    )
    rows, moved = current(history), changes(history)
    made = Published(workspace.project.home, manifest)
    prepare_ahead(made)
    publish(workspace.store, manifest, rows, moved, now)
    tidy(made)
