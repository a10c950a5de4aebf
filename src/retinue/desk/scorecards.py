"""Scorecards as people read them: what is scored and how, former versions, what a change would do."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pyarrow.compute as pc

from retinue.desk import background
from retinue.desk.formulas import used
from retinue.desk.plain import plain, rebuilt
from retinue.desk.steady import steady
from retinue.errors import Forbidden, NotFound
from retinue.project import conditions
from retinue.project.project import Formula, Project
from retinue.project.scorecards import Measure, Points, Steps, Target
from retinue.run.differences import Named, ScorecardChange, between
from retinue.run.improve import metric_label
from retinue.run.planned import Plan
from retinue.store.people.access import Actor, require
from retinue.store.published.current import RunInfo, counts
from retinue.store.published.manifest import read_manifest
from retinue.store.published.snapshots import Published
from retinue.workspace import Workspace

PLAN = "plan"
#: Roles that may have a change worked out; so may whoever may read the audit log.
PLANNERS = ("admin", "ops", "leader")


@dataclass(frozen=True, slots=True)
class Curve:
    """Points of a value: straight between [value, points] knots, or in steps from each knot on."""

    knots: tuple[tuple[float, float], ...]
    steps: bool
    cohort: str | None = None
    reference: date | None = None


@dataclass(frozen=True, slots=True)
class ShownMeasure:
    """A measure and what it counts. `declared` is its weight in the component as written, `share` of the
    whole score (0 to 1); `freshness` and `missing` say in words what becomes of old and absent data."""

    metric: str
    label: str
    unit: str | None
    declared: float
    share: float
    kind: str
    direction: str | None
    curves: tuple[Curve, ...]
    freshness: str | None
    missing: str
    advice: str | None


@dataclass(frozen=True, slots=True)
class ShownComponent:
    component: str
    label: str
    declared: float
    share: float
    advice: str | None
    measures: tuple[ShownMeasure, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """A cap or a floor: while `when` holds, the score is at most (at least) `level`."""

    kind: str
    level: float
    when: str
    because: str


@dataclass(frozen=True, slots=True)
class Version:
    """A formula that published dates rest on, with the first and last of them. `change` is how it differs
    from the version before; None for the first. `metrics` of both are declared otherwise."""

    fingerprint: str
    first: date
    last: date
    current: bool
    change: ScorecardChange | None
    metrics: tuple[Named, ...]


@dataclass(frozen=True, slots=True)
class CardSummary:
    scorecard: str
    label: str
    description: str | None
    applies_to: Mapping[str, tuple[Any, ...]]
    accounts: int
    arr: float
    components: tuple[str, ...]
    fingerprint: str | None


@dataclass(frozen=True)
class Scorecards:
    """The scorecards of the current run in the order of matching; `accounts` that the actor sees are on
    them, `uncovered` on none. `unpublished`: the project declares something else by now."""

    run_id: str
    as_of: date
    cards: tuple[CardSummary, ...]
    uncovered: int
    unpublished: bool

    def to_dict(self) -> dict[str, Any]:
        told = dataclasses.asdict(self)
        return {**told, "as_of": self.as_of.isoformat()}


@dataclass(frozen=True)
class ScorecardPage:
    """One scorecard as it is published."""

    run_id: str
    as_of: date
    summary: CardSummary
    roll_up: str | None
    components: tuple[ShownComponent, ...]
    rules: tuple[Rule, ...]
    bands: Mapping[str, float]
    deadband: float
    margin: float
    confirm_down: int
    confirm_up: int
    min_coverage: float
    fitted_until: date | None
    versions: tuple[Version, ...]

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class Planned:
    """What is known of the effect of the project's declarations. `plan` is about `run_id`."""

    work: background.Work | None
    plan: Plan | None

    def to_dict(self) -> dict[str, Any]:
        return {
            "work": dataclasses.asdict(self.work) if self.work else None,
            "plan": self.plan.to_dict() if self.plan else None,
        }


def scorecards(workspace: Workspace, actor: Actor) -> Scorecards:
    """Raises NotFound before the first run."""
    require(actor, "read")
    return steady(workspace, lambda run: _scorecards(workspace, actor, run))


def scorecard(workspace: Workspace, actor: Actor, name: str) -> ScorecardPage:
    """Raises NotFound for a scorecard that is not published."""
    require(actor, "read")
    return steady(workspace, lambda run: _page(workspace, actor, run, name))


def may_plan(actor: Actor) -> bool:
    return actor.everything and (actor.may("audit") or actor.role in PLANNERS)


def start_plan(workspace: Workspace, actor: Actor, *, now: datetime) -> bool:
    """Work out in the background what the project's declarations, as they are now, would do.

    Returns whether it was started: one is worked out at a time. Raises Forbidden for who may not.
    """
    if not may_plan(actor):
        raise Forbidden(
            f"{actor.name} ({actor.role}) may not have a change worked out",
            hint="it needs a leader, ops or an admin who sees all accounts",
        )
    asked = [PLAN, str(workspace.project.root), now.isoformat()]
    return background.start(workspace.project.home, PLAN, "", asked)


def keep_plan(workspace: Workspace, run: RunInfo, found: Plan) -> None:
    """Keep a plan as that of the run."""
    background.keep(workspace.project.home, PLAN, run.run_id, plain(found))


def planned(workspace: Workspace, actor: Actor) -> Planned:
    """The plan that was worked out last, whatever run it is about. Raises Forbidden for who may not see it,
    NotFound before the first run."""
    if not may_plan(actor):
        raise Forbidden(f"{actor.name} ({actor.role}) may not see what a change would do")
    home = workspace.project.home

    def read(run: RunInfo) -> Planned:
        found = background.kept(home, PLAN, run.run_id)
        return Planned(background.work(home, PLAN), _plan(found[1]) if found else None)

    return steady(workspace, read)


def _plan(told: Mapping[str, Any]) -> Plan | None:
    try:
        return cast(Plan, rebuilt(Plan, told))
    except (KeyError, TypeError, ValueError, AttributeError, pa.ArrowException):
        # It was kept by another version of Retinue: as if there were none.
        return None


# --- what is published -----------------------------------------------------------------------------


def _scorecards(workspace: Workspace, actor: Actor, run: RunInfo) -> Scorecards:
    assert run.last_as_of is not None
    cards = tuple(_summaries(workspace, actor, run).values())
    there = sum(group.accounts for group in counts(workspace.store, actor, "scorecard"))
    return Scorecards(
        run.run_id,
        run.last_as_of,
        cards,
        there - sum(card.accounts for card in cards),
        _texts_differ(workspace, run),
    )


def _texts_differ(workspace: Workspace, run: RunInfo) -> bool:
    return read_manifest(workspace.project.home, run.run_id).texts != workspace.project.texts


def _summaries(workspace: Workspace, actor: Actor, run: RunInfo) -> dict[str, CardSummary]:
    groups = {group.value: group for group in counts(workspace.store, actor, "scorecard")}
    found = {}
    for name, (_, formula) in _current(workspace.project, run).items():
        card, group = formula.scorecard, groups.get(name)
        found[name] = CardSummary(
            name,
            card.label or name.replace("_", " "),
            card.description,
            dict(card.applies_to),
            group.accounts if group else 0,
            group.arr if group else 0.0,
            tuple(part.label or key for key, part in card.components.items()),
            formula.fingerprint,
        )
    return found


def _current(project: Project, run: RunInfo) -> dict[str, tuple[str, Formula]]:
    """The formulas on the last published date, by scorecard: those of the project first, in its order."""
    there = used(project.home, run.run_id)
    found = {}
    for fingerprint, (_, last, formula) in there.items():
        if last == run.last_as_of:
            found[formula.scorecard.scorecard] = (fingerprint, formula)
    order = {card.scorecard: n for n, card in enumerate(project.scorecards)}
    return {name: found[name] for name in sorted(found, key=lambda name: (order.get(name, len(order)), name))}


# --- one scorecard in words and curves -------------------------------------------------------------


def _page(workspace: Workspace, actor: Actor, run: RunInfo, name: str) -> ScorecardPage:
    assert run.last_as_of is not None
    current = _current(workspace.project, run)
    if name not in current:
        raise NotFound(f"no scorecard {name!r} is published", hint="one of " + ", ".join(current))
    fingerprint, formula = current[name]
    card = formula.scorecard
    curves = _cohort_curves(workspace.project.home, run.run_id, fingerprint)
    return ScorecardPage(
        run_id=run.run_id,
        as_of=run.last_as_of,
        summary=_summaries(workspace, actor, run)[name],
        roll_up=card.roll_up,
        components=tuple(_components(formula, curves)) if card.roll_up is None else (),
        rules=(
            *(Rule("cap", cap.at_most, conditions.show(cap.when), cap.because) for cap in card.caps),
            *(
                Rule("floor", floor.at_least, conditions.show(floor.when), floor.because)
                for floor in card.floors
            ),
        ),
        bands={str(name): edge for name, edge in card.bands.items()},
        deadband=card.stability.deadband,
        margin=card.stability.margin,
        confirm_down=card.stability.confirm.down.days,
        confirm_up=card.stability.confirm.up.days,
        min_coverage=card.min_coverage,
        fitted_until=card.fitted.until if card.fitted else None,
        versions=_versions(workspace.project, run, name),
    )


def _components(formula: Formula, curves: Mapping[str, tuple[Curve, ...]]) -> Iterator[ShownComponent]:
    parts = formula.components
    whole = sum(part.weight for part in parts.values())
    for name, part in parts.items():
        inside = sum(one.weight for one in part.measures.values())
        yield ShownComponent(
            name,
            part.label or name.replace("_", " "),
            part.weight,
            part.weight / whole,
            part.advice,
            tuple(
                _measure(metric, one, part.weight / whole * one.weight / inside, formula, curves)
                for metric, one in part.measures.items()
            ),
        )


def _measure(
    metric: str, one: Measure, share: float, formula: Formula, curves: Mapping[str, tuple[Curve, ...]]
) -> ShownMeasure:
    declared = formula.metrics.get(metric)
    kind, drawn = _drawn(one)
    return ShownMeasure(
        metric,
        metric_label(metric, formula.metrics),
        getattr(declared, "unit", None),
        one.weight,
        share,
        kind,
        one.direction or getattr(declared, "direction", None),
        curves.get(metric, drawn) if kind == "cohort" else drawn,
        _freshness(one),
        MISSING[one.missing],
        one.advice,
    )


MISSING = {
    "reweight": "left out, and the others weigh more",
    "neutral": "counts 50 points",
    "worst": "counts 0 points",
}


def _freshness(one: Measure) -> str | None:
    told = []
    if one.half_life is not None:
        told.append(f"weighs half after {one.half_life.days} days, nothing after {3 * one.half_life.days}")
    if one.max_age is not None:
        told.append(f"held where its source has been silent for more than {one.max_age.days} days")
    return "; ".join(told) or None


def _drawn(one: Measure) -> tuple[str, tuple[Curve, ...]]:
    """The declared curve; of a cohort curve the declared fallback."""
    match one.curve:
        case Points(points=points):
            return "points", (Curve(tuple(points), False),)
        case Steps(steps=steps):
            return "steps", (Curve(tuple(steps), True),)
        case Target(target=(low, good, still_good, high)):
            return "target", (Curve(((low, 0), (good, 100), (still_good, 100), (high, 0)), False),)
        case _:
            return "cohort", (Curve(tuple(one.points), False),) if one.points else ()


#: Cohorts of a curve that are drawn.
COHORTS = 8


@lru_cache(maxsize=32)
def _cohort_curves(home: Path, run_id: str, fingerprint: str) -> dict[str, tuple[Curve, ...]]:
    """The cohort curves of the latest reference, by metric; some of the cohorts where there are many."""
    table = Published(home, read_manifest(home, run_id)).table("curves")
    mine = pc.and_(pc.equal(table["fingerprint"], fingerprint), pc.is_valid(table["cohort"]))
    pieces: dict[str, dict[tuple[date, str], list[dict[str, Any]]]] = {}
    for row in table.filter(mine).to_pylist():
        if row["reference"] is not None:
            cohorts = pieces.setdefault(row["metric"], {})
            cohorts.setdefault((row["reference"], row["cohort"]), []).append(row)
    found = {}
    for metric, cohorts in pieces.items():
        latest = max(day for day, _ in cohorts)
        names = sorted(cohort for day, cohort in cohorts if day == latest)
        step = max(1, -(-len(names) // COHORTS))
        found[metric] = tuple(
            Curve(_knots(cohorts[latest, cohort]), False, cohort, latest) for cohort in names[::step]
        )
    return found


def _knots(rows: list[dict[str, Any]]) -> tuple[tuple[float, float], ...]:
    """The ends of the pieces, in order; outer pieces go on for ever and have one end."""
    knots = []
    for row in sorted(rows, key=lambda one: (-math.inf if one["lo"] is None else one["lo"], one["hi"] or 0)):
        for end, points in (("lo", "points_lo"), ("hi", "points_hi")):
            if row[end] is not None and math.isfinite(row[end]) and row[points] is not None:
                knots.append((round(float(row[end]), 9), round(float(row[points]), 3)))
    return tuple(dict.fromkeys(knots))


def _versions(project: Project, run: RunInfo, name: str) -> tuple[Version, ...]:
    mine = [
        (first, last, fingerprint, formula)
        for fingerprint, (first, last, formula) in used(project.home, run.run_id).items()
        if formula.scorecard.scorecard == name
    ]
    found: list[Version] = []
    before: Formula | None = None
    for first, last, fingerprint, formula in sorted(mine, key=lambda one: one[:3]):
        change, metrics = between(before, formula) if before is not None else (None, ())
        current = last == run.last_as_of
        found.append(Version(fingerprint, first, last, current, change, metrics))
        before = formula
    return tuple(found)
