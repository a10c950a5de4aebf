"""A published company that does not exist: many accounts, two years of weekly snapshots, no sources.

Written straight through the writer of runs and `publish`, because what is measured is reading. The same
seed gives the same company. Twelve measures in five components; two of them have cohort curves, so that
a quarter starts with a bridge. A twentieth of the accounts has left before the last date, a fifth came
after the first. Measures, components, metrics and attributes of accounts are written for the last
`detailed` dates only: snapshots have all dates.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import yaml

from retinue.project.project import Formula
from retinue.store.published.contract import TABLES
from retinue.store.published.manifest import Manifest, merge_parts
from retinue.store.published.publish import publish
from retinue.store.published.reading import prepare_ahead, tidy
from retinue.store.published.runs import RunWriter
from retinue.store.published.snapshots import Published
from retinue.workspace import Workspace, open_workspace

LAST = date(2026, 5, 31)
#: Accounts that are written at a time.
BLOCK = 10_000
#: component -> its weight, and its measures with theirs
CARD: dict[str, tuple[float, dict[str, float]]] = {
    "adoption": (3, {"users_7d": 2, "users_28d": 1, "active_days_28d": 2}),
    "usage": (3, {"events_28d": 2, "edits_28d": 1, "exports_28d": 1, "events_change": 1}),
    "support": (2, {"tickets_open": 1, "tickets_28d": 1}),
    "voice": (1, {"nps": 1}),
    "money": (1, {"amount_28d": 1, "days_since_event": 1}),
}
COHORTS = ("users_28d", "events_28d")
PLACES = [(component, metric) for component, (_, measures) in CARD.items() for metric in measures]
NAMES = list(CARD)
SEGMENTS = ["enterprise", "mid-market", "small", "self-serve"]
TERRITORIES = ["AMER East", "AMER West", "APAC", "Benelux", "DACH", "France", "Nordics", "UK & Ireland"]
STAGES = ["onboarding", "adopting", "established", "renewing"]
OWNERS = [f"{first} {last}" for first in ("Ada", "Ben", "Chloe", "Dev", "Eva", "Finn", "Gül", "Hugo")
          for last in ("Ames", "Bauer", "Costa", "Dahl", "Ekman")]  # fmt: skip
_SOUNDS = ["al", "ber", "cor", "den", "el", "far", "gor", "hal", "in", "jo", "kel", "lum", "mar", "nor",
           "or", "pal", "quin", "ros", "sol", "tam", "ur", "vel", "wes", "xan", "yor", "zen"]  # fmt: skip
_KINDS = ["Labs", "Systems", "Foods", "Group", "Health", "Works", "Media", "Energy", "Bank", "Retail"]

Array = np.ndarray[Any, Any]


@dataclass
class Company:
    """What is drawn once; the points of the measures move from date to date."""

    accounts: int
    weeks: int
    seed: int = 1
    detailed: int = 13
    rng: np.random.Generator = field(init=False)

    def __post_init__(self) -> None:
        self.rng = rng = np.random.default_rng(self.seed)
        n = self.total = self.accounts + self.accounts // 20
        self.dates = [LAST - timedelta(weeks=back) for back in reversed(range(self.weeks))]
        self.ids = np.array([f"A-{i:07d}" for i in range(n)])
        born = np.where(rng.random(n) < 0.2, rng.integers(1, max(self.weeks - 4, 2), n), 0)
        gone = np.full(n, self.weeks)
        leavers = rng.choice(n, n - self.accounts, replace=False)
        gone[leavers] = rng.integers(1, self.weeks, len(leavers))
        born[leavers] = 0
        self.born, self.gone = born, gone
        a, b, c = (rng.choice(_SOUNDS, n) for _ in range(3))
        self.names = [
            f"{(x + y + z).capitalize()} {k}"
            for x, y, z, k in zip(a, b, c, rng.choice(_KINDS, n), strict=True)
        ]
        self.owner = rng.choice(OWNERS, n)
        self.territory = rng.choice(TERRITORIES, n)
        self.segment = rng.choice(SEGMENTS, n, p=[0.1, 0.2, 0.4, 0.3])
        self.stage = rng.choice(STAGES, n)
        self.arr = np.round(np.exp(rng.normal(9.5, 1.2, n)), 2)
        self.renews = rng.integers(-30, 365, n)
        self.quality = rng.normal(70, 14, n)
        shares = [w / sum(x for x, _ in CARD.values()) * m / sum(ms.values())
                  for w, ms in CARD.values() for m in ms.values()]  # fmt: skip
        self.shares = np.array(shares)
        self.missing = rng.random((n, len(PLACES))) < 0.04

    @cached_property
    def points(self) -> Array:
        return np.clip(self.quality[:, None] + self.rng.normal(0, 12, (self.total, len(PLACES))), 0, 100)

    def step(self) -> Array:
        """The points of every measure a week later."""
        pull = 0.04 * (self.quality[:, None] - self.points)
        self.points += pull + self.rng.normal(0, 3.5, self.points.shape)
        np.clip(self.points, 0, 100, out=self.points)
        return np.asarray(np.where(self.missing, np.nan, np.round(self.points, 2)))


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
    history = _History(company, formula)
    for month, days in months.items():
        weeks = [history.week(at + n) for n in range(len(days))]
        at += len(days)
        for table in ("snapshots", "components", "measures", "metrics", "accounts", "bridges", "transitions"):
            schema = TABLES[table].schema()
            if table == "accounts":
                schema = pa.schema([*schema, *_ATTRIBUTES])
            rows = pa.RecordBatchReader.from_batches(schema, _batches(table, schema, company, weeks))
            writer.write(table, rows, month)
    for table, made in (("curves", _curves(company, formula)), ("timeline", _timeline(company))):
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
    rows, changes = history.current(), history.changes()
    made = Published(workspace.project.home, manifest)
    prepare_ahead(made)
    publish(workspace.store, manifest, rows, changes, now)
    tidy(made)


@dataclass
class _Week:
    day: date
    index: int
    detailed: bool
    alive: Array
    points: Array
    shares: Array
    base: Array
    published: Array
    band: Array
    before: Array
    since: Array
    fingerprint: str
    bridge: date | None


_BANDS = np.array(["at_risk", "watch", "healthy"])
_ATTRIBUTES = [
    *(pa.field(name, pa.string()) for name in ("name", "owner", "territory", "segment", "tier")),
    pa.field("arr", pa.float64()),
    pa.field("renews_on", pa.date32()),
]


class _History:
    """Scores from week to week, with what the last one leaves for the list of accounts."""

    def __init__(self, company: Company, formula: Formula):
        self.company, self.fingerprint = company, formula.fingerprint
        self.published = np.full(company.total, np.nan)
        self.band = np.full(company.total, -1, np.int8)
        self.since = np.zeros(company.total, np.int64)
        self.past: list[Array] = []
        self.last: _Week | None = None

    def week(self, index: int) -> _Week:
        company, day = self.company, self.company.dates[index]
        points = company.step()
        shares = np.where(np.isnan(points), 0.0, company.shares)
        shares = shares / shares.sum(axis=1, keepdims=True)
        base = np.nansum(shares * points, axis=1)
        moved = ~(np.abs(base - self.published) < 1.0)
        self.published = np.where(moved, base, self.published)
        before = self.band
        band = np.digitize(self.published, [55, 70]).astype(np.int8)
        self.since = np.where(band != before, (day - date(1970, 1, 1)).days, self.since)
        self.band = band
        earlier = self.last.day if self.last else None
        bridge = earlier if earlier and _quarter(earlier) != _quarter(day) else None
        alive = (company.born <= index) & (index < company.gone)
        self.past = [*self.past[-12:], self.published]
        self.last = _Week(
            day, index, index >= company.weeks - company.detailed, alive, points, shares, base,
            self.published, band, before, self.since, self.fingerprint, bridge,
        )  # fmt: skip
        return self.last

    def current(self) -> pa.Table:
        """The list of accounts as of the last week."""
        week, c = self.last, self.company
        assert week is not None
        who = np.flatnonzero(week.alive)
        past = [np.full(c.total, np.nan)] * (13 - len(self.past)) + self.past
        lines = np.round(np.stack([p[who] for p in past], axis=1), 1).tolist()
        score = week.published[who]
        renews = [LAST + timedelta(days=n) for n in c.renews[who].tolist()]
        near = (c.renews[who] >= 0) & (c.renews[who] <= 90)
        parts = _components(week, who)
        explanations = [
            json.dumps(
                {
                    "components": [
                        {"component": name, "points": p, "weight": w, "contribution": p * w}
                        for name, p, w in zip(NAMES, points, weights, strict=True)
                    ],
                    "drivers_28": [
                        {"kind": "value", "component": "usage", "metric": "events_28d", "points": -1.5}
                    ],
                }
            )
            for points, weights in zip(parts[0].tolist(), parts[1].tolist(), strict=True)
        ]
        count = len(who)
        return pa.table(
            {
                "account_id": c.ids[who],
                "as_of": pa.array([week.day] * count, pa.date32()),
                "name": [c.names[i] for i in who.tolist()],
                "owner": c.owner[who],
                "territory": c.territory[who],
                "segment": c.segment[who],
                "tier": c.segment[who],
                "stage": c.stage[who],
                "scorecard": pa.array(["main"] * count),
                "fingerprint": pa.array([self.fingerprint] * count),
                "status": pa.array(["scored"] * count),
                "base": week.base[who],
                "adjustment": np.zeros(count),
                "computed": week.base[who],
                "published": score,
                "effective": score,
                "published_band": _BANDS[week.band[who]],
                "band": _BANDS[week.band[who]],
                "band_since": pa.array(week.since[who].astype(np.int32)).cast(pa.date32()),
                "coverage": 1 - c.missing[who] @ c.shares,
                "weakest_component": np.array(NAMES)[np.nanargmin(parts[0], axis=1)],
                "arr": c.arr[who],
                "renews_on": pa.array(renews, pa.date32()),
                "delta_7": score - past[-2][who],
                "delta_28": score - past[-5][who],
                "delta_90": score - past[0][who],
                "reason": pa.array(["events 28d cost 2 points in 28 days"] * count),
                "held": pa.array([False] * count),
                "attention": (100 - score) / 100 * c.arr[who] * np.where(near, 2, 1),
                "sparkline": [json.dumps([_known(v) for v in line]) for line in lines],
                "explanation": explanations,
                "attributes": pa.array([json.dumps({"tenure_days": 400.0, "assumed": False})] * count),
            }
        )

    def changes(self) -> pa.Table:
        """The transitions of the last week."""
        week = self.last
        assert week is not None
        who = np.flatnonzero(week.alive & (week.before >= 0) & (week.before != week.band))
        return _transitions(week, who, self.company)


def _quarter(day: date) -> date:
    return date(day.year, 3 * ((day.month - 1) // 3) + 1, 1)


def _components(week: _Week, who: Array) -> tuple[Array, Array]:
    points, weights = (np.zeros((len(who), len(NAMES))) for _ in range(2))
    of = np.array([NAMES.index(component) for component, _ in PLACES])
    for n in range(len(NAMES)):
        share = week.shares[who][:, of == n]
        weights[:, n] = share.sum(axis=1)
        with np.errstate(invalid="ignore"):
            points[:, n] = np.nansum(share * week.points[who][:, of == n], axis=1) / weights[:, n]
    return points, weights


def _batches(table: str, schema: pa.Schema, company: Company, weeks: list[_Week]) -> Iterator[pa.RecordBatch]:
    for start in range(0, company.total, BLOCK):
        pieces = []
        for week in weeks:
            who = start + np.flatnonzero(week.alive[start : start + BLOCK])
            rows = _ROWS[table](week, who, company)
            if rows is not None:
                pieces.append(rows)
        if pieces:
            rows = pa.concat_tables([piece.select(schema.names).cast(schema) for piece in pieces])
            order = [(name, "ascending") for name in TABLES[table].key]
            yield from rows.sort_by(order).combine_chunks().to_batches()


def _dated(week: _Week, who: Array, company: Company, each: int = 1) -> dict[str, Any]:
    return {
        "account_id": pa.array(np.repeat(company.ids[who], each)),
        "as_of": pa.array([week.day] * (len(who) * each), pa.date32()),
    }


def _column(value: Any, count: int, kind: pa.DataType) -> pa.Array:
    return pa.nulls(count, kind) if value is None else pa.array([value] * count, kind)


def _snapshots(week: _Week, who: Array, company: Company) -> pa.Table:
    n = len(who)
    parts, _ = _components(week, who)
    return pa.table(
        {
            **_dated(week, who, company),
            "scorecard": _column("main", n, pa.string()),
            "fingerprint": _column(week.fingerprint, n, pa.string()),
            "status": _column("scored", n, pa.string()),
            "base": week.base[who],
            "adjustment": np.zeros(n),
            "computed": week.base[who],
            "published": week.published[who],
            "effective": week.published[who],
            "published_band": _BANDS[week.band[who]],
            "band": _BANDS[week.band[who]],
            "band_since": pa.array(week.since[who].astype(np.int32)).cast(pa.date32()),
            "coverage": 1 - company.missing[who] @ company.shares,
            "cap": _column(None, n, pa.string()),
            "weakest_component": np.array(NAMES)[np.argmin(np.nan_to_num(parts, nan=200), axis=1)],
            "reference": _column(_quarter(week.day), n, pa.date32()),
            "cap_level": _column(None, n, pa.float64()),
            "held": _column(False, n, pa.bool_()),
        }
    )


def _components_rows(week: _Week, who: Array, company: Company) -> pa.Table | None:
    if not week.detailed:
        return None
    points, weights = _components(week, who)
    return pa.table(
        {
            **_dated(week, who, company, len(NAMES)),
            "component": np.tile(NAMES, len(who)),
            "points": pa.array(points.ravel(), from_pandas=True),
            "weight": weights.ravel(),
            "contribution": pa.array((points * weights).ravel(), from_pandas=True),
        }
    )


def _measures(week: _Week, who: Array, company: Company) -> pa.Table | None:
    if not week.detailed:
        return None
    points, shares = week.points[who].ravel(), week.shares[who].ravel()
    cohort = np.tile([m in COHORTS for _, m in PLACES], len(who))
    there = ~np.isnan(points)
    named = np.repeat(company.segment[who], len(PLACES))
    count = len(points)
    return pa.table(
        {
            **_dated(week, who, company, len(PLACES)),
            "component": np.tile([component for component, _ in PLACES], len(who)),
            "metric": np.tile([metric for _, metric in PLACES], len(who)),
            "value": pa.array(np.round(points * 2, 2), from_pandas=True),
            "state": np.where(there, "ok", "missing"),
            "age_days": pa.array(np.where(there, 2.0, np.nan), from_pandas=True),
            "points": pa.array(points, from_pandas=True),
            "weight": pa.array(shares, mask=~there),
            "contribution": pa.array(points * shares, from_pandas=True),
            "cohort": pa.array(named, pa.string(), mask=~cohort),
            "reference": pa.array([_quarter(week.day)] * count, pa.date32(), mask=~cohort),
        }
    )


def _metrics(week: _Week, who: Array, company: Company) -> pa.Table | None:
    found = _measures(week, who, company)
    return None if found is None else found.select(["account_id", "as_of", "metric", "value", "state"])


def _accounts(week: _Week, who: Array, company: Company) -> pa.Table | None:
    if not week.detailed:
        return None
    n = len(who)
    return pa.table(
        {
            **_dated(week, who, company),
            "stage": company.stage[who],
            "tenure_days": np.full(n, 400.0),
            "observed": _column(True, n, pa.bool_()),
            "assumed": _column(False, n, pa.bool_()),
            "name": [company.names[i] for i in who.tolist()],
            "owner": company.owner[who],
            "territory": company.territory[who],
            "segment": company.segment[who],
            "tier": company.segment[who],
            "arr": company.arr[who],
            "renews_on": pa.array(
                [LAST + timedelta(days=d) for d in company.renews[who].tolist()], pa.date32()
            ),
        }
    )


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _bridges(week: _Week, who: Array, company: Company) -> pa.Table | None:
    if week.bridge is None or not week.detailed:
        return None
    points = week.points[who]
    n = len(who)
    measures = [
        json.dumps(
            [
                {
                    "component": component,
                    "metric": metric,
                    "value": _known(2 * points),
                    "state": "missing" if math.isnan(points) else "ok",
                    "points": _known(points),
                    "weight": None if math.isnan(points) else weight,
                }
                for (component, metric), points, weight in zip(PLACES, row, shares, strict=True)
            ]
        )
        for row, shares in zip(points.tolist(), week.shares[who].tolist(), strict=True)
    ]
    return pa.table(
        {
            **_dated(week, who, company),
            "old_fingerprint": _column(week.fingerprint, n, pa.string()),
            "old_scorecard": _column("main", n, pa.string()),
            "old_reference": _column(_quarter(week.bridge), n, pa.date32()),
            "old_computed": week.base[who],
            "old_base": week.base[who],
            "old_adjustment": np.zeros(n),
            "new_computed": week.base[who],
            "since": _column(week.bridge, n, pa.date32()),
            "old_measures": measures,
        }
    )


def _changes(week: _Week, who: Array, company: Company) -> pa.Table:
    return _transitions(week, who[(week.before[who] >= 0) & (week.before[who] != week.band[who])], company)


def _transitions(week: _Week, who: Array, company: Company) -> pa.Table:
    drivers = [{"kind": "value", "component": "usage", "metric": "events_28d", "points": -3.0}]
    return pa.table(
        {
            **_dated(week, who, company),
            "kind": _column("data", len(who), pa.string()),
            "from_band": _BANDS[week.before[who]],
            "to_band": _BANDS[week.band[who]],
            "computed": week.base[who],
            "since": _column(week.day - timedelta(weeks=1), len(who), pa.date32()),
            "drivers": _column(json.dumps(drivers), len(who), pa.string()),
        }
    )


_ROWS = {
    "snapshots": _snapshots,
    "components": _components_rows,
    "measures": _measures,
    "metrics": _metrics,
    "accounts": _accounts,
    "bridges": _bridges,
    "transitions": _changes,
}


def _curves(company: Company, formula: Formula) -> pa.Table:
    quarters = sorted({_quarter(day) for day in company.dates})
    rows = [
        (formula.fingerprint, metric, segment, quarter, 10.0 * n, 10.0 * (n + 1), 5.0 * n, 5.0 * (n + 1))
        for metric in COHORTS
        for segment in SEGMENTS
        for quarter in quarters
        for n in range(20)
    ]
    schema = TABLES["curves"].schema()
    return pa.table(list(map(list, zip(*rows, strict=True))), schema=schema)


def _timeline(company: Company, each: int = 8) -> pa.Table:
    count = company.total * each
    back = np.sort(company.rng.integers(0, 700 * 1440, (company.total, each)), axis=1)[:, ::-1].ravel()
    end = np.datetime64(LAST, "us")
    kinds = company.rng.choice(["tickets", "surveys", "invoices", "meetings"], count)
    return pa.table(
        {
            "account_id": np.repeat(company.ids, each),
            "occurred_at": pa.array(end - back.astype("timedelta64[m]"), pa.timestamp("us")),
            "kind": kinds,
            "summary": np.char.add(kinds, " about something that somebody wrote down"),
        }
    )
