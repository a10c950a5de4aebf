"""Databases that a project names: kinds that cannot be read, and passwords in the files."""

from __future__ import annotations

import pytest

from tests.project.conftest import SETTINGS, Write

AT = "usage: {table: usage.csv,"


@pytest.mark.parametrize("url", ["mysql://me@h/db", "mssql+pyodbc://me@h/db", "sqlite:///x.db"])
def test_a_database_of_a_kind_that_cannot_be_read_is_told_with_its_line(write: Write, url: str) -> None:
    text = SETTINGS.replace(AT, f"usage: {{table: usage, database: '{url}',")
    problem = write({"retinue.yaml": text}).about(f"of the kind {url.partition('://')[0]!r}")
    assert (str(problem.place), problem.severity) == ("retinue.yaml:7", "error")
    assert "postgresql://" in str(problem.hint)


def test_a_password_in_a_file_is_warned_of_and_not_shown(write: Write) -> None:
    text = SETTINGS.replace(AT, "usage: {table: usage, database: 'postgresql://me:ge%40heim@h/db',")
    text = text.replace(
        "  columns: {segment: tier,",
        "  database: 'postgres://h/db?user=me&password=schatz'\n  columns: {segment: tier,",
    )
    loaded = write({"retinue.yaml": text})
    found = [problem for problem in loaded.problems if "a password stands in the file" in problem.message]
    assert [(str(problem.place), problem.severity) for problem in found] == [
        ("retinue.yaml:5", "warning"),
        ("retinue.yaml:8", "warning"),
    ]
    assert not any("heim" in str(problem) or "schatz" in str(problem) for problem in loaded.problems)


def test_a_password_from_the_environment_is_in_no_text_that_is_kept(write: Write) -> None:
    text = SETTINGS.replace(AT, "usage: {table: usage, database: '${URL}',")
    loaded = write({"retinue.yaml": text}, URL="postgresql://me:geheim@h/db")
    assert loaded.project is not None
    assert loaded.project.settings.facts["usage"].database == "postgresql://me:geheim@h/db"
    assert not any("geheim" in kept for kept in loaded.project.texts.values())
    assert not any("geheim" in str(formula.to_dict()) for formula in loaded.project.formulas)
    assert not any("password" in problem.message for problem in loaded.problems)
