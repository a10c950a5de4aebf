"""What came to light in sources, date by date: each source is read once, whatever number of dates asks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date, timedelta
from types import TracebackType
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from retinue.action.picture import NEVER, aligned
from retinue.project.conditions import show
from retinue.project.project import Project
from retinue.run.layers import day_number, days_of
from retinue.warehouse.trace import Trace

Array = np.ndarray[Any, Any]


@dataclass
class Happenings:
    """Reads sources when they are first asked for. A context: the engine ends with it.

    `since`: rows that were visible before it are no news to anybody who asks.
    """

    project: Project
    trace: Trace
    since: date
    _stack: ExitStack = field(default_factory=ExitStack)
    _reader: _Reader | None = None
    _read: dict[tuple[str, str | None, str | None, date | None], _Rows] = field(default_factory=dict)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def new(self, source: str, where: Any, ids: pa.Array, after: date, until: date) -> Array:
        """New rows of each account, visible on days in (after, until]."""
        rows = self._rows(source, where, None, self.since)
        mine = (rows.visible > day_number(after)) & (rows.visible <= day_number(until))
        counts = np.bincount(rows.ix[mine], minlength=len(rows.ids))
        return aligned(ids, rows.ids, counts.astype(np.int64), 0)

    def last(self, sources: Sequence[str], ids: pa.Array, until: date) -> Array:
        """The day of each account's last row of any of the sources, of those visible by `until`."""
        found = np.full(len(ids), NEVER)
        for source in sources:
            rows = self._rows(source, None, None, None)
            mine = rows.visible <= day_number(until)
            last = np.full(len(rows.ids), NEVER)
            np.maximum.at(last, rows.ix[mine], rows.day[mine])
            found = np.maximum(found, aligned(ids, rows.ids, last, NEVER))
        return found

    def shared(
        self, source: str, column: str, until: date, days: int, windows: int
    ) -> Mapping[str, tuple[int, int]]:
        """Of each value of a column: accounts with a row in the last `days` days, and the sum of accounts
        over so many windows before that, each account counting once a window."""
        end = day_number(until)
        rows = self._rows(source, None, column, self.since - timedelta(days=days * (windows + 1)))
        window = (end - rows.day) // days
        mine = (rows.visible <= end) & (window >= 0) & (window <= windows) & (rows.value >= 0)
        size = len(rows.ids)
        place = (rows.value[mine] * (windows + 1) + window[mine]) * size + rows.ix[mine]
        once = np.unique(place) // size
        counts = np.bincount(once, minlength=len(rows.values) * (windows + 1)).reshape(-1, windows + 1)
        return {
            value: (int(recent), int(before))
            for value, recent, before in zip(
                rows.values, counts[:, 0], counts[:, 1:].sum(axis=1), strict=True
            )
        }

    def having(self, source: str, column: str, value: str, until: date, days: int) -> list[str]:
        """The accounts with a row of this value of a column in the last `days` days, in order of id; `shared`
        counts them."""
        rows = self._rows(source, None, column, until - timedelta(days=days))
        if value not in rows.values:
            return []
        end = day_number(until)
        here = (rows.visible <= end) & (rows.day <= end) & ((end - rows.day) // days == 0)
        mine = here & (rows.value == rows.values.index(value))
        return sorted(rows.ids.take(pa.array(np.unique(rows.ix[mine]))).to_pylist())

    def _rows(self, source: str, where: Any, column: str | None, since: date | None) -> _Rows:
        asked = (source, None if where is None else show(where), column, since)
        if asked not in self._read:
            from retinue.warehouse import outcomes

            reader = self._of_engine()
            table = outcomes.rows(
                reader.engine, self.project, reader.accounts, source, where=where, reason=column, since=since
            )
            encoded = pc.dictionary_encode(table["reason"].combine_chunks())
            self._read[asked] = _Rows(
                reader.ids,
                table["ix"].to_numpy().astype(np.int64),
                days_of(table["day"]),
                days_of(table["known"]),
                pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False).astype(np.int64),
                encoded.dictionary.to_pylist(),
            )
        return self._read[asked]

    def _of_engine(self) -> _Reader:
        if self._reader is None:
            from retinue.warehouse.engine import connect
            from retinue.warehouse.facts import sources

            engine = self._stack.enter_context(connect(self.project, trace=self.trace))
            people = sources.load(engine, self.project, {}).accounts
            ids = engine.arrow(people.order_by("ix").select("account_id"))["account_id"]
            self._reader = _Reader(engine, people, ids.combine_chunks())
        return self._reader


@dataclass(frozen=True)
class _Reader:
    """An engine that has the accounts of the project; `ids` are by ix."""

    engine: Any
    accounts: Any
    ids: pa.Array


@dataclass(frozen=True)
class _Rows:
    """Rows of a source side by side; `ix` counts `ids`, `value` counts `values` (-1: none)."""

    ids: pa.Array
    ix: Array
    day: Array
    visible: Array
    value: Array
    values: list[str]
