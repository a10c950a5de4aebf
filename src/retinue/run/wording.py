"""What moved a score, and what holds it, in words."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from retinue.insight.anomalies import RATE
from retinue.insight.drivers import Driver
from retinue.project.metrics import AnyMetric
from retinue.project.project import Formula
from retinue.run.improve import metric_label
from retinue.words import WORDS, number, share, shown

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Words:
    """The drivers of a change from `start` to `end` in words.

    `snapshots` and `measures` are by day, `bridges` those in between; `override` says who set
    what on a day.
    """

    snapshots: Mapping[date, Row]
    override: Callable[[date], str]
    start: Row
    end: Row
    measures: Mapping[date, Sequence[Row]]
    bridges: Sequence[Row]
    metrics: Mapping[str, AnyMetric]

    def of(self, driver: Driver) -> str:
        match driver.kind:
            case "value" | "availability" if driver.metric is not None:
                return self._measure(driver)
            case "rule":
                return _rule(self.start["cap"], self.end["cap"])
            case "configuration":
                return "; ".join(dict.fromkeys(self._configuration(bridge) for bridge in self.bridges))
            case "smoothing":
                return self._smoothing()
            case "override":
                return self._overrides()
        return "the scores of its children"

    def _measure(self, driver: Driver) -> str:
        label = metric_label(driver.metric or "", self.metrics)
        label = label[:1].upper() + label[1:]
        before, after = self._ends(driver)
        old, new = (row["value"] if row else None for row in (before, after))
        if driver.kind == "value":
            if old is None or new is None:
                return f"{label} moved"
            if old == new:
                if before and after and before.get("cohort") != after.get("cohort"):
                    return f"{label} is {number(new)} as before, among other accounts now ({after['cohort']})"
                return f"{label} is {number(new)} as before, and moved in between"
            return f"{label} {'rose' if new > old else 'fell'} from {number(old)} to {number(new)}"
        if (before is None or not before["weight"]) and after is not None and after["weight"]:
            return f"{label} counts now: {number(new)}"
        if before is not None and before["weight"] and (after is None or not after["weight"]):
            return f"{label} counts no more: {_absent(after)}"
        return f"{label} {_heavier(before, after)}"

    def _ends(self, driver: Driver) -> tuple[Row | None, Row | None]:
        """The measure before and after. A change of scorecard is a driver of its own, so that
        what a measure weighs is compared within one scorecard: the newest that has it."""
        before, after = self._row(self.start["as_of"], driver), self._row(self.end["as_of"], driver)
        if not self.bridges:
            return before, after
        crossed = max(self.bridges, key=lambda bridge: bridge["as_of"])
        if after is None:
            return before, _find(json.loads(crossed["old_measures"] or "[]"), driver)
        if before is None or driver.kind == "availability":
            return self._row(crossed["as_of"], driver), after
        return before, after

    def _row(self, day: date, driver: Driver) -> Row | None:
        return _find(self.measures.get(day, ()), driver)

    def _configuration(self, bridge: Row) -> str:
        day, new = bridge["as_of"], self.snapshots[bridge["as_of"]]
        if bridge["old_fingerprint"] == new["fingerprint"]:
            return f"compared with the reference of a new quarter from {day}"
        if bridge["old_scorecard"] != new["scorecard"]:
            return f"scorecard {new['scorecard']} instead of {bridge['old_scorecard']} from {day}"
        return f"the scorecard {new['scorecard']} was changed on {day}"

    def _smoothing(self) -> str:
        held = self.end["published"] - self.end["computed"]
        if abs(held) < 1e-9:
            return "what stability held back before has been published"
        return f"stability holds the published score at {shown(self.end['published'], 1)}"

    def _overrides(self) -> str:
        if self.end["effective"] != self.end["published"]:
            return f"override: {self.override(self.end['as_of'])}"
        return "an override ended"


def _find(rows: Sequence[Row], driver: Driver) -> Row | None:
    place = (driver.component, driver.metric)
    return next((row for row in rows if (row["component"], row["metric"]) == place), None)


def _absent(row: Row | None) -> str:
    if row is None:
        return "it is not on the scorecard"
    if row["state"] == "stale" and row["age_days"] is not None:
        return f"its data are {shown(row['age_days'])} days old"
    return str(row["state"]).replace("_", " ")


def _heavier(before: Row | None, after: Row | None) -> str:
    old, new = ((row["weight"] or 0.0) if row else 0.0 for row in (before, after))
    digits = 0 if share(new) != share(old) else 1
    text = f"weighs {share(new, digits)} of the score instead of {share(old, digits)}"
    ages = [row.get("age_days") if row else None for row in (before, after)]
    if ages[0] is not None and ages[1] is not None and new < old and ages[1] > ages[0]:
        return f"{text}: its data are {shown(ages[1])} days old"
    return text


def _rule(before: str | None, after: str | None) -> str:
    if before == after:
        return f"limited as before: {after}"
    if after is None:
        return f"not limited any more: {before}"
    return f"limited: {after}" + (f" (before: {before})" if before else "")


def stability(here: Row, formula: Formula | None) -> str | None:
    """Why what is published is not what is computed, or the band not that of its number."""
    computed, published = here["computed"], here["published"]
    if computed is None or published is None:
        return None
    if here["held"]:
        return "held, because a source has stopped"
    reasons = []
    stability = formula.scorecard.stability if formula else None
    if shown(computed, 1) != shown(published, 1):
        least = f"moves of less than {number(stability.deadband)} points" if stability else "small moves"
        reasons.append(f"{least} are not published")
    if formula is not None:
        plain = [band for band, edge in formula.scorecard.bands.items() if computed >= edge][-1]
        if plain != here["published_band"]:
            confirm = formula.scorecard.stability.confirm
            reasons.append(
                f"the band stays {WORDS[here['published_band']]} until the computed score is "
                f"{number(formula.scorecard.stability.margin)} points beyond the edge "
                f"for {confirm.down} down or {confirm.up} up"
            )
    return "; ".join(reasons) or None


def usage(rows: Sequence[Row]) -> list[str]:
    """What the anomalies of one account (rows of `anomalies`) come to; nothing where it is as usual."""
    told = []
    for row in rows:
        if row["q"] is not None and row["q"] <= RATE:
            told.append(
                f"usage is out of line: {number(row['observed'])} in a week, where "
                f"{number(round(row['expected']))} were to be expected (false discovery rate "
                f"{share(row['q'], 1)})"
            )
        if row["falling_since"] is not None:
            told.append(f"usage has declined slowly, since about {row['falling_since']}")
    return told
