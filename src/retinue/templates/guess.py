"""What tables seem to be: which holds the accounts, which hold facts, and what their columns mean.

Every guess says how sure it is and why; nothing is mapped without one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from retinue.templates.vocabulary import (
    ACCOUNTS,
    AMOUNTS,
    ATTRIBUTES,
    COLUMNS,
    DATES,
    ENDS,
    KNOWN,
    NUMBERS,
    OCCURRED,
    OUTCOMES,
    SOURCES,
)

#: Rows of a table that are looked at.
ROWS = 50_000

Sure = Literal["sure", "likely", "guess"]

_DATE = r"^\s*\d{4}-\d{1,2}-\d{1,2}([T ]\d{1,2}:\d{2}.*)?$"
_NUMBER = r"^\s*[+-]?\d+(\.\d+)?\s*$"


@dataclass(frozen=True)
class Guess:
    """One thing that was concluded from a table."""

    what: str
    table: str
    column: str | None
    sure: Sure
    why: str

    def __str__(self) -> str:
        column = f" {self.column}" if self.column else ""
        return f"{self.sure}: {self.what}:{column} of {self.table}, because {self.why}"

    def to_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


@dataclass(frozen=True)
class Column:
    """What the first rows of a column hold; `values` is empty where there are too many."""

    name: str
    filled: float
    unique: bool
    dates: float
    numbers: float
    values: frozenset[str]
    last: str | None = None

    @property
    def words(self) -> list[str]:
        return words(self.name)

    @property
    def is_date(self) -> bool:
        return self.dates > 0.95

    @property
    def is_number(self) -> bool:
        return self.numbers > 0.95


@dataclass(frozen=True)
class Seen:
    """A table: where it is, how it is called, and its columns."""

    path: Path
    name: str
    rows: int
    columns: tuple[Column, ...]

    def until(self, last: Mapping[str, str]) -> Seen:
        """The table with the last days of its columns, where they are days at all."""
        sound = {name: day for name, day in last.items() if re.match(_DATE, day)}
        columns = tuple(replace(c, last=sound.get(c.name, c.last)) for c in self.columns)
        return replace(self, columns=columns)


@dataclass(frozen=True)
class Via:
    """The table that leads from a column of a fact to the account, by `key` and `account` of it."""

    bridge: Seen
    own: str
    key: str
    account: str


@dataclass
class Fact:
    """A table of dated rows, with its roles by the name of the declaration."""

    table: Seen
    name: str
    roles: dict[str, str] = field(default_factory=dict)
    columns: dict[str, str] = field(default_factory=dict)
    via: Via | None = None
    unique: str | None = None
    outcome: bool = False


@dataclass
class Found:
    """Facts, and accounts by the column `key` of their own table, or of the facts they come from."""

    accounts: Seen | None = None
    derived: Seen | None = None
    key: Column | None = None
    attributes: dict[str, str] = field(default_factory=dict)
    facts: list[Fact] = field(default_factory=list)
    guesses: list[Guess] = field(default_factory=list)

    @property
    def tenure(self) -> bool:
        """Whether the first day of accounts is known; derived ones start with their first row."""
        return self.derived is not None or "started_on" in self.attributes

    @property
    def number(self) -> int:
        return self.accounts.rows if self.accounts else len(self.key.values) if self.key else 0


def words(name: str) -> list[str]:
    """The words of a name, singular and in lower case: `SupportTickets` is support, ticket."""
    parts = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)
    return [_singular(part.lower()) for part in parts]


def _singular(word: str) -> str:
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("ches", "shes", "sses", "xes")):
        return word[:-2]
    keep = word.endswith(
        ("ss", "us", "hours", "points", "products", "seats", "licences", "licenses", "stars")
    )
    return word[:-1] if word.endswith("s") and len(word) > 3 and not keep else word


def seen(path: Path, rows: pa.Table) -> Seen:
    """What the rows of the table at `path` look like."""
    stem = re.sub(r"\..*$", "", path.name)
    told = stem if words(re.sub(r"\d", "", stem)) else path.parent.name
    name = re.sub(r"\W+", "_", told).strip("_").lower()
    name = name if re.match(r"[^\W\d]", name) else f"table_{name}".strip("_")
    return Seen(path, name, rows.num_rows, tuple(_column(n, rows[n]) for n in rows.column_names))


def _column(name: str, values: pa.ChunkedArray) -> Column:
    kind = values.type
    if pa.types.is_floating(kind):
        whole = pc.all(pc.equal(pc.floor(values), values)).as_py()
        values = values.cast(pa.int64()) if whole else values
    try:
        text = pc.utf8_trim_whitespace(values.cast(pa.string()))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return Column(name, 0.0, False, 0.0, 0.0, frozenset())
    text = text.filter(pc.and_(pc.is_valid(text), pc.not_equal(text, "")))
    count = len(text)
    if not count:
        return Column(name, 0.0, False, 0.0, 0.0, frozenset())
    distinct = pc.unique(text)
    dated = pc.match_substring_regex(distinct, _DATE)
    dates = pc.mean(dated.cast(pa.float64())).as_py()
    numbers = pc.mean(pc.match_substring_regex(distinct, _NUMBER).cast(pa.float64())).as_py()
    last = max(distinct.filter(dated).to_pylist(), default=None)
    unique = len(distinct) == count == len(values)
    return Column(name, count / len(values), unique, dates, numbers, frozenset(distinct.to_pylist()), last)


def mapping(tables: Sequence[Seen], sources: Mapping[str, Iterable[str]]) -> Found:
    """What the tables are; `sources` names what a template reads, with the columns of each."""
    found = Found()
    _accounts(tables, found)
    if found.key is None:
        _derived(tables, found)
    if found.key is None:
        return found
    for table in tables:
        if table is not found.accounts:
            fact = _fact(table, tables, found)
            if fact is not None:
                found.facts.append(fact)
    _as_sources(found, sources)
    return found


def _accounts(tables: Sequence[Seen], found: Found) -> None:
    """The table with a unique key that most other tables refer to."""
    best: tuple[float, int, Seen, Column, int] | None = None
    for table in tables:
        for position, column in enumerate(table.columns):
            if not column.unique or column.is_date or column.filled < 1:
                continue
            linked = sum(
                any(_overlap(other, column) > 0.5 for other in against.columns)
                for against in tables
                if against is not table
            )
            named = any(word in ACCOUNTS for word in words(table.name))
            keyed = column.words[-1:] in (["id"], ["key"], ["code"], ["no"], ["number"])
            ours = any(word in ACCOUNTS for word in column.words)
            points = 2.0 * linked + 3 * named + keyed + ours - 0.1 * position
            if named or linked or ours:
                rank = (points, -table.rows)
                if best is None or rank > (best[0], -best[2].rows):
                    best = (points, position, table, column, linked)
    if best is None:
        return
    _, _, table, column, linked = best
    found.accounts, found.key = table, column
    named = any(word in ACCOUNTS for word in words(table.name))
    sure: Sure = "sure" if linked and named else "likely" if linked or named else "guess"
    why = f"{column.name} is unique, and {linked} of {len(tables) - 1} other tables refer to it"
    found.guesses.append(Guess("accounts: key", table.path.name, column.name, sure, why))
    for name, told in ATTRIBUTES.items():
        taken = {column.name, *found.attributes.values()}
        chosen = _named(table, told, taken, dates=name in DATES, numbers=name in AMOUNTS)
        if name == "parent":
            # Accounts of their own, whatever the column is called after that.
            inside = (
                c for c in table.columns if "parent" in c.words and c.values and c.values <= column.values
            )
            chosen = next(inside, None)
        if chosen is not None:
            found.attributes[name] = chosen.name
            found.guesses.append(
                Guess(f"accounts: {name}", table.path.name, chosen.name, "likely", "its name and values fit")
            )
    for one in table.columns:
        plain = not one.is_date and not one.unique and 0 < len(one.values) <= 50
        free = one.name not in {column.name, *found.attributes.values()}
        name = "_".join(words(one.name))
        leaks = any(word in OUTCOMES for word in one.words)
        if plain and free and not leaks and re.fullmatch(r"[a-z]\w*", name) and name not in ATTRIBUTES:
            found.attributes.setdefault(name, one.name)
            why = f"kept under its own name: {len(one.values)} different values"
            found.guesses.append(Guess(f"accounts: {name}", table.path.name, one.name, "guess", why))


def _derived(tables: Sequence[Seen], found: Found) -> None:
    """Without a table of accounts: the facts that name an account in each row."""
    for table in tables:
        for column in table.columns:
            ours = any(word in (*ACCOUNTS, "user") for word in column.words)
            if ours and not column.is_date and column.filled > 0.5 and len(column.values) > 1:
                found.derived, found.key = table, column
                why = "no table has a row for each account, and this column of dated rows names one"
                found.guesses.append(Guess("accounts: fact", table.path.name, column.name, "guess", why))
                return


def _overlap(refers: Column, key: Column) -> float:
    if not refers.values or not key.values or refers.is_date:
        return 0.0
    # Small whole numbers overlap with everything.
    if refers.is_number and (len(refers.values) < 20 or "id" not in refers.words + key.words[-1:]):
        return 0.0
    return len(refers.values & key.values) / len(refers.values)


def _named(
    table: Seen, told: str, taken: set[str], *, dates: bool = False, numbers: bool = False
) -> Column | None:
    """The free column that is called by one of the words `told`, the earlier word the better."""
    for word in told.split():
        for column in table.columns:
            fits = column.is_date == dates and (column.is_number or not numbers) and column.filled > 0
            if column.name not in taken and fits and _singular(word) in column.words:
                if not numbers and not dates and column.words[-1] in {"id", "flag"}:
                    continue
                return column
    return None


def _fact(table: Seen, tables: Sequence[Seen], found: Found) -> Fact | None:
    key = found.key
    assert key is not None
    days = [column for column in table.columns if column.is_date and column.filled > 0]
    account = key if table is found.derived else _account_of(table, key)
    fact = Fact(table, table.name)
    what = f"facts: {table.name}"

    def say(role: str, column: str, sure: Sure, why: str) -> None:
        found.guesses.append(Guess(f"{what}: {role}", table.path.name, column, sure, why))

    if account is not None:
        share = 1.0 if account is key else _overlap(account, key)
        fact.roles["account"] = account.name
        say(
            "account",
            account.name,
            "sure" if share > 0.95 else "likely",
            f"{share:.0%} of its values are accounts",
        )
    else:
        fact.via = _via(table, tables, found, key)
        if fact.via is None:
            found.guesses.append(
                Guess(
                    f"{table.name} is not used",
                    table.path.name,
                    None,
                    "likely",
                    "nothing in it leads to an account",
                )
            )
            return None
        fact.roles["account"] = fact.via.own
        bridge = fact.via.bridge.path.name
        say("via", fact.via.own, "likely", f"its values are in {bridge}, which has the account")
    occurred = _by_hints(days, OCCURRED, {*ENDS, *KNOWN}, 0.5)
    if occurred is None:
        found.guesses.append(
            Guess(f"{table.name} is not used", table.path.name, None, "likely", "it has no column of dates")
        )
        return None
    several = sum(1 for day in days if not set(day.words) & {*ENDS, *KNOWN}) > 1
    fact.roles["occurred_at"] = occurred.name
    say(
        "occurred_at",
        occurred.name,
        "likely" if several else "sure",
        "one of several columns of dates, chosen by its name" if several else "the column of dates",
    )
    rest = [day for day in days if day is not occurred]
    for role, hints in (("known_at", KNOWN), ("ends_at", ENDS)):
        chosen = _by_hints(rest, hints, set(), 1.1 if role == "ends_at" else 0.0, only=True)
        if chosen is not None and (role != "known_at" or chosen.filled == 1):
            fact.roles[role] = chosen.name
            say(role, chosen.name, "guess" if role == "ends_at" else "likely", "dates, and its name")
    ids = [c for c in table.columns if c.words[-1:] == ["id"] and len(c.values) > 0.98 * table.rows]
    if ids and ids[0].name != fact.roles["account"]:
        fact.unique = ids[0].name
        say("unique", ids[0].name, "likely", "nearly every row has its own")
    fact.outcome = any(word in OUTCOMES for word in words(table.name))
    return fact


def _account_of(table: Seen, key: Column) -> Column | None:
    """The column that refers to accounts."""
    best = max(table.columns, key=lambda column: _overlap(column, key), default=None)
    return best if best is not None and _overlap(best, key) > 0.5 else None


def _via(table: Seen, tables: Sequence[Seen], found: Found, key: Column) -> Via | None:
    for bridge in tables:
        if bridge is table or bridge is found.accounts:
            continue
        account = _account_of(bridge, key)
        if account is None:
            continue
        for column in table.columns:
            for own in bridge.columns:
                if own.unique and own is not account and _overlap(column, own) > 0.5:
                    return Via(bridge, column.name, own.name, account.name)
    return None


def _by_hints(
    days: Sequence[Column], hints: Sequence[str], never: set[str], filled: float, *, only: bool = False
) -> Column | None:
    free = [day for day in days if not set(day.words) & never and (filled > 1 or day.filled >= filled)]
    for hint in hints:
        for day in free:
            if hint in day.words:
                return day
    return free[0] if free and not only else None


def _as_sources(found: Found, sources: Mapping[str, Iterable[str]]) -> None:
    """Gives tables the names that the template reads, and its names to their columns."""
    free = [fact for fact in found.facts if not fact.outcome]
    for name, columns in sources.items():
        told = SOURCES.get(name, name).split()
        ranked = [
            (told.index(word), position, fact)
            for position, fact in enumerate(free)
            for word in words(fact.table.name)
            if word in told
        ]
        if not ranked:
            continue
        fact = min(ranked, key=lambda one: one[:2])[2]
        free.remove(fact)
        fact.name = name
        table = fact.table.path.name
        found.guesses.append(Guess(f"facts: {name}", table, None, "likely", "its name"))
        for column in columns:
            taken = {*fact.roles.values(), *fact.columns.values()}
            if fact.unique:
                taken.add(fact.unique)
            chosen = _named(fact.table, COLUMNS.get(column, column), taken, numbers=column in NUMBERS)
            if chosen is None and column == "user":
                chosen = next(
                    (c for c in fact.table.columns if "user" in c.words and c.name not in taken), None
                )
            if chosen is not None:
                (fact.roles if column in {"user", "value"} else fact.columns)[column] = chosen.name
                found.guesses.append(
                    Guess(f"facts: {name}: {column}", table, chosen.name, "guess", "its name and values fit")
                )
    # Names of tables that no source of the template took must not collide with those that one did.
    taken_names = {fact.name for fact in found.facts if fact not in free}
    for fact in found.facts:
        while (fact.name in taken_names and fact in free) or fact.name in {
            "people",
            "account",
            "accounts",
            "spine",
        }:
            fact.name += "_rows"


def last_day(found: Found) -> date | None:
    """The last day that a fact happened on."""
    days = []
    for fact in found.facts:
        column = next(c for c in fact.table.columns if c.name == fact.roles["occurred_at"])
        if column.last:
            year, month, day = (int(part) for part in column.last.strip()[:10].rstrip("T ").split("-"))
            days.append(date(year, month, day))
    return max(days, default=None)
