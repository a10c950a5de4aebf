"""Beyond one account: the portfolio, scorecards, whether the score can be trusted, what a leader needs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import AfterValidator, BaseModel

from retinue.api import asked
from retinue.api.calls import Call, caller
from retinue.api.problems import responses
from retinue.api.shapes import shape
from retinue.desk.leadership import Leadership, leadership
from retinue.desk.portfolio import Portfolio, PortfolioAsk, portfolio
from retinue.desk.scorecards import (
    Planned,
    ScorecardPage,
    Scorecards,
    planned,
    scorecard,
    scorecards,
    start_plan,
)
from retinue.desk.trust import Trust, start_trial, trust

router = APIRouter(tags=["portfolio"], responses=responses(401, 403, 404, 409, 422, 503))
starts = APIRouter(tags=["portfolio"], responses=responses(400, 401, 403, 404, 409, 413, 422, 503))
Endpoint = Callable[[Callable[..., Any]], Callable[..., Any]]
Reading = Annotated[Call, caller("read")]
#: Depends on work in the background, or on how scores are used: never answered with 304.
Fresh = Annotated[Call, caller("read", tagged=False)]
CardName = Annotated[str, Path(min_length=1, max_length=200), AfterValidator(asked.no_nul)]


class Started(BaseModel):
    """Whether it was started: not where it is going on already."""

    started: bool


def _get(path: str, kind: Any, summary: str) -> Endpoint:
    return router.get(path, response_model=None, responses={200: {"model": shape(kind)}}, summary=summary)


@_get("/portfolio", Portfolio, "Groups of accounts")
def the_portfolio(call: Fresh, query: Annotated[asked.Groups, Query()]) -> Any:
    """How groups stand and moved, what the change is made of, what falling accounts share, and losses."""
    ask = PortfolioAsk(
        by=query.by,
        since=query.since,
        until=query.until,
        compare=tuple(query.compare),
        weight=query.weight,
    )
    return call.answer(portfolio(call.workspace, call.actor, ask))


@_get("/scorecards", Scorecards, "The scorecards")
def all_scorecards(call: Reading) -> Any:
    """Those of the current run, in the order of matching."""
    return call.answer(scorecards(call.workspace, call.actor))


@_get("/scorecards/{scorecard_name}", ScorecardPage, "One scorecard")
def one_scorecard(call: Reading, scorecard_name: CardName) -> Any:
    """What is scored and how, and the versions that published dates rest on."""
    return call.answer(scorecard(call.workspace, call.actor, scorecard_name))


@_get("/plan", Planned, "What the declarations would do")
def the_plan(call: Fresh) -> Any:
    """The last plan that was worked out since the server started; see `POST /plan`."""
    return call.answer(planned(call.workspace, call.actor))


@_get("/trust", Trust, "Whether the score can be trusted")
def the_trust(call: Fresh) -> Any:
    """The score held against what happened, what overrides do, and how scores are used."""
    return call.answer(trust(call.workspace, call.actor, now=call.now, recorded=call.api.record is not None))


@_get("/leadership", Leadership, "What a leader needs of a week")
def the_leadership(call: Fresh) -> Any:
    """Revenue at risk, renewals by band, movement, losses, trust in the score, response times."""
    recorded = call.api.record is not None
    return call.answer(leadership(call.workspace, call.actor, now=call.now, recorded=recorded))


@starts.post(
    "/plan", status_code=202, response_model=Started, summary="Work out what the declarations would do"
)
def new_plan(call: Annotated[Call, caller("read")]) -> Any:
    """In the background, of the project as it is written now. Nothing is published."""
    done = start_plan(call.workspace, call.actor, now=call.now)
    return call.answer({"started": done}, 202)


@starts.post("/trust/trial", status_code=202, response_model=Started, summary="Try the score again")
def new_trial(call: Annotated[Call, caller("act")]) -> Any:
    """In the background, on the current run."""
    return call.answer({"started": start_trial(call.workspace, call.actor, now=call.now)}, 202)
