"""Microsoft Teams: a card of Adaptive Cards that knows no Markdown, and is not too long.

`microsoft-teams-cards` of Microsoft says what an element of a card is.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from microsoft_teams import cards
from pydantic import BaseModel

from retinue.deliver.channels.teams import MOST, encoded, send
from retinue.project.destinations import Teams
from tests.deliver.receivers import LOOPBACK, NOW, http_receiver, message, outside

CHANNEL = Teams.model_validate({"url": {"env": "TEAMS_URL"}, "allow_private": LOOPBACK})
KINDS: dict[str, type[BaseModel]] = {
    kind.model_fields["type"].default: kind
    for kind in vars(cards).values()
    if isinstance(kind, type) and issubclass(kind, BaseModel) and "type" in kind.model_fields
}


def check(told: Any) -> None:
    """Every element is one that is known, with keys and values that are."""
    if isinstance(told, dict):
        if "type" in told:
            found = KINDS[told["type"]].model_validate(told)
            # `$schema` is of JSON, and no field of a model.
            assert set(found.model_extra or {}) <= {"$schema"}
        for value in told.values():
            check(value)
    elif isinstance(told, list):
        for value in told:
            check(value)


def card(body: bytes) -> dict:
    assert len(body) <= MOST
    told = json.loads(body)
    assert told["type"] == "message"
    (attachment,) = told["attachments"]
    assert set(attachment) == {"contentType", "contentUrl", "content"}
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    check(attachment["content"])
    return attachment["content"]


def texts(found: dict) -> list[str]:
    return [run["text"] for block in found["body"] for run in block["inlines"]]


def test_a_message_is_a_card_that_teams_knows():
    found = card(encoded(message()))
    assert texts(found) == [
        "Acme fell to At risk",
        "Acme · Ann",
        "The score went from 62 to 38.",
        "Why",
        "• logins fell by 40 %",
        "What to do",
        "• Call them this week.",
    ]
    assert found["actions"] == [
        {
            "type": "Action.OpenUrl",
            "title": "Open in Retinue",
            "url": "https://retinue.example/accounts/acme",
        }
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        {"type": "RichTextBlok", "inlines": []},
        {"type": "RichTextBlock", "inlines": [], "colour": "red"},
        {"type": "TextRun", "text": "x", "size": "Huge"},
        {"type": "TextRun", "text": 7},
    ],
)
def test_the_oracle_refuses_what_is_no_card(wrong: dict):
    with pytest.raises((KeyError, AssertionError, ValueError)):
        check({"type": "AdaptiveCard", "version": "1.4", "body": [wrong]})


def test_what_others_wrote_stands_only_where_there_is_no_markdown():
    evil = "[invoice](https://evil.example) **b** <at>everyone</at>"
    made = message(subject=evil, what=f"{evil}!", why=(evil,), do=(evil,), account=evil, recipient=evil)
    found = card(encoded(made))
    assert sum("evil" in text for text in texts(found)) == 5
    without = {**found, "body": []}
    assert "evil" not in json.dumps(without)
    assert {run["type"] for block in found["body"] for run in block["inlines"]} == {"TextRun"}


def test_a_link_that_is_no_page_is_left_out():
    assert "actions" not in card(encoded(message(link="javascript:alert(1)")))


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=200), st.sampled_from(["a", "😀", "\n", '"', "ä"]), st.integers(0, 9000))
def test_any_text_of_any_length_fits(text: str, filler: str, count: int):
    long = text + filler * count
    card(
        encoded(
            message(subject=long, what=long, why=(long,) * 30, do=(long,) * 30, account=long, recipient=long)
        )
    )


def test_it_arrives():
    with http_receiver() as receiver:
        environ = {"TEAMS_URL": f"http://flows.example:{receiver.port}/invoke?sig=s3cret"}
        send(CHANNEL, message(), outside(environ), NOW)
    (request,) = receiver.requests
    assert request.path == "/invoke?sig=s3cret"
    card(request.body)
