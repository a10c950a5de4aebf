"""A company whose churn was drawn by chance: an honest trial finds nothing."""

from __future__ import annotations

import os
import shutil
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import pytest

from retinue.run.validate import Validated, validate
from retinue.workspace import open_workspace

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "ravenstack"
DATA = Path(os.environ.get("RAVENSTACK_DATA") or ROOT.parent / "shared" / "data" / "ravenstack")

pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(
        not (DATA / "ravenstack_accounts.csv").exists(),
        reason="RavenStack is not beside the checkout; set RAVENSTACK_DATA",
    ),
]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Validated:
    root = tmp_path_factory.mktemp("ravenstack") / "project"
    shutil.copytree(EXAMPLE, root, ignore=shutil.ignore_patterns(".retinue"))
    return validate(
        open_workspace(root, {"RAVENSTACK_DATA": str(DATA)}),
        now=datetime(2026, 1, 1, tzinfo=UTC),
        first=date(2023, 4, 2),
        last=date(2024, 12, 29),
    )


def test_churn_that_was_drawn_by_chance_is_called_no_evidence(found: Validated) -> None:
    assert found.report.verdict == "no_evidence"
    assert found.report.auc.low < 0.5 and found.report.events > 300


def test_the_bars_are_missed(found: Validated) -> None:
    missed = {bar.name for bar in found.report.bars if bar.passed is False}
    assert {"lift of red", "warned 60 to 90 days before"} <= missed


def test_events_and_snapshots_are_those_of_plain_sql(found: Validated) -> None:
    """Accounts that have signed up, on the dates that were counted, and churns in the 90 days after."""
    dates = found.report.dates
    with duckdb.connect() as con:
        con.execute(f"create table a as from read_csv('{DATA / 'ravenstack_accounts.csv'}')")
        con.execute(f"create table c as from read_csv('{DATA / 'ravenstack_churn_events.csv'}')")
        rows = con.execute(
            "select a.account_id, d.day, exists (select 1 from c where c.account_id = a.account_id"
            " and c.churn_date > d.day and c.churn_date <= d.day + 90)"
            " from a join (select unnest(?::date[]) as day) d on a.signup_date <= d.day",
            [list(dates)],
        ).fetchall()
    assert found.report.missing.not_scored == 0
    assert len(rows) == found.report.observations
    assert sum(event for *_key, event in rows) == found.report.events
