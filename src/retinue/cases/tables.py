"""The rows of cases as tables, and the project that reads them instead of the company's.

Cases of one pass share the tables. Their accounts are told apart by a prefix, and so are the keys
of their rows, so that no case sees another.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from retinue.cases.reading import Told
from retinue.errors import Place, Problem, ProjectError
from retinue.project.cases import Cell, Repeated, Row
from retinue.project.diagnosis import suggestion
from retinue.project.project import Project
from retinue.project.sources import (
    DATE_ATTRIBUTES,
    Accounts,
    AttributeHistory,
    Clock,
    Column,
    People,
    Rates,
    Source,
)

#: The account whose rows keep feeds alive; it is never among the results.
FEED = "feed of the cases"
#: The column that keeps the keys of rows of different cases apart.
CASE = "case of the row"

#: How far back a feed has rows: the year and the quarter that cohort curves look at, and a while.
_BEFORE = timedelta(days=500)
_OFFSET = re.compile(r"[+-]?\d{1,5}d")
_CODE = re.compile(r"[A-Z]{3}")


@dataclass
class _Form:
    """The columns of one table under the names that cases use.

    `days` are those with dates, `accounts` those with accounts. A row that leaves out a column of
    `copied` has there what is in another; one that leaves out a key in `numbered` gets one of its
    own. `known` maps every name that a row may use to the columns meant.
    """

    columns: dict[str, None] = field(default_factory=dict)
    days: set[str] = field(default_factory=set)
    accounts: set[str] = field(default_factory=set)
    copied: dict[str, str] = field(default_factory=dict)
    numbered: set[str] = field(default_factory=set)
    known: dict[str, list[str]] = field(default_factory=dict)

    def add(
        self, name: str, told: str | None = None, *, day: bool = False, instead: str | None = None
    ) -> str:
        """A column called `name`, and `told` in the company's table."""
        self.columns[name] = None
        self.known[name] = [name]
        if told and told not in self.columns:
            self.known.setdefault(told, []).append(name)
        if day:
            self.days.add(name)
        if instead:
            self.copied[name] = instead
        return name

    def clock(self, name: str, clock: Clock | None, instead: str | None = None) -> Clock | None:
        if clock is None:
            return None
        return Clock(column=self.add(name, clock.column, day=True, instead=instead), plus=clock.plus)

    def column(self, name: str, column: Column, instead: str) -> Column:
        """A declared column; where it has a clock of its own and a row does not say, it is `instead`."""
        # A product of two columns is given as such: the name of one of them would be taken for it.
        self.add(name, None if column.times else column.column)
        clock = self.clock(f"{name} known_at", column.known_at, instead)
        if column.currency is not None and not _CODE.fullmatch(column.currency):
            self.add(column.currency)
        return Column(column=name, known_at=clock, currency=column.currency, scale=column.scale)

    def account(self, told: str | None) -> str:
        self.accounts.add("account")
        return self.add("account", told)


@dataclass
class Pass:
    """Cases that are computed together: the project over their tables, and where rows stand."""

    told: Sequence[Told]
    project: Project
    origins: dict[str, list[tuple[int, Place]]]


def prefixed(number: int, account: object) -> str:
    """The account of a case (by its number in the pass) as it is in the tables."""
    return f"{number}: {account}"


def prepared(
    told: Sequence[Told], project: Project, columns: Mapping[str, frozenset[str]], folder: Path
) -> Pass:
    """Writes the tables of cases of one kind (see `running.alike`) into `folder`.

    `columns` names, by source, the columns that metrics read. Raises ProjectError for rows with
    columns that the project does not know.
    """
    settings = project.settings
    writer = _Writer(told, folder, project)
    facts = {}
    for name, source in settings.facts.items():
        form = _Form()
        whole = _source(source, columns.get(name, frozenset()), form)
        rows = [(n, one.case.facts.get(name, ())) for n, one in enumerate(told)]
        facts[name] = whole.model_copy(update={"table": writer.table(("facts", name), rows, form)})
    update: dict[str, Any] = {"facts": facts, "accounts": _accounts(writer, settings.accounts)}
    if settings.people is not None:
        update["people"] = _people(writer, settings.people)
    if settings.rates is not None:
        update["rates"] = _rates(writer)
    _unknown(writer)
    if writer.problems:
        raise ProjectError(writer.problems)
    changed = replace(project, root=folder, settings=settings.model_copy(update=update))
    return Pass(told, changed, writer.origins)


def _unknown(writer: _Writer) -> None:
    settings = writer.project.settings
    known = {
        "facts": list(settings.facts),
        "histories": list(settings.accounts.columns),
        "feeds": list(writer.project.sources),
    }
    for told in writer.told:
        for key, names in known.items():
            for name in getattr(told.case, key):
                if name not in names:
                    what = "attribute of the accounts" if key == "histories" else "source of the project"
                    hint = suggestion(name, names, "declared")
                    writer.problems.append(Problem(f'"{name}" is no {what}', told.place(key, name), hint))
        for key in ("people", "rates"):
            if key in told.case.model_fields_set and getattr(settings, key) is None:
                problem = Problem(f"the project has no {key}", told.place(key), f"declare `{key}`")
                writer.problems.append(problem)


def _source(source: Source, read: frozenset[str], form: _Form) -> Source:
    named = source.named_columns()
    update: dict[str, Any] = {
        "account": form.account(None if source.via else source.account),
        "via": None,
        "where": None,
        "database": None,
        "sheet": None,
        "encoding": "utf-8",
        "delimiter": None,
        "occurred_at": form.clock("occurred_at", source.occurred_at),
        "known_at": form.clock("known_at", source.known_at, "occurred_at"),
        "ends_at": form.clock("ends_at", source.ends_at),
        "ends_known_at": form.clock("ends_known_at", source.ends_known_at, "ends_at"),
        "user": form.add("user", source.user) if source.user else None,
    }
    if source.value is not None:
        update["value"] = form.column("value", source.value, "occurred_at")
    update["columns"] = {
        name: form.column(name, named.get(name, Column(column=name)), "occurred_at")
        for name in dict.fromkeys([*source.columns, *sorted(read - {"user", "value"})])
    }
    unique = [form.known[name][0] if name in form.known else form.add(name) for name in source.unique]
    form.numbered = set(unique) - {"account", *form.days}
    return source.model_copy(update={**update, "unique": (CASE, *unique) if unique else ()})


def _accounts(writer: _Writer, accounts: Accounts) -> Accounts:
    if accounts.table is None:
        return accounts
    form = _Form()
    key = form.account(accounts.key)
    columns = {name: form.column(name, column, name) for name, column in accounts.columns.items()}
    form.days |= set(DATE_ATTRIBUTES) & set(columns)
    form.accounts |= {"parent"} & set(columns)
    rows = [(n, told.case.accounts) for n, told in enumerate(writer.told)]
    table = writer.table(("accounts",), rows, form)
    history: dict[str, Any] = dict.fromkeys(columns, "fixed")
    for name in {name for told in writer.told for name in told.case.histories} & set(columns):
        inner = _Form(accounts={"value"} if name == "parent" else set())
        inner.account(accounts.key)
        inner.add("value", name, day=name in DATE_ATTRIBUTES)
        inner.add("from", day=True)
        past = [(n, told.case.histories.get(name, ())) for n, told in enumerate(writer.told)]
        path = writer.table(("histories", name), past, inner)
        history[name] = AttributeHistory(
            table=path, account="account", column="value", valid_from=Clock(column="from")
        )
    return Accounts(table=table, key=key, columns=columns, history=history)


def _people(writer: _Writer, people: People) -> People:
    form = _Form()
    columns = {
        "account": form.account(people.account),
        "person": form.add("person", people.person),
        "role": form.add("role", people.role) if people.role else None,
        "from": form.clock("from", people.from_),
        "until": form.clock("until", people.until),
        "columns": {name: form.column(name, c, "from") for name, c in people.columns.items()},
    }
    rows = [(n, told.case.people) for n, told in enumerate(writer.told)]
    return People.model_validate({**columns, "table": writer.table(("people",), rows, form)})


def _rates(writer: _Writer) -> Rates:
    form = _Form()
    form.add("currency")
    form.add("rate")
    start = form.clock("valid_from", Clock(column="valid_from"))
    # Cases of one pass have the same rates.
    path = writer.table(("rates",), [(0, writer.told[0].case.rates)], form)
    return Rates.model_validate({"table": path, "valid_from": start})


@dataclass
class _Writer:
    told: Sequence[Told]
    folder: Path
    project: Project
    problems: list[Problem] = field(default_factory=list)
    origins: dict[str, list[tuple[int, Place]]] = field(default_factory=dict)

    def table(
        self, path: tuple[str, ...], rows: Sequence[tuple[int, Sequence[Row | Repeated]]], form: _Form
    ) -> str:
        """Writes the rows of all cases (by their number) as Parquet, and returns the file's path."""
        found: dict[str, list[Cell]] = {name: [] for name in (*form.columns, CASE)}
        places: list[tuple[int, Place]] = []
        for number, told_rows in rows:
            told = self.told[number]
            for position, row in enumerate(told_rows):
                place = told.place(*path, position)
                for copy in _copies(row):
                    cells = self._cells(told, (*path, position), copy, form)
                    self._complete(cells, form, number, len(places))
                    for name, values in found.items():
                        values.append(cells.get(name))
                    places.append((number, place))
        for cells in self._feed(path):
            for name, values in found.items():
                values.append(cells.get(name, cells.get("day") if name in form.days else None))
        self.origins[path[-1]] = places
        file = self.folder / ("_".join(path) + ".parquet")
        columns = {name: _typed(values, name in form.days) for name, values in found.items()}
        pq.write_table(pa.table(columns), file)
        return str(file)

    def _complete(self, cells: dict[str, Cell], form: _Form, number: int, position: int) -> None:
        for name, other in form.copied.items():
            if cells.get(name) is None:
                cells[name] = cells.get(other)
        for name in form.numbered:
            if cells.get(name) is None:
                cells[name] = f"row {position}"
        for name in form.accounts:
            account = cells.get(name)
            if account is not None:
                cells[name] = prefixed(number, _text(account))
        cells[CASE] = str(number)

    def _feed(self, path: tuple[str, ...]) -> Iterator[dict[str, Cell]]:
        """Rows of nobody in particular that keep a feed alive up to its last day."""
        first = min(one.case.dates[0] for one in self.told) - _BEFORE
        last = max(one.case.dates[-1] for one in self.told)
        if path == ("accounts",):
            yield {"account": FEED, "day": (last + timedelta(days=1)).isoformat(), "ended_on": None}
        if path != ("people",) and path[0] != "facts":
            return
        until = alive_until(self.told[0], path[-1])
        if until is None:
            return
        for n in range((min(until, last) - first).days + 1):
            day = (first + timedelta(days=n)).isoformat()
            yield {"account": FEED, "day": day, "ends_at": None, "ends_known_at": None, CASE: f"feed {n}"}

    def _cells(
        self, told: Told, path: tuple[str | int, ...], copy: tuple[Row, int, int], form: _Form
    ) -> dict[str, Cell]:
        row, number, moved = copy
        cells: dict[str, Cell] = {}
        for key, cell in row.items():
            if isinstance(cell, str):
                cell = cell.replace("{n}", str(number))
            for name in form.known.get(key, []):
                cells[name] = self._day(told, (*path, key), cell, moved) if name in form.days else cell
            if key not in form.known:
                known = [name for name in form.known if " " not in name]
                self._problem(
                    Problem(
                        f'no column "{key[:60]}" here that the project reads',
                        told.place(*path, key),
                        suggestion(key, known, "read"),
                    )
                )
        return cells

    def _day(self, told: Told, path: tuple[str | int, ...], cell: Cell, moved: int) -> Cell:
        if cell is None or cell == "":
            return None
        try:
            return day_of(str(cell), told.case.dates[-1], moved)
        except ValueError:
            hint = "write 2026-03-31, 2026-03-31 14:00, or -10d for ten days before the last as-of date"
            self._problem(Problem(f'"{str(cell)[:40]}" is not a date', told.place(*path), hint))
            return None

    def _problem(self, problem: Problem) -> None:
        if problem not in self.problems:
            self.problems.append(problem)


def alive_until(told: Told, source: str) -> date | None:
    """The last day of a source's feed; None where it has none."""
    case = told.case
    stated = case.feeds.get(source)
    if stated is not None:
        return date.fromisoformat(day_of(stated, case.dates[-1])[:10])
    mentioned = source in case.facts or (source == "people" and "people" in case.model_fields_set)
    return date.max if mentioned else None


def _copies(row: Row | Repeated) -> Iterator[tuple[Row, int, int]]:
    """Each row that is meant, its number from 1, and the days that it is moved by."""
    if not isinstance(row, Repeated):
        yield row, 1, 0
        return
    number = itertools.count(1)
    for values in itertools.product(*row.each.values()):
        whole = {**row.row, **dict(zip(row.each, values, strict=True))}
        for n in range(row.times):
            yield whole, next(number), n * row.every.days


def day_of(text: str, today: date, moved: int = 0) -> str:
    """A day as it is written in a case: a date (with or without a time) or days from `today`."""
    if _OFFSET.fullmatch(text):
        return (today + timedelta(days=int(text[:-1]) + moved)).isoformat()
    day = date.fromisoformat(text[:10])
    return (day + timedelta(days=moved)).isoformat() + text[10:]


def _typed(values: list[Cell], day: bool) -> pa.Array:
    """Numbers and booleans as such where a column has nothing else, otherwise text."""
    kinds = {type(value) for value in values if value is not None}
    if not day and kinds == {bool}:
        return pa.array(values, pa.bool_())
    if not day and kinds and kinds <= {int, float}:
        return pa.array(values, pa.int64() if kinds == {int} else pa.float64())
    return pa.array([None if value is None else _text(value) for value in values], pa.string())


def _text(value: Cell) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
