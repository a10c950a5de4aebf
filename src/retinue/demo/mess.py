"""What is wrong with real tables: rows that cannot be read, and rows that belong to nobody."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from retinue.demo.calendar import Array

_BAD_DATES = ("2025-13-45", "n/a", "31/02/2025", "soon")
#: An id that no account of a company of any size has.
NOBODY = "X999999"


def spoil(
    rng: np.random.Generator, table: pa.Table, key: str, clock: str, share: float
) -> tuple[pa.Table, dict[str, Array]]:
    """`table` with about `share` more rows that are malformed copies, each after its original.

    Half of them have a broken date in `clock`, half an unknown account. Returns the table and,
    by kind, the positions of the malformed rows in it.
    """
    count = table.num_rows
    chosen = np.flatnonzero(rng.random(count) < share)
    broken = rng.random(len(chosen)) < 0.5
    date = rng.integers(0, len(_BAD_DATES), len(chosen))
    extra = table.take(pa.array(chosen))
    ids = np.strings.add(np.array(extra[key].to_pylist(), dtype=str), "x")
    times = np.where(broken, np.array(_BAD_DATES)[date], np.array(extra[clock].to_pylist(), dtype=str))
    owners = np.where(broken, np.array(extra["account_id"].to_pylist(), dtype=str), NOBODY)
    for name, values in ((key, ids), (clock, times), ("account_id", owners)):
        extra = extra.set_column(extra.column_names.index(name), name, pa.array(values.tolist(), pa.string()))
    order = np.argsort(np.concatenate([np.arange(count), chosen + 0.5]), kind="stable")
    where = np.empty(len(order), np.int64)
    where[order] = np.arange(len(order))
    spoiled = where[count:]
    whole = pa.concat_tables([table, extra]).take(pa.array(order))
    return whole, {"broken_dates": spoiled[broken], "unknown_accounts": spoiled[~broken]}
