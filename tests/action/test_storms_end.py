"""A storm tells of many accounts at once; those that it leaves behind are told of one by one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from retinue.action.alerts import Before, Memory, Raised, raised
from retinue.action.picture import Happened, Picture
from retinue.project.alerts import Alerting, AlertRule

ACCOUNTS = 100
RULES = {"red": AlertRule.model_validate({"band": "at_risk"})}


def look(day: int, red: range | list[int], memory: dict[str, Memory], **told: Any) -> Raised:
    band = np.full(ACCOUNTS, 2, np.int8)
    band[list(red)] = 0
    score = np.where(band == 0, 20.0, 80.0)
    nothing = np.full(ACCOUNTS, np.nan)
    ids = pa.array([f"A{n:03}" for n in range(ACCOUNTS)])
    no = np.zeros(ACCOUNTS, bool)
    now = Picture(day, ids, score, band, np.ones(ACCOUNTS), no, nothing, nothing, {}, {})
    return raised(RULES, told.pop("policy", Alerting()), now, {}, Happened(), Before(memory, **told))


def test_a_real_drop_on_the_day_of_a_storm_is_told_when_the_storm_is_over():
    calm = look(0, [], {})
    storm = look(1, range(60), dict(calm.memory))
    assert storm.storms == {"red"}
    still = look(2, range(50), dict(storm.memory))
    assert not still.alerts
    over = look(3, [4, 7], dict(still.memory))
    assert over.alerts["red"].tolist() == [4, 7] and not over.storms
    assert not look(4, [4, 7], dict(over.memory)).alerts


def test_a_dip_that_stays_is_told_once():
    memory = dict(look(0, [], {}).memory)
    told = []
    for day in range(1, 60):
        found = look(day, range(60), memory)
        memory = dict(found.memory)
        told.append(bool(found.alerts))
    assert told == [True] + [False] * 58


def test_whoever_gets_worse_after_a_storm_is_told_of_at_once():
    storm = look(1, range(60), dict(look(0, [], {}).memory))
    found = look(2, [*range(60), 90], dict(storm.memory))
    assert found.alerts["red"].tolist() == [90]


def test_what_a_storm_left_behind_keeps_to_mutes_and_limits():
    storm = look(1, range(60), dict(look(0, [], {}).memory))
    muted, lately = np.zeros(ACCOUNTS, bool), np.zeros(ACCOUNTS, np.int64)
    muted[4], lately[7] = True, 1
    over = look(
        3, [4, 7, 9], dict(storm.memory), muted={"red": muted}, lately=lately, policy=Alerting(per_account=1)
    )
    assert over.alerts["red"].tolist() == [9]
    assert over.withheld["red"] == {"muted": 1, "too_many": 1}
    later = look(4, [4, 7, 9], dict(over.memory))
    assert later.alerts["red"].tolist() == [4]
