from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from retinue.store.database import Store, open_store
from retinue.store.people.attempts import FREE, FREE_PER_ADDRESS, forgive, keys_for, try_now
from tests.access.hands import NOW

SECOND = timedelta(seconds=1)
ANN = keys_for("Ann@example.com ", "192.0.2.7")


def after(store: Store, keys: dict[str, int], moment: datetime, count: int) -> list[int]:
    return [try_now(store, keys, now=moment) for _ in range(count)]


def test_a_few_attempts_are_free_then_each_wait_is_twice_as_long(store: Store):
    assert after(store, ANN, NOW, FREE + 2) == [0] * FREE + [60, 60]
    moment, waits = NOW, []
    for _ in range(6):
        waits.append(try_now(store, ANN, now=moment))
        moment += waits[-1] * SECOND
        assert try_now(store, ANN, now=moment - SECOND) == 1
        assert try_now(store, ANN, now=moment) == 0
    assert waits == [60, 120, 240, 480, 900, 900]


def test_no_minute_has_more_attempts_than_are_free(store: Store):
    went = [second for second in range(600) if try_now(store, ANN, now=NOW + second * SECOND) == 0]
    assert max(sum(start <= second < start + 60 for second in went) for start in range(600)) == FREE


def test_a_wait_is_remembered_over_a_restart(store: Store, store_url: str):
    after(store, ANN, NOW, FREE)
    again = open_store(store_url)
    assert try_now(again, ANN, now=NOW + 30 * SECOND) == 30
    again.close()


def test_other_people_and_other_places_do_not_wait(store: Store):
    after(store, ANN, NOW, FREE + 1)
    assert try_now(store, keys_for("bob@example.com", "192.0.2.7"), now=NOW) == 0
    assert try_now(store, keys_for("ann@example.com", "192.0.2.8"), now=NOW) == 0
    assert try_now(store, keys_for("ANN@example.com", "::ffff:192.0.2.7"), now=NOW) == 60


def test_somebody_who_tries_one_e_mail_after_another_waits_too(store: Store):
    waits = [
        try_now(store, keys_for(f"{n}@example.com", "192.0.2.7"), now=NOW)
        for n in range(FREE_PER_ADDRESS + 1)
    ]
    assert waits == [0] * FREE_PER_ADDRESS + [60]


def test_all_addresses_of_one_network_of_ipv6_are_one_place(store: Store):
    waits = [
        try_now(store, keys_for("ann@example.com", f"2001:db8::{n:x}"), now=NOW) for n in range(FREE + 1)
    ]
    assert waits == [0] * FREE + [60]
    assert try_now(store, keys_for("ann@example.com", "2001:db8:0:1::1"), now=NOW) == 0


def test_whoever_gets_in_starts_afresh_and_forgives_their_address_one_attempt(store: Store):
    for _ in range(2 * FREE_PER_ADDRESS):
        assert try_now(store, ANN, now=NOW) == 0
        forgive(store, ANN, now=NOW)
    assert after(store, ANN, NOW, FREE + 1)[-1] == 60


def test_all_is_forgotten_after_a_while_of_silence(store: Store):
    after(store, ANN, NOW, FREE)
    later = NOW + timedelta(minutes=17)
    assert after(store, ANN, later, FREE) == [0] * FREE


def test_many_at_once_are_no_way_round(store: Store):
    with ThreadPoolExecutor(8) as threads:
        waits = list(threads.map(lambda _: try_now(store, ANN, now=NOW), range(24)))
    assert sorted(waits) == [0] * FREE + [60] * (24 - FREE)
