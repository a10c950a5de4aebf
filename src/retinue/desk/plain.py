"""Dataclasses as plain JSON and back, for what is kept between one process and the next."""

from __future__ import annotations

import base64
import dataclasses
import math
import types
from datetime import date
from typing import Any, Union, get_args, get_origin, get_type_hints

import pyarrow as pa


def plain(value: Any) -> Any:
    """JSON values: nan and infinity become None, dates ISO texts, tables the text of their bytes."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, pa.Table):
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, value.schema) as writer:
            writer.write_table(value)
        return base64.b64encode(sink.getvalue()).decode()
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, date):
        return value.isoformat()
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def rebuilt(kind: Any, told: Any) -> Any:
    """The value of that type whose `plain` form is `told`: numbers that cannot be told are nan again.

    Raises KeyError, TypeError or ValueError for what is of another form.
    """
    origin, inside = get_origin(kind), get_args(kind)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        hints = get_type_hints(kind)
        names = [field.name for field in dataclasses.fields(kind)]
        return kind(**{name: rebuilt(hints[name], told[name]) for name in names})
    if origin in (Union, types.UnionType):
        return None if told is None else rebuilt(next(one for one in inside if one is not type(None)), told)
    if origin is tuple:
        if inside[1:] in ((), (...,)):
            return tuple(rebuilt(inside[0], one) for one in told)
        return tuple(rebuilt(one, value) for one, value in zip(inside, told, strict=True))
    if origin is dict:
        return {key: rebuilt(inside[1], one) for key, one in told.items()}
    if kind is float:
        return math.nan if told is None else float(told)
    if kind is date:
        return date.fromisoformat(told)
    if kind is pa.Table:
        return pa.ipc.open_stream(base64.b64decode(told)).read_all()
    return told
