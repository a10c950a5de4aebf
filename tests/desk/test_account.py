"""The page of an account says what is published of it, to those who may see it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retinue.desk.account import AccountPage, account, filled, history
from retinue.desk.past import past
from retinue.desk.peers import FEWEST, QUANTILES
from retinue.desk.timeline import Event, events, page
from retinue.errors import NotFound, StoreError
from retinue.store.people.access import Actor
from retinue.store.published.timeline import happenings
from retinue.workspace import Workspace
from tests.desk.studied import CHANGED, FIRST, LAST, NOW
from tests.desk.studied import account as named
from tests.run.company import DAY
from tests.web.company import ACCOUNTS, OWNERS, mark, texts

ANYBODY = Actor("tests")
#: Looks after zq00, zq06, ... and sees nothing else.
ANN = Actor("ann", everything=False, owners=frozenset({"Ann Archer"}), role="csm")
#: Looks after the parent of zq00.
EVE = Actor("eve", everything=False, owners=frozenset({"Eve Egger"}), role="csm")


def shown(workspace: Workspace, number: int = 0, actor: Actor = ANYBODY, **asked: date) -> AccountPage:
    return account(workspace, actor, named(number), now=NOW, **asked)


def test_the_parts_of_a_change_between_any_two_dates_sum_to_it(studied: Workspace) -> None:
    changed = 0
    for number in range(0, ACCOUNTS, 5):
        days = [one.day for one in past(studied, named(number)) if one.score is not None]
        scores = {one.day: one.score for one in past(studied, named(number))}
        spans = [(days[0], days[-1]), (days[1], days[-2]), (days[-2], days[-1])] if len(days) > 1 else []
        for since, until in [(start, end) for start, end in spans if start < end]:
            change = shown(studied, number, since=since, as_of=until).explanation.change
            assert change is not None
            assert (change.since, change.until) == (since, until)
            assert change.points == pytest.approx(scores[until] - scores[since], abs=1e-9)
            assert sum(driver.points for driver in change.drivers) == pytest.approx(change.points, abs=1e-9)
            changed += change.points != 0
    assert changed > 5


def test_a_date_in_between_shows_the_one_before_and_says_so(studied: Workspace) -> None:
    found = shown(studied, as_of=LAST - DAY)
    assert (found.explanation.as_of, found.asked, found.latest) == (LAST - 7 * DAY, LAST - DAY, False)
    exact = shown(studied, as_of=LAST)
    assert (exact.explanation.as_of, exact.asked, exact.latest) == (LAST, None, True)
    assert shown(studied, as_of=FIRST - 400 * DAY).explanation.as_of == exact.history[0].day


def test_a_start_before_the_first_score_keeps_the_usual_comparison_and_says_why(studied: Workspace) -> None:
    found = shown(studied, since=date(2020, 1, 1))
    usual = shown(studied)
    assert found.trouble is not None and "2020-01-01" in found.trouble
    assert found.explanation.change == usual.explanation.change is not None


def test_the_history_has_the_scores_bands_and_formulas_that_are_published(studied: Workspace) -> None:
    table = studied.published().table("snapshots").to_pylist()
    published: dict[str, list[tuple[object, ...]]] = {}
    for row in table:
        told = (
            row["as_of"],
            row["effective"],
            row["computed"],
            row["band"],
            row["scorecard"],
            row["fingerprint"],
        )
        published.setdefault(row["account_id"], []).append(told)
    formulas = set()
    for account_id, rows in published.items():
        found = [
            (one.day, one.score, one.computed, one.band, one.scorecard, one.fingerprint)
            for one in past(studied, account_id)
        ]
        scored = [row for row in rows if row[1] is not None]
        assert [row for row in found if row[1] is not None] == scored, account_id
        assert [row[:4] for row in found] == [row[:4] for row in rows], account_id
        formulas |= {(row[0] >= CHANGED, row[5]) for row in scored}
    assert len(formulas) == 2


def test_an_account_out_of_sight_is_not_there_and_nothing_of_it_is_told(studied: Workspace) -> None:
    for number in range(ACCOUNTS):
        if texts(number).owner == "Ann Archer":
            assert shown(studied, number, ANN).account is not None
            continue
        with pytest.raises(NotFound) as hidden:
            shown(studied, number, ANN)
        with pytest.raises(NotFound) as never:
            account(studied, ANN, "zq99-id", now=NOW)
        assert str(hidden.value).replace(named(number), "X") == str(never.value).replace("zq99-id", "X")
        for read in (history, events):
            with pytest.raises(NotFound):
                read(studied, ANN, named(number))


def test_a_page_names_only_accounts_that_its_reader_sees(studied: Workspace) -> None:
    child = json.dumps(shown(studied, 0, ANN).to_dict(), default=str)
    assert mark(0) in child and mark(4) not in child
    assert shown(studied, 0, ANN).parent is None
    parent = shown(studied, 4, EVE)
    assert parent.children == () and mark(0) not in json.dumps(parent.to_dict(), default=str)
    every = shown(studied, 4)
    assert {child.account_id for child in every.children} == {named(n) for n in (0, 1, 2, 8)}
    found = shown(studied, 0)
    assert found.parent is not None and found.parent.account_id == named(4)


def test_peers_are_counted_as_by_hand_and_few_are_not_told(studied: Workspace) -> None:
    rows = studied.published().table("snapshots", dates=[LAST]).to_pylist()
    about = {
        row["account_id"]: row for row in studied.published().table("accounts", dates=[LAST]).to_pylist()
    }
    scores = {row["account_id"]: row["effective"] for row in rows if row["effective"] is not None}

    def group(account_id: str) -> tuple[object, bool]:
        return about[account_id]["segment"], about[account_id]["tenure_days"] >= 60

    told = 0
    for number in range(ACCOUNTS):
        me = named(number)
        if me not in scores:
            continue
        found = shown(studied, number, as_of=LAST).peers
        others = [score for other, score in scores.items() if other != me and group(other) == group(me)]
        assert found is not None
        assert (found.segment, found.others) == (about[me]["segment"], len(others))
        assert found.too_few == (len(others) < FEWEST)
        if found.too_few:
            assert (found.below, found.quantiles, found.counts) == (None, (), ())
            continue
        told += 1
        lower = sum(score < scores[me] for score in others) + sum(score == scores[me] for score in others) / 2
        assert found.below == pytest.approx(lower / len(others))
        assert sum(found.counts) == len(others) + 1
        assert found.quantiles == pytest.approx(np.quantile([*others, scores[me]], QUANTILES))
    assert 5 < told < len(scores)


def test_the_link_leads_to_the_account_elsewhere_whatever_its_texts_are(studied: Workspace) -> None:
    assert shown(studied).link == f"https://crm.example.com/north/{named()}?o=Ann%20Archer"
    # Who has no territory has no such address.
    assert shown(studied, 42).link is None
    template = "https://crm.example.com/{account_id}?x={name}"
    hostile = filled(template, {"account_id": "a/../b?c#d", "name": '"><script>&\r\n javascript:'})
    assert (
        hostile == "https://crm.example.com/a%2F..%2Fb%3Fc%23d?x=%22%3E%3Cscript%3E%26%0D%0A%20javascript%3A"
    )
    assert filled(template, {"account_id": "a"}) is None


def test_the_timeline_of_an_account_is_that_which_is_published(studied: Workspace) -> None:
    published = studied.published()
    several = 0
    for number in range(-1, ACCOUNTS + 1):
        wanted = published.table("timeline", account=f"zq{number:02}-id").to_pylist()
        assert happenings(published, f"zq{number:02}-id") == wanted
        several += len(wanted) > 1
    assert several > 1 and happenings(published, "") == []


def test_events_come_newest_first_and_pages_show_each_once(studied: Workspace) -> None:
    found = events(studied, ANYBODY, named(3))
    assert len(found) > 200
    assert [event.at for event in found] == sorted((event.at for event in found), reverse=True)
    for limit in (1, 7, 30, len(found)):
        for kind in (None, "tickets"):
            wanted = [event for event in found if kind in (None, event.kind)]
            assert list(walked(found, kind, limit)) == wanted


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(0, 3), max_size=25), st.integers(1, 9))
def test_pages_hold_where_many_things_happen_at_one_moment(moments: list[int], limit: int) -> None:
    start = NOW.replace(tzinfo=None)
    found = [
        Event(start - timedelta(microseconds=n), "tickets", f"event {k}")
        for k, n in enumerate(sorted(moments))
    ]
    assert list(walked(found, None, limit)) == found


def walked(found: list[Event], kind: str | None, limit: int) -> Iterator[Event]:
    before = None
    while True:
        told = page(found, kind=kind, before=before, limit=limit)
        assert len(told.events) <= limit
        yield from told.events
        if told.before is None:
            return
        before = told.before


@pytest.mark.parametrize(
    "place", ["", "x", "1", "-1-0", "1-", "1-0-0", "\u0663-\u0661", "9" * 30 + "-0", "1.5-0"]
)
def test_a_place_that_is_none_is_refused(place: str) -> None:
    with pytest.raises(StoreError):
        page([], before=place)


def test_the_owners_of_the_tests_are_all_there() -> None:
    assert {texts(number).owner for number in range(ACCOUNTS)} >= set(OWNERS)
