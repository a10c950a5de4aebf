"""A table that cannot be read gives one line that says what, where and what to do."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from retinue.errors import SourceError
from tests.facts.tables import Company, write_all


def said(company: Company, **declared: Any) -> str:
    with pytest.raises(SourceError) as raised:
        company.load({"events": declared})
    text = str(raised.value)
    assert "\n" not in text
    return text


def test_a_missing_file(company: Company):
    company.write("data/event.csv", "x\n")
    assert said(company, table="data/events.csv") == (
        "source events: there is no file data/events.csv (did you mean event.csv?)"
    )
    assert said(company, table="nowhere/events.csv") == (
        "source events: there is no file nowhere/events.csv (nor is there a folder nowhere)"
    )
    assert said(company, table="data/*.parquet") == (
        "source events: no file matches data/*.parquet (there is event.csv)"
    )


def test_a_folder(company: Company):
    company.write("data/event.csv", "x\n")
    assert (
        said(company, table="data/")
        == "source events: data/ is a folder (write a glob such as data/*.parquet)"
    )


def test_a_file_without_a_known_format(company: Company):
    company.write("events.dat", "x\n")
    assert said(company, table="events.dat") == (
        "source events: cannot tell the format of events.dat "
        "(name it .csv, .tsv, .jsonl, .parquet or .xlsx; for a database file add `database`)"
    )


def test_formats_that_are_mixed(company: Company):
    company.write("e1.csv", "x\n")
    company.write("e2.jsonl", "{}\n")
    assert said(company, table="e*") == (
        "source events: e1.csv and e2.jsonl have different formats (declare one source for each format)"
    )


def test_an_empty_file(company: Company):
    for name in ("e.csv", "e.parquet", "e.jsonl", "e.xlsx"):
        company.write(name, "")
        assert (
            said(company, table=name) == f"source events: {name} is empty (a table needs at least a header)"
        )


def test_a_truncated_parquet_file(company: Company):
    table = pa.table({"account_id": ["a"] * 1000, "on": ["2024-01-01"] * 1000})
    pq.write_table(table, company.root / "e.parquet")
    whole = (company.root / "e.parquet").read_bytes()
    for part in (whole[:-1], whole[: len(whole) // 2], b"account_id,on\n"):
        company.write("e.parquet", part)
        assert said(company, table="e.parquet") == (
            "e.parquet: source events: not a whole Parquet file (it may be truncated; write it again)"
        )


def test_damage_inside_of_a_parquet_file(company: Company):
    table = pa.table({"account_id": [f"a{n}" for n in range(50_000)], "on": ["2024-01-01"] * 50_000})
    pq.write_table(table, company.root / "e.parquet", compression="zstd", use_dictionary=False)
    data = bytearray((company.root / "e.parquet").read_bytes())
    data[2000:6000] = bytes(4000)
    company.write("e.parquet", bytes(data))
    assert said(company, table="e.parquet").startswith("e.parquet: source events: cannot be read")


def test_truncated_archives(company: Company):
    text = "account_id,on\n" + "a,2024-01-01\n" * 10_000
    import gzip

    for name, packed in (
        ("e.csv.gz", gzip.compress(text.encode())),
        ("e.csv.zst", pa.compress(text.encode(), codec="zstd", asbytes=True)),
    ):
        company.write(name, packed[: len(packed) // 2])
        assert said(company, table=name).startswith(f"{name}: source events: cannot unpack it")
        company.write(name, text)
        assert said(company, table=name).startswith(f"{name}: source events: cannot unpack it")


def test_bytes_that_are_not_text(company: Company):
    company.write("e.csv", b"account_id,on\na,2024-01-01\nG\xf6\xdfe,2024-01-01\n")
    assert said(company, table="e.csv") == (
        "e.csv:3: source events: not utf-8 text (declare its `encoding`, such as cp1252)"
    )


def test_a_line_of_200_megabytes(company: Company):
    path = company.root / "e.csv"
    with path.open("wb") as out:
        out.write(b"account_id,on\na,2024-01-01\nb,")
        for _ in range(200):
            out.write(b"x" * 2**20)
    start = time.process_time()
    assert said(company, table="e.csv") == (
        "e.csv:3: source events: a line is longer than 4 MB (it is damaged, or not a table of lines)"
    )
    assert time.process_time() - start < 10
    path.rename(company.root / "e.jsonl")
    assert said(company, table="e.jsonl").startswith("e.jsonl:3: source events: a line is longer than 4 MB")


def test_a_header_that_cannot_be_one(company: Company):
    company.write("e.csv", "account_id,on,On\na,2024-01-01,2\n")
    assert said(company, table="e.csv") == (
        "e.csv: source events: the header names 'On' twice (rename one of the columns)"
    )
    company.write("e.csv", "account_id,,on\na,2,2024-01-01\n")
    assert said(company, table="e.csv") == (
        "e.csv: source events: column 2 of the header has no name (name every column)"
    )
    company.write("e.csv", "\n\n")
    assert said(company, table="e.csv") == (
        "e.csv: source events: no header (its first line must name the columns)"
    )


def test_a_column_that_is_not_there(company: Company):
    company.write("e.csv", "acount_id,on\na,2024-01-01\n")
    assert said(company, table="e.csv") == (
        "e.csv: source events: there is no column 'account_id' for `account` (did you mean acount_id?)"
    )


def test_a_quote_that_is_never_closed(company: Company):
    company.write("e.csv", 'account_id,on\na,2024-01-01\n"b,2024-01-02\nc,2024-01-03\n')
    assert said(company, table="e.csv") == (
        "e.csv:3: source events: a quote is not closed, so the lines after it cannot be told apart "
        '(close it, or double the quotes inside of a value (""))'
    )


def test_a_json_array(company: Company):
    company.write("e.json", '[{"account_id": "a"}]')
    assert said(company, table="e.json") == (
        "e.json: source events: a JSON array, not JSON lines (write one object per line)"
    )


def test_databases(company: Company):
    write_all(company.root, pa.table({"account_id": ["a"], "on": ["2024-01-01"]}))
    for name in ("t.sqlite", "t.duckdb"):
        assert said(company, table="mytable", database=name) == (
            f"{name}: source events: there is no table 'mytable' (did you mean my table?)"
        )
    assert said(company, table="x", database="t.csv") == (
        "t.csv: source events: neither a DuckDB nor a SQLite file (check `database`)"
    )
    whole = (company.root / "t.duckdb").read_bytes()
    company.write("cut.duckdb", whole[:5000])
    assert said(company, table="my table", database="cut.duckdb").startswith(
        "cut.duckdb: source events: cannot"
    )
    whole = (company.root / "t.sqlite").read_bytes()
    company.write("cut.sqlite", whole[:100])
    assert said(company, table="my table", database="cut.sqlite").startswith("cut.sqlite: source events: ")


def test_a_sheet_that_is_none(company: Company):
    company.write("e.xlsx", b"PK\x03\x04 no more")
    assert said(company, table="e.xlsx") == (
        "e.xlsx: source events: not a spreadsheet that can be read "
        "(it may be truncated or have a password; save it again)"
    )


def test_a_file_that_may_not_be_read(company: Company, monkeypatch: pytest.MonkeyPatch):
    path = company.write("e.csv", "account_id,on\n")
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")
    assert said(company, table="e.csv") == (
        "source events: no permission to read e.csv (let the user of this process read it)"
    )


def test_paths_outside_of_the_project_are_shown_whole(
    company: Company, tmp_path_factory: pytest.TempPathFactory
):
    other: Path = tmp_path_factory.mktemp("other") / "e.csv"
    other.write_text("\n")
    assert said(company, table=str(other)).startswith(f"{other}: source events: no header")
