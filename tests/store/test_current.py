from __future__ import annotations

import random
import subprocess
import sys
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retinue.errors import NotFound, StoreError
from retinue.store.database import Store, open_store
from retinue.store.people.access import OPERATOR, Actor
from retinue.store.published.current import FILTERS, SORTS, account, accounts, changes, counts, near
from retinue.store.published.publish import publish
from tests.store.company import NOW, SUNDAYS, changed, current_rows, ids, run_and_publish, write_run

COUNT = 60


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def book(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    """Sixty accounts with many ties and many empty values."""
    home = tmp_path_factory.mktemp("book")
    if request.param == "sqlite":
        store = open_store(f"sqlite:///{home / 'store.db'}")
    else:
        store = open_store(request.getfixturevalue("postgres_server").new_database())
    chance = random.Random(7)
    rows = current_rows(
        COUNT,
        SUNDAYS[-1],
        name=[
            None if n % 9 == 0 else ["Äpfel & Söhne", "100% Wool", "O'Neil; DROP", "zeta"][n % 4]
            for n in range(COUNT)
        ],
        owner=[["ann", "bob", "cleo", None][n % 4] for n in range(COUNT)],
        territory=[["north", "south"][n % 2] for n in range(COUNT)],
        band=[["healthy", "watch", "at_risk", None][chance.randrange(4)] for _ in range(COUNT)],
        arr=[None if chance.random() < 0.3 else float(chance.randrange(4)) for _ in range(COUNT)],
        effective=[None if chance.random() < 0.3 else float(chance.randrange(5)) for _ in range(COUNT)],
        delta_28=[None if chance.random() < 0.3 else float(chance.randrange(-3, 4)) for _ in range(COUNT)],
        renews_on=pa.array([None if n % 3 else date(2026, 1 + n % 12, 1) for n in range(COUNT)], pa.date32()),
        held=[[True, False, None][n % 3] for n in range(COUNT)],
    )
    manifest = write_run(home, "r1", SUNDAYS, 2, 50.0, None)
    publish(store, manifest, rows, changed(2, SUNDAYS[-1]), NOW)
    yield store
    store.close()


@given(
    sort=st.sampled_from(sorted(SORTS)),
    descending=st.sampled_from([None, True, False]),
    limit=st.integers(1, 25),
    filters=st.sampled_from(
        [{}, {"owner": "ann"}, {"band": ["watch", None]}, {"held": False}, {"territory": []}]
    ),
    search=st.sampled_from([None, "a-000", "ÄPFEL", "%"]),
    actor=st.sampled_from([OPERATOR, Actor("ann", False, owners=frozenset(["ann", "bob"]))]),
)
def test_the_pages_are_the_whole_sorted_list_ties_and_empties_included(
    book, sort, descending, limit, filters, search, actor
):
    how = {"sort": sort, "descending": descending, "filters": filters, "search": search}
    whole = accounts(book, actor, **how, limit=None)
    paged = []
    after = None
    while page := accounts(book, actor, **how, limit=limit, after=after):
        assert len(page) <= limit
        paged += page
        after = page[-1].account_id
    assert paged == whole
    if actor is OPERATOR and not filters and search is None:
        assert sorted(row.account_id for row in whole) == ids(COUNT)


@pytest.mark.parametrize("descending", [True, False])
@pytest.mark.parametrize("sort", ["effective", "arr", "delta_28", "renews_on", "owner"])
def test_accounts_without_a_value_come_last_and_ties_are_in_order_of_id(book, sort: str, descending: bool):
    rows = accounts(book, OPERATOR, sort=sort, descending=descending, limit=None)
    with_value = [row for row in rows if getattr(row, sort) is not None]
    expected = sorted(with_value, key=lambda row: row.account_id)
    expected.sort(key=lambda row: getattr(row, sort), reverse=descending)
    assert rows[: len(with_value)] == expected
    rest = [row.account_id for row in rows[len(with_value) :]]
    assert rest
    assert rest == sorted(rest)


def test_movers_are_sorted_by_the_size_of_the_change(book):
    sizes = [
        abs(row.delta_28)
        for row in accounts(book, OPERATOR, sort="move_28", limit=30)
        if row.delta_28 is not None
    ]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] == 3


def test_filters_take_a_value_several_or_none(book):
    everyone = accounts(book, OPERATOR, limit=None)
    for name, wanted, kept in (
        ("owner", "ann", {"ann"}),
        ("owner", ["ann", "bob"], {"ann", "bob"}),
        ("owner", None, {None}),
        ("owner", ["ann", None], {"ann", None}),
        ("held", True, {True}),
    ):
        found = accounts(book, OPERATOR, filters={name: wanted}, limit=None)
        assert found == [row for row in everyone if getattr(row, name) in kept]
    assert accounts(book, OPERATOR, filters={"owner": "ann", "territory": "south"}) == []


ATTACKS = [
    "' OR '1'='1",
    "'; DROP TABLE current; --",
    "%",
    "_",
    "\\",
    "ann' UNION SELECT 1 --",
    "\x00",
    "{}",
    ":x",
    "?",
]


@pytest.mark.parametrize("text", ATTACKS)
def test_text_that_looks_like_sql_is_only_text(book, text: str):
    for name in FILTERS:
        assert accounts(book, OPERATOR, filters={name: text}) == []
    shown = accounts(book, OPERATOR, search=text, limit=None)
    assert all(text.casefold() in f"{row.name or ''}{row.account_id}".casefold() for row in shown)
    assert accounts(book, Actor("x", False, owners=frozenset([text]))) == []
    for attempt in (
        lambda: account(book, OPERATOR, text),
        lambda: accounts(book, OPERATOR, after=text),
        lambda: accounts(book, OPERATOR, sort=text),
        lambda: accounts(book, OPERATOR, filters={text: "x"}),
        lambda: counts(book, OPERATOR, by=text),
    ):
        with pytest.raises((NotFound, StoreError)):
            attempt()
    assert len(accounts(book, OPERATOR, limit=None)) == COUNT


def test_search_looks_in_names_and_ids_and_ignores_case_beyond_ascii(book):
    assert {row.name for row in accounts(book, OPERATOR, search="äPFEL", limit=None)} == {"Äpfel & Söhne"}
    assert {row.name for row in accounts(book, OPERATOR, search="0% w", limit=None)} == {"100% Wool"}
    assert [row.account_id for row in accounts(book, OPERATOR, search="a-00042")] == ["A-00042"]


def test_an_actor_sees_the_accounts_of_their_owners_and_territories_only(book):
    ann = Actor("ann", False, owners=frozenset(["ann"]), territories=frozenset(["south"]))
    seen = accounts(book, ann, limit=None)
    assert {row.account_id for row in seen} == {
        row.account_id
        for row in accounts(book, OPERATOR, limit=None)
        if row.owner == "ann" or row.territory == "south"
    }
    assert sum(group.accounts for group in counts(book, ann)) == len(seen) < COUNT
    hidden = "A-00002"
    assert account(book, OPERATOR, hidden).owner == "cleo"
    with pytest.raises(NotFound) as caught:
        account(book, ann, hidden)
    assert hidden not in (caught.value.hint or "")
    nobody = Actor("nobody", False)
    assert accounts(book, nobody) == []
    assert changes(book, nobody) == []
    assert len(changes(book, OPERATOR)) == 2


def test_counts_add_up_to_the_list_with_the_revenue(book):
    rows = accounts(book, OPERATOR, limit=None)
    groups = counts(book, OPERATOR, "band")
    assert {group.value: group.accounts for group in groups} == {
        band: sum(row.band == band for row in rows) for band in ("healthy", "watch", "at_risk", None)
    }
    assert sum(group.arr for group in groups) == sum(row.arr or 0 for row in rows)
    assert [group.accounts for group in groups] == sorted((g.accounts for g in groups), reverse=True)
    assert sum(group.accounts for group in counts(book, OPERATOR, filters={"owner": "ann"})) == 15


def test_one_account_comes_with_its_explanation(book):
    row = account(book, OPERATOR, "A-00001")
    assert row.explanation["score"] == 50.0
    assert row.attributes == {"plan": "pro"}
    assert row.sparkline == [50.0, 51.5]
    assert accounts(book, OPERATOR, sort="account_id", limit=2)[1].sparkline == [50.0, 51.5]


@pytest.mark.parametrize(
    ("asked", "first"),
    [
        ("a-00007", "A-00007"),
        ("A-0007", "A-00007"),
        ("B-00007", "A-00007"),
        ("zetta", "A-00003"),
        ("wool", "A-00001"),
    ],
)
def test_an_account_that_is_not_there_is_answered_with_those_that_look_like_it(book, asked: str, first: str):
    assert first in near(book, OPERATOR, asked)
    with pytest.raises(NotFound, match="did you mean") as caught:
        account(book, OPERATOR, asked)
    assert first in str(caught.value)


def test_before_the_first_run_there_is_nothing_and_it_says_what_to_do(store: Store):
    assert near(store, OPERATOR, "A") == []
    for ask in (
        lambda: accounts(store, OPERATOR),
        lambda: account(store, OPERATOR, "A"),
        lambda: counts(store, OPERATOR),
    ):
        with pytest.raises(NotFound, match="nothing is published yet"):
            ask()


def test_a_page_that_follows_an_account_that_is_gone_says_so(store: Store, home: Path):
    run_and_publish(store, home, "r1", SUNDAYS, 20)
    run_and_publish(store, home, "r2", SUNDAYS[-1:], 10)
    with pytest.raises(NotFound, match="where the page before ended, is gone"):
        accounts(store, OPERATOR, after="A-00015")


def test_unknown_filters_and_sorts_name_the_known_ones(book):
    with pytest.raises(StoreError, match="did you mean owner"):
        accounts(book, OPERATOR, filters={"ownr": "ann"})
    with pytest.raises(StoreError, match=r"cannot be sorted by 'size'.*attention"):
        accounts(book, OPERATOR, sort="size")


def test_reading_imports_neither_arrow_nor_an_engine():
    code = (
        "import sys, retinue.store.published.current, retinue.store.published.manifest; print(*sys.modules)"
    )
    modules = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"pyarrow", "duckdb", "ibis", "numpy", "pandas"} & set(modules)
