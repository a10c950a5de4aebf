"""One score, taken apart: what `explain` hands to the surfaces."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import date
from html import escape
from typing import Any, Literal

from retinue.words import DIRECTION, SHAPES, WORDS, number, share, shown, signed


@dataclass(frozen=True, slots=True)
class Layer:
    """One of the three scores, and why it is not the layer before it."""

    name: Literal["computed", "published", "effective"]
    score: float | None
    why: str | None


@dataclass(frozen=True, slots=True)
class ExplainedMeasure:
    """A measure as it counts: contribution = weight x points.

    `weight` is its share of the score as it is, `declared` its share if nothing were missing or
    old, `freshness` what it keeps of that for its age; all 0 to 1.
    """

    component: str
    metric: str
    label: str
    unit: str | None
    value: float | None
    state: str
    age_days: float | None
    points: float | None
    weight: float | None
    contribution: float | None
    declared: float
    freshness: float
    cohort: str | None


@dataclass(frozen=True, slots=True)
class ExplainedComponent:
    component: str
    label: str
    points: float | None
    weight: float | None
    contribution: float | None
    advice: str | None


@dataclass(frozen=True, slots=True)
class ExplainedDriver:
    """A part of the change, in points. `kind` is value, availability, rule, configuration,
    smoothing or override; component and metric are None for the whole score."""

    kind: str
    component: str | None
    metric: str | None
    points: float
    text: str


@dataclass(frozen=True, slots=True)
class Change:
    """From one scored snapshot to another; the drivers sum to `points`."""

    since: date
    until: date
    from_score: float
    to_score: float
    from_band: str | None
    to_band: str | None
    drivers: tuple[ExplainedDriver, ...]
    why_since: str

    @property
    def points(self) -> float:
        return self.to_score - self.from_score


@dataclass(frozen=True, slots=True)
class Trend:
    """Slope of the computed score over `window` days; `arrow` is 1, 0 or -1."""

    window: int
    change: float | None
    arrow: int


@dataclass(frozen=True, slots=True)
class Improvement:
    """One thing that would raise the computed score to `score`, everything else as it is."""

    kind: Literal["lift", "raise", "supply"]
    component: str | None
    metric: str | None
    from_value: float | None
    to_value: float | None
    score: float
    gain: float | None
    text: str
    advice: str | None = None


@dataclass(frozen=True)
class Explanation:
    """One account on one date: its score, and everything that it is made of.

    Coverage is 0 to 1. `change` is None where there is no earlier scored snapshot, or none now.
    """

    account_id: str
    name: str | None
    as_of: date
    status: str
    scorecard: str | None
    fingerprint: str | None
    score: float | None
    band: str | None
    band_since: date | None
    grade: str | None
    rank: tuple[int, int] | None
    base: float | None
    adjustment: float | None
    layers: tuple[Layer, ...]
    cap: str | None
    held: bool
    coverage: float | None
    min_coverage: float | None
    gaps: tuple[str, ...]
    weakest_component: str | None
    stage: str | None
    attributes: dict[str, Any]
    components: tuple[ExplainedComponent, ...]
    measures: tuple[ExplainedMeasure, ...]
    trend: Trend
    history: tuple[tuple[date, float | None], ...]
    change: Change | None
    improvements: tuple[Improvement, ...]
    notes: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        return f"{self.name} ({self.account_id})" if self.name else self.account_id

    @property
    def headline(self) -> str:
        """Score, band and since when, in one line."""
        grade = f", grade {self.grade}" if self.grade else ""
        if self.status != "scored":
            return f"{SHAPES[None]} {WORDS[None]}"
        since = f" since {self.band_since}" if self.band_since else ""
        return f"{shown(self.score)} {SHAPES[self.band]} {WORDS[self.band]}{since}{grade}"

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values, dates as ISO text; `direction` says which end is which."""
        told = _plain(self)
        if self.change is not None:
            told["change"]["points"] = self.change.points
        return {"direction": DIRECTION, **told}

    def __repr__(self) -> str:
        lines = [f"{self.title}: {self.headline} ({DIRECTION})"]
        if self.cap:
            lines.append(f"  limited: {self.cap}")
        lines += [f"  {c.label}: {shown(c.points)} points x {share(c.weight or 0)}" for c in self.components]
        if self.change:
            lines.append(f"  {signed(self.change.points)} since {self.change.since}:")
            lines += [f"    {signed(d.points)}  {d.text}" for d in self.change.drivers[:5]]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """A table for notebooks."""
        rows = "".join(
            f"<tr><td>{escape(m.component)}</td><td>{escape(m.label)}</td>"
            f"<td style='text-align:right'>{escape(_value(m))}</td>"
            f"<td style='text-align:right'>{shown(m.points)}</td>"
            f"<td style='text-align:right'>{share(m.weight or 0)}</td>"
            f"<td style='text-align:right'>{shown(m.contribution, 1)}</td></tr>"
            for m in self.measures
        )
        head = "".join(
            f"<th>{name}</th>" for name in ("component", "measure", "value", "points", "weight", "adds")
        )
        change = ""
        if self.change:
            items = "".join(
                f"<li>{escape(signed(d.points))}: {escape(d.text)}</li>" for d in self.change.drivers
            )
            change = f"<p>{escape(signed(self.change.points))} since {self.change.since}</p><ul>{items}</ul>"
        cap = f"<p>limited: {escape(self.cap)}</p>" if self.cap else ""
        return (
            f"<h4>{escape(self.title)}</h4><p><b>{escape(self.headline)}</b> as of {self.as_of} "
            f"({DIRECTION})</p>{cap}<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{change}"
        )


def _value(measure: ExplainedMeasure) -> str:
    if measure.value is None:
        return measure.state.replace("_", " ")
    unit = f" {measure.unit}" if measure.unit else ""
    stale = " (stale)" if measure.state == "stale" else ""
    return number(measure.value) + unit + stale


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, date):
        return value.isoformat()
    return value
