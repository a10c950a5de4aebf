"""What was published before a run, and what the run adds to it, as arrays side by side."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from retinue.project.metrics import Sql, feeds
from retinue.project.project import Formula, Project
from retinue.project.references import attributes_of
from retinue.project.scorecards import Scorecard
from retinue.run.changes import Bridges, Changes, changes
from retinue.run.layers import History, day_number, days_of, floats_of, history, keys
from retinue.store.manifest import Manifest, Part
from retinue.store.snapshots import Published
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

    def formulas(self) -> dict[str, Formula]:
        """Every formula that a published snapshot rests on, by fingerprint."""
        told = self.manifest.formulas if self.manifest else {}
        return {fingerprint: Formula.from_dict(one) for fingerprint, one in told.items()}

    def snapshots(self, before: date) -> pa.Table | None:
        """Published snapshots of the dates before `before`, sorted by account and date."""
        if self.published is None or not any(day < before for day in self.dates()):
            return None
        last = before - timedelta(days=1)
        return self.published.table("snapshots", last=last, columns=_SNAPSHOT_COLUMNS)

    def last_scored(self, before: date) -> pa.Table | None:
        """How each account was last scored before `before`: account_id, fingerprint, reference, as_of."""
        table = self.snapshots(before)
        if table is None:
            return None
        scored = table.filter(pc.equal(table["status"], "scored"))
        ids = scored["account_id"].combine_chunks()
        if not len(ids):
            return None
        last = np.append(pc.not_equal(ids[1:], ids[:-1]).to_numpy(zero_copy_only=False), True)
        return scored.select(["account_id", "fingerprint", "reference", "as_of"]).filter(pa.array(last))

    def older_formulas(self, project: Project, last: pa.Table | None) -> dict[str, Formula]:
        """Formulas of last snapshots that the project has left behind and can still be scored."""
        if last is None:
            return {}
        kept = {formula.fingerprint for formula in project.formulas}
        used = sorted(set(last["fingerprint"].to_pylist()) - kept - {None})
        known = self.formulas()
        return {one: known[one] for one in used if one in known and _can_score(known[one], project)}

    def curves_with(self, curves: pa.Table) -> pa.Table:
        """Published curves and those of a new run; where both have one, the new."""
        if self.published is None:
            return curves
        old = self.published.table("curves")
        keys = ["fingerprint", "metric", "cohort", "reference"]
        marked = _joined(curves, keys)
        kept = old.filter(pc.invert(pc.is_in(_joined(old, keys), value_set=pc.unique(marked))))
        return pa.concat_tables([kept.select(curves.column_names).cast(curves.schema), curves])


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
    """A computation beside its past: snapshots before it and of it, and all bridges."""

    engine: Engine
    computed: Computed
    past: Past
    first: date
    account_ids: pa.Array
    index: dict[str, int]
    fingerprints: list[str]
    cards: list[Scorecard]
    before: History
    rows: History
    bridges: Bridges
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
        first: date,
    ) -> New:
        from retinue.warehouse import tables

        accounts = engine.arrow(computed.facts.accounts.select("ix", "account_id").order_by("ix"))
        ids = accounts["account_id"].combine_chunks()
        fingerprints = list(formulas)
        cards = [formulas[fingerprint].scorecard for fingerprint in fingerprints]
        own = pa.array([*(f.fingerprint for f in computed.formulas), None], pa.string())
        number = pc.fill_null(snapshots["formula"].cast(pa.int32()), len(computed.formulas))
        named = snapshots.append_column("fingerprint", own.take(number))
        new_bridges = tables.bridges(engine, computed)
        old_bridges, told = _past_bridges(past, ids, first)
        bridges = _all_bridges(engine, computed, old_bridges, told, new_bridges)
        merged = {"ix": bridges.ix, "day": bridges.day, "old_computed": bridges.old_computed}
        published = past.snapshots(first)
        before = (
            history(published, _places(published["account_id"], ids), fingerprints, merged)
            if published is not None
            else history(_nothing(named), np.zeros(0, np.int64), fingerprints, merged)
        )
        rows = history(named, snapshots["ix"].to_numpy().astype(np.int64), fingerprints, merged)
        index = {account: ix for ix, account in enumerate(ids.to_pylist())}
        return cls(
            engine, computed, past, first, ids, index, fingerprints, cards, before, rows, bridges, new_bridges
        )

    def drivers(self, snapshots: History, ix: Array, start: Array, end: Array) -> Changes:
        """Drivers of changes between scored snapshots, published or new."""
        return changes(snapshots, self.bridges, self.fetch, ix, start, end)

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
        found += [
            self._published_measures(int(one), ix[~fresh][day[~fresh] == one])
            for one in np.unique(day[~fresh])
        ]
        return pa.concat_tables(found) if found else _of_measures(None)

    def _published_measures(self, day: int, ix: Array) -> pa.Table:
        assert self.past.published is not None
        as_of = date(1970, 1, 1) + timedelta(days=day)
        columns = ["account_id", "component", "metric", "points", "weight"]
        table = self.past.published.table("measures", first=as_of, last=as_of, columns=columns)
        places = _places(table["account_id"], self.account_ids)
        table = table.append_column("ix", pa.array(places)).append_column(
            "day", pa.array(np.full(table.num_rows, day, np.int64))
        )
        return _of_measures(table.filter(pa.array(np.isin(places, ix))))

    def bridges_table(self) -> pa.Table:
        """The bridges of this run in the columns of the contract."""
        told = self.new_bridges
        if told is None:
            fields = {"account_id": pa.string(), "as_of": pa.date32(), "old_fingerprint": pa.string()}
            return pa.schema(fields.items()).empty_table()
        cards = {f.fingerprint: f.scorecard.scorecard for f in self.past.formulas().values()}
        cards |= {f.fingerprint: f.scorecard.scorecard for f in self.computed.formulas}
        numbers = np.arange(told.num_rows)
        rows = self._new_bridge_measures(numbers, whole=True)
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

    def _new_bridge_measures(self, numbers: Array, *, whole: bool = False) -> pa.Table:
        return _bridge_measures(self.engine, self.computed, self.new_bridges, numbers, whole=whole)


def _nothing(table: pa.Table) -> pa.Table:
    return table.slice(0, 0)


def _places(accounts: pa.ChunkedArray, ids: pa.Array) -> Array:
    """The ix of accounts by id, -1 for those that are no longer there."""
    found = pc.fill_null(pc.index_in(accounts, value_set=ids), -1)
    return np.asarray(found.to_numpy(zero_copy_only=False), dtype=np.int64)


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


_BRIDGE_MEASURES = pa.schema(
    [
        ("bridge", pa.int64()),
        ("component", pa.string()),
        ("metric", pa.string()),
        ("points", pa.float64()),
        ("weight", pa.float64()),
    ]
)


def _past_bridges(past: Past, ids: pa.Array, first: date) -> tuple[dict[str, Array], list[str]]:
    names = ("ix", "day", "since", "old_base", "old_adjustment", "old_computed")
    if past.published is None:
        return {name: np.zeros(0) for name in names}, []
    table = past.published.table("bridges", last=first - timedelta(days=1))
    places = _places(table["account_id"], ids)
    table = table.filter(pa.array(places >= 0))
    return {
        "ix": places[places >= 0],
        "day": days_of(table["as_of"]),
        "since": days_of(table["since"]),
        **{name: floats_of(table[name]) for name in ("old_base", "old_adjustment", "old_computed")},
    }, table["old_measures"].to_pylist()


def _all_bridges(
    engine: Engine, computed: Computed, old: dict[str, Array], told: list[str], new: pa.Table | None
) -> Bridges:
    """Bridges of the past and of this run, sorted by (ix, day)."""
    fresh: dict[str, Array] = {name: np.zeros(0) for name in old}
    if new is not None:
        fresh = {
            "ix": new["ix"].to_numpy().astype(np.int64),
            "day": days_of(new["as_of"]),
            "since": days_of(new["since"]),
            **{name: floats_of(new[name]) for name in ("old_base", "old_adjustment", "old_computed")},
        }
    both = {name: np.concatenate([old[name], fresh[name]]) for name in old}
    order = np.lexsort((both["day"], both["ix"]))
    count = len(old["ix"])

    def measures(numbers: Array) -> pa.Table:
        """Of bridges by their place in the sorted order."""
        source = order[numbers]
        found = []
        recent = source >= count
        if recent.any():
            rows = _bridge_measures(engine, computed, new, source[recent] - count)
            back = dict(zip((source[recent] - count).tolist(), numbers[recent].tolist(), strict=True))
            ids = pa.array([back[n] for n in rows["bridge"].to_pylist()], pa.int64())
            found.append(rows.set_column(0, "bridge", ids))
        rows_past = [
            {"bridge": int(number), **{k: m[k] for k in ("component", "metric", "points", "weight")}}
            for number, at in zip(numbers[~recent], source[~recent], strict=True)
            for m in json.loads(told[at] or "[]")
        ]
        found.append(pa.Table.from_pylist(rows_past, schema=_BRIDGE_MEASURES))
        return pa.concat_tables(found).select(_BRIDGE_MEASURES.names).cast(_BRIDGE_MEASURES)

    ints = {name: both[name][order].astype(np.int64) for name in ("ix", "day", "since")}
    floats = {name: both[name][order] for name in ("old_base", "old_adjustment", "old_computed")}
    return Bridges(**ints, **floats, measures=measures)


def _bridge_measures(
    engine: Engine, computed: Computed, links: pa.Table | None, numbers: Array, *, whole: bool = False
) -> pa.Table:
    """Measures scored the old way, for bridges by their row in `links`."""
    from retinue.warehouse import tables

    if links is None or computed.bridged is None or computed.bridged.scored is None or not len(numbers):
        return _BRIDGE_MEASURES.empty_table()
    chosen = links.take(pa.array(numbers)).select(["ix", "pos"])
    rows = tables.measure_rows(engine, computed, chosen, old=True)
    known = keys(links["ix"].to_numpy().astype(np.int64), links["pos"].to_numpy())
    at = np.searchsorted(known, keys(rows["ix"].to_numpy().astype(np.int64), rows["pos"].to_numpy()))
    names = ["component", "metric", *(["value", "state"] if whole else []), "points", "weight"]
    table = rows.select(names).add_column(0, "bridge", pa.array(at))
    if whole:
        return table
    return table.select(_BRIDGE_MEASURES.names).cast(_BRIDGE_MEASURES)
