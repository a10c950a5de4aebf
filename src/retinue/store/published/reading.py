"""What makes reading quick, made for a run: histories of all accounts, and copies of the recent months.

A run makes them for itself when it is published. Whoever finds that they are missing makes them too: a
server over a home that was restored, or that an older Retinue wrote. All of it lies in `home/reading/`,
is made of published files only, and may be deleted at any time: reading is then slower, and the same.
It needs no backup.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path

from retinue.errors import StoreError
from retinue.store.published import copies
from retinue.store.published.contract import TABLES
from retinue.store.published.histories import has_histories, keep_only_histories, make_histories
from retinue.store.published.lock import taken
from retinue.store.published.snapshots import Published

#: Days before the last date of which there are copies: as far as a change is told by itself.
DAYS = 126
#: The tables that are copied: those that are read account by account, month by month or whole.
COPIED = tuple(t.name for t in TABLES.values() if t.dated and t.key[0] == "account_id")
WHOLE = ("timeline",)


def prepare(published: Published) -> bool:
    """Make what is missing, and remove what other runs needed; whether there was anything to make.

    One process at a time makes it: False at once where another one does. Raises StoreError if a
    published file cannot be read, or the disk does not take it. Asking again costs little: whoever
    meets something damaged removes it, so that what is there is good.
    """
    if is_prepared(published):
        return False
    with _lock(published.home / "reading") as alone:
        if not alone:
            return False
        made = _make(published)
        _tidy(published)
        return made


def prepare_ahead(published: Published) -> None:
    """The same for a run that is about to be published, beside what people read until then: pages of the
    new run are quick from the first one on. `tidy` follows once it is published. Raises as `prepare`."""
    with _lock(published.home / "reading") as alone:
        if alone:
            _make(published)


def tidy(published: Published) -> None:
    """Remove what other runs needed."""
    with _lock(published.home / "reading") as alone:
        if alone:
            _tidy(published)


def _make(published: Published) -> bool:
    made = make_histories(published)
    return copies.make(published.home, _copied(published)) > 0 or made


def _tidy(published: Published) -> None:
    keep_only_histories(published)
    copies.keep_only(published.home, _copied(published))


def prepare_apart(published: Published) -> None:
    """`prepare` in a process of its own, waited for: for a server, whose memory and threads it spares."""
    if is_prepared(published):
        return
    plain = Published(published.home, published.manifest)
    apart = multiprocessing.get_context("spawn").Process(target=prepare, args=(plain,), daemon=True)
    apart.start()
    apart.join()
    if apart.exitcode:
        raise StoreError(f"what makes reading quick was not made: its process ended with {apart.exitcode}")


def is_prepared(published: Published) -> bool:
    """Whether everything is there. The pieces themselves are not looked at."""
    return has_histories(published) and all(
        copies.is_there(published.home, path) for path in _copied(published)
    )


def _copied(published: Published) -> list[str]:
    """The files that `prepare` copies: of the parts with a recent date, and the timeline."""
    dates = published.dates()
    first = dates[-1] - timedelta(days=DAYS) if dates else date.max
    whole = [published.manifest.whole[table] for table in WHOLE if table in published.manifest.whole]
    return whole + [
        f"{part.path}/{table}.parquet"
        for part in published.manifest.parts
        if part.dates[-1] >= first
        for table in COPIED
        if table in part.tables
    ]


@contextmanager
def _lock(folder: Path) -> Iterator[bool]:
    """Whether this process is the one that writes into the folder."""
    file = taken(folder / "lock")
    try:
        yield file is not None
    finally:
        if file is not None:
            os.close(file)
