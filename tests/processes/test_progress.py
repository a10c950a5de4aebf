"""Long work says what it is doing, how far it is, and how long it will take."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import pytest

from retinue.cli.waiting import Lines, lasting, left
from retinue.run import pace, run
from retinue.warehouse.trace import Expected, Trace
from retinue.workspace import open_workspace
from tests.processes.command import done, on_a_terminal, started
from tests.run.company import DAY, noon
from tests.run.small import D


def test_every_stage_of_a_run_is_told_and_the_way_is_never_shorter_than_before(published: Path) -> None:
    workspace = open_workspace(published, {})
    (published / ".retinue" / pace.FILE).unlink()
    plan = pace.plan(workspace.project)
    told: list[tuple[str, float]] = []
    for number in range(2):  # with the usual weights, then with those of the run before
        told.clear()
        run(
            workspace, now=noon(D + (2 + number) * DAY), progress=lambda what, part: told.append((what, part))
        )
        stages = list(dict.fromkeys(what for what, _ in told))
        assert stages == list(plan)
        parts = [part for _, part in told]
        assert parts == sorted(parts)
        assert 0 <= parts[0] < 0.5 < parts[-1] <= 1
        plan = pace.plan(workspace.project)
    workspace.store.close()


@pytest.mark.parametrize("content", ["", "[]", '{"scoring": 1}', '{"scoring": ["x", 1]}'])
def test_a_damaged_memory_of_the_run_before_is_as_none(published: Path, content: str) -> None:
    workspace = open_workspace(published, {})
    (published / ".retinue" / pace.FILE).unlink()
    usual = pace.plan(workspace.project)
    (published / ".retinue" / pace.FILE).write_text(content)
    assert pace.plan(workspace.project) == usual
    workspace.store.close()


def test_within_a_stage_queries_that_are_done_and_the_one_in_flight_move_the_bar() -> None:
    trace = Trace(plan={"reading": Expected(1, 4), "scoring": Expected(3, 2), "writing": Expected(0, 1)})
    trace.stage("reading")
    assert trace.part() == 0
    with trace.query("one"):
        pass
    assert trace.part() == pytest.approx(1 / 16)
    with trace.watching(lambda: 0.5):
        assert trace.part() == pytest.approx(1.5 / 16)
    trace.stage("a stage that nobody expected")
    assert trace.part() == pytest.approx(1.5 / 16)
    trace.stage("scoring")
    assert trace.part() == pytest.approx(4 / 16)
    for _ in range(5):  # more than the two that were expected
        with trace.query("many"):
            assert trace.part() < 1
    trace.stage("writing")
    assert trace.part() == 1


def test_what_is_left_is_what_is_left_of_work_at_a_constant_speed() -> None:
    for whole in (20.0, 3600.0):
        for part in (0.2, 0.5, 0.99):
            assert left(part * whole, part) == pytest.approx((1 - part) * whole)
    assert left(1.0, 0.5) is None
    assert left(100.0, 0.001) is None
    assert [lasting(seconds) for seconds in (4, 89, 150, 5000, 7300)] == [
        "4 s",
        "89 s",
        "2 min",
        "83 min",
        "2 h 2 min",
    ]


def test_in_a_pipe_there_is_a_line_at_most_every_so_many_seconds() -> None:
    seconds = [0.0]
    out = io.StringIO()
    lines = Lines(out, every=10, clock=lambda: seconds[0])
    for tick in range(1, 451):  # looked at ten times a second, for 45 seconds
        seconds[0] = tick / 10
        lines.tell("reading usage" if tick < 250 else "scoring", tick / 500)
    assert out.getvalue().splitlines() == [
        "reading usage: 20% after 10 s, 40 s left",
        "reading usage: 40% after 20 s, 30 s left",
        "scoring: 60% after 30 s, 20 s left",
        "scoring: 80% after 40 s, 10 s left",
    ]


def test_an_export_tells_its_tables_and_how_far_it_is(published: Path, tmp_path: Path) -> None:
    told: list[tuple[str, float]] = []
    workspace = open_workspace(published, {})
    rows = workspace.published().export(
        tmp_path / "out", progress=lambda what, part: told.append((what, part))
    )
    workspace.store.close()
    assert list(dict.fromkeys(what for what, _ in told)) == [f"writing {name}" for name in rows]
    parts = [part for _, part in told]
    assert parts == sorted(parts)
    assert parts[0] == 0
    assert parts[-1] == pytest.approx(1)


def test_json_is_all_that_is_on_stdout_and_a_quiet_run_says_nothing_else(published: Path) -> None:
    status, out, err = done(started(published, "run", "--json", "--quiet"))
    assert (status, err) == (0, "")
    assert json.loads(out)["dates"] == [str(D + 2 * DAY)]


def test_a_terminal_shows_stages_and_percent(published: Path) -> None:
    status, shown = on_a_terminal(published, ["run"])
    assert status == 0, shown
    assert re.search(r"(reading|computing|scoring|writing)[a-z ]* .* +\d+% +0:00:\d\d", shown), shown
