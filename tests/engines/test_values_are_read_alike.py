"""Families of expressions, each over values that engines are known to read differently.

What is known to differ has to, so that the list of it stays true.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir
import pyarrow as pa
import pytest
from ibis import _

from retinue.errors import Place
from retinue.project.project import Project, Settings
from retinue.project.sources import Clock
from retinue.warehouse import functions
from retinue.warehouse.engine import connect
from retinue.warehouse.facts import clocks, values
from retinue.warehouse.metrics import tallies
from retinue.warehouse.reading.raw import Raw
from tests.engines.conftest import Elsewhere
from tests.engines.differences import KNOWN

Expressions = dict[str, ir.Value]

TEXT = [
    *("2024-1-5", " 2024-12-31 ", "2024-02-30", "", " ", None, "1", "1.0", "1.50", "-7.000", "a.b.c", "ÄÖß"),
    *("false", "off", "\tx\n", "1d", "5f", "0x1F", "0x1p3", "1e400", "Infinity", '"q" \\ \'', "${x} $1"),
]
FLOATS = [
    *(1.0, 0.1, 1e7, 12345678.9, 123456789012345.0, 1e15, 1e16, 1.5e17, 1e-3, 1e-4, 0.00012345, 1e-5),
    *(1.5e-7, 0.0, -1e7, 2.5, -2.5, None, 1 / 3, 1.2345675, -0.0000005, 100.0, 2.0**53),
]
#: Among them hours that clocks in Sydney and New York skip, or show twice.
TIMES = [
    *(datetime(2024, 1, 1), datetime(2024, 4, 7, 2, 30), datetime(2024, 10, 6, 2, 30), None),
    *(datetime(2024, 11, 3, 1, 30), datetime(2024, 3, 10, 2, 30), datetime(1995, 5, 5, 5, 5, 5, 123456)),
    *(datetime(2024, 2, 29, 23, 59, 59, 999000), datetime(1950, 1, 1), datetime(2024, 4, 6, 15, 30)),
]
JSON = ['{"a": 1, "b": null, "c": "x\\"y", "d/e": [1, 2], "f": {"g": 1.5}}', "[1]", "{bad", '"s"', None, "{}"]


def rows() -> pa.Table:
    count = 48

    def filled(told: list[Any], kind: pa.DataType) -> pa.Array:
        return pa.array([told[n % len(told)] for n in range(count)], kind)

    numbers = [(n * 37) % 11 - 5 if n % 7 else None for n in range(count)]
    return pa.table(
        {
            "i": pa.array(range(count), pa.int64()),
            "s": filled(TEXT, pa.string()),
            "f": filled(FLOATS, pa.float64()),
            "t": filled(TIMES, pa.timestamp("us")),
            "z": filled([t and t.replace(tzinfo=UTC) for t in TIMES], pa.timestamp("us", "UTC")),
            "d": filled([t and t.date() for t in TIMES], pa.date32()),
            "n": pa.array(numbers, pa.int32()),
            "b": pa.array([n % 3 == 0 if n % 5 else None for n in range(count)]),
            "m": pa.array([Decimal(n * 12345 - 50000) / 100 for n in range(count)], pa.decimal128(18, 6)),
            "q": pa.array([Decimal(n * 7919 % 1000 + 1) / 1000 for n in range(count)], pa.decimal128(18, 9)),
            "j": filled(JSON, pa.string()),
        }
    )


def text(t: ir.Table) -> Expressions:
    keys = {f"key {c}": values.key(t[c]) for c in "sfndtmb"}
    return {
        **keys,
        "strip": t.s.strip(),
        "strip of all blanks": ibis.literal("\t\n\r\x0b\x0c fv \x0c\x0b").strip(),
        "lower": t.s.lower(),
        "upper": t.s.upper(),
        "search": t.s.re_search(r"^\d+\.0+$"),
        "replace": t.s.re_replace(r"(\d)\.(\d)", r"\2$\1"),
        "float": t.f.cast("string"),
        "day": t.d.cast("string"),
        "time": t.t.cast("string"),
        "decimal": t.m.cast("string"),
        "flag": t.b.cast("string"),
        "joined": ibis.literal("it's \\ ") + t.s + ibis.literal(" ${y}\n"),
    }


def numbers(t: ir.Table) -> Expressions:
    return {
        "double": t.s.try_cast("float64"),
        "decimal of text": t.s.strip().try_cast("decimal(18, 6)"),
        "decimal of double": t.f.try_cast("decimal(18, 6)"),
        "ten decimals": ibis.ifelse(t.f.abs() < 1e7, t.f / 7e4, t.m.cast("float64") / 7e3).round(10),
        "tie of ten decimals": ibis.ifelse(t.i == 0, 70.00000000005, t.f / 1e6).round(10),
        "number 1_000": ibis.ifelse(t.i == 0, "1_000", t.s).try_cast("float64"),
        "product": (t.m.cast("decimal(18, 6)").cast("decimal(27, 9)") * t.q.cast("decimal(27, 9)")).try_cast(
            "decimal(18, 6)"
        ),
        "product of columns": values.product(t.m, t.q, 2),
        "whole": ibis.literal(10**12, "int64") // ibis.ifelse(t.n > 0, t.n, 3).cast("int64"),
        "whole below zero": t.n // 3,
        "greatest": ibis.greatest(t.n, 2),
        "code": ibis.cases((t.n > 0, 1), (t.n.isnull(), 3), else_=0).cast("int8"),
        "same": t.n.identical_to(t.n.nullif(3)),
    }


def days(t: ir.Table) -> Expressions:
    return {
        "sunday": tallies.sunday(t.d),
        "moved": tallies.plus(t.d, t.n),
        "moved back": tallies.plus(t.d, -3),
        "between": t.d.delta(ibis.date("2024-01-31"), unit="day").cast("int64"),
        "weekday": t.d.day_of_week.index().cast("int32"),
        "later": ibis.greatest(t.d, ibis.date("2024-05-05")),
        "date of text": t.s.nullif("Infinity").try_cast("date"),
        "of time": t.t.date(),
    }


def times(t: ir.Table) -> Expressions:
    raw = Raw("rows", Place("rows"), t, lambda: t)
    found: Expressions = {}
    for column, zone, closes in (("t", "America/New_York", 0), ("t", "Australia/Sydney", 6), ("z", "UTC", 3)):
        zones = clocks.Zones(zone, "Australia/Sydney", timedelta(hours=closes))
        read = clocks.read(raw, Clock(column=column, plus="2d"), "occurred_at", zones)
        found |= {f"{column} {zone} at": read.at, f"{column} {zone} known": read.known}
    found["instant"] = functions.local("UTC", functions.instant("America/New_York", t.t))
    return found


def windows(t: ir.Table) -> Expressions:
    so_far = ibis.cumulative_window(group_by="b", order_by="i")
    return {
        "running sum": t.m.sum().over(so_far),
        "before": t.n.lag().over(ibis.window(group_by="b", order_by="i")),
        "after": t.n.lead().over(ibis.window(group_by="b", order_by="i")),
        "number": ibis.row_number().over(ibis.window(group_by="b", order_by=[t.n, t.f.desc(), t.i])),
        "count": t.n.count().over(ibis.window(group_by=t.n)),
        "most": t.d.max().over(so_far),
    }


def json(t: ir.Table) -> Expressions:
    return {
        "row": functions.row_json(t, ["s", "f", "n", "b", "m", "d", "t"]),
        "quoted": functions.json_text(t.s),
        "control mark": functions.json_text(ibis.ifelse(t.i == 0, "\x0b", t.s)),
    }


FAMILIES: tuple[Callable[[ir.Table], Expressions], ...] = (text, numbers, days, times, windows, json)


def project(engine: str) -> Project:
    told = {
        "project": "test",
        "timezone": "Australia/Sydney",
        "engine": engine,
        "accounts": {"table": "a", "key": "id"},
    }
    return Project(root=Path(), settings=Settings.model_validate(told), metrics={}, scorecards=())


def answers(engine: str, family: Callable[[ir.Table], Expressions]) -> dict[str, list[Any]]:
    with connect(project(engine)) as connected:
        table = connected.memory(rows())
        return connected.arrow(table.select("i", **family(table)).order_by(_.i)).to_pydict()


def same(one: Any, other: Any) -> bool:
    both_nan = isinstance(one, float) and isinstance(other, float) and math.isnan(one) and math.isnan(other)
    return one == other or both_nan


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
def test_expressions_give_what_they_give_on_duckdb(
    family: Callable[[ir.Table], Expressions], elsewhere: Elsewhere
) -> None:
    here, there = answers("duckdb", family), answers(elsewhere.url, family)
    wrong = {
        name: [pair for pair in zip(here[name], there[name], strict=True) if not same(*pair)][:3]
        for name in here
    }
    expected = {name for engine, name in KNOWN if engine == elsewhere.name and name in here}
    assert {name: pairs for name, pairs in wrong.items() if pairs and name not in expected} == {}
    assert {name for name in expected if wrong[name]} == expected


def test_a_range_of_days_has_a_row_for_each(elsewhere: Elsewhere) -> None:
    def spread(engine: str) -> list[Any]:
        with connect(project(engine)) as connected:
            spans = connected.memory(
                pa.table(
                    {"a": [date(2024, 2, 27), date(2024, 5, 1)], "b": [date(2024, 3, 2), date(2024, 5, 1)]}
                )
            )
            day = ibis.range(spans.a.cast("timestamp"), spans.b.cast("timestamp"), ibis.interval(days=1))
            found = connected.arrow(spans.select("a", day=day.unnest()).order_by("a", "day"))
            return [told.date() for told in found["day"].to_pylist()]

    assert (
        spread(elsewhere.url)
        == spread("duckdb")
        == [date(2024, 2, 27 + n) for n in range(3)] + [date(2024, 3, 1)]
    )
