from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from retinue.errors import Forbidden, NotFound, StoreError
from retinue.store.database import Store
from retinue.store.people.access import OPERATOR
from retinue.store.people.audit_log import audit_log
from retinue.store.people.keys import actor_of_key, add_key, keys_of, revoke_key, rotate_key
from retinue.store.people.people import actor_of, disable_person, find_person, set_password
from retinue.store.people.sessions import begin_session, revoke_session, session, sessions_of
from retinue.store.tables import api_keys
from tests.access.hands import NOW, let_in

DAY = timedelta(days=1)


def test_a_key_acts_as_its_person_with_the_rights_of_its_scopes_at_most(store: Store):
    ann = let_in(store, "ann", "leader", sees="team", team="north")
    let_in(store, "bob", team="north")
    rights = {}
    for scope in ("read", "act", "admin"):
        _, secret = add_key(store, actor_of(store, ann), scope, [scope], now=NOW)
        actor = actor_of_key(store, secret, now=NOW)
        assert actor is not None
        assert (actor.name, actor.person) == (f"ann@example.com (key {scope})", ann.id)
        assert actor.owners == actor_of(store, ann).owners
        rights[scope] = actor.rights
    assert rights["read"] == {"read"}
    assert rights["act"] == rights["admin"] == {"read", "act", "override", "assign"}


def test_only_the_whole_key_is_a_key(store: Store):
    key, secret = add_key(store, actor_of(store, let_in(store)), "nightly", ["read"], now=NOW)
    assert secret.startswith(f"rtn_{key}_")
    assert len(secret) == len(f"rtn_{key}_") + 43
    other = secret[:-1] + ("A" if secret[-1] != "A" else "B")
    for wrong in (
        "",
        "rtn_",
        key,
        other,
        secret + "A",
        secret[:-1],
        secret.replace("rtn_", "RTN_"),
        "\0" + secret,
    ):
        assert actor_of_key(store, wrong, now=NOW) is None
    assert actor_of_key(store, secret, now=NOW) is not None
    with store.read() as connection:
        assert secret[-43:] not in str(connection.execute(select(api_keys)).all())
    assert secret[-43:] not in str(audit_log(store, OPERATOR))


def test_a_key_ends_with_its_last_day_when_it_is_revoked_and_with_its_person(store: Store):
    ann = let_in(store)
    actor = actor_of(store, ann)
    _, short = add_key(store, actor, "short", ["read"], now=NOW, expires_on=(NOW + DAY).date())
    assert actor_of_key(store, short, now=NOW + DAY) is not None
    assert actor_of_key(store, short, now=NOW + 2 * DAY) is None
    key, revoked = add_key(store, actor, "revoked", ["read"], now=NOW)
    revoke_key(store, actor, key, now=NOW)
    assert actor_of_key(store, revoked, now=NOW) is None
    _, orphan = add_key(store, actor, "orphan", ["read"], now=NOW)
    disable_person(store, OPERATOR, ann.id, now=NOW)
    assert actor_of_key(store, orphan, now=NOW) is None


def test_a_key_is_replaced_by_another_while_both_are_good(store: Store):
    actor = actor_of(store, let_in(store))
    key, before = add_key(store, actor, "nightly", ["act"], now=NOW)
    again, after = rotate_key(store, actor, key, now=NOW, keep_days=3)
    with pytest.raises(StoreError, match="there are 2 live keys 'nightly' already"):
        rotate_key(store, actor, again, now=NOW)
    for secret in (before, after):
        found = actor_of_key(store, secret, now=NOW + 3 * DAY)
        assert found is not None
        assert found.rights == {"read", "act", "override"}
    assert actor_of_key(store, before, now=NOW + 4 * DAY) is None
    assert actor_of_key(store, after, now=NOW + 4 * DAY) is not None


def test_that_a_key_is_used_is_written_down_every_five_minutes_at_most(store: Store):
    actor = actor_of(store, let_in(store))
    _, secret = add_key(store, actor, "nightly", ["read"], now=NOW)
    used = []
    for minutes in (0, 4, 6):
        actor_of_key(store, secret, now=NOW + timedelta(minutes=minutes))
        used.append(keys_of(store, actor)[0].used_at)
    start = NOW.replace(tzinfo=None)
    assert used == [start, start, start + timedelta(minutes=6)]


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"name": ""}, "the name of a key"),
        ({"name": "a\nb"}, "the name of a key"),
        ({"scopes": []}, "a key without a scope does nothing"),
        ({"scopes": ["write"]}, "no such scope: 'write'"),
        ({"expires_on": (NOW - DAY).date()}, "would be over already"),
    ],
)
def test_what_is_no_key_is_refused(store: Store, told: dict[str, Any], message: str):
    actor = actor_of(store, let_in(store))
    with pytest.raises(StoreError, match=message):
        add_key(store, actor, **{"name": "nightly", "scopes": ["read"], "now": NOW, **told})
    with pytest.raises(StoreError, match="whose key"):
        add_key(store, OPERATOR, "nightly", ["read"], now=NOW)
    assert keys_of(store, actor) == []


def test_people_see_and_end_their_own_keys_only(store: Store):
    ann, bob = (actor_of(store, let_in(store, name)) for name in ("ann", "bob"))
    key, _ = add_key(store, ann, "nightly", ["read"], now=NOW)
    assert keys_of(store, bob) == []
    with pytest.raises(NotFound):
        revoke_key(store, bob, key, now=NOW)
    for act in (
        lambda: keys_of(store, bob, person=ann.person),
        lambda: keys_of(store, bob, everybody=True),
        lambda: add_key(store, bob, "mine", ["read"], now=NOW, person=ann.person),
    ):
        with pytest.raises(Forbidden):
            act()
    assert [found.email for found in keys_of(store, OPERATOR, everybody=True)] == ["ann@example.com"]


def test_a_key_makes_no_other_key_sets_no_password_and_signs_nobody_out(store: Store):
    ann = let_in(store, "ann", "admin")
    person = actor_of(store, ann)
    token, _ = begin_session(store, ann.id, agent=None, now=NOW)
    key, secret = add_key(store, person, "small", ["act"], now=NOW)
    actor = actor_of_key(store, secret, now=NOW)
    assert actor is not None
    with pytest.raises(Forbidden):
        add_key(store, actor, "large", ["admin"], now=NOW)
    with pytest.raises(Forbidden):
        set_password(store, actor, ann.id, "hash", now=NOW)
    with pytest.raises(NotFound):
        revoke_key(store, actor, key, now=NOW)
    with pytest.raises(NotFound):
        revoke_session(store, actor, sessions_of(store, person, now=NOW)[0].id, now=NOW)
    assert session(store, token, now=NOW) is not None
    assert find_person(store, person, ann.id).has_password is False
