"""Reference pages of what can be declared, made from the models themselves."""

from __future__ import annotations

import inspect
import json
import re
import types
import typing
from collections.abc import Collection, Iterator
from datetime import date
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from retinue.period import Period
from retinue.project import metrics, scorecards, sources
from retinue.project import project as declared
from retinue.project.declaration import Declaration, TimeOfDay, When, Where

#: Annotations with a way of writing of their own. Compared one by one: not all can be hashed.
_NOTATIONS: tuple[tuple[Any, str], ...] = (
    (When, "[condition](#conditions)"),
    (Where, "[condition](#conditions), or a mapping of columns to values"),
    (TimeOfDay, 'time of day, such as `"06:00"`'),
    (sources.AClock, "column, or [clock](#clock)"),
    (sources.AColumn, "column, or [column](#column)"),
    (scorecards.Values, "value, or list of values"),
    (scorecards.Knots, "list of [value, points]"),
    (
        scorecards.Curve,
        "list of [value, points], or [points](#points), [steps](#steps), [target](#target), or `cohort`",
    ),
    (metrics.AnyMetric, "[metric](metrics.md)"),
)

_PLAIN = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    date: "date",
    Period: "[period](#periods)",
    Any: "anything",
}

_WRITTEN = """\
## How values are written

### Periods

Whole days or complete weeks, Monday to Sunday: `28d`, `8w`.

### Conditions

`name op value`, joined with `and`, `or`, `not` and parentheses: `overdue_amount > 0 and segment in (smb, mid)`.
The operators are `=`, `!=`, `<`, `<=`, `>`, `>=`, `in (a, b)`, `not in (a, b)`, `is missing` and `is not missing`.
A comparison with a missing value is false. A name with other than word characters is written in backticks, and a
text with spaces in quotes. Where a condition is about the columns of a source, a mapping does too:
`{event: [login, edit], beta: false}` means that all keys hold, and that a list allows any of its values.

### From the environment

`${NAME}` and `${NAME:-default}` are replaced in any value by the variable of the environment.
"""


def yaml_page() -> str:
    """Every key of `retinue.yaml` and of scorecards."""
    settings = _reachable(declared.Settings)
    cards = [model for model in _reachable(scorecards.Scorecard) if model not in settings]
    parts = [
        "# YAML keys\n",
        "A project is a folder with `retinue.yaml`, `metrics.yaml` (or files in `metrics/`) and a scorecard in each\n"
        "file of `scorecards/` (or documents of `scorecards.yaml`). Unknown keys are errors. Metrics have [a page of their own](metrics.md).\n",
        _WRITTEN,
        "## retinue.yaml\n",
        *(_section(model, top=model is declared.Settings) for model in settings),
        "## scorecards/NAME.yaml\n",
        *(_section(model, top=model is scorecards.Scorecard) for model in cards),
    ]
    return "\n".join(parts)


def metrics_page() -> str:
    """Every kind of metric."""
    shared = set(metrics.MetricBase.model_fields)
    own = list(metrics.KINDS)
    nested = dict.fromkeys(model for kind in own for model in _reachable(kind) if model is not kind)
    parts = [
        "# Kinds of metric\n",
        "A metric is declared under its name in `metrics.yaml`; the key that is present says its kind. A source is\n"
        "named as `usage`, a column of it as `usage.user`. Periods and conditions are written as on\n"
        "[the page of YAML keys](yaml.md#how-values-are-written).\n",
        "| kind | in short |",
        "|---|---|",
        *(f"| [`{kind.kind}`](#{kind.kind}) | {_cell(_short(kind))} |" for kind in own),
        "\n## Keys of every metric\n",
        _doc(metrics.MetricBase).rstrip() + "\n",
        _keys(metrics.MetricBase),
        *(f"## {kind.kind}\n\n{_doc(kind)}{_keys(kind, without=shared)}" for kind in own),
        *(f"## {_title(model)}\n\n{_doc(model)}{_keys(model)}" for model in nested),
    ]
    return (
        "\n".join(parts)
        .replace("](#periods)", "](yaml.md#periods)")
        .replace("](#conditions)", "](yaml.md#conditions)")
    )


def _section(model: type[BaseModel], *, top: bool) -> str:
    heading = "" if top else f"### {_title(model)}\n\n"
    return f"{heading}{_doc(model)}{_keys(model)}"


def _title(model: type[BaseModel]) -> str:
    return "".join(f" {c.lower()}" if c.isupper() else c for c in model.__name__).strip()


def _doc(model: type[BaseModel]) -> str:
    """The docstring of the model itself and a blank line; nothing where it has none."""
    own = model.__doc__ if "__doc__" in vars(model) else None
    return inspect.cleandoc(own) + "\n\n" if own else ""


def _short(model: type[BaseModel]) -> str:
    """The first sentence of a docstring."""
    first = " ".join(_doc(model).partition("\n\n")[0].split())
    return re.split(r"\. ", first)[0].rstrip(".")


def _keys(model: type[BaseModel], *, without: Collection[str] = ()) -> str:
    """A table of keys; with a column of meanings where a field has a description."""
    hints = typing.get_type_hints(model, include_extras=True)
    fields = {name: field for name, field in model.model_fields.items() if name not in without}
    told = any(field.description for field in fields.values())
    rows = ["| key | value | default |", "|---|---|---|"]
    if told:
        rows = ["| key | value | default | meaning |", "|---|---|---|---|"]
    for name, field in fields.items():
        value = _cell(_shown(hints[name]) + _limits(field))
        meaning = f" {_cell(field.description or '')} |" if told else ""
        rows.append(f"| `{field.alias or name}` | {value} | {_default(field)} |{meaning}")
    return "\n".join([*rows, ""])


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _shown(hint: Any) -> str:
    """An annotation in words."""
    for known, words in _NOTATIONS:
        if hint == known:
            return words
    origin, args = get_origin(hint), get_args(hint)
    if origin is typing.Annotated:
        return _shown(args[0])
    if origin is Literal:
        return " or ".join(f"`{value}`" for value in args)
    if origin in (typing.Union, types.UnionType):
        return ", or ".join(dict.fromkeys(_shown(arg) for arg in args if arg is not type(None)))
    if origin is dict:
        return f"mapping of {'names' if args[0] is str else _shown(args[0])} to {_shown(args[1])}"
    if origin is tuple and len(args) == 2 and args[1] is Ellipsis:
        return f"list of {_shown(args[0])}"
    if origin is tuple:
        return "list of " + ", ".join(_shown(arg) for arg in args)
    if inspect.isclass(hint) and issubclass(hint, Declaration):
        return f"[{_title(hint)}](#{_title(hint).replace(' ', '-')})"
    if hint not in _PLAIN:
        raise TypeError(f"say in docs/declared.py how a {hint} is written")
    return _PLAIN[hint]


def _limits(field: FieldInfo) -> str:
    """Bounds of a number, such as `, 0 to 1`."""
    low = next((m.ge for m in field.metadata if hasattr(m, "ge")), None)
    above = next((m.gt for m in field.metadata if hasattr(m, "gt")), None)
    high = next((m.le for m in field.metadata if hasattr(m, "le")), None)
    if low is not None and high is not None:
        return f", {low} to {high}"
    if low is not None:
        return f", at least {low}"
    return f", above {above}" if above is not None else ""


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if value is None or value in ({}, ()):
        return ""
    if isinstance(value, BaseModel):
        return "its defaults"
    if isinstance(value, str):
        return f"`{value}`"
    return f"`{json.dumps(value, default=str)}`"


def _reachable(model: type[Declaration]) -> list[type[Declaration]]:
    """The model and every declaration below it, nearest first; metrics are left to their page."""
    found: dict[type[Declaration], None] = {model: None}
    queue = [model]
    while queue:
        hints = typing.get_type_hints(queue.pop(0), include_extras=True)
        for below in (part for hint in hints.values() for part in _classes(hint)):
            if below not in found and not issubclass(below, metrics.MetricBase):
                found[below] = None
                queue.append(below)
    return list(found)


def _classes(hint: Any) -> Iterator[type[Declaration]]:
    if inspect.isclass(hint) and issubclass(hint, Declaration):
        yield hint
    for arg in get_args(hint):
        yield from _classes(arg)
