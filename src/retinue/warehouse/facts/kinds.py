"""What a column of text holds: numbers, dates, yes or no, or text after all."""

from __future__ import annotations

from typing import Any, Literal

import ibis
import ibis.expr.types as ir

from retinue.warehouse.engine import Engine

Kind = Literal["text", "number", "date", "boolean"]

# Leading zeros are part of a name: postcodes, branch numbers.
_NUMBER = r"^[+-]?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$"
_DATE = r"^\d{4}-\d{2}-\d{2}$"
_TYPES: dict[Kind, str] = {"number": "float64", "date": "date", "boolean": "boolean", "text": "string"}


def of(engine: Engine, table: ir.Table, columns: list[str]) -> dict[str, Kind]:
    """The kind of each text column among `columns`: what all of its values are."""
    text = [name for name in columns if table[name].type().is_string()]
    if not text:
        return {}
    counts: dict[str, ir.Value] = {}
    for n, name in enumerate(text):
        value = table[name].strip()
        counts[f"any{n}"] = value.notnull().cast("int64").sum()
        counts[f"number{n}"] = _sum(value.re_search(_NUMBER) & value.try_cast("float64").notnull())
        counts[f"date{n}"] = _sum(value.re_search(_DATE) & value.try_cast("date").notnull())
        counts[f"boolean{n}"] = _sum(value.lower().isin(("true", "false")))
    told = engine.arrow(table.aggregate(**counts)).to_pylist()[0]
    return {name: _kind(told, n) for n, name in enumerate(text)}


def _sum(flag: ir.Value) -> ir.Value:
    return flag.fill_null(False).cast("int64").sum()


def _kind(told: dict[str, Any], n: int) -> Kind:
    if told[f"any{n}"]:
        kinds: tuple[Kind, ...] = ("number", "date", "boolean")
        for kind in kinds:
            if told[f"{kind}{n}"] == told[f"any{n}"]:
                return kind
    return "text"


def of_type(kind: Any) -> Kind:
    """The kind of an engine's type."""
    if kind.is_boolean():
        return "boolean"
    if kind.is_numeric():
        return "number"
    return "date" if kind.is_date() else "text"


def cast_text(column: ir.Value, kind: Kind) -> ir.Value:
    """A column of text as its kind; null where a value is something else."""
    if kind == "text":
        return column
    if kind == "boolean":
        lower = column.strip().lower()
        return ibis.cases((lower == "true", True), (lower == "false", False), else_=ibis.null("boolean"))
    return column.strip().try_cast(_TYPES[kind])
