"""How well the published scores of this project tell who buys nothing in the next 91 days.

    python examples/online-retail/measure.py

On one Sunday of each month whose next 91 days are in the data: the area under the curve (AUC: the
chance that a customer who stays away had the lower score), of the computed score and of recency.
"""

from __future__ import annotations

import os
from pathlib import Path

import duckdb

import retinue

HERE = Path(__file__).resolve().parent
DAYS = ["2011-03-06", "2011-06-05", "2011-09-04"]
AUC = """
with ranked as (
  select away, rank() over (order by x desc) + (count(*) over (partition by x) - 1) / 2.0 as place
  from rows), n as (select sum(away) as away, count(*) as rows from rows)
select (sum(place) filter (ranked.away = 1) - any_value(n.away) * (any_value(n.away) + 1) / 2.0)
  / (any_value(n.away) * (any_value(n.rows) - any_value(n.away))) from ranked, n
"""


def main() -> None:
    data = Path(os.environ.get("RETAIL_DATA") or HERE / "../../../shared/data/online-retail")
    project = retinue.open(HERE)
    con = duckdb.connect()
    con.execute(f"create view lines as from '{data}/online_retail.parquet'")
    print("date        customers  away for 91 days  AUC of the score  of recency")
    for day in DAYS:
        con.register("snapshots", project.table("snapshots", first=day, last=day).to_arrow())
        con.register("metrics", project.table("metrics", first=day, last=day).to_arrow())
        con.execute(
            "create or replace table all_rows as"
            " with buyers as (select distinct CustomerID::varchar as account_id from lines"
            " where Quantity > 0 and InvoiceDate::date between ?::date + 1 and ?::date + 91)"
            " select computed, m.value as recency, (b.account_id is null)::int as away from snapshots s"
            " join metrics m using (account_id, as_of) left join buyers b using (account_id)"
            " where m.metric = 'days_since_purchase'",
            [day, day],
        )
        count, share = con.execute("select count(*), avg(away) from all_rows").fetchone() or (0, 0.0)
        found = []
        for x in ("computed", "-recency"):
            con.execute(f"create or replace table rows as select away, {x} as x from all_rows")
            found.append((con.execute(AUC).fetchone() or (0.0,))[0])
        print(f"{day}  {count:9,}  {share:16.1%}  {found[0]:16.3f}  {found[1]:10.3f}")


if __name__ == "__main__":
    main()
