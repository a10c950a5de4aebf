"""A company with people in it: each account has marks that stand nowhere else, so that a leak is found.

An account of number 17 has `zq17` in its id, its name, and whatever else is written about it. Some
belong to a parent that another person looks after.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from tests.run.company import DAY, Company, Row

#: The time it is in these tests, and the last day that is scored.
NOW = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
LAST = date(2026, 3, 1)
FIRST = LAST - timedelta(weeks=8)

OWNERS = ("Ann Archer", "Bob Baker", "Cleo Chan", "Dan Diaz", "Eve Egger", "Fay Fox")
TERRITORIES = ("north", "south", "east")
SEGMENTS = ("smb", "mid", "enterprise")
TIERS = ("gold", "silver", None)
ACCOUNTS = 48

SETTINGS: dict[str, Any] = {
    "timezone": "UTC",
    "currency": "EUR",
    "accounts": {
        "table": "data/accounts.csv",
        "key": "id",
        "columns": {
            **{name: name for name in ("name", "owner", "territory", "segment", "tier", "arr", "seats")},
            "started_on": "started",
            "renews_on": "renews",
            "ended_on": "ended",
            "parent": "parent",
            "plan": "plan",
        },
        "history": dict.fromkeys(
            ("name", "owner", "territory", "segment", "tier", "arr", "seats", "renews_on", "plan"), "fixed"
        ),
    },
    "people": {
        "table": "data/people.csv",
        "account": "id",
        "person": "person",
        "role": "role",
        "columns": {"phone": "phone"},
    },
    "facts": {
        "usage": {"table": "data/usage.csv", "account": "id", "occurred_at": "day", "user": "user"},
        "tickets": {
            "table": "data/tickets.csv",
            "account": "id",
            "occurred_at": "opened",
            "ends_at": "solved",
            "columns": {"kind": "kind", "subject": "subject"},
            "timeline": "a {kind} ticket: {subject}",
        },
        "surveys": {
            "table": "data/surveys.csv",
            "account": "id",
            "occurred_at": "day",
            "value": "score",
            "columns": {"said": "said"},
            "timeline": "answered {value}: {said}",
        },
    },
    "stages": [{"stage": "onboarding", "when": "tenure < 60"}, {"stage": "mature"}],
}

METRICS: dict[str, Any] = {
    "active_days": {"active": "usage", "window": "28d", "label": "Active days", "unit": "days"},
    "users": {"distinct": "usage.user", "window": "28d", "label": "Users"},
    "open_tickets": {"open": "tickets", "label": "Open tickets"},
    "last_nps": {"latest": "surveys.value", "label": "NPS answer"},
    "mood": {"pulse": "mood", "label": "Mood of the CSM"},
}

CARD: dict[str, Any] = {
    "scorecard": "standard",
    "components": {
        "adoption": {
            "weight": 50,
            "advice": "Ask who stopped.",
            "measures": {
                "active_days": {"weight": 2, "curve": [[0, 0], [10, 60], [20, 100]]},
                "users": {"curve": [[0, 0], [4, 100]]},
            },
        },
        "service": {
            "weight": 30,
            "measures": {"open_tickets": {"curve": {"steps": [[0, 100], [1, 80], [3, 40], [6, 0]]}}},
        },
        "voice": {
            "weight": 20,
            "measures": {
                "last_nps": {"weight": 3, "curve": [[0, 0], [6, 40], [10, 100]], "half_life": "60d"},
                "mood": {"curve": [[0, 0], [10, 100]]},
            },
        },
    },
    "caps": [{"when": "open_tickets >= 6", "at_most": 35, "because": "many tickets are open"}],
    "stability": {"deadband": 2, "margin": 2, "confirm": {"down": "1d", "up": "7d"}},
}


@dataclass(frozen=True)
class Texts:
    """What is written in every column of text of an account; a company of hostile texts has its own."""

    id: str
    name: str | None
    owner: str | None
    territory: str | None
    segment: str | None
    tier: str | None
    plan: str = "pro"
    kind: str = "bug"
    subject: str = "it is slow"
    said: str = "fine"
    parent: str | None = None


def mark(number: int) -> str:
    """What stands in every text about that account and about no other."""
    return f"zq{number:02}"


def texts(number: int) -> Texts:
    """Those of an ordinary account: owners in turn, territories and segments across them."""
    sign = mark(number)
    # The parents are Eve's, the children of others: who sees a child need not see its parent.
    parent = f"{mark(4)}-id" if number in (0, 1, 2, 8) else None
    return Texts(
        id=f"{sign}-id",
        name=None if number == 40 else f"{sign} Company",
        owner=None if number == 41 else OWNERS[number % 6],
        territory=None if number == 42 else TERRITORIES[number // 6 % 3],
        segment=None if number == 43 else SEGMENTS[number // 2 % 3],
        tier=TIERS[number % 3],
        subject=f"{sign} it is slow",
        said=f"{sign} is fine",
        parent=parent,
    )


def ordinary() -> Company:
    made = company([texts(number) for number in range(ACCOUNTS)])
    # Whoever has no segment has no scorecard, so no score.
    return made.with_card(0, applies_to={"segment": list(SEGMENTS)})


def company(told: list[Texts], seed: int = 7) -> Company:
    """Accounts of every band, with and without renewals, some too young or too silent for a score."""
    chance = random.Random(seed)
    accounts: list[Row] = []
    tables: dict[str, list[Row]] = {"usage": [], "tickets": [], "surveys": [], "people": []}
    for number, one in enumerate(told):
        started = LAST - chance.choice([20, 100, 400, 900]) * DAY
        silent = number % 12 == 11
        accounts.append(
            {
                "id": one.id,
                "name": one.name,
                "owner": one.owner,
                "territory": one.territory,
                "segment": one.segment,
                "tier": one.tier,
                "plan": one.plan,
                "arr": None if number % 13 == 12 else chance.choice([1200, 9000, 48000, 250000]) + number,
                "seats": 4,
                "started": started,
                "renews": None if number % 7 == 6 else LAST + chance.randint(-3, 300) * DAY,
                "ended": None,
                "parent": one.parent,
            }
        )
        tables["people"].append(
            {"id": one.id, "person": f"{one.said}, {one.subject}", "role": one.kind, "phone": one.plan}
        )
        if not silent:
            for name, rows in _facts(chance, one, number).items():
                tables[name] += rows
    return Company(accounts, tables, SETTINGS, METRICS, [CARD])


def _facts(chance: random.Random, one: Texts, number: int) -> dict[str, list[Row]]:
    keen = chance.random()
    turn = LAST - chance.randint(3, 40) * DAY
    after = chance.choice([0.0, keen, 1.0])
    usage = [
        {"id": one.id, "day": day, "user": f"u{user}"}
        for day in (LAST - n * DAY for n in range(90))
        for user in range(4)
        if chance.random() < (after if day > turn else keen)
    ]
    tickets = [
        {
            "id": one.id,
            "opened": LAST - chance.randint(1, 60) * DAY,
            "solved": None,
            "kind": one.kind,
            "subject": one.subject,
        }
        for _ in range(chance.choice([0, 0, 1, 2, 7]) if number else 1)
    ]
    surveys = [
        {
            "id": one.id,
            "day": LAST - chance.randint(1, 50) * DAY,
            "score": chance.randint(0, 10),
            "said": one.said,
        }
        for _ in range(1 if not number else chance.choice([0, 1, 1]))
    ]
    return {"usage": usage, "tickets": tickets, "surveys": surveys}


# --- people --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Someone:
    """A person of the tests: what an admin writes about them, and whose accounts they must see."""

    role: Any
    sees: Any = None
    owners: tuple[str, ...] = ()
    territories: tuple[str, ...] = ()
    team: str | None = None
    disabled: bool = False
    #: By the oracle of these tests, not by the code that they test.
    whose: frozenset[str] = field(default_factory=frozenset)

    def may_see(self, one: Texts) -> bool:
        if self.sees == "everything":
            return True
        return one.owner in self.whose or one.territory in self.territories


PEOPLE: dict[str, Someone] = {
    "owner": Someone("csm", "own", ("Ann Archer",), team="blue", whose=frozenset({"Ann Archer"})),
    "teammate": Someone(
        "csm", "team", ("Bob Baker",), team="blue", whose=frozenset({"Bob Baker", "Ann Archer", "Nora Nix"})
    ),
    "southerner": Someone(
        "leader", "own", ("Nora Nix",), ("south",), team="blue", whose=frozenset({"Nora Nix"})
    ),
    "leader": Someone("leader", "everything"),
    "ops": Someone("ops", "everything"),
    "admin": Someone("admin", "everything"),
    "reader": Someone("reader", "everything"),
    "guest": Someone("reader", "own", (), ("east",)),
    "stranger": Someone("csm", "own", ("Nobody Known",), whose=frozenset({"Nobody Known"})),
    "gone": Someone("admin", "everything", disabled=True),
}


def numbers_seen(name: str) -> Iterator[int]:
    """The numbers of the accounts of `ordinary` that the person may see."""
    return (number for number in range(ACCOUNTS) if PEOPLE[name].may_see(texts(number)))


def hostile(payloads: list[str]) -> Company:
    """One account per payload, which stands in every one of its texts."""
    plain = texts(0)
    return company(
        [
            replace(
                plain,
                id=f"{n:02}{text}",
                name=f"{n:02}{text}",
                owner=text,
                territory=text,
                segment=text,
                tier=text,
                plan=text,
                kind=text,
                subject=text,
                said=text,
                parent=None,
            )
            for n, text in enumerate(payloads)
        ]
    )
