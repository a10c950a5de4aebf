"""Alerts, playbooks, tasks and messages a second time, read from their documentation in plain loops.

Nothing of `retinue` is imported here (a test makes sure): accounts, days and rules one after another, with
lists and dictionaries. What goes in are the declarations as parsed YAML, and what is published and said.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from tests.alerts.naive_reading import DAY, PORTFOLIO, Reading, Rule, days, kind_of

SEVERITY = {"high": 0, "normal": 1, "low": 2}


@dataclass
class Episode:
    """Of one rule and account: since when it holds, when it was last told, whether this time is dealt with.

    `storm` is the day of the storm that told of it among others, and of nothing else since.
    """

    since: date | None = None
    raised: date | None = None
    told: bool = False
    storm: date | None = None


@dataclass
class Task:
    number: int
    account: str
    step: str
    owner: str
    due: date
    status: str = "open"


@dataclass
class Enrolled:
    playbook: str
    account: str
    started: date
    status: str
    #: step -> (status, day on which it started, task)
    steps: dict[str, tuple[str, date | None, Task | None]] = field(default_factory=dict)


@dataclass
class Company(Reading):
    """What a company has said, done and been told so far."""

    alerts: Mapping[str, Rule] = field(default_factory=dict)
    policy: Rule = field(default_factory=dict)
    playbooks: Sequence[Mapping[str, Any]] = ()
    leaders: Sequence[tuple[str, Sequence[str]]] = ()
    teams: Mapping[str, Sequence[str]] = field(default_factory=dict)
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    known: set[str] = field(default_factory=set)
    memory: dict[str, dict[str, Episode]] = field(default_factory=dict)
    mutes: list[dict[str, Any]] = field(default_factory=list)
    #: (rule, account or subject, as_of, single)
    raised: list[tuple[str, str, date, bool]] = field(default_factory=list)
    told_on: list[tuple[datetime, str]] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)
    enrolled: list[Enrolled] = field(default_factory=list)
    #: (destination, kind, about, due)
    messages: list[tuple[str, str, str, datetime]] = field(default_factory=list)
    plays: dict[str, list[Enrolled]] = field(default_factory=dict)

    # --- a date is looked at ---

    def look(self, day: date, now: datetime) -> None:
        """Alerts of one published date, and who comes into playbooks."""
        news: list[tuple[str, str | None, str, str, float, Sequence[str]]] = []
        single: dict[str, list[str]] = {}
        lately: dict[str, int] = {}
        for _, account, at, one in self.raised:
            if one and at > day - 28 * DAY:
                lately[account] = lately.get(account, 0) + 1
        rules = sorted(self.alerts, key=lambda n: (SEVERITY[self.alerts[n].get("severity", "normal")], n))
        for name in rules:
            rule = self.alerts[name]
            if kind_of(rule) in PORTFOLIO:
                continue
            to_tell = []
            for account in self._due(name, rule, day, days(rule.get("rest", "28d"))):
                episode = self.memory[name][account]
                if self._muted(name, account, day):
                    continue
                if lately.get(account, 0) >= self.policy["per_account"]:
                    episode.told, episode.storm = True, None
                    continue
                to_tell.append(account)
            if self._many(len(to_tell), day):
                news.append((name, None, name, rule.get("severity", "normal"), float(len(to_tell)), ()))
                self._storm(name, to_tell, day)
                continue
            for account in to_tell:
                episode = self.memory[name][account]
                episode.told, episode.raised, episode.storm = True, day, None
                lately[account] = lately.get(account, 0) + 1
            to_tell.sort(key=lambda a: (-self._stake(a, day), a))
            single[name] = to_tell
            for account in to_tell:
                weight = self._stake(account, day)
                news.append((name, account, account, rule.get("severity", "normal"), weight, ()))
        for name, rule in self.alerts.items():
            if kind_of(rule) in PORTFOLIO:
                for subject, count in self._portfolio(name, rule, day):
                    news.append((name, None, subject, rule.get("severity", "normal"), float(count), ()))
        for book in self.playbooks:
            crowd = self._enrol(book, day, single)
            if crowd:
                news.append((f"playbook:{book['playbook']}", None, book["playbook"], "normal", crowd, ()))
        self._tell(news, day, now)
        self.known |= set(self.alerts) | {f"playbook:{book['playbook']}" for book in self.playbooks}
        self.looked = day

    def _due(self, name: str, rule: Rule, day: date, rest: int) -> list[str]:
        """Accounts of which this rule has something to tell, as far as it alone decides."""
        kind = kind_of(rule)
        event, new = kind == "event", name not in self.known
        memory = self.memory.setdefault(name, {})
        found, left = [], []
        here = self.seen[day]
        for account in sorted(set(here) | set(memory)):
            episode = memory.setdefault(account, Episode())
            if account not in here or not self._holds(kind, rule, account, day):
                episode.since, episode.told = None, False
                continue
            if episode.since is None or event:
                begins = episode.since is None
                if begins and episode.storm is not None:
                    episode.raised = None  # a storm is no telling of one account
                episode.since, episode.told, episode.storm = day, False, None
                if begins and kind in ("band", "drop", "component", "coverage_below"):
                    episode.told = self._other_formula(account, day, self.looked)
                if new and not event:
                    episode.told = True
            if episode.storm is not None:
                left.append(account)
                continue
            rested = event or episode.raised is None or (day - episode.raised).days >= rest
            if not episode.told and (day - episode.since).days >= days(rule.get("hold", "0d")) and rested:
                found.append(account)
        # What a storm told of among others is told singly once few of them are left.
        for storm in {self.memory[name][account].storm for account in left}:
            assert storm is not None
            mine = [account for account in left if self.memory[name][account].storm == storm]
            of = sum(memory[account].raised == storm for account in here)
            if len(mine) <= max(9, of * 0.1):
                found += mine
        return sorted(found)

    def _storm(self, name: str, accounts: Sequence[str], day: date) -> None:
        for account in accounts:
            episode = self.memory[name][account]
            episode.raised, episode.storm = day, day

    def _many(self, count: int, day: date) -> bool:
        """Whether so many accounts are told of as one: a tenth, say, of all, and ten at least."""
        return count >= 10 and count >= self.policy["storm"] * len(self.seen[day])

    def _muted(self, rule: str, account: str, day: date) -> bool:
        return any(
            mute["rule"] in (None, rule)
            and mute["account"] in (None, account)
            and (mute["until"] is None or mute["until"] >= day)
            for mute in self.mutes
        )

    # --- about the portfolio ---

    def _portfolio(self, name: str, rule: Rule, day: date) -> list[tuple[str, int]]:
        found = {
            "feed_stopped": self._feeds,
            "shared_issue": self._alike,
            "share_rising": self._rising,
        }[kind_of(rule)](rule, day)
        out = []
        memory = self.memory.setdefault(name, {})
        for subject in set(memory) | set(found):
            episode = memory.setdefault(subject, Episode())
            if subject not in found:
                episode.since, episode.told = None, False
                continue
            if episode.since is None:
                episode.since, episode.told = day, name not in self.known
                if episode.told:
                    episode.raised = day
            rest, hold = days(rule.get("rest", "28d")), days(rule.get("hold", "0d"))
            rested = episode.raised is None or (day - episode.raised).days >= rest
            if not episode.told and (day - episode.since).days >= hold and rested:
                episode.told, episode.raised = True, day
                out.append((subject, found[subject]))
        return out

    # --- who is told, and when ---

    def _tell(self, news: list[Any], day: date, now: datetime) -> None:
        midnight = datetime.combine(now.astimezone(self.zone).date(), time(), self.zone)
        spent: dict[str, int] = {}
        for at, owner in self.told_on:
            if at >= midnight:
                spent[owner] = spent.get(owner, 0) + 1
        left: dict[tuple[str, str], int] = {}
        for name, account, subject, severity, _weight, _ in sorted(
            news, key=lambda n: (SEVERITY[n[3]], -n[4], n[1] or "")
        ):
            rule = self.alerts.get(name, {})
            self.raised.append((name, subject, day, account is not None))
            everyone = self.policy["portfolio_to"] if account is None else self.policy["to"]
            owner = self.accounts[account].owner if account is not None else None
            if owner is not None:
                self.told_on.append((now, owner))
                spent[owner] = spent.get(owner, 0) + 1
            for to in rule.get("to", everyone):
                if owner is not None and spent[owner] > self.policy["per_person"] and severity != "high":
                    left[owner, to] = left.get((owner, to), 0) + 1
                else:
                    about = f"{name} {subject} {day}"
                    self.messages.append((to, "alert", about, self.due(now, severity)))
        for (owner, to), count in left.items():
            self.messages.append((to, "digest", f"{owner} {day} {count}", self.due(now, "low")))

    def due(self, now: datetime, severity: str) -> datetime:
        """At once for high severity; else when people work: 08:00 to 18:00 on workdays, where they are."""
        here = now.astimezone(self.zone)
        if severity == "high":
            return now.astimezone(UTC)
        while True:
            opens = datetime.combine(here.date(), time(8), self.zone)
            closes = datetime.combine(here.date(), time(18), self.zone)
            if here.weekday() < 5 and here < closes:
                return max(here, opens).astimezone(UTC)
            here = datetime.combine(here.date() + DAY, time(), self.zone)

    # --- playbooks ---

    def _enrol(self, book: Mapping[str, Any], day: date, single: Mapping[str, list[str]]) -> int:
        """Let accounts into a playbook; how many they would be, where they are too many at once."""
        trigger, name = book["when"], f"playbook:{book['playbook']}"
        if "alert" in trigger:
            accounts = [
                account for account in single.get(trigger["alert"], ())
                if "applies_to" not in book or self._condition(book["applies_to"], account, day)
            ]  # fmt: skip
        else:
            rule = {**trigger, **({"applies_to": book["applies_to"]} if "applies_to" in book else {})}
            accounts = self._due(name, rule, day, 0)
        if self._many(len(accounts), day):
            if "alert" not in trigger:
                self._storm(name, accounts, day)
            return len(accounts)
        for account in accounts:
            if "alert" not in trigger:
                episode = self.memory[name][account]
                episode.told, episode.raised, episode.storm = True, day, None
            if any(self._in_the_way(one, book, day) for one in self.plays.get(account, ())):
                continue
            status = "held_out" if held_out(book, account, day) else "active"
            steps: dict[str, Any] = {
                step_name(step, n): ("waiting", None, None) for n, step in enumerate(book["steps"])
            }
            one = Enrolled(book["playbook"], account, day, status, steps)
            self.enrolled.append(one)
            self.plays.setdefault(account, []).append(one)
        return 0

    def _in_the_way(self, one: Enrolled, book: Mapping[str, Any], day: date) -> bool:
        same = one.playbook == book["playbook"]
        if same and (day - one.started).days < days(book.get("once_per", "90d")):
            return True
        groups = {b["playbook"]: b.get("group") for b in self.playbooks}
        together = book.get("group") is not None and groups[one.playbook] == book["group"]
        return one.status == "active" and (same or together)

    def go_on(self, now: datetime) -> None:
        """Every step of a playbook that is due on the day that it is."""
        today, last = now.astimezone(self.zone).date(), max(self.seen)
        desk = {
            owner: sum(1 for task in self.tasks if task.owner == owner and task.status == "open")
            for owner in {task.owner for task in self.tasks}
        }
        revenue: dict[str, float] = {}
        for account in self.seen[last]:
            about = self.accounts[account]
            if about.owner is not None:
                revenue[about.owner] = revenue.get(about.owner, 0.0) + (about.arr or 0.0)
        for one in [one for one in self.enrolled if one.status == "active"]:
            book = next(b for b in self.playbooks if b["playbook"] == one.playbook)
            self._settle(one, book, today)
            here = one.account in self.seen[last]
            if not here or ("until" in book and self._condition(book["until"], one.account, last)):
                one.status = "stopped"
                for status, _, task in one.steps.values():
                    if status == "going" and task is not None:
                        task.status = "dropped"
                continue
            names = list(one.steps)
            for n, step in enumerate(book["steps"]):
                first = step.get("after", [names[n - 1]] if n else [])
                if one.steps[names[n]][0] != "waiting":
                    continue
                if any(one.steps[other][0] in ("waiting", "going") for other in first):
                    continue
                task = None
                if "task" in step:
                    owner = self._owner(step, one.account, desk, revenue)
                    desk[owner] = desk.get(owner, 0) + 1
                    due = business_days(today, step.get("due", 2))
                    task = Task(len(self.tasks) + 1, one.account, f"{one.playbook}.{names[n]}", owner, due)
                    self.tasks.append(task)
                elif "message" in step:
                    subject = step.get("subject", "{playbook}: {name}")
                    label, name = book.get("label", book["playbook"]), self.accounts[one.account].name
                    said = subject.replace("{playbook}", label).replace("{name}", name)
                    for to in step["to"]:
                        self.messages.append((to, "playbook", said, self.due(now, "normal")))
                one.steps[names[n]] = ("done" if "message" in step else "going", today, task)
            if all(status in ("done", "dropped") for status, _, _ in one.steps.values()):
                one.status = "completed"

    def _settle(self, one: Enrolled, book: Mapping[str, Any], today: date) -> None:
        for step, (name, (status, on, task)) in zip(book["steps"], list(one.steps.items()), strict=True):
            if status != "going":
                continue
            if "wait" in step and on is not None and (today - on).days >= days(step["wait"]):
                one.steps[name] = ("done", on, None)
            if task is not None and task.status in ("done", "dropped"):
                one.steps[name] = (task.status, on, task)

    def _owner(
        self, step: Mapping[str, Any], account: str, desk: Mapping[str, int], revenue: Mapping[str, float]
    ) -> str:
        about = self.accounts[account]
        if "among" in step:
            among = step["among"]
            people = self.teams[among] if isinstance(among, str) else among
            newest = {p: max((t.number for t in self.tasks if t.owner == p), default=0) for p in people}
            order: dict[str, Callable[[str], Any]] = {
                "fewest_tasks": lambda p: (desk.get(p, 0), revenue.get(p, 0.0), p),
                "least_revenue": lambda p: (revenue.get(p, 0.0), desk.get(p, 0), p),
                "round_robin": lambda p: (newest[p], p),
            }
            return str(min(people, key=order[step.get("balance", "fewest_tasks")]))
        for name in step.get("owner", ["owner", "leader"]):
            if name == "owner" and about.owner is not None:
                return str(about.owner)
            if name == "leader":
                own = [email for email, places in self.leaders if about.territory in places]
                every = [email for email, places in self.leaders if not places]
                if own or every:
                    return str([*own, *every][0])
            elif name != "owner":
                return str(name)
        return about.owner or "retinue"


def step_name(step: Mapping[str, Any], place: int) -> str:
    return step.get("id") or f"step_{place + 1}"


def held_out(book: Mapping[str, Any], account: str, day: date) -> bool:
    """By SHA-256 of playbook, account and day with zero bytes between: its first eight bytes as a share."""
    name = "\0".join((book["playbook"], account, day.isoformat())).encode()
    return int(hashlib.sha256(name).hexdigest()[:16], 16) < book.get("hold_out", 0) * 2**64


def business_days(start: date, count: int) -> date:
    """So many workdays after a day; a day off counts as the workday after it."""
    day = start
    while day.weekday() >= 5:
        day += DAY
    while count:
        day += DAY
        count -= day.weekday() < 5
    return day
