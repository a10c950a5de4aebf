"""A company that loses customers: accounts that come, go and shrink, so that there is something to count."""

from __future__ import annotations

import csv
import math
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from retinue.store.people.access import Actor
from retinue.store.published.current import current_run
from retinue.workspace import Workspace
from tests.run.company import Company
from tests.web.company import FIRST, LAST, SETTINGS, ordinary

DAY = timedelta(days=1)
REASONS = ("price", "service", None)

#: People who see some of the accounts: by owner, by territory, by both, and nobody's.
SOME = (
    Actor("ann", everything=False, owners=frozenset({"Ann Archer"}), role="csm"),
    Actor("south", everything=False, territories=frozenset({"south"}), role="leader"),
    Actor(
        "both", everything=False, owners=frozenset({"Bob Baker"}), territories=frozenset({"east"}), role="csm"
    ),
    Actor("none", everything=False, owners=frozenset({"Nobody Known"}), role="csm"),
)


def trading() -> Company:
    """The ordinary company, of which every ninth account ends while it is looked at and some shrink."""
    made = ordinary()
    accounts: list[dict[str, Any]] = []
    rows: list[dict[str, Any]] = []
    for number, row in enumerate(made.accounts):
        told = dict(row)
        if number % 9 == 5:
            told |= {"started": FIRST - 400 * DAY, "ended": FIRST + (10 + number) * DAY}
        if number % 5 == 2:
            rows.append(
                {
                    "id": told["id"],
                    "day": FIRST + (5 + number) * DAY,
                    "what": "shrunk",
                    "by": None if number % 10 == 2 else 100.0 + number,
                    "why": REASONS[number % 3],
                }
            )
        if number % 8 == 1 and number % 9 != 5:
            told["started"] = FIRST + (number % 40) * DAY
        accounts.append(told)
    settings = {
        **SETTINGS,
        "facts": {
            **SETTINGS["facts"],
            "outcomes": {
                "table": "data/outcomes.csv",
                "account": "id",
                "occurred_at": "day",
                "columns": {"what": "what", "by": "by", "why": "why"},
            },
        },
        "outcomes": {
            "churn": {"ended": True, "within": "28d"},
            "shrinking": {
                "fact": "outcomes",
                "where": {"what": "shrunk"},
                "amount": "by",
                "reason": "why",
                "within": "28d",
                "final": False,
            },
            "growth": {"fact": "outcomes", "where": {"what": "grown"}, "good": True, "within": "28d"},
        },
    }
    return replace(made, accounts=accounts, tables={**made.tables, "outcomes": rows}, settings=settings)


_read: dict[tuple[Path, str, str, date], dict[str, dict[str, Any]]] = {}


def rows_of(workspace: Workspace, name: str, day: date) -> dict[str, dict[str, Any]]:
    """A published table of one date as plain rows by account: what oracles count."""
    manifest = workspace.published().manifest
    key = (workspace.project.root, manifest.run_id, name, day)
    if key not in _read:
        table: pa.Table = workspace.published().table(name, dates=[day])
        _read[key] = {row["account_id"]: row for row in table.to_pylist()}
    return _read[key]


def visible_to(workspace: Workspace, actor: Actor) -> set[str]:
    """The accounts that the actor sees, told from the source itself."""
    with (workspace.project.root / "data/accounts.csv").open(newline="", encoding="utf-8") as file:
        told = list(csv.DictReader(file))
    return {
        row["id"] for row in told if row["owner"] in actor.owners or row["territory"] in actor.territories
    }


def mean_of(pairs: list[tuple[float | None, float | None]]) -> float | None:
    """The mean of (score, weight) pairs that have both."""
    kept = [
        (score, weight) for score, weight in pairs if score is not None and weight is not None and weight > 0
    ]
    whole = math.fsum(weight for _, weight in kept)
    return math.fsum(score * weight for score, weight in kept) / whole if whole else None


def run_of(workspace: Workspace) -> Any:
    found = current_run(workspace.store)
    assert found is not None
    return found


def folder(root: Path) -> Path:
    return root / "trading"


__all__ = ["FIRST", "LAST", "SOME", "folder", "mean_of", "rows_of", "run_of", "trading", "visible_to"]
