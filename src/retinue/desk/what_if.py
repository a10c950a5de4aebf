"""What an account's score would be if something about it were otherwise. Nothing is kept."""

from __future__ import annotations

from collections.abc import Mapping

from retinue.desk.account import seen
from retinue.desk.steady import steady
from retinue.run import what_if as run
from retinue.run.what_if import WhatIf
from retinue.store.people.access import Actor, require
from retinue.workspace import Workspace


def what_if(
    workspace: Workspace,
    actor: Actor,
    account_id: str,
    *,
    metrics: Mapping[str, float] | None = None,
    components: Mapping[str, float] | None = None,
) -> WhatIf:
    """The account as it stands, scored with these metrics at other values and components at other points.

    Raises NotFound for an account that the actor may not see, StoreError for what its score does not have.
    """
    require(actor, "read")
    seen(workspace, actor, account_id)
    return steady(
        workspace,
        lambda _run: run.what_if(workspace, account_id, metrics=metrics, components=components, actor=actor),
    )
