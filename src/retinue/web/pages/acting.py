"""Forms that act on an account: each posts, does one thing, and goes on to where it is seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from functools import partial
from typing import Any, cast

from starlette.responses import Response

from retinue.action.playbooks import Balance
from retinue.desk import acting
from retinue.desk.account import seen
from retinue.desk.acting import Done
from retinue.errors import Forbidden, NotFound, StoreError
from retinue.store.work.interventions import interventions_of
from retinue.store.work.record import Kind, record
from retinue.store.work.said import OutcomeKind, OverrideKind
from retinue.web.pages.account import address, page
from retinue.web.site import Door, Visit

#: Longest line of a form; texts have room for more, which the store decides.
LINE = 2000


def _act(what: str, act: Callable[[Visit, str], Done], visit: Visit) -> Response:
    """Do it and go back to the account; where it is not accepted, the form comes back as it was filled in."""
    account_id = visit.path["account_id"]
    seen(visit.workspace, visit.actor, account_id)
    try:
        done = act(visit, account_id)
    except (StoreError, Forbidden) as error:
        # They may post this form, or they would not be here; what is refused is what they typed.
        status = 403 if isinstance(error, Forbidden) else 400
        return page(visit, failed=what, failure=str(error), status=status)
    return visit.to(address(account_id, said=done.what) + "#said")


def _note(visit: Visit, account_id: str) -> Done:
    return acting.note(visit.workspace, visit.actor, account_id, visit.form.get("text", ""), now=visit.now)


def _pulse(visit: Visit, account_id: str) -> Done:
    form = visit.form
    return acting.pulse(
        visit.workspace,
        visit.actor,
        account_id,
        form.get("metric", ""),
        _number(form, "value", "a pulse"),
        now=visit.now,
        note=line(form, "note"),
        expires_on=day_in(form, "expires_on"),
    )


def _override(visit: Visit, account_id: str) -> Done:
    form = visit.form
    return acting.override(
        visit.workspace,
        visit.actor,
        account_id,
        cast(OverrideKind, form.get("kind", "")),
        _number(form, "value", "an override"),
        reason=line(form, "reason") or "",
        owner=line(form, "owner"),
        starts_on=day_in(form, "starts_on"),
        expires_on=day_in(form, "expires_on"),
        now=visit.now,
    )


def _outcome(visit: Visit, account_id: str) -> Done:
    form = visit.form
    occurred_on = day_in(form, "occurred_on")
    if occurred_on is None:
        raise StoreError("an outcome needs the day on which it happened")
    return acting.outcome(
        visit.workspace,
        visit.actor,
        account_id,
        cast(OutcomeKind, form.get("kind", "")),
        occurred_on,
        amount=_number(form, "amount", "an amount") if form.get("amount") else None,
        reason=line(form, "reason"),
        now=visit.now,
    )


def _owner(visit: Visit, account_id: str) -> Done:
    return acting.assign(visit.workspace, visit.actor, account_id, visit.form.get("owner", ""), now=visit.now)


def _task(visit: Visit, account_id: str) -> Done:
    form = visit.form
    among = line(form, "among")
    return acting.add_task(
        visit.workspace,
        visit.actor,
        account_id,
        form.get("title", ""),
        owner=None if among else form.get("owner"),
        due_on=day_in(form, "due_on"),
        detail=form.get("detail"),
        checklist=form.get("checklist", "").splitlines(),
        among=among,
        balance=cast(Balance, form.get("balance") or "fewest_tasks"),
        now=visit.now,
    )


def _intervention(visit: Visit, account_id: str) -> Done:
    form = visit.form
    return acting.add_intervention(
        visit.workspace,
        visit.actor,
        account_id,
        line(form, "kind") or "",
        started_on=day_in(form, "started_on"),
        ended_on=day_in(form, "ended_on"),
        owner=line(form, "owner"),
        reason=form.get("reason"),
        now=visit.now,
    )


def end(visit: Visit) -> Response:
    """An intervention of this account ends."""
    account_id, number = visit.path["account_id"], int(visit.path["number"])
    seen(visit.workspace, visit.actor, account_id)
    own = interventions_of(visit.workspace.store, visit.actor, account_id)
    if number not in {one.id for one in own}:
        raise NotFound(f"no intervention {number} of this account")
    acting.end_intervention(
        visit.workspace, visit.actor, number, ended_on=day_in(visit.form, "ended_on"), now=visit.now
    )
    return visit.to(address(account_id, said="ended") + "#said")


def withdraw(visit: Visit) -> Response:
    what, number = visit.path["what"], int(visit.path["number"])
    if what not in ("note", "pulse", "override", "outcome", "intervention"):
        raise NotFound("there is no such page")
    account_id = visit.path["account_id"]
    seen(visit.workspace, visit.actor, account_id)
    kind = cast(Kind, what)
    if number not in {entry.id for entry in record(visit.workspace.store, visit.actor, account_id, (kind,))}:
        raise NotFound(f"no {what} {number} of this account")
    acting.withdraw(visit.workspace, visit.actor, what, number, now=visit.now)
    return visit.to(address(account_id, said="withdrawn") + "#said")


# --- what is typed -------------------------------------------------------------------------------


def line(form: Mapping[str, str], name: str) -> str | None:
    text = form.get(name, "").strip()
    if len(text) > LINE:
        raise StoreError(f"{name} has {LINE:,} letters at most, not {len(text):,}")
    return text or None


def _number(form: Mapping[str, str], name: str, what: str) -> float:
    text = form.get(name, "").strip()
    try:
        if not text.isascii() or len(text) > 40 or "_" in text:
            raise ValueError
        return float(text)
    except ValueError:
        raise StoreError(f"{what} is a number, not {text[:40]!r}") from None


def day_in(form: Mapping[str, str], name: str) -> date | None:
    text = form.get(name, "").strip()
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise StoreError(
            f"{name.replace('_', ' ')} is a date such as 2026-03-31, not {text[:40]!r}"
        ) from None


_FORMS: tuple[tuple[str, str, Callable[[Visit, str], Done], Any], ...] = (
    ("notes", "note", _note, "act"),
    ("pulses", "pulse", _pulse, "act"),
    ("overrides", "override", _override, "override"),
    ("outcomes", "outcome", _outcome, "act"),
    ("owner", "owner", _owner, "assign"),
    ("tasks", "task", _task, "act"),
    ("interventions", "intervention", _intervention, "act"),
)

DOORS = (
    *(
        Door(f"/accounts/{{account_id:path}}/{path}", "read", act=partial(_act, what, act), act_right=right)
        for path, what, act, right in _FORMS
    ),
    Door("/accounts/{account_id:path}/withdraw/{what}/{number:int}", "read", act=withdraw, act_right="act"),
    Door("/accounts/{account_id:path}/interventions/{number:int}/end", "read", act=end, act_right="act"),
)
