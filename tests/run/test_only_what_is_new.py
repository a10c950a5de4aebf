"""Runs that read only what is new of append-only sources, beside runs that read everything."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from retinue.errors import RetinueError
from retinue.store.published.manifest import Manifest
from retinue.warehouse.kept import source
from tests.run.growing import DAY, METRICS, Growing

START = date(2024, 2, 20)
NEW, WHOLE = "read what is new", "read whole: "


def how(told: Manifest, source: str = "events") -> str:
    return told.kept[f"source {source}"]


def side_by_side(
    folder: Path, seed: int, nights: list[date], silent: tuple[date, date] | None = None
) -> Iterator[tuple[date, Manifest, Growing, Growing]]:
    """Two equal companies: one keeps what the next run needs, the other forgets it before each run."""
    pair = [Growing(folder / name, seed, START, silent=silent) for name in ("kept", "forgot")]
    day = START
    while day <= nights[-1]:
        for company in pair:
            company.night(day)
        if day in nights:
            kept, forgot = pair
            told = kept.score(day)
            forgot.forget()
            whole = forgot.score(day)
            assert told.sources == whole.sources
            assert told.rejected == whole.rejected
            assert told.watermarks == whole.watermarks
            yield day, told, kept, forgot
        day += DAY


def test_any_split_of_the_days_gives_the_tables_of_runs_that_read_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Late rows, copies, rows that are wrong or nobody's, accounts that begin, end and are listed late,
    cohort curves across a quarter, and a feed that stops for a time and comes back. What is kept is
    put together after every second night."""
    monkeypatch.setattr(source, "PARTS", 2)
    nights = [date(2024, 3, 20), date(2024, 3, 23), date(2024, 3, 30), date(2024, 4, 3)]
    silent = (date(2024, 3, 24), date(2024, 3, 31))
    stopped = WHOLE + "a source that stopped asks for values of a day before those that are kept"
    read = []
    for day, told, kept, forgot in side_by_side(tmp_path, 2, nights, silent):
        if day > nights[0]:
            read += [how(told), how(told, "answers")]
            assert all(one.startswith(NEW) or one == stopped for one in read)
        assert kept.exported() == forgot.exported()
        parts = [path.name.partition("-")[0] for path in kept.root.rglob("*-*.parquet")]
        assert all(parts.count(kind) <= 2 * 2 for kind in ("rows", "feed", "unique", "rejected"))
    assert sum(one.startswith(NEW) for one in read) >= 2


@pytest.mark.long
@pytest.mark.parametrize("seed", range(3, 11))
def test_many_splits_of_the_days_give_the_same_tables(tmp_path: Path, seed: int) -> None:
    nights = [START + (29 + n) * DAY for n in range(0, 40, 1 + seed % 4)]
    for _day, _told, kept, forgot in side_by_side(tmp_path, seed, nights):
        assert kept.exported() == forgot.exported()


def test_what_was_read_is_not_read_again(tmp_path: Path) -> None:
    """Files that have been read may become unreadable: nobody looks at them any more."""
    company = Growing(tmp_path, 5, START, broken=False)
    for n in range(30):
        company.night(START + n * DAY)
    last = START + 29 * DAY
    company.score(last)
    for path in (tmp_path / "data" / "events").iterdir():
        told = path.stat()
        path.write_bytes(b"x" * told.st_size)
        os.utime(path, ns=(told.st_atime_ns, told.st_mtime_ns))
    company.night(last + DAY)
    assert how(company.score(last + DAY)).startswith(NEW)
    company.forget()
    with pytest.raises(RetinueError, match="not a whole Parquet file"):
        company.score(last + 2 * DAY)


def test_a_source_is_read_whole_where_what_was_kept_does_not_serve(tmp_path: Path) -> None:
    company = Growing(tmp_path, 7, START, broken=False)
    day = START
    for _ in range(25):
        company.night(day)
        day += DAY
    assert how(company.score(day - DAY)) == WHOLE + "nothing was kept before"

    def night() -> str:
        nonlocal day
        company.night(day)
        told = how(company.score(day))
        day += DAY
        return told

    assert night().startswith(NEW)
    # A longer window needs rows that were let go; the other source is not touched by it.
    company.metrics = {**METRICS, "users_7d": {"distinct": "events.user", "window": "90d"}}
    company.declare()
    assert night() == WHOLE + "a metric asks for more than was kept"
    assert (
        how(company.score(day - DAY, day - DAY)) == WHOLE + "a date before those that are kept is asked for"
    )
    first = min((tmp_path / "data" / "events").iterdir())
    os.utime(first)
    assert night() == WHOLE + "a file that was read changed, or one came before it"
    part = next((tmp_path / ".retinue" / "state" / "sources" / "events").glob("rows-*"))
    content = bytearray(part.read_bytes())
    content[len(content) // 2] ^= 1
    part.write_bytes(content)
    assert night() == WHOLE + "what was kept is damaged"
    company.accounts -= 1
    assert night() == WHOLE + "accounts are gone that rows belong to"
    answers = tmp_path / "data" / "answers.csv"
    lines = answers.read_text().splitlines(keepends=True)
    answers.write_text("".join(lines[:1] + lines[2:]))
    company.night(day)
    reason = "rows that were read changed, or others were loaded as of then"
    assert how(company.score(day), "answers") == WHOLE + reason


def test_only_sources_that_promise_it_are_kept(tmp_path: Path) -> None:
    company = Growing(tmp_path, 1, START)
    company.night(START)
    path = tmp_path / "retinue.yaml"
    path.write_text(path.read_text().replace('"append_only": true', '"append_only": false', 1))
    told = company.score(START)
    assert how(told) == WHOLE + "it is not declared append_only"
    assert how(told, "answers") == WHOLE + "nothing was kept before"


def test_append_only_needs_a_clock_of_loading(tmp_path: Path) -> None:
    company = Growing(tmp_path, 1, START)
    path = tmp_path / "retinue.yaml"
    path.write_text(path.read_text().replace('"known_at": "loaded", ', "", 1))
    with pytest.raises(RetinueError, match="`append_only` needs `known_at`"):
        company.score(START)
