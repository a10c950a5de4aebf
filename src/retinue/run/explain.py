"""Explaining one score from what is published: nothing is computed from the sources again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow.compute as pc

from retinue.errors import NotFound
from retinue.insight.drivers import Bridge, MeasureRow, Scoring, Snapshot, explain_change
from retinue.insight.trend import trends
from retinue.project.metrics import AnyMetric
from retinue.project.project import Formula
from retinue.run import layers
from retinue.run.explanation import (
    Change,
    ExplainedComponent,
    ExplainedDriver,
    ExplainedMeasure,
    Explanation,
    Layer,
    Trend,
)
from retinue.run.improve import Standing, freshness, improvements, metric_label
from retinue.run.wording import Words, stability
from retinue.store.access import OPERATOR
from retinue.store.current import accounts, near
from retinue.store.manifest import Manifest
from retinue.store.said import overrides_for_run
from retinue.store.snapshots import Published
from retinue.warehouse.scores.curves import Segment
from retinue.words import WORDS, grade, number, share, shown
from retinue.workspace import Workspace

#: Days that a change is counted over, unless the band changed lately.
CHANGE_DAYS = 28
#: A change of band within these days is explained from before it.
BAND_DAYS = 90
#: Days of the trend, and of the history that tells its noise.
TREND_DAYS, HISTORY_DAYS = 28, 182

Row = Mapping[str, Any]


def explain(
    workspace: Workspace, account_id: str, *, as_of: date | None = None, since: date | None = None
) -> Explanation:
    """One account, by id or name, as it was published on `as_of`, by default the last date that it has.

    Its change is counted from the last scored snapshot on or before `since`; by default from 28
    days before, or from before the last change of band if that was within 90 days. Raises
    NotFound for an account, date or start that is not published, naming the nearest ones.
    """
    manifest = workspace.manifest()
    published = workspace.published()
    assert manifest is not None
    reader = _Reader(workspace, manifest, published, account_id)
    here = reader.at(as_of)
    day = here["as_of"]
    formula = reader.formula(here["fingerprint"])
    metrics = {**(formula.metrics if formula else {}), **workspace.project.metrics}
    measures = reader.measures(day, day).get(day, [])
    attributes = reader.attributes(day)
    standing = reader.standing(here, formula, measures, attributes) if formula else None
    scored = here["status"] == "scored"
    change = None
    if scored:
        start, why = reader.start(here, since)
        if start is not None:
            change = reader.change(start, here, metrics, why)
    elif since is not None:
        raise NotFound(f"{reader.account_id} has no score on {day}, so there is no change to explain")
    labels = {name: metric_label(name, metrics) for name in metrics}
    explained = _measures(measures, standing, metrics)
    return Explanation(
        account_id=reader.account_id,
        name=attributes.get("name"),
        as_of=day,
        status=here["status"],
        scorecard=here["scorecard"],
        fingerprint=here["fingerprint"],
        score=here["effective"],
        band=here["band"],
        band_since=here["band_since"],
        grade=grade(here["effective"], workspace.project.settings.grades),
        rank=reader.rank(here) if scored else None,
        base=here["base"],
        adjustment=here["adjustment"],
        layers=reader.layers(here, formula),
        cap=here["cap"],
        held=bool(here["held"]),
        coverage=here["coverage"],
        min_coverage=formula.scorecard.min_coverage if formula else None,
        gaps=_gaps(explained),
        weakest_component=here["weakest_component"],
        stage=attributes.get("stage"),
        attributes=attributes,
        components=_components(reader.components(day), formula),
        measures=explained,
        trend=reader.trend(day),
        history=tuple((row["as_of"], row["effective"]) for row in reader.rows if row["as_of"] <= day),
        change=change,
        improvements=improvements(standing, labels) if standing and measures else (),
        notes=reader.notes(here),
    )


@dataclass
class _Reader:
    """Everything published about one account, read as it is asked for."""

    workspace: Workspace
    manifest: Manifest
    published: Published
    account_id: str

    def __post_init__(self) -> None:
        self.rows: Sequence[Row] = self._read("snapshots")
        if not self.rows:
            self.account_id = self._named() or self.account_id
            self.rows = self._read("snapshots")
        if not self.rows:
            close = near(self.workspace.store, OPERATOR, self.account_id)
            raise NotFound(
                f"no account {self.account_id!r}",
                hint=f"did you mean {', '.join(close)}?" if close else "`retinue accounts` lists them",
            )
        self.by_day = {row["as_of"]: row for row in self.rows}

    def _read(self, table: str, first: date | None = None, last: date | None = None) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.published.table(
            table, account=self.account_id, first=first, last=last
        ).to_pylist()
        return found

    def _named(self) -> str | None:
        """The id of the only current account of this name."""
        alike = accounts(self.workspace.store, OPERATOR, search=self.account_id, sort="account_id", limit=200)
        same = [row.account_id for row in alike if (row.name or "").casefold() == self.account_id.casefold()]
        return same[0] if len(same) == 1 else None

    def at(self, as_of: date | None) -> Row:
        """The snapshot of the date asked for, or the last one."""
        if as_of is None:
            return self.rows[-1]
        if as_of in self.by_day:
            return self.by_day[as_of]
        dates = self.published.dates()
        if as_of not in dates:
            before = [day for day in dates if day < as_of][-1:]
            after = [day for day in dates if day > as_of][:1]
            nearest = " and ".join(str(day) for day in before + after)
            raise NotFound(f"nothing is published as of {as_of}", hint=f"nearest: {nearest}")
        first, last = self.rows[0]["as_of"], self.rows[-1]["as_of"]
        raise NotFound(
            f"{self.account_id} is not among the accounts of {as_of}",
            hint=f"it is there from {first} to {last}",
        )

    def formula(self, fingerprint: str | None) -> Formula | None:
        told = self.manifest.formulas.get(fingerprint or "")
        return Formula.from_dict(told) if told else None

    def measures(self, first: date, last: date) -> dict[date, list[Row]]:
        found: dict[date, list[Row]] = {}
        for row in self._read("measures", first, last):
            found.setdefault(row["as_of"], []).append(row)
        return found

    def components(self, day: date) -> list[dict[str, Any]]:
        return self._read("components", day, day)

    def attributes(self, day: date) -> dict[str, Any]:
        rows = self._read("accounts", day, day)
        return {k: v for k, v in rows[0].items() if k not in ("account_id", "as_of")} if rows else {}

    def standing(
        self, here: Row, formula: Formula, measures: Sequence[Row], attributes: Mapping[str, Any]
    ) -> Standing | None:
        by_place = {(row["component"], row["metric"]): row for row in measures}
        if any((name, m) not in by_place for name, c in formula.components.items() for m in c.measures):
            return None
        day = here["as_of"]
        metrics = {row["metric"]: (row["value"], row["state"]) for row in self._read("metrics", day, day)}
        renews = attributes.get("renews_on")
        names = {
            **{k: v for k, v in attributes.items() if k not in ("observed", "assumed", "tenure_days")},
            "tenure": attributes.get("tenure_days"),
            "days_to_renewal": (renews - day).days if isinstance(renews, date) else None,
        }
        return Standing(formula, by_place, metrics, names, self._cohort_curves(here, measures))

    def _cohort_curves(
        self, here: Row, measures: Sequence[Row]
    ) -> dict[tuple[str, str], tuple[Segment, ...]]:
        placed = [row for row in measures if row["cohort"] is not None]
        if not placed:
            return {}
        table = self.published.table("curves")
        table = table.filter(pc.equal(table["fingerprint"], here["fingerprint"]))
        found: dict[tuple[str, str, date], list[Segment]] = {}
        for row in table.filter(pc.is_valid(table["cohort"])).to_pylist():
            segment = Segment(row["lo"], row["hi"], row["points_lo"], row["points_hi"])
            found.setdefault((row["metric"], row["cohort"], row["reference"]), []).append(segment)
        return {
            (row["component"], row["metric"]): tuple(sorted(segments, key=lambda s: s.lo))
            for row in placed
            if (segments := found.get((row["metric"], row["cohort"], row["reference"])))
        }

    # --- layers ---

    def layers(self, here: Row, formula: Formula | None) -> tuple[Layer, ...]:
        computed, published, effective = here["computed"], here["published"], here["effective"]
        return (
            Layer("computed", computed, None if not here["cap"] else f"limited: {here['cap']}"),
            Layer("published", published, stability(here, formula)),
            Layer("effective", effective, self._override(here["as_of"]) if published != effective else None),
        )

    def _override(self, day: date) -> str:
        """Who set, capped or floored the score that day, why, and until when."""
        spoken = []
        for row in overrides_for_run(self.workspace.store).to_pylist():
            first = max(row["starts_on"], layers.known_day(row["said_at"], self.workspace.project))
            ended = row["expires_on"] is not None and row["expires_on"] < day
            if row["withdrawn_at"]:
                ended |= layers.known_day(row["withdrawn_at"], self.workspace.project) <= day
            if row["account_id"] == self.account_id and first <= day and not ended:
                spoken.append(row)
        newest = {row["kind"]: row for row in spoken}
        words = {"set": "set to", "cap": "capped at", "floor": "floored at"}
        return (
            "; ".join(
                f"{words[kind]} {number(row['value'])} by {row['owner']}: {row['reason']} "
                + (f"(until {row['expires_on']})" if row["expires_on"] else "(no end)")
                for kind, row in newest.items()
            )
            or "an override"
        )

    def rank(self, here: Row) -> tuple[int, int] | None:
        """Place among the accounts scored that day (1 is the best), and how many they are."""
        day = here["as_of"]
        scores = self.published.table("snapshots", first=day, last=day, columns=["effective"])["effective"]
        better = pc.sum(pc.greater(scores, here["effective"])).as_py() or 0
        return better + 1, len(scores) - scores.null_count

    def trend(self, day: date) -> Trend:
        past = [row for row in self.rows if day - timedelta(days=HISTORY_DAYS) < row["as_of"] <= day]
        days = np.array([layers.day_number(row["as_of"]) for row in past], np.int64)
        scores = np.array([np.nan if row["computed"] is None else row["computed"] for row in past], float)
        found = trends(np.zeros(len(past), np.int64), days, scores, 1, layers.day_number(day), TREND_DAYS)
        change = float(found.change[0])
        return Trend(TREND_DAYS, None if np.isnan(change) else change, int(found.arrow[0]))

    def notes(self, here: Row) -> tuple[str, ...]:
        notes = []
        last = self.published.dates()[-1]
        if here["as_of"] < last and here is self.rows[-1]:
            notes.append(f"not among the accounts any more: the last published date is {last}")
        if here["held"]:
            notes.append("held: a source that this score rests on has stopped")
        if here["scorecard"] is None:
            notes.append("no scorecard applies to this account")
        return tuple(notes)

    # --- change ---

    def start(self, here: Row, since: date | None) -> tuple[Row | None, str]:
        """The snapshot that the change is counted from, and in words why that one."""
        day = here["as_of"]
        scored = [row for row in self.rows if row["status"] == "scored" and row["as_of"] < day]
        if since is not None:
            if since >= day:
                raise NotFound(f"a change up to {day} starts before it, not on {since}")
            before = [row for row in scored if row["as_of"] <= since]
            if not before:
                first = f"the first is {scored[0]['as_of']}" if scored else f"{day} is the first"
                raise NotFound(f"{self.account_id} has no score on or before {since}", hint=first)
            return before[-1], ""
        if not scored:
            return None, ""
        began = here["band_since"]
        if began is not None and timedelta(0) <= day - began <= timedelta(days=BAND_DAYS):
            wanted = min(began - timedelta(days=1), day - timedelta(days=CHANGE_DAYS))
            before = [row for row in scored if row["as_of"] <= wanted]
            if before:
                moved = before[-1]["band"] != here["band"]
                return before[
                    -1
                ], f"before it became {WORDS[here['band']]}" if moved else f"{CHANGE_DAYS} days before"
        before = [row for row in scored if row["as_of"] <= day - timedelta(days=CHANGE_DAYS)]
        return (before[-1], f"{CHANGE_DAYS} days before") if before else (scored[0], "its first score")

    def change(self, start: Row, end: Row, metrics: Mapping[str, AnyMetric], why: str) -> Change:
        bridges = [
            b for b in self._read("bridges", start["as_of"], end["as_of"]) if b["as_of"] > start["as_of"]
        ]
        first = min([start["as_of"], *(b["since"] for b in bridges if b["since"] is not None)])
        measures = self.measures(first, end["as_of"])
        told = explain_change(
            self._snapshot(start, measures),
            self._snapshot(end, measures),
            [self._bridge(bridge, measures) for bridge in bridges],
        )
        words = Words(self.by_day, self._override, start, end, measures, bridges, metrics)
        drivers = tuple(ExplainedDriver(d.kind, d.component, d.metric, d.points, words.of(d)) for d in told)
        return Change(
            start["as_of"],
            end["as_of"],
            start["effective"],
            end["effective"],
            start["band"],
            end["band"],
            drivers,
            why,
        )

    def _snapshot(self, row: Row, measures: Mapping[date, Sequence[Row]]) -> Snapshot:
        return Snapshot(
            row["as_of"],
            row["base"],
            row["adjustment"],
            row["computed"],
            row["published"],
            row["effective"],
            _measure_rows(measures.get(row["as_of"], ())),
        )

    def _bridge(self, bridge: Row, measures: Mapping[date, Sequence[Row]]) -> Bridge:
        day = bridge["as_of"]
        old = None
        if bridge["old_computed"] is not None:
            rows = _measure_rows(json.loads(bridge["old_measures"] or "[]"))
            old = Scoring(bridge["old_base"], bridge["old_adjustment"], bridge["old_computed"], rows)
        before = self.by_day.get(bridge["since"])
        return Bridge(
            day,
            self._snapshot(self.by_day[day], measures).scoring,
            old,
            self._snapshot(before, measures).scoring if before and old is None else None,
        )


def _measure_rows(rows: Sequence[Row]) -> tuple[MeasureRow, ...]:
    names = ("component", "metric", "value", "state", "points", "weight")
    return tuple(MeasureRow(*(row[name] for name in names)) for row in rows)


def _components(rows: Sequence[Row], formula: Formula | None) -> tuple[ExplainedComponent, ...]:
    declared = formula.components if formula else {}
    order = {name: n for n, name in enumerate(declared)}
    found = []
    for row in sorted(rows, key=lambda r: (order.get(r["component"], len(order)), r["component"])):
        one = declared.get(row["component"])
        found.append(
            ExplainedComponent(
                row["component"],
                (one.label if one else None) or row["component"].replace("_", " "),
                row["points"],
                row["weight"],
                row["contribution"],
                one.advice if one else None,
            )
        )
    return tuple(found)


def _measures(
    rows: Sequence[Row], standing: Standing | None, metrics: Mapping[str, AnyMetric]
) -> tuple[ExplainedMeasure, ...]:
    declared = standing.declared() if standing else {}
    order = {place: n for n, place in enumerate(declared)}
    found = []
    for row in sorted(rows, key=lambda r: order.get((r["component"], r["metric"]), len(order))):
        metric, place = metrics.get(row["metric"]), (row["component"], row["metric"])
        found.append(
            ExplainedMeasure(
                row["component"],
                row["metric"],
                metric_label(row["metric"], metrics),
                metric.unit if metric else None,
                row["value"],
                row["state"],
                row["age_days"],
                row["points"],
                row["weight"],
                row["contribution"],
                declared[place][0] if declared else 0.0,
                freshness(row, declared[place][1]) if declared else 1.0,
                row["cohort"],
            )
        )
    return tuple(found)


def _gaps(measures: Sequence[ExplainedMeasure]) -> tuple[str, ...]:
    """What coverage lacks, in words, the heaviest first."""
    found = []
    for m in sorted(measures, key=lambda m: -m.declared):
        part = f"({share(m.declared)} of the weight)"
        if m.state == "missing":
            found.append(f"{m.label}: missing {part}")
        elif m.state == "stale":
            age = f", {shown(m.age_days)} days old" if m.age_days is not None else ""
            found.append(f"{m.label}: stale{age} {part}")
        elif m.state == "ok" and m.freshness < 1:
            found.append(f"{m.label}: {shown(m.age_days)} days old, counts {share(m.freshness)} {part}")
    return tuple(found)
