"""Write the tables, the truth and the project of a simulated company."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from retinue.demo import contracts, declare, records, usage
from retinue.demo.calendar import Calendar
from retinue.demo.chance import BLOCK, stream
from retinue.demo.company import sign
from retinue.demo.course import NEVER, live
from retinue.demo.mess import spoil
from retinue.demo.scene import Scene
from retinue.demo.truth import COMPONENTS, TRUTH, Truth
from retinue.demo.writing import Files, coded, days, text
from retinue.errors import RetinueError

#: The last simulated day unless told otherwise; a constant, so that a seed always gives the same bytes.
LAST_DAY = date(2026, 6, 30)

#: Tables as CSV, with the column that malformed rows break; "" where all rows are well-formed.
_TABLES: dict[str, tuple[Callable[[Scene], pa.Table], str, str]] = {
    "accounts": (contracts.accounts, "", ""),
    "owners": (contracts.owners, "", ""),
    "contracts": (contracts.contracts, "", ""),
    "contacts": (contracts.contacts, "", ""),
    "tickets": (records.tickets, "ticket_id", "created_at"),
    "invoices": (records.invoices, "invoice_id", "due_on"),
    "surveys": (records.surveys, "survey_id", "responded_at"),
    "touches": (records.touches, "touch_id", "held_at"),
    "notices": (contracts.notices, "", ""),
    "outcomes": (contracts.outcomes, "", ""),
    "interventions": (contracts.interventions, "", ""),
    "pulses": (records.pulses, "", ""),
}


@dataclass(frozen=True)
class Simulated:
    """What was written. `rows` is by relative path of the file, `planted` by kind of mess."""

    directory: Path
    accounts: int
    first_day: date
    last_day: date
    seed: int
    rows: dict[str, int] = field(repr=False)
    planted: dict[str, int] = field(repr=False)

    @property
    def events(self) -> int:
        return sum(count for name, count in self.rows.items() if name.startswith("data/events/"))


def simulate(
    directory: Path,
    *,
    accounts: int = 2000,
    months: int = 18,
    seed: int = 7,
    last_day: date = LAST_DAY,
    volume: float = 1.0,
    truth: Truth = TRUTH,
    progress: Callable[[str, float], None] | None = None,
) -> Simulated:
    """Write the project of a simulated company into `directory` (made if need be).

    The same arguments give the same bytes. Accounts are drawn in blocks of a fixed size, so
    memory does not grow with `accounts` and a larger company contains the smaller one.
    `volume` scales the product events (about 800 an account over 18 months at 1). Files of
    the same names are replaced. Raises RetinueError for sizes that make no company.
    """
    if accounts < 1 or months < 1 or seed < 0 or not volume > 0:
        raise RetinueError(
            "a simulation needs at least one account, one month, a seed from 0 and a volume above 0",
            hint="for example --accounts 2000 --months 18 --seed 7",
        )
    calendar = Calendar(last_day, months)
    tell = progress or _silent
    _clear(directory)
    planted: Counter[str] = Counter()
    with Files(directory) as files:
        for block in range(-(-accounts // BLOCK)):
            tell("simulating", block * BLOCK / accounts)
            keep = min(BLOCK, accounts - block * BLOCK)
            company = sign(seed, block, calendar, truth)
            scene = Scene(seed, calendar, truth, company, live(seed, calendar, truth, company))
            for name, (build, key, clock) in _TABLES.items():
                table = build(scene)
                if key:
                    table, spoiled = spoil(
                        scene.rng(f"mess of {name}"), table, key, clock, truth.malformed_share
                    )
                    kept = table["_ix"].to_numpy() < keep
                    planted.update({f"{name}: {kind}": int(kept[at].sum()) for kind, at in spoiled.items()})
                table = table.filter(pa.array(table["_ix"].to_numpy() < keep)).drop_columns("_ix")
                files.write(f"data/{name}.csv", table)
            for month, rows, counts in usage.events(
                seed, calendar, truth, company, scene.course, volume, keep
            ):
                files.write(f"data/events/{month}.parquet", rows)
                planted.update({f"events: {kind}": count for kind, count in counts.items()})
            for name, table in _truths(scene).items():
                files.write(
                    f"truth/{name}.parquet",
                    table.filter(pa.array(table["_ix"].to_numpy() < keep)).drop_columns("_ix"),
                )
        files.write("data/rates.csv", _rates(seed, calendar))
    told = Simulated(directory, accounts, calendar.first, last_day, seed, dict(files.rows), dict(planted))
    (directory / "truth" / "truth.json").write_text(_story(told, calendar, truth, months, volume), "utf-8")
    declare.write(directory)
    tell("simulating", 1.0)
    return told


def _silent(_what: str, _done: float) -> None:
    """Progress that nobody looks at."""


def _clear(directory: Path) -> None:
    """Remove events of an earlier simulation with other months; other files are replaced."""
    for old in (directory / "data" / "events").glob("*.parquet"):
        if re.fullmatch(r"\d{4}-\d{2}", old.stem):
            old.unlink()


def _rates(seed: int, calendar: Calendar) -> pa.Table:
    rng = stream(seed, 0, "rates")
    first = np.datetime64(calendar.first, "M")
    months = (first + np.arange(-1, calendar.months)).astype("datetime64[D]")
    names = list(records.RATES)
    level = np.array([records.RATES[name] for name in names])
    rate = np.round(level * np.exp(0.01 * np.cumsum(rng.normal(size=(len(months), len(names))), axis=0)), 4)
    day = np.repeat((months - np.datetime64(calendar.origin, "D")).astype(np.int64), len(names))
    return pa.table(
        {
            "currency": text(np.tile(np.arange(len(names)), len(months)), names),
            "rate": pa.array(rate.ravel()),
            "valid_from": days(calendar, day),
        }
    )


def _truths(scene: Scene) -> dict[str, pa.Table]:
    """Truth as tables: health by account and week, facts by account, and who might have been helped."""
    company, course, calendar = scene.company, scene.course, scene.calendar
    on = company.customers[:, None] & (company.start[:, None] < 7 * np.arange(calendar.weeks) + 7)
    account, week = np.nonzero(on & (course.ended[:, None] > 7 * np.arange(calendar.weeks)))
    decided_in = np.where(course.decided < NEVER, course.decided // 7, NEVER)
    health = {
        "_ix": pa.array(account),
        "account_id": coded(account, company.ids),
        "week": pa.array(calendar.dates(week * 7)),
        "health": pa.array(course.health[account, week]),
        **{name: pa.array(course.components[account, week, k]) for k, name in enumerate(COMPONENTS)},
        "at_risk": pa.array(course.at_risk[account, week]),
        "renewal": pa.array(course.renewal[account, week]),
        "hazard": pa.array(course.hazard[account, week]),
        "decided": pa.array(decided_in[account] == week),
    }
    everyone = np.flatnonzero(company.customers & (company.start <= calendar.last_index))

    def when(numbers: Any) -> pa.Array:
        return pa.array(calendar.dates(numbers), mask=scene.future(numbers))

    by_account = {
        "_ix": pa.array(everyone),
        "account_id": coded(everyone, company.ids),
        "started_on": when(company.start[everyone]),
        "decided_on": when(course.decided[everyone]),
        "ended_on": when(course.ended[everyone]),
        "onboarded_on": when(course.graduated[everyone]),
        **{
            indicator.event: pa.array(company.indicator_hit[everyone, k])
            for k, indicator in enumerate(scene.truth.indicators)
        },
    }
    plays = course.plays
    who, kind = plays["account"].astype(np.int64), plays["kind"].astype(np.int64)
    eligible = {
        "_ix": pa.array(who),
        "account_id": coded(who, company.ids),
        "week": pa.array(calendar.dates(plays["week"].astype(np.int64) * 7)),
        "kind": text(np.maximum(kind, 0), [play.kind for play in scene.truth.plays], kind < 0),
    }
    return {"health": pa.table(health), "accounts": pa.table(by_account), "eligible": pa.table(eligible)}


def _story(told: Simulated, calendar: Calendar, truth: Truth, months: int, volume: float) -> str:
    def span(days: tuple[int, int]) -> dict[str, str]:
        return {"from": calendar.day(days[0]).isoformat(), "until": calendar.day(days[1]).isoformat()}

    story = {
        "seed": told.seed,
        "accounts": told.accounts,
        "months": months,
        "volume": volume,
        "first_day": told.first_day.isoformat(),
        "last_day": told.last_day.isoformat(),
        "block": BLOCK,
        "parameters": truth.to_dict(),
        "feeds": {
            "events loaded late": span(calendar.delayed),
            "events lost": span(calendar.lost),
            "tickets lost": span(calendar.lost_tickets),
        },
        "incident_weeks": [calendar.day(7 * week).isoformat() for week in calendar.incident_weeks],
        "planted": dict(sorted(told.planted.items())),
        "rows": dict(sorted(told.rows.items())),
    }
    return json.dumps(story, indent=2, ensure_ascii=False) + "\n"
