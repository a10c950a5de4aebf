"""A company that does not exist, and its scores from week to week. The same seed gives the same company."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property
from typing import Any

import numpy as np

from retinue.project.project import Formula

LAST = date(2026, 5, 31)
#: component -> its weight, and its measures with theirs
CARD: dict[str, tuple[float, dict[str, float]]] = {
    "adoption": (3, {"users_7d": 2, "users_28d": 1, "active_days_28d": 2}),
    "usage": (3, {"events_28d": 2, "edits_28d": 1, "exports_28d": 1, "events_change": 1}),
    "support": (2, {"tickets_open": 1, "tickets_28d": 1}),
    "voice": (1, {"nps": 1}),
    "money": (1, {"amount_28d": 1, "days_since_event": 1}),
}
COHORTS = ("users_28d", "events_28d")
PLACES = [(component, metric) for component, (_, measures) in CARD.items() for metric in measures]
NAMES = list(CARD)
SEGMENTS = ["enterprise", "mid-market", "small", "self-serve"]
TERRITORIES = ["AMER East", "AMER West", "APAC", "Benelux", "DACH", "France", "Nordics", "UK & Ireland"]
STAGES = ["onboarding", "adopting", "established", "renewing"]
OWNERS = [f"{first} {last}" for first in ("Ada", "Ben", "Chloe", "Dev", "Eva", "Finn", "Gül", "Hugo")
          for last in ("Ames", "Bauer", "Costa", "Dahl", "Ekman")]  # fmt: skip
_SOUNDS = ["al", "ber", "cor", "den", "el", "far", "gor", "hal", "in", "jo", "kel", "lum", "mar", "nor",
           "or", "pal", "quin", "ros", "sol", "tam", "ur", "vel", "wes", "xan", "yor", "zen"]  # fmt: skip
_KINDS = ["Labs", "Systems", "Foods", "Group", "Health", "Works", "Media", "Energy", "Bank", "Retail"]

Array = np.ndarray[Any, Any]


@dataclass
class Company:
    """What is drawn once; the points of the measures move from date to date."""

    accounts: int
    weeks: int
    seed: int = 1
    detailed: int = 13
    rng: np.random.Generator = field(init=False)

    def __post_init__(self) -> None:
        self.rng = rng = np.random.default_rng(self.seed)
        n = self.total = self.accounts + self.accounts // 20
        self.dates = [LAST - timedelta(weeks=back) for back in reversed(range(self.weeks))]
        self.ids = np.array([f"A-{i:07d}" for i in range(n)])
        born = np.where(rng.random(n) < 0.2, rng.integers(1, max(self.weeks - 4, 2), n), 0)
        gone = np.full(n, self.weeks)
        leavers = rng.choice(n, n - self.accounts, replace=False)
        gone[leavers] = rng.integers(1, self.weeks, len(leavers))
        born[leavers] = 0
        self.born, self.gone = born, gone
        a, b, c = (rng.choice(_SOUNDS, n) for _ in range(3))
        self.names = [
            f"{(x + y + z).capitalize()} {k}"
            for x, y, z, k in zip(a, b, c, rng.choice(_KINDS, n), strict=True)
        ]
        self.owner = rng.choice(OWNERS, n)
        self.territory = rng.choice(TERRITORIES, n)
        self.segment = rng.choice(SEGMENTS, n, p=[0.1, 0.2, 0.4, 0.3])
        self.stage = rng.choice(STAGES, n)
        self.arr = np.round(np.exp(rng.normal(9.5, 1.2, n)), 2)
        self.renews = rng.integers(-30, 365, n)
        self.quality = rng.normal(70, 14, n)
        shares = [w / sum(x for x, _ in CARD.values()) * m / sum(ms.values())
                  for w, ms in CARD.values() for m in ms.values()]  # fmt: skip
        self.shares = np.array(shares)
        self.missing = rng.random((n, len(PLACES))) < 0.04

    @cached_property
    def points(self) -> Array:
        return np.clip(self.quality[:, None] + self.rng.normal(0, 12, (self.total, len(PLACES))), 0, 100)

    def step(self) -> Array:
        """The points of every measure a week later."""
        pull = 0.04 * (self.quality[:, None] - self.points)
        self.points += pull + self.rng.normal(0, 3.5, self.points.shape)
        np.clip(self.points, 0, 100, out=self.points)
        return np.asarray(np.where(self.missing, np.nan, np.round(self.points, 2)))


@dataclass
class Week:
    day: date
    index: int
    detailed: bool
    alive: Array
    points: Array
    shares: Array
    base: Array
    published: Array
    band: Array
    before: Array
    since: Array
    fingerprint: str
    bridge: date | None


BANDS = np.array(["at_risk", "watch", "healthy"])


class History:
    """Scores from week to week; `past` and `last` are what the list of accounts is made of."""

    def __init__(self, company: Company, formula: Formula):
        self.company, self.fingerprint = company, formula.fingerprint
        self.published = np.full(company.total, np.nan)
        self.band = np.full(company.total, -1, np.int8)
        self.since = np.zeros(company.total, np.int64)
        self.past: list[Array] = []
        self.last: Week | None = None

    def week(self, index: int) -> Week:
        company, day = self.company, self.company.dates[index]
        points = company.step()
        shares = np.where(np.isnan(points), 0.0, company.shares)
        shares = shares / shares.sum(axis=1, keepdims=True)
        base = np.nansum(shares * points, axis=1)
        moved = ~(np.abs(base - self.published) < 1.0)
        self.published = np.where(moved, base, self.published)
        before = self.band
        band = np.digitize(self.published, [55, 70]).astype(np.int8)
        self.since = np.where(band != before, (day - date(1970, 1, 1)).days, self.since)
        self.band = band
        earlier = self.last.day if self.last else None
        bridge = earlier if earlier and quarter(earlier) != quarter(day) else None
        alive = (company.born <= index) & (index < company.gone)
        self.past = [*self.past[-12:], self.published]
        self.last = Week(
            day, index, index >= company.weeks - company.detailed, alive, points, shares, base,
            self.published, band, before, self.since, self.fingerprint, bridge,
        )  # fmt: skip
        return self.last


def quarter(day: date) -> date:
    return date(day.year, 3 * ((day.month - 1) // 3) + 1, 1)


def component_points(week: Week, who: Array) -> tuple[Array, Array]:
    points, weights = (np.zeros((len(who), len(NAMES))) for _ in range(2))
    of = np.array([NAMES.index(component) for component, _ in PLACES])
    for n in range(len(NAMES)):
        share = week.shares[who][:, of == n]
        weights[:, n] = share.sum(axis=1)
        with np.errstate(invalid="ignore"):
            points[:, n] = np.nansum(share * week.points[who][:, of == n], axis=1) / weights[:, n]
    return points, weights
