"""The dataclasses of the desk as JSON, and as the schemas that say what that JSON is.

Fields and properties become keys. Times are in UTC with a Z, dates in ISO form; NaN and infinity are null.
"""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, date, datetime
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, create_model

#: What stands for None where it is a key of a mapping: accounts without a band, or without the value.
NONE = "none"


def plain(value: Any) -> Any:
    """The value as JSON has it."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, datetime):
        aware = value.replace(tzinfo=UTC) if value.tzinfo is None else value
        return aware.isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if dataclasses.is_dataclass(value):
        kind: Any = type(value)
        return {name: plain(getattr(value, name)) for name in _names(kind)}
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, Mapping):
        return {NONE if key is None else str(key): plain(one) for key, one in value.items()}
    if isinstance(value, Collection):
        return [plain(one) for one in value]
    if hasattr(value, "item"):  # a number of NumPy
        return plain(value.item())
    return str(value)


@cache
def shape(kind: Any, name: str | None = None) -> type[BaseModel]:
    """The model of a dataclass: what `plain` makes of it. `name` is what the document calls it."""
    name = name or kind.__name__.lstrip("_")
    hints = typing.get_type_hints(kind)
    fields: dict[str, Any] = {}
    for key in _names(kind):
        hint = hints[key] if key in hints else _returned(kind, key)
        fields[key] = (_shaped(hint), ...)
    config = ConfigDict(title=name, extra="forbid")
    model: type[BaseModel] = create_model(name, __config__=config, __doc__=kind.__doc__, **fields)
    return model


@cache
def _names(kind: Any) -> tuple[str, ...]:
    """Fields, then public properties."""
    fields = [field.name for field in dataclasses.fields(kind) if not field.name.startswith("_")]
    told = [
        name
        for base in reversed(kind.__mro__)
        for name, value in vars(base).items()
        if isinstance(value, property) and not name.startswith("_") and name not in fields
    ]
    return tuple(dict.fromkeys([*fields, *told]))


def _returned(kind: type[Any], name: str) -> Any:
    getter = getattr(kind, name).fget
    return typing.get_type_hints(getter).get("return", Any)


def _shaped(hint: Any) -> Any:
    """The type of what `plain` makes of a value of this type."""
    if hint in (Any, None, type(None), str, int, bool, date, datetime):
        return hint
    if hint is float:
        return float | None
    if dataclasses.is_dataclass(hint):
        kind: Any = hint
        return shape(kind)
    origin, args = get_origin(hint), get_args(hint)
    if origin is typing.Annotated:
        return _shaped(args[0])
    if origin is Literal:
        return hint
    if origin in (Union, types.UnionType):
        return Union[tuple(_shaped(arg) for arg in args)]  # noqa: UP007 - made while it runs
    if origin is tuple and not (len(args) == 2 and args[1] is Ellipsis):
        items = {_shaped(arg) for arg in args}
        return list[Union[tuple(items)]] if items else list[Any]  # type: ignore[misc]  # noqa: UP007
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return dict[str, _shaped(args[1])]  # type: ignore[misc]
    if isinstance(origin, type) and issubclass(origin, Sequence | Collection):
        return list[_shaped(args[0])]  # type: ignore[misc]
    return Any
