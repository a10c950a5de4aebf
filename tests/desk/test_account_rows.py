"""Rows behind a metric are those of its source about the account, as they were known on the day."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retinue.desk.metric import metric
from retinue.desk.rows import MOST, is_address, people, source_rows
from retinue.errors import NotFound
from retinue.store.people.access import Actor
from retinue.warehouse.facts.of_account import Looked
from retinue.workspace import Workspace
from tests.desk.studied import FIRST, LAST
from tests.desk.studied import account as named
from tests.run.company import DAY

ANYBODY = Actor("tests")
ANN = Actor("ann", everything=False, owners=frozenset({"Ann Archer"}), role="csm")


def subjects(found: object) -> list[str | None]:
    at = found.columns.index("subject")  # type: ignore[attr-defined]
    return [row.values[at] for row in found.rows]  # type: ignore[attr-defined]


def test_rows_are_those_that_were_known_on_the_day(studied: Workspace) -> None:
    found = source_rows(studied, ANYBODY, named(), "tickets", as_of=LAST)
    assert subjects(found) == ["a question", "rated late", "known late", "early"]
    assert source_rows(studied, ANYBODY, named(), "tickets") == found
    earlier = source_rows(studied, ANYBODY, named(), "tickets", as_of=LAST - 10 * DAY)
    assert subjects(earlier) == ["early"]
    later = source_rows(studied, ANYBODY, named(), "tickets", as_of=LAST + 5 * DAY)
    assert "not known yet" in subjects(later)


def test_what_became_known_later_than_its_row_is_not_there_before(studied: Workspace) -> None:
    def stars(day: object) -> str | None:
        found = source_rows(studied, ANYBODY, named(), "tickets", as_of=day)  # type: ignore[arg-type]
        row = next(row for row in found.rows if "rated late" in row.values)
        return row.values[found.columns.index("stars")]

    assert (stars(LAST - 3 * DAY), stars(LAST - 2 * DAY)) == (None, "5")


def test_a_row_is_open_until_the_day_on_which_it_ends(studied: Workspace) -> None:
    def open_on(day: object) -> list[str | None]:
        looked = Looked(still_open=True)
        return subjects(source_rows(studied, ANYBODY, named(), "tickets", as_of=day, looked=looked))  # type: ignore[arg-type]

    assert open_on(LAST - 21 * DAY) == ["early"]
    assert open_on(LAST - 20 * DAY) == []
    ended = source_rows(studied, ANYBODY, named(), "tickets", as_of=LAST)
    assert {row.ended for row in ended.rows} == {None, LAST - 20 * DAY}


def test_no_more_rows_are_shown_than_a_page_holds(studied: Workspace) -> None:
    found = source_rows(studied, ANYBODY, named(3), "tickets")
    assert len(found.rows) == MOST and found.more
    assert not source_rows(studied, ANYBODY, named(), "tickets").more


def test_rows_of_an_account_out_of_sight_and_of_no_source_are_not_there(studied: Workspace) -> None:
    for account_id, source in ((named(1), "tickets"), (named(), "nothing")):
        with pytest.raises(NotFound):
            source_rows(studied, ANN, account_id, source)
    with pytest.raises(NotFound):
        people(studied, ANN, named(1))
    with pytest.raises(NotFound):
        metric(studied, ANN, named(1), "open_tickets", rows=True)


def test_a_source_that_cannot_be_read_is_said_and_breaks_no_page(own_studied: Workspace) -> None:
    (own_studied.project.root / "data" / "tickets.csv").unlink()
    found = source_rows(own_studied, ANYBODY, named(), "tickets")
    assert found.rows == () and found.trouble is not None
    assert "tickets.csv" in found.trouble and str(own_studied.project.root) not in found.trouble
    whole = metric(own_studied, ANYBODY, named(), "open_tickets", rows=True)
    assert whole.value is not None and whole.rows[0].trouble == found.trouble


def test_people_are_those_who_are_there_with_addresses_that_are_some(studied: Workspace) -> None:
    told, _ = people(studied, ANYBODY, named())
    assert [(one.name, one.role, one.email) for one in told] == [
        ("Ann A.", "champion", "ann@customer.example"),
        ("not an address", "user", None),
        ("x@evil.example?bcc=all@customer.example", "user", None),
    ]
    assert told[0].link == "https://crm.example.com/people/ann%40customer.example"
    assert ("phone", "+49 30 123") in told[0].more
    before, _ = people(studied, ANYBODY, named(), as_of=LAST - 6 * DAY)
    assert {"gone@customer.example", "Ann A."} <= {one.name for one in before}


@pytest.mark.parametrize(
    "text",
    [
        *(
            "a@b",
            "a@b.",
            "@b.example",
            "a@.example",
            "a b@c.example",
            "a@b.example?cc=c@d.example",
            "a@b..example",
        ),
        *(
            "a@b.example,c@d.example",
            "a@b.example\r\nbcc:c@d.example",
            "<a@b.example>",
            "a@b.example#x",
            "a%0a@b.example",
        ),
        *(
            "javascript:alert(1)@b.example",
            "a@b.example ",
            "ä@b.example",
            "a@b@c.example",
            "a" * 65 + "@b.example",
        ),
    ],
)
def test_what_is_no_plain_address_gets_no_mail(text: str) -> None:
    assert not is_address(text)


@given(st.text(max_size=80))
def test_an_address_has_nothing_in_it_that_a_link_takes_for_more(text: str) -> None:
    for address in (text, text + "@b.example", "a@" + text + ".example"):
        if is_address(address):
            assert address.count("@") == 1 and not set(address) & set(' ?&#%,;:<>"\\/\r\n')


def test_a_metric_has_the_history_that_is_published_and_points_on_its_curve(studied: Workspace) -> None:
    rows = studied.published().table("metrics", account=named()).to_pylist()
    for name in ("active_days", "open_tickets", "last_nps", "mood", "questions"):
        found = metric(studied, ANYBODY, named(), name)
        assert [(day, value) for day, value, _ in found.history] == [
            (row["as_of"], row["value"]) for row in rows if row["metric"] == name
        ]
        assert found.as_of == LAST
        for one in found.counted:
            if found.value is None or one.points is None:
                continue
            lo, hi, first, last = next(piece for piece in one.curve if piece[0] <= found.value < piece[1])
            share = (found.value - lo) / (hi - lo) if first != last else 0.0
            assert first + share * (last - first) == pytest.approx(one.points)
    assert metric(studied, ANYBODY, named(), "questions").counted == ()


def test_a_metric_names_its_parts_and_reads_the_rows_that_count(studied: Workspace) -> None:
    ratio = metric(studied, ANYBODY, named(), "share_of_questions", rows=True)
    assert [part for part, _, _ in ratio.parts] == ["questions", "open_tickets"] and ratio.rows == ()
    questions = metric(studied, ANYBODY, named(), "questions", rows=True)
    assert subjects(questions.rows[0]) == ["a question"] and questions.value == 1
    recent = metric(studied, ANYBODY, named(), "tickets_14d", rows=True)
    assert len(recent.rows[0].rows) == recent.value == 3
    still = metric(studied, ANYBODY, named(), "open_tickets", rows=True)
    assert len(still.rows[0].rows) == still.value == 3
    before = metric(studied, ANYBODY, named(), "open_tickets", as_of=FIRST, rows=True)
    assert before.as_of == FIRST and len(before.rows[0].rows) == (before.value or 0)
    with pytest.raises(NotFound, match="active_days"):
        metric(studied, ANYBODY, named(), "nothing")
