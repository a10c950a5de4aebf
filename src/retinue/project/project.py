"""A project: everything that was declared, and the formulas that its scorecards amount to."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import Field, TypeAdapter

from retinue.errors import Place
from retinue.project.alerts import Alerting, AlertRule
from retinue.project.declaration import Declaration, TimeOfDay
from retinue.project.destinations import Destinations
from retinue.project.metrics import AnyMetric, Children, Sql
from retinue.project.outcomes import OutcomeRule, Validation
from retinue.project.playbooks import Playbook
from retinue.project.references import ROLL_UP, metrics_of
from retinue.project.scorecards import Component, Measure, Points, Scorecard, Stage
from retinue.project.serving import Serve
from retinue.project.sources import Accounts, Clock, People, Rates, Source, Timezone
from retinue.project.usage import Usage
from retinue.project.working import Work

ONE_METRIC: TypeAdapter[Any] = TypeAdapter(AnyMetric)

#: Part of every fingerprint: raise it when the same declarations score differently.
SEMANTICS = 1

#: Lower edges of the default tenure buckets, in days.
TENURE_BUCKETS = (0, 30, 90, 180, 365, 730)


class Settings(Declaration):
    """What `retinue.yaml` says."""

    project: str
    timezone: Timezone = "UTC"
    day_closes: TimeOfDay = Field(default="00:00", validate_default=True)
    currency: str | None = None
    rates: Rates | None = None
    engine: str = "duckdb"
    memory_limit: str | None = None
    home: str = ".retinue"
    store: str | None = None
    accounts: Accounts
    people: People | None = None
    facts: dict[str, Source] = {}
    stages: tuple[Stage, ...] = ()
    scorecards: tuple[str, ...] = ()
    tenure_buckets: tuple[int, ...] = TENURE_BUCKETS
    grades: dict[str, float] = {}
    outcomes: dict[str, OutcomeRule] = {}
    validation: Validation = Validation()
    usage: Usage = Usage()
    serve: Serve = Serve()
    destinations: Destinations = {}
    alerts: dict[str, AlertRule] = {}
    alerting: Alerting = Alerting()
    work: Work = Work()


@dataclass(frozen=True)
class Formula:
    """One scorecard with all that its numbers depend on; identified by its fingerprint.

    It is kept in the manifest of every run that used it, and can be scored again from there
    after the project has moved on.
    """

    scorecard: Scorecard
    metrics: dict[str, AnyMetric]
    stages: tuple[Stage, ...] = ()
    tenure_buckets: tuple[int, ...] = TENURE_BUCKETS
    sql: dict[str, str] = field(default_factory=dict)

    @cached_property
    def components(self) -> dict[str, Component]:
        """The components of the scorecard; a `roll_up` is one measure of the children's scores."""
        if self.scorecard.roll_up is None:
            return self.scorecard.components
        measure = Measure(curve=Points(points=((0.0, 0.0), (100.0, 100.0))))
        return {"children": Component(measures={ROLL_UP: measure})}

    def to_dict(self) -> dict[str, Any]:
        return {
            "semantics": SEMANTICS,
            "scorecard": self.scorecard.model_dump(mode="json"),
            "metrics": {k: m.model_dump(mode="json") for k, m in sorted(self.metrics.items())},
            "stages": [stage.model_dump(mode="json") for stage in self.stages],
            "tenure_buckets": list(self.tenure_buckets),
            "sql": self.sql,
        }

    @classmethod
    def from_dict(cls, told: dict[str, Any]) -> Formula:
        stated = {k: {a: b for a, b in m.items() if b is not None} for k, m in told["metrics"].items()}
        return cls(
            scorecard=Scorecard.model_validate(told["scorecard"]),
            metrics={k: ONE_METRIC.validate_python(m) for k, m in stated.items()},
            stages=tuple(Stage.model_validate(stage) for stage in told["stages"]),
            tenure_buckets=tuple(told["tenure_buckets"]),
            sql=told["sql"],
        )

    @cached_property
    def fingerprint(self) -> str:
        """Sixteen hex digits of the SHA-256 of the canonical declarations, labels excluded."""
        text = json.dumps(_scoring_part(self.to_dict()), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def _scoring_part(told: dict[str, Any]) -> dict[str, Any]:
    """A formula without the words that only change what is shown."""
    card = _without(told["scorecard"], "label", "description", "fitted")
    components = {}
    for name, component in card["components"].items():
        measures = {k: _without(m, "advice") for k, m in component["measures"].items()}
        components[name] = {**_without(component, "label", "advice"), "measures": measures}
    metrics = {
        name: _without(metric, "label", "description", "unit", "indicator")
        for name, metric in told["metrics"].items()
    }
    return {**told, "scorecard": {**card, "components": components}, "metrics": metrics}


def _without(told: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in told.items() if key not in keys}


@dataclass(frozen=True)
class Project:
    """Declarations as loaded from a folder. `scorecards` are in the order of matching.

    `texts` holds every file read, by its path in the project. `places` is keyed by
    ("settings", key, ...), ("metrics", name, key, ...), ("scorecards", name, key, ...) and
    ("playbooks", name, key, ...).
    """

    root: Path
    settings: Settings
    metrics: dict[str, AnyMetric]
    scorecards: tuple[Scorecard, ...]
    texts: dict[str, str] = field(default_factory=dict)
    places: dict[tuple[str | int, ...], Place] = field(default_factory=dict)
    playbooks: tuple[Playbook, ...] = ()

    def place(self, *path: str | int) -> Place | None:
        """Where the declaration at `path` stands, or the nearest one above it."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.places:
                return self.places[path[:length]]
        return None

    @property
    def home(self) -> Path:
        """Folder of published runs and of the default store."""
        return self.root / self.settings.home

    @property
    def store_url(self) -> str:
        return self.settings.store or f"sqlite:///{self.home / 'retinue.db'}"

    @property
    def sources(self) -> dict[str, Source]:
        """The declared facts, plus `people` where people are declared."""
        people = self.settings.people
        if people is None:
            return dict(self.settings.facts)
        return {**self.settings.facts, "people": people_source(people)}

    def formula(self, scorecard: Scorecard) -> Formula:
        names = metrics_of(scorecard, self.metrics, self.settings.stages)
        metrics = {name: self.metrics[name] for name in names}
        if scorecard.roll_up is not None:
            metrics[ROLL_UP] = Children(children=scorecard.roll_up)
        files = [m.sql for m in metrics.values() if isinstance(m, Sql)]
        sql = {file: self.texts[file] for file in files if file in self.texts}
        return Formula(
            scorecard=scorecard,
            metrics=metrics,
            stages=self.settings.stages,
            tenure_buckets=self.settings.tenure_buckets,
            sql=sql,
        )

    @cached_property
    def formulas(self) -> tuple[Formula, ...]:
        """One per scorecard, in the order of matching."""
        return tuple(self.formula(card) for card in self.scorecards)


def people_source(people: People) -> Source:
    """The table of people as a source: a row is open from `from` until `until`."""
    told = people.model_dump(exclude={"person", "role", "from_", "until", "link"}, exclude_none=True)
    columns = {"person": {"column": people.person}, **told.pop("columns", {})}
    if people.role:
        columns["role"] = {"column": people.role}
    # Without a start no row can be placed in time; `check` says so.
    start = people.from_ or Clock.model_construct(column="")
    return Source.model_validate(
        {
            **told,
            "columns": columns,
            "occurred_at": start,
            "ends_at": people.until,
            "user": people.person,
        }
    )
