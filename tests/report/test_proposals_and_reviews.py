"""The pages of a proposal, of leading indicators and of a review hold their figures, in one file each."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import date, datetime
from typing import Any

import pytest

from retinue.insight.discovery.indicators import discover
from retinue.report import discover as discovery_page
from retinue.report import drift as drift_page
from retinue.report import tune as tune_page
from retinue.run.discover import Discovered
from retinue.run.drift import Reviewed
from retinue.run.tune import Proposed, tune
from retinue.workspace import open_workspace
from tests.discovery.worlds import world
from tests.drift.test_review import reviewed
from tests.report.figures import unseen_figures
from tests.report.reading import Page, outward
from tests.tuning import company

HOSTILE = "<img src=x onerror=alert(1)>&\"'"
PRINT = "0123456789abcdef"


@pytest.fixture(scope="module")
def discovered() -> Discovered:
    """1,500 accounts, 40 features, three of them true (seed 3)."""
    found = discover(world(3, 1500).landmarks, "churn")
    return Discovered("Acme", date(2026, 1, 1), {"usage": ("event", "kind")}, found, ("late data",))


@pytest.fixture(scope="module")
def review() -> Reviewed:
    """4,000 accounts whose odds are half again as high from quarter 6 on (seed 3,001)."""
    told = reviewed(3001, accounts=4000, factor={6: 1.5})
    return Reviewed(
        "Acme", date(2026, 1, 1), {"grown": PRINT}, {"published": {"grown": PRINT}}, told, ("few",)
    )


@pytest.fixture(scope="module")
def proposed(tmp_path_factory: pytest.TempPathFactory) -> Proposed:
    """A company of 250 accounts whose weights were declared the wrong way round (seed 0)."""
    folder = tmp_path_factory.mktemp("report") / "planted"
    company.write(folder, accounts=250)
    workspace = open_workspace(folder, {})
    now = datetime.fromisoformat(company.NOW)
    try:
        return tune(workspace, now=now, first=company.FIRST, last=company.LAST)
    finally:
        workspace.store.close()


Write = Callable[[Any], str]
PAGES: dict[str, Write] = {
    "discovered": discovery_page.page,
    "review": drift_page.page,
    "proposed": tune_page.page,
}


@pytest.fixture(params=PAGES)
def told(request: pytest.FixtureRequest) -> tuple[Any, Write]:
    return request.getfixturevalue(request.param), PAGES[request.param]


def test_pages_are_whole_ask_nobody_and_repeat(told: tuple[Any, Write]) -> None:
    found, write = told
    text = write(found)
    page = Page(text)
    assert (page.wrong, page.open, page.styled, outward(text)) == ([], [], [], [])
    assert len(page.ids) == len(set(page.ids))
    assert write(found) == text
    assert "Acme" in page.text or "planted" in page.text


#: What is told by other figures of the page, or only in the JSON.
UNSAID = {
    "discovered": {
        "discovery.findings.held_out.having.events",  # the rate and the accounts
        "discovery.findings.held_out.lacking.events",
        "discovery.findings.discovered.having.events",
        "discovery.findings.discovered.lacking.events",
        "discovery.findings.bins.outcome.events",
    },
    "review": {
        "review.calibrator.kind",
        "review.quarters.over_expected.p",  # fails
        "review.quarters.slope.p",
        "review.quarters.auc_change.p",
        "review.quarters.assumed.first",
        "review.quarters.assumed.last",
        "review.quarters.assumed.accounts",
        "review.quarters.assumed.rate",
        "review.quarters.shock",  # that of the last quarter is shown
        "review.shifts.p",  # q
        "review.early.over_expected.p",
        "review.advice",
    },
    "proposed": set(),
}


@pytest.mark.parametrize("name", ["discovered", "review"])
def test_every_figure_is_on_its_page(name: str, request: pytest.FixtureRequest) -> None:
    unseen, tried = unseen_figures(request.getfixturevalue(name), PAGES[name], UNSAID[name])
    unseen = [path for path in unseen if ".calibrator." not in path]
    assert not unseen, "\n".join(unseen)
    assert tried > 30


def test_the_figures_of_a_proposal_are_on_its_page(proposed: Proposed) -> None:
    text = Page(tune_page.page(proposed)).text.replace("\u00a0", " ")
    weighing = proposed.tuned.weighing
    for one in weighing.weights:
        assert f"{one.name} {one.declared:.1%}".replace("%", " %") in text
        assert f"{one.fitted:.1%}".replace("%", " %") in text
        assert f"{one.high:.1%}".replace("%", " %") in text
    assert f"{weighing.events} of {weighing.rows:,} rows of {weighing.accounts} accounts" in text
    held = proposed.tuned.held_out
    assert held is not None
    assert f"{held.declared.value:.3f} [{held.declared.low:.3f}, {held.declared.high:.3f}]" in text
    assert f"{held.fitted.value:.3f} [" in text
    for green in proposed.tuned.edges.green:
        assert f"{green.edge:.1f}" in text
    assert proposed.proposal is not None
    assert "fitted: {until:" in text
    assert "associated with" in text
    assert "3 / 3 / 3 d / 7 d today" in text


def test_without_a_proposal_the_numbers_stay(proposed: Proposed) -> None:
    tuned = dataclasses.replace(
        proposed.tuned, held_out=None, not_held_out="too few outcomes", dropping=(), curves=()
    )
    bare = dataclasses.replace(proposed, proposal=None, tuned=tuned)
    text = Page(tune_page.page(bare)).text
    assert "Today's numbers stay" in text
    assert "Too few outcomes." in text


def test_nothing_found_is_no_proof_of_nothing(discovered: Discovered) -> None:
    none = dataclasses.replace(discovered, discovery=dataclasses.replace(discovered.discovery, findings=()))
    assert "no proof that nothing matters" in Page(discovery_page.page(none)).text


def test_a_review_says_what_its_early_estimate_assumes(review: Reviewed) -> None:
    assert "assumes that nothing changed but the mix of accounts" in Page(drift_page.page(review)).text


def test_names_of_others_stay_words(discovered: Discovered, review: Reviewed, proposed: Proposed) -> None:
    finding = dataclasses.replace(discovered.discovery.findings[0], feature=HOSTILE, sentence=HOSTILE)
    told = dataclasses.replace(discovered.discovery, findings=(finding,), outcome=HOSTILE)
    texts = [discovery_page.page(dataclasses.replace(discovered, project=HOSTILE, discovery=told))]
    shifts = tuple(dataclasses.replace(one, name=HOSTILE) for one in review.review.shifts)
    texts.append(
        drift_page.page(
            dataclasses.replace(
                review,
                fingerprints={HOSTILE: HOSTILE},
                warnings=(HOSTILE,),
                review=dataclasses.replace(review.review, shifts=shifts, because=HOSTILE),
            )
        )
    )
    assert proposed.proposal is not None
    proposal = dataclasses.replace(proposed.proposal, text=HOSTILE, changed=(HOSTILE,))
    weights = tuple(dataclasses.replace(one, name=HOSTILE) for one in proposed.tuned.weighing.weights)
    weighing = dataclasses.replace(proposed.tuned.weighing, weights=weights)
    tuned = dataclasses.replace(proposed.tuned, weighing=weighing, scorecard=HOSTILE)
    texts.append(tune_page.page(dataclasses.replace(proposed, proposal=proposal, tuned=tuned)))
    for text in texts:
        assert outward(text) == []
        assert "<img" not in text
        assert HOSTILE in Page(text).text
