"""What moved between two dates, against an oracle that adds up one account after the other."""

from __future__ import annotations

import math
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retinue.desk.movement import Movement, Weight, movement
from retinue.desk.panel import Frame
from retinue.insight.replay import Coded
from retinue.run.planned import STANDINGS

FIRST, LAST = date(2026, 1, 1), date(2026, 2, 1)
GROUPS = ("a", "b", "c")
BANDS = ("at_risk", "watch", "healthy")

#: An account on one date: score and band, ARR, group; None where it is not there.
Side = tuple[float | None, float | None, str | None] | None
_side = st.one_of(
    st.none(),
    st.tuples(
        st.one_of(st.none(), st.floats(0, 100)),
        st.one_of(st.none(), st.just(0.0), st.floats(0.01, 1e6)),
        st.sampled_from((*GROUPS, None)),
    ),
)
accounts = st.dictionaries(st.integers(0, 40).map(str), st.tuples(_side, _side), min_size=1, max_size=25)


def frame(day: date, told: dict[str, Side]) -> Frame:
    there = {name: one for name, one in sorted(told.items()) if one is not None}
    score = np.array([math.nan if one[0] is None else one[0] for one in there.values()], float)
    arr = np.array([math.nan if one[1] is None else one[1] for one in there.values()], float)
    band = np.array([-1 if math.isnan(s) else _band(s) for s in score], np.int8)
    return Frame(
        day,
        pa.array(list(there), pa.string()),
        score,
        band,
        arr,
        np.full(len(there), 500, np.float32),
        Coded.of(["card"] * len(there)),
        {"group": Coded.of([one[2] for one in there.values()])},
    )


def _band(score: float) -> int:
    return 0 if score < 40 else 1 if score < 70 else 2


def moved(told: dict[str, tuple[Side, Side]], weight: Weight) -> Movement:
    first = frame(FIRST, {name: pair[0] for name, pair in told.items()})
    last = frame(LAST, {name: pair[1] for name, pair in told.items()})
    return movement(first, last, "group", weight)


def naive(told: dict[str, tuple[Side, Side]], weight: Weight) -> dict[str | None, dict[str, float]] | None:
    """The four parts by group, one account after the other, in plain numbers."""
    arrs = [math.fsum(pair[n][1] or 0.0 for pair in told.values() if pair[n]) for n in (0, 1)]
    by_arr = weight == "arr" and all(arrs)

    def shares(n: int) -> dict[str, tuple[float, float]]:
        kept = {}
        for name, pair in told.items():
            side = pair[n]
            if side is None or side[0] is None:
                continue
            weighed = (side[1] or 0.0) if by_arr else 1.0
            if weighed > 0:
                kept[name] = (weighed, side[0])
        whole = math.fsum(one[0] for one in kept.values())
        return {name: (one[0] / whole, one[1]) for name, one in kept.items()}

    before, after = shares(0), shares(1)
    if not before or not after:
        return None
    middle = (math.fsum(w * s for w, s in before.values()) + math.fsum(w * s for w, s in after.values())) / 2
    parts: dict[str | None, dict[str, float]] = {}
    for name, (first, last) in told.items():
        known = last if last is not None else first
        if known is None:
            continue
        group = parts.setdefault(known[2], dict.fromkeys(("within", "mix", "entry", "exit"), 0.0))
        if name in before and name in after:
            (w0, s0), (w1, s1) = before[name], after[name]
            group["within"] += (w0 + w1) / 2 * (s1 - s0)
            group["mix"] += (w1 - w0) * ((s0 + s1) / 2 - middle)
        elif name in after:
            group["entry"] += after[name][0] * (after[name][1] - middle)
        elif name in before:
            group["exit"] -= before[name][0] * (before[name][1] - middle)
    return parts


@given(accounts, st.sampled_from(("arr", "accounts")))
def test_the_parts_are_those_of_a_naive_sum_and_add_up_to_the_change(
    told: dict[str, tuple[Side, Side]], weight: Weight
) -> None:
    found, oracle = moved(told, weight), naive(told, weight)
    known = all(math.fsum(pair[n][1] or 0 for pair in told.values() if pair[n]) for n in (0, 1))  # type: ignore[index]
    assert found.weight == (weight if known else "accounts")
    if oracle is None:
        assert found.parts is None and found.groups == ()
        return
    assert found.parts is not None and found.before is not None and found.after is not None
    assert found.parts.points == pytest.approx(found.after - found.before, abs=1e-9)
    assert {one.value for one in found.groups} == set(oracle)
    for one in found.groups:
        for name, points in oracle[one.value].items():
            assert getattr(one.parts, name) == pytest.approx(points, abs=1e-9)
    for name in ("within", "mix", "entry", "exit"):
        whole = math.fsum(getattr(one.parts, name) for one in found.groups)
        assert whole == pytest.approx(getattr(found.parts, name), abs=1e-9)


@given(accounts)
def test_every_account_stands_once_in_the_migration_with_its_later_arr(
    told: dict[str, tuple[Side, Side]],
) -> None:
    found = moved(told, "accounts").migration

    def standing(side: Side) -> str:
        if side is None:
            return "absent"
        return "not_scored" if side[0] is None else BANDS[_band(side[0])]

    cells: dict[tuple[str, str], list[float]] = {}
    unknown = 0
    for first, last in told.values():
        if first is None and last is None:
            continue
        arr = last[1] if last is not None and last[1] is not None else first[1] if first is not None else None
        unknown += arr is None
        cells.setdefault((standing(first), standing(last)), []).append(arr or 0.0)
    for n, one in enumerate(STANDINGS):
        for m, other in enumerate(STANDINGS):
            mine = cells.get((one, other), [])
            assert found.accounts[n, m] == len(mine)
            assert found.arr[n, m] == pytest.approx(math.fsum(mine))
    assert found.unknown == unknown


@given(accounts)
def test_who_came_and_who_went_is_counted_by_having_a_score(told: dict[str, tuple[Side, Side]]) -> None:
    found = moved(told, "accounts")
    scored: list[list[bool]] = [
        [side is not None and side[0] is not None for side in pair] for pair in told.values()
    ]
    assert found.entered == sum(after and not before for before, after in scored)
    assert found.left == sum(before and not after for before, after in scored)


def test_an_account_that_changes_its_group_counts_where_it_is_now() -> None:
    told: dict[str, Any] = {
        "1": ((50.0, 10.0, "a"), (70.0, 10.0, "b")),
        "2": ((60.0, 10.0, "a"), (60.0, 10.0, "a")),
    }
    found = {one.value: one for one in moved(told, "arr").groups}
    assert found["b"].parts.within == pytest.approx(10.0)
    assert found["a"].parts.within == 0.0
    assert found["b"].before == 50.0 and found["b"].after == 70.0
