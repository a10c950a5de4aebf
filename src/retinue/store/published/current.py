"""Reading what is current: the list of accounts, one account, counts. Needs no Parquet and no Arrow."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from difflib import SequenceMatcher, get_close_matches
from typing import Any

from sqlalchemy import Boolean, ColumnElement, Connection, and_, false, func, null, or_, select, true

from retinue.errors import NotFound, StoreError
from retinue.store.database import Store
from retinue.store.people.access import Actor, sayable, seen_accounts, visible
from retinue.store.tables import current, details, pointer, runs, transitions


@dataclass(frozen=True, slots=True)
class RunInfo:
    """The current run; `manifest` is relative to the project's home, `published_at` is in UTC."""

    run_id: str
    manifest: str
    published_at: datetime
    first_as_of: date | None
    last_as_of: date | None
    accounts: int


@dataclass(frozen=True, slots=True)
class CurrentRow:
    """One account as it stands. `explanation` and `attributes` are filled by `account` only."""

    account_id: str
    name: str | None
    owner: str | None
    territory: str | None
    segment: str | None
    tier: str | None
    stage: str | None
    scorecard: str | None
    fingerprint: str | None
    as_of: date
    status: str
    base: float | None
    adjustment: float | None
    computed: float | None
    published: float | None
    effective: float | None
    published_band: str | None
    band: str | None
    band_since: date | None
    coverage: float | None
    cap: str | None
    weakest_component: str | None
    arr: float | None
    renews_on: date | None
    delta_7: float | None
    delta_28: float | None
    delta_90: float | None
    reason: str | None
    held: bool | None
    attention: float | None
    sparkline: Any = None
    explanation: Any = None
    attributes: Any = None

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


@dataclass(frozen=True, slots=True)
class Group:
    """The accounts that share a value (None: those without one), and their recurring revenue."""

    value: str | None
    accounts: int
    arr: float


@dataclass(frozen=True, slots=True)
class Change:
    """A published transition; `drivers` is a list of {kind, component, metric, points}."""

    account_id: str
    as_of: date
    kind: str
    from_band: str | None
    to_band: str | None
    computed: float | None
    since: date | None
    drivers: Any


#: What accounts can be filtered and counted by.
FILTERS = (
    *("owner", "territory", "segment", "tier", "stage", "scorecard", "fingerprint", "status"),
    *("band", "published_band", "cap", "weakest_component", "held"),
)

#: What accounts can be filtered by between two ends.
RANGES = ("effective", "coverage", "arr", "renews_on", "band_since", "delta_7", "delta_28", "delta_90")

#: What accounts can be sorted by. `move_n` is the size of the change in n days, in either direction.
SORTS: dict[str, ColumnElement[Any]] = {
    "account_id": current.c.account_id,
    "name": current.c.search,
    **{
        name: current.c[name]
        for name in (
            *("attention", "effective", "published", "computed", "arr", "renews_on", "coverage"),
            *("band_since", "owner", "territory", "segment", "delta_7", "delta_28", "delta_90"),
        )
    },
    **{f"move_{days}": func.abs(current.c[f"delta_{days}"]) for days in (7, 28, 90)},
}

Range = tuple[Any, Any]

#: Sorts by what no account lacks.
_ALWAYS = ("account_id", "name")

_COLUMNS = [current.c[f.name] for f in dataclasses.fields(CurrentRow) if f.name in current.c]


def current_run(store: Store) -> RunInfo | None:
    """The run that readers see; None before the first."""
    with store.read() as connection:
        return _run(connection)


def accounts(  # noqa: PLR0913 - a list can be narrowed down in many ways
    store: Store,
    actor: Actor,
    *,
    filters: Mapping[str, Any] | None = None,
    ranges: Mapping[str, Range] | None = None,
    owners: Collection[str] | None = None,
    search: str | None = None,
    sort: str = "attention",
    descending: bool | None = None,
    limit: int | None = 50,
    after: str | None = None,
) -> list[CurrentRow]:
    """The accounts that the actor may see, a page at a time.

    `filters` maps names of `FILTERS` to a value, None (empty) or a list of those, `ranges` names of
    `RANGES` to the lowest and highest value, both included, either of them None for no such end;
    `owners` are those whose accounts are wanted, in addition to a filter. `search` is text
    within the name or id. `sort` is one of `SORTS`, by default descending for attention, arr and
    moves; accounts without a value come last either way, ties are in order of account_id. `after` is
    the id of the last account of the page before. Raises NotFound if nothing is published or `after`
    is gone, StoreError for a filter or sort that does not exist.
    """
    column = SORTS.get(sort)
    if column is None:
        raise StoreError(f"accounts cannot be sorted by {sort!r}", hint="by " + ", ".join(SORTS))
    if descending is None:
        descending = sort in ("attention", "arr") or sort.startswith("move_")
    wanted = and_(
        visible(actor), _matching(filters or {}), _between(ranges or {}), _theirs(owners), _found(search)
    )
    narrow = bool(filters or ranges or search or owners is not None or not actor.everything)
    if narrow and not (sort == "attention" and store.engine.dialect.name == "sqlite"):
        # Walking the index of the sort is slow when few accounts match; sorting those that match never is.
        # Only `current_lists` holds all that accounts are narrowed down by, and may be walked.
        column = func.coalesce(column, null())
    with store.read() as connection:
        run_id = _published(connection).run_id
        own = current.c.run_id == run_id
        last = _last(connection, own & visible(actor), column, after) if after is not None else None
        ids: list[str] = []
        # Ids first, which an index alone tells. Two queries, values then empties: each walks an index,
        # and NULLs need no order of their own.
        if last is None or last[0] is not None:
            query = select(current.c.account_id).where(own, wanted, column.is_not(None))
            if last is not None:
                query = query.where(_beyond(column, descending, last[0], last[1]))
            order = column.desc() if descending else column.asc()
            ids += connection.execute(query.order_by(order, current.c.account_id).limit(limit)).scalars()
        if sort not in _ALWAYS and (limit is None or len(ids) < limit):
            query = select(current.c.account_id).where(own, wanted, column.is_(None))
            if last is not None and last[0] is None:
                query = query.where(current.c.account_id > last[1])
            rest = None if limit is None else limit - len(ids)
            ids += connection.execute(query.order_by(current.c.account_id).limit(rest)).scalars()
        return _listed(connection, run_id, ids)


def account(store: Store, actor: Actor, account_id: str) -> CurrentRow:
    """One account with its explanation. Raises NotFound, naming accounts with a similar id or name."""
    with store.read() as connection:
        run_id = _published(connection).run_id
        query = (
            select(*_COLUMNS, details.c.sparkline, details.c.explanation, details.c.attributes)
            .outerjoin(
                details,
                and_(details.c.run_id == current.c.run_id, details.c.account_id == current.c.account_id),
            )
            .where(current.c.run_id == run_id, current.c.account_id == account_id, visible(actor))
        )
        row = connection.execute(query).first()
        if row is None:
            near = _near(connection, run_id, actor, account_id)
            hint = f"did you mean {', '.join(near)}?" if near else "`retinue accounts` lists them"
            raise NotFound(f"no account {account_id!r}", hint=hint)
    told = row._asdict()
    for name in ("sparkline", "explanation", "attributes"):
        told[name] = _parsed(told[name])
    return CurrentRow(**told)


def explanations(store: Store, account_ids: Sequence[str]) -> dict[str, Any]:
    """What the list keeps of why each of these accounts stands where it does, as far as it is current:
    `components`, `drivers_28` and the `scorecard`."""
    found: dict[str, Any] = {}
    with store.read() as connection:
        run = _run(connection)
        for start in range(0, len(account_ids) if run else 0, 500):
            some = details.c.account_id.in_(account_ids[start : start + 500])
            own = and_(details.c.run_id == current.c.run_id, details.c.account_id == current.c.account_id)
            query = select(details.c.account_id, details.c.explanation, current.c.scorecard)
            assert run is not None
            rows = connection.execute(query.join(current, own).where(details.c.run_id == run.run_id, some))
            found.update(
                (row.account_id, {**(_parsed(row.explanation) or {}), "scorecard": row.scorecard})
                for row in rows
            )
    return found


def counts(
    store: Store,
    actor: Actor,
    by: str = "band",
    *,
    filters: Mapping[str, Any] | None = None,
    ranges: Mapping[str, Range] | None = None,
    owners: Collection[str] | None = None,
    search: str | None = None,
) -> list[Group]:
    """How many accounts, and how much revenue, for each value of one of `FILTERS`; most accounts first."""
    # An expression, so that no index of the column is walked, row by row of the table.
    column = func.coalesce(_filterable(by), null())
    size = func.count().label("size")
    query = select(column, size, func.coalesce(func.sum(current.c.arr), 0.0)).where(
        visible(actor), _matching(filters or {}), _between(ranges or {}), _theirs(owners), _found(search)
    )
    with store.read() as connection:
        own = current.c.run_id == _published(connection).run_id
        found = connection.execute(
            query.where(own).group_by(column).order_by(size.desc(), column.asc().nulls_first())
        )
        return [Group(value, accounts, float(arr)) for value, accounts, arr in found]


def seen_ids(store: Store, actor: Actor) -> list[str]:
    """The ids of all current accounts that the actor may see, in order. Raises NotFound before a run."""
    with store.read() as connection:
        own = current.c.run_id == _published(connection).run_id
        query = select(current.c.account_id).where(own, visible(actor)).order_by(current.c.account_id)
        return list(connection.execute(query).scalars())


def changes(
    store: Store,
    actor: Actor,
    *,
    account_id: str | None = None,
    since: date | None = None,
    limit: int | None = 100,
) -> list[Change]:
    """Published transitions of accounts that are current, newest first, of days after `since`."""
    fields = [transitions.c[f.name] for f in dataclasses.fields(Change)]
    seen = seen_accounts(actor)
    query = select(*fields).where(
        transitions.c.run_id.in_(select(runs.c.run_id)), transitions.c.account_id.in_(seen)
    )
    if account_id is not None:
        query = query.where(transitions.c.account_id == account_id)
    if since is not None:
        query = query.where(transitions.c.as_of > since)
    query = query.order_by(transitions.c.as_of.desc(), transitions.c.account_id).limit(limit)
    with store.read() as connection:
        rows = connection.execute(query).all()
    return [Change(**{**row._asdict(), "drivers": _parsed(row.drivers)}) for row in rows]


def near(store: Store, actor: Actor, text: str) -> list[str]:
    """Up to three ids of accounts that look like `text`."""
    with store.read() as connection:
        run = _run(connection)
        return [] if run is None else _near(connection, run.run_id, actor, text)


# Every page asks for it several times: it is put together once.
_RUN = select(*(runs.c[f.name] for f in dataclasses.fields(RunInfo))).join(
    pointer, pointer.c.run_id == runs.c.run_id
)


def _run(connection: Connection) -> RunInfo | None:
    row = connection.execute(_RUN).first()
    if row is None:
        return None
    info = RunInfo(*row)
    return dataclasses.replace(info, published_at=info.published_at.replace(tzinfo=UTC))


def _published(connection: Connection) -> RunInfo:
    run = _run(connection)
    if run is None:
        raise NotFound("nothing is published yet", hint="start with `retinue run`")
    return run


def _filterable(name: str) -> ColumnElement[Any]:
    if name not in FILTERS:
        close = get_close_matches(name, FILTERS, 1)
        hint = f"did you mean {close[0]}?" if close else "one of " + ", ".join(FILTERS)
        raise StoreError(f"accounts cannot be filtered by {name!r}", hint=hint)
    return current.c[name]


def _matching(filters: Mapping[str, Any]) -> ColumnElement[bool]:
    conditions = []
    for name, wanted in filters.items():
        column = _filterable(name)
        values = list(wanted) if isinstance(wanted, list | tuple | set | frozenset) else [wanted]
        given = [value for value in values if _could_be(column, value)]
        empty = [column.is_(None)] if None in values else []
        conditions.append(or_(column.in_(given), *empty))
    return and_(true(), *conditions)


def _between(ranges: Mapping[str, Range]) -> ColumnElement[bool]:
    conditions: list[ColumnElement[bool]] = []
    for name, (low, high) in ranges.items():
        if name not in RANGES:
            raise StoreError(f"accounts have no range of {name!r}", hint="one of " + ", ".join(RANGES))
        # An expression, as where accounts are counted: SQLite would walk the index of a date or a score,
        # and fetch each of its accounts from the table.
        value = func.coalesce(current.c[name], null())
        conditions += [value >= low] if low is not None else []
        conditions += [value <= high] if high is not None else []
    return and_(true(), *conditions)


def _theirs(owners: Collection[str] | None) -> ColumnElement[bool]:
    return true() if owners is None else current.c.owner.in_(sayable(frozenset(owners)))


def _could_be(column: ColumnElement[Any], value: Any) -> bool:
    """PostgreSQL refuses to compare what can never be equal; SQLite finds nothing."""
    if isinstance(column.type, Boolean):
        return isinstance(value, bool)
    return value is not None and "\0" not in str(value)


def _found(search: str | None) -> ColumnElement[bool]:
    if not search:
        return true()
    if "\0" in search:  # no text of PostgreSQL has it, and SQLite's LIKE would take it for the end
        return false()
    return current.c.search.contains(search.casefold(), autoescape=True)


def _last(
    connection: Connection, own: ColumnElement[bool], column: ColumnElement[Any], account_id: str
) -> tuple[Any, str]:
    """The place in the sorted list of the last account that was shown: one of `own`, or it would tell
    where an account stands that the actor may not see."""
    row = connection.execute(select(column).where(own, current.c.account_id == account_id)).first()
    if row is None:
        raise NotFound(f"account {account_id!r}, where the page before ended, is gone", hint="start over")
    return row[0], account_id


def _beyond(column: ColumnElement[Any], descending: bool, value: Any, account_id: str) -> ColumnElement[bool]:
    further, here = (column < value, column <= value) if descending else (column > value, column >= value)
    return and_(here, or_(further, current.c.account_id > account_id))


def _listed(connection: Connection, run_id: str, ids: Sequence[str]) -> list[CurrentRow]:
    """The rows of those accounts, in that order."""
    found: dict[str, CurrentRow] = {}
    query = select(*_COLUMNS, details.c.sparkline).outerjoin(
        details, and_(details.c.run_id == current.c.run_id, details.c.account_id == current.c.account_id)
    )
    for start in range(0, len(ids), 500):
        some = current.c.account_id.in_(ids[start : start + 500])
        for row in connection.execute(query.where(current.c.run_id == run_id, some)):
            told = row._asdict()
            told["sparkline"] = _parsed(told["sparkline"])
            found[row.account_id] = CurrentRow(**told)
    return [found[account_id] for account_id in ids]


def _near(connection: Connection, run_id: str, actor: Actor, text: str) -> list[str]:
    needle = text.strip().casefold()
    if not needle or "\0" in needle:
        return []
    key = func.lower(current.c.account_id)
    alike = or_(
        current.c.search.contains(needle, autoescape=True),
        current.c.search.startswith(needle[:3], autoescape=True),
        key.startswith(needle[:3], autoescape=True),
        key.endswith(needle[-3:], autoescape=True),
    )
    query = select(current.c.account_id, current.c.name).where(
        current.c.run_id == run_id, visible(actor), alike
    )
    found = connection.execute(query.order_by(current.c.account_id).limit(5000)).all()
    names: dict[str, str] = {}
    for account_id, name in found:
        for word in (account_id, name):
            if word:
                names.setdefault(word.casefold(), account_id)
    close = get_close_matches(needle, names, 200, 0.6)
    close.sort(key=lambda word: (-SequenceMatcher(None, word, needle).ratio(), word))
    within = [word for word in names if needle in word]
    return list(dict.fromkeys(names[word] for word in close + within))[:3]


def _parsed(text: str | None) -> Any:
    return None if text is None else json.loads(text)
