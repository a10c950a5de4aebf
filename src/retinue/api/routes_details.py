"""What a score rests on, down to rows of the company's sources; and who is there at the customer."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from retinue.api import asked
from retinue.api.calls import Call, caller
from retinue.api.problems import responses
from retinue.api.shapes import shape
from retinue.desk.metric import metric
from retinue.desk.rows import Person, people

router = APIRouter(tags=["accounts"], responses=responses(401, 403, 404, 409, 422, 503))
# Rows are read from sources, which change without a run: nothing tells whether they are the same.
Reading = Annotated[Call, caller("read", tagged=False)]
Name = Annotated[str, Path(max_length=200, description="a metric, as it is declared")]


class Valued(BaseModel):
    as_of: date
    value: float | None
    state: str = Field(description="`ok`, `missing`, `stale` or `not_applicable`")


class CountedAs(BaseModel):
    """Where the metric counts in the score: as a measure of a component, through a curve."""

    component: str
    points: float | None
    weight: float | None = Field(description="its share of the score, 0 to 1")
    contribution: float | None = Field(description="weight x points")
    state: str
    age_days: float | None
    cohort: str | None
    reference: date | None = Field(description="the quarter of a cohort's curve")
    curve: list[tuple[float | None, float | None, float, float]] = Field(
        description="pieces: from this value to that one (null: without end), points at both ends"
    )


class Part(BaseModel):
    metric: str
    label: str
    value: float | None


class Rows(BaseModel):
    """Rows of a source as they were known that day, the newest first. `more`: there are older ones."""

    source: str
    as_of: date
    columns: list[str]
    rows: list[dict[str, Any]]
    more: bool
    trouble: str | None = Field(description="why none could be read now")


class MetricOfAccount(BaseModel):
    """A metric of an account: what it is, how it came to be, how it counts, and what it was counted from."""

    account_id: str
    name: str | None
    metric: str
    label: str
    description: str | None
    unit: str | None
    kind: str
    declared: dict[str, str]
    as_of: date
    value: float | None
    state: str
    history: list[Valued] = Field(description="every published date")
    counted: list[CountedAs]
    parts: list[Part] = Field(description="the metrics that it is made of")
    sources: list[str]
    rows: list[Rows] = Field(description="with `rows=true`")


class Contacts(BaseModel):
    """People at the customer, as the source of people names them, with the rows that say so."""

    items: list[shape(Person, "Contact")]  # type: ignore[valid-type]
    rows: Rows


class MetricAsked(asked.Asked):
    as_of: asked.Day | None = Field(None, description="a published date, or the last before it")
    rows: bool = Field(False, description="with the rows of sources that it was counted from")


class OnDay(asked.Asked):
    as_of: asked.Day | None = Field(None, description="by default the last published date")


@router.get(
    "/accounts/{account_id:path}/metrics/{metric_name}",
    response_model=MetricOfAccount,
    summary="A metric, its history, and the rows behind it",
)
def one_metric(
    call: Reading, account_id: asked.AccountId, metric_name: Name, query: Annotated[MetricAsked, Query()]
) -> Any:
    """From a score to the rows that it rests on: the explanation names the metrics."""
    found = metric(call.workspace, call.actor, account_id, metric_name, as_of=query.as_of, rows=query.rows)
    return call.answer(found.to_dict())


@router.get(
    "/accounts/{account_id:path}/people", response_model=Contacts, summary="Who is there at the customer"
)
def contacts(call: Reading, account_id: asked.AccountId, query: Annotated[OnDay, Query()]) -> Any:
    """Names, roles and addresses, as known that day. 404 where the project declares no people."""
    found, rows = people(call.workspace, call.actor, account_id, as_of=query.as_of)
    return call.answer({"items": found, "rows": rows.to_dict()})
