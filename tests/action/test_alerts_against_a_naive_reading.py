"""Alerts of random histories are those that a slow reading of the rules finds, account by account."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retinue.action.alerts import Before, Memory, raised
from retinue.action.picture import BANDS, NEVER, Earlier, Happened, Picture
from retinue.project.alerts import Alerting, AlertRule

ACCOUNTS = 5
RULES: dict[str, dict[str, Any]] = {
    "red": {"band": "at_risk", "hold": "2d", "rest": "5d", "severity": "high"},
    "fell": {"drop": 20, "within": "3d", "rest": "4d"},
    "part": {"component": "adoption", "by": 10, "within": "3d", "rest": "0d"},
    "notice": {"event": "notices", "severity": "high"},
    "renews": {"renewal_within": "10d", "below": 60, "rest": "30d"},
    "blind": {"coverage_below": 0.5, "hold": "1d", "rest": "0d", "severity": "low"},
    "silent": {"no_touch": "6d", "rest": "3d", "applies_to": "segment = large"},
    "odd": {"anomaly": "any", "rest": "2d"},
    "grows": {"expansion": "seats > 10 and segment in (large, mid)", "severity": "low", "rest": "1d"},
}
#: Days of rest, as written above.
RESTS = {"red": 5, "fell": 4, "part": 0, "renews": 30, "silent": 3, "odd": 2, "grows": 1}
#: In the order in which the limit per account is used up.
ORDER = ("notice", "red", "fell", "odd", "part", "renews", "silent", "blind", "grows")


@dataclass(frozen=True)
class Day:
    """One account on one day, as it was drawn."""

    computed: float | None
    band: str | None
    coverage: float
    recalibrated: bool
    renews_in: float | None
    adoption: float | None
    segment: str
    seats: float | None
    events: int
    touched: int | None
    anomaly: bool
    decline: bool
    muted: frozenset[str]


_days = st.builds(
    Day,
    computed=st.none() | st.sampled_from([10.0, 30.0, 50.0, 55.0, 70.0, 90.0]),
    band=st.sampled_from([None, *BANDS, "at_risk"]),
    coverage=st.sampled_from([0.3, 0.5, 1.0]),
    recalibrated=st.sampled_from([False, False, False, True]),
    renews_in=st.none() | st.sampled_from([-1.0, 0.0, 5.0, 10.0, 11.0]),
    adoption=st.none() | st.sampled_from([0.0, 40.0, 50.0, 60.0]),
    segment=st.sampled_from(["large", "mid", "small"]),
    seats=st.none() | st.sampled_from([5.0, 10.0, 11.0]),
    events=st.sampled_from([0, 0, 0, 1, 2]),
    touched=st.none() | st.integers(-10, 0),
    anomaly=st.sampled_from([False, False, True]),
    decline=st.sampled_from([False, False, True]),
    muted=st.sampled_from([frozenset(), frozenset(), frozenset({"red"}), frozenset({"fell", "odd"})]),
)
_histories = st.lists(st.lists(_days, min_size=ACCOUNTS, max_size=ACCOUNTS), min_size=1, max_size=12)


def naive(history: list[list[Day]], per_account: int) -> list[set[tuple[str, int]]]:
    """What each day raises, read rule by rule and account by account with plain Python."""
    told_on: dict[tuple[str, int], list[int]] = {}
    episode: dict[tuple[str, int], dict[str, Any] | None] = {}
    answers = []
    for day, today in enumerate(history):
        out: set[tuple[str, int]] = set()
        for name in ORDER:
            for account in range(ACCOUNTS):
                key, one = (name, account), today[account]
                true = _true(name, one, history[day - 3][account] if day >= 3 else None)
                if not true:
                    episode[key] = None
                    continue
                new_row = name == "notice"
                if episode.get(key) is None or new_row:
                    silent = (one.recalibrated and name in ("red", "fell", "part", "blind")) or (
                        day == 0 and not new_row
                    )
                    episode[key] = {"since": day, "done": silent}
                current = episode[key]
                assert current is not None
                hold = {"red": 2, "blind": 1}.get(name, 0)
                rest = RESTS.get(name, 0)
                last = told_on.get(key, [])
                rested = new_row or not last or day - last[-1] >= rest
                if current["done"] or day - current["since"] < hold or not rested:
                    continue
                if name in one.muted:
                    continue
                lately = sum(
                    1 for (_, a), days in told_on.items() if a == account for d in days if day - 28 < d
                )
                current["done"] = True
                if lately < per_account:
                    told_on.setdefault(key, []).append(day)
                    out.add(key)
        answers.append(out)
    return answers


def _true(name: str, one: Day, then: Day | None) -> bool:
    match name:
        case "red":
            return one.band == "at_risk"
        case "fell":
            known = then is not None and then.computed is not None and one.computed is not None
            return known and then.computed - one.computed >= 20
        case "part":
            known = then is not None and then.adoption is not None and one.adoption is not None
            return known and then.adoption - one.adoption >= 10
        case "notice":
            return one.events > 0
        case "renews":
            soon = one.renews_in is not None and 0 <= one.renews_in <= 10
            return soon and one.computed is not None and one.computed < 60
        case "blind":
            return one.coverage < 0.5
        case "silent":
            return one.segment == "large" and (one.touched is None or -one.touched > 6)
        case "odd":
            return one.anomaly or one.decline
        case "grows":
            return one.seats is not None and one.seats > 10 and one.segment in ("large", "mid")
    raise AssertionError(name)


def evaluated(history: list[list[Day]], policy: Alerting) -> list[set[tuple[str, int]]]:
    rules = {name: AlertRule.model_validate(told) for name, told in RULES.items()}
    memory: dict[str, Memory] = {}
    days_of: list[tuple[int, int]] = []
    answers = []
    for day, today in enumerate(history):
        then = history[day - 3] if day >= 3 else None
        lately = np.array(
            [sum(1 for at, a in days_of if a == account and day - 28 < at) for account in range(ACCOUNTS)]
        )
        found = raised(
            rules,
            policy,
            picture(day, today),
            {3: earlier(then)} if then is not None else {},
            Happened(
                {"notice": np.array([one.events for one in today])},
                {"silent": np.array([NEVER if one.touched is None else day + one.touched for one in today])},
                np.array([one.anomaly for one in today]),
                np.array([one.decline for one in today]),
            ),
            Before(
                memory,
                lately,
                {name: np.array([name in one.muted for one in today]) for name in rules},
            ),
        )
        memory = dict(found.memory)
        out = {(name, int(place)) for name, places in found.alerts.items() for place in places}
        days_of += [(day, account) for _, account in out]
        answers.append(out)
    return answers


def picture(day: int, today: list[Day]) -> Picture:
    def numbers(values: list[float | None]) -> Any:
        return np.array([math.nan if value is None else value for value in values])

    return Picture(
        day=day,
        ids=pa.array([f"A{n}" for n in range(len(today))]),
        computed=numbers([one.computed for one in today]),
        band=np.array([-1 if one.band is None else BANDS.index(one.band) for one in today], np.int8),
        coverage=numbers([one.coverage for one in today]),
        recalibrated=np.array([one.recalibrated for one in today]),
        arr=numbers([None] * len(today)),
        renews_in=numbers([one.renews_in for one in today]),
        components={"adoption": numbers([one.adoption for one in today])},
        columns={
            "segment": pa.array([one.segment for one in today]),
            "seats": pa.array([one.seats for one in today], pa.float64()),
        },
    )


def earlier(then: list[Day]) -> Earlier:
    before = picture(0, then)
    return Earlier(before.computed, before.components)


@settings(max_examples=150, deadline=None)
@given(history=_histories, per_account=st.integers(1, 4))
def test_alerts_of_any_history_are_those_of_a_slow_reading(history: list[list[Day]], per_account: int):
    policy = Alerting(per_account=per_account, storm=1.0)
    assert evaluated(history, policy) == naive(history, per_account)


def calm(**changes: Any) -> Day:
    one = Day(80.0, "healthy", 1.0, False, None, 60.0, "small", None, 0, 0, False, False, frozenset())
    return replace(one, **changes)


@pytest.mark.parametrize("days", [1, 4])
def test_a_new_rule_tells_nobody_on_its_first_date(days: int):
    red = [calm(band="at_risk", computed=20.0)] * ACCOUNTS
    assert evaluated([red] * days, Alerting(storm=1.0)) == [set()] * days


def test_a_dip_of_everybody_is_one_storm_and_uses_nobodys_alerts_up():
    accounts = 40
    rules = {"fell": AlertRule.model_validate({"drop": 20, "within": "3d"})}
    high, low = [calm()] * accounts, [calm(computed=40.0)] * accounts
    first = raised(rules, Alerting(), picture(0, high), {}, Happened(), Before())
    found = raised(rules, Alerting(), picture(3, low), {3: earlier(high)}, Happened(), Before(first.memory))
    assert found.storms == {"fell"}
    assert len(found.alerts["fell"]) == accounts
    again = raised(rules, Alerting(), picture(4, low), {3: earlier(high)}, Happened(), Before(found.memory))
    assert not again.alerts


def test_a_recalibration_raises_nothing_however_many_accounts_it_moves():
    rules = {"red": AlertRule.model_validate({"band": "at_risk", "rest": "0d"})}
    green = [calm()] * 30
    red = [calm(band="at_risk", computed=20.0, recalibrated=True)] * 30
    first = raised(rules, Alerting(), picture(0, green), {}, Happened(), Before())
    found = raised(rules, Alerting(), picture(1, red), {}, Happened(), Before(first.memory))
    later = [replace(one, recalibrated=False) for one in red]
    after = raised(rules, Alerting(), picture(2, later), {}, Happened(), Before(found.memory))
    assert not found.alerts and not after.alerts


def test_who_has_most_at_stake_comes_first():
    rules = {"red": AlertRule.model_validate({"band": "at_risk"})}
    red = picture(1, [calm(band="at_risk", computed=20.0)] * 4)
    renews = np.array([5.0, np.nan, 5.0, 200.0])
    money = replace(red, arr=np.array([10.0, 40.0, 30.0, 20.0]), renews_in=renews)
    first = raised(rules, Alerting(storm=1.0), picture(0, [calm()] * 4), {}, Happened(), Before())
    found = raised(rules, Alerting(storm=1.0), money, {}, Happened(), Before(first.memory))
    assert found.alerts["red"].tolist() == [2, 1, 0, 3]
