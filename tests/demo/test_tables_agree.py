from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from tests.demo.conftest import Tables, dates, texts

DATED = {
    "contracts": "from_date",
    "outcomes": "occurred_on",
    "interventions": "started_on",
    "notices": "received_on",
    "pulses": "given_on",
    "owners": "from_date",
}


def _life(tables: Tables) -> tuple[dict[str, np.datetime64], dict[str, np.datetime64]]:
    accounts = tables.csv("accounts")
    ids = texts(accounts, "account_id")
    return (
        dict(zip(ids, dates(accounts, "contract_start"), strict=True)),
        dict(zip(ids, dates(accounts, "churned_on"), strict=True)),
    )


def test_every_account_that_churned_has_that_outcome_and_no_other_has(midsize: Tables) -> None:
    outcomes = midsize.csv("outcomes")
    churned = outcomes.filter(pc.equal(outcomes["outcome"], "churned"))
    told = dict(zip(texts(churned, "account_id"), dates(churned, "occurred_on"), strict=True))
    assert told == {account: day for account, day in _life(midsize)[1].items() if not np.isnat(day)}
    assert len(told) == churned.num_rows > 100


def test_events_lie_between_the_start_of_the_contract_and_its_end(tiny: Tables) -> None:
    start, end = _life(tiny)
    local = pc.cast(
        pc.local_timestamp(tiny.events["occurred_at"].cast(pa.timestamp("ms", "Europe/Berlin"))), "date32"
    )
    days = local.to_numpy()
    accounts = texts(tiny.events, "account_id")
    assert all(start[a] <= d for a, d in zip(accounts, days, strict=True))
    assert not any(d >= end[a] for a, d in zip(accounts, days, strict=True) if not np.isnat(end[a]))
    assert days.min() >= np.datetime64(tiny.told.first_day)
    assert days.max() <= np.datetime64(tiny.told.last_day)


def test_no_event_was_loaded_before_it_happened_or_after_the_last_day(tiny: Tables) -> None:
    occurred, loaded = (tiny.events[name].to_numpy() for name in ("occurred_at", "loaded_at"))
    assert (loaded > occurred).all()
    # The last day ends at 22:00 UTC in summer.
    assert loaded.max() < np.datetime64(tiny.told.last_day) + np.timedelta64(22, "h")


def test_the_file_of_an_event_is_its_month(tiny: Tables) -> None:
    for path in sorted((tiny.directory / "data" / "events").iterdir()):
        months = np.unique(pq.read_table(path)["occurred_at"].to_numpy().astype("datetime64[M]"))
        assert [str(month) for month in months] == [path.stem]


@pytest.mark.parametrize(("name", "clock"), DATED.items())
def test_rows_belong_to_known_accounts_within_their_lives(midsize: Tables, name: str, clock: str) -> None:
    start, end = _life(midsize)
    table = midsize.csv(name)
    accounts, days = texts(table, "account_id"), dates(table, clock)
    assert set(accounts) <= set(start)
    assert all(start[a] <= d for a, d in zip(accounts, days, strict=True))
    assert all(d <= end[a] for a, d in zip(accounts, days, strict=True) if not np.isnat(end[a]))
    assert days.max() <= np.datetime64(midsize.told.last_day)


@pytest.mark.parametrize(
    ("history", "column", "account_column"),
    [
        ("contracts", "arr", "arr"),
        ("contracts", "renewal_date", "renewal_date"),
        ("owners", "csm_email", "csm_email"),
    ],
)
def test_the_latest_of_a_history_is_what_the_account_says(
    midsize: Tables, history: str, column: str, account_column: str
) -> None:
    table = midsize.csv(history)
    latest = dict(zip(texts(table, "account_id"), texts(table, column), strict=True))
    accounts = midsize.csv("accounts")
    said = dict(zip(texts(accounts, "account_id"), texts(accounts, account_column), strict=True))
    assert {account: said[account] for account in latest} == latest


def test_group_accounts_have_subsidiaries_and_no_contract_of_their_own(midsize: Tables) -> None:
    accounts = midsize.csv("accounts")
    ids, parents = texts(accounts, "account_id"), texts(accounts, "parent_id")
    segment = dict(zip(ids, texts(accounts, "segment"), strict=True))
    above = {parent for parent in parents if parent is not None}
    groups = {account for account in ids if segment[account] == "group"}
    assert {segment[parent] for parent in above} == {"group"}
    assert len(above) >= 0.9 * len(groups)
    assert 0.06 < (sum(parent is not None for parent in parents) + len(groups)) / len(ids) < 0.11
    assert not groups & set(texts(midsize.csv("contracts"), "account_id"))
    assert not groups & set(texts(midsize.events, "account_id"))


def test_an_account_has_at_most_one_champion_at_a_time(midsize: Tables) -> None:
    contacts = midsize.csv("contacts")
    champions = contacts.filter(pc.equal(contacts["role"], "champion"))
    accounts, since, left = (
        texts(champions, "account_id"),
        dates(champions, "since"),
        dates(champions, "left_on"),
    )
    order = np.lexsort((since, accounts))
    again = accounts[order][1:] == accounts[order][:-1]
    assert again.sum() > 50
    assert (left[order][:-1][again] <= since[order][1:][again]).all()


def test_arr_follows_the_outcomes(midsize: Tables) -> None:
    outcomes = midsize.csv("outcomes")
    kinds = texts(outcomes, "outcome")
    change = np.array([float(value) for value in texts(outcomes, "amount")])
    assert (change[kinds == "expanded"] > 0).all()
    assert (change[kinds == "contracted"] < 0).all()
    assert (change[np.isin(kinds, ["renewed", "referred"])] == 0).all()
    assert {"renewed", "expanded", "contracted", "churned", "referred"} == set(kinds)
