"""Tables about accounts as such: who they are, their contracts and people, what was done for them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from retinue.demo import words
from retinue.demo.calendar import Array
from retinue.demo.chance import BLOCK
from retinue.demo.company import Company
from retinue.demo.course import NEVER, OUTCOMES
from retinue.demo.scene import Scene, loaded
from retinue.demo.truth import SEGMENTS
from retinue.demo.writing import days, numbered, text


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
    table = loaded(
        scene,
        "outcomes",
        day,
        {
            "_ix": account,
            "account_id": scene.id(account),
            "occurred_on": days(scene.calendar, day),
            "outcome": text(kind, OUTCOMES),
            "arr_before": pa.array(log["before"].astype(float)),
            "arr_after": pa.array(log["after"].astype(float)),
            "amount": pa.array(log["after"].astype(float) - log["before"].astype(float)),
            "reason": text(reason, words.REASONS, ~np.isin(kind, [2, 3]) | (rng.random(len(kind)) < 0.15)),
        },
        prompt=True,
    )
    return table.sort_by([("_ix", "ascending"), ("occurred_on", "ascending"), ("outcome", "ascending")])


def notices(scene: Scene) -> pa.Table:
    """Notices of cancellation: three of five who leave say so in writing."""
    course = scene.course
    says = scene.rng("notices").random(BLOCK) < 0.6
    account = np.flatnonzero((course.decided <= scene.calendar.last_index) & says)
    return loaded(
        scene,
        "notices",
        course.decided[account],
        {
            "_ix": account,
            "notice_id": numbered("N", scene.company.block, BLOCK).take(pa.array(account)),
            "account_id": scene.id(account),
            "received_on": days(scene.calendar, course.decided[account]),
            "ends_on": days(scene.calendar, course.ended[account]),
        },
        prompt=True,
    )


def interventions(scene: Scene) -> pa.Table:
    log = scene.course.plays
    acted = log["kind"] >= 0
    account, day, kind = (log[name][acted].astype(np.int64) for name in ("account", "day", "kind"))
    own = scene.under_contract(account, day)
    account, day, kind = account[own], day[own], kind[own]
    return loaded(
        scene,
        "interventions",
        day,
        {
            "_ix": account,
            "intervention_id": numbered("P", scene.company.block, len(account)),
            "account_id": scene.id(account),
            "started_on": days(scene.calendar, day),
            "ended_on": days(scene.calendar, day + 42, scene.future(day + 42)),
            "kind": text(kind, [play.kind for play in scene.truth.plays]),
            "owner": scene.owner(account, day),
        },
    )


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
