"""YAML in the documentation that is part of a project, checked against the models.

A block says which file it belongs to: ```` ```yaml retinue.yaml ````, ```` ```yaml metrics.yaml ````,
```` ```yaml scorecards/x.yaml ```` or ```` ```yaml playbooks/x.yaml ````. With the word `part` (```` ```yaml part retinue.yaml ````) it shows some keys only.
"""

from __future__ import annotations

import re
import typing
from pathlib import PurePosixPath
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from docs.pages import Block
from retinue.errors import Problem
from retinue.project import yaml
from retinue.project.metrics import AnyMetric
from retinue.project.playbooks import Playbook
from retinue.project.project import Settings
from retinue.project.scorecards import Scorecard


class MetricsFile(BaseModel):
    """What `metrics.yaml` says."""

    model_config = ConfigDict(extra="forbid")

    metrics: dict[str, AnyMetric]


def model_of(block: Block) -> type[BaseModel] | None:
    """What a block declares a piece of; None if it is not of a project."""
    if block.language != "yaml" or not block.words:
        return None
    parts = PurePosixPath(block.words[-1]).with_suffix("").parts
    if parts[-1] == "retinue":
        return Settings
    if "scorecards" in parts:
        return Scorecard
    if "playbooks" in parts:
        return Playbook
    return MetricsFile if "metrics" in parts else None


def wrong(block: Block) -> str | None:
    """What is wrong with a block of a project, or None."""
    model = model_of(block)
    if model is None:
        return None
    # Variables without a default are what a reader would set.
    variables = dict.fromkeys(re.findall(r"\$\{(\w+)\}", block.text), "x")
    problems: list[Problem] = []
    documents = yaml.documents(block.text, block.place, variables, problems)
    for told in (document.data for document in documents):
        if "part" in block.words and isinstance(told, dict):
            problems += _unlike(told, model)
        else:
            problems += _refused(TypeAdapter(model), told)
    return f"{block.place}: {problems[0]}" if problems else None


def _unlike(told: dict[str, Any], model: type[BaseModel]) -> list[Problem]:
    """Problems of some keys of a model, each held against its own type."""
    hints = typing.get_type_hints(model, include_extras=True)
    unknown = [Problem(f"unknown key {key}") for key in told if key not in hints]
    known = {key: value for key, value in told.items() if key in hints}
    return unknown + [p for key, value in known.items() for p in _refused(TypeAdapter(hints[key]), value)]


def _refused(adapter: TypeAdapter[Any], told: object) -> list[Problem]:
    try:
        adapter.validate_python(told)
    except ValidationError as error:
        return [Problem(str(error))]
    return []
