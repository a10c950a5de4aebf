"""Alerts in words: what changed, why, what to do; and who is told of them, how, and when."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from retinue.action.picture import BANDS, Earlier, Picture
from retinue.action.portfolio import A_FEED, Finding
from retinue.project.alerts import Alerting, AlertRule
from retinue.project.conditions import show
from retinue.project.project import Project
from retinue.run.advising import drivers
from retinue.store.published.current import explanations
from retinue.store.work.alerts import NewAlert, raised_today
from retinue.store.work.outbox import Row, key
from retinue.store.work.plays import addresses
from retinue.words import WORDS, number, share, shown
from retinue.workspace import Workspace

#: Accounts that a digest names.
LISTED = 25
_SEVERITY = {"high": 0, "normal": 1, "low": 2}


def account_alert(
    name: str,
    rule: AlertRule,
    now: Picture,
    earlier: Earlier | None,
    place: int,
    stake: float,
    advice: str | None = None,
) -> NewAlert:
    """The alert of a rule about one account of a date; `advice` is what its scorecard advises."""

    def column(wanted: str) -> Any:
        found = now.columns.get(wanted)
        return None if found is None else found[place].as_py()

    score, band = _number(now.computed[place]), BANDS[now.band[place]] if now.band[place] >= 0 else None
    before = _number(earlier.computed[place]) if earlier is not None else None
    renews_in = _number(now.renews_in[place])
    evidence: dict[str, Any] = {
        "name": column("name"),
        "score": score,
        "band": band,
        "before": before,
        "coverage": _number(now.coverage[place]),
        "arr": _number(now.arr[place]),
        "renews_in": renews_in,
        # What the rule says of all such accounts, then what the scorecard advises for this one.
        "do": " ".join(text for text in (rule.do, advice) if text) or None,
        "label": rule.label,
    }
    if rule.component is not None and rule.component in now.components:
        points = _number(now.components[rule.component][place])
        was = earlier.components.get(rule.component) if earlier is not None else None
        evidence["component"] = {
            "name": rule.component,
            "points": points,
            "before": None if was is None else _number(was[place]),
        }
    who = column("name") or now.ids[place].as_py()
    return NewAlert(
        rule=name,
        kind=rule.kind,
        severity=rule.severity,
        account_id=now.ids[place].as_py(),
        subject=None,
        owner=column("owner"),
        summary=f"{who}: {rule.label or _said(rule, evidence)}",
        evidence=evidence,
        stake=stake,
    )


def _said(rule: AlertRule, evidence: Mapping[str, Any]) -> str:
    """What happened, in a few words."""
    score, before, band = evidence["score"], evidence["before"], evidence["band"]
    match rule.kind:
        case "band":
            return f"now {WORDS[band]}, at {shown(score)}"
        case "drop":
            return f"fell {shown((before or 0) - (score or 0))} points in {rule.within}, to {shown(score)}"
        case "component":
            part = evidence.get("component") or {}
            fell = (part.get("before") or 0) - (part.get("points") or 0)
            name = str(rule.component).replace("_", " ")
            return f"{name} fell {shown(fell)} points in {rule.within}, to {shown(part.get('points'))}"
        case "event":
            return f"new in {str(rule.event).replace('_', ' ')}"
        case "renewal_within":
            return f"renews in {number(evidence['renews_in'])} days at a score of {shown(score)}"
        case "coverage_below":
            return f"only {share(evidence['coverage'])} of the score rests on data"
        case "no_touch":
            return f"nobody was in touch for more than {rule.no_touch}"
        case "anomaly":
            return "usage is unusually low"
        case "holds":
            assert rule.holds is not None
            return show(rule.holds)
    return "speaks for more business"


def portfolio_alert(
    name: str, rule: AlertRule, finding: Finding, day: date, *, storm: bool = False
) -> NewAlert:
    """The alert of a rule about the portfolio: a finding, or one rule that tells of very many accounts."""
    many = f"{finding.count:,} of {finding.among:,} accounts"
    if storm:
        text = f"{many} at once: {rule.label or name.replace('_', ' ')}"
    elif rule.kind == "feed_stopped":
        held = f"{many} are held" if finding.count else "nobody's use is known"
        stopped = finding.subject == A_FEED
        text = f"a feed has stopped: {held}" if stopped else f"{finding.subject} is down"
    elif rule.kind == "shared_issue":
        text = f"{many} have {finding.subject} in common; usual are {number(finding.usual)}"
    else:
        assert rule.share_rising is not None
        band, were = WORDS[rule.share_rising.band], number(finding.usual)
        text = f"{finding.subject}: {many} are {band}, {were} were {rule.share_rising.within} ago"
    return NewAlert(
        rule=name,
        kind="storm" if storm else rule.kind,
        severity=rule.severity,
        account_id=None,
        subject=finding.subject,
        owner=None,
        summary=text,
        evidence={
            "subject": finding.subject,
            "accounts": finding.count,
            "among": finding.among,
            "usual": finding.usual,
            "p": finding.p,
            "as_of": day.isoformat(),
            "do": rule.do,
        },
        stake=float(finding.count),
    )


# --- who is told, and when -----------------------------------------------------------------------


def messages(workspace: Workspace, news: Sequence[NewAlert], day: date, now: datetime) -> list[Row]:
    """The messages of the alerts of a date, one per alert and destination; beyond a person's budget of
    the day one digest for all that is left."""
    project = workspace.project
    policy, rules = project.settings.alerting, project.settings.alerts
    ids = [one.account_id for one in news if one.account_id is not None]
    why = explanations(workspace.store, ids)
    today = raised_today(workspace.store, _midnight(project, now))
    known = addresses(workspace.store)
    rows: list[Row] = []
    left: dict[tuple[str | None, str], list[NewAlert]] = {}
    spent = dict(today)
    for one in sorted(news, key=lambda n: (_SEVERITY[n.severity], -n.stake, n.account_id or "")):
        # What very many would come into is told by the playbook's name, which is no rule.
        rule = rules.get(one.rule)
        about_all = one.account_id is None
        to = policy.portfolio_to or policy.to if about_all else policy.to
        to = rule.to if rule is not None and rule.to is not None else to
        to = tuple(name for name in to if not (about_all and _goes_to_owner(project, name)))
        if not about_all and one.owner is not None:
            spent[one.owner] = spent.get(one.owner, 0) + 1
            if spent[one.owner] > policy.per_person and one.severity != "high":
                for destination in to:
                    left.setdefault((one.owner, destination), []).append(one)
                continue
        rows += [_row(project, one, to_, why.get(one.account_id or ""), day, now, known) for to_ in to]
    rows += [
        _digest(project, owner, destination, rest, day, now, known)
        for (owner, destination), rest in left.items()
    ]
    return rows


def _goes_to_owner(project: Project, destination: str) -> bool:
    """Whether it is mail to whoever looks after the account: nobody, of what is about all of them."""
    declared = project.settings.destinations.get(destination)
    return declared is not None and declared.email is not None and declared.email.to == "owner"


def _row(
    project: Project,
    one: NewAlert,
    destination: str,
    explanation: Any,
    day: date,
    now: datetime,
    known: Mapping[str, str],
) -> Row:
    do = one.evidence.get("do")
    identity = key("alert", one.rule, one.account_id, one.subject, day, destination)
    told = payload(
        identity,
        "alert",
        one.summary,
        one.summary,
        now,
        why=drivers(project, explanation),
        do=[do] if do else [],
        link=link(project, one.account_id),
        account_id=one.account_id,
        account=one.evidence.get("name"),
        recipient=one.owner,
        address=known.get(one.owner or ""),
        data={"rule": one.rule, "severity": one.severity, "as_of": day.isoformat(), **one.evidence},
    )
    due = due_at(now, project.settings.alerting, project, one.severity)
    return Row(identity, destination, "alert", one.summary, told, due, one.account_id)


def due_at(now: datetime, policy: Alerting, project: Project, severity: str) -> datetime:
    """The first moment from `now` on that is no quiet hour where the project is; for high severity, now."""
    if severity == "high":
        return now
    zone = ZoneInfo(project.settings.timezone)
    here = now.astimezone(zone)
    quiet_from, until = policy.quiet_from, policy.quiet_until
    for ahead in range(15):
        day = here.date() + timedelta(days=ahead)
        if day.weekday() not in policy.workdays:
            continue
        # Where quiet hours pass midnight, people work from `until` to `quiet_from`.
        whole = timedelta(0), timedelta(days=1)
        spans = [(until, quiet_from)] if until < quiet_from else [(whole[0], quiet_from), (until, whole[1])]
        midnight = datetime.combine(day, time(), zone)
        for start, end in spans:
            opens = max(here, midnight + start)
            if opens < midnight + end:
                return opens.astimezone(now.tzinfo)
    return now


def _midnight(project: Project, now: datetime) -> datetime:
    zone = ZoneInfo(project.settings.timezone)
    return datetime.combine(now.astimezone(zone).date(), time(), zone)


def payload(  # noqa: PLR0913 - a message is this many facts
    identity: str,
    kind: str,
    subject: str,
    what: str,
    now: datetime,
    *,
    why: Sequence[str] = (),
    do: Sequence[str] = (),
    link: str | None = None,
    account_id: str | None = None,
    account: str | None = None,
    recipient: str | None = None,
    address: str | None = None,
    data: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A message as the outbox holds it, for `retinue.deliver`."""
    return {
        "key": identity, "kind": kind, "subject": subject, "what": what, "at": now.isoformat(),
        "why": list(why), "do": list(do), "link": link, "account_id": account_id, "account": account,
        "recipient": recipient, "address": address, "data": dict(data or {}),
    }  # fmt: skip


def link(project: Project, account_id: str | None) -> str | None:
    """Where it can be looked at, if the project says where it is served."""
    base = (project.settings.serve.address or "").rstrip("/")
    if not base:
        return None
    return f"{base}/accounts/{quote(account_id, safe='')}" if account_id else f"{base}/alerts"


def _digest(
    project: Project,
    owner: str | None,
    destination: str,
    rest: Sequence[NewAlert],
    day: date,
    now: datetime,
    known: Mapping[str, str],
) -> Row:
    count = len(rest)
    more = [f"and {count - LISTED} more"] if count > LISTED else []
    subject = f"{count} more {'account' if count == 1 else 'accounts'} to look at"
    identity = key("digest", owner, day, destination)
    told = payload(
        identity,
        "digest",
        subject,
        f"{count} more alerts of {day}, beyond what is sent one by one",
        now,
        why=[one.summary for one in rest[:LISTED]] + more,
        link=link(project, None),
        recipient=owner,
        address=known.get(owner or ""),
        data={"as_of": day.isoformat(), "alerts": [[one.rule, one.account_id] for one in rest]},
    )
    due = due_at(now, project.settings.alerting, project, "low")
    return Row(identity, destination, "digest", subject, told, due)


def _number(value: Any) -> float | None:
    found = float(value)
    return found if math.isfinite(found) else None
