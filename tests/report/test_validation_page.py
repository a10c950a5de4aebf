"""The page of a trial holds every figure of it, in one file that asks nobody for anything."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest

from retinue.insight.replay import Coded
from retinue.insight.validation import Report, Trial, validate
from retinue.insight.validation.sampling import Estimate
from retinue.report.validation import page as written
from tests.report.figures import leaves, unseen_figures, with_leaf
from tests.report.reading import Page, outward
from tests.validation import twelve
from tests.validation.world import CHURN, world

HOSTILE = "<img src=x onerror=alert(1)>&\"'"


def shown(report: Report, **told: Any) -> str:
    return written(report, "Acme", {"grown": "0123456789abcdef"}, **told)


@pytest.fixture(scope="module")
def trial() -> Report:
    """A trial in which everything can be told: 500 accounts, seed 4."""
    w = world(accounts=500, weeks=50, seed=4, rate=0.012)
    found = validate(
        w.replay, w.events, w.told, CHURN,
        Trial(w.until, recency="noise", usage="logins", capacity=40, repetitions=40,
              treated=w.replay.account % 5 == 0),
    )  # fmt: skip
    # No cap of this world ever binds.
    return dataclasses.replace(found, caps=dataclasses.replace(found.caps, rows=7))


@pytest.fixture(scope="module")
def small() -> Report:
    return twelve.report()


def test_the_page_is_whole_and_asks_nobody(trial: Report, small: Report) -> None:
    for report in (trial, small):
        text = shown(report)
        page = Page(text)
        assert page.wrong == []
        assert page.open == []
        assert page.styled == []
        assert outward(text) == []
        assert len(page.ids) == len(set(page.ids))
        assert {one.removeprefix("#") for one in page.references} <= set(page.ids)


def test_the_same_trial_gives_the_same_bytes(small: Report) -> None:
    assert shown(small) == shown(twelve.report())


def test_the_verdict_comes_first_and_in_words(trial: Report, small: Report) -> None:
    text = Page(shown(small)).text
    assert text.index("Not enough churn to tell") < text.index("AUC")
    assert "What would change this: 16 more events" in text
    assert "Predicts well" in Page(shown(trial)).text


def test_hand_worked_figures_stand_on_the_page(small: Report) -> None:
    """AUC 57/72, red 3 of 6 against 4 of 22, lift 2.75, all as tests/validation works them out."""
    text = Page(shown(small)).text.replace("\u00a0", " ")
    assert "0.792 [" in text
    assert "2.75 [" in text
    assert "50.0 % of red, 18.2 % of all" in text
    assert "22 rows of 12 accounts in 11 groups, 4 with the outcome" in text


#: Figures that need not be on the page: what they say is told by others beside them.
UNSAID = {
    "bars.value",  # in the sentence
    "bars.needed",
    "deciles.events",  # the rate and the rows
    "over_time.accounts",
    "challenger.reason",  # the page with a reason is the small one
    "calibration.reason",
}


def test_every_figure_of_the_trial_is_on_the_page(trial: Report) -> None:
    """Whatever one changes in the trial, the page is another one: one entry per kind of figure."""
    names = {f"bands.{n}.name" for n in range(3)}
    unseen, tried = unseen_figures(trial, shown, UNSAID | {"verdict", *names})
    assert not unseen, "\n".join(unseen)
    assert tried > 120


def test_names_of_others_stay_words(small: Report) -> None:
    replay = dataclasses.replace(
        twelve.table(),
        segment=Coded(twelve.table().segment.codes, tuple(HOSTILE + name for name in ("large", "small"))),
    )
    report = dataclasses.replace(
        small,
        outcome=HOSTILE,
        warnings=(HOSTILE,),
        would_change=(HOSTILE,),
        slices=tuple(dataclasses.replace(one, name=HOSTILE, by=HOSTILE) for one in small.slices),
        reasons=tuple(dataclasses.replace(one, name=HOSTILE) for one in small.reasons),
        baselines=tuple(dataclasses.replace(one, name=HOSTILE) for one in small.baselines),
    )
    assert replay.segment.names[0].startswith("<img")
    text = written(report, HOSTILE, {HOSTILE: HOSTILE})
    assert outward(text) == []
    assert "<img" not in text
    assert Page(text).text.count(HOSTILE) > 20


def test_a_good_outcome_is_told_the_other_way_up(trial: Report) -> None:
    text = Page(shown(dataclasses.replace(trial, good=True))).text
    assert "the first has the higher score" in text
    assert "Outcome in green, against all" in text
    assert "Was there a warning?" not in text
    assert "the loss" not in text


def test_nothing_to_tell_is_said_and_breaks_nothing(small: Report) -> None:
    """All numbers nan, all lists empty."""
    bare = small
    for path, value in leaves(small):
        if isinstance(value, float):
            bare = with_leaf(bare, path.split("."), math.nan)
    names = ("baselines", "deciles", "before", "over_time", "slices", "reasons", "amounts", "bars", "dates",
             "warnings", "would_change")  # fmt: skip
    bare = dataclasses.replace(bare, **dict.fromkeys(names, ()))
    text = shown(bare)
    assert Page(text).wrong == []
    assert "cannot tell" in text
    assert "nan" not in Page(text).text
    assert "No data to draw." in text


def test_pulses_are_told_where_they_were_heard(small: Report) -> None:
    text = Page(shown(small, with_pulses=Estimate(0.6543, 0.6, 0.7))).text
    assert "hearing also what people said" in text
    assert "0.654 [0.600, 0.700]" in text
