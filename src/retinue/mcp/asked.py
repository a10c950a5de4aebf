"""What can be asked of each tool. Descriptions are written for a model that has to choose."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from retinue.mcp.telling import unquoted

#: Rows of a page at most, and by default.
MOST, USUAL = 50, 20

Band = Literal["healthy", "watch", "at_risk", "not_scored"]
Whose = Literal["mine", "team", "all"]


def _no_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("no text has a NUL in it")
    text.encode()  # half of a surrogate pair is no text either
    return text


def _listed(value: Any) -> Any:
    """One value where a list is asked for is a list of one."""
    return [value] if isinstance(value, str) else value


Text = Annotated[str, AfterValidator(_no_nul), AfterValidator(unquoted), Field(min_length=1, max_length=500)]
Values = Annotated[list[Text], BeforeValidator(_listed), Field(max_length=20)]
Bands = Annotated[list[Band], BeforeValidator(_listed), Field(max_length=4)]
Points = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]
Number = Annotated[float, Field(ge=-1e15, le=1e15, allow_inf_nan=False)]
Limit = Annotated[int, Field(ge=1, le=MOST, description=f"rows of this page, at most {MOST}")]
Place = Annotated[int, Field(ge=1, le=2**31 - 1)]
Account = Annotated[
    Text, Field(description="the account_id as another tool gave it; an exact account name works too")
]


class Asked(BaseModel):
    """Whatever is asked; what is not known here is refused."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class ListAccounts(Asked):
    whose: Whose = Field(
        "all", description="`mine`: looked after by the person who asks; `team`; `all` that they may see"
    )
    band: Bands = Field([], description="only these bands; `not_scored` means that Retinue cannot tell")
    segment: Values = Field([], description="exact values; `-` means without one")
    territory: Values = Field([], description="exact values; `-` means without one")
    owner: Values = Field([], description="who looks after the account, exact; `-` means nobody")
    tier: Values = Field([], description="exact values; `-` means without one")
    stage: Values = Field([], description="lifecycle stage, such as onboarding")
    scorecard: Values = Field([], description="names of scorecards")
    weakest_component: Values = Field([], description="the component that costs the account most")
    min_score: Points | None = Field(None, description="0 worst to 100 best; leaves out what is not scored")
    max_score: Points | None = Field(None, description="0 worst to 100 best; leaves out what is not scored")
    min_arr: float | None = Field(None, ge=0, le=1e15, description="annual recurring revenue, at least")
    renews_within_days: int | None = Field(None, ge=0, le=3660, description="counted from the as-of date")
    fell_at_least: float | None = Field(None, ge=0, le=100, description="points lost in the last 28 days")
    sort: Literal[
        "attention", "score", "arr", "renews_on", "change_7", "change_28", "change_90", "coverage", "name"
    ] = Field(
        "attention",
        description="`attention`: (100 - score) / 100 x ARR, doubled within 90 days of renewal, most first; "
        "`score` and `change_*`: worst first; `arr`: largest first; `renews_on`: soonest first",
    )
    descending: bool | None = Field(None, description="only to turn the natural order of `sort` round")
    limit: Limit = USUAL
    after: Text | None = Field(None, description="`next_after` of the page before, with the same filters")


class SearchAccounts(Asked):
    text: Annotated[Text, Field(max_length=200)] = Field(description="part of a name or of an account_id")
    limit: Limit = 10
    after: Text | None = Field(None, description="`next_after` of the page before, with the same text")


class ExplainAccount(Asked):
    account_id: Account
    as_of: date | None = Field(None, description="a past date; by default the last one scored")
    since: date | None = Field(
        None, description="count the change from here; by default 28 days, or before the last change of band"
    )
    events: int = Field(8, ge=0, le=30, description="newest events of its timeline to tell")


class CompareDates(Asked):
    since: date = Field(description="the earlier date; the last one scored on or before it counts")
    until: date | None = Field(None, description="the later date; by default the last one scored")
    account_id: Account | None = Field(None, description="one account; without it the whole portfolio")
    by: Text | None = Field(None, description="portfolio only: group by this, such as `segment` or `owner`")
    weight: Literal["arr", "accounts"] = Field(
        "accounts", description="portfolio only: what the mean score is weighted by"
    )


class PortfolioSummary(Asked):
    by: Text | None = Field(None, description="group by this, such as `segment`, `owner` or `territory`")
    since: date | None = Field(None, description="compare with this date; by default 28 days before")
    until: date | None = None
    groups: int = Field(12, ge=1, le=MOST, description="groups to tell, largest first")


class TrustSummary(Asked):
    pass


class Setting(Asked):
    name: Text = Field(description="name of a metric or component, as explain_account gives it")
    value: Number


class WhatIf(Asked):
    account_id: Account
    metrics: list[Setting] = Field(
        [], max_length=10, description="metrics at other values, in the metric's own unit"
    )
    components: list[Setting] = Field(
        [], max_length=10, description="components at other points, 0 (worst) to 100"
    )


class MyTasks(Asked):
    whose: Whose = Field("mine", description="`mine`, `team`, or `all` for accounts that they may see")
    status: Literal["open", "snoozed", "done", "dropped"] = Field(
        "open", description="`snoozed` ones are out of sight until their day, and not among the open"
    )
    overdue: bool = Field(False, description="only open ones that were due before today")
    account_id: Account | None = None
    limit: Limit = USUAL
    after: Place | None = Field(None, description="`next_after` of the page before")


class Alerts(Asked):
    whose: Whose = Field("all", description="`mine`, `team`, or `all` that they may see")
    account_id: Account | None = None
    rule: Text | None = Field(None, description="name of the rule that raised it")
    severity: Literal["high", "normal", "low"] | None = None
    since: date | None = Field(None, description="as of this date, or later")
    include_closed: bool = False
    limit: Limit = USUAL
    after: Place | None = Field(None, description="`next_after` of the page before")


class AddNote(Asked):
    account_id: Account
    text: Annotated[str, AfterValidator(_no_nul), Field(min_length=1, max_length=2000)] = Field(
        description="what to write down, in the words that the person agreed to"
    )


class CompleteTask(Asked):
    task: Place = Field(description="`task` as my_tasks gave it")
    result: Annotated[str, AfterValidator(_no_nul), Field(max_length=2000)] | None = Field(
        None, description="what was done"
    )
    customer_said: Annotated[str, AfterValidator(_no_nul), Field(max_length=2000)] | None = Field(
        None, description="what the customer said to it"
    )
    dropped: bool = Field(False, description="true: it is not to be done any more")
