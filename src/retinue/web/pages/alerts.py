"""The list of alerts, one of them with its evidence, and mutes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, cast
from urllib.parse import urlencode

from starlette.datastructures import QueryParams
from starlette.responses import Response

from retinue.desk import alerts as desk
from retinue.desk.alerts import About, AlertAsk, State, Whose
from retinue.desk.book import CHOICES, offered
from retinue.desk.declared import KINDS
from retinue.errors import Forbidden, StoreError
from retinue.store.work.alerts import Alert
from retinue.store.work.several import Changed
from retinue.web.pages.account import address, asked_day, minus
from retinue.web.pages.book import Address
from retinue.web.pages.choosing import back, chosen, how_many, listed
from retinue.web.site import Door, Visit

#: What is said once after something was done; the address has the name of the sentence only.
SAID = {
    "alert_closed": "The alert is closed.",
    "task": "The task is there.",
    "muted": "It is muted from now on.",
    "unmuted": "The mute is withdrawn. What still holds is told with the next date.",
}
#: Severities as a shape and a word, so that nobody needs the colour.
SEVERITIES = {"high": "\u25b2", "normal": "\u25c6", "low": "\u25cb"}
#: What an address says of the list; nothing else of a form gets into an address.
_KEYS = ("whose", "state", "about", "rule", "kind", "severity", "since", "account")
#: What of an alert's evidence stands elsewhere on its page.
_ELSEWHERE = ("name", "do", "label", "subject", "as_of", "component")


def every(visit: Visit) -> Response:
    return _listing(visit, visit.query)


def _listing(visit: Visit, query: Any, report: Changed | None = None) -> Response:
    """The list that `query` asks for; `report` is what became of those that were to be closed."""
    told = Address(query)
    ask = AlertAsk(
        whose=cast(Whose, query.get("whose") or usual(visit)),
        state=cast(State, query.get("state") or "open"),
        about=cast(About, query.get("about") or "any"),
        rule=query.get("rule") or None,
        kind=query.get("kind") or None,
        severity=query.get("severity") or None,
        since=asked_day(query, "since"),
        account_id=query.get("account") or None,
        after=place(query, "alerts"),
    )
    return visit.page(
        "alerts/list.html",
        found=desk.alerts(visit.workspace, visit.actor, ask),
        ask=ask,
        address=told,
        account_address=address,
        kinds=KINDS,
        severities=SEVERITIES,
        listed=listed(told, _KEYS),
        chosen=query.get("chosen") == "all",
        report=report,
        said=SAID.get(query.get("said", "")) or how_many(query, "alert", "closed"),
        declared=bool(visit.workspace.project.settings.alerts),
        currency=visit.workspace.project.settings.currency,
    )


def usual(visit: Visit) -> str:
    """Whose alerts or tasks somebody wants to see first."""
    return "mine" if visit.actor.person is not None and visit.actor.role == "csm" else "all"


def place(query: Mapping[str, str], what: str) -> int | None:
    """The last number of the page before. Raises StoreError."""
    after = query.get("after") or None
    if after is not None and not (after.isascii() and after.isdigit() and len(after) < 19):
        raise StoreError(f"{after[:40]!r} is no place in the list of {what}", hint="start over")
    return int(after) if after else None


def one(visit: Visit) -> Response:
    return _page(visit)


def _page(
    visit: Visit, *, failed: str | None = None, failure: str | None = None, status: int = 200
) -> Response:
    """The page; `failed` is the form that was not accepted, `failure` why."""
    found = desk.alert(visit.workspace, visit.actor, int(visit.path["alert"]), now=visit.now)
    visit.request.state.account_id = found.alert.account_id
    acts = visit.actor.may("act") and found.alert.account_id is not None
    owners = offered(visit.workspace, visit.actor, ("owner",))["owner"] if acts else ()
    return visit.page(
        "alerts/one.html",
        status=status,
        page=found,
        alert=found.alert,
        evidence=evidence(found.alert),
        book=_book(visit, found.alert),
        account_address=address,
        kinds=KINDS,
        severities=SEVERITIES,
        owners=[group.value for group in owners if group.value],
        may_mute_rule=visit.actor.may("override") and visit.actor.everything and found.rule is not None,
        today=visit.now.date(),
        said=SAID.get(visit.query.get("said", "")),
        failed=failed,
        failure=failure,
        typed=visit.form if failed else {},
        currency=visit.workspace.project.settings.currency,
        minus=minus,
    )


def evidence(alert: Alert) -> list[tuple[str, Any, str]]:
    """What stands in its evidence: name, value, and what kind of value it is."""
    kinds = {
        "band": "band",
        "score": "score",
        "before": "score",
        "coverage": "share",
        "arr": "money",
        "p": "chance",
    }
    names = {
        "score": "Computed score",
        "before": "Computed score before",
        "renews_in": "Days to the renewal",
        "arr": "ARR",
        "accounts": "Accounts",
        "among": "Of so many",
        "usual": "Before" if alert.kind == "share_rising" else "Usual are",
        "p": "Chance of so many by itself",
    }
    told = []
    for name, value in alert.evidence.items():
        if name in _ELSEWHERE or value is None or (alert.kind == "storm" and name in ("usual", "p")):
            continue
        told.append((names.get(name, name.replace("_", " ").capitalize()), value, kinds.get(name, "plain")))
    part = alert.evidence.get("component")
    if isinstance(part, dict):
        name = str(part.get("name")).replace("_", " ").capitalize()
        told.append((f"{name}, points", part.get("points"), "score"))
        told.append((f"{name}, points before", part.get("before"), "score"))
    return told


def _book(visit: Visit, alert: Alert) -> dict[str, str] | None:
    """What the book is to be narrowed down by to see the accounts of an alert about a segment."""
    rule = visit.workspace.project.settings.alerts.get(alert.rule)
    if alert.account_id is not None or rule is None or rule.share_rising is None or alert.subject is None:
        return None
    rising = rule.share_rising
    if rising.by not in CHOICES:
        return None
    return {"scope": "all", rising.by: alert.subject, "band": rising.band}


def show_rows(visit: Visit) -> Response:
    """The rows that an alert rests on, read from their sources when somebody asks."""
    number = int(visit.path["alert"])
    found = desk.behind(visit.workspace, visit.actor, number)
    return visit.page("alerts/rows.html", found=found, number=number)


def _act(what: str, act: Callable[[Visit, int], str]) -> Callable[[Visit], Response]:
    """Do it and go back to the alert; where it is not accepted, the form comes back as it was filled in."""

    def acted(visit: Visit) -> Response:
        number = int(visit.path["alert"])
        try:
            said = act(visit, number)
        except (StoreError, Forbidden) as error:
            status = 403 if isinstance(error, Forbidden) else 400
            return _page(visit, failed=what, failure=str(error), status=status)
        return visit.to(f"/alerts/{number}?said={said}#said")

    return acted


def close_many(visit: Visit) -> Response:
    """Close those that are chosen; where some cannot be, the list comes back with the reasons."""
    numbers, result = chosen(visit.form, "alert"), visit.form.get("result")
    done = desk.close_many(visit.workspace, visit.actor, numbers, result=result, now=visit.now)
    if done.refused:
        return _listing(visit, QueryParams(back(visit.form, _KEYS)), done)
    query = [*back(visit.form, _KEYS), ("count", str(len(done.changed)))]
    return visit.to(f"/alerts?{urlencode(query)}#said")


def _close(visit: Visit, number: int) -> str:
    done = desk.close(visit.workspace, visit.actor, number, result=visit.form.get("result"), now=visit.now)
    visit.request.state.account_id = done.account_id
    return done.what


def _task(visit: Visit, number: int) -> str:
    form = visit.form
    done = desk.add_task(
        visit.workspace,
        visit.actor,
        number,
        form.get("title"),
        owner=form.get("owner"),
        due_on=_day(form, "due_on"),
        detail=form.get("detail"),
        now=visit.now,
    )
    visit.request.state.account_id = done.account_id
    return done.what


def _mute(visit: Visit, number: int) -> str:
    form, what = visit.form, visit.form.get("what", "both")
    if what not in ("both", "account", "rule"):
        raise StoreError("a mute is of the account, of the rule, or of both")
    found = desk.alert_of(visit.workspace, visit.actor, number)
    done = desk.mute(
        visit.workspace,
        visit.actor,
        reason=form.get("reason", ""),
        account_id=found.account_id if what != "rule" else None,
        rule=found.rule if what != "account" else None,
        until=_day(form, "until"),
        now=visit.now,
    )
    visit.request.state.account_id = found.account_id
    return done.what


def _day(form: Mapping[str, str], name: str) -> date | None:
    return asked_day({name: form.get(name, "").strip()}, name)


# --- mutes ---------------------------------------------------------------------------------------


def mutes(visit: Visit) -> Response:
    return _mutes(visit)


def _mutes(visit: Visit, *, failure: str | None = None, status: int = 200) -> Response:
    rules = list(visit.workspace.project.settings.alerts)
    return visit.page(
        "alerts/mutes.html",
        status=status,
        found=desk.mutes(visit.workspace, visit.actor, now=visit.now, after=place(visit.query, "mutes")),
        account_address=address,
        rules=rules,
        may_rule=visit.actor.may("override") and visit.actor.everything,
        said=SAID.get(visit.query.get("said", "")),
        failure=failure,
        typed=visit.form if failure else {},
        today=visit.now.date(),
        paged=bool(visit.query.get("after")),
    )


def add_mute(visit: Visit) -> Response:
    form = visit.form
    try:
        done = desk.mute(
            visit.workspace,
            visit.actor,
            reason=form.get("reason", ""),
            account_id=form.get("account", "").strip() or None,
            rule=form.get("rule") or None,
            until=_day(form, "until"),
            now=visit.now,
        )
    except (StoreError, Forbidden) as error:
        return _mutes(visit, failure=str(error), status=403 if isinstance(error, Forbidden) else 400)
    visit.request.state.account_id = done.account_id
    return visit.to(f"/mutes?said={done.what}#said")


def withdraw(visit: Visit) -> Response:
    done = desk.unmute(visit.workspace, visit.actor, int(visit.path["mute"]), now=visit.now)
    return visit.to(f"/mutes?said={done.what}#said")


DOORS = (
    Door("/alerts", "read", show=every),
    Door("/alerts/{alert:int}", "read", show=one),
    Door("/alerts/{alert:int}/rows", "read", show=show_rows),
    Door("/alerts/close", "read", act=close_many),
    Door("/alerts/{alert:int}/close", "read", act=_act("close", _close)),
    Door("/alerts/{alert:int}/task", "read", act=_act("task", _task)),
    Door("/alerts/{alert:int}/mute", "read", act=_act("mute", _mute)),
    Door("/mutes", "read", show=mutes, act=add_mute),
    Door("/mutes/{mute:int}/withdraw", "read", act=withdraw),
)
