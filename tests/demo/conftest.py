"""A tiny company in full, and a mid-sized one with few product events, both simulated once."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from retinue.demo import Simulated, simulate


@dataclass(frozen=True)
class Tables:
    """The files of a simulation as Arrow tables."""

    told: Simulated

    @property
    def directory(self) -> Path:
        return self.told.directory

    def csv(self, name: str) -> pa.Table:
        """All columns as text, empty cells as null."""
        path = self.directory / "data" / f"{name}.csv"
        header = path.read_text("utf-8").partition("\n")[0].replace('"', "").split(",")
        options = pa.csv.ConvertOptions(
            column_types={column: pa.string() for column in header},
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            null_values=[""],
        )
        return pa.csv.read_csv(path, convert_options=options)

    def truth(self, name: str) -> pa.Table:
        return pq.read_table(self.directory / "truth" / f"{name}.parquet")

    @cached_property
    def events(self) -> pa.Table:
        return pq.read_table(self.directory / "data" / "events")

    @cached_property
    def story(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads((self.directory / "truth" / "truth.json").read_text("utf-8"))
        return told


def texts(table: pa.Table, column: str) -> np.ndarray[Any, Any]:
    return np.array(table[column].to_pylist(), dtype=object)


def dates(table: pa.Table, column: str) -> np.ndarray[Any, Any]:
    """A column of ISO dates in text as datetime64[D]; NaT where empty."""
    values = [value and value[:10] for value in table[column].to_pylist()]
    return np.array([np.datetime64(value, "D") if value else np.datetime64("NaT", "D") for value in values])


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    """60 accounts over 6 months."""
    return Tables(simulate(tmp_path_factory.mktemp("tiny"), accounts=60, months=6))


@pytest.fixture(scope="session")
def midsize(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    """3,000 accounts over 18 months, with a tenth of the everyday product events."""
    return Tables(simulate(tmp_path_factory.mktemp("midsize"), accounts=3000, volume=0.1))
