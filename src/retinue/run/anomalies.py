"""Anomalies of usage on the last date of a run, as published tables."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from retinue.insight.anomalies import HISTORY_WEEKS
from retinue.project.project import Project
from retinue.project.usage import Used, used
from retinue.run.layers import day_number, days_of, numbers_array
from retinue.store.published.contract import TABLES

if TYPE_CHECKING:
    from retinue.insight.anomalies.judge import Anomalies
    from retinue.run.history import New
    from retinue.warehouse.compute import Computed
    from retinue.warehouse.engine import Engine
    from retinue.warehouse.usage import Counting

Array = NDArray[Any]

#: The name of the group of all accounts.
PORTFOLIO = "portfolio"
#: Rows may usually come so many days late; later ones are missing for every account alike.
LATEST = 7
#: The share of rows that must usually have come.
COME = 0.95
_DIRECTIONS = ("fall", None, "rise")


def counting(project: Project) -> Counting | None:
    """What a run has to count; None where no source says who used something."""
    from retinue.warehouse.usage import Counting

    told = _used(project)
    return Counting(told.source, told.where, 7 * HISTORY_WEEKS + LATEST) if told else None


def _used(project: Project) -> Used | None:
    settings = project.settings
    return used(settings.usage, settings.facts, settings.accounts.columns)


def find(new: New, ix: Array, last: date, project: Project) -> dict[str, pa.Table]:
    """The rows of `anomalies` and `portfolio_usage` for the accounts `ix`, those alive on `last`.

    Without a source of usage both are empty.
    """
    from retinue.insight.anomalies.judge import anomalies
    from retinue.warehouse.usage import counts

    engine, computed = new.engine, new.computed
    engine.trace.stage("looking for anomalies")
    asked, told = counting(project), _used(project)
    if asked is None or told is None or not len(ix):
        return {name: TABLES[name].schema().empty_table() for name in ("anomalies", "portfolio_usage")}
    table = counts(engine, computed.usage, asked, last)
    uses = table["ix"].to_numpy().astype(np.int64), days_of(table["day"]), table["n"].to_numpy()
    late = usual_delay(uses[1], days_of(table["seen"]), uses[2], day_number(last))
    until = last - timedelta(days=late)
    matrix = _matrix(uses, ix, day_number(until), _begun(engine, computed, ix))
    group, names = _peers(engine, computed, told.peers, computed.spine.pos(last), ix)
    found = anomalies(matrix, group, until, len(names))
    accounts = {
        "account_id": new.account_ids.take(pa.array(ix)),
        "as_of": pa.array([last] * len(ix), pa.date32()),
        "peers": pa.array(names, pa.string()).take(pa.array(group)),
        **_told(found),
    }
    return {
        "anomalies": pa.table(accounts),
        "portfolio_usage": _groups(found, names, last, group),
    }


def usual_delay(day: Array, seen: Array, n: Array, last: int) -> int:
    """Days after which `COME` of the rows of a day have usually come, by those of two to six weeks before.

    A night may bring the rows of the day before only with the next one. Where even `LATEST` days are
    not enough, history was loaded later than it happened, and says nothing about delays.
    """
    then = (day > last - 42) & (day <= last - 14)
    total = n[then].sum()
    delay = (seen - day)[then]
    for days in range(LATEST + 1):
        if total and n[then][delay <= days].sum() >= COME * total:
            return days
    return 0


def _matrix(numbers: tuple[Array, Array, Array], ix: Array, until: int, begun: Array) -> Array:
    """Uses by account and day, [accounts, days], the last of which is `until`."""
    days = 7 * HISTORY_WEEKS
    place = np.full(max(int(ix.max()), int(numbers[0].max(initial=0))) + 1, -1)
    place[ix] = np.arange(len(ix))
    at, offset = place[numbers[0]], numbers[1] - (until - days + 1)
    told = (at >= 0) & (offset >= 0) & (offset < days)
    flat = np.bincount(at[told] * days + offset[told], numbers[2][told], len(ix) * days)
    matrix: Array = flat.reshape(len(ix), days)
    # Nothing is known of a day before the source's first row, nor of an account's before it began.
    rows = np.flatnonzero(matrix.any(axis=0))
    known_from = np.full(len(ix), int(rows[0]) if len(rows) else days)
    first = np.where(matrix.any(axis=1), (matrix > 0).argmax(axis=1), days)
    own = np.where(np.isnan(begun), first, begun - (until - days + 1))
    matrix[np.arange(days)[None, :] < np.maximum(own, known_from)[:, None]] = np.nan
    return matrix


def _begun(engine: Engine, computed: Computed, ix: Array) -> Array:
    """The day number on which each account began; nan where nobody knows."""
    table = engine.arrow(computed.facts.accounts.select("ix", "started_on").order_by("ix"))
    started = table["started_on"].cast(pa.int32()).to_numpy(zero_copy_only=False)
    days: Array = started.astype(np.float64)[ix]
    return days


def _peers(
    engine: Engine, computed: Computed, peers: Sequence[str], pos: int, ix: Array
) -> tuple[Array, list[str]]:
    """The group of each account, and what the groups are called."""
    there = [name for name in peers if f"a_{name}" in computed.around.columns]
    if not there:
        return np.zeros(len(ix), np.int64), [PORTFOLIO]
    around = computed.around.filter(computed.around.pos == pos)
    columns = {f"p{k}": around[f"a_{name}"].cast("string") for k, name in enumerate(there)}
    table = engine.arrow(around.select("ix", **columns).order_by("ix"))
    parts = [
        pc.binary_join_element_wise(name, pc.fill_null(table[f"p{k}"], "unknown"), " ")
        for k, name in enumerate(there)
    ]
    texts = (pc.binary_join_element_wise(*parts, ", ") if len(parts) > 1 else parts[0]).dictionary_encode()
    told = texts.combine_chunks()
    told = told if isinstance(told, pa.DictionaryArray) else told.chunk(0)
    order = pc.sort_indices(told.dictionary).to_numpy()
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    names = told.dictionary.take(pa.array(order)).to_pylist()
    at = np.searchsorted(table["ix"].to_numpy(), ix)
    return rank[told.indices.to_numpy()][at], names


def _told(found: Anomalies) -> dict[str, pa.Array]:
    directions = np.where(found.state == "ok", found.direction, 0) + 1
    return {
        "observed": numbers_array(found.observed),
        "expected": numbers_array(found.expected),
        "p": numbers_array(found.p),
        "q": numbers_array(found.q),
        "direction": pa.array(_DIRECTIONS, pa.string()).take(pa.array(directions)),
        "state": pa.array(found.state.tolist(), pa.string()),
        "cusum": numbers_array(found.cusum),
        "falling_since": pa.array(found.falling_since, pa.date32()),
    }


def _groups(found: Anomalies, names: list[str], last: date, group: Array) -> pa.Table:
    """Everybody, then each group; a single group is everybody."""
    of = found.groups
    rows = np.arange(1 if names == [PORTFOLIO] else len(names) + 1)

    def number_of(which: Array) -> pa.Array:
        each = np.bincount(group[which], minlength=len(names))
        return pa.array(np.concatenate([[each.sum()], each])[rows].astype(np.int64))

    return pa.table(
        {
            "as_of": pa.array([last] * len(rows), pa.date32()),
            "peers": pa.array([PORTFOLIO, *names], pa.string()).take(pa.array(rows)),
            "until": pa.array([found.day] * len(rows), pa.date32()),
            "accounts": pa.array(of.accounts[rows]),
            "observed": numbers_array(of.observed[rows]),
            "usual": numbers_array(of.own[rows]),
            "factor": numbers_array(of.factor[rows]),
            "lowest": numbers_array(of.lowest[rows]),
            "silent": pa.array([of.silent] * len(rows), pa.int64()),
            "state": pa.array(of.state[rows].tolist(), pa.string()),
            "falls": number_of(found.flagged & (found.direction < 0)),
            "rises": number_of(found.flagged & (found.direction > 0)),
            "declines": number_of(found.falling),
        }
    )
