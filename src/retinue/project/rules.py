"""What must hold between the declarations of a project: names that refer to each other.

Pure: nothing here opens a file or looks at data. Each rule yields problems with the place
of the declaration that has to change and what to do about it.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from retinue.errors import Problem
from retinue.project import conditions
from retinue.project.conditions import Comparison, Condition, Every, Membership, Not, Some
from retinue.project.diagnosis import suggestion
from retinue.project.metrics import Children
from retinue.project.project import Project
from retinue.project.references import BUILT_IN, ROLL_UP
from retinue.project.sources import DATE_ATTRIBUTES, Column


@dataclass(frozen=True)
class Unreadable:
    """Declarations that are there but could not be understood; nobody is told that they lack.

    None stands for: a file could not be read, so any name may be declared.
    """

    settings: frozenset[str] = frozenset()
    facts: frozenset[str] = frozenset()
    metrics: frozenset[str] | None = frozenset()
    scorecards: frozenset[str] | None = frozenset()


@dataclass
class View:
    """A project with the names in it, and the problems found so far."""

    project: Project
    unreadable: Unreadable = field(default_factory=Unreadable)
    found: list[Problem] = field(default_factory=list)

    def error(self, path: tuple[str | int, ...], message: str, hint: str | None = None) -> None:
        self._add(path, message, hint, "error")

    def warning(self, path: tuple[str | int, ...], message: str, hint: str | None = None) -> None:
        self._add(path, message, hint, "warning")

    def _add(
        self,
        path: tuple[str | int, ...],
        message: str,
        hint: str | None,
        severity: Literal["error", "warning"],
    ) -> None:
        self.found.append(Problem(message, self.project.place(*path), hint, severity))

    def reads(self, key: str) -> bool:
        """Whether this key of the settings could be understood."""
        return key not in self.unreadable.settings

    @property
    def attributes(self) -> set[str]:
        accounts = self.project.settings.accounts
        return set(accounts.columns) | ({"started_on"} if accounts.fact else set())

    @property
    def stages(self) -> list[str]:
        return [stage.stage for stage in self.project.settings.stages]

    def is_source(self, name: str) -> bool:
        return (
            name in self.project.sources
            or name in self.unreadable.facts
            or not self.reads("facts")
            or (name == "people" and not self.reads("people"))
        )

    def is_metric(self, name: str) -> bool:
        broken = self.unreadable.metrics
        return name in self.project.metrics or broken is None or name in broken

    def is_attribute(self, name: str) -> bool:
        return name in self.attributes or not self.reads("accounts")

    def is_stage(self, name: object) -> bool:
        return str(name) in self.stages or not self.reads("stages")

    def need_attribute(self, path: tuple[str | int, ...], name: str, what: str) -> None:
        """Tells that `name` is not mapped, where it is not."""
        if not self.is_attribute(name):
            hint = suggestion(name, self.attributes, "mapped") or "map it in `accounts: columns`"
            self.error(path, f'{what} "{name}", which is no attribute of the accounts', hint)

    def need_condition(self, path: tuple[str | int, ...], condition: Condition) -> None:
        """Tells which names of a condition are neither metrics, attributes nor built in."""
        for name in dict.fromkeys(conditions.names(condition)):
            if name == "tenure" and "started_on" not in self.attributes and self.reads("accounts"):
                self.error(path, "tenure needs the day that accounts started on", "map `started_on`")
            elif name == "days_to_renewal" and not self.is_attribute("renews_on"):
                self.error(path, "days_to_renewal needs the day of renewal", "map `renews_on`")
            elif name == ROLL_UP or isinstance(self.project.metrics.get(name), Children):
                message = f'a condition cannot look at "{name}", which is known only once children are scored'
                self.error(path, message, "children's scores can be measures; in rules use other metrics")
            elif name in BUILT_IN or self.is_metric(name) or self.is_attribute(name):
                continue
            elif name.startswith("account."):
                hint = f"attributes stand here by their name: {name.removeprefix('account.')}"
                self.error(path, f'unknown name "{name}" in a condition', hint)
            else:
                known = [*self.project.metrics, *self.attributes, *BUILT_IN]
                hint = suggestion(name, known, "known") or "a condition is about metrics and attributes"
                self.error(path, f'unknown name "{name}" in a condition', hint)
        for name, value in compared(condition):
            number = name in self.project.metrics or name in {"tenure", "days_to_renewal"}
            if number and isinstance(value, str):
                hint = "a condition compares a name with a value, not with another name"
                self.error(path, f'"{name}" is a number and is compared with the text "{value}"', hint)
            if name == "stage" and not self.is_stage(value):
                hint = suggestion(str(value), self.stages, "declared") or "no stages are declared"
                self.error(path, f'unknown stage "{value}"', hint)


def problems(project: Project, unreadable: Unreadable | None = None) -> list[Problem]:
    """Everything that does not fit together in a project, in no particular order."""
    from retinue.project import (
        rules_alerts,
        rules_databases,
        rules_links,
        rules_metrics,
        rules_outcomes,
        rules_scorecards,
    )

    view = View(project, unreadable or Unreadable())
    rules: list[Callable[[View], None]] = [accounts, facts, people, stages, scales]
    rules += [
        *rules_databases.RULES,
        *rules_metrics.RULES,
        *rules_scorecards.RULES,
        rules_outcomes.outcomes,
        rules_links.links,
        rules_alerts.alerts,
        rules_alerts.playbooks,
    ]
    for rule in rules:
        rule(view)
    return view.found


def compared(condition: Condition) -> Iterator[tuple[str, conditions.Value]]:
    """Each name of a condition with each value that it is compared with."""
    match condition:
        case Comparison(name=name, value=value):
            yield name, value
        case Membership(name=name, values=values):
            yield from ((name, value) for value in values)
        case Every(parts=parts) | Some(parts=parts):
            for part in parts:
                yield from compared(part)
        case Not(part=part):
            yield from compared(part)


_NAME = re.compile(r"[^\W\d]\w{0,62}")


def names(
    view: View, kind: str, told: Iterable[str], path: Callable[[str], tuple[str | int, ...]], taken: set[str]
) -> None:
    """Names are words, not those of something built in, and differ by more than their case."""
    seen: dict[str, str] = {}
    for name in told:
        first = seen.setdefault(name.casefold(), name)
        if not _NAME.fullmatch(name):
            hint = "letters, digits and _, beginning with a letter, at most 63"
            view.error(path(name), f'"{name[:60]}" is not a name for {kind}', hint)
        elif name.casefold() in taken:
            view.error(path(name), f'"{name}" is the name of something built in', "choose another name")
        elif first != name:
            view.error(path(name), f'"{name}" and "{first}" differ only by case', "rename one")


# Columns that the published table of accounts has for every account.
_OF_ACCOUNTS = {*BUILT_IN, "account_id", "as_of", "tenure_days", "assumed"}


def accounts(view: View) -> None:
    if not view.reads("accounts"):
        return
    told = view.project.settings.accounts
    here = ("settings", "accounts")
    if told.table and told.fact:
        view.error(here, "accounts come from a `table` or from a `fact`, not from both", "keep one")
    elif told.fact and not view.is_source(told.fact):
        hint = suggestion(told.fact, view.project.settings.facts, "declared")
        view.error((*here, "fact"), f'unknown source "{told.fact}"', hint)
    elif not told.table and not told.fact:
        view.error(here, '"table" is missing in accounts', "or derive them from a source: `fact: orders`")
    elif told.table and not told.key:
        view.error(here, '"key" is missing in accounts', "the column that identifies an account")
    names(view, "an attribute", told.columns, lambda n: (*here, "columns", n), _OF_ACCOUNTS)
    for name in told.history:
        view.need_attribute((*here, "history", name), name, "history of")
    if told.table and "started_on" not in told.columns:
        view.warning(
            here,
            "accounts have no `started_on`: tenure is missing, and so are metrics counted from the start",
            "map the column with the first day of an account, if there is one",
        )
    for name, column in told.columns.items():
        _currency(view, (*here, "columns", name), column)
        if column.times is not None:
            view.error((*here, "columns", name), "`times` is for numbers of sources", "leave it out")
        if column.or_earlier is not None and (told.fact or name not in DATE_ATTRIBUTES):
            hint = f"it may stand at {', '.join(DATE_ATTRIBUTES)} of a table of accounts"
            view.error((*here, "columns", name), "`or_earlier` is for dates of accounts", hint)


def _currency(view: View, path: tuple[str | int, ...], column: Column) -> None:
    settings = view.project.settings
    if column.currency is None or not view.reads("currency") or not view.reads("rates"):
        return
    if settings.currency is None:
        view.error(path, "an amount with a currency needs the project's `currency`", "such as currency: EUR")
    elif settings.rates is None and column.currency != settings.currency:
        hint = "declare `rates: {table: ..., valid_from: ...}`"
        view.error(path, f"amounts in {column.currency} need a table of rates", hint)


def facts(view: View) -> None:
    settings = view.project.settings
    if not view.reads("facts"):
        return
    taken = {"account", "accounts", "spine"} | ({"people"} if settings.people else set())
    names(view, "a source", settings.facts, lambda n: ("settings", "facts", n), taken)
    for name, source in settings.facts.items():
        here = ("settings", "facts", name)
        if source.known_at is None:
            view.warning(
                here,
                f'"{name}" has no known_at: a row that is loaded late counts as known when it occurred,'
                " so a replay of the past can see what nobody knew then",
                "name the column with the time of its first load",
            )
            if source.trusted_from:
                view.warning(
                    (*here, "trusted_from"), "trusted_from does nothing without known_at", "leave it out"
                )
        if source.ends_known_at and not source.ends_at:
            view.error((*here, "ends_known_at"), "ends_known_at needs ends_at", "name the column of the end")
        for role, told in (("user", source.user), ("value", source.value)):
            if told and role in source.columns:
                view.error(
                    (*here, "columns", role), f'"{role}" is declared twice', f"keep `{role}:` or the column"
                )
        clocked = {n for n, c in source.named_columns().items() if c.known_at is not None}
        for column in sorted(clocked & set(conditions.names(source.where) if source.where else ())):
            message = f'"where" looks at "{column}", which becomes known later than its row'
            view.error((*here, "where"), message, "use it in the `where` of the metrics instead")
        for column, mapped in source.named_columns().items():
            at = (*here, column) if column == "value" and source.value else (*here, "columns", column)
            _currency(view, at, mapped)
            if mapped.or_earlier is not None:
                view.error(at, "`or_earlier` is for dates of accounts", "leave it out")


def people(view: View) -> None:
    told = view.project.settings.people
    if told is None or not view.reads("people") or told.from_ is not None:
        return
    from retinue.project.metrics import feeds

    used = any("people" in feeds(metric) for metric in view.project.metrics.values())
    message = "people have no `from`: nobody knows since when a person was there"
    hint = "name the column with the day that a person was first known"
    (view.error if used else view.warning)(("settings", "people"), message, hint)


def stages(view: View) -> None:
    told = view.project.settings.stages
    if not view.reads("stages") or not told:
        return
    for position, stage in enumerate(told):
        here = ("settings", "stages", position)
        if stage.when is None:
            if position < len(told) - 1:
                hint = "a stage without `when` takes every account: put it last"
                view.error(here, f'stages after "{stage.stage}" are never reached', hint)
            continue
        if "stage" in conditions.names(stage.when):
            view.error(
                here, f'the rule of stage "{stage.stage}" depends on the stage itself', "use other names"
            )
        else:
            view.need_condition(here, stage.when)
    if told[-1].when is not None:
        here = ("settings", "stages", len(told) - 1)
        view.warning(here, "accounts that no rule matches have no stage", "end with a stage without `when`")


def scales(view: View) -> None:
    """Grades and tenure buckets."""
    settings = view.project.settings
    edges = list(settings.grades.values())
    here: tuple[str | int, ...] = ("settings", "grades")
    if edges and view.reads("grades"):
        if any(a <= b for a, b in itertools.pairwise(edges)):
            view.error(here, "the edges of grades must descend", "such as {A: 85, B: 70, C: 50, D: 0}")
        elif edges[0] > 100 or edges[-1] != 0:
            view.error(
                here, "the edges of grades lie below 100, and the last is 0", "so that every score has one"
            )
    buckets = settings.tenure_buckets
    here = ("settings", "tenure_buckets")
    if view.reads("tenure_buckets") and (
        not buckets or buckets[0] != 0 or any(a >= b for a, b in itertools.pairwise(buckets))
    ):
        view.error(here, "tenure_buckets start at 0 and ascend", "days, such as [0, 30, 90, 180, 365]")


def repeated(told: Iterable[str]) -> list[str]:
    return [name for name, times in Counter(told).items() if times > 1]
