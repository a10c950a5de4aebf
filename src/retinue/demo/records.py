"""The smaller tables of a block: accounts, contracts, people, tickets, invoices, surveys, touches.

Each function returns rows with a hidden column `_ix` (the position of the account in its
block), by which a company that ends within the block is cut.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from retinue.demo import words
from retinue.demo.calendar import Array, Calendar
from retinue.demo.chance import BLOCK, sigmoid, stream
from retinue.demo.company import Company
from retinue.demo.course import NEVER, OUTCOMES, Course
from retinue.demo.truth import COMPONENTS, SEGMENTS, Truth
from retinue.demo.writing import days, moments, numbered, text

CURRENCIES = ("EUR", "GBP", "USD")
#: Units of project currency (EUR) for one unit, about; each month differs a little.
RATES = {"GBP": 1.17, "USD": 0.91}
_PER_EURO = np.array([1.0, 1 / 1.17, 1 / 0.91])


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


def accounts(scene: Scene) -> pa.Table:
    company, course, calendar = scene.company, scene.course, scene.calendar
    everyone = np.arange(BLOCK)
    rng = scene.rng("account gaps")
    signed = company.start <= calendar.last_index
    group = ~company.customers
    seats = np.where(
        group, 0, np.maximum(1, np.round(company.seats * course.arr / np.maximum(company.arr, 1)))
    )
    return pa.table(
        {
            "_ix": everyone,
            "account_id": scene.id(everyone),
            "company": pa.array(company.names.tolist()),
            "domain": pa.array(_domains(company).tolist()),
            "segment": text(company.segment, SEGMENTS),
            "plan": text(company.plan, words.PLANS, group),
            "region": text(company.territory, words.TERRITORIES),
            "csm_email": scene.owner(everyone, np.full(BLOCK, calendar.last_index)),
            "channel": text(company.channel, words.CHANNELS),
            "industry": text(company.industry, words.INDUSTRIES, rng.random(BLOCK) < 0.04),
            "seats": pa.array(seats.astype(np.int64), mask=group | (rng.random(BLOCK) < 0.01)),
            "arr": pa.array(course.arr, mask=group),
            "contract_start": days(calendar, company.start),
            "renewal_date": days(calendar, course.next_renewal, group),
            "churned_on": days(calendar, course.ended, scene.future(course.ended)),
            "parent_id": text(np.maximum(company.parent, 0), company.ids, company.parent < 0),
        }
    ).filter(pa.array(signed))


def _domains(company: Company) -> Array:
    return np.strings.add(np.strings.replace(np.strings.lower(company.names), " ", "-"), ".example")


def owners(scene: Scene) -> pa.Table:
    company = scene.company
    everyone = np.arange(BLOCK)
    moved = np.flatnonzero(scene.moved)
    account = np.concatenate([everyone, moved])
    day = np.concatenate([company.start, company.owner_changed[moved]])
    return _dated(scene, account, day, {"csm_email": scene.owner(account, day)})


def contracts(scene: Scene) -> pa.Table:
    log = scene.course.contracts
    account, day = log["account"].astype(np.int64), log["day"].astype(np.int64)
    seats = (scene.company.seats / np.maximum(scene.company.arr, 1))[account] * log["arr"]
    columns = {
        "arr": pa.array(log["arr"].astype(float)),
        "seats": pa.array(np.maximum(1, np.round(seats)).astype(np.int64)),
        "renewal_date": days(scene.calendar, log["renews"].astype(np.int64)),
    }
    return _dated(scene, account, day, columns)


def _dated(scene: Scene, account: Array, day: Array, columns: dict[str, pa.Array]) -> pa.Table:
    """A history: rows by account and day, without the future."""
    table = pa.table(
        {"_ix": account, "account_id": scene.id(account), "from_date": days(scene.calendar, day), **columns}
    )
    order = np.lexsort((day, account))
    return table.take(pa.array(order[~scene.future(day[order])]))


def outcomes(scene: Scene) -> pa.Table:
    log = scene.course.outcomes
    rng = scene.rng("reasons")
    account, day, kind = (log[name].astype(np.int64) for name in ("account", "day", "kind"))
    reason = rng.integers(0, len(words.REASONS), len(account))
    table = pa.table(
        {
            "_ix": account,
            "account_id": scene.id(account),
            "occurred_on": days(scene.calendar, day),
            "outcome": text(kind, OUTCOMES),
            "arr_before": pa.array(log["before"].astype(float)),
            "arr_after": pa.array(log["after"].astype(float)),
            "amount": pa.array(log["after"].astype(float) - log["before"].astype(float)),
            "reason": text(reason, words.REASONS, ~np.isin(kind, [2, 3]) | (rng.random(len(kind)) < 0.15)),
        }
    )
    order = np.lexsort((kind, day, account))
    return table.take(pa.array(order[~scene.future(day[order])]))


def notices(scene: Scene) -> pa.Table:
    """Notices of cancellation: three of five who leave say so in writing."""
    course = scene.course
    says = scene.rng("notices").random(BLOCK) < 0.6
    account = np.flatnonzero((course.decided <= scene.calendar.last_index) & says)
    return pa.table(
        {
            "_ix": account,
            "notice_id": numbered("N", scene.company.block, BLOCK).take(pa.array(account)),
            "account_id": scene.id(account),
            "received_on": days(scene.calendar, course.decided[account]),
            "ends_on": days(scene.calendar, course.ended[account]),
        }
    )


def interventions(scene: Scene) -> pa.Table:
    log = scene.course.plays
    acted = log["kind"] >= 0
    account, day, kind = (log[name][acted].astype(np.int64) for name in ("account", "day", "kind"))
    table = pa.table(
        {
            "_ix": account,
            "intervention_id": numbered("P", scene.company.block, len(account)),
            "account_id": scene.id(account),
            "started_on": days(scene.calendar, day),
            "ended_on": days(scene.calendar, day + 42, scene.future(day + 42)),
            "kind": text(kind, [play.kind for play in scene.truth.plays]),
            "owner": scene.owner(account, day),
        }
    )
    return table.filter(pa.array(scene.under_contract(account, day)))


def contacts(scene: Scene) -> pa.Table:
    """People of accounts: a champion and those who follow, a sponsor, two users."""
    rng = scene.rng("contacts")
    log, company = scene.course.champions, scene.company
    left_account, left, back = (log[name].astype(np.int64) for name in ("account", "left", "back"))
    customers = np.flatnonzero(company.customers & (company.start <= scene.calendar.last_index))
    sponsored = customers[(company.segment[customers] > 0) | (rng.random(len(customers)) < 0.4)]
    account = np.concatenate([customers, left_account, sponsored, customers, customers])
    sizes = (len(customers), len(left_account), len(sponsored), 2 * len(customers))
    role = np.repeat([0, 0, 1, 2], sizes)
    since = np.concatenate(
        [company.start[customers], back, company.start[np.concatenate([sponsored, customers, customers])]]
    )
    order = np.lexsort((since, role, account))
    account, role, since = account[order], role[order], since[order]
    # The n-th departure of an account ends the time of its n-th champion.
    until = np.full(len(account), NEVER)
    by_account = np.lexsort((left, left_account))
    champion = np.flatnonzero(role == 0)
    followed = np.append(account[champion][1:] == account[champion][:-1], False)
    until[champion[followed]] = left[by_account]
    first = np.array(words.FIRST_NAMES)[rng.integers(0, len(words.FIRST_NAMES), len(account))]
    last = np.array(words.LAST_NAMES)[rng.integers(0, len(words.LAST_NAMES), len(account))]
    name = np.strings.add(np.strings.add(first, " "), last)
    local = np.strings.add(np.strings.lower(np.strings.replace(name, " ", ".")), "@")
    domain = _domains(company)
    return pa.table(
        {
            "_ix": account,
            "account_id": scene.id(account),
            "email": pa.array(np.strings.add(local, domain[account]).tolist()),
            "name": pa.array(name.tolist()),
            "role": text(role, words.ROLES),
            "since": days(scene.calendar, since),
            "left_on": days(scene.calendar, until, scene.future(until)),
        }
    ).filter(pa.array(~scene.future(since) & (since < scene.course.ended[account])))


def tickets(scene: Scene) -> pa.Table:
    rng = scene.rng("tickets")
    calendar = scene.calendar
    service = scene.component("service")
    base = np.array([0.06, 0.16, 0.4, 0.0])[scene.company.segment][:, None]
    rate = base * np.exp(-0.5 * service) * calendar.rhythm.sum(axis=1) / 5.45
    rate[:, calendar.incident_weeks] *= 2.5
    account, week, day = scene.rows(rng, rate)
    arrived = (day < calendar.lost_tickets[0]) | (day >= calendar.lost_tickets[1])
    account, week, day = account[arrived], week[arrived], day[arrived]
    count = len(account)
    mood = service[account, week]
    incident = np.isin(week, calendar.incident_weeks) & (rng.random(count) < 0.6)
    category = np.where(incident, 3, rng.choice(5, count, p=[0.42, 0.28, 0.12, 0.04, 0.14]))
    priority = np.clip(np.floor(rng.normal(1.2 - 0.3 * mood, 0.7)), 0, 3).astype(np.int64)
    sharp = rng.random(count) < sigmoid(-1.6 - 1.1 * mood)
    subjects = [subject for one in words.SUBJECTS.values() for part in one for subject in part]
    sizes = np.array([[len(part) for part in one] for one in words.SUBJECTS.values()])
    offset = np.concatenate([[0], np.cumsum(sizes.ravel())[:-1]]).reshape(sizes.shape)
    tone = sharp.astype(np.int64)
    pick = (rng.random(count) * sizes[category, tone]).astype(np.int64)
    second = np.clip(rng.normal(44_000, 9_000, count), 0, 86_399).astype(np.int64)
    hours = np.exp(rng.normal(3.9 - 0.4 * priority - 0.4 * mood, 1.1))
    solved = day * 86_400 + second + (hours * 3600).astype(np.int64)
    rated = solved + (rng.exponential(1.3, count) * 86_400).astype(np.int64)
    unsolved = scene.future(solved // 86_400)
    silent = (rng.random(count) > 0.35) | scene.future(rated // 86_400)
    rating = np.clip(np.round(4.1 + 0.7 * mood - 0.5 * tone + rng.normal(0, 0.8, count)), 1, 5)
    return pa.table(
        {
            "_ix": account,
            "ticket_id": numbered("T", scene.company.block, count),
            "account_id": scene.id(account),
            "created_at": moments(calendar, day, second),
            "solved_at": moments(calendar, solved // 86_400, solved % 86_400, unsolved),
            "priority": text(priority, words.PRIORITIES, rng.random(count) < 0.01),
            "category": text(category, words.CATEGORIES),
            "subject": text(offset[category, tone] + pick, subjects),
            "rating": pa.array(rating.astype(np.int64), mask=silent),
            "rated_at": moments(calendar, rated // 86_400, rated % 86_400, silent),
        }
    )


def invoices(scene: Scene) -> pa.Table:
    """Monthly for the smallest segment, quarterly for others, on the contract's day."""
    rng = scene.rng("invoices")
    company, calendar = scene.company, scene.calendar
    first = np.datetime64(calendar.first, "M")
    begin = calendar.dates(company.start)
    started = begin.astype("datetime64[M]")
    dom = begin - started.astype("datetime64[D]")
    months = first + np.arange(calendar.months)
    age = (months[None, :] - started[:, None]).astype(np.int64)
    every = np.where(company.segment == 0, 1, 3)
    falls = (age >= 0) & (age % every[:, None] == 0)
    account, month = np.nonzero(falls)
    issued_on = months[month].astype("datetime64[D]") + dom[account]
    issued = (issued_on - np.datetime64(calendar.origin, "D")).astype(np.int64)
    billed = scene.under_contract(account, issued)
    account, issued = account[billed], issued[billed]
    count = len(account)
    terms = np.where(company.segment[account] == 0, 14, 30)
    due = issued + terms
    week = np.clip(due // 7, 0, calendar.weeks - 1)
    mood = scene.component("payment")[account, week]
    late = rng.random(count) < sigmoid(-2.1 - 1.1 * mood)
    delay = np.where(late, 2 + rng.gamma(1.6, 11, count), -terms * rng.random(count) ** 2)
    # Who has decided to leave pays later still, and some never do.
    leaving = scene.course.decided[account] < due
    unpaid = leaving & (rng.random(count) < 0.25)
    paid = np.where(unpaid, NEVER, due + np.round(delay + leaving * rng.exponential(15, count))).astype(
        np.int64
    )
    amount = scene.course.arr[account] * every[account] / 12 * _PER_EURO[company.currency[account]]
    return pa.table(
        {
            "_ix": account,
            "invoice_id": numbered("R", scene.company.block, count),
            "account_id": scene.id(account),
            "issued_on": days(calendar, issued),
            "due_on": days(calendar, due),
            "paid_on": days(calendar, np.maximum(paid, issued), scene.future(paid)),
            "amount": pa.array(np.round(amount, 2)),
            "currency": text(company.currency[account], CURRENCIES),
        }
    )


def surveys(scene: Scene) -> pa.Table:
    """NPS (0 to 10) twice a year, CSAT (1 to 5) and CES (1 to 7) now and then; those who answer."""
    rng = scene.rng("surveys")
    voice = scene.component("voice")
    asked = np.array([0.05, 0.09, 0.14, 0.0])[scene.company.segment][:, None] * sigmoid(0.4 * voice)
    account, week, day = scene.rows(rng, asked)
    count = len(account)
    mood = voice[account, week] + rng.normal(0, 0.7, count)
    kind = rng.choice(3, count, p=[0.55, 0.3, 0.15])
    raw = np.choose(kind, [7.4 + 1.6 * mood, 3.8 + 0.75 * mood, 4.8 + 1.0 * mood])
    score = np.round(np.clip(raw, np.array([0, 1, 1])[kind], np.array([10, 5, 7])[kind])).astype(np.int64)
    after = day + rng.integers(0, 9, count)
    tone = np.digitize(mood, [-0.7, 0.7])
    comments = [comment for part in words.COMMENTS for comment in part]
    pick = 3 * tone + rng.integers(0, 3, count)
    table = pa.table(
        {
            "_ix": account,
            "survey_id": numbered("S", scene.company.block, count),
            "account_id": scene.id(account),
            "sent_on": days(scene.calendar, day),
            "responded_at": moments(scene.calendar, after, rng.integers(28_000, 68_000, count)),
            "kind": text(kind, ("nps", "csat", "ces")),
            "score": pa.array(score, mask=rng.random(count) < 0.01),
            "comment": text(pick, comments, rng.random(count) < 0.6),
            "role": text(rng.choice(3, count, p=[0.35, 0.15, 0.5]), words.ROLES),
        }
    )
    return table.filter(pa.array(~scene.future(after) & (after < scene.course.ended[account])))


def touches(scene: Scene) -> pa.Table:
    """E-mails, calls, meetings and business reviews, and what became of them."""
    rng = scene.rng("touches")
    relationship = scene.component("relationship")
    base = np.array([0.1, 0.3, 0.7, 0.0])[scene.company.segment][:, None]
    rate = base * np.exp(0.3 * relationship) * np.minimum(scene.calendar.rhythm.sum(axis=1) / 5.45, 1)
    account, week, day = scene.rows(rng, rate)
    count = len(account)
    mood = relationship[account, week]
    kind = rng.choice(4, count, p=[0.5, 0.22, 0.22, 0.06])
    missed = rng.random(count) < sigmoid(-1.7 - 1.0 * mood)
    mail = kind == 0
    outcome = np.where(mail, np.where(missed, 1, 0), np.where(missed, 2 + (rng.random(count) < 0.4), 4))
    attendees = np.where(mail, 1, np.where(missed, 0, 1 + rng.poisson(np.maximum(1.2 + 0.5 * mood, 0.1))))
    role = np.where(rng.random(count) < sigmoid(0.5 + 0.8 * mood), 0, 2)
    role = np.where(rng.random(count) < 0.15 * (kind == 3) + 0.08, 1, role)
    return pa.table(
        {
            "_ix": account,
            "touch_id": numbered("M", scene.company.block, count),
            "account_id": scene.id(account),
            "held_at": moments(scene.calendar, day, 900 * rng.integers(32, 68, count)),
            "kind": text(kind, words.TOUCHES),
            "attendees": pa.array(attendees),
            "contact_role": text(role, words.ROLES, rng.random(count) < 0.03),
            "outcome": text(outcome, ("replied", "no_reply", "no_show", "cancelled", "held")),
            "csm_email": scene.owner(account, day),
        }
    )


def pulses(scene: Scene) -> pa.Table:
    """CSMs' judgement (0 to 10) of larger accounts every two months or so; noisy and a little late."""
    rng = scene.rng("pulses")
    base = np.array([0.0, 0.06, 0.12, 0.0])[scene.company.segment][:, None]
    account, week, day = scene.rows(rng, np.broadcast_to(base, scene.course.health.shape))
    seen = scene.course.health[account, np.maximum(week - 2, 0)]
    pulse = np.round(np.clip(6.6 + 2.4 * seen + rng.normal(0, 1.3, len(account)), 0, 10)).astype(np.int64)
    return pa.table(
        {
            "_ix": account,
            "pulse_id": numbered("J", scene.company.block, len(account)),
            "account_id": scene.id(account),
            "given_on": days(scene.calendar, day),
            "pulse": pa.array(pulse),
            "csm_email": scene.owner(account, day),
        }
    )
