"""Property: whoever asks, however they came in, gets all accounts in their scope, and no other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete

from retinue.errors import NotFound
from retinue.store.database import Store, open_store
from retinue.store.people.access import OPERATOR, Actor, Role
from retinue.store.people.audit_log import audit_log
from retinue.store.people.keys import actor_of_key, add_key
from retinue.store.people.people import SEES, Sees, actor_of, add_person, disable_person, find_person
from retinue.store.people.sessions import begin_session, session
from retinue.store.published.current import SORTS, account, accounts, changes, counts, near, seen_ids
from retinue.store.published.publish import publish
from retinue.store.tables import api_keys, people, sessions
from retinue.store.work.said import add_note
from retinue.store.work.tasks import add_task, open_tasks, tasks_of
from tests.access.hands import NOW
from tests.store.company import SUNDAYS, changed, current_rows, ids, write_run

COUNT = 36
# What owners and territories are called in tables: nothing, alike but for case, with signs of SQL.
OWNERS = ["ann@example.com", "Ann", "ann", "ANN", "Bob", "O'Neil; --", "50%_off", "Ænn", None]
TERRITORIES = ["EU", "eu", "north%", "", None]
OWNER_OF = [OWNERS[n % len(OWNERS)] for n in range(COUNT)]
TERRITORY_OF = [TERRITORIES[n // 2 % len(TERRITORIES)] for n in range(COUNT)]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def book(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    home = tmp_path_factory.mktemp("scope")
    if request.param == "sqlite":
        store = open_store(f"sqlite:///{home / 'store.db'}")
    else:
        store = open_store(request.getfixturevalue("postgres_server").new_database())
    rows = current_rows(COUNT, SUNDAYS[-1], owner=OWNER_OF, territory=TERRITORY_OF)
    publish(store, write_run(home, "r1", SUNDAYS, 2, 50.0, None), rows, changed(COUNT, SUNDAYS[-1]), NOW)
    for number in range(0, COUNT, 3):
        add_note(store, ids(COUNT)[number], "a note", by=OPERATOR, now=NOW)
        add_task(store, OPERATOR, ids(COUNT)[number], "a task", now=NOW)
    yield store
    store.close()


@dataclass(frozen=True)
class Somebody:
    """What an admin said of a person."""

    role: Role
    sees: Sees | None
    owners: tuple[str, ...]
    territories: tuple[str, ...]
    team: str | None
    disabled: bool


def scope(asker: Somebody, email: str, everybody: list[tuple[str, Somebody]]) -> set[str]:
    """The accounts that they should see, worked out one by one."""
    sees = asker.sees or SEES[asker.role]
    names = {email, *asker.owners}
    if sees == "team" and asker.team is not None:
        for other_email, other in everybody:
            if other.team == asker.team and not other.disabled:
                names |= {other_email, *other.owners}
    found = set()
    for number, account_id in enumerate(ids(COUNT)):
        mine = OWNER_OF[number] is not None and OWNER_OF[number] in names
        here = TERRITORY_OF[number] is not None and TERRITORY_OF[number] in asker.territories
        if sees == "everything" or mine or here:
            found.add(account_id)
    return found


somebody = st.builds(
    Somebody,
    role=st.sampled_from(get_args(Role)),
    sees=st.sampled_from([None, *get_args(Sees)]),
    owners=st.lists(st.sampled_from([name for name in OWNERS if name]), max_size=2, unique=True).map(tuple),
    territories=st.lists(st.sampled_from([name for name in TERRITORIES if name]), max_size=1).map(tuple),
    team=st.sampled_from([None, "red", "blue"]),
    disabled=st.booleans(),
)


@given(
    company=st.lists(somebody, min_size=1, max_size=4),
    way=st.sampled_from(["person", "session", "read key", "act key"]),
    sort=st.sampled_from(sorted(SORTS)),
    limit=st.integers(1, 20),
    search=st.sampled_from([None, "company", "1"]),
)
def test_everybody_gets_their_accounts_and_no_others(
    book: Store, company: list[Somebody], way: str, sort: str, limit: int, search: str | None
):
    everybody = [(f"{name}@example.com", one) for name, one in zip("awxyz", company, strict=False)]
    asker = everybody[0][1]
    actor = as_actor(book, everybody, way)
    if asker.disabled and way != "person":
        assert actor is None
        return
    assert actor is not None
    expected = scope(asker, everybody[0][0], everybody)

    assert seen_ids(book, actor) == sorted(expected)
    assert sum(group.accounts for group in counts(book, actor, "owner")) == len(expected)
    assert {change.account_id for change in changes(book, actor, limit=1000)} == expected
    with_task = {ids(COUNT)[number] for number in range(0, COUNT, 3)} & expected
    assert {task.account_id for task in tasks_of(book, actor, limit=1000)} == with_task
    assert set(open_tasks(book, actor, ids(COUNT))) == with_task
    assert set(near(book, actor, "company 1")) <= expected

    shown: list[str] = []
    while True:
        page = accounts(
            book, actor, sort=sort, limit=limit, search=search, after=shown[-1] if shown else None
        )
        shown += [row.account_id for row in page]
        if len(page) < limit:
            break
    matching = {
        a for n, a in enumerate(ids(COUNT)) if search is None or search in f"company {n}\n{a}".casefold()
    }
    assert len(shown) == len(set(shown))
    assert set(shown) == expected & matching

    for account_id in sorted(set(ids(COUNT)) - expected)[:3]:
        with pytest.raises(NotFound) as refused:
            account(book, actor, account_id)
        assert not set(ids(COUNT)) - expected - {account_id} & {
            word.strip(",?") for word in str(refused.value).split()
        }
    if actor.may("audit"):
        told = {entry.subject for entry in audit_log(book, actor, limit=1_000_000)}
        assert told & set(ids(COUNT)) == with_task
        assert actor.everything or not told - expected


def as_actor(store: Store, everybody: list[tuple[str, Somebody]], way: str) -> Actor | None:
    """The first of them, who came in that way, among the others and nobody else."""
    with store.write() as connection:
        for table in (api_keys, sessions, people):
            connection.execute(delete(table))
    numbers = [
        add_person(
            store,
            OPERATOR,
            email,
            "Somebody",
            one.role,
            now=NOW,
            sees=one.sees,
            owners=one.owners,
            territories=one.territories,
            team=one.team,
        )
        for email, one in everybody
    ]
    # Somebody else is left who could let people in.
    add_person(store, OPERATOR, "boss@example.com", "Boss", "admin", now=NOW, owners=["Nobody"])
    token, _ = begin_session(store, numbers[0], agent=None, now=NOW)
    scopes: Any = [way.removesuffix(" key")] if way.endswith("key") else ["read"]
    _, secret = add_key(store, OPERATOR, "k", scopes, now=NOW, person=numbers[0])
    for number, (_, one) in zip(numbers, everybody, strict=True):
        if one.disabled:
            disable_person(store, OPERATOR, number, now=NOW)
    if way == "session":
        found = session(store, token, now=NOW)
        return found.actor if found else None
    if way.endswith("key"):
        return actor_of_key(store, secret, now=NOW)
    return actor_of(store, find_person(store, OPERATOR, numbers[0]))
