"""Whether the server can do its work: for load balancers, containers and whoever is woken at night."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from retinue.errors import RetinueError
from retinue.project.serving import Serve
from retinue.serve.company import Company
from retinue.store.upkeep.standing import standing
from retinue.store.work.leases import HOLDS, WORKER, held
from retinue.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Check:
    """`detail` names neither paths nor people: anybody may ask. What is not `needed` is told, and keeps
    nobody from asking for pages."""

    name: str
    ok: bool
    detail: str
    needed: bool = True


def checks(
    workspace: Workspace, settings: Serve, now: datetime, company: Company | None = None
) -> list[Check]:
    """The store answers and has its tables, a run is published and young enough, the disk has room, and
    somebody works: `company` beside this server, or another worker."""
    found = []
    try:
        told = standing(workspace.store, now)
    except RetinueError:
        found.append(Check("store", ok=False, detail="the store does not answer; the log says why"))
    else:
        word = "answers" if told.migrated else "is of another version: restart the server"
        found.append(Check("store", ok=told.migrated, detail=f"the store {word}"))
        if told.run is None:
            found.append(Check("run", ok=False, detail="nothing is published yet: `retinue run`"))
        else:
            hours = (now - told.run.published_at).total_seconds() / 3600
            limit = settings.max_run_age
            young = limit is None or hours <= limit
            most = "" if limit is None else f", {limit} at most"
            found.append(Check("run", ok=young, detail=f"published {hours:.1f} hours ago{most}"))
        found += _works(workspace, now, company)
    room = free_bytes(workspace.project.home) // 1_000_000
    enough = room >= settings.disk_floor
    found.append(Check("disk", ok=enough, detail=f"{room} MB free, {settings.disk_floor} needed"))
    return found


def _works(workspace: Workspace, now: datetime, company: Company | None) -> list[Check]:
    """Whether a worker looks around. Where none is to, and none ever did, there is nothing to say."""
    own = "" if company is None or company.running else "; the one of this server is not running"
    try:
        found = held(workspace.store, WORKER)
    except RetinueError:
        return []
    if found is None:
        if company is None:
            return []
        detail = "has not looked around yet" if company.running else "is not running"
        return [Check("worker", ok=company.running, detail=f"the worker {detail}", needed=False)]
    ago = max(0.0, (now - (found.until - HOLDS)).total_seconds())
    detail = f"a worker looked around {ago:.0f} seconds ago{own}"
    return [Check("worker", ok=not own and now <= found.until + HOLDS, detail=detail, needed=False)]


def free_bytes(home: Path) -> int:
    """Room on the disk of the project's home, or of the nearest folder above it that is there."""
    while not home.exists() and home != home.parent:
        home = home.parent
    return shutil.disk_usage(home).free


def to_dict(found: list[Check]) -> dict[str, Any]:
    return {
        "ready": all(check.ok for check in found if check.needed),
        "checks": [{"name": check.name, "ok": check.ok, "detail": check.detail} for check in found],
    }
