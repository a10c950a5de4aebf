"""A real OpenID provider on this machine, and a browser that signs in there."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urljoin, urlsplit

import httpx
import pytest

FOLDER = Path(__file__).parent / "provider"
RETURN = "http://127.0.0.1:1/sign-in/return"
SECRET = "a secret: of + the %tests"


@pytest.fixture(scope="session")
def issuer() -> Iterator[str]:
    """The address of a running provider of OpenID Connect."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("no Node on this machine: sudo apt-get install nodejs npm")
    if not (FOLDER / "node_modules").is_dir():
        pytest.skip(f"npm ci --ignore-scripts --prefix {FOLDER} was not run; ./scripts/test does")
    with subprocess.Popen(
        [node, FOLDER / "provider.mjs", RETURN],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert address, "the provider did not start"
        yield address
        process.kill()


@pytest.fixture
def twisted(issuer: str) -> Iterator[Any]:
    """Makes the provider say something else than it should."""

    def twist(**told: Any) -> None:
        httpx.post(issuer + "/twist", json=told).raise_for_status()

    yield twist
    twist()


def signed_in(address: str, login: str = "ann") -> dict[str, str]:
    """What comes back from the provider when somebody signs in at `address` and agrees."""
    with httpx.Client() as browser:
        answer = browser.get(address)
        for _ in range(12):
            if answer.is_redirect:
                there = urljoin(str(answer.url), answer.headers["location"])
                if there.startswith(RETURN):
                    return dict(parse_qsl(urlsplit(there).query))
                answer = browser.get(there)
                continue
            form = re.search(r'<form[^>]* action="([^"]+)"', answer.text)
            prompt = re.search(r'name="prompt" value="(\w+)"', answer.text)
            assert form, answer.text
            assert prompt, answer.text
            fields = {"prompt": prompt[1]}
            if prompt[1] == "login":
                fields |= {"login": login, "password": "any"}
            answer = browser.post(urljoin(str(answer.url), form[1]), data=fields)
    raise AssertionError("the provider never sent the browser back")
