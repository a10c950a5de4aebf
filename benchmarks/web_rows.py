"""The rows of every published table for a company that does not exist."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa
from web_company import (
    BANDS,
    COHORTS,
    LAST,
    NAMES,
    PLACES,
    SEGMENTS,
    Array,
    Company,
    History,
    Week,
    component_points,
    quarter,
)

from retinue.project.project import Formula
from retinue.store.published.contract import TABLES

#: Accounts that are written at a time.
BLOCK = 10_000
ATTRIBUTES = [
    *(pa.field(name, pa.string()) for name in ("name", "owner", "territory", "segment", "tier")),
    pa.field("arr", pa.float64()),
    pa.field("renews_on", pa.date32()),
]


def batches(table: str, schema: pa.Schema, company: Company, weeks: list[Week]) -> Iterator[pa.RecordBatch]:
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


def current(history: History) -> pa.Table:
    """The list of accounts as of the last week."""
    week, c = history.last, history.company
    assert week is not None
    who = np.flatnonzero(week.alive)
    past = [np.full(c.total, np.nan)] * (13 - len(history.past)) + history.past
    lines = np.round(np.stack([p[who] for p in past], axis=1), 1).tolist()
    score = week.published[who]
    renews = [LAST + timedelta(days=n) for n in c.renews[who].tolist()]
    near = (c.renews[who] >= 0) & (c.renews[who] <= 90)
    parts = component_points(week, who)
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
            "fingerprint": pa.array([history.fingerprint] * count),
            "status": pa.array(["scored"] * count),
            "base": week.base[who],
            "adjustment": np.zeros(count),
            "computed": week.base[who],
            "published": score,
            "effective": score,
            "published_band": BANDS[week.band[who]],
            "band": BANDS[week.band[who]],
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


def changes(history: History) -> pa.Table:
    """The transitions of the last week."""
    week = history.last
    assert week is not None
    who = np.flatnonzero(week.alive & (week.before >= 0) & (week.before != week.band))
    return _transitions(week, who, history.company)


def _dated(week: Week, who: Array, company: Company, each: int = 1) -> dict[str, Any]:
    return {
        "account_id": pa.array(np.repeat(company.ids[who], each)),
        "as_of": pa.array([week.day] * (len(who) * each), pa.date32()),
    }


def _column(value: Any, count: int, kind: pa.DataType) -> pa.Array:
    return pa.nulls(count, kind) if value is None else pa.array([value] * count, kind)


def _snapshots(week: Week, who: Array, company: Company) -> pa.Table:
    n = len(who)
    parts, _ = component_points(week, who)
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
            "published_band": BANDS[week.band[who]],
            "band": BANDS[week.band[who]],
            "band_since": pa.array(week.since[who].astype(np.int32)).cast(pa.date32()),
            "coverage": 1 - company.missing[who] @ company.shares,
            "cap": _column(None, n, pa.string()),
            "weakest_component": np.array(NAMES)[np.argmin(np.nan_to_num(parts, nan=200), axis=1)],
            "reference": _column(quarter(week.day), n, pa.date32()),
            "cap_level": _column(None, n, pa.float64()),
            "held": _column(False, n, pa.bool_()),
        }
    )


def _components_rows(week: Week, who: Array, company: Company) -> pa.Table | None:
    if not week.detailed:
        return None
    points, weights = component_points(week, who)
    return pa.table(
        {
            **_dated(week, who, company, len(NAMES)),
            "component": np.tile(NAMES, len(who)),
            "points": pa.array(points.ravel(), from_pandas=True),
            "weight": weights.ravel(),
            "contribution": pa.array((points * weights).ravel(), from_pandas=True),
        }
    )


def _measures(week: Week, who: Array, company: Company) -> pa.Table | None:
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
            "reference": pa.array([quarter(week.day)] * count, pa.date32(), mask=~cohort),
        }
    )


def _metrics(week: Week, who: Array, company: Company) -> pa.Table | None:
    found = _measures(week, who, company)
    return None if found is None else found.select(["account_id", "as_of", "metric", "value", "state"])


def _accounts(week: Week, who: Array, company: Company) -> pa.Table | None:
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


def _bridges(week: Week, who: Array, company: Company) -> pa.Table | None:
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
            "old_reference": _column(quarter(week.bridge), n, pa.date32()),
            "old_computed": week.base[who],
            "old_base": week.base[who],
            "old_adjustment": np.zeros(n),
            "new_computed": week.base[who],
            "since": _column(week.bridge, n, pa.date32()),
            "old_measures": measures,
        }
    )


def _changes(week: Week, who: Array, company: Company) -> pa.Table:
    return _transitions(week, who[(week.before[who] >= 0) & (week.before[who] != week.band[who])], company)


def _transitions(week: Week, who: Array, company: Company) -> pa.Table:
    drivers = [{"kind": "value", "component": "usage", "metric": "events_28d", "points": -3.0}]
    return pa.table(
        {
            **_dated(week, who, company),
            "kind": _column("data", len(who), pa.string()),
            "from_band": BANDS[week.before[who]],
            "to_band": BANDS[week.band[who]],
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


def curves(company: Company, formula: Formula) -> pa.Table:
    quarters = sorted({quarter(day) for day in company.dates})
    rows = [
        (formula.fingerprint, metric, segment, quarter, 10.0 * n, 10.0 * (n + 1), 5.0 * n, 5.0 * (n + 1))
        for metric in COHORTS
        for segment in SEGMENTS
        for quarter in quarters
        for n in range(20)
    ]
    schema = TABLES["curves"].schema()
    return pa.table(list(map(list, zip(*rows, strict=True))), schema=schema)


def timeline(company: Company, each: int = 8) -> pa.Table:
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
