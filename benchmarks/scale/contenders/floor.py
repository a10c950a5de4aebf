"""What any exact method must do: group the log by account and day, and by account, user and day."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import duckdb

_SUMS = """
CREATE TABLE sums AS
SELECT
    account,
    CAST(ts AS DATE) AS day,
    count(*) AS events,
    count(*) FILTER (event IN ('edit', 'comment')) AS edits,
    count(*) FILTER (event = 'export') AS exports,
    sum(amount) AS amount,
    count(amount) AS amounts,
    sum(amount) FILTER (device IN ('ios', 'android')) AS mobile
FROM read_parquet($files)
GROUP BY account, day
"""
_USERS = """
CREATE TABLE users AS
SELECT account, user, CAST(ts AS DATE) AS day FROM read_parquet($files) GROUP BY account, user, day
"""


def work(spec: dict[str, Any]) -> Callable[[], dict[str, Any]]:
    con = duckdb.connect(config={"memory_limit": spec["memory_limit"], "temp_directory": spec["spill"]})
    con.execute("SET enable_progress_bar = false")
    for statement in (_SUMS, _USERS):
        con.execute(statement, {"files": f"{spec['data']}/events/*.parquet"})

    def told() -> dict[str, Any]:
        rows = {name: con.table(name).count("*").fetchall()[0][0] for name in ("sums", "users")}
        con.close()
        return {"rows": rows}

    return told
