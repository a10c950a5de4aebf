from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, text

from retinue.errors import Forbidden, NotFound
from retinue.store.database import Store
from retinue.store.people.access import OPERATOR
from retinue.store.people.people import actor_of, change_person, disable_person
from retinue.store.people.sessions import begin_session, end_session, revoke_session, session, sessions_of
from retinue.store.tables import sessions
from tests.access.hands import NOW, let_in

HOUR = timedelta(hours=1)


def test_a_session_tells_who_it_is_and_what_they_may_do(store: Store):
    ann = let_in(store, "ann", team="north")
    let_in(store, "bob", team="north")
    token, csrf = begin_session(store, ann.id, agent="Firefox\n", now=NOW)
    found = session(store, token, now=NOW)
    assert found is not None
    assert (found.person, found.csrf) == (ann, csrf)
    assert found.actor == actor_of(store, ann)
    assert "bob@example.com" in found.actor.owners
    assert session(store, token + "x", now=NOW) is None
    assert session(store, "", now=NOW) is None
    assert session(store, found.id, now=NOW) is None


def test_the_store_does_not_know_the_token(store: Store):
    token, _ = begin_session(store, let_in(store).id, agent="x", now=NOW)
    with store.read() as connection:
        assert token not in str(connection.execute(select(sessions)).all())


def test_a_session_ends_when_nobody_was_seen_for_long_and_at_its_last_day(store: Store):
    ann = let_in(store)
    token, _ = begin_session(store, ann.id, agent=None, now=NOW, hours=2, days=1)
    assert session(store, token, now=NOW + 2 * HOUR) is None
    moment = NOW
    for _ in range(13):
        moment += 1.9 * HOUR
        assert (session(store, token, now=moment) is not None) == (moment < NOW + 24 * HOUR)
    assert sessions_of(store, actor_of(store, ann), now=moment) == []


def test_being_seen_is_written_down_every_five_minutes_at_most(store: Store):
    ann = let_in(store)
    token, _ = begin_session(store, ann.id, agent=None, now=NOW)
    seen = []
    for minutes in (4, 6, 9, 12):
        session(store, token, now=NOW + timedelta(minutes=minutes))
        seen.append(sessions_of(store, actor_of(store, ann), now=NOW)[0].seen_at - NOW.replace(tzinfo=None))
    assert seen == [timedelta(minutes=minutes) for minutes in (0, 6, 6, 12)]


def test_reading_goes_on_while_somebody_else_writes(store: Store):
    ann = let_in(store)
    token, _ = begin_session(store, ann.id, agent=None, now=NOW)
    with store.write() as connection:
        connection.execute(text("UPDATE people SET name = 'Anna'"))
        assert session(store, token, now=NOW + HOUR) is not None
    assert sessions_of(store, actor_of(store, ann), now=NOW)[0].seen_at == NOW.replace(tzinfo=None)


def test_signing_in_ends_the_session_that_the_browser_had_and_signing_out_this_one(store: Store):
    ann, bob = let_in(store, "ann"), let_in(store, "bob")
    before, _ = begin_session(store, ann.id, agent=None, now=NOW)
    after, _ = begin_session(store, bob.id, agent=None, now=NOW, replaces=before)
    assert session(store, before, now=NOW) is None
    end_session(store, after, now=NOW)
    end_session(store, after, now=NOW)
    assert session(store, after, now=NOW) is None


@pytest.mark.parametrize("change", [{"role": "reader"}, {"sees": "own"}])
def test_another_role_or_view_needs_a_new_session(store: Store, change: dict[str, str]):
    ann = let_in(store)
    token, _ = begin_session(store, ann.id, agent=None, now=NOW)
    change_person(store, OPERATOR, ann.id, now=NOW, territories=["US"])
    found = session(store, token, now=NOW)
    assert found is not None
    assert found.actor.territories == {"US"}
    change_person(store, OPERATOR, ann.id, now=NOW, **change)
    assert session(store, token, now=NOW) is None


def test_a_teammate_who_is_disabled_counts_no_more_at_once(store: Store):
    ann, bob = let_in(store, "ann", team="north"), let_in(store, "bob", team="north")
    token, _ = begin_session(store, ann.id, agent=None, now=NOW)
    disable_person(store, OPERATOR, bob.id, now=NOW)
    found = session(store, token, now=NOW)
    assert found is not None
    assert found.actor.owners == {"ann@example.com", "Ann"}


def test_people_end_their_own_sessions_and_admins_those_of_others(store: Store):
    ann, bob, boss = let_in(store, "ann"), let_in(store, "bob"), let_in(store, "boss", "admin")
    token, _ = begin_session(store, ann.id, agent="phone", now=NOW)
    other, _ = begin_session(store, ann.id, agent="laptop", now=NOW)
    as_ann, as_bob, as_boss = (actor_of(store, person) for person in (ann, bob, boss))
    found = {one.agent: one.id for one in sessions_of(store, as_ann, now=NOW)}
    assert set(found) == {"phone", "laptop"}
    with pytest.raises(NotFound):
        revoke_session(store, as_bob, found["phone"], now=NOW)
    with pytest.raises(Forbidden):
        sessions_of(store, as_bob, now=NOW, person=ann.id)
    revoke_session(store, as_ann, found["phone"], now=NOW)
    assert session(store, token, now=NOW) is None
    assert session(store, other, now=NOW) is not None
    revoke_session(store, as_boss, found["laptop"], now=NOW)
    assert sessions_of(store, as_boss, now=NOW, person=ann.id) == []
