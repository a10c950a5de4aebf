"""Mantel-Haenszel, E-values and intervals against published numbers and libraries."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import hypergeom, norm
from statsmodels.stats.contingency_tables import StratifiedTable
from statsmodels.stats.multitest import multipletests

from retinue.insight.discovery import stratified
from retinue.insight.discovery.indicators import adjusted, simes
from retinue.insight.discovery.stratified import Difference, Tables


def of(with_event: list[int], with_none: list[int], without_event: list[int], without: list[int]) -> Tables:
    a, b, c, d = (np.array([one], float) for one in (with_event, with_none, without_event, without))
    return Tables(a, a + b, a + c, a + b + c + d)


def at_90(told: Difference) -> tuple[float, float]:
    """A 95 % interval on a linear scale, narrowed to 90 %."""
    half = (told.high[0] - told.low[0]) / 2 * norm.ppf(0.95) / norm.ppf(0.975)
    middle = (told.high[0] + told.low[0]) / 2
    return middle - half, middle + half


# Tolbutamide and death by age, University Group Diabetes Program: Rothman, Greenland and Lash,
# Modern Epidemiology (3rd ed.), table 15-1.
UGDP = of([8, 22], [98, 76], [5, 16], [115, 69])

# The thirteen trials of BCG against tuberculosis (Colditz et al. 1994), data set dat.bcg of R's metafor.
BCG = of(
    [4, 6, 3, 62, 33, 180, 8, 505, 29, 17, 186, 5, 27],
    [119, 300, 228, 13536, 5036, 1361, 2537, 87886, 7470, 1699, 50448, 2493, 16886],
    [11, 29, 11, 248, 47, 372, 10, 499, 45, 65, 141, 3, 29],
    [128, 274, 209, 12619, 5761, 1079, 619, 87892, 7232, 1600, 27197, 2338, 17825],
)


def test_the_risk_difference_is_the_published_one_of_a_textbook() -> None:
    # metafor, rma.mh(measure = "RD", level = 90): 0.0349 [-0.0176, 0.0874]; the book prints 0.035 and 0.088.
    told = stratified.difference(UGDP)
    assert told.value[0] == pytest.approx(0.0349, abs=5e-5)
    assert at_90(told) == pytest.approx((-0.0176, 0.0874), abs=5e-5)


def test_the_risk_ratio_is_the_published_one_of_a_textbook() -> None:
    # metafor, rma.mh(measure = "RR", level = 90): exp(0.2818) [0.8658, 2.0296].
    told = stratified.ratio(UGDP)
    log = Difference(np.log(told.value), np.log(told.low), np.log(told.high))
    assert log.value[0] == pytest.approx(0.2818, abs=5e-5)
    assert np.exp(at_90(log)) == pytest.approx((0.8658, 2.0296), abs=5e-5)


def test_both_are_those_of_thirteen_trials() -> None:
    # metafor on dat.bcg: log RR -0.4537 [-0.5308, -0.3766]; RD -0.003288 with a standard error of
    # 0.000286657 (Sato, Greenland and Robins 1989).
    ratio, difference = stratified.ratio(BCG), stratified.difference(BCG)
    assert np.log([ratio.value[0], ratio.low[0], ratio.high[0]]) == pytest.approx(
        [-0.4537, -0.5308, -0.3766], abs=5e-5
    )
    assert difference.value[0] == pytest.approx(-3.288181832613e-3, rel=1e-9)
    error = (difference.high[0] - difference.low[0]) / 2 / norm.ppf(0.975)
    assert error == pytest.approx(2.866567485e-4, rel=1e-8)


def test_the_test_is_the_published_one_of_a_textbook() -> None:
    # metafor, rma.mh(measure = "OR", correct = FALSE): Cochran-Mantel-Haenszel 1.1914, p = .2750.
    assert stratified.p_values(UGDP)[0] == pytest.approx(0.2750, abs=5e-5)


TENFOLD = Tables(*(10 * one for one in (UGDP.both, UGDP.having, UGDP.events, UGDP.total)))


@pytest.mark.parametrize("tables", [TENFOLD, BCG], ids=["two strata", "thirteen strata"])
def test_with_many_events_the_test_is_that_of_statsmodels(tables: Tables) -> None:
    a, m, t, n = (one[0] for one in (tables.both, tables.having, tables.events, tables.total))
    cubes = [np.array([[a[k], m[k] - a[k]], [t[k] - a[k], n[k] - m[k] - t[k] + a[k]]]) for k in range(len(a))]
    theirs = StratifiedTable(cubes).test_null_odds(correction=False).pvalue
    assert stratified.p_values(tables)[0] == pytest.approx(theirs, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("tables", [UGDP, of([3, 0, 1], [40, 9, 3], [1, 2, 0], [12, 30, 8])])
def test_with_few_events_it_is_that_of_all_that_could_have_been(tables: Tables) -> None:
    """Every split of the events of each stratum with its chance, one by one; mid-p of the sum."""
    a, m, t, n = (one[0].astype(int) for one in (tables.both, tables.having, tables.events, tables.total))
    chances: dict[int, float] = {0: 1.0}
    for k in range(len(a)):
        after: dict[int, float] = {}
        for count in range(t[k] + 1):
            chance = float(hypergeom.pmf(count, n[k], t[k], m[k]))
            for so_far, before in chances.items():
                after[so_far + count] = after.get(so_far + count, 0.0) + before * chance
        chances = after
    seen = a.sum()
    below = sum(chance for count, chance in chances.items() if count < seen)
    above = sum(chance for count, chance in chances.items() if count > seen)
    expected = min(1.0, 2 * (min(below, above) + chances[seen] / 2))
    assert stratified.p_values(tables, doubted=1.0)[0] == pytest.approx(expected, rel=1e-8)


def test_rare_events_are_not_taken_for_rarer_than_they_are() -> None:
    """9 of 90 where 3 were to be expected of 35 in 1,000: chi-square says less than .001, and it is .002."""
    rare = of([9], [81], [26], [884])
    table = np.array([[9, 81], [26, 884]])
    blind = StratifiedTable([table]).test_null_odds(correction=False).pvalue
    told = stratified.p_values(rare)[0]
    assert blind < 0.001 < told
    exact = 2 * (hypergeom.sf(9, 1000, 35, 90) + hypergeom.pmf(9, 1000, 35, 90) / 2)
    assert told == pytest.approx(exact)


def test_strata_that_cannot_tell_change_nothing() -> None:
    """A stratum of one account, one where all have the property, and one where nobody has."""
    more = of([8, 22, 1, 4, 0], [98, 76, 0, 6, 0], [5, 16, 0, 0, 2], [115, 69, 0, 0, 9])
    assert stratified.p_values(more) == pytest.approx(stratified.p_values(UGDP))
    for one in (stratified.difference, stratified.ratio):
        assert one(more).value == pytest.approx(one(UGDP).value)
        assert one(more).low == pytest.approx(one(UGDP).low)


def test_without_a_stratum_of_both_kinds_nothing_is_told() -> None:
    apart = of([3, 0], [7, 0], [0, 5], [0, 5])
    assert stratified.p_values(apart)[0] == 1.0
    assert np.isnan(stratified.difference(apart).value[0])
    assert np.isnan(stratified.ratio(apart).value[0])


def test_counts_by_level_are_those_of_counting_by_hand() -> None:
    rng = np.random.default_rng(3)
    values, event = rng.poisson(2.0, 500).astype(float), rng.random(500) < 0.3
    stratum, levels = rng.integers(0, 4, 500), np.array([1.0, 3.0, 7.0])
    told = stratified.tables(values, levels, event, stratum, 4)
    for n, level in enumerate(levels):
        for k in range(4):
            inside = stratum == k
            assert told.having[n, k] == np.sum(inside & (values >= level))
            assert told.both[n, k] == np.sum(inside & (values >= level) & event)
            assert (told.events[n, k], told.total[n, k]) == (np.sum(inside & event), inside.sum())


def test_e_values_are_the_published_ones() -> None:
    # VanderWeele and Ding 2017 (Ann Intern Med 167:268): breast-feeding and death by respiratory
    # infection, risk ratio 3.9 (95 % 1.8 to 8.7): E-value 7.26, for the limit 3.0.
    told = Difference(np.array([3.9]), np.array([1.8]), np.array([8.7]))
    assert stratified.e_value(told.value)[0] == pytest.approx(7.26, abs=5e-3)
    assert stratified.e_value_of_interval(told)[0] == pytest.approx(3.0, abs=5e-3)
    # A protective ratio is taken the other way up, and an interval with 1 in it needs nothing to explain it.
    below = Difference(1 / told.value, 1 / told.high, 1 / told.low)
    assert stratified.e_value(below.value) == pytest.approx(stratified.e_value(told.value))
    assert stratified.e_value_of_interval(below)[0] == pytest.approx(3.0, abs=5e-3)
    assert (
        stratified.e_value_of_interval(Difference(np.array([0.8]), np.array([0.5]), np.array([1.3])))[0] == 1
    )


def test_rates_are_adjusted_as_published_for_fifteen_p_values() -> None:
    # Benjamini and Hochberg 1995, section 3.2: of these 15, at 0.05 the first four are found.
    p = np.array(
        [.0001, .0004, .0019, .0095, .0201, .0278, .0298, .0344, .0459, .3240, .4262, .5719, .6528, .7590, 1]
    )  # fmt: skip
    assert int((adjusted(p) <= 0.05).sum()) == 4
    assert adjusted(p) == pytest.approx(multipletests(p, method="fdr_bh")[1])


def test_one_p_value_for_several_is_that_of_simes() -> None:
    # By hand: 3 * .02 / 1 = .06, 3 * .03 / 2 = .045, 3 * .9 / 3 = .9.
    assert simes(np.array([0.9, 0.02, 0.03])) == pytest.approx(0.045)
    assert simes(np.array([0.2])) == 0.2


def test_wilson_intervals_are_the_published_ones() -> None:
    # Newcombe 1998 (Stat Med 17:857), table I: 81 of 263: .2553 to .3662; 0 of 20: 0 to .1611.
    low, high = stratified.wilson(np.array([81, 0, 0]), np.array([263, 20, 0]))
    assert (low[0], high[0]) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert (low[1], high[1]) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert np.isnan(low[2])


def test_the_interval_of_the_difference_holds_the_truth_nineteen_times_in_twenty() -> None:
    """2,000 books (seed 11) of 24 strata with 25 accounts, difference .1 in each: 95 % is .931 to
    .969 within four standard errors of 2,000 draws. Without the strata, it holds it seldom."""
    rng, runs, strata, size = np.random.default_rng(11), 2000, 24, 25
    share = np.linspace(0.1, 0.9, strata)
    base = np.linspace(0.1, 0.6, strata)
    having = rng.binomial(size, share, (runs, strata)).astype(float)
    both = rng.binomial(having.astype(int), base + 0.1).astype(float)
    events = both + rng.binomial((size - having).astype(int), base)
    told = stratified.difference(Tables(both, having, events, np.full((runs, strata), float(size))))
    assert 0.931 <= np.mean((told.low <= 0.1) & (told.high >= 0.1)) <= 0.969
    crude = stratified.difference(
        Tables(*(one.sum(axis=1, keepdims=True) for one in (both, having, events)),
               np.full((runs, 1), float(size * strata)))
    )  # fmt: skip
    assert np.mean((crude.low <= 0.1) & (crude.high >= 0.1)) < 0.2
