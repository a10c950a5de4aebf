"""What happened to accounts, as declared: rows of a source, or the ends of accounts."""

from __future__ import annotations

from datetime import date
from typing import Any

import ibis
import ibis.expr.types as ir
import pyarrow as pa
from ibis import _

from retinue.project.outcomes import OutcomeRule
from retinue.project.project import Project
from retinue.warehouse.conditions import flag
from retinue.warehouse.engine import Engine
from retinue.warehouse.facts import money, sources
from retinue.warehouse.facts.sources import Wanted

SCHEMA = pa.schema(
    [
        ("ix", pa.int32()),
        ("day", pa.date32()),
        ("known", pa.date32()),
        ("amount", pa.float64()),
        ("reason", pa.string()),
    ]
)


def ends(engine: Engine, accounts: ir.Table) -> pa.Table:
    """The ends of accounts (`Facts.accounts`), as in SCHEMA; an end counts on its own day."""
    told = accounts.filter(accounts.ended_on.notnull()).select(
        "ix",
        day=_.ended_on,
        known=ibis.coalesce(_.end_known, _.ended_on),
        amount=ibis.null("float64"),
        reason=ibis.null("string"),
    )
    return engine.arrow(told.order_by("ix", "day")).cast(SCHEMA)


def of_rule(engine: Engine, project: Project, accounts: ir.Table, rule: OutcomeRule) -> pa.Table:
    """The rows of its source that count for an outcome, as in SCHEMA. Raises SourceError."""
    return rows(
        engine,
        project,
        accounts,
        rule.source or "",
        where=rule.where,
        amount=rule.amount,
        reason=rule.reason,
    )


def rows(
    engine: Engine,
    project: Project,
    accounts: ir.Table,
    name: str,
    *,
    where: Any = None,
    amount: str | None = None,
    reason: str | None = None,
    since: date | None = None,
) -> pa.Table:
    """The rows of the source `name` as in SCHEMA, for which `where` holds; `amount` and `reason` are
    columns of it.

    Known on the day on which the row is visible, `since` or later. Raises SourceError.
    """
    wanted = Wanted(
        numbers=frozenset([amount] if amount else []),
        plain=frozenset([reason] if reason else []),
        conditions=frozenset([where] if where is not None else []),
    )
    found = sources.read(engine, project, name, wanted, accounts, money.load(engine, project)).table
    if where is not None:
        found = found.filter(found[flag(where)])
    if since is not None:
        found = found.filter(found.visible >= since)
    told = found.select(
        "ix",
        day=_.day,
        known=_.visible,
        amount=_[f"n_{amount}"].cast("float64") if amount else ibis.null("float64"),
        reason=_[f"c_{reason}"].cast("string") if reason else ibis.null("string"),
    )
    return engine.arrow(told.order_by("ix", "day", "known")).cast(SCHEMA)
