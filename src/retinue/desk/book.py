"""The book: the accounts that somebody looks after, in the order in which they need attention."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import lru_cache
from typing import Any, Literal, TypeVar, get_args

from retinue.action.stake import RENEWAL_DAYS
from retinue.desk.steady import steady
from retinue.errors import StoreError
from retinue.store.people.access import Actor
from retinue.store.published.current import FILTERS, RANGES, SORTS, CurrentRow, Group, Range, RunInfo, counts
from retinue.store.published.current import accounts as listed
from retinue.store.published.current import changes as transitions
from retinue.store.work.alerts import open_alerts
from retinue.store.work.assignments import last_assignment
from retinue.store.work.tasks import open_tasks
from retinue.workspace import Workspace

Scope = Literal["mine", "team", "all"]
T = TypeVar("T")

PAGE = 50
#: What the accounts in a book can be narrowed down by on its page.
CHOICES = ("band", "segment", "owner", "territory", "stage", "tier", "scorecard", "weakest_component")
#: A fall of so many points in 28 days is marked.
FAST = 10.0
#: Values of a choice that are offered.
OFFERED = 100
#: Accounts in the picture of score, revenue and renewal.
PICTURED = 150
#: How the list is ordered by default, in words.
ORDER = "(100 \u2212 score) / 100 \u00d7 ARR, doubled within 90 days of renewal"


@dataclass(frozen=True)
class Ask:
    """Which accounts, in which order, from which place on. `after` is the last account of the page before.

    `scope`: mine are those whose owner has one of the actor's own names, team's those of their team.
    `renews_within` are days from the as-of date, `fell` points of a fall in 28 days.
    """

    scope: Scope = "all"
    search: str | None = None
    filters: Mapping[str, Any] = field(default_factory=dict)
    ranges: Mapping[str, Range] = field(default_factory=dict)
    renews_within: int | None = None
    fell: float | None = None
    sort: str = "attention"
    descending: bool | None = None
    after: str | None = None
    limit: int = PAGE

    def __post_init__(self) -> None:
        if self.scope not in get_args(Scope):
            raise StoreError(f"no such scope: {self.scope!r}", hint="one of " + ", ".join(get_args(Scope)))
        if not 1 <= self.limit <= 500:
            raise StoreError(f"a page has 1 to 500 accounts, not {self.limit}")
        for name in self.filters:
            if name not in FILTERS:
                raise StoreError(f"accounts cannot be filtered by {name!r}", hint=", ".join(FILTERS))
        for name in self.ranges:
            if name not in RANGES:
                raise StoreError(f"accounts have no range of {name!r}", hint="one of " + ", ".join(RANGES))
        if self.sort not in SORTS:
            raise StoreError(f"accounts cannot be sorted by {self.sort!r}", hint="by " + ", ".join(SORTS))

    @property
    def narrowed(self) -> bool:
        """Whether it asks for less than everything that the actor sees."""
        wide = self.scope == "all" and not self.search and not self.filters and not self.ranges
        return not wide or self.renews_within is not None or self.fell is not None

    def owners(self, actor: Actor) -> frozenset[str] | None:
        return {"mine": actor.own, "team": actor.team, "all": None}[self.scope]

    def narrowing(self, actor: Actor, day: date) -> dict[str, Any]:
        """What narrows the accounts of `day` down, as the store takes it."""
        ranges = dict(self.ranges)
        if self.renews_within is not None:
            ranges["renews_on"] = (day, day + timedelta(days=self.renews_within))
        if self.fell is not None:
            ranges["delta_28"] = (None, -self.fell)
        return {
            "filters": self.filters,
            "ranges": ranges,
            "owners": self.owners(actor),
            "search": self.search,
        }


@dataclass(frozen=True, slots=True)
class BookRow:
    """One account; `renews_in` is in days from the as-of date, `tasks` and `alerts` are those that are
    open."""

    account: CurrentRow
    tasks: int
    renews_in: int | None
    falls_fast: bool
    alerts: int = 0

    @property
    def renews_soon(self) -> bool:
        """Whether it counts double in the order of the book."""
        return self.renews_in is not None and 0 <= self.renews_in <= RENEWAL_DAYS


@dataclass(frozen=True, eq=False)
class Picture:
    """Scored accounts that need attention most; their open tasks are not counted.

    The same object for the same question to the same run, so that a drawing of it can be kept.
    """

    rows: tuple[BookRow, ...]


@dataclass(frozen=True, slots=True)
class Move:
    """Accounts whose band changed in the last 7 days, from one band to another."""

    from_band: str | None
    to_band: str | None
    accounts: int


@dataclass(frozen=True)
class Book:
    """A page of accounts, and what all that match amount to. `after` starts the next page; None: no more."""

    run: RunInfo
    as_of: date
    ask: Ask
    rows: tuple[BookRow, ...]
    after: str | None
    bands: tuple[Group, ...]
    moves: tuple[Move, ...]
    choices: Mapping[str, tuple[Group, ...]]
    picture: Picture

    @property
    def accounts(self) -> int:
        return sum(group.accounts for group in self.bands)

    @property
    def arr(self) -> float:
        return sum(group.arr for group in self.bands)

    def to_dict(self) -> dict[str, Any]:
        return {
            "run_id": self.run.run_id,
            "as_of": self.as_of.isoformat(),
            "order": ORDER if self.ask.sort == "attention" else self.ask.sort,
            "accounts": self.accounts,
            "arr": self.arr,
            "bands": [dataclasses.asdict(group) for group in self.bands],
            "moves": [dataclasses.asdict(move) for move in self.moves],
            "rows": [row_dict(row) for row in self.rows],
            "after": self.after,
        }


def row_dict(row: BookRow) -> dict[str, Any]:
    """A row as plain values."""
    told = row.account.to_dict()
    for name in ("explanation", "attributes"):
        told.pop(name)
    counted = {"open_tasks": row.tasks, "open_alerts": row.alerts}
    return {**told, **counted, "renews_in": row.renews_in, "falls_fast": row.falls_fast}


def book(workspace: Workspace, actor: Actor, ask: Ask, *, today: date | None = None) -> Book:
    """Raises NotFound before the first run, or where `after` is no account any more.

    Tasks that are snoozed on `today` are not counted.
    """
    return steady(workspace, lambda run: _book(workspace, actor, ask, run, today))


def export(
    workspace: Workspace,
    actor: Actor,
    ask: Ask,
    write: Callable[[Iterator[BookRow]], T],
    *,
    today: date | None = None,
) -> T:
    """What `write` makes of all accounts that match, all of them of one run.

    It is called again from the first account on if another run is published meanwhile.
    """
    return steady(workspace, lambda run: write(_every(workspace, actor, ask, _day(run), today)))


def _every(workspace: Workspace, actor: Actor, ask: Ask, day: date, today: date | None) -> Iterator[BookRow]:
    """Read a page at a time."""
    after = None
    while True:
        page = dataclasses.replace(ask, after=after, limit=500)
        rows = _rows(workspace, actor, _listed(workspace, actor, page, day), day, today)
        yield from rows
        if len(rows) < page.limit:
            return
        after = rows[-1].account.account_id


def offered(
    workspace: Workspace, actor: Actor, names: tuple[str, ...] = CHOICES
) -> dict[str, tuple[Group, ...]]:
    """The values that the actor's accounts have, for each of these filters, most accounts first."""
    return steady(workspace, lambda run: _offered(workspace, actor, run, names))


def _book(workspace: Workspace, actor: Actor, ask: Ask, run: RunInfo, today: date | None) -> Book:
    day = _day(run)
    first = ask.after is None
    seen = _seen(workspace, actor)
    told = _Key((run.run_id, *seen, *_narrowed(ask, actor)), (workspace, actor, ask, day))
    urgent = _urgent(told) if first else ()
    if first and ask.sort == "attention" and ask.descending is not False and ask.limit < PICTURED:
        accounts = urgent[: ask.limit + 1]  # the picture is of the same accounts, and of more of them
    else:
        accounts = _listed(workspace, actor, ask, day, beyond=1)
    more = len(accounts) > ask.limit
    rows = _rows(workspace, actor, accounts[: ask.limit], day, today)
    return Book(
        run=run,
        as_of=day,
        ask=ask,
        rows=rows,
        after=rows[-1].account.account_id if more else None,
        # Of a book that nothing narrows down the bands are those that its filter offers.
        bands=_bands(told) if ask.narrowed else _offered(workspace, actor, run, ("band",))["band"],
        moves=_moves(workspace, actor, day, run) if first else (),
        choices=_offered(workspace, actor, run, CHOICES),
        picture=_picture(told) if first else Picture(()),
    )


def _day(run: RunInfo) -> date:
    assert run.last_as_of is not None  # a run has a date, or it is not published
    return run.last_as_of


def _listed(
    workspace: Workspace, actor: Actor, ask: Ask, day: date, beyond: int = 0
) -> tuple[CurrentRow, ...]:
    found = listed(
        workspace.store,
        actor,
        **ask.narrowing(actor, day),
        sort=ask.sort,
        descending=ask.descending,
        limit=ask.limit + beyond,
        after=ask.after,
    )
    return tuple(found)


def _rows(
    workspace: Workspace, actor: Actor, accounts: Sequence[CurrentRow], day: date, today: date | None
) -> tuple[BookRow, ...]:
    ids = [row.account_id for row in accounts]
    tasks = open_tasks(workspace.store, actor, ids, today)
    alerts = open_alerts(workspace.store, actor, ids)
    return tuple(
        _row(row, tasks.get(row.account_id, 0), day, alerts.get(row.account_id, 0)) for row in accounts
    )


def _row(row: CurrentRow, tasks: int, day: date, alerts: int = 0) -> BookRow:
    renews_in = (row.renews_on - day).days if row.renews_on is not None else None
    return BookRow(row, tasks, renews_in, row.delta_28 is not None and row.delta_28 <= -FAST, alerts)


def _narrowed(ask: Ask, actor: Actor) -> tuple[Any, ...]:
    """What narrows a book down, as something that can be compared."""
    filters = tuple(
        sorted((name, tuple(map(repr, value)) if isinstance(value, list) else repr(value))
        for name, value in ask.filters.items())
    )  # fmt: skip
    ranges = tuple(sorted((name, repr(ends)) for name, ends in ask.ranges.items()))
    return ask.owners(actor), ask.search, filters, ranges, ask.renews_within, ask.fell


@lru_cache(maxsize=1024)
def _bands(key: _Key) -> tuple[Group, ...]:
    workspace, actor, ask, day = key.made_from
    return tuple(counts(workspace.store, actor, "band", **ask.narrowing(actor, day)))


@lru_cache(maxsize=64)
def _urgent(key: _Key) -> tuple[CurrentRow, ...]:
    """The accounts that need attention most, whatever the order of the list."""
    workspace, actor, ask, day = key.made_from
    wanted = dataclasses.replace(ask, sort="attention", descending=True, limit=PICTURED, after=None)
    return _listed(workspace, actor, wanted, day)


@lru_cache(maxsize=64)
def _picture(key: _Key) -> Picture:
    day = key.made_from[-1]
    return Picture(tuple(_row(row, 0, day) for row in _urgent(key) if row.effective is not None))


def _moves(workspace: Workspace, actor: Actor, day: date, run: RunInfo) -> tuple[Move, ...]:
    return _moved(_Key((run.run_id, *_seen(workspace, actor)), (workspace, actor, day)))


def _offered(
    workspace: Workspace, actor: Actor, run: RunInfo, names: tuple[str, ...]
) -> dict[str, tuple[Group, ...]]:
    seen = _seen(workspace, actor)
    return {name: _counted(_Key((run.run_id, *seen, name), (workspace, actor, name))) for name in names}


@dataclass(frozen=True, eq=False)
class _Key:
    """What an answer depends on, and what it is made from."""

    on: tuple[Any, ...]
    made_from: tuple[Any, ...]

    def __hash__(self) -> int:
        return hash((self.on, str(self.made_from[0].store.engine.url)))

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, _Key)
            and self.on == other.on
            and self.made_from[0].store.engine is other.made_from[0].store.engine
        )


def _seen(workspace: Workspace, actor: Actor) -> tuple[Any, ...]:
    """Whose accounts the actor sees, and the last that was given to somebody else."""
    return actor.everything, actor.owners, actor.territories, last_assignment(workspace.store)


@lru_cache(maxsize=512)
def _moved(key: _Key) -> tuple[Move, ...]:
    workspace, actor, day = key.made_from
    found: dict[tuple[str | None, str | None], int] = {}
    for change in transitions(workspace.store, actor, since=day - timedelta(days=7), limit=None):
        pair = (change.from_band, change.to_band)
        found[pair] = found.get(pair, 0) + 1
    return tuple(Move(a, b, n) for (a, b), n in sorted(found.items(), key=lambda item: -item[1]))


@lru_cache(maxsize=2048)
def _counted(key: _Key) -> tuple[Group, ...]:
    workspace, actor, name = key.made_from
    return tuple(counts(workspace.store, actor, name)[:OFFERED])
