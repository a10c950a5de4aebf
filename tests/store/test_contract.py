from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from retinue.errors import StoreError
from retinue.store.published.contract import TABLES
from retinue.store.published.runs import RunWriter
from tests.store.company import SUNDAYS, attributes, components, snapshots

MONTH = SUNDAYS[:4]


@pytest.fixture
def writer(home: Path) -> RunWriter:
    return RunWriter(home, "r1")


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)
def test_every_column_has_a_type_and_a_meaning_and_the_key_is_among_them(table):
    assert set(table.key) <= set(table.names)
    assert len(set(table.names)) == len(table.names)
    assert all(column.meaning.endswith(".") for column in table.columns)
    assert len(table.schema()) == len(table.columns)


def test_columns_are_put_in_the_order_of_the_contract_and_rows_in_that_of_the_key(writer: RunWriter):
    rows = snapshots(5, MONTH)
    writer.write("snapshots", rows.select(sorted(rows.column_names, reverse=True)), "2026-01")
    written = pq.read_table(writer.folder / "2026-01" / "snapshots.parquet")
    assert written.schema.equals(TABLES["snapshots"].schema())
    assert written.num_rows == rows.num_rows
    assert written.equals(written.sort_by([("account_id", "ascending"), ("as_of", "ascending")]))


def test_types_that_fit_are_cast(writer: RunWriter):
    rows = components(2, MONTH)
    rows = rows.set_column(0, "account_id", rows["account_id"].dictionary_encode())
    rows = rows.set_column(3, "points", pa.array([50] * rows.num_rows, pa.int32()))
    writer.write("components", rows, "2026-01")
    written = pq.read_table(writer.folder / "2026-01" / "components.parquet")
    assert written.schema.equals(TABLES["components"].schema())
    assert set(written["points"].to_pylist()) == {50.0}


def _with(rows: pa.Table, name: str, values: pa.Array) -> pa.Table:
    return rows.set_column(rows.column_names.index(name), name, values)


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda t: t.drop_columns("coverage"), "table snapshots lacks the column coverage"),
        (lambda t: t.append_column("mood", t["cap"]), "table snapshots has no column mood"),
        (lambda t: t.append_column("cap", t["cap"]), "has the column cap twice"),
        (lambda t: _with(t, "status", pa.nulls(t.num_rows, pa.string())), "column status: 8 rows are empty"),
        (lambda t: _with(t, "base", pa.array([float("nan")] * t.num_rows)), "column base: not a number"),
        (
            lambda t: _with(t, "base", pa.array(["high"] * t.num_rows)),
            "column base: string does not fit double",
        ),
        (lambda t: pa.concat_tables([t, t]), "account_id A-00000, as_of 2026-01-04 is there twice"),
    ],
)
def test_rows_that_break_the_contract_are_refused_with_the_reason(writer: RunWriter, break_it, message):
    with pytest.raises(StoreError, match=message):
        writer.write("snapshots", break_it(snapshots(2, MONTH)), "2026-01")
    assert list(writer.folder.rglob("*.parquet*")) == []


def test_rows_of_another_month_are_refused(writer: RunWriter):
    with pytest.raises(StoreError, match="rows outside 2026-02"):
        writer.write("snapshots", snapshots(2, MONTH), "2026-02")


def test_a_dated_table_needs_its_month_and_the_others_have_none(writer: RunWriter):
    with pytest.raises(StoreError, match="written by month"):
        writer.write("snapshots", snapshots(1, MONTH))
    with pytest.raises(StoreError, match="not written by month"):
        writer.write("rejected", pa.table({}), "2026-01")
    with pytest.raises(StoreError, match="no published table is called 'moods'"):
        writer.write("moods", pa.table({}))


def test_zero_has_no_sign(writer: RunWriter):
    rows = _with(components(1, MONTH), "points", pa.array([-0.0] * 8))
    writer.write("components", rows, "2026-01")
    assert str(pq.read_table(writer.folder / "2026-01" / "components.parquet")["points"][0]) == "0.0"


def test_attributes_follow_the_fixed_columns_by_name_in_plain_types(writer: RunWriter):
    rows = attributes(MONTH[0], seats=pa.array([5], pa.int32()), industry=pa.array([None]))
    writer.write("accounts", rows, "2026-01")
    written = pq.read_schema(writer.folder / "2026-01" / "accounts.parquet")
    assert written.names == [*TABLES["accounts"].names, "industry", "seats"]
    assert written.types[-2:] == [pa.string(), pa.float64()]


def test_a_stream_is_written_as_the_same_bytes_as_a_table(home: Path):
    rows = components(50, MONTH)
    whole = RunWriter(home, "whole").write("components", rows, "2026-01")
    reader = pa.RecordBatchReader.from_batches(rows.schema, rows.to_batches(max_chunksize=37))
    streamed = RunWriter(home, "stream").write("components", reader, "2026-01")
    assert whole == streamed


def test_a_stream_out_of_order_is_refused_also_between_its_batches(home: Path):
    rows = components(50, MONTH)
    batches = rows.to_batches(max_chunksize=37)
    reader = pa.RecordBatchReader.from_batches(rows.schema, [*batches[1:], batches[0]])
    with pytest.raises(StoreError, match="streamed rows are not sorted by account_id, as_of, component"):
        RunWriter(home, "r1").write("components", reader, "2026-01")


def test_where_keys_repeat_all_columns_decide_the_order(home: Path):
    rows = pa.table(
        {
            "account_id": ["A"] * 4,
            "occurred_at": pa.array([0, 0, 0, 0], pa.timestamp("us")),
            "kind": ["b", "a", "b", "a"],
            "summary": ["1", "2", "3", None],
        }
    )
    one = RunWriter(home, "one").write("timeline", rows)
    other = RunWriter(home, "other").write("timeline", rows.take([3, 1, 2, 0]))
    assert one == other
