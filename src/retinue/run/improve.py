"""What would raise an account's score most, each candidate scored again.

A candidate is one metric at another value and everything else as it is: the measures that read
that metric, the ratios made of it, and the caps and floors that name it follow. So what is
promised is what happens when the data change in that way and in no other.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from retinue.insight.gains import Account, Combined, Gain, Limit, Placed, Presence, gains, score
from retinue.project import conditions
from retinue.project.metrics import (
    Active,
    AnyMetric,
    Count,
    DaysTo,
    Distinct,
    Latest,
    Open,
    Pulse,
    Ratio,
    Since,
)
from retinue.project.project import Formula
from retinue.project.scorecards import Measure
from retinue.run.explanation import Improvement
from retinue.warehouse.scores.curves import Segment, compile_curve, points_at
from retinue.words import number

#: Gains below this are not worth a line.
LEAST_GAIN = 0.05

_WHOLE = (Count, Distinct, Active, Open, Since, DaysTo)


@dataclass(frozen=True)
class Standing:
    """One account on one date, as published: what its score can be computed from again.

    `measures` maps (component, metric) to the published row; `metrics` a metric to its value and
    state; `names` is what conditions may name besides metrics. `cohort_curves` holds the
    segments of the measures whose curve is a cohort's.
    """

    formula: Formula
    measures: Mapping[tuple[str, str], Mapping[str, Any]]
    metrics: Mapping[str, tuple[float | None, str]]
    names: Mapping[str, Any]
    cohort_curves: Mapping[tuple[str, str], tuple[Segment, ...]]

    def declared(self) -> dict[tuple[str, str], tuple[float, Measure]]:
        """Share of the whole (they sum to 1) and declaration of every measure."""
        found = {}
        components = self.formula.components
        whole = sum(component.weight for component in components.values())
        for name, component in components.items():
            total = sum(measure.weight for measure in component.measures.values())
            for metric, measure in component.measures.items():
                found[name, metric] = (component.weight / whole * measure.weight / total, measure)
        return found

    def curve(self, place: tuple[str, str], measure: Measure) -> tuple[Segment, ...] | None:
        """The curve that the measure is read from now; None where there is none."""
        if measure.curve != "cohort":
            return compile_curve(measure.curve)
        return self.cohort_curves.get(place)

    def told(self, changed: Mapping[str, float | None] | None = None) -> dict[str, Any]:
        """What conditions see, with some metrics at other values."""
        values = {
            name: value if state in ("ok", "stale") else None for name, (value, state) in self.metrics.items()
        }
        return {**values, **self.names, **(changed or {})}

    def account(self) -> Account:
        """The account as the scoring of one account takes it."""
        placed = []
        for (component, metric), (share, measure) in self.declared().items():
            row = self.measures[component, metric]
            state, points = row["state"], row["points"]
            curve = self.curve((component, metric), measure)
            if points is None and row["value"] is not None and curve is not None:
                # Too old to count, and so published without points; it has them all the same.
                points = points_at(curve, row["value"])
            placed.append(
                Placed(
                    component,
                    metric,
                    points=math.nan if points is None else points,
                    declared_share=share,
                    freshness=freshness(row, measure),
                    present=state if state in ("missing", "not_applicable") else "present",
                    policy=measure.missing,
                )
            )
        caps, floors = self.limits(self.told())
        return Account(tuple(placed), caps, floors, self.formula.scorecard.min_coverage)

    def limits(self, names: Mapping[str, Any]) -> tuple[tuple[Limit, ...], tuple[Limit, ...]]:
        """The caps and floors that hold."""
        card = self.formula.scorecard
        return (
            tuple(Limit(c.at_most, c.because) for c in card.caps if conditions.evaluate(c.when, names)),
            tuple(Limit(f.at_least, f.because) for f in card.floors if conditions.evaluate(f.when, names)),
        )


def freshness(row: Mapping[str, Any], measure: Measure) -> float:
    """How much of its declared share a measure keeps for the age of its data, 0 to 1.

    As in the scoring of a run; what is past its age has no weight there.
    """
    if row["state"] in ("ok", "stale") and not row["weight"]:
        return 0.0
    age = row["age_days"]
    if measure.half_life is None or age is None:
        return 1.0
    return float(2.0 ** (-max(age, 0.0) / measure.half_life.days))


def improvements(standing: Standing, labels: Mapping[str, str], most: int = 5) -> tuple[Improvement, ...]:
    """The best candidates, first the cap that binds; none where nothing helps.

    A measure is taken to where its curve gives what makes an account healthy, or to the best of
    the curve where it is there already, at the nearest value that does.
    """
    account = standing.account()
    aims = _aims(standing, account)
    if not aims and not account.caps:
        return ()
    targets = tuple(
        replace(m, target=aims[m.component, m.metric].points if (m.component, m.metric) in aims else -1.0)
        for m in account.measures
    )
    # A measure without an aim is no candidate: its target is below whatever it has, and what is
    # missing without one is left out below.
    aimed = replace(account, measures=targets)

    def rescore(tried: Account) -> Combined:
        moved = [n for n, m in enumerate(tried.measures) if m is not aimed.measures[n]]
        if not moved:
            return score(tried)
        place = (tried.measures[moved[0]].component, tried.measures[moved[0]].metric)
        if place not in aims:
            return score(aimed)
        return score(changed(standing, aimed, {place[1]: aims[place].value}))

    found = gains(aimed, rescore)
    told = []
    for gain in found.gains:
        place = (gain.component or "", gain.metric or "")
        if gain.kind != "lift" and place not in aims:
            continue
        if math.isnan(gain.computed) or (
            not math.isnan(gain.gain) and gain.gain < LEAST_GAIN and gain.kind != "lift"
        ):
            continue
        told.append(_told(standing, gain, aims.get(place), labels))
    lifts = [one for one in told if one.kind == "lift"]
    return (*lifts, *[one for one in told if one.kind != "lift"][:most])


@dataclass(frozen=True)
class _Aim:
    value: float
    points: float


def _aims(standing: Standing, account: Account) -> dict[tuple[str, str], _Aim]:
    healthy = standing.formula.scorecard.bands["healthy"]
    found: dict[tuple[str, str], _Aim] = {}
    declared = standing.declared()
    for placed in account.measures:
        place = (placed.component, placed.metric)
        metric = standing.formula.metrics.get(placed.metric)
        curve = standing.curve(place, declared[place][1])
        if placed.present == "not_applicable" or curve is None or isinstance(metric, DaysTo):
            continue
        value = standing.measures[place]["value"] if placed.present == "present" else None
        best = max(max(s.points_lo, s.points_hi) for s in curve)
        now = -1.0 if value is None else placed.points
        if math.isnan(now):
            continue
        wanted = healthy if now < min(healthy, best) else best
        counts = isinstance(metric, _WHOLE)
        marks = isinstance(metric, Latest | Pulse) and _in_whole_numbers(curve)
        least = 0.0 if counts else -math.inf
        aim = nearest(curve, value, min(wanted, best), whole=counts or marks, least=least)
        if aim is not None:
            found[place] = _Aim(aim, points_at(curve, aim))
    return found


def _in_whole_numbers(curve: Sequence[Segment]) -> bool:
    edges = [edge for s in curve for edge in (s.lo, s.hi) if math.isfinite(edge)]
    return all(edge == math.floor(edge) for edge in edges)


def nearest(
    curve: Sequence[Segment], value: float | None, wanted: float, *, whole: bool, least: float = -math.inf
) -> float | None:
    """The value nearest to `value`, from `least` on, at which `curve` gives at least `wanted` points.

    It is a short number: a whole one if `whole`, else with as few decimals as do. Without a value
    it is the one nearest to 0. None where the curve never gives so much.
    """
    start = 0.0 if value is None else value
    best: float | None = None
    for low, high in _stretches(curve, wanted):
        low = max(low, least)
        if low > high:
            continue
        near = min(max(start, low), high)
        candidate = _short(curve, near, low, high, wanted, whole=whole)
        if candidate is not None and (best is None or abs(candidate - start) < abs(best - start)):
            best = candidate
    return best


def _stretches(curve: Sequence[Segment], wanted: float) -> list[tuple[float, float]]:
    """Closed stretches of values worth at least `wanted`."""
    found = []
    for s in curve:
        end = math.nextafter(s.hi, -math.inf) if math.isfinite(s.hi) else s.hi
        low, high = s.lo, max(end, s.lo)
        if s.points_lo != s.points_hi and math.isfinite(s.lo) and math.isfinite(s.hi):
            if max(s.points_lo, s.points_hi) < wanted:
                continue
            cross = s.lo + (wanted - s.points_lo) / (s.points_hi - s.points_lo) * (s.hi - s.lo)
            if s.points_lo < s.points_hi:
                low = min(max(s.lo, cross), high)
            else:
                high = max(min(high, cross), low)
        elif s.points_lo < wanted:
            continue
        found.append((low, high))
    return found


def _short(
    curve: Sequence[Segment], near: float, low: float, high: float, wanted: float, *, whole: bool
) -> float | None:
    """A short number beside `near`, within [low, high], that is worth `wanted`."""

    def worth(value: float) -> bool:
        return low <= value <= high and points_at(tuple(curve), value) >= wanted - 1e-9

    if whole:
        return next((v for v in (float(math.floor(near)), float(math.ceil(near))) if worth(v)), None)
    first = max(0, 1 - math.floor(math.log10(abs(near)))) if near else 0
    for digits in range(min(first, 6), 7):
        scale = 10.0**digits
        for value in (math.floor(near * scale) / scale, math.ceil(near * scale) / scale):
            if worth(value):
                return value
    return near


def changed(standing: Standing, account: Account, values: Mapping[str, float]) -> Account:
    """The account with these metrics at other values, seen today, and everything that follows."""
    moved: dict[str, float | None] = dict(values)
    absent: set[str] = set()
    told = standing.told(moved)
    for name, other in standing.formula.metrics.items():  # parts come before wholes
        if isinstance(other, Ratio) and set(_parts(other)) & set(moved):
            ratio, applicable = _ratio(other, told)
            moved[name] = ratio
            told[name] = ratio
            if not applicable:
                absent.add(name)
    declared = standing.declared()
    measures = []
    for placed in account.measures:
        place = (placed.component, placed.metric)
        curve = standing.curve(place, declared[place][1])
        if placed.metric not in moved or curve is None:
            measures.append(placed)
            continue
        new = moved[placed.metric]
        if new is None:
            gone: Presence = "not_applicable" if placed.metric in absent else "missing"
            measures.append(replace(placed, present=gone))
            continue
        points = points_at(curve, new)
        fresh = 1.0 if placed.metric in values else placed.freshness
        measures.append(replace(placed, points=points, freshness=fresh, present="present"))
    caps, floors = standing.limits(told)
    return replace(account, measures=tuple(measures), caps=caps, floors=floors)


def _parts(metric: Ratio) -> list[str]:
    return [part for part in metric.ratio if isinstance(part, str)]


def _ratio(metric: Ratio, told: Mapping[str, Any]) -> tuple[float | None, bool]:
    """x/0 is not applicable, 0/0 and anything missing is missing."""
    over, under = (_part(part, told) for part in metric.ratio)
    if over is None or under is None:
        return None, True
    if under == 0:
        return None, over == 0
    return over / under, True


def _part(part: str | float, told: Mapping[str, Any]) -> float | None:
    value = told.get(part.removeprefix("account.")) if isinstance(part, str) else part
    return None if value is None or isinstance(value, str | date) else float(value)


def _told(standing: Standing, gain: Gain, aim: _Aim | None, labels: Mapping[str, str]) -> Improvement:
    worth = None if math.isnan(gain.gain) else gain.gain
    if gain.kind == "lift" or aim is None or gain.component is None or gain.metric is None:
        caps = standing.formula.scorecard.caps
        when = next((conditions.show(cap.when) for cap in caps if cap.because == gain.because), None)
        text = f"without the cap: {gain.because}" + (f" (while {when})" if when else "")
        return Improvement("lift", None, None, None, None, gain.computed, worth, text)
    row = standing.measures[gain.component, gain.metric]
    label = labels.get(gain.metric, gain.metric)
    component = standing.formula.components[gain.component]
    measure = component.measures[gain.metric]
    if gain.kind == "supply":
        text = f"{label}: {number(aim.value)}, where nothing is known now"
    else:
        text = f"{label} from {number(row['value'])} to {number(aim.value)}"
    before = row["value"] if gain.kind == "raise" else None
    advice = measure.advice or component.advice
    return Improvement(
        gain.kind, gain.component, gain.metric, before, aim.value, gain.computed, worth, text, advice
    )


def metric_label(name: str, metrics: Mapping[str, AnyMetric]) -> str:
    """The declared label of a metric, or its name as words."""
    declared = metrics.get(name)
    return (declared.label if declared else None) or name.replace("_", " ")
