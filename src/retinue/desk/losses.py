"""What was lost, by reason and amount: as people recorded it, and as the project's outcomes tell it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from retinue.desk import background
from retinue.desk.panel import Panel
from retinue.desk.steady import steady
from retinue.project.outcomes import OutcomeRule
from retinue.project.project import Project
from retinue.store.people.access import Actor
from retinue.store.published.current import RunInfo, seen_ids
from retinue.store.work.said import outcomes_for_run
from retinue.warehouse.trace import Listener
from retinue.workspace import Workspace

#: Recorded outcomes that are losses.
RECORDED = ("churned", "contracted")
#: Days apart within which a record and an outcome are the same loss.
_SAME = 31
#: What a loss without a stated reason is filed under.
NO_REASON = None
KEPT = "losses"


@dataclass(frozen=True, slots=True)
class Loss:
    """One loss. `amount` is positive, None where nobody says; `told_by` is a person's record or the
    project's outcome."""

    account_id: str
    outcome: str
    day: date
    amount: float | None
    reason: str | None
    told_by: str


@dataclass(frozen=True, slots=True)
class LossGroup:
    """Losses of one outcome and reason; `amount` sums those `known` of them."""

    outcome: str
    reason: str | None
    losses: int
    accounts: int
    known: int
    amount: float


@dataclass(frozen=True)
class Losses:
    """Losses of days after `since` up to `until`, most costly first.

    `run_id` is the run after which the project's outcomes were read; None: they are not read yet,
    and only what people recorded is here.
    """

    since: date
    until: date
    groups: tuple[LossGroup, ...]
    run_id: str | None

    @property
    def losses(self) -> int:
        return sum(one.losses for one in self.groups)

    @property
    def amount(self) -> float:
        return sum(one.amount for one in self.groups)

    def to_dict(self) -> dict[str, Any]:
        return {
            "since": self.since.isoformat(),
            "until": self.until.isoformat(),
            "losses": self.losses,
            "amount": self.amount,
            "groups": [dataclasses.asdict(one) for one in self.groups],
            "read_for_run": self.run_id,
        }


def losses(workspace: Workspace, actor: Actor, run: RunInfo, seen: Panel, since: date, until: date) -> Losses:
    """Losses of the accounts that the actor sees."""
    told, run_id = every_loss(workspace, actor, run, seen)
    return Losses(since, until, grouped([one for one in told if since < one.day <= until]), run_id)


def every_loss(
    workspace: Workspace, actor: Actor, run: RunInfo, seen: Panel
) -> tuple[list[Loss], str | None]:
    """All losses of accounts that the actor sees, by day, and the run for which outcomes were read.

    A person's record of an account's end stands for the project's own word of the same thing within
    a month: it has the reason.
    """
    recorded = _recorded(workspace)
    by_account: dict[str, list[Loss]] = {}
    for one in recorded:
        by_account.setdefault(one.account_id, []).append(one)
    kept = background.kept(workspace.project.home, KEPT, run.run_id)
    declared = [_loss(row) for row in kept[1]["losses"]] if kept else []
    declared = [one for one in _with_arr(declared, seen) if not _same(one, by_account)]
    both = [*recorded, *declared]
    if not actor.everything:
        mine = set(seen_ids(workspace.store, actor))
        both = [one for one in both if one.account_id in mine]
    return sorted(both, key=lambda one: (one.day, one.account_id)), kept[0] if kept else None


def grouped(found: Sequence[Loss]) -> tuple[LossGroup, ...]:
    groups: dict[tuple[str, str | None], list[Loss]] = {}
    for one in found:
        groups.setdefault((one.outcome, one.reason), []).append(one)
    told = [
        LossGroup(
            outcome,
            reason,
            len(some),
            len({one.account_id for one in some}),
            sum(one.amount is not None for one in some),
            math.fsum(one.amount or 0.0 for one in some),
        )
        for (outcome, reason), some in groups.items()
    ]
    return tuple(sorted(told, key=lambda one: (-one.amount, -one.losses, one.outcome, one.reason or "")))


def _recorded(workspace: Workspace) -> list[Loss]:
    table = outcomes_for_run(workspace.store)
    mine = pc.and_(pc.is_in(table["kind"], pa.array(RECORDED)), pc.is_null(table["withdrawn_at"]))
    return [
        Loss(
            row["account_id"],
            row["kind"],
            row["occurred_on"],
            row["amount"],
            row["reason"] or NO_REASON,
            "record",
        )
        for row in table.filter(mine).to_pylist()
    ]


def _same(one: Loss, recorded: Mapping[str, Sequence[Loss]]) -> bool:
    """Whether a person recorded it too: an end is an end, anything else has the same name."""
    return any(
        (one.outcome == other.outcome or (one.told_by == "ended" and other.outcome == "churned"))
        and abs((one.day - other.day).days) <= _SAME
        for other in recorded.get(one.account_id, ())
    )


def _with_arr(found: list[Loss], seen: Panel) -> list[Loss]:
    """Ends without an amount get the ARR that the account last had before."""
    if not found:
        return []
    wanted = pa.array([one.account_id for one in found], pa.string())
    last: list[float | None] = [None] * len(found)
    for frame in seen.frames:
        at = pc.index_in(wanted, value_set=frame.ids).to_pylist()
        for n, (one, place) in enumerate(zip(found, at, strict=True)):
            if place is not None and frame.day < one.day and not math.isnan(frame.arr[place]):
                last[n] = float(frame.arr[place])
    return [
        dataclasses.replace(one, amount=arr) if one.amount is None and one.told_by == "ended" else one
        for one, arr in zip(found, last, strict=True)
    ]


# --- reading them ----------------------------------------------------------------------------------


def declared(project: Project) -> dict[str, OutcomeRule]:
    """The project's bad outcomes that sources tell of."""
    told = {
        name: rule
        for name, rule in project.settings.outcomes.items()
        if not rule.is_good and rule.kind in ("ended", "fact")
    }
    if not project.settings.outcomes and "ended_on" in project.settings.accounts.columns:
        told["churn"] = OutcomeRule(ended=True)
    return told


def read_losses(workspace: Workspace, run: RunInfo, tell: Listener) -> None:
    """Read what the project's outcomes tell of, and keep it for the run. Takes seconds."""
    found = _read(workspace.project, tell)
    background.keep(workspace.project.home, KEPT, run.run_id, {"losses": found})


def ensure_losses(workspace: Workspace) -> None:
    """Read them here and now, unless they are kept for the current run. Raises NotFound before the first."""

    def read(run: RunInfo) -> None:
        kept = background.kept(workspace.project.home, KEPT, run.run_id)
        if declared(workspace.project) and (kept is None or kept[0] != run.run_id):
            read_losses(workspace, run, lambda _what, _part: None)

    steady(workspace, read)


def start_reading(workspace: Workspace, run: RunInfo, *, now: datetime) -> None:
    """Read them in the background, once for each run; a failure is not tried again for the same run."""
    home = workspace.project.home
    kept = background.kept(home, KEPT, run.run_id)
    going = background.work(home, KEPT)
    if not declared(workspace.project) or (kept and kept[0] == run.run_id):
        return
    if going is None or (not going.going and going.about != run.run_id):
        background.start(home, KEPT, run.run_id, [KEPT, str(workspace.project.root), now.isoformat()])


def _read(project: Project, tell: Listener) -> list[list[Any]]:
    from retinue.warehouse import outcomes
    from retinue.warehouse.engine import connect
    from retinue.warehouse.facts import sources
    from retinue.warehouse.trace import Trace

    rules = declared(project)
    if not rules:
        return []
    told: list[list[Any]] = []
    with Trace(tell) as trace, connect(project, trace=trace) as engine:
        accounts = sources.load(engine, project, {}).accounts
        ids = engine.arrow(accounts.order_by("ix").select("account_id"))["account_id"]
        for name, rule in rules.items():
            if rule.source is not None:
                rows = outcomes.of_rule(engine, project, accounts, rule)
            else:
                rows = outcomes.ends(engine, accounts)
            who = ids.take(rows["ix"])
            for account, row in zip(who.to_pylist(), rows.to_pylist(), strict=True):
                amount = None if row["amount"] is None else abs(row["amount"])
                told.append([account, name, row["day"].isoformat(), amount, row["reason"], rule.kind])
    return told


def _loss(row: Sequence[Any]) -> Loss:
    account, outcome, day, amount, reason, told_by = row
    return Loss(account, outcome, date.fromisoformat(day), amount, reason or NO_REASON, told_by)
