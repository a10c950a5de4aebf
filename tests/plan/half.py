"""Three accounts whose score is half their level and half their mood."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

from retinue.run.plan import plan
from retinue.run.planned import Plan
from tests.run.company import DAY, Company, noon, opened
from tests.run.small import LEVEL, D, account, company, level

ONE = {"level": {"curve": [[0, 0], [100, 100]]}}
TWO = {
    "scorecard": "level",
    "components": {
        "level": {"weight": 1, "measures": ONE},
        "mood": {"weight": 1, "measures": {"mood": {"curve": [[0, 0], [100, 100]]}}},
    },
    "stability": LEVEL["stability"],
}
METRICS: dict[str, Any] = {"mood": {"latest": "moods.value"}}
MOODS = {
    "table": "data/moods.csv",
    "account": "id",
    "occurred_at": "day",
    "value": "value",
    "known_at": "loaded",
}


def two(levels: Mapping[str, float], moods: Mapping[str, float], **told: Any) -> Company:
    """Accounts whose score is half their level and half their mood; ARR 10 times the level."""
    people = [account(name, name=f"Company {name}", arr=10 * value) for name, value in levels.items()]
    made = company(
        people,
        [level(name, D, value) for name, value in levels.items()],
        cards=[TWO],
        metrics=METRICS,
        history={"arr": "fixed", "name": "fixed"},
        **told,
    )
    facts = {**made.settings["facts"], "moods": MOODS}
    rows = [level(name, D, value) for name, value in moods.items()]
    return replace(made, settings={**made.settings, "facts": facts}, tables={**made.tables, "moods": rows})


HALF = two({"a": 90, "b": 20, "c": 80}, {"a": 50, "b": 20, "c": 10})


def weighted(weight: float) -> Company:
    components = {**TWO["components"], "mood": {**TWO["components"]["mood"], "weight": weight}}
    return HALF.with_card(0, components=components)


def planned(root: Path, last: date = D + DAY) -> Plan:
    workspace = opened(root)
    try:
        return plan(workspace, now=noon(last), environ={})
    finally:
        workspace.store.close()
