"""Rules between declarations: each with its line, its hint and whether it stops a run."""

from __future__ import annotations

import pytest

from tests.project.conftest import METRICS, SCORECARD, SETTINGS, Write


@pytest.mark.parametrize(
    ("metric", "message", "hint"),
    [
        ("{count: usag}", 'reads "usag", which is no declared source', 'did you mean "usage"?'),
        ("{milestones: {a: {source: usag}}}", 'reads "usag"', 'did you mean "usage"?'),
        ("{change: {sum: usag.n}, window: 7d, baseline: 28d}", 'reads "usag"', 'did you mean "usage"?'),
        ("{sum: usage}", 'needs a column of "usage"', "write usage.COLUMN"),
        ("{count: usage.user}", "is about rows, not about a column", "`distinct`"),
        ("{open: usage}", 'when rows of "usage" end', "declare `ends_at` of usage"),
        ("{open_sum: usage.n}", 'when rows of "usage" end', "declare `ends_at` of usage"),
        ("{ratio: [event, 3]}", 'a ratio of "event", which is no metric', 'did you mean "events"?'),
        ("{ratio: [events, seats]}", 'a ratio of "seats"', "write account.seats"),
        (
            "{ratio: [events, account.seat]}",
            'a ratio of "seat", which is no attribute',
            'did you mean "seats"?',
        ),
        ("{attribute: segmnt}", 'is of "segmnt", which is no attribute', 'did you mean "segment"?'),
        ("{children: arr}", "needs the attribute `parent`", "map it in `accounts: columns`"),
        ("{ratio: [bad, 3]}", "a ratio is made of itself: bad -> bad", "break the circle"),
    ],
)
def test_a_metric_of_what_is_not_there(write: Write, metric: str, message: str, hint: str) -> None:
    loaded = write({"metrics.yaml": METRICS + f"  bad: {metric}\n"})
    problem = loaded.about(message)
    assert problem.severity == "error"
    assert str(problem.place) == "metrics.yaml:4"
    assert hint in str(problem.hint)


def test_a_circle_of_ratios_is_told_once(write: Write) -> None:
    ratios = "  a: {ratio: [b, 2]}\n  b: {ratio: [events, c]}\n  c: {ratio: [a, a]}\n"
    loaded = write({"metrics.yaml": METRICS + ratios})
    assert loaded.about("made of itself").message.endswith("a -> b -> c -> a")


def test_a_long_chain_of_ratios_is_no_circle(write: Write) -> None:
    chain = "".join(f"  r{n}: {{ratio: [r{n + 1}, 2]}}\n" for n in range(1500)) + "  r1500: {count: usage}\n"
    card = SCORECARD.replace("events:", "r0:")
    loaded = write({"metrics.yaml": METRICS + chain, "scorecards/all.yaml": card})
    assert loaded.project is not None
    assert len(loaded.project.formulas[0].metrics) == 1502


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("tenure", "the name of something built in"),
        ("Stage", "the name of something built in"),
        ("days_to_renewal", "the name of something built in"),
        ("children_score", "the name of something built in"),
        ("Events", '"Events" and "events" differ only by case'),
        ("a.b", "is not a name for a metric"),
        ("two words", "is not a name for a metric"),
        ("9lives", "is not a name for a metric"),
    ],
)
def test_names_that_clash(write: Write, name: str, message: str) -> None:
    problem = write({"metrics.yaml": METRICS + f"  {name}: {{count: usage}}\n"}).about(message)
    assert (problem.severity, str(problem.place)) == ("error", "metrics.yaml:4")


def test_a_metric_may_hide_an_attribute_but_not_silently(write: Write) -> None:
    loaded = write({"metrics.yaml": METRICS + "  seats: {count: usage}\n  segment: {attribute: segment}\n"})
    assert loaded.about("is a metric and an attribute").severity == "warning"


def test_a_metric_that_nobody_uses_is_a_warning(write: Write) -> None:
    more = (
        "  idle: {ratio: [part, 2]}\n  part: {count: usage}\n  churned: {count: usage, indicator: lagging}\n"
    )
    problem = write({"metrics.yaml": METRICS + more}).about("never used")
    assert problem.message == 'metric "idle" is never used'
    assert (problem.severity, str(problem.place)) == ("warning", "metrics.yaml:4")


@pytest.mark.parametrize(
    ("old", "new", "line", "severity", "message"),
    [
        ("  key: id\n", "", 2, "error", '"key" is missing in accounts'),
        ("  table: accounts.csv\n", "", 2, "error", '"table" is missing in accounts'),
        ("  table: accounts.csv\n", "  table: a\n  fact: usage\n", 2, "error", "not from both"),
        ("  table: accounts.csv\n", "  fact: usge\n", 3, "error", 'unknown source "usge"'),
        ("seats: seats", "stage: s", 5, "error", '"stage" is the name of something built in'),
        ("seats: seats", "Segment: s", 5, "error", "differ only by case"),
        (", started_on: start}", "}", 2, "warning", "accounts have no `started_on`"),
        ("facts:", "  history: {segmnt: fixed}\nfacts:", 6, "error", 'history of "segmnt"'),
        ("seats: seats", "seats: {column: s, currency: EUR}", 5, "error", "needs the project's `currency`"),
        ("seats: seats", "seats: {column: s, times: t}", 5, "error", "`times` is for numbers of sources"),
        ("seats: seats", "seats: {column: s, or_earlier: t}", 5, "error", "`or_earlier` is for dates"),
        ("user: user_id", "columns: {n: {column: s, or_earlier: t}}", 7, "error", "`or_earlier` is for"),
        ("known_at: loaded, ", "", 7, "warning", '"usage" has no known_at'),
        ("known_at: loaded", "trusted_from: 2024-01-01", 7, "warning", "does nothing without known_at"),
        ("user: user_id", "ends_known_at: x", 7, "error", "ends_known_at needs ends_at"),
        ("user: user_id", "user: u, columns: {user: v}", 7, "error", '"user" is declared twice'),
        ("  usage:", "  spine:", 7, "error", '"spine" is the name of something built in'),
        (
            "facts:",
            "people: {table: p, account: a, person: e}\nfacts:",
            6,
            "warning",
            "people have no `from`",
        ),
    ],
)
def test_sources_and_accounts(
    write: Write, old: str, new: str, line: int, severity: str, message: str
) -> None:
    assert old in SETTINGS
    problem = write({"retinue.yaml": SETTINGS.replace(old, new)}).about(message)
    assert (problem.severity, str(problem.place)) == (severity, f"retinue.yaml:{line}")
    assert problem.hint


def test_people_without_from_cannot_be_measured(write: Write) -> None:
    people = SETTINGS.replace("facts:", "people: {table: p, account: a, person: e}\nfacts:")
    metrics = METRICS + "  contacts: {distinct: people.person}\n"
    assert write({"retinue.yaml": people, "metrics.yaml": metrics}).about("no `from`").severity == "error"


def test_amounts_in_another_currency_need_rates(write: Write) -> None:
    foreign = SETTINGS.replace("seats: seats", "seats: {column: s, currency: EUR}") + "currency: USD\n"
    assert write({"retinue.yaml": foreign}).about("amounts in EUR need a table of rates").hint
    assert write({"retinue.yaml": foreign.replace("USD", "EUR")}).problems == []
    rates = foreign + "rates: {table: rates.csv, valid_from: day}\n"
    assert write({"retinue.yaml": rates}).problems == []


@pytest.mark.parametrize(
    ("more", "line", "severity", "message"),
    [
        ("stages:\n  - {stage: a, when: tenre < 9}\n  - {stage: b}\n", 9, "error", 'unknown name "tenre"'),
        (
            "stages:\n  - {stage: a, when: stage = b}\n  - {stage: b}\n",
            9,
            "error",
            "depends on the stage itself",
        ),
        ("stages:\n  - {stage: a}\n  - {stage: b}\n", 9, "error", 'stages after "a" are never reached'),
        ("stages:\n  - {stage: a, when: tenure < 9}\n", 9, "warning", "accounts that no rule matches"),
        (
            "stages:\n  - {stage: a, when: days_to_renewal < 9}\n  - {stage: b}\n",
            9,
            "error",
            "days_to_renewal needs the day of renewal",
        ),
        ("grades: {A: 50, B: 70, C: 0}\n", 8, "error", "the edges of grades must descend"),
        ("grades: {A: 80, B: 50}\n", 8, "error", "the last is 0"),
        ("tenure_buckets: [0, 90, 30]\n", 8, "error", "tenure_buckets start at 0 and ascend"),
        ("tenure_buckets: [30, 90]\n", 8, "error", "tenure_buckets start at 0 and ascend"),
        ("scorecards: [al]\n", 8, "error", 'unknown scorecard "al"'),
        ("scorecards: [all, all]\n", 8, "error", 'scorecard "all" is listed twice'),
    ],
)
def test_stages_scales_and_order(write: Write, more: str, line: int, severity: str, message: str) -> None:
    problem = write({"retinue.yaml": SETTINGS + more}).about(message)
    assert (problem.severity, str(problem.place)) == (severity, f"retinue.yaml:{line}")
    assert problem.hint


@pytest.mark.parametrize(
    ("measure", "severity", "message"),
    [
        ("user: {curve: [[0, 0], [1, 100]]}", "error", 'measure of "user", which is no metric'),
        (
            "users: {curve: [[0, 0], [1, 100]]}",
            "warning",
            '"users" has no max_age: if the feed of usage died',
        ),
        ("users: {curve: cohort, max_age: 3d}", "error", "does not say which values are good"),
        (
            "users: {curve: cohort, direction: higher_is_better, cohort: [segmnt], max_age: 3d}",
            "error",
            'the cohort of "users" is by "segmnt", which is no attribute',
        ),
        (
            "users: {curve: cohort, direction: higher_is_better, cohort: [stage], max_age: 3d}",
            "error",
            "a cohort by stage needs stages",
        ),
    ],
)
def test_measures(write: Write, measure: str, severity: str, message: str) -> None:
    line = "users: {curve: [[0, 0], [10, 100]], max_age: 3d}"
    problem = write({"scorecards/all.yaml": SCORECARD.replace(line, measure)}).about(message)
    assert (problem.severity, str(problem.place)) == (severity, "scorecards/all.yaml:8")
    assert problem.hint


def test_a_ratio_needs_a_max_age_for_the_feeds_of_its_parts(write: Write) -> None:
    metrics = METRICS + "  per_user: {ratio: [events, users]}\n"
    card = SCORECARD.replace(
        "users: {curve: [[0, 0], [10, 100]], max_age: 3d}", "per_user: {curve: [[0, 0]]}"
    )
    loaded = write({"metrics.yaml": metrics, "scorecards/all.yaml": card})
    assert "feed of usage" in loaded.about('"per_user" has no max_age').message


def test_an_outcome_as_a_measure_is_a_warning(write: Write) -> None:
    metrics = METRICS.replace("window: 28d}\n  users", "window: 28d, indicator: lagging}\n  users")
    problem = write({"metrics.yaml": metrics}).about("is a lagging indicator")
    assert (problem.severity, str(problem.place)) == ("warning", "scorecards/all.yaml:5")


def test_a_curve_against_its_metric_is_a_warning(write: Write) -> None:
    metrics = METRICS.replace("users: {", "users: {direction: lower_is_better, ")
    assert write({"metrics.yaml": metrics}).about("goes against the metric").severity == "warning"


@pytest.mark.parametrize(
    ("more", "line", "severity", "message"),
    [
        ("caps:\n  - {when: evnts > 0, at_most: 40, because: x}\n", 10, "error", 'unknown name "evnts"'),
        ("floors:\n  - {when: evnts > 0, at_least: 4, because: x}\n", 10, "error", 'unknown name "evnts"'),
        (
            "caps:\n  - {when: account.seats > 0, at_most: 4, because: x}\n",
            10,
            "error",
            'unknown name "account.',
        ),
        ("caps:\n  - {when: stage = new, at_most: 40, because: x}\n", 10, "error", 'unknown stage "new"'),
        ("caps:\n  - {when: events > seats, at_most: 4, because: x}\n", 10, "error", '"events" is a number'),
        ("applies_to: {segmnt: a}\n", 9, "error", 'applies_to names "segmnt"'),
        ("applies_to: {stage: new}\n", 9, "error", 'unknown stage "new"'),
        ("applies_to: {tenure: 90}\n", 9, "error", "applies_to cannot name tenure"),
        ("applies_to: {segment: a}\n", 1, "warning", "accounts that match no scorecard are not scored"),
        ("stability: {margin: 45}\n", 9, "warning", "a band of this card cannot be reached"),
    ],
)
def test_scorecards(write: Write, more: str, line: int, severity: str, message: str) -> None:
    problem = write({"scorecards/all.yaml": SCORECARD + more}).about(message)
    assert (problem.severity, str(problem.place)) == (severity, f"scorecards/all.yaml:{line}")
    assert problem.hint


def test_a_roll_up_by_arr_needs_parent_and_arr(write: Write) -> None:
    loaded = write({"scorecards/all.yaml": "scorecard: all\nroll_up: arr\n"})
    assert loaded.about("needs the attribute `parent`").severity == "error"
    assert str(loaded.about("needs the attribute `arr`").place) == "scorecards/all.yaml:2"


def card(name: str, applies_to: str) -> str:
    return SCORECARD.replace("scorecard: all\n", f"scorecard: {name}\napplies_to: {applies_to}\n")


def test_a_scorecard_that_never_matches_is_told(write: Write) -> None:
    cards = card("wide", "{segment: [a, b]}") + "---\n" + card("narrow", "{segment: a, seats: 1}")
    problem = write({"scorecards/all.yaml": cards}).about('"narrow" never matches: "wide" takes its accounts')
    assert problem.severity == "warning"
    assert "put it before wide" in str(problem.hint)


def test_scorecards_that_overlap_are_told_with_the_one_that_wins(write: Write) -> None:
    cards = card("one", "{segment: [a, b]}") + "---\n" + card("two", "{segment: [b, c]}")
    problem = write({"scorecards/all.yaml": cards}).about("can match the same account")
    assert problem.hint == "one wins, because it comes first"
    assert str(problem.place) == "scorecards/all.yaml:11"


def test_a_last_scorecard_for_all_others_is_no_overlap(write: Write) -> None:
    cards = card("one", "{segment: [a, b]}") + "---\n" + SCORECARD
    assert write({"scorecards/all.yaml": cards}).problems == []


def test_scorecards_of_every_stage_leave_nobody_out(write: Write) -> None:
    stages = "stages:\n  - {stage: new, when: tenure < 90}\n  - {stage: old}\n"
    cards = card("one", "{stage: new}") + "---\n" + card("two", "{stage: old}")
    assert write({"retinue.yaml": SETTINGS + stages, "scorecards/all.yaml": cards}).problems == []


def test_a_scorecard_that_nobody_can_keep_in_mind_is_a_warning(write: Write) -> None:
    metrics = METRICS + "".join(f"  m{n}: {{count: usage}}\n" for n in range(24))
    components = "".join(
        f"  c{c}:\n    measures:\n"
        + "".join(f"      m{c * 3 + m}: {{curve: [[0, 0]], max_age: 3d}}\n" for m in range(3))
        for c in range(8)
    )
    loaded = write(
        {"metrics.yaml": metrics, "scorecards/all.yaml": "scorecard: all\ncomponents:\n" + components}
    )
    assert loaded.about("has 24 measures").severity == "warning"
    assert "4 to 6" in str(loaded.about("has 8 components").hint)


def test_without_scorecards_nothing_is_scored(write: Write) -> None:
    assert write({"scorecards/all.yaml": ""}).about("there is no scorecard").severity == "warning"


def test_a_scorecard_outside_the_declared_order_comes_last(write: Write) -> None:
    cards = card("one", "{segment: a}") + "---\n" + SCORECARD
    loaded = write({"retinue.yaml": SETTINGS + "scorecards: [one]\n", "scorecards/all.yaml": cards})
    assert loaded.about('"all" is not in the order').severity == "warning"


@pytest.mark.parametrize(
    "rule",
    [
        "caps:\n  - {when: below < 40, at_most: 50, because: x}",
        "floors:\n  - {when: below > 90, at_least: 70, because: x}",
    ],
)
def test_a_rule_cannot_look_at_the_scores_of_children(write: Write, rule: str) -> None:
    settings = SETTINGS.replace("seats: seats", "seats: seats, parent: parent")
    metrics = METRICS + "  below: {children: worst}\n"
    loaded = write(
        {"retinue.yaml": settings, "metrics.yaml": metrics, "scorecards/all.yaml": SCORECARD + rule + "\n"}
    )
    problem = loaded.about('a condition cannot look at "below"')
    assert (problem.severity, str(problem.place)) == ("error", "scorecards/all.yaml:10")
    assert "can be measures" in str(problem.hint)


def test_a_stage_or_a_ratio_cannot_look_at_the_scores_of_children(write: Write) -> None:
    stages = "stages:\n  - {stage: weak, when: below < 40}\n  - {stage: other}\n"
    settings = SETTINGS.replace("seats: seats", "seats: seats, parent: parent") + stages
    loaded = write(
        {
            "retinue.yaml": settings,
            "metrics.yaml": METRICS + "  below: {children: worst}\n  half: {ratio: [below, 2]}\n",
        }
    )
    assert str(loaded.about('a condition cannot look at "below"').place) == "retinue.yaml:9"
    assert str(loaded.about('is a ratio of "below", a roll-up of children').place) == "metrics.yaml:5"


RATED = (
    "  rated: {table: r.csv, account: id, occurred_at: ts, known_at: l,"
    " columns: {stars: {column: s, known_at: rated}}}\n"
)


@pytest.mark.parametrize(
    ("where", "wrong"),
    [
        ("stars > 3", False),
        ("stars is not missing and kind = a", False),
        ("stars in (1, 2) or stars = 5", False),
        ("stars > 3 or kind = a", True),
        ("stars is missing", True),
        ("not (stars > 3)", True),
        ("kind = a", False),
    ],
)
def test_a_condition_cannot_hold_before_a_late_column_is_known(write: Write, where: str, wrong: bool) -> None:
    metrics = METRICS + f"  bad: {{count: rated, where: '{where}'}}\n"
    loaded = write({"retinue.yaml": SETTINGS + RATED, "metrics.yaml": metrics})
    found = [p for p in loaded.problems if p.severity == "error"]
    assert [str(p.place) for p in found] == ["metrics.yaml:4"] * wrong


def test_the_condition_of_a_source_cannot_look_at_a_late_column(write: Write) -> None:
    rated = RATED.replace("known_at: l,", "known_at: l, where: stars > 3,")
    problem = write({"retinue.yaml": SETTINGS + rated}).about('"where" looks at "stars"')
    assert (problem.severity, str(problem.place)) == ("error", "retinue.yaml:8")
