"""Who did what, and when: written with every act, never changed."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Text, cast, insert, select

from retinue.store.database import Store, utc
from retinue.store.people.access import Actor, in_scope, require
from retinue.store.tables import audit


@dataclass(frozen=True, slots=True)
class Entry:
    """One act. `subject` is an account, or the e-mail of a person. `said_at` is UTC without a zone."""

    id: int
    who: str
    what: str
    subject: str | None
    said_at: datetime
    before: Any
    after: Any

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def write_audit(
    connection: Connection, who: str, what: str, subject: str | None, now: datetime, before: Any, after: Any
) -> None:
    """Say who did what, in the transaction that does it."""
    row = {"who": who, "what": what, "subject": subject, "said_at": utc(now)}
    connection.execute(insert(audit), {**row, "before": _json(before), "after": _json(after)})


def write_audits(
    connection: Connection,
    who: str,
    what: str,
    now: datetime,
    done: Sequence[tuple[str | None, Any, Any]],
) -> None:
    """Say who did the same to several subjects: subject, before, after of each."""
    same = {"who": who, "what": what, "said_at": utc(now)}
    rows = [{**same, "subject": s, "before": _json(b), "after": _json(a)} for s, b, a in done]
    if rows:
        connection.execute(insert(audit), rows)


def audit_log(  # noqa: PLR0913 - a log is looked through by all of these
    store: Store,
    actor: Actor,
    *,
    who: str | None = None,
    what: str | None = None,
    subject: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int = 50,
    after: int | None = None,
) -> list[Entry]:
    """The log, the newest first; `after` is the id of the last entry of the page before.

    `who` and `what` are parts of what stands there, `subject` is the whole. `since` is included, `until`
    is not; both are aware. Needs the right to audit. Who does not see everything sees what was done to
    the accounts that they see.
    """
    require(actor, "audit")
    conditions: list[ColumnElement[bool]] = [in_scope(actor, cast(audit.c.subject, Text))]
    for column, part in ((audit.c.who, who), (audit.c.what, what)):
        if part:
            conditions.append(column.icontains(part.replace("\0", ""), autoescape=True))
    if subject:
        conditions.append(audit.c.subject == subject.replace("\0", ""))
    if since is not None:
        conditions.append(audit.c.said_at >= utc(since))
    if until is not None:
        conditions.append(audit.c.said_at < utc(until))
    if after is not None:
        conditions.append(audit.c.id < after)
    with store.read() as connection:
        rows = connection.execute(
            select(audit).where(*conditions).order_by(audit.c.id.desc()).limit(limit)
        ).all()
    return [
        Entry(row.id, row.who, row.what, row.subject, row.said_at, _value(row.before), _value(row.after))
        for row in rows
    ]


def _value(text: str | None) -> Any:
    return None if text is None else json.loads(text)


def _json(value: Any) -> str | None:
    return None if value is None else json.dumps(value, default=str, ensure_ascii=False)
