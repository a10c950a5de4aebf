"""Lead time, bands before a loss, and what nobody in particular would have had, one account at a time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from retinue.insight.replay import NEVER
from retinue.insight.validation.bands import before, warned
from retinue.insight.validation.lead_time import lead_time, quantile
from retinue.insight.validation.losses import Grid, losses
from tests.validation.world import World, world


def grid(w: World, band: np.ndarray | None = None) -> Grid:
    replay = w.replay if band is None else replace(w.replay, band=band)
    return Grid.of(replay, w.told, losses(replay, w.events, w.told, w.until))


def one_by_one(g: Grid) -> tuple[list[int], list[tuple[float, int]]]:
    """Lead times, and (weight, days) of every account that each could have been; a search per loss."""
    rows: dict[int, dict[int, tuple[int, int]]] = {}
    for n in range(len(g.replay)):
        own = rows.setdefault(int(g.replay.account[n]), {})
        own[int(g.replay.day[n])] = int(g.replay.band[n]), n
    gone = {int(a): int(d) for a, d in zip(g.lost.account, g.lost.day, strict=True)}

    def red_for(account: int, date: int, until: int) -> int:
        own = sorted(day for day in rows[account] if day <= date)
        begun = until
        for day in reversed(own):
            if rows[account][day][0] != 0:
                break
            begun = day
        return until - begun

    lead, null = [], []
    dates = sorted({int(day) for day in g.replay.day})
    for account, day in gone.items():
        date = max(one for one in dates if one < day)
        if date not in rows[account]:
            continue
        lead.append(red_for(account, date, day))
        there = [one for one in rows if date in rows[one] and gone.get(one, NEVER) > day]
        null += [(1 / len(there), red_for(one, date, day)) for one in there]
    return lead, null


@pytest.mark.parametrize("seed", range(3))
def test_lead_time_and_its_null_are_those_of_a_search(seed: int) -> None:
    g = grid(world(accounts=60, weeks=25, seed=seed, rate=0.03))
    lead, null = one_by_one(g)
    found = lead_time(g)
    captured = sorted(one for one in lead if one)
    weights = np.array([weight for weight, days in null if days])
    days = np.array([days for _, days in null if days])
    assert (found.lost, found.captured) == (len(lead), len(captured))
    assert found.median_days == np.median(captured)
    assert found.at_least_30 == pytest.approx(np.mean([one >= 30 for one in lead]))
    assert found.null_capture == pytest.approx(weights.sum() / len(lead))
    assert found.null_at_least_30 == pytest.approx(weights[days >= 30].sum() / len(lead))
    order = np.argsort(days)
    half = days[order][np.searchsorted(np.cumsum(weights[order]), weights.sum() / 2)]
    assert found.null_median_days == half


def test_a_score_that_knows_nothing_captures_no_more_than_its_null() -> None:
    """40 books of 150 accounts with strength 0 (seeds 0 to 39): capture minus null is 0 within three standard
    errors; with strength 1 it is above."""
    apart = {}
    for strength in (0.0, 1.0):
        told = [lead_time(grid(world(150, 30, seed, strength, 0.02))) for seed in range(40)]
        apart[strength] = np.array([one.capture.value - one.null_capture for one in told])
    error = apart[0.0].std() / np.sqrt(40)
    assert abs(apart[0.0].mean()) < 3 * error
    assert apart[1.0].mean() > 0.2


def test_chronic_red_gives_a_long_median_lead_time_and_a_null_as_long() -> None:
    w = world(accounts=300, seed=3, strength=0.0)
    chronic = np.where(w.replay.account % 5 == 0, 0, 1)
    found = lead_time(grid(w, chronic))
    assert found.median_days > 90
    assert found.null_median_days == pytest.approx(found.median_days, rel=0.4)
    assert found.null_capture == pytest.approx(0.2, abs=0.02)


def test_bands_before_and_warned_are_even_for_a_score_that_knows_nothing() -> None:
    """Bands drawn anew on every date, 30 % green; 1,500 accounts, seed 4: those lost stand
    where the others do, and the ratio of the warned is 1 within its interval."""
    w = world(accounts=1500, weeks=40, seed=4, strength=0.0, rate=0.015)
    band = np.random.default_rng(4).choice([0, 1, 2], len(w.replay), p=[0.4, 0.3, 0.3])
    g = grid(w, band)
    for one in before(g):
        assert one.stayed_green == pytest.approx(0.3, abs=0.02)
        assert one.stayed_red == pytest.approx(0.4, abs=0.02)
        assert one.green.low - 0.02 <= 0.3 <= one.green.high + 0.02
    found = warned(g, 200, 0)
    assert found.lost.value == pytest.approx(0.7, abs=0.05)
    assert found.ratio.low < 1 < found.ratio.high


def test_the_interval_of_the_ratio_covers() -> None:
    """60 books in which bands know nothing (seeds 0 to 59): the true ratio is 1. Nominal .95; at
    least 51 of 60 is what .95 gives in 999 of 1,000 cases."""
    covered = 0
    for seed in range(60):
        w = world(accounts=200, weeks=30, seed=seed, strength=0.0, rate=0.02)
        chosen = np.random.default_rng(seed + 1000).random(200) < 0.6
        found = warned(grid(w, np.where(chosen[w.replay.account], 1, 2)), 100, seed)
        covered += found.ratio.low <= 1 <= found.ratio.high
    assert covered >= 51


def test_a_date_without_a_score_ends_a_spell() -> None:
    w = world(accounts=60, weeks=25, seed=1, rate=0.03)
    red = np.zeros(len(w.replay), np.int64)
    gap = np.where(w.replay.day == 70, -1, red)
    always, broken = lead_time(grid(w, red)), lead_time(grid(w, gap))
    assert always.capture.value == broken.capture.value == 1
    assert broken.median_days < always.median_days


def test_weighted_quantiles_are_medians_where_weights_are_equal() -> None:
    for values in ([3.0], [1.0, 2.0], [1.0, 2.0, 10.0], [4.0, 1.0, 3.0, 2.0]):
        assert quantile(np.array(values), np.ones(len(values)), 0.5) == np.median(values)
    assert quantile(np.array([1.0, 5.0]), np.array([3.0, 1.0]), 0.5) == 1
    assert np.isnan(quantile(np.zeros(0), np.zeros(0), 0.5))
