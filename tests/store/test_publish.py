from __future__ import annotations

import hashlib
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pyarrow as pa
import pytest
from sqlalchemy import func, select

from retinue.errors import StoreError
from retinue.store.database import Store, open_store
from retinue.store.people.access import OPERATOR
from retinue.store.published import publish as publishing
from retinue.store.published.current import accounts, changes, current_run
from retinue.store.published.manifest import read_manifest
from retinue.store.published.publish import publish
from retinue.store.published.runs import sweep
from retinue.store.published.snapshots import Published
from retinue.store.tables import current, details, transitions
from retinue.store.work.assignments import assign
from tests.store.company import NOW, SUNDAYS, changed, current_rows, intact, run_and_publish, write_run


def state(store: Store) -> tuple[str | None, int, str]:
    """What readers see: the run, how many accounts, and a checksum of all that is said of them."""
    run = current_run(store)
    rows = accounts(store, OPERATOR, sort="account_id", limit=None) if run else []
    told = repr(
        [row.to_dict() for row in rows] + [repr(change) for change in changes(store, OPERATOR, limit=None)]
    )
    return run.run_id if run else None, len(rows), hashlib.sha256(told.encode()).hexdigest()


def staged(store: Store) -> set[str]:
    with store.read() as connection:
        tables = (current, details, transitions)
        return {
            run for table in tables for run in connection.execute(select(table.c.run_id).distinct()).scalars()
        }


def start(home: Path, store: Store, run_id: str, accounts: int, most: int = 0) -> subprocess.Popen[str]:
    told = [str(home), str(store.engine.url), run_id, str(accounts), str(most)]
    command = [sys.executable, "-m", "tests.store.publishing", *told]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_published_run_is_what_readers_see(store: Store, home: Path):
    assert current_run(store) is None
    run_and_publish(store, home, "r1", SUNDAYS, 20)
    run = current_run(store)
    assert run is not None
    assert (run.run_id, run.accounts, run.first_as_of, run.last_as_of) == ("r1", 20, SUNDAYS[0], SUNDAYS[-1])
    assert run.published_at == NOW
    assert run.manifest == read_manifest(home, "r1").path
    run_and_publish(store, home, "r2", SUNDAYS[4:], 25, 70.0)
    assert state(store)[:2] == ("r2", 25)
    assert {row.effective for row in accounts(store, OPERATOR)} == {70.0 + n for n in range(7)}
    with store.read() as connection:
        for table in (current, details):
            assert connection.execute(select(func.count()).select_from(table)).scalar_one() == 25


def test_transitions_of_restated_dates_are_replaced_and_others_kept(store: Store, home: Path):
    first = write_run(home, "r1", SUNDAYS, 5, 50.0, None)
    told = pa.concat_tables([changed(2, SUNDAYS[1]), changed(3, SUNDAYS[5])])
    publish(store, first, current_rows(5, SUNDAYS[-1]), told, NOW)
    second = write_run(home, "r2", SUNDAYS[4:], 5, 50.0, "r1")
    publish(store, second, current_rows(5, SUNDAYS[-1]), changed(1, SUNDAYS[5], "rule"), NOW)
    found = [(change.account_id, change.as_of, change.kind) for change in changes(store, OPERATOR)]
    assert found == [
        ("A-00000", SUNDAYS[5], "rule"),
        ("A-00000", SUNDAYS[1], "data"),
        ("A-00001", SUNDAYS[1], "data"),
    ]
    assert [change.as_of for change in changes(store, OPERATOR, since=SUNDAYS[1])] == [SUNDAYS[5]]
    assert changes(store, OPERATOR, account_id="A-00001")[0].drivers == [{"kind": "value", "points": -3.5}]


def test_a_run_that_has_not_seen_the_current_one_is_refused(store: Store, home: Path):
    first = write_run(home, "r1", SUNDAYS, 5, 50.0, None)
    other = write_run(home, "r2", SUNDAYS, 5, 60.0, None)
    publish(store, first, current_rows(5, SUNDAYS[-1]), changed(0, SUNDAYS[0]), NOW)
    before = state(store)
    with pytest.raises(StoreError, match="run r2 builds on no run; current is r1"):
        publish(store, other, current_rows(5, SUNDAYS[-1], 60.0), changed(0, SUNDAYS[0]), NOW)
    assert state(store) == before
    assert staged(store) == {"r1"}


def test_of_two_publishes_at_once_one_wins_whole_and_the_other_says_so(store: Store, home: Path):
    run_and_publish(store, home, "r0", SUNDAYS, 3000)
    contenders = {
        name: (write_run(home, name, SUNDAYS, 3000, score, "r0"), current_rows(3000, SUNDAYS[-1], score))
        for name, score in (("r1", 60.0), ("r2", 70.0))
    }
    failures: dict[str, StoreError] = {}
    together = threading.Barrier(2)

    def contend(name: str) -> None:
        own = open_store(str(store.engine.url))
        together.wait()
        try:
            publish(own, *contenders[name], changed(10, SUNDAYS[-1]), NOW)
        except StoreError as error:
            failures[name] = error
        finally:
            own.close()

    threads = [threading.Thread(target=contend, args=(name,)) for name in contenders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    run = current_run(store)
    assert run is not None
    if len(failures) == 2:  # each removed what the other had staged: nothing is published, nothing is lost
        assert run.run_id == "r0"
    else:
        assert set(failures) == set(contenders) - {run.run_id}
        lowest = min(row.effective or 0.0 for row in accounts(store, OPERATOR, limit=None))
        assert lowest == {"r1": 60.0, "r2": 70.0}[run.run_id]
    assert state(store)[1] == 3000


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (current_rows(2, SUNDAYS[0], mood=["good", "bad"]), "have no column mood"),
        (current_rows(2, SUNDAYS[0]).drop_columns("status"), "lack the column status"),
        (current_rows(2, SUNDAYS[0], status=["scored", None]), "column status: 1 rows are empty"),
        (current_rows(2, SUNDAYS[0], account_id=["A", "A"]), "A is there twice"),
    ],
)
def test_rows_that_do_not_fit_are_refused_and_the_run_before_stays(store: Store, home: Path, rows, message):
    run_and_publish(store, home, "r1", SUNDAYS, 5)
    before = state(store)
    manifest = write_run(home, "r2", SUNDAYS, 2, 60.0, "r1")
    with pytest.raises(StoreError, match=message):
        publish(store, manifest, rows, changed(0, SUNDAYS[0]), NOW)
    assert state(store) == before


def test_what_a_failed_publish_staged_is_removed(store: Store, home: Path):
    run_and_publish(store, home, "r1", SUNDAYS, 5)
    before = state(store)
    manifest = write_run(home, "r2", SUNDAYS, 5, 60.0, "r1")
    unbindable = changed(5, SUNDAYS[0]).set_column(5, "drivers", pa.array([{"no": "text"}] * 5))
    with pytest.raises(StoreError) as caught:
        publish(store, manifest, current_rows(5, SUNDAYS[-1], 60.0), unbindable, NOW)
    assert "\n" not in str(caught.value)
    assert staged(store) == {"r1"}
    assert state(store) == before
    publish(store, manifest, current_rows(5, SUNDAYS[-1], 60.0), changed(5, SUNDAYS[0]), NOW)
    assert state(store)[:2] == ("r2", 5)


def test_what_a_killed_publish_staged_is_removed_by_the_next(store: Store, home: Path):
    run_and_publish(store, home, "r1", SUNDAYS, 5)
    before = state(store)
    publishing._stage(store, "killed", current_rows(7, SUNDAYS[0]), changed(3, SUNDAYS[-1], "rule"))
    assert staged(store) == {"r1", "killed"}
    assert state(store) == before
    run_and_publish(store, home, "r2", SUNDAYS[-1:], 6)
    assert staged(store) == {"r2"}


@pytest.mark.parametrize("kills", [10, pytest.param(50, marks=pytest.mark.long)])
def test_killed_at_any_point_the_run_before_stays_current_and_complete(store: Store, home: Path, kills: int):
    if store.engine.dialect.name == "postgresql":
        kills = kills // 3  # each costs a second, and transactions are the server's to keep
    chance = random.Random(kills)
    run_and_publish(store, home, "r0", SUNDAYS, 400)
    started = time.monotonic()
    child = start(home, store, "timed", 400)
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    began = time.monotonic()
    assert child.communicate(timeout=60)[0] == "published\n"
    takes = time.monotonic() - began
    assert time.monotonic() - started < 60
    published = 0
    for number in range(kills):
        before = state(store)
        name = f"killed-{number}"
        child = start(home, store, name, 400 + number)
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        time.sleep(chance.uniform(0, takes))
        child.send_signal(signal.SIGKILL)
        child.communicate(timeout=60)
        after = state(store)
        assert after == before or after[:2] == (name, 400 + number)
        published += after != before
        run = current_run(store)
        assert run is not None
        manifest = read_manifest(home, run.run_id)
        assert intact(home, manifest)
        if number % 5 == 0:
            rows = Published(home, manifest).table("snapshots", columns=["as_of"])
            assert rows.num_rows == after[1] * 6 + 400 * 2
    assert published < kills
    run_and_publish(store, home, "last", SUNDAYS, 30)
    assert staged(store) <= {"last", *(f"killed-{number}" for number in range(kills)), "timed", "r0"}
    with store.read() as connection:
        assert set(connection.execute(select(current.c.run_id)).scalars()) == {"last"}
        assert set(connection.execute(select(details.c.run_id)).scalars()) == {"last"}
        assert set(connection.execute(select(transitions.c.run_id)).scalars()) == {"last"}
    sweep(home)
    assert all((folder / "manifest.json").exists() for folder in (home / "runs").iterdir())


# The files of PostgreSQL are those of its server.
@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("most", [1_000, 60_000, 400_000])
def test_when_the_disk_takes_no_more_the_run_before_stays_current(store: Store, home: Path, most: int):
    """Files stop at 1 kB (the first table), 60 kB (the store's log) and 400 kB (later in it)."""
    run_and_publish(store, home, "r0", SUNDAYS, 50)
    before = state(store)
    child = start(home, store, "full", 2000, most)
    out, err = child.communicate(timeout=60)
    assert child.returncode == 1, err
    message = out.removeprefix("ready\n")
    assert message.count("\n") == 1
    assert "cannot write" in message or "the disk" in message
    assert state(store) == before
    assert intact(home, read_manifest(home, "r0"))
    run_and_publish(store, home, "next", SUNDAYS, 60)
    assert state(store)[:2] == ("next", 60)


def test_an_account_that_is_given_to_somebody_while_a_run_is_staged_is_theirs_in_it(store: Store, home: Path):
    run_and_publish(store, home, "r0", SUNDAYS, 3)
    manifest = write_run(home, "r1", SUNDAYS, 3, 60.0, "r0")
    publishing._stage(store, "r1", current_rows(3, SUNDAYS[-1]), changed(3, SUNDAYS[-1]))
    assign(store, OPERATOR, "A-00001", "ann", now=NOW)
    publishing._flip(store, manifest, 3, 3, NOW)
    owners = {row.account_id: row.owner for row in accounts(store, OPERATOR, limit=None)}
    assert owners == {"A-00000": None, "A-00001": "ann", "A-00002": None}


def test_a_source_that_names_a_new_owner_ends_what_was_assigned(store: Store, home: Path):
    run_and_publish(store, home, "r0", SUNDAYS, 3)
    assign(store, OPERATOR, "A-00001", "ann", now=NOW)
    manifest = write_run(home, "r1", SUNDAYS, 3, 60.0, "r0")
    rows = current_rows(3, SUNDAYS[-1], owner=[None, "bob", None])
    publish(store, manifest, rows, changed(3, SUNDAYS[-1]), NOW)
    assert {row.account_id: row.owner for row in accounts(store, OPERATOR, limit=None)}["A-00001"] == "bob"
