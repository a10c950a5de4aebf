"""The company's tables as they are: files, globs and tables of databases, before any typing.

Formats without types (CSV, TSV, JSON lines, Excel, SQLite) are read as text columns, so
that what a value means is decided in one place (`clocks`, `values`), and the same rows give
the same facts whatever they are stored in. Parquet and DuckDB keep their types.
"""

from __future__ import annotations

import glob
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
import ibis
import ibis.expr.types as ir
import pyarrow as pa

from retinue.errors import Place, SourceError
from retinue.project.sources import Table
from retinue.warehouse.engine import Engine
from retinue.warehouse.functions import json_fields, json_keys
from retinue.warehouse.reading import databases, postgres, sheets, text
from retinue.warehouse.reading.hints import nearest
from retinue.warehouse.reading.steady import looked

#: In a numbered table, the position of each row from 1, and the text of its line in JSON lines.
ROW = "row number"
LINE = "text of the line"

_PARQUET = (".parquet", ".pq")
_JSON = (".jsonl", ".ndjson", ".json")
_TEXT = (".csv", ".tsv", ".tab", ".psv", ".txt")
_FORMATS = (*_PARQUET, *sheets.SUFFIXES, *_JSON, *_TEXT)


@dataclass(frozen=True)
class Broken:
    """A line that is not a row."""

    row: int
    reason: str
    raw: str


@dataclass(frozen=True)
class Raw:
    """A table as it is. `what` names it in messages, such as `source usage`.

    `numbered()` is the same table with the position of each row (`ROW`), for what is shown
    to people; it may be slower. `broken()` are the lines that are not rows at all; both are
    only right once the table has been read.
    """

    what: str
    place: Place
    table: ir.Table
    numbered: Callable[[], ir.Table]
    broken: Callable[[], list[Broken]] = list
    errors: tuple[type[Exception], ...] = (duckdb.Error,)

    def column(self, name: str, role: str) -> ir.Column:
        """The column `name`; raises SourceError with the nearest names where there is none."""
        if name in self.table.columns:
            return self.table[name]
        raise SourceError(
            f"{self.what}: there is no column {name!r} for `{role}`",
            place=self.place,
            hint=nearest(name, own_columns(self.table)),
        )


def read(engine: Engine, table: Table, root: Path, what: str, only: list[Path] | None = None) -> Raw:
    """The table that `table` declares; relative paths start at `root`.

    Raises SourceError where it cannot be read as a whole; lines that are not rows are left
    out and are `broken`.
    """
    if table.database is None and engine.files is not None and not is_file(table.table):
        return _of_engine(engine, table, what)
    found = _of_files(engine.reader, table, root, what, only)
    # On its way to another engine a file may fail in the engine's driver too.
    return replace(found, errors=(*found.errors, *engine.errors))


def _of_files(engine: Engine, table: Table, root: Path, what: str, only: list[Path] | None) -> Raw:
    try:
        if table.database is not None:
            return _of_database(engine, table, root, what)
        files = only or files_of(table.table, root, what)
        looked(engine, files)
        kind = _kind(files, root, what)
        if kind in _PARQUET:
            return _parquet(engine, files, root, what)
        if kind in sheets.SUFFIXES:
            return _sheets(engine, files, table.sheet, root, what)
        if kind in _JSON:
            return _json_lines(engine, files, table.encoding, root, what)
        delimiter = table.delimiter or ("\t" if kind in (".tsv", ".tab") else None)
        return _delimited(engine, files, table.encoding, delimiter, root, what)
    except PermissionError as error:
        raise SourceError(
            f"{what}: no permission to read {shown(Path(str(error.filename)), root)}",
            hint="let the user of this process read it",
        ) from None


@contextmanager
def reading(table: Raw) -> Iterator[None]:
    """Around the first use of a table: what the engine cannot read is a SourceError."""
    try:
        yield
    except (duckdb.OutOfMemoryException, duckdb.InterruptException):
        raise
    except table.errors as error:
        raise SourceError(
            f"{table.what}: cannot be read: {first_line(error)}", place=table.place, hint="it may be damaged"
        ) from None


def is_file(table: str) -> bool:
    """Whether `table` is the name of a file or a glob rather than of a table in a database."""
    path = Path(table)
    kind = Path(path.stem if text.packing(path) else path).suffix.lower()
    return kind in _FORMATS


def own_columns(table: ir.Table) -> list[str]:
    """The columns that are the company's."""
    return [name for name in table.columns if name not in (ROW, LINE)]


def files_of(pattern: str, root: Path, what: str) -> list[Path]:
    """The files that a name or a glob means, in order; raises SourceError where there is none."""
    path = root / pattern
    if path.is_dir():
        raise SourceError(
            f"{what}: {pattern} is a folder", hint=f"write a glob such as {pattern.rstrip('/')}/*.parquet"
        )
    if path.exists():
        return [path]
    if any(mark in pattern for mark in "*?["):
        # Not Path.glob: it cannot take a pattern that is absolute.
        found = sorted(Path(name) for name in glob.glob(str(path), recursive=True))  # noqa: PTH207
        files = [name for name in found if name.is_file()]
        if files:
            return files
        raise SourceError(f"{what}: no file matches {pattern}", hint=_beside(path))
    raise SourceError(f"{what}: there is no file {pattern}", hint=_beside(path))


def _beside(path: Path) -> str:
    """What there is instead of `path`, for a hint."""
    folder = path.parent
    if not folder.is_dir():
        return f"nor is there a folder {folder.name}"
    names = sorted(name.name for name in folder.iterdir() if not name.name.startswith("."))
    return nearest(path.name, names) if names else f"the folder {folder.name} is empty"


def _kind(files: list[Path], root: Path, what: str) -> str:
    """The suffix that tells the format of all `files`."""
    kinds = {}
    for path in files:
        kind = Path(path.stem if text.packing(path) else path).suffix.lower()
        if kind not in _FORMATS or (text.packing(path) and kind not in (*_JSON, *_TEXT)):
            raise SourceError(
                f"{what}: cannot tell the format of {shown(path, root)}",
                hint="name it .csv, .tsv, .jsonl, .parquet or .xlsx; for a database file add `database`",
            )
        if path.stat().st_size == 0:
            raise SourceError(f"{what}: {shown(path, root)} is empty", hint="a table needs at least a header")
        with path.open("rb"):
            kinds[kind] = path
    if len(kinds) > 1:
        raise SourceError(
            f"{what}: {' and '.join(shown(path, root) for path in kinds.values())} have different formats",
            hint="declare one source for each format",
        )
    return next(iter(kinds))


def shown(path: Path, root: Path) -> str:
    """A path as people know it: relative to the project where it is inside."""
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)


def _place(files: list[Path], root: Path) -> Place:
    more = f" and {len(files) - 1} more" if len(files) > 1 else ""
    return Place(shown(files[0], root) + more)


def counted(table: ir.Table) -> ir.Table:
    """`table` with the position of its rows, which the engine reads in their order."""
    return table.mutate(**{ROW: ibis.row_number() + 1})


def _parquet(engine: Engine, files: list[Path], root: Path, what: str) -> Raw:
    import pyarrow.parquet as pq

    place = _place(files, root)
    for path in files:
        try:
            pq.ParquetFile(path).close()
        except PermissionError:
            raise
        except (pa.ArrowException, OSError, ValueError):
            raise SourceError(
                f"{what}: not a whole Parquet file",
                place=Place(shown(path, root)),
                hint="it may be truncated; write it again",
            ) from None
    try:
        table = engine.con.read_parquet(
            [text.unglobbed(path) for path in files], union_by_name=len(files) > 1
        )
    except duckdb.Error as error:
        raise SourceError(f"{what}: {first_line(error)}", place=place, hint="write the files again") from None
    return Raw(what, place, table, lambda: counted(table))


@dataclass(frozen=True)
class _Part:
    """One text file: its rows, and where the engine keeps the lines that are none."""

    table: ir.Table
    lines: text.Lines
    rejects: str


def _delimited(
    engine: Engine, files: list[Path], encoding: str, delimiter: str | None, root: Path, what: str
) -> Raw:
    parts: list[_Part] = []
    names: dict[str, None] = {}
    for path in files:
        lines = text.opened(engine, path, encoding, what, Place(shown(path, root)))
        head = text.header(lines, delimiter)
        names.update(dict.fromkeys(head.names))
        table, rejects = text.rows(engine, lines, head)
        parts.append(_Part(table, lines, rejects))
    listed = text.named(list(names), what, _place(files, root))
    return Raw(
        what,
        _place(files, root),
        _stacked([part.table for part in parts], listed),
        lambda: _numbered_parts(engine, parts, listed)[0],
        lambda: _numbered_parts(engine, parts, listed)[1],
    )


def _stacked(tables: list[ir.Table], names: list[str]) -> ir.Table:
    """All rows under the same columns; a column that a table does not have is empty."""
    if len(tables) == 1:
        return tables[0]
    null = ibis.null("string")
    return ibis.union(*[t.select(**{n: t[n] if n in t.columns else null for n in names}) for t in tables])


def _numbered_parts(engine: Engine, parts: list[_Part], names: list[str]) -> tuple[ir.Table, list[Broken]]:
    """The rows and the broken lines of several files, counted together in the files' order."""
    tables: list[ir.Table] = []
    broken: list[Broken] = []
    before = 0
    for part in parts:
        wrong = text.broken(engine, part.lines, part.rejects)
        broken.extend(Broken(before + n, reason, line) for n, reason, line in wrong)
        number = ibis.row_number() + 1
        table = part.table.mutate(**{ROW: number})
        if wrong:
            table = _making_room(engine, table, [n for n, _, _ in wrong])
        tables.append(table.mutate(**{ROW: table[ROW] + before}))
        if len(parts) > 1:
            before += engine.count(part.table) + len(wrong)
    return _stacked(tables, [*names, ROW]), broken


def _making_room(engine: Engine, table: ir.Table, taken: list[int]) -> ir.Table:
    """`table` with its rows counted around the positions in `taken` (ascending)."""
    # The n-th taken position moves all rows that would come at it or later, less the n - 1
    # that have been moved already.
    starts = [position - n for n, position in enumerate(taken)]
    steps = engine.memory(
        pa.table(
            {
                "from row": pa.array([0, *starts], pa.int64()),
                "up to row": pa.array([*starts, 2**62], pa.int64()),
                "moved by": pa.array(list(range(len(taken) + 1)), pa.int64()),
            }
        )
    )
    moved = table.join(steps, [table[ROW] >= steps["from row"], table[ROW] < steps["up to row"]])
    return moved.mutate(**{ROW: moved[ROW] + moved["moved by"]}).drop("from row", "up to row", "moved by")


def _json_lines(engine: Engine, files: list[Path], encoding: str, root: Path, what: str) -> Raw:
    place = _place(files, root)
    parts = []
    for path in files:
        lines = text.opened(engine, path, encoding, what, Place(shown(path, root)))
        if lines.first.lstrip("\ufeff \t\r\n").startswith("["):
            raise SourceError(
                f"{what}: a JSON array, not JSON lines", place=lines.place, hint="write one object per line"
            )
        parts.append(text.whole_lines(engine, lines))
    whole = _stacked(parts, ["line"])
    keys = engine.arrow(json_keys(whole.line).name("key").as_table().distinct().order_by("key"))
    names = text.named(keys["key"].to_pylist(), what, place)

    def fields(lines: ir.Table) -> dict[str, ir.Value]:
        values = json_fields(lines.line, names)
        return {name: values[n].nullif("") for n, name in enumerate(names)}

    def numbered() -> ir.Table:
        lines = counted(whole)
        return lines.select(**fields(lines), **{ROW: lines[ROW], LINE: lines.line})

    return Raw(what, place, whole.select(**fields(whole)), numbered)


def _sheets(engine: Engine, files: list[Path], sheet: str | None, root: Path, what: str) -> Raw:
    tables = [sheets.read(path, sheet, what, Place(shown(path, root))) for path in files]
    names = list(dict.fromkeys(name for table in tables for name in table.column_names))
    whole = _stacked([engine.memory(table) for table in tables], names)
    return Raw(what, _place(files, root), whole, lambda: counted(whole))


def _of_database(engine: Engine, table: Table, root: Path, what: str) -> Raw:
    named = str(table.database)
    if "://" in named:
        place, found = postgres.read(engine, named, table.table, what)
    else:
        (path,) = files_of(named, root, what)[:1]
        place = Place(shown(path, root))
        found = databases.read(engine, path, table.table, what, place)
    return Raw(what, place, found, lambda: counted(found))


def _of_engine(engine: Engine, table: Table, what: str) -> Raw:
    if not engine.has(table.table):
        hint = nearest(table.table, engine.tables())
        raise SourceError(f"{what}: the engine has no table {table.table}", hint=hint)
    found = engine.table(table.table)
    return Raw(what, Place(table.table), found, lambda: counted(found), errors=engine.errors)


def first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
