"""Where the company's tables live and how their columns map to accounts, clocks and values."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from retinue.project.declaration import Declaration, Span


class Clock(Declaration):
    """When something happened or became known: a column, shifted by whole days.

    `format` is a strptime pattern for text that is not ISO 8601.
    """

    column: str
    plus: Span | None = None
    format: str | None = None

    @property
    def shift_days(self) -> int:
        return self.plus.days if self.plus else 0


def _clock(value: Any) -> Any:
    return {"column": value} if isinstance(value, str) else value


AClock = Annotated[Clock, BeforeValidator(_clock)]


class Column(Declaration):
    """A column of a source under the name that metrics use.

    `known_at` is its own clock where it becomes known later than its row; `currency` (a
    column, or a code such as EUR) makes it an amount that is converted at load; `scale` is
    the number of decimals kept when it is summed.
    """

    column: str
    known_at: AClock | None = None
    currency: str | None = None
    scale: int = Field(default=6, ge=0, le=9)


AColumn = Annotated[Column, BeforeValidator(_clock)]


class Via(Declaration):
    """A table that leads from a key of the source to the account (a subscription, say)."""

    table: str
    key: str
    account: str


class Table(Declaration):
    """A table: a file or glob (CSV, TSV, JSON lines, Parquet, Excel, .gz, .zst), a table of a
    DuckDB or SQLite file given as `database`, or a table of the engine itself."""

    table: str
    database: str | None = None
    sheet: str | None = None
    encoding: str = "utf-8"
    delimiter: str | None = None


class Source(Table):
    """Facts: dated rows about accounts.

    `unique` names the columns that identify a row; later copies of one are rejected as
    duplicates. `trusted_from` makes rows first loaded before that date count as known when
    they occurred, because an initial load stamps all history with one date.
    `timeline` is a sentence with {columns} that makes each row appear in the timeline.
    """

    account: str
    via: Via | None = None
    occurred_at: AClock
    known_at: AClock | None = None
    ends_at: AClock | None = None
    ends_known_at: AClock | None = None
    user: str | None = None
    value: AColumn | None = None
    columns: dict[str, AColumn] = {}
    unique: tuple[str, ...] = ()
    trusted_from: date | None = None
    timezone: str | None = None
    timeline: str | None = None

    def named_columns(self) -> dict[str, Column]:
        """Columns by the name that metrics use, the roles `user` and `value` included."""
        roles = {"user": Column(column=self.user)} if self.user else {}
        values = {"value": self.value} if self.value else {}
        return {**roles, **values, **self.columns}


class AttributeHistory(Declaration):
    """A table of dated values of one attribute."""

    table: str
    database: str | None = None
    account: str | None = None
    column: str | None = None
    valid_from: AClock
    known_at: AClock | None = None


History = Literal["current", "fixed"] | AttributeHistory

#: Attributes with a meaning of their own; all others are the company's.
DATE_ATTRIBUTES = ("started_on", "renews_on", "ended_on")


class Accounts(Declaration):
    """The accounts: from a table, or derived from a source with one account per key.

    Derived accounts start on the day of their first row.
    """

    table: str | None = None
    fact: str | None = None
    database: str | None = None
    sheet: str | None = None
    encoding: str = "utf-8"
    delimiter: str | None = None
    key: str | None = None
    columns: dict[str, AColumn] = {}
    history: dict[str, History] = {}


class People(Declaration):
    """Contacts of accounts; metrics read it as a source named `people`."""

    table: str
    database: str | None = None
    sheet: str | None = None
    encoding: str = "utf-8"
    delimiter: str | None = None
    account: str
    person: str
    role: str | None = None
    from_: AClock | None = Field(default=None, alias="from")
    until: AClock | None = None
    columns: dict[str, AColumn] = {}


class Rates(Declaration):
    """Exchange rates: one unit of `currency` is `rate` units of the project's currency."""

    table: str
    currency: str = "currency"
    rate: str = "rate"
    valid_from: AClock
