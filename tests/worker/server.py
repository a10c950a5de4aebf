"""A server with its worker, to be killed: `python -m tests.worker.server FOLDER`."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from retinue.project.serving import Serve
from retinue.serve.app import serving
from retinue.serve.company import Company
from retinue.serve.process import bound, serve
from retinue.workspace import open_workspace
from tests.deliver.forks import serve_forks
from tests.worker.world import Clock


def live(folder: Path) -> None:
    settings = Serve(port=0, disk_floor=0)
    listening = bound(settings)
    port = listening.getsockname()[1]
    command = [sys.executable, "-m", "tests.worker.program", str(folder), "alone"]
    company = Company(command, first_wait=0.05, most_wait=0.2)
    workspace = open_workspace(folder / "co", {})
    served = serving(settings, workspace, Clock(folder).now, environ={}, ahead=False, company=company)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    serve(served, listening, lambda: (folder / "port").write_text(str(port)))


if __name__ == "__main__":
    serve_forks(lambda _name: live(Path(sys.argv[1])))
