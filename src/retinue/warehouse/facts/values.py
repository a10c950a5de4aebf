"""Columns of facts as values: keys, numbers, and plain values as they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import ibis
import ibis.expr.types as ir

from retinue.errors import SourceError
from retinue.project.sources import Column
from retinue.warehouse.reading.raw import Raw

_INTEGRAL = r"^[+-]?\d+\.0+$"
_NOT_NUMBERS = ("", "nan", "inf", "-inf", "+inf", "infinity", "-infinity", "+infinity")
_TOO_LARGE = 2.0**53
_BLANKS = (" ", "\t", "\n", "\r", "\v", "\f")


@dataclass(frozen=True)
class Number:
    """A column of numbers. `wrong` is true where there is a value that is not one, or too large."""

    value: ir.NumericValue
    wrong: ir.BooleanValue
    reason: ir.StringValue


def key(column: ir.Column) -> ir.StringValue:
    """A key of any type as text: trimmed, integral numbers without decimals, null where empty."""
    kind = column.type()
    if kind.is_floating():
        # Large doubles have no exact integral text; they are left as the engine writes them.
        small = ibis.ifelse(column.abs() < _TOO_LARGE, column, 0.5)
        text = ibis.ifelse(small == small.floor(), small.cast("int64").cast("string"), column.cast("string"))
        return cast(ir.StringValue, ibis.ifelse(column.isnan(), ibis.null("string"), text))
    if kind.is_integer():
        return cast(ir.StringValue, column.cast("string"))
    text = column.cast("string")
    # Trimming is costly, so only text with a blank at an end is.
    ends = _blank_start(text)
    for blank in _BLANKS:
        ends = ends | text.endswith(blank)
    trimmed = ibis.ifelse(ends, text.strip(), text)
    # The pattern is costly, so only text with a point in it is held against it.
    integral = ibis.ifelse(trimmed.contains("."), trimmed.re_search(_INTEGRAL), False)
    short = ibis.ifelse(integral, trimmed.split(".")[0], trimmed)
    return cast(ir.StringValue, short.nullif(""))


def plain(column: ir.Column) -> ir.Column:
    """A column as it is, with NaN and empty text as null."""
    kind = column.type()
    if kind.is_floating():
        return ibis.ifelse(column.isnan(), ibis.null(kind), column)
    if kind.is_string():
        empty = ibis.ifelse(_blank_start(column), column.strip() == "", False)
        return ibis.ifelse(empty, ibis.null("string"), column)
    return column


def _blank_start(text: ir.StringValue) -> ir.BooleanValue:
    """Whether a text begins with a blank, or has nothing in it."""
    return cast(ir.BooleanValue, text.ascii_str() <= 32)


def plain_value(raw: Raw, name: str, column: Column) -> ir.Value:
    """A declared column as it is; a product of two as the number that it is."""
    return plain(raw.column(column.column, name)) if column.times is None else number(raw, name, column).value


def number(raw: Raw, name: str, column: Column) -> Number:
    """A column of numbers: whole ones as int64, else decimal(18, scale); raises SourceError.

    Sums of decimals are exact, so they differ neither between runs nor between engines.
    """
    one = _number(raw, name, column.column, column.scale)
    if column.times is None:
        return one
    other = _number(raw, name, column.times, column.scale)
    value = product(one.value, other.value, column.scale)
    large = one.value.notnull() & other.value.notnull() & value.isnull()
    shown = f"{name} ({column.column} times {column.times}) is too large"
    reason = ibis.cases((one.wrong, one.reason), (other.wrong, other.reason), else_=shown)
    return Number(value, cast(ir.BooleanValue, one.wrong | other.wrong | large), reason)


def product(one: ir.NumericValue, other: ir.NumericValue, scale: int) -> ir.DecimalValue:
    """The product as decimal(18, scale); null where it is too large."""
    # DuckDB stops at a product that overflows, so that one is not multiplied in the first place.
    fits = (one.cast("float64") * other.cast("float64")).abs() < 10.0 ** (18 - scale)
    left = ibis.ifelse(fits, one, ibis.null(one.type())).try_cast("decimal(27, 9)")
    return cast(ir.DecimalValue, (left * other.try_cast("decimal(27, 9)")).try_cast(f"decimal(18, {scale})"))


def _number(raw: Raw, name: str, column: str, scale: int) -> Number:
    found = raw.column(column, name)
    shown = name if name == column else f"{name} ({column})"
    kind = found.type()
    decimal = f"decimal(18, {scale})"
    text = found.cast("string")
    if kind.is_boolean() or (kind.is_integer() and str(kind) != "uint64"):
        value = found.cast("int64")
        wrong: ir.Value = ibis.literal(False)
    elif kind.is_numeric():
        finite = found.notnull()
        if kind.is_floating():
            finite = finite & ~found.isnan() & ~found.isinf()
        value = found.try_cast(decimal)
        wrong = finite & value.isnull()
    elif kind.is_string():
        trimmed = found.strip().lower()
        yes_no = ibis.cases(
            (trimmed == "true", ibis.literal(1)),
            (trimmed == "false", ibis.literal(0)),
            else_=ibis.null("int8"),
        ).cast(decimal)
        number_like = ~trimmed.contains("_")
        value = ibis.coalesce(ibis.ifelse(number_like, trimmed.try_cast(decimal), ibis.null(decimal)), yes_no)
        wrong = value.isnull() & trimmed.notnull() & ~trimmed.isin(_NOT_NUMBERS)
    else:
        raise SourceError(
            f"{raw.what}: column {column!r} for `{name}` holds {kind}, not numbers",
            place=raw.place,
            hint="name a column of numbers",
        )
    large = (
        ibis.literal(True)
        if not kind.is_string()
        else (text.try_cast("float64").notnull() & ~text.contains("_"))
    )
    fault = ibis.ifelse(large, '" is too large', '" is not a number')
    reason = ibis.literal(f'{shown} "') + text + fault
    return Number(cast(ir.NumericValue, value), cast(ir.BooleanValue, wrong), reason)
