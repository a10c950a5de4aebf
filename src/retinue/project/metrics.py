"""The kinds of metric. One class per kind; the key that names the kind is its first field.

To add a kind: a class here (it then is in the schema, the reference and `check`), its
computation in `warehouse/metrics/`, and a case in the oracle of the tests.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from retinue.project.declaration import Declaration, Length, Span, Where


class MetricBase(Declaration):
    """What every metric may say about itself.

    `indicator` tells leading from lagging; validation uses lagging ones as outcomes only.
    """

    kind: ClassVar[str]
    label: str | None = None
    description: str | None = None
    unit: str | None = None
    direction: Literal["higher_is_better", "lower_is_better"] | None = None
    indicator: Literal["leading", "lagging"] | None = None


class Count(MetricBase):
    """Rows in the window (all so far without one). No rows: 0 once the source has any."""

    kind: ClassVar[str] = "count"
    count: str
    window: Length | None = None
    where: Where | None = None


class Sum(MetricBase):
    """Sum of a column over the window (all so far without one). No rows: 0."""

    kind: ClassVar[str] = "sum"
    sum: str
    window: Length | None = None
    where: Where | None = None


class Mean(MetricBase):
    """Mean of a column over the window (all so far without one). No values: missing."""

    kind: ClassVar[str] = "mean"
    mean: str
    window: Length | None = None
    where: Where | None = None


class Distinct(MetricBase):
    """Different values of a column in the window (all so far without one). No rows: 0."""

    kind: ClassVar[str] = "distinct"
    distinct: str
    window: Length | None = None
    where: Where | None = None


class Active(MetricBase):
    """Days, or complete weeks Monday to Sunday, with at least one row. No rows: 0."""

    kind: ClassVar[str] = "active"
    active: str
    every: Literal["day", "week"] = "day"
    window: Length
    where: Where | None = None

    @model_validator(mode="after")
    def _whole_weeks(self) -> Active:
        if self.every == "week" and self.window.days % 7:
            raise ValueError("`every: week` needs a window of whole weeks, such as `8w`")
        return self


class Changed(Declaration):
    """What a change is a change of: exactly one of these."""

    count: str | None = None
    sum: str | None = None
    distinct: str | None = None

    @model_validator(mode="after")
    def _one(self) -> Changed:
        if sum(x is not None for x in (self.count, self.sum, self.distinct)) != 1:
            raise ValueError("give exactly one of `count`, `sum`, `distinct`")
        return self


class Change(MetricBase):
    """(daily rate in the window) / (daily rate in the baseline) - 1.

    The baseline ends `gap` before the window begins. Not applicable when the baseline is 0
    or the account is younger than all three together.
    """

    kind: ClassVar[str] = "change"
    change: Changed
    window: Length
    baseline: Length
    gap: Span | None = None
    where: Where | None = None


class Open(MetricBase):
    """Rows that have begun and not ended. No rows: 0."""

    kind: ClassVar[str] = "open"
    open: str
    where: Where | None = None


class OpenSum(MetricBase):
    """Sum of a column over rows that have begun and not ended. No rows: 0."""

    kind: ClassVar[str] = "open_sum"
    open_sum: str
    where: Where | None = None


class Latest(MetricBase):
    """Value of the latest row that has one. None: missing. Its age is the row's own."""

    kind: ClassVar[str] = "latest"
    latest: str
    where: Where | None = None


class Since(MetricBase):
    """Days since the latest row. No rows: days since `started_on`."""

    kind: ClassVar[str] = "since"
    since: str
    where: Where | None = None


class DaysTo(MetricBase):
    """Days from `started_on` to the first row; while there is none, the days so far."""

    kind: ClassVar[str] = "days_to"
    days_to: str
    where: Where | None = None


class Ratio(MetricBase):
    """One number over another: metrics, `account.x`, or a constant. x/0: not applicable."""

    kind: ClassVar[str] = "ratio"
    ratio: tuple[str | float, str | float]


class Attribute(MetricBase):
    """A numeric, boolean (0/1) or date (days from now) attribute of the account."""

    kind: ClassVar[str] = "attribute"
    attribute: str


class Milestone(Declaration):
    """A step that an account should reach: a first row in a source, `due` after its start."""

    source: str
    where: Where | None = None
    due: Length | None = None


class Milestones(MetricBase):
    """Share (0 to 1) of the milestones due or reached by now that are reached.

    Not applicable while none is due or reached; a milestone without `due` is due at once.
    """

    kind: ClassVar[str] = "milestones"
    milestones: dict[str, Milestone] = Field(min_length=1)


class Pulse(MetricBase):
    """A person's judgement (0 to 10), recorded with `retinue pulse`. None, or expired: missing."""

    kind: ClassVar[str] = "pulse"
    pulse: str


class Children(MetricBase):
    """Computed scores of child accounts, rolled up. Unscored children drop out; none: missing.

    `arr` weighs by the children's ARR; children without a positive ARR then drop out.
    """

    kind: ClassVar[str] = "children"
    children: Literal["mean", "worst", "arr"]


class Sql(MetricBase):
    """A SELECT of account_id, as_of, value from a file of the project.

    The tables are the project's sources by name, each row repeated for every `as_of` at
    which it is known, and `spine` (account_id, as_of). No row: missing.
    """

    kind: ClassVar[str] = "sql"
    sql: str


KINDS: tuple[type[MetricBase], ...] = (
    Count,
    Sum,
    Mean,
    Distinct,
    Active,
    Change,
    Open,
    OpenSum,
    Latest,
    Since,
    DaysTo,
    Ratio,
    Attribute,
    Milestones,
    Pulse,
    Children,
    Sql,
)


# Tags begin with ~ so that they cannot be taken for keys where an error is located.
def _kind_of(value: Any) -> str | None:
    if isinstance(value, MetricBase):
        return f"~{value.kind}"
    if isinstance(value, dict):
        found = [k.kind for k in KINDS if k.kind in value]
        if len(found) == 1:
            return f"~{found[0]}"
    return None


AnyMetric = Annotated[
    Annotated[Count, Tag("~count")]
    | Annotated[Sum, Tag("~sum")]
    | Annotated[Mean, Tag("~mean")]
    | Annotated[Distinct, Tag("~distinct")]
    | Annotated[Active, Tag("~active")]
    | Annotated[Change, Tag("~change")]
    | Annotated[Open, Tag("~open")]
    | Annotated[OpenSum, Tag("~open_sum")]
    | Annotated[Latest, Tag("~latest")]
    | Annotated[Since, Tag("~since")]
    | Annotated[DaysTo, Tag("~days_to")]
    | Annotated[Ratio, Tag("~ratio")]
    | Annotated[Attribute, Tag("~attribute")]
    | Annotated[Milestones, Tag("~milestones")]
    | Annotated[Pulse, Tag("~pulse")]
    | Annotated[Children, Tag("~children")]
    | Annotated[Sql, Tag("~sql")],
    Discriminator(_kind_of),
]


def split(reference: str) -> tuple[str, str | None]:
    """`usage.user` as ("usage", "user"); `usage` as ("usage", None)."""
    source, _, column = reference.partition(".")
    return source, column or None


def needs(metric: MetricBase) -> tuple[str, ...]:
    """Names of the other metrics that this one is made of."""
    if isinstance(metric, Ratio):
        return tuple(
            part for part in metric.ratio if isinstance(part, str) and not part.startswith("account.")
        )
    return ()


def feeds(metric: MetricBase) -> tuple[str, ...]:
    """Names of the sources that this metric reads itself, without repeats."""
    match metric:
        case Count(count=ref) | Sum(sum=ref) | Mean(mean=ref) | Distinct(distinct=ref):
            refs = [ref]
        case Active(active=ref) | Open(open=ref) | OpenSum(open_sum=ref) | Latest(latest=ref):
            refs = [ref]
        case Since(since=ref) | DaysTo(days_to=ref):
            refs = [ref]
        case Change(change=of):
            refs = [of.count or of.sum or of.distinct or ""]
        case Milestones(milestones=steps):
            refs = [step.source for step in steps.values()]
        case _:
            refs = []
    return tuple(dict.fromkeys(split(ref)[0] for ref in refs))


def closure(names: set[str], metrics: Mapping[str, MetricBase]) -> list[str]:
    """`names` and every metric that they are made of, parts before wholes."""
    ordered: dict[str, None] = {}
    entered: set[str] = set()
    # A stack of our own: a chain of ratios may be longer than Python's.
    stack = [(name, False) for name in sorted(names, reverse=True)]
    while stack:
        name, left = stack.pop()
        if left:
            ordered[name] = None
        elif name in metrics and name not in entered:
            entered.add(name)
            stack.append((name, True))
            stack += [(part, False) for part in reversed(needs(metrics[name]))]
    return list(ordered)
