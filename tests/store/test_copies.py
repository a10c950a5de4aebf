from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa
import pytest

from retinue.store.published import copies
from retinue.store.published.contract import TABLES
from retinue.store.published.manifest import Manifest
from retinue.store.published.snapshots import Published
from tests.store.company import SUNDAYS, write_run

DATED = ("snapshots", "components", "accounts")


@pytest.fixture
def manifest(home: Path, monkeypatch: pytest.MonkeyPatch) -> Manifest:
    """Two runs in pieces of four rows: the second restates some dates, with one account more."""
    monkeypatch.setattr(copies, "ROWS", 4)
    write_run(home, "r1", SUNDAYS, 20, 50.0, None)
    return write_run(home, "r2", SUNDAYS[3:6], 21, 80.0, "r1")


def paths(manifest: Manifest) -> list[str]:
    return [f"{part.path}/{table}.parquet" for part in manifest.parts for table in part.tables]


def asked(published: Published) -> list[pa.Table]:
    found = []
    for account in ("A-00000", "A-00020", "zzz"):
        for table in DATED:
            found.append(published.table(table, account=account))
            found.append(published.table(table, account=account, first=SUNDAYS[2], last=SUNDAYS[4]))
            found.append(published.table(table, account=account, dates=SUNDAYS[1:7:5]))
        found.append(published.table("snapshots", account=account, columns=["effective", "as_of"]))
    return found


def test_an_account_is_the_same_from_copies_as_from_what_is_published(home: Path, manifest: Manifest):
    before = asked(Published(home, manifest))
    assert copies.make(home, paths(manifest)) == len(paths(manifest))
    assert all(copies.copy_path(home, path).exists() for path in paths(manifest))
    after = asked(Published(home, manifest))
    assert sum(table.num_rows for table in before) > 60
    assert all(a.schema.equals(b.schema) and a.equals(b) for a, b in zip(after, before, strict=True))


def test_some_files_may_have_copies_and_others_none(home: Path, manifest: Manifest):
    before = asked(Published(home, manifest))
    copies.make(home, paths(manifest)[::2])
    assert all(a.equals(b) for a, b in zip(asked(Published(home, manifest)), before, strict=True))


def test_copies_are_what_is_read(home: Path, manifest: Manifest):
    copies.make(home, paths(manifest))
    path = paths(manifest)[0]
    rows = copies.rows_of(home, path, "A-00003")
    assert rows is not None and set(rows["account_id"].to_pylist()) == {"A-00003"}
    assert copies.make(home, paths(manifest)) == 0


@pytest.mark.parametrize("damage", ["piece", "index", "end", "short", "empty"])
def test_a_damaged_copy_is_not_used_and_made_again(home: Path, manifest: Manifest, damage: str):
    before = asked(Published(home, manifest))
    copies.make(home, paths(manifest))
    for path in paths(manifest):
        copies._forget(copies.copy_path(home, path))
        file = copies.copy_path(home, path)
        content = bytearray(file.read_bytes())
        at = {"piece": 10, "index": len(content) - 40, "end": len(content) - 3}.get(damage)
        if at is None:
            content = content[: len(content) // 2] if damage == "short" else bytearray()
        else:
            content[at] ^= 0xFF
        file.write_bytes(content)
    assert all(a.equals(b) for a, b in zip(asked(Published(home, manifest)), before, strict=True))
    assert copies.make(home, paths(manifest)) == len(paths(manifest))
    assert copies.rows_of(home, paths(manifest)[0], "A-00003") is not None


def test_a_copy_is_of_the_very_file_that_is_published(home: Path, manifest: Manifest):
    copies.make(home, paths(manifest))
    source = home / paths(manifest)[0]
    os.utime(source, ns=(1, 1))
    assert copies.rows_of(home, paths(manifest)[0], "A-00003") is None
    assert copies.make(home, paths(manifest)) == 1


def test_copies_of_files_that_nobody_asks_for_are_removed(home: Path, manifest: Manifest):
    copies.make(home, paths(manifest))
    left = copies.copy_path(home, paths(manifest)[0]).parent
    (left / ".half.rows.tmp").write_bytes(b"x")
    copies.keep_only(home, paths(manifest)[:2])
    assert sorted(left.iterdir()) == sorted(copies.copy_path(home, path) for path in paths(manifest)[:2])


def test_an_account_with_more_rows_than_a_piece_is_whole(home: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(copies, "ROWS", 2)
    manifest = write_run(home, "r1", SUNDAYS, 3, 50.0, None)
    copies.make(home, paths(manifest))
    for part in manifest.parts:
        rows = copies.rows_of(home, f"{part.path}/components.parquet", "A-00001")
        assert rows is not None and rows.num_rows == 2 * len(part.dates)
    assert TABLES["components"].unique
