from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest
from sqlalchemy import inspect, text

from retinue.errors import StoreError
from retinue.store import database, migrations
from retinue.store.database import Store, open_store
from retinue.store.tables import metadata


def shape(engine) -> dict[str, object]:
    """Tables, columns with their kind and whether they may be empty, keys and indexes."""
    seen = inspect(engine)
    found: dict[str, object] = {}
    for table in seen.get_table_names():
        columns = {
            c["name"]: (c["type"]._type_affinity.__name__, c["nullable"]) for c in seen.get_columns(table)
        }
        indexes = {i["name"]: tuple(i["column_names"]) for i in seen.get_indexes(table)}
        foreign = [(f["constrained_columns"], f["referred_table"]) for f in seen.get_foreign_keys(table)]
        found[table] = (columns, seen.get_pk_constraint(table)["constrained_columns"], indexes, foreign)
    return found


def test_migrating_from_empty_gives_the_tables_that_the_code_describes(store: Store, tmp_path: Path):
    before = shape(store.engine)
    with store.engine.begin() as connection:
        metadata.drop_all(connection)
        metadata.create_all(connection)
    assert shape(store.engine) == before


def test_opening_again_changes_nothing(store: Store):
    before = shape(store.engine)
    again = open_store(str(store.engine.url))
    with again.read() as connection:
        assert migrations.version(connection) == migrations.NEWEST
    assert shape(again.engine) == before
    again.close()


def test_two_that_open_a_new_store_at_once_both_get_it(store_url: str):
    opened: list[Store] = []
    threads = [threading.Thread(target=lambda: opened.append(open_store(store_url))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(opened) == 4
    for one in opened:
        one.close()


def test_a_store_that_is_newer_than_the_code_is_refused(store: Store):
    with store.write() as connection:
        connection.execute(text("UPDATE schema_version SET version = 99"))
    with pytest.raises(StoreError, match=r"the store has schema 99; .* \(upgrade Retinue\)"):
        open_store(str(store.engine.url))


def test_a_migration_that_fails_leaves_the_store_as_it_was(store_url: str, monkeypatch: pytest.MonkeyPatch):
    def broken(connection):
        connection.execute(text("CREATE TABLE half (x INTEGER)"))
        connection.execute(text("NO SUCH STATEMENT"))

    with monkeypatch.context() as patch:
        patch.setattr(migrations, "STEPS", (*migrations.STEPS, broken))
        with pytest.raises(StoreError, match="syntax error"):
            open_store(store_url)
    opened = open_store(store_url)
    assert "half" not in inspect(opened.engine).get_table_names()
    opened.close()


def test_a_file_that_is_no_database_is_refused_in_one_line_and_left_alone(tmp_path: Path):
    path = tmp_path / "store.db"
    path.write_bytes(b"account_id,name\n" * 1000)
    with pytest.raises(StoreError, match="the file is not a SQLite database") as caught:
        open_store(f"sqlite:///{path}")
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == b"account_id,name\n" * 1000


def test_a_database_of_something_else_is_refused(tmp_path: Path):
    path = tmp_path / "store.db"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE runs (distance REAL)")
    other.close()
    with pytest.raises(StoreError, match="tables but no version"):
        open_store(f"sqlite:///{path}")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("store.db", "not the URL of a store"),
        ("", "not the URL of a store"),
        ("oracle9://x/y", "no driver for this store"),
    ],
)
def test_a_url_that_leads_nowhere_is_refused_in_one_line(url: str, message: str):
    with pytest.raises(StoreError, match=message) as caught:
        open_store(url)
    assert "\n" not in str(caught.value)


def test_a_folder_that_cannot_be_made_is_an_error_in_one_line(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot make the folder of the store"):
        open_store(f"sqlite:///{tmp_path / 'file' / 'deeper' / 'store.db'}")
    (tmp_path / "folder.db").mkdir()
    with pytest.raises(StoreError, match="cannot be opened"):
        open_store(f"sqlite:///{tmp_path / 'folder.db'}")


def test_a_store_that_another_process_writes_to_for_too_long_says_so(
    store_url: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(database, "BUSY", 0.1)
    store, other = open_store(store_url), open_store(store_url)
    with other.write():
        with pytest.raises(StoreError, match="another process is writing to it"), store.write():
            pass
        with store.read() as connection:
            assert migrations.version(connection) == migrations.NEWEST
    with store.write():
        pass
    other.close()
    store.close()


def test_a_read_sees_one_moment(store: Store):
    with store.read() as connection:
        count = text("SELECT count(*) FROM audit")
        assert connection.execute(count).scalar_one() == 0
        with store.write() as writing:
            writing.execute(text("INSERT INTO audit (who, what, said_at) VALUES ('a', 'b', '2026-01-01')"))
        assert connection.execute(count).scalar_one() == 0
    with store.read() as connection:
        assert connection.execute(count).scalar_one() == 1


def test_all_reads_within_a_moment_see_the_same_in_one_transaction(store: Store):
    with store.write() as connection:
        connection.execute(text("CREATE TABLE counted (n INTEGER)"))

    def count() -> int:
        with store.read() as connection:
            return int(connection.execute(text("SELECT count(*) FROM counted")).scalar_one())

    other = open_store(store.engine.url.render_as_string(hide_password=False))
    with store.moment():
        assert count() == 0
        for one in (store, other):
            with one.write() as connection:
                connection.execute(text("INSERT INTO counted VALUES (1)"))
        with store.moment():
            assert count() == 0
        seen: list[int] = []
        thread = threading.Thread(target=lambda: seen.append(count()))
        thread.start()
        thread.join()
        assert seen == [2]  # a thread of its own has moments of its own
        assert count() == 0
    assert count() == 2
    other.close()


def test_an_error_within_a_moment_is_told_as_any_other(store: Store):
    with pytest.raises(StoreError, match="nowhere"), store.moment(), store.read() as connection:
        connection.execute(text("SELECT * FROM nowhere"))
    with store.read() as connection:
        assert migrations.version(connection) == migrations.NEWEST


def test_the_secret_of_a_url_is_not_in_the_error():
    """Be it that the driver is not installed, or that nobody listens there."""
    with pytest.raises(StoreError) as caught:
        open_store("postgresql+psycopg://ann:s3cret@127.0.0.1:1/none")
    assert "s3cret" not in str(caught.value)
    assert "\n" not in str(caught.value)
