"""How well the published scores of this project tell who withdraws within 28 days.

    python examples/oulad/measure.py

For each year of presentations: the area under the curve (AUC: the chance that an enrolment that
withdraws within 28 days had the lower score), of the computed score and of single metrics. It
counts Sundays on which the enrolment was still active and on which the 28 days end before the course.
"""

from __future__ import annotations

import os
from pathlib import Path

import duckdb

import retinue

HERE = Path(__file__).resolve().parent
SIGNALS = ["clicks_28d", "active_days_28d", "activity_types_28d", "-days_since_click", "mean_score_to_date"]

ROWS = """
create table rows as
select a.presentation as year, s.account_id, s.as_of, s.computed, s.band,
  (a.unregistered_on is not null and a.unregistered_on <= s.as_of + 28)::int as left_28d
from snapshots s join read_csv(?) a using (account_id)
where (a.unregistered_on is null or s.as_of < a.unregistered_on) and s.as_of + 28 <= a.ends_on
  and not (a.final_result = 'Withdrawn' and a.unregistered_on is null)
"""
# Ranks from the highest value down, ties in the middle; Mann and Whitney's U over all pairs.
AUC = """
with ranked as (
  select year, left_28d, rank() over (partition by year order by x desc)
    + (count(*) over (partition by year, x) - 1) / 2.0 as place from ({}) where x is not null)
select year, (sum(place) filter (left_28d = 1) - n * (n + 1) / 2.0) / (n * (count(*) - n)) as auc
from (select *, sum(left_28d) over (partition by year) as n from ranked) group by year, n order by year
"""


def main() -> None:
    data = Path(os.environ.get("OULAD_DATA") or HERE / "../../../shared/data/oulad-2013")
    project = retinue.open(HERE)
    con = duckdb.connect()
    con.register("snapshots", project.table("snapshots").to_arrow())
    con.register("metrics", project.table("metrics").to_arrow())
    con.execute(ROWS, [str(data / "accounts.csv")])
    print("year   snapshots  withdrawn within 28 days")
    for year, count, left in con.sql(
        "select year, count(*), sum(left_28d) from rows group by 1 order by 1"
    ).fetchall():
        print(f"{year}  {count:9,}  {left:6,} ({left / count:.1%})")
    print("\nAUC                   2013B  2013J")
    _print("computed score", con.sql(AUC.format("select year, left_28d, computed as x from rows")).fetchall())
    for signal in SIGNALS:
        name, sign = signal.lstrip("-"), -1 if signal.startswith("-") else 1
        con.execute(
            "create or replace table one as select year, left_28d, ? * value as x from rows"
            " join metrics using (account_id, as_of) where metric = ?",
            [sign, name],
        )
        _print(name, con.sql(AUC.format("select * from one")).fetchall())
    print("\nband on 2013J      share  withdrawn within 28 days")
    for band, share, left in con.sql(
        "select band, count(*) / sum(count(*)) over (), avg(left_28d) from rows where year = '2013J'"
        " group by 1 order by 3 desc"
    ).fetchall():
        print(f"{band:16} {share:7.1%}  {left:.1%}")


def _print(name: str, found: list[tuple[str, float]]) -> None:
    print(f"{name:20}  " + "  ".join(f"{auc:.3f}" for _, auc in found))


if __name__ == "__main__":
    main()
