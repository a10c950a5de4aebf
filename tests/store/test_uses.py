"""Whether scores are used: views and acts are kept, and nothing waits for it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import select

from retinue.store.people.access import OPERATOR, Actor
from retinue.store.people.uses import WAITING, Uses, adoption
from retinue.store.tables import uses
from retinue.store.work.said import add_note
from tests.store.company import NOW, SUNDAYS, changed, current_rows, run_and_publish, write_run

ANN = replace(OPERATOR, name="ann@example.com", person=1)
BOB = replace(OPERATOR, name="bob@example.com", person=2)
#: The Monday after what is published in these tests.
MONDAY = datetime(2026, 3, 2, 9, tzinfo=UTC)
AN_HOUR = timedelta(hours=1)


def _all(store):
    with store.read() as connection:
        return connection.execute(select(uses).order_by(uses.c.id)).all()


def test_uses_are_written_later_in_one_go(store):
    kept = Uses(store)
    kept.add(ANN, "view", "/accounts/{account_id}", "A-00001", MONDAY)
    kept.add(BOB, "act", "/accounts/{account_id}/notes", "A-00001", MONDAY + AN_HOUR)
    assert _all(store) == []
    assert kept.write() == 2
    assert kept.write() == 0
    assert [(row.person, row.kind, row.account_id) for row in _all(store)] == [
        (1, "view", "A-00001"),
        (2, "act", "A-00001"),
    ]


def test_a_use_by_nobody_in_particular_is_not_kept(store):
    kept = Uses(store)
    kept.add(OPERATOR, "view", "/", None, MONDAY)
    assert kept.write() == 0


def test_what_cannot_be_written_waits_and_takes_no_more_than_its_room(store_url, home):
    from retinue.store.database import open_store

    store = open_store(store_url)
    other = open_store(store_url)
    kept = Uses(store)
    kept.add(ANN, "view", "/", "\0", MONDAY)
    with other.write():
        assert kept.write(wait=0.05) == 0
        for _ in range(WAITING):
            kept.add(BOB, "view", "/", None, MONDAY)
        assert kept.write(wait=0.05) == 0
    assert kept.write() == WAITING
    assert {row.person for row in _all(store)} == {2}
    store.close()
    other.close()


def test_people_are_counted_by_week_from_monday(store):
    kept = Uses(store)
    for actor, moment in (
        (ANN, MONDAY - AN_HOUR),
        (ANN, MONDAY + 6 * timedelta(days=1)),
        (BOB, MONDAY),
        (BOB, MONDAY + timedelta(days=7)),
    ):
        kept.add(actor, "view", "/", None, moment)
    kept.write()
    told = adoption(store, OPERATOR, MONDAY - timedelta(days=7), MONDAY + timedelta(days=30))
    assert [(week.start, week.people, week.views) for week in told.weeks] == [
        (date(2026, 3, 2), 2, 3),
        (date(2026, 3, 9), 1, 1),
    ]
    assert told.people == 2


def test_an_act_starts_from_a_score_when_its_person_has_just_seen_the_account(store):
    kept = Uses(store)
    kept.add(ANN, "view", "page", "A", MONDAY)
    kept.add(ANN, "act", "note", "A", MONDAY + timedelta(minutes=30))  # counts
    kept.add(ANN, "act", "note", "A", MONDAY + timedelta(minutes=31))  # too late
    kept.add(ANN, "act", "note", "B", MONDAY + timedelta(minutes=5))  # another account
    kept.add(BOB, "act", "note", "A", MONDAY + timedelta(minutes=5))  # another person
    kept.add(BOB, "view", "page", "A", MONDAY + timedelta(minutes=6))  # after the act
    kept.write()
    told = adoption(store, OPERATOR, MONDAY, MONDAY + AN_HOUR)
    assert (told.acts, told.from_score, told.share_from_score) == (4, 1, 0.25)
    assert (told.account_views, told.accounts_viewed) == (2, 1)
    assert told.to_dict()["share_from_score"] == 0.25


def test_a_response_lasts_from_the_publication_to_the_first_touch_of_that_account(store, home):
    run_and_publish(store, home, "r1", SUNDAYS, count=4)
    for account_id, hours in (("A-00000", 2), ("A-00000", 50), ("A-00001", 10)):
        add_note(store, account_id, "called them", by=ANN, now=NOW + hours * AN_HOUR)
    told = adoption(store, OPERATOR, NOW, NOW + 100 * AN_HOUR)
    (response,) = told.responses
    assert (response.band, response.transitions, response.touched) == ("watch", 4, 2)
    assert (response.lower, response.median, response.upper) == (2.0, 10.0, None)


def test_a_history_that_is_scored_at_once_is_no_news(store, home):
    run_and_publish(store, home, "r1", SUNDAYS[:4], count=4)
    assert adoption(store, OPERATOR, NOW, NOW + AN_HOUR).responses == ()


def test_uses_of_accounts_that_the_actor_does_not_see_are_not_counted(store, home):
    from retinue.store.published.publish import publish

    manifest = write_run(home, "r1", SUNDAYS, 2, 50.0, None)
    rows = current_rows(2, SUNDAYS[-1], owner=["ann", "bob"])
    publish(store, manifest, rows, changed(2, SUNDAYS[-1]), NOW)
    kept = Uses(store)
    for account_id in ("A-00000", "A-00001", None):
        kept.add(BOB, "view", "page", account_id, MONDAY)
    kept.write()
    ann = Actor("ann", everything=False, owners=frozenset({"ann"}), role="csm")
    told = adoption(store, ann, NOW, NOW + timedelta(days=7))
    assert (told.account_views, told.accounts_viewed) == (1, 1)
    assert [response.transitions for response in told.responses] == [1]
