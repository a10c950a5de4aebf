"""What is published, as facts and as text."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from retinue.cli.render import Column, Page, Table, listed, styled
from retinue.project.project import Project
from retinue.store.database import Store
from retinue.store.people.access import OPERATOR
from retinue.store.published.current import RunInfo, counts
from retinue.store.published.manifest import Manifest

#: A source whose last row is older than this many days before the last date is pointed out.
QUIET_DAYS = 7


def facts_of(
    project: Project, store: Store, run: RunInfo | None, manifest: Manifest | None
) -> dict[str, Any]:
    """Everything that `retinue status` tells, as plain values; dates are ISO text."""
    told: dict[str, Any] = {
        "project": project.settings.project,
        "folder": str(project.root),
        "home": str(project.home),
        "store": store.engine.url.render_as_string(hide_password=True),
        "run": None,
    }
    if run is None or manifest is None:
        return told
    dates = sorted(day for part in manifest.parts for day in part.dates)
    last = dates[-1]
    sources = {}
    for name, counted in sorted(manifest.sources.items()):
        watermark = manifest.watermarks.get(name)
        sources[name] = {
            **counted,
            "last_known_day": watermark.isoformat() if watermark else None,
            "quiet_days": (last - watermark).days if watermark else None,
            "quiet": watermark is not None and last - watermark > timedelta(days=QUIET_DAYS),
            "reasons": manifest.rejected.get(name, {}),
        }
    return {
        **told,
        "run": {
            "run_id": run.run_id,
            "published_at": run.published_at.isoformat(),
            "manifest": str(project.home / run.manifest),
            "package": manifest.package,
            "engine": manifest.engine,
        },
        "dates": {"first": dates[0].isoformat(), "last": last.isoformat(), "count": len(dates)},
        "accounts": run.accounts,
        "bands": {group.value or "not_scored": group.accounts for group in counts(store, OPERATOR)},
        "scorecards": {
            fingerprint: told["scorecard"]["scorecard"]
            for fingerprint, told in sorted(manifest.formulas.items())
        },
        "sources": sources,
    }


def show(page: Page, facts: dict[str, Any]) -> None:
    page.line(f"{facts['project']} in {facts['folder']}", "bold")
    if facts["run"] is None:
        page.line("Nothing is published yet. Score it with `retinue run`.")
        return
    run, dates = facts["run"], facts["dates"]
    table = Table([Column(""), Column("", least=30)])
    for name, text in (
        ("run", f"{run['run_id']}, published {run['published_at'][:16].replace('T', ' ')} UTC"),
        ("dates", f"{dates['count']:,} from {dates['first']} to {dates['last']}"),
        ("accounts", f"{facts['accounts']:,} ({listed(facts['bands'])})".replace("_", " ")),
        ("files", run["manifest"].removesuffix("/manifest.json")),
        ("store", facts["store"]),
    ):
        table.add(styled(name, "dim"), text)
    page.table(table)
    page.heading("Sources")
    sources = Table(
        [
            Column("source"),
            Column("rows", right=True),
            Column("rejected", right=True),
            Column("last known day"),
            Column("", least=20),
        ]
    )
    for name, source in facts["sources"].items():
        notes = [f"{count:,} x {reason}" for reason, count in source["reasons"].items()]
        day = source["last_known_day"] or "-"
        if source["quiet"]:
            notes.insert(0, f"quiet for {source['quiet_days']} days")
        sources.add(name, f"{source['read']:,}", f"{source['rejected']:,}", day, "; ".join(notes))
    page.table(sources)
