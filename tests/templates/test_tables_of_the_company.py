"""`init --from`: tables of any kind become a project that checks and scores, and says what it guessed."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retinue.demo import simulate
from retinue.errors import RetinueError, SourceError
from retinue.project.load import load_with_problems
from retinue.project.project import Project
from retinue.run import RunResult, run
from retinue.templates import Created, create
from retinue.templates.without import without
from retinue.workspace import open_workspace

LAST_DAY = date(2026, 6, 30)


def loaded(created: Created) -> Project:
    project, problems = load_with_problems(created.directory, {})
    assert [str(problem) for problem in problems if problem.severity == "error"] == []
    assert project is not None
    return project


def scored(created: Created) -> RunResult:
    assert created.last_day is not None
    now = datetime.combine(created.last_day + timedelta(days=1), datetime.min.time(), UTC)
    return run(open_workspace(created.directory, {}), now=now + timedelta(hours=12))


def written(folder: Path, name: str, rows: Sequence[dict[str, object]]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    with path.open("w", newline="") as file:
        out = csv.DictWriter(file, list(rows[0]))
        out.writeheader()
        out.writerows(rows)
    return path


@pytest.mark.data
def test_the_tables_of_a_company_with_subscriptions_between(ravenstack_data: Path, tmp_path: Path) -> None:
    created = create(tmp_path / "new", "saas", sorted(ravenstack_data.glob("*.csv")), last_day=LAST_DAY)
    project = loaded(created)
    accounts, usage = project.settings.accounts, project.settings.facts["usage"]
    assert accounts.key == "account_id"
    assert accounts.columns["started_on"].column == "signup_date"
    assert accounts.columns["segment"].column == "plan_tier"
    assert usage.via is not None
    assert (usage.account, usage.via.key, usage.via.account) == (
        "subscription_id",
        "subscription_id",
        "account_id",
    )
    assert project.settings.facts["tickets"].columns["rating"].column == "satisfaction_score"
    # Churn is an outcome: no metric may rest on it.
    text = (created.directory / "metrics.yaml").read_text()
    assert "ravenstack_churn_events" in project.settings.facts
    assert "churn" not in text
    assert created.last_day == date(2024, 12, 31)
    found = scored(created)
    assert found.accounts == found.scored == 500


def test_the_demo_s_tables_are_recognised(tmp_path: Path) -> None:
    simulate(tmp_path / "demo", accounts=60, months=8, seed=3)
    data = tmp_path / "demo" / "data"
    created = create(
        tmp_path / "new",
        "saas",
        [*sorted(data.glob("*.csv")), *sorted(data.glob("events/*"))],
        last_day=LAST_DAY,
    )
    project = loaded(created)
    settings_ = project.settings
    assert {"usage", "tickets", "surveys", "touches", "invoices"} <= set(settings_.facts)
    usage, invoices = settings_.facts["usage"], settings_.facts["invoices"]
    known = usage.known_at
    assert known is not None
    assert (usage.occurred_at.column, known.column, usage.user) == ("occurred_at", "loaded_at", "user_id")
    assert invoices.occurred_at.shift_days == 1
    assert invoices.ends_at is not None
    assert invoices.ends_at.column == "paid_on"
    columns = {name: column.column for name, column in settings_.accounts.columns.items()}
    assert columns["parent"] == "parent_id"
    assert columns["renews_on"] == "renewal_date"
    assert {card.scorecard for card in project.scorecards} == {"health", "onboarding"}
    assert scored(created).scored > 30


def test_every_mapped_column_of_facts_is_told_with_how_sure_it_is(tmp_path: Path) -> None:
    created = _small(tmp_path)
    told = {(guess.table, guess.column) for guess in created.guesses}
    for name, source in loaded(created).settings.facts.items():
        table = Path(source.table).name
        mapped = {source.account, source.occurred_at.column, *(c.column for c in source.columns.values())}
        assert {(table, column) for column in mapped} <= told, name
    assert {guess.sure for guess in created.guesses} <= {"sure", "likely", "guess"}
    text = (created.directory / "retinue.yaml").read_text()
    assert "# sure: " in text
    assert "# likely: " in text


def _small(tmp_path: Path) -> Created:
    customers = [{"Customer No": f"C{n}", "Company": f"Firm {n}", "Since": "2025-01-01"} for n in range(9)]
    tickets = [
        {
            "Ticket": n,
            "Customer": f"C{n % 9}",
            "Opened On": f"2026-05-{1 + n % 28:02}",
            "Closed On": "2026-06-01" if n % 2 else "",
            "Severity": "high",
        }
        for n in range(40)
    ]
    data = tmp_path / "my data"
    paths = [written(data, "Customers.csv", customers), written(data, "Support Tickets.csv", tickets)]
    return create(tmp_path / "new", "saas", paths, last_day=LAST_DAY)


def test_names_with_spaces_are_mapped_and_what_is_missing_is_commented_with_the_reason(
    tmp_path: Path,
) -> None:
    created = _small(tmp_path)
    project = loaded(created)
    assert project.settings.accounts.key == "Customer No"
    assert project.settings.facts["tickets"].occurred_at.column == "Opened On"
    text = (created.directory / "metrics.yaml").read_text()
    assert "  # left out: no table looks like invoices\n  # overdue_amount:" in text
    assert any("no table looks like surveys" in reason for reason in created.left_out)
    assert (created.directory / "README.md").read_text().count("| sure |") >= 1
    assert scored(created).accounts == 9


def test_relative_paths_survive_a_move_of_both_folders(tmp_path: Path) -> None:
    _small(tmp_path / "one")
    (tmp_path / "one").rename(tmp_path / "two")
    found = run(open_workspace(tmp_path / "two" / "new", {}), now=datetime(2026, 6, 1, 12, tzinfo=UTC))
    assert found.accounts == 9


def test_rows_that_name_their_account_are_enough(tmp_path: Path) -> None:
    rows = [
        {"order_id": n, "customer_id": f"C{n % 7}", "ordered_at": f"2026-{1 + n % 6:02}-10", "total": 10 + n}
        for n in range(60)
    ]
    path = written(tmp_path / "data", "orders.csv", rows)
    created = create(tmp_path / "new", "ecommerce", [path], last_day=LAST_DAY)
    project = loaded(created)
    assert project.settings.accounts.fact == "orders"
    assert project.settings.facts["orders"].value is not None
    assert scored(created).scored == 7


def test_tables_that_fit_nothing_get_a_scorecard_of_plain_activity(tmp_path: Path) -> None:
    clients = [{"client_id": n, "client_name": f"Client {n}"} for n in range(1, 40)]
    sightings = [{"client_id": 1 + n % 39, "seen_on": f"2026-04-{1 + n % 28:02}"} for n in range(200)]
    paths = [written(tmp_path, "clients.csv", clients), written(tmp_path, "sightings.csv", sightings)]
    created = create(tmp_path / "new", "insurance", paths, last_day=LAST_DAY)
    assert "sightings_90d" in loaded(created).metrics
    assert scored(created).scored == 39


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([{"colour": "red", "length": 1.5}, {"colour": "red", "length": 2.5}], "table of accounts"),
        ([{"account_id": "a", "name": "x"}, {"account_id": "b", "name": "y"}], "dated rows"),
    ],
)
def test_tables_without_anything_to_score_are_told_so_and_leave_nothing(
    rows: list[dict[str, object]], words: str, tmp_path: Path
) -> None:
    path = written(tmp_path / "data", "things.csv", rows)
    with pytest.raises(RetinueError, match=words):
        create(tmp_path / "new", "saas", [path], last_day=LAST_DAY)
    assert not (tmp_path / "new").exists()


def test_a_table_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no file"):
        create(tmp_path / "new", "saas", [tmp_path / "absent.csv"], last_day=LAST_DAY)


NAMES = "id name date day value status kind score amount user opened_at closed_at email where null yes Größe"
WORDS = st.sampled_from(sorted(NAMES.split()))
VALUES = st.one_of(
    st.integers(-5, 500).map(str),
    st.dates(date(2025, 1, 1), date(2026, 6, 30)).map(str),
    st.sampled_from(["", "a", "b b", "true", "2.50", "n/a", "é", '"', "'; drop", "#x", "{y}"]),
)


@given(data=st.data())
@settings(max_examples=8)
def test_whatever_the_tables_are_the_project_loads(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("any")
    count = data.draw(st.integers(2, 8))
    accounts = [{"account_id": f"a{n}", "plan": data.draw(VALUES)} for n in range(count)]
    paths = [written(folder, "accounts.csv", accounts)]
    for number in range(data.draw(st.integers(1, 2))):
        names = data.draw(st.lists(WORDS, min_size=1, max_size=4, unique=True))
        rows = [
            {
                "account_id": f"a{data.draw(st.integers(0, count - 1))}",
                "happened_on": data.draw(st.dates(date(2026, 1, 1), date(2026, 6, 30))).isoformat(),
                **{name: data.draw(VALUES) for name in names},
            }
            for _ in range(data.draw(st.integers(2, 10)))
        ]
        paths.append(
            written(
                folder,
                f"{data.draw(st.sampled_from(['tickets', 'usage', 'x-1', 'Größe']))}{number}.csv",
                rows,
            )
        )
    template = data.draw(st.sampled_from(["saas", "retail", "b2b_services"]))
    loaded(create(folder / "new", template, paths, last_day=LAST_DAY))


def test_what_is_left_out_stays_readable_as_a_comment() -> None:
    text = "a:\n  # about b\n  b: 1\n\n  # about c\n  c:\n    d: 2\n    e: 3\n  f: 4\n"
    assert without(text, {("a", "c"): "no c", ("a", "b"): "no b"}) == (
        "a:\n  # about b\n  # left out: no b\n  # b: 1\n\n  # about c\n  # left out: no c\n  # c:\n"
        "  #   d: 2\n  #   e: 3\n  f: 4\n"
    )
