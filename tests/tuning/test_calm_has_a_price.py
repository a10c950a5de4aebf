"""Settings of stability: what each would have done, by folding the same history."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from retinue.insight.replay import NEVER, Events, Labels, Outcome, Replay
from retinue.insight.stability import AT_RISK, HEALTHY, Rules, State, fold
from retinue.insight.tuning.tradeoff import Setting, Tradeoff, _front, candidates, days, tradeoff
from retinue.insight.validation.losses import losses
from tests.validation.world import World, world

CHURN = Outcome("churn", 28)
TODAY = Setting()


def noisy(accounts: int = 60, step: int = 1, weeks: int = 120) -> World:
    """Daily rows whose computed score trembles, so that calm has something to do."""
    found = world(accounts, weeks, seed=3, step=step, rate=0.006)
    tremble = np.random.default_rng(4).normal(0, 5, len(found.replay))
    computed = np.clip(found.replay.computed + tremble, 0, 100)
    low = found.replay.computed < 20
    adjusted = replace(
        found.replay,
        computed=np.where(low, np.minimum(computed, 25.0), computed),
        adjustment=np.where(low & (computed > 25), -3.0, 0.0),
    )
    return replace(found, replay=adjusted)


def measured(found: World, today: Setting = TODAY) -> Tradeoff:
    lost = losses(found.replay, found.events, found.told, found.until)
    return tradeoff(found.replay, found.told, CHURN, lost, [today], 0)


def test_the_trade_off_is_that_of_a_fold_day_by_day() -> None:
    """Every setting tried, folded one date at a time from the state of the day before, and counted in
    plain loops."""
    found = noisy(30)
    told = measured(found)
    assert len(told.tried) == 25 + 3
    for one in (told.tried[0], told.tried[7], told.tried[20], told.tried[-1]):
        band = _day_by_day(found.replay, one.setting)
        changes, flaps, years = _counted(found.replay, found.told, band)
        assert one.changes == pytest.approx(changes / years)
        assert one.flaps == pytest.approx(flaps / years)
        assert one.red_14 == pytest.approx(_before(found, band, 14, AT_RISK))
        assert one.green_7 == pytest.approx(_before(found, band, 7, HEALTHY))


def _day_by_day(replay: Replay, setting: Setting) -> np.ndarray:
    whole = days(replay, [setting])
    state, band = State.empty(0), np.full(len(replay), -1)
    for day in replay.dates.tolist():
        rows = np.flatnonzero(replay.day == day)
        part = replace(
            whole,
            **{
                name: getattr(whole, name)[rows]
                for name in ("ix", "as_of", "scored", "computed", "cap", "held", "reset", "old_computed")
            },
            rules=Rules(
                *(getattr(whole.rules, n)[rows] for n in ("edges", "deadband", "margin", "down", "up"))
            ),
        )
        folded = fold(part, state)
        band[rows], state = folded.band, folded.state
    return band


def _counted(replay: Replay, told: Labels, band: np.ndarray) -> tuple[int, int, float]:
    changes = flaps = 0
    lived = 0.0
    for account in np.unique(replay.account).tolist():
        rows = [r for r in np.flatnonzero(replay.account == account).tolist() if told.at_risk[r]]
        lived += float(replay.day[rows[-1]] - replay.day[rows[0]]) if rows else 0.0
        last = None
        for before, after in itertools.pairwise(rows):
            if band[before] == band[after]:
                continue
            changes += 1
            if last and last[0] == band[after] and replay.day[after] - last[1] <= 14:
                flaps += 1
            last = (band[before], replay.day[after])
    return changes, flaps, lived / 365.25


def _before(found: World, band: np.ndarray, ahead: int, which: int) -> float:
    replay, hits = found.replay, []
    for account, day in zip(found.events.account.tolist(), found.events.day.tolist(), strict=True):
        rows = np.flatnonzero((replay.account == account) & (replay.day <= day - ahead))
        on = replay.dates[replay.dates <= day - ahead]
        if len(rows) and len(on) and replay.day[rows[-1]] == on[-1]:
            hits.append(band[rows[-1]] == which)
    return float(np.mean(hits))


def test_calmer_settings_flap_less() -> None:
    told = {one.setting: one for one in measured(noisy()).tried}
    raw = told[Setting(3.0, 0.0, 1.0, 1.0)]
    calm = told[Setting(3.0, 6.0, 7.0, 14.0)]
    assert raw.flaps > 5 * max(calm.flaps, 0.1)
    assert raw.changes > told[TODAY].changes > calm.changes
    still = [told[replace(TODAY, deadband=band)].moves for band in (0.0, 2.0, 3.0, 5.0)]
    assert still == sorted(still, reverse=True) and still[0] > still[-1]


def test_the_deadband_has_no_part_in_the_band() -> None:
    told = [one for one in measured(noisy(30)).tried if replace(one.setting, deadband=3.0) == TODAY]
    assert len(told) == 4
    assert len({(one.changes, one.flaps, one.red_14, one.green_7) for one in told}) == 1


def test_today_is_marked_and_the_front_is_not_beaten() -> None:
    told = measured(noisy())
    assert [one.setting for one in told.tried if one.current] == [TODAY]
    for one in told.tried:
        beaten = any(
            other.flaps <= one.flaps and other.red_14 >= one.red_14 and other.green_7 <= one.green_7
            and (other.flaps, other.red_14, other.green_7) != (one.flaps, one.red_14, one.green_7)
            for other in told.tried
        )  # fmt: skip
        assert one.front == (not beaten)
    chosen = next(one for one in told.tried if one.setting == told.suggested)
    assert chosen.flaps <= told.current.flaps
    assert chosen.red_14 >= told.current.red_14 and chosen.green_7 <= told.current.green_7


def test_weekly_dates_do_not_tell_days_of_confirmation_apart() -> None:
    found = candidates(TODAY, 7)
    # Three days and seven take the second of two weekly dates alike; fourteen take the third.
    usual = {(one.down, one.up) for one in found if one.margin == TODAY.margin}
    assert usual == {(3.0, 7.0), (1.0, 1.0), (7.0, 14.0)}
    assert len(found) == 5 * 3 + 3
    assert found[0] == TODAY
    assert len(candidates(TODAY, 1)) == 28


def test_settings_of_other_scorecards_stay() -> None:
    found = noisy(40)
    half = (found.replay.account % 2).astype(np.int64)
    replay = replace(
        found.replay,
        scorecard=replace(found.replay.scorecard, codes=half, names=("a", "b")),
        edges=np.array([[35.0, 60.0], [30.0, 70.0]]),
    )
    lost = losses(replay, found.events, found.told, found.until)
    both = [Setting(0.0, 0.0, 1.0, 1.0), TODAY]
    told = tradeoff(replay, found.told, CHURN, lost, both, 1)
    assert told.current.setting == TODAY
    only = replay.at(half == 1)
    labels = Labels(
        *(getattr(found.told, name)[half == 1] for name in ("event", "day", "matured", "at_risk", "known"))
    )
    alone = tradeoff(only, labels, CHURN, losses(only, found.events, labels, found.until), both, 1)
    assert alone.current.flaps == told.current.flaps and alone.current.red_14 == told.current.red_14


def test_without_losses_nothing_is_suggested() -> None:
    found = noisy(20)
    rows = len(found.replay)
    spared = replace(found.told, event=np.zeros(rows, bool), day=np.full(rows, NEVER))
    none = replace(found, events=Events.of([], []), told=spared)
    told = measured(none)
    assert told.suggested == TODAY and told.lost == 0
    assert told.to_dict()["tried"][0]["red_14_days_before"] is None
    assert _front(told.tried)
