"""What of a template's alerts and playbooks stays over the tables of a company: those that name only what
is there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from retinue.project import conditions, yaml
from retinue.project.alerts import AlertRule
from retinue.project.conditions import Condition
from retinue.project.playbooks import Playbook
from retinue.project.project import Settings
from retinue.templates.guess import Fact
from retinue.templates.without import Path, without

#: Where the part of a template's settings begins that is about alerts.
MARK = "# --- From a score to action"
#: What conditions of alerts and playbooks may name whatever the tables are.
OURS = frozenset({"band", "score"})


@dataclass(frozen=True)
class There:
    """What there is to name: metrics, attributes, stages, components, and facts by the template's names.
    `values` are those of attributes that have few."""

    names: frozenset[str]
    stages: frozenset[str]
    components: frozenset[str]
    facts: Mapping[str, Fact]
    values: Mapping[str, frozenset[str]]

    def lack(self, condition: Condition | None) -> str | None:
        """What a condition over accounts names that is not there."""
        if condition is None:
            return None
        gone = sorted(set(conditions.names(condition)) - self.names - OURS)
        if gone:
            return f"{gone[0]} is not there"
        for name, values in compared(condition):
            if name == "stage" and (unknown := {str(value) for value in values} - self.stages):
                return f"the stage {min(unknown)} cannot be told"
            seen = self.values.get(name)
            if seen and not {str(value).lower() for value in values} & {one.lower() for one in seen}:
                return f"{name} is never {' or '.join(map(str, values))}"
        return None

    def lack_of_rows(self, source: str, where: Condition | None) -> str | None:
        """What a condition over rows of a source names that the source does not have."""
        fact = self.facts.get(source)
        if fact is None:
            return f"no table looks like {source}"
        for column, values in compared(where) if where is not None else ():
            told = fact.columns.get(column)
            if told is None:
                return f"no column of {source} looks like {column}"
            seen = next(c for c in fact.table.columns if c.name == told)
            if not seen.is_number and not {str(v).lower() for v in values} & {v.lower() for v in seen.values}:
                return f"{told} of {source} is never {' or '.join(map(str, values))}"
        return None


def alerts(template: str, wanted: Settings, there: There) -> tuple[str, set[str], list[str]]:
    """The part of the settings that is about alerts, the rules that stay, and why others were left out.

    A rule loses only its `applies_to` where that is all that does not fit, and stands on its own line.
    """
    (document,) = yaml.documents(template, "retinue.yaml", {}, [])
    gone: dict[Path, str] = {}
    for name, rule in wanted.alerts.items():
        here: Path = ("alerts", name)
        narrow: Path = (*here, "applies_to")
        if why := _lack(rule, there, wanted):
            gone[here] = why
        elif why := there.lack(rule.applies_to):
            own = document.places[narrow].line != document.places[here].line
            gone[narrow if own else here] = why
    kept = {name for name in wanted.alerts if ("alerts", name) not in gone}
    if not kept:
        gone = {("alerts",): "none of them fits these tables"}
    if wanted.usage.source is not None and wanted.usage.source not in there.facts:
        gone[("usage",)] = f"no table looks like {wanted.usage.source}"
    text = without(template, gone)
    reasons = [f"retinue.yaml: {'.'.join(map(str, path))}: {why}" for path, why in gone.items()]
    return text[text.index(MARK) :], kept, reasons


def playbook(text: str, file: str, kept: set[str], there: There) -> str | None:
    """Why a playbook cannot stay; None if it can. `kept` are the alerts that there are."""
    (document,) = yaml.documents(text, file, {}, [])
    book = Playbook.model_validate(document.data)
    when = book.when
    if when.alert is not None and when.alert not in kept:
        return f"the alert {when.alert} is left out"
    if when.component is not None and when.component not in there.components:
        return f"the component {when.component} is left out"
    if when.stage is not None and when.stage not in there.stages:
        return f"the stage {when.stage} cannot be told"
    if when.event is not None and (why := there.lack_of_rows(when.event, when.where)):
        return why
    told = (there.lack(condition) for condition in (when.holds, book.applies_to, book.until))
    return next((why for why in told if why), None)


def _lack(rule: AlertRule, there: There, wanted: Settings) -> str | None:
    for condition in (rule.holds, rule.expansion):
        if why := there.lack(condition):
            return why
    if rule.component is not None and rule.component not in there.components:
        return f"the component {rule.component} is left out"
    if rule.event is not None and (why := there.lack_of_rows(rule.event, rule.where)):
        return why
    absent = [source for source in rule.touches if source not in there.facts]
    if absent:
        return f"no table looks like {absent[0]}"
    if rule.renewal_within is not None and "days_to_renewal" not in there.names:
        return "no column says when an account renews"
    users = any("user" in fact.roles for fact in there.facts.values())
    if rule.anomaly is not None and not users and wanted.usage.source not in there.facts:
        return "no table says who used something"
    if rule.shared_issue is not None:
        source, by = rule.shared_issue.source, rule.shared_issue.by
        if source not in there.facts:
            return f"no table looks like {source}"
        if by not in there.facts[source].columns:
            return f"no column of {source} looks like {by}"
    if rule.share_rising is not None and rule.share_rising.by not in there.names:
        return f"no column of the accounts looks like {rule.share_rising.by}"
    return None


def compared(where: Condition) -> Iterator[tuple[str, tuple[conditions.Value, ...]]]:
    """What a condition compares with which values."""
    match where:
        case conditions.Comparison(name=name, value=value):
            yield name, (value,)
        case conditions.Membership(name=name, values=values):
            yield name, tuple(values)
        case conditions.Every(parts=parts) | conditions.Some(parts=parts):
            for part in parts:
                yield from compared(part)
        case conditions.Not(part=part):
            yield from compared(part)
