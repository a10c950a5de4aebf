"""Tables, stores and disks that fail: a line each, and what was published stays current."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.bad_input.conftest import Company, on_a_full_disk, without_privileges

STORE = ".retinue/retinue.db"


def test_a_missing_table(company: Company):
    (company.root / "data/usage.csv").unlink()
    assert "there is no file data/usage.csv" in company.refuses("run")
    company.still_reads()


def test_a_truncated_parquet_file(company: Company):
    path = company.root / "data/tickets.parquet"
    path.write_bytes(path.read_bytes()[:-20])
    assert "data/tickets.parquet: source tickets: not a whole Parquet file" in company.refuses("run")
    company.still_reads()


def test_a_line_of_200_megabytes_takes_little_memory(company: Company):
    usual = company.retinue("run").peak
    with (company.root / "data/usage.csv").open("ab") as out:
        for _ in range(200):
            out.write(b"x" * 2**20)
    assert "data/usage.csv:12: source usage: a line is longer than 4 MB" in company.refuses("run")
    assert company.retinue("status").peak < usual + 100
    company.still_reads()


def test_text_that_is_not_utf_8(company: Company):
    with (company.root / "data/usage.csv").open("ab") as out:
        out.write(b"2024-03-10,a1,J\xf6rg\n")
    told = company.refuses("run")
    assert "data/usage.csv:12: source usage: not utf-8 text" in told and "declare its `encoding`" in told
    company.still_reads()


@pytest.mark.parametrize("content", ["", "\n\n", None])
def test_nothing_and_a_folder_instead_of_a_table(company: Company, content: str | None):
    path = company.root / "data/usage.csv"
    path.unlink()
    if content is None:
        path.mkdir()
    else:
        path.write_text(content)
    assert "usage" in company.refuses("run")
    company.still_reads()


def test_wrong_values_cost_their_rows_only(company: Company):
    with (company.root / "data/usage.csv").open("a") as out:
        out.write("yesterday,a1,u1\n2024-03-10,nobody,u1\n2024-03-10\n2024-03-10,a1,u9\n")
    done = company.retinue("run")
    assert done.status == 0 and "3 rejected" in done.out, done.out
    company.still_reads()


def test_check_tells_every_broken_table_at_once(company: Company):
    (company.root / "data/usage.csv").unlink()
    company.write("data/tickets.parquet", b"PAR1")
    checked = company.retinue("check")
    assert checked.status == 1
    assert "there is no file data/usage.csv" in checked.out
    assert "not a whole Parquet file" in checked.out
    assert "2 errors" in checked.out


def test_a_table_that_may_not_be_read(company: Company):
    (company.root / "data/usage.csv").chmod(0)
    told = company.refuses("run", before=without_privileges)
    assert "no permission to read data/usage.csv" in told
    company.still_reads()


def test_a_home_that_may_not_be_written(company: Company):
    home = company.root / ".retinue"
    for path in [home, *home.rglob("*")]:
        path.chmod(0o500 if path.is_dir() else 0o400)
    company.refuses("run", before=without_privileges)
    home.chmod(0o700)
    for path in home.rglob("*"):
        path.chmod(0o700)
    company.still_reads()


def test_a_disk_that_is_full(company: Company):
    company.refuses("run", before=on_a_full_disk)
    company.still_reads()


def _not_a_database(root: Path) -> None:
    (root / STORE).write_bytes(b"not a database" * 1000)


def _damaged(root: Path) -> None:
    (root / STORE).write_bytes((root / STORE).read_bytes()[:9000])


def _newer(root: Path) -> None:
    with closing(sqlite3.connect(root / STORE)) as con:
        con.execute("UPDATE schema_version SET version = 9999")
        con.commit()


@pytest.mark.parametrize("wrong", [_not_a_database, _damaged, _newer])
@pytest.mark.parametrize("command", ["accounts", "run"])
def test_a_store_that_cannot_be_used(company: Company, wrong: Callable[[Path], None], command: str):
    before = (company.root / STORE).read_bytes()
    wrong(company.root)
    bad = (company.root / STORE).read_bytes()
    assert "store" in company.refuses(command)
    assert (company.root / STORE).read_bytes() == bad  # nobody tries to mend it
    (company.root / STORE).write_bytes(before)
    company.still_reads()


@pytest.mark.parametrize("content", ["{", "[]", '{"format": 9999}', None])
def test_a_manifest_that_is_none(company: Company, content: str | None):
    (path,) = (company.root / ".retinue/runs").glob("*/manifest.json")
    if content is None:
        path.unlink()
    else:
        path.write_text(content)
    command = ("run",) if content == "[]" else ("explain", "a1")
    assert "manifest.json" in company.refuses(*command)


@pytest.mark.parametrize("command", [("run",), ("explain", "a1")])
def test_published_files_that_are_gone_or_damaged(company: Company, command: tuple[str, ...]):
    for path in (company.root / ".retinue/runs").glob("*/2*/*.parquet"):
        path.write_bytes(b"PAR1xx")
    assert "parquet" in company.refuses(*command)
    for path in (company.root / ".retinue/runs").glob("*/2*"):
        shutil.rmtree(path)
    assert "is gone" in company.refuses(*command)
    assert company.retinue("accounts").status == 0
