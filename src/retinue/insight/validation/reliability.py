"""Whether chances that are read off the score come true, on rows that they were not learned from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from retinue.errors import TrialError
from retinue.insight.calibration import Calibrator, fit, kind_for
from retinue.insight.replay import Bools, Floats, Ints, Replay, check_apart
from retinue.insight.validation.held_out import HeldOut, other_groups
from retinue.insight.validation.report import Bin, Calibration
from retinue.insight.validation.sampling import Estimate, Resampling, Z, shares

_BINS = 10


@dataclass(frozen=True)
class Foretold:
    """`chance` of the rows at `places`; nothing where there is no calibrator."""

    places: Ints
    chance: Floats


def reliability(
    rows: Replay, event: Bools, held: HeldOut, repetitions: int, seed: int
) -> tuple[Calibration, Foretold]:
    """Learn the chance on earlier rows of other groups (on other groups alone, where time does not allow
    it) and hold it against what came on the rest."""
    sides = held.split or other_groups(rows.group, seed)
    learned_on = held.learned_on if held.split else "half of the accounts, of the same dates"
    train, test = sides.train, sides.test
    check_apart(rows.group[train], rows.group[test])
    try:
        found = _learned(rows, event, train)
    except TrialError as error:
        return _cannot_tell(error.message), Foretold(np.zeros(0, np.int64), np.zeros(0))
    if not len(test):
        return _cannot_tell("no rows to tell on"), Foretold(np.zeros(0, np.int64), np.zeros(0))
    chance, happened = found.chance(rows.computed[test]), event[test]
    rate = np.full(len(test), float(event[train].mean()))
    drawn = Resampling.of(rows.group[test], repetitions, seed)
    bins = _bins(chance, happened, drawn.cluster)
    total = sum(abs(one.foretold - one.happened.value) * one.rows for one in bins)
    return Calibration(
        kind=found.kind,
        learned_on=learned_on,
        rows=len(test),
        events=int(happened.sum()),
        expected=float(chance.sum()),
        observed_over_expected=drawn.estimate(lambda s: s[0] / s[1], happened, chance),
        slope=slope(chance, happened, drawn.cluster),
        error=total / len(test),
        brier=brier(chance, happened),
        brier_constant=brier(rate, happened),
        log_loss=log_loss(chance, happened),
        log_loss_constant=log_loss(rate, happened),
        bins=bins,
        reason=None,
    ), Foretold(test, chance)


def _learned(rows: Replay, event: Bools, train: Ints) -> Calibrator:
    events = int(min(event[train].sum(), (~event[train]).sum()))
    kind = kind_for(events)
    if kind == "constant":
        raise TrialError(f"{events} events to learn a chance from are too few")
    return fit(kind, rows.computed[train], event[train])


def brier(chance: Floats, event: Bools) -> float:
    """Mean squared distance of the chance from what came."""
    return float(np.mean((chance - event) ** 2))


def log_loss(chance: Floats, event: Bools) -> float:
    kept = np.clip(chance, 1e-12, 1 - 1e-12)
    return float(-np.mean(np.where(event, np.log(kept), np.log(1 - kept))))


def slope(chance: Floats, event: Bools, cluster: Ints) -> Estimate:
    """Slope of a logistic regression of what came on the logit of the chance, with an interval by the
    sandwich over clusters (Cox 1958; Liang and Zeger 1986). nan where all chances are equal."""
    kept = np.clip(chance, 1e-9, 1 - 1e-9)
    logit = np.log(kept / (1 - kept))
    if np.ptp(logit) < 1e-9 or not 0 < event.sum() < len(event):
        return Estimate.none()
    x = np.column_stack([np.ones(len(logit)), logit])
    beta = np.array([0.0, 1.0])
    for _ in range(50):
        p = 1 / (1 + np.exp(-np.clip(x @ beta, -30, 30)))
        information = (x * (p * (1 - p))[:, None]).T @ x
        try:
            step = np.linalg.solve(information, x.T @ (event - p))
        except np.linalg.LinAlgError:
            return Estimate.none()
        beta += np.clip(step, -5, 5)
        if np.abs(step).max() < 1e-10:
            break
    else:
        return Estimate.none()
    p = 1 / (1 + np.exp(-(x @ beta)))
    off = x * (event - p)[:, None]
    scores = np.stack([np.bincount(cluster, off[:, n]) for n in (0, 1)], axis=1)
    clusters = len(np.unique(cluster))
    bread = np.linalg.inv((x * (p * (1 - p))[:, None]).T @ x)
    meat = scores.T @ scores * clusters / max(1, clusters - 1)
    half = Z * float(np.sqrt((bread @ meat @ bread)[1, 1]))
    return Estimate(float(beta[1]), float(beta[1]) - half, float(beta[1]) + half)


def _bins(chance: Floats, event: Bools, cluster: Ints) -> tuple[Bin, ...]:
    """At most ten bins of about as many rows each; equal chances stay together."""
    edges = np.unique(np.quantile(chance, np.arange(1, _BINS) / _BINS))
    part = np.unique(np.searchsorted(edges, chance, side="left"), return_inverse=True)[1]
    rate = shares(part, int(part.max()) + 1, event, cluster)
    return tuple(
        Bin(float(chance[part == at].mean()), one, int((part == at).sum()), int(event[part == at].sum()))
        for at, one in enumerate(rate)
    )


def _cannot_tell(reason: str) -> Calibration:
    nan, none = float("nan"), Estimate.none()
    return Calibration(None, "", 0, 0, nan, none, none, nan, nan, nan, nan, nan, (), reason)
