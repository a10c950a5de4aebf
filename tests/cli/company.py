"""The tables and declarations of a company of eight accounts, each with a story."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

#: The time it is in these tests.
NOW = "2026-04-01T09:00:00+00:00"
FIRST = date(2025, 10, 1)
LAST = date(2026, 3, 31)

SETTINGS = """\
project: acme
timezone: UTC
currency: EUR
accounts:
  table: data/accounts.csv
  key: account_id
  columns: {name: name, owner: owner, territory: region, segment: segment, arr: arr, seats: seats,
            started_on: started, renews_on: renews, ended_on: ended}
  history:
    territory: fixed
    owner: fixed
    seats: fixed
    arr: fixed
    segment: {table: data/segments.csv, column: segment, valid_from: since}
facts:
  usage: {table: data/usage.csv, account: account_id, occurred_at: day, user: user}
  tickets: {table: data/tickets.csv, account: account_id, occurred_at: opened, ends_at: solved}
  surveys: {table: data/surveys.csv, account: account_id, occurred_at: day, columns: {score: score}}
  invoices: {table: data/invoices.csv, account: account_id, occurred_at: due, ends_at: paid, value: amount}
stages:
  - {stage: onboarding, when: tenure < 60}
  - {stage: mature}
grades: {A: 85, B: 70, C: 55, D: 40, E: 0}
"""

METRICS = """\
metrics:
  active_days: {active: usage, window: 28d, label: Active days, unit: days}
  users: {distinct: usage.user, window: 28d, label: Users}
  seat_use: {ratio: [users, account.seats], label: Seat use}
  open_tickets: {open: tickets, label: Open tickets}
  last_nps: {latest: surveys.score, label: NPS answer}
  overdue: {open_sum: invoices.value, label: Overdue amount, unit: EUR}
  mood: {pulse: mood, label: Mood of the CSM}
"""

SCORECARDS = """\
scorecard: large
applies_to: {segment: [large]}
components:
  adoption:
    weight: 50
    advice: Ask who stopped, and show one use of their own.
    measures:
      active_days: {weight: 2, curve: [[0, 0], [10, 60], [20, 100]]}
      seat_use: {weight: 1, curve: [[0, 0], [0.8, 100]]}
  service:
    weight: 30
    measures:
      open_tickets: {curve: {steps: [[0, 100], [1, 80], [3, 40], [6, 0]]}}
  voice:
    weight: 20
    measures:
      last_nps: {weight: 3, curve: [[0, 0], [6, 40], [10, 100]], half_life: 60d}
      mood: {weight: 1, curve: [[0, 0], [10, 100]]}
caps:
  - {when: overdue > 0, at_most: 35, because: an invoice is overdue}
  - {when: seat_use < 0.1 and users < 1, at_most: 30, because: nobody uses it}
floors:
  - {when: last_nps >= 10, at_least: 20, because: the last answer was a ten}
stability: {deadband: 2, margin: 2, confirm: {down: 1d, up: 7d}}
---
scorecard: small
components:
  use:
    measures:
      active_days: {weight: 1, curve: [[0, 0], [20, 100]]}
      last_nps: {weight: 2, curve: [[0, 0], [10, 100]]}
stability: {deadband: 2, margin: 2, confirm: {down: 1d, up: 7d}}
"""

ACCOUNTS = """\
account_id,name,owner,region,segment,arr,seats,started,renews,ended
A-01,Northern Lights,ann@acme.example,north,large,120000,4,2025-01-01,2026-12-31,
A-02,Southern Star,ann@acme.example,south,large,90000,4,2025-02-01,2026-05-15,
A-03,Ticket & Sons,bob@acme.example,north,large,60000,4,2025-03-01,2026-09-01,
A-04,Late Payers,bob@acme.example,south,large,30000,4,2025-04-01,2026-08-01,
A-05,Silent GmbH,bob@acme.example,north,small,5000,2,2025-05-01,2026-10-01,
A-06,Gone Ltd,ann@acme.example,south,small,4000,2,2025-05-01,2026-02-10,2026-02-10
A-07,Grown Up,cleo@acme.example,north,large,45000,4,2025-06-01,2026-11-01,
A-08,Coming Back,cleo@acme.example,south,large,20000,4,2025-07-01,2026-07-01,
"""

SEGMENTS = """\
account_id,segment,since
A-01,large,2025-01-01
A-02,large,2025-01-01
A-03,large,2025-01-01
A-04,large,2025-01-01
A-05,small,2025-01-01
A-06,small,2025-01-01
A-07,small,2025-01-01
A-07,large,2026-03-10
A-08,large,2025-01-01
"""

SURVEYS = """\
account_id,day,score
A-01,2025-12-01,9
A-02,2025-12-15,8
A-03,2026-01-10,7
A-04,2025-12-20,9
A-06,2025-12-20,3
A-07,2025-12-20,8
A-08,2026-02-20,6
"""

INVOICES = """\
account_id,due,paid,amount
A-01,2026-01-01,2025-12-28,10000
A-04,2026-03-05,,2500
"""


def usage() -> Iterator[str]:
    """Who used it on which day: steady, fading, coming back, or not at all."""
    yield "account_id,day,user"
    for n in range((LAST - FIRST).days + 1):
        day = FIRST + timedelta(days=n)
        weekday = day.weekday() < 5
        for account, users in (
            ("A-01", 4 if weekday else 0),
            ("A-02", (4 if weekday else 0) if day < date(2026, 2, 16) else (1 if day.weekday() == 0 else 0)),
            ("A-03", 3 if weekday else 0),
            ("A-04", 4 if weekday else 0),
            ("A-06", 1 if day.weekday() == 2 and day < date(2026, 2, 1) else 0),
            ("A-07", 3 if day.weekday() in (0, 2, 4) else 0),
            ("A-08", (4 if weekday else 0) if day > date(2026, 2, 22) else 0),
        ):
            for user in range(users):
                yield f"{account},{day},user{user}"


def tickets() -> Iterator[str]:
    """Seven that A-03 has open since March, and a solved one of A-01."""
    yield "account_id,opened,solved"
    yield "A-01,2026-01-20,2026-01-22"
    for n in range(7):
        yield f"A-03,2026-03-{n + 2:02},"


def write(folder: Path) -> None:
    """The project, without anything published."""
    (folder / "data").mkdir(parents=True)
    for name, text in (
        ("retinue.yaml", SETTINGS),
        ("metrics.yaml", METRICS),
        ("scorecards.yaml", SCORECARDS),
        ("data/accounts.csv", ACCOUNTS),
        ("data/segments.csv", SEGMENTS),
        ("data/surveys.csv", SURVEYS),
        ("data/invoices.csv", INVOICES),
        ("data/usage.csv", "\n".join(usage()) + "\n"),
        ("data/tickets.csv", "\n".join(tickets()) + "\n"),
    ):
        (folder / name).write_text(text, encoding="utf-8")
