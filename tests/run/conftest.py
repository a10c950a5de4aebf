"""Runs that several tests look at; each takes seconds, so they are made once."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from tests.run.company import DAY, FIRST, LAST, METRICS, SETTINGS, WORDS, everything, say, score, step_by_step


@pytest.fixture(scope="session")
def backfilled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The company with everything, scored in one go; tests only read it."""
    root = everything().write(tmp_path_factory.mktemp("backfilled"))
    say(root, WORDS)
    score(root, LAST, FIRST)
    return root


@pytest.fixture(scope="session")
def daily(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, scored in runs of a day or a few over what was known by then."""
    root = tmp_path_factory.mktemp("daily")
    step_by_step(root, [date(2024, 3, 27), date(2024, 4, 1), date(2024, 4, 7), LAST])
    return root


@pytest.fixture(scope="session")
def changed(backfilled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`backfilled`, then: a changed scorecard (two days), words changed only (one day), and a
    source taken away, so that the formula before cannot be scored any more (one day)."""
    root = tmp_path_factory.mktemp("changed")
    shutil.copytree(backfilled, root, dirs_exist_ok=True)
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
    return root
