"""The process that runs the SQL of one metric; `sandbox` starts it and checks what it returns.

A program of its own: it imports nothing of Retinue, runs without environment, and gives up
what it does not need before it sees the SQL. DuckDB's settings keep the SQL from files,
network and extensions; the limits of the operating system hold where DuckDB's do not (a
single function may exceed its memory limit).
"""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Iterator
from datetime import date
from typing import Any

#: Address space that Python and the libraries take without holding any data.
LIBRARIES = 2 << 30

COLUMNS = ("account_id", "as_of", "value")


class Wrong(Exception):
    """The query cannot be used, for a reason that its author can act on."""


def limit(request: dict[str, Any]) -> None:
    seconds = int(request["seconds"]) + 1
    for kind, most in (
        (resource.RLIMIT_AS, int(request["memory"]) + LIBRARIES),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, int(request["memory"])),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 128),
    ):
        hard = resource.getrlimit(kind)[1]
        least = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (least, least))


def connect(request: dict[str, Any]) -> Any:
    import duckdb

    con = duckdb.connect(
        ":memory:",
        config={
            "threads": 1,
            "memory_limit": f"{int(request['memory']) // 2**20}MiB",
            "temp_directory": request["spill"],
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "allow_community_extensions": False,
            "allow_persistent_secrets": False,
            "python_enable_replacements": False,
        },
    )
    con.execute("SET TimeZone = $zone", {"zone": request["timezone"]})
    con.execute("SET allowed_paths = $paths", {"paths": request["paths"]})
    con.execute("SET enable_external_access = false")
    con.execute("SET lock_configuration = true")
    return con


def answers(con: Any, text: str, dates: dict[str, int]) -> Iterator[Any]:
    """Tables of `asked` and the three columns, per date; ends early where there are too many rows.

    Date by date, because SQL that sees one date at a time cannot look at a later one.
    """
    import duckdb
    import pyarrow as pa
    import pyarrow.compute as pc

    statements = con.extract_statements(text)
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise Wrong("not one SELECT")
    for told, most in dates.items():
        day = date.fromisoformat(told)
        given = {"as_of": day} if "as_of" in statements[0].named_parameters else None
        reader = con.execute(text, given).to_arrow_reader(100_000)
        names = expected(reader.schema)
        rows = 0
        for batch in reader:
            table = pa.Table.from_batches([batch]).select(names).rename_columns(list(COLUMNS))
            value = pc.cast(table["value"], pa.float64())
            finite = pc.fill_null(pc.is_finite(value), False)
            value = pc.if_else(finite, value, pa.scalar(None, pa.float64()))
            asked = pa.array([day], pa.date32()).take(pa.array([0] * len(table), pa.int64()))
            yield pa.table(
                {
                    "asked": asked,
                    "account_id": table["account_id"].cast(pa.string()),
                    "as_of": table["as_of"],
                    "value": value,
                }
            )
            rows += len(table)
            if rows > most:
                return


def expected(schema: Any) -> list[str]:
    """The names of `schema` that are account_id, as_of, value, in this order."""
    import pyarrow as pa

    found = {name.lower(): name for name in schema.names}
    if len(schema.names) != len(COLUMNS) or set(found) != set(COLUMNS):
        listed = ", ".join(schema.names[:9])
        raise Wrong(f"returns the columns {listed}; return account_id, as_of, value")
    account, as_of, value = (schema.field(found[name]).type for name in COLUMNS)
    if not (pa.types.is_string(account) or pa.types.is_large_string(account)):
        raise Wrong(f"account_id is {account}; return it as the tables give it")
    if not pa.types.is_date(as_of):
        raise Wrong(f"as_of is {as_of}; return it as the tables give it")
    if not (pa.types.is_integer(value) or pa.types.is_floating(value) or pa.types.is_decimal(value)):
        raise Wrong(f"value is {value}, not a number; cast it to DOUBLE")
    return [found[name] for name in COLUMNS]


def run(request: dict[str, Any]) -> dict[str, str]:
    import duckdb
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema(
        {"asked": pa.date32(), "account_id": pa.string(), "as_of": pa.date32(), "value": pa.float64()}
    )
    try:
        con = connect(request)
        with pq.ParquetWriter(request["result"], schema) as writer:
            for table in answers(con, request["text"], request["dates"]):
                writer.write_table(table)
    except Wrong as error:
        return {"wrong": str(error)}
    except (MemoryError, duckdb.OutOfMemoryException, pa.ArrowMemoryError):
        return {"wrong": "needs more memory than it may have", "hint": "memory"}
    except (duckdb.Error, pa.ArrowException, OSError, RuntimeError) as error:
        text = str(error).strip().splitlines() or [type(error).__name__]
        return {"wrong": text[0]}
    return {}


def main() -> None:
    request = json.load(sys.stdin)
    # Last in the path, so that nothing there takes the place of the standard library.
    sys.path.append(request["libraries"])
    limit(request)
    try:
        told = run(request)
    except MemoryError:
        told = {"wrong": "needs more memory than it may have", "hint": "memory"}
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main()
