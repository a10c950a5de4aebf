"""What bands say: how many are in each, what becomes of them, how restless they are."""

from __future__ import annotations

from typing import Any

import numpy as np

from retinue.insight.replay import Bools, Floats, Ints, Replay
from retinue.insight.stability import AT_RISK, HEALTHY, NOT_SCORED
from retinue.insight.validation.losses import Grid, rows_at
from retinue.insight.validation.report import (
    Band,
    Before,
    Decile,
    Histogram,
    Movement,
    Shares,
    Warned,
    iso,
)
from retinue.insight.validation.sampling import Estimate, Resampling, interval, share, shares

NAMES = ("red", "watch", "green")
BEFORE = (7, 14, 28, 30, 60, 90)
"""Days before a loss on which the bands of those lost are told."""

WARNED_FROM, WARNED_TO = 90, 60
FLAP = 14
"""Back to the band before within so many days is a flap."""

_YEAR = 365.25


def bands(rows: Replay, event: Bools, resampling: Resampling) -> tuple[Band, ...]:
    """Share, outcome rate and lift of each band, over the rows counted."""
    rate = shares(rows.band, len(NAMES), event, resampling.cluster)
    one = np.ones(len(rows))
    found = []
    for band, name in enumerate(NAMES):
        inside = rows.band == band
        columns: tuple[Any, ...] = (inside & event, inside, event, one)
        found.append(
            Band(
                name=name,
                rows=int(inside.sum()),
                events=int((inside & event).sum()),
                share=float(inside.mean()) if len(rows) else float("nan"),
                rate=rate[band],
                lift=resampling.estimate(lambda s: (s[0] / s[1]) / (s[2] / s[3]), *columns),
                caught=share(inside[event], resampling.cluster[event]),
            )
        )
    return tuple(found)


def deciles(rows: Replay, event: Bools, cluster: Ints, parts: int = 10) -> tuple[Decile, ...]:
    """Outcome rate by tenth of the score; equal scores stay together, so tenths may be fewer."""
    if not len(rows):
        return ()
    edges = np.unique(np.quantile(rows.computed, np.arange(1, parts) / parts))
    part = np.searchsorted(edges, rows.computed, side="left")
    part = np.unique(part, return_inverse=True)[1]
    rate = shares(part, int(part.max()) + 1, event, cluster)
    found = []
    for at, one in enumerate(rate):
        inside = part == at
        score = rows.computed[inside]
        found.append(
            Decile(float(score.min()), float(score.max()), len(score), int(event[inside].sum()), one)
        )
    return tuple(found)


def histogram(rows: Replay, event: Bools, width: int = 5) -> Histogram:
    edges = np.arange(0, 100 + width, width)
    without, having = (np.histogram(rows.computed[which], edges)[0] for which in (~event, event))
    return Histogram(
        tuple(float(one) for one in edges),
        tuple(int(one) for one in without),
        tuple(int(one) for one in having),
    )


def before(grid: Grid) -> tuple[Before, ...]:
    """Bands of those lost, some days before, with those of accounts that stayed on the same dates.

    Those that stayed had no loss up to the last day for which the grid gives that date. An account
    that was not scored then is neither green nor red.
    """
    found = []
    for days in BEFORE:
        row = grid.before(days)
        seen = row >= 0
        band = grid.replay.band[row[seen]]
        cluster = grid.lost.group[seen]
        stayed = _stayed(grid, days + grid.step - 1)
        on = np.searchsorted(grid.dates, grid.replay.day[row[seen]])
        beside = [_expected(grid, stayed, grid.replay.band == one, on) for one in (HEALTHY, AT_RISK)]
        found.append(
            Before(
                days,
                int(seen.sum()),
                share(band == HEALTHY, cluster),
                share(band == AT_RISK, cluster),
                *beside,
            )
        )
    return tuple(found)


def warned(grid: Grid, repetitions: int, seed: int) -> Warned:
    """How often those lost were below green 60 to 90 days before, against those that stayed.

    Per account lost: the share of its scored dates in that window below green; beside it, the mean
    over the same dates of the share of accounts below green that had no loss in the 90 days
    after. A score that knows nothing gives a ratio of 1, whatever share it holds below green.
    """
    # One date a week is enough, and a daily grid has seven times as many.
    replay, dates = grid.replay, grid.dates[:: max(1, round(7 / grid.step))]
    low = np.searchsorted(dates, grid.lost.day - WARNED_FROM, side="left")
    high = np.searchsorted(dates, grid.lost.day - WARNED_TO, side="right")
    spans = np.maximum(high - low, 0)
    of = np.repeat(np.arange(len(grid.lost)), spans)
    date = np.arange(len(of)) - np.repeat(np.cumsum(spans) - spans, spans) + np.repeat(low, spans)
    row = rows_at(replay, grid.lost.account[of], dates[date])
    kept = (row >= 0) & np.where(row >= 0, grid.at_risk[row] & (replay.band[row] != NOT_SCORED), False)
    of, date, row = of[kept], date[kept], row[kept]
    seen, of = np.unique(of, return_inverse=True)
    if not len(seen):
        return Warned(0, Estimate.none(), float("nan"), Estimate.none())
    weight = 1 / np.bincount(of)[of]
    below = np.bincount(of, weight * (replay.band[row] < HEALTHY))

    stayed = _stayed(grid, WARNED_FROM) & (replay.band != NOT_SCORED) & np.isin(replay.day, dates)
    everyone = Resampling.of(np.concatenate([replay.group[stayed], grid.lost.group[seen]]), repetitions, seed)
    of_stayed, of_lost = np.split(everyone.cluster, [int(stayed.sum())])
    on = np.searchsorted(dates, replay.day[stayed])
    not_green = replay.band[stayed] < HEALTHY
    tables = [
        _table(on, of_stayed, not_green, len(dates), everyone.clusters),
        _table(on, of_stayed, np.ones(len(on)), len(dates), everyone.clusters),
        _table(date, of_lost[of], weight, len(dates), everyone.clusters),
    ]
    lost_below = np.bincount(of_lost, below, everyone.clusters)
    lost_all = np.bincount(of_lost, minlength=everyone.clusters).astype(np.float64)

    def measured(drawn: Any) -> tuple[Floats, Floats]:
        bad, all_, at = (np.asarray(table @ drawn, np.float64) for table in tables)
        with np.errstate(invalid="ignore", divide="ignore"):
            share_on = np.where(all_ > 0, bad / all_, 0.0)
            at = np.where(all_ > 0, at, 0.0)
            return (lost_below @ drawn) / (lost_all @ drawn), (share_on * at).sum(axis=0) / at.sum(axis=0)

    lost_share, stayed_share = measured(np.ones((everyone.clusters, 1)))
    repeated, repeated_stayed = measured(everyone.drawn)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = interval(float(lost_share[0] / stayed_share[0]), repeated / repeated_stayed)
    lost = share(below, grid.lost.group[seen])
    return Warned(len(seen), lost, float(stayed_share[0]), ratio)


def movement(grid: Grid) -> Movement:
    """Changes of band, flaps and turns to red, over consecutive scored dates of an account that could
    still be lost. What a change of scorecard did does not count."""
    replay = grid.replay
    rows = np.flatnonzero(grid.at_risk & (replay.band != NOT_SCORED))
    account, day, band = replay.account[rows], replay.day[rows], replay.band[rows]
    same = account[1:] == account[:-1]
    years = float(np.diff(day)[same].sum() / _YEAR)
    scorecard = replay.scorecard.codes[rows]
    changed = same & (band[1:] != band[:-1]) & (scorecard[1:] == scorecard[:-1])
    at = np.flatnonzero(changed) + 1
    back = np.zeros(len(at), bool)
    back[1:] = (
        (account[at[1:]] == account[at[:-1]])
        & (band[at[1:]] == band[at[:-1] - 1])
        & (day[at[1:]] - day[at[:-1]] <= FLAP)
    )
    turns = at[band[at] == AT_RISK]
    dates = grid.dates
    weeks = (int(dates[-1]) - int(dates[0])) / 7 if len(dates) else 0.0
    per_week = np.bincount((day[turns] - int(dates[0])) // 7) if len(turns) else np.zeros(1, np.int64)
    nan = float("nan")
    return Movement(
        account_years=years,
        changes_per_account_year=len(at) / years if years else nan,
        flaps_per_account_year=float(back.sum()) / years if years else nan,
        turns_red_per_week=len(turns) / weeks if weeks else nan,
        most_turns_red_in_a_week=int(per_week.max()),
    )


def over_time(grid: Grid) -> tuple[Shares, ...]:
    """Shares of the bands by date, of scored accounts that could still be lost."""
    replay = grid.replay
    rows = grid.at_risk & (replay.band != NOT_SCORED)
    on = np.searchsorted(grid.dates, replay.day[rows])
    counts = np.stack(
        [np.bincount(on[replay.band[rows] == band], minlength=len(grid.dates)) for band in range(3)]
    )
    total = counts.sum(axis=0)
    return tuple(
        Shares(iso(date), int(all_), *(float(one / all_) for one in count))
        for date, all_, count in zip(grid.dates.tolist(), total, counts.T, strict=True)
        if all_
    )


def _stayed(grid: Grid, days: int) -> Bools:
    return np.asarray(grid.at_risk & (grid.next_loss > grid.replay.day + days))


def _expected(grid: Grid, stayed: Bools, hit: Bools, on: Ints) -> float:
    """Mean, over the dates given by place, of the share of those that stayed who are hit."""
    at = np.searchsorted(grid.dates, grid.replay.day[stayed])
    total = np.bincount(at, minlength=len(grid.dates))
    happened = np.bincount(at, hit[stayed], len(grid.dates))
    told = on[total[on] > 0]
    return float(np.mean(happened[told] / total[told])) if len(told) else float("nan")


def _table(row: Ints, column: Ints, value: Any, rows: int, columns: int) -> Any:
    from scipy.sparse import csr_array

    return csr_array((np.asarray(value, np.float64), (row, column)), shape=(rows, columns))
