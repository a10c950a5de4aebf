from __future__ import annotations

import json
import resource
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retinue.errors import StoreError
from retinue.store.published.manifest import Manifest, Part, merge_parts, read_manifest
from retinue.store.published.runs import RunWriter, sweep
from tests.store.company import NOW, SUNDAYS, intact, snapshots, write_run

days = st.dates(date(2025, 1, 1), date(2025, 3, 1))
parts = st.lists(st.frozensets(days, min_size=1), max_size=4).map(
    lambda sets: [Part(f"runs/r{n}/2025-01", tuple(sorted(dates))) for n, dates in enumerate(sets)]
)


def test_a_manifest_reads_back_as_it_was_written(home: Path):
    manifest = write_run(home, "r1", SUNDAYS, 10, 50.0, None)
    assert read_manifest(home, "r1") == manifest
    assert set(manifest.files) == {
        f"runs/r1/{month}/{table}.parquet"
        for month in ("2026-01", "2026-02")
        for table in ("components", "snapshots")
    }
    assert intact(home, manifest)


def test_a_manifest_of_a_newer_retinue_is_refused(home: Path):
    manifest = write_run(home, "r1", SUNDAYS, 1, 50.0, None)
    path = home / manifest.path
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 2}))
    with pytest.raises(StoreError, match=r"has format 2; this Retinue reads up to 1 \(upgrade Retinue\)"):
        read_manifest(home, "r1")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 1}', "\xff", '{"format": 1, "run_id": 3'])
def test_a_damaged_manifest_is_an_error_in_one_line(home: Path, text: str):
    path = home / write_run(home, "r1", SUNDAYS, 1, 50.0, None).path
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(StoreError, match="cannot read") as caught:
        read_manifest(home, "r1")
    assert "\n" not in str(caught.value)


def test_a_run_is_named_plainly_and_written_once(home: Path):
    write_run(home, "r1", SUNDAYS, 1, 50.0, None)
    with pytest.raises(StoreError, match="has been written before"):
        RunWriter(home, "r1")
    for name in ("", "../r2", "a/b", ".hidden", "x" * 65):
        with pytest.raises(StoreError, match="not a run id"):
            RunWriter(home, name)
        with pytest.raises(StoreError, match="not a run id"):
            read_manifest(home, name)


@given(parts, parts)
def test_for_each_date_the_newest_part_wins_and_no_date_is_lost(previous: list[Part], new: list[Part]):
    merged: tuple[Part, ...] = ()
    expected: dict[date, str] = {}
    for generation, parts_of_run in enumerate((previous, new)):
        for part in parts_of_run:
            path = f"runs/{generation}/{part.path}"
            merged = merge_parts(merged, [Part(path, part.dates)])
            expected.update(dict.fromkeys(part.dates, path))
    found = [(day, part.path) for part in merged for day in part.dates]
    assert len(found) == len(expected)
    assert dict(found) == expected


def test_a_part_whose_dates_are_taken_over_is_whole_no_more():
    old = Part("runs/a/2026-01", tuple(SUNDAYS[:3]))
    merged = merge_parts([old], [Part("runs/b/2026-01", tuple(SUNDAYS[2:4]))])
    assert [(part.path, part.dates, part.whole) for part in merged] == [
        ("runs/a/2026-01", tuple(SUNDAYS[:2]), False),
        ("runs/b/2026-01", tuple(SUNDAYS[2:4]), True),
    ]
    later = merge_parts(merged, [Part("runs/c/2026-03", (date(2026, 3, 1),))])
    assert not later[0].whole


def test_a_run_names_the_parts_of_all_its_dates_also_those_without_rows(home: Path):
    writer = RunWriter(home, "r1")
    writer.write("snapshots", snapshots(2, SUNDAYS[:4]), "2026-01")
    assert writer.parts(SUNDAYS) == (
        Part("runs/r1/2026-01", tuple(SUNDAYS[:4]), ("snapshots",)),
        Part("runs/r1/2026-02", tuple(SUNDAYS[4:]), ()),
    )


def test_sweeping_removes_runs_that_never_finished_and_no_others(home: Path):
    write_run(home, "done", SUNDAYS, 1, 50.0, None)
    RunWriter(home, "killed").write("snapshots", snapshots(2, SUNDAYS[:4]), "2026-01")
    RunWriter(home, "going-on")
    assert sweep(home, keep=["going-on"]) == ["killed"]
    assert sorted(path.name for path in (home / "runs").iterdir()) == ["done", "going-on"]
    assert sweep(home / "nowhere") == []


def test_a_disk_that_takes_no_more_is_an_error_in_one_line_and_leaves_no_half_file(home: Path):
    code = f"""
import resource, sys
from pathlib import Path
from retinue.errors import StoreError
from retinue.store.published.runs import RunWriter
from tests.store.company import SUNDAYS, components
rows = components(20000, SUNDAYS[:4])
writer = RunWriter(Path({str(home)!r}), "r1")
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
try:
    writer.write("components", rows, "2026-01")
except StoreError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("cannot write")
    assert done.stdout.count("\n") == 1
    assert list(home.rglob("*.parquet*")) == []
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 20_000


def test_the_manifest_of_another_run_is_refused(home: Path):
    writer = RunWriter(home, "r1")
    with pytest.raises(StoreError, match="the manifest is of run r2, not of r1"):
        writer.finish(Manifest("r2", NOW, NOW, (), ()))
