"""Texts as data: marked, without what nobody sees, never longer than they may be."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from retinue.mcp.telling import CLOSE, LINES, OPEN, ROWS, clean, fitting, letters, quoted, unquoted, within

TEXTS = st.text(max_size=600) | st.text(alphabet="«»<>\u202e\u200b\U000e0041 \n\tab", max_size=600)


@given(TEXTS)
def test_a_quoted_text_cannot_end_its_own_mark(text: str) -> None:
    told = quoted(text, 200)
    assert told is not None
    assert told.startswith(OPEN)
    assert told.endswith(CLOSE)
    assert OPEN not in told[1:]
    assert CLOSE not in told[:-1]
    assert len(told) <= 202


@given(TEXTS)
def test_a_quoted_text_is_one_line_of_letters_that_people_see(text: str) -> None:
    told = clean(text, 200)
    assert "\n" not in told
    assert not [letter for letter in told if unicodedata.category(letter).startswith("C")]
    assert clean(told, 200) == told


def test_an_ordinary_text_stays_as_it_is() -> None:
    assert quoted("Müller & Söhne, 東京 (GmbH) 👍") == "«Müller & Söhne, 東京 (GmbH) 👍»"
    assert quoted(None) is None
    assert quoted("a\r\n\tb") == "«a b»"
    assert clean("x" * 500, 10) == "x" * 9 + "…"


def test_what_is_given_back_with_its_mark_is_understood() -> None:
    assert unquoted("«A 1»") == "A 1"
    assert unquoted(" A1 ") == "A1"
    assert unquoted("«") == "«"


class Row(BaseModel):
    text: str


@given(st.lists(st.integers(0, 20_000), max_size=40), st.floats(0.1, 3))
def test_rows_fit_into_their_room_and_one_is_always_there(sizes: list[int], longer: float) -> None:
    rows = [Row(text="x" * size) for size in sizes]

    def line(row: Row) -> str:
        return "x" * int(len(row.text) * longer)

    kept = fitting(rows, line)
    assert kept == rows[: len(kept)]
    assert len(kept) >= min(1, len(rows))
    if len(kept) > 1:
        assert sum(len(line(row)) for row in kept) <= LINES
        assert sum(letters(row.model_dump()) for row in kept) <= ROWS
    if len(kept) < len(rows):
        more = rows[: len(kept) + 1]
        size = sum(letters(row.model_dump()) + 2 for row in more)
        assert size > ROWS or sum(len(line(row)) + 4 for row in more) > LINES


@given(st.lists(st.text(alphabet="ab ", max_size=3000), max_size=30))
def test_lines_that_do_not_fit_are_left_out_and_that_is_said(lines: list[str]) -> None:
    told = within(iter(lines), 4000)
    assert len(told) <= 4000
    if sum(len(line) + 1 for line in lines) > 4000 and all(len(line) <= 2000 for line in lines):
        assert "left out" in told
