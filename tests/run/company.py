"""A small company on disk whose project meets everything that a run has to get right."""

from __future__ import annotations

import csv
import random
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from retinue.run import RunResult, run
from retinue.store.published.contract import TABLES
from retinue.workspace import Workspace, open_workspace

DAY = timedelta(days=1)
Row = dict[str, Any]


def noon(day: date) -> datetime:
    """A time at which `day` is the last complete day in UTC."""
    return datetime(day.year, day.month, day.day, 12, tzinfo=UTC) + DAY


def days(first: date, last: date) -> list[date]:
    return [first + n * DAY for n in range((last - first).days + 1)]


@dataclass(frozen=True)
class Company:
    """Tables and declarations that `write` turns into a project."""

    accounts: Sequence[Row]
    tables: Mapping[str, Sequence[Row]] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    scorecards: Sequence[Mapping[str, Any]] = ()
    #: Columns of tables that have no rows.
    columns: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def write(self, root: Path) -> Path:
        (root / "data").mkdir(parents=True, exist_ok=True)
        for name, rows in {"accounts": self.accounts, **self.tables}.items():
            _csv(root / "data" / f"{name}.csv", rows, self.columns.get(name, ()))
        told = {"project": "test", **self.settings}
        (root / "retinue.yaml").write_text(yaml.safe_dump(told, sort_keys=False))
        (root / "metrics.yaml").write_text(yaml.safe_dump({"metrics": dict(self.metrics)}, sort_keys=False))
        shutil.rmtree(root / "scorecards", ignore_errors=True)
        (root / "scorecards").mkdir()
        for number, card in enumerate(self.scorecards):
            path = root / "scorecards" / f"{number}_{card['scorecard']}.yaml"
            path.write_text(yaml.safe_dump(dict(card), sort_keys=False))
        return root

    def shuffled(self, seed: int) -> Company:
        chance = random.Random(seed)

        def mixed(rows: Sequence[Row]) -> list[Row]:
            return chance.sample(list(rows), len(rows))

        tables = {name: mixed(rows) for name, rows in self.tables.items()}
        return replace(self, accounts=mixed(self.accounts), tables=tables)

    def with_card(self, number: int, **changed: Any) -> Company:
        cards = list(self.scorecards)
        cards[number] = {**cards[number], **changed}
        return replace(self, scorecards=cards)

    def with_rows(self, table: str, rows: Sequence[Row]) -> Company:
        return replace(self, tables={**self.tables, table: [*self.tables[table], *rows]})


def _csv(path: Path, rows: Sequence[Row], columns: Sequence[str]) -> None:
    names = list(rows[0]) if rows else list(columns)
    with path.open("w", newline="", encoding="utf-8") as sink:
        writer = csv.DictWriter(sink, names)
        writer.writeheader()
        writer.writerows(rows)


def score(root: Path, last: date, first: date | None = None, **more: Any) -> RunResult:
    """One run at the noon after `last`, as a scheduler does it."""
    told = {"now": noon(last), "first": first, **more}
    if first is not None:
        told.setdefault("last", last)
    workspace = opened(root)
    try:
        return run(workspace, **told)
    finally:
        workspace.store.close()


def opened(root: Path) -> Workspace:
    return open_workspace(root, {})


def exported(root: Path) -> dict[str, bytes]:
    """The bytes of every exported table."""
    workspace = opened(root)
    folder = root / "exported"
    shutil.rmtree(folder, ignore_errors=True)
    try:
        folder.mkdir()
        workspace.published().export(folder, "csv")
    finally:
        workspace.store.close()
    return {name: (folder / f"{name}.csv").read_bytes() for name in TABLES}


def without_observed(tables: Mapping[str, bytes]) -> dict[str, bytes]:
    """`tables` without what tells on which days a run looked at the accounts, or at their usage: that is
    looked at on the last date of each run."""
    lines = [line.split(b",") for line in tables["accounts"].splitlines()]
    at = lines[0].index(b'"observed"')
    kept = [b",".join(line[:at] + line[at + 1 :]) for line in lines]
    last = {name: _of_the_last_date(tables[name]) for name in ("anomalies", "portfolio_usage")}
    return {**tables, **last, "accounts": b"\n".join(kept), "observed": b""}


def _of_the_last_date(told: bytes) -> bytes:
    head, *lines = told.splitlines()
    at = head.split(b",").index(b'"as_of"')
    last = max((line.split(b",")[at] for line in lines), default=b"")
    return b"\n".join([head, *(line for line in lines if line.split(b",")[at] == last)])


def table(root: Path, name: str, **asked: Any) -> list[Row]:
    workspace = opened(root)
    try:
        return list(workspace.published().table(name, **asked).to_pylist())
    finally:
        workspace.store.close()


def differences(one: Mapping[str, bytes], other: Mapping[str, bytes]) -> list[str]:
    """The first line that differs of each table, for a person to read."""
    found = []
    for name in one:
        if one[name] == other[name]:
            continue
        left, right = one[name].decode().splitlines(), other[name].decode().splitlines()
        only = sorted(set(left) ^ set(right))[:4]
        marked = [("- " if line in left else "+ ") + line[:400] for line in only]
        found.append("\n".join([f"{name}: {len(left)} and {len(right)} lines", left[0], *marked]))
    return found


def listed(root: Path) -> list[dict[str, Any]]:
    """The list of accounts, without the run that it is of."""
    from retinue.store.people.access import OPERATOR
    from retinue.store.published import current

    store = opened(root).store
    try:
        rows = current.accounts(store, OPERATOR, limit=1000)
        whole = [current.account(store, OPERATOR, row.account_id) for row in rows]
        return [row.to_dict() for row in whole]
    finally:
        store.close()
