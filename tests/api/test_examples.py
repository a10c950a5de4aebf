"""The examples of the page about the API work as they stand there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.api.callers import Caller, Programs
from tests.web.house import House
from tests.web.raised import put_alert

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "use-the-api.md"
EXAMPLES = re.findall(r"```bash\n(curl .*)\n```", PAGE.read_text("utf-8"))


@pytest.fixture(scope="module")
def programs(house: House) -> Programs:
    return Programs(house)


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 7


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_of_the_page_works(programs: Programs, example: str) -> None:
    client = programs.client(Caller("admin", "admin"))
    key = client.headers["Authorization"].removeprefix("Bearer ")
    alert = put_alert(programs.house.workspace.store, "zq00-id")
    told = example.replace("$KEY", key).replace("$RETINUE", "").replace("$ACCOUNT", "zq00-id")
    told = told.replace("$ALERT", str(alert))
    _, *words = shlex.split(told)
    method, headers, body, url = "GET", {}, None, ""
    while words:
        word = words.pop(0)
        if word == "-X":
            method = words.pop(0)
        elif word == "-H":
            name, _, value = words.pop(0).partition(": ")
            headers[name] = value
        elif word == "-d":
            body = words.pop(0)
        else:
            url = word
    answer = client.request(method, url, headers=headers, content=body)
    assert answer.status_code == (200 if method == "GET" else 201), answer.text
