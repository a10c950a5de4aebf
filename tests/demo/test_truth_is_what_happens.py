"""The truth beside the data is the truth of the data: fixed seed, so each bound holds or does not."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pytest

from retinue.demo import TRUTH, simulate
from retinue.demo.truth import COMPONENTS
from tests.demo.conftest import Tables, dates, texts


def test_health_is_the_weighted_sum_of_its_components(midsize: Tables) -> None:
    health = midsize.truth("health")
    weights = midsize.story["parameters"]["weights"]
    total = sum(weights[name] * health[name].to_numpy().astype(float) for name in COMPONENTS)
    assert math.isclose(sum(weights.values()), 1)
    assert np.abs(total - health["health"].to_numpy()).max() < 1e-5


def test_as_many_leave_as_the_hazard_says_in_every_tenth_of_it(midsize: Tables) -> None:
    table = midsize.truth("health")
    table = table.filter(table["at_risk"])
    hazard = table["hazard"].to_numpy().astype(float)
    decided = table["decided"].to_numpy(zero_copy_only=False)
    order = np.argsort(hazard)
    for tenth in np.array_split(order, 10):
        expected = hazard[tenth].sum()
        spread = math.sqrt((hazard[tenth] * (1 - hazard[tenth])).sum())
        assert abs(decided[tenth].sum() - expected) < 3.3 * spread + 1
    assert decided.sum() > 300


def test_most_decisions_fall_on_renewals_and_bad_health_makes_them(midsize: Tables) -> None:
    table = midsize.truth("health")
    left = table.filter(table["decided"])
    assert 0.5 < pc.mean(left["renewal"].cast("float64")).as_py() < 0.9
    assert pc.mean(left["health"]).as_py() < pc.mean(table["health"]).as_py() - 0.4


def test_nobody_decides_outside_of_the_time_at_risk(midsize: Tables) -> None:
    table = midsize.truth("health")
    assert (
        table.filter(table["decided"]).num_rows
        == table.filter(pc.and_(table["decided"], table["at_risk"])).num_rows
    )
    assert pc.max(table.filter(pc.invert(table["at_risk"]))["hazard"]).as_py() == 0


def _landmark(midsize: Tables, event: str, days: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Accounts that began in the simulated time and lived `days`: events by then, in all; later ended."""
    truth = midsize.truth("accounts")
    ids = texts(truth, "account_id")
    start = truth["started_on"].to_numpy().astype("datetime64[D]")
    ended = np.array(truth["ended_on"].to_pylist(), dtype="datetime64[D]")
    rows = midsize.events.filter(pc.equal(midsize.events["event"], event))
    position = {account: n for n, account in enumerate(ids)}
    who = np.array([position[account] for account in rows["account_id"].to_pylist()])
    when = rows["occurred_at"].to_numpy().astype("datetime64[D]")
    early = np.bincount(who[when < start[who] + days], minlength=len(ids))
    ever = np.bincount(who, minlength=len(ids))
    lived = np.isnat(ended) | (ended >= start + days)
    observed = (start >= np.datetime64(midsize.told.first_day)) & (
        start + days < np.datetime64(midsize.told.last_day) - 180
    )
    keep = lived & observed
    return early[keep], ever[keep], ~np.isnat(ended[keep])


def _difference(group: np.ndarray, churned: np.ndarray) -> float:
    """z of the difference of two shares."""
    a, b = churned[group], churned[~group]
    pooled = churned.mean()
    return float((a.mean() - b.mean()) / math.sqrt(pooled * (1 - pooled) * (1 / len(a) + 1 / len(b))))


@pytest.mark.parametrize("event", TRUTH.placebos)
def test_a_placebo_says_nothing_about_who_churns(midsize: Tables, event: str) -> None:
    early, _, churned = _landmark(midsize, event, 60)
    assert abs(_difference(early >= np.median(early), churned)) < 2.6


def test_a_placebo_looks_wonderful_to_who_counts_over_whole_lives(midsize: Tables) -> None:
    """The trap of immortal time is there: who lives longer has more of everything."""
    _, ever, churned = _landmark(midsize, "shortcut_used", 60)
    assert _difference(ever >= np.median(ever), churned) < -3


def test_a_planted_indicator_goes_with_staying(midsize: Tables) -> None:
    early, _, churned = _landmark(midsize, "integration_connected", 60)
    assert _difference(early >= 3, churned) < -2


def test_indicators_in_the_truth_are_what_the_events_show(midsize: Tables) -> None:
    truth = midsize.truth("accounts")
    started = truth["started_on"].to_numpy().astype("datetime64[D]")
    lost = np.datetime64(midsize.story["feeds"]["events lost"]["until"])
    ended = np.array(truth["ended_on"].to_pylist(), dtype="datetime64[D]")
    whole = (started >= np.datetime64(midsize.told.first_day)) & np.isnat(ended) & (started + 75 < lost - 8)
    for indicator in TRUTH.indicators:
        rows = midsize.events.filter(pc.equal(midsize.events["event"], indicator.event))
        unique = rows.group_by("event_id", use_threads=False).aggregate([("account_id", "first")])
        counts = dict.fromkeys(texts(truth, "account_id"), 0)
        for account in unique["account_id_first"].to_pylist():
            counts[account] += 1
        seen = np.array([counts[a] >= indicator.at_least for a in texts(truth, "account_id")])
        assert (seen == truth[indicator.event].to_numpy(zero_copy_only=False))[whole].all()


def _gain(tables: Tables, kind: str | None, weeks: int = 3) -> np.ndarray:
    """Change of true health from the week of the trigger to `weeks` later, by eligible account."""
    health = tables.truth("health")
    at = {
        (account, week): value
        for account, week, value in zip(
            health["account_id"].to_pylist(),
            health["week"].to_pylist(),
            health["health"].to_pylist(),
            strict=True,
        )
    }
    eligible = tables.truth("eligible")
    gains = []
    for account, week, played in zip(
        *(eligible[c].to_pylist() for c in ("account_id", "week", "kind")), strict=True
    ):
        after = at.get((account, (np.datetime64(week) + 7 * weeks).item()))
        if played == kind and after is not None:
            gains.append(after - at[account, week])
    return np.array(gains)


def test_accounts_that_just_turned_bad_get_better_by_themselves(midsize: Tables) -> None:
    waiting = _gain(midsize, None)
    assert waiting.mean() > 3 * waiting.std() / math.sqrt(len(waiting))


def test_one_play_helps_as_much_as_stated_and_the_other_not_at_all(midsize: Tables) -> None:
    waiting, plan, webinar = (_gain(midsize, kind) for kind in (None, "success_plan", "webinar_invitation"))
    weights, effect = TRUTH.weights, TRUTH.plays[0].effect
    stated = sum(weights[name] * value for name, value in effect.items()) * TRUTH.persistence**2

    def error(a: np.ndarray, b: np.ndarray) -> float:
        return math.sqrt(a.var() / len(a) + b.var() / len(b))

    assert abs(plan.mean() - waiting.mean() - stated) < 3 * error(plan, waiting)
    assert plan.mean() - waiting.mean() > 3 * error(plan, waiting)
    assert abs(webinar.mean() - waiting.mean()) < 3 * error(webinar, waiting)


def test_what_can_be_seen_follows_what_is_true(midsize: Tables) -> None:
    health = (
        midsize.truth("health")
        .group_by("account_id", use_threads=False)
        .aggregate([(name, "mean") for name in COMPONENTS])
    )
    latent = {
        name: dict(zip(texts(health, "account_id"), health[f"{name}_mean"].to_numpy(), strict=True))
        for name in COMPONENTS
    }

    def correlation(component: str, accounts: np.ndarray, values: np.ndarray) -> float:
        known = np.array([account in latent[component] for account in accounts])
        own = np.array([latent[component][account] for account in accounts[known]])
        return float(np.corrcoef(own, values[known])[0, 1])

    surveys = midsize.csv("surveys")
    surveys = surveys.filter(pc.and_(pc.equal(surveys["kind"], "nps"), pc.is_valid(surveys["score"])))
    assert correlation("voice", texts(surveys, "account_id"), texts(surveys, "score").astype(float)) > 0.3
    tickets = midsize.csv("tickets")
    tickets = tickets.filter(pc.is_valid(tickets["rating"]))
    assert correlation("service", texts(tickets, "account_id"), texts(tickets, "rating").astype(float)) > 0.25
    touches = midsize.csv("touches")
    missed = np.isin(texts(touches, "outcome"), ["no_show", "cancelled", "no_reply"]).astype(float)
    assert correlation("relationship", texts(touches, "account_id"), missed) < -0.1
    invoices = midsize.csv("invoices")
    invoices = invoices.filter(pc.match_substring_regex(invoices["due_on"], "^2025-(0[1-9]|1[0-2])"))
    invoices = invoices.filter(pc.invert(pc.match_substring(invoices["due_on"], "-45")))
    late = (dates(invoices, "paid_on") - dates(invoices, "due_on")).astype(float)
    late = np.where(np.isnan(late), 60, late)
    assert correlation("payment", texts(invoices, "account_id"), (late > 1).astype(float)) < -0.15


def test_another_world_can_be_planted(tmp_path: Path) -> None:
    shifted = replace(TRUTH, shift=2.5, shift_on=date(2026, 1, 1))
    calm = Tables(simulate(tmp_path / "calm", accounts=500, months=12, volume=0.01))
    wild = Tables(simulate(tmp_path / "wild", accounts=500, months=12, volume=0.01, truth=shifted))
    before, after = np.datetime64("2025-12-29"), np.datetime64("2026-01-05")

    def leaving(tables: Tables) -> tuple[int, int]:
        table = tables.truth("health")
        weeks = table.filter(table["decided"])["week"].to_numpy()
        return int((weeks < before).sum()), int((weeks >= after).sum())

    assert leaving(calm)[0] == leaving(wild)[0]
    assert leaving(wild)[1] > 3 * leaving(calm)[1]
