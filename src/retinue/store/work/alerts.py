"""Alerts, what their rules remember, and mutes. What a date raises is written once, with its messages.

`now` is an aware datetime throughout; days in the store are dates.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, bindparam, delete, func, insert, or_, select, update

from retinue.action.playbooks import Enrolment
from retinue.errors import NotFound, StoreError
from retinue.store.database import Store, utc
from retinue.store.people.access import Actor, in_scope, of_current_run, require, sayable
from retinue.store.people.audit_log import write_audit
from retinue.store.tables import alert_memory, alert_rules, alerts, current, mutes
from retinue.store.work.outbox import Row, enqueue
from retinue.store.work.plays import enrol
from retinue.store.work.said import known

#: Rows per statement, and letters of a text that somebody writes.
CHUNK = 5000
_FORGET = delete(alert_memory).where(
    alert_memory.c.rule == bindparam("of"), alert_memory.c.subject == bindparam("about")
)
#: Letters of the name of a rule.
NAME = 200


@dataclass(frozen=True, slots=True)
class NewAlert:
    """An alert to be written: about an account, or about a `subject` of the portfolio."""

    rule: str
    kind: str
    severity: str
    account_id: str | None
    subject: str | None
    owner: str | None
    summary: str
    evidence: Mapping[str, Any]
    stake: float


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert as it was raised. Times are UTC without a zone; `name` is that of the account."""

    id: int
    rule: str
    kind: str
    severity: str
    account_id: str | None
    name: str | None
    subject: str | None
    owner: str | None
    as_of: date
    raised_at: datetime
    summary: str
    evidence: Any
    stake: float
    closed_at: datetime | None
    closed_by: str | None
    result: str | None

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


@dataclass(frozen=True, slots=True)
class Remembered:
    """What one rule remembers of accounts or subjects, side by side. None: no such day."""

    subjects: list[str]
    since: list[date | None]
    raised: list[date | None]
    told: list[bool]


@dataclass(frozen=True, slots=True)
class Mute:
    """Alerts that are not raised: of an account, a rule, or both; until a day, that day included."""

    id: int
    account_id: str | None
    rule: str | None
    until: date | None
    reason: str
    by: str
    said_at: datetime


def evaluated(store: Store) -> dict[str, tuple[str, date]]:
    """Rules that were evaluated before: how they were declared, and the last as-of date."""
    with store.read() as connection:
        rows = connection.execute(select(alert_rules))
        return {row.rule: (row.declared, row.last_as_of) for row in rows}


def memory_of(store: Store, rule: str) -> Remembered:
    """Everything that a rule remembers."""
    table = alert_memory
    with store.read() as connection:
        query = select(table.c.subject, table.c.since, table.c.raised, table.c.told)
        rows = connection.execute(query.where(table.c.rule == rule)).all()
    return Remembered(
        [row.subject for row in rows],
        [row.since for row in rows],
        [row.raised for row in rows],
        [bool(row.told) for row in rows],
    )


def lately(store: Store, since: date) -> dict[str, int]:
    """How many alerts each account had as of days after `since`, storms left out."""
    query = select(alerts.c.account_id, func.count()).where(
        alerts.c.as_of > since, alerts.c.account_id.is_not(None)
    )
    with store.read() as connection:
        return {row[0]: row[1] for row in connection.execute(query.group_by(alerts.c.account_id))}


def raised_today(store: Store, since: datetime) -> dict[str, int]:
    """How many alerts each owner was told of since a moment."""
    query = select(alerts.c.owner, func.count()).where(
        alerts.c.raised_at >= utc(since), alerts.c.owner.is_not(None)
    )
    with store.read() as connection:
        return {row[0]: row[1] for row in connection.execute(query.group_by(alerts.c.owner))}


def mutes_on(store: Store, day: date) -> list[Mute]:
    """The mutes that hold on a day."""
    fields = [mutes.c[f.name] for f in dataclasses.fields(Mute)]
    holds = and_(mutes.c.withdrawn_at.is_(None), or_(mutes.c.until.is_(None), mutes.c.until >= day))
    with store.read() as connection:
        return [Mute(*row) for row in connection.execute(select(*fields).where(holds).order_by(mutes.c.id))]


def record(  # noqa: PLR0913 - all of it counts at once, or none
    store: Store,
    as_of: date,
    declared: Mapping[str, str],
    new: Sequence[NewAlert],
    memory: Mapping[str, Remembered],
    messages: Sequence[Row],
    began: Sequence[Enrolment],
    owners: Mapping[str, str | None],
    *,
    now: datetime,
    before: Mapping[str, Remembered] | None = None,
) -> bool:
    """Write what a date raised, what its rules remember after it (`before` is what those of them that are
    not new remembered until now), the messages, and who came into playbooks (`owners` look after them),
    in one transaction.

    False, and nothing written, where another worker has evaluated this date or a later one meanwhile.
    """
    with store.write() as connection:
        latest = connection.execute(select(func.max(alert_rules.c.last_as_of))).scalar_one_or_none()
        if latest is not None and latest >= as_of:
            return False
        connection.execute(delete(alert_rules))
        if declared:
            rows = [{"rule": rule, "declared": text, "last_as_of": as_of} for rule, text in declared.items()]
            connection.execute(insert(alert_rules), rows)
        connection.execute(delete(alert_memory).where(alert_memory.c.rule.not_in(list(memory))))
        for rule, known_ in memory.items():
            _remember(connection, rule, known_, (before or {}).get(rule))
        _insert(connection, alerts, [_row(one, as_of, now) for one in new])
        enqueue(connection, messages, now=now)
        enrol(connection, began, owners, now)
    return True


def alerts_of(  # noqa: PLR0913 - a list can be narrowed down in many ways
    store: Store,
    actor: Actor,
    *,
    account_id: str | None = None,
    owners: frozenset[str] | None = None,
    rule: str | None = None,
    kind: str | None = None,
    severity: str | None = None,
    about_portfolio: bool | None = None,
    is_open: bool | None = None,
    since: date | None = None,
    limit: int = 50,
    after: int | None = None,
) -> list[Alert]:
    """Alerts about accounts that the actor may see, and about the portfolio for whoever sees everything.

    The newest first; `after` is the id of the last one of the page before. `owners` look after the
    account now, or did when it was raised if the account is gone; `since` is not included.
    """
    conditions: list[ColumnElement[bool]] = [in_scope(actor, alerts.c.account_id)]
    if account_id is not None:
        conditions.append(alerts.c.account_id == account_id.replace("\0", ""))
    if owners is not None:
        conditions.append(func.coalesce(current.c.owner, alerts.c.owner).in_(sayable(owners)))
    for column, wanted in ((alerts.c.rule, rule), (alerts.c.kind, kind), (alerts.c.severity, severity)):
        if wanted is not None:
            conditions.append(column == wanted.replace("\0", ""))
    if about_portfolio is not None:
        about = alerts.c.account_id
        conditions.append(about.is_(None) if about_portfolio else about.is_not(None))
    if is_open is not None:
        conditions.append(alerts.c.closed_at.is_(None) if is_open else alerts.c.closed_at.is_not(None))
    if since is not None:
        conditions.append(alerts.c.as_of > since)
    if after is not None:
        conditions.append(alerts.c.id < after)
    query = _read().where(*conditions).order_by(alerts.c.id.desc()).limit(limit)
    with store.read() as connection:
        return [_alert(row) for row in connection.execute(query)]


def alert_of(store: Store, actor: Actor, alert: int) -> Alert:
    """One alert. Raises NotFound for one that the actor may not see."""
    mine = and_(alerts.c.id == alert, in_scope(actor, alerts.c.account_id))
    with store.read() as connection:
        row = connection.execute(_read().where(mine)).first()
    if row is None:
        raise NotFound(f"no alert {alert}", hint="look for it in the list of alerts")
    return _alert(row)


def open_alerts(store: Store, actor: Actor, account_ids: Sequence[str]) -> dict[str, int]:
    """How many alerts are open about each of these accounts, as far as the actor may see them."""
    query = select(alerts.c.account_id, func.count()).where(
        alerts.c.account_id.in_(account_ids),
        alerts.c.closed_at.is_(None),
        in_scope(actor, alerts.c.account_id),
    )
    with store.read() as connection:
        return {row[0]: row[1] for row in connection.execute(query.group_by(alerts.c.account_id))}


def rules_raised(store: Store, actor: Actor) -> list[str]:
    """The rules that alerts which the actor may see were raised by, by name."""
    query = select(alerts.c.rule).where(in_scope(actor, alerts.c.account_id)).distinct()
    with store.read() as connection:
        return list(connection.execute(query.order_by(alerts.c.rule)).scalars())


def held_since(store: Store, actor: Actor, alert: int) -> date | None:
    """Since when its condition has held without a break; None where it does not hold any more.

    Raises NotFound for an alert that the actor may not see.
    """
    one = alert_of(store, actor, alert)
    subject = one.account_id if one.account_id is not None else one.subject
    mine = and_(alert_memory.c.rule == one.rule, alert_memory.c.subject == subject)
    with store.read() as connection:
        row = connection.execute(select(alert_memory.c.since).where(mine)).first()
    return row.since if row is not None and row.since is not None and row.since <= one.as_of else None


def told_of(store: Store, actor: Actor, alert: int, limit: int = 500) -> list[str]:
    """The accounts that an alert tells of at once, a storm, as far as the actor may see them.

    By what its rule remembers: an account of which the rule told again since is left out.
    """
    one = alert_of(store, actor, alert)
    query = select(alert_memory.c.subject).where(
        alert_memory.c.rule == one.rule,
        alert_memory.c.raised == one.as_of,
        in_scope(actor, alert_memory.c.subject),
    )
    with store.read() as connection:
        return list(connection.execute(query.order_by(alert_memory.c.subject).limit(limit)).scalars())


def mute(
    store: Store,
    actor: Actor,
    *,
    now: datetime,
    reason: str,
    account_id: str | None = None,
    rule: str | None = None,
    until: date | None = None,
) -> int:
    """Keep alerts from being raised, and return the id: of an account, of a rule, or of both.

    A rule for everybody needs the right to override; so does a mute without an end.
    """
    require(actor, "act")
    if account_id is None and rule is None:
        raise StoreError("a mute is of an account, of a rule, or of both")
    if account_id is None or until is None:
        require(actor, "override")
    if account_id is None and not actor.everything:
        raise StoreError(
            "a rule is muted for everybody", hint="name an account, or ask whoever sees them all"
        )
    if not reason.strip() or len(reason) > CHUNK or "\0" in reason:
        raise StoreError(f"a mute needs a reason of {CHUNK:,} letters at most")
    if rule is not None and (not rule or len(rule) > NAME or "\0" in rule):
        raise StoreError("no rule has such a name")
    if account_id is not None:
        known(store, actor, account_id)
    values = {"account_id": account_id, "rule": rule, "until": until, "reason": reason.strip()}
    with store.write() as connection:
        row = {**values, "by": actor.name, "said_at": utc(now)}
        added = connection.execute(insert(mutes).values(row)).inserted_primary_key
        assert added is not None
        write_audit(connection, actor.name, "mute alerts", account_id, now, None, {"id": added[0], **values})
    return int(added[0])


def mutes_of(
    store: Store,
    actor: Actor,
    *,
    account_id: str | None = None,
    rule: str | None = None,
    day: date | None = None,
    limit: int = 50,
    after: int | None = None,
) -> list[Mute]:
    """Mutes of accounts that the actor may see, of rules too for whoever sees everything; newest first.

    With `day` those that hold on it, otherwise all that were not withdrawn. With an account or a rule:
    those that keep its alerts from being raised.
    """
    conditions: list[ColumnElement[bool]] = [
        mutes.c.withdrawn_at.is_(None),
        in_scope(actor, mutes.c.account_id),
    ]
    for column, wanted in ((mutes.c.account_id, account_id), (mutes.c.rule, rule)):
        if wanted is not None:
            conditions.append(or_(column.is_(None), column == wanted.replace("\0", "")))
    if day is not None:
        conditions.append(or_(mutes.c.until.is_(None), mutes.c.until >= day))
    if after is not None:
        conditions.append(mutes.c.id < after)
    fields = [mutes.c[f.name] for f in dataclasses.fields(Mute)]
    with store.read() as connection:
        rows = connection.execute(select(*fields).where(*conditions).order_by(mutes.c.id.desc()).limit(limit))
        return [Mute(*row) for row in rows]


def unmute(store: Store, actor: Actor, number: int, *, now: datetime) -> None:
    """Take a mute back. Raises NotFound if there is none (any more) that the actor may see."""
    require(actor, "act")
    with store.write() as connection:
        own = and_(mutes.c.id == number, mutes.c.withdrawn_at.is_(None), in_scope(actor, mutes.c.account_id))
        row = connection.execute(select(mutes).where(own)).first()
        if row is None:
            raise NotFound(f"no mute {number}")
        connection.execute(update(mutes).where(mutes.c.id == number).values(withdrawn_at=utc(now)))
        write_audit(connection, actor.name, "unmute alerts", row.account_id, now, {"id": number}, None)


def _remember(connection: Connection, rule: str, memory: Remembered, before: Remembered | None) -> None:
    """Write what is remembered now: of a rule that remembered before, only what is other than then."""
    after = _rows(memory)
    if before is None:
        connection.execute(delete(alert_memory).where(alert_memory.c.rule == rule))
        changed = list(after)
    else:
        then = _rows(before)
        changed = [subject for subject, row in after.items() if then.get(subject) != row]
        gone = [{"of": rule, "about": s} for s in then if s not in after or then[s] != after[s]]
        if gone:
            connection.execute(_FORGET, gone)
    names = ("since", "raised", "told")
    rows = [{"rule": rule, "subject": s, **dict(zip(names, after[s], strict=True))} for s in changed]
    _insert(connection, alert_memory, rows)


def _rows(memory: Remembered) -> dict[str, tuple[date | None, date | None, bool]]:
    facts = zip(memory.since, memory.raised, memory.told, strict=True)
    return dict(zip(memory.subjects, facts, strict=True))


def _insert(connection: Connection, table: Any, rows: list[dict[str, Any]]) -> None:
    for start in range(0, len(rows), CHUNK):
        connection.execute(insert(table), rows[start : start + CHUNK])


def _row(one: NewAlert, as_of: date, now: datetime) -> dict[str, Any]:
    told = {f.name: getattr(one, f.name) for f in dataclasses.fields(one)}
    told["evidence"] = json.dumps(one.evidence, default=str, ensure_ascii=False)
    return {**told, "as_of": as_of, "raised_at": utc(now)}


def _read() -> Any:
    fields = [current.c.name if f.name == "name" else alerts.c[f.name] for f in dataclasses.fields(Alert)]
    same = and_(of_current_run(), current.c.account_id == alerts.c.account_id)
    return select(*fields).select_from(alerts).outerjoin(current, same)


def _alert(row: Any) -> Alert:
    return Alert(**{**row._asdict(), "evidence": json.loads(row.evidence)})
