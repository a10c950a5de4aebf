"""The words that expressions are made of mean the same on every engine: casts, rounding, days, order."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from retinue.project.project import Project, Settings
from retinue.warehouse.engine import Engine, connect
from retinue.warehouse.functions import instant, local
from tests.engines.conftest import Elsewhere
from tests.engines.differences import KNOWN

chance = random.Random(5)
FLOATS = [
    *(0.0, 1.0, -1.0, 0.5, -0.5, 1.5, 2.5, -2.5, 0.1, 1 / 3, 1e15, 1e16, 123456789012345.0, 1e-5, 1e-7),
    *(
        0.0000005,
        1.0000005,
        2.5000005,
        0.1234565,
        -0.1234565,
        1e11,
        -1e11,
        1e12,
        1e300,
        1e-300,
        99.99999999999,
    ),
    *(
        math.inf,
        -math.inf,
        math.nan,
        None,
        1001.0,
        2.0**53,
        2.0**53 + 2,
        0.49999999999999994,
        4503599627370497.5,
    ),
    *(chance.uniform(-1e6, 1e6) for _ in range(40)),
    *(chance.randrange(10**6) / 10**6 + 5e-7 for _ in range(40)),
]
TEXTS = [
    *(
        "b",
        "B",
        "a",
        "A",
        "é",
        "e",
        "f",
        "Z",
        "z",
        "_",
        "-",
        " a",
        "a ",
        "\ta\n",
        "",
        None,
        "10",
        "9",
        "ß",
        "ss",
    ),
    *("1.5", "-1.5e3", "1e400", "abc", "nan", "2024-02-30", "2024-02-29", "a.b", "x'y", 'x"y', "日本"),
]
DAYS = [date(2024, 2, 29), date(2023, 12, 31), date(2024, 1, 1), date(1999, 1, 3), None, date(2024, 3, 31)]


def table() -> pa.Table:
    size = len(FLOATS)
    return pa.table(
        {
            "n": pa.array(range(size), pa.int32()),
            "g": pa.array([n % 7 for n in range(size)], pa.int8()),
            "f": pa.array(FLOATS, pa.float64()),
            "i": pa.array(
                [None if n % 11 == 0 else (n * 7919) % 1000 - 500 for n in range(size)], pa.int64()
            ),
            "d": pa.array([Decimal(n * 37 % 997) / 8 - 50 for n in range(size)], pa.decimal128(18, 6)),
            "t": pa.array([TEXTS[n % len(TEXTS)] for n in range(size)], pa.string()),
            "b": pa.array([[True, False, None][n % 3] for n in range(size)], pa.bool_()),
            "day": pa.array([DAYS[n % len(DAYS)] for n in range(size)], pa.date32()),
            "at": pa.array(
                [datetime(2024, 3, 30, 23) + timedelta(minutes=37 * n) for n in range(size)],
                pa.timestamp("us"),
            ),
        }
    )


def over(t: ir.Table, *order: ir.Value) -> ir.Table:
    return ibis.window(group_by="g", order_by=[*order, t.n])


#: What is asked of the table, by what it is about.
QUESTIONS: dict[str, Callable[[ir.Table], dict[str, ir.Value]]] = {
    "floats as text": lambda t: {"x": t.f.cast("string")},
    "floats as whole numbers": lambda t: {
        "x": ibis.ifelse(t.f.abs() < 1e15, t.f, ibis.null("float64")).cast("int64")
    },
    "floats as decimals": lambda t: {
        "x": t.f.try_cast("decimal(18, 6)"),
        "y": t.f.try_cast("decimal(18, 2)"),
    },
    "rounding": lambda t: {
        "x": ibis.ifelse(t.f.abs() < 1e15, t.f, ibis.null("float64")).round().cast("float64"),
        "y": ibis.ifelse(t.f.abs() < 1e6, t.f, ibis.null("float64")).round(10),
        "z": ibis.ifelse(t.f.abs() < 1e15, t.f, ibis.null("float64")).floor().cast("float64"),
    },
    "no numbers": lambda t: {"x": t.f.isnan(), "y": t.f.isinf(), "z": t.f > 5, "w": t.f.isnull()},
    "decimals": lambda t: {
        "x": t.d.cast("string"),
        "y": (t.d * t.d).try_cast("decimal(18, 6)"),
        "z": t.d.try_cast("decimal(4, 2)"),
        "w": t.d.cast("float64") / 3,
    },
    "whole numbers": lambda t: {
        "x": t.i.cast("string"),
        "y": t.i / 4,
        "z": t.i // 4,
        "w": t.i.try_cast("decimal(18, 3)"),
        "v": t.i.cast("float64") / ibis.ifelse(t.i == 0, ibis.null("int64"), t.i),
    },
    "text as numbers": lambda t: {"x": t.t.try_cast("float64"), "y": t.t.try_cast("decimal(18, 6)")},
    "text as days": lambda t: {"x": t.t.try_cast("date")},
    "text": lambda t: {
        "x": t.t.strip(),
        "y": t.t.strip().lower().isin(["a", "b"]),
        "z": t.t.contains("."),
        "w": t.t.split(".")[0],
        "v": t.t.re_search(r"^[+-]?\d+$"),
        "u": t.t + "-" + t.t,
        "s": t.t.nullif("a"),
    },
    "flags": lambda t: {"x": t.b.cast("int8"), "y": t.b.cast("string"), "z": ~t.b, "w": t.b.fill_null(False)},
    "days": lambda t: {
        "x": (t.day + ibis.interval(days=1)).cast("date"),
        "y": (t.day + t.g.cast("int32").as_interval("D")).cast("date"),
        "z": t.day.delta(ibis.date("2024-01-01"), unit="day"),
        "w": t.day.day_of_week.index(),
        "v": t.day.cast("string"),
        "u": t.day.cast("timestamp"),
        "s": t.day > ibis.date("2024-01-01"),
    },
    "clocks": lambda t: {
        "x": t["at"].date(),
        "y": local("Australia/Sydney", instant("Europe/Berlin", t["at"])),
        "z": (t["at"] - ibis.interval(seconds=6 * 3600)).date(),
        "w": t["at"].cast("string"),
    },
    "the first of nothing": lambda t: {
        "x": ibis.greatest(t.i, t.n),
        "y": ibis.least(t.day, ibis.date("2024-01-01")),
        "z": ibis.coalesce(t.i, -1),
        "w": t.i.identical_to(ibis.null("int64")),
        "v": ibis.cases((t.i > 0, "more"), (t.i < 0, "less"), else_=ibis.null("string")),
    },
    "order of text": lambda t: {
        "x": ibis.row_number().over(over(t, t.t)),
        "y": t.t.max().over(ibis.window(group_by="g")),
        "z": ibis.row_number().over(over(t, t.t.desc())),
    },
    "windows": lambda t: {
        "x": t.i.sum().over(ibis.cumulative_window(group_by="g", order_by="n")),
        "y": t.i.lag().over(over(t)),
        "z": t.d.sum().over(ibis.window(group_by="g")),
        "w": t.i.max().over(ibis.window(group_by="g", order_by="n", rows=(None, -1))),
    },
    "powers": lambda t: {"x": ibis.literal(2.0) ** (-t.i.cast("float64").abs() / 100)},
}


def rows(engine: Engine, question: Callable[[ir.Table], dict[str, ir.Value]]) -> list[dict[str, object]]:
    """Answers, as one question and as stored and read again."""
    told = engine.memory(table())
    asked = told.select("n", **question(told))
    stored = engine.arrow(engine.store("asked", asked).order_by("n")).to_pylist()
    assert repr(stored) == repr(engine.arrow(asked.order_by("n")).to_pylist())
    return stored


def project(engine: str) -> Project:
    settings = {
        "project": "t",
        "timezone": "Australia/Sydney",
        "engine": engine,
        "accounts": {"table": "none"},
    }
    return Project(Path(), Settings.model_validate(settings), {}, ())


def test_every_expression_has_the_values_of_duckdb(elsewhere: Elsewhere) -> None:
    wrong = []
    with connect(project("duckdb")) as here, connect(project(elsewhere.url)) as there:
        for about, question in QUESTIONS.items():
            pairs = zip(rows(here, question), rows(there, question), strict=True)
            unlike = [(ours, theirs) for ours, theirs in pairs if repr(ours) != repr(theirs)]
            if (elsewhere.name, about) in KNOWN:
                assert unlike, f"{about} is the same now"
                continue
            for ours, theirs in unlike:
                wrong.append(f"{about}: {ours} and {theirs}, of {table().slice(ours['n'], 1).to_pylist()}")
    assert wrong == []


def test_names_that_must_be_quoted_stay_what_they_are(elsewhere: Elsewhere) -> None:
    names = ["select", "Mixed Case", 'a "quoted" one', "50 % of it", "semi;colon", "at", "ünïcode", ":x"]
    told = pa.table({name: pa.array([n, None], pa.int64()) for n, name in enumerate(names)})
    with connect(project(elsewhere.url)) as engine:
        stored = engine.store("named", engine.memory(told))
        assert engine.arrow(stored).to_pylist() == told.to_pylist()
        renamed = stored.mutate(**{f"{name} too": stored[name] + 1 for name in names}).filter(
            stored["at"] == 5
        )
        assert engine.arrow(renamed)["Mixed Case too"].to_pylist() == [2]
