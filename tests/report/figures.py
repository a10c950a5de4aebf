"""Whether every figure of a result is on its page: changed by itself, it must change the page."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Collection, Iterator
from datetime import date, timedelta
from typing import Any

import numpy as np


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every figure and text of a report by its path."""
    if dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from leaves(getattr(value, field.name), f"{path}.{field.name}".lstrip("."))
    elif isinstance(value, dict):
        for key, one in value.items():
            yield from leaves(one, f"{path}.{key}")
    elif isinstance(value, tuple):
        for n, one in enumerate(value):
            yield from leaves(one, f"{path}.{n}")
    else:
        yield path, value


def with_leaf(value: Any, path: list[str], new: Any) -> Any:
    if not path:
        return new
    head, *rest = path
    if dataclasses.is_dataclass(value):
        return dataclasses.replace(value, **{head: with_leaf(getattr(value, head), rest, new)})
    if isinstance(value, dict):
        return {key: with_leaf(one, rest, new) if key == head else one for key, one in value.items()}
    return tuple(with_leaf(one, rest, new) if n == int(head) else one for n, one in enumerate(value))


def other(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if value is None:
        return "otherwise"
    if isinstance(value, int):
        return value + 137
    if isinstance(value, float):
        return 0.4711 if math.isnan(value) else value * 0.5 + 0.1613
    if isinstance(value, date):
        return value + timedelta(days=400)
    if len(value) == 10 and value[4] == value[7] == "-":
        return "1999-12-31"
    return f"{value} otherwise"


def unseen_figures(
    result: Any, shown: Callable[[Any], str], unsaid: Collection[str]
) -> tuple[list[str], int]:
    """Paths of figures that the page does not depend on, and how many kinds of figures were tried.

    One entry of every list stands for all. `unsaid` are kinds, or whole paths, that need not be shown.
    """
    original, unseen, tried = shown(result), [], set()
    for path, value in leaves(result):
        kind = ".".join(part for part in path.split(".") if not part.isdigit())
        if kind in tried or kind in unsaid or path in unsaid or value is None:
            continue
        if isinstance(value, np.ndarray) or (isinstance(value, float) and math.isnan(value)):
            continue
        tried.add(kind)
        if shown(with_leaf(result, path.split("."), other(value))) == original:
            unseen.append(path)
    return unseen, len(tried)
