"""Rules of alerts, triggers and steps of playbooks in words, as people read them."""

from __future__ import annotations

from dataclasses import dataclass

from retinue.project.alerts import AlertRule
from retinue.project.conditions import Condition, show
from retinue.project.playbooks import Playbook, Step, Trigger
from retinue.words import WORDS, number, share

#: What the kinds of alerts are called.
KINDS = {
    "band": "band",
    "drop": "fall of the score",
    "component": "fall of a component",
    "event": "event",
    "renewal_within": "renewal",
    "coverage_below": "coverage",
    "no_touch": "silence",
    "anomaly": "unusual usage",
    "holds": "condition",
    "expansion": "expansion",
    "feed_stopped": "feed stopped",
    "shared_issue": "shared issue",
    "share_rising": "share rising",
    "storm": "many at once",
}


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule as it is declared now: when it tells, in words, and what is to be done then.

    Days: it must have held for `hold`, and does not tell again within `rest`.
    """

    rule: str
    words: str
    hold: int
    rest: int
    severity: str
    do: str | None


@dataclass(frozen=True, slots=True)
class StepInWords:
    """One thing that a playbook does: `what` it is, and how, by whom, and when."""

    step: str
    kind: str
    what: str
    how: str
    checklist: tuple[str, ...]


def rule_told(name: str, rule: AlertRule) -> Rule:
    return Rule(name, rule_words(rule), rule.hold.days, rule.rest.days, rule.severity, rule.do)


def rule_words(rule: AlertRule) -> str:
    """When a rule tells, as the end of a sentence that begins with `it tells when`."""
    narrowed = f", of accounts where {_shown(rule.applies_to)}" if rule.applies_to is not None else ""
    held = f", once that has held for {_days(rule.hold.days)}" if rule.hold.days else ""
    return _condition(rule) + narrowed + held


def _condition(rule: AlertRule) -> str:
    match rule.kind:
        case "band":
            return f"an account comes into the band {WORDS[rule.band]}"
        case "drop":
            points, days = number(rule.drop), _days(rule.within.days)
            return f"the computed score fell by {points} points or more within {days}"
        case "component":
            part, points = _spoken(rule.component), number(rule.by)
            return f"the points of {part} fell by {points} or more within {_days(rule.within.days)}"
        case "event":
            where = f" where {_shown(rule.where)}" if rule.where is not None else ""
            return f"a new row came into {_spoken(rule.event)}{where}"
        case "renewal_within":
            assert rule.renewal_within is not None
            days, below = _days(rule.renewal_within.days), number(rule.below)
            return f"an account renews within {days} while its score is below {below}"
        case "coverage_below":
            return f"less than {share(rule.coverage_below or 0)} of the score rests on data"
        case "no_touch":
            assert rule.no_touch is not None
            sources = ", ".join(_spoken(one) for one in rule.touches)
            rows = (
                f" ({sources}, notes, tasks that were done)" if sources else " (notes, tasks that were done)"
            )
            return f"nobody was in touch for more than {_days(rule.no_touch.days)}{rows}"
        case "anomaly":
            kinds = {
                "week": "in the last week",
                "decline": "by a slow decline",
                "any": "in the last week or by a slow decline",
            }
            return f"usage is unusually low, {kinds[rule.anomaly or 'any']}"
        case "expansion" | "holds":
            return f"this begins to hold: {_shown(rule.expansion or rule.holds)}"
        case "feed_stopped":
            return "a source that scores rest on has stopped"
        case "shared_issue":
            assert rule.shared_issue is not None
            one = rule.shared_issue
            return (
                f"unusually many accounts, at least {one.at_least}, have the same {_spoken(one.by)} in "
                f"{_spoken(one.source)} within {_days(one.within.days)}"
            )
    assert rule.share_rising is not None
    rising = rule.share_rising
    return (
        f"in a {_spoken(rising.by)} of at least {rising.at_least} accounts more came into the band "
        f"{WORDS[rising.band]} than left it within {_days(rising.within.days)}"
    )


def trigger_words(trigger: Trigger, playbook: Playbook) -> str:
    """What starts a playbook, as the end of a sentence that begins with `it starts when`."""
    if trigger.alert is not None:
        applies = playbook.applies_to
        narrowed = f", of accounts where {_shown(applies)}" if applies is not None else ""
        return f"the alert {_spoken(trigger.alert)} is raised{narrowed}"
    if trigger.stage is not None:
        return f"an account comes to the stage {_spoken(trigger.stage)}"
    rule = trigger.rule(playbook.applies_to, "0d")
    assert rule is not None
    return rule_words(rule)


def until_words(playbook: Playbook) -> str | None:
    """What ends a playbook before its last step; None: nothing but that the account is gone."""
    return _shown(playbook.until) if playbook.until is not None else None


def steps_told(playbook: Playbook) -> tuple[StepInWords, ...]:
    """Its steps in their order."""
    return tuple(
        StepInWords(name, step.kind, _what(step), _how(playbook, place), step.checklist)
        for place, (name, step) in enumerate(zip(playbook.step_ids, playbook.steps, strict=True))
    )


def _what(step: Step) -> str:
    if step.wait is not None:
        return f"wait {_days(step.wait.days)}"
    return step.task or step.message or ""


def _how(playbook: Playbook, place: int) -> str:
    step, parts = playbook.steps[place], []
    if step.kind == "task":
        parts += [f"for {_who(step)}", f"due in {_days(step.due, 'business day')}"]
    elif step.kind == "message":
        parts.append("to " + ", ".join(step.to))
    if step.after is not None:
        after = " and ".join(_spoken(one) for one in step.after)
        parts.append(f"after {after}" if after else "at once")
    return ", ".join(parts)


def _who(step: Step) -> str:
    names = {"owner": "the account's owner", "leader": "the leader of its territory"}
    told = ", else ".join(names.get(name, name) for name in step.owner)
    if step.among is None:
        return told
    people = f"the team {step.among}" if isinstance(step.among, str) else ", ".join(step.among)
    how = {"fewest_tasks": "who has the fewest tasks", "least_revenue": "who looks after the least revenue"}
    return f"one of {people}, {how.get(step.balance, 'in turn')}; else {told}"


def _shown(condition: Condition | None) -> str:
    return show(condition) if condition is not None else ""


def _days(count: int, unit: str = "day") -> str:
    return f"{count} {unit}{'' if count == 1 else 's'}"


def _spoken(name: object) -> str:
    return str(name).replace("_", " ")
