from __future__ import annotations

import re
from collections import Counter

import numpy as np
import pyarrow.compute as pc
import pytest

from retinue.demo import TRUTH
from retinue.demo.mess import NOBODY
from tests.demo.conftest import Tables, texts

CLOCKS = {"tickets": "created_at", "invoices": "due_on", "surveys": "responded_at", "touches": "held_at"}
_DATE = re.compile(r"20\d\d-(0\d|1[0-2])-([0-2]\d|3[01])( \d\d:\d\d:\d\d)?")


def test_some_events_come_twice_a_day_later(tiny: Tables) -> None:
    ids = tiny.events["event_id"].to_numpy()
    again = Counter(ids.tolist())
    assert max(again.values()) == 2
    copies = tiny.events.num_rows - len(again)
    assert copies == tiny.story["planted"]["events: duplicates"]
    assert abs(copies / len(again) - TRUTH.duplicate_share) < 0.0015


def test_some_events_come_days_late(midsize: Tables) -> None:
    slow = midsize.story["feeds"]["events loaded late"]
    occurred, loaded = (midsize.events[name].to_numpy() for name in ("occurred_at", "loaded_at"))
    ordinary = (occurred < np.datetime64(slow["from"])) | (occurred >= np.datetime64(slow["until"]))
    late = (loaded - occurred > np.timedelta64(20, "h")) & ordinary
    assert abs(late[ordinary].mean() - TRUTH.late_share - TRUTH.duplicate_share) < 0.003


def test_some_events_have_no_user(midsize: Tables) -> None:
    share = midsize.events["user_id"].null_count / midsize.events.num_rows
    assert abs(share - TRUTH.missing_user_share) < 0.001


@pytest.mark.parametrize(("name", "clock"), CLOCKS.items())
def test_malformed_rows_are_counted_and_all_others_are_well_formed(
    midsize: Tables, name: str, clock: str
) -> None:
    table = midsize.csv(name)
    dates = texts(table, clock)
    broken = np.array([not _DATE.fullmatch(value) for value in dates])
    nobody = texts(table, "account_id") == NOBODY
    planted = midsize.story["planted"]
    assert broken.sum() == planted[f"{name}: broken_dates"] > 0
    assert nobody.sum() == planted[f"{name}: unknown_accounts"] > 0
    assert not (broken & nobody).any()
    assert abs((broken | nobody).mean() - TRUTH.malformed_share) < 0.002
    known = set(texts(midsize.csv("accounts"), "account_id"))
    assert set(texts(table, "account_id")) - known == {NOBODY}


@pytest.mark.parametrize("name", ["accounts", "tickets", "invoices", "surveys", "touches"])
def test_ids_of_rows_are_unique(midsize: Tables, name: str) -> None:
    table = midsize.csv(name)
    assert pc.count_distinct(table[table.column_names[0]]).as_py() == table.num_rows


def test_some_values_are_missing(midsize: Tables) -> None:
    accounts = midsize.csv("accounts")
    assert 0 < accounts["industry"].null_count < 0.1 * accounts.num_rows
    assert midsize.csv("surveys")["score"].null_count > 0
    assert midsize.csv("tickets")["priority"].null_count > 0


def test_amounts_come_in_three_currencies_that_all_have_rates(midsize: Tables) -> None:
    used = set(texts(midsize.csv("invoices"), "currency"))
    rated = set(texts(midsize.csv("rates"), "currency"))
    assert used == {"EUR", "GBP", "USD"}
    assert used - {"EUR"} == rated
    assert min(texts(midsize.csv("rates"), "valid_from")) <= midsize.told.first_day.isoformat()
