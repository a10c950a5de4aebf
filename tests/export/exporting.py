"""Exports in a process of its own, and dies while it writes a table, so that a test can look after.

Arguments: the project, the URL, and the table at which to die.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from retinue.run.export import export_to
from tests.export.company import workspace

if __name__ == "__main__":
    place, url, fatal = Path(sys.argv[1]), sys.argv[2], sys.argv[3]

    def tell(what: str, _part: float) -> None:
        if what == f"writing {fatal}":
            os.kill(os.getpid(), signal.SIGKILL)

    export_to(workspace(place), url, progress=tell)
