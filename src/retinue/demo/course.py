"""How accounts fare week by week: latent health, decisions to leave, plays, contracts.

A loop over weeks, vectorised over the accounts of a block. All random numbers are drawn
before it, so that what happens to one account never shifts the numbers of another.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from retinue.demo.calendar import Array, Calendar
from retinue.demo.chance import BLOCK, sigmoid, stream
from retinue.demo.company import Company, add_months
from retinue.demo.truth import COMPONENTS, SEGMENTS, Truth

NEVER = 10**6
#: Days between the decision to leave and the end of the contract; renewals are decided then.
NOTICE = 28


@dataclass(frozen=True)
class Course:
    """Arrays are (account, week) unless said otherwise; days are day numbers, NEVER if not."""

    components: Array  # (account, week, component)
    health: Array
    hazard: Array
    at_risk: Array
    renewal: Array
    decided: Array  # (account,)
    ended: Array  # (account,)
    next_renewal: Array  # (account,)
    arr: Array  # (account,)
    graduated: Array  # (account,): day on which onboarding succeeded
    champions: dict[str, Array]  # account, left, back (days)
    plays: dict[str, Array]  # account, week, day, kind (-1: eligible, nobody acted)
    outcomes: dict[str, Array]  # account, day, kind, before, after
    contracts: dict[str, Array]  # account, day, arr, renews


OUTCOMES = ("renewed", "expanded", "contracted", "churned", "referred")
RENEWED, EXPANDED, CONTRACTED, CHURNED, REFERRED = range(5)


class _Log:
    """Rows collected week by week, as arrays."""

    def __init__(self, *names: str):
        self._names = names
        self._parts: list[tuple[Array, ...]] = []

    def add(self, accounts: Array, *values: Array | float) -> None:
        if len(accounts):
            self._parts.append((accounts, *(np.broadcast_to(v, accounts.shape) for v in values)))

    def arrays(self) -> dict[str, Array]:
        if not self._parts:
            return {name: np.zeros(0, np.int64) for name in self._names}
        columns = zip(*self._parts, strict=True)
        return {name: np.concatenate(column) for name, column in zip(self._names, columns, strict=True)}


class _Luck:
    """Every random number of a block, by (account, week), drawn before anything happens."""

    def __init__(self, rng: np.random.Generator, calendar: Calendar, truth: Truth):
        n, weeks, k = BLOCK, calendar.weeks, len(COMPONENTS)
        common, own = np.sqrt(truth.shared), np.sqrt(1 - truth.shared)
        self.level = truth.account_sd * (common * rng.normal(size=(n, 1)) + own * rng.normal(size=(n, k)))
        self.noise = truth.weekly_sd * (
            common * rng.normal(size=(n, weeks, 1)) + own * rng.normal(size=(n, weeks, k))
        )
        spread = truth.weekly_sd / np.sqrt(1 - truth.persistence**2)
        self.start = spread * (common * rng.normal(size=(n, 1)) + own * rng.normal(size=(n, k)))
        self.champion, self.leave, self.act, self.end, self.more, self.refer, self.size = (
            rng.random((n, weeks)) for _ in range(7)
        )
        self.weekday = rng.integers(0, 5, (n, weeks))
        self.back_after = rng.integers(4, 13, (n, weeks))
        self.kind = rng.integers(0, len(truth.plays), (n, weeks))
        self.sight = truth.play_noise * rng.normal(size=(n, weeks))
        self.onboarding = rng.random(n)


def live(seed: int, calendar: Calendar, truth: Truth, company: Company) -> Course:
    """What happens to the accounts of a block from the first week to the last."""
    life = _Life(stream(seed, company.block, "course"), calendar, truth, company)
    for week in range(calendar.weeks):
        life.live(week)
    return Course(
        **life.told,
        decided=life.decided,
        ended=life.ended,
        next_renewal=life.renews,
        arr=life.arr,
        graduated=life.graduated,
        champions=life.champions.arrays(),
        plays=life.plays.arrays(),
        outcomes=life.outcomes.arrays(),
        contracts=life.contracts.arrays(),
    )


class _Life:
    """The accounts of a block in the middle of their lives; one value per account unless noted."""

    def __init__(self, rng: np.random.Generator, calendar: Calendar, truth: Truth, company: Company):
        n, weeks = BLOCK, calendar.weeks
        self.calendar, self.truth, self.company = calendar, truth, company
        self.luck = _Luck(rng, calendar, truth)
        self.state = self.luck.start
        self.weight = np.array([truth.weights[name] for name in COMPONENTS])
        fixed = np.array([truth.segment.get(name, 0.0) for name in SEGMENTS])[company.segment]
        self.fixed = fixed + company.indicator_hit @ np.array([i.effect for i in truth.indicators])
        terms = [company.term == months for months in truth.renewal]
        self.at_renewal = np.select(terms, list(truth.renewal.values()), 0.0)
        self.help_by_kind = np.array([truth.shock(play.effect) for play in truth.plays])
        self.shift_from = NEVER if truth.shift_on is None else calendar.index(truth.shift_on)

        self.decided, self.ended, self.graduated = (np.full(n, NEVER) for _ in range(3))
        self.champion_back, self.helped_in = (np.full(n, -NEVER) for _ in range(2))
        self.helped_by = np.zeros(n, np.int64)
        self.seen_before = np.full(n, np.inf)
        self.renews, self.arr = company.first_renewal.copy(), company.arr.copy()

        self.champions = _Log("account", "left", "back")
        self.plays = _Log("account", "week", "day", "kind")
        self.outcomes = _Log("account", "day", "kind", "before", "after")
        self.contracts = _Log("account", "day", "arr", "renews")
        signed = np.flatnonzero(company.customers)
        self.contracts.add(signed, company.start[signed], self.arr[signed], self.renews[signed])
        self.told = {
            "components": np.zeros((n, weeks, len(COMPONENTS)), np.float32),
            "health": np.zeros((n, weeks), np.float32),
            "hazard": np.zeros((n, weeks), np.float32),
            "at_risk": np.zeros((n, weeks), bool),
            "renewal": np.zeros((n, weeks), bool),
        }

    def live(self, week: int) -> None:
        """One week: what happens to health, who is helped, who leaves, what is renewed."""
        monday = 7 * week
        on = self.company.customers & (self.company.start < monday + 7) & (self.ended > monday)
        self._shocks(week, on)
        components = self.luck.level + self.state
        health = components @ self.weight
        tenure = np.maximum(monday - self.company.start, 0) / 7
        under_contract = on & (self.decided == NEVER)
        self._help(week, on, under_contract & (tenure >= 8), health)
        risk = under_contract & (self.company.start <= monday)
        deadline = (self.renews - NOTICE >= monday) & (self.renews - NOTICE < monday + 7)
        hazard = self._leave(week, risk, deadline, health, tenure)
        self._renew(week, under_contract & (self.decided == NEVER), health, tenure)
        self.told["components"][:, week] = components
        self.told["health"][:, week] = health
        self.told["hazard"][:, week] = np.where(risk, hazard, 0)
        self.told["at_risk"][:, week] = risk
        self.told["renewal"][:, week] = deadline & risk

    def _day(self, week: int) -> Array:
        """A working day of the week for each account."""
        return np.asarray(7 * week + self.luck.weekday[:, week])

    def _shocks(self, week: int, on: Array) -> None:
        truth, luck, start = self.truth, self.luck, self.company.start
        self.state = truth.persistence * self.state + luck.noise[:, week]
        left = on & (start <= 7 * week) & (self.champion_back <= week)
        left &= luck.champion[:, week] < truth.champion_leaves_weekly
        self.state[left] += truth.shock(truth.champion_shock)
        self.champion_back[left] = week + luck.back_after[left, week]
        self.champions.add(np.flatnonzero(left), self._day(week)[left], 7 * self.champion_back[left])
        if week in self.calendar.incident_weeks:
            self.state += truth.shock(truth.incident_shock)
        finishing = on & (start // 7 + 8 == week)
        well = luck.onboarding < sigmoid(0.4 + luck.level[:, 0])
        self.state[:, 0] += truth.onboarding_shock * np.where(well, 1, -1) * finishing
        self.graduated = np.where(finishing & well, self._day(week), self.graduated)
        helped = self.helped_in == week
        self.state[helped] += self.help_by_kind[self.helped_by[helped]]

    def _help(self, week: int, on: Array, settled: Array, health: Array) -> None:
        """CSMs act where an account has just turned bad, as they see it: regression to the mean."""
        line = self.truth.play_below
        seen = health + self.luck.sight[:, week]
        turned = (seen < line) & (self.seen_before >= line)
        eligible = settled & turned & (self.helped_in < week - 12)
        acts = eligible & (self.luck.act[:, week] < self.truth.play_share)
        kind = self.luck.kind[:, week]
        self.helped_in = np.where(acts, week + 1, self.helped_in)
        self.helped_by = np.where(acts, kind, self.helped_by)
        # A play starts on a working day of the next week.
        self.plays.add(
            np.flatnonzero(eligible), week, self._day(week)[eligible] + 7, np.where(acts, kind, -1)[eligible]
        )
        self.seen_before = np.where(on, seen, np.inf)

    def _leave(self, week: int, risk: Array, deadline: Array, health: Array, tenure: Array) -> Array:
        truth = self.truth
        logit = self.fixed + self.at_renewal * deadline + truth.early_tenure * np.exp(-tenure / 26)
        hazard = sigmoid(logit - truth.slope * health + truth.shift * (7 * week >= self.shift_from))
        leaving = risk & (self.luck.leave[:, week] < hazard)
        day = self._day(week)
        self.decided = np.where(leaving, day, self.decided)
        self.ended = np.where(leaving, np.where(deadline, self.renews, day + NOTICE), self.ended)
        self.outcomes.add(np.flatnonzero(leaving), self.ended[leaving], CHURNED, self.arr[leaving], 0.0)
        return hazard

    def _renew(self, week: int, staying: Array, health: Array, tenure: Array) -> None:
        """Renewals of the contracts that go on; growth and referrals in between."""
        luck = self.luck

        def chance(of: tuple[float, float]) -> Array:
            return sigmoid(of[0] + of[1] * health)

        # The last week may be cut short; what would follow the last day has not happened.
        last, today = self.calendar.last_index, self._day(week)
        due = staying & (self.renews >= 7 * week) & (self.renews < min(7 * week + 7, last + 1))
        between = staying & ~due & (tenure >= 8) & (today <= last)
        shrinks = due & (luck.end[:, week] < chance(self.truth.contracted))
        grows = due & ~shrinks & (luck.end[:, week] > 1 - chance(self.truth.expanded))
        grows |= between & (luck.more[:, week] < chance(self.truth.expanded_weekly))
        factor = np.where(shrinks, 0.9 - 0.35 * luck.size[:, week], 1.05 + 0.35 * luck.size[:, week])
        after = np.where(shrinks | grows, np.round(self.arr * factor / 10) * 10, self.arr)
        day = np.where(due, self.renews, today)
        what = np.where(shrinks, CONTRACTED, np.where(grows, EXPANDED, RENEWED))
        changed = due | grows
        who = np.flatnonzero(changed)
        self.outcomes.add(who, day[changed], what[changed], self.arr[changed], after[changed])
        self.arr = after
        self.renews = np.where(due, add_months(self.calendar, self.renews, self.company.term), self.renews)
        self.contracts.add(who, day[changed], self.arr[changed], self.renews[changed])
        refers = between & (luck.refer[:, week] < chance(self.truth.referred_weekly))
        self.outcomes.add(np.flatnonzero(refers), today[refers], REFERRED, self.arr[refers], self.arr[refers])
