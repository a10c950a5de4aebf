"""Whole runs of a project with everything in it: the exported tables are those of DuckDB."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from retinue.store.published.contract import TABLES
from tests.engines.alike import alike
from tests.engines.conftest import Elsewhere
from tests.run.company import DAY, Company, opened, score
from tests.run.everything import LAST, METRICS, SETTINGS, WORDS, everything, say

SQL = (
    "SELECT account_id, as_of, count(*) AS value FROM usage WHERE day > as_of - 10 GROUP BY account_id, as_of"
)


def scored(company: Company, root: Path, engine: str = "duckdb") -> Path:
    """Two runs, the second of which goes on from the first; returns the folder of exported tables."""
    (root / "sql").mkdir(parents=True)
    (root / "sql" / "busy.sql").write_text(SQL)
    told = replace(
        company,
        settings={**company.settings, "engine": engine},
        metrics={**METRICS, "busy": {"sql": "sql/busy.sql"}},
    )
    told.write(root)
    say(root, WORDS)
    score(root, LAST - 3 * DAY, LAST - 9 * DAY)
    score(root, LAST)
    workspace = opened(root)
    try:
        workspace.published().export(root / "out", "parquet")
    finally:
        workspace.store.close()
    return root / "out"


def in_place(company: Company, elsewhere: Elsewhere, folder: Path) -> Company:
    """`company` with its tables in another engine, as text, which is what a CSV has."""
    company.write(folder)
    there = {}
    for path in sorted((folder / "data").glob("*.csv")):
        names = path.read_text().partition("\n")[0].split(",")
        text = pa.csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=True)
        there[f"data/{path.name}"] = elsewhere.put(path.stem, pa.csv.read_csv(path, convert_options=text))
    return replace(company, settings=_moved(SETTINGS, there))


def _moved(told: Any, there: dict[str, str]) -> Any:
    if isinstance(told, dict):
        return {key: _moved(value, there) for key, value in told.items()}
    return there.get(told, told) if isinstance(told, str) else told


def differences(here: Path, there: Path) -> list[str]:
    """Counts, texts, states and days are the same; floats to 1e-9."""
    wrong = []
    for name in TABLES:
        ours, theirs = pq.read_table(here / f"{name}.parquet"), pq.read_table(there / f"{name}.parquet")
        if ours.schema != theirs.schema or ours.num_rows != theirs.num_rows:
            wrong.append(f"{name}: {ours.num_rows} and {theirs.num_rows} rows")
            continue
        if ours.equals(theirs):
            continue
        for column in ours.column_names:
            pairs = zip(told(ours[column]), told(theirs[column]), strict=True)
            wrong += [f"{name}.{column}: {one} and {other}" for one, other in pairs if not alike(one, other)]
    return wrong


def told(column: pa.ChunkedArray) -> list[Any]:
    """Values; text that is JSON as what it says, since it may hold floats."""
    values = column.to_pylist()
    return [json.loads(v) if isinstance(v, str) and v.startswith(("{", "[")) else v for v in values]


@pytest.fixture(scope="module")
def company() -> Company:
    return everything(accounts=10)


@pytest.fixture(scope="module")
def here(company: Company, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tables of DuckDB."""
    return scored(company, tmp_path_factory.mktemp("here") / "project")


def test_two_runs_over_tables_in_place_export_the_tables_of_duckdb(
    company: Company, here: Path, elsewhere: Elsewhere, tmp_path: Path
) -> None:
    there = scored(in_place(company, elsewhere, tmp_path / "data"), tmp_path / "there", elsewhere.url)
    assert pq.read_metadata(here / "snapshots.parquet").num_rows > 40
    assert differences(here, there) == []
