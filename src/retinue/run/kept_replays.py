"""Replays kept for the next question: the same declarations, dates and files give the same rows.

Kept as Parquet in the project's home. A key that differs in anything is another replay; where the
data are not files, nobody can tell whether they changed, and nothing is kept.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import fields
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from retinue import __version__
from retinue.errors import SourceError, StoreError
from retinue.insight.replay import Coded, Events, Replay
from retinue.project.outcomes import OutcomeRule
from retinue.project.project import SEMANTICS, Project
from retinue.store.published.parquet import replace_file

if TYPE_CHECKING:
    from retinue.run.replaying import Replayed

#: Layout of what is kept: raise it when that changes.
VERSION = 1
#: So many replays stay; the ones used least recently go.
_MOST = 4


def key(
    project: Project,
    rule: OutcomeRule,
    dates: Sequence[date],
    today: date,
    pulses: pa.Table | None,
    recorded: pa.Table | None,
    published: str | None,
) -> str | None:
    """What a replay depends on, as 24 hex digits; None if the data are not all in files."""
    try:
        stamps = list(_stamps(project))
    except (SourceError, OSError):
        return None
    if any(stamp is None for stamp in stamps):
        return None
    told = {
        "version": [VERSION, SEMANTICS, __version__],
        "formulas": [formula.to_dict() for formula in project.formulas],
        "metrics": {name: one.model_dump(mode="json") for name, one in project.metrics.items()},
        "settings": project.settings.model_dump(mode="json", exclude={"outcomes", "serve", "destinations"}),
        "outcome": rule.model_dump(mode="json"),
        "dates": [day.isoformat() for day in dates],
        "today": today.isoformat(),
        "said": [_digest(table) for table in (pulses, recorded)],
        "published": published,
        "files": stamps,
    }
    text = json.dumps(told, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _digest(table: pa.Table | None) -> str:
    return "" if table is None else hashlib.sha256(str(table.to_pylist()).encode()).hexdigest()


def _stamps(project: Project) -> Iterator[tuple[str, int, int] | None]:
    """Name, size and time of every file that the project reads; None for what is no file."""
    from retinue.warehouse.reading.raw import files_of, is_file

    for table, database in sorted(set(_tables(project.settings.model_dump(mode="json"))), key=str):
        if not is_file(table) if database is None else "://" in database:
            yield None
        else:
            for path in files_of(database or table, project.root, "table"):
                told = path.stat()
                yield (str(path), told.st_size, told.st_mtime_ns)


def _tables(told: Any, database: str | None = None) -> Iterator[tuple[str, str | None]]:
    """Every table that stands in the settings, with its database."""
    if isinstance(told, dict):
        own = told.get("database") or database
        if isinstance(told.get("table"), str):
            yield told["table"], own
        for value in told.values():
            yield from _tables(value, own)


def _folder(home: Path) -> Path:
    return home / "state" / "replays"


def read(home: Path, name: str) -> Replayed | None:
    """The replay kept under that key, if it is there and whole."""
    path = _folder(home) / f"{name}.parquet"
    try:
        table = pq.read_table(path, page_checksum_verification=True)
        found = _from_table(table)
        path.touch()
    except (OSError, pa.ArrowException, KeyError, ValueError, TypeError):
        return None
    return found


def keep(home: Path, name: str, found: Replayed) -> None:
    """Keep it, and let go of those that nobody has used for longest. What cannot be kept is not."""
    folder = _folder(home)
    with suppress(OSError, StoreError):
        folder.mkdir(parents=True, exist_ok=True)
        table = _to_table(found)
        replace_file(
            folder / f"{name}.parquet",
            lambda sink: pq.write_table(table, sink, compression="zstd", write_page_checksum=True),
        )
        kept = sorted(folder.glob("*.parquet"), key=lambda path: path.stat().st_mtime, reverse=True)
        for path in kept[_MOST:]:
            path.unlink(missing_ok=True)


def _to_table(found: Replayed) -> pa.Table:
    """Rows of the replay as columns; what is not one per row is in the metadata."""
    replay = found.replay
    columns: dict[str, Any] = {}
    aside: dict[str, Any] = {"accounts": found.accounts, "seen_until": found.seen_until}
    for field in fields(Replay):
        value = getattr(replay, field.name)
        if isinstance(value, Coded):
            columns[field.name] = value.codes.astype(np.int32)
            aside[field.name] = value.names
        elif isinstance(value, tuple) or field.name in ("declared", "edges"):
            aside[field.name] = value if isinstance(value, tuple) else value.tolist()
        elif value.ndim == 2:
            columns |= {f"{field.name} {k}": value[:, k] for k in range(value.shape[1])}
        else:
            columns[field.name] = value
    if found.limit is not None:
        columns["limit"] = found.limit
    for name, events in (("events", found.events), ("done", found.done)):
        aside[name] = None if events is None else _told(events)
    table = pa.table(columns)
    return table.replace_schema_metadata({"retinue": json.dumps(aside, default=_nothing)})


def _nothing(value: Any) -> Any:
    raise TypeError(f"{type(value)} is not kept")


def _told(events: Events) -> dict[str, Any]:
    amounts = [None if np.isnan(amount) else amount for amount in events.amount.tolist()]
    return {
        **{name: getattr(events, name).tolist() for name in ("account", "day", "known")},
        "amount": amounts,
        "reason": [events.reason.codes.tolist(), events.reason.names],
    }


def _read_events(told: dict[str, Any] | None) -> Events | None:
    if told is None:
        return None
    amounts = np.array([np.nan if amount is None else amount for amount in told["amount"]], float)
    codes, names = told["reason"]
    account, day, known = (np.array(told[name], np.int64) for name in ("account", "day", "known"))
    return Events(account, day, known, amounts, Coded(np.array(codes, np.int64), tuple(names)))


def _from_table(table: pa.Table) -> Replayed:
    from retinue.run.replaying import Replayed

    aside = json.loads(table.schema.metadata[b"retinue"])
    rows: dict[str, Any] = {}

    def column(name: str) -> Any:
        return table[name].to_numpy()

    for field in fields(Replay):
        name = field.name
        if name in ("segment", "stage", "scorecard"):
            rows[name] = Coded(column(name).astype(np.int64), tuple(aside[name]))
        elif name in ("measures", "metrics"):
            rows[name] = tuple(aside[name])
        elif name in ("declared", "edges"):
            width = len(aside["measures"]) if name == "declared" else 2
            rows[name] = np.array(aside[name], float).reshape(len(aside[name]), width)
        elif name in ("points", "weights", "values"):
            width = len(aside["metrics" if name == "values" else "measures"])
            parts = [column(f"{name} {k}") for k in range(width)]
            rows[name] = np.stack(parts, axis=1) if parts else np.zeros((table.num_rows, 0))
        else:
            rows[name] = column(name)
    events = _read_events(aside["events"])
    if events is None:
        raise KeyError("events")
    return Replayed(
        Replay(**rows),
        events,
        tuple(aside["accounts"]),
        aside["seen_until"],
        _read_events(aside["done"]),
        column("limit") if "limit" in table.column_names else None,
    )
