"""The log of a company that does not exist: seeded, written by DuckDB alone, in order of loading.

The same size and seed give the same rows in the same order. Every random number is a hash of
the row's number, so a month can be written without the months before it.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from pathlib import Path

import duckdb

#: Rows are drawn for this many places; an account has as many of them as its size asks for.
_PLACES = 2**19
#: The share of drawn rows that no account takes: quiet months, and customers about to leave.
_TAKEN = 0.6
_LATEST = 10


@dataclass(frozen=True)
class Size:
    """How much to write. `events` is met to about one percent."""

    events: int = 35_000_000
    accounts: int = 11_000
    days: int = 730
    seed: int = 1
    start: date = date(2023, 1, 2)

    @property
    def last(self) -> date:
        return self.start + timedelta(days=self.days - 1)

    def name(self) -> str:
        return f"events{self.events}-accounts{self.accounts}-days{self.days}-seed{self.seed}"


def generate(folder: Path, size: Size, nights: int = 1) -> Path:
    """Write accounts.parquet, events/MONTH.parquet, and nights/DAY.parquet for the days after.

    Files are by month of loading, as a loader appends them: what was written never changes.
    Kept as it is where the same size was written already.
    """
    told = {**asdict(size), "start": size.start.isoformat(), "nights": nights, "version": 1}
    mark = folder / "generated.json"
    if mark.exists() and json.loads(mark.read_text()) == told:
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    for name in ("events", "nights"):
        (folder / name).mkdir(parents=True)
    con = duckdb.connect()
    try:
        con.execute("SET enable_progress_bar = false")
        _schedule(con, size, nights)
        con.execute(
            "COPY (FROM accounts_told ORDER BY account) TO $file", {"file": str(folder / "accounts.parquet")}
        )
        first = size.start
        while first <= size.last:
            end = min(_next_month(first), size.last + timedelta(days=1))
            _write(con, size, first, end, folder / "events" / f"{first:%Y-%m}.parquet")
            first = end
        for night in range(nights):
            day = first + timedelta(days=night)
            _write(con, size, day, day + timedelta(days=1), folder / "nights" / f"{day}.parquet")
    finally:
        con.close()
    mark.write_text(json.dumps(told))
    return folder


def slice_of(size: Size, part: float) -> Size:
    """A company a `part` of the size, over the same days."""
    return replace(size, events=int(size.events * part), accounts=max(int(size.accounts * part), 1))


def _next_month(day: date) -> date:
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)


def _schedule(con: duckdb.DuckDBPyConnection, size: Size, nights: int) -> None:
    """Who is a customer when, how large they are, and how many rows are drawn on each day."""
    # Whole numbers of 63 bits: those of 64 would be computed with in 128.
    con.execute("CREATE MACRO drawn(h, salt) AS CAST(hash(h, salt) >> 1 AS BIGINT)")
    con.execute("CREATE MACRO part(h, salt) AS (drawn(h, salt) % 1000003) / CAST(1000003 AS DOUBLE)")
    con.execute("CREATE MACRO noon_is_busy(x) AS x + CAST(0.85 AS DOUBLE) * sin(2 * pi() * x) / (2 * pi())")
    con.execute(
        """
        CREATE TABLE accounts AS
        WITH drawn AS (
            SELECT n, part(n, $seed) AS one, part(n, $seed + 1) AS two, part(n, $seed + 2) AS three
            FROM range($accounts) AS numbers (n)
        ), sized AS (
            SELECT
                n,
                exp(1.3 * sqrt(-2 * ln(one + 1e-9)) * cos(2 * pi() * two)) AS weight,
                CASE WHEN three < 0.6 THEN -CAST(900 * two AS INTEGER)
                     ELSE CAST($days * (three - 0.6) / 0.42 AS INTEGER) END AS begun,
                5 + CAST(35 * one * one AS INTEGER) AS users,
                CAST(12 * three AS INTEGER) AS turnover
            FROM drawn
        )
        SELECT
            *,
            'A' || lpad(CAST((n * 1000003 + 17) % $accounts AS VARCHAR), 6, '0') AS account,
            CASE WHEN part(n, $seed + 3) < 0.28
                 THEN greatest(begun, 0) + 60 + CAST($days * part(n, $seed + 4) AS INTEGER) END AS ended
        FROM sized
        """,
        {"seed": size.seed * 1000, "accounts": size.accounts, "days": size.days},
    )
    con.execute(
        """
        CREATE TABLE accounts_told AS
        SELECT
            account,
            $start + begun AS started_on,
            CASE WHEN ended < $days THEN $start + ended END AS ended_on,
            ['enterprise', 'mid', 'smb', 'startup'][1 + CAST(drawn(n, $seed) % 4 AS INTEGER)] AS segment,
            CAST(round(1200 + 900 * weight * (0.5 + part(n, $seed + 5)), 2) AS DECIMAL(12, 2)) AS arr
        FROM accounts
        """,
        {"seed": size.seed * 1000, "start": size.start, "days": size.days + nights},
    )
    con.execute(
        """
        CREATE TABLE places AS
        WITH upto AS (
            SELECT n, sum(weight) OVER (ORDER BY n) / sum(weight) OVER () AS upto FROM accounts
        ), edges AS (
            SELECT n, CAST(floor(coalesce(lag(upto) OVER (ORDER BY n), 0) * $places) AS BIGINT) AS low,
                   CAST(floor(upto * $places) AS BIGINT) AS high
            FROM upto
        )
        SELECT unnest(range(low, high)) AS place, n FROM edges
        """,
        {"places": _PLACES},
    )
    con.execute(
        """
        CREATE TABLE drawn_days AS
        WITH shares AS (
            SELECT n, count(*) / $places AS share FROM places GROUP BY n
        ), days AS (
            SELECT
                d,
                [0.2, 1.05, 1.15, 1.1, 1.05, 0.95, 0.25][1 + dayofweek($start + CAST(d AS INTEGER))]
                * (1 + 0.3 * d / $days) * (0.96 + 0.08 * part(d, $seed)) AS weight
            FROM range($days + $nights) AS numbers (d)
        ), changes AS (
            SELECT greatest(begun, 0) AS d, share FROM accounts JOIN shares USING (n)
            UNION ALL
            SELECT ended + 1, -share FROM accounts JOIN shares USING (n) WHERE ended IS NOT NULL
        ), summed AS (
            SELECT d, sum(share) AS moved FROM changes GROUP BY d
        ), alive AS (
            SELECT d, weight, sum(coalesce(moved, 0)) OVER (ORDER BY d) AS share
            FROM days LEFT JOIN summed USING (d)
        )
        SELECT
            CAST(d AS INTEGER) AS d,
            CAST(round($events / $taken * weight / in_all) AS BIGINT) AS n_day
        FROM alive, (SELECT sum(weight * share) FILTER (d < $days) AS in_all FROM alive)
        """,
        {
            "places": _PLACES,
            "taken": _TAKEN,
            "start": size.start,
            "days": size.days,
            "nights": nights,
            "seed": size.seed * 1000,
            "events": size.events,
        },
    )


def _write(con: duckdb.DuckDBPyConnection, size: Size, first: date, end: date, file: Path) -> None:
    """The rows that were loaded from `first` on and before `end`, in the order of their loading."""
    con.execute(
        """
        COPY (
            WITH numbered AS (
                SELECT CAST(d AS BIGINT) AS d, n_day, unnest(range(n_day)) AS j FROM drawn_days
                WHERE d BETWEEN $first - $latest - 1 AND $end
            ), timed AS (
                SELECT d, j, (j + CAST(0.5 AS DOUBLE)) / n_day AS part_of_day FROM numbered
            ), drawn AS (
                SELECT
                    d, j,
                    drawn(d * 1099511627776 + j, $seed) AS h1,
                    drawn(d * 1099511627776 + j, $seed + 1) AS h2,
                    make_timestamp(1000000 * (
                        86400 * (d + ($start - DATE '1970-01-01'))
                        + CAST(floor(86399.9 * noon_is_busy(part_of_day)) AS BIGINT)
                    )) AS ts
                FROM timed
            ), loaded AS (
                SELECT
                    d, j, h1, h2, ts,
                    date_trunc('hour', ts) + INTERVAL '59 minutes 30 seconds'
                    + to_days(CAST(
                        CASE WHEN h1 % 100 < 8 THEN 1 + (h1 // 100) % $latest ELSE 0 END AS INTEGER
                    )) AS known_at
                FROM drawn
            ), kept AS (
                SELECT *, (h1 // 1000000) % CAST($places AS BIGINT) AS place FROM loaded
                WHERE known_at >= $start + CAST($first AS INTEGER)
                    AND known_at < $start + CAST($end AS INTEGER)
            )
            SELECT
                account,
                account || '-u' || CAST(
                    floor(users * pow(h2 % 65536 / 65536, 2)) + d * turnover // 365 AS INTEGER
                ) AS user,
                ts,
                ['view', 'view', 'view', 'view', 'view', 'view', 'edit', 'edit', 'edit', 'comment',
                 'comment', 'share', 'share', 'export', 'export', 'admin']
                    [1 + CAST((h2 // 65536) % 16 AS INTEGER)] AS event,
                CASE WHEN (h2 // 1048576) % 10 > 0
                     THEN CAST(CAST((h2 // 16777216) % 20000 AS DECIMAL(12, 2)) * 0.01 AS DECIMAL(12, 2))
                     END AS amount,
                ['web', 'web', 'web', 'desktop', 'desktop', 'ios', 'android', 'api']
                    [1 + CAST((h2 // 1099511627776) % 8 AS INTEGER)] AS device,
                known_at
            FROM kept JOIN places USING (place) JOIN accounts USING (n)
            WHERE d >= begun AND (ended IS NULL OR d <= ended)
                AND (h1 // 1099511627776) % 1000 < 1000 * $taken * least(
                    0.3 + CAST(1.4 AS DOUBLE) * part(n, d // 30 + 7),
                    CASE WHEN ended - d < 60 THEN 0.4 ELSE 1.7 END
                )
            ORDER BY known_at, d, j
        ) TO $file (FORMAT parquet)
        """,
        {
            "first": (first - size.start).days,
            "end": (end - size.start).days,
            "start": size.start,
            "latest": _LATEST,
            "places": _PLACES,
            "taken": _TAKEN,
            "seed": size.seed * 1000 + 10,
            "file": str(file),
        },
    )
