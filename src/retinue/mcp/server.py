"""The protocol: the tools on standard input and output, by the official SDK."""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from typing import Any

import anyio
import anyio.to_thread
from mcp import types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from pydantic import BaseModel, ValidationError

from retinue import __version__
from retinue.errors import Forbidden, RetinueError
from retinue.mcp.session import Session
from retinue.mcp.telling import clean
from retinue.mcp.tools import BY_NAME, INSTRUCTIONS, TOOLS, Tool, text
from retinue.store.people.access import require

#: Calls that are answered at once; others wait.
AT_ONCE = 4
#: Letters of an error at most.
ERROR = 600

_log = logging.getLogger("retinue.mcp")


def offered(session: Session) -> list[types.Tool]:
    """The tools as the protocol describes them; those that write only where they are allowed."""
    return [described(tool) for tool in _there(session)]


def _there(session: Session) -> list[Tool]:
    return [tool for tool in TOOLS if session.writes or not tool.writes]


def described(tool: Tool) -> types.Tool:
    return types.Tool(
        name=tool.name,
        title=tool.title,
        description=tool.description,
        input_schema=_schema(tool.asks, "validation"),
        output_schema=_schema(tool.gives, "serialization"),
        annotations=types.ToolAnnotations(
            title=tool.title,
            read_only_hint=not tool.writes,
            destructive_hint=False,
            idempotent_hint=not tool.writes,
            open_world_hint=False,
        ),
    )


def answer(session: Session, name: str, arguments: dict[str, Any]) -> types.CallToolResult:
    """What a call of a tool gives: whatever goes wrong is an answer too, in one line."""
    began = time.monotonic()
    try:
        told = _answered(session, name, arguments)
        outcome = "answered"
    except RetinueError as error:
        hint = f" ({error.hint})" if error.hint else ""
        told, outcome = _error(f"{error.message}{hint}"), "refused"
    except Exception:  # noqa: BLE001 - whatever it is, the client gets an answer
        number = f"{time.time_ns():x}"[-10:]
        _log.exception("%s failed, number %s", clean(name, 40), number)
        told = _error(f"something went wrong on our side (number {number} in the log of the server)")
        outcome = "failed"
    _log.info("%s %s in %.0f ms", clean(name, 40), outcome, 1000 * (time.monotonic() - began))
    return told


def _answered(session: Session, name: str, arguments: dict[str, Any]) -> types.CallToolResult:
    tool = BY_NAME.get(name)
    if tool is None:
        there = ", ".join(one.name for one in _there(session))
        raise RetinueError(f"there is no tool {clean(name, 60)!r}", hint=f"there are {there}")
    call = session.call()
    if tool.writes and not session.writes:
        raise Forbidden(
            "this server reads only",
            hint="whoever starts it can allow notes and completed tasks with --allow-writes",
        )
    require(call.actor, tool.right)
    try:
        ask = tool.asks.model_validate(arguments)
    except ValidationError as error:
        raise RetinueError(_wrong(error), hint=f"{tool.name} takes {_takes(tool)}") from None
    told = tool.do(call, ask).shortened()
    about = getattr(told, "account_id", None)
    session.used(call, tool.name, "act" if tool.writes else "view", about)
    return types.CallToolResult(
        content=[types.TextContent(type="text", text=text(tool, told))],
        structured_content=told.model_dump(mode="json"),
    )


def _error(line: str) -> types.CallToolResult:
    return types.CallToolResult(
        content=[types.TextContent(type="text", text=clean(line, ERROR))], is_error=True
    )


def _wrong(error: ValidationError) -> str:
    """What is wrong in what was asked, in one line."""
    found = []
    for one in error.errors(include_url=False, include_context=False)[:5]:
        where = ".".join(str(part) for part in one["loc"]) or "arguments"
        found.append(f"{clean(where, 60)}: {clean(one['msg'], 120)}")
    return "; ".join(found)


def _takes(tool: Tool) -> str:
    return ", ".join(tool.asks.model_fields) or "nothing"


def _schema(kind: type[BaseModel], mode: Any) -> dict[str, Any]:
    """The JSON schema without the titles that pydantic makes of names: they say nothing and cost letters."""

    def bare(value: Any) -> Any:
        if isinstance(value, list):
            return [bare(one) for one in value]
        if not isinstance(value, dict):
            return value
        return {
            key: {name: bare(one) for name, one in told.items()}
            if key in ("properties", "$defs")
            else bare(told)
            for key, told in value.items()
            if not (key == "title" and isinstance(told, str))
        }

    made = kind.model_json_schema(mode=mode)
    made.pop("description", None)
    told: dict[str, Any] = bare(made)
    return told


# --- serving -------------------------------------------------------------------------------------


def server(session: Session) -> Server[Any]:
    """The server of the protocol; it answers in threads, some at a time."""
    limit = anyio.CapacityLimiter(AT_ONCE)

    async def list_tools(
        _context: ServerRequestContext[Any], _params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        return types.ListToolsResult(tools=offered(session))

    async def call_tool(
        _context: ServerRequestContext[Any], params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        return await anyio.to_thread.run_sync(
            answer, session, params.name, params.arguments or {}, limiter=limit
        )

    return Server(
        "retinue",
        title="Retinue: customer health",
        version=__version__,
        instructions=INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


def serve(session: Session) -> None:
    """Answer on standard input and output until the client closes them, or SIGTERM or SIGINT comes."""
    anyio.run(_serve, session)
    session.uses.write()


async def _serve(session: Session) -> None:
    made = server(session)
    async with anyio.create_task_group() as group:
        group.start_soon(_until_stopped, session)
        async with stdio_server() as (read, write):
            await made.run(read, write, made.create_initialization_options())
        group.cancel_scope.cancel()


async def _until_stopped(session: Session) -> None:
    """End the process at a signal: the SDK's thread that waits for input cannot be woken otherwise.

    What is being written is one transaction each, so that it is there or not.
    """
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for number in signals:
            _log.info("stopped by %s", signal.Signals(number).name)
            await anyio.to_thread.run_sync(session.uses.write)
            sys.stderr.flush()
            os._exit(0)
