"""Files of a small company in which early meetings go with staying, and nothing else does."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from pathlib import Path

import numpy as np

NOW = "2026-01-01T09:00:00+00:00"
FIRST = date(2024, 1, 1)
LAST = date(2025, 12, 31)

SETTINGS = """\
project: small
timezone: UTC
accounts:
  table: data/accounts.csv
  key: account_id
  columns: {segment: segment, started_on: started, ended_on: ended}
  history: {segment: fixed}
facts:
  usage:
    table: data/usage.csv
    account: account_id
    occurred_at: day
    known_at: loaded
    columns: {event: event}
  ratings:
    table: data/ratings.csv
    account: account_id
    occurred_at: day
    columns: {stars: stars, mood: {column: mood, known_at: rated}}
outcomes: {churn: {ended: true, within: 90d}}
"""

METRICS = """\
metrics:
  events: {count: usage, window: 28d}
  logins: {count: usage, window: 28d, where: {event: login}}
  stars: {latest: ratings.stars}
"""

SCORECARD = """\
scorecard: all
components:
  usage:
    measures:
      events: {curve: [[0, 0], [4, 100]]}
"""


def table(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)


def declare(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "scorecards").mkdir(exist_ok=True)
    (folder / "retinue.yaml").write_text(SETTINGS, "utf-8")
    (folder / "metrics.yaml").write_text(METRICS, "utf-8")
    (folder / "scorecards" / "all.yaml").write_text(SCORECARD, "utf-8")


def write(folder: Path, accounts: int = 600, seed: int = 1) -> None:
    """Accounts that start over two years; 60 % have three or more meetings in their first 30 days, and
    leave a third as often. Logins and clicks go on for life, whatever comes."""
    rng = np.random.default_rng(seed)
    declare(folder)
    start = np.sort(rng.integers(0, 600, accounts))
    meetings = np.where(rng.random(accounts) < 0.6, 3, 0) + rng.integers(0, 2, accounts)
    life = (rng.exponential(np.where(meetings >= 3, 1500, 400)) + 40).astype(int)
    span = (LAST - FIRST).days
    people, usage = [], []
    for n in range(accounts):
        begun = FIRST + timedelta(days=int(start[n]))
        end = start[n] + life[n]
        key = f"A{n:04}"
        ended = FIRST + timedelta(days=int(end)) if end <= span else ""
        people.append((key, ("large", "small")[n % 2], begun, ended))
        days = rng.integers(0, 30, meetings[n])
        usage += [(key, begun + timedelta(days=int(day)), "meeting") for day in days]
        lives = min(end, span) - start[n]
        for event, rate in (("login", 0.08), ("click", 0.04)):
            when = rng.integers(0, lives + 1, rng.poisson(rate * lives))
            usage += [(key, begun + timedelta(days=int(day)), event) for day in when]
    table(folder / "data" / "accounts.csv", ["account_id", "segment", "started", "ended"], people)
    table(
        folder / "data" / "usage.csv",
        ["account_id", "day", "loaded", "event"],
        [(key, day, day, event) for key, day, event in usage],
    )
    ratings = [
        (f"A{n:04}", FIRST + timedelta(days=int(start[n])), n % 5, "fine", "") for n in range(accounts)
    ]
    table(folder / "data" / "ratings.csv", ["account_id", "day", "stars", "mood", "rated"], ratings)
