"""A replay, with what happened, is the same wherever it is computed."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.engines.conftest import Elsewhere
from tests.replay.test_replays_of_projects import replayed, shop

OUTCOMES: dict[str, Any] = {
    "lapse": {"silence": "orders", "within": "30d"},
    "return": {"fact": "orders", "where": {"kind": "return"}, "amount": "value", "final": False},
    "shrinks": {"falls": "arr", "by": 0.05},
}


@pytest.mark.parametrize("outcome", list(OUTCOMES))
def test_a_replay_elsewhere_is_that_of_duckdb(elsewhere: Elsewhere, tmp_path: Path, outcome: str) -> None:
    company = shop(outcomes=OUTCOMES)
    there = replace(company, settings={**company.settings, "engine": elsewhere.url})
    asked = {"first": date(2024, 1, 1), "last": date(2024, 4, 10), "outcome": outcome}
    one = replayed(company.write(tmp_path / "here"), date(2024, 4, 20), **asked)
    other = replayed(there.write(tmp_path / "there"), date(2024, 4, 20), **asked)
    assert one.accounts == other.accounts and one.until == other.until
    for name in (
        "account",
        "group",
        "day",
        "computed",
        "band",
        "points",
        "weights",
        "values",
        "tenure",
        "arr",
    ):
        ours, theirs = getattr(one.replay, name), getattr(other.replay, name)
        assert np.allclose(ours, theirs, rtol=0, atol=1e-9, equal_nan=True), name
    for name in ("account", "day", "known", "amount"):
        assert np.array_equal(getattr(one.events, name), getattr(other.events, name), equal_nan=True), name
    assert len(one.events) > 0
