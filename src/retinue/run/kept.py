"""What the published history says of each account, as far as the next day needs it.

A run could read it from what is published every time. Instead each run leaves it for the next one;
where that is not to be had, or is of something else, it is made from all published snapshots.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from retinue import __version__
from retinue.errors import StoreError
from retinue.insight.stability import NO_DAY, NOT_SCORED, State
from retinue.project.project import SEMANTICS
from retinue.run.layers import History, dates_array, day_number, days_of, floats_of, keys

Array = NDArray[Any]

#: The name of this kind of state.
KIND = "scores"
#: Raise it when what is kept, or what it means, changes.
FORMAT = 1

#: Weekly points of the sparkline.
SPARK_WEEKS = 13
#: Changes that the list of accounts shows, in days.
DELTAS = (7, 28, 90)
#: Days before the last date for which the last score is kept.
BACK = tuple(sorted({*DELTAS, *(7 * week for week in range(SPARK_WEEKS))}))


@dataclass(frozen=True)
class Kept:
    """What is known of accounts after the date `last`; row i belongs to account_ids[i].

    `state` is that of stability. `fingerprint`, `reference`, `band` and `band_since` are those of
    the last scored snapshot (null, NOT_SCORED and NO_DAY without one; the band is the effective
    one). `day` and `effective` [accounts, BACK] tell the last scored snapshot on or before
    each of the days BACK before `last`. Accounts that have left the table of accounts stay.
    """

    last: date | None
    account_ids: pa.Array
    state: State
    fingerprint: pa.Array
    reference: pa.Array
    band: Array
    band_since: Array
    day: Array
    effective: Array

    @classmethod
    def empty(cls) -> Self:
        return cls(
            None,
            pa.array([], pa.string()),
            State.empty(0),
            pa.array([], pa.string()),
            pa.array([], pa.date32()),
            np.zeros(0, np.int8),
            np.zeros(0, np.int64),
            np.zeros((0, len(BACK)), np.int64),
            np.zeros((0, len(BACK))),
        )

    def __len__(self) -> int:
        return len(self.account_ids)

    def placed(self, ids: pa.Array) -> Self:
        """The same with the accounts `ids` first, in their order, and then those that are not among them."""
        gone = self.account_ids.filter(pc.invert(pc.is_in(self.account_ids, value_set=ids)))
        every = pa.concat_arrays([ids, gone])
        found = pc.index_in(every, value_set=self.account_ids)
        source = pc.fill_null(found, -1).to_numpy(zero_copy_only=False).astype(np.int64)
        known = source >= 0

        def moved(values: Array, empty: float) -> Array:
            fresh = np.full((len(source), *values.shape[1:]), empty, values.dtype)
            fresh[known] = values[source[known]]
            return fresh

        return replace(
            self,
            account_ids=every,
            state=self.state.placed(source),
            fingerprint=self.fingerprint.take(found),
            reference=self.reference.take(found),
            band=moved(self.band, NOT_SCORED),
            band_since=moved(self.band_since, NO_DAY),
            day=moved(self.day, NO_DAY),
            effective=moved(self.effective, np.nan),
        )

    def last_scored(self) -> pa.Table | None:
        """How each account was last scored: account_id, fingerprint, reference, as_of; None if none was."""
        table = pa.table(
            {
                "account_id": self.account_ids,
                "fingerprint": self.fingerprint,
                "reference": self.reference,
                "as_of": dates_array(self.day[:, 0]),
            }
        )
        scored = table.filter(pa.array(self.day[:, 0] != NO_DAY)).sort_by("account_id")
        return scored if scored.num_rows else None

    def last_rows(self, accounts: int, formula: Array) -> History:
        """The last scored snapshot of each of the first `accounts`; only its band is told."""
        ix = np.flatnonzero(self.day[:accounts, 0] != NO_DAY)
        unknown = np.full(len(ix), np.nan)
        return History(
            ix=ix,
            day=self.day[ix, 0],
            scored=np.ones(len(ix), bool),
            formula=formula[ix],
            **dict.fromkeys(("base", "adjustment", "computed", "cap_level", "old_computed"), unknown),
            held=np.zeros(len(ix), bool),
            published=unknown,
            effective=self.effective[ix, 0],
            published_band=self.band[ix],
            band=self.band[ix],
            band_since=self.band_since[ix],
        )

    def formula(self, fingerprints: Sequence[str]) -> Array:
        """Place among `fingerprints` of the last formula of each account, -1 without one."""
        found = pc.index_in(self.fingerprint, value_set=pa.array(fingerprints, pa.string()))
        return np.asarray(pc.fill_null(found, -1).to_numpy(zero_copy_only=False), np.int64)

    def days_between(self, published: Sequence[date], last: date) -> list[date]:
        """The published dates that must be seen to tell what BACK means from `last` on."""
        if self.last is None:
            return []
        spans = [(self.last - timedelta(days=back), last - timedelta(days=back)) for back in BACK]
        return [day for day in published if any(low < day <= high for low, high in spans)]

    def after(
        self, seen: Scores, rows: History, told: Mapping[str, pa.ChunkedArray], state: State, last: date
    ) -> Self:
        """What is known after `rows` with their layers, up to `last`.

        `seen` are scores of the dates `days_between`, `told` has the fingerprint and reference of
        each row, `state` is that of stability after them.
        """
        day, effective = self.day.copy(), self.effective.copy()
        for scores in (seen, Scores.of(rows)):
            for n, back in enumerate(BACK):
                found_day, found = scores.on(day_number(last) - back, len(self))
                later = found_day > day[:, n]
                day[later, n], effective[later, n] = found_day[later], found[later]
        at = rows.last_scored()
        ix = rows.ix[at]
        row = np.full(len(self), -1)
        row[ix] = at
        fresh = pa.array(row, mask=row < 0)
        band, band_since = self.band.copy(), self.band_since.copy()
        band[ix], band_since[ix] = rows.band[at], rows.band_since[at]
        is_new = pa.array(row >= 0)
        return replace(
            self,
            last=last,
            state=state,
            fingerprint=pc.if_else(is_new, _column(told["fingerprint"]).take(fresh), self.fingerprint),
            reference=pc.if_else(is_new, _column(told["reference"]).take(fresh), self.reference),
            band=band,
            band_since=band_since,
            day=day,
            effective=effective,
        )

    # --- as a table ----------------------------------------------------------------------------

    def to_table(self) -> pa.Table:
        columns: dict[str, Any] = {
            "account_id": self.account_ids,
            "fingerprint": self.fingerprint,
            "reference": self.reference,
            "band": self.band,
            "band_since": self.band_since,
        }
        for name, values in self.state.to_dict().items():
            for n, column in enumerate(values.T if values.ndim == 2 else values[None]):
                columns[f"state {name} {n}"] = np.ascontiguousarray(column)
        for n, back in enumerate(BACK):
            columns[f"day {back}"] = np.ascontiguousarray(self.day[:, n])
            columns[f"effective {back}"] = np.ascontiguousarray(self.effective[:, n])
        return pa.table(columns)

    @classmethod
    def from_table(cls, table: pa.Table, last: date) -> Self:
        """Raises StoreError for a table that `to_table` did not make."""
        whole = cls.empty()
        if table.schema != whole.to_table().schema:
            raise StoreError("the state is of another version")

        def numbers(name: str) -> Array:
            return np.array(table[name].to_numpy())

        arrays = {}
        for name, empty in whole.state.to_dict().items():
            width = empty.shape[1] if empty.ndim == 2 else 0
            parts = [numbers(f"state {name} {n}") for n in range(max(width, 1))]
            arrays[name] = np.stack(parts, axis=1) if width else parts[0]
        return cls(
            last,
            _column(table["account_id"]),
            State.from_dict(arrays),
            _column(table["fingerprint"]),
            _column(table["reference"]),
            numbers("band"),
            numbers("band_since"),
            np.stack([numbers(f"day {back}") for back in BACK], axis=1),
            np.stack([numbers(f"effective {back}") for back in BACK], axis=1),
        )


def version(last: date) -> dict[str, str | int]:
    """What the state must have been made with, and up to which date, to be used."""
    return {"format": FORMAT, "semantics": SEMANTICS, "package": __version__, "last": last.isoformat()}


@dataclass(frozen=True)
class Scores:
    """Scored snapshots, sorted by (ix, day)."""

    ix: Array
    day: Array
    effective: Array

    @classmethod
    def none(cls) -> Self:
        return cls(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))

    @classmethod
    def of(cls, rows: History) -> Self:
        return cls(rows.ix[rows.scored], rows.day[rows.scored], rows.effective[rows.scored])

    @classmethod
    def read(cls, table: pa.Table, ix: Array) -> Self:
        """From published snapshots with as_of, status and effective; `ix` is -1 for those to leave out."""
        scored = np.asarray(table["status"].to_numpy(zero_copy_only=False) == "scored") & (ix >= 0)
        day, effective = days_of(table["as_of"])[scored], floats_of(table["effective"])[scored]
        order = np.lexsort((day, ix[scored]))
        return cls(ix[scored][order], day[order], effective[order])

    @cached_property
    def _keys(self) -> Array:
        return keys(self.ix, self.day)

    def on(self, day: int, accounts: int) -> tuple[Array, Array]:
        """Day and effective score of the last scored snapshot on or before `day`, NO_DAY and nan without."""
        if not len(self.ix):
            return np.full(accounts, NO_DAY), np.full(accounts, np.nan)
        every = np.arange(accounts)
        asked = keys(every, np.full(accounts, day))
        at = np.searchsorted(self._keys, asked, side="right") - 1
        place = np.maximum(at, 0)
        own = (at >= 0) & (self.ix[place] == every)
        return np.where(own, self.day[place], NO_DAY), np.where(own, self.effective[place], np.nan)


def _column(values: pa.ChunkedArray | pa.Array) -> pa.Array:
    return values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
