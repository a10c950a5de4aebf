"""Tables of what happens with accounts: tickets, invoices, surveys, touches, pulses."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from retinue.demo import words
from retinue.demo.chance import sigmoid
from retinue.demo.course import NEVER
from retinue.demo.scene import Scene, loaded
from retinue.demo.writing import days, moments, numbered, text

CURRENCIES = ("EUR", "GBP", "USD")
#: Units of project currency (EUR) for one unit, about; each month differs a little.
RATES = {"GBP": 1.17, "USD": 0.91}
_PER_EURO = np.array([1.0, 1 / 1.17, 1 / 0.91])


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
    return loaded(
        scene,
        "tickets",
        day,
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
        },
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
    amount = scene.arr(account, issued) * every[account] / 12 * _PER_EURO[company.currency[account]]
    return loaded(
        scene,
        "invoices",
        issued,
        {
            "_ix": account,
            "invoice_id": numbered("R", scene.company.block, count),
            "account_id": scene.id(account),
            "issued_on": days(calendar, issued),
            "due_on": days(calendar, due),
            "paid_on": days(calendar, np.maximum(paid, issued), scene.future(paid)),
            "amount": pa.array(np.round(amount, 2)),
            "currency": text(company.currency[account], CURRENCIES),
        },
    )


def surveys(scene: Scene) -> pa.Table:
    """NPS (0 to 10) twice a year, CSAT (1 to 5) and CES (1 to 7) now and then; those who answer."""
    rng = scene.rng("surveys")
    voice = scene.component("voice")
    asked = np.array([0.05, 0.09, 0.14, 0.0])[scene.company.segment][:, None] * sigmoid(0.4 * voice)
    account, week, day = scene.rows(rng, asked)
    after = day + rng.integers(0, 9, len(account))
    answered = after < scene.course.ended[account]
    account, week, day, after = account[answered], week[answered], day[answered], after[answered]
    count = len(account)
    mood = voice[account, week] + rng.normal(0, 0.7, count)
    kind = rng.choice(3, count, p=[0.55, 0.3, 0.15])
    raw = np.choose(kind, [7.4 + 1.6 * mood, 3.8 + 0.75 * mood, 4.8 + 1.0 * mood])
    score = np.round(np.clip(raw, np.array([0, 1, 1])[kind], np.array([10, 5, 7])[kind])).astype(np.int64)
    tone = np.digitize(mood, [-0.7, 0.7])
    comments = [comment for part in words.COMMENTS for comment in part]
    pick = 3 * tone + rng.integers(0, 3, count)
    return loaded(
        scene,
        "surveys",
        after,
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
        },
    )


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
    return loaded(
        scene,
        "touches",
        day,
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
        },
    )


def pulses(scene: Scene) -> pa.Table:
    """CSMs' judgement (0 to 10) of larger accounts every two months or so; noisy and a little late."""
    rng = scene.rng("pulses")
    base = np.array([0.0, 0.06, 0.12, 0.0])[scene.company.segment][:, None]
    account, week, day = scene.rows(rng, np.broadcast_to(base, scene.course.health.shape))
    seen = scene.course.health[account, np.maximum(week - 2, 0)]
    pulse = np.round(np.clip(6.6 + 2.4 * seen + rng.normal(0, 1.3, len(account)), 0, 10)).astype(np.int64)
    return loaded(
        scene,
        "pulses",
        day,
        {
            "_ix": account,
            "pulse_id": numbered("J", scene.company.block, len(account)),
            "account_id": scene.id(account),
            "given_on": days(scene.calendar, day),
            "pulse": pa.array(pulse),
            "csm_email": scene.owner(account, day),
        },
    )
