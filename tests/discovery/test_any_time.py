"""Metrics on any date, beside what came within the horizon."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from retinue.errors import TrialError
from retinue.insight.discovery.any_time import discover_metrics
from retinue.insight.replay import Coded, Labels, Outcome, Replay, labels
from tests.drift.worlds import CHURN, FIRST, HORIZON, book

NAMES = ("health", "noise", "of_the_segment", "sparse")


def metrics(seed: int) -> tuple[Replay, Labels]:
    """The metrics of a book: one with health in it, one of chance, one that goes with the segment alone,
    which has half of its accounts leave more, and one that few snapshots have."""
    replay, _, told, _ = book(seed, accounts=800)
    rng = np.random.default_rng(seed)
    segment = np.where(told.event & (rng.random(len(replay)) < 0.5), 1, rng.integers(0, 2, len(replay)))
    values = np.column_stack([
        np.round(replay.points[:, 0]),
        rng.normal(size=len(replay)),
        segment + rng.normal(0, 0.3, len(replay)),
        np.where(rng.random(len(replay)) < 0.4, replay.points[:, 1], np.nan),
    ])  # fmt: skip
    coded = Coded(segment.astype(np.int64), ("large", "small"))
    return replace(replay, metrics=NAMES, values=values, segment=coded), told


def test_what_health_is_in_is_found_and_what_the_segment_explains_is_not() -> None:
    """Five books of 800 accounts and eight dates (seeds 0 on)."""
    for seed in range(5):
        replay, told = metrics(seed)
        seen = discover_metrics(replay, told, CHURN)
        found = {one.feature for one in seen.findings if one.confirmed}
        assert "health" in found
        assert "of_the_segment" not in found
        crude = {one.feature: one.crude_p for one in seen.rejected}
        assert crude["of_the_segment"] < 0.05
        assert seen.accounts == int(told.usable.sum())
        assert not seen.first_days


def test_snapshots_without_a_value_are_left_out_not_counted_as_low() -> None:
    """Rates are those of the snapshots that have a value, by hand."""
    replay, told = metrics(1)
    seen = discover_metrics(replay, told, CHURN)
    one = next(one for one in seen.findings if one.feature == "sparse")
    value = replay.values[told.usable, 3]
    both = [one.discovered.having.accounts + one.held_out.having.accounts,
            one.discovered.lacking.accounts + one.held_out.lacking.accounts]  # fmt: skip
    assert both == [int(np.sum(value >= one.at_least)), int(np.sum(value < one.at_least))]
    assert sum(bar.outcome.accounts for bar in one.bins) == (
        one.held_out.having.accounts + one.held_out.lacking.accounts
    )


def test_words_are_of_snapshots() -> None:
    seen = discover_metrics(*metrics(1), CHURN)
    one = seen.findings[0]
    assert one.sentence.startswith(f"Snapshots with {one.feature} of at least ")
    assert "snapshots of the same segment, stage and quarter" in one.sentence
    assert "first" not in one.title


def test_of_an_outcome_that_comes_again_each_account_counts_once_on_any_date() -> None:
    """The rate stays what it is over all snapshots (three standard errors): which one of an account counts
    does not depend on what came."""
    replay, events, _, until = book(1, accounts=4000)
    again = Outcome("contraction", HORIZON, final=False)
    told = labels(replay, events, again, until)
    seen = discover_metrics(replay, told, again)
    usable = told.usable & replay.scored
    rate = float(told.event[usable].mean())
    assert seen.accounts == pytest.approx(usable.sum() / 8, rel=0.1)
    assert seen.events / seen.accounts == pytest.approx(rate, abs=3 * np.sqrt(rate / seen.accounts))


def test_nothing_that_has_come_is_said() -> None:
    replay, events, _, _ = book(1, accounts=100)
    with pytest.raises(TrialError, match="no snapshot has an outcome yet"):
        discover_metrics(replay, labels(replay, events, CHURN, FIRST + 5), CHURN)
