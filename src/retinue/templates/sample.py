"""Small tables of invented accounts, so that a new project has something to score.

Every account follows a course of well-being between 0 and 1; what its rows say, and how many
there are, lies between what is said of a bad and of a good account. The same template and the
same last day give the same bytes.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

ACCOUNTS = 40
DAYS = 400

_FIRST = ("Alder", "Birch", "Cedar", "Dune", "Ember", "Fjord", "Grove", "Heron", "Indigo", "Juniper")
_SECOND = ("Works", "Labs", "Group", "Partners")
_PEOPLE = ("ana", "ben", "chloe", "dev")


@dataclass(frozen=True)
class Pick:
    """One of `good`, or one of `bad`, the more likely the better the account."""

    good: tuple[str, ...]
    bad: tuple[str, ...] = ()


@dataclass(frozen=True)
class Number:
    """A number between that of a bad and that of a good account."""

    bad: float
    good: float
    digits: int = 0


@dataclass(frozen=True)
class Person:
    """Somebody of the account, among so many."""

    bad: int
    good: int


@dataclass(frozen=True)
class After:
    """A day so much later; empty if that is still to come."""

    bad: int
    good: int


@dataclass(frozen=True)
class Key:
    """A running number with a letter."""

    letter: str


Cell = Pick | Number | Person | After | Key


@dataclass(frozen=True)
class Stream:
    """A table of dated rows: so many in 28 days for a bad and for a good account.

    `day` is the column with the day; `loaded_at`, the day a row was first known, is always there.
    """

    file: str
    day: str
    bad: float
    good: float
    columns: Mapping[str, Cell]


@dataclass(frozen=True)
class Company:
    """What there is of an industry: accounts by size with their attributes, and streams."""

    sizes: Mapping[str, Mapping[str, float | str]]
    streams: Sequence[Stream]
    columns: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Account:
    account_id: str
    size: str
    started_on: date
    course: tuple[float, float]
    turn: int


def write(template: str, company: Company, folder: Path, last_day: date) -> dict[str, int]:
    """Writes the tables into `folder`; returns rows by file."""
    folder.mkdir(parents=True, exist_ok=True)
    chance = random.Random(template)  # noqa: S311 - invented data
    accounts = _accounts(company, chance, last_day)
    rows = {"accounts.csv": _write(folder / "accounts.csv", _table(company, accounts, chance, last_day))}
    for stream in company.streams:
        rows[stream.file] = _write(folder / stream.file, _rows(stream, accounts, chance, last_day))
    return rows


def _write(path: Path, rows: Iterator[dict[str, object]]) -> int:
    count = 0
    with path.open("w", newline="", encoding="utf-8") as file:
        for row in rows:
            if not count:
                csv.writer(file, lineterminator="\n").writerow(row)
            csv.writer(file, lineterminator="\n").writerow(row.values())
            count += 1
    return count


#: Well-being before and after the turn: most do well, some never did, some fall and some recover.
_COURSES = (
    (0.9, 0.9),
    (0.8, 0.85),
    (0.75, 0.7),
    (0.5, 0.5),
    (0.85, 0.1),
    (0.2, 0.75),
    (0.9, 0.95),
    (0.6, 0.3),
)


def _accounts(company: Company, chance: random.Random, last_day: date) -> list[_Account]:
    sizes = list(company.sizes)
    found = []
    for number in range(ACCOUNTS):
        age = 40 + int(chance.random() * 800)
        course = _COURSES[number % len(_COURSES)]
        turn = 30 + int(chance.random() * 90)
        size = sizes[int(chance.random() * len(sizes))]
        found.append(_Account(f"A{1001 + number}", size, last_day - timedelta(days=age), course, turn))
    return found


def _table(
    company: Company, accounts: Sequence[_Account], chance: random.Random, last_day: date
) -> Iterator[dict[str, object]]:
    for number, one in enumerate(accounts):
        renewal = one.started_on
        while renewal <= last_day:
            renewal += timedelta(days=365)
        name = f"{_FIRST[number % len(_FIRST)]} {_SECOND[number // len(_FIRST) % len(_SECOND)]}"
        row: dict[str, object] = {
            "account_id": one.account_id,
            "name": name,
            "owner": f"{_PEOPLE[number % len(_PEOPLE)]}@example.com",
            "region": ("north", "south")[number % 2],
            "segment": one.size,
            "started_on": one.started_on,
            "renews_on": renewal,
        }
        for column, value in company.sizes[one.size].items():
            row[column] = value if isinstance(value, str) else int(value * (0.6 + 0.8 * chance.random()))
        yield row


def _rows(
    stream: Stream, accounts: Sequence[_Account], chance: random.Random, last_day: date
) -> Iterator[dict[str, object]]:
    number = 0
    for one in accounts:
        first = max(one.started_on, last_day - timedelta(days=DAYS))
        for offset in range((last_day - first).days + 1):
            day = first + timedelta(days=offset)
            well = one.course[(last_day - day).days < one.turn]
            expected = (stream.bad + (stream.good - stream.bad) * well) / 28
            for _ in range(int(expected + chance.random())):
                number += 1
                row: dict[str, object] = {"account_id": one.account_id, stream.day: day, "loaded_at": day}
                for column, cell in stream.columns.items():
                    row[column] = _cell(cell, one, day, well, number, chance, last_day)
                yield row


def _cell(
    cell: Cell, one: _Account, day: date, well: float, number: int, chance: random.Random, last_day: date
) -> object:
    match cell:
        case Key(letter=letter):
            return f"{letter}{number}"
        case Pick(good=good, bad=bad):
            chosen = good if not bad or chance.random() < well else bad
            return chosen[int(chance.random() * len(chosen))]
        case Number(bad=low, good=high, digits=digits):
            value = low + (high - low) * well + (chance.random() - 0.5) * abs(high - low) * 0.4
            bounded = min(max(value, min(low, high)), max(low, high))
            return round(bounded, digits) if digits else round(bounded)
        case Person(bad=low, good=high):
            among = max(1, round(low + (high - low) * well))
            return f"p{1 + int(chance.random() * among)}@{one.account_id.lower()}.example"
        case After(bad=late, good=early):
            end = day + timedelta(days=round((late + (early - late) * well) * (0.5 + chance.random())))
            return end if end <= last_day else ""
