"""When something happened or became known: columns of any kind as days and times.

A time becomes the wall clock of the project's timezone, without a zone. A date is a day
already and is never shifted by zones, nor by when a day closes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Self, cast

import ibis
import ibis.expr.types as ir

from retinue.errors import SourceError
from retinue.project.project import Settings
from retinue.project.sources import Clock
from retinue.warehouse.functions import instant, local, parse_time
from retinue.warehouse.reading.raw import Raw

_DAY = r"^\d{4}-\d{1,2}-\d{1,2}$"
_WALL = r"^\d{4}-\d{1,2}-\d{1,2}[T ]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?$"
_ZONED = r"^\d{4}-\d{1,2}-\d{1,2}[T ]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)? ?(Z|UTC|GMT|[+-]\d{2}(:?\d{2})?)$"
# As every engine reads it: with seconds, and with nothing before the zone.
_STRICT = r"^\d{4}-\d{1,2}-\d{1,2}[T ]\d{1,2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}(:?\d{2})?)$"
# What Python can tell; beyond it are the engine's own `infinity` and slips of the pen.
_FIRST_DAY, _LAST_DAY = ibis.date("0001-01-01"), ibis.date("9999-12-31")
_FIRST, _LAST = ibis.timestamp("0001-01-01"), ibis.timestamp("9999-12-31 23:59:59")


@dataclass(frozen=True)
class Zones:
    """The timezone of a table, that of the project, and when the project's day closes."""

    table: str
    project: str
    closes: timedelta

    @classmethod
    def of(cls, settings: Settings, table: str | None = None) -> Self:
        """Those of a project's table, which has the project's timezone if it names none."""
        return cls(table or settings.timezone, settings.timezone, settings.day_closes)


@dataclass(frozen=True)
class Time:
    """A clock's column, typed. `wrong` is true where there is a value that is not a time.

    `at` is the wall clock; `day` its day; `known` the day to whose knowledge it belongs.
    `shown` is how messages call it: its role, and its column where that has another name.
    """

    shown: str
    at: ir.TimestampValue
    day: ir.DateValue
    known: ir.DateValue
    empty: ir.BooleanValue
    wrong: ir.BooleanValue
    reason: ir.StringValue


def read(raw: Raw, clock: Clock, role: str, zones: Zones) -> Time:
    """The column of `clock` as times; raises SourceError where it cannot hold any."""
    column = raw.column(clock.column, role)
    shown = role if role == clock.column else f"{role} ({clock.column})"
    kind = column.type()
    reason = ibis.literal(f'{shown} "') + column.cast("string") + ibis.literal('" is not a date')
    shift = ibis.interval(days=clock.shift_days)
    if kind.is_date():
        # A common case, and the cheapest: dates stay dates.
        sound = column.between(_FIRST_DAY, _LAST_DAY)
        day = ibis.ifelse(sound, column + shift if clock.shift_days else column, ibis.null("date"))
        wrong = column.notnull() & ~sound.fill_null(False)
        return Time(shown, day.cast("timestamp"), day, day, column.isnull(), wrong, reason)
    if kind.is_timestamp():
        at, whole = _wall(column, zones), ibis.literal(False)
        empty = column.isnull()
    elif kind.is_string() or (clock.format and kind.is_integer()):
        at, whole, empty = _from_text(column.cast("string"), clock.format, zones)
    else:
        raise SourceError(
            f"{raw.what}: column {clock.column!r} for `{role}` holds {kind}, not dates",
            place=raw.place,
            hint="name a column of dates or times, or give its `format`",
        )
    sound = at.notnull() & at.between(_FIRST, _LAST)
    at = ibis.ifelse(sound, at, ibis.null("timestamp"))
    moved = at + shift if clock.shift_days else at
    day = moved.date()
    closes = ibis.interval(seconds=int(zones.closes.total_seconds()))
    known = ibis.ifelse(whole, day, (moved - closes).date()) if zones.closes else day
    return Time(
        shown,
        cast(ir.TimestampValue, moved),
        day,
        cast(ir.DateValue, known),
        empty,
        ~empty & ~sound.fill_null(False),
        reason,
    )


def _wall(column: ir.Column, zones: Zones) -> ir.Column:
    """A column of timestamps on the project's wall clock."""
    zone = column.type().timezone
    if zone is not None:
        return local(zones.project, column)
    if zones.table == zones.project:
        return column.cast("timestamp")
    return local(zones.project, instant(zones.table, column.cast("timestamp")))


def _from_text(
    column: ir.StringValue, pattern: str | None, zones: Zones
) -> tuple[ir.Value, ir.Value, ir.BooleanValue]:
    trimmed = column.strip()
    empty = trimmed.isnull() | (trimmed == "")
    if pattern is not None:
        parsed = parse_time(trimmed, pattern)
        hours = any(mark in pattern for mark in ("%H", "%I", "%T", "%X", "%c", "%s", "%z", "%Z"))
        return (_wall(parsed, zones) if hours else parsed), ibis.literal(not hours), empty
    is_day = trimmed.re_search(_DAY)
    none = ibis.null("timestamp")
    at = ibis.cases(
        (is_day, trimmed.try_cast("date").cast("timestamp")),
        (trimmed.re_search(_WALL), _wall(trimmed.try_cast("timestamp"), zones)),
        (trimmed.re_search(_STRICT), _zoned(trimmed, zones)),
        (trimmed.re_search(_ZONED), _zoned(_strict(trimmed), zones)),
        else_=none,
    )
    return at, is_day.fill_null(False), empty


def _zoned(text: ir.StringValue, zones: Zones) -> ir.Value:
    return local(zones.project, text.try_cast("timestamp('UTC')"))


def _strict(text: ir.StringValue) -> ir.StringValue:
    """A time with a zone as `_STRICT` has it."""
    zone = text.re_replace(r" ?(UTC|GMT|Z)$", "Z").re_replace(r" ([+-])", r"\1")
    return cast(ir.StringValue, zone.re_replace(r"^([^:]*:\d{2})(Z|[+-].*)$", r"\1:00\2"))
