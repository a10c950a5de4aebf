"""Excel and OpenDocument sheets as tables of text."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from retinue.errors import Place, SourceError
from retinue.warehouse.reading.hints import nearest
from retinue.warehouse.reading.text import named

SUFFIXES = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")


def read(path: Path, sheet: str | None, what: str, place: Place) -> pa.Table:
    """The sheet named `sheet`, or the first one; its first row that is not blank is the header."""
    import python_calamine as calamine

    try:
        book = calamine.load_workbook(str(path))
    except (calamine.CalamineError, OSError) as error:
        if isinstance(error, PermissionError):
            raise
        raise SourceError(
            f"{what}: not a spreadsheet that can be read",
            place=place,
            hint="it may be truncated or have a password; save it again",
        ) from None
    if sheet is not None and sheet not in book.sheet_names:
        raise SourceError(
            f"{what}: there is no sheet {sheet!r}",
            place=place,
            hint=nearest(sheet, book.sheet_names),
        )
    if not book.sheet_names:
        raise SourceError(f"{what}: there is no sheet", place=place, hint="save it with one")
    try:
        rows = book.get_sheet_by_name(sheet or book.sheet_names[0]).to_python(skip_empty_area=True)
    except calamine.CalamineError as error:
        raise SourceError(f"{what}: {error}", place=place, hint="save it again") from None
    filled = [row for row in rows if any(cell not in ("", None) for cell in row)]
    if not filled:
        raise SourceError(f"{what}: the sheet is empty", place=place, hint="a table needs at least a header")
    width = max(n for n, cell in enumerate(filled[0], 1) if cell not in ("", None))
    names = named([(as_text(cell) or "").strip() for cell in filled[0][:width]], what, place)
    columns = {name: _column([row[n] for row in filled[1:]]) for n, name in enumerate(names)}
    return pa.table(columns)


def _column(cells: list[Any]) -> pa.Array:
    # A sheet has no dates, only times at midnight: a column of nothing else holds dates.
    times = [cell for cell in cells if isinstance(cell, datetime)]
    if times and all(cell.time() == time() for cell in times):
        cells = [cell.date() if isinstance(cell, datetime) else cell for cell in cells]
    return pa.array([as_text(cell) for cell in cells], pa.string())


def as_text(cell: Any) -> str | None:
    """A value of a table without types as the text that a CSV file would hold; empty is None."""
    match cell:
        case None | "":
            return None
        case bool():
            return "true" if cell else "false"
        case float() if cell.is_integer() and abs(cell) < 2**53:
            return str(int(cell))
        case datetime():
            return cell.isoformat(sep=" ")
        case date() | time():
            return cell.isoformat()
        case timedelta():
            return str(cell.total_seconds())
        case bytes():
            return cell.decode("utf-8", errors="replace")
        case _:
            return str(cell)
