"""Indicators that are planted in the simulated company are found, its placebos are not."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from retinue.demo.simulate import LAST_DAY, simulate
from retinue.demo.truth import TRUTH, Truth
from retinue.insight.discovery.findings import Discovery
from retinue.insight.discovery.indicators import discover
from retinue.insight.discovery.landmarks import Accounts, landmark
from retinue.insight.replay import NEVER, Coded, Events, Outcome
from retinue.project.load import load
from retinue.warehouse import outcomes
from retinue.warehouse.engine import connect
from retinue.warehouse.facts import accounts, money
from retinue.warehouse.landmarks import first_days

DAYS = (30, 60, 90)
CHURN = Outcome("churn", 180)
#: Where more accounts leave: about one in six within half a year, not one in twenty.
MORE = replace(TRUTH, segment={"smb": -5.2, "mid": -5.7, "enterprise": -6.2})


def number(day: date | None) -> int:
    return NEVER if day is None else (day - date(1970, 1, 1)).days


@dataclass(frozen=True)
class Company:
    told: Discovery

    @property
    def found(self) -> set[str]:
        return {one.feature.removeprefix("usage.event=") for one in self.told.findings}


def company(folder: Path, seed: int, truth: Truth, count: int = 6000) -> Company:
    """Two years of `count` accounts with little usage beside what is planted, by its tables alone."""
    made = simulate(folder, accounts=count, months=24, seed=seed, volume=0.03, truth=truth)
    project = load(folder, {})
    with connect(project) as engine:
        people = accounts.load(engine, project, money.load(engine, project), None).table
        (told,) = first_days(engine, project, people, {"usage": ["event"]}, DAYS)
        ends = outcomes.ends(engine, people)
        wide = engine.arrow(
            people.select("ix", "started_on", "ended_on", "parent", "a_segment").order_by("ix")
        )
    starts = np.array([number(day) for day in wide["started_on"].to_pylist()])
    parents = np.array([-1 if one is None else one for one in wide["parent"].to_pylist()])
    # Of those who started before the history does, the first days are not there.
    kept = np.flatnonzero((starts >= number(made.first_day)) & (starts < NEVER))
    known = Accounts(
        account=kept,
        group=np.where(parents >= 0, parents, np.arange(len(parents)))[kept],
        start=starts[kept],
        ended=np.array([number(day) for day in wide["ended_on"].to_pylist()])[kept],
        segment=Coded.of(wide["a_segment"].to_pylist()).at(kept),
    )
    events = Events.of(ends["ix"].to_numpy(), [number(day) for day in ends["day"].to_pylist()])
    names = tuple(one.name for one in told.counted)
    counts = {n: np.zeros((len(starts), len(names))) for n in DAYS}
    for n in DAYS:
        for k, one in enumerate(told.counted):
            counts[n][one.rows["ix"].to_numpy(), k] = one.rows[f"n{n}"].to_numpy()
    until = number(LAST_DAY)
    return Company(
        discover([landmark(known, names, counts[n][kept], n, events, CHURN, until) for n in DAYS], "churn")
    )


PLANTED = {one.event for one in TRUTH.indicators}
NOTHING = {*TRUTH.placebos, *TRUTH.confounded}


@pytest.mark.long
def test_two_of_three_planted_indicators_are_found_and_placebos_are_not(tmp_path: Path) -> None:
    """Seeds 5, 6 and 7, 6,000 accounts each, of which 2,000 can be followed. Features that health
    drives are found too, and rightly so."""
    told = [company(tmp_path / str(seed), seed, MORE) for seed in (5, 6, 7)]
    assert sum(len(one.found & PLANTED) >= 2 for one in told) >= 2
    assert np.mean([len(one.found & PLANTED) for one in told]) >= 2
    assert sum(len(one.found & NOTHING) for one in told) <= 2
    for one in told:
        assert one.told.accounts > 1500


@pytest.mark.long
def test_a_company_that_few_leave_gives_no_placebo_either(tmp_path: Path) -> None:
    """Seeds 8 to 10 as the company is, with 5 % that leave: what is found is no placebo, but for one by
    chance."""
    told = [company(tmp_path / str(seed), seed, TRUTH) for seed in (8, 9, 10)]
    assert sum(len(one.found & NOTHING) for one in told) <= 1


@pytest.mark.long
def test_what_goes_with_the_segment_looks_good_without_it(tmp_path: Path) -> None:
    """Seed 5: of four, at least three would be taken for signs, and are rejected for the segment."""
    told = company(tmp_path, 5, MORE).told
    names = {f"usage.event={name}" for name in TRUTH.confounded}
    looked = [one for one in told.rejected if one.feature in names]
    assert sum(one.crude_p < 0.05 for one in looked) >= 3
    assert sum("goes with segment" in one.reason for one in looked) >= 3
