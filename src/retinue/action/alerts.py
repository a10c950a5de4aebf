"""Which alerts a date raises: conditions over the accounts, then a memory that keeps them from repeating.

An alert is raised once per episode: when its condition has held for `hold` days, and not again before it
has ended and `rest` days have passed. What a change of the formula alone brings about is remembered
without being told. Beyond `per_account` in 28 days, and under a mute, nothing is raised.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from retinue.action.matching import holds
from retinue.action.picture import BANDS, NEVER, Days, Earlier, Flags, Happened, Picture
from retinue.action.stake import at_stake
from retinue.project.alerts import Alerting, AlertRule

#: Days over which alerts of an account are counted.
MONTH = 28
#: Fewest accounts that make a storm.
FEW = 10
#: A storm is over when it still holds for no more than this share of the accounts that it told of.
STORM_ENDS = 0.1
#: Points are compared with this tolerance: they were rounded on their way here.
TIE = 1e-9
_SEVERITY = {"high": 0, "normal": 1, "low": 2}


@dataclass(frozen=True)
class Memory:
    """What one rule remembers of each account: since when its condition holds (NEVER if it does not),
    when it was last raised, and whether this episode has been dealt with.

    One that was raised in this episode, and has not been dealt with, was told of in a storm only; where
    nothing holds, so was one that has not been dealt with when it was last raised.
    """

    since: Days
    raised: Days
    told: Flags

    @classmethod
    def empty(cls, accounts: int) -> Memory:
        never = np.full(accounts, NEVER)
        return cls(never, never.copy(), np.zeros(accounts, bool))


@dataclass(frozen=True)
class Raised:
    """What one date raises. `alerts` maps rules to accounts (places in the picture), the most at stake
    first; a rule in `storms` tells of all of its accounts at once. `withheld` are those that were due and
    not raised, by reason: muted, too_many."""

    alerts: Mapping[str, NDArray[np.int64]]
    storms: frozenset[str]
    withheld: Mapping[str, Mapping[str, int]]
    memory: Mapping[str, Memory]


@dataclass(frozen=True)
class Before:
    """What decisions rest on besides the date itself.

    `memory` is that of each rule in the order of the picture's accounts; a rule without one is new, and
    raises nothing on its first date, however many accounts it holds for. `lately` are alerts of each
    account in the 28 days before. `muted` maps rules to accounts that are muted.
    """

    memory: Mapping[str, Memory] = field(default_factory=dict)
    lately: NDArray[np.int64] | None = None
    muted: Mapping[str, Flags] = field(default_factory=dict)


def raised(
    rules: Mapping[str, AlertRule],
    policy: Alerting,
    now: Picture,
    earlier: Mapping[int, Earlier],
    happened: Happened,
    before: Before,
) -> Raised:
    """The alerts of one date. `earlier` maps the windows of rules, in days, to the scores so long before.

    Dates are to be evaluated in order, each once; the memory that comes back goes into the next.
    """
    alerts: dict[str, NDArray[np.int64]] = {}
    memory: dict[str, Memory] = {}
    withheld: dict[str, dict[str, int]] = {}
    storms: set[str] = set()
    lately = np.zeros(len(now), np.int64) if before.lately is None else before.lately.copy()
    # What weighs most comes first, so that it is not what the limit per account leaves out.
    for name in sorted(rules, key=lambda n: (_SEVERITY[rules[n].severity], n)):
        rule = rules[name]
        if rule.is_portfolio:
            continue
        true = condition(name, rule, now, earlier, happened)
        known = before.memory.get(name)
        kept, due = remembered(rule, known or Memory.empty(len(now)), true, now, new=known is None)
        muted = before.muted.get(name, np.zeros(len(now), bool))
        crowded = lately >= policy.per_account
        out = due & ~muted & ~crowded
        places = np.flatnonzero(out)
        storm = many(len(places), len(now), policy)
        # A mute only waits: what still holds when it ends is told then. What is too many is let go.
        let_go = due & crowded & ~muted
        memory[name] = having_told(
            Memory(kept.since, kept.raised, kept.told | let_go), out, now.day, storm=storm
        )
        counts = {"muted": int((due & muted).sum()), "too_many": int((due & crowded & ~muted).sum())}
        withheld[name] = {reason: count for reason, count in counts.items() if count}
        if len(places):
            alerts[name] = places[np.argsort(-stake(now)[places], kind="stable")]
        if storm:
            storms.add(name)
        else:
            lately += out
    return Raised(alerts, frozenset(storms), withheld, memory)


def many(count: int, accounts: int, policy: Alerting) -> bool:
    """Whether so many accounts at once are one thing to tell, not as many."""
    return count >= max(FEW, policy.storm * accounts)


def having_told(memory: Memory, out: Flags, day: int, *, storm: bool) -> Memory:
    """The memory once the accounts in `out` have been told of: one by one, or all at once in a storm."""
    return Memory(
        memory.since, np.where(out, day, memory.raised), memory.told if storm else memory.told | out
    )


def condition(
    name: str, rule: AlertRule, now: Picture, earlier: Mapping[int, Earlier], happened: Happened
) -> Flags:
    """For which accounts the rule's condition holds on this date."""
    true = _condition(name, rule, now, earlier, happened)
    if rule.applies_to is not None:
        true = true & holds(rule.applies_to, now.columns, len(now))
    return true


def _condition(
    name: str, rule: AlertRule, now: Picture, earlier: Mapping[int, Earlier], happened: Happened
) -> Flags:
    nobody = np.zeros(len(now), bool)
    then = earlier.get(rule.within.days)
    true: Flags = nobody
    with np.errstate(invalid="ignore"):
        match rule.kind:
            case "band":
                true = now.band == BANDS.index(rule.band or "")
            case "drop" if then is not None:
                true = then.computed - now.computed >= (rule.drop or 0) - TIE
            case "component" if then is not None:
                part = rule.component or ""
                if part in now.components and part in then.components:
                    true = then.components[part] - now.components[part] >= rule.by - TIE
            case "event":
                true = happened.events.get(name, np.zeros(len(now), np.int64)) > 0
            case "renewal_within":
                assert rule.renewal_within is not None
                soon = (now.renews_in >= 0) & (now.renews_in <= rule.renewal_within.days)
                true = soon & (now.computed < rule.below)
            case "coverage_below":
                true = now.coverage < (rule.coverage_below or 0)
            case "no_touch" if name in happened.touched:
                assert rule.no_touch is not None
                true = now.day - happened.touched[name] > rule.no_touch.days
            case "anomaly":
                week = nobody if happened.anomaly is None else happened.anomaly
                decline = nobody if happened.decline is None else happened.decline
                true = {"week": week, "decline": decline, "any": week | decline}[rule.anomaly or "any"]
            case "holds" | "expansion":
                asked = rule.holds or rule.expansion
                assert asked is not None
                true = holds(asked, now.columns, len(now))
    return true


def remembered(
    rule: AlertRule, memory: Memory, true: Flags, now: Picture, *, new: bool
) -> tuple[Memory, Flags]:
    """The memory after this date, nothing raised yet, and for whom an alert is due."""
    event = rule.kind == "event"
    begins = true & (memory.since == NEVER)
    # Each new row of an event is an episode of its own.
    since = np.where(true, np.where(begins | event, now.day, memory.since), NEVER)
    ended = ~true & (memory.since != NEVER)
    told = np.where(ended, memory.told | (memory.raised < memory.since), memory.told)
    # Who was told of among very many has not been told of: that keeps nothing back that is their own.
    forgotten = begins & ~told & (memory.raised != NEVER)
    raised = np.where(forgotten, NEVER, memory.raised)
    told &= ~(begins | (event & true))
    silent = begins & now.recalibrated & (rule.kind in ("band", "drop", "component", "coverage_below"))
    if new and not event:
        silent = silent | begins
    told = told | silent
    held = true & (now.day - since >= rule.hold.days)
    # Of events everyone counts: what is due within `rest` of another event is news all the same.
    rested = np.full(len(true), True) if event else now.day - raised >= rule.rest.days
    in_storm = true & ~told & (raised >= since)
    due = (held & ~told & rested & ~in_storm) | _left(in_storm, raised)
    return Memory(since, raised, told), due


def _left(in_storm: Flags, raised: Days) -> Flags:
    """Of accounts that a storm told of, for which it holds still: those whose storm is over, since only few
    of all that it told of are left. What keeps them there is their own."""
    out = np.zeros(len(in_storm), bool)
    for day in np.unique(raised[in_storm]).tolist():
        mine = in_storm & (raised == day)
        if int(mine.sum()) <= max(FEW - 1, STORM_ENDS * int((raised == day).sum())):
            out |= mine
    return out


def stake(now: Picture) -> NDArray[np.float64]:
    """What is at stake with each account; nothing with one that has no score."""
    return np.nan_to_num(at_stake(now.computed, now.arr, now.renews_in), nan=0.0)
