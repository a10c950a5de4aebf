"""AUC and average precision against a count of pairs, scikit-learn and DeLong; intervals that cover."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from retinue.insight.validation.discrimination import Ranked, auc, auc_within, clustered, measured
from retinue.insight.validation.sampling import Resampling
from tests.validation.world import CHURN, world

rows = st.lists(
    st.tuples(st.integers(0, 6), st.booleans(), st.integers(0, 4), st.integers(0, 2)), min_size=2, max_size=40
)


def arrays(drawn: list[tuple[int, bool, int, int]]) -> tuple[np.ndarray, ...]:
    risk, event, cluster, stratum = (np.array(one) for one in zip(*drawn, strict=True))
    return risk.astype(float), event.astype(bool), cluster, stratum


def counted(risk: np.ndarray, event: np.ndarray, stratum: np.ndarray, weight: np.ndarray) -> float:
    """Every pair of one row with and one without the outcome, of the same stratum, one by one."""
    right = total = 0.0
    for i in np.flatnonzero(event):
        for j in np.flatnonzero(~event):
            if stratum[i] == stratum[j]:
                pair = weight[i] * weight[j]
                total += pair
                right += pair * (1.0 if risk[i] > risk[j] else 0.5 if risk[i] == risk[j] else 0.0)
    return right / total if total else float("nan")


@given(rows)
def test_auc_is_the_share_of_pairs_put_right_in_strata_and_with_ties(drawn) -> None:
    risk, event, _, stratum = arrays(drawn)
    one = np.ones(len(risk))
    same = np.zeros(len(risk), int)
    assert auc(risk, event) == pytest.approx(counted(risk, event, same, one), nan_ok=True)
    assert auc(risk, event, stratum) == pytest.approx(counted(risk, event, stratum, one), nan_ok=True)
    if event.any() and not event.all():
        assert auc(risk, event) == pytest.approx(roc_auc_score(event, risk))


@given(rows, st.integers(0, 100))
def test_a_draw_of_clusters_counts_each_row_as_often_as_its_cluster_was_drawn(drawn, seed: int) -> None:
    risk, event, cluster, stratum = arrays(drawn)
    resampling = Resampling.of(cluster, 5, seed)
    ranked = Ranked.of(risk, event, resampling.cluster, resampling.clusters, stratum)
    whole = Ranked.of(risk, event, resampling.cluster, resampling.clusters)
    within, _ = ranked.measured(resampling.drawn)
    over, precision = whole.measured(resampling.drawn)
    for n in range(5):
        weight = resampling.drawn[resampling.cluster, n]
        assert within[n] == pytest.approx(counted(risk, event, stratum, weight), nan_ok=True)
        assert over[n] == pytest.approx(counted(risk, event, stratum * 0, weight), nan_ok=True)
        if (weight * event).sum() > 0:
            expected = average_precision_score(event, risk, sample_weight=weight)
            assert precision[n] == pytest.approx(expected)


def test_blocks_of_repetitions_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    risk, event, cluster = random.random(500), random.random(500) < 0.3, random.integers(0, 60, 500)
    resampling = Resampling.of(cluster, 50, 0)
    once = measured(risk, event, resampling)[2]
    monkeypatch.setattr("retinue.insight.validation.discrimination._CELLS", 700)
    assert (measured(risk, event, resampling)[2] == once).all()


@given(rows)
def test_a_row_without_a_risk_or_stratum_is_left_out(drawn) -> None:
    risk, event, cluster, stratum = arrays(drawn)
    gone = stratum == 2
    assert auc(np.where(gone, np.nan, risk), event) == pytest.approx(
        auc(risk[~gone], event[~gone]), nan_ok=True
    )
    away = np.where(gone, -1, stratum)
    some = auc_within(risk, event, cluster, away)
    kept = auc_within(risk[~gone], event[~gone], cluster[~gone], stratum[~gone])
    assert (some.value, some.low) == pytest.approx((kept.value, kept.low), nan_ok=True)


def delong(risk: np.ndarray, event: np.ndarray) -> float:
    """Variance of DeLong, DeLong and Clarke-Pearson (1988), written from its definition."""
    x, y = risk[event], risk[~event]
    psi = (x[:, None] > y[None, :]) + 0.5 * (x[:, None] == y[None, :])
    return psi.mean(axis=1).var(ddof=1) / len(x) + psi.mean(axis=0).var(ddof=1) / len(y)


def obuchowski(risk: np.ndarray, event: np.ndarray, cluster: np.ndarray) -> float:
    """Variance of Obuchowski (1997), section 2, written from its definition."""
    x, y = risk[event], risk[~event]
    psi = (x[:, None] > y[None, :]) + 0.5 * (x[:, None] == y[None, :])
    area, m, n = psi.mean(), len(x), len(y)
    names = np.unique(cluster)
    v10 = np.array([(psi.mean(axis=1) - area)[cluster[event] == one].sum() for one in names])
    v01 = np.array([(psi.mean(axis=0) - area)[cluster[~event] == one].sum() for one in names])
    i, i10, i01 = len(names), len(np.unique(cluster[event])), len(np.unique(cluster[~event]))
    s10 = i10 / ((i10 - 1) * m) * (v10**2).sum()
    s01 = i01 / ((i01 - 1) * n) * (v01**2).sum()
    s11 = i / (i - 1) * (v10 * v01).sum()
    return s10 / m + s01 / n + 2 * s11 / (m * n)


@pytest.mark.parametrize("seed", range(5))
def test_the_variance_is_that_of_delong_for_single_rows_and_of_obuchowski_for_clusters(seed: int) -> None:
    random = np.random.default_rng(seed)
    event = random.random(120) < 0.3
    risk = np.round(random.normal(event * 0.8, 1, 120), 1)
    cluster = random.integers(0, 40, 120)
    assert clustered(risk, event, np.arange(120))[1] == pytest.approx(delong(risk, event))
    assert clustered(risk, event, cluster)[1] == pytest.approx(obuchowski(risk, event, cluster))


def test_rows_repeated_four_times_narrow_no_interval() -> None:
    random = np.random.default_rng(3)
    event = random.random(200) < 0.3
    risk = random.normal(event * 0.7, 1, 200)
    one, four = (
        measured(np.tile(risk, n), np.tile(event, n), Resampling.of(np.tile(np.arange(200), n), 300, 0))[0]
        for n in (1, 4)
    )
    assert (one.low, one.high) == pytest.approx((four.low, four.high))
    # Variances of clusters are sums over them: the copies add up, but for the few terms of single rows.
    once = auc_within(risk, event, np.arange(200))
    copied = auc_within(np.tile(risk, 4), np.tile(event, 4), np.tile(np.arange(200), 4))
    assert (once.low, once.high) == pytest.approx((copied.low, copied.high))


def test_on_overlapping_snapshots_the_clustered_interval_is_wider_than_that_of_rows() -> None:
    """Weekly rows with a horizon of four weeks tell each loss four times: DeLong over rows is at least 1.4
    times too narrow (on course enrolments it was 1.96 times)."""
    w = world(accounts=600, seed=2)
    rows = np.flatnonzero(w.told.usable)
    risk, event, group = -w.replay.computed[rows], w.told.event[rows], w.replay.group[rows]
    assert CHURN.horizon > 7
    by_row = auc_within(risk, event, np.arange(len(rows)))
    by_group = auc_within(risk, event, group)
    drawn = measured(risk, event, Resampling.of(group, 300, 0))[0]
    for wide in (by_group, drawn):
        assert (wide.high - wide.low) > 1.4 * (by_row.high - by_row.low)


def test_intervals_of_clustered_rows_cover_and_those_of_rows_do_not() -> None:
    """300 samples of 80 clusters of 6 rows that share half of their risk and their outcome (seed 11); the
    truth is the AUC of 400,000 rows. Nominal .95; three standard errors of 300 draws are .038."""
    truth_risk, truth_event, _ = grouped(np.random.default_rng(10), 80_000)
    truth = auc(truth_risk, truth_event)
    random = np.random.default_rng(11)
    hits = np.zeros(3)
    for n in range(300):
        risk, event, cluster = grouped(random, 80)
        intervals = (
            measured(risk, event, Resampling.of(cluster, 200, n))[0],
            auc_within(risk, event, cluster),
            auc_within(risk, event, np.arange(len(risk))),
        )
        hits += [one.low <= truth <= one.high for one in intervals]
    drawn, closed, naive = hits / 300
    assert 0.91 <= drawn <= 0.985 and 0.91 <= closed <= 0.985
    assert naive < 0.85


def grouped(random: np.random.Generator, clusters: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    own = np.repeat(random.normal(0, 1, clusters), 6)
    lost = np.repeat(random.random(clusters) < 0.3, 6) & (random.random(clusters * 6) < 0.8)
    return own + lost * 0.8 + random.normal(0, 0.7, clusters * 6), lost, np.repeat(np.arange(clusters), 6)
