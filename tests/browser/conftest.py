"""A real browser on a real server: one browser per process, one server per module.

Whatever a page logs as an error, or does against its content security policy, fails the test that
opened it.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from retinue.web.guard import cookie
from tests.web.conftest import _ordinary, house, own  # noqa: F401
from tests.web.house import House

DESKTOP, PHONE, NARROW = (1280, 800), (390, 844), (320, 640)
_LOOKING = (Path(__file__).parent / "looking.js").read_text(encoding="utf-8")
AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"


def _absent(what: str) -> None:
    """Where everything is tested, nothing may be missing."""
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)


# While Playwright is there, no other loop can run in this thread: it goes before the next file is tested.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    found = shutil.which("chromium") or shutil.which("google-chrome")
    if found is None:
        _absent("no browser: install chromium")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=found, args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        )
        yield started
        started.close()


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core."""
    if not AXE.is_file():
        _absent("no axe-core: npm ci --prefix tests/browser")
    return AXE.read_text(encoding="utf-8")


@dataclass
class Served:
    """A house behind a port of this machine."""

    house: House
    url: str


def serve(inside: House) -> Iterator[Served]:
    """Answers until the generator is closed."""
    config = uvicorn.Config(
        inside.app,
        host="127.0.0.1",
        port=0,
        log_level="error",
        lifespan="off",
        ws="none",
        proxy_headers=False,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield Served(inside, f"http://127.0.0.1:{port}")
    server.should_exit = True
    thread.join(20)


@pytest.fixture(scope="module")
def served(house: House) -> Iterator[Served]:  # noqa: F811
    yield from serve(house)


@dataclass
class Visitor:
    """Somebody at a browser, with what went wrong in it."""

    page: Page
    url: str
    house: House
    wrong: list[str] = field(default_factory=list)

    def look(self, at: str, *told: Any) -> Any:
        """What a function of `looking.js` says of the page that is open."""
        return self.page.evaluate(f"(told) => {_LOOKING.partition(chr(10))[2].strip()}.{at}(...told)", told)

    def open(self, path: str, status: int = 200) -> Page:
        answer = self.page.goto(self.url + path)
        assert answer is not None
        assert answer.status == status, f"{path} answered {answer.status}"
        return self.page


Visit = Callable[..., Visitor]


@pytest.fixture
def visit(browser: Browser, served: Served) -> Iterator[Visit]:
    """Opens a browser as a person: `visit("owner", size=PHONE, color_scheme="dark")`."""
    yield from visits(browser, served)


def visits(browser: Browser, served: Served) -> Iterator[Visit]:
    contexts: list[BrowserContext] = []
    visitors: list[Visitor] = []

    def opened(name: str | None = None, size: tuple[int, int] = DESKTOP, **told: Any) -> Visitor:
        told.setdefault("is_mobile", size[0] < 500)
        told.setdefault("has_touch", size[0] < 500)
        context = browser.new_context(
            viewport={"width": size[0], "height": size[1]}, locale="en-GB", timezone_id="UTC", **told
        )
        context.set_default_timeout(15_000)
        contexts.append(context)
        if name is not None:
            token, _ = served.house.tokens[name]
            context.add_cookies(
                [{"name": cookie(served.house.site), "value": token, "url": served.url, "httpOnly": True}]
            )
        visitor = Visitor(context.new_page(), served.url, served.house)
        visitors.append(visitor)
        visitor.page.on("pageerror", lambda error: visitor.wrong.append(f"script: {error}"))
        visitor.page.on("console", lambda told: _heard(visitor, told))
        visitor.page.on(
            "requestfailed",
            lambda request: (
                visitor.wrong.append(f"not loaded: {request.url} {request.failure}")
                if "ERR_ABORTED" not in (request.failure or "")
                else None
            ),
        )
        visitor.page.on(
            "request",
            lambda request: (
                visitor.wrong.append(f"from elsewhere: {request.url}")
                if not request.url.startswith((served.url, "data:", "blob:"))
                else None
            ),
        )
        return visitor

    yield opened
    for context in contexts:
        context.close()
    assert not [wrong for visitor in visitors for wrong in visitor.wrong]


def _heard(visitor: Visitor, told: Any) -> None:
    """An answer of 4xx is an error to the console, and what some tests want."""
    if told.type in ("error", "warning") and "Failed to load resource" not in told.text:
        visitor.wrong.append(f"console: {told.text}")


def answers(page: Page) -> dict[str, int]:
    """Set up before a page is opened: the status of everything it loads."""
    found: dict[str, int] = {}
    page.on("response", lambda response: found.__setitem__(response.url, response.status))
    return found
