"""A company that meets everything that a run has to get right, and what people say of it on the way."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from retinue.store.people.access import Actor
from tests.run.company import DAY, Company, Row, days, opened, score

#: The back-fill of `everything` covers these days; a quarter begins in the middle.
FIRST, LAST = date(2024, 3, 18), date(2024, 4, 14)
#: The feed of usage is silent between these two.
SILENT, BACK = date(2024, 4, 3), date(2024, 4, 10)

SETTINGS: dict[str, Any] = {
    "timezone": "UTC",
    "accounts": {
        "table": "data/accounts.csv",
        "key": "id",
        "columns": {
            "name": "name",
            "owner": "owner",
            "segment": "segment",
            "arr": "arr",
            "seats": "seats",
            "started_on": "started",
            "ended_on": {"column": "ended", "known_at": "end_told"},
            "renews_on": "renews",
            "parent": "parent",
        },
        "history": {
            "name": "fixed",
            "owner": "fixed",
            "segment": {
                "table": "data/segments.csv",
                "account": "id",
                "column": "segment",
                "valid_from": "valid_from",
                "known_at": "known",
            },
            "arr": "fixed",
            "seats": "fixed",
            "renews_on": "fixed",
        },
    },
    "facts": {
        "usage": {
            "table": "data/usage.csv",
            "account": "id",
            "occurred_at": "ts",
            "known_at": "loaded",
            "user": "user",
        },
        "tickets": {
            "table": "data/tickets.csv",
            "account": "id",
            "occurred_at": "created",
            "known_at": "loaded",
            "ends_at": "solved",
            "columns": {"csat": {"column": "csat", "known_at": "rated"}, "kind": "kind"},
            "timeline": "a {kind} ticket, rated {csat}",
        },
        "surveys": {
            "table": "data/surveys.csv",
            "account": "id",
            "occurred_at": "answered",
            "value": "score",
        },
        "invoices": {
            "table": "data/invoices.csv",
            "account": "id",
            "occurred_at": {"column": "issued", "plus": "5d"},
            "ends_at": "paid",
            "value": "amount",
        },
    },
    "stages": [{"stage": "onboarding", "when": "tenure < 60"}, {"stage": "mature"}],
}

METRICS: dict[str, Any] = {
    "events_14d": {"count": "usage", "window": "14d"},
    "users_7d": {"distinct": "usage.user", "window": "7d"},
    "usage_change": {"change": {"count": "usage"}, "window": "7d", "baseline": "21d"},
    "open_tickets": {"open": "tickets"},
    "csat": {"mean": "tickets.csat", "window": "60d"},
    "last_survey": {"latest": "surveys.value"},
    "overdue": {"open_sum": "invoices.value"},
    "seat_use": {"ratio": ["users_7d", "account.seats"]},
    "mood": {"pulse": "mood"},
}

YOUNG: dict[str, Any] = {
    "scorecard": "young",
    "applies_to": {"stage": "onboarding", "segment": ["smb", "mid"]},
    "components": {
        "adoption": {
            "weight": 3,
            "measures": {"users_7d": {"curve": [[0, 0], [3, 60], [6, 100]], "max_age": "3d"}},
        },
        "voice": {"measures": {"last_survey": {"curve": [[0, 0], [10, 100]], "half_life": "20d"}}},
    },
    "stability": {"deadband": 2, "margin": 1, "confirm": {"down": "2d", "up": "3d"}},
    "min_coverage": 0.3,
}

GROWN: dict[str, Any] = {
    "scorecard": "grown",
    "applies_to": {"segment": ["smb", "mid"]},
    "components": {
        "adoption": {
            "weight": 30,
            "measures": {
                "events_14d": {
                    "weight": 2,
                    "curve": "cohort",
                    "direction": "higher_is_better",
                    "cohort": ["segment", "tenure"],
                    "points": [[0, 0], [10, 100]],
                    "max_age": "3d",
                },
                "usage_change": {"curve": [[-0.6, 0], [0, 75], [0.3, 100]], "max_age": "3d"},
                "seat_use": {"curve": [[0, 0], [1, 100]], "max_age": "3d"},
            },
        },
        "service": {
            "weight": 15,
            "measures": {
                "open_tickets": {"curve": {"steps": [[0, 100], [1, 70], [2, 40], [4, 0]]}},
                "csat": {"curve": [[1, 0], [5, 100]], "missing": "neutral"},
            },
        },
        "voice": {
            "weight": 20,
            "measures": {
                "last_survey": {"weight": 3, "curve": [[0, 0], [6, 30], [10, 100]], "half_life": "20d"},
                "mood": {"curve": [[0, 0], [10, 100]], "half_life": "10d"},
            },
        },
    },
    "caps": [{"when": "overdue > 0", "at_most": 38, "because": "an invoice is overdue"}],
    "floors": [{"when": "users_7d >= 6", "at_least": 45, "because": "everybody uses it"}],
    "stability": {"deadband": 3, "margin": 2, "confirm": {"down": "2d", "up": "4d"}},
    "min_coverage": 0.4,
}

GROUP: dict[str, Any] = {
    "scorecard": "group",
    "applies_to": {"segment": ["group"]},
    "roll_up": "arr",
    "stability": {"deadband": 0, "margin": 0, "confirm": {"down": "1d", "up": "1d"}},
}


def everything(seed: int = 1, accounts: int = 14, until: date = LAST) -> Company:
    """Accounts that come and go, groups, late rows, a silent feed, caps, a switch of segment.

    Rows go on after `until`, so that what is told later is there to be ignored.
    """
    chance = random.Random(seed)
    begin = until - 150 * DAY
    people: list[Row] = []
    tables: dict[str, list[Row]] = {
        name: [] for name in ("usage", "tickets", "surveys", "invoices", "segments")
    }
    for n in range(accounts):
        started = begin + chance.randint(-300, 135) * DAY
        ended = until - chance.randint(0, 20) * DAY if chance.random() < 0.15 else None
        group = n < 2
        parent = f"g{chance.randint(0, 1)}" if not group and chance.random() < 0.6 else None
        key = f"g{n}" if group else f"a{n:02}"
        segment = "group" if group else chance.choice(["smb", "mid"])
        people.append(
            {
                "id": key,
                "name": f"Company {n}",
                "owner": chance.choice(["kim", "lee", None]),
                "segment": segment,
                "arr": chance.choice([None, 1000, 25000, 90000.5]),
                "seats": chance.choice([None, 0, 4, 9]),
                "started": None if group else started,
                "ended": ended,
                "end_told": ended and ended + 2 * DAY,
                "renews": chance.choice([None, until + 40 * DAY, until + 200 * DAY]),
                "parent": parent,
            }
        )
        tables["segments"].append(
            {"id": key, "segment": segment, "valid_from": begin - 400 * DAY, "known": begin - 400 * DAY}
        )
        if not group and chance.random() < 0.4:
            switch = until - chance.randint(3, 25) * DAY
            other = "mid" if segment == "smb" else "smb"
            tables["segments"].append(
                {"id": key, "segment": other, "valid_from": switch, "known": switch + DAY}
            )
        if not group:
            _facts(chance, key, begin, until, tables)
    return Company(people, tables, SETTINGS, METRICS, [YOUNG, GROWN, GROUP])


def _facts(chance: random.Random, key: str, begin: date, until: date, tables: dict[str, list[Row]]) -> None:
    keen = chance.random()
    turn = until - chance.randint(0, 30) * DAY
    for day in days(begin, until + 10 * DAY):
        if day >= turn:
            keen = max(0.0, min(1.0, keen + chance.uniform(-0.12, 0.1)))
        known = day + chance.choice([0, 0, 0, 1, 4]) * DAY
        if SILENT <= day < BACK:
            continue
        if SILENT <= known < BACK:
            known = BACK
        for _ in range(chance.choice([0, 1, 2]) if chance.random() < keen else 0):
            hour = f"{chance.randint(0, 23):02}:{chance.choice(['00', '30'])}:00"
            tables["usage"].append(
                {"id": key, "ts": f"{day} {hour}", "loaded": known, "user": f"u{chance.randint(1, 7)}"}
            )
    for _ in range(chance.randint(0, 7)):
        made = begin + chance.randint(90, 155) * DAY
        solved = made + chance.randint(0, 20) * DAY if chance.random() < 0.7 else None
        tables["tickets"].append(
            {
                "id": key,
                "created": made,
                "loaded": made + chance.choice([0, 0, 2]) * DAY,
                "solved": solved,
                "csat": chance.choice([None, 1, 3, 5]),
                "rated": solved and solved + chance.choice([0, 3]) * DAY,
                "kind": chance.choice(["bug", "question"]),
            }
        )
    for _ in range(chance.randint(0, 3)):
        answered = begin + chance.randint(60, 155) * DAY
        tables["surveys"].append({"id": key, "answered": answered, "score": chance.randint(0, 10)})
    if chance.random() < 0.35:
        issued = begin + chance.randint(110, 145) * DAY
        paid = issued + chance.randint(3, 25) * DAY if chance.random() < 0.8 else None
        tables["invoices"].append({"id": key, "issued": issued, "paid": paid, "amount": 99.9})


def as_known(company: Company, day: date) -> Company:
    """The tables as a load on the evening of `day` would have found them."""

    def hide(row: Row, clocks: Mapping[str, str]) -> Row:
        return {k: None if k in clocks and _later(row[clocks[k]], day) else v for k, v in row.items()}

    tables = company.tables
    kept: dict[str, list[Row]] = {
        "usage": [row for row in tables["usage"] if row["loaded"] <= day],
        "tickets": [
            hide(row, {"solved": "solved", "csat": "rated", "rated": "rated"})
            for row in tables["tickets"]
            if max(row["created"], row["loaded"]) <= day
        ],
        "surveys": [row for row in tables["surveys"] if row["answered"] <= day],
        "invoices": [
            hide(row, {"paid": "paid"}) for row in tables["invoices"] if row["issued"] + 5 * DAY <= day
        ],
        "segments": [row for row in tables["segments"] if row["known"] <= day],
    }
    people = [hide(row, {"ended": "end_told", "end_told": "end_told"}) for row in company.accounts]
    columns = {name: list(rows[0]) for name, rows in tables.items() if rows}
    return replace(company, accounts=people, tables=kept, columns=columns)


def _later(told: date | None, day: date) -> bool:
    return told is not None and told > day


# --- what people say on the way -------------------------------------------------------------------


@dataclass(frozen=True)
class Word:
    """Something said on the morning of `day` (at 09:00 UTC)."""

    day: date
    what: str
    account: str
    told: Mapping[str, Any] = field(default_factory=dict)


WORDS = (
    Word(FIRST - 2 * DAY, "pulse", "a03", {"value": 9, "expires_on": FIRST + 6 * DAY}),
    Word(FIRST + 2 * DAY, "override", "a02", {"kind": "set", "value": 12, "starts_on": FIRST - 5 * DAY}),
    Word(FIRST + 3 * DAY, "pulse", "a04", {"value": 1}),
    Word(
        FIRST + 4 * DAY,
        "override",
        "a05",
        {"kind": "cap", "value": 20, "starts_on": FIRST + 6 * DAY, "expires_on": FIRST + 11 * DAY},
    ),
    Word(FIRST + 9 * DAY, "withdraw override", "a02"),
    Word(FIRST + 10 * DAY, "override", "g0", {"kind": "floor", "value": 80, "starts_on": FIRST + 10 * DAY}),
    Word(FIRST + 12 * DAY, "withdraw pulse", "a04"),
    Word(FIRST + 15 * DAY, "pulse", "a04", {"value": 6, "expires_on": FIRST + 17 * DAY}),
    Word(FIRST + 20 * DAY, "override", "a06", {"kind": "set", "value": 95, "starts_on": FIRST + 22 * DAY}),
    Word(FIRST + 24 * DAY, "override", "a06", {"kind": "set", "value": 55, "starts_on": FIRST}),
)


def say(root: Path, words: Sequence[Word]) -> None:
    """Say `words` at their time, in the order of it."""
    from retinue.store.work import said

    store = opened(root).store
    numbers: dict[tuple[str, str], int] = {}
    for word in words:
        now = datetime(word.day.year, word.day.month, word.day.day, 9, tzinfo=UTC)
        if word.what == "pulse":
            said.add_pulse(store, word.account, "mood", **word.told, by=Actor("kim"), now=now)
        elif word.what == "override":
            extra = {"reason": "we know them", "owner": "kim", "by": Actor("kim"), "now": now}
            said.add_override(store, word.account, **word.told, **extra)
        else:
            noun = word.what.removeprefix("withdraw ")
            rows = (said.pulses_for_run if noun == "pulse" else said.overrides_for_run)(store).to_pylist()
            mine = [row["id"] for row in rows if row["account_id"] == word.account]
            numbers[(noun, word.account)] = mine[-1]
            take = said.withdraw_pulse if noun == "pulse" else said.withdraw_override
            take(store, mine[-1], by=Actor("kim"), now=now)
    store.close()


def step_by_step(root: Path, ends: Sequence[date], seed: int = 1) -> None:
    """Runs of `everything` that end on each of `ends`, each over the tables as known by then."""
    company = everything(seed)
    heard, first = FIRST - 30 * DAY, FIRST
    for end in ends:
        as_known(company, end).write(root)
        say(root, [word for word in WORDS if heard < word.day <= end])
        score(root, end, first)
        first, heard = end + DAY, end
