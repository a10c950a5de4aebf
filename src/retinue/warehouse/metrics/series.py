"""The two primitives that nearly every metric is made of, for all accounts and dates at once.

1. Sums of dated deltas. A row is visible on an interval of days: it is `+x` at its start and
   `-x` at its end, and the value at D is the running sum up to D.
2. The latest (or first) row as of D: a running maximum of a rank along the grid.

A series is a frozen description; metrics that need the same one share its computation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir
from ibis import _

from retinue.project import conditions
from retinue.warehouse.conditions import holds
from retinue.warehouse.engine import Engine
from retinue.warehouse.spine import Spine, on_grid


@dataclass(frozen=True, slots=True)
class Frame:
    """Which days a window covers at D: `length` days that end `shift` days before D.

    Without a length, everything so far. `weeks` counts a row from the Sunday of its week on.
    """

    length: int | None = None
    shift: int = 0
    weeks: bool = False


@dataclass(frozen=True, slots=True)
class Flow:
    """Sum of `column` (number of rows with `None`) over a window; `values` counts non-null ones."""

    source: str
    column: str | None
    where: conditions.Condition | None
    frame: Frame
    values: bool = False


@dataclass(frozen=True, slots=True)
class Different:
    """Number of different values of `column` in a window."""

    source: str
    column: str
    where: conditions.Condition | None
    frame: Frame


@dataclass(frozen=True, slots=True)
class Active:
    """Number of days (or `weeks`, complete ones) with a row in a window."""

    source: str
    where: conditions.Condition | None
    frame: Frame
    weeks: bool = False


@dataclass(frozen=True, slots=True)
class Stock:
    """Rows that have begun and not ended: their number, or the sum of `column`."""

    source: str
    column: str | None
    where: conditions.Condition | None


@dataclass(frozen=True, slots=True)
class Edge:
    """Day of the first (or the last) row so far."""

    source: str
    where: conditions.Condition | None
    last: bool


@dataclass(frozen=True, slots=True)
class Newest:
    """Value and day of the latest row with a value; two columns, `<name>` and `<name>_day`."""

    source: str
    column: str
    where: conditions.Condition | None


Series = Flow | Different | Active | Stock | Edge | Newest


def compute(
    engine: Engine, spine: Spine, sources: Mapping[str, ir.Table], wanted: Iterable[Series]
) -> tuple[ir.Table, dict[Series, str]]:
    """All `wanted` series on the spine, and the column each of them is in.

    The table has ix, pos, as_of and one column per series (two for `Newest`), one row per
    row of the spine. Sums are int64 or decimals, so they do not depend on the order of rows.
    """
    names = {series: f"x{n}" for n, series in enumerate(dict.fromkeys(wanted))}
    kept: list[ir.Table] = []
    with engine.passing(kept):
        sums: list[ir.Table] = []
        peaks: list[ir.Table] = []
        for source in dict.fromkeys(series.source for series in names):
            facts = sources[source]
            here = {s: n for s, n in names.items() if s.source == source}
            sums += _deltas(engine, spine, facts, here)
            peaks += [_peaks(spine, facts, s, n) for s, n in here.items() if isinstance(s, Edge | Newest)]
        table = spine.rows
        for number, deltas in enumerate([*sums, *peaks]):
            grouped = engine.store(f"deltas{number}", deltas)
            table = table.left_join(grouped, ["ix", "pos"]).drop("ix_right", "pos_right")
        table = engine.store("joined", table) if sums or peaks else table
        kept.append(engine.store("series", _running(table, names)))
    return kept[0], names


def _running(table: ir.Table, names: Mapping[Series, str]) -> ir.Table:
    so_far = ibis.cumulative_window(group_by="ix", order_by="pos")
    columns: dict[str, ir.Value] = {}
    for series, name in names.items():
        match series:
            case Edge(last=False):
                columns[name] = table[name].min().over(so_far)
            case Edge() | Newest():
                columns[name] = table[name].max().over(so_far)
            case _:
                columns[name] = ibis.coalesce(table[name].sum().over(so_far), 0).cast(table[name].type())
    return table.mutate(**columns)


# --- sums of dated deltas ---------------------------------------------------------------------


def _deltas(engine: Engine, spine: Spine, facts: ir.Table, names: Mapping[Series, str]) -> list[ir.Table]:
    """Tables of (ix, pos, one column per series), each with unique (ix, pos)."""
    flows = {s: n for s, n in names.items() if isinstance(s, Flow)}
    stocks = {s: n for s, n in names.items() if isinstance(s, Stock)}
    branches: list[ir.Table] = []
    for clocks in dict.fromkeys(_clocks(facts, s) for s in flows):
        alike = {s: n for s, n in flows.items() if _clocks(facts, s) == clocks}
        branches += _flow_branches(engine, facts, alike, clocks)
    if stocks:
        branches += _stock_branches(engine, facts, stocks)
    for series, name in names.items():
        if isinstance(series, Active):
            branches += _active_branches(engine, facts, series, name)
    tables = [_united(spine, branches)] if branches else []
    for series, name in names.items():
        if isinstance(series, Different):
            tables.append(_different(engine, spine, facts, series, name))
    return tables


def _clocks(facts: ir.Table, series: Series) -> tuple[str, ...]:
    """Columns with a clock of their own among those that a series looks at."""
    looked_at = {getattr(series, "column", None)}
    if series.where is not None:
        looked_at |= set(conditions.names(series.where))
    return tuple(sorted(f"k_{c}" for c in looked_at if c and f"k_{c}" in facts.columns))


def _visible(facts: ir.Table, clocks: tuple[str, ...]) -> ir.DateValue:
    """Day from which a row counts; a value that is not known yet hides its row."""
    return ibis.greatest(facts.visible, *(facts[c] for c in clocks)) if clocks else facts.visible


def _amount(facts: ir.Table, series: Flow | Stock) -> ir.NumericValue:
    if series.column is None:
        amount: ir.NumericValue = ibis.literal(1, "int64")
    elif isinstance(series, Flow) and series.values:
        amount = facts[f"n_{series.column}"].notnull().cast("int64")
    else:
        amount = facts[f"n_{series.column}"]
    if series.where is None:
        return amount
    return ibis.ifelse(holds(series.where, columns(facts)), amount, ibis.null(amount.type()))


def columns(facts: ir.Table) -> dict[str, ir.Value]:
    """Columns of typed facts by the names that conditions use."""
    plain = {c[2:]: facts[c] for c in facts.columns if c.startswith("c_")}
    numbers = {c[2:]: facts[c] for c in facts.columns if c.startswith("n_")}
    return {**numbers, **plain}


def _whole(expression: ir.NumericValue) -> ir.NumericValue:
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


def _flow_branches(
    engine: Engine, facts: ir.Table, flows: Mapping[Flow, str], clocks: tuple[str, ...]
) -> list[ir.Table]:
    """One scan groups the source to account and day; the windows then work on that."""
    amounts = {(s.column, s.where, s.values): s for s in flows}
    keys = {key: f"s{n}" for n, key in enumerate(amounts)}
    rows = facts.select(
        "ix",
        "day",
        seen=_visible(facts, clocks),
        **{n: _amount(facts, amounts[k]) for k, n in keys.items()},
    )
    sums = {n: _whole(rows[n].sum()) for n in keys.values()}
    daily = engine.store("daily", rows.group_by("ix", "day", "seen").agg(**sums))
    branches = []
    frames = dict.fromkeys(s.frame for s in flows)
    for frame in frames:
        of = {name: keys[(s.column, s.where, s.values)] for s, name in flows.items() if s.frame == frame}
        branches += _interval(daily, daily.seen, frame, {name: daily[sum_] for name, sum_ in of.items()})
    return branches


def _interval(
    table: ir.Table, seen: ir.DateValue, frame: Frame, amounts: Mapping[str, ir.NumericValue]
) -> list[ir.Table]:
    """The deltas of rows that happened on `day` and count within `frame`."""
    day = sunday(table.day) if frame.weeks else table.day
    start = ibis.greatest(seen, plus(day, frame.shift))
    begin = table.select("ix", day=start, **amounts)
    if frame.length is None:
        return [begin]
    end = plus(day, frame.shift + frame.length)
    lasting = table.filter(end > start)
    return [
        table.filter(end > start).select("ix", day=start, **amounts),
        lasting.select("ix", day=end, **{name: -amount for name, amount in amounts.items()}),
    ]


def _stock_branches(engine: Engine, facts: ir.Table, stocks: Mapping[Stock, str]) -> list[ir.Table]:
    branches = []
    for series, name in stocks.items():
        clocks = _clocks(facts, series)
        rows = facts.select(
            "ix", start=_visible(facts, clocks), end=facts.end_known, x=_amount(facts, series)
        ).filter(_.x.notnull() & (_.end.isnull() | (_.end > _.start)))
        spans = engine.store("spans", rows.group_by("ix", "start", "end").agg(x=_whole(rows.x.sum())))
        branches.append(spans.select("ix", day=spans.start, **{name: spans.x}))
        ended = spans.filter(spans.end.notnull())
        branches.append(ended.select("ix", day=ended.end, **{name: -ended.x}))
    return branches


def _active_branches(engine: Engine, facts: ir.Table, series: Active, name: str) -> list[ir.Table]:
    rows = _filtered(facts, series.where)
    clocks = _clocks(facts, series)
    day = sunday(rows.day) if series.weeks else rows.day
    days = engine.store(
        "active",
        rows.select("ix", day=day, seen=_visible(rows, clocks)).group_by("ix", "day").agg(seen=_.seen.min()),
    )
    # A row counts from the Sunday of its week on; buckets of weeks have that as their day.
    seen = ibis.greatest(days.seen, sunday(days.day) if series.frame.weeks else days.day)
    return _interval(days, seen, series.frame, {name: ibis.literal(1, "int64")})


def _filtered(facts: ir.Table, where: conditions.Condition | None) -> ir.Table:
    return facts if where is None else facts.filter(holds(where, columns(facts)))


def _united(spine: Spine, branches: list[ir.Table]) -> ir.Table:
    """All branches in one table with one row per (ix, pos)."""
    types = {c: b[c].type() for b in branches for c in b.columns if c not in {"ix", "day"}}
    aligned = [
        b.select(
            "ix", "day", **{c: b[c].cast(t) if c in b.columns else ibis.null(t) for c, t in types.items()}
        )
        for b in branches
    ]
    union = aligned[0] if len(aligned) == 1 else ibis.union(*aligned)
    placed = on_grid(spine, union)
    return placed.group_by("ix", "pos").agg(**{c: _whole(placed[c].sum()) for c in types})


def _different(engine: Engine, spine: Spine, facts: ir.Table, series: Different, name: str) -> ir.Table:
    """Intervals of each key, merged where they touch: +1 where one begins, -1 where it ends.

    "Until the next occurrence" is not enough: a row that becomes known late begins after rows
    that happened after it.
    """
    rows = _filtered(facts, series.where)
    key = rows[f"c_{series.column}"]
    frame = series.frame
    day = sunday(rows.day) if frame.weeks else rows.day
    start = ibis.greatest(_visible(rows, _clocks(facts, series)), plus(day, frame.shift))
    told = rows.filter(key.notnull()).select("ix", key=key, start=start, day_=day)
    if frame.length is None:
        firsts = told.group_by("ix", "key").agg(day=_.start.min())
        placed = on_grid(spine, firsts.drop("key"))
        return placed.group_by("ix", "pos").agg(**{name: placed.count().cast("int64")})
    end = plus(told.day_, frame.shift + frame.length)
    spans = told.mutate(end=end).filter(_.end > _.start).select("ix", "key", "start", "end").distinct()
    begun = on_grid(spine, spans, "start").rename(begin="pos")
    last = ibis.literal(spine.dates[-1])
    bounded = begun.mutate(end=ibis.least(begun.end, plus(last, 1)))
    calendar = spine.calendar.rename(_day="day", _pos="pos")
    ended = (
        bounded.mutate(_day=ibis.greatest(bounded.end, ibis.literal(spine.dates[0])))
        .left_join(calendar, "_day")
        .mutate(finish=ibis.coalesce(_._pos, ibis.literal(len(spine.dates), "int32")))
        .filter(_.finish > _.begin)
        .select("ix", "key", "begin", "finish")
    )
    # On the grid many intervals coincide; the longest one from each beginning is enough.
    longest = engine.store("spans", ended.group_by("ix", "key", "begin").agg(finish=_.finish.max()))
    ordered = ibis.window(group_by=["ix", "key"], order_by="begin")
    so_far = ibis.cumulative_window(group_by=["ix", "key"], order_by="begin")
    reach = longest.mutate(reach=_.finish.max().over(so_far))
    merged = engine.store(
        "merged",
        reach.mutate(before=_.reach.lag().over(ordered), after=_.begin.lead().over(ordered)),
    )
    begins = merged.filter(merged.before.isnull() | (merged.begin > merged.before))
    ends = merged.filter(merged.after.isnull() | (merged.after > merged.reach))
    one = ibis.literal(1, "int64")
    deltas = ibis.union(
        begins.select("ix", pos=begins.begin, x=one), ends.select("ix", pos=ends.reach, x=-one)
    )
    return deltas.group_by("ix", "pos").agg(**{name: _whole(deltas.x.sum())})


# --- the latest row as of D --------------------------------------------------------------------


def _peaks(spine: Spine, facts: ir.Table, series: Edge | Newest, name: str) -> ir.Table:
    """(ix, pos, name): the day, or the rank of the row, that the grid first sees at pos."""
    if isinstance(series, Newest):
        ranked = newest_rows(facts, series)
        placed = on_grid(spine, ranked.select("ix", day=ranked.seen, rank=ranked.rank))
        return placed.group_by("ix", "pos").agg(**{name: placed["rank"].max()})
    rows = _filtered(facts, series.where)
    seen = rows.select("ix", day=_visible(rows, _clocks(facts, series)), happened=rows.day)
    placed = on_grid(spine, seen)
    edge = placed.happened.max() if series.last else placed.happened.min()
    return placed.group_by("ix", "pos").agg(**{name: edge})


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
