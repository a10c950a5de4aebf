"""One shape for everything that goes wrong: problem details for HTTP APIs (RFC 9457)."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response

from retinue.errors import Forbidden, NotFound, RetinueError, SignInError

KIND = "application/problem+json"
TITLES = {
    400: "the request cannot be read",
    401: "sign in first",
    403: "not allowed",
    404: "not found",
    405: "not like that",
    409: "not possible",
    413: "too large",
    415: "not JSON",
    422: "the request does not say what it should",
    500: "something went wrong on our side",
    503: "not possible right now",
}
_log = logging.getLogger("retinue.api")


class Invalid(BaseModel):
    """One thing that is wrong in a request."""

    where: str = Field(description="such as `body.value` or `query.limit`")
    message: str


class Problem(BaseModel):
    """What went wrong. `detail` is one line for people, `hint` what to do, `request_id` is in the log too."""

    type: str = Field(description="always `about:blank`: the status says what kind it is")
    title: str
    status: int
    detail: str
    hint: str | None
    request_id: str | None
    errors: list[Invalid] = Field(description="for status 422: each thing that is wrong")


class NotModified(Exception):
    """What the caller has is what there is."""

    def __init__(self, tag: str):
        super().__init__(tag)
        self.tag = tag


class Unauthorised(Exception):
    """Nobody, or nobody who may ask in this way."""

    def __init__(self, message: str, hint: str):
        super().__init__(message)
        self.message = message
        self.hint = hint


def problem(
    request: Request,
    status: int,
    detail: str,
    hint: str | None = None,
    *,
    errors: list[dict[str, str]] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    told = {
        "type": "about:blank",
        "title": TITLES.get(status, "error"),
        "status": status,
        "detail": detail,
        "hint": hint,
        "request_id": request.scope.get("request_id"),
        "errors": errors or [],
    }
    # ASCII, so that half of a surrogate pair that somebody sent can be told back.
    return Response(json.dumps(told), status, dict(headers or {}), KIND)


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """These statuses, as a route declares them."""
    content = {KIND: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": TITLES[status].capitalize(), "content": content} for status in statuses}


def handle(app: FastAPI) -> None:
    """Answer everything that goes wrong in `app` with a problem."""

    def ours(request: Request, error: Exception) -> Response:
        assert isinstance(error, RetinueError)
        return problem(request, _status(error), error.message, error.hint)

    def unauthorised(request: Request, error: Exception) -> Response:
        assert isinstance(error, Unauthorised)
        headers = {"WWW-Authenticate": 'Bearer realm="retinue"'}
        return problem(request, 401, error.message, error.hint, headers=headers)

    def not_modified(_request: Request, error: Exception) -> Response:
        assert isinstance(error, NotModified)
        return Response(status_code=304, headers={"ETag": error.tag, "Vary": "Authorization, Cookie"})

    def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        found = [
            {"where": ".".join(str(part) for part in one["loc"])[:200], "message": str(one["msg"])[:300]}
            for one in error.errors()[:20]
        ]
        unreadable = any(one["type"] == "json_invalid" for one in error.errors())
        first = f"{found[0]['where']}: {found[0]['message']}" if found else "the request cannot be"
        return problem(request, 400 if unreadable else 422, first, errors=found)

    def lost(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        words = {404: "there is nothing at this address", 405: "this address does not take that method"}
        hint = "see /api/v1/openapi.json" if error.status_code in words else None
        told = words.get(error.status_code, str(error.detail))
        return problem(request, error.status_code, told, hint, headers=error.headers)

    def unexpected(request: Request, error: Exception) -> Response:
        _log.error("%s failed", request.scope.get("path"), exc_info=error)
        return problem(request, 500, TITLES[500], "the log has it under the request_id")

    handlers: dict[type[Exception], Callable[[Request, Exception], Response]] = {
        RetinueError: ours,
        Unauthorised: unauthorised,
        NotModified: not_modified,
        RequestValidationError: invalid,
        HTTPException: lost,
        Exception: unexpected,
    }
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, handler)


def _status(error: RetinueError) -> int:
    if isinstance(error, NotFound):
        return 404
    if isinstance(error, Forbidden):
        return 403
    if isinstance(error, SignInError) or error.message.startswith(("the store ", "a published file ")):
        return 503
    return 409
