"""One append-only source: what is kept of it, what is new of it, and what to keep after a run."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Literal

import ibis
import ibis.expr.types as ir
from ibis import _

from retinue.errors import Problem
from retinue.project.project import SEMANTICS, Project
from retinue.project.sources import Source
from retinue.warehouse.conditions import flag
from retinue.warehouse.engine import Engine
from retinue.warehouse.facts import clocks, money
from retinue.warehouse.facts import sources as facts
from retinue.warehouse.facts.counts import REJECTED, Counts
from retinue.warehouse.facts.rows import Wanted, chosen
from retinue.warehouse.facts.sources import Loaded, OfSource
from retinue.warehouse.kept import matter
from retinue.warehouse.kept.matter import Need
from retinue.warehouse.kept.state import Rebuild, Stamp, State, load, save
from retinue.warehouse.metrics import tallies
from retinue.warehouse.reading import raw
from retinue.warehouse.reading.raw import ROW, Raw
from retinue.warehouse.usage import tally

#: Parts of rows after which all are made one again.
PARTS = 30


@dataclass(frozen=True)
class Earlier:
    """What is kept of a source beside rows, in terms of today's accounts.

    `feed` has seen, reach: the last day that a row seen on a day is from; `carried` is a tally.
    `counts` (ix, day, seen, n) are those of rows taken before, where they are asked for; `fresh` are
    the facts that were not, None without any.
    """

    feed: ir.Table
    carried: tallies.Daily | None
    counts: ir.Table | None = None
    fresh: ir.Table | None = None


@dataclass
class Taken:
    """What a run has taken of a source, to be kept after it; `loaded` is None where nothing is new."""

    of: KeptSource
    state: State | None
    loaded: Loaded | None
    files: tuple[Stamp, ...]
    counted: int
    codes: ir.Table | None


@dataclass(frozen=True)
class KeptSource:
    """One append-only source in a run of the dates from `first` to `through`.

    `root` is where the state of all sources is kept.
    """

    engine: Engine
    project: Project
    root: Path
    first: date
    through: date
    name: str
    need: Need
    wanted: Wanted
    people: ir.Table
    rates: money.Rates

    @property
    def source(self) -> Source:
        return self.project.sources[self.name]

    @property
    def folder(self) -> Path:
        return self.root / self.name

    @cached_property
    def made_for(self) -> str:
        """Identifies the declarations that rows are typed by."""
        settings = self.project.settings
        told = [
            self.source.model_dump_json(exclude={"timeline"}),
            settings.timezone,
            str(settings.day_closes),
            SEMANTICS,
        ]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()

    @property
    def by(self) -> Literal["files", "rows"]:
        """A glob is taken by files; of a single table, what is new are rows."""
        glob = self.source.database is None and any(mark in self.source.table for mark in "*?[")
        return "files" if glob else "rows"

    def files(self) -> list[Path]:
        table = self.source.database or self.source.table
        return raw.files_of(table, self.project.root, f"source {self.name}")

    # --- all of it -----------------------------------------------------------------------------

    def whole(self) -> tuple[OfSource, Taken]:
        """The source as it is, to be kept from now on."""
        root = self.project.root
        stamps = tuple(Stamp.of(path, root) for path in self.files())
        table = self._raw(None)
        counted = self._counted(table) if self.by == "rows" else {}
        loaded, problems = self._load(table, None)
        taken = Taken(self, None, loaded, stamps, counted.get("now", 0), None)
        return OfSource(loaded.facts, loaded.counts, loaded.listed, problems), taken

    def _raw(self, only: list[Path] | None) -> Raw:
        project = self.project
        return raw.read(self.engine, self.source, project.root, f"source {self.name}", only)

    def _known(self, table: Raw) -> clocks.Time:
        assert self.source.known_at is not None
        zones = clocks.Zones.of(self.project.settings, self.source.timezone)
        return clocks.read(table, self.source.known_at, "known_at", zones)

    def _counted(self, table: Raw, then: date | None = None) -> dict[str, int]:
        """Rows that were loaded by the end of the run's last date, and by the end of `then`."""
        told = chosen(table, self.source)
        known = self._known(told).known
        columns = {"now": (known <= ibis.literal(self.through)).cast("int64").sum()}
        if then is not None:
            columns["then"] = (known <= ibis.literal(then)).cast("int64").sum()
        row = self.engine.arrow(told.table.aggregate(**columns)).to_pylist()[0]
        return {name: row[name] or 0 for name in columns}

    # --- what is new ---------------------------------------------------------------------------

    def continued(self) -> tuple[OfSource, Taken, Earlier]:
        """Facts from what is kept and what is new. Raises Rebuild where that does not serve."""
        state = load(self.folder)
        self._fits(state)
        codes = self._codes(state)
        kept = self._part(state, "rows")
        assert kept is not None
        if self._columns() != {c for c in kept.columns if c[:2] in ("c_", "n_", "w_")}:
            raise Rebuild("other columns are asked for than were kept")
        table, stamps, counted = self._new(state)
        people = self._with_accounts(codes)
        loaded = self._loaded(state, table, people) if table is not None else None
        columns = [c for c in kept.columns if c != "code"]
        alive = people.filter(people.ix.notnull()).select("code", "ix")
        met = kept.join(alive, "code").select("ix", *columns)
        told = met
        if loaded is not None:
            fresh = loaded.facts
            if {c: fresh[c].type() for c in columns if c in fresh.columns} != {
                c: met[c].type() for c in columns
            }:
                raise Rebuild("columns changed their types")
            told = met.union(fresh.select("ix", *columns))
        rejected, listed = self._rejected(state, people)
        if loaded is not None:
            listed = [*listed, *loaded.listed]
        lost = rejected + (loaded.counts.rejected if loaded else 0)
        read = state.read + (loaded.counts.read if loaded else 0)
        taken = Taken(self, state, loaded, stamps, counted, people)
        found = OfSource(told, Counts(read, read - lost, lost), listed, [])
        earlier = self._earlier(state, people)
        return found, taken, replace(earlier, fresh=None if loaded is None else loaded.facts)

    def _fits(self, state: State) -> None:
        if state.made_for != self.made_for:
            raise Rebuild("the source is declared differently")
        if not self.need.digests() <= state.needs:
            raise Rebuild("a metric asks for more than was kept")
        if state.by != self.by:
            raise Rebuild("the source is declared differently")
        if self.first <= state.through or self.first < state.exact:
            raise Rebuild("a date before those that are kept is asked for")

    def _columns(self) -> set[str]:
        """The columns of typed facts that are asked for."""
        told = {f"c_{name}" for name in self.wanted.plain} | {f"n_{name}" for name in self.wanted.numbers}
        return told | {flag(one) for one in self.wanted.conditions}

    def _part(self, state: State, kind: str) -> ir.Table | None:
        names = sorted(state.parts.get(kind, {}))
        if not names:
            return None
        return self.engine.con.read_parquet([str(self.folder / name) for name in names])

    def _codes(self, state: State) -> ir.Table:
        """code, key and, where its rows were an account's, account_id."""
        found = self._part(state, "keys")
        assert found is not None
        return found

    def _with_accounts(self, codes: ir.Table) -> ir.Table:
        """`codes` with today's `ix`, null where there is none. Raises Rebuild where an account that
        rows belonged to is gone, or another one has its key."""
        keys, _problems = facts.keys(
            self.engine, self.project, self.source, self.people, f"source {self.name}"
        )
        ids = self.people.select(told_ix="ix", told_id="account_id")
        met = codes.left_join(keys, codes.key == keys.key_of)
        met = met.left_join(ids, met.ix == ids.told_ix).select("code", "key", "account_id", "ix", "told_id")
        stored = self.engine.store("codes", met)
        gone = stored.filter(stored.account_id.notnull() & ~stored.account_id.identical_to(stored.told_id))
        if self.engine.count(gone):
            raise Rebuild("accounts are gone that rows belong to")
        if self.source.unique and self.engine.count(
            stored.filter(stored.account_id.isnull() & stored.ix.notnull())
        ):
            raise Rebuild("rows without an account have found one")
        return stored

    def _new(self, state: State) -> tuple[Raw | None, tuple[Stamp, ...], int]:
        """The table of what is new (None: nothing), the files as they are, and rows counted."""
        root = self.project.root
        files = self.files()
        stamps = tuple(Stamp.of(path, root) for path in files)
        if self.by == "files":
            if stamps[: len(state.files)] != state.files:
                raise Rebuild("a file that was read changed, or one came before it")
            fresh = files[len(state.files) :]
            return (_shifted(self._raw(fresh), state.read) if fresh else None), stamps, 0
        table = self._raw(None)
        if self.source.trusted_from is not None:
            raise Rebuild("`trusted_from` hides when rows of a single table were loaded")
        counted = self._counted(table, state.through)
        if counted["then"] != state.taken:
            raise Rebuild("rows that were read changed, or others were loaded as of then")
        known = self._known

        def only(rows: ir.Table) -> ir.Table:
            when = known(replace(table, table=rows)).known
            return rows.filter(when.isnull() | (when > ibis.literal(state.through)))

        return (
            replace(table, table=only(table.table), numbered=lambda: only(table.numbered())),
            stamps,
            counted["now"],
        )

    def _load(self, table: Raw, before: ir.Table | None) -> tuple[Loaded, list[Problem]]:
        project, what = self.project, f"source {self.name}"
        leading, problems = facts.keys(self.engine, project, self.source, self.people, what)
        loading = facts.Loading(
            self.engine,
            project,
            self.name,
            chosen(table, self.source),
            self.wanted,
            leading,
            self.rates,
            keep=True,
            before=before,
        )
        return loading.load(), problems

    def _loaded(self, state: State, table: Raw, people: ir.Table) -> Loaded:
        before = self._part(state, "unique")
        if before is not None:
            # A row without an account is none that others could be copies of.
            before = before.semi_join(people.filter(people.ix.notnull()), "code")
        loaded, _problems = self._load(table, before)
        if loaded.again is not None and before is not None:
            met = loaded.again.select("u", copied="visible").join(before, "u")
            if self.engine.count(met.filter(met.copied <= met.visible)):
                raise Rebuild("a copy was known before the row that was read")
        return loaded

    def _rejected(self, state: State, people: ir.Table) -> tuple[int, list[ir.Table]]:
        """Rows that were left out and still are."""
        found = self._part(state, "rejected")
        if found is None:
            return 0, []
        alive = people.filter(people.ix.notnull()).select(lost="key")
        still = self.engine.store("rejected", found.anti_join(alive, "lost").select(*REJECTED.names))
        return self.engine.count(still), [still]

    def _earlier(self, state: State, people: ir.Table) -> Earlier:
        feed = self._part(state, "feed")
        assert feed is not None
        alive = people.filter(people.ix.notnull()).select("code", "ix")
        counted = feed.left_join(alive, "code").drop("code_right")
        counted = counted.filter(counted.code.isnull() | counted.ix.notnull()).select("seen", "reach")
        carried = self._part(state, "carried")
        summed = None
        sums = {matter.digest(one): one for one in self.need.sums}
        if carried is not None and sums:
            mine = self.engine.store("carried", carried.join(alive, "code").select("ix", *sums))
            summed = matter.as_tally(mine, sums)
        counts = self._part(state, "counts")
        if counts is not None:
            counts = counts.join(alive, "code").select("ix", "day", "seen", "n")
        return Earlier(counted, summed, counts)

    # --- keeping -------------------------------------------------------------------------------

    def keep(self, taken: Taken, exact: date) -> None:
        """Keep what was taken; values are to be exact from `exact` on."""
        engine, state, loaded = self.engine, taken.state, taken.loaded
        through = ibis.literal(self.through)
        codes = self._all_codes(taken)
        parts = self._carried_on(state)
        written: dict[str, ir.Table] = {"keys": codes}
        needs, read = self.need.digests(), 0
        if loaded is not None:
            assert loaded.typed is not None
            fresh = loaded.typed
            if self.by == "rows":
                fresh = fresh.filter(fresh.loaded <= through)
            met = fresh.drop("ix", "loaded").join(codes, "key")
            written["feed"] = met.group_by(
                code=ibis.ifelse(met.account_id.isnull(), met.code, ibis.null("int32")), seen=met.visible
            ).agg(reach=met.day.max())
            written |= self._counts(met)
            rows = engine.store("coded", met.drop("key", "account_id"))
            old = self._part(state, "rows") if state else None
            if old is None or len(parts["rows"]) >= PARTS:
                both = rows if old is None else old.union(rows.select(*old.columns))
                exact = max(exact, state.exact) if state and old is not None else exact
                kept, gone = matter.split(engine, both, self.need, exact)
                before = self._part(state, "carried") if state else None
                carried = matter.carried(gone, self.need.sums, before)
                written |= {"rows": kept} | ({} if carried is None else {"carried": carried})
                parts = {kind: files for kind, files in parts.items() if kind not in ("rows", "carried")}
            else:
                assert state is not None
                written["rows"] = rows.select(*old.columns)
                needs, exact = state.needs, state.exact
            rejected = loaded.rejected
            if rejected is not None:
                if self.by == "rows":
                    rejected = rejected.filter(rejected.loaded.notnull() & (rejected.loaded <= through))
                written["rejected"] = rejected.drop("loaded")
            if loaded.unique is not None:
                written["unique"] = loaded.unique.join(codes, "key").select("u", "code", "visible")
            read = loaded.counts.read
        else:
            assert state is not None
            needs, exact = state.needs, state.exact
        for kind in ("feed", "counts", "rejected", "unique"):
            if state and kind in written and len(parts.get(kind, {})) >= PARTS:
                written[kind] = self._merged(state, kind, written[kind])
                parts.pop(kind)
        self.folder.mkdir(parents=True, exist_ok=True)
        paths = {kind: self.folder / f".{kind}.parquet" for kind in written}
        for kind, table in written.items():
            engine.to_parquet(table, paths[kind])
        save(
            self.folder,
            State(
                made_for=self.made_for,
                needs=needs if self.need.counting else frozenset(one for one in needs if one[:6] != "counts"),
                by=self.by,
                files=taken.files,
                through=self.through,
                exact=exact,
                taken=taken.counted,
                read=taken.counted if self.by == "rows" else (state.read if state else 0) + read,
                parts=parts,
            ),
            paths,
        )

    def _carried_on(self, state: State | None) -> dict[str, dict[str, str]]:
        """The parts that stay. Counts that are not asked for now do not: they would lack this run's rows."""
        left = {"keys"} if self.need.counting else {"keys", "counts"}
        told = state.parts if state else {}
        return {kind: dict(files) for kind, files in told.items() if kind not in left}

    def _counts(self, rows: ir.Table) -> dict[str, ir.Table]:
        """What is counted of new rows (with `code`), where it is asked for."""
        counting = self.need.counting
        return {"counts": tally(rows, counting, "code", self.through)} if counting else {}

    def _merged(self, state: State, kind: str, fresh: ir.Table) -> ir.Table:
        """What was kept of this kind and `fresh` as one part."""
        old = self._part(state, kind)
        both = fresh if old is None else old.union(fresh.select(*old.columns))
        if kind == "counts" and self.need.counting is not None:
            return both.filter(both.day > self.need.counting.since(self.through))
        return both.group_by("code", "seen").agg(reach=_.reach.max()) if kind == "feed" else both

    def _all_codes(self, taken: Taken) -> ir.Table:
        """code, key, and the account_id that it is today: all keys that were met so far."""
        ids = self.people.select(told_ix="ix", account_id="account_id")
        old = taken.codes
        parts: list[ir.Table] = []
        highest = 0
        if old is not None:
            parts.append(
                old.select(
                    "code", "key", account_id=ibis.ifelse(old.ix.notnull(), old.told_id, ibis.null("string"))
                )
            )
            top = self.engine.arrow(old.aggregate(n=old.code.max()))["n"][0].as_py()
            highest = -1 if top is None else top
        if taken.loaded is not None:
            assert taken.loaded.typed is not None
            met = taken.loaded.typed.group_by("key").agg(ix=_.ix.max())
            if old is not None:
                met = met.anti_join(old, "key")
            start = highest + 1 if old is not None else 0
            named = met.left_join(ids, met.ix == ids.told_ix)
            code = (ibis.row_number().over(ibis.window(order_by=named.key)) + start).cast("int32")
            parts.append(named.select("key", "account_id", code=code).select("code", "key", "account_id"))
        table = ibis.union(*parts) if len(parts) > 1 else parts[0]
        return self.engine.store("keys", table)


def _shifted(table: Raw, before: int) -> Raw:
    """`table` with its rows counted after `before` others."""

    def numbered() -> ir.Table:
        rows = table.numbered()
        return rows.mutate(**{ROW: rows[ROW] + before})

    def broken() -> list[raw.Broken]:
        return [replace(line, row=line.row + before) for line in table.broken()]

    return replace(table, numbered=numbered, broken=broken)
