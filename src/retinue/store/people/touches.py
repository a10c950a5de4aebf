"""What counts as a touch: somebody turned to an account. Said once, for every measure of how soon."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Subquery, select, true, union_all

from retinue.store.tables import assignments, interventions, notes, outcomes, overrides, pulses, tasks


def touches(since: datetime | None = None, account_ids: Collection[str] | None = None) -> Subquery:
    """`account_id` and `at` (UTC without a zone) of each: a note, a task that was done, a pulse, an
    outcome, an override, a new owner, an intervention that somebody recorded.

    A task that is only planned is none, and nothing is that a playbook does by itself: it drops tasks
    and does none, and its interventions belong to an enrolment. `since` is included.
    """
    said = [(table, table.c.said_at, true()) for table in (notes, pulses, outcomes, overrides, assignments)]
    own = [
        (tasks, tasks.c.closed_at, tasks.c.status == "done"),
        (interventions, interventions.c.said_at, interventions.c.enrolment.is_(None)),
    ]
    parts = []
    for table, at, counts in (*said, *own):
        query = select(table.c.account_id.label("account_id"), at.label("at")).where(counts)
        if since is not None:
            query = query.where(at >= since)
        if account_ids is not None:
            query = query.where(table.c.account_id.in_(account_ids))
        parts.append(query)
    return union_all(*parts).subquery("touches")
