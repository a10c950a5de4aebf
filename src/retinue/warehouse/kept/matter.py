"""Which rows of a source still matter from a date on, for the series that are made of it.

A row matters while a window reaches it, while it has not ended, before it is visible, or where it
is the one that a first, last or latest value, or a first appearance of a key, rests on. Of all
other rows only their sums since the beginning are kept. From the date `exact` on, series of the
rows that matter and these sums are those of all rows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import ibis
import ibis.expr.types as ir

from retinue.warehouse.engine import Engine
from retinue.warehouse.metrics import tallies
from retinue.warehouse.metrics.series import Active, Different, Edge, Flow, Newest, Series, Stock
from retinue.warehouse.usage import Counting


@dataclass(frozen=True)
class Need:
    """What is asked of a source: series, as many days of rows as they are (the timeline), and counts of
    rows by account and day (anomalies of usage)."""

    series: tuple[Series, ...]
    days: int = 0
    counting: Counting | None = None

    def digests(self) -> frozenset[str]:
        told = {digest(one) for one in self.series}
        told |= {f"days {self.days}"} if self.days else set()
        return frozenset(told | ({self.counting.digest} if self.counting else set()))

    @property
    def sums(self) -> tuple[Flow, ...]:
        """The flows that count since the beginning."""
        return tuple(s for s in self.series if isinstance(s, Flow) and s.frame.length is None)


def digest(series: Series) -> str:
    """A name for a series that does not change while its declaration does not."""
    return hashlib.sha256(repr(series).encode()).hexdigest()[:16]


def split(engine: Engine, rows: ir.Table, need: Need, exact: date) -> tuple[ir.Table, ir.Table]:
    """The rows that matter from `exact` on, and whether the others do not: `rows` has `code` (whose
    rows they are) and the columns of typed facts. Both results have all columns of `rows`."""
    matters = _by_dates(rows, need, exact)
    marked = rows.mutate(_matters=matters)
    best = _best(engine, rows, need, exact)
    if best is not None:
        table, tests = best
        met = marked.left_join(table, "code").drop("code_right")
        for test in tests(met):
            met = met.mutate(_matters=met["_matters"] | ibis.coalesce(test, False))
        marked = met
    for number, series in enumerate(s for s in need.series if isinstance(s, Different)):
        if series.frame.length is None:
            marked = _first_appearances(marked, rows, series, exact, number)
    kept = marked.select(*rows.columns, "_matters")
    stored = kept
    return stored.filter(stored["_matters"]).drop("_matters"), stored.filter(~stored["_matters"]).drop(
        "_matters"
    )


def _seen(rows: ir.Table) -> ir.DateValue:
    """The day on which all that is in a row is known."""
    clocks = [rows[c] for c in rows.columns if c.startswith("k_")]
    return ibis.greatest(rows.visible, *(ibis.coalesce(c, rows.visible) for c in clocks))


def _by_dates(rows: ir.Table, need: Need, exact: date) -> ir.BooleanValue:
    reaches = [need.days]
    for series in need.series:
        frame = getattr(series, "frame", None)
        if isinstance(series, Flow | Active | Different) and frame is not None and frame.reach is not None:
            reaches.append(frame.reach)
    matters = (_seen(rows) > ibis.literal(exact)) | (
        rows.day > ibis.literal(exact - timedelta(days=max(reaches)))
    )
    if any(isinstance(series, Stock) for series in need.series):
        matters |= rows.end_known.isnull() | (rows.end_known > ibis.literal(exact))
    return matters


def _best(engine: Engine, rows: ir.Table, need: Need, exact: date):  # type: ignore[no-untyped-def]
    """Per code the first and last days and times that values rest on, and what to hold against them."""
    past = rows.filter(_seen(rows) <= ibis.literal(exact))
    columns: dict[str, ir.Value] = {}
    tests: list[tuple[Series, str]] = []
    for series in need.series:
        name = f"_b{len(tests)}"
        match series:
            case Edge(where=where, last=last):
                day = (
                    past.day
                    if where is None
                    else ibis.ifelse(tallies.where_holds(past, where), past.day, ibis.null("date"))
                )
                columns[name] = day.max() if last else day.min()
            case Newest(column=column, where=where):
                told = past[f"n_{column}"].notnull()
                told = told if where is None else told & tallies.where_holds(past, where)
                columns[name] = ibis.ifelse(told, past.occurred, ibis.null("timestamp")).max()
            case _:
                continue
        tests.append((series, name))
    if not tests:
        return None
    table = engine.store("best", past.group_by("code").agg(**columns))

    def holds(met: ir.Table) -> list[ir.BooleanValue]:
        return [
            (met.occurred if isinstance(series, Newest) else met.day) == met[name] for series, name in tests
        ]

    return table, holds


def _first_appearances(
    marked: ir.Table, rows: ir.Table, series: Different, exact: date, number: int
) -> ir.Table:
    """Marks the rows of each key that are seen first."""
    key, seen = f"c_{series.column}", _seen(rows)
    past = rows.mutate(_seen=seen).filter(seen <= ibis.literal(exact))
    if series.where is not None:
        past = past.filter(tallies.where_holds(past, series.where))
    name = f"_k{number}"
    firsts = past.group_by("code", key).agg(**{name: past["_seen"].min()})
    met = marked.left_join(firsts, ["code", key]).drop("code_right", f"{key}_right")
    first = ibis.coalesce(_seen(met) == met[name], False)
    return met.mutate(_matters=met["_matters"] | first)


def carried(rows: ir.Table, sums: Iterable[Flow], before: ir.Table | None) -> ir.Table | None:
    """Sums since the beginning over `rows`, which no longer matter, and those of `before`: code, and a
    column per flow by its digest. None where no flow counts since the beginning."""
    columns = {digest(one): one for one in sums}
    if not columns:
        return None
    amounts = rows.select(
        "code",
        **{
            name: tallies.amount(rows, one.column, one.where, values=one.values)
            for name, one in columns.items()
        },
    )
    told = amounts.group_by("code").agg(**{name: tallies.whole(amounts[name].sum()) for name in columns})
    if before is not None:
        both = told.union(
            before.select("code", **{name: before[name].cast(told[name].type()) for name in columns})
        )
        told = both.group_by("code").agg(**{name: tallies.whole(both[name].sum()) for name in columns})
    return told


def as_tally(carried: ir.Table, sums: Mapping[str, Flow]) -> tallies.Daily:
    """`carried` (ix, digests) as a tally of a day long past."""
    past = ibis.literal(date(1, 1, 2))
    table = carried.select("ix", *sums, day=past, seen=past)
    return tallies.Daily(table, {one: name for name, one in sums.items()})
