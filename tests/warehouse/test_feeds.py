"""A feed that dies, an account that falls silent, a row that comes late: three things, told apart."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.warehouse.world import Account, Result, Row, Source, World

START = date(2024, 1, 1)
DIED = date(2024, 3, 1)
CURVE = [[0, 0], [28, 100]]
KEYS = ("busy", "quiet")


def on(day: date, key: str, known: date | None = None) -> Row:
    return Row(key, datetime.combine(day, time(12)), known, columns={"n": 1.0})


def daily(key: str, first: date = START, last: date = DIED) -> list[Row]:
    return [on(first + timedelta(days=n), key) for n in range((last - first).days + 1)]


def world(rows: list[Row], **measure: Any) -> World:
    """Two accounts; `usage` is measured with `measure`, `tickets` has no age."""
    told = {"curve": CURVE, **measure}
    return World(
        accounts=tuple(Account(key, START) for key in KEYS),
        sources={
            "usage": Source(tuple(rows), {"n": pa.float64()}, known=any(r.known for r in rows)),
            "tickets": Source((on(START, "busy"),), {"n": pa.float64()}),
        },
        metrics={
            "days": {"active": "usage", "window": "28d"},
            "uses": {"sum": "usage.n", "window": "28d"},
            "since": {"since": "usage"},
            "last": {"latest": "usage.n"},
            "tickets": {"count": "tickets"},
        },
        scorecards=(
            {
                "scorecard": "one",
                "components": {
                    "use": {"measures": {"days": told, "since": {"curve": [[0, 100], [50, 0]]}}},
                    "other": {"measures": {"tickets": {"curve": [[0, 50], [1, 60]]}}},
                },
                "caps": [{"when": "since > 20", "at_most": 10, "because": "silent"}],
            },
        ),
    )


def at(result: Result, day: date, key: str = "busy") -> tuple[Any, ...]:
    days, score = result.measures[(key, day, "use", "days")], result.scores[(key, day)]
    return days["value"], days["state"], score["dead"], score["computed"]


def test_a_dead_feed_keeps_the_values_of_its_last_day_as_stale(tmp_path: Path) -> None:
    rows = [*daily("busy"), *daily("quiet", last=date(2024, 2, 10))]
    days = [DIED, DIED + timedelta(days=3), DIED + timedelta(days=4), DIED + timedelta(days=60)]
    result = world(rows, max_age="3d").compute(tmp_path, days)
    alive = at(result, DIED)
    assert alive[:3] == (28.0, "ok", False)
    assert at(result, days[1])[:3] == (25.0, "ok", False), "at its max_age a feed is not dead yet"
    for day in days[2:]:
        assert at(result, day)[:2] == (28.0, "stale")
        assert at(result, day)[2], "rows that rest on a dead feed are flagged"
        # All metrics of the source keep their value, so the cap on silence does not fire.
        assert result.metrics[("busy", day, "since")] == (0.0, "stale")
        assert at(result, day)[3] == alive[3]
        assert result.metrics[("busy", day, "uses")] == (28.0, "stale")
        # What rests on one row, and other sources, are as they are.
        assert result.metrics[("busy", day, "last")] == (1.0, "ok")
        assert result.metrics[("busy", day, "tickets")] == (1.0, "ok")


def test_without_max_age_a_feed_never_dies(tmp_path: Path) -> None:
    day = DIED + timedelta(days=40)
    result = world(daily("busy")).compute(tmp_path, [day])
    assert at(result, day)[:3] == (0.0, "ok", False)


def test_one_account_that_falls_silent_is_zero_and_never_stale(tmp_path: Path) -> None:
    rows = [*daily("busy"), *daily("quiet", last=date(2024, 1, 20))]
    result = world(rows, max_age="3d", half_life="5d").compute(tmp_path, [DIED])
    assert at(result, DIED, "quiet")[:3] == (0.0, "ok", False)
    told = result.measures[("quiet", DIED, "use", "days")]
    assert (told["age_days"], told["weight"]) == (
        0.0,
        result.measures[("busy", DIED, "use", "days")]["weight"],
    )


def test_a_half_life_fades_the_value_of_a_dead_feed(tmp_path: Path) -> None:
    days = [DIED, DIED + timedelta(days=10), DIED + timedelta(days=30), DIED + timedelta(days=31)]
    result = world(daily("busy"), max_age="3d", half_life="10d").compute(tmp_path, days)
    whole, half, eighth, none = (result.measures[("busy", day, "use", "days")] for day in days)
    coverage = [result.scores[("busy", day)]["coverage"] for day in days]
    assert coverage == pytest.approx([1.0, 1 - 0.25 / 2, 1 - 0.25 * 7 / 8, 0.75])
    assert (half["state"], half["value"], half["points"]) == ("stale", 28.0, whole["points"])
    assert eighth["weight"] > 0
    assert (none["weight"], none["state"]) == (0.0, "stale")


def test_a_feed_that_returns_counts_what_it_brings(tmp_path: Path) -> None:
    back = DIED + timedelta(days=20)
    rows = [*daily("busy"), *daily("busy", back, back + timedelta(days=5))]
    days = [back - timedelta(days=1), back, back + timedelta(days=5)]
    result = world(rows, max_age="3d").compute(tmp_path, days)
    assert at(result, days[0])[:3] == (28.0, "stale", True)
    assert at(result, days[1])[:3] == (9.0, "ok", False)
    assert at(result, days[2])[:3] == (9.0, "ok", False)


def test_a_late_row_counts_from_the_day_it_is_known(tmp_path: Path) -> None:
    happened, known = date(2024, 2, 1), date(2024, 2, 10)
    rows = [replace(row, known=row.day) for row in daily("busy")] + [on(happened, "quiet", known)]
    days = [happened, known - timedelta(days=1), known, happened + timedelta(days=27), DIED]
    result = world(rows).compute(tmp_path, days)
    assert [result.metrics[("quiet", day, "days")][0] for day in days] == [0, 0, 1, 1, 0]
    assert result.metrics[("quiet", known, "since")] == (9.0, "ok")
    assert result.metrics[("quiet", days[1], "since")] == ((days[1] - START).days, "ok")


def test_rows_that_are_loaded_late_do_not_make_a_feed_alive_before(tmp_path: Path) -> None:
    """The watermark is of rows known by then: a backlog that arrives later changes nothing before."""
    back = DIED + timedelta(days=30)
    known = [replace(row, known=row.day) for row in daily("busy")]
    backlog = [on(DIED + timedelta(days=n), "busy", back) for n in range(1, 31)]
    days = [DIED + timedelta(days=10), back]
    result = world([*known, *backlog], max_age="3d").compute(tmp_path, days)
    assert at(result, days[0])[:3] == (28.0, "stale", True)
    assert at(result, days[1])[:3] == (28.0, "ok", False)


def test_a_source_without_rows_yet_is_missing_and_not_zero(tmp_path: Path) -> None:
    first = date(2024, 2, 1)
    result = world(daily("busy", first), max_age="3d").compute(tmp_path, [first - timedelta(days=1), first])
    before, after = first - timedelta(days=1), first
    for name in ("days", "uses"):
        assert result.metrics[("quiet", before, name)] == (None, "missing")
        assert result.metrics[("quiet", after, name)] == (0.0, "ok")
    assert not result.scores[("busy", before)]["dead"]


def test_an_account_that_starts_after_a_feed_died_has_no_value_of_it(tmp_path: Path) -> None:
    late = DIED + timedelta(days=10)
    told = world(daily("busy"), max_age="3d")
    told = replace(told, accounts=(*told.accounts, Account("new", late)))
    result = told.compute(tmp_path, [late])
    assert at(result, late, "new")[:3] == (None, "missing", True)


def test_a_cohort_curve_does_not_learn_from_a_dead_feed(tmp_path: Path) -> None:
    """Sundays on which the feed is dead are no part of the reference."""
    rows = [*daily("busy"), *daily("busy", date(2024, 4, 10), date(2024, 4, 20))]
    curve = {"curve": "cohort", "direction": "higher_is_better", "max_age": "3d"}
    told = world([*rows, *daily("quiet")], **curve)
    day = date(2024, 4, 20)
    result = told.compute(tmp_path, [day])
    # The last Sundays of March keep 28 as stale; counted, they would make 28 an atom of more weight.
    alive = [START + timedelta(days=n) for n in range(6, 61, 7)]
    full = sum((sunday - START).days >= 27 for sunday in alive) / len(alive)
    busy = result.measures[("busy", day, "use", "days")]
    value = busy["value"]
    below = sum((s - START).days + 1 < value for s in alive) / len(alive)
    upto = sum((s - START).days + 1 <= value for s in alive) / len(alive)
    assert 0 < full < 1
    assert busy["points"] == pytest.approx(100 * (2 * (below + upto) / 2 + 0.5) / 3, abs=2)
