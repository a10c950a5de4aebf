"""The benchmark of scale: its log, its equality, and its command, on a company of a few thousand events."""

from __future__ import annotations

import hashlib
import json
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from benchmarks.scale.__main__ import main
from benchmarks.scale.compare import Plan
from benchmarks.scale.contenders import by_date, floor
from benchmarks.scale.declare import declare, many
from benchmarks.scale.equality import compare
from benchmarks.scale.generate import Size, generate
from benchmarks.scale.plot import Panel, page, ticks
from retinue.project.load import load

SIZE = Size(events=8_000, accounts=30, days=150)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generate(tmp_path_factory.mktemp("log"), SIZE)


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    """The folder and the results of the command without the frames, which need packages of their own."""
    folder = tmp_path_factory.mktemp("bench")
    size = ["--events", str(SIZE.events), "--accounts", str(SIZE.accounts), "--days", str(SIZE.days)]
    parts = "floor,weekly,by_date,equal_weekly,run,night,equal_night"
    status = main(
        [
            *size,
            "--folder",
            str(folder),
            "--parts",
            parts,
            "--samples",
            "6",
            "--json",
            str(folder / "all.json"),
        ]
    )
    assert status == 0
    return folder, json.loads((folder / "all.json").read_text())


def _bytes(folder: Path) -> dict[str, str]:
    files = sorted(folder.rglob("*.parquet"))
    return {str(f.relative_to(folder)): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}


def test_the_same_seed_gives_the_same_bytes(log: Path, tmp_path: Path):
    assert _bytes(generate(tmp_path / "again", SIZE)) == _bytes(log)


def test_another_seed_gives_another_log(log: Path, tmp_path: Path):
    other = _bytes(generate(tmp_path / "other", Size(SIZE.events, SIZE.accounts, SIZE.days, seed=2)))
    assert not set(other.values()) & set(_bytes(log).values())


def test_what_was_generated_is_not_written_again(log: Path):
    before = (log / "accounts.parquet").stat().st_mtime_ns
    generate(log, SIZE)
    assert (log / "accounts.parquet").stat().st_mtime_ns == before


def test_a_file_of_the_log_has_what_was_loaded_in_its_month_in_the_order_of_loading(log: Path):
    for file in sorted((log / "events").glob("*.parquet")):
        known = pq.read_table(file)["known_at"].to_pylist()
        assert {f"{at:%Y-%m}" for at in known} == {file.stem}
        assert known == sorted(known)


def test_the_log_has_its_size_and_its_late_rows_and_only_events_of_customers(log: Path):
    events = pq.read_table(log / "events")
    assert events.num_rows == pytest.approx(SIZE.events, rel=0.1)
    found = duckdb.sql(
        f"""SELECT avg(CAST(CAST(known_at AS DATE) > CAST(ts AS DATE) AS INTEGER)),
                   max(CAST(known_at AS DATE) - CAST(ts AS DATE)),
                   count(*) FILTER (CAST(ts AS DATE) < started_on OR CAST(ts AS DATE) > ended_on),
                   count(DISTINCT event), count(*) FILTER (amount IS NULL)
            FROM '{log}/events/*.parquet' JOIN '{log}/accounts.parquet' USING (account)"""
    ).fetchall()[0]
    late, most, strangers, kinds, empty = found
    assert 0.04 < late < 0.12
    assert (most, strangers, kinds) == (10, 0, 6)
    assert empty > 0


def test_the_night_has_what_was_loaded_on_the_day_after(log: Path):
    (file,) = (log / "nights").glob("*.parquet")
    after = SIZE.last + timedelta(days=1)
    assert file.stem == str(after)
    days = set(pc.cast(pq.read_table(file)["known_at"], pa.date32()).to_pylist())
    assert days == {after}


def test_the_floor_counts_every_event_and_every_user(log: Path, tmp_path: Path):
    rows = floor.work({"data": str(log), "memory_limit": "1GB", "spill": str(tmp_path)})()["rows"]
    events = pq.read_table(log / "events")
    days = events.append_column("day", pc.cast(pc.floor_temporal(events["ts"]), pa.date32()))
    assert rows == {
        "sums": days.group_by(["account", "day"]).aggregate([]).num_rows,
        "users": days.group_by(["account", "user", "day"]).aggregate([]).num_rows,
    }


def test_the_sql_of_a_date_knows_nothing_of_later_loading(log: Path, tmp_path: Path):
    day = SIZE.start + timedelta(days=100)
    cut = tmp_path / "cut"
    (cut / "events").mkdir(parents=True)
    (cut / "accounts.parquet").write_bytes((log / "accounts.parquet").read_bytes())
    events = pq.read_table(log / "events")
    known = pc.cast(pc.floor_temporal(events["known_at"]), pa.date32())
    pq.write_table(events.filter(pc.less_equal(known, pa.scalar(day))), cut / "events" / "all.parquet")
    found = []
    for data in (log, cut):
        file = tmp_path / f"{data.name}.parquet"
        spec = {"data": str(data), "memory_limit": "1GB", "spill": str(tmp_path), "dates": [str(day)]}
        by_date.work({**spec, "values": str(file)})()
        found.append(pq.read_table(file).sort_by("account"))
    assert found[0].num_rows > 10
    assert found[0] == found[1]


def test_the_command_measures_each_part_and_finds_every_value_equal(measured: tuple[Path, dict]):
    _, told = measured
    assert {name: part["why"] for name, part in told["parts"].items()} == dict.fromkeys(told["parts"], "")
    assert set(told["parts"]) == {"floor", "weekly", "by_date", "equal_weekly", "run", "night", "equal_night"}
    for part in ("equal_weekly", "equal_night"):
        equal = told["equal"][part]
        assert equal["values"] == 12 * equal["scores"] > 0
        assert equal["different"] == equal["different_scores"] == 0
    assert told["parts"]["weekly"]["told"]["dates"] == len(Plan(Path(), SIZE, 1, 6, 1, "").weeks())
    assert told["parts"]["night"]["told"]["dates"] == 1
    assert told["parts"]["night"]["told"]["kept"]["source events"].startswith("read what is new")


def test_the_table_is_made_again_from_what_was_kept(
    measured: tuple[Path, dict], capsys: pytest.CaptureFixture
):
    folder, told = measured
    size = ["--events", str(SIZE.events), "--accounts", str(SIZE.accounts), "--days", str(SIZE.days)]
    again = folder / "again.json"
    assert main([*size, "--folder", str(folder), "--parts", "", "--samples", "6", "--json", str(again)]) == 0
    assert json.loads(again.read_text())["full"] == told["full"]
    printed = capsys.readouterr().out
    assert "Retinue, weekly" in printed
    assert "not run" in printed  # the daily history was not asked for


@pytest.mark.parametrize("column", ["users_28d", "events_change", "computed"])
def test_one_value_that_differs_is_found(measured: tuple[Path, dict], tmp_path: Path, column: str):
    folder, _ = measured
    (values,) = (folder / "values").iterdir()
    ours = pq.read_table(values / "weekly.parquet")
    numbers = ours[column].to_pylist()
    place = next(n for n, number in enumerate(numbers) if number)
    numbers[place] += 1e-6
    changed = ours.set_column(ours.column_names.index(column), column, pa.array(numbers, pa.float64()))
    pq.write_table(changed, tmp_path / "changed.parquet")
    found = compare(tmp_path / "changed.parquet", values / "by_date.parquet")
    assert found["different"] + found["different_scores"] == 1
    assert column in found["example"]


def test_a_row_that_is_missing_is_found(measured: tuple[Path, dict], tmp_path: Path):
    folder, _ = measured
    (values,) = (folder / "values").iterdir()
    pq.write_table(pq.read_table(values / "weekly.parquet").slice(1), tmp_path / "fewer.parquet")
    assert compare(tmp_path / "fewer.parquet", values / "by_date.parquet")["different"] > 0


def test_sampled_dates_are_of_the_whole_span_with_sundays_among_them():
    plan = Plan(Path(), Size(), 0.1, 12, 600, "1GB")
    sample = plan.sample()
    assert sample == Plan(Path(), Size(), 0.1, 12, 600, "1GB").sample()
    assert len(sample) == 12
    assert sample[0] < date(2023, 3, 5)
    assert sample[-1] > date(2024, 10, 28)
    assert 6 <= sum(day.isoweekday() == 7 for day in sample) < 12


def test_a_project_of_many_metrics_is_a_project(log: Path, tmp_path: Path):
    project = load(declare(tmp_path / "wide", log, metrics=50), {})
    assert len(project.metrics) == 50
    assert len({str(metric) for metric in many(50)[0].values()}) == 50


def test_a_picture_has_every_point_within_its_frame():
    drawn = page("events", [Panel("seconds", [1e6, 3e6, 1e8], [2.0, 4.0, 90.0])])
    assert drawn.count("<circle") == 3
    assert "100 M" in drawn
    assert ticks(1e6, 1e8) == [1e6, 1e7, 1e8]
    assert ticks(2.5, 30) == [2.0, 5.0, 10.0, 20.0, 50.0]
