"""The metrics of one date at a time, in SQL: what one writes who has DuckDB and no other plan.

It is also what every value of Retinue is compared with.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

#: Only the last 112 days are read in whole; what counts everything so far reads three columns of all.
METRICS = """
WITH alive AS (
    SELECT account, started_on FROM read_parquet($accounts)
    WHERE started_on <= $day AND (ended_on IS NULL OR ended_on >= $day)
), recent AS (
    SELECT account, user, CAST(ts AS DATE) AS day, event, device, amount FROM read_parquet($files)
    WHERE ts >= $day - 111 AND ts < $day + 1 AND known_at < $day + 1
), windows AS (
    SELECT
        account,
        count(DISTINCT user) FILTER (day > $day - 7) AS users_7d,
        count(DISTINCT user) FILTER (day > $day - 28) AS users_28d,
        count(DISTINCT user) FILTER (day > $day - 90) AS users_90d,
        count(*) FILTER (day > $day - 28) AS events_28d,
        count(*) FILTER (day > $day - 28 AND event IN ('edit', 'comment')) AS edits_28d,
        sum(amount) FILTER (day > $day - 28) AS amount_28d,
        sum(amount) FILTER (day > $day - 90 AND device IN ('ios', 'android')) AS mobile_amount_90d,
        count(amount) FILTER (day > $day - 28) AS amounts_28d,
        count(DISTINCT day) FILTER (day > $day - 28) AS active_days_28d,
        count(*) FILTER (day <= $day - 28) AS events_before
    FROM recent GROUP BY account
), whole AS (
    SELECT account, count(*) FILTER (event = 'export') AS exports_so_far, max(CAST(ts AS DATE)) AS last_day
    FROM read_parquet($files) WHERE ts < $day + 1 AND known_at < $day + 1 GROUP BY account
)
SELECT
    account,
    $day AS as_of,
    CAST(coalesce(users_7d, 0) AS DOUBLE) AS users_7d,
    CAST(coalesce(users_28d, 0) AS DOUBLE) AS users_28d,
    CAST(coalesce(users_90d, 0) AS DOUBLE) AS users_90d,
    CAST(coalesce(events_28d, 0) AS DOUBLE) AS events_28d,
    CAST(coalesce(edits_28d, 0) AS DOUBLE) AS edits_28d,
    CAST(coalesce(exports_so_far, 0) AS DOUBLE) AS exports_so_far,
    CAST(coalesce(amount_28d, 0) AS DOUBLE) AS amount_28d,
    CAST(coalesce(mobile_amount_90d, 0) AS DOUBLE) AS mobile_amount_90d,
    CAST(amount_28d AS DOUBLE) / nullif(amounts_28d, 0) AS mean_amount_28d,
    CAST(coalesce(active_days_28d, 0) AS DOUBLE) AS active_days_28d,
    CAST($day - coalesce(last_day, started_on) AS DOUBLE) AS days_since_event,
    CASE WHEN $day - started_on >= 112
         THEN (coalesce(events_28d, 0) / 28.0) / (nullif(events_before, 0) / 84.0) - 1
    END AS events_change
FROM alive LEFT JOIN windows USING (account) LEFT JOIN whole USING (account)
"""


def work(spec: dict[str, Any]) -> Callable[[], dict[str, Any]]:
    con = duckdb.connect(config={"memory_limit": spec["memory_limit"], "temp_directory": spec["spill"]})
    con.execute("SET enable_progress_bar = false")
    for number, day in enumerate(spec["dates"]):
        into = "CREATE TABLE found AS" if not number else "INSERT INTO found"
        con.execute(
            f"{into} {METRICS}",
            {
                "files": f"{spec['data']}/events/*.parquet",
                "accounts": f"{spec['data']}/accounts.parquet",
                "day": date.fromisoformat(day),
            },
        )

    def told() -> dict[str, Any]:
        if spec.get("values"):
            con.table("found").write_parquet(str(Path(spec["values"])))
        rows = con.table("found").count("*").fetchall()[0][0]
        con.close()
        return {"rows": rows, "dates": len(spec["dates"])}

    return told
