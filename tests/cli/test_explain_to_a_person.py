"""An explanation tells nobody of an account that they may not see."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from retinue.errors import NotFound
from retinue.run.explain import explain
from retinue.store.people.access import OPERATOR, Actor
from retinue.store.published.reading import prepare
from retinue.workspace import Workspace, open_workspace

ANN = Actor("ann", everything=False, owners=frozenset({"ann@acme.example"}), role="csm")
NORTH = Actor("north", everything=False, territories=frozenset({"north"}), role="leader")


@pytest.fixture
def workspace(acme: Path) -> Iterator[Workspace]:
    opened = open_workspace(acme, {})
    yield opened
    opened.store.close()


def test_people_are_told_of_the_accounts_that_they_see(workspace: Workspace):
    for actor, account in ((ANN, "A-01"), (ANN, "A-02"), (NORTH, "A-03"), (ANN, "Southern Star")):
        assert explain(workspace, account, actor=actor) == explain(workspace, account)


@pytest.mark.parametrize("account", ["A-03", "Ticket & Sons", "A-06", "Gone Ltd", "A-99", "A-0"])
def test_all_others_are_as_if_they_were_not_there(workspace: Workspace, account: str):
    with pytest.raises(NotFound) as refused:
        explain(workspace, account, actor=ANN)
    assert refused.value.message == f"no account {account!r}"
    hint = refused.value.hint or ""
    assert not any(f"A-0{n}" in hint for n in (3, 4, 5, 6, 7, 8))


def test_an_account_that_is_gone_is_seen_by_who_sees_everything(workspace: Workspace):
    assert explain(workspace, "A-06", actor=OPERATOR).notes[0].startswith("not among the accounts any more")
    with pytest.raises(NotFound):
        explain(workspace, "A-06", actor=ANN)


def test_an_explanation_is_the_same_whatever_was_made_to_read_it_quickly(own: Path):
    workspace = open_workspace(own, {})
    asked = [f"A-0{n}" for n in range(1, 9)]
    shutil.rmtree(workspace.project.home / "reading")
    slow = [explain(workspace, account) for account in asked]
    dates = workspace.published().dates()
    slow += [explain(workspace, account, as_of=dates[-3]) for account in asked if account != "A-06"]
    assert prepare(workspace.published())
    quick = [explain(workspace, account) for account in asked]
    quick += [explain(workspace, account, as_of=dates[-3]) for account in asked if account != "A-06"]
    workspace.store.close()
    assert quick == slow
