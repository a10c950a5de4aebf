"""Explaining one score from what is published: nothing is computed from the sources again."""

from __future__ import annotations

import json
import math
from bisect import bisect_right
from collections.abc import Collection, Mapping, Sequence
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
    ExplainedDriver,
    Explanation,
    Layer,
    Trend,
)
from retinue.run.improve import Standing, improvements, metric_label
from retinue.run.parts import components_of, gaps_of, measures_of
from retinue.run.wording import Words, stability, usage
from retinue.store.people.access import OPERATOR, Actor
from retinue.store.published.current import accounts, near
from retinue.store.published.histories import Series, open_histories
from retinue.store.published.snapshots import Published
from retinue.store.work.said import overrides_of, sees
from retinue.warehouse.scores.curves import Segment
from retinue.words import WORDS, grade, number
from retinue.workspace import Workspace

#: Days that a change is counted over, unless the band changed lately.
CHANGE_DAYS = 28
#: A change of band within these days is explained from before it.
BAND_DAYS = 90
#: Days of the trend, and of the history that tells its noise.
TREND_DAYS, HISTORY_DAYS = 28, 182

Row = Mapping[str, Any]


def explain(
    workspace: Workspace,
    account_id: str,
    *,
    as_of: date | None = None,
    since: date | None = None,
    actor: Actor = OPERATOR,
) -> Explanation:
    """One account, by id or name, as it was published on `as_of`, by default the last date that it has.

    Its change is counted from the last scored snapshot on or before `since`; by default from 28
    days before, or from before the last change of band if that was within 90 days. Raises
    NotFound for an account, date or start that is not published, naming the nearest ones, and for an
    account that the actor may not see; one that is gone is seen by who sees everything.
    """
    reader = _Reader(workspace, workspace.published(), actor, account_id)
    here = reader.at(as_of)
    day = here["as_of"]
    formula = reader.formula(here["fingerprint"])
    metrics = {**(formula.metrics if formula else {}), **workspace.project.metrics}
    scored = here["status"] == "scored"
    if not scored and since is not None:
        raise NotFound(f"{reader.account_id} has no score on {day}, so there is no change to explain")
    start, why = reader.start(here, since) if scored else (None, "")
    bridges = reader.bridges(start, day) if start is not None else []
    reader.read_days({day, *([start] if start else []), *_days_of(bridges)})
    measures = reader.measures.get(day, [])
    attributes = reader.attributes(day)
    standing = reader.standing(here, formula, measures, attributes) if formula else None
    change = reader.change(start, here, bridges, metrics, why) if start is not None else None
    labels = {name: metric_label(name, metrics) for name in metrics}
    explained = measures_of(measures, standing, metrics)
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
        rank=reader.histories.rank(day, here["effective"]) if scored else None,
        base=here["base"],
        adjustment=here["adjustment"],
        layers=reader.layers(here, formula),
        cap=here["cap"],
        held=bool(here["held"]),
        coverage=here["coverage"],
        min_coverage=formula.scorecard.min_coverage if formula else None,
        gaps=gaps_of(explained),
        weakest_component=here["weakest_component"],
        stage=attributes.get("stage"),
        attributes=attributes,
        components=components_of(reader.components(day), formula),
        measures=explained,
        trend=reader.trend(day),
        history=reader.history(day),
        change=change,
        improvements=improvements(standing, labels) if standing and measures else (),
        notes=reader.notes(here),
    )


def standing(
    workspace: Workspace, account_id: str, *, actor: Actor = OPERATOR
) -> tuple[date, Standing | None, tuple[str, ...]]:
    """One account on the last date that it has, as what its score can be computed from again, the date, and
    what must be known of that score. None where it is not made of measures. Raises NotFound as `explain`."""
    reader = _Reader(workspace, workspace.published(), actor, account_id)
    here = reader.at(None)
    day, formula = here["as_of"], reader.formula(here["fingerprint"])
    reader.read_days({day})
    measures = reader.measures.get(day, [])
    found = reader.standing(here, formula, measures, reader.attributes(day)) if formula and measures else None
    return day, found, reader.notes(here)


def _days_of(bridges: Sequence[Row]) -> set[date]:
    return {day for bridge in bridges for day in (bridge["as_of"], bridge["since"]) if day is not None}


@dataclass
class _Reader:
    """Everything published about one account, read as it is asked for.

    `series` are its scores on all dates; `by_day` and `measures` hold the days that were read.
    """

    workspace: Workspace
    published: Published
    actor: Actor
    account_id: str

    def __post_init__(self) -> None:
        self.histories = open_histories(self.published)
        self.by_day: dict[date, Row] = {}
        self.measures: dict[date, list[Row]] = {}
        self.series = self._series(self.account_id)
        if not self.series.dates:
            self.account_id = self._named() or self.account_id
            self.series = self._series(self.account_id)
        if not self.series.dates:
            close = near(self.workspace.store, self.actor, self.account_id)
            raise NotFound(
                f"no account {self.account_id!r}",
                hint=f"did you mean {', '.join(close)}?" if close else "`retinue accounts` lists them",
            )

    def _series(self, account_id: str) -> Series:
        """No dates where there is no such account, or none that the actor may see."""
        if not self.actor.everything and not sees(self.workspace.store, self.actor, account_id):
            return self.histories.none(account_id)
        return self.histories.of(account_id)

    def _read(self, table: str, *days: date) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.published.table(
            table, account=self.account_id, dates=days
        ).to_pylist()
        return found

    def _named(self) -> str | None:
        """The id of the only current account of this name."""
        alike = accounts(
            self.workspace.store, self.actor, search=self.account_id, sort="account_id", limit=200
        )
        same = [row.account_id for row in alike if (row.name or "").casefold() == self.account_id.casefold()]
        return same[0] if len(same) == 1 else None

    def at(self, as_of: date | None) -> Row:
        """The snapshot of the date asked for, or the last one."""
        days = self.series.dates
        if as_of is None or as_of in days:
            return self.snapshot(days[-1] if as_of is None else as_of)
        dates = self.published.dates()
        if as_of not in dates:
            before = [day for day in dates if day < as_of][-1:]
            after = [day for day in dates if day > as_of][:1]
            nearest = " and ".join(str(day) for day in before + after)
            raise NotFound(f"nothing is published as of {as_of}", hint=f"nearest: {nearest}")
        raise NotFound(
            f"{self.account_id} is not among the accounts of {as_of}",
            hint=f"it is there from {days[0]} to {days[-1]}",
        )

    def snapshot(self, day: date) -> Row:
        if day not in self.by_day:
            self.by_day[day] = self._read("snapshots", day)[0]
        return self.by_day[day]

    def read_days(self, days: Collection[date]) -> None:
        """Read the snapshots and measures of those days that the account has."""
        days = set(days) & set(self.series.dates)
        for row in self._read("snapshots", *(days - set(self.by_day))):
            self.by_day[row["as_of"]] = row
        for row in self._read("measures", *days):
            self.measures.setdefault(row["as_of"], []).append(row)

    def formula(self, fingerprint: str | None) -> Formula | None:
        told = self.published.manifest.formulas.get(fingerprint or "")
        if not told:
            return None
        key = ("formula", fingerprint or "")
        if key not in self.published.memo:
            self.published.memo[key] = Formula.from_dict(told)
        formula: Formula = self.published.memo[key]
        return formula

    def components(self, day: date) -> list[dict[str, Any]]:
        return self._read("components", day)

    def attributes(self, day: date) -> dict[str, Any]:
        rows = self._read("accounts", day)
        return {k: v for k, v in rows[0].items() if k not in ("account_id", "as_of")} if rows else {}

    def bridges(self, start: date, end: date) -> list[dict[str, Any]]:
        """Those after `start`, up to `end`."""
        return self._read("bridges", *(day for day in self.series.dates if start < day <= end))

    def standing(
        self, here: Row, formula: Formula, measures: Sequence[Row], attributes: Mapping[str, Any]
    ) -> Standing | None:
        by_place = {(row["component"], row["metric"]): row for row in measures}
        if any((name, m) not in by_place for name, c in formula.components.items() for m in c.measures):
            return None
        day = here["as_of"]
        metrics = {row["metric"]: (row["value"], row["state"]) for row in self._read("metrics", day)}
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
        key = ("cohort curves", here["fingerprint"] or "")
        if key not in self.published.memo:
            self.published.memo[key] = _curves_of(self.published, here["fingerprint"])
        found = self.published.memo[key]
        return {
            (row["component"], row["metric"]): segments
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
        for row in overrides_of(self.workspace.store, self.account_id):
            first = max(row["starts_on"], layers.known_day(row["said_at"], self.workspace.project))
            ended = row["expires_on"] is not None and row["expires_on"] < day
            if row["withdrawn_at"]:
                ended |= layers.known_day(row["withdrawn_at"], self.workspace.project) <= day
            if first <= day and not ended:
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

    def trend(self, day: date) -> Trend:
        dates = self.series.dates
        first = bisect_right(dates, day - timedelta(days=HISTORY_DAYS))
        past = dates[first : bisect_right(dates, day)]
        days = np.array([layers.day_number(one) for one in past], np.int64)
        scores = self.series.computed[first : first + len(past)]
        found = trends(np.zeros(len(past), np.int64), days, scores, 1, layers.day_number(day), TREND_DAYS)
        change = float(found.change[0])
        return Trend(TREND_DAYS, None if np.isnan(change) else change, int(found.arrow[0]))

    def history(self, day: date) -> tuple[tuple[date, float | None], ...]:
        scores = [None if math.isnan(score) else score for score in self.series.effective.tolist()]
        return tuple(pair for pair in zip(self.series.dates, scores, strict=True) if pair[0] <= day)

    def notes(self, here: Row) -> tuple[str, ...]:
        notes = []
        last = self.published.dates()[-1]
        if here["as_of"] < last and here["as_of"] == self.series.dates[-1]:
            notes.append(f"not among the accounts any more: the last published date is {last}")
        if here["held"]:
            notes.append("held: a source that this score rests on has stopped")
        if here["scorecard"] is None:
            notes.append("no scorecard applies to this account")
        return (*notes, *usage(self._read("anomalies", here["as_of"])))

    # --- change ---

    def start(self, here: Row, since: date | None) -> tuple[date | None, str]:
        """The day that the change is counted from, and in words why that one."""
        day = here["as_of"]
        scored = [
            one for one, is_scored in zip(self.series.dates, self.series.scored.tolist(), strict=True)
            if is_scored and one < day
        ]  # fmt: skip
        if since is not None:
            if since >= day:
                raise NotFound(f"a change up to {day} starts before it, not on {since}")
            before = scored[: bisect_right(scored, since)]
            if not before:
                first = f"the first is {scored[0]}" if scored else f"{day} is the first"
                raise NotFound(f"{self.account_id} has no score on or before {since}", hint=first)
            return before[-1], ""
        if not scored:
            return None, ""
        began = here["band_since"]
        if began is not None and timedelta(0) <= day - began <= timedelta(days=BAND_DAYS):
            wanted = min(began - timedelta(days=1), day - timedelta(days=CHANGE_DAYS))
            before = scored[: bisect_right(scored, wanted)]
            if before:
                moved = self.snapshot(before[-1])["band"] != here["band"]
                why = f"before it became {WORDS[here['band']]}" if moved else f"{CHANGE_DAYS} days before"
                return before[-1], why
        before = scored[: bisect_right(scored, day - timedelta(days=CHANGE_DAYS))]
        return (before[-1], f"{CHANGE_DAYS} days before") if before else (scored[0], "its first score")

    def change(
        self,
        since: date,
        end: Row,
        bridges: Sequence[Row],
        metrics: Mapping[str, AnyMetric],
        why: str,
    ) -> Change:
        """From the day `since`; its days and those of the bridges have been read."""
        start, measures = self.by_day[since], self.measures
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


def _curves_of(
    published: Published, fingerprint: str | None
) -> dict[tuple[str, str, date], tuple[Segment, ...]]:
    """The cohort curves of a formula, by metric, cohort and reference."""
    table = published.table("curves")
    table = table.filter(pc.equal(table["fingerprint"], fingerprint))
    found: dict[tuple[str, str, date], list[Segment]] = {}
    for row in table.filter(pc.is_valid(table["cohort"])).to_pylist():
        segment = Segment(row["lo"], row["hi"], row["points_lo"], row["points_hi"])
        found.setdefault((row["metric"], row["cohort"], row["reference"]), []).append(segment)
    return {key: tuple(sorted(segments, key=lambda s: s.lo)) for key, segments in found.items()}


def _measure_rows(rows: Sequence[Row]) -> tuple[MeasureRow, ...]:
    names = ("component", "metric", "value", "state", "points", "weight")
    return tuple(MeasureRow(*(row[name] for name in names)) for row in rows)
