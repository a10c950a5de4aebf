"""Rules about scorecards: what they measure, and which accounts they are for."""

from __future__ import annotations

from collections.abc import Iterator

from retinue.project.diagnosis import suggestion
from retinue.project.metrics import Attribute, Latest, Pulse, closure, feeds
from retinue.project.rules import View, repeated
from retinue.project.rules_metrics import need_parent
from retinue.project.scorecards import Measure, Points, Scorecard, Steps, TenureStep

Path = tuple[str | int, ...]

MOST_MEASURES = 20
COMPONENTS = range(2, 8)


def measures(view: View) -> None:
    for card in view.project.scorecards:
        for component, group in card.components.items():
            for name, measure in group.measures.items():
                here: Path = ("scorecards", card.scorecard, "components", component, "measures", name)
                if not view.is_metric(name):
                    hint = suggestion(name, view.project.metrics, "declared") or "declare it in metrics.yaml"
                    view.error(here, f'measure of "{name}", which is no metric', hint)
                _cohort(view, here, name, measure)
                if name in view.project.metrics:
                    _freshness(view, here, name, measure)
                    _direction(view, here, name, measure)


def _cohort(view: View, here: Path, name: str, measure: Measure) -> None:
    for part in measure.cohort:
        if isinstance(part, TenureStep) or part == "tenure":
            if not view.is_attribute("started_on"):
                view.error((*here, "cohort"), "a cohort by tenure needs `started_on`", "map it")
        elif part == "stage":
            if not view.stages and view.reads("stages"):
                view.error((*here, "cohort"), "a cohort by stage needs stages", "declare `stages`")
        else:
            view.need_attribute((*here, "cohort"), part, f'the cohort of "{name}" is by')
    metric = view.project.metrics.get(name)
    undirected = measure.direction is None and metric is not None and metric.direction is None
    if measure.curve == "cohort" and undirected:
        hint = "add `direction: higher_is_better` or `lower_is_better`"
        view.error(here, f'the cohort curve of "{name}" does not say which values are good', hint)


def _freshness(view: View, here: Path, name: str, measure: Measure) -> None:
    project = view.project
    metric = project.metrics[name]
    if metric.indicator == "lagging":
        hint = "measure what leads to it; validation uses lagging metrics as outcomes, not as input"
        view.warning(here, f'"{name}" is a lagging indicator', hint)
    if measure.max_age is not None or isinstance(metric, Latest | Attribute | Pulse):
        return
    parts = [project.metrics[part] for part in closure({name}, project.metrics)]
    fed = sorted({s for part in parts if not isinstance(part, Latest) for s in feeds(part)})
    if fed:
        message = f'"{name}" has no max_age: if the feed of {" or ".join(fed)} died, it would look like churn'
        view.warning(here, message, "add max_age, a little more than the usual pause between loads: 3d")


def _direction(view: View, here: Path, name: str, measure: Measure) -> None:
    metric = view.project.metrics[name]
    match measure.curve:
        case Points(points=knots) | Steps(steps=knots):
            rise = knots[-1][1] - knots[0][1]
        case _:
            return
    against = {"lower_is_better": rise > 0, "higher_is_better": rise < 0}
    if metric.direction and against[metric.direction]:
        message = f'the curve of "{name}" goes against the metric, which says {metric.direction}'
        view.warning((*here, "curve"), message, "turn the curve round, or correct the metric")


def rules(view: View) -> None:
    """Caps, floors, roll-ups, and bands that cannot be reached."""
    for card in view.project.scorecards:
        here: Path = ("scorecards", card.scorecard)
        for position, cap in enumerate(card.caps):
            view.need_condition((*here, "caps", position), cap.when)
        for position, floor in enumerate(card.floors):
            view.need_condition((*here, "floors", position), floor.when)
        if card.roll_up:
            need_parent(view, (*here, "roll_up"), card.roll_up == "arr")
        watch, healthy, margin = card.bands["watch"], card.bands["healthy"], card.stability.margin
        if margin > watch or healthy + margin > 100:
            path: Path = (*here, "stability", "margin")
            view.warning(
                path, f"with a margin of {margin:g}, a band of this card cannot be reached", "lower it"
            )


def sizes(view: View) -> None:
    for card in view.project.scorecards:
        here: Path = ("scorecards", card.scorecard, "components")
        count = sum(len(component.measures) for component in card.components.values())
        if count > MOST_MEASURES:
            hint = "beyond about 20, a measure moves the score by less than anybody notices"
            view.warning(here, f'scorecard "{card.scorecard}" has {count} measures', hint)
        if card.components and len(card.components) not in COMPONENTS:
            hint = "4 to 6 is what people can keep in mind"
            view.warning(here, f'scorecard "{card.scorecard}" has {_components(len(card.components))}', hint)


def _components(count: int) -> str:
    return "one component" if count == 1 else f"{count} components"


def selection(view: View) -> None:
    """`applies_to` is about attributes and stages that exist; `scorecards` about cards that do."""
    for card in view.project.scorecards:
        here: Path = ("scorecards", card.scorecard, "applies_to")
        for name, values in card.applies_to.items():
            if name == "stage":
                for value in values:
                    if not view.is_stage(value):
                        hint = suggestion(str(value), view.stages, "declared") or "no stages are declared"
                        view.error((*here, name), f'unknown stage "{value}"', hint)
            elif name in {"tenure", "days_to_renewal"}:
                view.error(
                    (*here, name), f"applies_to cannot name {name}", "declare a stage by it, and name that"
                )
            else:
                view.need_attribute((*here, name), name, "applies_to names")
    _order(view)


def _order(view: View) -> None:
    order, cards = view.project.settings.scorecards, [card.scorecard for card in view.project.scorecards]
    broken = view.unreadable.scorecards
    if not order or not view.reads("scorecards") or broken is None:
        return
    for position, name in enumerate(order):
        if name not in cards and name not in broken:
            hint = suggestion(name, cards, "declared")
            view.error(("settings", "scorecards", position), f'unknown scorecard "{name}"', hint)
    for name in repeated(order):
        view.error(("settings", "scorecards"), f'scorecard "{name}" is listed twice', "keep one")
    for name in cards:
        if name not in order:
            message = f'scorecard "{name}" is not in the order of retinue.yaml; it comes after those that are'
            view.warning(("scorecards", name), message, "add it to `scorecards`")


def coverage(view: View) -> None:
    """Which card wins where two match, and whether every account has one."""
    cards, broken = view.project.scorecards, view.unreadable.scorecards
    for later, earlier, shadowed in _overlaps(cards):
        path: Path = ("scorecards", later.scorecard)
        if shadowed:
            message = f'scorecard "{later.scorecard}" never matches: "{earlier.scorecard}" takes its accounts'
            view.warning(path, message, f"put it before {earlier.scorecard}, in `scorecards` of retinue.yaml")
        else:
            message = f'scorecards "{earlier.scorecard}" and "{later.scorecard}" can match the same account'
            view.warning(path, message, f"{earlier.scorecard} wins, because it comes first")
    if broken is None or broken:
        return
    if not cards:
        hint = "write one in the folder scorecards"
        view.warning(("settings",), "there is no scorecard: nothing is scored", hint)
    elif not _complete(view):
        message = "accounts that match no scorecard are not scored: no scorecard is without applies_to"
        view.warning(
            ("scorecards", cards[-1].scorecard), message, "end with one that has none, if all should be"
        )


def _overlaps(cards: tuple[Scorecard, ...]) -> Iterator[tuple[Scorecard, Scorecard, bool]]:
    """(later, earlier, never) where both can match; a last card for all others is no overlap."""
    for position, later in enumerate(cards):
        for earlier in cards[:position]:
            ours, theirs = _texts(later), _texts(earlier)
            if all(name in ours and ours[name] <= values for name, values in theirs.items()):
                yield later, earlier, True
                break
            meets = all(ours[name] & theirs[name] for name in ours.keys() & theirs.keys())
            if meets and later.applies_to:
                yield later, earlier, False


def _texts(card: Scorecard) -> dict[str, set[str]]:
    return {name: {str(value) for value in values} for name, values in card.applies_to.items()}


def _complete(view: View) -> bool:
    """Whether some card takes all, or cards by stage alone take every stage there is."""
    cards = view.project.scorecards
    if any(not card.applies_to for card in cards):
        return True
    stages = view.project.settings.stages
    by_stage = [values["stage"] for values in map(_texts, cards) if set(values) == {"stage"}]
    return bool(stages) and stages[-1].when is None and set(view.stages) <= set().union(*by_stage)


RULES = (measures, rules, sizes, selection, coverage)
