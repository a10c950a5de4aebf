"""`retinue check` finds the same problems in tables in place as in files."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from retinue.project.load import load
from retinue.run.check import check_data
from tests.engines.conftest import Elsewhere
from tests.engines.test_runs_are_alike import in_place
from tests.run.company import Company, noon
from tests.run.everything import LAST, everything


def messy() -> Company:
    """Rows of nobody, of no day, of the future and twice, an end before its start, a feed that stopped."""
    company = everything(accounts=8)
    usage = [row for row in company.tables["usage"] if str(row["ts"]) < "2024-03-01"]
    usage += [{**usage[n], "id": "nobody"} for n in range(3)]
    usage += [{**usage[n], "ts": told} for n, told in enumerate(("never", "2024-02-30", "2031-01-01"))]
    tickets = [*company.tables["tickets"], *company.tables["tickets"][:5]]
    invoices = [
        {**row, "amount": "a lot"} if n < 2 else row for n, row in enumerate(company.tables["invoices"])
    ]
    people = [{**row, "arr": -5} if n == 3 else row for n, row in enumerate(company.accounts)]
    tables = {**company.tables, "usage": usage, "tickets": tickets, "invoices": invoices}
    return replace(company, accounts=[*people, people[4]], tables=tables)


def problems(company: Company, root: Path, engine: str = "duckdb") -> list[tuple[str, str]]:
    told = replace(company, settings={**company.settings, "engine": engine})
    told.write(root)
    found = check_data(load(root, {}), noon(LAST))
    # They name the file, or the table.
    return [(one.severity, re.sub(r" \(in [\w./]+\)$", "", one.message)) for one in found]


def test_problems_of_tables_in_place_are_those_of_files(elsewhere: Elsewhere, tmp_path: Path) -> None:
    company = messy()
    here = problems(company, tmp_path / "here")
    there = problems(in_place(company, elsewhere, tmp_path / "data"), tmp_path / "there", elsewhere.url)
    assert len(here) > 5
    assert there == here
