"""The outbox by itself: who has a message, when it is due again, and when it is given up."""

from __future__ import annotations

import dataclasses
import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from retinue.errors import Forbidden, NotFound
from retinue.store.database import Store, open_store
from retinue.store.people.access import OPERATOR, Actor
from retinue.store.work import destinations as places
from retinue.store.work import messages, outbox
from retinue.store.work.outbox import Row

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
LEASE = timedelta(minutes=10)
LATER = NOW + timedelta(hours=1)


def put(store: Store, *ids: str, to: str = "slack", due: datetime = NOW, now: datetime = NOW) -> int:
    rows = [Row(id_, to, "band", f"about {id_}", {"n": 1}, due, "acme") for id_ in ids]
    with store.write() as connection:
        return outbox.enqueue(connection, rows, now=now)


def claim(store: Store, worker: str = "w1", now: datetime = NOW, limit: int = 10, **more):
    return outbox.claim(store, worker, now=now, limit=limit, lease=LEASE, **more)


def ids(claimed) -> list[str]:
    return [one.id for one in claimed]


def standing(store: Store, name: str = "slack"):
    return next(one for one in places.states(store, OPERATOR) if one.name == name)


def test_a_message_shares_the_transaction_of_what_it_is_about(store: Store):
    def change() -> None:
        with store.write() as connection:
            connection.execute(text("INSERT INTO audit (who, what, said_at) VALUES ('a', 'b', '2026-01-01')"))
            outbox.enqueue(connection, [Row("k1", "slack", "band", "s", {}, NOW)], now=NOW)
            raise KeyError

    with pytest.raises(KeyError):
        change()
    assert claim(store) == []


def test_a_key_is_taken_once_whatever_became_of_it(store: Store):
    assert put(store, "k1", "k2") == 2
    assert put(store, "k1", "k3") == 1
    (one, *_) = claim(store)
    assert outbox.sent(store, one, now=NOW)
    assert put(store, "k1") == 0
    assert "k1" not in ids(claim(store, now=LATER))


def test_a_thousand_messages_are_put_at_once(store: Store):
    assert put(store, *(f"k{n}" for n in range(1201))) == 1201
    assert standing(store).waiting == 1201


@pytest.mark.parametrize("id_", ["", "a.b", "a b", "a\n", "ä", "x" * 101])
def test_what_cannot_be_a_key_is_refused(store: Store, id_: str):
    with pytest.raises(ValueError, match="not a key"):
        put(store, id_)


def test_a_key_of_the_same_parts_is_the_same_and_of_others_another():
    assert outbox.key("alert", 1, "slack") == outbox.key("alert", 1, "slack")
    assert len({outbox.key("a", "b"), outbox.key("ab"), outbox.key("a", "b", ""), outbox.key("b", "a")}) == 4


def test_the_longest_due_comes_first_and_what_is_not_due_does_not_come(store: Store):
    put(store, "c", due=NOW - timedelta(minutes=1))
    put(store, "b", "a", due=NOW - timedelta(minutes=2))
    put(store, "d", due=NOW + timedelta(seconds=1))
    assert ids(claim(store, limit=2)) == ["a", "b"]
    assert ids(claim(store)) == ["c"]
    assert ids(claim(store, now=NOW + timedelta(seconds=1))) == ["d"]


def test_what_one_worker_has_no_other_gets_until_the_lease_ends(store: Store):
    put(store, "a")
    (first,) = claim(store, "w1")
    assert claim(store, "w2", now=NOW + LEASE - timedelta(seconds=1)) == []
    (second,) = claim(store, "w2", now=NOW + LEASE)
    assert outbox.begin(store, first, now=NOW, lease=LEASE) is None
    second = outbox.begin(store, second, now=NOW, lease=LEASE)
    assert second.attempts == 1
    # The first worker was only slow. It does not decide any more, unless it did deliver.
    assert not outbox.retry(store, first, "late", at=LATER)
    assert not outbox.bury(store, first, "late", now=NOW)
    assert outbox.give_back(store, [first]) == 0
    assert outbox.sent(store, first, now=NOW)
    assert not outbox.retry(store, second, "no", at=LATER)
    assert not outbox.sent(store, second, now=LATER)
    assert claim(store, now=LATER + LEASE) == []


def test_many_workers_at_once_never_have_the_same(store: Store, store_url: str):
    put(store, *(f"k{n:03}" for n in range(120)))
    got: list[str] = []

    def work(worker: str) -> None:
        own = open_store(store_url)
        while claimed := claim(own, worker, limit=7):
            got.extend(ids(claimed))
        own.close()

    threads = [threading.Thread(target=work, args=(f"w{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == [f"k{n:03}" for n in range(120)]


def test_destinations_take_turns_and_a_share_is_not_exceeded(store: Store):
    put(store, *(f"old{n}" for n in range(9)), to="down", due=NOW - timedelta(days=1))
    put(store, "new0", "new1", to="up")
    assert ids(claim(store, limit=4)) == ["old0", "new0", "old1", "new1"]
    assert ids(claim(store, limit=4, shares={"down": 2})) == ["old2", "old3"]
    assert claim(store, limit=4, shares={"down": 0}) == []


def test_a_destination_that_rests_gets_nothing_and_others_do(store: Store):
    put(store, "a", "b", to="down")
    put(store, "c", to="up")
    (a, c) = claim(store, limit=2)
    assert (a.id, c.id) == ("a", "c")
    rested: list[int] = []

    def rest(stumbles: int) -> datetime:
        rested.append(stumbles)
        return NOW + timedelta(minutes=5)

    outbox.retry(store, a, "timed out", at=NOW + timedelta(seconds=1), rest=rest)
    assert ids(claim(store, now=NOW + timedelta(minutes=4))) == []
    assert standing(store, "down").rests_until == (NOW + timedelta(minutes=5)).replace(tzinfo=None)
    again = claim(store, now=NOW + timedelta(minutes=5))
    assert ids(again) == ["b", "a"]
    outbox.retry(store, again[0], "timed out", at=LATER, rest=rest)
    assert rested == [1, 2]
    outbox.sent(store, again[1], now=NOW)
    assert standing(store, "down").rests_until is None
    outbox.sent(store, c, now=NOW)


def test_what_was_not_tried_is_given_back_and_does_not_count(store: Store):
    put(store, "a", "b")
    claimed = claim(store)
    assert outbox.give_back(store, claimed) == 2
    assert [one.attempts for one in claim(store, "w2")] == [0, 0]


def test_a_message_that_is_begun_is_kept_for_longer_and_counted(store: Store):
    put(store, "a")
    (one,) = claim(store, "w1")
    later = NOW + LEASE - timedelta(seconds=1)
    begun = outbox.begin(store, one, now=later, lease=LEASE)
    assert begun.attempts == 1
    assert claim(store, "w2", now=NOW + LEASE) == []
    # What was begun twice is not begun by the first any more, though the name is the same.
    assert outbox.begin(store, one, now=later, lease=LEASE) is None
    assert not outbox.retry(store, one, "old", at=NOW)
    assert outbox.retry(store, begun, "new", at=NOW)
    assert [again.attempts for again in claim(store, "w2")] == [1]


def failed_for_good(store: Store, *ids_: str, tell=(), **more) -> list[bool]:
    put(store, *ids_)
    return [outbox.bury(store, one, "403", now=NOW, tell=tell, **more) for one in claim(store)]


def notice() -> Row:
    return Row("notice", "admins", "destination_disabled", "slack is disabled", {}, NOW)


def test_failures_for_good_in_a_row_disable_a_destination_and_an_admin_is_told_once(store: Store):
    names = [f"k{n}" for n in range(outbox.GIVE_UP_AFTER + 2)]
    disabled = failed_for_good(store, *names, tell=[notice()])
    assert disabled == [False] * (outbox.GIVE_UP_AFTER - 1) + [True, False, False]
    put(store, "more")
    assert ids(claim(store)) == ["notice"]
    found = standing(store)
    assert (found.waiting, found.dead, found.reason) == (1, len(names), "403")
    with store.read() as connection:
        assert connection.execute(text("SELECT what, subject FROM audit")).all() == [
            ("disable destination", "slack")
        ]


def test_a_success_in_between_starts_the_count_again(store: Store):
    failed_for_good(store, *(f"a{n}" for n in range(outbox.GIVE_UP_AFTER - 1)))
    put(store, "good")
    outbox.sent(store, *claim(store), now=NOW)
    assert not any(failed_for_good(store, *(f"b{n}" for n in range(outbox.GIVE_UP_AFTER - 1))))
    assert failed_for_good(store, "c") == [True]


def test_a_receiver_that_is_gone_is_disabled_at_once_and_a_bad_message_blames_nobody(store: Store):
    assert failed_for_good(store, *(f"a{n}" for n in range(9)), counts=False) == [False] * 9
    assert failed_for_good(store, "b", at_once=True) == [True]


def test_a_disabled_destination_is_sent_to_again_once_it_is_enabled(store: Store):
    put(store, "a")
    places.disable(store, OPERATOR, "slack", "moved", now=NOW)
    assert claim(store) == []
    with pytest.raises(NotFound):
        places.disable(store, OPERATOR, "slack", "again", now=NOW)
    places.enable(store, OPERATOR, "slack", now=NOW)
    assert ids(claim(store)) == ["a"]
    with pytest.raises(NotFound):
        places.enable(store, OPERATOR, "slack", now=NOW)


def test_the_dead_are_listed_newest_first_and_replayed_under_their_key(store: Store):
    failed_for_good(store, "a", "b")
    put(store, "c")
    (c,) = claim(store)
    outbox.bury(store, c, "x" * 10_000, now=LATER)
    found = outbox.dead(store, OPERATOR)
    assert [one.id for one in found] == ["c", "a", "b"]
    assert len(found[0].last_error) == 500
    outbox.replay(store, OPERATOR, "a", now=LATER)
    (again,) = claim(store, now=LATER)
    assert (again.id, again.attempts) == ("a", 0)
    with pytest.raises(NotFound):
        outbox.replay(store, OPERATOR, "a", now=LATER)


def test_only_who_may_audit_sees_and_changes_what_is_on_its_way(store: Store):
    csm = Actor("ann", role="leader")
    assert places.states(store, Actor("ann", role="ops")) == []
    for refused in (
        lambda: outbox.dead(store, csm),
        lambda: places.states(store, csm),
        lambda: outbox.replay(store, csm, "a", now=NOW),
        lambda: outbox.replay_all(store, csm, "slack", now=NOW),
        lambda: messages.put(store, csm, Row("t", "slack", "test", "t", {}, NOW), now=NOW),
        lambda: places.enable(store, csm, "slack", now=NOW),
        lambda: places.disable(store, csm, "slack", "no", now=NOW),
    ):
        with pytest.raises(Forbidden):
            refused()


def test_all_that_was_given_up_for_a_destination_is_replayed_at_once(store: Store):
    failed_for_good(store, "a", "b")
    assert outbox.replay_all(store, OPERATOR, "teams", now=LATER) == 0
    assert outbox.replay_all(store, OPERATOR, "slack", now=LATER) == 2
    assert ids(claim(store, now=LATER)) == ["a", "b"]
    assert outbox.dead(store, OPERATOR) == []


def test_what_was_given_up_is_listed_by_destination_a_page_at_a_time(store: Store):
    failed_for_good(store, "a", "b", "c")
    found: list[str] = []
    after = None
    while page := outbox.dead(store, OPERATOR, destination="slack", limit=2, after=after):
        found += [one.id for one in page]
        after = page[-1].id
    assert found == ["a", "b", "c"]
    assert outbox.dead(store, OPERATOR, destination="teams") == []
    with pytest.raises(NotFound):
        outbox.dead(store, OPERATOR, after="gone")


def test_who_does_not_see_an_account_sees_and_replays_no_message_about_it(store: Store):
    failed_for_good(store, "a")
    north = Actor("nora", everything=False, territories=frozenset({"north"}), role="ops")
    assert outbox.dead(store, north) == []
    assert outbox.replay_all(store, north, "slack", now=LATER) == 0
    with pytest.raises(NotFound):
        outbox.replay(store, north, "a", now=LATER)


def test_housekeeping_deletes_what_is_old_and_gives_up_what_waited_too_long(store: Store):
    put(store, "sent", "dead", "waits")
    for one in claim(store, limit=2):
        if one.id == "dead":
            outbox.bury(store, one, "403", now=NOW, counts=False)
        else:
            outbox.give_back(store, [one])
    for one in claim(store):
        if one.id == "sent":
            outbox.sent(store, one, now=NOW)
        else:
            outbox.give_back(store, [one])
    places.disable(store, OPERATOR, "slack", "moved", now=NOW)
    assert outbox.housekeep(store, now=NOW + outbox.WAITS) == 0
    assert outbox.housekeep(store, now=NOW + outbox.WAITS + timedelta(seconds=1)) == 1
    assert [one.id for one in outbox.dead(store, OPERATOR)] == ["waits", "dead"]
    assert outbox.housekeep(store, now=NOW + outbox.KEPT + timedelta(seconds=1)) == 1
    assert standing(store).sent == 0
    assert outbox.housekeep(store, now=NOW + timedelta(days=400)) == 2


def test_a_text_that_no_database_takes_is_made_one(store: Store):
    odd = Row("k", "slack", "band", "a\0b\ud800", {"text": "c\0d\ud800"}, NOW)
    with store.write() as connection:
        outbox.enqueue(connection, [odd], now=NOW)
    (one,) = claim(store)
    assert one.subject == "ab?"
    assert one.payload == {"text": "c\0d\ud800"}


def test_a_claim_says_all_that_delivery_needs(store: Store):
    put(store, "a")
    (one,) = claim(store, "w7")
    assert dataclasses.asdict(one) == {
        "id": "a",
        "destination": "slack",
        "kind": "band",
        "subject": "about a",
        "payload": {"n": 1},
        "account_id": "acme",
        "attempts": 0,
        "worker": "w7",
        "created_at": NOW.replace(tzinfo=None),
    }
