"""Rules about metrics: what they read, what they are made of, and whether anybody uses them."""

from __future__ import annotations

from collections.abc import Iterator

from retinue.project import conditions
from retinue.project.conditions import Condition
from retinue.project.diagnosis import suggestion
from retinue.project.metrics import (
    Active,
    AnyMetric,
    Attribute,
    Change,
    Children,
    Count,
    DaysTo,
    Distinct,
    Latest,
    Mean,
    Milestones,
    Open,
    OpenSum,
    Ratio,
    Since,
    Sum,
    feeds,
    needs,
    split,
)
from retinue.project.references import BUILT_IN, ROLL_UP, condition_names, stage_names
from retinue.project.rules import View, names

Path = tuple[str | int, ...]

_OF_ACCOUNT = "account."


def sources(view: View) -> None:
    """Metrics read declared sources, with a column where they need one."""
    for name, metric in view.project.metrics.items():
        for path, reference, wants_column in references(metric):
            here: Path = ("metrics", name, *path)
            source, column = split(reference)
            if not view.is_source(source):
                known = view.project.sources
                hint = suggestion(source, known, "declared") or "declare it in `facts`"
                view.error(here, f'metric "{name}" reads "{source}", which is no declared source', hint)
            elif wants_column and column is None:
                view.error(here, f'metric "{name}" needs a column of "{source}"', f"write {source}.COLUMN")
            elif not wants_column and column is not None:
                hint = f"write {source}; for different values use `distinct`, for the latest `latest`"
                view.error(here, f'metric "{name}" is about rows, not about a column', hint)
            declared = view.project.sources.get(source)
            if isinstance(metric, Open | OpenSum) and declared is not None and declared.ends_at is None:
                hint = f"declare `ends_at` of {source}"
                view.error(here, f'metric "{name}" needs to know when rows of "{source}" end', hint)


def late_columns(view: View) -> None:
    """A row is not counted before the columns that its condition looks at are known.

    That is right only where the condition could not hold without them: else what is learnt
    later would take the row out of the past.
    """
    for name, metric in view.project.metrics.items():
        told: list[tuple[Path, str, Condition | None]]
        told = [((), source, getattr(metric, "where", None)) for source in feeds(metric)]
        if isinstance(metric, Milestones):
            told = [(("milestones", k), m.source, m.where) for k, m in metric.milestones.items()]
        for path, source, where in told:
            declared = view.project.sources.get(source)
            if where is None or declared is None:
                continue
            late = {n for n, c in declared.named_columns().items() if c.known_at is not None}
            for column in sorted(late & set(conditions.names(where))):
                if not conditions.needs(where, column):
                    message = (
                        f'the condition of metric "{name}" can hold before "{column}" is known,'
                        " which is later than its row"
                    )
                    hint = f"join it by `and` with a comparison of {column}, or leave {column} out"
                    view.error(("metrics", name, *path, "where"), message, hint)


def references(metric: AnyMetric) -> Iterator[tuple[Path, str, bool]]:
    """Key, text and whether it needs a column, of each reference to a source."""
    match metric:
        case Sum() | Mean() | Distinct() | Latest() | OpenSum():
            yield (metric.kind,), getattr(metric, metric.kind), True
        case Count() | Active() | Open() | Since() | DaysTo():
            yield (metric.kind,), getattr(metric, metric.kind), False
        case Change(change=of):
            for key, reference in (("count", of.count), ("sum", of.sum), ("distinct", of.distinct)):
                if reference is not None:
                    yield ("change", key), reference, key != "count"
        case Milestones(milestones=steps):
            for step, milestone in steps.items():
                yield ("milestones", step, "source"), milestone.source, False
        case _:
            return


def parts(view: View) -> None:
    """Ratios are of metrics and attributes that exist, and not of themselves."""
    for name, metric in view.project.metrics.items():
        if not isinstance(metric, Ratio):
            continue
        for position, part in enumerate(metric.ratio):
            here: Path = ("metrics", name, "ratio", position)
            if not isinstance(part, str):
                continue
            if part.startswith(_OF_ACCOUNT):
                view.need_attribute(here, part.removeprefix(_OF_ACCOUNT), f'metric "{name}" is a ratio of')
            elif isinstance(view.project.metrics.get(part), Children):
                message = f'metric "{name}" is a ratio of "{part}", a roll-up of children'
                view.error(here, message, "children's scores can be measures, not parts of metrics")
            elif not view.is_metric(part):
                hint = suggestion(part, view.project.metrics, "declared")
                if part in view.attributes:
                    hint = f"for the attribute write account.{part}"
                view.error(here, f'metric "{name}" is a ratio of "{part}", which is no metric', hint)


def cycles(view: View) -> None:
    """No metric is made of itself; each cycle is told once, at its first name."""
    metrics = view.project.metrics
    told: set[frozenset[str]] = set()
    done: set[str] = set()
    for start in sorted(metrics):
        # An explicit stack: a chain of ratios may be longer than Python's own.
        trail: dict[str, Iterator[str]] = {start: iter(needs(metrics[start]))} if start not in done else {}
        while trail:
            last = next(reversed(trail))
            part = next(trail[last], None)
            if part is None:
                done.add(last)
                del trail[last]
            elif part in trail:
                around = list(trail)[list(trail).index(part) :]
                if frozenset(around) not in told:
                    told.add(frozenset(around))
                    shown = " -> ".join([*around, part])
                    view.error(("metrics", part), f"a ratio is made of itself: {shown}", "break the circle")
            elif part in metrics and part not in done:
                trail[part] = iter(needs(metrics[part]))


def attributes(view: View) -> None:
    for name, metric in view.project.metrics.items():
        if isinstance(metric, Attribute):
            here: Path = ("metrics", name, "attribute")
            view.need_attribute(here, metric.attribute.removeprefix(_OF_ACCOUNT), f'metric "{name}" is of')
        elif isinstance(metric, Children):
            need_parent(view, ("metrics", name, "children"), metric.children == "arr")


def need_parent(view: View, path: Path, by_arr: bool) -> None:
    """Rolling up needs to know who belongs to whom."""
    if not view.is_attribute("parent"):
        view.error(path, "rolling up children needs the attribute `parent`", "map it in `accounts: columns`")
    if by_arr and not view.is_attribute("arr"):
        view.error(path, "weighing children by ARR needs the attribute `arr`", "map it, or use mean or worst")


def called(view: View) -> None:
    """Names of metrics do not hide attributes or what is built in."""
    metrics = view.project.metrics
    names(view, "a metric", metrics, lambda n: ("metrics", n), {*BUILT_IN, ROLL_UP})
    for name, metric in metrics.items():
        same = isinstance(metric, Attribute) and metric.attribute == name
        if name in view.attributes and not same:
            message = f'"{name}" is a metric and an attribute; in conditions it is the metric'
            view.warning(("metrics", name), message, "rename one")


def unused(view: View) -> None:
    """Metrics on no scorecard, in no rule and in no other metric, unless they are outcomes."""
    project, unreadable = view.project, view.unreadable
    if unreadable.scorecards is None or unreadable.scorecards or unreadable.metrics is None:
        return
    if not view.reads("stages"):
        return
    used = stage_names(project.settings.stages)
    for card in project.scorecards:
        used |= condition_names(card) | {m for c in card.components.values() for m in c.measures}
    used |= {part for metric in project.metrics.values() for part in needs(metric)}
    for name, metric in project.metrics.items():
        if name not in used and metric.indicator != "lagging":
            hint = "put it on a scorecard, mark it `indicator: lagging` if it is an outcome, or remove it"
            view.warning(("metrics", name), f'metric "{name}" is never used', hint)


def usage(view: View) -> None:
    """Anomalies are looked for in a source that is declared, among accounts alike in what they have."""
    told = view.project.settings.usage
    if not view.reads("usage"):
        return
    here: Path = ("settings", "usage")
    if told.source is not None and not view.is_source(told.source):
        hint = suggestion(told.source, view.project.sources, "declared") or "declare it in `facts`"
        view.error((*here, "source"), f'there is no source "{told.source}"', hint)
    for name in told.peers or ():
        view.need_attribute((*here, "peers"), name, "accounts are compared by")


RULES = (sources, late_columns, parts, cycles, attributes, called, unused, usage)
