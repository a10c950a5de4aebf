from __future__ import annotations

import pytest

TOMORROW = "2026-04-02T09:00:00Z"


def test_a_pulse_and_an_override_count_from_the_day_they_are_said(retinue, told, own, monkeypatch):
    """The pulse enters the computed score of A-01, the override only the effective one of A-02."""
    before = {a: told("explain", a, "-C", own) for a in ("A-01", "A-02")}
    done = retinue("pulse", "A-01", "mood", 2, "-C", own, "--note", "new sponsor", "--expires", "2026-06-30")
    assert done.stdout.startswith("Recorded as pulse 1: mood 2 for A-01 until 2026-06-30.\n")
    assert "counts from 2026-04-01 on" in done.stdout
    said = told("override", "A-02", "cap", 30, "-C", own, "--reason", "they told us", "--owner", "ann")
    assert said == {"id": 1, "override": "cap 30 for A-02", "counts_from": "2026-04-01"}
    assert told("explain", "A-02", "-C", own)["score"] == before["A-02"]["score"]

    monkeypatch.setenv("RETINUE_NOW", TOMORROW)
    retinue("run", "-C", own)
    mood = next(m for m in told("explain", "A-01", "-C", own)["measures"] if m["metric"] == "mood")
    assert (mood["value"], mood["points"], mood["state"]) == (2, 20, "ok")
    after = told("explain", "A-02", "-C", own, "--since", "2026-03-31")
    assert after["as_of"] == "2026-04-01" and after["score"] == 30 and after["band"] == "at_risk"
    assert after["layers"][1]["score"] > 50
    driver = next(d for d in after["change"]["drivers"] if d["kind"] == "override")
    assert driver["points"] == pytest.approx(30 - after["layers"][1]["score"])
    assert driver["text"] == "override: capped at 30 by ann: they told us (no end)"
    assert sum(d["points"] for d in after["change"]["drivers"]) == pytest.approx(after["change"]["points"])
    out = retinue("explain", "A-02", "-C", own).stdout
    assert "effective 30.0 (capped at 30 by ann: they told us (no end))" in out
    assert told("accounts", "-C", own, "--band", "at_risk")["total"] == 2

    retinue("withdraw", "override", 1, "-C", own)
    monkeypatch.setenv("RETINUE_NOW", "2026-04-03T09:00:00Z")
    retinue("run", "-C", own)
    free = told("explain", "A-02", "-C", own)
    assert free["score"] == free["layers"][1]["score"] > 50


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["pulse", "A-01", "moody", 5], "error: 'moody' is no metric of the kind `pulse` (one of mood)"),
        (["pulse", "A-99", "mood", 5], "error: no account 'A-99'"),
        (["pulse", "A-01", "mood", 5, "--expires", "2026-01-01"], "would end before it starts"),
        (["override", "A-99", "set", 5, "--reason", "x"], "error: no account 'A-99'"),
        (["override", "A-01", "set", 5, "--reason", " "], "error: an override needs a reason"),
        (["withdraw", "override", 7], "error: no override 7"),
    ],
)
def test_what_cannot_be_accepted_is_refused_in_one_line(retinue, own, arguments, message):
    done = retinue(*arguments, "-C", own, status=1)
    assert message in done.stderr and done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["pulse", "A-01", "mood", 11],
        ["override", "A-01", "set", 101, "--reason", "x"],
        ["override", "A-01", "lift", 50, "--reason", "x"],
        ["override", "A-01", "set", 50],
    ],
)
def test_what_is_out_of_range_or_left_out_is_a_usage_error(retinue, own, arguments):
    retinue(*arguments, "-C", own, status=2)
