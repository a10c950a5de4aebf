"""One account: its score, what it is made of, what changed, what to do, and everything around it."""

from __future__ import annotations

import dataclasses
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any
from urllib.parse import quote

import pyarrow.compute as pc

from retinue.desk.acting import pulses, today
from retinue.desk.day import PublishedDay
from retinue.desk.past import Snapshot, edges_of, past
from retinue.desk.peers import Peers, peers
from retinue.desk.steady import steady
from retinue.desk.tasks import TaskCard, cards
from retinue.desk.timeline import Event, Timeline, page
from retinue.desk.timeline import events as all_events
from retinue.errors import NotFound
from retinue.run.explain import explain
from retinue.run.explanation import Explanation
from retinue.run.layers import known_day
from retinue.store.people.access import Actor
from retinue.store.published.current import CurrentRow, RunInfo
from retinue.store.published.current import account as current_account
from retinue.store.work.alerts import Alert, alerts_of
from retinue.store.work.interventions import Intervention, interventions_of
from retinue.store.work.record import Entry, record, standing
from retinue.store.work.tasks import task_counts, tasks_of
from retinue.workspace import Workspace

#: Children that are shown, those that need attention most, and those that are looked at for it.
CHILDREN, FAMILY = 50, 1000
#: Open alerts that are shown, the newest.
ALERTS = 10


@dataclass(frozen=True, slots=True)
class InForce:
    """A pulse or an override that counts now. `by` is who answers for it; it ends after `expires_on`."""

    kind: str
    id: int
    value: float
    what: str
    label: str
    text: str | None
    by: str
    since: date
    expires_on: date | None


@dataclass(frozen=True)
class AccountPage:
    """What the page of an account shows. `account` is None for one that is gone.

    `dates` are those on which it was published, `edges` the lower edges of bands by fingerprint.
    `asked` is the date that was asked for where another one is shown, `trouble` what kept the
    change that was asked for from being explained. `alerts` and `tasks` are the open ones, without the
    `snoozed`.
    """

    run: RunInfo
    account: CurrentRow | None
    explanation: Explanation
    history: tuple[Snapshot, ...]
    edges: Mapping[str, Mapping[str, float]]
    peers: Peers | None
    parent: CurrentRow | None
    children: tuple[CurrentRow, ...]
    alerts: tuple[Alert, ...]
    tasks: tuple[TaskCard, ...]
    snoozed: int
    interventions: tuple[Intervention, ...]
    in_force: tuple[InForce, ...]
    timeline: Timeline
    events: tuple[Event, ...]
    link: str | None
    asked: date | None = None
    trouble: str | None = None

    @property
    def dates(self) -> tuple[date, ...]:
        return tuple(one.day for one in self.history)

    @property
    def latest(self) -> bool:
        """Whether it is shown as of its last published date."""
        return self.explanation.as_of == self.history[-1].day

    @property
    def renews_in(self) -> int | None:
        """Days from the date shown to the renewal that was known then."""
        renews = self.explanation.attributes.get("renews_on")
        return (renews - self.explanation.as_of).days if isinstance(renews, date) else None

    def to_dict(self) -> dict[str, Any]:
        row = self.account.to_dict() if self.account is not None else None
        if row is not None:
            row.pop("explanation")
        return {
            "run_id": self.run.run_id,
            "account": row,
            "explanation": self.explanation.to_dict(),
            "history": [{**dataclasses.asdict(one), "day": one.day.isoformat()} for one in self.history],
            "edges": {name: dict(edges) for name, edges in self.edges.items()},
            "peers": self.peers.to_dict() if self.peers is not None else None,
            "parent": relative(self.parent) if self.parent is not None else None,
            "children": [relative(child) for child in self.children],
            "alerts": [alert.to_dict() for alert in self.alerts],
            "tasks": [task.to_dict() for task in self.tasks],
            "snoozed": self.snoozed,
            "interventions": [one.to_dict() for one in self.interventions],
            "in_force": [dataclasses.asdict(one) for one in self.in_force],
            "timeline": self.timeline.to_dict(),
            "link": self.link,
            "asked": self.asked,
            "trouble": self.trouble,
        }


def relative(row: CurrentRow) -> dict[str, Any]:
    """A parent or child in a few words."""
    names = ("account_id", "name", "owner", "effective", "band", "band_since", "arr")
    return {name: getattr(row, name) for name in names}


def account(
    workspace: Workspace,
    actor: Actor,
    account_id: str,
    *,
    now: datetime,
    as_of: date | None = None,
    since: date | None = None,
) -> AccountPage:
    """The account as it was published on `as_of` or last before it, its change counted from `since`.

    Raises NotFound for an account that the actor may not see; one that is gone is seen by whoever
    sees everything.
    """
    return steady(workspace, lambda run: _account(workspace, actor, account_id, now, as_of, since, run))


def history(workspace: Workspace, actor: Actor, account_id: str) -> tuple[Snapshot, ...]:
    """Every published date of the account. Raises NotFound."""
    seen(workspace, actor, account_id)
    found = past(workspace, account_id)
    if not found:
        raise _none(account_id)
    return found


def seen(workspace: Workspace, actor: Actor, account_id: str) -> CurrentRow | None:
    """The account as it stands. Raises NotFound, but for whoever sees everything: None if it is gone.

    What is said of an account out of sight is the same as of one that never was.
    """
    try:
        return current_account(workspace.store, actor, account_id)
    except NotFound:
        if not actor.everything:
            raise _none(account_id) from None
        return None


def _none(account_id: str) -> NotFound:
    return NotFound(f"no account {account_id!r}", hint="look for it in the book")


def _account(
    workspace: Workspace,
    actor: Actor,
    account_id: str,
    now: datetime,
    as_of: date | None,
    since: date | None,
    run: RunInfo,
) -> AccountPage:
    row = seen(workspace, actor, account_id)
    before = past(workspace, account_id)
    if not before:
        raise _none(account_id)
    days = [one.day for one in before]
    day = days[max(0, bisect_right(days, as_of) - 1)] if as_of is not None else days[-1]
    explanation, trouble = _explained(workspace, actor, account_id, day, since)
    assert run.last_as_of is not None  # a run has a date, or it is not published
    family = _family(PublishedDay(workspace, run.run_id, run.last_as_of)).get(account_id, ())[:FAMILY]
    parent = explanation.attributes.get("parent")
    wanted = [*family, *([str(parent)] if parent is not None else [])]
    relatives = {row.account_id: row for row in standing(workspace.store, actor, wanted)} if wanted else {}
    if str(parent) not in relatives:
        # Whose parent it is may be out of sight.
        explanation = dataclasses.replace(explanation, attributes={**explanation.attributes, "parent": None})
        if row is not None and row.attributes:
            row = dataclasses.replace(row, attributes={**row.attributes, "parent": None})
    attributes = explanation.attributes
    said = record(workspace.store, actor, account_id)
    happened = all_events(workspace, actor, account_id, said)
    children = [relatives[child] for child in family if child in relatives]
    children.sort(key=lambda child: -(child.attention or 0.0))
    tenure, segment = attributes.get("tenure_days"), attributes.get("segment")
    scored = explanation.score is not None
    calendar = today(workspace, now)
    return AccountPage(
        run=run,
        account=row,
        explanation=explanation,
        history=before,
        edges=edges_of(workspace, before),
        peers=peers(workspace, day, explanation.score or 0.0, segment=segment, tenure_days=tenure)
        if scored
        else None,
        parent=relatives.get(str(parent)),
        children=tuple(children[:CHILDREN]),
        tasks=cards(
            workspace, actor, tasks_of(workspace.store, actor, account_id=account_id, today=calendar)
        ),
        snoozed=task_counts(workspace.store, actor, calendar, account_id=account_id)["snoozed"],
        alerts=tuple(alerts_of(workspace.store, actor, account_id=account_id, is_open=True, limit=ALERTS)),
        interventions=tuple(interventions_of(workspace.store, actor, account_id)),
        in_force=_in_force(workspace, said, now),
        timeline=page(happened),
        events=tuple(happened),
        link=crm_link(workspace, account_id, attributes),
        asked=as_of if as_of is not None and as_of != day else None,
        trouble=trouble,
    )


def _explained(
    workspace: Workspace, actor: Actor, account_id: str, day: date, since: date | None
) -> tuple[Explanation, str | None]:
    """The explanation; with the usual start, and why, where that which was asked for is none."""
    if since is not None:
        try:
            return explain(workspace, account_id, as_of=day, since=since, actor=actor), None
        except NotFound as error:
            return explain(workspace, account_id, as_of=day, actor=actor), str(error)
    return explain(workspace, account_id, as_of=day, actor=actor), None


def _in_force(workspace: Workspace, said: list[Entry], now: datetime) -> tuple[InForce, ...]:
    """Pulses and overrides that are neither withdrawn nor over; of a kind only the newest counts."""
    today = known_day(now.astimezone(UTC), workspace.project)
    labels = {one.pulse: one.label for one in pulses(workspace)}
    found: dict[tuple[str, str], InForce] = {}
    for entry in said:
        if entry.kind not in ("pulse", "override") or entry.withdrawn_at is not None:
            continue
        told = entry.told
        what = told["metric"] if entry.kind == "pulse" else told["kind"]
        since = told["starts_on"] if entry.kind == "override" else known_day(entry.at, workspace.project)
        if (told["expires_on"] is None or told["expires_on"] >= today) and (entry.kind, what) not in found:
            text, by = (told["note"], entry.by) if entry.kind == "pulse" else (told["reason"], told["owner"])
            found[entry.kind, what] = InForce(
                entry.kind,
                entry.id,
                told["value"],
                what,
                labels.get(what, what),
                text,
                by,
                since,
                told["expires_on"],
            )
    return tuple(found.values())


@lru_cache(maxsize=4)
def _family(asked: PublishedDay) -> dict[str, list[str]]:
    """The children of every account that has some."""
    published = asked.workspace.published()
    if "parent" not in published.schema("accounts").names:
        return {}
    table = published.table("accounts", dates=[asked.day], columns=["account_id", "parent"])
    table = table.filter(pc.is_valid(table["parent"]))
    found: dict[str, list[str]] = {}
    for child, parent in zip(table["account_id"].to_pylist(), table["parent"].to_pylist(), strict=True):
        found.setdefault(str(parent), []).append(child)
    return found


def crm_link(workspace: Workspace, account_id: str, attributes: Mapping[str, Any]) -> str | None:
    """Where the company's own system has the account; None if nothing is declared, or a part is not known."""
    template = workspace.project.settings.accounts.link
    return filled(template, {**attributes, "account_id": account_id}) if template else None


def filled(template: str, values: Mapping[str, Any]) -> str | None:
    """An address with the values in its braces, each quoted whole; None where one is not known."""
    if any(value is None or str(value) == "" for name, value in values.items() if f"{{{name}}}" in template):
        return None
    try:
        return template.format_map({name: quote(str(value), safe="") for name, value in values.items()})
    except KeyError:
        return None
