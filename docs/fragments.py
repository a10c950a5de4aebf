"""YAML in the documentation that is part of a project, checked against the models.

A block says which file it belongs to: ```` ```yaml retinue.yaml ````, ```` ```yaml metrics.yaml ```` or
```` ```yaml scorecards/x.yaml ````. With the word `part` (```` ```yaml part retinue.yaml ````) it shows some keys only.
"""

from __future__ import annotations

import typing
from pathlib import PurePosixPath
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter

from docs.pages import Block
from retinue.project.metrics import AnyMetric
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
    path = PurePosixPath(block.words[-1])
    if path.parent.name == "scorecards":
        return Scorecard
    files: dict[str, type[BaseModel]] = {"retinue.yaml": Settings, "metrics.yaml": MetricsFile}
    return files.get(path.name)


def wrong(block: Block) -> str | None:
    """What is wrong with a block of a project, or None."""
    model = model_of(block)
    if model is None:
        return None
    try:
        told: Any = yaml.safe_load(block.text)
        if "part" not in block.words:
            model.model_validate(told)
            return None
        hints = typing.get_type_hints(model, include_extras=True)
        unknown = set(told) - set(hints)
        if unknown:
            return f"{block.place}: unknown keys {sorted(unknown)}"
        for key, value in told.items():
            TypeAdapter(hints[key]).validate_python(value)
    except (ValueError, yaml.YAMLError) as error:
        return f"{block.place}: {error}"
    return None
