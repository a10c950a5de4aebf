"""Is every value of Retinue that of the SQL of one date, and every score what those values make it?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from numpy.typing import NDArray

from benchmarks.scale.declare import HERE

Numbers = NDArray[np.float64]
_KEY = ["account", "as_of"]


def metrics() -> list[str]:
    return list(yaml.safe_load((HERE / "metrics.yaml").read_text())["metrics"])


def compare(ours: Path, theirs: Path, exactly: bool = True) -> dict[str, Any]:
    """How many values and scores were compared, how many differ, and one of these.

    Rows are those of the dates that `ours` has. Values that come of a division may differ by
    1e-9, and so may all without `exactly`, which is for those who add up in floating point.
    """
    mine, other = _keyed(ours), _keyed(theirs).select([*_KEY, *metrics()])
    days = pa.compute.unique(mine["as_of"])
    other = other.filter(pa.compute.is_in(other["as_of"], value_set=days))
    mine = mine.append_column("here", pa.array(np.ones(len(mine), np.int8)))
    other = other.append_column("there", pa.array(np.ones(len(other), np.int8)))
    both = mine.join(other, _KEY, join_type="full outer", left_suffix="", right_suffix=" of sql")
    alone = both["here"].null_count + both["there"].null_count
    example = f"{alone} rows that only one side has" if alone else ""
    counts = {"values": 0, "different": 0, "scores": 0, "different_scores": 0}
    told = {name: _floats(both, f"{name} of sql") for name in metrics()}
    for name, expected in told.items():
        found = _floats(both, name)
        near = 1e-9 if name in ("mean_amount_28d", "events_change") or not exactly else 0.0
        wrong = ~_equal(found, expected, near)
        counts["values"] += len(found)
        counts["different"] += int(wrong.sum())
        if wrong.any() and not example:
            example = _example(both, name, found, expected, wrong)
    if "computed" in mine.column_names:
        found, expected = _floats(both, "computed"), scores(told)
        wrong = ~_equal(found, expected, 1e-9)
        counts["scores"] = len(found)
        counts["different_scores"] = int(wrong.sum())
        if wrong.any() and not example:
            example = _example(both, "computed", found, expected, wrong)
    counts["different"] += alone
    return {**counts, "example": example}


def _keyed(file: Path) -> pa.Table:
    table = pq.read_table(file)
    for name, kind in zip(_KEY, (pa.string(), pa.date32()), strict=True):
        table = table.set_column(table.column_names.index(name), name, table[name].cast(kind))
    return table


def scores(values: dict[str, Numbers]) -> Numbers:
    """What the scorecard of the benchmark makes of values, written down a second time."""
    card = yaml.safe_load((HERE / "scorecards" / "usage.yaml").read_text())
    size = len(next(iter(values.values())))
    earned, shares = np.zeros(size), np.zeros(size)
    for component in card["components"].values():
        total = sum(measure.get("weight", 1) for measure in component["measures"].values())
        for name, measure in component["measures"].items():
            share = component["weight"] * measure.get("weight", 1) / total
            present = ~np.isnan(values[name])
            earned += np.where(present, share * _points(measure["curve"], np.nan_to_num(values[name])), 0)
            shares += np.where(present, share, 0)
    score = earned / shares
    with np.errstate(invalid="ignore"):
        score = np.where(values["users_28d"] < 2, np.minimum(score, 60), score)
        return np.asarray(np.where(values["days_since_event"] >= 28, np.minimum(score, 30), score))


def _points(curve: Any, x: Numbers) -> Numbers:
    if isinstance(curve, list):
        return np.asarray(np.interp(x, [knot[0] for knot in curve], [knot[1] for knot in curve]))
    if "steps" in curve:
        edges = np.array([step[0] for step in curve["steps"]], float)
        heights = np.array([0.0, *(step[1] for step in curve["steps"])])
        return np.asarray(heights[np.searchsorted(edges, x, side="right")])
    return np.asarray(np.interp(x, curve["target"], [0, 100, 100, 0]))


def _floats(table: pa.Table, column: str) -> Numbers:
    found: Numbers = table[column].cast(pa.float64()).to_numpy(zero_copy_only=False)
    return found


def _equal(one: Numbers, other: Numbers, near: float) -> NDArray[np.bool_]:
    with np.errstate(invalid="ignore"):
        close: NDArray[np.bool_] = np.abs(one - other) <= near * np.maximum(1, np.abs(other))
    return close | (np.isnan(one) & np.isnan(other))


def _example(table: pa.Table, name: str, found: Numbers, expected: Numbers, wrong: NDArray[np.bool_]) -> str:
    n = int(np.flatnonzero(wrong)[0])
    where = f"{table['account'][n]} at {table['as_of'][n]}"
    return f"{name} of {where}: {found[n]!r}, by SQL {expected[n]!r}"
