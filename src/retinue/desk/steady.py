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
    """What `make` reads, in several questions to the store, all of one moment and about the run that it
    is given.

    If the files of that run are swept away meanwhile, since others were published, everything is read
    again from the new one. Raises NotFound before the first run.
    """
    for _ in range(TRIES):
        with workspace.store.moment():
            run = current_run(workspace.store)
            if run is None:
                raise NotFound("nothing is published yet", hint="score the accounts first: `retinue run`")
            try:
                with workspace.pinned(run):
                    return make(run)
            except (NotFound, StoreError) as error:
                missed = error
        if current_run(workspace.store) == run:
            raise missed
    raise StoreError("runs are published faster than a page can be read", hint="try again in a moment")
