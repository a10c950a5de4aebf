from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from retinue.errors import Forbidden, NotFound, StoreError
from retinue.store.database import Store
from retinue.store.people import people
from retinue.store.people.access import OPERATOR, Actor
from retinue.store.people.audit_log import audit_log
from retinue.store.people.keys import add_key, keys_of
from retinue.store.people.people import actor_of, add_person, change_person, disable_person, find_person
from retinue.store.people.sessions import begin_session, session
from tests.access.hands import NOW, let_in


def test_a_person_is_found_by_number_and_by_e_mail_in_any_case(store: Store):
    added = add_person(
        store,
        OPERATOR,
        "  Ann.Lee@Example.COM ",
        " Ann Lee ",
        "leader",
        now=NOW,
        team="north",
        territories=["EU", "EU"],
    )
    ann = find_person(store, OPERATOR, "ANN.LEE@example.com")
    assert ann == find_person(store, OPERATOR, added)
    assert (ann.email, ann.name, ann.role, ann.sees) == (
        "ann.lee@example.com",
        "Ann Lee",
        "leader",
        "everything",
    )
    assert (ann.owners, ann.territories, ann.team) == (("ann.lee@example.com", "Ann Lee"), ("EU",), "north")
    assert (ann.created_at, ann.disabled_at, ann.has_password) == (NOW.replace(tzinfo=None), None, False)
    with pytest.raises(NotFound, match="no person"):
        find_person(store, OPERATOR, "bob@example.com")


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"email": "ann"}, "not an e-mail address: 'ann'"),
        ({"email": "ann@"}, "not an e-mail address"),
        ({"email": "a b@example.com"}, "not an e-mail address"),
        ({"email": "ann@example.com\nbcc: all"}, "not an e-mail address"),
        # The Kelvin sign is a k once casefolded: somebody else's address would become this one's.
        ({"email": "\u212aate@example.com"}, "not an e-mail address"),
        ({"email": "bob@example.com"}, "there is a person with the e-mail bob@example.com already"),
        ({"name": " "}, "a name has letters in it"),
        ({"name": "a\0b"}, "no text"),
        ({"name": "\ud800"}, "no text"),
        ({"role": "root"}, "no such role: 'root'"),
        ({"sees": "all"}, "no such view: 'all'"),
        ({"territories": ["x" * 201]}, "a territory has 200 letters at most"),
    ],
)
def test_what_is_no_person_is_refused(store: Store, told: dict[str, Any], message: str):
    let_in(store, "bob")
    with pytest.raises(StoreError, match=message):
        add_person(
            store, OPERATOR, now=NOW, **{"email": "ann@example.com", "name": "Ann", "role": "csm", **told}
        )
    assert len(people.people_list(store, OPERATOR)) == 1


def test_what_a_person_sees_follows_from_their_role_their_team_and_their_territories(store: Store):
    ann = let_in(store, "ann", team="north", territories=["EU"])
    bob = let_in(store, "bob", team="north", owners=["B. Obb"])
    let_in(store, "cat", team="south")
    gone = let_in(store, "gone", team="north")
    disable_person(store, OPERATOR, gone.id, now=NOW)
    actor = actor_of(store, ann)
    assert (actor.name, actor.person, actor.role, actor.everything) == (
        "ann@example.com",
        ann.id,
        "csm",
        False,
    )
    assert actor.own == {"ann@example.com", "Ann"}
    assert actor.team == actor.owners == {"ann@example.com", "Ann", "bob@example.com", "B. Obb"}
    assert actor.territories == {"EU"}
    change_person(store, OPERATOR, bob.id, now=NOW, sees="own")
    alone = actor_of(store, find_person(store, OPERATOR, bob.id))
    assert alone.owners == alone.own == {"bob@example.com", "B. Obb"} < alone.team
    assert [
        actor_of(store, let_in(store, role, role)).everything for role in ("admin", "ops", "leader", "reader")
    ] == ([True] * 4)


def test_people_without_a_team_are_no_team(store: Store):
    ann, bob = let_in(store, "ann"), let_in(store, "bob")
    assert actor_of(store, ann).owners & actor_of(store, bob).owners == set()


def test_a_change_is_audited_with_what_was_before_and_what_came_after(store: Store):
    ann = let_in(store, "ann", territories=["EU"])
    boss = Actor("boss@example.com")
    change_person(store, boss, ann.id, now=NOW, role="leader", territories=["US"], name="Ann")
    entry = audit_log(store, OPERATOR)[0]
    assert (entry.who, entry.what, entry.subject) == ("boss@example.com", "change person", "ann@example.com")
    assert entry.before == {"role": "csm", "territories": ["EU"]}
    assert entry.after == {"role": "leader", "territories": ["US"]}
    change_person(store, boss, ann.id, now=NOW, role="leader")
    assert audit_log(store, OPERATOR)[0].id == entry.id
    with pytest.raises(StoreError, match="people have no 'password' to change"):
        change_person(store, boss, ann.id, now=NOW, password="x")


def test_a_disabled_person_has_no_session_and_no_key_left(store: Store):
    ann = let_in(store, "ann")
    token, _ = begin_session(store, ann.id, agent=None, now=NOW)
    add_key(store, OPERATOR, "nightly", ["read"], now=NOW, person=ann.id)
    disable_person(store, OPERATOR, ann.id, now=NOW)
    people.enable_person(store, OPERATOR, ann.id, now=NOW)
    assert session(store, token, now=NOW) is None
    assert keys_of(store, OPERATOR, person=ann.id)[0].revoked_at is not None
    disable_person(store, OPERATOR, ann.id, now=NOW)
    with pytest.raises(Forbidden):
        begin_session(store, ann.id, agent=None, now=NOW)


def test_somebody_is_always_left_who_can_let_people_in(store: Store):
    ann, bob = let_in(store, "ann", "admin"), let_in(store, "bob", "admin")
    disable_person(store, OPERATOR, bob.id, now=NOW)
    with pytest.raises(StoreError, match="is the last admin"):
        disable_person(store, OPERATOR, ann.id, now=NOW)
    with pytest.raises(StoreError, match="is the last admin"):
        change_person(store, OPERATOR, ann.id, now=NOW, role="ops")
    people.enable_person(store, OPERATOR, bob.id, now=NOW)
    change_person(store, OPERATOR, ann.id, now=NOW, role="ops")


def test_two_admins_who_disable_each_other_at_once_leave_one(store: Store):
    ann, bob = let_in(store, "ann", "admin"), let_in(store, "bob", "admin")
    ways = [(actor_of(store, ann), bob.id), (actor_of(store, bob), ann.id)]

    def attempt(way: tuple[Actor, int]) -> bool:
        try:
            disable_person(store, way[0], way[1], now=NOW)
        except StoreError:
            return False
        return True

    with ThreadPoolExecutor(2) as threads:
        assert sorted(threads.map(attempt, ways)) == [False, True]


@pytest.mark.parametrize("role", ["ops", "leader", "csm", "reader"])
def test_only_an_admin_lets_people_in(store: Store, role: str):
    ann = let_in(store, "ann", role)
    actor = actor_of(store, ann)
    acts: list[Any] = [
        lambda: add_person(store, actor, "eve@example.com", "Eve", "admin", now=NOW),
        lambda: change_person(store, actor, ann.id, now=NOW, role="admin"),
        lambda: disable_person(store, actor, ann.id, now=NOW),
        lambda: people.enable_person(store, actor, ann.id, now=NOW),
        lambda: people.people_list(store, actor),
        lambda: find_person(store, actor, "ann@example.com"),
        lambda: people.set_password(store, actor, ann.id + 1, "hash", now=NOW),
    ]
    for act in acts:
        with pytest.raises(Forbidden, match="the right to manage"):
            act()
    assert find_person(store, actor, ann.id) == ann


def test_a_new_password_ends_the_sessions_but_the_one_it_is_set_in(store: Store):
    ann = let_in(store, "ann")
    here, _ = begin_session(store, ann.id, agent=None, now=NOW)
    elsewhere, _ = begin_session(store, ann.id, agent=None, now=NOW)
    this = session(store, here, now=NOW)
    assert this is not None
    people.set_password(store, this.actor, ann.id, "hash", now=NOW, keep=this.id)
    assert session(store, here, now=NOW) is not None
    assert session(store, elsewhere, now=NOW) is None
    assert people.who_signs_in(store, email="Ann@example.com")[1] == "hash"  # type: ignore[index]
    assert "hash" not in str(audit_log(store, OPERATOR))


def test_a_person_is_linked_once_and_only_where_an_admin_said_so(store: Store):
    ann, bob = let_in(store, "ann", issuer="https://id.example.com"), let_in(store, "bob")
    with pytest.raises(Forbidden):
        people.link_person(store, bob.id, "https://id.example.com", "b", now=NOW)
    with pytest.raises(Forbidden):
        people.link_person(store, ann.id, "https://other.example.com", "a", now=NOW)
    people.link_person(store, ann.id, "https://id.example.com", "a", now=NOW)
    with pytest.raises(Forbidden):
        people.link_person(store, ann.id, "https://id.example.com", "again", now=NOW)
    found = people.who_signs_in(store, issuer="https://id.example.com", subject="a")
    assert found is not None
    assert found[0].id == ann.id
    change_person(store, OPERATOR, ann.id, now=NOW, issuer="https://new.example.com")
    assert people.who_signs_in(store, issuer="https://new.example.com", subject="a") is None


def test_the_log_is_read_page_by_page_and_by_who_what_and_when(store: Store):
    for number, name in enumerate(("ann", "bob", "cat")):
        add_person(
            store,
            Actor(f"boss {number}"),
            f"{name}@example.com",
            name,
            "csm",
            now=NOW + timedelta(days=number),
        )
    first = audit_log(store, OPERATOR, limit=2)
    rest = audit_log(store, OPERATOR, limit=2, after=first[-1].id)
    assert [entry.subject for entry in first + rest] == [
        f"{name}@example.com" for name in ("cat", "bob", "ann")
    ]
    assert [entry.who for entry in audit_log(store, OPERATOR, who="BOSS 1")] == ["boss 1"]
    assert [entry.who for entry in audit_log(store, OPERATOR, subject="ann@example.com")] == ["boss 0"]
    assert [
        entry.who
        for entry in audit_log(store, OPERATOR, since=NOW + timedelta(days=1), until=NOW + timedelta(days=2))
    ] == ["boss 1"]
    assert audit_log(store, OPERATOR, what="%") == []
    with pytest.raises(Forbidden):
        audit_log(store, Actor("ann", role="leader"))
