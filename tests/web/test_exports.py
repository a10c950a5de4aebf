"""An export opens in a spreadsheet as what it is: numbers are numbers, texts are texts, nothing is run."""

from __future__ import annotations

import csv
import dataclasses
import io
from datetime import date
from pathlib import Path

import duckdb
import pytest

from retinue.desk.book import BookRow
from retinue.store.people.access import OPERATOR
from retinue.store.published.current import CurrentRow
from retinue.store.published.current import accounts as everything
from retinue.web.pages.book import COLUMNS, _csv, safe
from tests.web.company import mark
from tests.web.house import House
from tests.web.payloads import FORMULAS, MARKUP

TEXTS = ("account_id", "name", "owner", "territory", "segment", "stage", "reason", "cap")
#: What begins a formula in some spreadsheet, after what it skips.
BEGINS = set("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")


def exported(row: CurrentRow) -> dict[str, str]:
    text = "".join(_csv(iter([BookRow(row, 2, None, False, 1)])))
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert len(rows) == 1
    return rows[0]


@pytest.fixture(scope="module")
def plain(house: House) -> CurrentRow:
    return everything(house.workspace.store, OPERATOR, limit=1)[0]


@pytest.mark.parametrize("text", [*FORMULAS, *MARKUP])
def test_no_cell_is_taken_for_a_formula(plain: CurrentRow, text: str) -> None:
    told = exported(dataclasses.replace(plain, **dict.fromkeys(TEXTS, text)))
    for name in TEXTS:
        cell = told[name]
        assert cell.lstrip(" \ufeff\u00a0\u200b")[:1] not in BEGINS, name
        # Nothing of the text is lost: what is put before it is one mark.
        assert cell in (text, "'" + text)


def test_numbers_and_dates_stay_what_they_are(plain: CurrentRow) -> None:
    told = exported(
        dataclasses.replace(plain, delta_7=-3.25, arr=1e6, effective=None, renews_on=date(2026, 5, 1))
    )
    assert told["delta_7"] == "-3.25"
    assert told["arr"] == "1000000.0"
    assert told["effective"] == ""
    assert told["renews_on"] == "2026-05-01"
    assert (told["open_tasks"], told["open_alerts"]) == ("2", "1")
    assert safe(True) == "True"


def test_a_reader_of_types_finds_the_types(house: House, tmp_path: Path) -> None:
    answer = house.browser("leader").get("/book.csv?scope=all")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="accounts-2026-03-02.csv"'
    path = tmp_path / "book.csv"
    path.write_bytes(answer.content)
    found = duckdb.sql(f"DESCRIBE SELECT * FROM read_csv('{path}')").fetchall()
    kinds = {name: kind for name, kind, *_ in found}
    assert list(kinds) == [*COLUMNS, "open_tasks", "open_alerts"]
    assert {kinds[name] for name in ("effective", "delta_28", "coverage", "arr")} == {"DOUBLE"}
    assert {kinds[name] for name in ("as_of", "renews_on")} == {"DATE"}
    assert {kinds[name] for name in ("account_id", "name", "owner", "reason")} == {"VARCHAR"}
    assert duckdb.sql(f"SELECT count(*) FROM read_csv('{path}')").fetchall() == [(48,)]


def test_texts_of_sources_come_back_as_they_went_in(hostile_house: House) -> None:
    answer = hostile_house.browser("admin").get("/book.csv?scope=all&sort=account_id")
    found = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert sorted(row["name"] for row in found) == sorted(f"{n:02}{text}" for n, text in enumerate(MARKUP))
    assert mark(0) not in answer.text
