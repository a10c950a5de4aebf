"""SQLite answers a filtered, searched or counted list from one index: never from the table itself."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import event

from retinue.store.database import Store, open_store
from retinue.store.people.access import OPERATOR, Actor
from retinue.store.published.current import accounts, counts
from tests.store.company import SUNDAYS, run_and_publish

ACTORS = (OPERATOR, Actor("csm", everything=False, owners=frozenset({"Ada"}), role="csm"))


@pytest.fixture
def listed(tmp_path: Path) -> Store:
    store = open_store(f"sqlite:///{tmp_path / 'store.db'}")
    run_and_publish(store, tmp_path / "home", "r1", SUNDAYS, 40)
    return store


def plans(store: Store, ask: object) -> list[str]:
    """How SQLite finds the accounts of each query that `ask` makes, besides those found by their ids."""
    queries: list[tuple[str, object]] = []

    def heard(_connection, _cursor, statement, parameters, _context, _many) -> None:
        if "FROM current" in statement and "account_id IN" not in statement:
            queries.append((statement, parameters))

    event.listen(store.engine, "before_cursor_execute", heard)
    ask()  # type: ignore[operator]
    event.remove(store.engine, "before_cursor_execute", heard)
    found = []
    with store.engine.connect() as connection:
        for statement, parameters in queries:
            rows = connection.exec_driver_sql("EXPLAIN QUERY PLAN " + statement, parameters).all()
            found += [row[3] for row in rows if row[3].startswith(("SEARCH current", "SCAN current"))]
    return found


@pytest.mark.parametrize("actor", ACTORS, ids=["all", "own"])
def test_the_usual_order_walks_the_index_of_lists(listed: Store, actor: Actor):
    for narrow in ({"filters": {"band": "watch"}}, {"search": "comp"}):
        ask = lambda narrow=narrow: accounts(listed, actor, **narrow)  # noqa: E731
        found = plans(listed, ask)
        assert found and all("COVERING INDEX current_lists" in plan for plan in found), found


def test_counts_read_the_index_only(listed: Store):
    for by in ("band", "owner", "segment", "cap"):
        found = plans(listed, lambda by=by: counts(listed, OPERATOR, by, filters={"band": "watch"}))
        assert found and all("COVERING INDEX" in plan for plan in found), found
