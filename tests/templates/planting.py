"""A template's project, scored over invented tables in which what its rules are about is planted."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from retinue.run import run
from retinue.templates import create
from retinue.workspace import Workspace, open_workspace

LAST = date(2026, 6, 30)
#: The day on which everything is stale, because nothing was loaded any more.
AFTER = LAST + timedelta(days=75)
DATES = tuple(LAST - timedelta(days=14 * times) for times in reversed(range(6)))
MORNING = datetime(AFTER.year, AFTER.month, AFTER.day, 12, tzinfo=UTC) + timedelta(days=1)
#: A customer of whom nothing was ever heard, and one who has just begun.
SILENT, NEW = "A9001", "A9002"
#: How many accounts fall: more than a rising share needs in a group.
FALL = 22

Row = dict[str, str]


@dataclass(frozen=True)
class Added:
    table: str
    row: Row
    to_fallen: bool = False
    times: int = 1


@dataclass(frozen=True)
class Plant:
    """How a template's tables are changed.

    Some accounts come into `segment`; in the last `days` days they do nothing in `quiet` tables, and
    what they have in the tables `spoilt` is as it says there. `added` are rows of three weeks ago, for
    each of these, or for a dozen others. In the table `burst` one account has many rows a day, until ten
    days ago.
    """

    segment: str
    quiet: tuple[str, ...]
    days: int = 60
    spoilt: Mapping[str, Row] = field(default_factory=dict)
    added: tuple[Added, ...] = ()
    burst: str | None = None


PLANTS: dict[str, Plant] = {
    "saas": Plant(
        "smb",
        ("events", "touches"),
        spoilt={"invoices": {"paid_on": ""}},
        added=(Added("tickets", {"category": "outage"}),),
        burst="events",
    ),
    "b2b_services": Plant(
        "retainer",
        ("meetings", "timesheets"),
        spoilt={
            "invoices": {"paid_on": ""},
            "deliverables": {"delivered_on": "", "accepted": ""},
            "scope": {"hours": "-60"},
            "surveys": {"score": "1"},
        },
    ),
    "ecommerce": Plant(
        "vip",
        ("orders", "visits"),
        spoilt={"deliveries": {"delivered_on": ""}, "reviews": {"stars": "1"}},
    ),
    "financial_services": Plant(
        "private",
        ("transactions", "contacts"),
        added=(Added("complaints", {"topic": "app"}),),
        burst="sessions",
    ),
    "insurance": Plant(
        "business",
        ("contacts", "portal"),
        spoilt={
            "premiums": {"paid_on": ""},
            "surveys": {"kind": "nps", "score": "1"},
        },
        added=(
            Added("claim_steps", {"step": "complaint"}, to_fallen=True, times=4),
            Added("claims", {}, to_fallen=True, times=2),
            Added("claim_ratings", {"rating": "1"}, to_fallen=True),
            Added("portal", {"page": "cancellation"}, to_fallen=True, times=2),
            Added("surveys", {"kind": "nps", "score": "1"}, to_fallen=True),
        ),
    ),
    "retail": Plant("gold", ("purchases", "redemptions"), 100, spoilt={"ratings": {"stars": "1"}}),
}


def planted(template: str, directory: Path) -> Workspace:
    """The template's project over planted tables, scored week by week, and once after all feeds stopped."""
    create(directory, template, last_day=LAST)
    plant, data = PLANTS[template], directory / "data"
    fallen = _accounts(data / "accounts.csv", plant)
    since = (LAST - timedelta(days=plant.days)).isoformat()

    def falls(row: Row) -> bool:
        return row["account_id"] in fallen and row["loaded_at"] > since

    for name in plant.quiet:
        _change(data / f"{name}.csv", lambda rows: [row for row in rows if not falls(row)])
    for name, told in plant.spoilt.items():
        _change(
            data / f"{name}.csv",
            lambda rows, told=told: [{**row, **told} if falls(row) else row for row in rows],
        )
    for added in plant.added:
        _change(data / f"{added.table}.csv", lambda rows, one=added: [*rows, *_more(rows, one, fallen)])
    if plant.burst is not None:
        _change(data / f"{plant.burst}.csv", _burst)
    workspace = open_workspace(directory, {})
    if plant.burst is not None:
        # Unusual use is looked for on the last day of a run only.
        run(workspace, now=MORNING - (AFTER - LAST), dates=list(DATES))
        run(workspace, now=MORNING, dates=[AFTER])
    else:
        run(workspace, now=MORNING, dates=[*DATES, AFTER])
    return workspace


def _change(path: Path, made: Callable[[list[Row]], list[Row]]) -> None:
    with path.open(newline="", encoding="utf-8") as file:
        rows = made(list(csv.DictReader(file)))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def _accounts(path: Path, plant: Plant) -> set[str]:
    fallen: set[str] = set()

    def made(rows: list[Row]) -> list[Row]:
        # The first and the seventh of eight do best: they stay, so that somebody can grow.
        for row in [row for number, row in enumerate(rows) if number % 8 not in (0, 6)][:FALL]:
            row |= {"segment": plant.segment, "renews_on": (LAST + timedelta(days=25)).isoformat()}
            fallen.add(row["account_id"])
        old = {"started_on": (LAST - timedelta(days=700)).isoformat(), "segment": plant.segment}
        new = {"started_on": (LAST - timedelta(days=70)).isoformat(), "segment": plant.segment}
        return [*rows, {**rows[0], "account_id": SILENT, **old}, {**rows[0], "account_id": NEW, **new}]

    _change(path, made)
    return fallen


def _more(rows: list[Row], added: Added, fallen: set[str]) -> list[Row]:
    others = sorted({row["account_id"] for row in rows} - fallen)[:12]
    day = list(rows[0])[1]
    key = next(name for name in rows[0] if name.endswith("_id") and name != "account_id")
    found = []
    for number, account in enumerate((sorted(fallen) if added.to_fallen else others) * added.times):
        on = (LAST - timedelta(days=18 + number % 8)).isoformat()
        empty = dict.fromkeys(rows[0], "")
        found.append(
            {**empty, "account_id": account, day: on, "loaded_at": on, key: f"X{number}", **added.row}
        )
    return found


def _burst(rows: list[Row]) -> list[Row]:
    """The last account of the table uses it eight times a day, and then not at all."""
    account = rows[-1]["account_id"]
    stop = (LAST - timedelta(days=10)).isoformat()
    mine = [row for row in rows if row["account_id"] == account and row["loaded_at"] <= stop]
    others = [row for row in rows if row["account_id"] != account]
    key = next(name for name in rows[0] if name.endswith("_id") and name != "account_id")
    more = [{**row, key: f"{row[key]}b{n}"} for row in mine for n in range(7)]
    return [*others, *mine, *more]
