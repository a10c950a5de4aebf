"""Conditions of `when` and `where` as Ibis expressions. A comparison with nothing is false."""

from __future__ import annotations

import hashlib
import operator
from collections.abc import Mapping
from functools import reduce

import ibis
import ibis.expr.types as ir

from retinue.project.conditions import (
    Comparison,
    Condition,
    Every,
    Membership,
    Missing,
    Not,
    Some,
    Value,
)

_OPERATORS = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_TRUE, _FALSE = ("true", "t", "yes", "y", "1"), ("false", "f", "no", "n", "0")


def flag(condition: Condition) -> str:
    """Name of the column that tells of each row of typed facts whether `condition` holds."""
    return "w_" + hashlib.sha256(repr(condition).encode()).hexdigest()[:12]


def holds(condition: Condition, names: Mapping[str, ir.Value]) -> ir.BooleanValue:
    """`condition` over the expressions in `names`; never null."""
    match condition:
        case Every(parts=parts):
            return reduce(operator.and_, (holds(part, names) for part in parts))
        case Some(parts=parts):
            return reduce(operator.or_, (holds(part, names) for part in parts))
        case Not(part=part):
            return ~holds(part, names)
        case Missing(name=name):
            return names[name].isnull()
        case Comparison(name=name, op=op, value=value):
            left, right = _alike(names[name], value)
            return ibis.coalesce(_OPERATORS[op](left, right), False)
        case Membership(name=name, values=values):
            return reduce(operator.or_, (holds(Comparison(name, "=", v), names) for v in values))


def _alike(column: ir.Value, value: Value) -> tuple[ir.Value, ir.Value]:
    """Both sides in one type: the literal decides for text columns, the column otherwise."""
    kind = column.type()
    if isinstance(value, bool):
        if kind.is_string():
            text = column.lower()
            flag = ibis.cases(
                (text.isin(_TRUE), True), (text.isin(_FALSE), False), else_=ibis.null("boolean")
            )
            return flag, ibis.literal(value)
        if kind.is_numeric():
            return column, ibis.literal(int(value))
        return column, ibis.literal(value)
    if isinstance(value, int | float):
        if kind.is_string():
            # Some engines read 1_000 as a thousand; as a value it is no number.
            plain = ibis.ifelse(column.contains("_"), ibis.null("string"), column)
            return plain.try_cast("float64"), ibis.literal(float(value))
        if kind.is_boolean():
            return column.cast("int8"), ibis.literal(value)
        return column, ibis.literal(value)
    if kind.is_string():
        return column, ibis.literal(value)
    if kind.is_date() or kind.is_timestamp():
        return column.cast("date"), ibis.literal(value).try_cast("date")
    return column.cast("string"), ibis.literal(value)
