"""Accounts that have ended do not bring back the quarters in which they did."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pyarrow as pa

from retinue.project.load import load
from retinue.warehouse.compute import Asked, compute
from retinue.warehouse.engine import connect
from tests.run.company import DAY
from tests.run.small import LEVEL, D, account, company, level

COHORT = {"curve": "cohort", "direction": "higher_is_better", "points": [[0, 0], [100, 100]]}
CARD = {**LEVEL, "components": {"level": {"measures": {"level": COHORT}}}}


def _grid(root: Path) -> tuple[date, ...]:
    project = load(root, {})
    [formula] = project.formulas
    last = pa.table(
        {
            "account_id": ["ended", "lives"],
            "fingerprint": [formula.fingerprint] * 2,
            "reference": pa.array([date(2019, 1, 1), date(2024, 1, 1)]),
            "as_of": pa.array([date(2019, 3, 1), D - DAY]),
        }
    )
    with connect(project, threads=1) as engine:
        return compute(engine, project, Asked((D, D + DAY), last=last)).spine.dates


def test_only_quarters_of_accounts_that_are_scored_are_looked_at(tmp_path: Path) -> None:
    levels = [level(who, D - 3000 * DAY, 50) for who in ("ended", "lives")]
    for ended, first in ((date(2019, 3, 1), 2023), (D, 2018), (None, 2018)):
        people = [account("ended", ended=ended), account("lives")]
        company(people, levels, cards=[CARD]).write(tmp_path)
        assert _grid(tmp_path)[0].year == first
