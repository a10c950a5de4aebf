"""Publishes one run in a process of its own, so that a test can kill it or take its disk away.

Arguments: the home, the store, the id of the run, its accounts, the largest file it may write (0: any).
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path

from retinue.errors import StoreError
from retinue.store.database import open_store
from tests.store.company import SUNDAYS, run_and_publish

if __name__ == "__main__":
    home, run_id, accounts, most = Path(sys.argv[1]), sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
    store = open_store(sys.argv[2])
    if most:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))
    print("ready", flush=True)
    try:
        run_and_publish(store, home, run_id, SUNDAYS[2:], accounts, 80.0)
    except StoreError as error:
        print(error, flush=True)
        sys.exit(1)
    print("published", flush=True)
