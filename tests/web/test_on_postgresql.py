"""The same doors on PostgreSQL: everybody at each of them, and what databases see differently."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from retinue.store.people.access import OPERATOR
from retinue.store.published.current import accounts
from retinue.workspace import open_workspace
from tests.web import test_book, test_guard, test_routes
from tests.web.company import ordinary
from tests.web.conftest import scored
from tests.web.doors import CASES, EVERYBODY
from tests.web.house import House, furnish


@pytest.fixture
def house(postgres: str, tmp_path: Path) -> Iterator[House]:
    company = ordinary()
    company = dataclasses.replace(company, settings={**company.settings, "store": postgres})
    workspace = open_workspace(scored(tmp_path / "acme", company), {})
    assert workspace.store.engine.dialect.name == "postgresql"
    yield furnish(workspace)
    workspace.store.close()


#: Who differs most in what they see; the long tests ask as everybody.
FEW = (None, "owner", "southerner", "leader", "stranger")


@pytest.mark.parametrize("who", [FEW, pytest.param(EVERYBODY, marks=pytest.mark.long)], ids=["few", "all"])
def test_people_are_answered_alike_on_postgresql(
    house: House, who: tuple[str | None, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(test_routes, "EVERYBODY", who)
    for what, case in CASES.items():
        test_routes.test_a_door_answers_everybody_as_the_table_says(house, what)
        if case.account:
            test_routes.test_an_account_out_of_sight_is_not_there(house, what)
    for number in ("9" * 30, str(2**63), str(2**63 - 1), str(2**31), "0"):
        test_guard.test_a_number_that_is_too_large_is_not_there(house, number)
    rows = accounts(house.workspace.store, OPERATOR, limit=None)
    for sort in ("attention", "name", "delta_28", "renews_on", "move_7", "owner"):
        for order in ("asc", "desc"):
            query = [("sort", sort), ("order", order)]
            found = test_book.walked(house, "leader", query)[0]
            assert found == test_book.picked(rows, "leader", query), sort
    for odd in ("\0", "%", "\\", "'", "x" * 5000, "\ufffd"):
        for name in ("search", "band", "owner", "after", "sort", "renews"):
            assert house.browser("leader").get("/", params={name: odd}).status_code in (200, 400, 404)
