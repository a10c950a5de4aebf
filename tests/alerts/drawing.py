"""How the simulated quarter is drawn: arrays of dates and accounts, with what is planted in them."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np

from tests.alerts.quarter import FIRST, SEGMENTS, TERRITORIES, Account, Fact, Quarter, Said

#: Points below which an account comes to be at risk, and from which it is healthy.
RED, GREEN = 45.0, 70.0


def drawn(accounts: int, days: int, seed: int, every: int) -> Quarter:
    """See `tests.alerts.quarter.draw`."""
    rng = np.random.default_rng(seed)
    dates = [FIRST + timedelta(days=n) for n in range(0, days, every)]
    # Two runs that never were: what comes after them looks back further.
    for missed in sorted(rng.choice(range(5, len(dates) - 5), 2, replace=False), reverse=True):
        del dates[missed]
    people = _accounts(rng, accounts, dates[0], days)
    there = np.array(
        [[(one.gone is None or day < one.gone) and one.started <= day for one in people] for day in dates]
    )
    there &= rng.random(there.shape) > 0.0005  # some are not in a run, and are back in the next
    grid = _grid(rng, people, dates, every)
    again = {name: np.clip(grid[name] + rng.normal(0, 4, grid[name].shape), 0, 100).round(2) for name in
             ("computed", "adoption")}  # fmt: skip
    turn = len(dates) // 2
    restated = {
        turn + 3: range(max(turn - 2, 0), turn + 3),
        len(dates) - 3: range(max(len(dates) - 11, 0), len(dates) - 3),
    }
    return Quarter(
        seed=seed,
        dates=dates,
        accounts=people,
        there=there,
        grid=grid,
        again=again,
        restated=restated,
        renews=_renews(rng, people, dates),
        facts=_facts(rng, people, dates),
        said=_said(rng, people, dates),
        down=frozenset(int(n) for n in rng.choice(range(2, len(dates) - 1), len(dates) // 12, replace=False)),
    )


def _accounts(rng: np.random.Generator, count: int, first: date, days: int) -> list[Account]:
    owners = [f"owner{n}@acme.example" for n in range(max(count // 40, 3))]
    owners += ["sam@acme.example", "sue@acme.example"]
    found = []
    for n in range(count):
        new = rng.random() < 0.06
        started = first + timedelta(days=int(rng.integers(1, days)) if new else -int(rng.integers(1, 900)))
        leaves = rng.random() < 0.05
        gone = first + timedelta(days=int(rng.integers(5, days))) if leaves else None
        found.append(
            Account(
                id=f"A{n:05}",
                name=f"Company {n}",
                owner=None if rng.random() < 0.05 else owners[int(rng.integers(len(owners)))],
                territory=TERRITORIES[int(rng.integers(3))],
                segment=SEGMENTS[int(rng.choice(3, p=[0.55, 0.3, 0.15]))],
                arr=None if rng.random() < 0.05 else float(rng.integers(1, 200) * 1000),
                started=started,
                gone=gone if gone is None or gone > started else None,
            )
        )
    return found


def _grid(rng: np.random.Generator, people: list[Account], dates: list[date], every: int) -> dict[str, Any]:
    size = len(dates), len(people)
    steps = rng.normal(0, 0.9 * np.sqrt(every), size)
    steps[0] = rng.uniform(45, 92, size[1])
    # Planted: one in nine falls at once, and half of those come back later.
    for n in np.flatnonzero(rng.random(size[1]) < 0.11):
        place = int(rng.integers(3, size[0]))
        deep = rng.uniform(18, 45)
        steps[place, n] -= deep
        if rng.random() < 0.5 and place + 12 < size[0]:
            steps[place + int(rng.integers(4, 12)), n] += deep
    # One that everybody shares, for three dates; then a bad fortnight of one segment.
    dip, fortnight = int(0.3 * size[0]), int(0.75 * size[0])
    steps[dip] -= 22
    steps[dip + 3] += 22
    mid = np.array([one.segment == "mid" for one in people])
    for n in np.flatnonzero(mid & (rng.random(size[1]) < 0.25)):
        steps[min(fortnight + int(rng.integers(0, 14)), size[0] - 1), n] -= 35
    computed = _walk(steps)
    # Another formula from the middle on, for two segments: it takes points away.
    turn = size[0] // 2
    formula = np.ones(size, np.int64)
    formula[turn:, [one.segment != "small" for one in people]] = 2
    before = computed.round(2)
    computed = np.clip(np.where(formula == 2, computed - 14, computed), 0, 100).round(2)
    other = np.zeros(size)
    other[turn] = computed[turn] - before[turn]
    coverage = np.ones(size)
    for n in np.flatnonzero(rng.random(size[1]) < 0.08):
        place = int(rng.integers(0, size[0]))
        coverage[place : place + int(rng.integers(1, 12)), n] = rng.choice([0.3, 0.5])
    for n in np.flatnonzero(rng.random(size[1]) < 0.04):
        place = int(rng.integers(0, size[0]))
        computed[place : place + int(rng.integers(1, 9)), n] = np.nan
    adoption = np.clip(_walk(steps * 1.3) + rng.normal(0, 2, size), 0, 100)
    held = np.zeros(size, bool)
    held[int(0.6 * size[0]) : int(0.6 * size[0]) + 3, rng.random(size[1]) < 0.4] = True
    low = rng.random(size) < 0.002
    falling = np.zeros(size, bool)
    for n in np.flatnonzero(rng.random(size[1]) < 0.05):
        falling[int(rng.integers(2, size[0])) :, n] = True
    return {
        "computed": computed,
        "band": _bands(computed),
        "formula": formula,
        "moved": other.round(2),
        "coverage": coverage,
        "adoption": adoption.round(2),
        "seats": np.clip(
            rng.uniform(5, 78, size[1]) + np.cumsum(rng.random(size) < 0.1, axis=0), 0, 200
        ).round(),
        "low": low,
        "falling": falling,
        "held": held,
    }


def _walk(steps: Any) -> Any:
    """Sums that are turned back into 3 to 97."""
    found = np.empty_like(steps)
    at = np.zeros(steps.shape[1])
    for n, step in enumerate(steps):
        at = np.clip(at + step, 3, 97)
        found[n] = at
    return found


def _bands(computed: Any) -> Any:
    """Bands with a margin of two points: 0 at risk, 1 watch, 2 healthy. A missing score changes none."""
    found = np.zeros(computed.shape, np.int64)
    band = np.where(computed[0] < RED, 0, np.where(computed[0] < GREEN, 1, 2))
    for n, score in enumerate(computed):
        band = np.where((band > 0) & (score < RED - 2), 0, band)
        band = np.where((band == 2) & (score < GREEN - 2), 1, band)
        band = np.where((band == 0) & (score >= RED + 2), 1, band)
        band = np.where((band == 1) & (score >= GREEN + 2), 2, band)
        found[n] = band
    return found


def _renews(rng: np.random.Generator, people: list[Account], dates: list[date]) -> list[list[date | None]]:
    """When each renews, as each date knows it: ten days after it did, a year later."""
    first: list[date | None] = [
        None if rng.random() < 0.1 else dates[0] + timedelta(days=int(rng.integers(0, 365))) for _ in people
    ]
    year, late = timedelta(days=365), timedelta(days=10)
    return [[day and (day if today < day + late else day + year) for day in first] for today in dates]


def _facts(rng: np.random.Generator, people: list[Account], dates: list[date]) -> list[Fact]:
    length = (dates[-1] - dates[0]).days + 1
    found = []

    def some(source: str, rate: float, values: list[str], before: int = 0) -> None:
        for _ in range(rng.poisson(rate * len(people) * (length + before))):
            day = dates[0] + timedelta(days=int(rng.integers(-before, length)))
            late = int(rng.choice([0, 0, 0, 1, 4]))
            who = people[int(rng.integers(len(people)))]
            value = values[int(rng.integers(len(values)))]
            found.append(Fact(source, who.id, day, day + timedelta(days=late), value))

    some("notices", 0.0006, ["cancel", "question", "cancel"], before=5)
    some("touches", 0.025, ["call", "mail"], before=30)
    some("tickets", 0.004, ["login", "billing", "export", "speed"], before=28)
    # Something breaks for many at once.
    broken = dates[int(0.45 * len(dates))]
    for n in np.flatnonzero(rng.random(len(people)) < 0.05):
        day = broken + timedelta(days=int(rng.integers(0, 4)))
        found.append(Fact("tickets", people[n].id, day, day, "sync"))
    return found


def _said(rng: np.random.Generator, people: list[Account], dates: list[date]) -> dict[int, list[Said]]:
    found: dict[int, list[Said]] = {}
    for place, today in enumerate(dates):
        mine = found.setdefault(place, [])
        for _ in range(rng.poisson(len(people) * 0.004)):
            mine.append(Said("note", people[int(rng.integers(len(people)))].id))
        for _ in range(rng.poisson(len(people) * 0.0008)):
            until = today + timedelta(days=int(rng.integers(1, 30))) if rng.random() < 0.8 else None
            rule = None if rng.random() < 0.6 else str(rng.choice(["fell", "turned_red", "silent"]))
            mine.append(Said("mute", people[int(rng.integers(len(people)))].id, rule, until))
        if place % 17 == 9:
            mine.append(Said("unmute", None))
    last = dates[-1]
    found[len(dates) // 3].append(Said("mute", None, "odd", dates[len(dates) // 3] + timedelta(days=6)))
    found[len(dates) // 2].append(Said("mute", None, "grows", last))
    return found
