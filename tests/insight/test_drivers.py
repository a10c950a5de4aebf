"""Drivers sum to the change, whatever happened in between."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retinue.insight.drivers import (
    AVAILABILITY,
    KINDS,
    VALUE,
    WHOLE,
    Bridge,
    Legs,
    MeasureRow,
    Rows,
    Scoring,
    Snapshot,
    chain,
    drivers_of,
    explain_change,
)

NAMES = [
    ("adoption", "users"),
    ("adoption", "depth"),
    ("voice", "nps"),
    ("voice", "users"),
    ("money", "paid"),
]
TOLERANCE = 1e-9


def scored(points, weights=None, cap=None):
    """A scoring from points by name (None: missing), with equal or given weights."""
    weights = weights or dict.fromkeys(points, 1.0)
    there = {n: p for n, p in points.items() if p is not None}
    total = sum(weights[n] for n in there)
    rows = tuple(
        MeasureRow(*n, None, "missing", None, None) if p is None
        else MeasureRow(*n, p, "ok", p, weights[n] / total)
        for n, p in points.items()
    )  # fmt: skip
    base = sum(r.points * r.weight for r in rows if r.points is not None)
    adjustment = min(0.0, cap - base) if cap is not None else 0.0
    return Scoring(base, adjustment, base + adjustment, rows)


def snapshot(day, scoring, published=None, effective=None):
    published = scoring.computed if published is None else published
    effective = published if effective is None else effective
    return Snapshot(
        day, scoring.base, scoring.adjustment, scoring.computed, published, effective, scoring.measures
    )


@st.composite
def scorings(draw):
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, unique=True))
    points = {n: draw(st.one_of(st.none(), st.floats(0, 100))) for n in names}
    points[names[0]] = draw(st.floats(0, 100))
    weights = {n: draw(st.floats(0.01, 10)) for n in names}
    return scored(points, weights, draw(st.one_of(st.none(), st.floats(0, 100))))


@st.composite
def changes(draw):
    bridges = []
    for day in sorted(draw(st.sets(st.integers(1, 9), max_size=3))):
        old = draw(st.one_of(st.none(), scorings()))
        before = draw(st.one_of(st.none(), scorings())) if old is None else None
        bridges.append(Bridge(day, draw(scorings()), old, before))
    ends = [
        snapshot(day, draw(scorings()), draw(st.floats(0, 100)), draw(st.floats(0, 100))) for day in (0, 9)
    ]
    return ends[0], ends[1], bridges


@settings(max_examples=150, deadline=None)
@given(changes())
def test_drivers_sum_to_the_change_across_gaps_caps_bridges_smoothing_and_overrides(change):
    start, end, bridges = change
    drivers = explain_change(start, end, bridges)
    assert sum(d.points for d in drivers) == pytest.approx(end.effective - start.effective, abs=TOLERANCE)
    assert len({(d.kind, d.component, d.metric) for d in drivers}) == len(drivers)


def rows_of(scorings, number):
    found = [
        (leg, number[m.component, m.metric], math.nan if m.points is None else m.points, m.weight or 0.0)
        for leg, s in enumerate(scorings)
        for m in s.measures
    ]
    leg, key, points, share = (np.array(c) for c in zip(*found, strict=True))
    return Rows(leg, key, points, share)


def legs_of(pairs):
    number = {name: n for n, name in enumerate(NAMES)}
    return Legs(
        rows_of([a for a, _ in pairs], number),
        rows_of([b for _, b in pairs], number),
        *(np.array([getattr(p[n], f) for p in pairs]) for f in ("base", "adjustment") for n in (0, 1)),
    )


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(scorings(), scorings()), min_size=1, max_size=6))
def test_each_leg_sums_to_its_change_of_base_and_the_rule_completes_computed(pairs):
    legs = legs_of(pairs)
    found = drivers_of(legs)
    sums = np.bincount(found.leg, found.points, len(pairs))
    assert np.allclose(sums, legs.base1 - legs.base0, rtol=0, atol=TOLERANCE)
    computed = [b.computed - a.computed for a, b in pairs]
    assert np.allclose(sums + found.rule, computed, rtol=0, atol=TOLERANCE)
    # By the formula, measure by measure, in plain Python.
    for n, (a, b) in enumerate(pairs):
        m = (a.base + b.base) / 2
        old = {(r.component, r.metric): r for r in a.measures if r.points is not None}
        new = {(r.component, r.metric): r for r in b.measures if r.points is not None}
        for key, name in enumerate(NAMES):
            value = availability = 0.0
            if name in old and name in new:
                p, q = old[name], new[name]
                value = (p.weight + q.weight) / 2 * (q.points - p.points)
                availability = (q.weight - p.weight) * ((p.points + q.points) / 2 - m)
            elif name in new:
                availability = new[name].weight * (new[name].points - m)
            elif name in old:
                availability = -old[name].weight * (old[name].points - m)
            for kind, wanted in ((VALUE, value), (AVAILABILITY, availability)):
                at = (found.leg == n) & (found.key == key) & (found.kind == kind)
                assert found.points[at].sum() == pytest.approx(wanted, abs=TOLERANCE)


@settings(max_examples=40, deadline=None)
@given(st.lists(changes(), min_size=1, max_size=5))
def test_many_changes_at_once_give_what_each_gives_alone(many):
    number = {name: n for n, name in enumerate(NAMES)}
    pairs, of, configuration = [], [], []
    for n, (start, end, bridges) in enumerate(many):
        here, step = start.scoring, 0.0
        for b in bridges:
            last = b.old or b.before or here
            pairs.append((here, last))
            step += b.new.computed - last.computed
            here = b.new
        pairs.append((here, end.scoring))
        of += [n] * (len(bridges) + 1)
        configuration.append(step)
    moved = [[getattr(e, f) - getattr(e, g) - getattr(s, f) + getattr(s, g) for s, e, _ in many]
             for f, g in (("published", "computed"), ("effective", "published"))]  # fmt: skip
    together = chain(legs_of(pairs), np.array(of), np.array(configuration), *map(np.array, moved))
    for n, change in enumerate(many):
        mine = together.change == n
        got = dict(zip(zip(together.kind[mine], together.key[mine], strict=True), together.points[mine],
                       strict=True))  # fmt: skip
        alone = {
            (KINDS.index(d.kind), number[d.component, d.metric] if d.component else WHOLE): d.points
            for d in explain_change(*change)
        }
        for key in got.keys() | alone.keys():
            assert got.get(key, 0.0) == pytest.approx(alone.get(key, 0.0), abs=TOLERANCE)


def test_a_capped_account_that_improves_shows_offsetting_drivers():
    a, b = (
        scored({NAMES[0]: 60.0, NAMES[4]: 50.0}, cap=40.0),
        scored({NAMES[0]: 80.0, NAMES[4]: 50.0}, cap=40.0),
    )
    drivers = explain_change(snapshot(0, a), snapshot(1, b))
    assert [(d.kind, d.metric, round(d.points, 9)) for d in drivers] == [
        ("rule", None, -10.0),
        ("value", "users", 10.0),
    ]


def test_a_measure_that_goes_missing_is_availability_of_that_measure():
    full, less = scored({NAMES[0]: 80.0, NAMES[2]: 20.0}), scored({NAMES[0]: 80.0, NAMES[2]: None})
    drivers = explain_change(snapshot(0, full), snapshot(1, less))
    assert {d.kind for d in drivers} == {"availability"}
    assert {d.metric: round(d.points, 9) for d in drivers} == {"nps": 22.5, "users": 7.5}


def test_a_new_scorecard_is_configuration_and_what_the_data_did_stays_theirs():
    before, old, new = scored({NAMES[0]: 50.0}), scored({NAMES[0]: 60.0}), scored({NAMES[4]: 30.0})
    bridge = Bridge(1, new, old)
    drivers = explain_change(snapshot(0, before), snapshot(1, new), [bridge])
    assert [(d.kind, d.points) for d in drivers] == [("configuration", -30.0), ("value", 10.0)]
    drivers = explain_change(snapshot(0, before), snapshot(1, new), [replace(bridge, old=None)])
    assert [(d.kind, d.points) for d in drivers] == [("configuration", -20.0)]
    last = replace(bridge, old=None, before=old)
    assert explain_change(snapshot(0, before), snapshot(1, new), [last])[0].points == -30.0


def test_bridges_outside_the_span_do_not_count():
    a = snapshot(5, scored({NAMES[0]: 50.0}))
    b = snapshot(8, scored({NAMES[0]: 60.0}))
    odd = scored({NAMES[2]: 1.0})
    outside = [Bridge(5, odd, a.scoring), Bridge(9, odd, b.scoring)]
    assert explain_change(a, b, outside) == explain_change(a, b)


def test_smoothing_and_override_are_drivers_of_their_own():
    a, b = scored({NAMES[0]: 50.0}), scored({NAMES[0]: 52.0})
    drivers = explain_change(snapshot(0, a), snapshot(1, b, published=50.0, effective=30.0))
    assert [(d.kind, d.points) for d in drivers] == [("override", -20.0), ("smoothing", -2.0), ("value", 2.0)]


def test_a_score_rolled_up_from_children_changes_as_a_whole():
    drivers = explain_change(snapshot(0, Scoring(40.0, 0.0, 40.0)), snapshot(1, Scoring(55.0, -5.0, 50.0)))
    assert [(d.kind, d.metric, d.points) for d in drivers] == [("value", None, 15.0), ("rule", None, -5.0)]


def test_nothing_changed_gives_no_drivers():
    same = snapshot(0, scored({NAMES[0]: 50.0, NAMES[1]: 70.0}))
    assert explain_change(same, replace(same, as_of=1)) == []


def test_a_measure_twice_at_one_end_is_refused():
    twice = Rows(np.array([0, 0]), np.array([1, 1]), np.array([5.0, 6.0]), np.array([0.5, 0.5]))
    once = Rows(np.array([0]), np.array([1]), np.array([5.0]), np.array([1.0]))
    with pytest.raises(ValueError, match="twice"):
        drivers_of(Legs(twice, once, *(np.zeros(1) for _ in range(4))))
