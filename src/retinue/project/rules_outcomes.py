"""Rules about outcomes: what they refer to, and metrics that would give them away."""

from __future__ import annotations

from collections.abc import Iterator

from retinue.project import conditions
from retinue.project.diagnosis import suggestion
from retinue.project.metrics import Attribute, MetricBase, feeds
from retinue.project.outcomes import OutcomeRule
from retinue.project.project import Project
from retinue.project.references import condition_names
from retinue.project.rules import View

#: Attributes that exist because an account has ended.
_OF_THE_END = ("ended_on",)


def outcomes(view: View) -> None:
    """What outcomes and `validation` name must be there."""
    settings = view.project.settings
    if not view.reads("outcomes") or not view.reads("validation"):
        return
    for outcome, rule in settings.outcomes.items():
        _outcome(view, ("settings", "outcomes", outcome), rule)
    told = settings.validation
    here = ("settings", "validation")
    if told.outcome is not None and told.outcome not in settings.outcomes:
        hint = suggestion(told.outcome, settings.outcomes, "declared") or "declare it in `outcomes`"
        view.error((*here, "outcome"), f'there is no outcome "{told.outcome}"', hint)
    for key in ("activity", "interventions"):
        named = getattr(told, key)
        if named is not None and not view.is_source(named):
            hint = suggestion(named, view.project.sources, "declared") or "declare it in `facts`"
            view.error((*here, key), f'there is no source "{named}"', hint)
    if told.together is not None:
        view.need_attribute((*here, "together"), told.together, "accounts count as one by")


def _outcome(view: View, here: tuple[str | int, ...], rule: OutcomeRule) -> None:
    kind = rule.kind
    if rule.source is not None and not view.is_source(rule.source):
        hint = suggestion(rule.source, view.project.sources, "declared") or "declare it in `facts`"
        view.error((*here, kind), f'there is no source "{rule.source}"', hint)
    elif rule.source in view.project.sources:
        known = view.project.sources[rule.source].named_columns()
        for key, column in (("amount", rule.amount), ("reason", rule.reason)):
            if column is not None and column not in known:
                hint = suggestion(column, known, "declared") or "declare it in `columns` of the source"
                view.error((*here, key), f'"{rule.source}" has no column "{column}"', hint)
    if kind == "ended":
        view.need_attribute((*here, kind), "ended_on", "the outcome is told from")
    for key in ("falls", "rises", "until"):
        attribute = getattr(rule, key)
        if attribute is not None:
            view.need_attribute((*here, key), attribute, "the outcome looks at")


def giveaways(project: Project, rule: OutcomeRule) -> Iterator[str]:
    """What a scorecard uses that is the outcome itself, or is only there because of it."""
    used: dict[str, MetricBase] = {}
    for formula in project.formulas:
        used |= formula.metrics
        for name in sorted(condition_names(formula.scorecard) & set(_OF_THE_END)):
            yield f'a rule of scorecard "{formula.scorecard.scorecard}" looks at {name}'
    for name, metric in sorted(used.items()):
        if isinstance(metric, Attribute) and metric.attribute in _OF_THE_END:
            yield f'metric "{name}" is the day on which the account ends'
        if rule.is_final and rule.fact is not None and rule.fact in feeds(metric):
            where = getattr(metric, "where", None)
            if where is None or rule.where is None or conditions.show(where) == conditions.show(rule.where):
                yield f'metric "{name}" counts rows of "{rule.fact}", which are the outcome'
        if metric.indicator == "lagging":
            yield f'metric "{name}" is declared as lagging: it follows the outcome'
