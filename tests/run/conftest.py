"""Runs that several tests look at; each takes seconds, so they are made once."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from tests.once import made_once
from tests.run.company import DAY, score
from tests.run.everything import FIRST, LAST, METRICS, SETTINGS, WORDS, everything, say, step_by_step


@pytest.fixture(scope="session")
def backfilled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The company with everything, scored in one go; tests only read it."""

    def make(root: Path) -> None:
        everything().write(root)
        say(root, WORDS)
        score(root, LAST, FIRST)

    return made_once(tmp_path_factory, "backfilled", make)


@pytest.fixture(scope="session")
def daily(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, scored in runs of a day or a few over what was known by then."""
    ends = [date(2024, 3, 27), date(2024, 4, 1), date(2024, 4, 7), LAST]
    return made_once(tmp_path_factory, "daily", lambda root: step_by_step(root, ends))


@pytest.fixture(scope="session")
def changed(backfilled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`backfilled`, then: a changed scorecard (two days), words changed only (one day), and a
    source taken away, so that the formula before cannot be scored any more (one day)."""
    return made_once(tmp_path_factory, "changed", lambda root: _change(shutil.copytree(backfilled, root)))


def _change(root: Path) -> None:
    company = everything()
    components = dict(company.scorecards[1]["components"])
    components["voice"] = {**components["voice"], "weight": 60}
    stricter = company.with_card(1, components=components, bands={"at_risk": 0, "watch": 45, "healthy": 60})
    stricter.write(root)
    score(root, LAST + 2 * DAY, LAST + DAY)
    metrics = {**METRICS, "csat": {**METRICS["csat"], "label": "Rating of tickets"}}
    replace(stricter.with_card(1, components=components, label="Grown up"), metrics=metrics).write(root)
    score(root, LAST + 3 * DAY)
    components = {name: one for name, one in components.items() if name != "service"}
    without = stricter.with_card(1, components=components)
    facts = {name: one for name, one in SETTINGS["facts"].items() if name != "tickets"}
    metrics = {name: one for name, one in METRICS.items() if name not in ("open_tickets", "csat")}
    tables = {name: one for name, one in without.tables.items() if name != "tickets"}
    replace(without, settings={**SETTINGS, "facts": facts}, metrics=metrics, tables=tables).write(root)
    score(root, LAST + 4 * DAY)
