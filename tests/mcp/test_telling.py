"""Texts as data: marked, without what nobody sees, never longer than they may be."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from retinue.mcp.telling import CLOSE, OPEN, clean, fitting, letters, quoted, unquoted, within

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


@given(st.lists(st.text(max_size=50), max_size=40), st.integers(0, 800))
def test_rows_fit_into_their_room_and_one_is_always_there(texts: list[str], room: int) -> None:
    dumps = [{"text": text} for text in texts]
    kept = fitting(texts, dumps, room)
    assert kept == texts[: len(kept)]
    assert len(kept) >= min(1, len(texts))
    if len(kept) > 1:
        assert sum(letters(one) for one in dumps[: len(kept)]) <= room


@given(st.lists(st.text(alphabet="ab ", max_size=3000), max_size=30))
def test_lines_that_do_not_fit_are_left_out_and_that_is_said(lines: list[str]) -> None:
    told = within(iter(lines), 4000)
    assert len(told) <= 4000
    if sum(len(line) + 1 for line in lines) > 4000 and all(len(line) <= 2000 for line in lines):
        assert "left out" in told
