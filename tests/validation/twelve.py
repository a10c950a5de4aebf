"""Twelve accounts, small enough to work out every figure of a report by hand.

Weekly dates from day 0 to 112, a horizon of 56 days, all known up to day 112: the rows counted are
those of days 0 and 56. Accounts 0 and 1 belong to one parent. Bands: red below 40, green from 70.

account  segment  stage    day 0      between                     from day 56  lost on  why      amount
0        small    new      20 red                                              30       price    100
1        small    settled  50 watch                               30 red       60       price    200
2        small    new      80 green                               80 green     100      product  400
3        small    settled  35 red     watch on days 35 to 49      35 red       105      none     none
4        small    new      30 red     (70, capped at 30)          30 red
5        small    settled  60 watch   red on day 21               60 watch
6        large    new      75 green                               75 green     (not scored on day 70)
7        large    settled  80 green                               80 green
8        large    new      90 green                               90 green
9        large    settled  65 watch   red on days 63 to 77        45 watch
10       large    new      not scored (85 green from day 7)       85 green
11       large    settled  95 green                               95 green

Account 0 still has rows on days 35 and 42, after it was lost.

Rows counted: 11 of day 0 (account 10 has no score) and 11 of day 56 (account 0 is gone) = 22.
With the outcome, 4: account 0 on day 0 (lost on 30), accounts 1, 2, 3 on day 56 (60, 100, 105).
Scores with the outcome:       20                30         80                35
Scores without it, on day 0:   50 80 35 30 60 75 80 90 65 95          (accounts 1 to 9 and 11)
Scores without it, on day 56:  30 60 75 80 90 45 85 95                (accounts 4 to 11)
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from retinue.insight.replay import Coded, Events, Outcome, Replay, labels
from retinue.insight.validation import Report, Trial, validate

CHURN = Outcome("churn", 56)
UNTIL = 112
DATES = range(0, 113, 7)
FIRST = (20, 50, 80, 35, 30, 60, 75, 80, 90, 65, 85, 95)
SECOND = (20, 30, 80, 35, 30, 60, 75, 80, 90, 45, 85, 95)
LAST = (42, 56, 98, 98) + (112,) * 8
SILENT = (30, 20, 10, 5) + (0,) * 8
NAN = float("nan")


def _score(account: int, day: int) -> float:
    if (account, day) in ((10, 0), (6, 70)):
        return NAN
    if account == 3 and 35 <= day <= 49:
        return 50
    if (account == 5 and day == 21) or (account == 9 and 63 <= day <= 77):
        return 30
    return FIRST[account] if day < 56 else SECOND[account]


def table() -> Replay:
    rows = [(account, day) for account in range(12) for day in DATES if day <= LAST[account]]
    account, day = (np.array(one, np.int64) for one in zip(*rows, strict=True))
    computed = np.array([_score(*row) for row in rows], float)
    base = np.where(account == 4, 70.0, computed)
    # Two measures of equal weight and equal points; accounts 5 and 8 lack the second.
    points = np.column_stack([base, np.where(np.isin(account, (5, 8)), NAN, base)])
    shares = np.where(np.isnan(points), 0.0, 0.5)
    coverage = shares.sum(axis=1)
    weights = np.where(coverage[:, None] > 0, shares / np.maximum(coverage, 1e-9)[:, None], 0)
    metrics = np.column_stack([np.array(SILENT, float)[account], np.where(account == 2, 10.0, 100.0)])
    band = np.where(np.isnan(computed), -1, np.digitize(np.nan_to_num(computed), [40, 70]))
    return Replay(
        account=account,
        group=np.where(account == 1, 0, account),
        day=day,
        computed=computed,
        band=band,
        coverage=coverage,
        adjustment=np.where(account == 4, -40.0, 0.0),
        tenure=10.0 * (account + 1) + day,
        arr=np.full(len(rows), 50.0),
        assumed=account == 7,
        segment=Coded((account < 6).astype(np.int64), ("large", "small")),
        stage=Coded(account % 2, ("new", "settled")),
        scorecard=Coded(np.zeros(len(rows), np.int64), ("one",)),
        measures=("use.one", "use.two"),
        points=points,
        weights=weights,
        declared=np.array([[0.5, 0.5]]),
        edges=np.array([[40.0, 70.0]]),
        metrics=("silent_days", "logins"),
        values=metrics,
    )


EVENTS = replace(
    Events.of([0, 1, 2, 3], [30, 60, 100, 105]),
    amount=np.array([100, 200, 400, NAN]),
    reason=Coded.of(["price", "price", "product", None]),
)


def report() -> Report:
    replay = table()
    asked = Trial(
        UNTIL, recency="silent_days", usage="logins", treated=replay.account == 3, capacity=1, repetitions=200
    )
    return validate(replay, EVENTS, labels(replay, EVENTS, CHURN, UNTIL), CHURN, asked)
