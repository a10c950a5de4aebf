"""A company in memory that becomes a project on disk: what the tests of the engine compute with."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from retinue.project.project import ONE_METRIC, Project, Settings
from retinue.project.scorecards import Scorecard
from retinue.warehouse import compute, tables
from retinue.warehouse.engine import connect
from retinue.warehouse.metrics.kinds import STATES

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Row:
    """One fact as the oracle sees it: days only, and the wall clock to break ties.

    `ends_known` is when its end was told of; `clocks` when a column became known.
    """

    account: str
    occurred: datetime
    known: date | None = None
    ends: date | None = None
    ends_known: date | None = None
    columns: Mapping[str, Any] = field(default_factory=dict)
    clocks: Mapping[str, date | None] = field(default_factory=dict)

    @property
    def day(self) -> date:
        return self.occurred.date()

    @property
    def visible(self) -> date:
        return max(self.day, self.known) if self.known else self.day


@dataclass(frozen=True)
class Source:
    """Rows of one source. `types` has each column's type; `clocked` those with their own clock."""

    rows: tuple[Row, ...]
    types: Mapping[str, pa.DataType]
    known: bool = False
    ends: bool = False
    ends_known: bool = False
    clocked: tuple[str, ...] = ()

    def write(self, path: Path) -> dict[str, Any]:
        told: dict[str, Any] = {
            "table": path.name,
            "account": "account",
            "occurred_at": "occurred",
            "columns": {
                name: {"column": name, "known_at": f"{name}_known"} if name in self.clocked else name
                for name in self.types
            },
        }
        columns = {
            "account": pa.array([row.account for row in self.rows], pa.string()),
            "occurred": pa.array([row.occurred for row in self.rows], pa.timestamp("us")),
        }
        for wanted, name, key in (
            (self.known, "known", "known_at"),
            (self.ends, "ends", "ends_at"),
            (self.ends_known, "ends_known", "ends_known_at"),
        ):
            if wanted:
                columns[name] = pa.array([getattr(row, name) for row in self.rows], pa.date32())
                told[key] = name
        for name, kind in self.types.items():
            columns[name] = pa.array([row.columns.get(name) for row in self.rows], kind)
        for name in self.clocked:
            columns[f"{name}_known"] = pa.array([row.clocks.get(name) for row in self.rows], pa.date32())
        pq.write_table(pa.table(columns), path)
        return told


@dataclass(frozen=True)
class Account:
    key: str
    started_on: date | None = None
    ended_on: date | None = None
    end_known: date | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)

    def alive(self, day: date) -> bool:
        if self.started_on is not None and day < self.started_on:
            return False
        if self.ended_on is None or day <= self.ended_on:
            return True
        return day < (self.end_known or self.ended_on)


@dataclass(frozen=True)
class World:
    """`attributes` has their types; `histories` (attribute -> account, day, known, value)."""

    accounts: tuple[Account, ...]
    sources: Mapping[str, Source] = field(default_factory=dict)
    metrics: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    scorecards: tuple[Mapping[str, Any], ...] = ()
    attributes: Mapping[str, pa.DataType] = field(default_factory=dict)
    histories: Mapping[str, tuple[tuple[str, date, date, Any], ...]] = field(default_factory=dict)
    fixed: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    pulses: tuple[tuple[str, str, float, date, date | None], ...] = ()
    clocked_end: bool = False

    def project(self, folder: Path) -> Project:
        folder.mkdir(parents=True, exist_ok=True)
        facts = {name: source.write(folder / f"{name}.parquet") for name, source in self.sources.items()}
        told = {
            "project": "test",
            "accounts": self._accounts(folder),
            "facts": facts,
            **self.settings,
        }
        return Project(
            root=folder,
            settings=Settings.model_validate(told),
            metrics={name: ONE_METRIC.validate_python(dict(m)) for name, m in self.metrics.items()},
            scorecards=tuple(Scorecard.model_validate(dict(card)) for card in self.scorecards),
        )

    def _accounts(self, folder: Path) -> dict[str, Any]:
        columns: dict[str, pa.Array] = {"key": pa.array([a.key for a in self.accounts], pa.string())}
        for name in ("started_on", "ended_on", "end_known"):
            columns[name] = pa.array([getattr(a, name) for a in self.accounts], pa.date32())
        for name, kind in self.attributes.items():
            columns[name] = pa.array([a.attributes.get(name) for a in self.accounts], kind)
        pq.write_table(pa.table(columns), folder / "accounts.parquet")
        ended = {"column": "ended_on", "known_at": "end_known"} if self.clocked_end else "ended_on"
        mapped = {"started_on": "started_on", "ended_on": ended, **{n: n for n in self.attributes}}
        history: dict[str, Any] = dict.fromkeys(self.fixed, "fixed")
        for name, rows in self.histories.items():
            table = {
                "key": pa.array([row[0] for row in rows], pa.string()),
                "valid_from": pa.array([row[1] for row in rows], pa.date32()),
                "known": pa.array([row[2] for row in rows], pa.date32()),
                name: pa.array([row[3] for row in rows], self.attributes[name]),
            }
            pq.write_table(pa.table(table), folder / f"history_{name}.parquet")
            history[name] = {
                "table": f"history_{name}.parquet",
                "valid_from": "valid_from",
                "known_at": "known",
            }
        return {"table": "accounts.parquet", "key": "key", "columns": mapped, "history": history}

    def said(self) -> pa.Table | None:
        if not self.pulses:
            return None
        return pa.table(
            {
                "account_id": pa.array([p[0] for p in self.pulses], pa.string()),
                "pulse": pa.array([p[1] for p in self.pulses], pa.string()),
                "value": pa.array([p[2] for p in self.pulses], pa.float64()),
                "day": pa.array([p[3] for p in self.pulses], pa.date32()),
                "said_at": pa.array(
                    [datetime.combine(p[3], time(12)) for p in self.pulses], pa.timestamp("us")
                ),
                "expires_on": pa.array([p[4] for p in self.pulses], pa.date32()),
            }
        )

    def known_by(self, day: date) -> World:
        """The same company as its tables stood at the end of `day`."""

        def then(row: Row) -> Row:
            hidden = {name for name, told in row.clocks.items() if told is not None and told > day}
            told = max(filter(None, (row.ends, row.ends_known)), default=day)
            ended = told <= day
            return replace(
                row,
                ends=row.ends if ended else None,
                ends_known=row.ends_known if ended else None,
                columns={n: None if n in hidden else v for n, v in row.columns.items()},
                clocks={n: None if n in hidden else v for n, v in row.clocks.items()},
            )

        def so_far(account: Account) -> Account:
            end = max(filter(None, (account.ended_on, account.end_known)), default=None)
            return account if end is None or end <= day else replace(account, ended_on=None, end_known=None)

        return replace(
            self,
            accounts=tuple(so_far(a) for a in self.accounts),
            sources={
                name: replace(source, rows=tuple(then(r) for r in source.rows if r.visible <= day))
                for name, source in self.sources.items()
            },
            histories={
                name: tuple(row for row in rows if max(row[1], row[2]) <= day)
                for name, rows in self.histories.items()
            },
            pulses=tuple(p for p in self.pulses if p[3] <= day),
        )

    def shuffled(self, seed: int) -> World:
        chance = random.Random(seed)

        def mixed(rows: Sequence[Any]) -> tuple[Any, ...]:
            return tuple(chance.sample(list(rows), len(rows)))

        return replace(
            self,
            accounts=mixed(self.accounts),
            sources={n: replace(s, rows=mixed(s.rows)) for n, s in self.sources.items()},
            histories={n: mixed(rows) for n, rows in self.histories.items()},
        )

    def compute(self, folder: Path, dates: Sequence[date], threads: int = 2, **asked: Any) -> Result:
        project = self.project(folder)
        asked.setdefault("pulses", self.said())
        with connect(project, threads=threads) as engine:
            done = compute.compute(engine, project, compute.Asked(tuple(dates), **asked))
            return Result.of(engine, done)


Cell = tuple[float | None, str]


@dataclass(frozen=True)
class Result:
    """What came out, by account id and date; tables are keyed the same way and sorted."""

    metrics: dict[tuple[str, date, str], Cell]
    rows: dict[tuple[str, date], dict[str, Any]]
    scores: dict[tuple[str, date], dict[str, Any]]
    measures: dict[tuple[str, date, str, str], dict[str, Any]]
    bridges: dict[tuple[str, date], dict[str, Any]]
    curves: pa.Table
    fingerprints: tuple[str, ...]

    @classmethod
    def of(cls, engine: Any, done: compute.Computed) -> Result:
        accounts = engine.arrow(done.facts.accounts.select("ix", "account_id")).to_pydict()
        key = dict(zip(accounts["ix"], accounts["account_id"], strict=True))
        dates = done.spine.dates
        asked = set(done.positions)

        values = engine.arrow(done.values.table).to_pydict()
        metrics: dict[tuple[str, date, str], Cell] = {}
        at = [n for n, pos in enumerate(values["pos"]) if pos in asked]
        for name, number in done.values.number.items():
            told, states = values[f"v{number}"], values[f"s{number}"]
            for n in at:
                cell = (told[n], STATES[states[n]])
                metrics[(key[values["ix"][n]], dates[values["pos"][n]], name)] = cell

        def table(expression: Any) -> list[dict[str, Any]]:
            rows = engine.arrow(expression).to_pylist()
            return [{**row, "account": key[row["ix"]], "day": dates[row["pos"]]} for row in rows]

        rows = {(r["account"], r["day"]): r for r in table(done.rows)}
        for row in table(done.around):
            if (row["account"], row["day"]) in rows:
                rows[(row["account"], row["day"])].update(row)
        scores = {(r["account"], r["day"]): r for r in table(done.scored.scores)}
        measures = {}
        for name, pieces in tables.monthly(engine, done):
            for row in (row for piece in pieces for row in piece.to_pylist()) if name == "measures" else ():
                where = (row.pop("account_id"), row.pop("as_of"), row.pop("component"), row.pop("metric"))
                assert where not in measures, f"a measure is there twice: {where}"
                measures[where] = row
        bridges = {}
        if done.bridged is not None:
            bridges = {(r["account"], r["day"]): r for r in table(done.bridged.links)}
            if done.bridged.scored is not None:
                for row in table(done.bridged.scored.scores):
                    bridges[(row["account"], row["day"])]["old"] = row
        fingerprints = tuple(f.fingerprint for f in done.formulas)
        return cls(metrics, rows, scores, measures, bridges, done.curves, fingerprints)

    def until(self, day: date) -> tuple[dict[Any, Any], ...]:
        """Everything that is said of dates up to `day`, free of inner numbers."""
        return tuple(
            {k: _plain(v) for k, v in table.items() if k[1] <= day}
            for table in (self.metrics, self.scores, self.measures, self.rows)
        )

    def everything(self) -> tuple[dict[Any, Any], ...]:
        return self.until(date.max)


_INNER = {"ix", "pos", "curve", "parent"}


def _plain(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {k: v for k, v in value.items() if k not in _INNER and not _numbered(k)}


def _numbered(name: str) -> bool:
    """Columns of metrics: they are compared under their names."""
    return name[:1] in "vsd" and name[1:].isdigit()
