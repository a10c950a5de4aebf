"""State that runs keep for the next one: what it could also read from what is published, at more cost.

A file per kind of state lies in `home/state/<kind>/`. Its name has the run that it follows and the
checksum of its bytes, so that a file is whole and of the right run, or it is not used.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from retinue.errors import StoreError
from retinue.store.published.manifest import check_run_id
from retinue.store.published.parquet import replace_file, sync_folder

_VERSION = b"retinue"


def keep(home: Path, kind: str, run_id: str, table: pa.Table, version: Mapping[str, str | int]) -> None:
    """Write the state that follows the run; states of other runs stay until `forget`.

    Raises StoreError if the disk does not take it.
    """
    told = json.dumps(dict(version), sort_keys=True).encode()
    sink = pa.BufferOutputStream()
    pq.write_table(table.replace_schema_metadata({_VERSION: told}), sink, compression="zstd")
    content = memoryview(sink.getvalue())
    digest = hashlib.sha256(content).hexdigest()
    path = _folder(home, kind) / f"{check_run_id(run_id)}.{digest}.parquet"
    replace_file(path, lambda file: file.write(content))
    sync_folder(path.parent)


def read_kept(home: Path, kind: str, run_id: str, version: Mapping[str, str | int]) -> pa.Table:
    """The state that follows the run.

    Raises StoreError, with the reason in a few words, if it is absent, damaged or of another version.
    """
    found = sorted(_folder(home, kind).glob(f"{check_run_id(run_id)}.*.parquet"))
    if not found:
        raise StoreError("no state of the run before")
    try:
        content = found[0].read_bytes()
    except OSError as error:
        raise StoreError(f"the state cannot be read: {error.strerror}") from None
    if hashlib.sha256(content).hexdigest() != found[0].name.split(".")[1]:
        raise StoreError("the state is damaged")
    try:
        table = pq.read_table(pa.BufferReader(content))
        told = json.loads((table.schema.metadata or {}).get(_VERSION, b"{}"))
    except (pa.ArrowException, OSError, ValueError):
        raise StoreError("the state is damaged") from None
    if told != dict(version):
        raise StoreError("the state is of another version")
    return table.replace_schema_metadata(None)


def forget(home: Path, kind: str, run_id: str) -> None:
    """Remove the states of all runs but `run_id`, and what was left half written."""
    for path in _folder(home, kind).glob("*"):
        if path.name.split(".")[0] != run_id:
            with suppress(OSError):
                path.unlink()


def _folder(home: Path, kind: str) -> Path:
    return home / "state" / kind
