"""What exporting needs of a database, whichever it is."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import date
from typing import Any, ClassVar, Protocol

import pyarrow as pa
import sqlglot as sg
import sqlglot.expressions as sge


@dataclass(frozen=True)
class Layout:
    """A table as it is to be: columns, primary key, further indexes, and what they mean."""

    name: str
    schema: pa.Schema
    key: tuple[str, ...] = ()
    indexes: tuple[tuple[str, ...], ...] = ()
    meaning: str = ""
    meanings: dict[str, str] = field(default_factory=dict)


class Destination(Protocol):
    """A schema of a database, within one transaction: all of it counts at its end, or nothing.

    `builds_on_earlier` says whether what an earlier export left can be kept; without it, tables are
    written anew and take the place of the earlier ones one by one, at the end.
    """

    builds_on_earlier: ClassVar[bool]

    def columns(self, name: str) -> dict[str, pa.DataType] | None:
        """The columns of a table that is there, null for types that are not ours; None without one."""

    def rows(self, name: str) -> list[dict[str, Any]]:
        """A small table as a whole."""

    def create(self, layout: Layout) -> None:
        """An empty table, without its keys."""

    def reshape(self, layout: Layout) -> None:
        """Empty a table and give it other columns; who may read it, and views, are kept where possible."""

    def delete(self, name: str, days: Collection[date] | None) -> None:
        """Rows of these days, or all rows; whoever reads meanwhile still sees them."""

    def append(self, layout: Layout, rows: pa.RecordBatchReader) -> int:
        """Add rows as they stream by; returns how many."""

    def finish(self, layout: Layout) -> None:
        """Keys, indexes and comments of a new table, once its rows are there."""


#: What opens a destination: entering begins its transaction, leaving ends it.
Opened = AbstractContextManager[Destination]


class Statements:
    """SQL that PostgreSQL and DuckDB share. Names and texts are expressions, which sqlglot quotes."""

    dialect: ClassVar[str]
    #: What a column of an Arrow type is called in this database.
    types: ClassVar[dict[pa.DataType, str]]

    def table(self, name: str) -> sge.Table:
        raise NotImplementedError

    def execute(self, statement: str) -> None:
        raise NotImplementedError

    def do(self, *parts: str | sge.Expr) -> None:
        self.execute(self.sql(*parts))

    def sql(self, *parts: str | sge.Expr) -> str:
        return " ".join(part if isinstance(part, str) else part.sql(self.dialect) for part in parts)

    def create(self, layout: Layout) -> None:
        columns = ", ".join(self.column(field) for field in layout.schema)
        self.do("CREATE TABLE", self.table(layout.name), f"({columns})")

    def column(self, field: pa.Field) -> str:
        required = [] if field.nullable else ["NOT NULL"]
        return self.sql(sg.to_identifier(field.name, quoted=True), self.types[field.type], *required)

    def comment(self, layout: Layout) -> None:
        table = self.table(layout.name)
        if layout.meaning:
            self.do("COMMENT ON TABLE", table, "IS", sge.Literal.string(layout.meaning))
        for name in [name for name in layout.schema.names if name in layout.meanings]:
            column = sge.Dot.build([*table.parts, sg.to_identifier(name, quoted=True)])
            self.do("COMMENT ON COLUMN", column, "IS", sge.Literal.string(layout.meanings[name]))
