"""Tasks on the command line: added, ticked, put off, given and closed, one or many."""

from __future__ import annotations


def test_a_task_goes_from_one_to_another_until_it_is_done(retinue, told, own):
    made = told(
        *("tasks", "add", "A-01", "Call them", "-C", own, "--due", "2026-04-03"),
        *("--among", "ann@x.example,bob@x.example", "--item", "Ask", "--item", "Agree"),
    )
    assert made == {"id": 1, "account_id": "A-01", "owner": "ann@x.example"}
    assert retinue("tasks", "tick", 1, 2, "-C", own).stdout == "Task 1: 1 of 2 done.\n"
    assert "1/2" in retinue("tasks", "list", "-C", own).stdout
    assert told("tasks", "snooze", 1, "--until", "2026-05-01", "-C", own) == {"changed": [1], "refused": {}}
    assert retinue("tasks", "list", "-C", own).stdout == "No task.\n"
    assert "until 2026-05-01" in retinue("tasks", "list", "--snoozed", "-C", own).stdout
    assert retinue("tasks", "snooze", 1, "--wake", "-C", own).stdout == "Task 1 is back.\n"
    assert retinue("tasks", "give", 1, "--owner", "cleo", "-C", own).stdout == "Task 1 is given to cleo.\n"
    retinue("tasks", "close", 1, "-C", own, "--result", "Agreed", "--said", "We miss the export")
    (task,) = told("tasks", "list", "--all", "--owner", "cleo", "-C", own)
    assert (task["status"], task["result"], task["said"]) == (
        "done",
        "Agreed",
        "We miss the export",
    )
    assert [item["done"] for item in task["checklist"]] == [False, True]
    out = retinue("tasks", "responses", "-C", own).stdout
    assert "cleo" in out and "not enough" in out


def test_what_cannot_be_changed_is_told_and_ends_the_command_with_a_status(retinue, own):
    for title in ("one", "two"):
        retinue("tasks", "add", "A-01", title, "-C", own)
    done = retinue("tasks", "close", 2, 7, "-C", own, "--drop", status=1)
    assert done.stdout == "Task 2 is dropped.\n"
    assert done.stderr == "error: no task 7\n"
    assert "already" in retinue("tasks", "give", 2, "--owner", "ann", "-C", own, status=1).stderr
    assert "one of the two" in retinue("tasks", "give", 1, "-C", own, status=1).stderr
    assert "--until" in retinue("tasks", "snooze", 1, "-C", own, status=2).stderr
    assert "no item 1" in retinue("tasks", "tick", 1, 1, "-C", own, status=1).stderr
    assert (
        "nobody is in the team" in retinue("tasks", "give", 1, "--among", "north", "-C", own, status=1).stderr
    )
