from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
from sqlalchemy import update

from retinue.store.tables import current
from retinue.workspace import open_workspace
from tests.cli.conftest import Retinue

ROW = {
    "type": "object",
    "required": [
        *("account_id", "name", "owner", "segment", "as_of", "status", "effective", "band", "band_since"),
        *("delta_28", "reason", "sparkline", "arr", "renews_on", "coverage", "grade"),
    ],
    "properties": {
        "effective": {"type": ["number", "null"], "minimum": 0, "maximum": 100},
        "band": {"enum": ["healthy", "watch", "at_risk", None]},
        "sparkline": {"type": "array", "minItems": 13, "maxItems": 13},
        "as_of": {"const": "2026-03-31"},
    },
}
SHAPE = {
    "type": "object",
    "required": ["direction", "as_of", "order", "total", "bands", "next", "accounts"],
    "properties": {"accounts": {"type": "array", "items": ROW}, "total": {"type": "integer"}},
}


def ids(told):
    return [row["account_id"] for row in told["accounts"]]


def test_every_account_is_listed_with_its_score_band_and_reason(told, acme):
    listed = told("accounts", "-C", acme)
    jsonschema.validate(listed, SHAPE)
    assert sorted(ids(listed)) == ["A-01", "A-02", "A-03", "A-04", "A-05", "A-07", "A-08"]
    assert listed["bands"] == {"healthy": 3, "watch": 2, "at_risk": 1, "not_scored": 1}
    by_id = {row["account_id"]: row for row in listed["accounts"]}
    assert by_id["A-04"]["reason"] == "an invoice is overdue"
    assert by_id["A-04"]["grade"] == "E" and by_id["A-05"]["grade"] is None


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--band", "at_risk"], ["A-04"]),
        (["--band", "not_scored"], ["A-05"]),
        (["--band", "watch", "--band", "at_risk"], ["A-02", "A-03", "A-04"]),
        (["--owner", "cleo@acme.example"], ["A-07", "A-08"]),
        (["--segment", "small"], ["A-05"]),
        (["--territory", "south", "--owner", "ann@acme.example"], ["A-02"]),
        (["--stage", "mature", "--scorecard", "small"], ["A-05"]),
        (["--search", "GROWN"], ["A-07"]),
        (["--search", "nobody"], []),
    ],
)
def test_filters_keep_the_accounts_that_match(told, acme, options, expected):
    listed = told("accounts", "-C", acme, *options)
    assert sorted(ids(listed)) == expected
    assert listed["total"] == len(expected)


def test_movers_are_those_that_moved_most_in_either_direction(told, acme):
    moves = [row["delta_28"] for row in told("accounts", "-C", acme, "--movers", "28")["accounts"]]
    sizes = [abs(move) for move in moves if move is not None]
    assert sizes == sorted(sizes, reverse=True)
    assert {move > 0 for move in moves[:4]} == {True, False}
    assert moves[-1] is None


def test_accounts_are_sorted_and_the_order_is_stated(retinue, told, acme):
    scores = [row["effective"] for row in told("accounts", "-C", acme, "--sort", "score")["accounts"]]
    assert scores[:-1] == sorted(scores[:-1]) and scores[-1] is None
    assert "by score, worst first" in retinue("accounts", "-C", acme, "--sort", "score").stdout
    reverse = told("accounts", "-C", acme, "--sort", "score", "--reverse")
    assert ids(reverse)[0] == "A-01"
    assert "reversed" in reverse["order"]


def test_pages_follow_each_other_without_gap_or_repeat(told, acme):
    seen, after = [], []
    for _ in range(4):
        page = told("accounts", "-C", acme, "--limit", 2, *after)
        seen += ids(page)
        after = ["--after", page["next"]]
    assert page["next"] is None
    assert seen == ids(told("accounts", "-C", acme))


def test_a_list_in_a_pipe_is_plain_text_with_nothing_cut(retinue, acme):
    out = retinue("accounts", "-C", acme).stdout
    assert "\x1b" not in out and "…" not in out
    line = next(line for line in out.splitlines() if line.startswith("A-03"))
    assert re.search(r"Ticket & Sons +61 +C +◆ watch +-32 .*Open tickets cost 34 points in 28 days", line)
    assert "bob@acme.example" in line
    assert "7 accounts: ▲ 1 at risk (ARR 30.0k), ◆ 2 watch" in out
    assert "As of 2026-03-31, by attention" in out


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_list_on_a_terminal_has_colours_and_fits(retinue, acme, width):
    out = retinue("accounts", "-C", acme, FORCE_COLOR="1", TERM="xterm", COLUMNS=str(width)).stdout
    plain = re.sub(r"\x1b\[[0-9;]*m", "", out)
    assert "\x1b[31m▲ at risk" in out
    assert max(map(len, plain.splitlines())) <= width


def test_signs_that_cannot_be_printed_have_others_in_their_place(acme):
    program = "import sys; from retinue.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, "accounts", "-C", str(acme)],
        env={"PYTHONIOENCODING": "ascii", "PYTHONPATH": "src"},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        check=True,
    )
    assert b"! at risk" in done.stdout and b"?" not in done.stdout


def test_nothing_that_matches_is_said_so(retinue, acme):
    assert retinue("accounts", "-C", acme, "--owner", "nobody").stdout == "No account matches.\n"


def test_an_order_and_movers_exclude_each_other(retinue, acme):
    done = retinue("accounts", "-C", acme, "--movers", "7", "--sort", "arr", status=2)
    assert "leave out --sort" in done.stderr


def test_before_the_first_run_accounts_say_what_to_do(retinue, unscored):
    done = retinue("accounts", "-C", unscored, status=1)
    assert done.stderr == "error: nothing is published yet (start with `retinue run`)\n"


def test_a_broken_scorecard_hides_no_published_score(retinue, own):
    (own / "scorecards.yaml").write_text("scorecard: [", encoding="utf-8")
    assert "A-04" in retinue("accounts", "-C", own).stdout
    assert "an invoice is overdue" in retinue("explain", "A-04", "-C", own).stdout


def test_a_column_that_no_account_fills_is_left_out(retinue: Retinue, own: Path) -> None:
    assert "ARR" in retinue("accounts", "-C", str(own)).output.splitlines()[0]
    with open_workspace(own, {}).store.write() as connection:
        connection.execute(update(current).values(arr=None))
    assert "ARR" not in retinue("accounts", "-C", str(own)).output.splitlines()[0]
