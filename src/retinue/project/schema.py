"""The JSON Schema of a project's files, for editors: completion, help and checks while typing.

It is one schema for all files. Which of them a file is, is told from its first key:
`project` (retinue.yaml), `metrics` (a file of metrics), `scorecard`, `case` or
`playbook`. It knows the shape of
declarations; what they refer to, only `retinue check` knows.
"""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import models_json_schema

from retinue.project.cases import Case
from retinue.project.declaration import Declaration
from retinue.project.metrics import AnyMetric
from retinue.project.playbooks import Playbook
from retinue.project.project import Settings
from retinue.project.scorecards import Scorecard

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_BY_KEY = {
    "project": "Settings",
    "metrics": "Metrics",
    "scorecard": "Scorecard",
    "case": "Case",
    "playbook": "Playbook",
}


class Metrics(Declaration):
    """A file of metrics."""

    metrics: dict[str, AnyMetric]


def json_schema() -> dict[str, Any]:
    """A draft 2020-12 schema with a definition for each kind of file."""
    models = [(model, "validation") for model in (Settings, Metrics, Scorecard, Case, Playbook)]
    _, told = models_json_schema(models, by_alias=True)  # type: ignore[arg-type]
    definitions = told["$defs"]
    return {
        "$schema": DIALECT,
        "title": "Retinue",
        "description": "Declarations of a Retinue project: settings, metrics, scorecards, cases, playbooks.",
        "type": "object",
        "anyOf": [{"required": [key]} for key in _BY_KEY],
        "allOf": [
            {"if": {"required": [key]}, "then": {"$ref": f"#/$defs/{name}"}} for key, name in _BY_KEY.items()
        ],
        "$defs": {name: definitions[name] for name in sorted(definitions)},
    }
