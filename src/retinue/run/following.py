"""What follows from what is published: alerts of new dates, and the steps of playbooks that are due."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from retinue.run.alerting import Evaluated, evaluate
from retinue.run.playing import Played, advance
from retinue.warehouse.trace import Listener
from retinue.workspace import Workspace


@dataclass(frozen=True)
class Followed:
    """What followed from the dates that were published."""

    evaluated: Evaluated
    played: Played

    @property
    def alerts(self) -> int:
        return sum(self.evaluated.alerts.values())

    def to_dict(self) -> dict[str, Any]:
        return {"evaluated": self.evaluated.to_dict(), "played": self.played.to_dict()}


def follow(workspace: Workspace, *, now: datetime, progress: Listener | None = None) -> Followed:
    """Look for alerts of dates that are published, and take the steps of playbooks that are due.

    A worker does the same: whoever comes first does it, nothing is done twice, and what one could not do
    the next one makes up for. Messages are left in the outbox. Costs two small queries where the project
    declares neither alerts nor playbooks. Raises NotFound before the first run.
    """
    evaluated = evaluate(workspace, now=now, progress=progress)
    return Followed(evaluated, advance(workspace, now=now, progress=progress))
