"""Random companies: late rows, duplicates, ties, nulls, ends before starts, lives that end early."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa

from tests.warehouse.world import Account, Row, Source, World

FIRST = date(2023, 12, 1)
SPAN = 100

METRICS: dict[str, dict[str, Any]] = {
    "count_all": {"count": "events"},
    "count_7d": {"count": "events", "window": "7d"},
    "count_1d": {"count": "events", "window": "1d"},
    "count_2w": {"count": "events", "window": "2w"},
    "count_where": {"count": "events", "window": "20d", "where": {"kind": ["a", "b"]}},
    "count_not": {"count": "events", "window": "20d", "where": "not (points > 2)"},
    "count_or": {"count": "events", "where": "kind not in (a, b) or points = 1"},
    "count_rated": {"count": "events", "window": "30d", "where": "rating >= 3"},
    "count_visits": {"count": "visits", "window": "14d"},
    "count_nothing": {"count": "nothing", "window": "14d"},
    "count_late": {"count": "late"},
    "sum_amount": {"sum": "events.amount", "window": "28d"},
    "sum_all": {"sum": "events.amount"},
    "sum_points": {"sum": "events.points", "window": "1w", "where": "kind is missing"},
    "sum_rating": {"sum": "events.rating", "window": "40d"},
    "mean_amount": {"mean": "events.amount", "window": "10d"},
    "mean_points": {"mean": "events.points", "where": "kind is not missing and points <= 3"},
    "mean_rating": {"mean": "events.rating", "window": "4w"},
    "mean_nothing": {"mean": "nothing.amount"},
    "users_7d": {"distinct": "events.user", "window": "7d"},
    "users_28d": {"distinct": "events.user", "window": "28d"},
    "users_all": {"distinct": "events.user", "where": {"kind": "a"}},
    "users_3w": {"distinct": "events.user", "window": "3w"},
    "points_different": {"distinct": "events.points", "window": "15d", "where": "kind != a"},
    "ratings_different": {"distinct": "events.rating", "window": "25d"},
    "users_late": {"distinct": "late.user", "window": "5d"},
    "active_days": {"active": "events", "window": "28d"},
    "active_days_2w": {"active": "events", "every": "day", "window": "2w"},
    "active_weeks": {"active": "events", "every": "week", "window": "4w"},
    "active_weeks_28d": {"active": "visits", "every": "week", "window": "28d", "where": {"kind": "c"}},
    "active_rated": {"active": "events", "window": "30d", "where": "rating < 4 and kind = b"},
    "open": {"open": "events"},
    "open_where": {"open": "events", "where": {"kind": "b"}},
    "open_sum": {"open_sum": "events.amount"},
    "open_sum_where": {"open_sum": "events.points", "where": "points > 2"},
    "open_rating": {"open_sum": "events.rating"},
    "open_late": {"open": "late"},
    "latest_amount": {"latest": "events.amount"},
    "latest_points": {"latest": "events.points", "where": {"kind": ["a", "c"]}},
    "latest_rating": {"latest": "events.rating"},
    "since": {"since": "events"},
    "since_where": {"since": "visits", "where": {"kind": "a"}},
    "since_nothing": {"since": "nothing"},
    "days_to": {"days_to": "events", "where": "points > 2"},
    "days_to_visit": {"days_to": "visits"},
    "change_count": {"change": {"count": "events"}, "window": "7d", "baseline": "21d"},
    "change_sum": {"change": {"sum": "events.amount"}, "window": "14d", "baseline": "14d", "gap": "3d"},
    "change_users": {"change": {"distinct": "events.user"}, "window": "1w", "baseline": "3w", "gap": "7d"},
    "change_where": {
        "change": {"count": "visits"},
        "window": "5d",
        "baseline": "10d",
        "where": {"kind": "a"},
    },
    "milestones": {
        "milestones": {
            "seen": {"source": "visits"},
            "three": {"source": "events", "where": "points > 2", "due": "10d"},
            "late": {"source": "late", "due": "5w"},
        }
    },
    "ratio": {"ratio": ["users_28d", "account.seats"]},
    "ratio_of_metrics": {"ratio": ["count_7d", "count_visits"]},
    "ratio_constant": {"ratio": ["open", 4]},
    "ratio_of_ratios": {"ratio": ["change_count", "ratio"]},
    "seats": {"attribute": "seats"},
    "arr": {"attribute": "arr"},
    "plan": {"attribute": "account.trial"},
    "until_renewal": {"attribute": "due_on"},
    "until_end": {"attribute": "ended_on"},
    "today": {"attribute": "today"},
    "pulse": {"pulse": "mood"},
}


def company(seed: int, accounts: int = 12, rows: int = 14) -> World:
    """A company whose every metric kind meets something unusual."""
    chance = random.Random(seed)
    people = tuple(_account(chance, n) for n in range(accounts))
    late_ends = chance.random() < 0.7
    if not late_ends:
        people = tuple(replace(account, end_known=None) for account in people)
    keys = [account.key for account in people]

    def day(lowest: int = -30, highest: int = SPAN + 10) -> date:
        return FIRST + timedelta(days=chance.randint(lowest, highest))

    def maybe(value: Any, share: float = 0.15) -> Any:
        return None if chance.random() < share else value

    def fact(late: bool) -> Row:
        happened = day()
        # Few different hours, so that rows tie.
        occurred = datetime.combine(happened, time(chance.choice([0, 9, 9, 23])))
        known = happened + timedelta(days=chance.choice([0, 0, 0, 1, 2, 9, 40, -3]))
        if late:
            known = max(known, FIRST + timedelta(days=SPAN // 2))
        ends = maybe(happened + timedelta(days=chance.choice([-2, 0, 1, 3, 10, 60])), 0.4)
        rated = maybe(happened + timedelta(days=chance.choice([0, 1, 5, 30])), 0.3)
        return Row(
            chance.choice(keys),
            occurred,
            known,
            ends,
            maybe((ends or happened) + timedelta(days=chance.choice([0, 0, 2, 15])), 0.1),
            {
                "user": maybe(f"u{chance.randint(0, 4)}"),
                "kind": maybe(chance.choice("abc")),
                "points": maybe(chance.randint(0, 5)),
                "amount": maybe(Decimal(chance.randint(-300, 900)) / 100),
                "rating": maybe(chance.randint(1, 5), 0.1),
            },
            {"rating": rated},
        )

    def visit() -> Row:
        occurred = datetime.combine(day(), time(chance.randint(0, 23), 59))
        return Row(chance.choice(keys), occurred, columns={"kind": maybe(chance.choice("abc"))})

    def doubled(told: list[Row]) -> tuple[Row, ...]:
        return tuple(told + chance.sample(told, len(told) // 10))

    types = {
        "user": pa.string(),
        "kind": pa.string(),
        "points": pa.int32(),
        "amount": pa.decimal128(9, 2),
        "rating": pa.int64(),
    }
    timed = {"known": True, "ends": True, "ends_known": True, "clocked": ("rating",)}
    many = rows * accounts
    history = {
        name: tuple(
            (
                chance.choice(keys),
                start := day(),
                start + timedelta(days=chance.choice([0, 0, 5, 30])),
                value(),
            )
            for _ in range(4 * accounts)
        )
        for name, value in (
            ("arr", lambda: float(chance.randint(0, 5) * 1000)),
            ("due_on", lambda: day(0, 300)),
        )
    }
    return World(
        accounts=people,
        sources={
            "events": Source(doubled([fact(False) for _ in range(many)]), types, **timed),
            "visits": Source(doubled([visit() for _ in range(many)]), {"kind": pa.string()}),
            "late": Source(
                tuple(fact(True) for _ in range(accounts)), {"user": pa.string()}, known=True, ends=True
            ),
            "nothing": Source((), {"amount": pa.float64()}, known=True),
        },
        metrics=METRICS,
        scorecards=(
            {"scorecard": "one", "components": {"all": {"measures": {"open": {"curve": [[0, 0]]}}}}},
        ),
        attributes={
            "seats": pa.int64(),
            "trial": pa.bool_(),
            "arr": pa.float64(),
            "due_on": pa.date32(),
            "today": pa.int64(),
        },
        histories=history,
        fixed=("seats", "trial"),
        pulses=tuple(
            (key, "mood", float(n), spoken, maybe(spoken + timedelta(days=chance.randint(1, 40))))
            for key in keys
            for n, spoken in enumerate(sorted({day() for _ in range(3)}))
            if chance.random() < 0.8
        ),
        clocked_end=late_ends,
        settings={"timezone": "Australia/Sydney"},
    )


def _account(chance: random.Random, number: int) -> Account:
    started = FIRST + timedelta(days=chance.choice([-400, -60, -10, 0, 5, 30, 70]))
    ended = started + timedelta(days=chance.choice([0, 20, 90, 450])) if chance.random() < 0.4 else None
    known = ended + timedelta(days=chance.choice([0, 0, 10, -5])) if ended else None
    return Account(
        f"account {number:02}",
        None if chance.random() < 0.1 else started,
        ended,
        known,
        {
            "seats": chance.choice([None, 0, 3, 10]),
            "trial": chance.choice([None, True, False]),
            "arr": 1.0,
            "due_on": None,
            "today": number,
        },
    )


def grid(seed: int) -> list[date]:
    """Every day, every Sunday, or some days, of about the company's span."""
    chance = random.Random(seed)
    days = [FIRST + timedelta(days=n) for n in range(SPAN)]
    match seed % 3:
        case 0:
            start = chance.randint(0, SPAN - 40)
            return days[start : start + 35]
        case 1:
            return [day for day in days if day.weekday() == 6]
        case _:
            return sorted(chance.sample(days, 25))


SCORED = (
    "count_7d",
    "count_late",
    "sum_amount",
    "mean_amount",
    "users_28d",
    "since",
    "open",
    "change_count",
    "latest_rating",
    "latest_amount",
    "ratio",
    "milestones",
    "arr",
    "pulse",
)
NEEDED = (*SCORED, "count_visits", "count_28d", "visits_28d")


def scored(seed: int, accounts: int = 20, rows: int = 14) -> World:
    """A random company with children, two stages and two random scorecards."""
    chance = random.Random(seed)
    world = company(seed, accounts, rows)
    types = {**world.attributes, "segment": pa.string(), "parent": pa.string()}
    keys = [account.key for account in world.accounts]
    people = tuple(
        replace(
            account,
            attributes={
                **account.attributes,
                "segment": chance.choice(["small", "large", None]),
                # Parents come first, so that there is no circle.
                "parent": chance.choice(keys[: n // 2]) if n > 4 and chance.random() < 0.6 else None,
            },
        )
        for n, account in enumerate(world.accounts)
    )
    segments = tuple(
        (chance.choice(keys), start := FIRST + timedelta(days=chance.randint(-400, SPAN)), start, kind)
        for kind in ("small", "large")
        for _ in range(accounts)
    )
    metrics = {name: METRICS[name] for name in METRICS if name in NEEDED}
    metrics |= {
        "count_28d": {"count": "events", "window": "28d"},
        "visits_28d": {"count": "visits", "window": "28d"},
        "worst_child": {"children": "worst"},
        "mean_child": {"children": chance.choice(["mean", "arr"])},
    }
    first = {**scorecard(chance, "first"), "applies_to": {"segment": ["small"], "stage": ["new", "old"]}}
    return replace(
        world,
        accounts=people,
        attributes=types,
        histories={**world.histories, "segment": segments},
        fixed=(*world.fixed, "parent"),
        metrics=metrics,
        scorecards=(first, scorecard(chance, "second")),
        settings={
            **world.settings,
            "stages": [{"stage": "new", "when": "tenure < 60 or count_visits > 2"}, {"stage": "old"}],
        },
    )


def scorecard(chance: random.Random, name: str) -> dict[str, Any]:
    chosen = chance.sample(SCORED, chance.randint(5, 9))
    measures = {metric: _measure(chance) for metric in chosen}
    related = chance.sample(["count_28d", "visits_28d"], chance.randint(1, 2))
    measures |= {metric: _cohort(chance) for metric in related}
    measures |= {metric: {"curve": [[0, 0], [100, 100]]} for metric in ("worst_child", "mean_child")}
    names = list(measures)
    chance.shuffle(names)
    cut = chance.randint(1, len(names) - 1)
    return {
        "scorecard": name,
        "components": {
            group: {
                "weight": chance.randint(1, 60),
                "measures": {metric: measures[metric] for metric in part},
            }
            for group, part in (("one", names[:cut]), ("two", names[cut:]))
        },
        "caps": [
            {"when": "open > 2", "at_most": chance.randint(10, 60), "because": "much is open"},
            {"when": "since > 60 and stage = old", "at_most": 35, "because": "long ago"},
        ],
        "floors": [{"when": "count_7d >= 2", "at_least": chance.randint(30, 70), "because": "busy"}],
        "min_coverage": chance.choice([0.3, 0.5, 0.6]),
    }


def _freshness(chance: random.Random) -> dict[str, Any]:
    told: dict[str, Any] = {"weight": chance.choice([1, 1, 2, 5]), "missing": chance.choice(POLICIES)}
    if chance.random() < 0.4:
        told["half_life"] = f"{chance.choice([3, 10, 40])}d"
    if chance.random() < 0.3:
        told["max_age"] = f"{chance.choice([5, 20])}d"
    return told


POLICIES = ("reweight", "reweight", "neutral", "worst")


def _measure(chance: random.Random) -> dict[str, Any]:
    edges = sorted(chance.sample(range(-5, 40), 4))
    points = [chance.randint(0, 100) for _ in edges]
    match chance.randint(0, 2):
        case 0:
            curve: Any = [list(pair) for pair in zip(edges, points, strict=True)]
        case 1:
            curve = {"steps": [list(pair) for pair in zip(edges, points, strict=True)]}
        case _:
            curve = {"target": edges}
    return {"curve": curve, **_freshness(chance)}


def _cohort(chance: random.Random) -> dict[str, Any]:
    told = {
        "curve": "cohort",
        "direction": chance.choice(["higher_is_better", "lower_is_better"]),
        "cohort": chance.choice([[], ["segment"], ["segment", "tenure"], ["stage", {"tenure": "90d"}]]),
        **_freshness(chance),
    }
    if chance.random() < 0.5:
        told["points"] = [[0, 0], [10, 100]]
    return told
