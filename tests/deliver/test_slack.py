"""Slack: blocks that Slack takes, and nothing in them that others can make do something.

`slack_sdk` of Slack says what a block is and how long its texts may be.
"""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slack_sdk.models.blocks import Block

from retinue.deliver.channels.slack import payload, send
from retinue.deliver.failures import NotDelivered
from retinue.project.destinations import Slack
from tests.deliver.receivers import LOOPBACK, NOW, Answer, http_receiver, message, outside

CHANNEL = Slack.model_validate({"url": {"env": "SLACK_URL"}, "allow_private": LOOPBACK})
NASTY = [
    "<!channel>",
    "<!here> & <@U123>",
    "<http://evil.example|invoice>",
    "*b*_i_~s~`c`",
    "@channel #general",
    "&lt;",
]


def valid(found: dict) -> None:
    assert set(found) == {"text", "blocks", "unfurl_links", "unfurl_media"}
    assert len(found["blocks"]) <= 50
    assert len(found["text"]) <= 4000
    for told in found["blocks"]:
        block = Block.parse(told)
        assert block is not None
        block.validate_json()
        assert block.to_dict() == told
        for text in (told.get("text"), *told.get("elements", [])):
            if text:
                assert 0 < len(text["text"]) <= 3000


def test_a_message_is_blocks_that_slack_knows():
    found = payload(message())
    valid(found)
    texts = [block["text"]["text"] for block in found["blocks"] if "text" in block]
    assert texts == [
        "*Acme fell to At risk*\nAcme",
        "The score went from 62 to 38.",
        "*Why*\n• logins fell by 40 %",
        "*What to do*\n• Call them this week.",
        "<https://retinue.example/accounts/acme|Open in Retinue>",
    ]
    assert found["blocks"][-1]["elements"][0]["text"] == "For Ann"


def test_the_oracle_refuses_what_slack_would():
    with pytest.raises(Exception, match="3000"):
        valid({**payload(message()), "blocks": [section("x" * 3001)]})


def section(text: str) -> dict:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": True}}


def check(found: dict) -> None:
    valid(found)
    whole = found["text"] + "".join(re.findall(r'"text": "((?:[^"\\]|\\.)*)"', json.dumps(found["blocks"])))
    link = "<https://retinue.example/accounts/acme|Open in Retinue>"
    left = whole.replace(link, "")
    assert "<" not in left
    assert ">" not in left
    assert not re.search(r"&(?!amp;|lt;|gt;)", left)
    assert all(
        text["verbatim"]
        for block in found["blocks"]
        for text in (block.get("text"), *block.get("elements", []))
        if text
    )


@pytest.mark.parametrize("text", NASTY)
def test_nobody_is_mentioned_and_nothing_linked_by_what_others_wrote(text: str):
    check(payload(message(subject=text, what=text, why=(text,), do=(text,), account=text, recipient=text)))


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=200), st.sampled_from(["<", "&", "a", "😀", "\n", "*", ""]), st.integers(0, 9000))
def test_any_text_of_any_length_fits(text: str, filler: str, count: int):
    long = text + filler * count
    check(
        payload(
            message(subject=long, what=long, why=(long,) * 30, do=(long,) * 3, account=long, recipient=long)
        )
    )


def test_a_link_cannot_end_itself():
    found = payload(message(link="https://retinue.example/a?b=1&c=%20|<!channel> x"))
    (text,) = [b["text"]["text"] for b in found["blocks"] if "Open in" in str(b)]
    assert text == "<https://retinue.example/a?b=1&amp;c=%20%7C%3C!channel%3E%20x|Open in Retinue>"


def test_it_arrives_and_what_slack_refuses_is_said_without_its_address():
    with http_receiver() as receiver:
        environ = {"SLACK_URL": f"http://hooks.slack.example:{receiver.port}/services/T0/B0/s3cret"}
        send(CHANNEL, message(), outside(environ), NOW)
        (request,) = receiver.requests
        assert request.path == "/services/T0/B0/s3cret"
        assert json.loads(request.body) == payload(message())
        receiver.answers = lambda _request: Answer(404, body=b"no_service s3cret")
        with pytest.raises(NotDelivered) as caught:
            send(CHANNEL, message(), outside(environ), NOW)
    assert str(caught.value) == "the receiver answers 404"
