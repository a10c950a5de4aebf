"""The same rows give the same facts whatever they are stored in."""

from __future__ import annotations

import random
from datetime import date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from retinue.errors import SourceError
from retinue.warehouse.facts.sources import Wanted
from tests.facts.tables import Company, Loaded, Rows, write_all, write_sheet

FORMATS = (
    "csv",
    "gzip",
    "zstd",
    "tsv",
    "semicolons",
    "json lines",
    "excel",
    "sqlite",
    "duckdb",
    "parquet glob",
    "csv glob",
)
EVENTS = pa.table(
    {
        "account_id": ["a", "b", "b", None, "zzz", "c"],
        "on": [
            date(2024, 2, 29),
            date(2024, 3, 31),
            date(2024, 3, 31),
            date(2024, 1, 1),
            date(2024, 1, 2),
            None,
        ],
        "seen": [
            datetime(2024, 3, 1, 10, 30),
            datetime(2024, 4, 1, 0, 0, 1),
            datetime(2024, 4, 2, 23, 59),
            None,
            None,
            None,
        ],
        "amount": [1.5, -0.25, None, 3.0, 4.0, 5.0],
        "seats": [1, 2, None, 4, 5, 6],
        "kind": ["log in", 'say "hi", all', None, "x", "y", "ünï 🎉"],
    }
)
WANTED = Wanted(numbers=frozenset({"amount", "seats"}), plain=frozenset({"kind"}))


def typed(company: Company, declared: dict[str, str]) -> tuple[Rows, list[str]]:
    got = company.load(
        {"events": {"known_at": "seen", "trusted_from": "2024-01-01", **declared}}, wanted={"events": WANTED}
    )
    return got.sources["events"], got.reasons


@pytest.mark.parametrize("kind", FORMATS)
def test_a_format_gives_the_facts_that_parquet_gives(company: Company, kind: str):
    tables = write_all(company.root, EVENTS)
    expected = typed(company, tables["parquet"])
    assert [row["day"] for row in expected[0]] == [date(2024, 2, 29), date(2024, 3, 31), date(2024, 3, 31)]
    assert set(expected[1]) == {
        "account_id is empty",
        'account_id "zzz" is not an account',
        "occurred_at (on) is empty",
    }
    assert typed(company, tables[kind]) == expected


def test_a_sheet_is_chosen_by_name_and_its_ids_lose_their_decimals(company: Company):
    write_sheet(
        company.root / "t.xlsx",
        {"notes": [["nothing"]], "data": [[None], ["account_id", "on"], [1001.0, date(2024, 5, 1)]]},
    )
    company.write("ids.csv", "account_id\n1001\n")
    got = company.load({"events": {"table": "t.xlsx", "sheet": "data"}}, accounts={"table": "ids.csv"})
    assert [(row["ix"], row["day"]) for row in got.sources["events"]] == [(0, date(2024, 5, 1))]
    with pytest.raises(SourceError, match=r"there is no sheet 'dta'.*did you mean data"):
        company.load({"events": {"table": "t.xlsx", "sheet": "dta"}}, accounts={"table": "ids.csv"})


def test_other_encodings_and_line_ends_are_read(company: Company):
    text = "account_id;on;kind\na;2024-01-01;Größe\n"
    for encoding in ("cp1252", "utf-16", "latin-1", "utf-8-sig"):
        for end in ("\n", "\r\n", "\r"):
            company.write("events.csv", text.replace("\n", end).encode(encoding))
            got = company.load(
                {"events": {"table": "events.csv", "encoding": encoding}},
                wanted={"events": Wanted(plain=frozenset({"kind"}))},
            )
            assert [row["c_kind"] for row in got.sources["events"]] == ["Größe"]


def test_mixed_line_ends_and_line_breaks_in_values_are_read(company: Company):
    got = company.events(
        'account_id,on,kind\r\na,2024-01-01,"two\nlines"\nb,2024-01-02,one\r\n',
        Wanted(plain=frozenset({"kind"})),
    )
    assert {row["c_kind"] for row in got.sources["events"]} == {"two\nlines", "one"}


def test_lines_that_are_not_rows_are_rejected_at_their_position(company: Company):
    got = company.events("account_id,on\na,2024-01-01\nb\nb,2024-01-02,9\nzzz,2024-01-03\nc,2024-01-04\n")
    assert [(row["row"], row["reason"], row["raw"]) for row in got.rejected] == [
        (2, "the line has 1 values, the header 2", '"b"'),
        (3, "the line has 3 values, the header 2", '"b,2024-01-02,9"'),
        (4, 'account_id "zzz" is not an account', '{"account_id":"zzz","on":"2024-01-03"}'),
    ]
    assert [row["ix"] for row in got.sources["events"]] == [0, 2]
    counts = got.counts["events"]
    assert (counts.read, counts.kept, counts.rejected) == (5, 2, 3)


def test_positions_go_on_over_the_files_of_a_glob(company: Company):
    company.write("e1.csv", "account_id,on\na,2024-01-01\nb\n")
    company.write("e2.csv", "on,account_id,extra\n2024-01-02,zzz,1\n")
    got = company.load({"events": {"table": "e*.csv"}})
    assert [(row["row"], row["reason"]) for row in got.rejected] == [
        (2, "the line has 1 values, the header 2"),
        (3, 'account_id "zzz" is not an account'),
    ]


def test_json_lines_may_lack_keys_nest_values_and_be_broken(company: Company):
    company.write(
        "e.jsonl",
        '{"account_id": "a", "on": "2024-01-01", "who": {"id": 7}}\n\n'
        '{"account_id": "b", "on": "2024-01-02"}\nnot json\n[1]\n',
    )
    got = company.load({"events": {"table": "e.jsonl"}}, wanted={"events": Wanted(plain=frozenset({"who"}))})
    assert [row["c_who"] for row in got.sources["events"]] == ['{"id":7}', None]
    assert [(row["row"], row["reason"], row["raw"]) for row in got.rejected] == [
        (3, "the line is not a JSON object", '"not json"'),
        (4, "the line is not a JSON object", '"[1]"'),
    ]


STRANGE = [
    "select",
    "order by",
    '"; drop table x; --',
    "at",
    "ein Wort",
    "naïve",
    "🎉",
    "a'b",
    "a\\b",
    "key",
    "ix",
    "day",
]


@pytest.mark.parametrize("kind", ["parquet", "csv", "json lines", "excel", "sqlite", "duckdb"])
def test_columns_may_have_any_name(company: Company, kind: str):
    data = {"account_id": ["a", "b"], "on": ["2024-01-01", "2024-01-02"]}
    tables = write_all(company.root, pa.table(data | {name: [f"{n}", "9"] for n, name in enumerate(STRANGE)}))
    wanted = Wanted(plain=frozenset(STRANGE), numbers=frozenset(STRANGE))
    got = company.load({"events": tables[kind] | {"unique": STRANGE}}, wanted={"events": wanted})
    first = got.sources["events"][0]
    assert [first[f"c_{name}"] for name in STRANGE] == [str(n) for n in range(len(STRANGE))]
    assert [int(first[f"n_{name}"]) for name in STRANGE] == list(range(len(STRANGE)))


def test_a_file_may_have_any_name(company: Company):
    for name in (
        "a[1].csv",
        "b?.csv",
        "c*.csv",
        "d'e.csv",
        'f"; drop.csv',
        "g h.csv",
        "ü🎉.csv",
        "[x].parquet",
    ):
        if name.endswith("parquet"):
            pq.write_table(pa.table({"account_id": ["a"], "on": ["2024-01-01"]}), company.root / name)
        else:
            company.write(name, "account_id,on\na,2024-01-01\n")
        assert len(company.load({"events": {"table": name}}).sources["events"]) == 1


def test_a_table_with_a_header_only_is_empty(company: Company):
    got = company.events("account_id,on,n\n", Wanted(numbers=frozenset({"n"})))
    assert (got.sources["events"], got.rejected) == ([], [])
    assert (got.counts["events"].read, got.counts["events"].kept) == (0, 0)


def test_a_project_of_no_accounts_rejects_every_fact(company: Company):
    company.write("none.csv", "account_id\n")
    got = company.events("account_id,on\na,2024-01-01\n", accounts={"table": "none.csv"})
    assert (got.accounts, got.reasons) == ([], ['account_id "a" is not an account'])


def test_two_sources_may_be_in_one_database(company: Company):
    tables = write_all(company.root, EVENTS)
    got = company.load({"one": tables["duckdb"], "two": tables["duckdb"]})
    assert got.sources["one"] == got.sources["two"] != []


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_rows_does_not_matter(seed: int, tmp_path: Path):
    lines = [
        "a,2024-01-01,1,k1",
        "a,2024-01-01,2,k1",
        "b,2024-01-02,3,k2",
        "b,2024-01-02,3,k2",
        "zzz,2024-01-02,3,k3",
        "c,nonsense,3,k4",
        "c,2023-01-02,x,k5",
        "c,2023-01-03,7,k6",
    ]

    def read(lines: list[str], folder: str) -> Loaded:
        company = Company(tmp_path / folder)
        text = "account_id,on,n,id\n" + "\n".join(lines)
        return company.events(text, Wanted(numbers=frozenset({"n"})), unique=["id"])

    shuffled = random.Random(seed).sample(lines, len(lines))
    straight, other = read(lines, "straight"), read(shuffled, "shuffled")
    assert other.sources == straight.sources
    assert sorted(other.reasons) == sorted(straight.reasons)
    assert sorted(int(row["n_n"]) for row in straight.sources["events"]) == [1, 3, 7]
