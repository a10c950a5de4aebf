from __future__ import annotations

from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest

from retinue.errors import NotFound, StoreError
from retinue.store.published import parquet
from retinue.store.published import snapshots as reading
from retinue.store.published.contract import TABLES
from retinue.store.published.manifest import Manifest, merge_parts
from retinue.store.published.runs import RunWriter
from retinue.store.published.snapshots import Published
from tests.store.company import NOW, SUNDAYS, attributes, ids, snapshots, write_run


def everything(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture
def published(home: Path) -> Published:
    write_run(home, "r1", SUNDAYS, 20, 50.0, None)
    return Published(home, write_run(home, "r2", SUNDAYS[3:6], 21, 80.0, "r1"))


def test_for_each_date_the_newest_run_is_read(published: Published):
    rows = published.table("snapshots")
    by_date = rows.group_by("as_of").aggregate([("base", "min"), ([], "count_all")]).sort_by("as_of")
    assert by_date["as_of"].to_pylist() == SUNDAYS
    assert by_date["base_min"].to_pylist() == [50, 50, 50, 80, 80, 80, 50, 50]
    assert by_date["count_all"].to_pylist() == [20, 20, 20, 21, 21, 21, 20, 20]
    assert rows.schema.equals(TABLES["snapshots"].schema())


def test_a_date_restated_without_any_row_has_none(home: Path):
    first = write_run(home, "r1", SUNDAYS[:4], 5, 50.0, None)
    writer = RunWriter(home, "r2")
    parts = merge_parts(first.parts, writer.parts([SUNDAYS[1]]))
    second = writer.finish(Manifest("r2", NOW, NOW, (SUNDAYS[1],), parts, previous="r1"))
    found = set(Published(home, second).table("snapshots")["as_of"].to_pylist())
    assert found == {SUNDAYS[0], SUNDAYS[2], SUNDAYS[3]}
    assert Published(home, second).dates() == tuple(SUNDAYS[:4])


def test_rows_are_read_by_account_date_and_column(published: Published):
    rows = published.table(
        "components", account="A-00003", first=SUNDAYS[2], last=SUNDAYS[3], columns=["points", "as_of"]
    )
    assert rows.column_names == ["points", "as_of"]
    assert rows.to_pylist() == [
        {"points": points, "as_of": day}
        for day, points in ((SUNDAYS[2], 50.0), (SUNDAYS[3], 80.0))
        for _ in "ab"
    ]
    some = published.table("snapshots", account=["A-00001", "A-00020"])
    assert some.num_rows == len(SUNDAYS) + 3
    assert published.table("snapshots", account=[]).num_rows == 0
    assert published.table("snapshots", first=date(2027, 1, 1)).num_rows == 0


@pytest.mark.parametrize("text", ["' OR 1=1 --", "A-0000_", "%", 'A"; DROP TABLE x', "\x00", "A-00001 "])
def test_text_that_looks_like_sql_finds_nothing(published: Published, text: str):
    assert published.table("snapshots", account=text).num_rows == 0


def test_previous_dates_are_the_published_ones_before_a_day(published: Published):
    assert published.previous_dates(SUNDAYS[3]) == (SUNDAYS[2],)
    assert published.previous_dates(date(2026, 1, 20), 2) == (SUNDAYS[1], SUNDAYS[2])
    assert published.previous_dates(SUNDAYS[0], 3) == ()


def test_the_same_rows_are_exported_as_the_same_bytes_however_runs_computed_them(home: Path, tmp_path: Path):
    rows = snapshots(30, SUNDAYS)

    def write(run_id: str, dates: list[date], previous: Manifest | None) -> Manifest:
        writer = RunWriter(home, run_id)
        for month in sorted({f"{day:%Y-%m}" for day in dates}):
            own = [day for day in dates if f"{day:%Y-%m}" == month]
            writer.write("snapshots", rows.filter(pc.field("as_of").isin(own)), month)
        parts = merge_parts(previous.parts if previous else (), writer.parts(dates))
        return writer.finish(Manifest(run_id, NOW, NOW, tuple(dates), parts))

    once = write("once", SUNDAYS, None)
    daily = None
    for number, day in enumerate(SUNDAYS):
        daily = write(f"daily-{number}", [day], daily)
    # All again, over dates that are there already.
    again = write("again", SUNDAYS[2:7], daily)
    for kind in ("parquet", "csv"):
        found = []
        for manifest in (once, daily, again):
            assert manifest is not None
            Published(home, manifest).export(tmp_path / kind / manifest.run_id, kind, ["snapshots"])
            found.append(everything(tmp_path / kind / manifest.run_id))
        assert found[0] == found[1] == found[2]
        assert len(found[0]) == 1


def test_an_export_has_every_table_sorted_with_its_schema_also_if_empty(published: Published, tmp_path: Path):
    rows = published.export(tmp_path / "out")
    assert set(rows) == set(TABLES)
    for name, contract in TABLES.items():
        table = pq.read_table(tmp_path / "out" / f"{name}.parquet")
        assert table.schema.equals(contract.schema())
        assert table.num_rows == rows[name]
        assert table.equals(table.sort_by([(key, "ascending") for key in contract.key]))
    assert rows["timeline"] == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(
        f"{t}.parquet" for t in TABLES
    )


def test_csv_has_iso_dates_shortest_numbers_and_nothing_for_null(home: Path, tmp_path: Path):
    writer = RunWriter(home, "r1")
    values = [0.1 + 0.2, 70.0, 1e-7, 1 / 3, None, -0.0]
    rows = pa.table(
        {
            "account_id": [f"A,{n}" for n in range(6)],
            "as_of": [SUNDAYS[0]] * 6,
            "metric": ['a "quoted" one'] * 6,
            "value": values,
            "state": ["ok"] * 6,
        }
    )
    writer.write("metrics", rows, "2026-01")
    manifest = writer.finish(Manifest("r1", NOW, NOW, (SUNDAYS[0],), writer.parts([SUNDAYS[0]])))
    Published(home, manifest).export(tmp_path / "out", "csv", ["metrics"])
    text = (tmp_path / "out" / "metrics.csv").read_text()
    assert text.splitlines()[1] == '"A,0",2026-01-04,"a ""quoted"" one",0.30000000000000004,"ok"'
    assert text.splitlines()[5] == '"A,4",2026-01-04,"a ""quoted"" one",,"ok"'
    assert text.splitlines()[2].split(",")[-2] == "70"
    assert "-0" not in text.splitlines()[6].split(",")[-2]
    back = pa_csv.read_csv(tmp_path / "out" / "metrics.csv")
    assert back["value"].to_pylist() == values


def test_attributes_that_come_go_and_change_type_between_runs_are_all_read(home: Path):
    def run(run_id: str, day: date, previous: Manifest | None, **columns: object) -> Manifest:
        writer = RunWriter(home, run_id)
        writer.write("accounts", attributes(day, **columns), f"{day:%Y-%m}")
        parts = merge_parts(previous.parts if previous else (), writer.parts([day]))
        return writer.finish(Manifest(run_id, NOW, NOW, (day,), parts))

    first = run("r1", SUNDAYS[0], None, seats=[5.5], plan=["pro"])
    second = run("r2", SUNDAYS[1], first, seats=["many"], city=["Oslo"])
    rows = Published(home, second).table("accounts", columns=["seats", "plan", "city"]).to_pylist()
    assert rows == [
        {"seats": "5.5", "plan": "pro", "city": None},
        {"seats": "many", "plan": None, "city": "Oslo"},
    ]


def test_unknown_tables_and_columns_are_not_found(published: Published, tmp_path: Path):
    with pytest.raises(NotFound, match="no published table is called 'moods'"):
        published.table("moods")
    with pytest.raises(NotFound, match="table snapshots has no column moods"):
        published.table("snapshots", columns=["moods"])
    with pytest.raises(NotFound, match="no published table"):
        published.export(tmp_path / "out", tables=["snapshots", "moods"])
    assert not (tmp_path / "out").exists()


def test_files_that_are_gone_or_damaged_are_an_error_in_one_line(published: Published, home: Path):
    path = home / "runs" / "r2" / "2026-02" / "snapshots.parquet"
    written = path.read_bytes()
    for damage in (
        written[: len(written) // 2],
        b"",
        written[:4] + b"\x00" * (len(written) - 12) + written[-8:],
    ):
        path.write_bytes(damage)
        with pytest.raises(StoreError) as caught:
            published.table("snapshots")
        assert "\n" not in str(caught.value)
    path.unlink()
    with pytest.raises(StoreError, match="a published file is gone"):
        published.table("snapshots")


def test_folders_with_signs_of_a_glob_are_read_as_they_are_named(tmp_path: Path):
    home = tmp_path / "a[1]*?"
    manifest = write_run(home, "r1", SUNDAYS[:1], 3, 50.0, None)
    assert Published(home, manifest).table("snapshots")["account_id"].to_pylist() == ids(3)


def test_a_large_table_is_read_in_ranges_of_accounts_that_are_together_the_table(
    home: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(parquet, "ROWS_PER_GROUP", 16)
    monkeypatch.setattr(reading, "ROWS_AT_ONCE", 50)
    write_run(home, "r1", SUNDAYS, 40, 50.0, None)
    published = Published(home, write_run(home, "r2", SUNDAYS[3:6], 60, 80.0, "r1"))
    files = [path for path, _ in published._files(TABLES["components"])]
    assert len(reading._edges(files)) > 5
    batches = list(published.batches("components"))
    assert pa.Table.from_batches(batches).equals(published.table("components"))
    assert sum(batch.num_rows for batch in batches) == 2 * (5 * 40 + 3 * 60)
