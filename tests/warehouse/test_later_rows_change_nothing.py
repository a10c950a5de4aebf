"""Poison: rows that happened or became known after D change nothing at D."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.warehouse import randomly
from tests.warehouse.world import World

SEEDS = st.integers(0, 10**9)


def check(world: World, dates: list[date], cut: date, folder: Path, **asked: object) -> None:
    told = world.compute(folder / "all", dates, **asked).until(cut)
    earlier = [day for day in dates if day <= cut]
    then = world.known_by(cut).compute(folder / "then", earlier, **asked).everything()
    assert told[0].keys() == then[0].keys()
    for table, before in zip(told, then, strict=True):
        changed = {key: (table[key], before.get(key)) for key in table if table[key] != before.get(key)}
        assert not changed, f"{len(changed)} differ, such as {next(iter(changed.items()))}"
        assert table.keys() == before.keys()


@settings(max_examples=1, phases=[Phase.generate])
@given(seed=SEEDS)
def test_rows_after_a_day_change_no_metric_on_it(seed: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    world, dates = randomly.company(seed), randomly.grid(seed)
    check(world, dates, dates[len(dates) // 2], tmp_path_factory.mktemp("poison"))


@settings(max_examples=1, phases=[Phase.generate])
@given(seed=SEEDS)
def test_rows_after_a_day_change_no_score_cap_cohort_or_roll_up_on_it(
    seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    world, dates = randomly.scored(seed), randomly.grid(seed)
    check(world, dates, dates[len(dates) // 2], tmp_path_factory.mktemp("poison"))


@pytest.mark.long
@pytest.mark.parametrize("seed", range(20))
def test_rows_after_a_day_change_nothing_at_all(seed: int, tmp_path: Path) -> None:
    world, dates = randomly.scored(seed, accounts=40), randomly.grid(seed)
    for n in (1, 3):
        check(world, dates, dates[n * len(dates) // 4], tmp_path / str(n))
