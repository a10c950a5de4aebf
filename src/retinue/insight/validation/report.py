"""What a trial found, as frozen dataclasses that every surface renders.

Shares are from 0 to 1, durations in days, dates ISO texts. nan (null in JSON) stands for "cannot
tell".
"""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import numpy as np

from retinue.insight.validation.sampling import Estimate


@dataclass(frozen=True)
class Counted:
    """What became of the rows of the replay: `rows` on the grid, of them `not_matured` (the horizon is not
    over), `not_at_risk`, and of the rest `not_scored`; `counted` are scored, at least a horizon apart."""

    rows: int
    not_matured: int
    not_at_risk: int
    not_scored: int
    overlapping: int
    counted: int
    assumed: float


@dataclass(frozen=True)
class Baseline:
    """A naive rival on the same rows. `ahead` is the AUC of the score minus its own, from the same draws.
    `chosen` says how it was chosen, where that took a look at outcomes; `later` and `score_later`
    are AUC on the later rows only, which the choice did not see. `rows` of those counted have a
    value; the others stand in the middle."""

    name: str
    auc: Estimate
    ahead: Estimate
    average_precision: float
    rows: int
    chosen: str | None = None
    later: Estimate | None = None
    score_later: Estimate | None = None


@dataclass(frozen=True)
class Challenger:
    """Gradient boosting on the same information, learned from earlier rows of other groups, told on the
    held-out rows beside the score on the same rows. `reason` says why it cannot tell."""

    auc: Estimate
    score_auc: Estimate
    ahead: Estimate
    average_precision: float
    train_rows: int
    train_events: int
    test_rows: int
    test_events: int
    cutoff: str | None
    reason: str | None


@dataclass(frozen=True)
class Bin:
    """Rows of near chance: mean chance foretold, and the share that came."""

    foretold: float
    happened: Estimate
    rows: int
    events: int


@dataclass(frozen=True)
class Calibration:
    """Chance by score, learned on `learned_on` (earlier rows of other groups, or other groups only) and
    told on the rest. `slope` 1 and `observed_over_expected` 1 are perfect; `brier_constant` and
    `log_loss_constant` are those of the rate learned from."""

    kind: str | None
    learned_on: str
    rows: int
    events: int
    expected: float
    observed_over_expected: Estimate
    slope: Estimate
    error: float
    brier: float
    brier_constant: float
    log_loss: float
    log_loss_constant: float
    bins: tuple[Bin, ...]
    reason: str | None


@dataclass(frozen=True)
class Band:
    """Rows in a band: their share, their outcome rate, and its ratio to the base rate; `caught` is the
    share of all outcomes that they had."""

    name: str
    rows: int
    events: int
    share: float
    rate: Estimate
    lift: Estimate
    caught: Estimate


@dataclass(frozen=True)
class Before:
    """Where those lost stood so many days before, and where those stood that stayed, on the same dates."""

    days: int
    seen: int
    green: Estimate
    red: Estimate
    stayed_green: float
    stayed_red: float


@dataclass(frozen=True)
class LeadTime:
    """How long the last uninterrupted red spell, still open when the account was lost, had lasted.

    `capture` is the share of those lost that had one; median, P25 and `at_least_30` (a share of
    all lost) of its days. `null_*` are the same of a random account still there on the same
    date, as exact expectations. `spells` counts those captured by days: up to 7, 30, 60, 90, more;
    `null_spells` is what the null would have of as many losses.
    """

    lost: int
    captured: int
    capture: Estimate
    median_days: float
    p25_days: float
    at_least_30: float
    null_capture: float
    null_median_days: float
    null_p25_days: float
    null_at_least_30: float
    spells: tuple[int, ...]
    null_spells: tuple[float, ...]


@dataclass(frozen=True)
class Warned:
    """Below green 60 to 90 days before: those lost, those that stayed on the same dates, and the ratio."""

    seen: int
    lost: Estimate
    stayed: float
    ratio: Estimate


@dataclass(frozen=True)
class Movement:
    """How restless bands are, over all scored dates while accounts were there."""

    account_years: float
    changes_per_account_year: float
    flaps_per_account_year: float
    turns_red_per_week: float
    most_turns_red_in_a_week: int


@dataclass(frozen=True)
class Shares:
    """Bands on one date, of the scored accounts."""

    date: str
    accounts: int
    red: float
    watch: float
    green: float


@dataclass(frozen=True)
class Slice:
    """A part of the rows by itself. `reason` says why its AUC cannot be told. `expected` events are from
    the calibrated chance, over its held-out rows, `observed` on the same."""

    by: str
    name: str
    rows: int
    events: int
    rate: Estimate
    auc: Estimate
    red_share: float
    red_rate: Estimate
    observed: int
    expected: float
    reason: str | None


@dataclass(frozen=True)
class Decile:
    """Rows by tenth of the score, lowest first."""

    low: float
    high: float
    rows: int
    events: int
    rate: Estimate


@dataclass(frozen=True)
class Missing:
    """What missing data do: AUC of the score before caps with missing measures left out of the weights,
    taken as 50, and as 0; rows not scored on the same dates and their outcome rate."""

    reweight: Estimate
    neutral: Estimate
    worst: Estimate
    rows_with_missing: int
    not_scored: int
    not_scored_share: float
    not_scored_rate: Estimate


@dataclass(frozen=True)
class Caps:
    """What caps and floors add: AUC with and without them, on the same rows."""

    rows: int
    rate: Estimate
    auc_without: Estimate
    adds: Estimate


@dataclass(frozen=True)
class Reason:
    """Losses of one stated reason: how many, of how many seen, and where they stood 7 days before."""

    name: str
    lost: int
    seen: int
    green: int
    red: int


@dataclass(frozen=True)
class Amount:
    """What was lost, by the band 7 days before. `known` says how many losses have an amount."""

    band: str
    lost: int
    known: int
    amount: float


@dataclass(frozen=True)
class Reached:
    """A bar: passed None where it cannot be told."""

    name: str
    passed: bool | None
    value: float
    needed: float
    sentence: str


@dataclass(frozen=True)
class Histogram:
    """Rows by score, in bins of equal width from `edges[i]` to `edges[i + 1]`."""

    edges: tuple[float, ...]
    without: tuple[int, ...]
    having: tuple[int, ...]


@dataclass(frozen=True)
class Report:
    """A whole trial. `to_dict` is a contract: see there for how names differ in JSON. `good`: the outcome is
    wished for, and AUC is the chance that who has it has the higher score."""

    verdict: str
    sentence: str
    would_change: tuple[str, ...]
    outcome: str
    horizon_days: int
    until: str
    dates: tuple[str, ...]
    observations: int
    events: int
    accounts: int
    groups: int
    base_rate: Estimate
    auc: Estimate
    auc_by_account: Estimate
    auc_closed_form: Estimate
    average_precision: Estimate
    auc_within: dict[str, Estimate]
    baselines: tuple[Baseline, ...]
    challenger: Challenger
    calibration: Calibration
    bands: tuple[Band, ...]
    deciles: tuple[Decile, ...]
    histogram: Histogram
    before: tuple[Before, ...]
    warned: Warned
    lead_time: LeadTime
    movement: Movement
    over_time: tuple[Shares, ...]
    missing: Missing
    caps: Caps
    slices: tuple[Slice, ...]
    reasons: tuple[Reason, ...]
    amounts: tuple[Amount, ...]
    bars: tuple[Reached, ...]
    counted: Counted
    warnings: tuple[str, ...]
    good: bool = False

    def band(self, name: str) -> Band:
        """The band of that name: red, watch or green."""
        return next(one for one in self.bands if one.name == name)

    @property
    def passed(self) -> bool:
        """Whether no bar was missed; one that cannot be told is not missed."""
        return all(bar.passed is not False for bar in self.bars)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON. `baselines` is {name: AUC}, `challenger` its AUC, `average_precision` a number; their
        intervals and details stand in `baseline_details`, `challenger_details` and
        `average_precision_interval`. `red` and `green` are the bands of that name, with
        `churn_rate` for the outcome rate."""
        whole = {field.name: plain(getattr(self, field.name)) for field in fields(self)}
        red, green = (_band(self.band(name)) for name in ("red", "green"))
        near = {f"{one.days}": plain(one.green.value) for one in self.before}
        whole |= {
            "average_precision": plain(self.average_precision.value),
            "average_precision_interval": plain(self.average_precision),
            "baselines": {one.name: plain(one.auc.value) for one in self.baselines},
            "baseline_details": whole["baselines"],
            "challenger": plain(self.challenger.auc.value),
            "challenger_details": whole["challenger"],
            "red": red,
            "green": green | {"churned_while_green": near.get("7"), "churned_while_green_by_days": near},
            "lead_time": whole["lead_time"]
            | {
                "capture": plain(self.lead_time.capture.value),
                "capture_interval": plain(self.lead_time.capture),
            },
            "flaps_per_account_year": plain(self.movement.flaps_per_account_year),
            "passed": self.passed,
        }
        return whole


def _band(band: Band) -> dict[str, Any]:
    return {
        "share": plain(band.share),
        "churn_rate": plain(band.rate.value),
        "churn_rate_interval": plain(band.rate),
        "lift": plain(band.lift.value),
        "lift_interval": plain(band.lift),
        "caught": plain(band.caught.value),
    }


def plain(value: Any) -> Any:
    """Values of JSON: nan and infinity become None."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    if isinstance(value, (float, np.floating)):
        return float(value) if np.isfinite(value) else None
    if isinstance(value, np.integer):
        return int(value)
    return value


def iso(day: int) -> str:
    """A day since 1970-01-01 as an ISO date."""
    return str(np.datetime64(int(day), "D"))
