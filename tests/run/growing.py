"""A company whose tables are only ever added to, night by night: files by day, and one that grows."""

from __future__ import annotations

import csv
import json
import random
import shutil
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from retinue.store.published.manifest import Manifest
from retinue.workspace import open_workspace
from tests.run.company import score

DAY = timedelta(days=1)
KINDS = ("login", "edit", "export")

METRICS: dict[str, Any] = {
    "users_7d": {"distinct": "events.user", "window": "7d"},
    "users_ever": {"distinct": "events.user"},
    "events_14d": {"count": "events", "window": "14d"},
    "edits_ever": {"count": "events", "where": {"event": "edit"}},
    "amount_ever": {"sum": "events.amount"},
    "amount_mean": {"mean": "events.amount", "window": "21d"},
    "active_weeks": {"active": "events", "every": "week", "window": "3w"},
    "silent": {"since": "events", "where": {"event": "login"}},
    "first_export": {"days_to": "events", "where": {"event": "export"}},
    "change": {"change": {"distinct": "events.user"}, "window": "7d", "baseline": "14d"},
    "mood": {"latest": "answers.score"},
    "answers_ever": {"count": "answers"},
    "per_user": {"ratio": ["events_14d", "users_7d"]},
}
CARD: dict[str, Any] = {
    "scorecard": "all",
    "components": {
        "use": {
            "measures": {
                "users_7d": {"curve": [[0, 0], [5, 100]], "max_age": "4d"},
                "users_ever": {
                    "curve": "cohort",
                    "direction": "higher_is_better",
                    "cohort": ["segment"],
                    "points": [[0, 0], [9, 100]],
                },
                "events_14d": {
                    "curve": "cohort",
                    "direction": "higher_is_better",
                    "cohort": ["segment", "tenure"],
                    "points": [[0, 0], [20, 100]],
                },
                "edits_ever": {"curve": [[0, 0], [30, 100]]},
                "amount_ever": {"curve": [[0, 0], [900, 100]]},
                "amount_mean": {"curve": [[0, 0], [10, 100]]},
                "active_weeks": {"curve": [[0, 0], [3, 100]]},
                "silent": {"curve": [[0, 100], [30, 0]]},
                "change": {"curve": [[-1, 0], [1, 100]]},
                "per_user": {"curve": [[0, 0], [4, 100]]},
            }
        },
        "voice": {
            "measures": {
                "mood": {"curve": [[0, 0], [10, 100]], "half_life": "40d"},
                "answers_ever": {
                    "curve": "cohort",
                    "direction": "higher_is_better",
                    "cohort": ["segment"],
                    "points": [[0, 0], [9, 100]],
                },
            }
        },
    },
    "caps": [{"when": "first_export > 60", "at_most": 80, "because": "never exported"}],
    "min_coverage": 0.1,
}


@dataclass
class Growing:
    """Made from a seed. `night(day)` adds what the loads of that day bring; `root` has the project."""

    root: Path
    seed: int
    start: date
    accounts: int = 9
    broken: bool = True
    metrics: dict[str, Any] = field(default_factory=lambda: dict(METRICS))
    card: dict[str, Any] = field(default_factory=lambda: json.loads(json.dumps(CARD)))
    silent: tuple[date, date] | None = None
    unique: bool = True

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.number = 0
        self.taken: list[tuple[str, str]] = []
        self.declare()

    def declare(self) -> None:
        (self.root / "data" / "events").mkdir(parents=True, exist_ok=True)
        events: dict[str, Any] = {
            "table": "data/events/*.parquet",
            "account": "account",
            "occurred_at": "ts",
            "known_at": "loaded",
            "user": "user",
            "columns": {"event": "event", "amount": {"column": "amount", "scale": 2}},
            "append_only": True,
        }
        answers: dict[str, Any] = {
            "table": "data/answers.csv",
            "account": "account",
            "occurred_at": "ts",
            "known_at": "loaded",
            "columns": {"score": "score"},
            "timeline": "said {score}",
            "append_only": True,
        }
        if self.unique:
            events["unique"] = answers["unique"] = ["id"]
        told = {
            "project": "growing",
            "accounts": {
                "table": "data/accounts.csv",
                "key": "account",
                "columns": {"segment": "segment", "started_on": "started_on", "ended_on": "ended_on"},
                "history": {"segment": "fixed"},
            },
            "facts": {"events": events, "answers": answers},
        }
        # JSON is YAML.
        (self.root / "retinue.yaml").write_text(json.dumps(told))
        (self.root / "metrics.yaml").write_text(json.dumps({"metrics": self.metrics}))
        (self.root / "scorecards").mkdir(exist_ok=True)
        (self.root / "scorecards" / "all.yaml").write_text(json.dumps(self.card))

    def people(self, day: date) -> None:
        """The table of accounts as of a day: some begin and end on the way, one comes late."""
        with (self.root / "data" / "accounts.csv").open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["account", "segment", "started_on", "ended_on"])
            for n in range(self.accounts):
                begun = self.start + (n % 4) * 30 * DAY - 100 * DAY
                listed = begun + (3 * DAY if n == 5 else 0 * DAY)
                if listed > day:
                    continue
                ended = self.start + 75 * DAY
                end = ended if n == 2 and ended <= day else ""
                rows.writerow([f"A{n}", "big" if n % 2 else "small", begun, end])

    def night(self, day: date) -> None:
        """What is loaded on `day`: events of the day and late ones, copies, rows that are wrong."""
        self.people(day)
        chance = self.random
        dead = self.silent is not None and self.silent[0] <= day <= self.silent[1]
        rows = [] if dead else [self._event(day) for _ in range(chance.randrange(2, 9))]
        if rows and self.taken and chance.random() < 0.3:
            rows.append({**self._event(day), "id": chance.choice(self.taken)[0]})
        if rows:
            self._write(day, rows)
        path = self.root / "data" / "answers.csv"
        fresh = not path.exists()
        with path.open("a", newline="") as file:
            lines = csv.writer(file)
            if fresh:
                lines.writerow(["id", "account", "ts", "loaded", "score"])
                lines.writerow(["s0", "A0", self.start - 20 * DAY, self.start - 20 * DAY, 5])
            for _ in range(chance.randrange(0, 3)):
                self.number += 1
                late = day - chance.choice([0, 0, 1, 5, 40]) * DAY
                value = chance.choice(
                    [chance.randrange(0, 11), chance.randrange(0, 11), "" if self.broken else 3]
                )
                score_ = "much" if self.broken and chance.random() < 0.1 else value
                lines.writerow([f"s{self.number}", self._account(), late, day, score_])

    def _account(self) -> str:
        one = self.random.randrange(self.accounts + 1)
        return f"A{one}" if one < self.accounts or not self.broken else "nobody"

    def _event(self, day: date) -> dict[str, Any]:
        chance = self.random
        self.number += 1
        when = day - chance.choice([0, 0, 0, 1, 2, 9, 33]) * DAY
        key = f"e{self.number}"
        self.taken.append((key, "events"))
        return {
            "id": key,
            "account": self._account(),
            "user": f"u{chance.randrange(4)}",
            "ts": f"{when}T{chance.randrange(24):02}:{chance.randrange(60):02}:00",
            "loaded": day.isoformat(),
            "event": chance.choice(KINDS),
            "amount": "x" if self.broken and chance.random() < 0.03 else f"{chance.randrange(0, 2000) / 100}",
        }

    def _write(self, day: date, rows: list[dict[str, Any]]) -> None:
        pq.write_table(pa.Table.from_pylist(rows), self.root / "data" / "events" / f"{day}.parquet")

    def score(self, day: date, first: date | None = None) -> Manifest:
        score(self.root, day, first)
        told = open_workspace(self.root).manifest()
        assert told is not None
        return told

    def forget(self) -> None:
        shutil.rmtree(self.root / ".retinue" / "state", ignore_errors=True)

    def exported(self) -> dict[str, list[str]]:
        """Every published table as its lines, in the order of export."""
        folder = self.root / "exported"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        open_workspace(self.root).published().export(folder, "csv")
        return {path.stem: path.read_text().splitlines() for path in sorted(folder.iterdir())}
