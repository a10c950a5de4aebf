"""The engine against the oracle: every kind, account and date, value and state."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.warehouse import oracle, randomly
from tests.warehouse.world import Result, World


def differences(world: World, result: Result, dates: list) -> list[str]:
    wrong = []
    expected = 0
    for account in world.accounts:
        for day in dates:
            if not account.alive(day):
                assert (account.key, day, "open") not in result.metrics, f"{account} is not alive on {day}"
                continue
            for name in world.metrics:
                expected += 1
                value, state = oracle.answer(world, name, account, day)
                told, told_state = result.metrics[(account.key, day, name)]
                same = value == told or (
                    value is not None and told is not None and math.isclose(value, told, rel_tol=1e-12)
                )
                if state != told_state or not same:
                    wrong.append(f"{name} {account.key} {day}: {told, told_state} should be {value, state}")
    assert len(result.metrics) == expected
    return wrong


# An example costs seconds, whatever its size, so there are few, of many accounts, dates and metrics.
@settings(max_examples=4, phases=[Phase.generate])
@given(seed=st.integers(0, 10**9))
def test_every_kind_of_metric_equals_the_oracle(seed: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    world, dates = randomly.company(seed, accounts=20), randomly.grid(seed)
    result = world.compute(tmp_path_factory.mktemp("oracle"), dates)
    assert differences(world, result, dates) == []


@pytest.mark.long
@pytest.mark.parametrize("seed", range(60))
def test_every_kind_of_metric_equals_the_oracle_on_larger_companies(seed: int, tmp_path: Path) -> None:
    world, dates = randomly.company(seed, accounts=30, rows=25), randomly.grid(seed)
    assert differences(world, world.compute(tmp_path, dates), dates) == []
