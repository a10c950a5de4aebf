"""A backup is of one moment, and is put back whole or not at all, into either database."""

from __future__ import annotations

import io
import stat
import tarfile
import threading
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert, inspect, select

from retinue.errors import StoreError
from retinue.store.database import Store, open_store
from retinue.store.people.access import OPERATOR
from retinue.store.people.keys import actor_of_key, add_key
from retinue.store.people.people import add_person, find_person
from retinue.store.people.saved_views import save_view
from retinue.store.people.sessions import begin_session, session
from retinue.store.published.current import accounts, changes, current_run
from retinue.store.published.manifest import read_manifest
from retinue.store.published.snapshots import Published
from retinue.store.tables import metadata, schema_version
from retinue.store.upkeep.backup import LEFT_OUT, backup, contents_of, restore
from retinue.store.work.said import add_note, add_override, add_pulse
from tests.store.company import NOW, SUNDAYS, run_and_publish

EURO = "Größe 5 €, “quoted” \n\t 🙂"


@pytest.fixture
def store_url(home: Path) -> str:
    """SQLite; the one test that is about both asks for both."""
    return f"sqlite:///{home / 'store.db'}"


@pytest.fixture
def filled(store: Store, home: Path) -> Store:
    return fill(store, home)


def fill(store: Store, home: Path) -> Store:
    """Two runs, people, and something of everything that they say."""
    run_and_publish(store, home, "r1", SUNDAYS[:6], count=5)
    run_and_publish(store, home, "r2", SUNDAYS[4:], count=5, score=70.0)
    person = add_person(store, OPERATOR, "ann@example.com", "Ann Öz", "admin", now=NOW)
    add_note(store, "A-00001", EURO, by=OPERATOR, now=NOW)
    add_pulse(store, "A-00001", "csm", 0.1 + 0.2, by=OPERATOR, now=NOW, expires_on=date(2026, 12, 31))
    told = {"reason": EURO, "owner": "ann", "starts_on": date(2026, 3, 1), "by": OPERATOR, "now": NOW}
    add_override(store, "A-00002", "cap", 40, **told)
    ann = OPERATOR.__class__("ann@example.com", person=person)
    save_view(store, ann, "Red", "band=at_risk", shared=True, now=NOW)
    (home / "state" / "pages").mkdir(parents=True)
    (home / "state" / "pages" / "trial.r2.json").write_text("{}")
    return store


def dump(store: Store) -> dict[str, list[tuple[object, ...]]]:
    with store.read() as connection:
        return {
            table.name: sorted(map(tuple, connection.execute(select(table)).all()), key=repr)
            for table in metadata.sorted_tables
            if table.name not in LEFT_OUT
        }


@pytest.mark.parametrize(
    ("kind", "target"), [("sqlite", "sqlite"), ("sqlite", "postgresql"), ("postgresql", "sqlite")]
)
def test_what_is_put_back_is_what_was_there(
    home: Path, tmp_path: Path, kind: str, target: str, request: pytest.FixtureRequest
) -> None:
    def opened(which: str, name: str) -> Store:
        url = f"sqlite:///{tmp_path / name}"
        return open_store(url if which == "sqlite" else request.getfixturevalue("postgres"))

    filled = fill(opened(kind, "one.db"), home)
    file, other_home = tmp_path / "b" / "backup.tar", tmp_path / "other"
    told = backup(filled, home, file, now=NOW)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert contents_of(file) == told
    before = dump(filled)
    other = opened(target, "other.db")
    restore(other, other_home, file)
    assert dump(other) == before
    assert current_run(other).run_id == "r2"
    manifest = read_manifest(other_home, "r2")
    assert manifest == read_manifest(home, "r2")
    for name in (f"{part.path}/{table}.parquet" for part in manifest.parts for table in part.tables):
        assert (other_home / name).read_bytes() == (home / name).read_bytes()
    rows = Published(other_home, read_manifest(other_home, "r2")).table("snapshots")
    assert rows.equals(Published(home, read_manifest(home, "r2")).table("snapshots"))
    assert (other_home / "state" / "pages" / "trial.r2.json").is_file()
    # It goes on from there: numbers are not given twice, and runs follow.
    assert add_note(other, "A-00001", "after", by=OPERATOR, now=NOW) == 2
    run_and_publish(other, other_home, "r3", SUNDAYS[7:], count=5)
    assert len(accounts(other, OPERATOR)) == 5
    assert changes(other, OPERATOR)
    other.close()
    filled.close()


def test_sessions_do_not_come_back_and_keys_do(filled: Store, home: Path, tmp_path: Path) -> None:
    person = find_person(filled, OPERATOR, "ann@example.com").id
    token, _ = begin_session(filled, person, agent=None, now=NOW)
    _, key = add_key(filled, OPERATOR, "bi", ["read"], now=NOW, person=person)
    file = tmp_path / "backup.tar"
    backup(filled, home, file, now=NOW)
    with tarfile.open(file) as tar:
        packed = b"".join(tar.extractfile(member).read() for member in tar)
    assert key.encode() not in packed
    restore(filled, home, file, force=True)
    assert session(filled, token, now=NOW) is None
    assert actor_of_key(filled, key, now=NOW) is not None


def test_a_backup_of_a_moment_has_nothing_of_what_is_said_meanwhile(
    filled: Store, home: Path, tmp_path: Path
) -> None:
    over = threading.Event()
    said = []

    def talk() -> None:
        while not over.is_set():
            said.append(add_note(filled, "A-00003", "more", by=OPERATOR, now=NOW))

    thread = threading.Thread(target=talk)
    thread.start()
    try:
        while len(said) < 3:
            pass
        told = backup(filled, home, tmp_path / "backup.tar", now=NOW)
    finally:
        over.set()
        thread.join()
    restore(filled, home, tmp_path / "backup.tar", force=True)
    found = dump(filled)
    # Each note and its line in the log are there together or not at all.
    assert len(found["notes"]) == told.tables["notes"]
    assert len([row for row in found["audit"] if "add note" in row]) == len(found["notes"])
    assert len(said) > len(found["notes"]) - 1


def test_where_something_is_nothing_is_put_back_without_force(
    filled: Store, home: Path, tmp_path: Path
) -> None:
    file = tmp_path / "backup.tar"
    backup(filled, home, file, now=NOW)
    add_note(filled, "A-00001", "later", by=OPERATOR, now=NOW)
    before = dump(filled)
    with pytest.raises(StoreError, match="--force"):
        restore(filled, home, file)
    assert dump(filled) == before
    restore(filled, home, file, force=True)
    assert len(dump(filled)["notes"]) == 1


@pytest.mark.parametrize("share", [0.02, 0.6])
def test_a_backup_with_one_bit_changed_is_refused_and_nothing_is_changed(
    filled: Store, home: Path, tmp_path: Path, share: float
) -> None:
    file = tmp_path / "backup.tar"
    backup(filled, home, file, now=NOW)
    content = bytearray(file.read_bytes())
    place = int(len(content) * share)
    while not content[place]:  # not in the padding between two members, of which there is no checksum
        place += 1
    content[place] ^= 0x10
    file.write_bytes(content)
    before = dump(filled)
    with pytest.raises(StoreError):
        restore(filled, home, file, force=True)
    assert dump(filled) == before


@pytest.mark.parametrize("share", [0.0, 0.99])
def test_half_a_backup_is_refused(filled: Store, home: Path, tmp_path: Path, share: float) -> None:
    file = tmp_path / "backup.tar"
    backup(filled, home, file, now=NOW)
    content = file.read_bytes()
    file.write_bytes(content[: int(len(content.rstrip(b"\0")) * share)])
    with pytest.raises(StoreError):
        contents_of(file)


@pytest.mark.parametrize(
    "name", ["home/../../outside", "/etc/passwd", "home/runs/../../../x", "store/../x", "other"]
)
def test_a_file_that_would_go_elsewhere_is_refused(store: Store, tmp_path: Path, name: str) -> None:
    file = tmp_path / "evil.tar"
    with tarfile.open(file, "w") as tar:
        told = tarfile.TarInfo(name)
        told.size = 4
        tar.addfile(told, io.BytesIO(b"evil"))
    with pytest.raises(StoreError, match="no backup"):
        restore(store, tmp_path / "home", file)
    assert not (tmp_path / "outside").exists()


def test_a_link_in_a_backup_is_refused(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "evil.tar"
    with tarfile.open(file, "w") as tar:
        told = tarfile.TarInfo("home/runs/r1/x.parquet")
        told.type, told.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(told)
    with pytest.raises(StoreError, match="no backup"):
        restore(store, tmp_path / "home", file)


def test_a_damaged_run_is_not_packed(filled: Store, home: Path, tmp_path: Path) -> None:
    part = next((home / "runs" / "r2").glob("*/snapshots.parquet"))
    part.write_bytes(part.read_bytes()[:-1])
    with pytest.raises(StoreError, match="damaged"):
        backup(filled, home, tmp_path / "backup.tar", now=NOW)
    assert list(tmp_path.glob("*.tar*")) == []


def test_a_store_without_a_run_can_be_packed(store: Store, home: Path, tmp_path: Path) -> None:
    add_person(store, OPERATOR, "ann@example.com", "Ann", "admin", now=NOW)
    told = backup(store, home, tmp_path / "backup.tar", now=datetime(2026, 3, 1, tzinfo=UTC))
    assert told.run_id is None
    restore(store, home, tmp_path / "backup.tar", force=True)
    assert find_person(store, OPERATOR, "ann@example.com").name == "Ann"


def test_a_backup_of_an_older_retinue_is_brought_up_to_date(
    filled: Store, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one that was made before the last step: its tables lack what that step adds."""
    from retinue.store import migrations
    from retinue.store.upkeep import backup as module

    file = tmp_path / "backup.tar"
    with filled.write() as connection:
        migrations_before = migrations.NEWEST
        there = set(inspect(connection).get_table_names())
    old = open_store(f"sqlite:///{tmp_path / 'old.db'}")
    with old.write() as connection:
        for table in reversed(metadata.sorted_tables):
            table.drop(connection)
        migrations.migrate(connection, 2)
        names = set(inspect(connection).get_table_names())
    assert names < there
    then = metadata.__class__()
    with old.write() as connection:
        then.reflect(connection)
        connection.execute(
            insert(then.tables["tasks"]).values(
                account_id="A", title="t", owner="o", status="open", origin="by hand", by="b",
                said_at=datetime(2026, 1, 1),
            )
        )  # fmt: skip
    monkeypatch.setattr(module, "metadata", then)
    for name in ("current", "details", "pointer", "runs", "transitions"):
        monkeypatch.setattr(module, name, then.tables[name])
    monkeypatch.setattr(migrations, "NEWEST", 2)
    backup(old, home / "none", file, now=NOW)
    monkeypatch.undo()
    old.close()
    restore(filled, home, file, force=True)
    with filled.read() as connection:
        assert connection.execute(select(schema_version.c.version)).scalar_one() == migrations_before
    assert [row[2] for row in dump(filled)["tasks"]] == ["t"]
    assert current_run(filled) is None


def test_a_backup_of_a_newer_retinue_is_refused(
    filled: Store, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from retinue.store import migrations

    monkeypatch.setattr(migrations, "NEWEST", migrations.NEWEST + 1)
    backup(filled, home, tmp_path / "backup.tar", now=NOW + timedelta(days=1))
    monkeypatch.undo()
    with pytest.raises(StoreError, match="upgrade"):
        restore(filled, home, tmp_path / "backup.tar", force=True)
