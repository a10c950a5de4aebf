"""What a run keeps of scores for the next one saves reading, and changes nothing."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from retinue.run.history import Past
from retinue.run.kept import BACK, Kept, version
from retinue.store.published.kept import keep, read_kept
from retinue.store.published.manifest import Manifest
from retinue.store.published.snapshots import Published
from tests.run.company import DAY, Company, differences, exported, listed, opened, score, without_observed
from tests.run.everything import FIRST, LAST, SETTINGS, WORDS, as_known, everything, say
from tests.run.small import LEVEL, D, account, company, level

#: The runs end on these days; a quarter begins and a feed is silent within them.
ENDS = [FIRST + 10 * DAY, date(2024, 4, 1), date(2024, 4, 6), LAST - DAY, LAST]
#: From which day an account is in the table of accounts, and between which days another is not.
CAME, LEFT, RETURNED = date(2024, 4, 1), date(2024, 4, 6), LAST
#: From which day the scorecard is another, and seats are others.
STRICTER, SEATED = date(2024, 4, 2), LAST - DAY
assert FIRST < CAME < STRICTER < LEFT < RETURNED


def world(day: date) -> Company:
    """What the company tells on the evening of `day`."""
    known = as_known(everything(), day)
    accounts = [
        {**row, "seats": 7 if row["id"] in ("a04", "a08") and day >= SEATED else row["seats"]}
        for row in known.accounts
        if row["id"] != "a02" or day >= CAME
        if row["id"] != "a07" or not LEFT <= day < RETURNED
    ]
    told = dict(SETTINGS["accounts"])
    told["history"] = {name: one for name, one in told["history"].items() if name != "seats"}
    known = replace(known, accounts=accounts, settings={**SETTINGS, "accounts": told})
    if day < STRICTER:
        return known
    return known.with_card(1, bands={"at_risk": 0, "watch": 45, "healthy": 60})


def state_of(root: Path) -> Path:
    [path] = (root / ".retinue" / "state" / "scores").glob("*")
    return path


def how(root: Path) -> str:
    """What the current run says about the state that it started from."""
    workspace = opened(root)
    try:
        return workspace.manifest().kept["scores"]
    finally:
        workspace.store.close()


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def other_version(path: Path) -> None:
    home, run_id = path.parents[2], path.name.split(".")[0]
    workspace = opened(home.parent)
    last = workspace.published().dates()[-1]
    workspace.store.close()
    table = read_kept(home, "scores", run_id, version(last))
    path.unlink()
    keep(home, "scores", run_id, table, {**version(last), "semantics": 0})


def foreign(path: Path) -> None:
    """As if another run had been published meanwhile."""
    path.rename(path.with_name("20240101T000000-00000000." + path.name.split(".", 1)[1]))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Runs that each use what the one before kept, and a copy whose last one found nothing to use."""
    root, other = tmp_path_factory.mktemp("with"), tmp_path_factory.mktemp("without")
    heard, first = FIRST - 30 * DAY, FIRST
    for number, end in enumerate(ENDS):
        world(end).write(root)
        say(root, [word for word in WORDS if heard < word.day <= end])
        if end == LAST:
            shutil.copytree(root, other, dirs_exist_ok=True)
            state_of(other).unlink()
            score(other, end, first)
        score(root, end, first)
        assert how(root) == ("used" if number else "first run")
        first, heard = end + DAY, end
        _same_as_rebuilt(root)
    assert how(other) == "rebuilt: no state of the run before"
    return root, other


def _same_as_rebuilt(root: Path) -> None:
    """What is kept is bit by bit what all published snapshots say."""
    workspace = opened(root)
    past = Past.of(workspace)
    tomorrow = past.dates()[-1] + DAY
    found, told = past.kept(tomorrow)
    assert told == "used"
    _same(found, past.rebuilt(tomorrow))
    workspace.store.close()


def _same(one: Kept, other: Kept) -> None:
    told, expected = (kept.to_table().sort_by("account_id").to_pydict() for kept in (one, other))
    assert len(told["account_id"]) > 10
    for name, values in told.items():
        # As text: empty is not a number, and that is not itself.
        assert list(map(repr, values)) == list(map(repr, expected[name])), name


def test_every_table_is_the_same_whether_the_state_was_there_or_not(runs: tuple[Path, Path]) -> None:
    with_state, without = runs
    assert not differences(exported(with_state), exported(without))


def test_the_list_of_accounts_is_the_same_too(runs: tuple[Path, Path]) -> None:
    with_state, without = runs
    assert listed(with_state) == listed(without)


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (Path.unlink, "no state of the run before"),
        (foreign, "no state of the run before"),
        (flip, "the state is damaged"),
        (cut, "the state is damaged"),
        (other_version, "the state is of another version"),
    ],
)
def test_a_state_that_is_not_whole_and_of_the_run_before_is_not_used(
    runs: tuple[Path, Path], tmp_path: Path, harm: Callable[[Path], None], reason: str
) -> None:
    root = tmp_path / "harmed"
    shutil.copytree(runs[0], root)
    harm(state_of(root))
    workspace = opened(root)
    past = Past.of(workspace)
    tomorrow = past.dates()[-1] + DAY
    found, told = past.kept(tomorrow)
    assert told == f"rebuilt: {reason}"
    _same(found, past.rebuilt(tomorrow))
    workspace.store.close()


def test_only_the_state_of_the_current_run_stays(runs: tuple[Path, Path]) -> None:
    root, _ = runs
    workspace = opened(root)
    assert state_of(root).name.startswith(workspace.manifest().run_id + ".")
    workspace.store.close()


def test_dates_that_are_scored_again_are_folded_from_what_is_published(
    runs: tuple[Path, Path], tmp_path: Path
) -> None:
    with_state, _ = runs
    root = tmp_path / "again"
    shutil.copytree(with_state, root)
    before = exported(root)
    score(root, LAST, LAST)
    assert how(root) == "rebuilt: 2024-04-14 is not after the last published date"
    assert not differences(before, exported(root))
    _same_as_rebuilt(root)


def test_a_manifest_of_before_there_was_kept_state_still_loads(runs: tuple[Path, Path]) -> None:
    workspace = opened(runs[0])
    told = json.loads(json.dumps(workspace.manifest().to_dict()))
    workspace.store.close()
    del told["kept"]
    assert Manifest.from_dict(told).kept == {}


# --- a night costs what the day cost ---------------------------------------------------------------

FADING = {
    **LEVEL,
    "components": {"level": {"measures": {"level": {"curve": [[0, 0], [100, 100]], "half_life": "10d"}}}},
}
#: The nights that are looked at begin here.
NOW = D


def faded() -> Company:
    """Accounts of which one was not scored for long, until three weeks ago."""
    levels = [
        level(who, NOW + n * DAY, 50 + (n * 7 + len(who) * 13) % 41)
        for who in ("a", "bb", "ccc")
        for n in range(-400, 10, 5)
    ]
    levels += [level("sleeper", NOW - 200 * DAY, 80), level("sleeper", NOW - 20 * DAY, 30)]
    return company([account(who) for who in ("a", "bb", "ccc", "sleeper")], levels, cards=[FADING])


def test_a_night_reads_few_dates_and_touches_no_other_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nightly, whole = tmp_path / "nightly", tmp_path / "whole"
    for root in (nightly, whole):
        faded().write(root)
    score(nightly, NOW - 120 * DAY, NOW - 400 * DAY)
    score(nightly, NOW - DAY)
    score(nightly, NOW)
    hidden = _hide(nightly, tmp_path)
    assert len(hidden) >= 8
    read: list[tuple[str, int]] = []
    table = Published._table

    def counted(*asked: Any) -> pa.Table:
        rows = table(*asked)
        read.append((asked[1], rows.num_rows))
        return rows

    monkeypatch.setattr(Published, "_table", counted)
    score(nightly, NOW + DAY)
    monkeypatch.undo()
    assert how(nightly) == "used"
    # Twelve weeks and 90 days ago, and where the drivers of 28 days start: a row of each account.
    assert sum(rows for name, rows in read if name == "snapshots") <= 4 * (13 + 1)
    assert sum(rows for name, rows in read if name == "measures") <= 4
    assert {name for name, rows in read if rows} <= {"snapshots", "measures", "curves", "observed"}

    workspace = opened(nightly)
    manifest = workspace.manifest()
    workspace.store.close()
    same = {name for name, path in manifest.whole.items() if manifest.run_id not in path}
    assert same == {"curves", "observed"}, "what did not change is not written again"

    for path, away in hidden.items():
        away.rename(path)
    score(whole, NOW + DAY, NOW - 400 * DAY)
    assert listed(nightly) == listed(whole)
    assert not differences(without_observed(exported(nightly)), without_observed(exported(whole)))


def _hide(root: Path, away: Path) -> dict[Path, Path]:
    """Take all parts away that the night of tomorrow shows nothing of; returns where they went."""
    needed = {NOW + DAY - back * DAY for back in BACK}
    needed.add(NOW - 171 * DAY)  # the drivers of the account that was not scored for long start here
    workspace = opened(root)
    parts = workspace.manifest().parts
    workspace.store.close()
    moved = [root / ".retinue" / part.path for part in parts if not needed & set(part.dates)]
    hidden = {path: away / f"hidden {number}" for number, path in enumerate(moved)}
    for path, place in hidden.items():
        path.rename(place)
    return hidden
