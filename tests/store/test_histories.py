from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from retinue.store.published import histories as reading
from retinue.store.published.contract import TABLES
from retinue.store.published.grids import BANDS, COLUMNS
from retinue.store.published.histories import (
    Histories,
    has_histories,
    keep_only_histories,
    make_histories,
    open_histories,
)
from retinue.store.published.manifest import Manifest, merge_parts
from retinue.store.published.reading import is_prepared, prepare, prepare_ahead, prepare_apart, tidy
from retinue.store.published.runs import RunWriter
from retinue.store.published.snapshots import Published
from tests.store.company import NOW, SUNDAYS, write_run

ACCOUNTS = ["A-00003", "A-00020", "zzz", ""]


@pytest.fixture
def published(home: Path, monkeypatch: pytest.MonkeyPatch) -> Published:
    """Two runs in blocks of three accounts: the second restates some dates, with one account more."""
    monkeypatch.setattr(reading, "BLOCK", 3)
    write_run(home, "r1", SUNDAYS, 20, 50.0, None)
    return Published(home, write_run(home, "r2", SUNDAYS[3:6], 21, 80.0, "r1"))


def same(one: Any, other: Any) -> bool:
    """Field by field; nan is nan."""
    for field in fields(one):
        a, b = getattr(one, field.name), getattr(other, field.name)
        if isinstance(a, np.ndarray):
            if a.dtype != b.dtype or not np.array_equal(a, b, equal_nan=a.dtype.kind == "f"):
                return False
        elif a != b:
            return False
    return True


def agree(quick: Histories, slow: Histories) -> bool:
    return (
        quick.account_ids.equals(slow.account_ids)
        and all(same(quick.of(account), slow.of(account)) for account in ACCOUNTS)
        and all(same(quick.at(day), slow.at(day)) for day in slow.dates)
        and all(
            quick.column(name).tobytes() == np.ascontiguousarray(slow.column(name)).tobytes()
            for name in COLUMNS
        )
        and all(
            quick.rank(day, score) == slow.rank(day, score) for day in slow.dates for score in (0, 53, 84, 99)
        )
    )


def test_histories_are_what_is_published(published: Published):
    assert make_histories(published)
    found = open_histories(published).of("A-00003")
    rows = published.table("snapshots", account="A-00003")
    assert found.dates == tuple(rows["as_of"].to_pylist()) == tuple(SUNDAYS)
    assert found.effective.tolist() == rows["effective"].to_pylist()
    assert [BANDS[n] for n in found.band.tolist()] == rows["band"].to_pylist()
    assert found.scored.all()
    only = open_histories(published).of("A-00020")
    assert only.dates == tuple(SUNDAYS[3:6])
    assert open_histories(published).of("nobody").dates == ()


def test_the_file_and_the_published_snapshots_say_the_same(published: Published):
    assert make_histories(published)
    quick = open_histories(published)
    assert quick.file is not None
    assert agree(quick, Histories(published))


def test_not_scored_accounts_have_no_numbers_and_no_band(home: Path):
    writer = RunWriter(home, "r1")
    schema = TABLES["snapshots"].schema()
    told: dict[str, list[Any]] = {
        "account_id": ["b", "a", "a"],
        "as_of": [SUNDAYS[0], SUNDAYS[0], SUNDAYS[1]],
        "status": ["not_scored", "scored", "not_scored"],
        "effective": [None, 61.25, None],
        "band": [None, "watch", None],
    }
    rows = pa.table({f.name: pa.array(told.get(f.name, [None] * 3), f.type) for f in schema})
    writer.write("snapshots", rows, "2026-01")
    parts = merge_parts((), writer.parts(SUNDAYS[:3]))
    published = Published(home, writer.finish(Manifest("r1", NOW, NOW, tuple(SUNDAYS[:3]), parts)))
    make_histories(published)
    for histories in (open_histories(published), Histories(published)):
        assert histories.account_ids.to_pylist() == ["a", "b"]
        first = histories.at(SUNDAYS[0])
        assert np.array_equal(first.effective, [61.25, np.nan], equal_nan=True)
        assert first.there.tolist() == [True, True] and first.scored.tolist() == [True, False]
        assert first.band.tolist() == [1, -1]
        assert histories.at(SUNDAYS[1]).there.tolist() == [True, False]
        assert not histories.at(SUNDAYS[2]).there.any()
        assert histories.of("b").dates == (SUNDAYS[0],)
        assert histories.rank(SUNDAYS[0], 61.25) == (1, 1)


def test_a_rank_is_the_number_of_better_scores_and_one(published: Published):
    rows = published.table("snapshots", first=SUNDAYS[4], last=SUNDAYS[4])
    for quick in (False, True):
        if quick:
            make_histories(published)
        for score in rows["effective"].to_pylist():
            better = pc.sum(pc.greater(rows["effective"], score)).as_py()
            assert open_histories(published).rank(SUNDAYS[4], score) == (better + 1, 21)


def test_a_later_run_takes_over_what_did_not_change(home: Path, published: Published):
    make_histories(published)
    third = Published(home, write_run(home, "r3", SUNDAYS[5:7], 25, 10.0, "r2"))
    assert make_histories(third)
    assert has_histories(published)  # it is read until the other one is published
    keep_only_histories(third)
    assert has_histories(third) and not has_histories(published)
    assert agree(open_histories(third), Histories(third))
    assert len(open_histories(third).account_ids) == 25


def test_a_run_is_quick_to_read_before_it_is_published_and_so_is_the_one_before(
    home: Path, published: Published
):
    prepare(published)
    third = Published(home, write_run(home, "r3", SUNDAYS[5:7], 25, 10.0, "r2"))
    prepare_ahead(third)
    assert is_prepared(third) and is_prepared(published)
    tidy(third)
    assert is_prepared(third) and not is_prepared(published)
    assert not prepare(third)


@pytest.mark.parametrize("damage", ["head", "ids", "column", "checks", "short", "empty"])
def test_a_damaged_file_is_not_used_and_made_again(published: Published, damage: str):
    slow = Histories(published)
    make_histories(published)
    path = reading._path(published.home, "r2")
    content = bytearray(path.read_bytes())
    told = json.loads(content.split(b"\n")[0])
    start, checks = told["columns"]["effective"]
    at = {"head": 5, "ids": told["ids"][0] + 200, "column": start + 3, "checks": checks}.get(damage)
    if at is None:
        content = content[: len(content) // 2] if damage == "short" else bytearray()
    else:
        content[at] ^= 0xFF
    path.unlink()
    path.write_bytes(content)
    reading._forget(published.home, "r2")
    assert agree(open_histories(published), slow)
    assert open_histories(published).file is None and not has_histories(published)
    assert make_histories(published)
    assert agree(open_histories(published), slow)


def test_everything_that_is_quick_is_made_once_and_old_ones_go(home: Path, published: Published):
    assert not is_prepared(published)
    assert prepare(published)
    assert is_prepared(published) and not prepare(published)
    there = {path.name for path in (home / "reading").rglob("*") if path.is_file()}
    third = Published(home, write_run(home, "r3", SUNDAYS[5:7], 25, 10.0, "r2"))
    assert not is_prepared(third) and prepare(third)
    now = {path.name for path in (home / "reading").rglob("*") if path.is_file()}
    assert "r3.scores" in now and "r2.scores" not in now
    assert "r3.2026-02.snapshots.rows" in now - there
    assert not any(name.endswith(".tmp") for name in now)


def test_two_processes_do_not_make_the_same(home: Path, published: Published):
    from retinue.store.published.reading import _lock

    with _lock(home / "reading") as alone:
        assert alone
        assert not prepare(published)
    assert prepare(published)


def test_a_server_has_it_made_in_another_process(published: Published):
    prepare_apart(published)
    assert is_prepared(published)
    prepare_apart(published)
