"""The three layers of a score: from what was computed to what is published and effective."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from retinue.insight.stability import KINDS, NO_DAY, NOT_SCORED, Days, Folded, Rules, State, fold, plain_band
from retinue.project.project import Project
from retinue.project.scorecards import BANDS, Scorecard

Array = NDArray[Any]
_EPOCH = date(1970, 1, 1)


def day_number(day: date) -> int:
    return (day - _EPOCH).days


def days_of(column: pa.ChunkedArray) -> Array:
    """Dates as days since 1970-01-01; NO_DAY where there is none."""
    return np.asarray(column.cast(pa.int32()).fill_null(NO_DAY).to_numpy(), np.int64)


def floats_of(column: pa.ChunkedArray) -> Array:
    return np.asarray(column.cast(pa.float64()).to_numpy(zero_copy_only=False), np.float64)


def places_of(accounts: pa.ChunkedArray, ids: pa.Array) -> Array:
    """The ix of accounts by id, -1 for those that are no longer there."""
    found = pc.fill_null(pc.index_in(accounts, value_set=ids), -1)
    return np.asarray(found.to_numpy(zero_copy_only=False), dtype=np.int64)


def dates_array(days: Array) -> pa.Array:
    """Days since 1970-01-01 as dates; NO_DAY is null."""
    return pa.array(days.astype(np.int32), pa.int32(), mask=days == NO_DAY).cast(pa.date32())


def numbers_array(values: Array) -> pa.Array:
    """Doubles; nan is null."""
    return pa.array(values, pa.float64(), mask=np.isnan(values))


def bands_array(codes: Array) -> pa.Array:
    """Codes of bands as their names; NOT_SCORED is null."""
    return pa.array([*BANDS, None], pa.string()).take(pa.array(np.where(codes >= 0, codes, len(BANDS))))


@dataclass(frozen=True)
class History:
    """Snapshots as numbers, sorted by (ix, day): what layers and drivers are made from.

    `formula` indexes a list of fingerprints, -1 where no scorecard applied. `old_computed` is
    nan where there is no bridge. The layers are nan, and `band` NOT_SCORED, until they are known.
    """

    ix: Array
    day: Array
    scored: Array
    formula: Array
    base: Array
    adjustment: Array
    computed: Array
    cap_level: Array
    held: Array
    old_computed: Array
    published: Array
    effective: Array
    published_band: Array
    band: Array
    band_since: Array

    def __len__(self) -> int:
        return len(self.ix)

    def of(self, rows: Array | slice) -> History:
        return History(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))

    def after(self, other: History) -> History:
        """Both together, sorted again."""
        both = {
            name: np.concatenate([getattr(other, name), getattr(self, name)])
            for name in self.__dataclass_fields__
        }
        order = np.lexsort((both["day"], both["ix"]))
        return History(**{name: values[order] for name, values in both.items()})

    def last_scored(self) -> Array:
        """Where the last scored row of each account is."""
        at = np.flatnonzero(self.scored)
        last = np.concatenate([self.ix[at][1:] != self.ix[at][:-1], [True]])[: len(at)]
        return np.asarray(at[last])


def history(table: pa.Table, ix: Array, fingerprints: Sequence[str], bridges: Mapping[str, Array]) -> History:
    """Published or just computed snapshots as numbers.

    `ix` has the account of each row (-1: not among the accounts any more; such rows are left
    out). `table` has as_of, status, fingerprint, base, adjustment, computed, cap_level, held
    and, where they are known, the layers. `bridges` has ix, day, old_computed.
    """
    number = {fingerprint: n for n, fingerprint in enumerate(fingerprints)}
    codes = table["fingerprint"].combine_chunks().dictionary_encode()
    lookup = np.array([number.get(text, -1) for text in codes.dictionary.to_pylist()] + [-1])
    formula = lookup[codes.indices.fill_null(len(lookup) - 1).to_numpy(zero_copy_only=False).astype(np.int64)]
    rows = table.num_rows
    day = days_of(table["as_of"])
    layers: dict[str, Array] = {
        name: floats_of(table[name]) if name in table.column_names else np.full(rows, np.nan)
        for name in ("published", "effective")
    }
    bands = {
        name: _band_codes(table[name]) if name in table.column_names else np.full(rows, NOT_SCORED, np.int8)
        for name in ("published_band", "band")
    }
    since = days_of(table["band_since"]) if "band_since" in table.column_names else np.full(rows, NO_DAY)
    old = np.full(rows, np.nan)
    if len(bridges["ix"]):
        known = keys(bridges["ix"], bridges["day"])
        order = np.argsort(known)
        at = np.searchsorted(known[order], keys(ix, day))
        at = np.minimum(at, len(order) - 1)
        met = known[order][at] == keys(ix, day)
        old = np.where(met, bridges["old_computed"][order][at], np.nan)
    found = History(
        ix=ix.astype(np.int64),
        day=day,
        scored=np.asarray(table["status"].to_numpy(zero_copy_only=False) == "scored"),
        formula=formula,
        base=floats_of(table["base"]),
        adjustment=floats_of(table["adjustment"]),
        computed=floats_of(table["computed"]),
        cap_level=floats_of(table["cap_level"]),
        held=table["held"].to_numpy(zero_copy_only=False).astype(bool),
        old_computed=old,
        band_since=since,
        **layers,
        **bands,
    ).of(ix >= 0)
    return found.of(np.lexsort((found.day, found.ix)))


def keys(ix: Array, day: Array) -> Array:
    """One number per (account, day), which sorts as the pair does."""
    return ix.astype(np.int64) * 2**32 + (day.astype(np.int64) + 2**31)


def _band_codes(column: pa.ChunkedArray) -> Array:
    codes = column.combine_chunks().dictionary_encode()
    lookup = np.array([BANDS.index(text) for text in codes.dictionary.to_pylist()] + [NOT_SCORED], np.int8)
    at = codes.indices.fill_null(len(lookup) - 1).to_numpy(zero_copy_only=False)
    return np.asarray(lookup[at.astype(np.int64)])


def stabilised(
    new: History, cards: Sequence[Scorecard], state: State, last_formula: Array
) -> tuple[History, Folded]:
    """`new` with its published layer: the fold over the dates, from `state` on.

    `last_formula` has the formula of the last scored snapshot of each account, -1 without one.
    """
    folded = fold(_days(new, cards, last_formula), state)
    settled = replace(
        new,
        published=folded.published,
        effective=folded.published.copy(),
        published_band=folded.band.astype(np.int8),
        band=folded.band.astype(np.int8),
        band_since=np.where(folded.band == NOT_SCORED, NO_DAY, folded.band_since),
    )
    return settled, folded


def state_after(rows: History, cards: Sequence[Scorecard], accounts: int) -> State:
    """The state of stability after `rows`, which are all that there are."""
    return fold(_days(rows, cards, np.full(accounts, -1)), State.empty(accounts)).state


def _days(rows: History, cards: Sequence[Scorecard], last_formula: Array) -> Days:
    """What the fold wants to know of each row; `cards` by formula number."""
    told = np.array(
        [
            (
                *list(c.bands.values())[1:],
                c.stability.deadband,
                c.stability.margin,
                c.stability.confirm.down.days,
                c.stability.confirm.up.days,
            )
            for c in cards
        ]
        or [(40.0, 70.0, 0.0, 0.0, 1.0, 1.0)],
        dtype=float,
    )
    mine = told[np.maximum(rows.formula, 0)]
    return Days(
        ix=rows.ix,
        as_of=rows.day,
        scored=rows.scored,
        computed=rows.computed,
        cap=rows.cap_level,
        held=rows.held,
        reset=_resets(rows, last_formula),
        old_computed=rows.old_computed,
        rules=Rules(mine[:, :2], mine[:, 2], mine[:, 3], mine[:, 4], mine[:, 5]),
    )


def _resets(rows: History, last_formula: Array) -> Array:
    """Scored rows whose formula is not that of the scored row before."""
    reset = np.zeros(len(rows), bool)
    at = np.flatnonzero(rows.scored)
    if not len(at):
        return reset
    ix, formula = rows.ix[at], rows.formula[at]
    first = np.concatenate([[True], ix[1:] != ix[:-1]])
    before = np.where(first, last_formula[ix], np.concatenate([[-1], formula[:-1]]))
    reset[at] = (before != -1) & (before != formula)
    return reset


# --- overrides ---------------------------------------------------------------------------------


def known_day(moment: datetime, project: Project) -> date:
    """The day whose knowledge something said at `moment` (UTC) belongs to."""
    local = moment.replace(tzinfo=UTC).astimezone(ZoneInfo(project.settings.timezone))
    return (local.replace(tzinfo=None) - project.settings.day_closes).date()


def overridden(
    before: History,
    new: History,
    overrides: pa.Table,
    index: Mapping[str, int],
    cards: Sequence[Scorecard],
    project: Project,
) -> History:
    """`new` with its effective layer: published, after what people have set, capped or floored.

    `before` has the last scored snapshot of each account before `new`.
    Under an override the band is the plain band of the effective number. A later statement of
    the same kind replaces an earlier one; a floor follows what is set, and a cap beats a floor.
    """
    if not overrides.num_rows:
        return new
    effective, touched = new.published.copy(), np.zeros(len(new), bool)
    spoken = sorted(overrides.to_pylist(), key=lambda row: (row["said_at"], row["id"]))
    places = keys(new.ix, new.day)
    for kind in ("set", "floor", "cap"):
        level = np.full(len(new), np.nan)
        for row in spoken:
            if row["kind"] == kind and row["account_id"] in index:
                level[_active(row, places, index, project)] = row["value"]
        here = ~np.isnan(level) & new.scored
        limit = {"set": level, "floor": np.maximum(effective, level), "cap": np.minimum(effective, level)}
        effective[here] = limit[kind][here]
        touched |= here
    edges = np.array([list(card.bands.values())[1:] for card in cards] or [[40.0, 70.0]], dtype=float)
    plain = plain_band(effective, edges[np.maximum(new.formula, 0)])
    band = np.where(touched, plain, new.published_band).astype(np.int8)
    changed = replace(new, effective=effective, band=band)
    return replace(changed, band_since=_since(before, changed))


def _active(row: Mapping[str, Any], places: Array, index: Mapping[str, int], project: Project) -> slice:
    """The rows, by their `places` (keys), at which an override holds."""
    first = max(day_number(row["starts_on"]), day_number(known_day(row["said_at"], project)))
    last = [day_number(row["expires_on"])] if row["expires_on"] else []
    if row["withdrawn_at"]:
        last.append(day_number(known_day(row["withdrawn_at"], project)) - 1)
    until = min(last, default=2**30)
    ix = np.full(2, index[row["account_id"]])
    start, end = np.searchsorted(places, keys(ix, np.array([first, until + 1]))).tolist()
    return slice(start, end)


def _since(before: History, rows: History) -> Array:
    """Day from which the band has held, across days without a score."""
    whole = rows.after(before) if len(before) else rows
    at = np.flatnonzero(whole.scored)
    ix, band, day = whole.ix[at], whole.band[at], whole.day[at]
    first = np.concatenate([[True], ix[1:] != ix[:-1]])[: len(at)]
    moved = np.concatenate([[True], band[1:] != band[:-1]])[: len(at)]
    known = np.where(np.isin(keys(ix, day), keys(rows.ix, rows.day)), day, whole.band_since[at])
    run = np.maximum.accumulate(np.where(first | moved, np.arange(len(at)), 0))
    since = np.full(len(rows), NO_DAY)
    own = np.isin(keys(ix, day), keys(rows.ix, rows.day))
    since[np.searchsorted(keys(rows.ix, rows.day), keys(ix[own], day[own]))] = known[run][own]
    return since


@dataclass(frozen=True)
class Transitions:
    """Changes of band, one entry each; `row` is the place in the new rows, `since` the day of
    the snapshot that the drivers start from."""

    row: Array
    kind: list[str]
    from_band: Array
    to_band: Array
    since: Array


def transitions(before: History, new: History, folded: Folded) -> Transitions:
    """Transitions of the published band, and those of the effective band that overrides made.

    `before` has the last scored snapshot of each account before `new`.
    """
    at = np.flatnonzero(folded.kind > 0)
    whole = new.after(before) if len(before) else new
    scored = np.flatnonzero(whole.scored)
    ix, day, band = whole.ix[scored], whole.day[scored], whole.band[scored]
    same = np.concatenate([[False], ix[1:] == ix[:-1]])[: len(scored)]
    earlier_band = np.concatenate([[NOT_SCORED], band[:-1]])[: len(scored)]
    earlier_day = np.concatenate([[NO_DAY], day[:-1]])[: len(scored)]
    moved = same & (band != earlier_band)
    place = np.searchsorted(keys(new.ix, new.day), keys(ix, day))
    is_new = (place < len(new)) & (
        keys(new.ix, new.day)[np.minimum(place, max(len(new) - 1, 0))] == keys(ix, day)
    )
    by_person = moved & is_new & (folded.kind[np.minimum(place, max(len(new) - 1, 0))] == 0)
    row = np.concatenate([at, place[by_person]])
    kind = [KINDS[k] for k in folded.kind[at].tolist()] + ["override"] * int(by_person.sum())
    order = np.argsort(row, kind="stable")
    return Transitions(
        row=row[order],
        kind=[kind[n] for n in order.tolist()],
        from_band=np.concatenate([folded.from_band[at], earlier_band[by_person]])[order],
        to_band=np.concatenate([folded.to_band[at], band[by_person]])[order],
        since=np.concatenate([folded.since[at], earlier_day[by_person]])[order],
    )


def first_day_without(expires_on: date | None) -> date | None:
    return expires_on + timedelta(days=1) if expires_on else None
