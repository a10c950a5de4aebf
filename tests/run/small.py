"""The smallest company that can be scored: a table of levels that says what the score shall be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from tests.run.company import Company, Row

D = date(2024, 5, 6)  # a Monday

AT_ONCE = {"deadband": 0, "margin": 0, "confirm": {"down": "1d", "up": "1d"}}


def level(account: str, day: date, value: float | None, loaded: date | None = None) -> Row:
    return {"id": account, "day": day, "value": value, "loaded": loaded or day}


def account(key: str, **told: Any) -> Row:
    empty = dict.fromkeys(("name", "owner", "segment", "arr", "started", "ended", "renews", "parent"))
    return {"id": key, **empty, **told}


SOURCE = {"table": "data/levels.csv", "account": "id", "occurred_at": "day", "value": "value"}
CLOCKED = {**SOURCE, "known_at": "loaded"}

#: The score is the latest level.
LEVEL: dict[str, Any] = {
    "scorecard": "level",
    "components": {"level": {"measures": {"level": {"curve": [[0, 0], [100, 100]]}}}},
    "stability": AT_ONCE,
}


def company(
    accounts: Sequence[Row],
    levels: Sequence[Row],
    *,
    cards: Sequence[Mapping[str, Any]] = (LEVEL,),
    metrics: Mapping[str, Any] | None = None,
    history: Mapping[str, Any] | None = None,
    source: Mapping[str, Any] = CLOCKED,
    **settings: Any,
) -> Company:
    names = {"started": "started_on", "ended": "ended_on", "renews": "renews_on"}
    columns = [c for c in (accounts[0] if accounts else account("")) if c != "id"]
    mapped = {names.get(column, column): column for column in columns}
    told = {
        "accounts": {"table": "data/accounts.csv", "key": "id", "columns": mapped, "history": history or {}},
        "facts": {"levels": source},
        **settings,
    }
    return Company(
        accounts,
        {"levels": levels},
        told,
        {"level": {"latest": "levels.value"}, **(metrics or {})},
        cards,
        columns={"levels": ["id", "day", "value", "loaded"], "accounts": ["id", *columns]},
    )
