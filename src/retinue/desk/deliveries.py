"""Messages on their way: how destinations are doing, what was given up, and how to set it right.

For whoever may audit. Nothing here tells what a message says beyond its subject, nor a secret of a
destination. `now` is an aware datetime.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from urllib.parse import urlsplit

from retinue.desk.acting import Done
from retinue.errors import NotFound, StoreError
from retinue.project.destinations import Destination, Email, Webhook
from retinue.project.serving import Secret
from retinue.run.messages import payload
from retinue.store.database import utc
from retinue.store.people.access import Actor
from retinue.store.work import destinations as places
from retinue.store.work import outbox
from retinue.store.work.destinations import DestinationState
from retinue.store.work.messages import put
from retinue.store.work.outbox import Dead, Row, key
from retinue.store.work.plays import addresses
from retinue.workspace import Workspace

State = Literal["ok", "resting", "disabled", "not declared"]

PAGE = 50


@dataclass(frozen=True, slots=True)
class Place:
    """A destination: how it is doing, by which `channel` and `to` whom messages go, without its secrets.

    `told` counts its messages: `waiting` are neither sent nor given up.
    """

    name: str
    channel: str | None
    to: str | None
    state: State
    told: DestinationState


@dataclass(frozen=True, slots=True)
class Deliveries:
    """Every destination, and a page of what was given up, the newest first.

    `destination`: of that one only. `after` starts the next page; None: no more.
    """

    places: tuple[Place, ...]
    dead: tuple[Dead, ...]
    destination: str | None
    after: str | None

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def deliveries(
    workspace: Workspace,
    actor: Actor,
    *,
    now: datetime,
    destination: str | None = None,
    after: str | None = None,
    limit: int = PAGE,
) -> Deliveries:
    """Raises Forbidden for who may not audit; what was given up is told as far as the actor may see
    the accounts."""
    declared = workspace.project.settings.destinations
    found = places.states(workspace.store, actor, declared)
    if destination is not None and destination not in {one.name for one in found}:
        raise _none(destination)
    dead = outbox.dead(workspace.store, actor, destination=destination, limit=limit + 1, after=after)
    more = len(dead) > limit
    dead = dead[:limit]
    return Deliveries(
        tuple(_place(one, declared.get(one.name), now) for one in found),
        tuple(dead),
        destination,
        dead[-1].id if more else None,
    )


def _place(told: DestinationState, declared: Destination | None, now: datetime) -> Place:
    state: State = "ok"
    if declared is None:
        state = "not declared"
    elif told.disabled_at is not None:
        state = "disabled"
    elif told.rests_until is not None and told.rests_until > utc(now):
        state = "resting"
    channel = declared.kind if declared is not None else None
    return Place(told.name, channel, _to(declared) if declared is not None else None, state, told)


def _to(declared: Destination) -> str:
    """To whom, without what lets anybody in: of an address its host only."""
    channel = declared.channel
    if isinstance(channel, Email):
        return "the owner of the account" if channel.to == "owner" else ", ".join(channel.to)
    url = channel.url
    if isinstance(channel, Webhook) and isinstance(url, str):
        return urlsplit(url).hostname or ""
    named = url if isinstance(url, Secret) else None
    if named is not None and named.env is not None:
        return f"the address in {named.env}"
    return "an address in a file"


def replay(workspace: Workspace, actor: Actor, message: str, *, now: datetime) -> Done:
    """Send once more what was given up."""
    outbox.replay(workspace.store, actor, message, now=now)
    return Done("replayed")


@dataclass(frozen=True, slots=True)
class Replayed:
    """How many messages are sent once more."""

    destination: str
    messages: int

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def replay_all(workspace: Workspace, actor: Actor, destination: str, *, now: datetime) -> Replayed:
    """Send once more all that was given up for a destination, about accounts that the actor may see."""
    _known(workspace, actor, destination)
    return Replayed(destination, outbox.replay_all(workspace.store, actor, destination, now=now))


def enable(workspace: Workspace, actor: Actor, destination: str, *, now: datetime) -> Done:
    """Send to a destination again that was given up."""
    places.enable(workspace.store, actor, destination, now=now)
    return Done("enabled")


def test(workspace: Workspace, actor: Actor, destination: str, *, now: datetime) -> Done:
    """Put a message in the outbox that says that messages arrive: a worker delivers it as any other.

    Where a destination sends to owners, it goes to the actor, who may ask for one a minute.
    """
    state = _known(workspace, actor, destination)
    declared = workspace.project.settings.destinations.get(destination)
    if declared is None:
        raise NotFound(
            f"no destination {destination[:40]!r} is declared", hint="`destinations` in retinue.yaml"
        )
    if state.disabled_at is not None:
        raise StoreError(f"{destination} is disabled", hint="enable it first")
    address = addresses(workspace.store).get(actor.name)
    channel = declared.channel
    if isinstance(channel, Email) and channel.to == "owner" and address is None:
        raise StoreError(
            f"{destination} sends to owners, and {actor.name} has no e-mail address here",
            hint="ask for it as a person who was let in",
        )
    identity = key("test", destination, actor.name, f"{now:%Y-%m-%dT%H:%M%z}")
    told = payload(
        identity,
        "test",
        "A test of Retinue",
        f"{actor.name} asked for this message. Whoever reads it gets alerts of Retinue.",
        now,
        recipient=actor.name,
        address=address,
    )
    row = Row(identity, destination, "test", "A test of Retinue", told, now)
    if not put(workspace.store, actor, row, now=now):
        raise StoreError(f"{destination} was tried in this minute already", hint="try again in a minute")
    return Done("tested")


def _known(workspace: Workspace, actor: Actor, destination: str) -> DestinationState:
    declared = workspace.project.settings.destinations
    for one in places.states(workspace.store, actor, declared):
        if one.name == destination:
            return one
    raise _none(destination)


def _none(destination: str) -> NotFound:
    return NotFound(f"no destination {destination[:40]!r}", hint="see how destinations are doing")
