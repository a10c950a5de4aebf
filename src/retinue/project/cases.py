"""The project's own tests: rows of its tables, and the scores that they should give.

A case is a document of a file in `tests/`. Rows are written under the names that the project uses
(`account`, `occurred_at`, `user`, `value` and the declared columns and attributes) or under those
of the company's table.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag

from retinue.period import grid
from retinue.project.declaration import Day, Declaration, Span

Cell = str | int | float | bool | None
Row = dict[str, Cell]

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


class Repeated(Declaration):
    """A row that is there many times: `times` times, `every` so many days, for each of `each`.

    The dates of the row move forward by `every` each time. {n} in a text becomes the number of
    the copy, from 1.
    """

    row: Row = Field(min_length=1)
    times: int = Field(default=1, ge=1, le=10_000)
    every: Span = Field(default="1d", validate_default=True)
    each: dict[str, tuple[Cell, ...]] = {}


def _row(value: Any) -> str:
    return "~repeated" if isinstance(value, Repeated) or _is_repeated(value) else "~row"


def _is_repeated(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("row"), dict)


Rows = tuple[
    Annotated[Annotated[Row, Tag("~row")] | Annotated[Repeated, Tag("~repeated")], Discriminator(_row)],
    ...,
]


class Dates(Declaration):
    """As-of dates from one day to another."""

    from_: Day = Field(alias="from")
    to: Day
    every: Literal["day", "week"] = "day"

    @property
    def days(self) -> tuple[date, ...]:
        return tuple(grid(self.from_, self.to, self.every))


def _as_of(value: Any) -> Any:
    return [value] if isinstance(value, str | date) else value


def _span_or_days(value: Any) -> str:
    return "~span" if isinstance(value, dict | Dates) else "~days"


AsOf = Annotated[
    Annotated[tuple[Day, ...], Tag("~days")] | Annotated[Dates, Tag("~span")],
    Discriminator(_span_or_days),
    BeforeValidator(_as_of, json_schema_input_type=Day | tuple[Day, ...] | Dates),
]


class Said(Declaration):
    """A pulse: what a person judged (0 to 10), the day it was said, and the last day it counts."""

    account: str
    pulse: str
    value: float = Field(ge=0, le=10)
    on: str
    expires_on: str | None = None


class Overridden(Declaration):
    """An override of the effective score, from `on` to `expires_on`."""

    account: str
    kind: Literal["set", "cap", "floor"]
    value: float = Field(ge=0, le=100)
    on: str
    expires_on: str | None = None


class Expected(Declaration):
    """What a snapshot should hold; only what is written is compared.

    `score` is the computed one, `shown` its whole number. `components` and `measures` hold
    points; a metric or measure is a number, or the word for its state.
    """

    score: float | None = None
    shown: int | None = None
    grade: str | None = None
    base: float | None = None
    adjustment: float | None = None
    published: float | None = None
    effective: float | None = None
    band: Literal["healthy", "watch", "at_risk"] | None = None
    published_band: Literal["healthy", "watch", "at_risk"] | None = None
    status: Literal["scored", "not_scored"] | None = None
    coverage: float | None = None
    cap: str | None = None
    held: bool | None = None
    stage: str | None = None
    scorecard: str | None = None
    weakest_component: str | None = None
    metrics: dict[str, float | str | None] = {}
    components: dict[str, float | None] = {}
    measures: dict[str, float | str | None] = {}


Absent = Literal["absent"]


def _what(value: Any) -> str:
    if isinstance(value, str):
        return "~absent"
    keys = list(value) if isinstance(value, dict) else []
    dated = bool(keys) and all(isinstance(key, date) or _DATE.fullmatch(str(key)) for key in keys)
    return "~dated" if dated else "~expected"


Snapshot = Annotated[
    Annotated[Absent, Tag("~absent")] | Annotated[Expected, Tag("~expected")], Discriminator(_what)
]
ByAccount = Annotated[
    Annotated[Absent, Tag("~absent")]
    | Annotated[Expected, Tag("~expected")]
    | Annotated[dict[Day, Snapshot], Tag("~dated")],
    Discriminator(_what),
]


class Case(Declaration):
    """Rows, and what they should give.

    The feed of a source that is mentioned, if only as `[]`, is alive: an account without rows is
    silent. A source that is left out has no feed at all: its metrics are missing. `feeds` gives the
    last day of a feed that died. Attributes of an account hold on all dates; `histories` (account,
    value, from) says otherwise. Cohort curves use their declared points; with `cohorts: rows` the
    rows of the case are the history. `tolerance` is how far a number may be off, `rejected` how
    many rows of each source should be rejected.
    """

    case: str = Field(min_length=1)
    description: str | None = None
    as_of: AsOf
    tolerance: float = Field(default=0.005, ge=0)
    accounts: Rows = ()
    people: Rows = ()
    facts: dict[str, Rows] = {}
    feeds: dict[str, str] = {}
    cohorts: Literal["declared", "rows"] = "declared"
    histories: dict[str, Rows] = {}
    rates: Rows = ()
    pulses: tuple[Said, ...] = ()
    overrides: tuple[Overridden, ...] = ()
    rejected: dict[str, int] = {}
    expect: dict[str, ByAccount] = Field(min_length=1)

    @property
    def dates(self) -> tuple[date, ...]:
        days = self.as_of.days if isinstance(self.as_of, Dates) else self.as_of
        return tuple(sorted(set(days)))

    def expected(self) -> Iterator[tuple[tuple[str, ...], str, date, Expected | Absent]]:
        """Path in the case, account, date and what is expected there.

        What is not dated is expected on the last date.
        """
        for account, told in self.expect.items():
            if isinstance(told, dict):
                for day, snapshot in told.items():
                    yield ("expect", account, day.isoformat()), account, day, snapshot
            else:
                yield ("expect", account), account, self.dates[-1], told
