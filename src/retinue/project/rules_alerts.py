"""Rules about alerts and playbooks: what they name must be there."""

from __future__ import annotations

from collections.abc import Iterator

from retinue.project.alerts import AlertRule
from retinue.project.conditions import names as names_of
from retinue.project.diagnosis import suggestion
from retinue.project.rules import View

#: What conditions may name besides attributes and metrics.
OURS = ("band", "score", "stage", "tenure_days", "days_to_renewal")

Here = tuple[str | int, ...]


def alerts(view: View) -> None:
    """Sources, components, columns, attributes, metrics and destinations of alerts are declared."""
    settings = view.project.settings
    if not view.reads("alerts") or not view.reads("alerting") or not view.reads("destinations"):
        return
    for name, rule in settings.alerts.items():
        here = ("settings", "alerts", name)
        _sources(view, here, rule)
        _components(view, here, rule)
        for key in ("applies_to", "holds", "expansion"):
            condition = getattr(rule, key)
            if condition is not None:
                _names(view, (*here, key), list(names_of(condition)))
        if rule.share_rising is not None:
            view.need_attribute((*here, "share_rising", "by"), rule.share_rising.by, "the alert groups by")
        for to in rule.to or ():
            _destination(view, (*here, "to"), to)
    for key in ("to", "portfolio_to"):
        for to in getattr(settings.alerting, key):
            _destination(view, ("settings", "alerting", key), to)


def playbooks(view: View) -> None:
    """What triggers, conditions and steps of playbooks name is declared."""
    settings = view.project.settings
    components = {name for card in view.project.scorecards for name in card.components}
    stages = {stage.stage for stage in settings.stages}
    for book in view.project.playbooks:
        here = ("playbooks", book.playbook)
        told = book.when
        named = (
            ("alert", told.alert, settings.alerts, "alert", "declare it in `alerts`"),
            ("component", told.component, components, "component of a scorecard", "name one that there is"),
            ("stage", told.stage, stages, "stage", "declare it in `stages`"),
        )
        for key, name, known, what, otherwise in named:
            if name is not None and name not in known:
                hint = suggestion(name, sorted(known), "declared") or otherwise
                view.error((*here, "when", key), f'there is no {what} "{name}"', hint)
        if told.event is not None and not view.is_source(told.event):
            hint = suggestion(told.event, view.project.sources, "declared") or "declare it in `facts`"
            view.error((*here, "when", "event"), f'there is no source "{told.event}"', hint)
        conditions = (
            (("applies_to",), book.applies_to),
            (("until",), book.until),
            (("when", "holds"), told.holds),
        )
        for path, condition in conditions:
            if condition is not None:
                _names(view, (*here, *path), list(names_of(condition)))
        for number, step in enumerate(book.steps):
            for to in step.to:
                _destination(view, (*here, "steps", number, "to"), to)


def _sources(view: View, here: Here, rule: AlertRule) -> None:
    for key, source in _named(rule):
        if not view.is_source(source):
            hint = suggestion(source, view.project.sources, "declared") or "declare it in `facts`"
            view.error((*here, key), f'there is no source "{source}"', hint)
    issue = rule.shared_issue
    if issue is not None and issue.source in view.project.sources:
        known = view.project.sources[issue.source].named_columns()
        if issue.by not in known:
            hint = suggestion(issue.by, known, "declared") or "declare it in `columns` of the source"
            view.error((*here, "shared_issue", "by"), f'"{issue.source}" has no column "{issue.by}"', hint)


def _named(rule: AlertRule) -> Iterator[tuple[str, str]]:
    if rule.event is not None:
        yield "event", rule.event
    for source in rule.touches:
        yield "touches", source
    if rule.shared_issue is not None:
        yield "shared_issue", rule.shared_issue.source


def _components(view: View, here: Here, rule: AlertRule) -> None:
    known = {name for card in view.project.scorecards for name in card.components}
    if rule.component is not None and known and rule.component not in known:
        hint = suggestion(rule.component, sorted(known), "declared") or "name one of a scorecard"
        view.error((*here, "component"), f'no scorecard has a component "{rule.component}"', hint)


def _names(view: View, here: Here, names: list[str]) -> None:
    known = {*OURS, *view.project.metrics, *view.project.settings.accounts.columns}
    for name in names:
        if name not in known:
            hint = suggestion(name, sorted(known), "declared") or "name an attribute or a metric"
            view.error(here, f'there is no attribute or metric "{name}"', hint)


def _destination(view: View, here: Here, name: str) -> None:
    known = view.project.settings.destinations
    if name not in known:
        hint = suggestion(name, known, "declared") or "declare it in `destinations`"
        view.error(here, f'there is no destination "{name}"', hint)
