"""Scorecards: components, measures, curves, caps, bands, stability. A scorecard is data."""

from __future__ import annotations

import itertools
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, field_validator, model_validator

from retinue.project.declaration import Day, Declaration, Length, Span, When

Knots = tuple[tuple[float, float], ...]
BANDS = ("at_risk", "watch", "healthy")


class Steps(Declaration):
    """Points from a value on (lower edges inclusive); below the first value, 0 points."""

    steps: Knots = Field(min_length=1)


class Target(Declaration):
    """Too little and too much are both bad: 0 points up to the first value, 100 from the
    second to the third, 0 from the fourth, straight lines between."""

    target: tuple[float, float, float, float]


def _points(value: Any) -> Any:
    return {"points": value} if isinstance(value, list | tuple) else value


class Points(Declaration):
    """Straight lines between [value, points] knots; flat beyond the first and the last."""

    points: Knots = Field(min_length=1)


def _shape(value: Any) -> str | None:
    """Which kind of curve `value` is, so that what is wrong in it is told about that kind."""
    if isinstance(value, str):
        return "~cohort"
    if isinstance(value, Points | Steps | Target):
        return f"~{type(value).__name__.lower()}"
    if isinstance(value, dict):
        found = [key for key in ("points", "steps", "target") if key in value]
        return f"~{found[0]}" if len(found) == 1 else None
    return None


_Shapes = Annotated[
    Annotated[Points, Tag("~points")]
    | Annotated[Steps, Tag("~steps")]
    | Annotated[Target, Tag("~target")]
    | Annotated[Literal["cohort"], Tag("~cohort")],
    Discriminator(_shape),
]
Curve = Annotated[
    _Shapes,
    BeforeValidator(_points, json_schema_input_type=Knots | Points | Steps | Target | Literal["cohort"]),
]


class TenureStep(Declaration):
    """Tenure in steps of this length, as part of a cohort."""

    tenure: Length


def _part(value: Any) -> str:
    return "~step" if isinstance(value, dict | TenureStep) else "~attribute"


CohortPart = Annotated[
    Annotated[str, Tag("~attribute")] | Annotated[TenureStep, Tag("~step")], Discriminator(_part)
]


class Measure(Declaration):
    """A metric placed on a scorecard.

    For `curve: cohort`, `cohort` lists what makes accounts alike, coarsest first; `shrink` is
    the k of n/(n+k), in accounts; `points` are the declared fallback where there is no history.
    """

    weight: float = Field(default=1.0, gt=0)
    curve: Curve
    direction: Literal["higher_is_better", "lower_is_better"] | None = None
    cohort: tuple[CohortPart, ...] = ()
    points: Knots | None = None
    shrink: float = Field(default=5.0, ge=0)
    max_age: Length | None = None
    half_life: Length | None = None
    missing: Literal["reweight", "neutral", "worst"] = "reweight"
    advice: str | None = None

    @model_validator(mode="after")
    def _coherent(self) -> Measure:
        if self.curve != "cohort":
            if self.cohort or self.points:
                raise ValueError("`cohort` and `points` go with `curve: cohort`")
            if self.direction:
                raise ValueError("`direction` goes with `curve: cohort`; other curves say it themselves")
        knots = self.points or ()
        match self.curve:
            case Points(points=points):
                knots = points
            case Steps(steps=steps):
                knots = steps
            case Target(target=edges):
                if list(edges) != sorted(edges):
                    raise ValueError("the four values of `target` must ascend")
        values = [x for x, _ in knots]
        if any(a >= b for a, b in itertools.pairwise(values)):
            raise ValueError("the values of a curve must ascend, without repeats")
        if any(not 0 <= y <= 100 for _, y in knots):
            raise ValueError("the points of a curve lie between 0 and 100")
        return self


class Component(Declaration):
    """A weighted group of measures."""

    weight: float = Field(default=1.0, gt=0)
    label: str | None = None
    advice: str | None = None
    measures: dict[str, Measure] = Field(min_length=1)


class Cap(Declaration):
    """While `when` holds, the score is at most this. A cap beats a floor."""

    when: When
    at_most: float = Field(ge=0, le=100)
    because: str = Field(min_length=1)


class Floor(Declaration):
    """While `when` holds, the score is at least this."""

    when: When
    at_least: float = Field(ge=0, le=100)
    because: str = Field(min_length=1)


class Confirm(Declaration):
    """How long a computed score must stay beyond an edge before the band follows."""

    down: Span = Field(default="3d", validate_default=True)
    up: Span = Field(default="7d", validate_default=True)


class Stability(Declaration):
    deadband: float = Field(default=3.0, ge=0)
    margin: float = Field(default=3.0, ge=0)
    confirm: Confirm = Confirm()


def _listed(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else [value]


Value = str | int | float | bool
Values = Annotated[
    tuple[Value, ...],
    Field(min_length=1),
    BeforeValidator(_listed, json_schema_input_type=Value | tuple[Value, ...]),
]


class Fitted(Declaration):
    """Weights or edges were learned from what was known until this day, from so many events.

    Validation counts only later dates: what was learned from proves nothing.
    """

    until: Day
    events: int | None = Field(default=None, ge=0)


class Scorecard(Declaration):
    """How accounts are scored. The first whose `applies_to` matches an account is its own."""

    scorecard: str = Field(min_length=1)
    label: str | None = None
    description: str | None = None
    applies_to: dict[str, Values] = {}
    components: dict[str, Component] = {}
    roll_up: Literal["mean", "worst", "arr"] | None = None
    caps: tuple[Cap, ...] = ()
    floors: tuple[Floor, ...] = ()
    bands: dict[Literal["at_risk", "watch", "healthy"], float] = {
        "at_risk": 0,
        "watch": 40,
        "healthy": 70,
    }
    stability: Stability = Stability()
    min_coverage: float = Field(default=0.5, ge=0, le=1)
    fitted: Fitted | None = None

    @field_validator("bands", mode="after")
    @classmethod
    def _worst_first(cls, bands: dict[Any, float]) -> dict[Any, float]:
        return {band: bands[band] for band in BANDS if band in bands}

    @model_validator(mode="after")
    def _coherent(self) -> Scorecard:
        if bool(self.components) == (self.roll_up is not None):
            raise ValueError("a scorecard has either `components` or `roll_up`")
        if tuple(self.bands) != BANDS:
            raise ValueError("`bands` names the lower edges of all of at_risk, watch and healthy")
        edges = list(self.bands.values())
        if edges[0] != 0 or not edges[0] < edges[1] < edges[2] <= 100:
            raise ValueError("the edges of `bands` start at 0 and ascend, up to 100")
        return self


class Stage(Declaration):
    """A stage of the lifecycle; the first whose `when` holds is an account's own."""

    stage: str = Field(min_length=1)
    when: When | None = None
