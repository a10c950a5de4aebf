"""Conditions over whole columns: the answers of `project.conditions.evaluate`, for all accounts at once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from retinue.project.conditions import (
    Comparison,
    Condition,
    Every,
    Membership,
    Missing,
    Not,
    Some,
    Value,
    evaluate,
)

Flags = NDArray[np.bool_]


def holds(condition: Condition, columns: Mapping[str, pa.Array], rows: int) -> Flags:
    """For which rows the condition holds. A column that is not there is missing everywhere.

    Each comparison is decided once per distinct value, by the rules for a single account.
    """
    match condition:
        case Every(parts=parts):
            return _flags(np.logical_and.reduce([holds(part, columns, rows) for part in parts]))
        case Some(parts=parts):
            return _flags(np.logical_or.reduce([holds(part, columns, rows) for part in parts]))
        case Not(part=part):
            return ~holds(part, columns, rows)
        case Missing(name=name):
            column = columns.get(name)
            return np.ones(rows, bool) if column is None else _flags(pc.is_null(column, nan_is_null=True))
        case Comparison(name=name) | Membership(name=name):
            column = columns.get(name)
            if column is None:
                return np.zeros(rows, bool)
            numbers = _numbers(condition, column)
            return numbers if numbers is not None else _by_value(condition, name, column)


def _numbers(condition: Comparison | Membership, column: pa.Array) -> Flags | None:
    """Numbers against a number: without looking at each distinct value."""
    if not isinstance(condition, Comparison) or not _is_number(condition.value):
        return None
    if not (pa.types.is_floating(column.type) or pa.types.is_integer(column.type)):
        return None
    compare = {
        "=": pc.equal, "!=": pc.not_equal, "<": pc.less, "<=": pc.less_equal,
        ">": pc.greater, ">=": pc.greater_equal,
    }[condition.op]  # fmt: skip
    column = pc.if_else(pc.is_null(column, nan_is_null=True), None, column)
    return _flags(pc.fill_null(compare(column, condition.value), False))


def _is_number(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _by_value(condition: Comparison | Membership, name: str, column: pa.Array) -> Flags:
    encoded = pc.dictionary_encode(column)
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    values = encoded.dictionary.to_pylist()
    answers = [evaluate(condition, {name: _value(value)}) for value in values]
    place = pc.fill_null(encoded.indices, len(values)).to_numpy(zero_copy_only=False)
    found: Flags = np.array([*answers, False], bool)[place]
    return found


def _value(value: object) -> object:
    if isinstance(value, float) and value != value:  # noqa: PLR0124 - nan
        return None
    return value if isinstance(value, str | int | float | bool | date) else None


def _flags(column: pa.Array | pa.ChunkedArray | Flags) -> Flags:
    if isinstance(column, np.ndarray):
        return column.astype(bool)
    return np.asarray(column.to_numpy(zero_copy_only=False), bool)
