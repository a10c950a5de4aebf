"""What happens to everybody at once: one alarm for the portfolio, none for its accounts."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from retinue.insight.anomalies.judge import Anomalies, anomalies
from tests.anomalies.worlds import REGIONS, Array, world

DAY = date(2025, 3, 2)


def counts(seed: int) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    known = world(rng, 1000)
    return known.drawn(rng), known.region


def judged(told: Array, region: Array) -> Anomalies:
    return anomalies(told, region, DAY, REGIONS)


@pytest.mark.parametrize("days", [1, 3, 9])
def test_a_dead_feed_is_one_alarm_and_no_account_is_flagged(days: int) -> None:
    told, region = counts(days)
    told[:, -days:] = 0
    found = judged(told, region)
    assert found.groups.state[0] == "feed_stopped"
    assert found.groups.silent == days
    assert not found.flagged.any()
    assert set(found.state) == {"feed_stopped"}


def test_a_feed_that_loses_most_rows_is_one_alarm_too() -> None:
    """Nine rows in ten are lost from the middle of a day on: everybody is down, hardly anybody stands out."""
    rng = np.random.default_rng(3)
    told, region = counts(4)
    told[:, -4:] = rng.binomial(told[:, -4:].astype(int), 0.1)
    found = judged(told, region)
    assert found.groups.state[0] == "everybody_down"
    assert found.groups.factor[0] < found.groups.lowest[0]
    assert found.flagged.mean() < 0.01


def test_a_region_that_is_down_is_told_of_the_region() -> None:
    """A holiday of one region of four: its state says so, and less than 5 % of it is flagged."""
    told, region = counts(5)
    rng = np.random.default_rng(5)
    there = region == 2
    told[there, -5:] = rng.binomial(told[there, -5:].astype(int), 0.3)
    found = judged(told, region)
    assert found.groups.state[1:].tolist() == ["ok", "ok", "everybody_down", "ok"]
    assert found.flagged[there].mean() < 0.05
    assert found.flagged[~there].mean() < 0.005


def test_usual_weeks_are_no_alarm() -> None:
    """Twenty weeks of two portfolios that go up and down by 2 %: at most one alarm among 100 of portfolio
    and groups."""
    states = []
    for seed in range(2):
        rng = np.random.default_rng(20 + seed)
        known = world(rng, 400, 38)
        told = known.drawn(rng)
        for end in range(29, 39):
            states += judged(told[:, : 7 * end], known.region).groups.state.tolist()
    assert states.count("ok") >= len(states) - 1


def test_silence_on_days_without_use_is_no_dead_feed() -> None:
    """Nobody works at weekends, and the day is a Sunday."""
    told, region = counts(6)
    weekend = np.arange(told.shape[1]) % 7 >= 5
    told[:, weekend] = 0
    found = judged(told, region)
    assert found.groups.state[0] == "ok"
    assert found.groups.silent == 0


def test_a_short_history_says_nothing_of_the_portfolio() -> None:
    told, region = counts(7)
    found = judged(told[:, -7 * 6 :], region)
    assert set(found.state) == {"too_young"}
    assert found.groups.state[0] == "too_few"
    assert np.isnan(found.groups.lowest[0])


def test_a_portfolio_that_grows_leaves_its_accounts_alone() -> None:
    """Three percent more each week, for all: nobody stands out for it."""
    rng = np.random.default_rng(8)
    known = world(rng, 1000)
    growing = known.times(np.repeat(1.03 ** np.arange(28), 7)[None, :])
    found = judged(growing.drawn(rng), known.region)
    assert found.groups.state[0] == "ok"
    assert found.flagged.sum() <= 1
    assert found.groups.factor[0] > 1.05


def test_of_nobody_nothing_is_said() -> None:
    found = anomalies(np.zeros((0, 196)), np.zeros(0, np.int64), DAY, 1)
    assert found.groups.accounts.tolist() == [0, 0]
    assert found.groups.state[0] == "too_few"
