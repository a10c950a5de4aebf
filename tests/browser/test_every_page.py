"""What holds for every page: on a narrow screen, by keyboard, without motion, in forced colours, on paper."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.browser.conftest import NARROW, Visit
from tests.browser.test_accessible import PAGES, STATES, where
from tests.web.doors import CASES


def every(visit: Visit, **told: Any) -> Any:
    """Each page in turn, in one browser of whoever may see them all, and each state of it."""
    visitor = visit("admin", **told)
    for what in PAGES:
        if CASES[what].right is not None:
            visitor.page.goto(visitor.url + where(visitor.house, what, "admin"))
            yield what, visitor
    for state, path in STATES.items():
        visitor.page.goto(visitor.url + path)
        yield state, visitor


def test_a_page_fits_a_small_screen(visit: Visit) -> None:
    """Of 320 pixels, as wide as text at 400 % on a desktop: nobody has to scroll in two directions.

    What can be pressed is large enough for a finger, and for who wants no motion nothing moves.
    """
    wrong = {}
    for what, visitor in every(visit, size=NARROW, reduced_motion="reduce"):
        visitor.look("unfold")
        found = {name: visitor.look(name) for name in ("wide", "small", "moving")}
        if found != {"wide": {"over": 0, "wide": []}, "small": [], "moving": []}:
            wrong[what] = found
    assert not wrong, json.dumps(wrong, indent=1)


def test_the_focus_is_seen_wherever_it_goes(visit: Visit) -> None:
    for what, visitor in every(visit, size=(1000, 620)):
        page = visitor.page
        seen = 0
        assert visitor.look("small") == [], what
        for step in range(20):
            page.keyboard.press("Tab")
            at = visitor.look("focus")
            if at is None:
                break
            seen += 1
            if step == 0:
                assert "skip" in at["html"], what
            assert at["outline"] and at["inside"] and not at["covered"], (what, step, at)
        assert seen >= 3, what


def test_the_focus_is_not_hidden_on_the_way_back(visit: Visit) -> None:
    """Backwards, what is focused comes to stand at the upper edge, where the header is."""
    visitor = visit("leader", size=(1000, 620))
    page = visitor.open("/?scope=all")
    page.locator("table.book tbody tr").last.locator("a").first.focus()
    for _ in range(25):
        page.keyboard.press("Shift+Tab")
        at = visitor.look("focus")
        assert at["inside"] and not at["covered"], at


def test_marks_are_drawn_in_colours_of_the_system_where_it_forces_them(visit: Visit) -> None:
    for what, visitor in every(visit, forced_colors="active"):
        assert visitor.look("faint") == [], what


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_paper_is_that_of_the_scheme(visit: Visit, scheme: str) -> None:
    visitor = visit("owner", color_scheme=scheme)
    page = visitor.open("/")
    red, green, blue = page.evaluate(
        "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3).map(Number)"
    )
    assert (red + green + blue > 600) == (scheme == "light")


def test_a_page_answers_quickly_enough_to_be_read_and_stays_small(visit: Visit) -> None:
    """A first visit of the book: what goes over the wire, files included."""
    visitor = visit("leader")
    sizes: list[int] = []
    visitor.page.on("requestfinished", lambda request: sizes.append(sum(request.sizes().values())))
    visitor.open("/?scope=all").wait_for_load_state("networkidle")
    assert 4 <= len(sizes) <= 8
    assert sum(sizes) < 100_000
