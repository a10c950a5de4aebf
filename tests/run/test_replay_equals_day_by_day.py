"""History scored in one go is what would have been published day by day."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.run.company import DAY, days, differences, exported, listed, score, without_observed
from tests.run.everything import FIRST, LAST, WORDS, everything, say, step_by_step


def test_one_back_fill_equals_runs_over_what_was_known_each_day(backfilled: Path, daily: Path) -> None:
    assert not differences(without_observed(exported(backfilled)), without_observed(exported(daily)))


def test_the_list_of_accounts_is_the_same_too(backfilled: Path, daily: Path) -> None:
    assert listed(backfilled) == listed(daily)


@pytest.mark.long
@settings(max_examples=6)
@given(seed=st.integers(2, 50), ends=st.sets(st.sampled_from(days(FIRST, LAST - DAY)), max_size=5))
def test_any_split_gives_the_same(
    tmp_path_factory: pytest.TempPathFactory, seed: int, ends: set[date]
) -> None:
    one, other = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("other")
    everything(seed).write(one)
    say(one, WORDS)
    score(one, LAST, FIRST)
    step_by_step(other, [*sorted(ends), LAST], seed)
    assert not differences(without_observed(exported(one)), without_observed(exported(other)))
