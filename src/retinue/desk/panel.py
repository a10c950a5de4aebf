"""All accounts of a run on a few of its dates, as arrays: what the pages on groups are made from.

It is read once per run and shared; what an actor may see is a mask over it. Accounts that are gone
are seen by whoever sees everything: nobody can tell whose they would be now.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from retinue.insight.replay import Coded
from retinue.project.scorecards import BANDS
from retinue.run.layers import floats_of
from retinue.store.people.access import Actor
from retinue.store.published.current import RunInfo, seen_ids
from retinue.store.published.manifest import read_manifest
from retinue.store.published.snapshots import Published
from retinue.workspace import Workspace

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

#: Dates of a panel, at most: months of two years, and the last one.
MOST = 26
#: Values of an attribute by which accounts can be grouped.
FEWEST, GROUPS = 2, 50
#: By these accounts can be grouped whatever number of values they have; the largest stay apart.
ALWAYS = ("segment", "territory", "owner", "stage", "plan", "channel")
#: The quarter in which an account started.
COHORT = "start_cohort"
OTHERS = "others"
_NEVER = ("account_id", "as_of", "name", "parent", "arr", "tenure_days", "observed", "assumed")


@dataclass(frozen=True)
class Frame:
    """The accounts of one date, sorted by id: one entry per account in every array.

    `score` is the effective one, nan where not scored; `band` its place in BANDS, -1 where not
    scored; `arr` and `tenure` (days) nan where not known. `groups` is by dimension.
    """

    day: date
    ids: pa.Array
    score: Floats
    band: NDArray[np.int8]
    arr: Floats
    tenure: NDArray[np.float32]
    scorecard: Coded
    groups: dict[str, Coded]

    def __len__(self) -> int:
        return len(self.ids)

    def at(self, rows: Any) -> Frame:
        """The accounts of these rows only."""
        return Frame(
            self.day,
            self.ids.take(pa.array(np.flatnonzero(rows) if rows.dtype == bool else rows)),
            self.score[rows],
            self.band[rows],
            self.arr[rows],
            self.tenure[rows],
            self.scorecard.at(rows),
            {name: one.at(rows) for name, one in self.groups.items()},
        )


@dataclass(frozen=True)
class Panel:
    """Frames of a run, by date in order; `dimensions` are what accounts can be grouped by."""

    run_id: str
    dates: tuple[date, ...]
    frames: tuple[Frame, ...]
    dimensions: tuple[str, ...]

    def seen_by(self, workspace: Workspace, actor: Actor) -> Panel:
        """The same with only the accounts that the actor sees."""
        if actor.everything:
            return self
        mine = pa.array(seen_ids(workspace.store, actor), pa.string())
        return Panel(self.run_id, self.dates, tuple(only(one, mine) for one in self.frames), self.dimensions)


def only(frame: Frame, ids: pa.Array) -> Frame:
    """The accounts of the frame that are among `ids`."""
    return frame.at(pc.is_in(frame.ids, value_set=ids).to_numpy(zero_copy_only=False))


def panel(workspace: Workspace, actor: Actor, run: RunInfo) -> Panel:
    """The run's accounts over time, as far as the actor sees them."""
    return _panel(workspace.project.home, run.run_id).seen_by(workspace, actor)


def frame(workspace: Workspace, actor: Actor, run: RunInfo, day: date) -> Frame:
    """The accounts of one published date, as far as the actor sees them."""
    whole = _panel(workspace.project.home, run.run_id)
    if day in whole.dates:
        found = whole.frames[whole.dates.index(day)]
    else:
        found = _frame(workspace.project.home, run.run_id, day, whole.dimensions)
    return found if actor.everything else only(found, pa.array(seen_ids(workspace.store, actor), pa.string()))


def published(workspace: Workspace, run: RunInfo) -> Published:
    """The tables of that run, whichever is current by now."""
    return Published(workspace.project.home, read_manifest(workspace.project.home, run.run_id))


def nearest(dates: Sequence[date], day: date) -> date:
    """The last of the dates that is not after `day`; the first where all are."""
    return max((one for one in dates if one <= day), default=dates[0])


def grid(dates: Sequence[date], most: int = MOST) -> tuple[date, ...]:
    """Some of the dates: all if there are few, else the last of each month, else evenly spread ones."""
    if len(dates) <= most:
        return tuple(dates)
    months = {(day.year, day.month): day for day in dates}
    chosen = list(months.values())
    if len(chosen) < most // 2:
        chosen = [dates[round(n * (len(dates) - 1) / (most - 1))] for n in range(most)]
    return tuple(chosen[-most:])


@lru_cache(maxsize=1)
def _panel(home: Path, run_id: str) -> Panel:
    source = Published(home, read_manifest(home, run_id))
    dates = grid(source.dates())
    last = source.table("accounts", dates=[dates[-1]])
    dimensions = tuple(name for name in _candidates(last) if _usable(name, last))
    frames = tuple(_frame(home, run_id, day, dimensions) for day in dates)
    return Panel(run_id, dates, frames, dimensions)


def _candidates(accounts: pa.Table) -> list[str]:
    """The dimensions that could be, the usual ones first."""
    there = [
        field.name
        for field in accounts.schema
        if field.name not in _NEVER and not pa.types.is_temporal(field.type)
    ]
    started = [COHORT] if "started_on" in accounts.column_names else []
    usual = [name for name in ("segment", "territory", "owner", "stage") if name in there]
    return [*usual, *started, *(name for name in there if name not in usual)]


def _usable(name: str, accounts: pa.Table) -> bool:
    values = len(_coded(name, accounts).names)
    return values >= FEWEST and (values <= GROUPS or name in ALWAYS or name == COHORT)


@lru_cache(maxsize=8)
def _frame(home: Path, run_id: str, day: date, dimensions: tuple[str, ...]) -> Frame:
    source = Published(home, read_manifest(home, run_id))
    scores = source.table(
        "snapshots", dates=[day], columns=["account_id", "scorecard", "effective", "band"]
    ).combine_chunks()
    there = set(source.schema("accounts").names)
    wanted = [name for name in (*dimensions, "arr", "started_on") if name in there and name != COHORT]
    accounts = source.table("accounts", dates=[day], columns=["account_id", "tenure_days", *wanted])
    accounts = accounts.combine_chunks()
    ids = _column(scores, "account_id")
    if not ids.equals(_column(accounts, "account_id")):
        accounts = accounts.take(pc.index_in(ids, value_set=_column(accounts, "account_id")))
    score = floats_of(scores["effective"])
    band = pc.index_in(_column(scores, "band"), value_set=pa.array(BANDS)).fill_null(-1)
    return Frame(
        day,
        ids,
        score,
        _small(np.where(np.isnan(score), -1, band.to_numpy(zero_copy_only=False)), np.int8),
        _numbers(accounts, "arr"),
        _small(_numbers(accounts, "tenure_days"), np.float32),
        _coded("scorecard", scores),
        {name: _coded(name, accounts) for name in dimensions},
    )


def _column(table: pa.Table, name: str) -> pa.Array:
    found = table[name].combine_chunks()
    return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found


def _small(values: Any, kind: Any = np.int32) -> Any:
    """Two dozen dates of 100,000 accounts are kept: the shortest numbers that hold them do."""
    return values.astype(kind)


def _numbers(table: pa.Table, name: str) -> Floats:
    if name not in table.column_names or not pa.types.is_floating(table.schema.field(name).type):
        return np.full(table.num_rows, np.nan)
    return np.asarray(floats_of(table[name]), np.float64)


def _coded(name: str, table: pa.Table) -> Coded:
    """A column as texts by number; names in order."""
    if name == COHORT:
        return _cohorts(table)
    if name not in table.column_names:
        return Coded.none(table.num_rows)
    coded = _column(table, name).cast(pa.string()).dictionary_encode()
    names = coded.dictionary.to_pylist()
    order = sorted(range(len(names)), key=names.__getitem__)
    rank = np.full(len(names) + 1, -1, np.int64)
    rank[order] = np.arange(len(names))
    codes = rank[coded.indices.fill_null(len(names)).to_numpy(zero_copy_only=False).astype(np.int64)]
    return Coded(_small(codes), tuple(names[n] for n in order))


def _cohorts(table: pa.Table) -> Coded:
    """The quarter of `started_on`, such as 2025 Q3."""
    if "started_on" not in table.column_names:
        return Coded.none(table.num_rows)
    day = _column(table, "started_on")
    quarter = pc.add(pc.multiply(pc.year(day), 4), pc.subtract(pc.quarter(day), 1))
    known = quarter.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    there = np.unique(known[known >= 0])
    codes = np.where(known >= 0, np.searchsorted(there, known), -1)
    return Coded(_small(codes), tuple(f"{n // 4} Q{n % 4 + 1}" for n in there.tolist()))
