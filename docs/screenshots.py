"""Pictures of the main pages for docs/images/web, of the demo's company: desktop, phone, dark.

python -m docs.screenshots [--project DIR]    a demo that is scored already, instead of a new one
"""

from __future__ import annotations

import argparse
import base64
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time as clock
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import uvicorn

from docs.console import _RETINUE
from docs.pages import ROOT
from retinue.desk.background import wait
from retinue.desk.losses import start_reading
from retinue.desk.trust import start_trial
from retinue.store.people.access import OPERATOR, Actor
from retinue.store.people.people import actor_of, add_person, find_person
from retinue.store.people.sessions import begin_session
from retinue.store.published.current import accounts, current_run
from retinue.store.work.alerts import alerts_of
from retinue.store.work.said import add_note, add_override
from retinue.store.work.tasks import add_task
from retinue.web.app import application
from retinue.web.site import Site
from retinue.workspace import Workspace, open_workspace

IMAGES = ROOT / "docs" / "images" / "web"
DEMO = ["demo", "meridian", "--accounts", "600", "--months", "15"]
#: Bytes of a picture at most; the quality is what fits.
MOST = 150_000

DESKTOP, PHONE = (1280, 860), (390, 844)


@dataclass(frozen=True)
class Shot:
    """One picture: `whole` shows the page down to its end, or to so many pixels."""

    name: str
    path: str
    size: tuple[int, int] = DESKTOP
    scheme: str = "light"
    whole: int = 0
    #: Script that opens what the picture is about.
    first: str = ""


def shots(account: str, alert: int | None) -> list[Shot]:
    here = "/accounts/" + quote(account, safe="")
    note = (
        "document.getElementById('act-override').open = true;"
        "document.getElementById('act-override').scrollIntoView({block: 'center'})"
    )
    return [
        Shot("book", "/?scope=all"),
        Shot("book-dark", "/?scope=all", scheme="dark"),
        Shot("book-phone", "/?scope=all", PHONE, whole=1700),
        Shot("account", here, whole=1600),
        Shot("account-dark", here, scheme="dark"),
        Shot("account-phone", here, PHONE, whole=2200),
        Shot("acting", here, (1280, 700), first=note),
        Shot("portfolio", "/portfolio", whole=1500),
        Shot("scorecards", "/scorecards"),
        Shot("trust", "/trust", whole=1200),
        Shot("leadership", "/leadership", whole=1500),
        Shot("tasks", "/tasks?whose=all"),
        Shot("alerts", "/alerts?whose=all"),
        *([] if alert is None else [Shot("alert", f"/alerts/{alert}", whole=1100)]),
        Shot("playbook", "/playbooks/rescue"),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--project", type=Path)
    parser.add_argument("--only", help="the pictures whose name begins so")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "meridian"
        if asked.project is not None:
            shutil.copytree(asked.project, project)
        else:
            environ = {**os.environ, "RETINUE_QUIET": "1"}
            subprocess.run([sys.executable, "-c", _RETINUE, *DEMO], cwd=folder, env=environ, check=True)
        workspace = open_workspace(project)
        try:
            take(workspace, asked.only or "")
        finally:
            workspace.store.close()


def take(workspace: Workspace, only: str) -> None:
    """The pictures of that project, on the morning after its last scored day."""
    run = current_run(workspace.store)
    assert run is not None
    assert run.last_as_of is not None
    now = datetime.combine(run.last_as_of + timedelta(days=1), time(9, 30), run.published_at.tzinfo)
    account, actor, token = _furnished(workspace, now)
    if any(name.startswith(only) for name in ("trust", "leadership")):
        start_reading(workspace, run, now=now)
        start_trial(workspace, actor, now=now)
        wait(900)
    IMAGES.mkdir(parents=True, exist_ok=True)
    with _served(Site(workspace, lambda: now)) as address, _browser() as browser:
        for shot in shots(account, _serious(workspace)):
            if shot.name.startswith(only):
                image = _taken(browser, address, token, shot)
                (IMAGES / f"{shot.name}.webp").write_bytes(image)
                print(f"docs/images/web/{shot.name}.webp  {len(image) // 1024} kB")


def _furnished(workspace: Workspace, now: datetime) -> tuple[str, Actor, str]:
    """An account with a story, and a leader who looks at it; what people said about it is there too."""
    store = workspace.store
    falling = accounts(store, OPERATOR, ranges={"delta_28": (None, -12), "effective": (35, 70)}, limit=1)
    account = (falling or accounts(store, OPERATOR, limit=1))[0]
    person = add_person(
        store,
        OPERATOR,
        "dana.leader@meridian.example",
        "Dana Leader",
        "leader",
        now=now,
        owners=[account.owner or ""],
    )
    actor = actor_of(store, find_person(store, OPERATOR, person))
    yesterday, week = now - timedelta(days=1), now.date() + timedelta(days=7)
    add_note(store, account.account_id, "Their champion moved to another team.", by=actor, now=yesterday)
    title = "Meet the new head of operations"
    add_task(store, actor, account.account_id, title, now=yesterday, due_on=week, origin="by hand")
    others = accounts(store, OPERATOR, filters={"band": "at_risk"}, limit=3)
    for n, other in enumerate(others):
        due = now.date() + timedelta(days=3 * n - 2)
        add_task(store, actor, other.account_id, "Agree on a plan for the renewal", now=yesterday, due_on=due)
    add_override(
        store,
        others[0].account_id,
        "cap",
        30,
        reason="they told us that they look at others",
        owner=actor.name,
        starts_on=now.date(),
        expires_on=now.date() + timedelta(days=60),
        by=actor,
        now=yesterday,
    )
    token, _ = begin_session(store, person, agent="Firefox on Linux", now=now)
    return account.account_id, actor, token


def _serious(workspace: Workspace) -> int | None:
    """The newest open alert of high severity about an account."""
    found = alerts_of(workspace.store, OPERATOR, is_open=True, limit=500)
    return next((one.id for one in found if one.severity == "high" and one.account_id), None)


@contextmanager
def _served(site: Site) -> Iterator[str]:
    config = uvicorn.Config(application(site), host="127.0.0.1", port=0, log_level="error", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        clock.sleep(0.02)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(20)


@contextmanager
def _browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    found = shutil.which("chromium") or shutil.which("google-chrome")
    if found is None:
        sys.exit("no browser: install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


def _taken(browser: Any, address: str, token: str, shot: Shot) -> bytes:
    width, height = shot.size
    phone = width < 500
    context = browser.new_context(
        viewport={"width": width, "height": shot.whole or height},
        device_scale_factor=2 if phone else 1.25 if shot.whole else 1.5,
        is_mobile=phone,
        color_scheme=shot.scheme,
        reduced_motion="reduce",
        locale="en-GB",
        timezone_id="UTC",
    )
    context.add_cookies([{"name": "retinue", "value": token, "url": address}])
    page = context.new_page()
    page.goto(address + shot.path)
    page.wait_for_load_state("networkidle")
    if shot.first:
        page.evaluate(shot.first)
    image: bytes = page.screenshot()
    # The end of a page that is shorter than its picture is empty.
    bottom = page.evaluate("Math.ceil(document.querySelector('.bottom').getBoundingClientRect().bottom)")
    if shot.whole and bottom < shot.whole:
        image = page.screenshot(clip={"x": 0, "y": 0, "width": width, "height": bottom})
    context.close()
    blank = browser.new_page()
    small = _webp(blank, image)
    blank.close()
    return small


def _webp(page: Any, png: bytes) -> bytes:
    """The same picture in the format and quality that keep it small; the browser knows how."""
    for quality in (0.9, 0.8, 0.7, 0.6, 0.5, 0.4):
        told = page.evaluate(
            """async ([png, quality]) => {
              const image = new Image();
              image.src = "data:image/png;base64," + png;
              await image.decode();
              const canvas = document.createElement("canvas");
              canvas.width = image.width; canvas.height = image.height;
              canvas.getContext("2d").drawImage(image, 0, 0);
              return canvas.toDataURL("image/webp", quality).split(",")[1];
            }""",
            [base64.b64encode(png).decode(), quality],
        )
        found = base64.b64decode(told)
        if len(found) <= MOST:
            break
    return found


if __name__ == "__main__":
    main()
