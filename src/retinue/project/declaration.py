"""What all declarations share: they are frozen and forbid unknown keys."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, PlainSerializer, WithJsonSchema

from retinue.period import Period
from retinue.project import conditions


class Declaration(BaseModel):
    """Base of everything that is said in YAML."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


CONDITION_TYPES = (
    conditions.Comparison,
    conditions.Membership,
    conditions.Missing,
    conditions.Every,
    conditions.Some,
    conditions.Not,
)

#: Longer spans are mistakes, and would leave the range of dates.
_MOST_DAYS = 36525


def _when(value: Any) -> Any:
    if isinstance(value, str):
        return conditions.parse(value)
    if isinstance(value, CONDITION_TYPES):
        return value
    raise ValueError("write a condition such as `overdue_amount > 0 and segment = smb`")


def _where(value: Any) -> Any:
    if isinstance(value, dict) and value:
        return conditions.where_mapping(value)
    if isinstance(value, (str, *CONDITION_TYPES)):
        return _when(value)
    raise ValueError("write columns and values such as `{event: [login, edit]}`, or a condition")


def _period(value: Any) -> Period:
    period = Period.parse(value)
    if period.days > _MOST_DAYS:
        raise ValueError(f"{value} is longer than a hundred years")
    return period


def _lasting(period: Period) -> Period:
    if period.days < 1:
        raise ValueError("this needs at least one day: `1d`")
    return period


def _day(value: Any) -> Any:
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(value) if len(value) == 10 else date.fromisoformat("")
    except (TypeError, ValueError):
        raise ValueError(f"not a date: {value!r}; write one such as 2024-03-31") from None


def _time_of_day(value: Any) -> Any:
    if isinstance(value, timedelta):
        return value
    match = re.fullmatch(r"([01]?\d|2[0-3]):([0-5]\d)", value) if isinstance(value, str) else None
    if match is None:
        raise ValueError('write a time of day such as "06:00"')
    return timedelta(hours=int(match[1]), minutes=int(match[2]))


def _show_time(value: timedelta) -> str:
    minutes = int(value.total_seconds()) // 60
    return f"{minutes // 60:02}:{minutes % 60:02}"


_PERIOD_SCHEMA = WithJsonSchema(
    {"type": "string", "pattern": r"^\s*\d+\s*[dw]\s*$", "examples": ["28d", "8w"]}
)
_WHERE_VALUE = {"type": ["string", "number", "boolean"]}

# Serialised in one canonical form, so that two ways to write a condition share a fingerprint.
When = Annotated[
    Any,
    BeforeValidator(_when),
    PlainSerializer(conditions.show, return_type=str),
    WithJsonSchema({"type": "string", "minLength": 1, "examples": ["overdue_amount > 0"]}),
]
Where = Annotated[
    Any,
    BeforeValidator(_where),
    PlainSerializer(conditions.show, return_type=str),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "minLength": 1},
                {
                    "type": "object",
                    "minProperties": 1,
                    "additionalProperties": {
                        "anyOf": [_WHERE_VALUE, {"type": "array", "minItems": 1, "items": _WHERE_VALUE}]
                    },
                },
            ],
            "examples": [{"event": ["login", "edit"]}, "plan = pro and seats > 5"],
        }
    ),
]
Span = Annotated[Period, BeforeValidator(_period), PlainSerializer(str, return_type=str), _PERIOD_SCHEMA]
#: A span of at least one day.
Length = Annotated[Span, AfterValidator(_lasting)]
Day = Annotated[
    date,
    BeforeValidator(_day),
    WithJsonSchema({"type": "string", "format": "date", "examples": ["2024-03-31"]}),
]
#: From midnight; written as hours and minutes.
TimeOfDay = Annotated[
    timedelta,
    BeforeValidator(_time_of_day),
    PlainSerializer(_show_time, return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^\d{1,2}:\d{2}$", "examples": ["06:00"]}),
]
