"""What all commands have in common: help, errors, ends; and the smaller ones."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import jsonschema
import pyarrow.parquet as pq
import pytest

from retinue import __version__
from retinue.cli import main

ROOT = Path(__file__).parents[2]
PROGRAM = "import sys; sys.argv[0] = 'retinue'; from retinue.cli import main; sys.exit(main())"


def commands(group: click.Group, above: str = "") -> dict[str, click.Command]:
    """Every command by the words that call it; a group is none itself."""
    found: dict[str, click.Command] = {}
    for name, command in group.commands.items():
        found |= (
            commands(command, f"{name} ") if isinstance(command, click.Group) else {above + name: command}
        )
    return found


COMMANDS = commands(main)
#: What prints something else than text for people.
NOT_FOR_PEOPLE = {"schema", "mcp", "serve"}
HEAVY = ("duckdb", "ibis", "numpy", "pandas", "polars", "pyarrow", "sqlglot")


def process(*arguments: object, after: str = "", **environ: str) -> subprocess.CompletedProcess[str]:
    """The command line as a process of its own; `after` runs in it at the end."""
    last = f"import atexit; atexit.register(lambda: {after or None}); main()"
    told = PROGRAM.replace("sys.exit(main())", last)
    return subprocess.run(
        [sys.executable, "-c", told, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), **environ},
        capture_output=True,
        text=True,
        check=False,
    )


def imported(*arguments: object) -> set[str]:
    """Modules that the process had loaded at its end."""
    done = process(*arguments, after="print('MODULES', *sys.modules, file=sys.stderr)")
    assert done.returncode == 0, done.stderr
    last = done.stderr.splitlines()[-1].split()
    assert last[0] == "MODULES"
    return {name.split(".")[0] for name in last} | set(last)


def test_help_loads_nothing_that_takes_time():
    loaded = imported("--help")
    assert not loaded & {*HEAVY, "pydantic", "rich", "sqlalchemy", "yaml"}


@pytest.mark.parametrize("command", ["accounts", "status"])
def test_reading_the_list_loads_no_engine_and_no_arrow(acme, command):
    loaded = imported(command, "-C", acme)
    assert not loaded & set(HEAVY)
    assert "retinue.store.published.current" in loaded


def test_explaining_does_not_load_the_engine(acme):
    assert not imported("explain", "A-01", "-C", acme) & {"ibis", "polars", "sqlglot"}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example_and_json(retinue, command):
    out = retinue(*command.split(), "--help").stdout
    assert f"retinue {command}" in out.split("Example")[1]
    options = {name for one in COMMANDS[command].params for name in one.opts}
    assert command in NOT_FOR_PEOPLE or "--json" in options
    for parameter in COMMANDS[command].params:
        assert isinstance(parameter, click.Argument) or parameter.help, parameter.name


def test_the_version_is_told(retinue):
    assert retinue("--version").stdout == f"retinue {__version__}\n"


@pytest.mark.parametrize(
    "arguments", [["accounts", "--band", "red"], ["nonsense"], ["explain"], ["accounts", "--limit", "0"]]
)
def test_wrong_usage_ends_with_2(retinue, arguments):
    assert retinue(*arguments, status=2).stdout == ""


def test_the_project_can_be_named_before_the_command_or_by_the_environment(told, acme):
    listed = told("accounts", "-C", acme)
    assert told("-C", acme, "accounts") == listed
    assert told("accounts", RETINUE_PROJECT=str(acme)) == listed


def test_where_there_is_no_project_the_line_says_what_to_do(retinue, tmp_path):
    done = retinue("accounts", "-C", tmp_path, status=1)
    assert done.stderr.startswith(f"error: no retinue.yaml in {tmp_path}")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("command", ["run", "check"])
def test_every_problem_of_a_project_is_told_in_a_line_of_its_own(retinue, unscored, command):
    path = unscored / "metrics.yaml"
    path.write_text(path.read_text().replace("window: 28d, label: Users", "windw: 28d"))
    path = unscored / "scorecards.yaml"
    path.write_text(path.read_text().replace("open_tickets: {curve", "open_tickts: {curve"))
    done = retinue(command, "-C", unscored, status=1)
    errors = [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("error: ")]
    assert any('metrics.yaml:3: unknown key "windw"' in line and "window" in line for line in errors)
    assert any("scorecards.yaml:13" in line and "open_tickets" in line for line in errors)
    assert not (unscored / ".retinue" / "runs").exists()


def test_check_as_data_names_file_line_and_hint(retinue, unscored):
    path = unscored / "metrics.yaml"
    path.write_text(path.read_text().replace("window: 28d, label: Users", "windw: 28d"))
    problems = json.loads(retinue("check", "--json", "-C", unscored, status=1).stdout)
    one = next(p for p in problems if p["severity"] == "error")
    assert (one["file"], one["line"]) == ("metrics.yaml", 3)
    assert set(one) == {"severity", "message", "hint", "file", "line"}


def test_check_of_a_sound_project_ends_well(retinue, unscored):
    out = retinue("check", "--no-data", "-C", unscored).stdout
    assert out.splitlines()[-1].startswith("0 errors, ")


def test_a_source_that_cannot_be_read_fails_the_run_and_keeps_what_is_published(retinue, told, own):
    before = told("status", "-C", own)
    (own / "data/tickets.csv").unlink()
    done = retinue("run", "-C", own, "--from", "2026-03-31", status=1)
    assert done.stderr.startswith("error: ") and "tickets" in done.stderr and done.stderr.count("\n") == 1
    assert told("status", "-C", own) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--to", "2026-04-01"], "2026-04-01 is not complete yet"),
        (["--from", "2026-03-30", "--to", "2026-03-31", "--every", "week"], "no Sunday between"),
    ],
)
def test_dates_that_cannot_be_scored_are_refused(retinue, own, arguments, message):
    assert message in retinue("run", "-C", own, *arguments, status=1).stderr


def test_a_second_run_waits_or_says_who_is_running(retinue, own):
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys, time; from datetime import UTC, datetime; from pathlib import Path\n"
            "from retinue.store.published.lock import run_lock\n"
            "with run_lock(Path(sys.argv[1]), datetime.now(UTC)): print('held', flush=True); time.sleep(60)",
            str(own / ".retinue"),
        ],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        stdout=subprocess.PIPE,
    )
    try:
        assert holder.stdout.readline() == b"held\n"
        done = retinue("run", "-C", own, "--wait", "0.1", status=1)
        assert f"another run is going on (process {holder.pid}" in done.stderr
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()


def test_an_interrupted_run_ends_with_130_and_publishes_nothing(unscored):
    started = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "run", "-C", str(unscored)],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    lock = unscored / ".retinue" / "run.lock"
    until = time.monotonic() + 60
    while not lock.exists() and time.monotonic() < until:
        time.sleep(0.05)
    time.sleep(0.3)
    started.send_signal(signal.SIGINT)
    out, err = started.communicate(timeout=60)
    assert (started.returncode, out) == (130, "")
    last = err.splitlines()[-1]
    assert last.startswith("stopped: ") and last.endswith("run again whenever you like")
    assert process("accounts", "-C", unscored).returncode == 1


def test_a_bug_is_one_line_unless_the_traceback_is_asked_for(retinue, acme, monkeypatch):
    monkeypatch.setattr("retinue.cli.read.settings_and_store", lambda _root: 1 / 0)
    done = retinue("accounts", "-C", acme, status=1)
    assert done.stderr.startswith("error: ZeroDivisionError") and done.stderr.count("\n") == 1
    assert isinstance(retinue("accounts", status=1, RETINUE_TRACEBACK="1").exception, ZeroDivisionError)


def test_a_time_that_is_none_is_a_usage_error(retinue, own):
    assert "RETINUE_NOW" in retinue("run", "-C", own, status=2, RETINUE_NOW="yesterday").stderr


def test_a_reader_that_goes_away_is_no_error(acme):
    command = f'"{sys.executable}" -c "{PROGRAM}" schema | head -1'
    done = subprocess.run(
        ["sh", "-c", command],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("{\n", "")


def test_run_tells_what_it_did(retinue, told, own):
    out = retinue("run", "-C", own, "--from", "2026-03-31").stdout
    assert out.startswith("Scored 1 date, 2026-03-31.\n")
    assert "7 on 2026-03-31: ▲ 1 at risk, ◆ 2 watch, ● 3 healthy, ○ 1 not scored" in out
    path = own / "data/invoices.csv"
    path.write_text(path.read_text() + "A-77,2026-03-01,,5\nA-01,soon,,5\n")
    result = told("run", "-C", own, "--from", "2026-03-31")
    assert result["bands"] == {"healthy": 3, "watch": 2, "at_risk": 1}
    assert sum(result["rejected"]["invoices"].values()) == 2
    assert any("not an account" in reason for reason in result["rejected"]["invoices"])
    sources = told("status", "-C", own)["sources"]
    assert sources["invoices"]["reasons"] == result["rejected"]["invoices"]
    assert "1 x account_id … is not an account" in retinue("status", "-C", own).stdout


def test_status_tells_what_is_published(retinue, told, acme):
    facts = told("status", "-C", acme)
    assert facts["dates"] == {"first": "2026-01-04", "last": "2026-03-31", "count": 15}
    assert facts["accounts"] == 7
    assert Path(facts["run"]["manifest"]).is_file()
    assert facts["sources"]["usage"]["last_known_day"] == "2026-03-31"
    assert facts["sources"]["surveys"]["quiet"] and not facts["sources"]["usage"]["quiet"]
    out = retinue("status", "-C", acme).stdout
    assert "15 from 2026-01-04 to 2026-03-31" in out and "quiet for 39 days" in out


def test_status_before_the_first_run_says_what_to_do(retinue, unscored):
    assert "Score it with `retinue run`" in retinue("status", "-C", unscored).stdout


def test_export_writes_the_tables_asked_for(told, retinue, acme, tmp_path):
    rows = told("export", tmp_path / "out", "-C", acme)["rows"]
    assert pq.read_table(tmp_path / "out/snapshots.parquet").num_rows == rows["snapshots"] == 8 * 15 - 9
    retinue("export", tmp_path / "csv", "-C", acme, "--format", "csv", "--table", "transitions")
    assert [path.name for path in (tmp_path / "csv").iterdir()] == ["transitions.csv"]
    done = retinue("export", tmp_path / "no", "-C", acme, "--table", "scores", status=1)
    assert "no published table is called 'scores'" in done.stderr


def test_the_schema_is_one(retinue):
    jsonschema.Draft202012Validator.check_schema(json.loads(retinue("schema").stdout))


def test_a_project_made_from_a_template_can_be_scored(retinue, told, tmp_path):
    made = told("init", tmp_path / "shop", "--template", "retail")
    assert "retinue.yaml" in made["files"]
    result = told("run", "-C", tmp_path / "shop", "--to", made["last_day"])
    assert sum(result["bands"].values()) > 0
    done = retinue("init", tmp_path / "shop", status=1)
    assert "is not empty" in done.stderr and done.stderr.count("\n") == 1
    retinue("init", tmp_path / "other", "--template", "bank", status=2)


def test_cases_of_a_project_are_run(retinue, unscored):
    assert retinue("test", "-C", unscored).stdout.splitlines()[-1] == "No cases."
