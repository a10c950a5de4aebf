"""What a run publishes of anomalies: the same whether it reads everything or only what is new."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from retinue.errors import ProjectError
from retinue.run.explain import explain
from retinue.workspace import open_workspace
from tests.run.company import exported, opened, score

LAST = date(2025, 6, 29)
DAY = timedelta(days=1)
ACCOUNTS, DAYS = 60, 168

Rows = dict[str, dict[str, Any]]


@dataclass
class Office:
    """Sixty accounts of two regions that use a product daily; `less` says which do less, and from when."""

    root: Path
    usage: dict[str, Any] | None = None
    less: dict[int, tuple[date, float]] = field(default_factory=dict)
    begun: dict[int, date] = field(default_factory=dict)
    late: int = 0

    def declare(self) -> None:
        (self.root / "data").mkdir(parents=True, exist_ok=True)
        source = {
            "table": "data/*.parquet",
            "account": "account",
            "occurred_at": "on",
            "known_at": "loaded",
            "user": "user",
            "columns": {"event": "event"},
            "append_only": True,
        }
        told: dict[str, Any] = {
            "project": "office",
            "accounts": {
                "table": "accounts.csv",
                "key": "id",
                "columns": {"name": "name", "territory": "territory", "started_on": "started_on"},
                "history": {"territory": "fixed"},
            },
            "facts": {"events": source},
        }
        if self.usage is not None:
            told["usage"] = self.usage
        card = {
            "scorecard": "one",
            "components": {"use": {"measures": {"n": {"curve": [[0, 0], [99, 100]]}}}},
        }
        metrics = {"metrics": {"n": {"count": "events", "window": "7d"}}}
        for name, text in (("retinue", told), ("metrics", metrics), ("scorecards/one", card)):
            path = self.root / f"{name}.yaml"
            path.parent.mkdir(exist_ok=True)
            path.write_text(json.dumps(text))
        lines = [
            f"A{n:02},Name {n},{'north' if n % 2 else 'south'},{self.begun.get(n, date(2020, 1, 1))}"
            for n in range(ACCOUNTS)
        ]
        (self.root / "accounts.csv").write_text("\n".join(["id,name,territory,started_on", *lines]) + "\n")

    def night(self, day: date) -> None:
        """What is loaded on `day`: the rows of `late` days before; one in eight is of a robot."""
        on = day - self.late * DAY
        rng = np.random.default_rng(on.toordinal())
        mean = np.full(ACCOUNTS, 2.0 if on.weekday() >= 5 else 13.0)
        for n, (since, left) in self.less.items():
            mean[n] *= left if on >= since else 1
        for n, first in self.begun.items():
            mean[n] *= on >= first
        number = rng.poisson(mean)
        ids = np.repeat([f"A{n:02}" for n in range(ACCOUNTS)], number)
        rows = {
            "account": ids,
            "user": [f"u{k % 3}" for k in range(len(ids))],
            "on": [on] * len(ids),
            "loaded": [day] * len(ids),
            "event": ["robot" if k % 8 == 0 else "edit" for k in range(len(ids))],
        }
        pq.write_table(pa.table(rows), self.root / "data" / f"{day}.parquet")

    def nights(self, first: date, last: date) -> None:
        self.declare()
        while first <= last:
            self.night(first)
            first += DAY

    def table(self, name: str, day: date = LAST) -> list[dict[str, Any]]:
        workspace = opened(self.root)
        try:
            rows: list[dict[str, Any]] = workspace.published().table(name, dates=[day]).to_pylist()
            return rows
        finally:
            workspace.store.close()

    def accounts(self, day: date = LAST) -> Rows:
        return {row["account_id"]: row for row in self.table("anomalies", day)}

    def groups(self, day: date = LAST) -> Rows:
        return {row["peers"]: row for row in self.table("portfolio_usage", day)}


def begin(days: int = DAYS) -> date:
    return LAST - (days - 1) * DAY


def test_a_run_publishes_who_stands_out_and_explain_says_so(tmp_path: Path) -> None:
    """One account has stopped a week ago, one has done half as much for ten weeks, one is five weeks old."""
    office = Office(
        tmp_path,
        less={7: (LAST - 6 * DAY, 0.0), 8: (LAST - 69 * DAY, 0.5)},
        begun={9: LAST - 35 * DAY},
    )
    office.nights(begin(), LAST)
    score(tmp_path, LAST)
    told = office.accounts()
    assert len(told) == ACCOUNTS
    assert [key for key, row in told.items() if row["q"] is not None and row["q"] <= 0.1] == ["A07"]
    fell = told["A07"]
    assert (fell["observed"], fell["direction"], fell["state"]) == (0, "fall", "ok")
    assert fell["expected"] == pytest.approx(69, rel=0.15)
    assert fell["peers"] == "territory north"
    declined = told["A08"]
    assert declined["cusum"] > 6.5
    assert abs((declined["falling_since"] - (LAST - 69 * DAY)).days) <= 21
    assert told["A09"]["state"] == "too_young"
    assert told["A09"]["q"] is None
    groups = office.groups()
    assert set(groups) == {"portfolio", "territory north", "territory south"}
    assert groups["portfolio"]["state"] == "ok"
    assert groups["portfolio"]["until"] == LAST
    assert groups["portfolio"]["falls"] == groups["territory north"]["falls"] == 1
    assert groups["portfolio"]["accounts"] == ACCOUNTS - 1
    workspace = open_workspace(tmp_path, {})
    try:
        notes = [explain(workspace, key).notes for key in ("A07", "A08", "A10")]
    finally:
        workspace.store.close()
    assert notes[0][0].startswith("usage is out of line: 0 in a week, where ")
    assert any(note.startswith("usage has declined slowly, since about 2025-") for note in notes[1])
    assert notes[2] == ()
    assert any("A07" in told.decode() for name, told in exported(tmp_path).items() if "anomalies" in name)


def test_nights_that_read_what_is_new_say_the_same(tmp_path: Path) -> None:
    """With conditions and rows that come two days late; another night forgets what was kept."""
    told = {"source": "events", "where": {"event": "edit"}, "peers": ["territory"]}
    kept, forgot = (
        Office(tmp_path / name, usage=told, less={3: (LAST - 8 * DAY, 0.1)}, late=2)
        for name in ("kept", "forgot")
    )
    for office in (kept, forgot):
        office.nights(begin(84), LAST)
    for day, new in ((LAST, 0), (LAST + DAY, 1), (LAST + 3 * DAY, 2)):
        for office in (kept, forgot):
            for n in range(new):
                office.night(day - n * DAY)
        score(kept.root, day)
        shutil.rmtree(forgot.root / ".retinue" / "state", ignore_errors=True)
        score(forgot.root, day)
        assert kept.table("anomalies", day) == forgot.table("anomalies", day)
        assert kept.table("portfolio_usage", day) == forgot.table("portfolio_usage", day)
    manifest = open_workspace(kept.root, {}).manifest()
    assert manifest is not None
    assert manifest.kept["source events"].startswith("read what is new")
    group = kept.groups(LAST + 3 * DAY)["portfolio"]
    # Rows come two days late, always: the week ends before them, and no feed has stopped.
    assert group["until"] == LAST + DAY
    assert group["state"] == "ok"
    assert kept.accounts(LAST + 3 * DAY)["A03"]["q"] <= 0.1


def test_what_is_counted_may_change_between_nights(tmp_path: Path) -> None:
    """Another condition, nothing at all for a night, and the condition again: never half of it."""
    where = {"where": {"event": "edit"}}
    office = Office(tmp_path, usage=where)
    office.nights(begin(80), LAST)
    score(tmp_path, LAST)
    for n, usage in enumerate([{"where": {"event": "robot"}}, {"source": "none"}, where], 1):
        office.night(LAST + n * DAY)
        office.usage = usage
        office.declare()
        if usage == {"source": "none"}:
            with pytest.raises(ProjectError, match='no source "none"'):
                score(tmp_path, LAST + n * DAY)
            continue
        score(tmp_path, LAST + n * DAY)
    last = LAST + 3 * DAY
    before = office.table("anomalies", last)
    shutil.rmtree(tmp_path / ".retinue" / "state")
    score(tmp_path, last, last)
    assert office.table("anomalies", last) == before


def test_a_feed_that_stopped_is_one_row(tmp_path: Path) -> None:
    office = Office(tmp_path)
    office.nights(begin(), LAST - 2 * DAY)
    score(tmp_path, LAST)
    assert {row["state"] for row in office.accounts().values()} == {"feed_stopped"}
    assert all(row["q"] is None for row in office.accounts().values())
    assert (office.groups()["portfolio"]["state"], office.groups()["portfolio"]["silent"]) == (
        "feed_stopped",
        2,
    )


def test_without_a_source_of_usage_nothing_is_said(tmp_path: Path) -> None:
    office = Office(tmp_path)
    office.nights(begin(20), LAST)
    path = tmp_path / "retinue.yaml"
    settings = json.loads(path.read_text())
    del settings["facts"]["events"]["user"]
    path.write_text(json.dumps(settings))
    score(tmp_path, LAST)
    assert office.accounts() == {}
    assert office.groups() == {}
