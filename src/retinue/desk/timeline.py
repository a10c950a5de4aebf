"""What happened to an account and what was done about it, in one order, newest first."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from retinue.desk.acting import pulses
from retinue.errors import StoreError
from retinue.store.people.access import Actor
from retinue.store.published.current import Change, changes
from retinue.store.published.timeline import happenings
from retinue.store.work.record import Entry, record
from retinue.words import WORDS, number, shown
from retinue.workspace import Workspace

#: Events on a page.
PAGE = 30
#: What people say and do, what follows from scores, and changes of band; every other kind is the name
#: of a source.
OWN_KINDS = (
    *("band", "note", "pulse", "override", "outcome", "task", "owner"),
    *("alert", "playbook", "intervention"),
)

_OVERRIDES = {"set": "set the score to", "cap": "capped the score at", "floor": "floored the score at"}


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened, at a time of the project's timezone; `timed` False: only its day is known.

    `title` are our words, `text` what a source or a person says. `number` with one of the kinds that
    can be withdrawn is what can be taken back; None if it is not to be.
    """

    at: datetime
    kind: str
    title: str
    text: str | None = None
    by: str | None = None
    number: int | None = None
    withdrawn: bool = False
    timed: bool = True
    band: str | None = None

    @property
    def day(self) -> date:
        return self.at.date()

    def to_dict(self) -> dict[str, Any]:
        return {**dataclasses.asdict(self), "at": self.at.isoformat()}


@dataclass(frozen=True, slots=True)
class Timeline:
    """A page of events. `kinds` counts all that there are; `before` starts the next page; None: no more."""

    events: tuple[Event, ...]
    kinds: Mapping[str, int]
    before: str | None
    kind: str | None = None

    def to_dict(self) -> dict[str, Any]:
        return {
            "events": [event.to_dict() for event in self.events],
            "kinds": dict(self.kinds),
            "before": self.before,
        }


def timeline(
    workspace: Workspace,
    actor: Actor,
    account_id: str,
    *,
    kind: str | None = None,
    before: str | None = None,
    limit: int = PAGE,
) -> Timeline:
    """Events of the account, the newest first: of one kind if asked, from the place `before` on.

    Raises NotFound for an account that the actor may not see, StoreError for a place that is none.
    """
    return page(events(workspace, actor, account_id), kind=kind, before=before, limit=limit)


def page(
    found: Sequence[Event], *, kind: str | None = None, before: str | None = None, limit: int = PAGE
) -> Timeline:
    """A page of `found`, which is sorted as `events` does it."""
    counted = Counter(event.kind for event in found)
    wanted = [(n, event) for n, event in _placed(found) if kind is None or event.kind == kind]
    if before is not None:
        start = _place(before)
        wanted = [(place, event) for place, event in wanted if place > start]
    shown_here = wanted[:limit]
    more = len(wanted) > limit
    last = shown_here[-1][0] if more else None
    told = None if last is None else _written(last)
    return Timeline(tuple(event for _, event in shown_here), dict(counted), told, kind)


#: A place in the list, in ascending order: microseconds before the end of time, and which one of that moment.
_Place = tuple[int, int]
_END = datetime(9999, 12, 31)  # noqa: DTZ001 - times of events have no zone


def _placed(found: Sequence[Event]) -> Iterator[tuple[_Place, Event]]:
    """Events with their places, which stay when newer ones come: counted among those of one moment."""
    at, n = None, 0
    for event in found:
        at, n = event.at, n + 1 if event.at == at else 0
        yield ((_END - event.at) // timedelta(microseconds=1), n), event


def _written(place: _Place) -> str:
    return f"{place[0]}-{place[1]}"


def _place(text: str) -> _Place:
    found = re.fullmatch(r"([0-9]{1,20})-([0-9]{1,9})", text)
    if found is None:
        raise StoreError(f"{text[:40]!r} is no place in a timeline", hint="start over")
    return int(found[1]), int(found[2])


def events(
    workspace: Workspace, actor: Actor, account_id: str, said: Sequence[Entry] | None = None
) -> list[Event]:
    """All events of the account, the newest first; `said` is its record, if it is read already.

    Raises NotFound.
    """
    if said is None:
        said = record(workspace.store, actor, account_id)
    moved = changes(workspace.store, actor, account_id=account_id, limit=None)
    rows = happenings(workspace.published(), account_id)
    zone = ZoneInfo(workspace.project.settings.timezone)
    labels = {one.pulse: one.label for one in pulses(workspace)}
    titles = {entry.id: entry.told["title"] for entry in said if entry.kind == "task"}
    found = [
        *(_happened(row) for row in rows),
        *(_moved(change) for change in moved),
        *(event for entry in said for event in _said(entry, zone, labels)),
        *(_task_moved(entry, zone, titles) for entry in said if entry.kind == "moved"),
    ]
    return sorted(found, key=lambda e: (e.at, e.kind, e.number or 0, e.text or ""), reverse=True)


def _happened(row: Mapping[str, Any]) -> Event:
    at: datetime = row["occurred_at"]
    return Event(at, row["kind"], row["kind"].replace("_", " "), row["summary"], timed=at.time() != time.min)


def _moved(change: Change) -> Event:
    # Known at the end of its day.
    at = datetime.combine(change.as_of, time.max)
    why = {"rule": "by a cap or floor", "recalibrated": "by another formula", "override": "by an override"}
    old, new = WORDS[change.from_band], WORDS[change.to_band]
    title = f"became {new}" if change.from_band is None else f"went from {old} to {new}"
    score = f", computed score {shown(change.computed)}" if change.computed is not None else ""
    text = why.get(change.kind, "by its data") + score
    return Event(at, "band", title, text, timed=False, band=change.to_band)


def _said(entry: Entry, zone: ZoneInfo, labels: Mapping[str, str]) -> Iterator[Event]:
    told, withdrawn = entry.told, entry.withdrawn_at is not None
    at = _local(entry.at, zone)
    until = f" until {told['expires_on']}" if told.get("expires_on") else ""

    def event(title: str, text: str | None = None, *, number: int | None = entry.id) -> Event:
        back = None if withdrawn else number
        return Event(at, entry.kind, title, text, entry.by, back, withdrawn)

    match entry.kind:
        case "note":
            yield event("note", None if withdrawn else told["text"])
        case "pulse":
            said_of = labels.get(told["metric"], told["metric"])
            yield event(f"{said_of}: {number(told['value'])} of 10{until}", told["note"])
        case "override":
            owner = f" ({told['owner']} answers for it)" if told["owner"] != entry.by else ""
            kind = _OVERRIDES.get(told["kind"], told["kind"])
            since = f" from {told['starts_on']}"
            title = f"{kind} {number(told['value'])}{since}{until or ', without an end'}{owner}"
            yield event(title, told["reason"])
        case "outcome":
            amount = f", {told['amount']:,.0f}" if told["amount"] is not None else ""
            yield event(f"{told['kind']} on {told['occurred_on']}{amount}", told["reason"])
        case "owner":
            before = f" (before: {told['source_owner']})" if told["source_owner"] else ""
            yield dataclasses.replace(event(f"looked after by {told['owner']}{before}", number=None))
        case "task":
            due = f", due on {told['due_on']}" if told["due_on"] else ""
            yield event(f"task for {told['owner']}{due}", told["title"], number=None)
            if told["closed_at"] is not None:
                yield _closed(entry, zone)
        case "alert":
            yield from _raised(entry, zone)
        case "playbook":
            yield from _played(entry)
        case "intervention":
            yield from _intervened(entry, zone)


def _closed(entry: Entry, zone: ZoneInfo) -> Event:
    told = entry.told
    parts = [told["title"], told["result"], f"The customer: {told['said']}" if told["said"] else None]
    title = "task done" if told["status"] == "done" else "task dropped"
    return Event(_local(told["closed_at"], zone), "task", title, _joined(parts), told["closed_by"])


def _task_moved(entry: Entry, zone: ZoneInfo, titles: Mapping[int, str]) -> Event:
    """A task that was snoozed or given to somebody else, as the log has it."""
    before, after = entry.told["before"] or {}, entry.told["after"] or {}
    if entry.told["what"] == "give task":
        title = f"task given to {after.get('owner')} (before: {before.get('owner')})"
    else:
        until = after.get("snoozed_until")
        title = f"task snoozed until {until}" if until else "task is back"
    return Event(_local(entry.at, zone), "task", title, titles.get(before.get("id", 0)), entry.by)


def _raised(entry: Entry, zone: ZoneInfo) -> Iterator[Event]:
    told = entry.told
    yield Event(_local(entry.at, zone), "alert", f"alert {told['rule']}", told["summary"])
    if told["closed_at"] is not None:
        title = f"alert {told['rule']} closed"
        yield Event(_local(told["closed_at"], zone), "alert", title, told["result"], told["closed_by"])


def _played(entry: Entry) -> Iterator[Event]:
    """Days only: they are those of scores."""
    told = entry.told
    name, out = told["playbook"], told["status"] == "held_out"
    title = f"held out of the playbook {name}" if out else f"playbook {name} begun"
    why = f"{told['reason']}; nothing is done, for comparison" if out else told["reason"]
    yield Event(entry.at, "playbook", title, why, timed=False)
    if told["ended_on"] is not None:
        at = datetime.combine(told["ended_on"], time.max)
        ended = "completed" if told["status"] == "completed" else "stopped"
        yield Event(at, "playbook", f"playbook {name} {ended}", told["ended_because"], timed=False)


def _intervened(entry: Entry, zone: ZoneInfo) -> Iterator[Event]:
    """What people recorded, on the day on which it began; those of playbooks are told by the playbook."""
    told, withdrawn = entry.told, entry.withdrawn_at is not None
    if told["enrolment"] is not None:
        return
    own = told["started_on"] == _local(entry.at, zone).date()
    at = _local(entry.at, zone) if own else datetime.combine(told["started_on"], time.min)
    owner = f" ({told['owner']})" if told["owner"] != entry.by else ""
    number = None if withdrawn else entry.id
    yield Event(
        at, entry.kind, f"{told['kind']} begun{owner}", told["reason"], entry.by, number, withdrawn, timed=own
    )
    if told["ended_on"] is not None and not withdrawn:
        at = datetime.combine(told["ended_on"], time.max)
        yield Event(at, entry.kind, f"{told['kind']} ended{owner}", None, entry.by, timed=False)


def _joined(parts: Sequence[str | None]) -> str:
    return ". ".join(part.rstrip(".") for part in parts if part)


def _local(moment: datetime, zone: ZoneInfo) -> datetime:
    return moment.replace(tzinfo=UTC).astimezone(zone).replace(tzinfo=None)


def rarest(found: Collection[Event], most: int = 3, busy: int = 80) -> tuple[str, ...]:
    """The kinds of sources worth marking on a trend: the rarest, none that would fill it."""
    counted = Counter(event.kind for event in found if event.kind not in OWN_KINDS)
    few = sorted((n, kind) for kind, n in counted.items() if n <= busy)
    return tuple(kind for _, kind in few[:most])
