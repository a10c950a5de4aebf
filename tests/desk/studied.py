"""A company whose accounts are looked at one by one: people, late rows, and a changed scorecard."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

from tests.run.company import DAY, Company, Row, score
from tests.web.company import CARD, FIRST, LAST, METRICS, NOW, SETTINGS, mark, ordinary

__all__ = ["CHANGED", "FIRST", "LAST", "NOW", "account", "studied", "write_and_score"]

#: From this date on the scorecard weighs differently.
CHANGED = LAST - 14 * DAY
#: The account with most that can be seen.
BUSY = 0


def account(number: int = BUSY) -> str:
    return f"{mark(number)}-id"


def _settings() -> dict[str, Any]:
    facts = SETTINGS["facts"]
    tickets = {
        **facts["tickets"],
        "known_at": "known",
        "unique": ["ticket"],
        "columns": {**facts["tickets"]["columns"], "stars": {"column": "stars", "known_at": "rated"}},
    }
    return {
        **SETTINGS,
        "tenure_buckets": [0, 60],
        "accounts": {
            **SETTINGS["accounts"],
            "link": "https://crm.example.com/{territory}/{account_id}?o={owner}",
        },
        "facts": {**facts, "tickets": tickets},
        "people": {
            "table": "data/people.csv",
            "account": "id",
            "person": "person",
            "role": "role",
            "from": "since",
            "until": "until",
            "columns": {"name": "name", "phone": "phone"},
            "link": "https://crm.example.com/people/{person}",
        },
    }


def _tickets() -> list[Row]:
    def one(ticket: str, opened: date, known: date, **more: Any) -> Row:
        told = {"id": account(), "ticket": ticket, "opened": opened, "known": known, "solved": None}
        return {**told, "kind": "bug", "subject": ticket, "stars": None, "rated": None, **more}

    return [
        one("early", LAST - 30 * DAY, LAST - 30 * DAY, solved=LAST - 20 * DAY),
        one("early", LAST - 30 * DAY, LAST - 25 * DAY, subject="a copy"),
        one("known late", LAST - 12 * DAY, LAST - 3 * DAY),
        one("rated late", LAST - 9 * DAY, LAST - 9 * DAY, stars=5, rated=LAST - 2 * DAY),
        one("not known yet", LAST - 8 * DAY, LAST + 2 * DAY),
        one("a question", LAST - 5 * DAY, LAST - 5 * DAY, kind="question"),
        *(one(f"many {n}", LAST - 6 * DAY, LAST - 6 * DAY, id=account(3)) for n in range(230)),
    ]


def _people() -> list[Row]:
    def one(person: str, role: str, until: date | None = None, **more: Any) -> Row:
        told = {"id": account(), "person": person, "role": role, "since": LAST - 90 * DAY, "until": until}
        return {**told, "name": None, "phone": None, **more}

    return [
        one("ann@customer.example", "champion", name="Ann A.", phone="+49 30 123"),
        one("gone@customer.example", "sponsor", until=LAST - 5 * DAY),
        one("not an address", "user"),
        one("x@evil.example?bcc=all@customer.example", "user"),
        one("other@customer.example", "user", id=account(6)),
    ]


def studied() -> Company:
    made = ordinary()
    metrics = {
        **METRICS,
        "questions": {"open": "tickets", "where": {"kind": "question"}, "label": "Open questions"},
        "tickets_14d": {"count": "tickets", "window": "14d", "label": "Tickets in 14 days"},
        "share_of_questions": {"ratio": ["questions", "open_tickets"]},
    }
    tables = {**made.tables, "tickets": _tickets(), "people": _people()}
    return replace(made, tables=tables, metrics=metrics, settings=_settings())


def write_and_score(folder: Path) -> Path:
    """Two runs: the second with another weight, so that its dates have another formula."""
    company = studied()
    company.write(folder)
    score(folder, CHANGED - DAY, FIRST, every="week")
    components = {**CARD["components"], "service": {**CARD["components"]["service"], "weight": 60}}
    company.with_card(0, components=components).write(folder)
    score(folder, LAST, CHANGED, every="week")
    return folder


def at(day: date, hour: int = 12) -> datetime:
    return NOW.replace(year=day.year, month=day.month, day=day.day, hour=hour)
