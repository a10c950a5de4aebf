"""Amounts in other currencies, converted at the rate of their day."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import cast

import ibis
import ibis.expr.types as ir

from retinue.errors import Problem, SourceError
from retinue.project.project import Project
from retinue.project.sources import Column, Table
from retinue.warehouse.engine import Engine
from retinue.warehouse.facts import clocks, values
from retinue.warehouse.reading import raw as tables
from retinue.warehouse.reading.raw import Raw

_RATE = "decimal(18, 9)"


@dataclass(frozen=True)
class Rates:
    """Rates by day. `by_day`: currency, rate_day, rate (units of `home` for one unit).

    `last` is the last day with a rate of its own; later days use its rates.
    """

    home: str
    by_day: ir.Table | None
    last: date
    problems: tuple[Problem, ...] = ()

    def lookup(self, rows: ir.Table, currency: str, day: ir.DateValue, to: str) -> ir.Table:
        """`rows` with the column `to`: the rate of the currency in column `currency` on `day`."""
        if self.by_day is None:
            return rows.mutate(
                **{to: ibis.ifelse(rows[currency] == self.home, 1, ibis.null("int8")).cast(_RATE)}
            )
        rates = self.by_day.select(
            **{
                f"{to} currency": self.by_day.currency,
                f"{to} day": self.by_day.rate_day,
                to: self.by_day.rate,
            }
        )
        keyed = rows.mutate(**{f"{to} at": ibis.least(day, ibis.date(self.last.isoformat()))})
        joined = keyed.left_join(
            rates, [keyed[currency] == rates[f"{to} currency"], keyed[f"{to} at"] == rates[f"{to} day"]]
        )
        rate = ibis.ifelse(joined[currency] == self.home, ibis.literal(1).cast(_RATE), joined[to])
        return joined.mutate(**{to: rate}).drop(f"{to} currency", f"{to} day", f"{to} at")


def load(engine: Engine, project: Project) -> Rates:
    """The declared rates; rows that are not rates are named in `problems`."""
    home = project.settings.currency or ""
    declared = project.settings.rates
    if declared is None:
        return Rates(home, None, date.max)
    place = Table(table=declared.table, database=declared.database)
    found = tables.read(engine, place, project.root, "rates")
    zones = clocks.Zones.of(project.settings)
    start = clocks.read(found, declared.valid_from, "valid_from", zones)
    rate = values.number(found, "rate", Column(column=declared.rate, scale=9))
    currency = values.key(found.column(declared.currency, "currency")).upper()
    read = found.table.select(currency=currency, start=start.day, rate=rate.value.cast(_RATE))
    sound = read.filter(read.currency.notnull() & read.start.notnull() & (read.rate > 0))
    # Two rates of one day: the lower, always.
    daily = engine.store("rates", sound.group_by("currency", "start").aggregate(rate=sound.rate.min()))
    sizes = engine.arrow(
        ibis.union(
            read.aggregate(n=read.count(), last=ibis.null("date")),
            sound.aggregate(n=sound.count(), last=sound.start.max()),
        ).order_by(ibis._.last.isnull().desc())
    ).to_pylist()
    unusable = sizes[0]["n"] - sizes[1]["n"]
    problems = (
        (Problem(f"rates: {unusable} rows are not rates and are left out", found.place, severity="warning"),)
        if unusable
        else ()
    )
    last = sizes[1]["last"] or date.max
    if last == date.max:
        return Rates(home, None, last, problems)
    after = daily.start.lead().over(ibis.window(group_by="currency", order_by="start"))
    final = ibis.date(last.isoformat()) + ibis.interval(days=1)
    spans = daily.mutate(until=ibis.coalesce(after, final))
    days = ibis.range(
        spans.start.cast("timestamp"), spans.until.cast("timestamp"), ibis.interval(days=1)
    ).unnest()
    by_day = spans.select("currency", "rate", rate_day=days).mutate(rate_day=ibis._.rate_day.cast("date"))
    return Rates(home, engine.store("rates_by_day", by_day), last, problems)


def currency_of(table: Raw, name: str, column: Column, project: Project) -> ir.StringValue:
    """The currency of each row's amount: the declared column, or the declared code."""
    if project.settings.currency is None:
        raise SourceError(
            f"{table.what}: `{name}` has a currency, but the project has none",
            hint="declare `currency` in retinue.yaml",
        )
    declared = str(column.currency)
    if declared not in table.table.columns and re.fullmatch(r"[A-Z]{3}", declared):
        return cast(ir.StringValue, ibis.literal(declared))
    return values.key(table.column(declared, f"currency of {name}")).upper()


def converted(amount: ir.NumericValue, rate: ir.Value, scale: int) -> ir.DecimalValue:
    """The amount in the project's currency; null where it is too large."""
    # DuckDB multiplies two decimals of up to 18 digits in 18 digits, and overflows; in 27 it does not.
    wide = amount.cast(f"decimal(18, {scale})").cast("decimal(27, 9)")
    return cast(ir.DecimalValue, (wide * rate.cast("decimal(27, 9)")).try_cast(f"decimal(18, {scale})"))
