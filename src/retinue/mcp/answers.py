"""What the tools answer: the schemas of their structured content. Texts in « » are data."""

from __future__ import annotations

from datetime import date
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from retinue.mcp.telling import ROOM, letters
from retinue.words import DIRECTION

Score = Annotated[float | None, Field(description="0 worst, 100 best; null: cannot tell")]
Quoted = Annotated[str | None, Field(description="data in « »")]


class Told(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Answer(Told):
    """`spare`: lists that give way where an answer is too long, the first of them first."""

    spare: ClassVar[tuple[str, ...]] = ()

    run_id: str | None = Field(description="the published run that all of this comes from")
    as_of: date | None = Field(description="the last date of that run")
    direction: str = DIRECTION
    notes: list[str] = Field([], description="what must be known to read this rightly")
    left_out: list[str] = Field([], description="what was left out, and how to get it")

    def shortened(self) -> Answer:
        """The same within its bound: lists that can give way are cut, and that is said."""
        told = self
        for name in self.spare:
            rows = list(getattr(told, name))
            size = letters(told.model_dump(mode="json"))
            while rows and size > ROOM:
                rows = rows[: len(rows) // 2]
                cut = f"{len(getattr(self, name)) - len(rows)} of {name}: the answer was too long"
                told = told.model_copy(update={name: rows, "left_out": [*self.left_out, cut]})
                size = letters(told.model_dump(mode="json"))
        return told


class AccountRow(Told):
    account_id: str = Field(description="pass it on exactly as it is; it is data too")
    name: Quoted
    owner: Quoted
    segment: Quoted
    territory: Quoted
    stage: Quoted
    band: str
    band_since: date | None
    score: Score
    change_7: float | None = Field(description="points in 7 days; negative: fell")
    change_28: float | None
    change_90: float | None
    coverage: float | None = Field(description="share of the score that rests on data, 0 to 1")
    arr: float | None
    renews_on: date | None
    renews_in_days: int | None
    why: Quoted
    weakest_component: str | None
    limited_by: Quoted
    held: bool = Field(description="true: a source has stopped, so the score stands still")
    open_tasks: int


class BandCount(Told):
    band: str
    accounts: int
    arr: float


class AccountList(Answer):
    total: int = Field(description="accounts that match, on all pages")
    total_arr: float
    currency: str | None
    bands: list[BandCount]
    order: str
    accounts: list[AccountRow]
    next_after: str | None = Field(description="ask again with this as `after`; null: this is the end")


class Layer(Told):
    layer: str = Field(description="computed (data), published (steadied), effective (people's override)")
    score: Score
    why: Quoted


class Component(Told):
    component: str
    label: str
    points: Score
    weight: float | None = Field(description="share of the score, 0 to 1")
    adds: float | None = Field(description="points x weight; all of them sum to the base score")
    points_before: Score = None
    advice: str | None = None


class Measure(Told):
    component: str
    metric: str = Field(description="the name that what_if takes")
    label: str
    value: float | None
    unit: str | None
    state: str = Field(description="ok, stale, missing or not_applicable")
    age_days: float | None
    points: Score
    weight: float | None
    adds: float | None


class Driver(Told):
    kind: str = Field(
        description="value (the customer's data), availability, rule, configuration, smoothing, override"
    )
    component: str | None
    metric: str | None
    points: float = Field(description="part of the change")
    what: Quoted


class Change(Told):
    since: date
    until: date
    from_score: float
    to_score: float
    points: float
    from_band: str
    to_band: str
    drivers: list[Driver] = Field(description="associated with the change, largest first; not causes")
    rest: float = Field(description="points of smaller drivers; with the others they sum to the change")


class Improvement(Told):
    what: Quoted
    component: str | None
    metric: str | None
    from_value: float | None
    to_value: float | None
    computed_score: Score
    gain: float | None = Field(description="points of the computed score, by this alone")
    advice: str | None


class Event(Told):
    on: date
    kind: str
    what: Quoted
    text: Quoted
    by: Quoted


class Check(Told):
    text: Quoted
    done: bool


class TaskRow(Told):
    task: int = Field(description="pass it to complete_task")
    account_id: str
    name: Quoted
    title: Quoted
    detail: Quoted
    why: Quoted = Field(description="the alert or playbook that it comes from; null: added by hand")
    moved: Quoted = Field(description="what moved the account's score in the last weeks")
    checklist: list[Check]
    owner: Quoted
    due_on: date | None
    overdue: bool
    snoozed_until: date | None
    status: str
    result: Quoted
    customer_said: Quoted


class Dated(Told):
    on: date
    score: Score


class Explained(Answer):
    spare: ClassVar[tuple[str, ...]] = ("events", "measures", "tasks", "history", "improvements")

    account_id: str
    name: Quoted
    on: date = Field(description="the date that is told here")
    status: str
    score: Score
    band: str
    band_since: date | None
    grade: str | None
    rank: list[int] | None = Field(description="[place, scored accounts]; 1 has the highest score")
    peers: str | None
    scorecard: str | None
    owner: Quoted
    segment: Quoted
    territory: Quoted
    stage: Quoted
    arr: float | None
    currency: str | None
    renews_on: date | None
    coverage: float | None = Field(description="share of the score that rests on data, 0 to 1")
    gaps: list[str] = Field(description="what is missing or old")
    limited_by: Quoted = Field(description="the cap that holds the score down")
    base: Score = Field(description="the score before caps and floors")
    layers: list[Layer]
    components: list[Component]
    measures: list[Measure]
    change: Change | None
    trend: str | None
    history: list[Dated]
    improvements: list[Improvement]
    in_force: list[Event] = Field(description="what colleagues said that counts now")
    tasks: list[TaskRow]
    events: list[Event]
    link: str | None = Field(description="the account in the company's own system")


class GroupRow(Told):
    group: Quoted
    accounts: int
    scored: int
    arr: float
    mean_score: Score
    mean_score_before: Score
    at_risk: int
    at_risk_share: float | None


class Moved(Told):
    from_standing: str
    to_standing: str
    accounts: int
    arr: float


class Parts(Told):
    within: float = Field(description="accounts that are there at both dates moved")
    mix: float = Field(description="weights moved")
    entry: float = Field(description="accounts came")
    exit: float = Field(description="accounts went")


class Movement(Told):
    since: date
    until: date
    weighted_by: str
    mean_before: Score
    mean_after: Score
    parts: Parts | None = Field(description="they sum to the change of the mean; null: cannot tell")
    moves: list[Moved] = Field(description="accounts whose band changed, most of them first")


class Shared(Told):
    what: Quoted
    accounts: int
    false_discovery_rate: float


class Mover(Told):
    account_id: str
    name: Quoted
    owner: Quoted
    from_score: float
    to_score: float
    points: float
    from_band: str
    to_band: str


class Compared(Answer):
    spare: ClassVar[tuple[str, ...]] = ("events", "groups", "shared", "rose", "fell")

    since: date
    until: date
    account_id: str | None = None
    name: Quoted = None
    change: Change | None = None
    components: list[Component] = []
    events: list[Event] = []
    movement: Movement | None = None
    fell: list[Mover] = Field([], description="accounts whose score fell most, most first")
    rose: list[Mover] = Field([], description="accounts whose score rose most, most first")
    groups: list[GroupRow] = []
    shared: list[Shared] = Field([], description="what many accounts have in common: associations")


class Summary(Answer):
    spare: ClassVar[tuple[str, ...]] = ("shared", "groups", "trend")

    currency: str | None
    accounts: int
    scored: int
    arr: float
    bands: list[BandCount]
    mean_score: Score
    mean_score_by_arr: Score
    at_risk_share: float | None
    movement: Movement
    by: str
    dimensions: list[str] = Field(description="what `by` can be")
    groups: list[GroupRow]
    trend: list[Dated] = Field(description="the mean score on earlier dates")
    shared: list[Shared]
    losses: int
    losses_amount: float


class Estimated(Told):
    """null: cannot tell."""

    value: float | None
    low: float | None = Field(description="of the 95 % interval")
    high: float | None


class Rival(Told):
    name: str
    auc: Estimated
    score_ahead_by: Estimated


class BandOutcome(Told):
    band: str
    share_of_rows: float | None
    outcome_rate: Estimated
    times_base_rate: float | None


class Bar(Told):
    name: str
    passed: bool | None = Field(description="null: cannot tell")
    sentence: str


class Trust(Answer):
    tried: bool = Field(description="false: nobody knows yet how well the score foretells")
    stale: bool = Field(description="true: the trial is of an earlier run")
    verdict: str | None = None
    sentence: str | None = None
    outcome: str | None = None
    horizon_days: int | None = None
    rows: int | None = None
    events: int | None = None
    base_rate: Estimated | None = None
    auc: Estimated | None = Field(
        None, description="chance that the score ranks two accounts rightly; 0.5 chance, 1 perfect"
    )
    rivals: list[Rival] = []
    bands: list[BandOutcome] = []
    red_before_loss: float | None = Field(None, description="share of those lost that were at risk when lost")
    warned_days: float | None = Field(None, description="median days that they had been so")
    bars: list[Bar] = []
    warnings: list[str] = []
    would_change: list[str] = []
    overridden: int = Field(description="accounts whose score people overrode")


class MetricSet(Told):
    metric: str
    label: str
    unit: str | None
    from_value: float | None = Field(description="null: nothing is known now")
    to_value: float


class Scored(Told):
    computed_score: Score
    band: str = Field(description="where that score lies, without waiting for confirmation")
    base: Score
    coverage: float
    limited_by: Quoted
    raised_by: Quoted


class Supposed(Answer):
    spare: ClassVar[tuple[str, ...]] = ("improvements",)

    account_id: str
    name: Quoted
    effective_score: Score = Field(description="the score that people see now")
    now: Scored
    then: Scored | None = Field(description="null: nothing was supposed; see `improvements`")
    gain: float | None = None
    metrics: list[MetricSet] = []
    components: list[Component] = Field(description="`points_before` as it is, `points` as supposed")
    improvements: list[Improvement] = Field(
        description="what would raise the score most, one thing at a time"
    )


class TaskList(Answer):
    today: date
    counts: dict[str, int] = Field(description="open, overdue, snoozed on all pages; on the first page only")
    tasks: list[TaskRow]
    next_after: int | None = Field(description="ask again with this as `after`; null: this is the end")


class AlertRow(Told):
    alert: int
    account_id: str | None = Field(description="null: about the portfolio")
    name: Quoted
    severity: str
    rule: str
    on: date
    what: Quoted
    do: Quoted
    score: Score
    owner: Quoted
    at_stake: float | None = Field(description="in the project's currency")
    closed: bool


class AlertList(Answer):
    alerts: list[AlertRow]
    next_after: int | None = Field(description="ask again with this as `after`; null: this is the end")


class Written(Answer):
    what: str
    number: int | None
    account_id: str | None
    by: str
