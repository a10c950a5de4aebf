"""What a trial comes down to, by a rule that is stated."""

from __future__ import annotations

from dataclasses import dataclass

from retinue.insight.validation.report import Baseline, Challenger
from retinue.insight.validation.sampling import Estimate

ENOUGH_EVENTS = 20
"""Events, and rows without one, below which nothing is said."""

ENOUGH_GROUPS = 10
"""Groups of accounts that the events must be spread over: repetitions that draw whole groups say
nothing with fewer."""

WELL = 0.70
"""An AUC from here on is "well", if the lower end of its interval is at least WELL_AT_LEAST."""

WELL_AT_LEAST = 0.60
CHANCE = 0.5
WORTH = 0.03
"""A lead of the challenger, in AUC, that is worth a look: the score misses something."""


@dataclass(frozen=True)
class Outcomes:
    """Rows with the outcome, rows without, and how many groups of accounts have a row with it."""

    events: int
    spared: int
    groups: int


@dataclass(frozen=True)
class Verdict:
    name: str
    sentence: str
    would_change: tuple[str, ...]


def _one(what: str) -> str:
    return what.replace("events", "event").replace("rows", "row")


def judge(
    outcomes: Outcomes,
    auc: Estimate,
    baselines: tuple[Baseline, ...],
    challenger: Challenger,
    horizon: int,
    good: bool = False,
) -> Verdict:
    """not_enough_churn: fewer than 20 events, or fewer than 20 rows without one, or events in fewer than 10
    groups of accounts. no_evidence: the interval of the AUC reaches down to a half. predicts_well: AUC at
    least .70, interval from at least .60, and not surely behind any naive baseline.
    predicts_weakly: all else.
    """
    events, spared = outcomes.events, outcomes.spared
    fewest = min(events, spared)
    if fewest < ENOUGH_EVENTS:
        what = "events" if events <= spared else "rows without the outcome"
        return Verdict(
            "not_enough_churn",
            f"{fewest} {what if fewest != 1 else _one(what)} within {horizon} days; "
            f"{ENOUGH_EVENTS} are needed to say anything.",
            (
                f"{ENOUGH_EVENTS - fewest} more {what}: a longer history, a longer horizon, or an outcome "
                "that comes more often, such as contraction",
            ),
        )
    if outcomes.groups < ENOUGH_GROUPS:
        return Verdict(
            "not_enough_churn",
            f"{events} events within {horizon} days, but all in {outcomes.groups} groups of accounts; "
            f"{ENOUGH_GROUPS} are needed, for what is of one group is one observation.",
            (f"events in {ENOUGH_GROUPS - outcomes.groups} more groups of accounts",),
        )
    left = _left(challenger)
    side, other = ("high", "low") if good else ("low", "high")
    span = f"AUC {auc.value:.2f}, 95 % interval {auc.low:.2f} to {auc.high:.2f}, {events} events"
    if not auc.low > CHANCE:
        opposite = auc.high < CHANCE
        return Verdict(
            "no_evidence",
            f"There is no evidence that a {side} score comes before the outcome ({span})."
            + (f" The opposite holds: a {other} score does." if opposite else ""),
            (
                "look at the direction of the curves, and at whether the outcome is good or bad: one is the "
                "wrong way round"
                if opposite
                else _more_events(auc, events),
                *left,
                "other measures: see which single metric does better than the score",
            ),
        )
    behind = [one for one in baselines if one.ahead.known and one.ahead.high < 0]
    if auc.value >= WELL and auc.low >= WELL_AT_LEAST and not behind:
        return Verdict(
            "predicts_well",
            f"A {side} score comes before the outcome, and well enough to work by ({span})."
            + _alone(baselines),
            (*left, "a later trial in which the AUC falls, or a naive baseline that gets ahead"),
        )
    changes = []
    if behind:
        worst = min(behind, key=lambda one: one.ahead.value)
        changes.append(f"getting ahead of {worst.name}, which alone does better (AUC {worst.auc.value:.2f})")
    changes += left
    if auc.value < WELL:
        changes.append(f"an AUC of {WELL:.2f} or more, by better measures or weights")
    if auc.low < WELL_AT_LEAST:
        changes.append(f"an interval that begins at {WELL_AT_LEAST:.2f} or more, with more events")
    return Verdict(
        "predicts_weakly", f"A {side} score comes before the outcome, but weakly ({span}).", tuple(changes)
    )


def _alone(baselines: tuple[Baseline, ...]) -> str:
    """That something naive may do as well, where the score is not surely ahead of it."""
    level = [one for one in baselines if one.ahead.known and one.ahead.low <= 0]
    if not level:
        return ""
    near = max(level, key=lambda one: one.auc.value)
    which = f"{near.chosen.partition(',')[0]} alone" if near.chosen else f"{near.name} alone"
    return f" It is not surely better than {which} (AUC {near.auc.value:.2f})."


def _left(challenger: Challenger) -> list[str]:
    """What gradient boosting finds and the score does not, where that is sure and worth a look."""
    if not (challenger.ahead.high < 0 and -challenger.ahead.value >= WORTH):
        return []
    return [
        f"what gradient boosting finds in the same data and the score misses: AUC {challenger.auc.value:.2f} "
        f"where the score has {challenger.score_auc.value:.2f}, on the same later rows"
    ]


def _more_events(auc: Estimate, events: int) -> str:
    """How many events would settle it, were the AUC what it seems: intervals narrow by the root."""
    above = auc.value - CHANCE
    if not above > 0.01:
        return "more events would hardly help: the AUC itself is near a half"
    needed = int(events * ((auc.value - auc.low) / above) ** 2 * 1.1) + 1
    return f"about {max(needed, events + 1)} events instead of {events}, were the AUC what it seems"
