"""Population shift is told from chance, at any number of accounts."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ks_2samp

from retinue.insight.drift.shift import psi as index
from retinue.insight.drift.shift import shifts


def test_the_index_is_the_one_computed_by_hand() -> None:
    # Shares with half a case more in each bin: 20.5/41 and 20.5/41 against 10.5/41 and 30.5/41:
    # (.25610 - .5) ln(.25610 / .5) + (.74390 - .5) ln(.74390 / .5) = .16318 + .09690.
    assert float(index([20, 20], [10, 30])) == pytest.approx(0.26008, abs=2e-5)
    assert float(index([20, 20], [20, 20])) == 0.0


@pytest.mark.parametrize(("n", "m"), [(100, 100), (200, 200), (500, 500), (100, 500)])
def test_without_a_shift_the_index_has_its_known_mean(n: int, m: int) -> None:
    """(B - 1)(1/n + 1/m), by the chi-square of two samples: 4,000 pairs of samples in ten equal
    bins (seed 5), within 5 % (its standard error is below 1 %, what is left is of higher order)."""
    rng = np.random.default_rng(5)
    then = rng.multinomial(n, [0.1] * 10, 4000)
    now = rng.multinomial(m, [0.1] * 10, 4000)
    expected = 9 * (1 / n + 1 / m)
    assert index(then, now).mean() == pytest.approx(expected, rel=0.05)
    if n == m == 100:
        assert np.mean(index(then, now) > 0.1) > 0.7  # the customary limit fires nearly always


def normal(seed: int, accounts: int, moved: float = 0.0, series: int = 1) -> dict[str, np.ndarray]:
    values = np.random.default_rng(seed).normal(moved, 1, (series, accounts))
    return {f"m{n}": values[n] for n in range(series)}


def alarms(runs: int) -> float:
    """Share of pairs of books of 120 accounts without a shift, eight series each, with any alarm."""
    pairs = [
        shifts(normal(n, 120, series=8), normal(10_000 + n, 120, series=8), draws=299) for n in range(runs)
    ]
    return float(np.mean([any(one.alarm for one in told) for told in pairs]))


def test_without_a_shift_at_most_one_review_in_twenty_gives_an_alarm() -> None:
    """60 pairs (seeds 0 on): .05 by design, .134 within three standard errors."""
    assert alarms(60) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 60)


@pytest.mark.long
def test_without_a_shift_alarms_are_few_over_many_reviews() -> None:
    """600 pairs (seeds 0 on): .077 within three standard errors."""
    assert alarms(600) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 600)


def test_bounds_hold_what_chance_gives_in_nineteen_of_twenty() -> None:
    """200 pairs without a shift (seeds 0 on): within the bounds in .95, four standard errors of
    200 and the error of 299 draws; bounds fall as accounts grow."""
    told = [shifts(normal(n, 80), normal(10_000 + n, 80), draws=299)[0] for n in range(200)]
    for inside in ([one.psi <= one.psi_bound for one in told], [one.ks <= one.ks_bound for one in told]):
        assert 0.88 <= np.mean(inside) < 1
    large = shifts(normal(1, 2000), normal(2, 2000), draws=299)[0]
    assert large.psi_bound < 0.2 * told[0].psi_bound


def test_a_shift_is_seen_and_sized() -> None:
    """Half a standard deviation at 200 accounts: seen in every one of 20 pairs, its mean size within .1."""
    told = [shifts(normal(n, 200), normal(10_000 + n, 200, 0.5))[0] for n in range(20)]
    assert all(one.alarm for one in told)
    assert np.mean([one.moved for one in told]) == pytest.approx(0.5, abs=0.1)


def test_one_shift_among_forty_series_is_found_and_named() -> None:
    then, now = normal(1, 300, series=40), normal(2, 300, series=40)
    now["m7"] = now["m7"] + 0.6
    alarms = [one.name for one in shifts(then, now) if one.alarm]
    assert "m7" in alarms
    assert len(alarms) <= 2


def test_a_spread_that_widens_is_seen() -> None:
    rng = np.random.default_rng(3)
    assert shifts({"x": rng.normal(0, 1, 500)}, {"x": rng.normal(0, 2, 500)})[0].alarm


def test_fewer_than_thirty_values_tell_nothing() -> None:
    few = shifts(normal(1, 29), normal(2, 500, 3.0))[0]
    assert not few.told
    assert not few.alarm
    assert np.isnan([few.psi, few.ks, few.psi_bound]).all()
    assert few.to_dict()["psi"] is None
    assert shifts(normal(1, 30), normal(2, 500, 3.0))[0].alarm


def test_values_that_go_missing_are_a_shift() -> None:
    then, now = normal(1, 400), normal(2, 400)
    now["m0"][:120] = np.nan
    told = shifts(then, now)[0]
    assert told.alarm
    assert (told.missing_then, told.missing_now) == (0.0, 0.3)
    assert told.ks <= told.ks_bound  # those that are there look as they did


def test_a_series_of_one_value_is_no_shift() -> None:
    told = shifts({"x": np.zeros(50)}, {"x": np.zeros(70)})[0]
    assert told.psi == pytest.approx(0, abs=0.01)
    assert told.ks == 0
    assert not told.alarm


def test_the_distance_is_that_of_scipy() -> None:
    """Up to 50 values have a cell each, so that the distance is exact."""
    rng = np.random.default_rng(8)
    a, b = rng.poisson(6, 300).astype(float), rng.poisson(7, 200).astype(float)
    assert shifts({"x": a}, {"x": b})[0].ks == pytest.approx(ks_2samp(a, b).statistic)


def test_the_same_seed_gives_the_same_bounds() -> None:
    assert shifts(normal(1, 100), normal(2, 100), seed=4) == shifts(normal(1, 100), normal(2, 100), seed=4)
