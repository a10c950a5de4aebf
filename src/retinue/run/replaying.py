"""Makes a replay: computes the score of past dates and settles it, as arrays, with what happened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from retinue.insight.replay import Coded, Events, Replay
from retinue.project.outcomes import OutcomeRule
from retinue.project.project import Project
from retinue.run import observed, pace
from retinue.run.history import New, Past
from retinue.run.kept import Kept
from retinue.run.layers import day_number, days_of, floats_of, keys, known_day
from retinue.run.recipe import complete_day, spoken_pulses
from retinue.store.work.said import outcomes_for_run, pulses_for_run
from retinue.warehouse.trace import Listener, Trace
from retinue.workspace import Workspace

if TYPE_CHECKING:
    from retinue.warehouse.compute import Computed
    from retinue.warehouse.engine import Engine


@dataclass(frozen=True)
class Replayed:
    """A replay with its events: all that is read from the data, and may be kept.

    `accounts` are ids by the number of an account. `seen_until` is the last day that the data
    know of. `done` are interventions, None where none are declared. `limit` is the last day on
    which the outcome can happen, by row, None without such a day.
    """

    replay: Replay
    events: Events
    accounts: tuple[str, ...]
    seen_until: int
    done: Events | None = None
    limit: Any = None


@dataclass(frozen=True)
class Asked:
    """A replay to be made: of `project` on `dates`, with the events of one outcome."""

    workspace: Workspace
    project: Project
    name: str
    rule: OutcomeRule
    dates: tuple[date, ...]
    now: datetime
    pulses: bool

    def spoken(self) -> pa.Table | None:
        """What people said, where the replay is to hear it."""
        return spoken_pulses(pulses_for_run(self.workspace.store), self.project) if self.pulses else None

    def recorded(self) -> pa.Table | None:
        """What people recorded of this outcome and did not take back."""
        if self.rule.recorded is None:
            return None
        told = outcomes_for_run(self.workspace.store)
        mine = pc.and_(pc.equal(told["kind"], self.rule.recorded), pc.is_null(told["withdrawn_at"]))
        return told.filter(mine)

    def published(self) -> str | None:
        """The run whose observed attributes enter."""
        manifest = self.workspace.manifest()
        return manifest.run_id if manifest else None

    def replayed(self, progress: Listener | None) -> Replayed:
        from retinue.warehouse import tables
        from retinue.warehouse.compute import Asked, compute
        from retinue.warehouse.engine import connect

        project, today = self.project, complete_day(self.project, self.now)
        past = Past.of(self.workspace)
        with Trace(progress, pace.scoring(project)) as trace, connect(project, trace=trace) as engine:
            trace.stage("starting")
            computed = compute(
                engine,
                project,
                Asked(
                    dates=self.dates,
                    observed_on=today,
                    observed=observed.seen(past.published, project),
                    pulses=self.spoken(),
                ),
            )
            trace.stage("settling scores")
            snapshots = tables.snapshots(engine, computed)
            formulas = {one.fingerprint: one for one in computed.formulas}
            new = New.of(engine, computed, snapshots, formulas, Past(None, None), Kept.empty(), self.dates[0])
            settled, _folded = new.stabilised(new.rows)
            trace.stage("reading what happened")
            place = _Place(keys(settled.ix, settled.day), [day_number(day) for day in computed.spine.dates])
            around = _around(engine, computed)
            coverage = np.full(len(settled), np.nan)
            coverage[place.of_days(snapshots["ix"], days_of(snapshots["as_of"]))] = floats_of(
                snapshots["coverage"]
            )
            accounts = engine.arrow(computed.facts.accounts.order_by("ix"))
            points, weights, declared, measures = _measures(engine, computed, place)
            metrics, values = _metrics(engine, computed, place)
            replay = Replay(
                account=settled.ix,
                group=_groups(accounts, project.settings.validation.together),
                day=settled.day,
                computed=np.where(settled.scored, settled.computed, np.nan),
                band=settled.published_band.astype(np.int64),
                coverage=coverage,
                adjustment=np.where(settled.scored, settled.adjustment, np.nan),
                tenure=place.floats(around, "tenure"),
                arr=place.floats(around, "a_arr"),
                assumed=np.nan_to_num(place.floats(around, "assumed")) > 0,
                segment=place.texts(around, "a_segment"),
                stage=place.texts(around, "stage"),
                scorecard=Coded(
                    settled.formula.astype(np.int64),
                    tuple(one.scorecard.scorecard for one in computed.formulas),
                ),
                measures=measures,
                points=points,
                weights=weights,
                declared=declared,
                edges=np.array(
                    [list(one.scorecard.bands.values())[1:] for one in computed.formulas], dtype=float
                ),
                metrics=metrics,
                values=values,
            )
            replay = replace(replay, group=replay.group[replay.account])
            events = self._events(engine, computed, accounts, replay, place, around)
            done = None
            if project.settings.validation.interventions is not None:
                from retinue.warehouse import outcomes

                name = project.settings.validation.interventions
                done = _events(outcomes.rows(engine, project, computed.facts.accounts, name))
            limit = None
            if self.rule.until is not None:
                limit = days_of(around[f"a_{self.rule.until}"].cast(pa.date32()))
                limit = place.integers(around, limit)
            return Replayed(
                replay,
                events,
                tuple(accounts["account_id"].to_pylist()),
                _seen_until(computed, accounts, today),
                done,
                limit,
            )

    def _events(
        self,
        engine: Engine,
        computed: Computed,
        accounts: pa.Table,
        replay: Replay,
        place: _Place,
        around: pa.Table,
    ) -> Events:
        from retinue.warehouse import outcomes

        rule, there = self.rule, computed.facts.accounts
        if rule.source is not None:
            return _events(outcomes.of_rule(engine, self.project, there, rule))
        if rule.ended:
            return _with_arr(_events(outcomes.ends(engine, there)), replay)
        if rule.recorded is not None:
            return _recorded(self.recorded(), accounts["account_id"], self.project)
        changing = rule.falls or rule.rises or ""
        return _moves(replay, place.floats(around, f"a_{changing}"), rule)


@dataclass(frozen=True)
class _Place:
    """Where rows of the engine are among the rows of the replay."""

    rows: Any
    days: Sequence[int]

    def of(self, table: pa.Table) -> Any:
        days = np.asarray(self.days, np.int64)[table["pos"].to_numpy()]
        return self.of_days(table["ix"], days)

    def of_days(self, ix: pa.ChunkedArray, days: Any) -> Any:
        return np.searchsorted(self.rows, keys(ix.to_numpy().astype(np.int64), days))

    def floats(self, table: pa.Table, name: str) -> Any:
        found = np.full(len(self.rows), np.nan)
        if name in table.column_names and not pa.types.is_string(table[name].type):
            found[self.of(table)] = floats_of(table[name])
        return found

    def integers(self, table: pa.Table, values: Any) -> Any:
        found = np.full(len(self.rows), 2**31, np.int64)
        found[self.of(table)] = np.where(values < -(2**30), 2**31, values)
        return found

    def texts(self, table: pa.Table, name: str) -> Coded:
        if name not in table.column_names:
            return Coded.none(len(self.rows))
        coded = table[name].cast(pa.string()).combine_chunks().dictionary_encode()
        names = coded.dictionary.to_pylist()
        order = np.argsort(np.array(names, dtype=object)) if names else np.zeros(0, np.int64)
        rank = np.empty(len(names) + 1, np.int64)
        rank[order], rank[-1] = np.arange(len(names)), -1
        codes = np.full(len(self.rows), -1, np.int64)
        told = coded.indices.fill_null(len(names)).to_numpy(zero_copy_only=False).astype(np.int64)
        codes[self.of(table)] = rank[told]
        return Coded(codes, tuple(names[n] for n in order.tolist()))


def _around(engine: Engine, computed: Computed) -> pa.Table:
    """What is known of accounts on the asked dates: ix, pos, tenure, assumed, stage, attributes."""
    context = computed.around
    if len(computed.positions) < len(computed.spine.dates):
        context = context.filter(context.pos.isin(list(computed.positions)))
    stages = computed.rows.select("ix", "pos", "stage")
    return engine.arrow(context.join(stages, ["ix", "pos"]).drop("as_of", "started_on", "parent"))


def _measures(engine: Engine, computed: Computed, place: _Place) -> tuple[Any, Any, Any, tuple[str, ...]]:
    """Points and weights by row and measure, shares as declared by scorecard and measure."""
    names = tuple(dict.fromkeys(f"{one.component}.{one.metric}" for one in computed.measures))
    column = {name: n for n, name in enumerate(names)}
    shape = (len(place.rows), len(names))
    points, weights = np.full(shape, np.nan), np.zeros(shape)
    declared = np.zeros((len(computed.formulas), len(names)))
    for one in computed.measures:
        declared[one.formula, column[f"{one.component}.{one.metric}"]] += one.share
    wide = engine.arrow(computed.scored.measures())
    at, formula = place.of(wide), wide["formula"].to_numpy()
    for sheet in computed.scored.sheets:
        mine = np.flatnonzero(formula == sheet.number)
        for k, one in enumerate(sheet.measures):
            to = column[f"{one.component}.{one.metric}"]
            points[at[mine], to] = floats_of(wide[f"points{k}"])[mine]
            weights[at[mine], to] = floats_of(wide[f"weight{k}"])[mine]
    return points, weights, declared, names


def _metrics(engine: Engine, computed: Computed, place: _Place) -> tuple[tuple[str, ...], Any]:
    names = tuple(sorted(name for name in computed.values.number if "@" not in name))
    numbers = [computed.values.number[name] for name in names]
    table = computed.values.table
    if len(computed.positions) < len(computed.spine.dates):
        table = table.filter(table.pos.isin(list(computed.positions)))
    wide = engine.arrow(table.select("ix", "pos", *(f"v{n}" for n in numbers)))
    at = place.of(wide)
    values = np.full((len(place.rows), len(names)), np.nan)
    for k, n in enumerate(numbers):
        values[at, k] = floats_of(wide[f"v{n}"])
    return names, values


def _groups(accounts: pa.Table, together: str | None) -> Any:
    """By ix, the number of the accounts that it belongs with: those of its topmost parent."""
    own = np.arange(accounts.num_rows)
    parent = accounts["parent"].cast(pa.int64()).fill_null(-1).to_numpy()
    top = np.where(parent >= 0, parent, own)
    for _depth in range(64):
        above = top[top]
        if (above == top).all():
            break
        top = above
    if together is None:
        return top
    coded = accounts[f"a_{together}"].combine_chunks().dictionary_encode()
    told = coded.indices.cast(pa.int64()).fill_null(-1).to_numpy(zero_copy_only=False)
    return np.where(told >= 0, told, len(own) + top)


def _events(table: pa.Table) -> Events:
    """A table of `warehouse.outcomes`, which is sorted."""
    coded = table["reason"].combine_chunks().dictionary_encode()
    codes = coded.indices.cast(pa.int64()).fill_null(-1).to_numpy(zero_copy_only=False)
    return Events(
        table["ix"].to_numpy().astype(np.int64),
        days_of(table["day"]),
        days_of(table["known"]),
        floats_of(table["amount"]),
        Coded(codes, tuple(coded.dictionary.to_pylist())),
    )


def _with_arr(events: Events, replay: Replay) -> Events:
    """Ends with the ARR of the account on its last row before."""
    at = np.searchsorted(keys(replay.account, replay.day), keys(events.account, events.day), "right") - 1
    safe = np.maximum(at, 0)
    if not len(replay):
        return events
    own = (at >= 0) & (replay.account[safe] == events.account)
    return replace(events, amount=np.where(own, replay.arr[safe], np.nan))


def _recorded(told: pa.Table | None, ids: pa.ChunkedArray, project: Project) -> Events:
    rows = told.to_pylist() if told is not None else []
    index: Mapping[str, int] = {account: n for n, account in enumerate(ids.to_pylist())}
    rows = [row for row in rows if row["account_id"] in index]
    rows.sort(key=lambda row: (index[row["account_id"]], row["occurred_on"]))
    return Events(
        np.array([index[row["account_id"]] for row in rows], np.int64),
        np.array([day_number(row["occurred_on"]) for row in rows], np.int64),
        np.array([day_number(known_day(row["said_at"], project)) for row in rows], np.int64),
        np.array([np.nan if row["amount"] is None else row["amount"] for row in rows], float),
        Coded.of([row["reason"] for row in rows]),
    )


def _moves(replay: Replay, values: Any, rule: OutcomeRule) -> Events:
    """Rows at which an attribute has moved since the row before, by at least the share asked for."""
    same = replay.account[1:] == replay.account[:-1]
    before, after = values[:-1], values[1:]
    change = (after - before) * (-1 if rule.falls else 1)
    with np.errstate(invalid="ignore"):
        moved = same & (change > 0) & (change >= rule.by * np.abs(before))
    at = np.flatnonzero(moved) + 1
    return Events(
        replay.account[at], replay.day[at], replay.day[at], np.abs(change[at - 1]), Coded.none(len(at))
    )


def _seen_until(computed: Computed, accounts: pa.Table, today: date) -> int:
    """The last day of which the data know anything."""
    marks = [feed.watermark(today) for feed in computed.feeds.values()]
    ends = [day for day in accounts["ended_on"].to_pylist() if day is not None and day <= today]
    known = [day for day in (*marks, max(ends, default=None)) if day is not None]
    return day_number(max(known, default=today))
