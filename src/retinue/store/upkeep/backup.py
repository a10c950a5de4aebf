"""The store and the published runs as one file, made while others read and write, and put back from it.

    backup.json                what is in it, with the checksum of every other member
    store/<table>.jsonl.gz     the rows of a table: first its columns, then a row a line
    home/<path>                files of the project's home: the parts of the current run, every manifest

The rows are of one moment, in no dialect: a backup of SQLite can be put back into PostgreSQL and the
other way round. Sessions are left out, and what can be made again from the rest.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import os
import re
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path, PurePosixPath
from typing import IO, Any

from sqlalchemy import (
    Boolean,
    Connection,
    Date,
    DateTime,
    MetaData,
    Table,
    func,
    insert,
    inspect,
    select,
    text,
)

from retinue import __version__
from retinue.errors import StoreError
from retinue.store import migrations
from retinue.store.database import Store
from retinue.store.published.manifest import Manifest, read_manifest
from retinue.store.published.parquet import sync_folder
from retinue.store.tables import current, details, metadata, pointer, runs, transitions

#: Raise it when an older Retinue could misread a backup.
FORMAT = 1
#: Rows that are written to the store at a time.
ROWS = 2000
#: Who was signed in is of that moment only; and a session that was ended must not come back.
LEFT_OUT = ("sessions", "sign_ins", "attempts", "leases", "schema_version")
#: Folders of the home that go along where they are there; everything else is made again when needed.
ALONG = ("state/pages",)

_NAME = re.compile(r"(backup\.json|store/[a-z_]+\.jsonl\.gz|home/[A-Za-z0-9_.\-/]+)")

Tell = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class Contents:
    """What a backup says of itself. `tables` are rows by table, `files` and `bytes` those of the home."""

    made_at: datetime
    package: str
    schema: int
    run_id: str | None
    tables: dict[str, int]
    files: int
    bytes: int

    def to_dict(self) -> dict[str, Any]:
        return {
            "made_at": self.made_at.isoformat(),
            "package": self.package,
            "schema": self.schema,
            "run_id": self.run_id,
            "tables": self.tables,
            "files": self.files,
            "bytes": self.bytes,
        }


def backup(store: Store, home: Path, path: Path, *, now: datetime, tell: Tell | None = None) -> Contents:
    """Write all of it to `path`, which is there whole or not at all, for its owner to read only.

    Nobody has to stop. Raises StoreError where the disk does not take it, or published files are damaged.
    """
    say = tell or (lambda _what, _part: None)
    unfinished = path.with_name(f".{path.name}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with (
            os.fdopen(descriptor, "wb") as sink,
            tempfile.TemporaryDirectory(prefix="retinue-", dir=path.parent) as scratch,
        ):
            with tarfile.open(fileobj=sink, mode="w", format=tarfile.PAX_FORMAT) as tar:
                contents = _pack(store, home, tar, Path(scratch), now, say)
            sink.flush()
            os.fsync(sink.fileno())
        unfinished.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror or error}") from None
    finally:
        unfinished.unlink(missing_ok=True)
    return contents


def _pack(
    store: Store, home: Path, tar: tarfile.TarFile, scratch: Path, now: datetime, say: Tell
) -> Contents:
    sums: dict[str, str] = {}
    tables: dict[str, int] = {}
    with store.read() as connection:
        run_id = connection.execute(select(pointer.c.run_id)).scalar_one_or_none()
        kept = [table for table in metadata.sorted_tables if table.name not in LEFT_OUT]
        for number, table in enumerate(kept):
            say(f"reading {table.name}", 0.5 * number / len(kept))
            file = scratch / "rows"
            tables[table.name] = _write_rows(connection, table, file)
            sums[_add(tar, f"store/{table.name}.jsonl.gz", file)] = _sum(file)
    # Published files never change while they are current, so they need not be of that very moment.
    files = list(_files(home, run_id))
    size = 0
    for number, (name, expected) in enumerate(files):
        say(f"packing {name}", 0.5 + 0.5 * number / len(files))
        file = home / name
        found = _sum(file)
        if expected is not None and found != expected:
            raise StoreError(f"a published file is damaged: {file}", hint="restore an older backup")
        sums[_add(tar, f"home/{name}", file)] = found
        size += file.stat().st_size
    contents = Contents(now, __version__, migrations.NEWEST, run_id, tables, len(files), size)
    told = {"format": FORMAT, **contents.to_dict(), "sha256": sums}
    file = scratch / "backup.json"
    file.write_text(json.dumps(told, indent=1), "utf-8")
    _add(tar, "backup.json", file)
    return contents


def _write_rows(connection: Connection, table: Table, path: Path) -> int:
    query = select(table)
    # What is being staged by a run that goes on is not published.
    if table in (current, details):
        query = query.where(table.c.run_id.in_(select(pointer.c.run_id)))
    if table is transitions:
        query = query.where(table.c.run_id.in_(select(runs.c.run_id)))
    found = connection.execution_options(yield_per=ROWS).execute(query.order_by(*table.primary_key.columns))
    count = 0
    with gzip.open(path, "wt", encoding="utf-8", compresslevel=5) as sink:
        sink.write(json.dumps([column.name for column in table.c]) + "\n")
        for row in found:
            sink.write(json.dumps([_told(value) for value in row], ensure_ascii=True) + "\n")
            count += 1
    return count


def _told(value: Any) -> Any:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode()}
    return value


def _files(home: Path, run_id: str | None) -> Iterator[tuple[str, str | None]]:
    """Paths in the home that make up what is published, with their checksums where they are known."""
    if run_id is not None:
        manifest = read_manifest(home, run_id)
        involved = {part.path.split("/")[1] for part in manifest.parts} | {run_id}
        involved |= {path.split("/")[1] for path in manifest.whole.values()}
        manifests = {name: read_manifest(home, name) for name in sorted(involved)}
        sums = {path: file.sha256 for one in manifests.values() for path, file in one.files.items()}
        for name in sorted(_published(manifest)):
            yield name, sums.get(name)
    for path in sorted((home / "runs").glob("*/manifest.json")):
        yield path.relative_to(home).as_posix(), None
    for folder in ALONG:
        for path in sorted((home / folder).rglob("*")):
            if path.is_file() and not path.name.startswith("."):
                yield path.relative_to(home).as_posix(), None
    if (home / ERASED).is_file():
        yield ERASED, None


#: Beside the runs: who was erased, for a restore where the store is gone.
ERASED = "erasures.jsonl"


def _published(manifest: Manifest) -> set[str]:
    parts = {f"{part.path}/{table}.parquet" for part in manifest.parts for table in part.tables}
    return parts | set(manifest.whole.values())


def _add(tar: tarfile.TarFile, name: str, file: Path) -> str:
    told = tar.gettarinfo(str(file), name)
    told.uid = told.gid = 0
    told.uname = told.gname = ""
    told.mode = 0o600
    with file.open("rb") as source:
        tar.addfile(told, source)
    return name


def _sum(file: Path) -> str:
    try:
        with file.open("rb") as source:
            return hashlib.file_digest(source, "sha256").hexdigest()
    except FileNotFoundError:
        raise StoreError(f"a published file is gone: {file}", hint="restore an older backup") from None


# --- back ----------------------------------------------------------------------------------------


def contents_of(path: Path) -> Contents:
    """What a backup says of itself, after every checksum in it was compared. Raises StoreError."""
    with _opened(path) as (_, told):
        return _contents(told)


def restore(
    store: Store,
    home: Path,
    path: Path,
    *,
    force: bool = False,
    after: Callable[[Connection], None] | None = None,
    tell: Tell | None = None,
) -> Contents:
    """Make the store and the home what they were, in one transaction. Sessions end.

    Files are put into the home first, where nobody sees them until the transaction is done; it can be
    killed at any point. `after` may change what was put back before anybody sees it. Raises StoreError
    for a backup that is damaged or newer than this Retinue, and where something is there already,
    unless `force`.
    """
    say = tell or (lambda _what, _part: None)
    if not force and not _is_empty(store):
        raise StoreError(
            "there is something in this store already", hint="--force replaces it; back it up first"
        )
    with _opened(path) as (tar, told):
        contents = _contents(told)
        say("putting files back", 0.1)
        _put_files(tar, told, home)
        with store.write() as connection:
            say("putting rows back", 0.5)
            _put_rows(connection, tar, contents)
            if after is not None:
                after(connection)
    return contents


def _is_empty(store: Store) -> bool:
    with store.read() as connection:
        return not any(
            connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in metadata.sorted_tables
            if table.name not in LEFT_OUT
        )


@contextmanager
def _opened(path: Path) -> Iterator[tuple[tarfile.TarFile, dict[str, Any]]]:
    """The backup, after everything in it was compared with what it says of itself."""
    try:
        with tarfile.open(path, "r:") as tar:
            yield tar, _verified(path, tar)
    except FileNotFoundError:
        raise StoreError(f"there is no backup {path}") from None
    except (tarfile.TarError, EOFError, gzip.BadGzipFile) as error:
        raise StoreError(f"{path} is no backup, or a damaged one ({error})") from None
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror or error}") from None


def _verified(path: Path, tar: tarfile.TarFile) -> dict[str, Any]:
    sums: dict[str, str] = {}
    told: Any = None
    for member in tar:
        plain = member.isfile() and _NAME.fullmatch(member.name) and ".." not in member.name.split("/")
        if not plain or member.name in sums:
            raise StoreError(f"{path} is no backup: it has {member.name[:80]!r} in it")
        source = _member(tar, member.name)
        if member.name == "backup.json":
            told = json.loads(source.read())
        sums[member.name] = ""
        if member.name != "backup.json":
            sums[member.name] = hashlib.file_digest(source, "sha256").hexdigest()  # type: ignore[arg-type]
    if not isinstance(told, dict) or not isinstance(told.get("format"), int):
        raise StoreError(f"{path} is no backup, or one that was not finished")
    if told["format"] > FORMAT or told["schema"] > migrations.NEWEST:
        raise StoreError(f"{path} was made by Retinue {told.get('package')}", hint="upgrade Retinue")
    sums.pop("backup.json")
    if sums != told["sha256"]:
        bad = sorted(name for name in {*sums, *told["sha256"]} if sums.get(name) != told["sha256"].get(name))
        raise StoreError(f"{path} is damaged: {bad[0]} is not as it was packed")
    return told


def _contents(told: dict[str, Any]) -> Contents:
    return Contents(
        datetime.fromisoformat(told["made_at"]).astimezone(UTC),
        told["package"],
        told["schema"],
        told["run_id"],
        told["tables"],
        told["files"],
        told["bytes"],
    )


def _member(tar: tarfile.TarFile, name: str) -> IO[bytes]:
    source = tar.extractfile(name)
    assert source is not None  # it is a file
    return source


def _put_files(tar: tarfile.TarFile, told: dict[str, Any], home: Path) -> None:
    """Each file at once; those of runs first, and the manifests of runs last."""
    names = [name for name in told["sha256"] if name.startswith("home/")]
    folders = set()
    for name in sorted(names, key=lambda name: (name.endswith("manifest.json"), name)):
        target = home / PurePosixPath(name.removeprefix("home/"))
        if target.name == ERASED and target.is_file():
            continue  # what was erased later must not be forgotten
        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished = target.with_name(f".{target.name}.tmp")
        with unfinished.open("wb") as sink:
            shutil.copyfileobj(_member(tar, name), sink)
            sink.flush()
            os.fsync(sink.fileno())
        unfinished.replace(target)
        folders.add(target.parent)
    for folder in folders:
        sync_folder(folder)


def _put_rows(connection: Connection, tar: tarfile.TarFile, contents: Contents) -> None:
    """In the tables that there were when the backup was made; then the steps since."""
    there = set(inspect(connection).get_table_names())
    for table in reversed(metadata.sorted_tables):
        if table.name in there:
            connection.execute(text(f'DROP TABLE "{table.name}"'))
    migrations.migrate(connection, contents.schema)
    for name in contents.tables:
        table = Table(name, MetaData(), autoload_with=connection)
        with gzip.open(_member(tar, f"store/{name}.jsonl.gz"), "rt", encoding="utf-8") as source:
            _insert(connection, table, source)
        _count_on(connection, table)
    migrations.migrate(connection)


def _insert(connection: Connection, table: Table, source: IO[str]) -> None:
    names = json.loads(source.readline())
    readers = [_reader(table.c[name].type) for name in names]
    waiting: list[dict[str, Any]] = []
    for line in source:
        values = json.loads(line)
        row = {
            name: None if value is None else read(value)
            for name, read, value in zip(names, readers, values, strict=True)
        }
        waiting.append(row)
        if len(waiting) == ROWS:
            connection.execute(insert(table), waiting)
            waiting = []
    if waiting:
        connection.execute(insert(table), waiting)


def _reader(kind: Any) -> Callable[[Any], Any]:
    if isinstance(kind, DateTime):
        return datetime.fromisoformat
    if isinstance(kind, Date):
        return date.fromisoformat
    if isinstance(kind, Boolean):
        return bool
    return lambda value: base64.b64decode(value["base64"]) if isinstance(value, dict) else value


def _count_on(connection: Connection, table: Table) -> None:
    """PostgreSQL counts on from where it was, not from the rows that are there."""
    keys: Sequence[Any] = list(table.primary_key.columns)
    if connection.dialect.name != "postgresql" or [key.name for key in keys] != ["id"]:
        return
    sequence = connection.execute(
        text("SELECT pg_get_serial_sequence(:name, 'id')"), {"name": f'"{table.name}"'}
    ).scalar_one()
    most = connection.execute(select(func.max(keys[0]))).scalar_one()
    if sequence is not None and most is not None:
        connection.execute(text("SELECT setval(:sequence, :most)"), {"sequence": sequence, "most": most})
