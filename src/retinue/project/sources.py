"""Where the company's tables live and how their columns map to accounts, clocks and values."""

from __future__ import annotations

import codecs
import re
import string
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    Tag,
    model_validator,
)

from retinue.project.declaration import Day, Declaration, Span, Where


def _timezone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"unknown timezone {name!r}; write one such as Europe/Berlin") from None
    return name


def _encoding(name: str) -> str:
    try:
        codecs.lookup(name)
    except (LookupError, ValueError):
        raise ValueError(f"unknown encoding {name!r}; write one such as utf-8 or latin-1") from None
    return name


def _sentence(text: str) -> str:
    """Only plain column names may stand in the braces: no attributes, indexes or formats."""
    try:
        parts = list(string.Formatter().parse(text))
    except ValueError:
        parts = [("", "", "", None)]
    for _, name, style, conversion in parts:
        if name is not None and (not name or set(name) & set(".[]") or style or conversion):
            raise ValueError("write a sentence with columns in braces, such as `{kind} by {user}`")
    return text


def _link(text: str) -> str:
    """An address on a host that stands as it is; braces may only stand behind it."""
    found = re.fullmatch(
        r"https?://([A-Za-z0-9.-]+|\[[0-9a-fA-F:.]+\])(:[0-9]{1,5})?(/[^\s\"'<>`\\]*)?", text
    )
    if found is None or len(text) > 500:
        raise ValueError("write an address such as `https://crm.example.com/accounts/{account_id}`")
    return _sentence(text)


Timezone = Annotated[str, AfterValidator(_timezone)]
Encoding = Annotated[str, AfterValidator(_encoding)]
Sentence = Annotated[str, AfterValidator(_sentence)]
Link = Annotated[str, AfterValidator(_link)]
Delimiter = Annotated[str, Field(min_length=1, max_length=1)]


class Clock(Declaration):
    """When something happened or became known: a column, shifted by whole days.

    `format` is a strptime pattern for text that is not ISO 8601.
    """

    column: str = Field(min_length=1)
    plus: Span | None = None
    format: str | None = None

    @property
    def shift_days(self) -> int:
        return self.plus.days if self.plus else 0


def _clock(value: Any) -> Any:
    return {"column": value} if isinstance(value, str) else value


AClock = Annotated[Clock, BeforeValidator(_clock, json_schema_input_type=str | Clock)]


class Column(Declaration):
    """A column of a source under the name that metrics use.

    `known_at` is its own clock where it becomes known later than its row; `currency` (a
    column, or a code such as EUR) makes it an amount that is converted at load; `scale` is
    the number of decimals kept when it is summed. `times` multiplies a number of a source by
    another column of its row: a quantity by its price. `or_earlier` names a second date of an
    account that counts where it is earlier, or alone: an account ends when it leaves or when
    its term ends.
    """

    column: str = Field(min_length=1)
    times: str | None = Field(default=None, min_length=1)
    or_earlier: str | None = Field(default=None, min_length=1)
    known_at: AClock | None = None
    currency: str | None = None
    scale: int = Field(default=6, ge=0, le=9)


AColumn = Annotated[Column, BeforeValidator(_clock, json_schema_input_type=str | Column)]


class Via(Declaration):
    """A table that leads from the key in a source's `account` column to the account.

    `key` and `account` are columns of this table: a subscription's id and its owner, say.
    Without a `database` of its own, a table that is not a file is in that of the source.
    """

    table: str = Field(min_length=1)
    database: str | None = None
    key: str
    account: str


class Table(Declaration):
    """A table: a file or glob (CSV, TSV, JSON lines, Parquet, Excel, .gz, .zst), a table of a
    `database` (a DuckDB or SQLite file, or postgresql://...), or a table of the engine itself."""

    table: str = Field(min_length=1)
    database: str | None = None
    sheet: str | None = None
    encoding: Encoding = "utf-8"
    delimiter: Delimiter | None = None


class Source(Table):
    """Facts: dated rows about accounts.

    `unique` names the columns that identify a row; later copies of one are rejected as
    duplicates. `trusted_from` makes rows first loaded before that date count as known when
    they occurred, because an initial load stamps all history with one date.
    `timeline` is a sentence with {columns} that makes each row appear in the timeline.
    Rows for which `where` does not hold are no facts of this source, and are not rejected.
    `append_only` promises that rows are only ever added, each with its `known_at`: then a run
    reads only what is new since the last one.
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
    trusted_from: Day | None = None
    timezone: Timezone | None = None
    timeline: Sentence | None = None
    where: Where | None = None
    append_only: bool = False

    @model_validator(mode="after")
    def _append_only_is_dated(self) -> Source:
        if self.append_only and self.known_at is None:
            raise ValueError(
                "`append_only` needs `known_at`: the column that says when a row was first loaded"
            )
        return self

    def named_columns(self) -> dict[str, Column]:
        """Columns by the name that metrics use, the roles `user` and `value` included."""
        roles = {"user": Column(column=self.user)} if self.user else {}
        values = {"value": self.value} if self.value else {}
        return {**roles, **values, **self.columns}


class AttributeHistory(Declaration):
    """A table of dated values of one attribute."""

    table: str = Field(min_length=1)
    database: str | None = None
    account: str | None = None
    column: str | None = None
    valid_from: AClock
    known_at: AClock | None = None


def _history_kind(value: Any) -> str:
    return "~table" if isinstance(value, dict | AttributeHistory) else "~word"


History = Annotated[
    Annotated[Literal["current", "fixed"], Tag("~word")] | Annotated[AttributeHistory, Tag("~table")],
    Discriminator(_history_kind),
]

#: Attributes with a meaning of their own; all others are the company's.
DATE_ATTRIBUTES = ("started_on", "renews_on", "ended_on")


def _attribute_of(name: str, columns: dict[str, Any]) -> str:
    if name in columns:
        return name
    column = [a for a, c in columns.items() if name == (c.get("column") if isinstance(c, dict) else c)]
    return column[0] if len(column) == 1 else name


class Accounts(Declaration):
    """The accounts: from a table, or derived from a source with one account per key.

    Derived accounts start on the day of their first row. `history` is by attribute; the
    column that exactly one attribute comes from is understood too. `link` is where another system,
    such as a CRM, has an account: an address with `{account_id}` or any attribute in braces.
    """

    table: str | None = None
    fact: str | None = None
    database: str | None = None
    sheet: str | None = None
    encoding: Encoding = "utf-8"
    delimiter: Delimiter | None = None
    key: str | None = None
    columns: dict[str, AColumn] = {}
    history: dict[str, History] = {}
    link: Link | None = None

    @model_validator(mode="before")
    @classmethod
    def _history_by_attribute(cls, told: Any) -> Any:
        columns = told.get("columns") if isinstance(told, dict) else None
        history = told.get("history") if isinstance(told, dict) else None
        if not isinstance(columns, dict) or not isinstance(history, dict):
            return told
        named = {name: _attribute_of(name, columns) for name in history}
        if len(set(named.values())) < len(named):
            return told
        return {**told, "history": {named[name]: value for name, value in history.items()}}


class People(Declaration):
    """Contacts of accounts; metrics read it as a source named `people`.

    `link` is where another system has a person: an address with `{person}`, `{role}`, `{account_id}`
    or any of the columns in braces.
    """

    table: str = Field(min_length=1)
    database: str | None = None
    sheet: str | None = None
    encoding: Encoding = "utf-8"
    delimiter: Delimiter | None = None
    account: str
    person: str
    role: str | None = None
    from_: AClock | None = Field(default=None, alias="from")
    until: AClock | None = None
    columns: dict[str, AColumn] = {}
    link: Link | None = None


class Rates(Declaration):
    """Exchange rates: one unit of `currency` is `rate` units of the project's currency."""

    table: str = Field(min_length=1)
    database: str | None = None
    currency: str = "currency"
    rate: str = "rate"
    valid_from: AClock
