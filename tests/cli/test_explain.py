from __future__ import annotations

import re

import jsonschema
import pytest

SHAPE = {
    "type": "object",
    "required": [
        *("direction", "account_id", "as_of", "status", "score", "band", "band_since", "layers", "coverage"),
        *("gaps", "components", "measures", "trend", "change", "improvements", "cap", "rank", "grade"),
    ],
    "properties": {
        "direction": {"const": "0 = worst health, 100 = best"},
        "change": {"type": ["object", "null"], "required": ["since", "until", "points", "drivers"]},
        "improvements": {"type": "array", "items": {"required": ["kind", "score", "gain", "text"]}},
    },
}


@pytest.mark.parametrize("account", ["A-01", "A-02", "A-03", "A-04", "A-05", "A-06", "A-07", "A-08"])
def test_an_explanation_adds_up(told, acme, account):
    e = told("explain", account, "-C", acme)
    jsonschema.validate(e, SHAPE)
    if e["status"] != "scored":
        assert e["score"] is None and e["change"] is None
        return
    contributions = sum(m["contribution"] for m in e["measures"])
    assert contributions == pytest.approx(e["base"], abs=1e-9)
    assert sum(c["contribution"] for c in e["components"]) == pytest.approx(e["base"], abs=1e-9)
    assert e["base"] + e["adjustment"] == pytest.approx(e["layers"][0]["score"], abs=1e-9)
    change = e["change"]
    assert sum(d["points"] for d in change["drivers"]) == pytest.approx(change["points"], abs=1e-9)
    assert change["to_score"] == e["score"] == e["layers"][2]["score"]


def test_the_text_says_what_moved_by_how_many_points_and_why(retinue, acme):
    out = retinue("explain", "A-02", "-C", acme).stdout
    assert out.startswith("Southern Star (A-02)\n55 ◆ watch since 2026-03-15, grade C\n")
    assert "0 = worst health, 100 = best" in out
    assert "What changed since 2026-03-01 (before it became watch)" in out
    assert re.search(r"-17\.2  Active days fell from 12 to 4 +value", out)
    assert re.search(r"-30\.5  together: 85\.5 → 55\.0 \(● healthy → ◆ watch\)", out)
    assert "Mood of the CSM: missing (5 % of the weight)" in out
    assert "NPS answer: 106 days old, counts 29 % (15 % of the weight)" in out
    assert "Advice: Ask who stopped" in out


def test_the_printed_drivers_add_up_to_the_printed_change(retinue, acme):
    for account in ("A-02", "A-03", "A-04", "A-07"):
        out = retinue("explain", account, "-C", acme).stdout
        block = out.split("What changed")[1].split("What would")[0]
        *parts, total = [float(n) for n in re.findall(r"^ +([+-]?\d+\.\d)  ", block, re.MULTILINE)]
        assert sum(parts) == pytest.approx(total, abs=0.05 * (len(parts) + 1))


def test_a_capped_account_is_told_the_cap_first(retinue, told, acme):
    e = told("explain", "A-04", "-C", acme)
    assert e["cap"] == "an invoice is overdue"
    assert [one["kind"] for one in e["improvements"]] == ["lift"]
    assert e["improvements"][0]["score"] == pytest.approx(e["base"])
    out = retinue("explain", "A-04", "-C", acme).stdout
    assert "Limited: an invoice is overdue; without it 99.2." in out
    assert "without the cap: an invoice is overdue (while overdue > 0)" in out
    assert any(d["kind"] == "rule" and d["points"] < -50 for d in e["change"]["drivers"])


def test_a_change_of_scorecard_is_a_driver_of_its_own(told, acme):
    drivers = told("explain", "A-07", "-C", acme)["change"]["drivers"]
    first = drivers[0]
    assert first["kind"] == "configuration"
    assert first["text"] == "scorecard large instead of small from 2026-03-15"
    assert all(abs(d["points"]) < 1 for d in drivers[1:])
    assert not any("counts now" in d["text"] for d in drivers)


def test_an_account_without_a_score_is_told_what_is_missing(retinue, acme):
    out = retinue("explain", "A-05", "-C", acme).stdout
    assert "○ not scored" in out
    assert "Coverage 33 % is below the 50 % that a score needs." in out
    assert "NPS answer: missing (67 % of the weight)" in out
    assert re.search(r"new  NPS answer: 7, where nothing is known now +to 46\.7", out)


def test_an_account_that_has_ended_is_explained_as_it_last_was(retinue, acme):
    out = retinue("explain", "A-06", "-C", acme).stdout
    assert "as of 2026-02-08" in out
    assert "Not among the accounts any more: the last published date is 2026-03-31." in out


def test_an_account_can_be_named(told, acme):
    assert told("explain", "late payers", "-C", acme)["account_id"] == "A-04"


def test_an_earlier_date_is_explained_as_it_was_published(told, acme):
    e = told("explain", "A-04", "-C", acme, "--as-of", "2026-03-01", "--since", "2026-01-20")
    assert e["cap"] is None and e["band"] == "healthy"
    assert e["change"]["since"] == "2026-01-18"
    assert e["change"]["until"] == e["as_of"] == "2026-03-01"


def test_the_first_date_has_no_change_to_explain(told, acme):
    assert told("explain", "A-01", "-C", acme, "--as-of", "2026-01-04")["change"] is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a-02"], "error: no account 'a-02' (did you mean A-02"),
        (["Northern Light"], "error: no account 'Northern Light' (did you mean A-01"),
        (["zzz"], "error: no account 'zzz' (`retinue accounts` lists them)"),
        (
            ["A-01", "--as-of", "2026-02-02"],
            "error: nothing is published as of 2026-02-02 (nearest: 2026-02-01 and 2026-02-08)",
        ),
        (["A-01", "--as-of", "2027-01-01"], "(nearest: 2026-03-31)"),
        (["A-06", "--as-of", "2026-03-01"], "(it is there from 2026-01-04 to 2026-02-08)"),
        (["A-01", "--since", "2025-01-01"], "(the first is 2026-01-04)"),
        (["A-01", "--since", "2026-03-31"], "starts before it"),
        (["A-05", "--since", "2026-03-01"], "has no score on 2026-03-31"),
    ],
)
def test_what_is_not_there_is_told_in_one_line_with_what_is_near(retinue, acme, arguments, message):
    done = retinue("explain", *arguments, "-C", acme, status=1)
    assert done.stdout == ""
    assert message in done.stderr and done.stderr.count("\n") == 1


def test_what_is_no_date_is_a_usage_error(retinue, acme):
    done = retinue("explain", "A-01", "-C", acme, "--as-of", "31.3.2026", status=2)
    assert "write one such as 2026-03-31" in done.stderr
