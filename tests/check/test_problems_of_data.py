"""`check` tells what is wrong with the data: with numbers, an example, a place and a hint."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from retinue.run.check import check

NOW = datetime(2024, 6, 1, 12, tzinfo=UTC)
LAST = date(2024, 5, 31)

SETTINGS = """\
project: small
accounts:
  table: accounts.csv
  key: id
  columns: {name: name, segment: segment, arr: arr, seats: seats, parent: parent,
            started_on: started, ended_on: ended, renews_on: renews}
  history: {segment: fixed, arr: fixed, seats: fixed}
facts:
  usage:
    table: usage.csv
    account: id
    occurred_at: day
    known_at: loaded
    columns: {event: event, amount: amount}
stages:
  - {stage: young, when: tenure < 10}
  - {stage: mature}
"""
METRICS = """\
metrics:
  logins: {count: usage, window: 28d, where: {event: login}}
  spent: {sum: usage.amount, window: 28d}
  seats: {attribute: seats}
"""
CARD = """\
scorecard: all
components:
  use: {measures: {logins: {curve: [[0, 0], [3, 100]], max_age: 7d}}}
  money: {measures: {spent: {curve: [[0, 0], [5, 100]], max_age: 7d}, seats: {curve: [[0, 0], [5, 100]]}}}
"""
ACCOUNTS = "id,name,segment,arr,seats,parent,started,ended,renews\n" + "".join(
    f"a{n},Name {n},{'smb' if n % 2 else 'mid'},{n},{n},,2024-01-01,,2025-01-01\n" for n in range(30)
)


class Company:
    """A sound project; tests break one thing of it."""

    def __init__(self, root: Path):
        self.root = root
        self.files = {
            "retinue.yaml": SETTINGS,
            "metrics.yaml": METRICS,
            "scorecards.yaml": CARD,
            "accounts.csv": ACCOUNTS,
        }
        self.usage = [
            f"a{n % 30},{day},{day + timedelta(days=1)},{'login' if n % 2 else 'edit'},{n}"
            for n in range(300)
            for day in [LAST - timedelta(days=n % 90 + 1)]
        ]

    def replace(self, file: str, old: str, new: str) -> None:
        assert old in self.files[file]
        self.files[file] = self.files[file].replace(old, new)

    def told(self) -> list[str]:
        self.files.setdefault("usage.csv", "\n".join(["id,day,loaded,event,amount", *self.usage]) + "\n")
        for name, text in self.files.items():
            (self.root / name).write_text(text)
        return [
            f"{p.severity}: {p}" for p in check(self.root, {}, NOW) if "no account is in stage" not in str(p)
        ]

    def tells(self, text: str) -> str:
        found = [line for line in self.told() if text in line]
        assert len(found) == 1, self.told()
        return found[0]


@pytest.fixture
def company(tmp_path: Path) -> Company:
    return Company(tmp_path)


def test_a_sound_project_has_no_problems(company: Company):
    assert company.told() == []


def test_broken_tables_do_not_hide_each_other(company: Company):
    company.replace(
        "retinue.yaml",
        "stages:",
        "  gone: {table: gone.csv, account: id, occurred_at: day, known_at: day}\nstages:",
    )
    company.replace("accounts.csv", "id,name", "id,title")
    company.usage.append("nobody,2024-05-01,2024-05-02,login,1")
    told = company.told()
    assert any("error: retinue.yaml:15: source gone: there is no file gone.csv" in line for line in told), (
        told
    )
    assert any("error: retinue.yaml:2: accounts: there is no column 'name'" in line for line in told), told


def test_missing_columns_are_told_all_at_once_with_the_nearest(company: Company):
    company.replace("retinue.yaml", "known_at: loaded", "known_at: loadd")
    company.replace("retinue.yaml", "event: event", "event: evnt")
    told = [line for line in company.told() if line.startswith("error")]
    assert told == [
        'error: retinue.yaml:13: source usage (usage.csv) has no column "loadd" (did you mean loaded?)',
        'error: retinue.yaml:14: source usage (usage.csv) has no column "evnt" (did you mean event?)',
    ]


def test_a_metric_of_a_column_that_is_not_there(company: Company):
    company.replace("metrics.yaml", "usage.amount", "usage.amont")
    assert company.tells("amont").startswith("error: metrics.yaml:3: ")


def test_rows_that_would_be_left_out_by_reason(company: Company):
    company.usage += [f"x{n},2024-05-0{n},2024-05-09,login,1" for n in (1, 2, 3)]
    company.usage += ["a1,soon,2024-05-09,login,1", "a1,2024-05-09,2024-05-09,login,much"]
    told = company.tells("is not an account")
    assert '3 of 305 rows of usage (1.0 %) are left out: id is not an account, such as "x1" and "x3"' in told
    assert 'such as "soon"' in company.tells("is not a date")
    assert 'such as "much"' in company.tells("is not a number")


def test_a_source_without_a_usable_row_is_an_error(company: Company):
    company.usage = [row.replace("2024-", "in 2024 ") for row in company.usage]
    assert "none of the 300 rows of usage can be used" in company.tells("error: ")


def test_copies_are_told_where_nothing_tells_rows_apart(company: Company):
    company.usage += company.usage[:7]
    assert "7 of 307 rows of usage (2.3 %) repeat another row" in company.tells("repeat")


def test_days_in_the_future(company: Company):
    company.usage.append("a1,2031-01-01,2024-05-31,login,1")
    assert "1 of 301 rows of usage (0.3 %) have occurred_at in the future, the last on 2031-01-01" in (
        company.tells("future")
    )


def test_an_initial_load_and_a_column_updated_in_place(company: Company):
    rows = [row.split(",") for row in company.usage]
    company.usage = [",".join([a, day, "2024-05-30", *rest]) for a, day, _, *rest in rows]
    assert "add `trusted_from: 2024-05-31`" in company.tells("initial load")
    del company.files["usage.csv"]
    company.usage = [
        ",".join([a, day, str(date.fromisoformat(day) + timedelta(days=15 + n % 60)), *rest])
        for n, (a, day, _, *rest) in enumerate(rows)
    ]
    assert "may be updated in place" in company.tells("in place")


def test_a_feed_that_stopped(company: Company):
    company.usage = [row for row in company.usage if row.split(",")[1] < "2024-05-05"]
    told = company.tells("may have stopped")
    assert "its last row is of 2024-05-04, 27 days ago" in told and "max_age is 7d" in told


def test_data_of_a_closed_time_are_told_once(company: Company):
    company.usage = [row for row in company.usage if row.split(",")[1] < "2024-03-20"]
    assert "retinue run --to 2024-03-19" in company.tells("no source has a row after 2024-03-19")


def test_columns_that_are_empty_or_always_the_same(company: Company):
    rows = [row.rsplit(",", 2) for row in company.usage]
    company.usage = [f"{head},login," for head, _, _ in rows]
    told = company.told()
    assert any('column "amount" of usage is mostly empty: 300 of 300 rows (100 %)' in line for line in told)
    assert any('column "event" of usage is "login" in every row' in line for line in told)


def test_values_that_no_row_has(company: Company):
    company.replace("metrics.yaml", "event: login", "event: [login, edti]")
    assert company.tells('event = "edti"') == (
        'warning: metrics.yaml:2: no row of usage has event = "edti" (did you mean edit?)'
    )


def test_scorecards_for_nobody_and_accounts_without_one(company: Company):
    company.replace("scorecards.yaml", "scorecard: all\n", "scorecard: all\napplies_to: {segment: [smbs]}\n")
    assert "did you mean smb?" in company.tells('no account has segment = "smbs"')
    assert "is for none of the 30 accounts that are alive on 2024-05-31" in company.tells("is for none")
    assert 'no scorecard is for 30 of 30 accounts (100 %) on 2024-05-31, such as "a0" and "a9"' in (
        company.tells("no scorecard is for")
    )


def test_accounts_with_days_and_amounts_that_cannot_be(company: Company):
    company.files["accounts.csv"] += "b1,B,smb,-5,1,,2024-03-01,2024-02-01,2025-01-01\n"
    company.files["accounts.csv"] += "b2,B,smb,5,1,,2024-03-01,,2024-05-01\n"
    company.files["accounts.csv"] += "b3,B,smb,5,1,nobody,2024-03-01,,2025-05-01\n"
    company.files["accounts.csv"] += "b3,B,smb,5,1,,2024-03-01,,2025-05-01\n"
    told = company.told()
    for text in (
        '1 of 33 accounts (3.0 %) ended before they started, such as "b1"',
        '1 of 33 accounts (3.0 %) are alive and have a renewal before 2024-05-31, such as "b2"',
        '1 of 33 accounts (3.0 %) have a negative ARR, such as "b1"',
        "1 rows repeat the id of another",
    ):
        assert any(text in line for line in told), (text, told)


def test_an_attribute_that_is_no_number(company: Company):
    rows = ACCOUNTS.splitlines()
    told = [",".join([*row.split(",")[:4], "some", *row.split(",")[5:]]) for row in rows[1:]]
    company.files["accounts.csv"] = "\n".join([rows[0], *told]) + "\n"
    assert 'error: retinue.yaml:5: attribute "seats" is used as a number' in company.tells("seats")


def test_no_project_is_a_problem_and_no_exception(tmp_path: Path):
    (problem,) = check(tmp_path / "nowhere", {}, NOW)
    assert problem.severity == "error"
