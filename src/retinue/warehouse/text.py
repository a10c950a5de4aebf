"""Text files: is it text at all, what is in its header, and which lines are not rows."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pyarrow as pa

from retinue.errors import Place, SourceError
from retinue.warehouse.engine import Engine

#: Bytes. A longer line is a file of another kind, or damaged; it is not worth the memory.
LONGEST_LINE = 4 * 2**20
_CHUNK = 2**20
_DELIMITERS = (",", ";", "\t", "|")


@dataclass(frozen=True)
class Lines:
    """A text file that has been looked through once: valid text, no endless line, in UTF-8."""

    what: str
    path: Path
    packing: str
    first: str


@dataclass(frozen=True)
class Header:
    names: list[str]
    delimiter: str


def opened(engine: Engine, path: Path, packing: str, encoding: str, what: str) -> Lines:
    """Look through a file in bounded memory; in another encoding, a copy in UTF-8 is made.

    Raises SourceError with the line where the file is not text, or a line is too long.
    """
    try:
        known = codecs.lookup(encoding).name
    except LookupError:
        raise SourceError(f"{what}: unknown encoding {encoding!r}", hint="write one such as utf-8 or cp1252") from None
    copy = None
    if known not in ("utf-8", "ascii", "utf-8-sig"):
        # In the engine's own folder for spilled data, which goes away with it.
        folder = engine.con.con.execute("SELECT current_setting('temp_directory')").fetchone()[0]
        copy = tempfile.NamedTemporaryFile(dir=folder or None, suffix=".txt", delete=False)
    try:
        with unpacked(path, packing) as stream:
            first = _look_through(stream, known, what, copy)
    except (EOFError, gzip.BadGzipFile, pa.ArrowException, OSError) as error:
        if isinstance(error, PermissionError):
            raise
        raise SourceError(f"{what} cannot be unpacked: {error}", hint="it may be truncated; write it again") from None
    finally:
        if copy is not None:
            copy.close()
    return Lines(what, Path(copy.name), "", first) if copy else Lines(what, path, packing, first)


def unpacked(path: Path, packing: str) -> IO[bytes]:
    if packing == ".gz":
        return gzip.open(path, "rb")  # type: ignore[return-value]
    if packing == ".zst":
        return pa.input_stream(str(path), compression="zstd")  # type: ignore[no-any-return]
    return path.open("rb")


def _look_through(stream: IO[bytes], encoding: str, what: str, copy: IO[bytes] | None) -> str:
    """The first line, after every line has been looked at."""
    decoder = codecs.getincrementaldecoder("utf-8-sig" if encoding in ("utf-8", "ascii") else encoding)()
    line, length, head = 1, 0, io.StringIO()
    heading = True
    while True:
        chunk = stream.read(_CHUNK)
        try:
            piece = decoder.decode(chunk, final=not chunk)
        except UnicodeDecodeError as error:
            wrong = line + error.object[: error.start].count(b"\n")
            raise SourceError(
                f"{what}: line {wrong} is not {encoding} text",
                place=None,
                hint="declare its `encoding`, such as cp1252",
            ) from None
        if copy is not None:
            copy.write(piece.encode())
        if heading:
            head.write(piece)
            heading = "\n" not in piece
        breaks = chunk.count(b"\n")
        reach = length + (chunk.find(b"\n") if breaks else len(chunk))
        if reach > LONGEST_LINE:
            raise SourceError(
                f"{what}: line {line} is longer than {LONGEST_LINE // 2**20} MB",
                hint="it is damaged or not a table of lines",
            )
        length = len(chunk) - chunk.rfind(b"\n") - 1 if breaks else length + len(chunk)
        line += breaks
        if not chunk:
            return head.getvalue()


def header(lines: Lines, delimiter: str | None) -> Header:
    """Column names and delimiter; raises SourceError where names are missing or repeated."""
    first = next(iter(lines.first.splitlines()), "")
    used = delimiter or _likeliest(first)
    # A quoted name may hold a line break, so the reader sees more than the first line.
    names = [name.strip() for name in next(csv.reader(io.StringIO(lines.first), delimiter=used), [])]
    if not any(names):
        raise SourceError(f"{lines.what} has no header", hint="its first line must name the columns")
    empty = [n for n, name in enumerate(names, 1) if not name]
    if empty:
        raise SourceError(
            f"{lines.what}: column {empty[0]} of the header has no name", hint="name every column"
        )
    check_names(names, lines.what)
    return Header(names, used)


def check_names(names: list[str], what: str) -> None:
    seen: set[str] = set()
    for name in names:
        if name.casefold() in seen:
            raise SourceError(f"{what}: the header names {name!r} twice", hint="rename one of the columns")
        seen.add(name.casefold())


def _likeliest(first: str) -> str:
    bare = re.sub(r'"[^"]*"', "", first)
    return max(_DELIMITERS, key=bare.count)


def broken_lines(engine: Engine, rejects: list[str]) -> pa.Table:
    raise NotImplementedError
