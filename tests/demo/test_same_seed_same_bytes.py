from __future__ import annotations

import hashlib
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from retinue.demo import simulate
from retinue.demo.chance import BLOCK
from retinue.demo.writing import ParquetFile
from retinue.errors import RetinueError
from tests.demo.conftest import Tables


def _hashes(directory: Path) -> dict[str, str]:
    return {
        path.relative_to(directory).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def test_the_same_seed_gives_the_same_bytes(tiny: Tables, tmp_path: Path) -> None:
    simulate(tmp_path, accounts=60, months=6)
    assert _hashes(tmp_path) == _hashes(tiny.directory)


def test_another_seed_gives_other_tables(tiny: Tables, tmp_path: Path) -> None:
    simulate(tmp_path, accounts=60, months=6, seed=8)
    ours, theirs = _hashes(tiny.directory), _hashes(tmp_path)
    same = {name for name in ours if ours[name] == theirs.get(name)}
    assert {name for name in same if name.startswith(("data", "truth"))} == set()


def test_a_larger_company_contains_the_smaller_one(tiny: Tables, tmp_path: Path) -> None:
    large = Tables(simulate(tmp_path, accounts=BLOCK + 40, months=6))
    mine = pa.array(tiny.csv("accounts")["account_id"].to_pylist())
    for name in ("accounts", "contracts", "outcomes", "contacts", "pulses", "interventions", "notices"):
        whole = large.csv(name)
        assert whole.filter(pc.is_in(whole["account_id"], mine)).equals(tiny.csv(name)), name
    events = large.events
    assert events.filter(pc.is_in(events["account_id"], mine)).equals(tiny.events)


def test_an_earlier_simulation_leaves_no_months_behind(tmp_path: Path) -> None:
    simulate(tmp_path, accounts=5, months=3, last_day=date(2026, 3, 31), volume=0.1)
    simulate(tmp_path, accounts=5, months=2, last_day=date(2026, 3, 31), volume=0.1)
    months = sorted(path.stem for path in (tmp_path / "data" / "events").iterdir())
    assert months == ["2026-02", "2026-03"]


def test_a_parquet_file_does_not_depend_on_how_its_rows_arrive(tmp_path: Path) -> None:
    schema = pa.schema({"n": pa.int64(), "name": pa.string()})
    numbers = np.arange(150_000)
    names = pa.DictionaryArray.from_arrays(
        pa.array((numbers % 3).astype(np.int32)), pa.array(["a", "b", "c"])
    )
    table = pa.table({"n": numbers, "name": names})
    for name, size in (("whole", 150_000), ("pieces", 7_001), ("rows", 65_536)):
        file = ParquetFile(tmp_path / name, schema)
        for start in range(0, len(numbers), size):
            file.write(table.slice(start, size))
        file.close()
    assert (tmp_path / "whole").read_bytes() == (tmp_path / "pieces").read_bytes()
    assert (tmp_path / "whole").read_bytes() == (tmp_path / "rows").read_bytes()


def test_progress_is_told_from_the_beginning_to_the_end(tmp_path: Path) -> None:
    heard: list[float] = []
    simulate(
        tmp_path, accounts=BLOCK + 1, months=1, volume=0.1, progress=lambda _what, done: heard.append(done)
    )
    assert heard[0] == 0
    assert heard[-1] == 1
    assert heard == sorted(heard)


@pytest.mark.parametrize("wrong", [{"accounts": 0}, {"months": 0}, {"seed": -1}, {"volume": 0.0}])
def test_sizes_that_make_no_company_are_refused(tmp_path: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(RetinueError, match="at least one account"):
        simulate(tmp_path, **wrong)
    assert list(tmp_path.iterdir()) == []
