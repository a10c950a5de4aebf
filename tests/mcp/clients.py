"""Assistants: the real client of the SDK over a server in a process of its own, and the same without."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
from anyio.from_thread import BlockingPortal, start_blocking_portal
from mcp import types
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from retinue.mcp.server import answer, offered
from retinue.mcp.session import As, Key, Session
from retinue.mcp.telling import ROOM, TEXT, letters
from retinue.store.people.access import OPERATOR
from retinue.store.people.keys import add_key
from tests.web.company import NOW, PEOPLE
from tests.web.house import House

#: What a key of nobody looks like.
NO_KEY = "rtn_000000000000_" + "x" * 43


@dataclass(frozen=True)
class Reply:
    """What a call of a tool gave."""

    text: str
    data: Any
    error: bool

    @classmethod
    def of(cls, told: types.CallToolResult) -> Reply:
        assert len(told.content) == 1
        first = told.content[0]
        assert isinstance(first, types.TextContent)
        return cls(first.text, told.structured_content, told.is_error)

    @property
    def whole(self) -> str:
        return self.text + json.dumps(self.data, ensure_ascii=False)

    def checked(self, schemas: dict[str, Any], name: str) -> Reply:
        """The same, after a look at what holds for every reply."""
        if self.error:
            assert self.data is None
            assert "\n" not in self.text
            assert "Traceback" not in self.text
            assert 0 < len(self.text) <= 600
            return self
        assert len(self.text) <= TEXT
        assert letters(self.data) <= ROOM
        jsonschema.validate(self.data, schemas[name])
        assert self.data["run_id"] in self.text
        assert self.data["as_of"] in self.text
        assert "0 = worst" in self.text
        return self


@dataclass
class Assistant:
    """A client that is connected; its log has what the server wrote to standard error."""

    portal: BlockingPortal
    client: Client
    log: Path

    def tools(self) -> list[types.Tool]:
        return self.portal.call(self.client.list_tools).tools

    def call(self, name: str, **arguments: Any) -> Reply:
        told = self.portal.call(self.client.call_tool, name, arguments)
        schemas = {tool.name: tool.output_schema for tool in self.tools()}
        return Reply.of(told).checked(schemas, name)


def arguments(root: Path, *more: str) -> list[str]:
    return ["-C", str(root), "mcp", *more]


def command(root: Path, *more: str) -> list[str]:
    return [sys.executable, "-c", "from retinue.cli import main; main()", *arguments(root, *more)]


def environment(key: str | None, **more: str) -> dict[str, str]:
    told = {"RETINUE_NOW": NOW.isoformat(), "PYTHONPATH": os.pathsep.join(sys.path), **more}
    return told if key is None else {**told, "RETINUE_KEY": key}


@contextmanager
def assistant(root: Path, key: str | None, log: Path, *more: str) -> Iterator[Assistant]:
    """Connected to `retinue mcp` over the project."""
    first, *rest = command(root, *more)
    asked = StdioServerParameters(command=first, args=rest, env=environment(key), cwd=root)
    with log.open("w", encoding="utf-8") as errors, start_blocking_portal() as portal:
        made = Client(stdio_client(asked, errlog=errors))
        with portal.wrap_async_context_manager(made) as client:
            yield Assistant(portal, client, log)


def key_of(house: House, name: str, scope: Any = "admin") -> str:
    """A key of that person; of whom is disabled, one that is none."""
    if PEOPLE[name].disabled:
        return NO_KEY
    made = f"assistant {os.urandom(4).hex()}"
    store = house.workspace.store
    return add_key(store, OPERATOR, made, [scope], now=NOW, person=house.people[name])[1]


@dataclass
class Within:
    """The same without a process: what the server answers to whoever has the key."""

    session: Session

    def __post_init__(self) -> None:
        self.schemas = {tool.name: tool.output_schema for tool in offered(self.session)}

    def call(self, name: str, **asked: Any) -> Reply:
        return Reply.of(answer(self.session, name, asked)).checked(self.schemas, name)


def session(house: House, who: Key | As, **more: Any) -> Session:
    told: dict[str, Any] = {"clock": lambda: NOW, "environ": {}, "writes": True, **more}
    return Session(house.workspace.project, house.workspace.store, who, **told)


def within(house: House, name: str, scope: Any = "admin") -> Within:
    return Within(session(house, Key(key_of(house, name, scope))))
