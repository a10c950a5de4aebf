"""What runs have seen of attributes that have no declared history: each change, with its day."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from retinue.project.project import Project
from retinue.store.published.snapshots import Published

if TYPE_CHECKING:
    from retinue.warehouse.compute import Computed
    from retinue.warehouse.engine import Engine

_SCHEMA = pa.schema(
    [
        ("account_id", pa.string()),
        ("attribute", pa.string()),
        ("day", pa.date32()),
        ("value", pa.string()),
    ]
)


def names(project: Project) -> list[str]:
    """The attributes that are `current`: known only as far as runs have looked at them."""
    told = project.settings.accounts
    return sorted(name for name in told.columns if told.history.get(name, "current") == "current")


def seen(published: Published | None, project: Project) -> pa.Table | None:
    """What earlier runs saw, as the engine takes it: account_id, attribute, day, value_text."""
    wanted = names(project)
    if published is None or not wanted:
        return None
    table = published.table("observed")
    mine = table.filter(pc.is_in(table["attribute"], value_set=pa.array(wanted, pa.string())))
    return mine.rename_columns(["account_id", "attribute", "day", "value_text"]) if mine.num_rows else None


def added(
    published: Published | None, engine: Engine, computed: Computed, project: Project, today: date
) -> pa.Table | None:
    """The table `observed` with what the accounts say now, known on `today`; None if it says so already.

    A row is kept where the value is not that of the row before it, an empty one too, so the
    table grows with changes and not with days.
    """
    told = published.table("observed") if published else _SCHEMA.empty_table()
    accounts = computed.facts.accounts
    there = [name for name in names(project) if f"a_{name}" in accounts.columns]
    # What is read back says which columns are never empty; what is made here does not.
    found = [told.filter(pc.not_equal(told["day"], pa.scalar(today))).cast(_SCHEMA)]
    if there:
        now = engine.arrow(accounts.select("account_id", *(f"a_{name}" for name in there)))
        for name in there:
            columns = {
                "account_id": now["account_id"],
                "attribute": pa.array([name] * now.num_rows, pa.string()),
                "day": pa.array([today] * now.num_rows, pa.date32()),
                "value": now[f"a_{name}"].cast(pa.string()),
            }
            found.append(pa.table(columns, schema=_SCHEMA))
    every = pa.concat_tables(found).sort_by(
        [(name, "ascending") for name in ("account_id", "attribute", "day")]
    )
    changed = every.filter(pa.array(_changed(every.combine_chunks())))
    return None if published and changed.equals(told.cast(_SCHEMA)) else changed


def _changed(rows: pa.Table) -> np.ndarray:
    """Rows that do not repeat the value of the row before them, of the same account and attribute."""
    if rows.num_rows < 2:
        return np.ones(rows.num_rows, bool)
    changed = np.zeros(rows.num_rows - 1, bool)
    for name in ("account_id", "attribute", "value"):
        column = rows[name].combine_chunks()
        before, after = column.slice(0, len(column) - 1), column.slice(1)
        same = pc.fill_null(pc.equal(before, after), False)
        empty = pc.and_(pc.is_null(before), pc.is_null(after))
        changed |= ~pc.or_(same, empty).to_numpy(zero_copy_only=False)
    return np.concatenate([[True], changed])


def days_seen(published: Published | None, first: date) -> pa.Table | None:
    """The account_id and as_of, from `first` on, that a run looked at on that very day."""
    if published is None:
        return None
    table = published.table("accounts", first=first, columns=["account_id", "as_of", "observed"])
    return table.filter(pc.fill_null(table["observed"], False)).select(["account_id", "as_of"])
