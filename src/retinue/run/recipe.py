"""THE RECIPE: facts in, one explained row per account and date out, published atomically."""

from __future__ import annotations

import json
import tempfile
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from retinue import __version__
from retinue.errors import Problem, RunError, StoreError
from retinue.period import grid, last_complete_day
from retinue.project.project import Project
from retinue.project.scorecards import BANDS
from retinue.run import anomalies, layers, observed, pace
from retinue.run.current import current_rows
from retinue.run.history import New, Past
from retinue.run.kept import KIND, version
from retinue.run.layers import bands_array, dates_array, day_number, numbers_array
from retinue.run.months import Months
from retinue.store.published.kept import forget, keep
from retinue.store.published.lock import run_lock
from retinue.store.published.manifest import Manifest, merge_parts
from retinue.store.published.publish import publish, unpublished
from retinue.store.published.reading import prepare_ahead, tidy
from retinue.store.published.runs import RunWriter, sweep
from retinue.store.published.snapshots import Published
from retinue.store.work.said import overrides_for_run, pulses_for_run
from retinue.warehouse.trace import Listener, Trace
from retinue.workspace import Workspace

if TYPE_CHECKING:
    from retinue.warehouse.kept.keeping import Keeping


@dataclass(frozen=True)
class RunResult:
    """What a run did."""

    run_id: str
    dates: tuple[date, ...]
    accounts: int
    snapshots: int
    scored: int
    bands: dict[str, int]
    transitions: int
    sources: dict[str, dict[str, int]]
    rejected: dict[str, dict[str, int]]
    problems: list[Problem]

    def to_dict(self) -> dict[str, Any]:
        told = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {
            **told,
            "dates": [day.isoformat() for day in self.dates],
            "problems": [str(problem) for problem in self.problems],
        }


def dates_to_score(
    published: Sequence[date],
    last_complete: date,
    *,
    first: date | None,
    last: date | None,
    every: Literal["day", "week"],
) -> tuple[date, ...]:
    """The as-of dates of a run.

    By default every day after the last published one up to the last complete one, or only that
    one where nothing is published or it already is. `published` ascends. Dates that are
    published and follow the first one are scored again, because what is published of them rests
    on it. Raises RunError for an empty request.
    """
    end = last or last_complete
    if end > last_complete:
        raise RunError(f"{end} is not complete yet; the last complete day is {last_complete}")
    if first is None:
        behind = bool(published) and published[-1] < end and last is None
        asked = grid(published[-1], end, "day")[1:] if behind else [end]
    else:
        asked = grid(first, end, every)
    if not asked:
        what = "Sunday" if every == "week" else "day"
        raise RunError(f"no {what} between {first} and {end}", hint="give --from and --to further apart")
    return with_followers(published, last_complete, asked)


def with_followers(published: Sequence[date], last_complete: date, asked: Sequence[date]) -> tuple[date, ...]:
    """`asked` and the published dates after the first of them, which rest on it.

    Raises RunError for no date, and for one that is not complete.
    """
    if not asked:
        raise RunError("no dates to score")
    if max(asked) > last_complete:
        raise RunError(f"{max(asked)} is not complete yet; the last complete day is {last_complete}")
    return tuple(sorted({*asked, *(day for day in published if day >= min(asked))}))


def run(
    workspace: Workspace,
    *,
    now: datetime,
    first: date | None = None,
    last: date | None = None,
    every: Literal["day", "week"] = "day",
    dates: Sequence[date] | None = None,
    wait: float = 0.0,
    progress: Listener | None = None,
) -> RunResult:
    """Score the dates asked for and publish them. `now` is an aware datetime.

    The dates are `dates`, or else those that `first`, `last` and `every` ask for. One run at a
    time: waits up to `wait` seconds for another one, then raises StoreError. Whatever goes
    wrong, what was published before stays current.
    """
    project = workspace.project
    with run_lock(project.home, now, wait):
        past = Past.of(workspace)
        today = complete_day(project, now)
        if dates is None:
            chosen = dates_to_score(past.dates(), today, first=first, last=last, every=every)
        else:
            chosen = with_followers(past.dates(), today, dates)
        _tidy(workspace)
        writer = RunWriter(project.home, run_id(now))
        try:
            with Trace(progress, pace.plan(project)) as trace:
                trace.stage("starting")
                result = _run(workspace, past, chosen, writer, now, trace)
            pace.keep(project, trace)
            return result
        except BaseException:
            _tidy(workspace, writer.run_id)
            raise


def _tidy(workspace: Workspace, own: str | None = None) -> None:
    """Remove what runs left behind that were killed, and the run `own` that is being given up."""
    home = workspace.project.home
    with suppress(OSError, StoreError):
        sweep(home)
        sweep(home, unpublished=unpublished(workspace.store, home, own))


def rehearse(
    workspace: Workspace,
    *,
    now: datetime,
    first: date | None = None,
    last: date | None = None,
    every: Literal["day", "week"] = "day",
    progress: Listener | None = None,
) -> Trace:
    """What each stage and query of that run costs. Everything is done as in `run`, but the files go
    to a temporary folder, and nothing is published or kept. It needs no lock."""
    project = workspace.project
    past = Past.of(workspace)
    dates = dates_to_score(past.dates(), complete_day(project, now), first=first, last=last, every=every)
    with tempfile.TemporaryDirectory(prefix="retinue-") as folder:
        writer = RunWriter(Path(folder), run_id(now))
        with Trace(progress, pace.plan(project), keeps_sql=True) as trace:
            trace.stage("starting")
            _run(workspace, past, dates, writer, now, trace, publishes=False)
    return trace


def complete_day(project: Project, now: datetime) -> date:
    return last_complete_day(now, project.settings.timezone, project.settings.day_closes)


def run_id(now: datetime) -> str:
    """A name that sorts by time and never repeats."""
    return f"{now.astimezone(UTC):%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:8]}"


def _run(
    workspace: Workspace,
    past: Past,
    dates: tuple[date, ...],
    writer: RunWriter,
    now: datetime,
    trace: Trace,
    *,
    publishes: bool = True,
) -> RunResult:
    from retinue.warehouse import tables
    from retinue.warehouse.compute import Asked, compute
    from retinue.warehouse.engine import connect, shown

    project = workspace.project
    kept, how = past.kept(dates[0])
    last_scored = kept.last_scored()
    with connect(project, trace=trace) as engine:
        computed = compute(
            engine,
            project,
            Asked(
                dates=dates,
                observed_on=complete_day(project, now),
                observed=observed.seen(past.published, project),
                looked=observed.days_seen(past.published, dates[0]),
                pulses=spoken_pulses(pulses_for_run(workspace.store), project),
                last=last_scored,
                formulas=past.older_formulas(project, last_scored),
                kept=project.home / "state" / "sources",
                counting=anomalies.counting(project),
            ),
        )
        trace.stage("settling scores")
        formulas = {**past.formulas, **{f.fingerprint: f for f in computed.formulas}}
        snapshots = tables.snapshots(engine, computed)
        new = New.of(engine, computed, snapshots, formulas, past, kept, dates[0])
        settled, folded = new.stabilised(new.rows)
        settled = layers.overridden(
            new.before, settled, overrides_for_run(workspace.store), new.index, new.cards, project
        )
        moved = layers.transitions(new.before, settled, folded)
        after = new.kept_after(settled, snapshots, folded)
        drivers = new.drivers(settled, settled.ix[moved.row], moved.since, settled.day[moved.row])
        changes = _transitions_table(new, settled, moved, drivers.listed(len(moved.row)))
        odd = anomalies.find(new, settled.ix[settled.day == day_number(dates[-1])], dates[-1], project)
        trace.stage("writing snapshots")
        with Months(writer) as months:
            for name, table in {**_dated(new, snapshots, settled, changes), **odd}.items():
                months.write(name, [table])
            for name, pieces in tables.monthly(engine, computed):
                trace.stage(f"writing {name}")
                months.write(name, pieces)
            trace.stage("writing the rest")
        today = complete_day(project, now)
        looked = observed.added(past.published, engine, computed, project, today)
        for name, changed in (("curves", past.curves_with(computed.curves)), ("observed", looked)):
            if changed is not None:
                writer.write(name, changed)
        writer.write("timeline", tables.timeline(engine, computed, project.sources, dates[-1]))
        rejected = tables.rejected(engine, computed)
        writer.write("rejected", rejected)
        manifest = writer.finish(
            Manifest(
                run_id=writer.run_id,
                started_at=now,
                finished_at=now,
                dates=dates,
                parts=merge_parts(past.parts(), writer.parts(dates)),
                whole={**past.whole(), **writer.whole()},
                formulas={
                    fingerprint: formula.to_dict() for fingerprint, formula in sorted(formulas.items())
                },
                texts=project.texts,
                package=__version__,
                engine=shown(project.settings.engine),
                sources={name: _counts(counts) for name, counts in computed.facts.counts.items()},
                watermarks={name: feed.watermark(dates[-1]) for name, feed in computed.feeds.items()},
                rejected=_reasons(rejected),
                previous=past.manifest.run_id if past.manifest else None,
                kept={KIND: how, **sources_told(computed.keeping)},
            )
        )
        trace.stage("listing accounts")
        rows = current_rows(new, snapshots, after, settled, dates[-1], project)
        if publishes and computed.keeping is not None:
            trace.stage("keeping what the next run needs")
            with suppress(StoreError):  # as below
                computed.keeping.save()
    with suppress(StoreError):  # a run without it costs the next one time
        keep(writer.home, KIND, writer.run_id, after.to_table(), version(max(dates)))
    if publishes:
        _publish(workspace, manifest, rows, changes, now, trace)
    last = settled.of((settled.day == day_number(dates[-1])) & settled.scored)
    return RunResult(
        run_id=manifest.run_id,
        dates=dates,
        accounts=int((settled.day == day_number(dates[-1])).sum()),
        snapshots=len(settled),
        scored=int(settled.scored.sum()),
        bands={band: int((last.band == n).sum()) for n, band in enumerate(BANDS)},
        transitions=changes.num_rows,
        sources=manifest.sources,
        rejected=manifest.rejected,
        problems=computed.facts.problems,
    )


def _publish(
    workspace: Workspace,
    manifest: Manifest,
    rows: pa.Table,
    changes: pa.Table,
    now: datetime,
    trace: Trace,
) -> None:
    """Make the run current. What makes it quick to read is there before anybody reads it."""
    made = Published(workspace.project.home, manifest)
    trace.stage("making it quick to read")
    with suppress(StoreError):  # a run without it is slower to read
        prepare_ahead(made)
    trace.stage("publishing")
    publish(workspace.store, manifest, rows, changes, now)
    forget(workspace.project.home, KIND, manifest.run_id)
    with suppress(StoreError):
        tidy(made)


def sources_told(keeping: Keeping | None) -> dict[str, str]:
    """How each source was read, for the manifest."""
    return {f"source {name}": how for name, how in keeping.said.items()} if keeping else {}


def spoken_pulses(pulses: pa.Table, project: Project) -> pa.Table:
    """Pulses as the engine takes them: account_id, pulse, value, day, said_at, expires_on."""
    days, ends = [], []
    for row in pulses.select(["said_at", "expires_on", "withdrawn_at"]).to_pylist():
        days.append(layers.known_day(row["said_at"], project))
        last = [layers.first_day_without(row["expires_on"])] if row["expires_on"] else []
        if row["withdrawn_at"]:
            last.append(layers.known_day(row["withdrawn_at"], project))
        ends.append(min((day for day in last if day), default=None))
    return pa.table(
        {
            "account_id": pulses["account_id"].cast(pa.string()),
            "pulse": pulses["metric"].cast(pa.string()),
            "value": pulses["value"].cast(pa.float64()),
            "day": pa.array(days, pa.date32()),
            "said_at": pulses["said_at"].cast(pa.timestamp("us")),
            "expires_on": pa.array(ends, pa.date32()),
        }
    )


def _counts(counts: Any) -> dict[str, int]:
    return {"read": counts.read, "kept": counts.kept, "rejected": counts.rejected}


def _reasons(rejected: pa.Table) -> dict[str, dict[str, int]]:
    """Rows by source and kind of reason; what differs from row to row (in quotes) is left out.

    From the first quote to the last: a value may have quotes of its own.
    """
    kinds = pc.replace_substring_regex(rejected["reason"], r'(?s)".*"', "…")
    table = pa.table({"source": rejected["source"], "reason": kinds})
    found: dict[str, dict[str, int]] = {}
    counted = table.group_by(["source", "reason"]).aggregate([([], "count_all")])
    for row in counted.sort_by([("source", "ascending"), ("reason", "ascending")]).to_pylist():
        found.setdefault(row["source"], {})[row["reason"]] = row["count_all"]
    return found


def _dated(new: New, snapshots: pa.Table, settled: layers.History, changes: pa.Table) -> dict[str, pa.Table]:
    published, bridges = _snapshots_table(snapshots, settled, new), new.bridges_table()
    return {"snapshots": published, "bridges": bridges, "transitions": changes}


def _snapshots_table(snapshots: pa.Table, settled: layers.History, new: New) -> pa.Table:
    """The computed snapshots with their layers; both are sorted by (ix, day)."""
    cards = [card.scorecard for card in new.cards]
    names = pa.array([*cards, None], pa.string())
    prints = pa.array([*new.fingerprints, None], pa.string())
    at = pa.array(np.where(settled.formula >= 0, settled.formula, len(cards)), pa.int32())
    columns = {name: snapshots[name] for name in snapshots.column_names if name not in ("ix", "formula")}
    return pa.table(
        {
            **columns,
            "scorecard": names.take(at),
            "fingerprint": prints.take(at),
            "published": numbers_array(settled.published),
            "effective": numbers_array(settled.effective),
            "published_band": bands_array(settled.published_band),
            "band": bands_array(settled.band),
            "band_since": dates_array(settled.band_since),
        }
    )


def _transitions_table(
    new: New, settled: layers.History, moved: layers.Transitions, drivers: list[list[dict[str, Any]]]
) -> pa.Table:
    row = moved.row
    return pa.table(
        {
            "account_id": new.account_ids.take(pa.array(settled.ix[row])),
            "as_of": dates_array(settled.day[row]),
            "kind": pa.array(moved.kind, pa.string()),
            "from_band": bands_array(moved.from_band),
            "to_band": bands_array(moved.to_band),
            "computed": numbers_array(settled.computed[row]),
            "since": dates_array(moved.since),
            "drivers": pa.array([json.dumps(d) for d in drivers], pa.string()),
        }
    ).sort_by([("account_id", "ascending"), ("as_of", "ascending")])
