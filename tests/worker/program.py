"""A worker to be killed: `python -m tests.worker.program FOLDER`, or with `alone`, as a server has it."""

from __future__ import annotations

import os
import random
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

from retinue.parent import leave_with_parent
from retinue.worker.working import Ticked, Worker, work
from retinue.workspace import open_workspace
from tests.deliver.forks import serve_forks
from tests.deliver.receivers import outside
from tests.deliver.test_passing import SECRET
from tests.worker.world import Clock


@dataclass
class Marking(Worker):
    """Says in which phase it looked around with the lease and found nothing to do."""

    marks: Clock | None = None

    def tick(self) -> Ticked:
        assert self.marks is not None
        phase, _ = self.marks.read()
        done = super().tick()
        if done.idle and self._renewed is not None:
            self.marks.mark(phase)
        return done


def live(folder: Path, name: str) -> None:
    clock = Clock(folder)
    workspace = open_workspace(folder / "co", {})
    worker = Marking(
        workspace, clock.now, outside({"S": SECRET}), chance=random.Random(name), name=name, marks=clock
    )
    signal.signal(signal.SIGTERM, lambda *_: worker.stop.set())
    work(worker)
    workspace.store.close()


if __name__ == "__main__":
    place = Path(sys.argv[1])
    if sys.argv[2:] == ["alone"]:
        leave_with_parent()
        (place / "number").write_text(str(os.getpid()))
        live(place, f"alone-{os.getpid()}")
    else:
        serve_forks(lambda name: live(place, name))
