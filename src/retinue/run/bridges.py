"""Bridges, published and new, as numbers side by side, with their measures where they are asked for."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from retinue.run.changes import Bridges
from retinue.run.layers import days_of, floats_of, keys, places_of
from retinue.store.published.snapshots import Published

if TYPE_CHECKING:
    from retinue.warehouse.compute import Computed
    from retinue.warehouse.engine import Engine

Array = NDArray[Any]

_MEASURES = pa.schema(
    [
        ("bridge", pa.int64()),
        ("component", pa.string()),
        ("metric", pa.string()),
        ("points", pa.float64()),
        ("weight", pa.float64()),
    ]
)


_NUMBERS = ("old_base", "old_adjustment", "old_computed")


def bridge_numbers(table: pa.Table | None, ix: Array) -> dict[str, Array]:
    """Bridges as numbers; none of a table that is None."""
    if table is None:
        empty = {name: np.zeros(0, np.int64) for name in ("ix", "day", "since")}
        return {**empty, **{name: np.zeros(0) for name in _NUMBERS}}
    return {
        "ix": ix.astype(np.int64),
        "day": days_of(table["as_of"]),
        "since": days_of(table["since"]),
        **{name: floats_of(table[name]) for name in _NUMBERS},
    }


def published_bridges(
    published: Published, first: date, last: date, accounts: Sequence[str] | None = None
) -> pa.Table:
    """The published bridges of the dates in [first, last], without their measures."""
    columns = ["account_id", "as_of", "since", *_NUMBERS]
    return published.table("bridges", account=accounts, first=first, last=last, columns=columns)


def all_bridges(
    published: Published | None,
    table: pa.Table | None,
    ids: pa.Array,
    new: pa.Table | None,
    new_measures: Callable[[Array], pa.Table],
) -> Bridges:
    """Bridges of `table`, which are published, and of a new run, sorted by (ix, day).

    Their measures are read when they are asked for.
    """
    if table is not None:
        table = table.filter(pc.is_in(table["account_id"], value_set=ids))
    old = bridge_numbers(table, places_of(table["account_id"], ids) if table else np.zeros(0, np.int64))
    fresh = bridge_numbers(new, new["ix"].to_numpy() if new else np.zeros(0, np.int64))
    both = {name: np.concatenate([old[name], fresh[name]]) for name in old}
    order = np.lexsort((both["day"], both["ix"]))
    both = {name: values[order] for name, values in both.items()}
    count = len(old["ix"])

    def measures(numbers: Array) -> pa.Table:
        """Of bridges by their place in the sorted order."""
        source = order[numbers]
        recent = source >= count
        found = [_MEASURES.empty_table()]
        if recent.any():
            rows = new_measures(source[recent] - count)
            back = np.full(len(order), -1)
            back[source[recent] - count] = numbers[recent]
            found.append(rows.set_column(0, "bridge", pa.array(back[rows["bridge"].to_numpy()])))
        if not recent.all():
            assert published is not None
            assert table is not None
            asked = table.take(pa.array(source[~recent]))
            told = published.at("bridges", asked, ["account_id", "as_of", "old_measures"])
            at = keys(places_of(told["account_id"], ids), days_of(told["as_of"]))
            place = np.searchsorted(keys(both["ix"], both["day"]), at).tolist()
            listed = [
                {"bridge": number, **{k: m[k] for k in ("component", "metric", "points", "weight")}}
                for number, text in zip(place, told["old_measures"].to_pylist(), strict=True)
                for m in json.loads(text or "[]")
            ]
            found.append(pa.Table.from_pylist(listed, schema=_MEASURES))
        return pa.concat_tables([one.cast(_MEASURES) for one in found])

    return Bridges(**both, measures=measures)


def bridge_measures(
    engine: Engine, computed: Computed, links: pa.Table | None, numbers: Array, *, whole: bool = False
) -> pa.Table:
    """Measures scored the old way, for bridges by their row in `links`."""
    from retinue.warehouse import tables

    if links is None or computed.bridged is None or computed.bridged.scored is None or not len(numbers):
        return _MEASURES.empty_table()
    chosen = links.take(pa.array(numbers)).select(["ix", "pos"])
    rows = tables.measure_rows(engine, computed, chosen, old=True)
    known = keys(links["ix"].to_numpy().astype(np.int64), links["pos"].to_numpy())
    at = np.searchsorted(known, keys(rows["ix"].to_numpy().astype(np.int64), rows["pos"].to_numpy()))
    names = ["component", "metric", *(["value", "state"] if whole else []), "points", "weight"]
    table = rows.select(names).add_column(0, "bridge", pa.array(at))
    if whole:
        return table
    return table.select(_MEASURES.names).cast(_MEASURES)
