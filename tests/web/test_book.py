"""The book equals what a reader would pick by hand from all accounts, whatever is asked."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retinue.desk import book as desk
from retinue.store.people.access import OPERATOR
from retinue.store.published.current import SORTS, CurrentRow
from retinue.store.published.current import accounts as everything
from retinue.web.pages.book import COLUMNS, ORDERS, safe
from tests.web.company import LAST, PEOPLE, texts
from tests.web.house import House
from tests.web.leaks import leaked
from tests.web.pages import Page, accounts, next_page

Query = list[tuple[str, str]]
NAMES = [name for name in PEOPLE if name != "gone"]
TEAM = {"Ann Archer", "Bob Baker", "Nora Nix"}


# --- the oracle ----------------------------------------------------------------------------------


def picked(rows: Sequence[CurrentRow], name: str, query: Query) -> list[str]:
    """The ids that the person must be shown, in order, by the words of the documentation alone."""
    asked = dict(query)
    who = PEOPLE[name]
    scope = asked.get("scope") or ("mine" if who.role == "csm" else "all")
    found = [
        row
        for row in rows
        if who.sees == "everything" or row.owner in who.whose or row.territory in who.territories
    ]
    if scope == "mine":
        found = [row for row in found if row.owner in who.owners]
    if scope == "team":
        found = [row for row in found if row.owner in (TEAM if who.team else who.owners)]
    for column in (*desk.CHOICES, "status", "cap"):
        wanted = [None if value == "-" else value for key, value in query if key == column and value]
        if wanted:
            found = [row for row in found if getattr(row, column) in wanted]
    if text := asked.get("search", "").strip():
        found = [row for row in found if text.casefold() in f"{row.name or ''} {row.account_id}".casefold()]
    if asked.get("renews"):
        end = LAST + timedelta(days=int(asked["renews"]))
        found = [row for row in found if row.renews_on is not None and LAST <= row.renews_on <= end]
    if asked.get("fell"):
        found = [row for row in found if row.delta_28 is not None and row.delta_28 <= -int(asked["fell"])]
    sort = asked.get("sort") or "attention"
    down = sort in ("attention", "arr") or sort.startswith("move_")
    down = {"asc": False, "desc": True}.get(asked.get("order", ""), down)
    return [row.account_id for row in ordered(found, sort, down)]


def value(row: CurrentRow, sort: str) -> Any:
    if sort == "name":
        return f"{row.name or ''} {row.account_id}".strip().casefold()
    if sort.startswith("move_"):
        delta = getattr(row, f"delta_{sort[5:]}")
        return None if delta is None else abs(delta)
    return getattr(row, sort)


def ordered(rows: list[CurrentRow], sort: str, down: bool) -> list[CurrentRow]:
    by_id = sorted(rows, key=lambda row: row.account_id)
    known = [row for row in by_id if value(row, sort) is not None]
    # `reverse` keeps the order of what is equal, as the list does.
    known.sort(key=lambda row: value(row, sort), reverse=down)
    return known + [row for row in by_id if value(row, sort) is None]


@pytest.fixture(scope="module")
def rows(house: House) -> list[CurrentRow]:
    return everything(house.workspace.store, OPERATOR, limit=None)


@pytest.fixture(scope="module")
def small_pages(house: House) -> Any:
    """Pages of twelve accounts, so that there are several of them."""
    with pytest.MonkeyPatch.context() as patch:
        original = desk.Ask.__init__
        patch.setattr(desk.Ask, "__init__", lambda self, **told: original(self, **{"limit": 12, **told}))
        yield


def walked(house: House, name: str, query: Query) -> tuple[list[str], int]:
    """The accounts of all pages in their order, and how many pages there were."""
    browser, address, found, pages = house.browser(name), "/?" + urlencode(query), [], 0
    while True:
        answer = browser.get(address)
        assert answer.status_code == 200, (address, answer.text)
        assert not leaked(name, answer, urlencode(query))
        found += accounts(answer.text)
        pages += 1
        onward = next_page(answer.text)
        if onward is None:
            return found, pages
        assert onward.startswith("?")
        address = "/" + onward


# --- what is asked -------------------------------------------------------------------------------

VALUES: Mapping[str, st.SearchStrategy[str]] = {
    "scope": st.sampled_from(["", "mine", "team", "all"]),
    "search": st.sampled_from(
        ["", "zq", "ZQ1", "Company", "zq07-id", "4", "%", "_", "o", " zq1 ", "\\", "nobody"]
    ),
    "band": st.sampled_from(["at_risk", "watch", "healthy", "-", "none"]),
    "segment": st.sampled_from(["smb", "mid", "enterprise", "-", "x"]),
    "owner": st.sampled_from(["Ann Archer", "Bob Baker", "-", "ann archer", "'"]),
    "territory": st.sampled_from(["north", "south", "-", "NORTH"]),
    "tier": st.sampled_from(["gold", "-", "silver"]),
    "stage": st.sampled_from(["onboarding", "mature", "-"]),
    "status": st.sampled_from(["scored", "not_scored"]),
    "cap": st.sampled_from(["many tickets are open", "-"]),
    "renews": st.sampled_from(["", "0", "30", "90", "9999"]),
    "fell": st.sampled_from(["", "0", "3", "20", "9999"]),
    "sort": st.sampled_from(["", *ORDERS]),
    "order": st.sampled_from(["", "asc", "desc", "sideways"]),
}
PAIRS = st.sampled_from(sorted(VALUES)).flatmap(lambda key: st.tuples(st.just(key), VALUES[key]))
#: Each thing at most once, but for the filters, which may be given several times.
QUERIES = st.lists(
    PAIRS, max_size=6, unique_by=lambda pair: pair if pair[0] in (*desk.CHOICES, "status", "cap") else pair[0]
)


@given(name=st.sampled_from(NAMES), query=QUERIES)
def test_walking_all_pages_shows_what_was_asked_for_once_in_its_order(
    house: House, rows: list[CurrentRow], small_pages: None, name: str, query: Query
) -> None:
    expected = picked(rows, name, query)
    found, pages = walked(house, name, query)
    assert found == expected
    assert pages == max(1, -(-len(expected) // 12))


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("order", ["asc", "desc"])
def test_every_order_shows_every_account_once(
    house: House, rows: list[CurrentRow], small_pages: None, sort: str, order: str
) -> None:
    query = [("sort", sort), ("order", order)]
    assert walked(house, "leader", query)[0] == picked(rows, "leader", query)


@given(name=st.sampled_from(NAMES), query=QUERIES)
def test_the_export_has_the_same_accounts_in_the_same_order(
    house: House, rows: list[CurrentRow], name: str, query: Query
) -> None:
    answer = house.browser(name).get("/book.csv?" + urlencode(query))
    assert answer.status_code == 200
    assert not leaked(name, answer, urlencode(query))
    told = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["account_id"] for row in told] == picked(rows, name, query)
    known = {row.account_id: row for row in rows}
    for row in told:
        for column in COLUMNS:
            assert row[column] == str(safe(getattr(known[row["account_id"]], column)))


@given(name=st.sampled_from(NAMES), query=QUERIES)
def test_the_totals_are_those_of_the_accounts(
    house: House, rows: list[CurrentRow], name: str, query: Query
) -> None:
    text = house.browser(name).get("/?" + urlencode(query)).text
    ids = picked(rows, name, query)
    found = next(one for one in Page(text).all("p") if one.inside("div", class_="bar") and " ARR" in one.text)
    assert found.text.split()[0] == str(len(ids))


KEYS = st.sampled_from([*VALUES, "after", "limit", "q", "", "scorecard", "weakest_component", "held", "v"])
ODD = st.text(max_size=40) | st.sampled_from(
    [
        "\0",
        "\ud800",
        "-",
        "--",
        "1e9",
        "-1",
        "0x10",
        "\u0665",
        "9" * 50,
        "nan",
        "true",
        "[]",
        "' OR 1=1 --",
        "%00",
    ]
)


@given(name=st.sampled_from(NAMES), query=st.lists(st.tuples(KEYS, ODD), max_size=6))
def test_no_address_is_a_bug(house: House, name: str, query: Query) -> None:
    asked = urlencode([(key, text.encode("utf-8", "surrogatepass")) for key, text in query])
    for path in ("/?", "/book.csv?"):
        answer = house.browser(name).get(path + asked)
        assert answer.status_code in (200, 400, 404)
        assert not leaked(name, answer, asked)


@given(raw=st.binary(max_size=60))
def test_no_bytes_of_an_address_are_a_bug(house: House, raw: bytes) -> None:
    text = "".join(f"%{byte:02x}" if byte > 126 or byte < 33 or byte == 35 else chr(byte) for byte in raw)
    answer = house.browser("owner").get("/?" + text)
    assert answer.status_code in (200, 400, 404)


# --- places in a list ----------------------------------------------------------------------------


@pytest.mark.parametrize("sort", sorted(SORTS))
def test_a_place_in_the_list_tells_nothing_of_an_account_out_of_sight(house: House, sort: str) -> None:
    """Whoever could go on after an account that they do not see would learn where it stands."""
    browser = house.browser("owner")
    hidden = next(n for n in range(48) if not PEOPLE["owner"].may_see(texts(n)))
    there = browser.get("/", params={"after": f"zq{hidden:02}-id", "sort": sort, "scope": "all"})
    never = browser.get("/", params={"after": "zq99-id", "sort": sort, "scope": "all"})
    assert there.status_code == never.status_code == 404


def test_a_search_from_the_top_of_any_page_looks_through_all_that_one_sees(house: House) -> None:
    """Also for who starts with their own accounts."""
    page = Page(house.browser("teammate").get("/").text)
    form = {
        one.get("name"): one.get("value") for one in page.all("input") if one.inside("form", role="search")
    }
    found = house.browser("teammate").get("/", params={**form, "search": "zq00"})  # Ann's, of the same team
    assert accounts(found.text) == ["zq00-id"]


def test_who_finds_nothing_among_their_own_is_shown_the_way_to_all(house: House) -> None:
    text = house.browser("teammate").get("/", params={"scope": "mine", "search": "zq00"}).text
    onward = [one.get("href") for one in Page(text).all("a") if one.inside("div", class_="empty")]
    assert len(onward) == 1
    assert accounts(house.browser("teammate").get("/" + onward[0].removeprefix("/")).text) == ["zq00-id"]


def test_before_the_first_run_the_book_says_what_to_do(unscored: House) -> None:
    for name in ("owner", "admin"):
        for path in ("/", "/?scope=all", "/book.csv"):
            answer = unscored.browser(name).get(path)
            assert answer.status_code == 404
            assert "retinue run" in answer.text


def test_who_sees_no_account_is_told_so(house: House) -> None:
    for query in ("", "?scope=all", "?scope=team"):
        answer = house.browser("stranger").get("/" + query)
        assert answer.status_code == 200
        assert not accounts(answer.text)
        assert "No account" in answer.text
