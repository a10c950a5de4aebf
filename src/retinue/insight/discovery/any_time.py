"""Metrics at any time beside what came after: what a measure of a scorecard would have to look at."""

from __future__ import annotations

import numpy as np

from retinue.errors import TrialError
from retinue.insight.discovery.findings import Discovery
from retinue.insight.discovery.indicators import discover
from retinue.insight.discovery.landmarks import Landmarks
from retinue.insight.replay import Bools, Coded, Ints, Labels, Outcome, Replay, check_spacing, spaced


def discover_metrics(
    replay: Replay, told: Labels, outcome: Outcome, *, rate: float = 0.1, seed: int = 0
) -> Discovery:
    """Which metrics of `replay` are associated with what came within the horizon.

    Snapshots are at least a horizon apart, compared with others of the same segment, stage and
    quarter; half of the accounts, by chance, discover. After an outcome that is not final an
    account goes on, and what it is like stays, so that its snapshots are no news to each other: each
    account counts on one date, drawn by chance. (Its last snapshot would not do: which that is
    depends on the outcome.) Raises TrialError where nothing can be counted.
    """
    places = spaced(replay, told, outcome.horizon)
    if not outcome.final and len(places):
        places = places[_one_date_each(replay.account[places], replay.day[places], seed)]
    if not len(places):
        raise TrialError(
            f"no snapshot has an outcome yet: none is {outcome.horizon} days old",
            hint="give a longer history, or a shorter horizon",
        )
    rows = replay.at(places)
    check_spacing(rows.account, rows.day, outcome.horizon)
    everyone = np.ones(len(rows), bool)
    seen = Landmarks(
        days=0,
        follow_up=outcome.horizon,
        account=rows.account,
        group=rows.group,
        start=rows.day,
        segment=_both(rows.segment, rows.stage),
        features=rows.metrics,
        counts=rows.values,
        alive=everyone,
        observed=everyone,
        event=told.event[places],
    )
    return discover([seen], outcome.name, rate=rate, by_account=True, seed=seed)


def _one_date_each(account: Ints, day: Ints, seed: int) -> Bools:
    dates = np.unique(day)
    accounts, place = np.unique(account, return_inverse=True)
    drawn = dates[np.random.default_rng(seed).integers(0, len(dates), len(accounts))]
    return np.asarray(day == drawn[place])


def _both(segment: Coded, stage: Coded) -> Coded:
    """Segment and stage as one code."""
    codes: Ints = (segment.codes + 1) * (len(stage.names) + 1) + stage.codes + 1
    names = tuple(f"{one} {two}".strip() for one in ("", *segment.names) for two in ("", *stage.names))
    return Coded(codes, names)
