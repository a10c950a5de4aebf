"""Conditions evaluated for one account, in Python, as a run evaluates them for all."""

from __future__ import annotations

from datetime import date

import pytest

from retinue.project.conditions import evaluate, parse

NAMES = {
    "users": 3.0,
    "missing_one": None,
    "segment": "smb",
    "code": "12",
    "beta": True,
    "text_flag": "Yes",
    "renews_on": date(2026, 5, 1),
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("users > 2", True),
        ("users >= 3 and users <= 3 and users = 3 and users != 4", True),
        ("users < 3", False),
        ("missing_one > 0", False),
        ("missing_one != 5", False),
        ("absent = 1", False),
        ("not (missing_one > 0)", True),
        ("missing_one is missing and absent is missing", True),
        ("users is not missing", True),
        ("segment in (smb, mid)", True),
        ("segment not in (smb, mid)", False),
        ("segment = mid or users > 1", True),
        ("code > 5", True),
        ("segment > 5", False),
        ("beta = true", True),
        ("beta = 1", True),
        ("beta = 'true'", True),
        ("text_flag = true", True),
        ("segment = true", False),
        ("users = true", False),
        ("renews_on < 2026-06-01", True),
        ("renews_on = '2026-05-01'", True),
        ("renews_on = soon", False),
        ("renews_on = 5", False),
        ("users = '3.0'", True),
    ],
)
def test_a_condition_holds_as_in_a_run(text, expected):
    assert evaluate(parse(text), NAMES) is expected
