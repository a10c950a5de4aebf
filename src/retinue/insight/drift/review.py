"""The quarterly review: does the score still say what it said, and what is to be renewed?

The chances of the score are learned on the earlier part of the history and kept. Each later
quarter is held against them by three checks: as many events as expected, chances as far apart as
they should be, ranking as good as it was. A check fails where it is beyond what one in thirty
quarters without any drift would give, so that a quarter fails by chance at most once in ten.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from retinue.errors import TrialError
from retinue.insight import calibration
from retinue.insight.calibration import Calibrator
from retinue.insight.drift import outcome as counts
from retinue.insight.drift.performance import Influence, auc, change, ranking, slope
from retinue.insight.drift.results import (
    Advice,
    Assumed,
    Check,
    Component,
    Early,
    Quarter,
    Review,
    Version,
    iso,
)
from retinue.insight.drift.shift import Shift, shifts
from retinue.insight.replay import Bools, Floats, Ints, Labels, Outcome, Replay, spaced

#: A check fails beyond this: three checks, one false alarm in ten quarters.
LEVEL = 0.1 / 3
#: About the days of a quarter.
QUARTER = 91
#: Fewer events on the earlier part say too little of what to expect.
ENOUGH = 5
#: A horizon that is over to less than this share says too little yet.
EARLY = 0.25


@dataclass(frozen=True)
class _Rows:
    """Rows of a part of the history, with the chance that the earlier part gives them."""

    rows: Replay
    event: Floats
    chance: Floats

    def at(self, chosen: Bools) -> _Rows:
        return _Rows(self.rows.at(chosen), self.event[chosen], self.chance[chosen])

    @property
    def ranking(self) -> Influence:
        return ranking(-self.rows.computed, self.event, self.rows.group)

    @property
    def slope(self) -> Influence:
        return slope(self.chance, self.event, self.rows.group)


def review(
    replay: Replay,
    told: Labels,
    outcome: Outcome,
    until: int,
    *,
    reference_until: int | None = None,
    versions: Sequence[tuple[str, Floats]] = (),
    good: bool = False,
    seed: int = 0,
) -> Review:
    """Hold the later part of the history against the earlier one.

    `reference_until` is the last day of the earlier part (without it, its half). `versions` are
    names and computed scores of other versions, one per row of `replay`. A `good` outcome is one that
    high scores are to foresee: its chances are learned from 100 - score. Raises TrialError
    where the earlier part has fewer than 5 events or nothing comes after it.
    """
    places = spaced(replay, told, outcome.horizon)
    if not len(places):
        raise TrialError(
            f"no score has an outcome yet: none is {outcome.horizon} days old",
            hint="give a longer history, or a shorter horizon",
        )
    seen, replay = replay, _turned(replay) if good else replay
    rows, event = replay.at(places), told.event[places]
    quarters = _quarters(rows.day)
    cut = _cut(quarters, reference_until)
    early = rows.day <= cut
    calibrator = _learned(rows.computed[early], event[early], early)
    everything = _Rows(rows, event.astype(np.float64), _chances(calibrator, rows.computed))
    then, later = everything.at(early), everything.at(~early)
    by_quarter = [(days[0] > cut, everything.at(np.isin(rows.day, days))) for days in quarters]
    judged = _judged(
        then, [one for late, one in by_quarter if not late], [one for late, one in by_quarter if late]
    )
    past = sum(not late for late, _ in by_quarter)
    variance = float(counts.spread(np.array(judged[-1].shock), past, float(then.event.sum())))
    components = _components(then, later, judged)
    advice, because = _advice(judged, components)
    here = {name: (100 - score if good else score)[places] for name, score in versions}
    return Review(
        outcome=outcome.name,
        horizon=outcome.horizon,
        good=good,
        reference=(int(rows.day[early].min()), int(rows.day[early].max())),
        reference_rows=int(early.sum()),
        reference_events=int(event[early].sum()),
        calibrator=calibrator,
        quarters=judged,
        early=_so_far(replay, told, outcome, until, calibrator, variance),
        ahead=_ahead(replay, told, calibrator),
        shifts=_shifts(seen, told, cut, seed),
        components=components,
        versions=_versions(rows, event, early, here),
        advice=advice,
        because=because,
        warnings=_warnings(judged, then),
    )


def _turned(replay: Replay) -> Replay:
    """Upside down: what a good outcome is to be foreseen by, as risk foresees a bad one."""
    band = np.where(replay.band >= 0, 2 - replay.band, replay.band)
    return replace(replay, computed=100 - replay.computed, points=100 - replay.points, band=band)


def _quarters(day: Ints) -> list[Ints]:
    """Dates by quarter, oldest first, counted back from the last: as many whole steps between dates as
    come near to a quarter."""
    dates = np.unique(day)
    step = int(np.median(np.diff(dates))) if len(dates) > 1 else QUARTER
    span = step * max(1, round(QUARTER / step))
    back = (dates[-1] - dates) // span
    return [dates[back == n] for n in np.unique(back)[::-1]]


def _cut(quarters: list[Ints], reference_until: int | None) -> int:
    if reference_until is None:
        half = (len(quarters) + 1) // 2
        if half == len(quarters):
            raise TrialError(
                "one quarter of outcomes is all there is: there is nothing to hold against it",
                hint="give a longer history",
            )
        return int(quarters[half - 1][-1])
    if not quarters[0][0] <= reference_until < quarters[-1][0]:
        raise TrialError(
            f"{iso(reference_until)} leaves no quarter of outcomes before it or none after it",
            hint=f"take a day from {iso(int(quarters[0][0]))} to {iso(int(quarters[-1][0]) - 1)}",
        )
    # A quarter is on one side.
    return int(
        max(days[-1] for days in quarters if days[0] <= reference_until and days[-1] < quarters[-1][0])
    )


def _learned(score: Floats, event: Bools, early: Bools) -> Calibrator:
    events = int(event.sum())
    if events < ENOUGH:
        raise TrialError(
            f"{events} events on the earlier part ({int(early.sum())} rows): too few to say what to expect",
            hint="give a longer history, or a later end of the earlier part",
        )
    return calibration.fit(calibration.kind_for(min(events, len(event) - events)), score, event)


def _chances(calibrator: Calibrator, score: Floats) -> Floats:
    """Kept from 0 and 1, where logits have no end."""
    return np.clip(calibrator.chance(score), 1e-6, 1 - 1e-6)


def _judged(then: _Rows, past: Sequence[_Rows], quarters: Sequence[_Rows]) -> tuple[Quarter, ...]:
    """Quarters in order, each against the earlier part and the shocks of the quarters before it."""
    ranked, sloped = then.ranking, then.slope
    learned = float(then.event.sum())
    observed = [float(one.event.sum()) for one in past]
    expected = [float(one.chance.sum()) for one in past]
    found: list[Quarter] = []
    for one in quarters:
        usual = float(counts.shock(np.array(observed), np.array(expected)))
        variance = float(counts.spread(np.array(usual), len(past), learned))
        over = _over(float(one.event.sum()), float(one.chance.sum()), variance)
        quarter = Quarter(
            first=int(one.rows.day.min()),
            last=int(one.rows.day.max()),
            rows=len(one.rows),
            events=int(one.event.sum()),
            expected=float(one.chance.sum()),
            shock=usual,
            over_expected=over,
            slope=_difference(sloped, one.slope, 1.0),
            auc=auc(-one.rows.computed, one.event),
            auc_change=_dropped(ranked, one.ranking),
            assumed=_assumed(one),
        )
        found.append(quarter)
        # What is out of the usual does not say what is usual.
        if not over.fails:
            observed.append(float(one.event.sum()))
            expected.append(float(one.chance.sum()))
    return tuple(found)


def _over(events: float, expected: float, variance: float) -> Check:
    if expected <= 0:
        nan = float("nan")
        return Check(nan, nan, nan, nan, fails=False)
    low, high = counts.limits(np.array(expected), np.array(variance), LEVEL)
    p = float(counts.p_value(np.array(events), np.array(expected), np.array(variance)))
    return Check(events / expected, float(low) / expected, float(high) / expected, p, fails=p < LEVEL)


def _difference(then: Influence, now: Influence, best: float) -> Check:
    told = change(then, now, best)
    low, high = told.interval(LEVEL)
    return Check(now.value, best + low, best + high, told.p, fails=told.p < LEVEL)


def _dropped(then: Influence, now: Influence) -> Check:
    told = change(then, now)
    low, high = told.interval(LEVEL)
    return Check(told.value, low, high, told.p, fails=bool(high < 0))


def _assumed(given: _Rows) -> Assumed:
    return Assumed(
        first=int(given.rows.day.min()),
        last=int(given.rows.day.max()),
        accounts=len(given.rows),
        events=float(given.chance.sum()),
        rate=float(given.chance.mean()),
        auc=auc(-given.rows.computed, given.chance),
    )


def _so_far(
    replay: Replay,
    told: Labels,
    outcome: Outcome,
    until: int,
    calibrator: Calibrator,
    variance: float,
) -> Early | None:
    """The date whose horizon is nearest to half over: newer scores than those of the last quarter, of
    accounts that have come since, too. Silence is not to be seen before its end."""
    waiting = replay.scored & told.at_risk & ~told.matured & (replay.day + outcome.horizon > until)
    dates = np.unique(replay.day[waiting & (until - replay.day >= EARLY * outcome.horizon)])
    if outcome.absence or not len(dates):
        return None
    day = int(dates[np.argmin(np.abs((until - dates) / outcome.horizon - 0.5))])
    elapsed = (until - day) / outcome.horizon
    rows = waiting & (replay.day == day)
    happened = told.event[rows] & (told.day[rows] <= until) & (told.known[rows] <= until)
    chance = _chances(calibrator, replay.computed[rows])
    expected = float((1 - (1 - chance) ** elapsed).sum())
    events = int(happened.sum())
    over = _over(float(events), expected, variance)
    return Early(day, elapsed, int(rows.sum()), events, expected, over)


def _ahead(replay: Replay, told: Labels, calibrator: Calibrator) -> Assumed | None:
    """The newest scores, whose outcomes nobody knows."""
    usable = replay.scored & told.at_risk
    if not usable.any():
        return None
    newest = np.flatnonzero(usable & (replay.day == replay.day[usable].max()))
    chance = _chances(calibrator, replay.computed[newest])
    return _assumed(_Rows(replay.at(newest), chance, chance))


def _shifts(replay: Replay, told: Labels, cut: int, seed: int) -> tuple[Shift, ...]:
    """Accounts on the last date of the earlier part, and on the newest."""
    usable = replay.scored & told.at_risk
    days = replay.day[usable]
    if not (days <= cut).any() or not (days > cut).any():
        return ()
    sides: list[Mapping[str, Floats]] = []
    for day in (days[days <= cut].max(), days.max()):
        rows = np.flatnonzero(usable & (replay.day == day))
        series = {"score": replay.computed[rows], "arr": replay.arr[rows]}
        series |= {name: replay.values[rows, n] for n, name in enumerate(replay.metrics)}
        series |= {f"{name} (points)": replay.points[rows, n] for n, name in enumerate(replay.measures)}
        sides.append(series)
    return shifts(sides[0], sides[1], seed=seed)


def _components(then: _Rows, later: _Rows, judged: Sequence[Quarter]) -> tuple[Component, ...]:
    """Measures against what they did: those that surely ranked, and rank worse, fail. Of the later part,
    from where quarters began to fail."""
    failing = [quarter.first for quarter in judged if quarter.fails]
    since = min(failing) if failing else judged[-1].first
    now = later.at(later.rows.day >= since)
    found: list[tuple[str, Influence, Influence, float]] = []
    for n, name in enumerate(then.rows.measures):
        before, after = (ranking(-one.rows.points[:, n], one.event, one.rows.group) for one in (then, now))
        told = change(before, after)
        if not np.isnan(told.p):
            found.append((name, before, after, told.p))
    if not found:
        return ()
    from statsmodels.stats.multitest import multipletests

    q = multipletests([one[3] for one in found], method="fdr_bh")[1]
    return tuple(
        Component(
            name, a.value, b.value, p, float(share), bool(share <= 0.05 and a.value > b.value and _ranks(a))
        )
        for (name, a, b, p), share in zip(found, q, strict=True)
    )


def _ranks(given: Influence) -> bool:
    return bool(given.value - 1.959964 * np.sqrt((given.by_group**2).sum()) > 0.5)


def _advice(judged: Sequence[Quarter], components: Sequence[Component]) -> tuple[Advice, str]:
    """One quarter that fails asks for a new intercept, two in a row for new thresholds, three for new
    weights; so does a measure that no longer ranks."""
    lost = [one.name for one in components if one.fails]
    last = judged[-1]
    if lost:
        return "new_weights", f"{', '.join(lost)}: ranks accounts worse than it did"
    if not last.over_expected.told:
        return "cannot_tell", "no events were to be expected in the last quarter"
    row = 0
    for quarter in reversed(judged):
        if not quarter.fails:
            break
        row += 1
    if not row:
        return "nothing", "the last quarter lies within what usual quarters have"
    why = "; ".join(_failures(last))
    if row == 1:
        return "new_intercept", f"{why} (one quarter: wait for the next before more is renewed)"
    if row == 2:
        return "new_thresholds", f"{why} (two quarters in a row)"
    return "new_weights", f"{why} ({row} quarters in a row)"


def _failures(quarter: Quarter) -> list[str]:
    found = []
    over, slope_, ranks = quarter.over_expected, quarter.slope, quarter.auc_change
    if over.fails:
        found.append(
            f"{quarter.events} events where {quarter.expected:.0f} were expected, outside of "
            f"{over.low * quarter.expected:.0f} to {over.high * quarter.expected:.0f}"
        )
    if slope_.fails:
        found.append(
            f"the slope of calibration is {slope_.value:.2f} [{slope_.low:.2f} to {slope_.high:.2f}]"
        )
    if ranks.fails:
        found.append(f"the AUC fell by {-ranks.value:.3f} [{-ranks.high:.3f} to {-ranks.low:.3f}]")
    return found


def _versions(rows: Replay, event: Bools, early: Bools, others: Mapping[str, Floats]) -> tuple[Version, ...]:
    """Every version on the same rows: those that all of them score."""
    scores = {"today": rows.computed, **others}
    same = np.all([~np.isnan(one) for one in scores.values()], axis=0)
    then, now = early & same, ~early & same
    red = int(np.sum(rows.band[now] == 0)) or max(1, round(0.1 * int(now.sum())))
    found = []
    for name, score in scores.items():
        events, own = event[now], score[now]
        ranked = ranking(-own, events.astype(np.float64), rows.group[now])
        half = 1.959964 * float(np.sqrt((ranked.by_group**2).sum())) if ranked.told else float("nan")
        over = float("nan")
        if event[then].sum() >= ENOUGH:
            calibrator = _learned(score[then], event[then], then)
            over = float(events.sum() / _chances(calibrator, own).sum())
        lowest = np.argsort(own, kind="stable")[:red]
        base = float(events.mean()) if len(events) else 0.0
        found.append(
            Version(
                name=name,
                rows=int(now.sum()),
                events=int(events.sum()),
                auc=auc(-own, events.astype(np.float64)),
                low=ranked.value - half,
                high=ranked.value + half,
                over_expected=over,
                lift=float(events[lowest].mean()) / base if base > 0 else float("nan"),
            )
        )
    return tuple(found)


def _warnings(judged: Sequence[Quarter], then: _Rows) -> tuple[str, ...]:
    found = []
    if then.event.sum() < 30:
        found.append(
            f"chances rest on {int(then.event.sum())} events: only a large drift can be told from none"
        )
    if not judged[-1].slope.told:
        found.append(f"{judged[-1].events} events in the last quarter: too few to tell slope and ranking")
    return tuple(found)
