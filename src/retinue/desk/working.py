"""The process that does long work for pages: `python -m retinue.desk.working WHAT FOLDER NOW [NAME]`.

It says how far it is in lines of JSON, keeps what it finds, and ends when whoever started it does.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from datetime import datetime

from retinue.desk import losses, playbooks, scorecards, trust
from retinue.errors import NotFound, ProjectError, RetinueError
from retinue.parent import leave_with_parent
from retinue.run.plan import plan
from retinue.run.rehearsing import rehearse_playbook
from retinue.run.validate import validate
from retinue.store.published.current import RunInfo, current_run
from retinue.warehouse.trace import Listener
from retinue.workspace import Workspace, open_workspace


def main() -> int:
    """Exit with 1 where it failed; the reason is the last line."""
    what, folder, now, *named = sys.argv[1:]
    os.nice(10)  # pages come first
    leave_with_parent()
    try:
        workspace = open_workspace(folder)
        run = current_run(workspace.store)
        if run is None:
            raise NotFound("nothing is published yet", hint="score the accounts first: `retinue run`")
        _WORKS[what](workspace, run, datetime.fromisoformat(now), _tell, *named)
    except ProjectError as error:
        _say(error="; ".join(str(problem) for problem in error.problems))
        return 1
    except RetinueError as error:
        _say(error=error.message if error.hint is None else f"{error.message}: {error.hint}")
        return 1
    except Exception as error:
        _say(error=f"{type(error).__name__}: {error}")
        raise
    _say(done=True, part=1.0)
    return 0


def _trial(workspace: Workspace, run: RunInfo, now: datetime, tell: Listener) -> None:
    trust.keep_trial(workspace, run, validate(workspace, now=now, progress=tell))


def _losses(workspace: Workspace, run: RunInfo, _now: datetime, tell: Listener) -> None:
    losses.read_losses(workspace, run, tell)


def _plan(workspace: Workspace, run: RunInfo, now: datetime, tell: Listener) -> None:
    scorecards.keep_plan(workspace, run, plan(workspace, now=now, environ=os.environ, progress=tell))


def _rehearsal(workspace: Workspace, run: RunInfo, now: datetime, tell: Listener, name: str) -> None:
    playbooks.keep_rehearsal(workspace, run, rehearse_playbook(workspace, name, now=now, progress=tell))


_WORKS: dict[str, Callable[..., None]] = {
    trust.TRIAL: _trial,
    losses.KEPT: _losses,
    scorecards.PLAN: _plan,
    playbooks.REHEARSAL: _rehearsal,
}


def _tell(text: str, part: float) -> None:
    _say(doing=text, part=min(max(part, 0.0), 1.0))


def _say(**told: object) -> None:
    print(json.dumps(told), flush=True)  # noqa: T201 - this is how it is heard


if __name__ == "__main__":
    sys.exit(main())
