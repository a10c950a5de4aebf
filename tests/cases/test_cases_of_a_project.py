"""Rows of a case go in, and what the engine makes of them is held against what is expected."""

from __future__ import annotations

import json

import pytest

from retinue.errors import ProjectError
from tests.cases.conftest import Run

HEAD = """\
case: {name}
as_of: 2026-03-31
accounts: [{{account: acme, seats: 4, started_on: 2025-01-01}}]
"""
BUSY = """\
facts:
  usage:
    - {row: {account: acme, occurred_at: -27d, event: login}, times: 28, each: {user: [ann, ben]}}
  tickets: [{account: acme, occurred_at: -3d}]
people: [{account: acme, person: ann, role: champion, from: 2025-01-01}]
"""


def test_a_case_that_holds_passes(run: Run) -> None:
    (result,) = run(
        HEAD.format(name="busy")
        + BUSY
        + """\
expect:
  acme:
    score: 68.75         # (0.6 x (100 + 50) / 2 + 0.2 x 50) / 0.8
    base: 68.75
    band: watch
    status: scored
    stage: mature
    scorecard: all
    cap: null
    coverage: 0.8
    metrics: {events: 56, users: 2, open_tickets: 1, champions: 1, seats: 4, csm: missing}
    components: {use: 75, service: 50}
    measures: {events: 100, users: 50, use.users: 50, csm: missing}
"""
    )
    assert [str(f) for f in result.failures] == []
    assert result.passed


def test_a_difference_names_expected_got_and_the_line(run: Run) -> None:
    (result,) = run(HEAD.format(name="busy") + BUSY + "expect:\n  acme: {score: 66}\n")
    assert [str(failure) for failure in result.failures] == [
        "tests/cases.yaml:10: acme on 2026-03-31, score: expected 66, got 68.75"
    ]
    assert json.loads(json.dumps(result.to_dict()))["failures"][0]["got"] == pytest.approx(68.75)


def test_names_of_the_company_s_columns_are_understood(run: Run) -> None:
    (result,) = run(
        """\
case: own names
as_of: 2026-03-31
accounts: [{org: acme, start: 2025-01-01, tier: smb}]
facts:
  usage: [{org: acme, ts: 2026-03-30 10:00, who: ann, event: login}]
expect:
  acme: {metrics: {events: 1, users: 1, open_tickets: missing}}
"""
    )
    assert result.passed, result.failures


def test_silence_is_zero_where_the_feed_is_alive_stale_where_it_died_and_missing_without_one(
    run: Run,
) -> None:
    results = run(
        HEAD.format(name="alive")
        + "facts: {usage: [], tickets: []}\nexpect: {acme: {metrics: {events: 0}, held: false}}\n---\n"
        + HEAD.format(name="died")
        + "facts: {usage: [], tickets: []}\nfeeds: {usage: 2026-03-20}\n"
        + "expect: {acme: {metrics: {events: stale}, held: true}}\n---\n"
        + HEAD.format(name="none")
        + "facts: {tickets: []}\nexpect: {acme: {metrics: {events: missing}, held: false}}\n"
    )
    assert [(r.name, r.failures, r.error) for r in results] == [
        ("alive", (), None),
        ("died", (), None),
        ("none", (), None),
    ]


def test_cases_of_one_pass_do_not_see_each_other(run: Run) -> None:
    row = (
        "facts:\n  tickets: []\n"
        "  usage: [{account: acme, occurred_at: -1d, user: %s, event: login, event_id: e1}]\n"
    )
    results = run(
        "---\n".join(
            HEAD.format(name=name) + row % name + "expect: {acme: {metrics: {events: 1, users: 1}}}\n"
            for name in ("ann", "ben")
        )
    )
    assert all(result.passed for result in results), results


def test_a_date_each_and_stability_over_them(run: Run) -> None:
    (result,) = run(
        """\
case: falling
as_of: {from: 2026-03-01, to: 2026-03-06}
accounts: [{account: acme, started_on: 2025-01-01}]
facts:
  usage:
    - {row: {account: acme, occurred_at: 2026-02-01, event: login}, times: 29, each: {user: [a, b, c, d]}}
  tickets:
    - {row: {account: acme, occurred_at: 2026-03-03}, times: 3, every: 0d}
people: [{account: acme, person: ann, role: champion, from: 2025-01-01, until: null}]
pulses: [{account: acme, pulse: csm, value: 0, on: 2026-03-03}]
expect:
  acme:
    2026-03-02: {score: 100, band: healthy}
    2026-03-03: {score: 60, band: healthy, published: 60}
    2026-03-04: {band: healthy}
    2026-03-05: {score: 60, band: watch}
"""
    )
    assert [str(f) for f in result.failures] == []


def test_caps_overrides_pulses_and_accounts_that_are_gone(run: Run) -> None:
    (result,) = run(
        """\
case: rules
as_of: 2026-03-31
accounts:
  - {account: acme, started_on: 2025-01-01}
  - {account: gone, started_on: 2025-01-01, ended_on: 2026-01-01}
facts:
  usage: [{row: {account: acme, occurred_at: -27d, event: login}, times: 28, each: {user: [a, b, c, d]}}]
  tickets: []
people: [{account: acme, person: ann, role: champion, from: 2025-01-01, until: -10d}]
pulses: [{account: acme, pulse: csm, value: 8, on: -10d, expires_on: 5d}]
overrides: [{account: acme, kind: set, value: 20, on: -1d}]
expect:
  acme:
    {base: 96, score: 60, cap: nobody speaks for us, published: 60, effective: 20, band: at_risk,
     published_band: watch}
  gone: absent
"""
    )
    assert [str(f) for f in result.failures] == []


def test_histories_say_what_an_attribute_was(run: Run) -> None:
    (result,) = run(
        """\
case: seats
as_of: [2026-02-28, 2026-03-31]
accounts: [{account: acme, started_on: 2025-01-01}]
facts: {usage: [], tickets: []}
histories:
  seats:
    - {account: acme, value: 5, from: 2025-01-01}
    - {account: acme, value: 9, from: 2026-03-15}
expect:
  acme:
    2026-02-28: {metrics: {seats: 5}}
    2026-03-31: {metrics: {seats: 9}}
"""
    )
    assert [str(f) for f in result.failures] == []


def test_cohort_curves_use_declared_points_unless_the_rows_are_the_history(run: Run) -> None:
    body = """\
as_of: 2026-03-31
accounts: [{row: {account: "a{n}", segment: smb, started_on: 2024-01-01}, times: 9, every: 0d}]
facts:
  tickets: []
  usage: [{row: {account: a1, occurred_at: -440d, event: login, user: ann}, times: 441}]
"""
    results = run(
        f"case: declared\n{body}expect: {{a1: {{measures: {{users: 25}}}}}}\n---\n"
        f"case: rows\ncohorts: rows\ntolerance: 10\n{body}expect: {{a1: {{measures: {{users: 85}}}}}}\n"
    )
    # The best of nine is near the top, drawn a little towards the declared points.
    assert [[str(failure) for failure in result.failures] for result in results] == [[], []]


def test_a_row_that_is_rejected_fails_the_case_at_its_line(run: Run) -> None:
    (result,) = run(
        HEAD.format(name="typo")
        + "facts: {usage: [{account: acne, occurred_at: -1d}], tickets: []}\n"
        + "expect: {acme: {status: scored}}\n"
    )
    assert [str(f) for f in result.failures] == [
        'tests/cases.yaml:4: rejected rows of usage: expected 0, got "1 (account "acne" is not an account)"'
    ]


def test_rejected_rows_can_be_expected(run: Run) -> None:
    (result,) = run(
        HEAD.format(name="orphan")
        + "facts: {usage: [{account: acne, occurred_at: -1d}], tickets: []}\nrejected: {usage: 1}\n"
        + "expect: {acme: {status: scored}}\n"
    )
    assert result.passed, result.failures


def test_a_column_that_the_project_does_not_read_is_an_error_with_the_nearest_name(run: Run) -> None:
    results = run(
        HEAD.format(name="typo")
        + "facts: {usage: [{account: acme, occured_at: -1d}], tickets: []}\nexpect: {acme: absent}\n---\n"
        + HEAD.format(name="sound")
        + "facts: {usage: [], tickets: []}\nexpect: {acme: {status: scored}}\n"
    )
    assert results[0].error == (
        'tests/cases.yaml:4: no column "occured_at" here that the project reads (did you mean "occurred_at"?)'
    )
    assert results[1].passed, results[1].failures


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("case: a\nas_of: 2026-03-31\nexpekt: {a: absent}\n", 'did you mean "expect"'),
        ("case: a\nas_of: soon\nexpect: {a: absent}\n", "not a date"),
        ("case: a\nas_of: 2026-03-31\nexpect: {a: {2026-03-30: {score: 1}}}\n", "not among the dates"),
        ("case: a\nas_of: 2026-03-31\nexpect: {a: {skore: 1}}\n", "skore"),
        ("case: a\nas_of: {from: 2026-03-31, to: 2026-03-01}\nexpect: {a: absent}\n", "no date"),
        ("case: a\nas_of: 2026-03-31\nexpect: {}\n", "expect"),
        ("- 1\n", "case: NAME"),
        ("case: [\n", "YAML"),
    ],
)
def test_a_case_that_cannot_be_read_says_where_and_why(run: Run, text: str, words: str) -> None:
    with pytest.raises(ProjectError) as error:
        run(text)
    assert words in str(error.value)
    assert str(error.value).startswith("tests/cases.yaml:")
