"""Every kind of metric on every engine: what the oracle says, over files and over tables in place."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from tests.engines.alike import computed, computed_in_place, differences
from tests.engines.conftest import Elsewhere
from tests.warehouse import oracle, randomly
from tests.warehouse.world import Result, World

#: Kinds whose values are divisions; all others are the same to the last bit.
QUOTIENTS = {"mean", "change", "ratio", "milestones"}


def wrong(world: World, result: Result, dates: list) -> dict[str, list[str]]:
    """Answers that are not the oracle's, by kind of metric."""
    found: dict[str, list[str]] = {}
    for account in world.accounts:
        for day in dates:
            if not account.alive(day):
                continue
            for name, metric in world.metrics.items():
                value, state = oracle.answer(world, name, account, day)
                told, told_state = result.metrics[(account.key, day, name)]
                kind = next(iter(metric))
                close = kind in QUOTIENTS and value is not None and told is not None
                same = math.isclose(value, told, rel_tol=1e-9) if close else value == told
                if state != told_state or not same:
                    where = f"{name} {account.key} {day}"
                    found.setdefault(kind, []).append(f"{where}: {told} is not {value}")
    return found


@pytest.mark.parametrize("seed", [4])
def test_every_kind_over_files_equals_the_oracle(seed: int, elsewhere: Elsewhere, tmp_path: Path) -> None:
    world, dates = randomly.company(seed, accounts=12), randomly.grid(seed)
    assert wrong(world, computed(world, dates, tmp_path, elsewhere), dates) == {}


@pytest.mark.parametrize("seed", [9])
def test_every_kind_over_tables_in_place_equals_the_oracle(
    seed: int, elsewhere: Elsewhere, tmp_path: Path
) -> None:
    world, dates = randomly.company(seed, accounts=12), randomly.grid(seed)
    assert wrong(world, computed_in_place(world, dates, tmp_path, elsewhere), dates) == {}


@pytest.mark.long
@pytest.mark.parametrize("seed", range(20))
def test_every_kind_equals_the_oracle_on_larger_companies(
    seed: int, elsewhere: Elsewhere, tmp_path: Path
) -> None:
    world, dates = randomly.company(seed, accounts=30, rows=25), randomly.grid(seed)
    assert wrong(world, computed_in_place(world, dates, tmp_path, elsewhere), dates) == {}


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """The scores of DuckDB."""
    return computed(randomly.scored(2, accounts=16), randomly.grid(2), tmp_path_factory.mktemp("here"))


def test_scores_caps_cohorts_and_roll_ups_are_those_of_duckdb(
    here: Result, elsewhere: Elsewhere, tmp_path: Path
) -> None:
    world, dates = randomly.scored(2, accounts=16), randomly.grid(2)
    there = computed_in_place(world, dates, tmp_path, elsewhere)
    assert len(here.scores) > 100
    assert differences(here, there) == []
