"""What people said about accounts: notes, pulses, overrides and outcomes, each with its clock, all audited.

Nothing is changed or deleted: what is withdrawn stays, with the time of its withdrawal, so that any
day can be replayed as it was known. `now` is an aware datetime throughout. `by` is who says so: what
they may not do raises Forbidden, and an account that they may not see is NotFound.
"""

from __future__ import annotations

import math
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Literal, get_args

from sqlalchemy import Connection, Table, insert, select, update

from retinue.errors import Forbidden, NotFound, StoreError
from retinue.store.database import Store, utc
from retinue.store.people.access import Actor, Right, require, seen_accounts
from retinue.store.people.audit_log import write_audit
from retinue.store.published.current import near
from retinue.store.tables import current, notes, outcomes, overrides, pointer, pulses

if TYPE_CHECKING:
    import pyarrow as pa

OverrideKind = Literal["set", "cap", "floor"]
OutcomeKind = Literal["renewed", "expanded", "contracted", "churned", "referred"]
NOTE_LENGTH = 10_000
_RIGHTS: dict[str, Right] = {"override": "override"}


def add_pulse(
    store: Store,
    account_id: str,
    metric: str,
    value: float,
    *,
    by: Actor,
    now: datetime,
    note: str | None = None,
    expires_on: date | None = None,
) -> int:
    """Record a person's judgement, 0 (worst) to 10, and return its id. It expires after `expires_on`.

    Raises StoreError for what cannot be accepted, NotFound for an account that is not published.
    """
    _in_range("a pulse", value, 10)
    _stated("a pulse needs a metric", metric)
    _after("a pulse", expires_on, now.date())
    known(store, by, account_id)
    values = {"account_id": account_id, "metric": metric, "value": float(value), "note": note}
    return _add(store, pulses, "pulse", {**values, "expires_on": expires_on}, by, now)


def withdraw_pulse(store: Store, pulse: int, *, by: Actor, now: datetime) -> None:
    """Take a pulse back from `now` on. Raises NotFound if there is none, or none any more."""
    _withdraw(store, pulses, "pulse", pulse, by, now)


def pulses_for_run(store: Store) -> pa.Table:
    """Every pulse ever said, ordered by account and time.

    Columns: id, account_id, metric, value, note, by, said_at, expires_on, withdrawn_at; times in UTC.
    """
    return _all(store, pulses)


def add_override(  # noqa: PLR0913 - an override is a statement with this many facts
    store: Store,
    account_id: str,
    kind: OverrideKind,
    value: float,
    *,
    reason: str,
    owner: str,
    starts_on: date,
    by: Actor,
    now: datetime,
    expires_on: date | None = None,
) -> int:
    """Set, cap or floor the effective score of an account at `value` (0 to 100), and return the id.

    It holds from `starts_on` to `expires_on`, both included. Raises StoreError for what cannot be
    accepted, NotFound for an account that is not published.
    """
    if kind not in get_args(OverrideKind):
        raise StoreError(f"no such override: {kind!r}", hint="one of " + ", ".join(get_args(OverrideKind)))
    _in_range("an override", value, 100)
    _stated("an override needs a reason", reason)
    _stated("an override needs an owner", owner)
    _after("an override", expires_on, starts_on)
    if by.role == "csm" and expires_on is None:
        raise Forbidden(
            "an override without an end needs a leader", hint="say until when, or ask a leader to set it"
        )
    known(store, by, account_id)
    values = {"account_id": account_id, "kind": kind, "value": float(value), "reason": reason.strip()}
    clock = {"owner": owner.strip(), "starts_on": starts_on, "expires_on": expires_on}
    return _add(store, overrides, "override", {**values, **clock}, by, now)


def withdraw_override(store: Store, override: int, *, by: Actor, now: datetime) -> None:
    """Take an override back from `now` on. Raises NotFound if there is none, or none any more."""
    _withdraw(store, overrides, "override", override, by, now)


def overrides_for_run(store: Store) -> pa.Table:
    """Every override ever said, ordered by account and time.

    Columns: id, account_id, kind, value, reason, owner, starts_on, expires_on, by, said_at,
    withdrawn_at; times in UTC.
    """
    return _all(store, overrides)


def overrides_of(store: Store, account_id: str) -> list[dict[str, Any]]:
    """The overrides of one account as `overrides_for_run` has them, in their order."""
    if "\0" in account_id:
        return []
    query = select(overrides).where(overrides.c.account_id == account_id)
    with store.read() as connection:
        rows = connection.execute(query.order_by(overrides.c.said_at, overrides.c.id)).all()
    return [
        {
            name: value.replace(tzinfo=UTC) if isinstance(value, datetime) else value
            for name, value in row._asdict().items()
        }
        for row in rows
    ]


def add_outcome(
    store: Store,
    account_id: str,
    kind: OutcomeKind,
    occurred_on: date,
    *,
    by: Actor,
    now: datetime,
    amount: float | None = None,
    reason: str | None = None,
) -> int:
    """Record what became of an account, and return the id. The account need not be current any more.

    `amount` is in the project's currency, positive. Raises StoreError for what cannot be accepted.
    """
    if kind not in get_args(OutcomeKind):
        raise StoreError(f"no such outcome: {kind!r}", hint="one of " + ", ".join(get_args(OutcomeKind)))
    _stated("an outcome needs an account", account_id)
    if amount is not None and not (math.isfinite(amount) and amount >= 0):
        raise StoreError(f"the amount of an outcome is a number from 0, not {amount}")
    if not by.everything:
        known(store, by, account_id)
    values = {"account_id": account_id, "kind": kind, "occurred_on": occurred_on}
    return _add(store, outcomes, "outcome", {**values, "amount": amount, "reason": reason}, by, now)


def withdraw_outcome(store: Store, outcome: int, *, by: Actor, now: datetime) -> None:
    """Take an outcome back from `now` on. Raises NotFound if there is none, or none any more."""
    _withdraw(store, outcomes, "outcome", outcome, by, now)


def outcomes_for_run(store: Store) -> pa.Table:
    """Every outcome ever recorded, ordered by account and time.

    Columns: id, account_id, kind, occurred_on, amount, reason, by, said_at, withdrawn_at; times in UTC.
    """
    return _all(store, outcomes)


def add_note(store: Store, account_id: str, text: str, *, by: Actor, now: datetime) -> int:
    """Write down what is worth knowing about an account, and return the id. Raises StoreError if empty."""
    _stated("a note needs text", text)
    if len(text) > NOTE_LENGTH:
        raise StoreError(f"a note has {NOTE_LENGTH:,} letters at most, not {len(text):,}")
    known(store, by, account_id)
    return _add(store, notes, "note", {"account_id": account_id, "text": text.strip()}, by, now)


def withdraw_note(store: Store, note: int, *, by: Actor, now: datetime) -> None:
    """Take a note back: it is shown no more. Raises NotFound if there is none, or none any more."""
    _withdraw(store, notes, "note", note, by, now)


def _add(store: Store, table: Table, noun: str, values: dict[str, Any], by: Actor, now: datetime) -> int:
    require(by, _RIGHTS.get(noun, "act"))
    _stated(f"who says so? the {noun} needs a name", by.name)
    for text in values.values():
        if isinstance(text, str) and "\0" in text:
            raise StoreError(f"the {noun} has a character in it that is no text (NUL)")
    with store.write() as connection:
        row = {**values, "by": by.name, "said_at": utc(now)}
        added = connection.execute(insert(table).values(row)).inserted_primary_key
        assert added is not None
        write_audit(
            connection, by.name, f"add {noun}", values["account_id"], now, None, {"id": added[0], **values}
        )
    return int(added[0])


def _withdraw(store: Store, table: Table, noun: str, number: int, by: Actor, now: datetime) -> None:
    require(by, _RIGHTS.get(noun, "act"))
    _stated(f"who says so? to withdraw the {noun} needs a name", by.name)
    with store.write() as connection:
        row = connection.execute(select(table).where(table.c.id == number)).first()
        if row is not None and not by.everything and not _sees(connection, by, row.account_id):
            row = None
        if row is None or row.withdrawn_at is not None:
            raise NotFound(f"no {noun} {number}" + (" any more: it was withdrawn" if row else ""))
        connection.execute(update(table).where(table.c.id == number).values(withdrawn_at=utc(now)))
        before = row._asdict()
        write_audit(connection, by.name, f"withdraw {noun}", row.account_id, now, before, None)


def _all(store: Store, table: Table) -> pa.Table:
    import pyarrow as pa

    kinds = {"INTEGER": pa.int64(), "BIGINT": pa.int64(), "DOUBLE": pa.float64(), "DATE": pa.date32()}
    kinds["DATETIME"] = pa.timestamp("us", "UTC")
    schema = pa.schema([pa.field(c.name, kinds.get(str(c.type), pa.string())) for c in table.c])
    with store.read() as connection:
        rows = connection.execute(
            select(table).order_by(table.c.account_id, table.c.said_at, table.c.id)
        ).all()
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(schema)
    return pa.Table.from_arrays(
        [pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)], schema=schema
    )


def known(store: Store, actor: Actor, account_id: str) -> None:
    """An account that is current and that the actor may see; before the first run any will do.

    Raises NotFound, naming accounts that they may see with a similar id.
    """
    with store.read() as connection:
        run_id = connection.execute(select(pointer.c.run_id)).scalar_one_or_none()
        found = run_id is None or _sees(connection, actor, account_id)
    if not found:
        alike = near(store, actor, account_id)
        raise NotFound(
            f"no account {account_id!r}", hint=f"did you mean {', '.join(alike)}?" if alike else None
        )
    _stated("which account?", account_id)


def sees(store: Store, actor: Actor, account_id: str) -> bool:
    """Whether the account is current and the actor may see it."""
    with store.read() as connection:
        return _sees(connection, actor, account_id)


def _sees(connection: Connection, actor: Actor, account_id: str) -> bool:
    """Whether the account is current and the actor may see it."""
    if "\0" in account_id:
        return False
    own = seen_accounts(actor).where(current.c.account_id == account_id)
    return connection.execute(own).first() is not None


def _in_range(what: str, value: float, most: int) -> None:
    if not 0 <= value <= most:
        raise StoreError(f"{what} is a number from 0 (worst) to {most}, not {value}")


def _stated(message: str, text: str) -> None:
    if not text.strip():
        raise StoreError(message)


def _after(what: str, expires_on: date | None, starts_on: date) -> None:
    if expires_on is not None and expires_on < starts_on:
        raise StoreError(f"{what} that expires on {expires_on} would end before it starts, on {starts_on}")
