"""A small simulated company: three monthly figures per account, churn drawn from their planted weights."""

from __future__ import annotations

import csv
from datetime import date, timedelta
from pathlib import Path

import numpy as np
from scipy.special import expit

#: The time it is, and the planted weights of `use`, `pay` and `noise`.
NOW = "2026-01-05T09:00:00+00:00"
FIRST, LAST = date(2024, 1, 7), date(2025, 12, 28)
TRUE = {"use": 0.65, "pay": 0.35, "noise": 0.0}

SETTINGS = """\
project: planted
accounts:
  table: data/accounts.csv
  key: account
  columns: {segment: segment, arr: arr, started_on: started, ended_on: ended}
  history: {segment: fixed, arr: fixed}
facts:
  figures:
    table: data/figures.csv
    account: account
    occurred_at: day
    columns: {use: use, pay: pay, noise: noise}
outcomes: {churn: {ended: true, within: 56d}}
"""

METRICS = """\
metrics:
  use: {latest: figures.use}
  pay: {latest: figures.pay}
  noise: {latest: figures.noise}
"""

SCORECARD = """\
# Weights by a show of hands.
scorecard: all
components:
  usage:
    weight: 15       # who uses it stays?
    measures:
      use: {curve: [[0, 0], [100, 100]]}
  money:
    weight: 15
    measures:
      pay: {curve: [[0, 0], [100, 100]]}
  rumours:
    weight: 70
    measures:
      noise: {curve: [[0, 0], [100, 100]]}
bands: {at_risk: 0, watch: 40, healthy: 60}
"""


def write(folder: Path, accounts: int = 600, seed: int = 0) -> None:
    """The project with its tables in `folder`."""
    (folder / "data").mkdir(parents=True)
    (folder / "scorecards").mkdir()
    (folder / "retinue.yaml").write_text(SETTINGS)
    (folder / "metrics.yaml").write_text(METRICS)
    (folder / "scorecards" / "all.yaml").write_text(SCORECARD)
    random = np.random.default_rng(seed)
    months = (LAST - FIRST).days // 28
    level = random.normal(0, 1, (accounts, 1, 3))
    points = 100 * expit(level + random.normal(0, 1, (accounts, months, 3)))
    health = points @ list(TRUE.values())
    hazard = expit(-3.8 - 0.9 * (health / 10 - 5))
    leaves = random.random((accounts, months)) < hazard
    stays = np.where(leaves.any(axis=1), leaves.argmax(axis=1) + 1, months)
    with (folder / "data" / "figures.csv").open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["account", "day", "use", "pay", "noise"])
        for account in range(accounts):
            for month in range(int(stays[account])):
                day = FIRST + timedelta(days=28 * month)
                out.writerow([f"a{account:04}", day, *np.round(points[account, month], 1).tolist()])
    with (folder / "data" / "accounts.csv").open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["account", "segment", "arr", "started", "ended"])
        for account in range(accounts):
            month = int(stays[account])
            ended = (
                FIRST + timedelta(days=28 * month - int(random.integers(1, 27)))
                if leaves[account].any()
                else ""
            )
            segment = "large" if account % 3 == 0 else "small"
            out.writerow([f"a{account:04}", segment, 1000 * (1 + account % 5), FIRST, ended])
