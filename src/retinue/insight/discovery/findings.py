"""What was found, and what was looked at and rejected: estimates, pictures, words."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from retinue.insight.discovery import stratified
from retinue.insight.discovery.stratified import Tables
from retinue.insight.replay import Bools, Floats


@dataclass(frozen=True)
class Rate:
    """How many of how many had the outcome, with the Wilson interval (95 %)."""

    events: int
    accounts: int
    rate: float
    low: float
    high: float


@dataclass(frozen=True)
class Estimate:
    """Rates with and without the property, and their difference adjusted for segment and start
    cohort (Mantel-Haenszel, 95 %)."""

    having: Rate
    lacking: Rate
    difference: float
    low: float
    high: float


@dataclass(frozen=True)
class Bin:
    """Accounts whose metric lies from `least` to `most`, both included."""

    least: float
    most: float
    outcome: Rate


@dataclass(frozen=True)
class Finding:
    """`at_least` or more of `feature` in the first `days` days; with 0 days, a metric on any date.

    `held_out` is to be told, `discovered` is how it was found. `p` is of this test, `q` of the
    feature. `also` are other (days, at_least) of the same feature with p below .05. `confirmed`: the
    held-out interval has the sign of the discovery all through. `e_value` is of the held-out risk
    ratio and `e_value_low` of its limit nearer to 1.
    """

    feature: str
    days: int
    at_least: float
    p: float
    q: float
    discovered: Estimate
    held_out: Estimate
    confirmed: bool
    e_value: float
    e_value_low: float
    bins: tuple[Bin, ...]
    also: tuple[tuple[int, float], ...]
    sentence: str

    @property
    def title(self) -> str:
        return f"{self.feature}, at least {self.at_least:g}{when(self.days)}"


@dataclass(frozen=True)
class Looked:
    """A feature that was not found, and why. `p` is one for all of its tests, `crude_p` the same
    without segment and cohort; nan where nothing could be tested. `days` and `at_least` are of its
    strongest test."""

    feature: str
    days: int | None
    at_least: float | None
    p: float
    q: float
    crude_p: float
    reason: str


@dataclass(frozen=True)
class Discovery:
    """`tests` is how many hypotheses were tested, `rate` the false discovery rate over features. Without
    `first_days`, metrics on any date were looked at, and accounts are snapshots."""

    outcome: str
    follow_up: int
    accounts: int
    events: int
    discovery_accounts: int
    held_out_accounts: int
    features: int
    tests: int
    rate: float
    first_days: bool
    findings: tuple[Finding, ...]
    rejected: tuple[Looked, ...]
    warnings: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        plain: dict[str, Any] = _plain(asdict(self))
        return plain


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, float):
        return None if np.isnan(value) else value
    return value


def _rate(events: float, accounts: float) -> Rate:
    low, high = stratified.wilson(np.array([events]), np.array([accounts]))
    return Rate(
        int(events),
        int(accounts),
        float(events / accounts) if accounts else np.nan,
        float(low[0]),
        float(high[0]),
    )


def estimate(given: Tables) -> Estimate:
    """Of the first test in `given`."""
    adjusted = stratified.difference(given)
    both, having = float(given.both[0].sum()), float(given.having[0].sum())
    events, total = float(given.events[0].sum()), float(given.total[0].sum())
    return Estimate(
        having=_rate(both, having),
        lacking=_rate(events - both, total - having),
        difference=float(adjusted.value[0]),
        low=float(adjusted.low[0]),
        high=float(adjusted.high[0]),
    )


def bins(values: Floats, event: Bools, at_most: int = 10) -> tuple[Bin, ...]:
    """Outcome by deciles of `values`, fewer where values tie: equal values share a bin."""
    known = ~np.isnan(values)
    values, event = values[known], event[known]
    if not len(values):
        return ()
    edges = np.unique(np.quantile(values, np.arange(1, at_most) / at_most, method="inverted_cdf"))
    place = np.searchsorted(edges, values, side="left")
    size = len(edges) + 1
    count = np.bincount(place, minlength=size)
    hit = np.bincount(place, weights=event, minlength=size)
    least, most = np.full(size, np.inf), np.full(size, -np.inf)
    np.minimum.at(least, place, values)
    np.maximum.at(most, place, values)
    low, high = stratified.wilson(hit, count)
    return tuple(
        Bin(
            float(least[n]),
            float(most[n]),
            Rate(int(hit[n]), int(count[n]), float(hit[n] / count[n]), float(low[n]), float(high[n])),
        )
        for n in np.flatnonzero(count).tolist()
    )


def when(days: int) -> str:
    return f" in the first {days} days" if days else ""


def sentence(
    name: str, days: int, level: float, follow_up: int, outcome: str, told: Estimate, confirmed: bool
) -> str:
    """What was found, in words, from the accounts that it was not found on."""

    def share(rate: Rate) -> str:
        return f"{_percent(rate.rate)} of {rate.accounts:,} [{_percent(rate.low)} to {_percent(rate.high)}]"

    more = "fewer" if told.difference < 0 else "more"
    if days:
        what = f"Accounts with {name} at least {_times(level)} in their first {days} days"
        others, like = "without it for", "accounts of the same segment and start quarter"
    else:
        what = f"Snapshots with {name} of at least {level:g}"
        others, like = "with less of it for", "snapshots of the same segment, stage and quarter"
    first = (
        f"{what}: {outcome} within the next {follow_up} days for {share(told.having)}, "
        f"{others} {share(told.lacking)}"
    )
    if np.isnan(told.difference):
        return f"{first}. There are no held-out {like} of both kinds: cannot tell."
    size = (
        f"among {like} {abs(told.difference) * 100:.1f} points "
        f"{more} [{_points(told.low)} to {_points(told.high)}]"
    )
    doubt = "" if confirmed else " Not confirmed on held-out accounts: the interval holds no difference."
    return f"{first}; {size}. Associated with {outcome}, not proof that it is a cause.{doubt}"


def _times(level: float) -> str:
    return "once" if level == 1 else f"{level:g} times"


def _percent(rate: float) -> str:
    return "-" if np.isnan(rate) else f"{rate * 100:.1f} %"


def _points(value: float) -> str:
    return f"{value * 100:+.1f}"
