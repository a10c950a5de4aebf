"""A small company whose metrics are SQL, and ways to ask for their values."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from retinue.project.metrics import MetricBase
from retinue.project.project import ONE_METRIC, Project, Settings
from retinue.warehouse import engine, spine
from retinue.warehouse.facts import sources as facts
from retinue.warehouse.metrics import given, sandbox
from retinue.warehouse.metrics import kinds as metrics

SUNDAYS = tuple(date(2024, 1, 7) + timedelta(days=7 * n) for n in range(8))

ACCOUNTS = "account_id,started_on,ended_on\na,2024-01-01,\nb,2024-01-10,2024-02-10\nc,2024-02-01,\n"

EVENTS = """account_id,on,loaded,kind,amount,closed_on,grade,graded_on
a,2024-01-02,2024-01-02,login,1.5,2024-01-20,4,2024-01-30
a,2024-01-05,2024-01-25,edit,2,,5,2024-01-06
a,2024-01-05,2024-01-05,edit,3.25,2024-02-20,,
b,2024-01-12,2024-01-13,login,10,2024-01-14,1,2024-02-01
b,2024-02-09,2024-02-09,login,20,,2,
b,2024-02-20,2024-02-20,login,40,,3,2024-02-21
c,2024-02-03,2024-02-03,edit,7,2024-03-01,5,2024-02-04
c,2024-02-28,2024-02-28,login,9,,5,2024-02-28
"""


#: Reads every column that the tests read.
EVERYTHING = """
select account_id, as_of, count(e.kind) + count(e.mark) + count(e.closed_on) + sum(e.value)
    + count(v.kind) as value
from events e join visits v using (account_id, as_of) group by 1, 2
"""


@dataclass
class Company:
    """Accounts a (whole time), b (until 10 February, as known then) and c (from 1 February)."""

    root: Path
    events: str = EVENTS
    settings: dict[str, Any] = field(default_factory=dict)

    def project(self, text: str, **others: dict[str, Any]) -> Project:
        """A project with `text` as the metric `custom`."""
        (self.root / "accounts.csv").write_text(ACCOUNTS)
        (self.root / "events.csv").write_text(self.events)
        told = {
            "project": "test",
            "accounts": {
                "table": "accounts.csv",
                "key": "account_id",
                "columns": {"started_on": "started_on", "ended_on": "ended_on"},
            },
            "facts": {
                "events": {
                    "table": "events.csv",
                    "account": "account_id",
                    "occurred_at": "on",
                    "known_at": "loaded",
                    "ends_at": "closed_on",
                    "value": "amount",
                    "columns": {"mark": {"column": "grade", "known_at": "graded_on"}},
                },
                "visits": {"table": "events.csv", "account": "account_id", "occurred_at": "on"},
            },
            "memory_limit": "1GB",
            **self.settings,
        }
        declared: dict[str, MetricBase] = {
            name: ONE_METRIC.validate_python(metric)
            for name, metric in {"custom": {"sql": "sql/custom.sql"}, **others}.items()
        }
        return Project(self.root, Settings.model_validate(told), declared, (), {"sql/custom.sql": text})

    def values(
        self, text: str, dates: tuple[date, ...] = SUNDAYS, **others: dict[str, Any]
    ) -> dict[tuple[str, date], float]:
        """Values of the SQL by account and date."""
        with self.open(text, dates, **others) as ready:
            return ready.values(text)

    @contextmanager
    def open(self, text: str, dates: tuple[date, ...] = SUNDAYS, **others: dict[str, Any]) -> Iterator[Ready]:
        """The company with its facts loaded, for SQL that reads no other columns than `text`."""
        project = self.project(text, **others)
        with engine.connect(project, threads=1) as used:
            needed = metrics.wanted(project.metrics, project.sources)
            loaded = facts.load(used, project, given.wanted(needed, project.metrics, project))
            yield Ready(self, used, loaded, spine.build(used, loaded.accounts, list(dates)))


@dataclass
class Ready:
    company: Company
    used: engine.Engine
    loaded: facts.Facts
    grid: spine.Spine

    def values(self, text: str) -> dict[tuple[str, date], float]:
        """Values of the SQL by account and date."""
        project = self.company.project(text)
        custom = project.metrics["custom"]
        table = sandbox.metric(self.used, project, self.grid, self.loaded, custom)
        named = table.join(self.loaded.accounts.select("ix", "account_id"), "ix").join(
            self.grid.rows.select("ix", "pos", "as_of"), ["ix", "pos"]
        )
        rows = self.used.arrow(named.select("account_id", "as_of", "value")).to_pylist()
        found = {(row["account_id"], row["as_of"]): row["value"] for row in rows}
        assert len(found) == len(rows)
        return found
