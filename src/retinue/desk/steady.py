"""One page shows one run, also while another is published."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from retinue.errors import NotFound, StoreError
from retinue.store.published.current import RunInfo, current_run
from retinue.workspace import Workspace

T = TypeVar("T")

#: A run is published once a day or so; one that comes while a page is read is rare, a third is a fault.
TRIES = 3


def steady(workspace: Workspace, make: Callable[[RunInfo], T]) -> T:
    """What `make` reads, in several questions to the store, all of them about the run that it is given.

    If another run is published meanwhile, everything is read again from that one. Raises NotFound
    before the first run.
    """
    before = current_run(workspace.store)
    for _ in range(TRIES):
        if before is None:
            raise NotFound("nothing is published yet", hint="score the accounts first: `retinue run`")
        try:
            with workspace.pinned(before):
                made = make(before)
        except NotFound:
            # What was there may be gone because it is another run now; if not, it is true.
            if current_run(workspace.store) == before:
                raise
        else:
            if current_run(workspace.store) == before:
                return made
        before = current_run(workspace.store)
    raise StoreError("runs are published faster than a page can be read", hint="try again in a moment")
