"""Declarations that cannot be used: a line each, nothing executed, the published run as it was."""

from __future__ import annotations

import pytest

from tests.bad_input.conftest import CARD, METRICS, SETTINGS, Company

#: A billion values, if all aliases were followed.
LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join(['*' + before] * 9)}]\n"
    for before, name in zip("abcdefghijk", "bcdefghijkl", strict=True)
)

BROKEN = {
    "an unclosed bracket": ("retinue.yaml", "project: [x\n a", "retinue.yaml:3: not valid YAML"),
    "a billion laughs": ("retinue.yaml", LAUGHS, "more than 100,000 values"),
    "bytes that are no text": ("retinue.yaml", b"project: caf\xe9", "retinue.yaml:1: the file is not UTF-8"),
    "random bytes": ("metrics.yaml", bytes(range(256)), "metrics.yaml:2: the file is not UTF-8"),
    "a character of control": ("metrics.yaml", b"metrics: \0", "a character that YAML does not allow"),
    "an empty file": ("retinue.yaml", "", "retinue.yaml: the file is empty"),
    "a list": ("metrics.yaml", "[1, 2]", "metrics.yaml:1: "),
    "a tag that makes an object": (
        "retinue.yaml",
        "project: !!python/object/apply:os.system ['touch canary']\n",
        "retinue.yaml:1: ",
    ),
    "a timezone of nowhere": ("retinue.yaml", SETTINGS + "timezone: Mars/Base\n", "unknown timezone"),
    "an engine of nobody": ("retinue.yaml", SETTINGS + "engine: abacus\n", "engine 'abacus'"),
    "a limit that is no size": (
        "retinue.yaml",
        SETTINGS + "memory_limit: lots\n",
        "write a size such as 4GB",
    ),
    "a where that reads a file": (
        "metrics.yaml",
        METRICS.replace("28d}", "28d, where: \"user = read_text('/etc/passwd')\"}", 1),
        "metrics.yaml:2: where: unexpected '('",
    ),
    "a where with a second statement": (
        "metrics.yaml",
        METRICS.replace("28d}", "28d, where: \"user = 'x'; COPY (SELECT 1) TO 'canary'\"}", 1),
        "metrics.yaml:2: where: unexpected ';'",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_declaration_that_cannot_be_used_is_told_in_one_line(company: Company, case: str):
    file, content, told = BROKEN[case]
    original = (company.root / file).read_bytes()
    company.write(file, content)
    assert told in company.refuses("run")
    assert not (company.root / "canary").exists()
    company.write(file, original)
    company.still_reads()


def test_every_problem_has_its_own_line(company: Company):
    company.write("metrics.yaml", "metrics:\n  users: {distinct: 3, window: soon}\n  tickets_28d: [1]\n")
    told = company.refuses("run", lines=3)
    assert all(line.startswith("error: metrics.yaml:") for line in told.splitlines())


@pytest.mark.parametrize(
    "text",
    [
        "SELECT account_id, as_of, 1 AS value FROM read_csv('/etc/passwd')",
        "SELECT account_id, as_of, 1 AS value FROM spine; COPY (SELECT 1) TO 'canary'",
        "COPY (SELECT 1) TO 'canary'",
        "INSTALL httpfs",
        "ATTACH 'canary'",
    ],
)
def test_sql_that_does_more_than_select_is_refused(company: Company, text: str):
    company.write("metrics.yaml", METRICS + "  custom: {sql: custom.sql}\n")
    company.write("custom.sql", text)
    card = CARD.replace("tickets_28d:", "custom: {curve: [[0, 100], [5, 0]]}, tickets_28d:")
    company.write("scorecards/all.yaml", card)
    assert "custom.sql" in company.refuses("run")
    assert not (company.root / "canary").exists()
    checked = company.retinue("check")
    assert checked.status == 1 and "error: custom.sql" in checked.out
    company.still_reads()


def test_sql_in_a_value_is_a_value(company: Company):
    nasty = "x'' OR 1=1; COPY (SELECT 1) TO ''canary'' --"
    company.write("metrics.yaml", METRICS.replace("28d}", f"28d, where: {{user: '{nasty}'}}}}", 1))
    assert company.retinue("run").status == 0
    assert not (company.root / "canary").exists()


def test_a_column_named_like_sql_works(company: Company):
    name = '"; DROP TABLE accounts; --'
    text = (
        (company.root / "data/usage.csv")
        .read_text()
        .replace("day,id,user", 'day,id,"""; DROP TABLE accounts; --"')
    )
    company.write("data/usage.csv", text)
    company.write("retinue.yaml", SETTINGS.replace("user: user", f"user: '{name}'"))
    assert company.retinue("check").status == 0
    assert company.retinue("run").status == 0
    company.still_reads()


def test_folders_where_files_should_be(company: Company):
    (company.root / "metrics.yaml").unlink()
    (company.root / "metrics.yaml").mkdir()
    company.refuses("run", lines=2)  # metrics of the scorecard are not there
    (company.root / "metrics.yaml").rmdir()
    company.write("metrics.yaml", METRICS)
    company.still_reads()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("explain", "nobody"), "no account 'nobody'"),
        (("explain", "a1", "--as-of", "2024-13-40"), "is not a date"),
        (("explain", "a1", "--as-of", "2020-01-01"), "nothing is published as of 2020-01-01"),
        (("run", "--from", "2024-05-01"), "no day between"),
        (("run", "--to", "2030-01-01"), "is not complete yet"),
        (("run", "-C", "nowhere"), "there is no folder nowhere"),
        (("accounts", "--no-such-option"), "No such option"),
    ],
)
def test_a_wrong_question_gets_one_line(company: Company, arguments: tuple[str, ...], told: str):
    assert told in company.refuses(*arguments)
