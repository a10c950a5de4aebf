"""What decisions look at, read from what is published of one date, from sources and from the store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from retinue.action.picture import BANDS, NEVER, Earlier, Happened, Picture, aligned
from retinue.action.portfolio import A_FEED, WINDOWS, Finding, rising, shared
from retinue.insight.anomalies import RATE
from retinue.project.alerts import AlertRule
from retinue.project.conditions import names as names_of
from retinue.run.happenings import Happenings
from retinue.run.layers import day_number, days_of, floats_of
from retinue.store.database import Store
from retinue.store.published.snapshots import Published
from retinue.store.work.assignments import assigned
from retinue.store.work.tasks import last_touches


@dataclass(frozen=True)
class Looking:
    """One as-of date with what `rules` look at, and the names of attributes and metrics `named` besides.

    `last` is the date that was looked at before, None for the first ever.
    """

    store: Store
    published: Published
    day: date
    last: date | None
    rules: Mapping[str, AlertRule]
    read: Happenings
    named: frozenset[str] = field(default_factory=frozenset)

    def picture(self) -> Picture:
        wanted = ["account_id", "computed", "published_band", "coverage", "fingerprint", "held"]
        rows = self.published.table("snapshots", dates=[self.day], columns=wanted)
        ids = rows["account_id"].combine_chunks()
        accounts = self.published.table("accounts", dates=[self.day])
        order = pc.index_in(ids, value_set=accounts["account_id"].combine_chunks())
        accounts = accounts.take(order)
        columns = {name: accounts[name].combine_chunks() for name in accounts.column_names}
        columns["owner"] = self._owners(ids, columns.get("owner"))
        columns |= self._metrics(ids, columns)
        empty = pa.nulls(len(ids), pa.float64())
        renews = columns.get("renews_on")
        renews_in = np.full(len(ids), np.nan)
        if renews is not None and pa.types.is_date(renews.type):
            there = pc.is_valid(renews).to_numpy(zero_copy_only=False)
            renews_in[there] = days_of(renews)[there] - day_number(self.day)
        columns["days_to_renewal"] = pa.array(renews_in, from_pandas=True)
        band = rows["published_band"].combine_chunks()
        codes = pc.fill_null(pc.index_in(band, value_set=pa.array(BANDS)), -1)
        columns["band"] = band
        columns["score"] = rows["computed"].combine_chunks()
        columns["fingerprint"] = rows["fingerprint"].combine_chunks()
        return Picture(
            day=day_number(self.day),
            ids=ids,
            computed=floats_of(rows["computed"]),
            band=codes.to_numpy(zero_copy_only=False).astype(np.int8),
            coverage=floats_of(rows["coverage"]),
            recalibrated=self._recalibrated(ids, rows["fingerprint"]),
            arr=floats_of(columns.get("arr", empty)) if _is_number(columns.get("arr")) else floats_of(empty),
            renews_in=renews_in,
            components=self._components(ids, self.day),
            columns=columns,
        )

    def _owners(self, ids: pa.Array, named: pa.Array | None) -> pa.Array:
        """Who looks after each account: as its source says, unless it was given to somebody else since."""
        named = pa.nulls(len(ids), pa.string()) if named is None else named.cast(pa.string())
        held = assigned(self.store)
        place = pc.index_in(ids, value_set=pa.array(list(held), pa.string()))
        given = pa.array([owner for owner, _ in held.values()], pa.string()).take(place)
        instead_of = pa.array([source for _, source in held.values()], pa.string()).take(place)
        same = pc.or_(
            pc.fill_null(pc.equal(instead_of, named), False),
            pc.and_(pc.is_null(instead_of), pc.is_null(named)),
        )
        return pc.if_else(pc.and_(pc.is_valid(place), same), given, named)

    def _metrics(self, ids: pa.Array, columns: Mapping[str, pa.Array]) -> dict[str, pa.Array]:
        """The metrics that conditions of rules name."""
        asked = {
            *self.named,
            *(
                name
                for rule in self.rules.values()
                for condition in (rule.applies_to, rule.holds, rule.expansion)
                if condition is not None
                for name in names_of(condition)
            ),
        } - set(columns)
        if not asked:
            return {}
        rows = self.published.table("metrics", dates=[self.day])
        rows = rows.filter(pc.is_in(rows["metric"], value_set=pa.array(sorted(asked))))
        found = {}
        for metric in sorted(asked):
            mine = rows.filter(pc.equal(rows["metric"], metric))
            place = pc.index_in(ids, value_set=mine["account_id"].combine_chunks())
            found[metric] = mine["value"].combine_chunks().take(place)
        return found

    def _recalibrated(self, ids: pa.Array, fingerprints: pa.ChunkedArray) -> Any:
        """Accounts that another formula scored the evaluated date before."""
        if self.last is None:
            return np.zeros(len(ids), bool)
        before = self.published.table("snapshots", dates=[self.last], columns=["account_id", "fingerprint"])
        return self._differs(ids, before, fingerprints.combine_chunks())

    def _components(self, ids: pa.Array, day: date) -> dict[str, Any]:
        asked = sorted({rule.component for rule in self.rules.values() if rule.component is not None})
        if not asked:
            return {}
        rows = self.published.table("components", dates=[day], columns=["account_id", "component", "points"])
        found = {}
        for name in asked:
            mine = rows.filter(pc.equal(rows["component"], name))
            owners = mine["account_id"].combine_chunks()
            found[name] = aligned(ids, owners, floats_of(mine["points"]), np.nan)
        return found

    def earlier(self, now: Picture) -> dict[int, Earlier]:
        """Scores so many days before, for each window of a rule: of the last date that is so old.

        As today's formula would have had them: what another formula took or gave on the way is taken out
        of scores; points of components, where the formula is another one, are not compared.
        """
        windows = {r.within.days for r in self.rules.values() if r.kind in ("drop", "component")}
        dates = self.published.dates()
        found = {}
        for days in windows:
            then = [d for d in dates if d <= self.day - timedelta(days=days)]
            if then:
                wanted = ["account_id", "computed", "fingerprint"]
                rows = self.published.table("snapshots", dates=[then[-1]], columns=wanted)
                owners = rows["account_id"].combine_chunks()
                computed = aligned(now.ids, owners, floats_of(rows["computed"]), np.nan)
                components = self._components(now.ids, then[-1])
                other = self._differs(now.ids, rows, now.columns["fingerprint"])
                if other.any():
                    computed[other] += self._moved(now.ids, then[-1])[other]
                    for points in components.values():
                        points[other] = np.nan
                found[days] = Earlier(computed, components)
        return found

    def _moved(self, ids: pa.Array, then: date) -> Any:
        """By how many points other formulas moved each account since; nan where that is not known."""
        wanted = ["account_id", "new_computed", "old_computed"]
        rows = self.published.table("bridges", first=then + timedelta(days=1), last=self.day, columns=wanted)
        moved = pc.subtract(rows["new_computed"], rows["old_computed"])
        rows = pa.table({"account_id": rows["account_id"], "moved": moved})
        summed = rows.group_by("account_id").aggregate(
            [("moved", "sum", pc.ScalarAggregateOptions(skip_nulls=False))]
        )
        owners = summed["account_id"].combine_chunks()
        return aligned(ids, owners, floats_of(summed["moved_sum"]), np.nan)

    def _differs(self, ids: pa.Array, then: pa.Table, fingerprints: pa.Array) -> Any:
        """Accounts that another formula scored then: (account_id, fingerprint)."""
        place = pc.index_in(ids, value_set=then["account_id"].combine_chunks())
        old = then["fingerprint"].combine_chunks().take(place)
        changed = pc.fill_null(pc.not_equal(old, fingerprints), False)
        return changed.to_numpy(zero_copy_only=False).astype(bool)

    def happened(self, now: Picture) -> tuple[Happened, dict[str, list[Finding]]]:
        events: dict[str, Any] = {}
        touched: dict[str, Any] = {}
        findings: dict[str, list[Finding]] = {}
        for name, rule in self.rules.items():
            if rule.kind == "event":
                after = self.last or self.day - timedelta(days=1)
                events[name] = self.read.new(rule.event or "", rule.where, now.ids, after, self.day)
            elif rule.kind == "no_touch":
                touched[name] = self._touched(rule, now)
            elif rule.shared_issue is not None:
                issue = rule.shared_issue
                told = self.read.shared(issue.source, issue.by, self.day, issue.within.days, WINDOWS)
                recent, before = (np.array([pair[n] for pair in told.values()], np.int64) for n in (0, 1))
                findings[name] = shared(list(told), recent, before, len(now), issue.at_least)
        for name, rule in self.rules.items():
            if rule.kind == "share_rising":
                findings[name] = self._rising(rule, now)
            elif rule.kind == "feed_stopped":
                findings[name] = self._stopped(now)
        week, decline = self._anomalies(now)
        return Happened(events, touched, week, decline), findings

    def _touched(self, rule: AlertRule, now: Picture) -> Any:
        found = self.read.last(rule.touches, now.ids, self.day)
        said = last_touches(self.store, self.day + timedelta(days=1))
        if said:
            days = np.array([day_number(day) for day in said.values()], np.int64)
            found = np.maximum(found, aligned(now.ids, pa.array(list(said)), days, NEVER))
        # Nobody has been silent for longer than they have been a customer.
        tenure = now.columns.get("tenure_days")
        if tenure is not None:
            start = now.day - np.nan_to_num(floats_of(tenure), nan=0.0).astype(np.int64)
            found = np.maximum(found, start)
        return found

    def _rising(self, rule: AlertRule, now: Picture) -> list[Finding]:
        asked = rule.share_rising
        assert asked is not None
        column = now.columns.get(asked.by)
        then = [d for d in self.published.dates() if d <= self.day - timedelta(days=asked.within.days)]
        if column is None or not then:
            return []
        wanted = ["account_id", "published_band", "fingerprint"]
        rows = self.published.table("snapshots", dates=[then[-1]], columns=wanted)
        codes = pc.fill_null(pc.index_in(rows["published_band"], value_set=pa.array(BANDS)), -1)
        numbers = codes.to_numpy().astype(np.int8)
        was = aligned(now.ids, rows["account_id"].combine_chunks(), numbers, np.int8(-2))
        both = (was >= 0) & (now.band >= 0) & pc.is_valid(column).to_numpy(zero_copy_only=False)
        # Bands by another formula are no others for what accounts did.
        both &= ~self._differs(now.ids, rows, now.columns["fingerprint"])
        encoded = pc.dictionary_encode(column.filter(pa.array(both)))
        groups = [str(value) for value in encoded.dictionary.to_pylist()]
        band = BANDS.index(asked.band)
        inside = (was == band)[both], (now.band == band)[both]
        place = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
        return rising(groups, place, *inside, asked.at_least)

    def _stopped(self, now: Picture) -> list[Finding]:
        """What has stopped for everybody: a feed, however it shows (usage that stops, scores that are held
        because a source that they rest on has), or the use itself."""
        rows = self.published.table("snapshots", dates=[self.day], columns=["held"])
        held = int(pc.sum(rows["held"]).as_py() or 0)
        found = [Finding(A_FEED, held, len(now), 0.0, 0.0)] if held else []
        usage = self.published.table("portfolio_usage", dates=[self.day])
        for row in usage.filter(pc.equal(usage["peers"], "portfolio")).to_pylist():
            if row["state"] in ("feed_stopped", "everybody_down"):
                if row["state"] == "everybody_down":
                    found.append(Finding("everybody's usage", len(now), len(now), 0.0, 0.0))
                elif not held:
                    found.append(Finding(A_FEED, 0, len(now), 0.0, 0.0))
        return found

    def _anomalies(self, now: Picture) -> tuple[Any, Any]:
        """Whose usage is unusually low, and whose has been falling slowly."""
        if not any(rule.kind == "anomaly" for rule in self.rules.values()):
            return None, None
        rows = self.published.table("anomalies", dates=[self.day])
        owners = rows["account_id"].combine_chunks()
        low = pc.and_kleene(pc.equal(rows["direction"], "fall"), pc.less_equal(rows["q"], RATE))
        week, falling = (
            pc.fill_null(flags, False).to_numpy(zero_copy_only=False).astype(bool)
            for flags in (low, pc.is_valid(rows["falling_since"]))
        )
        return aligned(now.ids, owners, week, False), aligned(now.ids, owners, falling, False)


def _is_number(column: pa.Array | None) -> bool:
    return column is not None and (pa.types.is_floating(column.type) or pa.types.is_integer(column.type))
