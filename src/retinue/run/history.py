"""What was published before a run, and what the run adds to it, as arrays side by side."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from retinue.errors import StoreError
from retinue.insight.stability import NO_DAY, Folded
from retinue.project.metrics import Sql, feeds
from retinue.project.project import Formula, Project
from retinue.project.references import attributes_of
from retinue.project.scorecards import Scorecard
from retinue.run.bridges import all_bridges, bridge_measures, bridge_numbers, published_bridges
from retinue.run.changes import Bridges, Changes, changes, needed
from retinue.run.kept import KIND, Kept, Scores, version
from retinue.run.layers import (
    History,
    dates_array,
    day_number,
    days_of,
    floats_of,
    history,
    keys,
    places_of,
    stabilised,
    state_after,
)
from retinue.store.published.kept import read_kept
from retinue.store.published.manifest import Manifest, Part
from retinue.store.published.snapshots import Published
from retinue.workspace import Workspace

if TYPE_CHECKING:
    from retinue.warehouse.compute import Computed
    from retinue.warehouse.engine import Engine

Array = NDArray[Any]

_SNAPSHOT_COLUMNS = [
    "account_id",
    "as_of",
    "fingerprint",
    "status",
    "base",
    "adjustment",
    "computed",
    "cap_level",
    "held",
    "reference",
    "published",
    "effective",
    "published_band",
    "band",
    "band_since",
]


@dataclass(frozen=True)
class Past:
    """The published run that a new one builds on; empty before the first."""

    published: Published | None
    manifest: Manifest | None

    @classmethod
    def of(cls, workspace: Workspace) -> Past:
        manifest = workspace.manifest()
        if manifest is None:
            return cls(None, None)
        return cls(Published(workspace.project.home, manifest), manifest)

    def dates(self) -> tuple[date, ...]:
        return self.published.dates() if self.published else ()

    def parts(self) -> tuple[Part, ...]:
        return self.manifest.parts if self.manifest else ()

    def whole(self) -> dict[str, str]:
        """The files of tables that are not dated."""
        return self.manifest.whole if self.manifest else {}

    @cached_property
    def formulas(self) -> dict[str, Formula]:
        """Every formula that a published snapshot rests on, by fingerprint."""
        told = self.manifest.formulas if self.manifest else {}
        return {fingerprint: Formula.from_dict(one) for fingerprint, one in told.items()}

    def kept(self, before: date) -> tuple[Kept, str]:
        """What is known of accounts on the published dates before `before`, and where it comes from:
        `used` if the last run kept it, else why it was made from all published snapshots."""
        if self.published is None or self.manifest is None:
            return Kept.empty(), "first run"
        last = self.dates()[-1]
        try:
            if before <= last:
                raise StoreError(f"{before} is not after the last published date")
            found = read_kept(self.published.home, KIND, self.manifest.run_id, version(last))
            return Kept.from_table(found, last), "used"
        except StoreError as error:
            return self.rebuilt(before), f"rebuilt: {error.message}"

    def rebuilt(self, before: date) -> Kept:
        """The same from all published snapshots."""
        dates = [day for day in self.dates() if day < before]
        if self.published is None or not dates:
            return Kept.empty()
        table = self.published.table("snapshots", last=dates[-1], columns=_SNAPSHOT_COLUMNS)
        ids = table["account_id"].unique()
        bridges = self.published.table(
            "bridges", last=dates[-1], columns=["account_id", "as_of", "old_computed"]
        )
        fingerprints = list(self.formulas)
        rows = history(
            table,
            places_of(table["account_id"], ids),
            fingerprints,
            {
                "ix": places_of(bridges["account_id"], ids),
                "day": days_of(bridges["as_of"]),
                "old_computed": floats_of(bridges["old_computed"]),
            },
        )
        state = state_after(rows, [self.formulas[one].scorecard for one in fingerprints], len(ids))
        told = {name: table[name] for name in ("fingerprint", "reference")}
        return Kept.empty().placed(ids).after(Scores.none(), rows, told, state, dates[-1])

    def scores(self, dates: Sequence[date], ids: pa.Array) -> Scores:
        """Published scores of `dates`, by place among `ids`."""
        if self.published is None or not dates:
            return Scores.none()
        columns = ["account_id", "as_of", "status", "effective"]
        table = self.published.table("snapshots", dates=dates, columns=columns)
        return Scores.read(table, places_of(table["account_id"], ids))

    def older_formulas(self, project: Project, last: pa.Table | None) -> dict[str, Formula]:
        """Formulas of last snapshots that the project has left behind and can still be scored."""
        if last is None:
            return {}
        kept = {formula.fingerprint for formula in project.formulas}
        used = sorted(set(last["fingerprint"].to_pylist()) - kept - {None})
        known = self.formulas
        return {one: known[one] for one in used if one in known and _can_score(known[one], project)}

    def curves_with(self, curves: pa.Table) -> pa.Table | None:
        """Published curves and those of a new run; where both have one, the new.

        None if the published ones are just that: then there is nothing to write.
        """
        if self.published is None:
            return curves
        old = self.published.table("curves").select(curves.column_names).cast(curves.schema)
        keys = ["fingerprint", "metric", "cohort", "reference"]
        again = pc.is_in(_joined(old, keys), value_set=pc.unique(_joined(curves, keys)))
        if _in_order(old.filter(again)).equals(_in_order(curves)):
            return None
        return pa.concat_tables([old.filter(pc.invert(again)), curves])


def _in_order(table: pa.Table) -> pa.Table:
    return table.sort_by([(name, "ascending") for name in table.column_names])


def _joined(table: pa.Table, keys: Sequence[str]) -> pa.ChunkedArray:
    texts = [pc.fill_null(table[key].cast(pa.string()), "") for key in keys]
    return pc.binary_join_element_wise(*texts, "\x1f")


def _can_score(formula: Formula, project: Project) -> bool:
    """Whether the sources and attributes of an old formula are still declared."""
    sources = {feed for metric in formula.metrics.values() for feed in feeds(metric)}
    attributes = set(attributes_of(formula.scorecard))
    plain = not any(isinstance(metric, Sql) for metric in formula.metrics.values())
    return plain and sources <= set(project.sources) and attributes <= set(project.settings.accounts.columns)


@dataclass(frozen=True)
class New:
    """A computation beside its past.

    `kept` is what is known of accounts before it, those of the computation first, in their order;
    `before` has their last scored snapshots. `rows` are the snapshots of the computation.
    """

    engine: Engine
    computed: Computed
    past: Past
    kept: Kept
    first: date
    account_ids: pa.Array
    index: dict[str, int]
    fingerprints: list[str]
    cards: list[Scorecard]
    before: History
    rows: History
    new_bridges: pa.Table | None

    @property
    def accounts(self) -> int:
        return len(self.account_ids)

    @classmethod
    def of(
        cls,
        engine: Engine,
        computed: Computed,
        snapshots: pa.Table,
        formulas: Mapping[str, Formula],
        past: Past,
        kept: Kept,
        first: date,
    ) -> New:
        from retinue.warehouse import tables

        accounts = engine.arrow(computed.facts.accounts.select("ix", "account_id").order_by("ix"))
        ids = accounts["account_id"].combine_chunks()
        fingerprints = list(formulas)
        cards = [formulas[fingerprint].scorecard for fingerprint in fingerprints]
        links = tables.bridges(engine, computed)
        rows = history(
            snapshots.append_column("fingerprint", _fingerprints(computed, snapshots)),
            snapshots["ix"].to_numpy().astype(np.int64),
            fingerprints,
            bridge_numbers(links, links["ix"].to_numpy() if links else np.zeros(0, np.int64)),
        )
        index = {account: ix for ix, account in enumerate(ids.to_pylist())}
        placed = kept.placed(ids)
        before = placed.last_rows(len(ids), placed.formula(fingerprints))
        return cls(
            engine, computed, past, placed, first, ids, index, fingerprints, cards, before, rows, links
        )

    def stabilised(self, rows: History) -> tuple[History, Folded]:
        """`rows` of this computation with their published layer."""
        return stabilised(rows, self.cards, self.kept.state, self.kept.formula(self.fingerprints))

    def kept_after(self, settled: History, snapshots: pa.Table, folded: Folded) -> Kept:
        """What the next run needs to know; `settled` are the `snapshots` with their layers."""
        last = self.computed.spine.dates[self.computed.positions[-1]]
        published = [day for day in self.past.dates() if day < self.first]
        seen = self.past.scores(self.kept.days_between(published, last), self.kept.account_ids)
        told = {
            "fingerprint": _fingerprints(self.computed, snapshots),
            "reference": snapshots["reference"],
        }
        return self.kept.after(seen, settled, told, folded.state, last)

    def drivers(self, settled: History, ix: Array, start: Array, end: Array) -> Changes:
        """Drivers of changes from scored snapshots, published or new, to new ones."""
        told = start != NO_DAY
        bridges = self._bridges(ix[told], start[told])
        at_ix, at_day = needed(bridges, ix[told], start[told], end[told])
        old = at_day < day_number(self.first)
        both = settled
        if old.any():
            assert self.past.published is not None
            pairs = self._pairs(at_ix[old], at_day[old])
            table = self.past.published.at("snapshots", pairs, _SNAPSHOT_COLUMNS)
            places = places_of(table["account_id"], self.account_ids)
            both = settled.after(history(table, places, self.fingerprints, bridge_numbers(None, places)))
        return changes(both, bridges, self.fetch, ix, start, end)

    def _bridges(self, ix: Array, start: Array) -> Bridges:
        """The bridges after the days `start` of the accounts `ix`, and perhaps others."""
        old: list[pa.Table] = []
        if self.past.published is not None and len(start) and start.min() < day_number(self.first):
            near = max(day_number(self.first) - _NEAR, int(start.min()) + 1)
            far = start < near - 1
            if far.any():
                # Few have not been scored for long: only theirs are read that far back.
                who = np.unique(ix[far])
                ids = None if len(who) > _FEW else self.account_ids.take(pa.array(who)).to_pylist()
                span = _day(int(start.min()) + 1), _day(near - 1)
                old.append(published_bridges(self.past.published, *span, ids))
            old.append(published_bridges(self.past.published, _day(near), self.first - timedelta(days=1)))
        table = pa.concat_tables(old) if old else None
        return all_bridges(self.past.published, table, self.account_ids, self.new_bridges, self._links)

    def _pairs(self, ix: Array, day: Array) -> pa.Table:
        unique = np.unique(keys(ix, day))
        found = np.stack(np.divmod(unique, 2**32))
        return pa.table(
            {
                "account_id": self.account_ids.take(pa.array(found[0])),
                "as_of": dates_array(found[1] - 2**31),
            }
        )

    def fetch(self, ix: Array, day: Array) -> pa.Table:
        """Measures at (ix, day), from this run or from what is published."""
        from retinue.warehouse import tables

        fresh = day >= day_number(self.first)
        found = []
        if fresh.any():
            pos = {day_number(d): n for n, d in enumerate(self.computed.spine.dates)}
            places = np.fromiter((pos[int(d)] for d in day[fresh]), np.int32, int(fresh.sum()))
            keys = pa.table({"ix": pa.array(ix[fresh].astype(np.int32)), "pos": pa.array(places)})
            rows = tables.measure_rows(self.engine, self.computed, keys)
            days = np.array([day_number(d) for d in self.computed.spine.dates])
            rows = rows.append_column("day", pa.array(days[rows["pos"].to_numpy()]))
            found.append(_of_measures(rows))
        if not fresh.all():
            assert self.past.published is not None
            columns = ["account_id", "as_of", "component", "metric", "points", "weight"]
            old = self.past.published.at("measures", self._pairs(ix[~fresh], day[~fresh]), columns)
            old = old.append_column("ix", pa.array(places_of(old["account_id"], self.account_ids)))
            found.append(_of_measures(old.append_column("day", pa.array(days_of(old["as_of"])))))
        return pa.concat_tables(found) if found else _of_measures(None)

    def bridges_table(self) -> pa.Table:
        """The bridges of this run in the columns of the contract."""
        told = self.new_bridges
        if told is None:
            fields = {"account_id": pa.string(), "as_of": pa.date32(), "old_fingerprint": pa.string()}
            return pa.schema(fields.items()).empty_table()
        cards = {f.fingerprint: f.scorecard.scorecard for f in self.past.formulas.values()}
        cards |= {f.fingerprint: f.scorecard.scorecard for f in self.computed.formulas}
        numbers = np.arange(told.num_rows)
        rows = self._links(numbers, whole=True)
        listed: list[list[dict[str, Any]]] = [[] for _ in numbers]
        for row in rows.to_pylist():
            listed[row.pop("bridge")].append(row)
        ix, day = told["ix"].to_numpy().astype(np.int64), days_of(told["as_of"])
        at = np.searchsorted(keys(self.rows.ix, self.rows.day), keys(ix, day))
        return pa.table(
            {
                "account_id": told["account_id"],
                "as_of": told["as_of"],
                "old_fingerprint": told["old_fingerprint"],
                "old_scorecard": pa.array(
                    [cards.get(one) for one in told["old_fingerprint"].to_pylist()], pa.string()
                ),
                "old_reference": told["old_reference"],
                "old_computed": told["old_computed"],
                "old_base": told["old_base"],
                "old_adjustment": told["old_adjustment"],
                "new_computed": pa.array(self.rows.computed[at]),
                "since": told["since"],
                "old_measures": pa.array([json.dumps(one) for one in listed], pa.string()),
            }
        )

    def _links(self, numbers: Array, *, whole: bool = False) -> pa.Table:
        return bridge_measures(self.engine, self.computed, self.new_bridges, numbers, whole=whole)


#: Bridges of this many days before a run are read of all accounts.
_NEAR = 45
#: So many accounts can be asked for by name.
_FEW = 500


def _day(number: int) -> date:
    return date(1970, 1, 1) + timedelta(days=number)


def _fingerprints(computed: Computed, snapshots: pa.Table) -> pa.Array:
    """The fingerprint of each of the computed snapshots."""
    own = pa.array([*(f.fingerprint for f in computed.formulas), None], pa.string())
    number = pc.fill_null(snapshots["formula"].cast(pa.int32()), len(computed.formulas))
    return own.take(number.combine_chunks())


def _of_measures(table: pa.Table | None) -> pa.Table:
    schema = pa.schema(
        [
            ("ix", pa.int64()),
            ("day", pa.int64()),
            ("component", pa.string()),
            ("metric", pa.string()),
            ("points", pa.float64()),
            ("weight", pa.float64()),
        ]
    )
    return table.select(schema.names).cast(schema) if table is not None else schema.empty_table()
