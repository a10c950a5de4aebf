"""Reading the files of a project, and everything that can be wrong in one of them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from retinue.errors import ProjectError
from retinue.project.load import load, load_settings, load_with_problems
from tests.project.conftest import ACME, METRICS, SCORECARD, SETTINGS, Write


def test_the_examples_of_the_design_load_without_errors() -> None:
    project, problems = load_with_problems(ACME, {})
    assert project is not None
    assert {problem.severity for problem in problems} == {"warning"}
    assert list(project.metrics)[:2] == ["active_users_28d", "usage_change"]
    assert project.settings.accounts.history.keys() == {"segment", "territory", "arr"}
    assert project.formulas[0].fingerprint == load(ACME, {}).formulas[0].fingerprint
    assert project.texts["sql/custom.sql"].startswith("SELECT account_id")
    assert set(project.texts) == {
        "retinue.yaml",
        "metrics.yaml",
        "scorecards/enterprise.yaml",
        "sql/custom.sql",
    }
    assert str(project.place("metrics", "open_tickets", "open")) == "metrics.yaml:6"
    assert (
        str(project.place("scorecards", "enterprise", "caps", 0, "nothing"))
        == "scorecards/enterprise.yaml:16"
    )
    assert project.place("nowhere") is None


def test_a_small_project_has_nothing_to_complain_about(write: Write) -> None:
    loaded = write()
    assert loaded.project is not None
    assert loaded.problems == []


def test_many_problems_of_many_files_are_told_in_one_go(tmp_path: Path, write: Write) -> None:
    loaded = write(
        {
            "retinue.yaml": SETTINGS + "timezon: UTC\nstages:\n  - {stage: a, when: x >}\n",
            "metrics.yaml": METRICS + "  bad: {count: usage, windw: 28d}\n  worse: {distnct: usage.user}\n",
            "scorecards/all.yaml": SCORECARD + "caps:\n  - {when: evnts > 0, at_most: 140, because: x}\n",
            "scorecards/b.yaml": "scorecard: b\napplies_to: {sgment: x}\nroll_up: mean\n",
        }
    )
    assert loaded.project is None
    assert loaded.errors == [
        'retinue.yaml:8: unknown key "timezon" (did you mean "timezone"?)',
        "retinue.yaml:10: when: expected a value, found 'the end' at character 4 of 'x >'",
        'metrics.yaml:4: unknown key "windw" (did you mean "window"?)',
        'metrics.yaml:5: no kind of metric found; unknown key "distnct" (did you mean "distinct"?)',
        "scorecards/all.yaml:10: at_most: must be at most 100, not the number 140",
        'scorecards/b.yaml:2: applies_to names "sgment", which is no attribute of the accounts'
        ' (did you mean "segment"?)',
        "scorecards/b.yaml:3: rolling up children needs the attribute `parent`"
        " (map it in `accounts: columns`)",
    ]
    with pytest.raises(ProjectError) as caught:
        load(tmp_path, {})
    assert [str(p) for p in caught.value.problems if p.severity == "error"] == loaded.errors
    assert "and 6 more" in str(caught.value)


def test_what_could_not_be_read_is_not_told_to_be_undeclared(write: Write) -> None:
    loaded = write(
        {
            "retinue.yaml": SETTINGS.replace("occurred_at: ts", "occured_at: ts").replace(
                "columns:", "colums:"
            ),
            "metrics.yaml": METRICS.replace("window: 28d", "window: 28x"),
        }
    )
    assert [error.split(" ")[0] for error in loaded.errors] == [
        "retinue.yaml:5:",
        "retinue.yaml:7:",
        "metrics.yaml:2:",
        "metrics.yaml:3:",
    ]


def test_a_file_that_is_no_yaml_hides_only_what_it_declares(write: Write) -> None:
    loaded = write({"metrics.yaml": "metrics: [", "scorecards/b.yaml": "scorecard: b\nrollup: mean\n"})
    assert len(loaded.errors) == 2
    assert loaded.errors[0].startswith("metrics.yaml:2: not valid YAML")
    assert 'unknown key "rollup" (did you mean "roll_up"?)' in loaded.errors[1]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            "project: 5",
            'retinue.yaml:1: project: expected text, found the number 5 (put quotes around it: "5")',
        ),
        ("timezone: Mars/Base", "unknown timezone 'Mars/Base' (write one such as Europe/Berlin)"),
        ("day_closes: 6h", 'day_closes: write a time of day such as "06:00"'),
        ("accounts: {table: a, key: b, encoding: utf-9}", "unknown encoding 'utf-9'"),
        ("metrics: {}", "(metrics go in metrics.yaml or in files of the folder metrics)"),
        ("facts: {usage: {table: a, account: b}}", '"occurred_at" is missing in usage'),
        ("facts: {usage: {table: '', account: b, occurred_at: c}}", "table: needs at least 1"),
        (
            "facts: {usage: {table: a, account: b, occurred_at: c, trusted_from: 20240101}}",
            "trusted_from: not a date: 20240101 (write one such as 2024-03-31)",
        ),
        (
            "facts: {usage: {table: a, account: b, occurred_at: c, timeline: '{a.b}'}}",
            "write a sentence with columns in braces",
        ),
        (
            "facts: {usage: {table: a, account: b, occurred_at: {column: c, plus: 99999999999d}}}",
            "longer than a hundred years",
        ),
        ("stages:\n  - {stage: b, when: segment in (a, b)}", "inside { }, text with a comma needs quotes"),
        ("grades: [1]", "grades: expected a mapping of keys and values, found a list"),
        (
            "accounts: {table: a, key: b, columns: {x: y}, history: {x: sometimes}}",
            '"sometimes" is not allowed here (allowed: current, fixed)',
        ),
    ],
)
def test_settings_that_do_not_fit(write: Write, settings: str, message: str) -> None:
    key = settings.partition(":")[0]
    kept = [line for line in SETTINGS.splitlines() if not line.startswith(key)]
    if key in {"accounts", "facts"}:
        kept = ["project: small", "accounts: {table: a, key: b, columns: {started_on: c}}"]
        kept = [line for line in kept if not line.startswith(key)]
    loaded = write({"retinue.yaml": "\n".join([settings, *kept]) + "\n"})
    assert any(message in error for error in loaded.errors), loaded.errors


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        ("5", "a metric is a mapping with a kind (such as {count: usage, window: 28d})"),
        ("{count: usage, sum: usage.n}", "more than one kind of metric: count, sum (keep one of them)"),
        ("{label: x}", "no kind of metric found (the kinds: count, sum,"),
        ("{count: usage, gap: 7d}", 'unknown key "gap" (allowed here: count, description,'),
        ("{active: usage, every: dya, window: 8w}", '"dya" is not allowed here (did you mean "day"?)'),
        ("{active: usage, every: week, window: 8d}", "needs a window of whole weeks"),
        ("{count: usage, window: 0d}", "window: this needs at least one day"),
        ("{ratio: [events]}", "ratio: has too few items"),
        ("{ratio: [events, [1]]}", "item 2 of ratio: expected text or a number, found a list"),
        (
            "{change: {cuont: usage}, window: 7d, baseline: 28d}",
            'unknown key "cuont" (did you mean "count"?)',
        ),
        ("{count: usage, where: {event: []}}", "the list of values of `event` is empty"),
        ("{count: usage, where: read_csv('x')}", "where: expected a comparison, found '('"),
        ("{milestones: {}}", "milestones: needs at least 1, found an empty mapping"),
    ],
)
def test_metrics_that_do_not_fit(write: Write, metric: str, message: str) -> None:
    loaded = write({"metrics.yaml": METRICS + f"  bad: {metric}\n"})
    assert len(loaded.errors) == 1
    assert loaded.errors[0].startswith("metrics.yaml:4: ")
    assert message in loaded.errors[0]


@pytest.mark.parametrize(
    ("measure", "message"),
    [
        ("{}", '"curve" is missing in users'),
        ("{curv: [[0, 0]]}", 'unknown key "curv" (did you mean "curve"?)'),
        ("{curve: [[0, 0], [10]]}", "item 2 of curve: has too few items"),
        ("{curve: [[0, 0], [10, x]]}", 'item 2 of item 2 of curve: expected a number, found "x"'),
        ("{curve: {point: [[0, 0]]}}", "curve: not a curve (write knots such as [[0, 0], [10, 100]]"),
        ("{curve: {steps: [[0, 0]], else: 1}}", 'unknown key "else" (allowed here: steps)'),
        ("{curve: cohrt}", '"cohrt" is not allowed here (did you mean "cohort"?)'),
        ("{curve: [[0, 0], [0, 100]]}", "the values of a curve must ascend, without repeats"),
        ("{curve: [[0, 0], [1, 120]]}", "the points of a curve lie between 0 and 100"),
        ("{curve: [[.inf, 0]]}", "expected a finite number"),
        ("{curve: {target: [4, 3, 2, 1]}}", "the four values of `target` must ascend"),
        ("{curve: [[0, 0]], half_life: 0d}", "half_life: this needs at least one day"),
        ("{curve: [[0, 0]], missing: rewight}", '"rewight" is not allowed here (did you mean "reweight"?)'),
        ("{curve: [[0, 0]], weight: -1}", "weight: must be above 0, not the number -1"),
        ("{curve: cohort, cohort: [{tenur: 90d}]}", 'unknown key "tenur" (did you mean "tenure"?)'),
        ("{curve: [[0, 0]], cohort: [segment]}", "`cohort` and `points` go with `curve: cohort`"),
    ],
)
def test_measures_that_do_not_fit(write: Write, measure: str, message: str) -> None:
    line = "      users: {curve: [[0, 0], [10, 100]], max_age: 3d}"
    loaded = write({"scorecards/all.yaml": SCORECARD.replace(line, f"      users: {measure}")})
    assert len(loaded.errors) == 1, loaded.errors
    assert loaded.errors[0].startswith("scorecards/all.yaml:8: ")
    assert message in loaded.errors[0]


@pytest.mark.parametrize(
    ("addition", "message"),
    [
        ("bands: {at_riks: 0, watch: 40, healthy: 70}", 'unknown key "at_riks" (did you mean "at_risk"?)'),
        ("bands: {watch: 40, healthy: 70}", "`bands` names the lower edges of all of"),
        ("bands: {at_risk: 0, watch: 80, healthy: 70}", "the edges of `bands` start at 0 and ascend"),
        ("caps: {when: events > 0}", "caps: expected a list, found a mapping"),
        ("min_coverage: 2", "min_coverage: must be at most 1, not the number 2"),
        ("stability: {confirm: 3d}", 'confirm: expected a mapping of keys and values, found "3d"'),
        ("roll_up: mean", "a scorecard has either `components` or `roll_up`"),
        (
            "applies_to: {segment: {a: 1}}",
            "segment: expected text or a number or true or false, found a mapping",
        ),
        ("applies_to: {segment: []}", "segment: needs at least 1, found an empty list"),
    ],
)
def test_scorecards_that_do_not_fit(write: Write, addition: str, message: str) -> None:
    loaded = write({"scorecards/all.yaml": SCORECARD + addition + "\n"})
    assert any(message in error for error in loaded.errors), loaded.errors


def test_bands_may_stand_in_any_order(write: Write) -> None:
    loaded = write({"scorecards/all.yaml": SCORECARD + "bands: {healthy: 80, watch: 50, at_risk: 0}\n"})
    assert loaded.project is not None
    assert list(loaded.project.scorecards[0].bands) == ["at_risk", "watch", "healthy"]


def test_scorecards_are_matched_in_the_order_given_then_in_that_of_files(write: Write) -> None:
    card = SCORECARD.replace("scorecard: all\n", "scorecard: {0}\napplies_to: {{segment: {0}}}\n")
    card = card.replace("{curve", "{{curve").replace("3d}", "3d}}")
    files = {"scorecards/all.yaml": card.format("c") + "---\n" + card.format("b")}
    assert [c.scorecard for c in write(files).project.scorecards] == ["c", "b"]  # type: ignore[union-attr]
    files["retinue.yaml"] = SETTINGS + "scorecards: [b, c]\n"
    assert [c.scorecard for c in write(files).project.scorecards] == ["b", "c"]  # type: ignore[union-attr]


def test_metrics_and_scorecards_of_one_name_are_told_with_the_first(write: Write) -> None:
    loaded = write(
        {
            "metrics/more.yaml": "metrics:\n  users: {count: usage, window: 7d}\n",
            "scorecards/b.yaml": "\nscorecard: all\nroll_up: mean\n",
        }
    )
    problem = loaded.about('the metric "users" is declared twice')
    assert str(problem.place) == "metrics/more.yaml:2"
    assert problem.hint == "the first is at metrics.yaml:3; rename one"
    assert "scorecards/all.yaml:1" in str(loaded.about('the scorecard "all" is declared twice').hint)


@pytest.mark.parametrize("path", ["../secret.sql", "/etc/passwd", "sql/../../x", "."])
def test_sql_files_lie_in_the_folder_of_the_project(write: Write, path: str) -> None:
    loaded = write({"metrics.yaml": METRICS + f"  s: {{sql: {path}}}\n"})
    assert "is not a file of the project's folder" in loaded.errors[0]
    assert loaded.errors[0].startswith("metrics.yaml:4")


def test_a_link_out_of_the_folder_is_no_file_of_the_project(tmp_path: Path) -> None:
    project = tmp_path / "project"
    shutil.copytree(ACME, project)
    (tmp_path / "secret").write_text("secret")
    (project / "sql" / "custom.sql").unlink()
    (project / "sql" / "custom.sql").symlink_to(tmp_path / "secret")
    with pytest.raises(ProjectError, match="not a file of the project's folder"):
        load(project, {})


def test_a_missing_sql_file_is_told(write: Write) -> None:
    loaded = write({"metrics.yaml": METRICS + "  s: {sql: sql/none.sql}\n"})
    assert loaded.errors == ["metrics.yaml:4: there is no file sql/none.sql (paths start at the project)"]


def test_files_that_are_not_read_are_told(write: Write) -> None:
    loaded = write({"metrics/more.yml": "metrics: {}\n"})
    assert str(loaded.about("this file is not read").place) == "metrics/more.yml"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"project: \xff\xfe\n", "retinue.yaml:1: the file is not UTF-8 text (save it as UTF-8)"),
        (b"a: b\n# " + b"x" * 1_100_000, "retinue.yaml: the file is larger than 1 MB"),
        (b"", "retinue.yaml: the file is empty"),
        (b"- a\n", "retinue.yaml:1: expected keys and values here"),
        (b"just words\n", "retinue.yaml:1: expected keys and values here"),
        (SETTINGS.encode() + b"---\na: 1\n", "retinue.yaml:9: more than one document (---)"),
        (b"\xef\xbb\xbf" + SETTINGS.encode(), None),
        (SETTINGS.replace("\n", "\r\n").encode(), None),
    ],
)
def test_files_that_are_hardly_files(write: Write, content: bytes, message: str | None) -> None:
    errors = write({"retinue.yaml": content}).errors
    assert any(message in error for error in errors) if message else errors == []


def test_without_a_project_it_says_where_it_looked(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match=r"no retinue\.yaml in .*`retinue init`"):
        load(tmp_path, {})
    with pytest.raises(ProjectError, match=r"there is no folder .*nowhere"):
        load(tmp_path / "nowhere", {})
    (tmp_path / "retinue.yml").write_text(SETTINGS)
    with pytest.raises(ProjectError, match=r"rename it to retinue\.yaml"):
        load(tmp_path, {})


def test_a_broken_scorecard_does_not_keep_anybody_from_reading(tmp_path: Path, write: Write) -> None:
    assert write({"scorecards/all.yaml": "scorecard: ["}).project is None
    project = load_settings(tmp_path, {})
    assert project.home == tmp_path / ".retinue"
    assert project.scorecards == ()
    write({"retinue.yaml": SETTINGS + "hom: x\n"})
    with pytest.raises(ProjectError, match='did you mean "home"'):
        load_settings(tmp_path, {})


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        (
            "metrics.yaml",
            "metric:\n  a: {count: usage}\n",
            'metrics.yaml:1: unknown key "metric" (did you mean "metrics"?)',
        ),
        ("metrics.yaml", "a: {count: usage}\n", 'unknown key "a" (metrics go below the key `metrics`)'),
        ("metrics.yaml", "metrics: [a]\n", "metrics.yaml:1: metrics: expected names and metrics"),
        ("scorecards/all.yaml", "roll_up: mean\n", 'scorecards/all.yaml:1: "scorecard" is missing'),
        (
            "scorecards/all.yaml",
            SCORECARD + "caps:\n  - {when: [1], at_most: 3, because: x}\n",
            "write a condition such as",
        ),
    ],
)
def test_files_that_hold_something_else(write: Write, file: str, text: str, message: str) -> None:
    errors = write({file: text}).errors
    assert len(errors) == 1, errors
    assert message in errors[0]


def test_the_store_is_in_the_home_of_the_project_unless_said_otherwise(tmp_path: Path, write: Write) -> None:
    project = write().project
    assert project is not None
    assert project.store_url == f"sqlite:///{tmp_path / '.retinue' / 'retinue.db'}"
    told = write({"retinue.yaml": SETTINGS + "store: postgresql://${HOST:-localhost}/r\n"}).project
    assert told is not None
    assert told.store_url == "postgresql://localhost/r"


def test_people_are_a_source_that_is_open_while_they_are_there() -> None:
    people = load(ACME, {}).sources["people"]
    assert people.occurred_at.column == "since"
    assert people.ends_at is not None
    assert people.ends_at.column == "left_on"
    assert set(people.named_columns()) == {"person", "role", "user"}
