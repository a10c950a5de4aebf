"""SQL metrics in a whole computation: from files, beside other metrics, with a feed that dies."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from retinue.period import grid
from retinue.project.load import load
from retinue.warehouse import compute, engine
from retinue.warehouse.metrics.kinds import OK, STALE
from tests.sandbox.company import EVENTS, Company

SETTINGS = """
project: test
accounts: {table: accounts.csv, key: account_id, columns: {started_on: started_on}}
facts:
  events: {table: events.csv, account: account_id, occurred_at: "on", value: amount}
"""
METRICS = """
metrics:
  custom: {sql: sql/custom.sql}
  plain: {count: events, window: 28d}
  share: {ratio: [custom, plain]}
"""
SCORECARD = """
scorecard: test
components:
  use:
    weight: 1
    measures:
      custom: {weight: 1, max_age: 7d, curve: [[0, 0], [4, 100]]}
      share: {weight: 1, max_age: 7d, curve: [[0, 0], [1, 100]]}
"""
SQL = "select account_id, as_of, count(*) as value from events where day > as_of - 28 group by 1, 2"


def test_a_dead_feed_keeps_the_value_of_its_last_day(company: Company, tmp_path: Path) -> None:
    company.project(SQL)
    for name, text in (
        ("retinue.yaml", SETTINGS),
        ("metrics.yaml", METRICS),
        ("scorecards/test.yaml", SCORECARD),
        ("sql/custom.sql", SQL),
        ("events.csv", "\n".join(EVENTS.splitlines()[:6]) + "\nc,2024-02-11,2024-02-11,edit,1,,,\n"),
    ):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    project = load(tmp_path, {})
    dates = tuple(grid(date(2024, 2, 1), date(2024, 3, 31), "week"))
    with engine.connect(project, threads=1) as used:
        found = compute.compute(used, project, compute.Asked(dates))
        told = used.arrow(found.values.table.order_by("ix", "as_of")).to_pylist()
    assert found.values.feeds["custom"] == ("events",)
    assert found.values.feeds["share"] == ("events",)
    v, s = (f"{kind}{found.values.number['custom']}" for kind in "vs")
    watermark = {row["ix"]: row for row in told if row["as_of"] == date(2024, 2, 11)}
    last = {row["ix"]: row for row in told if row["as_of"] == date(2024, 3, 31)}
    assert [watermark[ix][v] for ix in range(3)] == [None, 1, 1]
    assert [watermark[ix][s] for ix in (1, 2)] == [OK, OK]
    assert [last[ix][v] for ix in (1, 2)] == [1, 1]
    assert [last[ix][s] for ix in (1, 2)] == [STALE, STALE]
