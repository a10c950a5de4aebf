"""From a published date to its alerts: read what the rules look at, decide, write all of it at once.

Dates are evaluated in their order, each once, whoever asks: `retinue run`, a worker, two of them. What a
run restates of dates that were evaluated raises nothing any more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from retinue.action.alerts import Before, Memory, Raised, raised, stake
from retinue.action.picture import BANDS, NEVER, Earlier, Happened, Picture, aligned
from retinue.action.portfolio import WINDOWS, Finding, Known, rising, shared
from retinue.action.portfolio import told as told_of
from retinue.project.alerts import AlertRule
from retinue.project.conditions import names as names_of
from retinue.run.happenings import Happenings
from retinue.run.layers import day_number, days_of, floats_of
from retinue.run.messages import account_alert, messages, portfolio_alert
from retinue.store import alerts as kept
from retinue.store.alerts import NewAlert, Remembered
from retinue.store.snapshots import Published
from retinue.store.work import last_touches
from retinue.warehouse.trace import Listener, Trace
from retinue.workspace import Workspace

_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True)
class Evaluated:
    """What was evaluated: dates, alerts by rule, messages, and what was withheld, by reason."""

    dates: tuple[date, ...]
    alerts: Mapping[str, int]
    messages: int
    withheld: Mapping[str, int]

    def to_dict(self) -> dict[str, Any]:
        return {
            "dates": [day.isoformat() for day in self.dates],
            "alerts": dict(self.alerts),
            "messages": self.messages,
            "withheld": dict(self.withheld),
        }


def evaluate(workspace: Workspace, *, now: datetime, progress: Listener | None = None) -> Evaluated:
    """Raise what the published dates since the last evaluation call for.

    The first time only the last date is looked at, and raises nothing but events: what has been so for
    long is no news. Raises NotFound before the first run.
    """
    rules = workspace.project.settings.alerts
    alerts: dict[str, int] = {}
    withheld: dict[str, int] = {}
    sent = 0
    done: list[date] = []
    if not rules:
        return Evaluated((), alerts, 0, withheld)
    published = workspace.published()
    known = kept.evaluated(workspace.store)
    last = max((day for _, day in known.values()), default=None)
    dates = published.dates()
    due = [day for day in dates if last is None or day > last][-1 if last is None else 0 :]
    since = (last or (due[0] if due else dates[-1]) - timedelta(days=1)) + timedelta(days=1)
    with Trace(progress) as trace, Happenings(workspace.project, trace, since) as read:
        for day in due:
            trace.stage(f"looking for alerts of {day}")
            one = _Date(workspace, published, day, last, known, now, read).evaluated()
            if one is None:
                break  # another worker is at it
            done.append(day)
            for rule, count in one.alerts.items():
                alerts[rule] = alerts.get(rule, 0) + count
            for reason, count in one.withheld.items():
                withheld[reason] = withheld.get(reason, 0) + count
            sent += one.messages
            known = kept.evaluated(workspace.store)
            last = day
    return Evaluated(tuple(done), alerts, sent, withheld)


@dataclass(frozen=True)
class _Date:
    """One as-of date to evaluate; `last` is the one before it, None for the first ever."""

    workspace: Workspace
    published: Published
    day: date
    last: date | None
    known: Mapping[str, tuple[str, date]]
    now: datetime
    read: Happenings

    @property
    def rules(self) -> Mapping[str, AlertRule]:
        return self.workspace.project.settings.alerts

    def evaluated(self) -> Evaluated | None:
        project, store = self.workspace.project, self.workspace.store
        declared = {name: rule.model_dump_json(exclude_none=True) for name, rule in self.rules.items()}
        # A rule that was changed is a new one: what it finds at first has been so before.
        old = {name for name, text in declared.items() if self.known.get(name, ("", None))[0] == text}
        now = self.picture()
        memory = {name: kept.memory_of(store, name) for name in self.rules if name in old}
        before = Before(
            {name: _as_arrays(memory[name], now) for name in memory if not self.rules[name].is_portfolio},
            self._lately(now),
            self._muted(now),
        )
        happened, findings = self._happened(now)
        found = raised(self.rules, project.settings.alerting, now, self._earlier(now), happened, before)
        news = [*self._account_alerts(found, now)]
        after = {name: _remembered(one, now) for name, one in found.memory.items()}
        for name, rule in self.rules.items():
            if not rule.is_portfolio:
                continue
            due, told_after = told_of(
                findings.get(name, []),
                _as_known(memory[name]) if name in memory else {},
                day_number(self.day),
                rule.hold.days,
                rule.rest.days,
                new=name not in old,
            )
            news += [portfolio_alert(name, rule, finding, self.day) for finding in due]
            after[name] = _of_subjects(told_after)
        rows = messages(self.workspace, news, self.day, self.now)
        if not kept.record(store, self.day, declared, news, after, rows, now=self.now):
            return None
        counts: dict[str, int] = {}
        for one in news:
            counts[one.rule] = counts.get(one.rule, 0) + 1
        withheld: dict[str, int] = {}
        for reasons in found.withheld.values():
            for reason, count in reasons.items():
                withheld[reason] = withheld.get(reason, 0) + count
        return Evaluated((self.day,), counts, len(rows), withheld)

    # --- what is looked at ---

    def picture(self) -> Picture:
        wanted = ["account_id", "computed", "published_band", "coverage", "fingerprint", "held"]
        rows = self.published.table("snapshots", dates=[self.day], columns=wanted)
        ids = rows["account_id"].combine_chunks()
        accounts = self.published.table("accounts", dates=[self.day])
        order = pc.index_in(ids, value_set=accounts["account_id"].combine_chunks())
        accounts = accounts.take(order)
        columns = {name: accounts[name].combine_chunks() for name in accounts.column_names}
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

    def _metrics(self, ids: pa.Array, columns: Mapping[str, pa.Array]) -> dict[str, pa.Array]:
        """The metrics that conditions of rules name."""
        asked = {
            name
            for rule in self.rules.values()
            for condition in (rule.applies_to, rule.expansion)
            if condition is not None
            for name in names_of(condition)
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
        place = pc.index_in(ids, value_set=before["account_id"].combine_chunks())
        old = before["fingerprint"].combine_chunks().take(place)
        changed = pc.fill_null(pc.not_equal(old, fingerprints.combine_chunks()), False)
        return changed.to_numpy(zero_copy_only=False).astype(bool)

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

    def _earlier(self, now: Picture) -> dict[int, Earlier]:
        """Scores so many days before, for each window of a rule: of the last date that is so old."""
        windows = {r.within.days for r in self.rules.values() if r.kind in ("drop", "component")}
        dates = self.published.dates()
        found = {}
        for days in windows:
            then = [d for d in dates if d <= self.day - timedelta(days=days)]
            if then:
                rows = self.published.table("snapshots", dates=[then[-1]], columns=["account_id", "computed"])
                owners = rows["account_id"].combine_chunks()
                computed = aligned(now.ids, owners, floats_of(rows["computed"]), np.nan)
                found[days] = Earlier(computed, self._components(now.ids, then[-1]))
        return found

    def _happened(self, now: Picture) -> tuple[Happened, dict[str, list[Finding]]]:
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
        said = last_touches(self.workspace.store, self.day + timedelta(days=1))
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
        rows = self.published.table("snapshots", dates=[then[-1]], columns=["account_id", "published_band"])
        codes = pc.fill_null(pc.index_in(rows["published_band"], value_set=pa.array(BANDS)), -1)
        numbers = codes.to_numpy().astype(np.int8)
        was = aligned(now.ids, rows["account_id"].combine_chunks(), numbers, np.int8(-2))
        both = (was >= 0) & (now.band >= 0) & pc.is_valid(column).to_numpy(zero_copy_only=False)
        encoded = pc.dictionary_encode(column.filter(pa.array(both)))
        groups = [str(value) for value in encoded.dictionary.to_pylist()]
        band = BANDS.index(asked.band)
        inside = (was == band)[both], (now.band == band)[both]
        place = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
        return rising(groups, place, *inside, asked.at_least)

    def _stopped(self, now: Picture) -> list[Finding]:
        """Scores that are held because a source that they rest on has stopped."""
        rows = self.published.table("snapshots", dates=[self.day], columns=["held"])
        held = int(pc.sum(rows["held"]).as_py() or 0)
        return [Finding("a source", held, len(now), 0.0, 0.0)] if held else []

    def _anomalies(self, now: Picture) -> tuple[Any, Any]:
        """Whose usage is unusually low, and whose has been falling slowly."""
        if not any(rule.kind == "anomaly" for rule in self.rules.values()):
            return None, None
        rows = self.published.table("anomalies", dates=[self.day])
        owners = rows["account_id"].combine_chunks()
        low = pc.and_(pc.equal(rows["direction"], "down"), pc.equal(rows["state"], "flagged"))
        week, falling = (
            pc.fill_null(flags, False).to_numpy(zero_copy_only=False).astype(bool)
            for flags in (low, pc.is_valid(rows["falling_since"]))
        )
        return aligned(now.ids, owners, week, False), aligned(now.ids, owners, falling, False)

    def _lately(self, now: Picture) -> Any:
        counts = kept.lately(self.workspace.store, self.day - timedelta(days=28))
        owners = pa.array(list(counts), pa.string())
        return aligned(now.ids, owners, np.array(list(counts.values()), np.int64), 0)

    def _muted(self, now: Picture) -> dict[str, Any]:
        mutes = kept.mutes_on(self.workspace.store, self.day)
        found = {name: np.zeros(len(now), bool) for name in self.rules}
        for mute in mutes:
            whom = (
                np.ones(len(now), bool)
                if mute.account_id is None
                else pc.equal(now.ids, mute.account_id).to_numpy(zero_copy_only=False)
            )
            for name in [mute.rule] if mute.rule is not None else list(self.rules):
                if name in found:
                    found[name] |= whom
        return found

    # --- what is told ---

    def _account_alerts(self, found: Raised, now: Picture) -> list[NewAlert]:
        weights = stake(now)
        news = []
        for name, places in found.alerts.items():
            rule = self.rules[name]
            if name in found.storms:
                finding = Finding(name, len(places), len(now), 0.0, 0.0)
                news.append(portfolio_alert(name, rule, finding, self.day, storm=True))
                continue
            earlier = self._earlier(now).get(rule.within.days)
            news += [
                account_alert(name, rule, now, earlier, place, float(weights[place]))
                for place in places.tolist()
            ]
        return news


def _is_number(column: pa.Array | None) -> bool:
    return column is not None and (pa.types.is_floating(column.type) or pa.types.is_integer(column.type))


def _as_arrays(memory: Remembered, now: Picture) -> Memory:
    subjects = pa.array(memory.subjects, pa.string())
    since = np.array([_number(day) for day in memory.since], np.int64)
    last = np.array([_number(day) for day in memory.raised], np.int64)
    told_ = np.array(memory.told, bool)
    return Memory(
        aligned(now.ids, subjects, since, NEVER),
        aligned(now.ids, subjects, last, NEVER),
        aligned(now.ids, subjects, told_, False),
    )


def _remembered(memory: Memory, now: Picture) -> Remembered:
    """What is worth keeping: accounts for which something holds, or was raised."""
    worth = np.flatnonzero((memory.since != NEVER) | (memory.raised != NEVER))
    return Remembered(
        now.ids.take(pa.array(worth)).to_pylist(),
        [_date(day) for day in memory.since[worth].tolist()],
        [_date(day) for day in memory.raised[worth].tolist()],
        memory.told[worth].tolist(),
    )


def _as_known(memory: Remembered) -> dict[str, Known]:
    return {
        subject: Known(_number(since), _number(last))
        for subject, since, last in zip(memory.subjects, memory.since, memory.raised, strict=True)
    }


def _of_subjects(known: Mapping[str, Known]) -> Remembered:
    return Remembered(
        list(known),
        [_date(one.since) for one in known.values()],
        [_date(one.raised) for one in known.values()],
        [one.raised >= one.since != NEVER for one in known.values()],
    )


def _number(day: date | None) -> int:
    return NEVER if day is None else day_number(day)


def _date(day: int) -> date | None:
    return None if day == NEVER else _EPOCH + timedelta(days=day)
