"""A source that is replaced, cut or added to while it is read never gives half of each."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from retinue.errors import SourceError
from retinue.project.load import load
from retinue.warehouse.engine import connect
from retinue.warehouse.reading.steady import looked, steady
from tests.processes.command import NEXT, PEOPLE, leveled
from tests.run.company import DAY, score, table
from tests.run.small import D


def _replaced(path: Path) -> None:
    new = path.with_suffix(".new")
    new.write_text("new")
    new.rename(path)


def _cut(path: Path) -> None:
    path.write_text("")


def _added_to(path: Path) -> None:
    with path.open("a") as out:
        out.write("more")


@pytest.mark.parametrize("change", [_replaced, _cut, _added_to])
def test_a_file_that_changes_once_is_read_again_and_one_that_goes_on_is_refused(
    published: Path, change: Callable[[Path], None]
) -> None:
    path = published / "data" / "one.txt"
    path.write_text("old")
    with connect(load(published, {})) as engine:
        for times in (1, 2):
            reads: list[str] = []

            def read(times: int = times, reads: list[str] = reads) -> str:
                looked(engine, [path])
                reads.append(path.read_text())
                if len(reads) <= times:
                    change(path)
                return reads[-1]

            if times == 1:
                assert steady(engine, published, "source one", read) == path.read_text()
            else:
                expected = "data/one.txt: source one: the file changed while it was read"
                with pytest.raises(SourceError, match=expected):
                    steady(engine, published, "source one", read)
            assert len(reads) == 2


def test_an_error_of_a_file_that_does_not_change_is_told_at_once(published: Path) -> None:
    path = published / "data" / "levels.csv"
    reads = []
    with connect(load(published, {})) as engine:

        def read() -> None:
            looked(engine, [path])
            reads.append(1)
            raise SourceError("it is damaged")

        with pytest.raises(SourceError, match="it is damaged"):
            steady(engine, published, "source levels", read)
    assert len(reads) == 1


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_run_beside_one_who_replaces_and_cuts_files_scores_one_of_them_or_nothing(
    published: Path, kind: str
) -> None:
    """All levels of a file are alike, so that a score tells which file it comes from."""
    first = leveled()
    if kind == "parquet":
        source = {**first.settings["facts"]["levels"], "table": "data/levels.parquet"}
        replace(first, settings={**first.settings, "facts": {"levels": source}}).write(published)
    path = published / "data" / f"levels.{kind}"
    wholes = []
    for value in (10, 90):
        rows = f"SELECT 'a' || (i % {PEOPLE}) AS id, DATE '{D}' - (i // {PEOPLE})::INT AS day, "
        rows += f"{value} AS value, DATE '{D}' AS loaded FROM range({PEOPLE * 500}) t(i)"
        whole = published / f"{value}.{kind}"
        duckdb.sql(f"COPY ({rows}) TO '{whole}'")
        wholes.append(whole.read_bytes())
    path.write_bytes(wholes[0])
    chance = random.Random(3)
    over = threading.Event()

    def restless() -> None:
        while not over.wait(chance.uniform(0.05, 0.4)):
            new = path.with_suffix(".new")
            new.write_bytes(chance.choice(wholes))
            new.rename(path)
            if chance.random() < 0.2:  # one who writes in place, and slowly
                whole = chance.choice(wholes)
                path.write_bytes(whole[: len(whole) // 2])
                over.wait(0.02)
                path.write_bytes(whole)

    writer = threading.Thread(target=restless)
    writer.start()
    outcomes: list[float | str] = []
    try:
        for day in range(2):
            last = NEXT + day * DAY
            try:
                score(published, last, last)
            except SourceError as error:
                outcomes.append(str(error))
                continue
            scores = {row["computed"] for row in table(published, "snapshots", first=last, last=last)}
            assert scores in ({10.0}, {90.0})
            outcomes.append(scores.pop())
    finally:
        over.set()
        writer.join()
    for outcome in outcomes:
        # Who stops in the middle of writing leaves a file that does not change, and is not whole.
        told = ("the file changed while it was read", "not a whole Parquet file")
        assert isinstance(outcome, float) or any(one in outcome for one in told), outcomes
    path.write_bytes(wholes[1])
    last = NEXT + 2 * DAY
    score(published, last, last)
    assert {row["computed"] for row in table(published, "snapshots", first=last, last=last)} == {90.0}
