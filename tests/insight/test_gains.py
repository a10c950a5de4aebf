"""The score of one account, and what would raise it: DESIGN section 6."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from retinue.insight.gains import Account, Limit, Placed, combine, gains, score

NAN = math.nan


def account(*points, **more):
    return Account(tuple(Placed("use", f"m{n}", p, 1.0) for n, p in enumerate(points)), **more)


@st.composite
def accounts(draw):
    measures = []
    for n in range(draw(st.integers(1, 6))):
        present = draw(st.sampled_from(["present", "present", "present", "missing", "not_applicable"]))
        measures.append(
            Placed(
                draw(st.sampled_from(["use", "voice"])),
                f"m{n}",
                draw(st.floats(0, 100)) if present == "present" else NAN,
                draw(st.floats(0.1, 50)),
                draw(st.sampled_from([1.0, 1.0, 0.5, 0.2, 0.0])),
                present,
                draw(st.sampled_from(["reweight", "neutral", "worst"])),
                draw(st.sampled_from([100.0, 70.0])),
            )
        )
    limits = st.lists(st.builds(Limit, st.floats(0, 100), st.text("ab", max_size=3)), max_size=2).map(tuple)
    return Account(tuple(measures), draw(limits), draw(limits), draw(st.sampled_from([0.0, 0.5, 0.9])))


@settings(max_examples=300, deadline=None)
@given(accounts())
def test_a_score_is_its_contributions_plus_its_adjustment(one):
    got = score(one)
    assert 0 <= got.coverage <= 1 + 1e-12
    if not got.scored:
        assert math.isnan(got.base)
        assert not got.weights.any()
        return
    assert got.contributions.sum() == pytest.approx(got.base, abs=1e-9)
    assert got.computed == pytest.approx(got.base + got.adjustment, abs=1e-9)
    assert got.weights.sum() == pytest.approx(1, abs=1e-9)
    assert -1e-9 <= got.computed <= 100 + 1e-9
    assert all(got.computed <= cap.level for cap in one.caps)
    if got.cap is None and one.floors:
        assert got.computed >= max(f.level for f in one.floors) - 1e-9


@settings(max_examples=200, deadline=None)
@given(accounts())
def test_every_promised_gain_is_what_doing_it_gives(one):
    told = gains(one)
    for gain in told.gains:
        if gain.kind == "lift":
            done = replace(one, caps=tuple(c for n, c in enumerate(one.caps) if n != told.now.cap))
        else:
            done = replace(
                one,
                measures=tuple(
                    replace(m, points=gain.to_points, freshness=1.0, present="present")
                    if m.metric == gain.metric
                    else m
                    for m in one.measures
                ),
            )
        after = score(done).computed
        assert np.array_equal(after, gain.computed, equal_nan=True)
        assert np.array_equal(after - told.now.computed, gain.gain, equal_nan=True)


@settings(max_examples=100, deadline=None)
@given(accounts(), st.floats(0.01, 100))
def test_the_scale_of_the_weights_does_not_matter(one, factor):
    scaled = replace(
        one, measures=tuple(replace(m, declared_share=m.declared_share * factor) for m in one.measures)
    )
    a, b = score(one), score(scaled)
    assert a.scored == b.scored
    if a.scored:
        assert b.computed == pytest.approx(a.computed, abs=1e-9)


@settings(max_examples=100, deadline=None)
@given(accounts(), st.integers(0, 5), st.floats(0, 100))
def test_more_points_never_lower_the_score(one, place, points):
    assume(place < len(one.measures))
    measure = one.measures[place]
    assume(measure.present == "present" and points >= measure.points)
    better = (*one.measures[:place], replace(measure, points=points), *one.measures[place + 1 :])
    a, b = score(one), score(replace(one, measures=better))
    assert a.scored == b.scored
    if a.scored:
        assert b.computed >= a.computed - 1e-9


def test_a_score_worked_by_hand():
    # Shares: 30 x 3/5 = 18, 30 x 2/5 = 12 at half freshness = 6, 20 missing.
    got = combine(
        [80, 50, NAN], [18, 12, 20], [1, 0.5, 1], ["present", "present", "missing"], ["reweight"] * 3
    )
    assert not got.scored
    assert got.coverage == pytest.approx(24 / 50)
    got = combine([80, 50, NAN], [18, 12, 20], [1, 1, 1], ["present", "present", "missing"], ["reweight"] * 3)
    assert got.coverage == pytest.approx(0.6)
    assert got.weights.tolist() == pytest.approx([0.6, 0.4, 0])
    assert got.base == pytest.approx(68)


@pytest.mark.parametrize(("policy", "wanted"), [("reweight", 80.0), ("neutral", 65.0), ("worst", 40.0)])
def test_missing_reweights_or_stands_in_but_is_never_covered(policy, wanted):
    got = combine([80, NAN], [1, 1], [1, 1], ["present", "missing"], ["reweight", policy])
    assert got.computed == pytest.approx(wanted)
    assert got.coverage == pytest.approx(0.5)


def test_not_applicable_leaves_both_sides_of_coverage_and_missing_one():
    for state, coverage in (("not_applicable", 1.0), ("missing", 0.25)):
        got = combine([80, NAN], [1, 3], [1, 1], ["present", state], ["reweight"] * 2)
        assert got.coverage == pytest.approx(coverage)
    nothing = combine([NAN], [1], [1], ["not_applicable"], ["reweight"], min_coverage=0)
    assert not nothing.scored


def test_a_cap_beats_a_floor_and_the_binding_one_is_named():
    got = combine([60], [1], [1], ["present"], ["reweight"], caps=[50, 40, 45], floors=[55, 70])
    assert (got.computed, got.adjustment, got.cap, got.floor) == (40.0, -20.0, 1, 1)
    idle = combine([30], [1], [1], ["present"], ["reweight"], caps=[50], floors=[20])
    assert (idle.computed, idle.cap, idle.floor) == (30.0, None, None)


def test_a_capped_account_is_told_the_cap_and_that_measures_give_nothing():
    told = gains(account(80.0, 60.0, caps=(Limit(60, "slow"), Limit(40, "an invoice is overdue"))))
    assert told.cap == Limit(40, "an invoice is overdue")
    assert [(g.kind, g.gain, g.because) for g in told.gains[:1]] == [("lift", 20.0, "an invoice is overdue")]
    assert [g.gain for g in told.gains[1:]] == [0.0, 0.0]


def test_the_candidate_that_raises_most_comes_first_and_the_full_one_not_at_all():
    told = gains(account(90.0, 20.0, 100.0))
    assert [(g.metric, round(g.gain, 6)) for g in told.gains] == [("m1", 26.666667), ("m0", 3.333333)]


def test_supplying_what_is_missing_can_make_an_account_scored():
    one = account(40.0, NAN, NAN)
    one = replace(one, measures=(one.measures[0], *(replace(m, present="missing") for m in one.measures[1:])))
    told = gains(one)
    assert not told.now.scored
    assert told.gains[0].kind == "supply"
    assert told.gains[0].computed == 70.0


def test_a_rescorer_may_know_that_raising_a_metric_lifts_the_cap():
    one = account(10.0, 60.0, caps=(Limit(20, "nobody logs in"),))

    def rescore(a):
        return score(replace(a, caps=()) if a.measures[0].points > 50 else a)

    told = gains(one, rescore)
    assert {g.metric: g.gain for g in told.gains if g.metric} == {"m0": 60.0, "m1": 0.0}
