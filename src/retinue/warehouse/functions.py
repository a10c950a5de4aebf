"""DuckDB functions that Ibis has no word for, in one place.

On another engine each needs a counterpart and a parity test:
`local` is `from_utc_timestamp` on Spark and `timezone` on PostgreSQL; `instant` is
`to_utc_timestamp` and `timezone`; `parse_time` is `try_to_timestamp` on Spark and has none
on PostgreSQL; `json_fields` is `get_json_object` and `#>>`; `row_json` is `to_json`.
"""

from __future__ import annotations

from typing import Any, cast

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir

_INSTANT = dt.Timestamp(timezone="UTC")


@ibis.udf.scalar.builtin(name="timezone", signature=((dt.string, _INSTANT), dt.timestamp))
def _local(zone: Any, instant: Any) -> Any: ...


@ibis.udf.scalar.builtin(name="timezone", signature=((dt.string, dt.timestamp), _INSTANT))
def _instant(zone: Any, wall: Any) -> Any: ...


@ibis.udf.scalar.builtin(name="try_strptime", signature=((dt.string, dt.string), dt.timestamp))
def _parse_wall(text: Any, pattern: Any) -> Any: ...


@ibis.udf.scalar.builtin(name="try_strptime", signature=((dt.string, dt.string), _INSTANT))
def _parse_instant(text: Any, pattern: Any) -> Any: ...


@ibis.udf.scalar.builtin(
    name="json_extract_string", signature=((dt.string, dt.Array(dt.string)), dt.Array(dt.string))
)
def _json_extract(text: Any, paths: Any) -> Any: ...


@ibis.udf.scalar.builtin(name="json_valid", signature=((dt.string,), dt.boolean))
def _json_valid(text: Any) -> Any: ...


@ibis.udf.scalar.builtin(name="json_type", signature=((dt.string,), dt.string))
def _json_type(text: Any) -> Any: ...


@ibis.udf.scalar.builtin(name="to_json", signature=((dt.string,), dt.string))
def _quoted(text: Any) -> Any: ...


def local(zone: str, instant: ir.Value) -> ir.TimestampValue:
    """The wall-clock time of an instant in `zone`."""
    return cast(ir.TimestampValue, _local(zone, instant))


def instant(zone: str, wall: ir.Value) -> ir.TimestampValue:
    """The instant at which clocks in `zone` show `wall`; a time that they skip moves on."""
    return cast(ir.TimestampValue, _instant(zone, wall))


def parse_time(text: ir.Value, pattern: str) -> ir.TimestampValue:
    """`text` read with a strptime pattern, null where it does not fit.

    The result is an instant where the pattern has a zone (%z, %Z), else a wall-clock time.
    """
    zoned = "%z" in pattern or "%Z" in pattern
    return cast(ir.TimestampValue, (_parse_instant if zoned else _parse_wall)(text, pattern))


def json_fields(line: ir.Value, names: list[str]) -> ir.ArrayValue:
    """The values of the keys `names` of a JSON object as text, in their order.

    All are null where `line` is not an object.
    """
    pointers = ["/" + name.replace("~", "~0").replace("/", "~1") for name in names]
    sound = ibis.ifelse(is_json_object(line), line, ibis.null("string"))
    return cast(ir.ArrayValue, _json_extract(sound, ibis.array([ibis.literal(p) for p in pointers])))


def is_json_object(line: ir.Value) -> ir.BooleanValue:
    return cast(ir.BooleanValue, ibis.ifelse(_json_valid(line), _json_type(line) == "OBJECT", False))


def row_json(table: ir.Table, columns: list[str]) -> ir.StringValue:
    """The named columns of a row as the text of one JSON object."""
    fields = ibis.struct({name: table[name].cast("string") for name in columns})
    # A struct's type holds its names, so the function has a signature for each table.
    to_json = ibis.udf.scalar.builtin(_row, name="to_json", signature=((fields.type(),), dt.string))
    return cast(ir.StringValue, to_json(fields))


def _row(fields: Any) -> Any: ...


@ibis.udf.scalar.builtin(name="json_keys", signature=((dt.string,), dt.Array(dt.string)))
def _json_keys(text: Any) -> Any: ...


def json_keys(line: ir.Value) -> ir.StringValue:
    """The keys of JSON objects, one row each; lines that are no objects have none."""
    sound = ibis.ifelse(is_json_object(line), line, ibis.null("string"))
    return cast(ir.StringValue, _json_keys(sound).unnest())


def json_text(text: ir.Value) -> ir.StringValue:
    """`text` as a JSON string."""
    return cast(ir.StringValue, _quoted(text))
