"""What accounts did in their first days, counted as it was known then."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import ibis
import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.compute as pc
from ibis import _

from retinue.project.project import Project
from retinue.warehouse.engine import Engine
from retinue.warehouse.facts import money, sources
from retinue.warehouse.facts.sources import Wanted

#: A column with more different values says who or which, not what.
MOST = 50


@dataclass(frozen=True)
class Counted:
    """How often accounts did one thing: `rows` has ix and n{N} for each N, only of accounts that did it
    at all. `column` and `value` are None for the rows of a source as they are."""

    source: str
    column: str | None
    value: str | None
    rows: pa.Table

    @property
    def name(self) -> str:
        return self.source if self.column is None else f"{self.source}.{self.column}={self.value}"


@dataclass(frozen=True)
class FirstDays:
    """Of one source: the day of its first row, what was counted, columns with too many values."""

    source: str
    first: date | None
    counted: tuple[Counted, ...]
    left_out: tuple[str, ...]


def first_days(
    engine: Engine,
    project: Project,
    accounts: ir.Table,
    wanted: Mapping[str, Sequence[str]],
    days: Sequence[int],
) -> Iterator[FirstDays]:
    """Rows by account (`Facts.accounts`) in its first N days, for each N of `days`.

    `wanted` names columns by source: each of their values is counted by itself, beside all rows of
    the source. A row counts for N if it happened on one of the N days from the start on, and
    was known, its value too, on the day N days after the start. Columns that are numbers, or
    have more than 50 values, are left out. Raises SourceError.
    """
    rates = money.load(engine, project)
    started = accounts.filter(accounts.started_on.notnull()).select("ix", "started_on")
    for name, columns in wanted.items():
        engine.trace.stage(f"reading {name}")
        facts = sources.read(engine, project, name, Wanted(plain=frozenset(columns)), accounts, rates).table
        first = engine.arrow(facts.aggregate(first=_.day.min()))["first"][0].as_py()
        early = engine.store("first_days", _early(facts, started, columns, max(days)))
        counted = [Counted(name, None, None, _by_account(engine, early, "wait", days))]
        left_out = []
        for column in columns:
            told = early[f"c_{column}"]
            values = _values(engine, early, column) if told.type().is_string() else None
            if values is None:
                left_out.append(column)
                continue
            rows = _by_account(engine, early, f"wait_{column}", days, f"c_{column}")
            texts = rows[f"c_{column}"]
            for value in values:
                mine = rows.filter(pc.equal(texts, value)).drop_columns(f"c_{column}")
                counted.append(Counted(name, column, value, mine))
        yield FirstDays(name, first, tuple(counted), tuple(left_out))


def _early(facts: ir.Table, started: ir.Table, columns: Sequence[str], longest: int) -> ir.Table:
    """Rows of the first `longest` days: ix, age (days since the start), wait (age at which the row was
    known), and for each column its value and the age at which that was known."""
    joined = facts.join(started, "ix")

    def age(day: ir.DateValue) -> ir.IntegerValue:
        return day.delta(joined.started_on, unit="day").cast("int64")

    told: dict[str, ir.Value] = {"ix": joined.ix, "age": age(joined.day), "wait": age(joined.visible)}
    for column in columns:
        own = f"k_{column}"
        told[f"c_{column}"] = joined[f"c_{column}"]
        told[f"wait_{column}"] = age(joined[own]) if own in joined.columns else age(joined.visible)
    rows = joined.select(**told)
    return rows.filter((rows.age >= 0) & (rows.age < longest))


def _values(engine: Engine, early: ir.Table, column: str) -> list[str] | None:
    """The values of a column, None where there are too many, or all of them are numbers."""
    name = f"c_{column}"
    found = engine.arrow(early.filter(early[name].notnull()).select(name).distinct().limit(MOST + 1))
    values = sorted(found[name].to_pylist())
    return None if len(values) > MOST or (values and all(map(_is_number, values))) else values


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _by_account(
    engine: Engine, early: ir.Table, wait: str, days: Sequence[int], by: str | None = None
) -> pa.Table:
    """Counts by account for each N, and by the value of the column `by`."""
    keys = ["ix"] if by is None else ["ix", by]
    counts = {
        f"n{n}": ibis.ifelse((early.age < n) & (early[wait] <= n), 1, 0).sum().cast("int64") for n in days
    }
    rows = early if by is None else early.filter(early[by].notnull())
    return engine.arrow(rows.group_by(keys).aggregate(**counts).order_by(keys))
