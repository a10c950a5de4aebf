"""The company's tables as they are: files, globs and tables of databases, before any typing.

Formats without types (CSV, TSV, JSON lines, Excel, SQLite) are read as text columns, so
that what a value means is decided in one place, `clocks` and `values`, and the same rows
give the same facts whatever they are stored in. Parquet and DuckDB keep their types.
"""

from __future__ import annotations

import difflib
import glob
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import ibis
import ibis.expr.types as ir
import pyarrow as pa

from retinue.errors import Place, SourceError
from retinue.project.sources import Table
from retinue.warehouse import text
from retinue.warehouse.engine import Engine
from retinue.warehouse.functions import is_json_object, json_fields

#: Name of the column that counts the rows of a numbered table, from 1.
ROW = "row number"

_PARQUET = (".parquet", ".pq")
_EXCEL = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")
_JSON = (".jsonl", ".ndjson", ".json")
_TEXT = (".csv", ".tsv", ".tab", ".txt", ".psv")
_PACKED = {".gz": "gzip", ".zst": "zstd"}


@dataclass(frozen=True)
class Raw:
    """A table as it is. `what` names it in messages, such as `source usage`.

    `numbered()` is the same table with the position of each row, for what is to be shown to
    a person; it may be slower. `broken()` gives the lines that are not rows at all (position,
    reason, text), known once the table has been read.
    """

    what: str
    table: ir.Table
    place: Place
    numbered: Callable[[], ir.Table]
    broken: Callable[[], pa.Table] = field(default=lambda: no_lines())

    def column(self, name: str, role: str) -> ir.Column:
        """The column `name`; raises SourceError with the nearest names where there is none."""
        if name in self.table.columns:
            return self.table[name]
        raise SourceError(
            f"{self.what}: no column {name!r} for `{role}` in {self.place}",
            hint=f"{_nearest(name, self.table.columns)}; its columns are {_listed(self.table.columns)}",
        )


def no_lines() -> pa.Table:
    return pa.table({"row": pa.array([], pa.int64()), "reason": pa.array([], pa.string()), "raw": pa.array([], pa.string())})


def read(engine: Engine, table: Table, root: Path, what: str) -> Raw:
    """The table that `table` declares; relative paths start at `root`.

    Raises SourceError where it cannot be read: nothing is guessed and nothing is left out,
    except that lines which are not rows are `broken`.
    """
    if table.database is not None:
        return _from_database(engine, table, root, what)
    if not Path(table.table).suffix and engine.con.name != "duckdb":
        return _of_engine(engine, table, what)
    files = _files(table.table, root, what)
    kind = _kind(files, root, what)
    try:
        if kind in _PARQUET:
            return _parquet(engine, files, root, what)
        if kind in _EXCEL:
            return _excel(engine, table, files, root, what)
        if kind in _JSON:
            return _json_lines(engine, table, files, root, what)
        return _delimited(engine, table, files, root, what, kind)
    except PermissionError as error:
        raise SourceError(
            f"{what}: no permission to read {error.filename}", hint="let the user of this process read it"
        ) from None


def _files(pattern: str, root: Path, what: str) -> list[Path]:
    path = root / pattern
    if path.is_dir():
        raise SourceError(
            f"{what}: {pattern} is a folder", hint=f"write a file or a glob such as {pattern.rstrip('/')}/*.parquet"
        )
    if path.exists():
        return [path]
    if any(mark in pattern for mark in "*?["):
        found = [Path(p) for p in glob.glob(str(path), recursive=True)]
        files = sorted(p for p in found if p.is_file())
        if files:
            return files
        raise SourceError(f"{what}: no file matches {pattern}", hint=_beside(path))
    raise SourceError(f"{what}: there is no file {pattern}", hint=_beside(path))


def _beside(path: Path) -> str:
    """What is there instead of `path`, for a hint."""
    folder = path.parent
    if not folder.is_dir():
        return f"the folder {folder.name} is not there either" if folder.name else "check the path"
    names = sorted(p.name for p in folder.iterdir() if not p.name.startswith("."))
    return _nearest(path.name, names) if names else f"the folder {folder.name} is empty"


def _nearest(name: str, names: list[str] | tuple[str, ...]) -> str:
    folded = {n.casefold(): n for n in names}
    near = difflib.get_close_matches(name.casefold(), list(folded), n=3, cutoff=0.5)
    if near:
        return "did you mean " + " or ".join(folded[n] for n in near) + "?"
    return f"there is {_listed(names)}"


def _listed(names: list[str] | tuple[str, ...]) -> str:
    return ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")


def _suffixes(path: Path) -> tuple[str, str]:
    """The suffix of the format and that of the packing (`.csv`, `.gz`)."""
    last = path.suffix.lower()
    return (Path(path.stem).suffix.lower(), last) if last in _PACKED else (last, "")


def _kind(files: list[Path], root: Path, what: str) -> str:
    kinds = {_suffixes(path)[0] for path in files}
    known = (*_PARQUET, *_EXCEL, *_JSON, *_TEXT)
    for path in files:
        if _suffixes(path)[0] not in known:
            raise SourceError(
                f"{what}: cannot tell the format of {shown(path, root)}",
                hint="name it .csv, .tsv, .jsonl, .parquet or .xlsx; for a table of a database add `database`",
            )
        if path.stat().st_size == 0:
            raise SourceError(f"{what}: {shown(path, root)} is empty", hint="a table needs at least its header")
    if len(kinds) > 1:
        raise SourceError(
            f"{what}: the files have different formats ({', '.join(sorted(kinds))})",
            hint="declare one source per format",
        )
    return kinds.pop()


def shown(path: Path, root: Path) -> str:
    """A path as people wrote it: relative to the project where it is inside."""
    try:
        return str(path.relative_to(root))
    except ValueError:
        return str(path)


def _place(files: list[Path], root: Path) -> Place:
    more = f" and {len(files) - 1} more" if len(files) > 1 else ""
    return Place(shown(files[0], root) + more)


def counted(table: ir.Table) -> ir.Table:
    """`table` with the position of its rows, where the engine reads them in order."""
    return table.mutate(**{ROW: ibis.row_number() + 1})


def _parquet(engine: Engine, files: list[Path], root: Path, what: str) -> Raw:
    import pyarrow.parquet as pq

    for path in files:
        try:
            pq.ParquetFile(path).close()
        except (pa.ArrowException, OSError) as error:
            if isinstance(error, PermissionError):
                raise
            raise SourceError(
                f"{what}: {shown(path, root)} is not a whole Parquet file",
                hint="it may be truncated; write it again",
            ) from None
    # DuckDB reads names as globs, so a bracket in a name has to be quoted.
    names = [str(path.absolute()).replace("[", "[[]") for path in files]
    try:
        table = engine.con.read_parquet(names, union_by_name=len(files) > 1)
    except duckdb.Error as error:
        raise SourceError(
            f"{what}: cannot read {_place(files, root)}: {first_line(error)}", hint="write it again"
        ) from None
    return Raw(what, table, _place(files, root), lambda: counted(table))


def _delimited(
    engine: Engine, table: Table, files: list[Path], root: Path, what: str, kind: str
) -> Raw:
    declared = table.delimiter or ("\t" if kind in (".tsv", ".tab") else None)
    parts: list[ir.Table] = []
    rejects: list[str] = []
    names: dict[str, None] = {}
    for path in files:
        lines = text.opened(engine, path, _suffixes(path)[1], table.encoding, f"{what}: {shown(path, root)}")
        header = text.header(lines, declared)
        names.update(dict.fromkeys(header.names))
        reject = f"broken_{len(engine.stored)}_{ibis.util.guid()}"
        rejects.append(reject)
        read_as = {f"c{n}": "VARCHAR" for n in range(len(header.names))}
        positional = engine.con.read_csv(
            str(lines.path.absolute()).replace("[", "[[]"),
            columns=read_as,
            header=True,
            delim=header.delimiter,
            quote='"',
            escape='"',
            nullstr="",
            compression=_PACKED.get(lines.packing, "none"),
            max_line_size=text.LONGEST_LINE,
            ignore_errors=True,
            store_rejects=True,
            rejects_table=reject,
            rejects_scan=f"{reject}_files",
        )
        parts.append(positional.select(**{name: positional[f"c{n}"] for n, name in enumerate(header.names)}))
    whole = _stacked(parts, list(names))
    return Raw(
        what,
        whole,
        _place(files, root),
        lambda: counted(whole),
        lambda: text.broken_lines(engine, rejects),
    )


def _stacked(parts: list[ir.Table], names: list[str]) -> ir.Table:
    """All rows of `parts` under the same columns; what a part does not have is empty."""
    null = ibis.null("string")
    if len(parts) == 1:
        return parts[0]
    aligned = [p.select(**{n: p[n] if n in p.columns else null for n in names}) for p in parts]
    return ibis.union(*aligned)


def _json_lines(engine: Engine, table: Table, files: list[Path], root: Path, what: str) -> Raw:
    raise NotImplementedError


def _excel(engine: Engine, table: Table, files: list[Path], root: Path, what: str) -> Raw:
    raise NotImplementedError


def _from_database(engine: Engine, table: Table, root: Path, what: str) -> Raw:
    raise NotImplementedError


def _of_engine(engine: Engine, table: Table, what: str) -> Raw:
    raise NotImplementedError


def first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
