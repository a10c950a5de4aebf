"""`init --from` keeps the alerts and playbooks that the tables can answer, and says why of the rest."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from retinue.project.load import load_with_problems
from retinue.project.project import Project
from retinue.templates import create, names
from retinue.templates.companies import COMPANIES

LAST_DAY = date(2026, 6, 30)


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The folder with the invented tables of each template."""
    root = tmp_path_factory.mktemp("tables")
    return {name: create(root / name, name, last_day=LAST_DAY).directory / "data" for name in names()}


def proposed(directory: Path, template: str, files: list[Path]) -> tuple[Project, list[str]]:
    created = create(directory, template, files, last_day=LAST_DAY)
    project, problems = load_with_problems(directory, {})
    assert [str(one) for one in problems if one.severity == "error"] == []
    assert project is not None
    return project, list(created.left_out)


@pytest.mark.parametrize("template", names())
def test_with_all_tables_nearly_all_rules_stay(
    template: str, tables: dict[str, Path], tmp_path: Path
) -> None:
    whole, _ = load_with_problems(tables[template].parent, {})
    project, _ = proposed(tmp_path / "new", template, sorted(tables[template].glob("*.csv")))
    assert whole is not None
    lost = set(whole.settings.alerts) - set(project.settings.alerts)
    assert len(lost) <= 2, lost
    books = {book.playbook for book in project.playbooks}
    assert books >= {"rescue", "save"}
    assert ("grow" in books) == ("ready_to_grow" in project.settings.alerts)
    assert project.settings.alerting == whole.settings.alerting


@pytest.mark.parametrize("template", names())
def test_with_any_two_tables_the_project_checks_and_says_what_was_left_out(
    template: str, tables: dict[str, Path], tmp_path: Path
) -> None:
    for number, stream in enumerate(COMPANIES[template].streams):
        files = [tables[template] / "accounts.csv", tables[template] / stream.file]
        project, left_out = proposed(tmp_path / str(number), template, files)
        assert {"feeds", "turned_red"} <= set(project.settings.alerts)
        gone = [reason for reason in left_out if reason.startswith(("retinue.yaml: alerts.", "playbooks/"))]
        assert gone
        text = (tmp_path / str(number) / "retinue.yaml").read_text()
        assert all(reason.rpartition(": ")[2] in text for reason in gone if reason.startswith("retinue"))


def test_a_rule_for_a_segment_that_is_not_there_is_for_everybody(
    tables: dict[str, Path], tmp_path: Path
) -> None:
    files = [tables["saas"] / "accounts.csv", tables["ecommerce"] / "orders.csv"]
    project, left_out = proposed(tmp_path / "new", "ecommerce", files)
    assert project.settings.alerts["turned_red"].applies_to is None
    assert "retinue.yaml: alerts.turned_red.applies_to: segment is never vip" in left_out
    assert "asleep" not in project.settings.alerts


def test_without_an_owner_of_use_or_a_renewal_nothing_is_said_of_them(
    tables: dict[str, Path], tmp_path: Path
) -> None:
    accounts = (tables["saas"] / "accounts.csv").read_text().replace("renews_on", "x9")
    plain = tmp_path / "accounts.csv"
    plain.write_text(accounts)
    project, left_out = proposed(tmp_path / "new", "saas", [plain, tables["saas"] / "tickets.csv"])
    assert not {"renews_low", "unusual_use"} & set(project.settings.alerts)
    assert any("no column says when an account renews" in reason for reason in left_out)
    assert "renewal" not in {book.playbook for book in project.playbooks}
