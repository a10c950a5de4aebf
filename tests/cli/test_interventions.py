"""Interventions on the command line: what was done for an account, said, ended and taken back."""

from __future__ import annotations


def test_an_intervention_is_recorded_ended_and_withdrawn(retinue, told, own):
    assert retinue("interventions", "list", "A-01", "-C", own).stdout == "Nothing is recorded.\n"
    said = told(
        *("interventions", "add", "A-01", "training", "-C", own, "--from", "2026-03-30"),
        *("--owner", "ann@x.example", "--reason", "A new team"),
    )
    assert (said["what"], said["id"], said["account_id"]) == ("intervention", 1, "A-01")
    shown = retinue("interventions", "list", "A-01", "-C", own).stdout
    assert all(word in shown for word in ("training", "2026-03-30", "ann@x.example", "A new team"))
    assert retinue("interventions", "end", 1, "-C", own).stdout == "Intervention 1 has ended.\n"
    [one] = told("interventions", "list", "A-01", "-C", own)
    assert (one["started_on"], one["ended_on"], one["playbook"]) == ("2026-03-30", "2026-04-01", None)
    retinue("interventions", "withdraw", 1, "-C", own)
    assert told("interventions", "list", "A-01", "-C", own) == []
    assert "withdraw intervention" in retinue("audit", "-C", own).stdout


def test_what_cannot_be_recorded_is_told(retinue, own):
    later = retinue("interventions", "add", "A-01", "visit", "--from", "2026-05-01", "-C", own, status=1)
    assert "still to come" in later.stderr and "add a task" in later.stderr
    wrong = ("--from", "2026-03-30", "--to", "2026-03-01")
    assert (
        "2026-03-01" in retinue("interventions", "add", "A-01", "visit", *wrong, "-C", own, status=1).stderr
    )
    assert "nobody" in retinue("interventions", "add", "nobody", "visit", "-C", own, status=1).stderr
    assert "nobody" in retinue("interventions", "list", "nobody", "-C", own, status=1).stderr
    assert "7" in retinue("interventions", "end", 7, "-C", own, status=1).stderr
