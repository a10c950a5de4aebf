"""For whom rules hold on a date, account by account: the part of the naive reading that looks at facts.

Nothing of `retinue` is imported here (a test makes sure).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

Rule = Mapping[str, Any]
DAY = timedelta(days=1)
KINDS = (
    *("band", "drop", "component", "event", "renewal_within", "coverage_below", "no_touch", "anomaly"),
    *("expansion", "stage", "holds", "alert", "feed_stopped", "shared_issue", "share_rising"),
)
PORTFOLIO = ("feed_stopped", "shared_issue", "share_rising")


@dataclass
class Reading:
    """What is known of a company: `seen` maps dates to accounts as they are published.

    `bridges` are points that another formula took or gave, `usage` the state of the feed of usage,
    `touches` notes and tasks that were done, `looked` the last date that alerts were looked for.
    """

    accounts: Mapping[str, Any]
    facts: Sequence[Any]
    seen: dict[date, dict[str, Any]] = field(default_factory=dict)
    bridges: dict[date, dict[str, float]] = field(default_factory=dict)
    usage: dict[date, str] = field(default_factory=dict)
    touches: list[tuple[str, datetime]] = field(default_factory=list)
    looked: date | None = None

    def __post_init__(self) -> None:
        self.thens: dict[tuple[date, int], date | None] = {}
        self.rows: dict[tuple[str, str], list[Any]] = {}
        for fact in self.facts:
            self.rows.setdefault((fact.source, fact.account), []).append(fact)

    def _other_formula(self, account: str, day: date, then: date | None) -> bool:
        before = self.seen[then].get(account) if then is not None else None
        return before is not None and before.fingerprint != self.seen[day][account].fingerprint

    def _holds(self, kind: str, rule: Rule, account: str, day: date) -> bool:
        if "applies_to" in rule and not self._condition(rule["applies_to"], account, day):
            return False
        one = self.seen[day][account]
        match kind:
            case "band":
                return bool(one.band == rule["band"])
            case "drop":
                return self._fell(account, day, days(rule.get("within", "28d"))) >= rule["drop"] - 1e-9
            case "component":
                then = self._then(day, days(rule.get("within", "28d")))
                before = self.seen[then].get(account) if then else None
                if before is None or before.adoption is None or one.adoption is None:
                    return False
                if before.fingerprint != one.fingerprint:
                    return False  # another formula measures it otherwise
                return bool(before.adoption - one.adoption >= rule.get("by", 15) - 1e-9)
            case "event":
                after = self.looked or day - DAY
                return any(
                    after < fact.known <= day and _row_is(rule.get("where"), fact.value)
                    for fact in self.rows.get((rule["event"], account), ())
                )
            case "renewal_within":
                left = (one.renews_on - day).days if one.renews_on else -1
                low = one.computed is not None and one.computed < rule.get("below", 50)
                return 0 <= left <= days(rule["renewal_within"]) and low
            case "coverage_below":
                return bool(one.coverage < rule["coverage_below"])
            case "no_touch":
                return (day - self._touched(rule, account, day)).days > days(rule["no_touch"])
            case "anomaly":
                asked = rule["anomaly"]
                return bool((asked != "decline" and one.low) or (asked != "week" and one.falling))
            case "expansion":
                return self._condition(rule["expansion"], account, day)
            case "holds":
                return self._condition(rule["holds"], account, day)
            case "stage":
                return bool(one.stage == rule["stage"])
        raise AssertionError(rule)

    def _then(self, day: date, window: int) -> date | None:
        if (day, window) not in self.thens:
            self.thens[day, window] = max((d for d in self.seen if d <= day - window * DAY), default=None)
        return self.thens[day, window]

    def _fell(self, account: str, day: date, window: int) -> float:
        """By how much the computed score fell, without what another formula took; -inf if unknown."""
        then = self._then(day, window)
        before, one = (self.seen[then].get(account) if then else None), self.seen[day][account]
        if then is None or before is None or before.computed is None or one.computed is None:
            return -math.inf
        moved = 0.0
        if before.fingerprint != one.fingerprint:
            steps = [told[account] for d, told in self.bridges.items() if then < d <= day and account in told]
            if not steps or any(step is None for step in steps):
                return -math.inf
            moved = sum(steps)
        return float(before.computed + moved - one.computed)

    def _touched(self, rule: Rule, account: str, day: date) -> date:
        known = [self.accounts[account].started]
        for source in rule.get("touches", ()):
            known += [fact.day for fact in self.rows.get((source, account), ()) if fact.known <= day]
        midnight = datetime.combine(day + DAY, time(), UTC)
        known += [at.astimezone(UTC).date() for who, at in self.touches if who == account and at < midnight]
        return max(known)

    def _condition(self, text: str, account: str, day: date) -> bool:
        one, about = self.seen[day][account], self.accounts[account]
        values = {
            "segment": about.segment, "territory": about.territory, "seats": one.seats, "stage": one.stage,
            "score": one.computed, "band": one.band,
        }  # fmt: skip
        return all(_compare(part, values) for part in text.split(" and "))

    def _stake(self, account: str, day: date) -> float:
        """(100 - score) / 100 x ARR, twice that within 90 days of renewal; an unknown ARR is 1."""
        one, about = self.seen[day][account], self.accounts[account]
        if one.computed is None:
            return 0.0
        near = one.renews_on is not None and 0 <= (one.renews_on - day).days <= 90
        return (
            (100 - one.computed) / 100 * max(1.0 if about.arr is None else about.arr, 0) * (2 if near else 1)
        )

    # --- about the portfolio ---

    def _feeds(self, _rule: Rule, day: date) -> dict[str, int]:
        held = sum(one.held for one in self.seen[day].values())
        found = {"a feed": held} if held else {}
        if self.usage[day] == "feed_stopped" and not held:
            found["a feed"] = 0
        return found

    def _alike(self, rule: Rule, day: date) -> dict[str, int]:
        issue = rule["shared_issue"]
        window = days(issue.get("within", "28d"))
        who: dict[str, list[set[str]]] = {}
        for fact in self.facts:
            back = (day - fact.day).days
            if fact.source == issue["source"] and fact.known <= day and 0 <= back < 4 * window:
                who.setdefault(fact.value, [set(), set(), set(), set()])[back // window].add(fact.account)
        chances, counts = {}, {}
        for value, windows in who.items():
            recent, before = len(windows[0]), sum(len(w) for w in windows[1:])
            if recent >= issue.get("at_least", 5):
                chances[value], counts[value] = binomial_tail(recent, recent + before, 0.25), recent
        return {value: counts[value] for value in discovered(chances)}

    def _rising(self, rule: Rule, day: date) -> dict[str, int]:
        asked = rule["share_rising"]
        then = self._then(day, days(asked.get("within", "28d")))
        if then is None:
            return {}
        groups: dict[str, list[tuple[bool, bool]]] = {}
        for account, one in self.seen[day].items():
            before = self.seen[then].get(account)
            if before is None or before.band is None or one.band is None:
                continue
            if before.fingerprint != one.fingerprint:
                continue  # another formula moved it, perhaps
            group = self.accounts[account].segment
            groups.setdefault(group, []).append((before.band == asked["band"], one.band == asked["band"]))
        chances, counts = {}, {}
        for group, both in groups.items():
            came = sum(now and not was for was, now in both)
            left = sum(was and not now for was, now in both)
            if len(both) >= asked.get("at_least", 20):
                chances[group] = binomial_tail(came, came + left, 0.5)
                counts[group] = sum(now for _, now in both)
        return {group: counts[group] for group in discovered(chances)}


def kind_of(rule: Rule) -> str:
    return next(kind for kind in KINDS if kind in rule)


def days(text: str) -> int:
    return int(text[:-1]) * {"d": 1, "w": 7}[text[-1]]


def binomial_tail(least: int, trials: int, chance: float) -> float:
    """How likely so many or more of the trials succeed."""
    terms = (
        math.comb(trials, k) * chance**k * (1 - chance) ** (trials - k) for k in range(least, trials + 1)
    )
    return min(math.fsum(terms), 1.0)


def discovered(chances: Mapping[str, float], rate: float = 0.05) -> list[str]:
    """Benjamini and Hochberg, 1995: all up to the last one that is below its share of the rate."""
    order = sorted(chances, key=lambda name: chances[name])
    last = max((n for n, name in enumerate(order, 1) if chances[name] <= rate * n / len(order)), default=0)
    return order[:last]


def _row_is(where: str | None, value: str) -> bool:
    return where is None or where.split(" = ")[1] == value


def _compare(text: str, values: Mapping[str, Any]) -> bool:
    found = re.fullmatch(r"(\w+) (=|>|<|in) (.+)", text.strip())
    assert found is not None, text
    value, op, asked = values[found[1]], found[2], found[3]
    if value is None:
        return False
    if op == "in":
        return str(value) in [part.strip() for part in asked.strip("()").split(",")]
    if op == "=":
        return str(value) == asked
    return bool(value > float(asked)) if op == ">" else bool(value < float(asked))
