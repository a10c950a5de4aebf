"""The list of accounts as of the last date: what pages and the command line read first."""

from __future__ import annotations

import json
import math
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from retinue.action.stake import at_stake
from retinue.insight.drivers import WHOLE
from retinue.insight.stability import NO_DAY
from retinue.project.project import Project
from retinue.run.changes import Changes
from retinue.run.history import New
from retinue.run.kept import BACK, DELTAS, SPARK_WEEKS, Kept
from retinue.run.layers import History, bands_array, dates_array, day_number, floats_of, numbers_array

Array = NDArray[Any]

#: The attributes that the list has columns for; the rest go into one.
COLUMNS = ("name", "owner", "territory", "segment", "tier", "arr", "renews_on")


def current_rows(
    new: New,
    snapshots: pa.Table,
    after: Kept,
    settled: History,
    last: date,
    project: Project,
) -> pa.Table:
    """One row per account that is alive on `last`, in the columns of the store's `current`.

    `snapshots` are those of this run as computed, `settled` the same with their layers, `after`
    what is known after it.
    """
    from retinue.warehouse import tables

    engine, computed = new.engine, new.computed
    here = np.flatnonzero(settled.day == day_number(last))
    ix = settled.ix[here]
    detail = tables.on_date(engine, computed, computed.spine.pos(last))
    snapshots = snapshots.take(pa.array(here))
    accounts = detail["accounts"]
    ids = new.account_ids.take(pa.array(ix))
    accounts = accounts.take(pc.index_in(ids, value_set=accounts["account_id"].combine_chunks()))
    since, score = after.day[ix], after.effective[ix]
    effective = settled.effective[here]
    start = np.where(settled.scored[here], since[:, BACK.index(28)], NO_DAY)
    changes = new.drivers(settled, ix, start, settled.day[here])
    cards = [*(card.scorecard for card in new.cards), None]
    formula = np.where(settled.formula[here] >= 0, settled.formula[here], len(new.cards))
    arr = _attribute(accounts, "arr", pa.float64())
    columns: dict[str, Any] = {
        "account_id": ids,
        "as_of": pa.array([last] * len(here), pa.date32()),
        "scorecard": pa.array(cards, pa.string()).take(pa.array(formula)),
        "fingerprint": pa.array([*new.fingerprints, None], pa.string()).take(pa.array(formula)),
        "published": numbers_array(settled.published[here]),
        "effective": numbers_array(effective),
        "published_band": bands_array(settled.published_band[here]),
        "band": bands_array(settled.band[here]),
        "band_since": dates_array(settled.band_since[here]),
        "stage": accounts["stage"],
        "held": pa.array(settled.held[here]),
        "attention": numbers_array(
            _attention(effective, arr, _attribute(accounts, "renews_on", pa.date32()), last)
        ),
        "reason": _reasons(snapshots, changes, len(here), project),
        "sparkline": _sparklines(score),
        "explanation": _explanations(detail["components"], ids, changes, len(here)),
        "attributes": _others(accounts),
    }
    for name in ("status", "base", "adjustment", "computed", "coverage", "cap", "weakest_component"):
        columns[name] = snapshots[name]
    for n in DELTAS:
        columns[f"delta_{n}"] = numbers_array(effective - score[:, BACK.index(n)])
    for name in COLUMNS:
        kind = {"arr": pa.float64(), "renews_on": pa.date32()}.get(name, pa.string())
        columns[name] = _attribute(accounts, name, kind)
    return pa.table(columns)


def _attribute(accounts: pa.Table, name: str, kind: pa.DataType) -> pa.ChunkedArray:
    if name not in accounts.column_names:
        return pa.chunked_array([pa.nulls(accounts.num_rows, kind)])
    column = accounts[name]
    try:
        return column.cast(kind)
    except pa.ArrowInvalid:
        return pa.chunked_array([pa.nulls(accounts.num_rows, kind)])


def _attention(effective: Array, arr: pa.ChunkedArray, renews: pa.ChunkedArray, last: date) -> Array:
    """What is at stake with each account, nan without a score."""
    days = floats_of(renews.cast(pa.int32()))
    return at_stake(effective, floats_of(arr), days - day_number(last))


def _reasons(snapshots: pa.Table, changes: Changes, count: int, project: Project) -> pa.Array:
    """Why an account stands where it does, in a few words: a cap, else what fell most in four
    weeks, else its weakest component."""
    d = changes.drivers
    falling = (d.points < 0) & (d.key != WHOLE)
    order = np.lexsort((d.points[falling], d.change[falling]))
    change, key, part = (a[falling][order] for a in (d.change, d.key, d.points))
    first = np.concatenate([[True], change[1:] != change[:-1]])[: len(change)]
    worst, lost = np.full(count, -1), np.zeros(count)
    worst[change[first]], lost[change[first]] = key[first], part[first]
    labels = [_label(metric, project) for _, metric in changes.names]
    fell = lost <= -1
    whole = np.floor(np.round(-lost, 9) + 0.5).astype(np.int64)
    points = pa.array([f"{n} point" if n == 1 else f"{n} points" for n in whole.tolist()], pa.string())
    name = pa.array([*labels, None], pa.string()).take(pa.array(np.where(worst >= 0, worst, len(labels))))
    moved = pc.binary_join_element_wise(name, pa.scalar(" cost "), points, pa.scalar(" in 28 days"), "")
    weakest = pc.binary_join_element_wise(pa.scalar("weakest: "), _spoken(snapshots["weakest_component"]), "")
    usual = pc.if_else(pa.array(fell), moved, weakest)
    uncovered = pc.is_null(snapshots["formula"])
    why = pc.if_else(uncovered, pa.scalar("no scorecard applies"), pa.scalar("not enough data to score"))
    told = pc.if_else(pc.equal(snapshots["status"], "not_scored"), why, usual)
    return pc.coalesce(snapshots["cap"], told)


def _label(metric: str, project: Project) -> str:
    declared = project.metrics.get(metric)
    return (declared.label if declared else None) or metric.replace("_", " ")


def _spoken(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.replace_substring(column, "_", " ")


def _sparklines(score: Array) -> pa.Array:
    """Scores of weeks, oldest first, of `score` [accounts, BACK]."""
    weeks = [BACK.index(7 * n) for n in reversed(range(SPARK_WEEKS))]
    grid = np.round(score[:, weeks], 1)
    return pa.array(
        [json.dumps([None if math.isnan(v) else v for v in row]) for row in grid.tolist()], pa.string()
    )


def _explanations(components: pa.Table, ids: pa.Array, changes: Changes, count: int) -> pa.Array:
    """Components and the five largest drivers of four weeks, as JSON."""
    place = pc.index_in(components["account_id"], value_set=ids).to_pylist()
    parts: list[list[dict[str, Any]]] = [[] for _ in range(count)]
    rows = components.select(["component", "points", "weight", "contribution"]).to_pylist()
    for at, row in zip(place, rows, strict=True):
        if at is not None:
            parts[at].append(row)
    drivers = changes.listed(count)
    return pa.array(
        [json.dumps({"components": p, "drivers_28": d[:5]}) for p, d in zip(parts, drivers, strict=True)],
        pa.string(),
    )


def _others(accounts: pa.Table) -> pa.Array:
    fixed = {"account_id", "as_of", "stage", "assumed", "observed", "tenure_days", *COLUMNS}
    names = [name for name in accounts.column_names if name not in fixed]
    rows = accounts.select([*names, "tenure_days", "assumed"]).to_pylist()
    return pa.array([json.dumps(row, default=str) for row in rows], pa.string())
