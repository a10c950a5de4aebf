"""Text files: is it text at all, what does its header say, and which lines are not rows."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from retinue.errors import Place, SourceError
from retinue.warehouse.engine import Engine

#: Characters. A longer line is a file of another kind, or damaged; it is not worth the memory.
LONGEST_LINE = 4 * 2**20
_CHUNK = 2**20
_DELIMITERS = (",", ";", "\t", "|")
_PACKED = {".gz": "gzip", ".zst": "zstd"}


@dataclass(frozen=True)
class Lines:
    """A text file that has been looked through: valid text, no endless line, one kind of line end.

    `path` may be a copy in UTF-8. `first` begins with the first line and may go on.
    """

    what: str
    place: Place
    path: Path
    compression: str
    first: str


@dataclass(frozen=True)
class Header:
    names: list[str]
    delimiter: str


@dataclass(frozen=True)
class _Look:
    first: str
    mixed: bool


def packing(path: Path) -> str:
    """`.gz` or `.zst` where a file is compressed, else nothing."""
    return path.suffix.lower() if path.suffix.lower() in _PACKED else ""


def opened(engine: Engine, path: Path, encoding: str, what: str, place: Place) -> Lines:
    """Look through a file in bounded memory.

    A copy is made where the engine cannot read it as it is: other encodings, mixed line
    ends. Raises SourceError with the line where it is not text, or a line is too long.
    """
    known = codecs.lookup(encoding).name
    codec = "utf-8-sig" if known in ("utf-8", "ascii") else known
    try:
        look = _look_through(_pieces(path, codec, what, place), what, place)
        if look.mixed or codec != "utf-8-sig":
            copy = _copied(engine, _pieces(path, codec, what, place))
            return Lines(what, place, copy, "none", look.first)
    except (EOFError, gzip.BadGzipFile, OSError) as error:
        if isinstance(error, PermissionError):
            raise
        raise SourceError(
            f"{what}: cannot unpack it: {error}", place=place, hint="it may be truncated; write it again"
        ) from None
    return Lines(what, place, path, _PACKED.get(packing(path), "none"), look.first)


def _pieces(path: Path, codec: str, what: str, place: Place) -> Iterator[str]:
    """The text of a file in pieces."""
    decoder = codecs.getincrementaldecoder(codec)()
    line = 1
    with _unpacked(path) as stream:
        while True:
            chunk = stream.read(_CHUNK)
            try:
                piece = decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                wrong = line + bytes(error.object[: error.start]).count(b"\n")
                raise SourceError(
                    f"{what}: not {codec.removesuffix('-sig')} text",
                    place=Place(place.file, wrong),
                    hint="declare its `encoding`, such as cp1252",
                ) from None
            yield piece
            line += piece.count("\n")
            if not chunk:
                return


def _unpacked(path: Path) -> IO[bytes]:
    if packing(path) == ".gz":
        return cast(IO[bytes], gzip.open(path, "rb"))
    if packing(path) == ".zst":
        return cast(IO[bytes], pa.input_stream(str(path), compression="zstd"))
    return path.open("rb")


def _look_through(pieces: Iterator[str], what: str, place: Place) -> _Look:
    line, length, feeds, returns, both = 1, 0, 0, 0, 0
    head, heading = io.StringIO(), True
    before = ""
    for piece in pieces:
        if heading:
            head.write(piece)
            heading = "\n" not in piece and "\r" not in piece
        breaks = [at for at in (piece.find("\n"), piece.find("\r")) if at >= 0]
        if length + (min(breaks) if breaks else len(piece)) > LONGEST_LINE:
            raise SourceError(
                f"{what}: a line is longer than {LONGEST_LINE // 2**20} MB",
                place=Place(place.file, line),
                hint="it is damaged, or not a table of lines",
            )
        last = max(piece.rfind("\n"), piece.rfind("\r"))
        length = len(piece) - last - 1 if breaks else length + len(piece)
        new_lines = piece.count("\n")
        line += new_lines
        feeds += new_lines
        returns += piece.count("\r")
        both += piece.count("\r\n") + (before == "\r" and piece[:1] == "\n")
        before = piece[-1:] or before
    kinds = (both > 0) + (feeds > both) + (returns > both)
    return _Look(head.getvalue(), kinds > 1)


def _copied(engine: Engine, pieces: Iterator[str]) -> Path:
    """A copy in UTF-8 with line feeds, in the engine's own folder, which goes away with it."""
    folder = engine.con.con.execute("SELECT current_setting('temp_directory')").fetchone()[0]
    with tempfile.NamedTemporaryFile(
        "w", dir=folder or None, suffix=".txt", delete=False, encoding="utf-8", newline=""
    ) as copy:
        held = ""
        for piece in pieces:
            piece = held + piece
            # A piece may end between the two halves of a line end.
            held = "\r" if piece.endswith("\r") else ""
            copy.write(piece.removesuffix("\r").replace("\r\n", "\n").replace("\r", "\n"))
        copy.write("\n" if held else "")
    return Path(copy.name)


def header(lines: Lines, delimiter: str | None) -> Header:
    """Column names and delimiter; raises SourceError where names are missing or repeated."""
    first = next(iter(lines.first.splitlines()), "")
    used = delimiter or _likeliest(first)
    # A quoted name may hold a line break, so the reader sees more than the first line.
    try:
        names = next(csv.reader(io.StringIO(lines.first, newline=""), delimiter=used), [])
    except csv.Error as error:
        raise SourceError(f"{lines.what}: {error}", place=lines.place) from None
    return Header(named([name.strip() for name in names], lines.what, lines.place), used)


def named(names: list[str], what: str, place: Place) -> list[str]:
    """`names` as they can be the columns of a table; raises SourceError."""
    if not any(names):
        raise SourceError(f"{what}: no header", place=place, hint="its first line must name the columns")
    seen: set[str] = set()
    for number, name in enumerate(names, 1):
        if not name:
            raise SourceError(
                f"{what}: column {number} of the header has no name", place=place, hint="name every column"
            )
        # Engines compare the names of columns without regard to case.
        if name.casefold() in seen:
            raise SourceError(
                f"{what}: the header names {name!r} twice", place=place, hint="rename one of the columns"
            )
        seen.add(name.casefold())
    return names


def _likeliest(first: str) -> str:
    bare = re.sub(r'"[^"]*"', "", first)
    return max(_DELIMITERS, key=bare.count)


def rows(engine: Engine, lines: Lines, head: Header) -> tuple[ir.Table, str]:
    """The rows as text columns, and the name under which the engine keeps what was not a row."""
    rejects = ibis.util.gen_name("broken")
    # The names of the file stay out of the engine's options, so none of them has to be quoted.
    table = engine.con.read_csv(
        unglobbed(lines.path),
        columns={f"c{n}": "VARCHAR" for n in range(len(head.names))},
        header=True,
        delim=head.delimiter,
        quote='"',
        escape='"',
        nullstr="",
        compression=lines.compression,
        max_line_size=LONGEST_LINE,
        strict_mode=True,
        ignore_errors=True,
        store_rejects=True,
        rejects_table=rejects,
        rejects_scan=f"{rejects}_files",
    )
    return table.select(**{name: table[f"c{n}"] for n, name in enumerate(head.names)}), rejects


def whole_lines(engine: Engine, lines: Lines) -> ir.Table:
    """One column, `line`: the lines of a file that are not blank."""
    table = engine.con.read_csv(
        unglobbed(lines.path),
        columns={"line": "VARCHAR"},
        header=False,
        # Control characters that no JSON text may hold unescaped.
        delim="\x1e",
        nullstr="\x1f",
        quote="",
        escape="",
        compression=lines.compression,
        max_line_size=LONGEST_LINE,
    )
    return table.filter(table.line.strip() != "")


def unglobbed(path: Path) -> str:
    """The path as the engine reads it: a bracket in a name would be a pattern."""
    return re.sub(r"([\[*?])", r"[\1]", str(path.absolute()))


def broken(engine: Engine, lines: Lines, rejects: str) -> list[tuple[int, str, str]]:
    """Lines of a file that has been read that are not rows: position, reason, text.

    Raises SourceError where a quote is never closed and hides the rows after it.
    """
    if (
        rejects
        not in engine.con.con.execute("SELECT table_name FROM duckdb_tables()").fetchnumpy()["table_name"]
    ):
        return []
    # Read from memory: each scan of the file has left its own copy of the same lines.
    told = engine.con.table(rejects, database=("temp", "main"))
    got: dict[int, tuple[int, str, str]] = {}
    found = told.select(
        line=told.line.cast("int64"),
        kind=told.error_type.cast("string"),
        text=told.csv_line,
        message=told.error_message,
    )
    for row in found.order_by("line", "message").to_pyarrow().to_pylist():
        text = (row["text"] or "").strip("\r\n")
        if row["kind"] == "UNQUOTED VALUE" and "\n" in text:
            raise SourceError(
                f"{lines.what}: a quote is not closed, so the lines after it cannot be told apart",
                place=Place(lines.place.file, row["line"]),
                hint='close it, or double the quotes inside of a value ("")',
            )
        got.setdefault(row["line"], (max(row["line"] - 1, 1), _reason(row), text[:2000]))
    return list(got.values())


def _reason(row: dict[str, Any]) -> str:
    counts = re.search(r"Columns: (\d+) Found: (\d+)", row["message"] or "")
    if counts:
        return f"the line has {counts[2]} values, the header {counts[1]}"
    if row["kind"] == "UNQUOTED VALUE":
        return "a quote is in the wrong place"
    return cast(str, (row["message"] or row["kind"]).splitlines()[0])
