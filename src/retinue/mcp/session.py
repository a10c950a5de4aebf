"""Who asks, over which project: known anew at every call, so that a key that is revoked ends at once."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Literal, TypeVar
from zoneinfo import ZoneInfo

from retinue.errors import Forbidden, NotFound, ProjectError
from retinue.project.load import load
from retinue.store.people.access import OPERATOR, Actor
from retinue.store.people.keys import actor_of_key
from retinue.store.people.people import actor_of, find_person
from retinue.store.people.uses import Uses
from retinue.store.published.current import RunInfo, current_run

if TYPE_CHECKING:
    from retinue.project.project import Project
    from retinue.store.database import Store
    from retinue.workspace import Workspace

T = TypeVar("T")
_log = logging.getLogger("retinue.mcp")


@dataclass(frozen=True)
class Key:
    """A key of a program. The secret is in no text of it."""

    secret: str = field(repr=False)

    def actor(self, store: Store, now: datetime) -> Actor:
        found = actor_of_key(store, self.secret, now=now)
        if found is None:
            raise Forbidden(
                "this key is not known, or over: revoked, expired, or its person is disabled",
                hint="make another one with `retinue keys add`, and start this server again with it",
            )
        return found


@dataclass(frozen=True)
class As:
    """A person, named by whoever has the files."""

    email: str

    def actor(self, store: Store, now: datetime) -> Actor:  # noqa: ARG002 - as for a key
        person = find_person(store, OPERATOR, self.email)
        if person.disabled_at is not None:
            raise Forbidden(f"{person.email} is disabled", hint="see `retinue people list`")
        return actor_of(store, person)


@dataclass(frozen=True)
class Call:
    """One call of a tool by somebody. What they write is signed with a mark that an assistant wrote it."""

    workspace: Workspace
    actor: Actor
    now: datetime

    @property
    def writer(self) -> Actor:
        return replace(self.actor, name=f"{self.actor.name} (by an assistant)")

    @property
    def currency(self) -> str | None:
        return self.workspace.project.settings.currency


@dataclass
class Session:
    """What a server holds while it runs. `writes`: whether tools that write are there at all."""

    project: Project
    store: Store
    who: Key | As
    clock: Callable[[], datetime]
    environ: Mapping[str, str]
    writes: bool = False
    records_use: bool = True

    def __post_init__(self) -> None:
        self.uses = Uses(self.store)
        self._run = self._current()
        self._lock = threading.Lock()

    def actor(self, now: datetime) -> Actor:
        """Whoever asks now. Raises Forbidden where they may not any more."""
        try:
            return self.who.actor(self.store, now)
        except NotFound as error:
            raise Forbidden(error.message, hint="see `retinue people list`") from None

    def call(self) -> Call:
        """A call by whoever asks now. Raises Forbidden where they may not any more."""
        from retinue.workspace import Workspace  # which takes a while to import

        now = self.clock()
        actor = self.actor(now)
        self._read_again()
        return Call(Workspace(self.project, self.store), actor, now)

    def used(self, call: Call, tool: str, kind: Literal["view", "act"], account_id: str | None) -> None:
        """Take note of a use, if they are kept."""
        if self.records_use:
            self.uses.add(call.actor, kind, f"assistant {tool}", account_id, call.now)
            self.uses.write(wait=0.05)

    def _current(self) -> str | None:
        run = current_run(self.store)
        return run.run_id if run else None

    def _read_again(self) -> None:
        """With another run the project may be another one too; what cannot be read stays as it was."""
        with self._lock:
            run = self._current()
            if run == self._run:
                return
            self._run = run
            before = self.project
            try:
                project = load(before.root, self.environ)
            except ProjectError:
                _log.warning("the project cannot be read again and stays as it was")
                return
            if project.store_url == before.store_url and project.home == before.home:
                self.project = project


def of_one_run(call: Call, make: Callable[[RunInfo], T]) -> T:
    """What `make` reads, all of it of one run."""
    from retinue.desk.steady import steady

    return steady(call.workspace, make)


def source(run: RunInfo) -> dict[str, Any]:
    """Where an answer comes from."""
    return {"run_id": run.run_id, "as_of": run.last_as_of}


def today_of(call: Call) -> date:
    """The day where the project is."""
    return call.now.astimezone(ZoneInfo(call.workspace.project.settings.timezone)).date()
