"""Tallies: facts reduced by the engine to sums per account and day.

Each source is grouped once for all flows, active days and first and last days, once per column
whose different values are counted, once for what is open, and once per column of which the
latest value is asked for. Nothing finer than an account and a day leaves the engine.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir
from ibis import _

from retinue.project import conditions
from retinue.warehouse.conditions import flag, holds
from retinue.warehouse.engine import Engine
from retinue.warehouse.metrics.series import Active, Different, Edge, Flow, Frame, Newest, Series, Stock
from retinue.warehouse.spine import Spine


@dataclass(frozen=True)
class Daily:
    """ix, day, seen and one column per sum: rows that happened on `day` and count from `seen` on.

    `columns` has the column of each series: the sum of a flow, the number of rows of the others,
    None where every row counts.
    """

    table: ir.Table
    columns: Mapping[Flow | Active | Edge, str | None]


@dataclass(frozen=True)
class Spans:
    """ix, start, end (null while it lasts) and one column per stock."""

    table: ir.Table
    columns: Mapping[Stock, str]


@dataclass(frozen=True)
class Changes:
    """ix, offset (days after the grid's first date) and, per series, by how much it changes then."""

    table: ir.Table
    columns: Mapping[Different, str]


@dataclass(frozen=True)
class Ranks:
    """ix, seen and the highest `rank` of a row that is seen first on that day."""

    table: ir.Table
    series: Newest


Tally = Daily | Spans | Changes | Ranks


def gather(engine: Engine, spine: Spine, facts: ir.Table, wanted: Iterable[Series]) -> list[Tally]:
    """The tallies of one source (typed facts) that `wanted` can be run along the grid from."""
    found: list[Tally] = []
    days: dict[tuple[str, ...], list[Flow | Active | Edge]] = {}
    stocks: dict[tuple[str, ...], list[Stock]] = {}
    keys: dict[tuple[object, ...], list[Different]] = {}
    for series in wanted:
        match series:
            case Flow() | Active() | Edge():
                days.setdefault(_clocks(facts, series), []).append(series)
            case Stock():
                stocks.setdefault(_clocks(facts, series), []).append(series)
            case Different(column=column, where=where, frame=frame):
                keys.setdefault((column, where, frame.shift, frame.weeks), []).append(series)
            case Newest():
                ranked = newest_rows(facts, series)
                best = ranked.group_by("ix", "seen").agg(rank=ranked["rank"].max())
                found.append(Ranks(engine.store("ranks", best), series))
    found += [_daily(engine, spine, facts, clocks, alike) for clocks, alike in days.items()]
    found += [_spans(engine, facts, clocks, alike) for clocks, alike in stocks.items()]
    found += [_changes(engine, spine, facts, alike) for alike in keys.values()]
    return found


# --- what a row is -----------------------------------------------------------------------------


def columns(facts: ir.Table) -> dict[str, ir.Value]:
    """Columns of typed facts by the names that conditions use."""
    plain = {c[2:]: facts[c] for c in facts.columns if c.startswith("c_")}
    numbers = {c[2:]: facts[c] for c in facts.columns if c.startswith("n_")}
    return {**numbers, **plain}


def where_holds(facts: ir.Table, where: conditions.Condition) -> ir.BooleanValue:
    name = flag(where)
    return facts[name] if name in facts.columns else holds(where, columns(facts))


def _filtered(facts: ir.Table, where: conditions.Condition | None) -> ir.Table:
    return facts if where is None else facts.filter(where_holds(facts, where))


def _clocks(facts: ir.Table, series: Series) -> tuple[str, ...]:
    """Columns with a clock of their own among those that a series looks at."""
    looked_at = {getattr(series, "column", None)}
    if series.where is not None:
        looked_at |= set(conditions.names(series.where))
    return tuple(sorted(f"k_{c}" for c in looked_at if c and f"k_{c}" in facts.columns))


def _visible(facts: ir.Table, clocks: tuple[str, ...]) -> ir.DateValue:
    """Day from which a row counts; a value that is not known yet hides its row."""
    return ibis.greatest(facts.visible, *(facts[c] for c in clocks)) if clocks else facts.visible


def visible(facts: ir.Table, where: conditions.Condition | None) -> ir.DateValue:
    """Day from which a row counts that is only counted where `where` holds; null while nobody knows."""
    looked_at = () if where is None else conditions.names(where)
    return _visible(facts, tuple(sorted({f"k_{c}" for c in looked_at if f"k_{c}" in facts.columns})))


def amount(
    facts: ir.Table, column: str | None, where: conditions.Condition | None, *, values: bool
) -> ir.NumericValue:
    if column is None:
        amount: ir.NumericValue = ibis.literal(1, "int64")
    elif values:
        amount = facts[f"n_{column}"].notnull().cast("int64")
    else:
        amount = facts[f"n_{column}"]
    return (
        amount if where is None else ibis.ifelse(where_holds(facts, where), amount, ibis.null(amount.type()))
    )


def _total(
    rows: ir.Table, column: str | None, where: conditions.Condition | None, values: bool
) -> ir.NumericValue:
    """The sum of `amount`; what is counted is counted, which is cheaper than adding ones."""
    holding = None if where is None else where_holds(rows, where)
    if column is None:
        return rows.count(where=holding).cast("int64")
    number = rows[f"n_{column}"]
    return number.count(where=holding).cast("int64") if values else whole(number.sum(where=holding))


def whole(expression: ir.NumericValue) -> ir.NumericValue:
    """A sum in the narrowest exact type: int64 for whole numbers, else a decimal."""
    kind = expression.type()
    if isinstance(kind, dt.Decimal) and kind.scale:
        return expression.cast(dt.Decimal(38, kind.scale))
    return expression.cast("int64")


def sunday(day: ir.DateValue) -> ir.DateValue:
    """The Sunday that ends the week of `day` (weeks start on Monday)."""
    return plus(day, 6 - day.day_of_week.index().cast("int32"))


def plus(day: ir.DateValue, days: int | ir.IntegerValue) -> ir.DateValue:
    """`day` moved by a number of days."""
    if isinstance(days, int):
        return (day + ibis.interval(days=days)).cast("date") if days else day
    return (day + days.as_interval("D")).cast("date")


def _still_seen(rows: ir.Table, spine: Spine, frames: Iterable[Frame | None]) -> ir.Table:
    """`rows` without those that no window reaches from any date of the grid."""
    last = ibis.literal(spine.dates[-1])
    rows = rows.filter(rows.seen <= last)
    reaches = [frame.reach if frame else None for frame in frames]
    longest = max((reach for reach in reaches if reach is not None), default=0)
    if None in reaches:
        return rows
    return rows.filter(rows.day > ibis.literal(spine.dates[0] - timedelta(days=longest)))


# --- sums --------------------------------------------------------------------------------------


def _daily(
    engine: Engine,
    spine: Spine,
    facts: ir.Table,
    clocks: tuple[str, ...],
    wanted: Iterable[Flow | Active | Edge],
) -> Daily:
    amounts: dict[tuple[str | None, conditions.Condition | None, bool], str] = {}
    of: dict[Flow | Active | Edge, str | None] = {}
    for series in wanted:
        if isinstance(series, Flow):
            key = (series.column, series.where, series.values)
        elif series.where is None:
            of[series] = None
            continue
        else:
            key = (None, series.where, False)
        of[series] = amounts.setdefault(key, f"s{len(amounts)}")
    rows = facts.mutate(seen=_visible(facts, clocks))
    rows = _still_seen(rows, spine, [getattr(series, "frame", None) for series in of])
    sums = {name: _total(rows, *key) for key, name in amounts.items()}
    return Daily(engine.store("daily", rows.group_by("ix", "day", "seen").agg(**sums)), of)


def _spans(engine: Engine, facts: ir.Table, clocks: tuple[str, ...], wanted: Iterable[Stock]) -> Spans:
    of = {series: f"s{n}" for n, series in enumerate(wanted)}
    rows = facts.select(
        "ix",
        start=_visible(facts, clocks),
        end=facts.end_known,
        **{name: amount(facts, one.column, one.where, values=False) for one, name in of.items()},
    ).filter(_.end.isnull() | (_.end > _.start))
    sums = {name: whole(rows[name].sum()) for name in of.values()}
    return Spans(engine.store("spans", rows.group_by("ix", "start", "end").agg(**sums)), of)


def _changes(engine: Engine, spine: Spine, facts: ir.Table, wanted: list[Different]) -> Changes:
    """Intervals of each key, merged where they touch: +1 where one begins, -1 where it ends.

    "Until the next occurrence" is not enough: a row that becomes known late begins after rows
    that happened after it. All windows share one pass: of the rows of a key that the grid first
    sees on the same date only the one that happened last matters, whatever the window.
    """
    first = wanted[0]
    rows = _filtered(facts, first.where)
    rows = rows.filter(rows[f"c_{first.column}"].notnull())
    day = sunday(rows.day) if first.frame.weeks else rows.day
    counted = plus(day, first.frame.shift)
    seen = ibis.greatest(_visible(rows, _clocks(facts, first)), counted)
    told = rows.select("ix", key=rows[f"c_{first.column}"], day=rows.day, counted=counted, seen=seen)
    told = _still_seen(told, spine, [one.frame for one in wanted])
    met = _on_grid(spine, told).group_by("ix", "key", "begin").agg(counted=_.counted.max())
    met = engine.store("keys", met)
    of = {series: f"x{n}" for n, series in enumerate(wanted)}
    lengths = {name: one.frame.length for one, name in of.items()}
    before = ibis.window(group_by=["ix", "key"], order_by="begin", rows=(None, -1))
    order = ibis.window(group_by=["ix", "key"], order_by="begin")
    merged = met.select(
        "ix",
        "begin",
        "counted",
        before=met.counted.max().over(before),
        after=met.begin.lead().over(order),
    )
    stored = engine.store("merged", merged)
    engine.drop(met)
    reach = ibis.greatest(stored.counted, ibis.coalesce(stored.before, stored.counted))
    merged = stored.mutate(reach=reach)

    def starts(length: int | None) -> ir.BooleanValue:
        if length is None:
            return merged.before.isnull()
        fresh = merged.before.isnull() | (merged.begin >= merged.before + length)
        return fresh & (merged.reach + length > merged.begin)

    parts = [
        merged.group_by("ix", offset=merged.begin).agg(
            **{name: whole(starts(length).cast("int64").sum()) for name, length in lengths.items()}
        )
    ]
    zero = ibis.literal(0, "int64")
    span = (spine.dates[-1] - spine.dates[0]).days
    for name, length in lengths.items():
        if length is None:
            continue
        end = merged.reach + length
        over = (merged.after.isnull() | (merged.after >= end)) & (end > merged.begin) & (end <= span)
        ended = merged.filter(over).group_by("ix", offset=end.cast("int32")).agg(n=_.count().cast("int64"))
        parts.append(
            ended.select("ix", "offset", **{other: -ended.n if other == name else zero for other in lengths})
        )
    table = engine.store("changes", ibis.union(*parts) if len(parts) > 1 else parts[0])
    engine.drop(stored)
    return Changes(table, of)


def _on_grid(spine: Spine, rows: ir.Table) -> ir.Table:
    """`rows` with `begin` (of the first date of the grid on or after `seen`) and `counted` as
    days after the grid's first date."""
    first = spine.dates[0]
    offset = ibis.greatest(_offset(rows.seen, first), 0)
    steps = {(b - a).days for a, b in zip(spine.dates[:-1], spine.dates[1:], strict=True)}
    if len(steps) <= 1:
        step = steps.pop() if steps else 1
        begin = offset if step == 1 else (offset + (step - 1)) // step * step
        placed = rows.mutate(begin=begin.cast("int32"))
    else:
        calendar = spine.calendar.select(offset="offset", begin="begin")
        placed = rows.mutate(offset=offset).join(calendar, "offset")
    return placed.mutate(counted=_offset(placed.counted, first)).select("ix", "key", "begin", "counted")


def _offset(day: ir.DateValue, first: date) -> ir.IntegerValue:
    return day.delta(ibis.literal(first), unit="day").cast("int32")


# --- the latest row as of D --------------------------------------------------------------------


def newest_rows(facts: ir.Table, series: Newest) -> ir.Table:
    """Rows with a value, ranked within the account: ix, rank, seen, day, value.

    Ties are broken by the full key: when it happened, when it was known, the value itself.
    """
    rows = _filtered(facts, series.where)
    value = rows[f"n_{series.column}"]
    told = rows.filter(value.notnull()).select(
        "ix", "occurred", "day", seen=_visible(rows, _clocks(facts, series)), value=value
    )
    order = ibis.window(group_by="ix", order_by=[told.occurred, told.seen, told.value])
    return told.mutate(rank=ibis.row_number().over(order).cast("int64")).drop("occurred")
