"""Tables of DuckDB and SQLite files, opened for reading only."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import duckdb
import ibis
import ibis.expr.types as ir
import pyarrow as pa
import sqlglot as sg

from retinue.errors import Place, SourceError
from retinue.warehouse.engine import Engine
from retinue.warehouse.reading.hints import nearest
from retinue.warehouse.reading.sheets import as_text

_BATCH = 200_000


def read(engine: Engine, path: Path, table: str, what: str, place: Place) -> ir.Table:
    """The table or view `table` (or `schema.table`) of the database file `path`."""
    with path.open("rb") as file:
        start = file.read(16)
    if start.startswith(b"SQLite format 3"):
        return _sqlite(engine, path, table, what, place)
    if start[8:12] == b"DUCK":
        return _duckdb(engine, path, table, what, place)
    raise SourceError(f"{what}: neither a DuckDB nor a SQLite file", place=place, hint="check `database`")


def _duckdb(engine: Engine, path: Path, table: str, what: str, place: Place) -> ir.Table:
    schema, _, name = table.rpartition(".")
    try:
        # The engine attaches a file only once, however many sources are in it.
        known = engine.con.con.execute(
            "SELECT database_name FROM duckdb_databases() WHERE path = ?", [str(path.absolute())]
        ).fetchone()
        alias = known[0] if known else ibis.util.gen_name("attached")
        if known is None:
            engine.con.attach(str(path.absolute()), alias, read_only=True)
        tables = _names(engine, alias)
        for where in ((schema or "main", name), ("main", table)):
            if where in tables:
                return engine.con.table(where[1], database=(alias, where[0]))
    except duckdb.Error as error:
        said = str(error).strip().splitlines()[0]
        raise SourceError(
            f"{what}: cannot open the database: {said}", place=place, hint="close what is writing to it"
        ) from None
    raise _no_table(table, [n if s == "main" else f"{s}.{n}" for s, n in tables], what, place)


def _names(engine: Engine, alias: str) -> list[tuple[str, str]]:
    found = engine.con.con.execute(
        "SELECT table_schema, table_name FROM information_schema.tables WHERE table_catalog = ? ORDER BY ALL",
        [alias],
    )
    return [(schema, name) for schema, name in found.fetchall()]


def _no_table(table: str, names: list[str], what: str, place: Place) -> SourceError:
    return SourceError(f"{what}: there is no table {table!r}", place=place, hint=nearest(table, names))


def _sqlite(engine: Engine, path: Path, table: str, what: str, place: Place) -> ir.Table:
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as con:
            con.text_factory = lambda value: value.decode("utf-8", errors="replace")
            found = con.execute(
                "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') ORDER BY name"
            )
            names = [name for (name,) in found]
            if table not in names:
                raise _no_table(table, names, what, place)
            query = sg.select("*").from_(sg.to_identifier(table, quoted=True)).sql("sqlite")
            return _fetched(engine, con.execute(query))
    except sqlite3.Error as error:
        raise SourceError(
            f"{what}: cannot read the database: {error}", place=place, hint="it may be damaged or locked"
        ) from None


def _fetched(engine: Engine, cursor: sqlite3.Cursor) -> ir.Table:
    """What a query gives as text, batch by batch, so that the engine holds it and not we."""
    names = [column[0] for column in cursor.description]
    parts: list[ir.Table] = []
    while (rows := cursor.fetchmany(_BATCH)) or not parts:
        columns = {
            name: pa.array([as_text(row[n]) for row in rows], pa.string()) for n, name in enumerate(names)
        }
        parts.append(engine.memory(pa.table(columns)))
    return ibis.union(*parts) if len(parts) > 1 else parts[0]
