"""A simulated quarter: what a company's runs would publish, date by date, with all that alerts look at.

Scores walk at random, with planted drops, coverage losses, renewals, rows of sources, accounts that come
and go, another formula, dates that are told anew, a feed that stops and a dip of everybody. It is drawn
with numpy and written as a run writes it (Parquet, manifest, store), without computing scores. The same
seed draws the same.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa

from retinue.store.people.access import OPERATOR
from retinue.store.people.people import add_person
from retinue.store.published.contract import TABLES
from retinue.store.published.current import current_run
from retinue.store.published.manifest import Manifest, merge_parts, read_manifest
from retinue.store.published.publish import publish
from retinue.store.published.runs import RunWriter
from retinue.workspace import Workspace, open_workspace
from tests.alerts.declared import project_files

BERLIN = ZoneInfo("Europe/Berlin")
FIRST = date(2026, 2, 2)
SEGMENTS = ("small", "mid", "enterprise")
TERRITORIES = ("north", "south", "west")
TABLES_OF_DATES = ("snapshots", "components", "accounts", "anomalies", "portfolio_usage", "bridges")
BANDS = ("at_risk", "watch", "healthy")
#: Leaders of territories, and a team that tasks are given to in turn.
PEOPLE = (
    ("lea@acme.example", "leader", ("north",), None),
    ("leo@acme.example", "leader", (), None),
    ("sam@acme.example", "csm", (), "save"),
    ("sue@acme.example", "csm", (), "save"),
    ("sol@acme.example", "csm", (), "save"),
)
_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class Account:
    """What an account is; it is in the runs of dates from `first` on, before `gone`."""

    id: str
    name: str
    owner: str | None
    territory: str
    segment: str
    arr: float | None
    started: date
    gone: date | None


@dataclass(frozen=True, slots=True)
class Seen:
    """An account on a date, as it is published. None: there is none."""

    computed: float | None
    band: str | None
    coverage: float
    fingerprint: str
    adoption: float | None
    stage: str
    seats: float
    renews_on: date | None
    tenure: float
    low: bool
    falling: bool
    held: bool


@dataclass(frozen=True, slots=True)
class Fact:
    """A row of a source: of a day, known later perhaps, with a value of its own."""

    source: str
    account: str
    day: date
    known: date
    value: str


@dataclass(frozen=True, slots=True)
class Said:
    """What somebody does on the day after a date: note, mute (of an account, a rule, or both) or unmute."""

    kind: str
    account: str | None
    rule: str | None = None
    until: date | None = None


@dataclass
class Quarter:
    """See the module. `dates` are those of runs; `grid` has one row per date and one column per account."""

    seed: int
    dates: list[date]
    accounts: list[Account]
    there: Any
    grid: dict[str, Any]
    again: dict[str, Any]
    restated: dict[int, range]
    renews: list[list[date | None]]
    facts: list[Fact]
    said: dict[int, list[Said]]
    down: frozenset[int]
    _known: dict[tuple[int, int], dict[str, Seen]] = field(default_factory=dict)

    def at(self, place: int, hour: int = 6) -> datetime:
        """When the date at `place` is looked at: in the morning after it, where the company is."""
        morning = datetime.combine(self.dates[place] + timedelta(days=1), time(hour, 30), BERLIN)
        return morning.astimezone(UTC)

    def told_by(self, run: int) -> range:
        """The places of the dates that the run of a date writes: its own, and those told anew."""
        return range(self.restated.get(run, range(run, run)).start, run + 1)

    def value(self, name: str, place: int, run: int) -> Any:
        """The values of a date after a run; a run that tells dates anew has others for them."""
        anew = any(by <= run and place in places for by, places in self.restated.items())
        return self.again[name][place] if anew and name in self.again else self.grid[name][place]

    def seen(self, place: int, run: int) -> dict[str, Seen]:
        """What is published of the date at `place` after the run of the date at `run`."""
        anew = max((by for by, places in self.restated.items() if by <= run and place in places), default=-1)
        if (place, anew) not in self._known:
            self._known[place, anew] = self._seen(place, run)
        return self._known[place, anew]

    def _seen(self, place: int, run: int) -> dict[str, Seen]:
        day = self.dates[place]
        told = {name: self.value(name, place, run).tolist() for name in self.grid}
        found = {}
        for n, one in enumerate(self.accounts):
            if not self.there[place, n]:
                continue
            score = told["computed"][n]
            known = not math.isnan(score)
            found[one.id] = Seen(
                computed=score if known else None,
                band=BANDS[told["band"][n]] if known else None,
                coverage=told["coverage"][n],
                fingerprint=f"formula-{told['formula'][n]}",
                adoption=told["adoption"][n] if known else None,
                stage="onboarding" if (day - one.started).days < 30 else "mature",
                seats=told["seats"][n],
                renews_on=self.renews[place][n],
                tenure=float((day - one.started).days),
                low=told["low"][n],
                falling=told["falling"][n],
                held=told["held"][n],
            )
        return found

    # --- written as runs write it ---

    def write(self, folder: Path, **changes: str) -> None:
        """The project's files and its sources; `changes` are those of `project_files`."""
        (folder / "data").mkdir(parents=True)
        for name, text in project_files(**changes).items():
            (folder / name).write_text(text, encoding="utf-8")
        lines = ["account_id,name,owner,territory,segment,arr,seats,started,renews"]
        for one in self.accounts:
            told = (one.id, one.name, one.owner, one.territory, one.segment, one.arr, 10, one.started, None)
            lines.append(",".join("" if value is None else str(value) for value in told))
        (folder / "data" / "accounts.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
        for source, column in (("notices", "kind"), ("touches", "kind"), ("tickets", "category")):
            rows = [f for f in self.facts if f.source == source]
            text = [f"account_id,day,loaded,{column}"]
            text += [f"{f.account},{f.day},{f.known},{f.value}" for f in rows]
            (folder / "data" / f"{source}.csv").write_text("\n".join(text) + "\n", encoding="utf-8")

    def open(self, folder: Path, url: str | None = None, **changes: str) -> Workspace:
        """The company before its first run, with people in its store; `url` is a store elsewhere."""
        self.write(folder, store=url or "", **changes)
        workspace = open_workspace(folder, {})
        for email, role, territories, team in PEOPLE:
            told: dict[str, Any] = {"sees": "everything", "territories": territories, "team": team}
            add_person(workspace.store, OPERATOR, email, email, role, now=self.at(0), **told)  # type: ignore[arg-type]
        return workspace

    def publish(self, workspace: Workspace, place: int) -> None:
        """The run of one date."""
        self.publish_dates(workspace, self.told_by(place), place)

    def publish_dates(self, workspace: Workspace, places: Sequence[int], run: int) -> None:
        """One run over dates, as they are known to the run of the date at `run`."""
        store, home = workspace.store, workspace.project.home
        before = current_run(store)
        now = self.at(run, hour=5)
        writer = RunWriter(home, f"run-{self.dates[run]:%Y%m%d}")
        days = [self.dates[place] for place in places]
        for month in sorted({f"{day:%Y-%m}" for day in days}):
            mine = [place for place in places if f"{self.dates[place]:%Y-%m}" == month]
            for table in TABLES_OF_DATES:
                rows = [getattr(self, f"_{table}")(place, run) for place in mine]
                writer.write(table, pa.concat_tables(rows), month)
        manifest = writer.finish(
            Manifest(
                run_id=writer.run_id,
                started_at=now,
                finished_at=now,
                dates=tuple(days),
                parts=merge_parts(
                    () if before is None else read_manifest(home, before.run_id).parts, writer.parts(days)
                ),
                whole=writer.whole(),
                previous=before.run_id if before else None,
            )
        )
        publish(store, manifest, self._current(run), self._changes(run), now)

    def _table(self, table: str, place: int, /, **told: Any) -> pa.Table:
        there = np.flatnonzero(self.there[place])
        schema = TABLES[table].schema()
        given: dict[str, Any] = {
            "account_id": [self.accounts[n].id for n in there],
            "as_of": np.full(len(there), (self.dates[place] - _EPOCH).days, np.int32),
        }
        for column, values in told.items():
            given[column] = (
                [values] * len(there) if isinstance(values, str | bool | float) else _at(values, there)
            )
        fields = [
            *schema,
            *(pa.field(c, pa.array(v).type) for c, v in given.items() if c not in schema.names),
        ]
        size = len(there)
        columns = {
            f.name: pa.array(given.get(f.name, [None] * size), f.type, from_pandas=True) for f in fields
        }
        return pa.table(columns)

    def _snapshots(self, place: int, run: int) -> pa.Table:
        score, band = self.value("computed", place, run), self._bands(place, run)
        return self._table(
            "snapshots",
            place,
            scorecard="standard",
            fingerprint=[f"formula-{n}" for n in self.value("formula", place, run)],
            status=["scored" if known else "not_scored" for known in ~np.isnan(score)],
            **dict.fromkeys(("base", "computed", "published", "effective"), score),
            **dict.fromkeys(("published_band", "band"), band),
            coverage=self.value("coverage", place, run),
            held=self.value("held", place, run),
        )

    def _components(self, place: int, run: int) -> pa.Table:
        points = self.value("adoption", place, run)
        missing = np.isnan(self.value("computed", place, run))
        return self._table(
            "components",
            place,
            component="adoption",
            points=np.where(missing, np.nan, points),
            weight=1.0,
            contribution=np.where(missing, np.nan, points),
        )

    def bridged(self, place: int, run: int) -> dict[str, float]:
        """By how many points another formula moved each account on this date."""
        if not place or (self.value("formula", place, run) == self.value("formula", place - 1, run)).all():
            return {}
        moved, score = self.value("moved", place, run), self.value("computed", place, run)
        there = self.there[place] & ~np.isnan(score) & (self.value("formula", place, run) == 2)
        return {self.accounts[n].id: float(moved[n]) for n in np.flatnonzero(there)}

    def _bridges(self, place: int, run: int) -> pa.Table:
        moved = self.bridged(place, run)
        score = dict(
            zip((one.id for one in self.accounts), self.value("computed", place, run).tolist(), strict=True)
        )
        told = {
            "account_id": list(moved),
            "as_of": [self.dates[place]] * len(moved),
            "old_fingerprint": ["formula-1"] * len(moved),
            "old_computed": [score[account] - points for account, points in moved.items()],
            "new_computed": [score[account] for account in moved],
        }
        schema = TABLES["bridges"].schema()
        return pa.table({f.name: pa.array(told.get(f.name, [None] * len(moved)), f.type) for f in schema})

    def _accounts(self, place: int, run: int) -> pa.Table:
        people, day = self.accounts, self.dates[place]
        tenure = np.array([(day - one.started).days for one in people], float)
        return self._table(
            "accounts",
            place,
            stage=["onboarding" if days < 30 else "mature" for days in tenure],
            tenure_days=tenure,
            observed=True,
            assumed=False,
            **{
                name: [getattr(one, name) for one in people]
                for name in ("name", "owner", "territory", "segment", "arr")
            },
            renews_on=self.renews[place],
            seats=self.value("seats", place, run),
        )

    def _anomalies(self, place: int, run: int) -> pa.Table:
        low, falling = self.value("low", place, run), self.value("falling", place, run)
        start = self.dates[place] - timedelta(days=30)
        return self._table(
            "anomalies",
            place,
            observed=np.where(low, 2.0, 20.0),
            expected=20.0,
            q=np.where(low, 0.01, 0.9),
            direction="fall",
            state="ok",
            falling_since=[start if slow else None for slow in falling],
            peers="portfolio",
        )

    def _portfolio_usage(self, place: int, run: int) -> pa.Table:
        stopped = bool(self.value("held", place, run).any())
        told = {
            "as_of": self.dates[place],
            "peers": "portfolio",
            "accounts": int(self.there[place].sum()),
            "state": "feed_stopped" if stopped else "ok",
            "falls": 0,
            "rises": 0,
            "declines": 0,
        }
        schema = TABLES["portfolio_usage"].schema()
        return pa.table({f.name: pa.array([told.get(f.name)], f.type) for f in schema})

    def _bands(self, place: int, run: int) -> list[str | None]:
        score = self.value("computed", place, run)
        codes = self.value("band", place, run).tolist()
        return [BANDS[code] if known else None for code, known in zip(codes, ~np.isnan(score), strict=True)]

    def _current(self, run: int) -> pa.Table:
        there = np.flatnonzero(self.there[run])
        people = [self.accounts[n] for n in there]
        score, band = _at(self.value("computed", run, run), there), _at(self._bands(run, run), there)
        why = [{"component": "adoption", "metric": None, "kind": "value", "points": -6.5}]
        told: dict[str, Any] = {
            name: [getattr(one, name) for one in people]
            for name in ("name", "owner", "territory", "segment", "arr")
        }
        return pa.table(
            {
                "account_id": [one.id for one in people],
                **told,
                "renews_on": pa.array(_at(self.renews[run], there), pa.date32()),
                "as_of": [self.dates[run]] * len(there),
                "status": ["scored"] * len(there),
                "computed": pa.array(score, from_pandas=True),
                "effective": pa.array(score, from_pandas=True),
                "band": pa.array(band, pa.string()),
                "attention": [0.0] * len(there),
                "explanation": [json.dumps({"drivers_28": why})] * len(there),
            }
        )

    def _changes(self, run: int) -> pa.Table:
        """Bands that are others than on the date before; of dates told anew only the run's own."""
        now = self._bands(run, run)
        was = self._bands(run - 1, run) if run else now
        both = self.there[run] & self.there[run - 1] if run else self.there[run]
        moved = [n for n in np.flatnonzero(both) if now[n] != was[n]]
        formula = self.value("formula", run, run) != self.value("formula", max(run - 1, 0), run)
        return pa.table(
            {
                "account_id": pa.array([self.accounts[n].id for n in moved], pa.string()),
                "as_of": pa.array([self.dates[run]] * len(moved), pa.date32()),
                "kind": pa.array(["recalibrated" if formula[n] else "data" for n in moved], pa.string()),
                "from_band": pa.array([was[n] for n in moved], pa.string()),
                "to_band": pa.array([now[n] for n in moved], pa.string()),
            }
        )


def _at(values: Any, places: Any) -> Any:
    return values[places] if isinstance(values, np.ndarray) else [values[n] for n in places]


def draw(accounts: int = 2000, days: int = 90, seed: int = 1, every: int = 1) -> Quarter:
    """A quarter of so many accounts and days, with a run on every so many of them."""
    from tests.alerts.drawing import drawn

    return drawn(accounts, days, seed, every)
