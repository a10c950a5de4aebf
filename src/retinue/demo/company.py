"""The accounts of a block as they are signed: who they are, what they buy, who looks after them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from retinue.demo import words
from retinue.demo.calendar import Array, Calendar
from retinue.demo.chance import BLOCK, stream
from retinue.demo.truth import Truth

GROUP = 3
_GROUPS = 5
_CSMS = len(words.TERRITORIES)


@dataclass(frozen=True)
class Company:
    """One value per account of the block; codes point into `words` and `truth.SEGMENTS`."""

    block: int
    ids: Array
    names: Array
    segment: Array
    plan: Array
    territory: Array
    channel: Array
    industry: Array
    currency: Array
    seats: Array
    arr: Array
    start: Array
    term: Array
    first_renewal: Array
    parent: Array
    owner: Array
    owners: Array
    owner_changed: Array
    owner_before: Array
    usage: Array
    indicator_counts: Array
    indicator_hit: Array

    @property
    def customers(self) -> Array:
        """Accounts with a contract of their own: all but the group accounts above others."""
        return np.asarray(self.segment != GROUP)


def sign(seed: int, block: int, calendar: Calendar, truth: Truth) -> Company:
    """The accounts of `block`, whatever the size of the company."""
    rng = stream(seed, block, "accounts")
    n = BLOCK
    segment = rng.choice(3, n, p=[0.56, 0.31, 0.13])
    territory = rng.choice(_CSMS, n, p=[0.3, 0.18, 0.14, 0.14, 0.14, 0.1])
    parent = np.full(n, -1)
    # A group account is followed by its two to four subsidiaries.
    heads = np.arange(_GROUPS) * 50 + rng.integers(5, 40, _GROUPS)
    sizes = rng.integers(2, 5, _GROUPS)
    for head, size in zip(heads.tolist(), sizes.tolist(), strict=True):
        segment[head] = GROUP
        parent[head + 1 : head + 1 + size] = head
        segment[head + 1 : head + 1 + size] = np.maximum(segment[head + 1 : head + 1 + size], 1)
        territory[head : head + 1 + size] = territory[head]

    scale = np.array([6.0, 28.0, 110.0, 0.0])[segment]
    seats = np.where(segment == GROUP, 0, np.maximum(2, np.round(scale * np.exp(rng.normal(0, 0.5, n)))))
    price = np.array([420.0, 380.0, 330.0, 0.0])[segment]
    arr = np.round(seats * price * np.exp(rng.normal(0, 0.15, n)) / 10) * 10
    usage = np.array([6.0, 22.0, 52.0, 0.0])[segment] * np.exp(rng.normal(0, 0.45, n) - 0.1)

    start, term, renewal = _contracts(rng, calendar, segment)
    # A group account is as old as its oldest subsidiary; it has no contract of its own.
    for head, size in zip(heads.tolist(), sizes.tolist(), strict=True):
        start[head] = start[head + 1 : head + 1 + size].min()

    owners = _owners(block)
    leaves = rng.random(_CSMS) < 0.12
    left_on = calendar.part(0.25) + rng.integers(0, max(calendar.last_index // 2, 1), _CSMS)
    handover = leaves[territory] & (start < left_on[territory])
    owner = np.where(leaves[territory], (territory + 1) % _CSMS, territory)

    counts = np.stack([rng.poisson(i.mean, n) for i in truth.indicators], axis=1)
    hit = np.stack([counts[:, k] >= i.at_least for k, i in enumerate(truth.indicators)], axis=1)
    return Company(
        block=block,
        ids=np.char.mod("A%06d", block * BLOCK + np.arange(n) + 1),
        names=_names(rng, segment == GROUP),
        segment=segment,
        plan=np.minimum(segment + (rng.random(n) < 0.3), 2),
        territory=territory,
        channel=rng.choice(4, n, p=[0.4, 0.25, 0.2, 0.15]),
        industry=rng.integers(0, len(words.INDUSTRIES), n),
        currency=np.where(territory == 1, 1, np.where(rng.random(n) < 0.08, 2, 0)),
        seats=seats,
        arr=arr,
        start=start,
        term=term,
        first_renewal=renewal,
        parent=parent,
        owner=owner,
        owners=owners,
        owner_changed=np.where(handover, left_on[territory], -(10**6)),
        owner_before=np.where(handover, territory, owner),
        usage=usage,
        indicator_counts=counts,
        indicator_hit=hit & (segment != GROUP)[:, None],
    )


def add_months(calendar: Calendar, numbers: Array, months: Array) -> Array:
    """Day numbers `months` later on the same day of the month (which must be 28 or less)."""
    day = calendar.dates(numbers)
    month = day.astype("datetime64[M]")
    within = day - month.astype("datetime64[D]")
    later = (month + months.astype("timedelta64[M]")).astype("datetime64[D]") + within
    return np.asarray((later - np.datetime64(calendar.origin, "D")).astype(np.int64))


def _contracts(rng: np.random.Generator, calendar: Calendar, segment: Array) -> tuple[Array, Array, Array]:
    """Start day, months between renewals, and the first renewal within the simulated time."""
    n = len(segment)
    span = calendar.last_index - calendar.first_index
    before = rng.random(n) < 0.55
    age = np.minimum(rng.exponential(420, n), 1800) + 20
    raw = np.where(before, calendar.first_index - age, calendar.first_index + rng.random(n) * (span - 10))
    start = raw.astype(np.int64)
    within = (calendar.dates(start) - calendar.dates(start).astype("datetime64[M]")).astype(np.int64)
    start = start - np.maximum(within - 27, 0)  # the 29th to 31st have no monthly anniversary
    start = np.where(before, start, np.maximum(start, calendar.first_index))
    short = rng.random(n)
    term = np.where(
        segment == 0, np.where(short < 0.4, 3, 12), np.where((segment == 2) & (short < 0.3), 24, 12)
    )
    first_month = np.datetime64(calendar.first, "M")
    months = (first_month - calendar.dates(start).astype("datetime64[M]")).astype(np.int64)
    terms = np.maximum(np.ceil(months / term), 1).astype(np.int64)
    renewal = add_months(calendar, start, terms * term)
    late = renewal < calendar.first_index
    return start, term, np.where(late, add_months(calendar, start, (terms + 1) * term), renewal)


def _names(rng: np.random.Generator, group: Array) -> Array:
    n = len(group)
    head = np.array(words.HEADS)[rng.integers(0, len(words.HEADS), n)]
    tail = np.array(words.TAILS)[rng.integers(0, len(words.TAILS), n)]
    ending = np.array(words.ENDINGS)[rng.integers(0, len(words.ENDINGS), n)]
    return np.strings.add(np.strings.add(head, tail), np.strings.add(" ", np.where(group, "Holding", ending)))


def _owners(block: int) -> Array:
    """E-mail addresses of the block's CSMs, one for each territory."""
    number = block * _CSMS + np.arange(_CSMS)
    first = np.array(words.FIRST_NAMES)[number % len(words.FIRST_NAMES)]
    last = np.array(words.LAST_NAMES)[(number // len(words.FIRST_NAMES) + 7 * number) % len(words.LAST_NAMES)]
    again = number // (len(words.FIRST_NAMES) * len(words.LAST_NAMES))
    name = np.strings.lower(np.strings.add(np.strings.add(first, "."), last))
    suffix = np.where(again > 0, again.astype(str), "")
    return np.strings.add(np.strings.add(name, suffix), "@meridian.example")
