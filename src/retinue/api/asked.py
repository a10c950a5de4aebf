"""What callers may ask and say, as models: unknown names, wrong types and endless numbers are refused."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from fastapi import Path
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StrictInt

from retinue.desk.book import Scope
from retinue.project.scorecards import BANDS
from retinue.store.published.current import RANGES, SORTS

#: The largest number that a store can count to.
MOST = 2**63 - 1
#: What stands for "none" in a filter.
EMPTY = "-"


def no_nul(value: str) -> str:
    if "\0" in value or any("\ud800" <= letter <= "\udfff" for letter in value):
        raise ValueError("a character in it is no text (NUL, or half of a pair)")
    return value


def _day(value: Any) -> Any:
    if isinstance(value, date):
        return value
    try:
        if isinstance(value, str) and len(value) == 10:
            return date.fromisoformat(value)
    except ValueError:
        pass
    raise ValueError("write a date such as 2026-03-31")


def whole(value: Any) -> Any:
    # In JSON 845.0 is a whole number as well as 845.
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


#: The largest whole number that every reader of JSON takes for itself and not for its neighbour.
EXACT = 2**53
#: A number of something in the store.
# Limits before what comes before them: the document says only those of the number itself.
Whole = Annotated[StrictInt, Field(ge=1, le=EXACT), BeforeValidator(whole)]
#: Numbers of what is changed together.
Several = Annotated[list[Whole], Field(min_length=1, max_length=500)]
Day = Annotated[date, BeforeValidator(_day)]
#: What `no_nul` refuses, as the document says it.
_PLAIN: dict[str, Any] = {"pattern": r"^[^\u0000]*$"}
Text = Annotated[str, AfterValidator(no_nul), Field(json_schema_extra=_PLAIN)]
Number = Annotated[int, Path(ge=1, le=MOST)]
AccountId = Annotated[str, Path(min_length=1, max_length=500), AfterValidator(no_nul)]
#: What is blank is refused where it is written down.
Name = Annotated[str, AfterValidator(no_nul), Field(min_length=1, max_length=200, json_schema_extra=_PLAIN)]
Long = Annotated[
    str, AfterValidator(no_nul), Field(min_length=1, max_length=10_000, json_schema_extra=_PLAIN)
]
MaybeLong = Annotated[str, AfterValidator(no_nul), Field(max_length=10_000)] | None
Points = Annotated[float, Field(strict=True, ge=0, le=100)]


class Asked(BaseModel):
    """Base of everything here."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class AsOf(Asked):
    as_of: Day | None = Field(
        None, description="a published date, or the last before it; by default the last"
    )
    since: Day | None = Field(None, description="the date from which the change is counted")


class Accounts(Asked):
    """Filters, an order and a place in the list. Filters can be repeated; `-` means without a value."""

    scope: Scope = Field("all", description="mine, team's, or all that the key's person sees")
    search: Text | None = Field(None, max_length=200, description="part of a name or an id")
    band: list[Text] = Field([], description="one of " + ", ".join(BANDS) + ", or `-` for not scored")
    published_band: list[Text] = []
    status: list[Text] = []
    owner: list[Text] = []
    territory: list[Text] = []
    segment: list[Text] = []
    tier: list[Text] = []
    stage: list[Text] = []
    scorecard: list[Text] = []
    fingerprint: list[Text] = []
    cap: list[Text] = []
    weakest_component: list[Text] = []
    held: bool | None = None
    effective_min: float | None = None
    effective_max: float | None = None
    coverage_min: float | None = None
    coverage_max: float | None = None
    arr_min: float | None = None
    arr_max: float | None = None
    renews_on_min: Day | None = None
    renews_on_max: Day | None = None
    band_since_min: Day | None = None
    band_since_max: Day | None = None
    delta_7_min: float | None = None
    delta_7_max: float | None = None
    delta_28_min: float | None = None
    delta_28_max: float | None = None
    delta_90_min: float | None = None
    delta_90_max: float | None = None
    renews_within: int | None = Field(None, ge=0, le=3660, description="days from the as-of date")
    fell: float | None = Field(None, ge=0, le=100, description="points of a fall in 28 days, at least")

    def filters(self) -> dict[str, Any]:
        """As the desk takes them."""
        names = ("band", "published_band", "status", "owner", "territory", "segment", "tier", "stage")
        more = ("scorecard", "fingerprint", "cap", "weakest_component")
        found: dict[str, Any] = {
            name: [None if value == EMPTY else value for value in getattr(self, name)]
            for name in (*names, *more)
            if getattr(self, name)
        }
        return {**found, **({} if self.held is None else {"held": self.held})}

    def ranges(self) -> dict[str, tuple[Any, Any]]:
        ends = {name: (getattr(self, f"{name}_min"), getattr(self, f"{name}_max")) for name in RANGES}
        return {name: pair for name, pair in ends.items() if pair != (None, None)}


Sort = Literal[tuple(SORTS)]  # type: ignore[valid-type]


class AccountPage(Accounts):
    sort: Sort = Field("attention", description="what the list is ordered by")  # type: ignore[valid-type]
    order: Literal["asc", "desc"] | None = Field(None, description="by default the natural one of `sort`")
    limit: int = Field(50, ge=1, le=250, description="accounts of a page")
    after: Text | None = Field(None, max_length=500, description="`after` of the page before")


class TimelinePage(Asked):
    kind: Text | None = Field(None, max_length=200, description="of one kind only")
    before: str | None = Field(
        None, pattern=r"^[0-9]{1,20}-[0-9]{1,9}$", description="`before` of the page before"
    )
    limit: int = Field(30, ge=1, le=500)


class Groups(Asked):
    """Dates are published ones, or the last before them."""

    by: Text | None = Field(None, max_length=200, description="such as `segment` or `owner`")
    since: Day | None = None
    until: Day | None = None
    compare: list[Text] = Field([], max_length=4, description="groups to hold against one another")
    weight: Literal["arr", "accounts"] = "arr"


class AuditPage(Asked):
    who: Text | None = Field(None, max_length=200, description="part of a name")
    what: Text | None = Field(None, max_length=200, description="part of what was done")
    subject: Text | None = Field(None, max_length=500, description="an account, or the e-mail of a person")
    limit: int = Field(50, ge=1, le=500)
    after: int | None = Field(None, ge=1, le=MOST, description="`after` of the page before")


class TransitionPage(Asked):
    account_id: Text | None = Field(None, max_length=500)
    since: Day | None = Field(None, description="of days after this one")
    limit: int = Field(100, ge=1, le=500)


# --- what is said --------------------------------------------------------------------------------


class NewNote(Asked):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"text": "New sponsor since May: Kim Lee."}]}
    )
    text: Long


class NewPulse(Asked):
    model_config = ConfigDict(
        extra="forbid",
        allow_inf_nan=False,
        json_schema_extra={"examples": [{"metric": "csm", "value": 4, "note": "no answer for weeks"}]},
    )
    metric: Name = Field(description="a pulse that the project declares")
    value: Annotated[float, Field(strict=True, ge=0, le=10)] = Field(description="0 is worst")
    note: MaybeLong = None
    expires_on: Day | None = None


class NewOverride(Asked):
    model_config = ConfigDict(
        extra="forbid",
        allow_inf_nan=False,
        json_schema_extra={
            "examples": [{"kind": "cap", "value": 40, "reason": "sponsor left", "expires_on": "2026-12-31"}]
        },
    )
    kind: Literal["set", "cap", "floor"]
    value: Points = Field(description="0 is worst, 100 is best")
    reason: Long
    owner: Name | None = Field(None, description="who answers for it; by default whoever says it")
    starts_on: Day | None = None
    expires_on: Day | None = None


class NewOutcome(Asked):
    model_config = ConfigDict(
        extra="forbid",
        allow_inf_nan=False,
        json_schema_extra={"examples": [{"kind": "renewed", "occurred_on": "2026-06-30", "amount": 12000}]},
    )
    kind: Literal["renewed", "expanded", "contracted", "churned", "referred"]
    occurred_on: Day
    amount: Annotated[float, Field(strict=True, ge=0, le=1e15)] | None = None
    reason: MaybeLong = None


class Owner(Asked):
    owner: Name


class NewView(Asked):
    name: Annotated[str, AfterValidator(no_nul), Field(min_length=1, max_length=80)]
    query: Annotated[str, AfterValidator(no_nul), Field(max_length=2000)] = Field(
        description="of the book's address, such as `band=at_risk&sort=arr`"
    )
    shared: Annotated[bool, Field(strict=True)] = False


Role = Literal["admin", "ops", "leader", "csm", "reader"]
Sees = Literal["everything", "team", "own"]
Email = Annotated[
    str, Field(max_length=254, pattern=r"^[A-Za-z0-9._+-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*$")
]


class NewPerson(Asked):
    """They sign in at `issuer`, or with a password that an admin gives them on the page of people."""

    email: Email
    name: Name
    role: Role
    sees: Sees | None = None
    owners: list[Name] | None = Field(None, description="names by which accounts know them")
    territories: list[Name] = []
    team: Name | None = None
    issuer: Name | None = None


class PersonChange(Asked):
    email: Email | None = None
    name: Name | None = None
    role: Role | None = None
    sees: Sees | None = None
    owners: list[Name] | None = None
    territories: list[Name] | None = None
    team: Name | None = None
    issuer: Name | None = None


class NewKey(Asked):
    name: Name
    scopes: Annotated[list[Literal["read", "act", "admin"]], Field(min_length=1, max_length=3)]
    expires_on: Day | None = None
    person: Annotated[StrictInt, BeforeValidator(whole), Field(ge=1, le=MOST)] | None = Field(
        None, description="whose; by default that of the key that asks"
    )
