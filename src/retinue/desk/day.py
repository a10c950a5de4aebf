"""A published date: what is read of all its accounts is read once and kept by it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from retinue.workspace import Workspace


@dataclass(frozen=True, eq=False)
class PublishedDay:
    """A date as a run published it: the same as long as the run is, whoever asks.

    Nothing that is kept by it may depend on an actor.
    """

    workspace: Workspace
    run_id: str
    day: date

    @property
    def _key(self) -> tuple[Any, ...]:
        project = self.workspace.project
        return self.run_id, self.day, str(project.home), project.settings.tenure_buckets

    def __hash__(self) -> int:
        return hash(self._key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PublishedDay) and self._key == other._key
