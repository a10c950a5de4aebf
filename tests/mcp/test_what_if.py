"""What would be: the same formula, scored again."""

from __future__ import annotations

from typing import Any

import pytest

from retinue.desk.what_if import what_if
from retinue.errors import Forbidden, NotFound, StoreError
from retinue.run.explain import explain
from retinue.store.people.access import OPERATOR, Actor
from tests.mcp.clients import within
from tests.web.company import CARD, mark
from tests.web.house import House

ACCOUNTS = [f"{mark(n)}-id" for n in range(1, 40, 3)]


@pytest.mark.parametrize("account", ACCOUNTS)
def test_nothing_changed_is_the_score_that_is_published(house: House, account: str) -> None:
    found = what_if(house.workspace, OPERATOR, account)
    told = explain(house.workspace, account)
    assert found.after == found.before
    computed = told.layers[0].score
    assert (found.before.computed is None) == (computed is None)
    if computed is not None:
        assert found.before.computed == pytest.approx(computed, abs=1e-6)
        assert found.before.coverage == pytest.approx(told.coverage or 0)
        for part, other in zip(found.before.parts, told.components, strict=True):
            if other.weight:
                assert part.points == pytest.approx(other.points, abs=1e-6)
            assert part.contribution == pytest.approx(other.contribution or 0, abs=1e-6)


@pytest.mark.parametrize("account", ACCOUNTS)
def test_a_metric_at_the_value_of_an_improvement_gives_what_that_promised(house: House, account: str) -> None:
    for one in explain(house.workspace, account).improvements:
        if one.metric is not None and one.to_value is not None:
            found = what_if(house.workspace, OPERATOR, account, metrics={one.metric: one.to_value})
            assert found.after.computed == pytest.approx(one.score, abs=1e-6), one.text


def test_components_at_other_points_are_weighed_as_before(house: House) -> None:
    account = next(
        account
        for account in ACCOUNTS
        if (found := what_if(house.workspace, OPERATOR, account)).before.cap is None
        and all(part.points is not None for part in found.before.parts)
    )
    found = what_if(house.workspace, OPERATOR, account, components={"service": 100.0, "adoption": 0.0})
    parts = {part.component: part for part in found.after.parts}
    assert parts["service"].points == pytest.approx(100)
    assert parts["adoption"].points == pytest.approx(0)
    assert sum(part.weight for part in parts.values()) == pytest.approx(1)
    by_hand = sum(part.weight * (part.points or 0) for part in parts.values())
    assert found.after.base == pytest.approx(by_hand)
    before = {part.component: part for part in found.before.parts}
    # A weight moves only where data that were old are taken as new.
    assert parts["adoption"].weight / parts["service"].weight == pytest.approx(
        before["adoption"].weight / before["service"].weight
    )


def test_several_metrics_change_together_and_caps_follow(house: House) -> None:
    capped = next(
        account
        for account in (f"{mark(n)}-id" for n in range(48))
        if what_if(house.workspace, OPERATOR, account).before.cap is not None
    )
    found = what_if(house.workspace, OPERATOR, capped, metrics={"open_tickets": 0.0, "active_days": 20.0})
    assert found.before.cap == CARD["caps"][0]["because"]
    assert found.after.cap is None
    assert {one.metric: one.after for one in found.metrics} == {"open_tickets": 0, "active_days": 20}
    single = what_if(house.workspace, OPERATOR, capped, metrics={"open_tickets": 0.0})
    assert found.gain is not None
    assert single.gain is not None
    assert found.gain >= single.gain > 0


@pytest.mark.parametrize(
    "asked",
    [
        {"metrics": {"nothing": 1.0}},
        {"metrics": {"active_days": float("nan")}},
        {"components": {"nothing": 50.0}},
        {"components": {"service": -1.0}},
    ],
)
def test_what_the_score_does_not_have_is_refused(house: House, asked: dict[str, Any]) -> None:
    with pytest.raises(StoreError):
        what_if(house.workspace, OPERATOR, ACCOUNTS[0], **asked)


def test_it_needs_sight_of_the_account_and_the_right_to_read(house: House) -> None:
    with pytest.raises(NotFound):
        what_if(house.workspace, Actor("ann", everything=False), ACCOUNTS[0])
    with pytest.raises(Forbidden):
        what_if(house.workspace, Actor("bob", only=frozenset()), ACCOUNTS[0])


def test_an_assistant_is_told_what_changed(house: House) -> None:
    told = within(house, "leader").call(
        "what_if", account_id=ACCOUNTS[0], components=[{"name": "service", "value": 90}]
    )
    part = next(one for one in told.data["components"] if one["component"] == "service")
    assert part["points"] == 90
    assert told.data["gain"] is not None
    assert any("caps and floors" in note for note in told.data["notes"])
