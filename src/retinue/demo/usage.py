"""Product events: who did what when, and when the feed delivered it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from retinue.demo import words
from retinue.demo.calendar import Array, Calendar
from retinue.demo.chance import BLOCK, sigmoid, stream
from retinue.demo.company import GROUP, Company
from retinue.demo.course import Course
from retinue.demo.truth import SEGMENTS, Truth
from retinue.demo.writing import coded

SCHEMA = pa.schema(
    {
        "event_id": pa.int64(),
        "account_id": pa.string(),
        "user_id": pa.int64(),
        "event": pa.string(),
        "occurred_at": pa.timestamp("ms", tz="UTC"),
        "loaded_at": pa.timestamp("ms", tz="UTC"),
    }
)
_DAY = 86_400
#: Events in a block stay below this, so that ids never collide.
_IDS = 1 << 26


def events(
    seed: int, calendar: Calendar, truth: Truth, company: Company, course: Course, volume: float, keep: int
) -> Iterator[tuple[str, pa.Table, dict[str, int]]]:
    """Tables of events by month as (`2025-01`, rows, what was planted), for the first `keep` accounts."""
    rng = stream(seed, company.block, "usage")
    account, day, event = _work(rng, calendar, company, course, volume)
    names: list[str] = [*words.EVENTS]
    for more in (_early(rng, calendar, truth, company, course), _aside(rng, calendar, truth, company)):
        for name, accounts, on in more:
            account, day = np.concatenate([account, accounts]), np.concatenate([day, on])
            event = np.concatenate([event, np.full(len(accounts), len(names))])
            names.append(name)

    ended = course.ended[account]
    inside = (day >= np.maximum(company.start[account], calendar.first_index)) & (day <= calendar.last_index)
    kept = inside & (day < ended) & ((day < calendar.lost[0]) | (day >= calendar.lost[1]))
    planted = {"lost": int((inside & (day < ended) & ~kept & (account < keep)).sum())}
    account, day, event = account[kept], day[kept], event[kept]

    count = len(account)
    # Between 02:01 and midnight, so that the month of an event is the same in UTC.
    second = np.clip(rng.normal(47_000, 10_500, count), 7_260, _DAY - 1).astype(np.int64)
    occurred = day * _DAY + second + calendar.utc_shift[day]
    # Loads run at ten past every hour; a few rows come days later, and one outage was made good.
    loaded = occurred // 3600 * 3600 + 4200
    late = rng.random(count) < truth.late_share
    loaded = np.where(late, loaded + rng.geometric(0.3, count) * _DAY, loaded)
    stuck = (day >= calendar.delayed[0]) & (day < calendar.delayed[1])
    loaded = np.where(stuck, np.maximum(loaded, calendar.delayed[1] * _DAY + 4200), loaded)

    user = _users(rng, company, course, account, np.clip(day // 7, 0, calendar.weeks - 1))
    nameless = rng.random(count) < truth.missing_user_share
    twice = rng.random(count) < truth.duplicate_share

    order = np.argsort(account * (1 << 34) + occurred, kind="stable")
    ids = np.empty(count, np.int64)
    ids[order] = company.block * _IDS + np.arange(count)
    rows = np.concatenate([order, order[twice[order]]])
    again = np.arange(len(rows)) >= count
    loaded_rows = loaded[rows] + again * _DAY
    # What had not been loaded by the end of the last day is not in the company's tables yet.
    # A day closes at six the next morning.
    end = (calendar.last_index + 1) * _DAY + 6 * 3600 + calendar.utc_shift[calendar.last_index + 1]
    shown = (account[rows] < keep) & (loaded_rows < end)
    rows, again, loaded_rows = rows[shown], again[shown], loaded_rows[shown]
    planted |= {
        "late": int((late[rows] & ~again).sum()),
        "delayed": int((stuck[rows] & ~again).sum()),
        "duplicates": int(again.sum()),
        "without_user": int(nameless[rows].sum()),
    }

    start = np.datetime64(calendar.origin, "ms")
    month = calendar.dates(day[rows]).astype("datetime64[M]")
    for number in range(calendar.months):
        label = np.datetime64(calendar.first, "M") + number
        mine = np.flatnonzero(month == label)
        if not len(mine):
            continue
        row = rows[mine]
        table = pa.table(
            [
                pa.array(ids[row]),
                coded(account[row], company.ids),
                pa.array(user[row], mask=nameless[row]),
                coded(event[row], names),
                pa.array(start + (occurred[row] * 1000).astype("timedelta64[ms]")).cast(SCHEMA.types[4]),
                pa.array(start + (loaded_rows[mine] * 1000).astype("timedelta64[ms]")).cast(SCHEMA.types[5]),
            ],
            names=SCHEMA.names,
        )
        yield str(label), table, planted
        planted = {}


def _work(
    rng: np.random.Generator, calendar: Calendar, company: Company, course: Course, volume: float
) -> tuple[Array, Array, Array]:
    """Account, day and event code of everyday use: negative binomial by week, rhythm within it."""
    week = np.arange(calendar.weeks)
    tenure = np.maximum(7 * week - company.start[:, None], 0) / 7
    adoption = course.components[:, :, 0].astype(float)
    ramp = 1 - 0.6 * np.exp(-tenure / 5)
    leaving = np.where(course.decided[:, None] < 7 * week, 0.5, 1.0)
    on = (company.start[:, None] < 7 * week + 7) & (course.ended[:, None] > 7 * week)
    mean = company.usage[:, None] * np.exp(0.55 * adoption - 0.15) * ramp * leaving * on
    mean = mean * volume * calendar.rhythm.sum(axis=1) / 5.45
    count = rng.poisson(mean * rng.gamma(5.0, 0.2, mean.shape))
    account, weeks = (np.repeat(at, count.ravel()) for at in (np.indices(mean.shape).reshape(2, -1)))
    total = len(account)
    within = np.cumsum(calendar.rhythm, axis=1)
    within = within / within[:, -1:]
    weekday = (rng.random(total)[:, None] > within[weeks]).sum(axis=1)
    deep = rng.random(total) < sigmoid(0.9 * adoption[account, weeks])
    lot = rng.random(total)
    shallow_code = np.searchsorted(np.cumsum(words.SHALLOW[:-1]), lot, side="right")
    deep_code = np.searchsorted(np.cumsum(words.DEEP[:-1]), lot, side="right")
    return account, weeks * 7 + weekday, np.where(deep, deep_code, shallow_code)


def _early(
    rng: np.random.Generator, calendar: Calendar, truth: Truth, company: Company, course: Course
) -> Iterator[tuple[str, Array, Array]]:
    """The planted leading indicators and, where onboarding succeeded, the day of it."""
    for k, indicator in enumerate(truth.indicators):
        counts = np.where(company.customers, company.indicator_counts[:, k], 0)
        account = np.repeat(np.arange(BLOCK), counts)
        yield (
            indicator.event,
            account,
            company.start[account] + rng.integers(0, indicator.within_days, len(account)),
        )
    done = np.flatnonzero(course.graduated <= calendar.last_index)
    yield "onboarding_completed", done, course.graduated[done]


def _aside(
    rng: np.random.Generator, calendar: Calendar, truth: Truth, company: Company
) -> Iterator[tuple[str, Array, Array]]:
    """Placebos (in proportion to lifetime) and features that only the segment explains."""
    rates = {
        **{name: np.full(GROUP, rate) for name, rate in truth.placebos.items()},
        **{name: np.array([by[s] for s in SEGMENTS[:GROUP]]) for name, by in truth.confounded.items()},
    }
    for name, rate in rates.items():
        mean = np.append(rate, 0.0)[company.segment]
        counts = rng.poisson(mean[:, None], (BLOCK, calendar.weeks))
        account, week = (np.repeat(at, counts.ravel()) for at in np.indices(counts.shape).reshape(2, -1))
        day = week * 7 + rng.integers(0, 5, len(account))
        works = rng.random(len(account)) < calendar.rhythm.ravel()[day]
        yield name, account[works], day[works]


def _users(rng: np.random.Generator, company: Company, course: Course, account: Array, week: Array) -> Array:
    """User ids; the more an account adopts, the more of its seats take part."""
    adoption = course.components[:, :, 0].astype(float)
    part = np.ceil(company.seats[:, None] * sigmoid(0.2 + 0.8 * adoption)).astype(np.int64)
    number = (np.maximum(part, 1)[account, week] * rng.random(len(account)) ** 1.6).astype(np.int64)
    return np.asarray((company.block * BLOCK + account + 1) * 10_000 + number + 1)
