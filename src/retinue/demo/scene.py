"""A block of accounts with everything that its tables are drawn from.

Tables carry a hidden column `_ix`, the position of the account in its block, by which a
company that ends within the block is cut.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from retinue.demo.calendar import Array, Calendar
from retinue.demo.chance import stream
from retinue.demo.company import Company
from retinue.demo.course import NEVER, Course
from retinue.demo.truth import COMPONENTS, Truth
from retinue.demo.writing import moments, text


@dataclass(frozen=True)
class Scene:
    """What every table of a block is drawn from."""

    seed: int
    calendar: Calendar
    truth: Truth
    company: Company
    course: Course

    def rng(self, purpose: str) -> np.random.Generator:
        return stream(self.seed, self.company.block, purpose)

    def component(self, name: str) -> Array:
        """A latent component by (account, week)."""
        return np.asarray(self.course.components[:, :, COMPONENTS.index(name)], dtype=float)

    def rows(self, rng: np.random.Generator, rate: Array) -> tuple[Array, Array, Array]:
        """Account, week and day (a working day) of Poisson rows with a weekly `rate` (account, week)."""
        counts = rng.poisson(np.where(self.course.at_risk | (self.course.decided[:, None] < NEVER), rate, 0))
        account, week = (np.repeat(at, counts.ravel()) for at in np.indices(counts.shape).reshape(2, -1))
        day = week * 7 + rng.integers(0, 5, len(account))
        kept = self.under_contract(account, day)
        return account[kept], week[kept], day[kept]

    def under_contract(self, account: Array, day: Array) -> Array:
        inside = (day >= self.calendar.first_index) & (day <= self.calendar.last_index)
        started = (day >= self.company.start[account]) & self.company.customers[account]
        return np.asarray(inside & started & (day < self.course.ended[account]))

    def id(self, account: Array) -> pa.Array:
        return text(account, self.company.ids)

    def arr(self, account: Array, day: Array) -> Array:
        """The ARR of an account under contract as agreed on that day."""
        log = self.course.contracts
        # Accounts and days as one ascending number; days before the origin are negative.
        key = np.sort(log["account"].astype(np.int64) * 2 * NEVER + log["day"])
        order = np.lexsort((log["day"], log["account"]))
        at = np.searchsorted(key, account * 2 * NEVER + day, side="right") - 1
        return np.asarray(log["arr"][order][at])

    @property
    def moved(self) -> Array:
        """Accounts that went over to another owner, by the last day and within their lives."""
        changed = self.company.owner_changed
        past = (changed > -NEVER) & (changed < self.course.ended) & ~self.future(changed)
        return np.asarray(past)

    def owner(self, account: Array, day: Array) -> pa.Array:
        """E-mail of who looked after the account on that day."""
        company = self.company
        after = self.moved[account] & (day >= company.owner_changed[account])
        return text(np.where(after, company.owner[account], company.owner_before[account]), company.owners)

    def future(self, day: Array) -> Array:
        return np.asarray(day > self.calendar.last_index)


def loaded(scene: Scene, name: str, day: Array, columns: dict[str, Any], *, prompt: bool = False) -> pa.Table:
    """A table of rows of `day` with the time of their first load, without those still on their way.

    Loads run every night; a share of the rows misses some of them, unless they are `prompt`.
    """
    rng = scene.rng(f"loads of {name}")
    late = (rng.random(len(day)) < scene.truth.late_share) & (not prompt)
    night = day + np.where(late, rng.geometric(0.3, len(day)), 0)
    moment = moments(scene.calendar, night + 1, 7_200 + rng.integers(0, 1_800, len(day)))
    return pa.table({**columns, "first_loaded_at": moment}).filter(pa.array(~scene.future(night)))
